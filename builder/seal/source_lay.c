/* SPDX-License-Identifier: Apache-2.0 */
#include "source_lay.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "../base/walk.h"
#include "../io/decompress.h"
#include "../io/inflate.h"
#include "../io/tar_read.h"
#include "../io/zip.h"
#include "lay.h"

static const uint64_t plain_max = (uint64_t)16 << 30; /* bytes of an sdist, unpacked */

/* ---- a tar ---- */

static int put_entry(void *ctx, const struct tar_entry *t, struct source *data, struct err *e)
{
    return t->special ? 0 : lay_put(ctx, &t->entry, data, e);
}

/* Of a layer's kind, whose paths are cleaned: what GNU tar and Python write is no cleaner. */
static int lay_tar(struct lay *l, const struct input *in, struct err *e)
{
    struct source *plain = decompress(source_input(in, 0, in->size));
    CLEANUP(tar_clear) struct tar_reader *tar = NULL;

    plain->limit = plain_max;
    tar = tar_open(plain, TAR_LAYER);
    return tar_walk(tar, put_entry, l, e);
}

/* ---- a zip ---- */

static int lay_zip_entry(struct lay *l, const struct zip_entry *z, struct inflater *inflater,
                         struct err *e)
{
    struct entry entry = {.path = z->name, .mtime = z->mtime, .mode = z->executable ? 0755 : 0644};
    CLEANUP(free_clear) char *what = str_dup(z->name);
    CLEANUP(source_clear) struct source *data = NULL;
    CLEANUP(buf_clear) struct buf bytes = {0};

    if (z->directory) {
        str_drop(&entry.path, STR("/"));
        entry.type = ENTRY_DIR;
        entry.mode = 0755;
        return lay_put(l, &entry, NULL, e);
    }
    if (content_read(inflater, &z->content, &bytes, (uint64_t)1 << 30, what, e) < 0)
        return -1;
    data = source_bytes(buf_view(&bytes), what);
    return lay_put(l, &entry, data, e);
}

static int lay_zip(struct lay *l, const struct input *in, struct err *e)
{
    CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();
    CLEANUP(zip_clear) struct zip zip = {0};
    const struct zip_entry *z;

    if (zip_open(&zip, in, e) < 0)
        return -1;
    vec_each(z, &zip.entries)
        if (lay_zip_entry(l, z, inflater, e) < 0)
            return -1;
    return 0;
}

/* ---- an sdist ---- */

static int lay_sdist(struct lay *l, const struct seal_source *source, const struct events *events,
                     struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    struct input in = {.name = source->sdist, .events = events};
    struct digest got;
    char head[2];

    if (fd_open(&fd, source->sdist, O_RDONLY | O_NONBLOCK, 0, e) < 0 ||
        hash_fd(&got, &in.size, fd.n, source->sdist, e) < 0)
        return -1;
    if (!digest_eq(&got, &source->digest))
        return err_set(e, ERR_INTEGRITY, "%s has another digest than the lock says", source->sdist);
    in.fd = fd;
    if (in.size > sizeof head && fd_pread_all(fd.n, head, sizeof head, 0, in.name, e) < 0)
        return -1;
    return in.size > sizeof head && memcmp(head, "PK", 2) == 0 ? lay_zip(l, &in, e)
                                                               : lay_tar(l, &in, e);
}

/* ---- a folder ---- */

struct copying {
    struct lay *to;
    int64_t epoch;
    const char *top;
    const struct events *events;
};

static int copy_file(struct copying *c, const struct walk_item *item, struct entry *entry,
                     struct err *e)
{
    CLEANUP(free_clear) char *what = str_dup(item->path);
    CLEANUP(source_clear) struct source *data = NULL;
    CLEANUP(fd_clear) struct fd fd = {0};
    int n = openat(item->dir, item->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (n < 0)
        return err_errno(e, "cannot read %s/%s", c->top, what);
    fd = (struct fd){n, true};
    data = source_file_take(&fd, 0, (uint64_t)item->st->st_size, what);
    data->events = c->events;
    return lay_put(c->to, entry, data, e);
}

static int copy_item(void *ctx, const struct walk_item *item, struct err *e)
{
    struct copying *c = ctx;
    struct entry entry = {
        .path = item->path, .mtime = c->epoch, .mode = item->st->st_mode & 0100 ? 0755 : 0644};
    char target[PATH_MAX];
    ssize_t n;

    if (!item->path.len)
        return 0;
    if (S_ISREG(item->st->st_mode))
        return copy_file(c, item, &entry, e);
    if (S_ISDIR(item->st->st_mode))
        entry.type = ENTRY_DIR;
    else if (S_ISLNK(item->st->st_mode))
        entry.type = ENTRY_SYMLINK;
    else
        return 0;
    if (entry.type == ENTRY_SYMLINK) {
        n = readlinkat(item->dir, item->name, target, sizeof target);
        if (n < 0 || n == sizeof target)
            return err_set(e, ERR_INPUT, "cannot read the link %s/" STR_FMT, c->top,
                           STR_ARG(item->path));
        entry.link = (struct str){target, (size_t)n};
    }
    return lay_put(c->to, &entry, NULL, e);
}

int source_lay(const char *to, const struct seal_source *source, int64_t epoch,
               const struct events *events, struct err *e)
{
    CLEANUP(lay_clear) struct lay l = {0};
    struct copying c = {&l, epoch, source->folder, events};

    if (lay_open(&l, to, false, e) < 0)
        return -1;
    return source->sdist ? lay_sdist(&l, source, events, e)
                         : walk(source->folder, copy_item, &c, e);
}
