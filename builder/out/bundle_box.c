/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle_box.h"

#include <fcntl.h>
#include <unistd.h>

#include "../base/path.h"
#include "../io/tar.h"

#define SUFFIX ".tar"

bool box_is_tar(const char *path)
{
    return str_ends(str_of(path), STR(SUFFIX));
}

/* ---- the folder ---- */

static bool has(const struct names *names, const char *name)
{
    char **each;

    vec_each(each, names)
        if (strcmp(*each, name) == 0)
            return true;
    return false;
}

/* Of an earlier bundle first goes what says that it is whole. */
static int make_room(const char *dir, const char *last, const char *large, struct err *e)
{
    CLEANUP(names_clear) struct names names = {0};
    CLEANUP(free_clear) char *sums = path_join(dir, last);
    char **name;

    if (fs_mkdirs(dir, e) < 0 || fs_list(&names, dir, e) < 0)
        return -1;
    if (names.n && !(has(&names, "README.html") && has(&names, "load.sh")))
        return err_set(e, ERR_INPUT,
                       "%s holds other things; name a folder of its own, which is made", dir);
    if (has(&names, last) && (fs_remove(sums, e) < 0 || fs_sync_dir(dir, e) < 0))
        return -1;
    vec_each(name, &names) {
        CLEANUP(free_clear) char *path = path_join(dir, *name);

        if (str_starts(str_of(*name), str_of(large)) && fs_remove(path, e) < 0)
            return -1;
    }
    return 0;
}

static void take_folder(struct box *b)
{
    struct str base = path_base(str_of(b->path));

    if (b->tar)
        str_drop(&base, STR(SUFFIX));
    for (size_t k = 0; k < base.len; k++)
        buf_putc(&b->folder, c_alnum(base.p[k]) || (k && str_has(STR("-._"), base.p[k])) ? base.p[k]
                             : b->tar                                                    ? '_'
                                                                                         : '?');
    if (!base.len)
        buf_puts(&b->folder, "bundle");
}

int box_open(struct box *b, const char *path, int64_t mtime, const char *last, const char *large,
             struct err *e)
{
    CLEANUP(free_clear) char *dir = path_dir(path);

    b->path = path;
    b->tar = box_is_tar(path);
    b->mtime = mtime;
    take_folder(b);
    if (!b->tar)
        return make_room(path, last, large, e);
    return fs_mkdirs(dir, e) < 0 ? -1 : fs_temp_open(&b->temp, dir, e);
}

/* ---- files ---- */

static int put_head(struct box *b, uint64_t at, const char *name, uint64_t size, struct err *e)
{
    CLEANUP(buf_clear) struct buf path = {0}, head = {0};
    struct entry entry = {.type = ENTRY_FILE, .mode = 0644, .mtime = b->mtime};

    buf_fmt(&path, "%s/%s", b->folder.p, name);
    entry.path = buf_view(&path);
    entry.content.size = size;
    return tar_header(&head, &entry, e) < 0
               ? -1
               : fd_pwrite_all(b->temp.fd.n, head.p, head.len, at, b->path, e);
}

/* Bytes that are not written are zeros. */
static int put_entry(struct box *b, const char *name, struct str text, struct err *e)
{
    if (put_head(b, b->at, name, text.len, e) < 0 ||
        fd_pwrite_all(b->temp.fd.n, text.p, text.len, b->at + TAR_BLOCK, b->path, e) < 0)
        return -1;
    b->at += TAR_BLOCK + text.len + tar_padding(text.len);
    return 0;
}

int box_put(struct box *b, const char *name, struct str text, struct err *e)
{
    CLEANUP(free_clear) char *path = path_join(b->path, name);

    return b->tar ? put_entry(b, name, text, e) : fs_write(path, text, e);
}

int box_begin(struct box *b, const char *name, struct err *e)
{
    b->size = 0;
    b->head = b->at;
    b->at += TAR_BLOCK;
    free(b->open);
    b->open = b->tar ? NULL : path_join(b->path, name);
    return b->tar ? 0 : fd_open(&b->fd, b->open, O_WRONLY | O_CREAT | O_TRUNC, 0666, e);
}

int box_write(struct box *b, const void *bytes, size_t len, struct err *e)
{
    if ((b->tar ? fd_pwrite_all(b->temp.fd.n, bytes, len, b->at, b->path, e)
                : fd_pwrite_all(b->fd.n, bytes, len, b->size, b->open, e)) < 0)
        return -1;
    b->size += len;
    b->at += len;
    return 0;
}

/* A stick is pulled out when the program ends, so the bytes are on it before. */
static int end_file(struct box *b, const char *name, struct err *e)
{
    CLEANUP(free_clear) char *path = path_join(b->path, name);

    if (fdatasync(b->fd.n) < 0)
        return err_errno(e, "cannot write %s", b->open);
    fd_clear(&b->fd);
    return rename(b->open, path) < 0 ? err_errno(e, "cannot write %s", path) : 0;
}

int box_end(struct box *b, const char *name, struct err *e)
{
    if (!b->tar)
        return end_file(b, name, e);
    b->at += tar_padding(b->size);
    return put_head(b, b->head, name, b->size, e);
}

int box_close(struct box *b, const char *name, struct str text, struct err *e)
{
    CLEANUP(free_clear) char *dir = path_dir(b->path);
    CLEANUP(buf_clear) struct buf end = {0};

    if (!b->tar)
        return fs_sync_dir(b->path, e) < 0 ? -1 : box_put(b, name, text, e);
    tar_end(&end);
    return put_entry(b, name, text, e) < 0 ||
                   fd_pwrite_all(b->temp.fd.n, end.p, end.len, b->at, b->path, e) < 0 ||
                   fs_temp_publish(&b->temp, b->path, true, e) < 0 || fs_sync_dir(dir, e) < 0
               ? -1
               : 0;
}

void box_clear(struct box *b)
{
    fs_temp_clear(&b->temp);
    buf_clear(&b->folder);
    fd_clear(&b->fd);
    free(b->open);
    b->open = NULL;
}
