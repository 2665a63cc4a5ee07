/* SPDX-License-Identifier: Apache-2.0 */
#include "lay.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/path.h"
#include "../base/walk.h"

enum { CHUNK = 256 * 1024, DEPTH_MAX = 128 /* folders, one in the other */ };

/* ---- folders, following no link ---- */

int lay_clear_name(int dir, const char *name, const char *top, struct err *e)
{
    CLEANUP(buf_clear) struct buf link = {0};

    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return err_errno(e, "cannot replace %s in %s", name, top);
    buf_fmt(&link, "/proc/self/fd/%d/%s", dir, name);
    return walk_remove(link.p, e);
}

int lay_enter(struct fd *out, int dir, const char *name, const char *top, struct err *e)
{
    const int how = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int n = openat(dir, name, how);

    if (n < 0 && (errno == ENOTDIR || errno == ELOOP) && lay_clear_name(dir, name, top, e) < 0)
        return -1;
    if (n < 0 && mkdirat(dir, name, 0755) == 0)
        n = openat(dir, name, how);
    if (n < 0)
        return err_errno(e, "cannot make the folder %s in %s", name, top);
    *out = (struct fd){n, true};
    return 0;
}

int lay_enter_parents(struct fd *out, char **name, int top_fd, struct str path, const char *top,
                      struct err *e)
{
    CLEANUP(fd_clear) struct fd at = {0};
    struct str part;
    unsigned depth = 0;

    while (str_cut(&path, STR("/"), &part)) {
        CLEANUP(free_clear) char *folder = str_dup(part);
        struct fd next;

        if (++depth > DEPTH_MAX)
            return err_set(e, ERR_INPUT, "it has more than %d folders, one in the other",
                           DEPTH_MAX);
        if (lay_enter(&next, at.open ? at.n : top_fd, folder, top, e) < 0)
            return -1;
        fd_clear(&at);
        at = next;
    }
    if (!at.open) {
        int n = openat(top_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (n < 0)
            return err_errno(e, "cannot open %s", top);
        at = (struct fd){n, true};
    }
    *name = str_dup(path);
    MOVE(out, &at);
    return 0;
}

/* ---- a layer as files ---- */

bool lay_is_whiteout(const char *name)
{
    return strncmp(name, ".wh.", 4) == 0;
}

static int put_bytes(struct lay *l, const char *name, uint32_t mode, struct source *data,
                     struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    int n = openat(l->at.n, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    size_t got = 1;

    if (n < 0)
        return err_errno(e, "cannot write %s in %s", name, l->top);
    fd = (struct fd){n, true};
    while (data && got) {
        if (source_read(data, l->chunk, CHUNK, &got, e) < 0 ||
            fd_write_all(n, l->chunk, got, name, e) < 0)
            return -1;
    }
    return fchmod(n, (mode & 0777) | 0400) < 0
               ? err_errno(e, "cannot set the mode of %s in %s", name, l->top)
               : 0;
}

static int put_folder(struct lay *l, const char *name, uint32_t mode, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};

    if (lay_enter(&fd, l->at.n, name, l->top, e) < 0)
        return -1;
    return fchmod(fd.n, (mode & 0777) | 0700) < 0
               ? err_errno(e, "cannot set the mode of %s in %s", name, l->top)
               : 0;
}

/* The name must be of a file of this layer, by a way without links. */
static int put_hard_link(struct lay *l, const char *name, const struct entry *entry, struct err *e)
{
    CLEANUP(fd_clear) struct fd folder = {0};
    CLEANUP(free_clear) char *target = NULL;
    struct stat st;

    if (lay_enter_parents(&folder, &target, l->fd.n, entry->link, l->top, e) < 0)
        return -1;
    if (fstatat(folder.n, target, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode) ||
        lay_is_whiteout(target))
        return err_set(e, ERR_INPUT,
                       "\"" STR_FMT "\" is a hard link to \"" STR_FMT
                       "\", which is not a file of the same layer",
                       STR_ARG(entry->path), STR_ARG(entry->link));
    return linkat(folder.n, target, l->at.n, name, 0) < 0
               ? err_errno(e, "cannot link %s in %s", name, l->top)
               : 0;
}

/* `l->at` becomes the folder of `path`. Most entries stand beside the one before. */
static int go_to(struct lay *l, char **name, struct str path, struct err *e)
{
    struct str base = path_base(path);
    struct str folder = str_sub(path, 0, path.len - base.len);
    struct stat st;

    if (l->at.open && str_eq(folder, buf_view(&l->folder)) && fstat(l->at.n, &st) == 0 &&
        st.st_nlink) {
        *name = str_dup(base);
        return 0;
    }
    fd_clear(&l->at);
    buf_reset(&l->folder);
    buf_str(&l->folder, folder);
    return lay_enter_parents(&l->at, name, l->fd.n, path, l->top, e);
}

int lay_put(struct lay *l, const struct entry *entry, struct source *data, struct err *e)
{
    CLEANUP(free_clear) char *name = NULL, *link = NULL;
    const struct timespec times[] = {{.tv_sec = entry->mtime}, {.tv_sec = entry->mtime}};
    bool hides;

    if (!entry->path.len)
        return 0;
    if (go_to(l, &name, entry->path, e) < 0)
        return -1;
    hides = l->layer && lay_is_whiteout(name);
    if (!hides && entry->type == ENTRY_DIR)
        return put_folder(l, name, entry->mode, e);
    if (!hides && entry->type == ENTRY_HARDLINK && str_eq(entry->path, entry->link))
        return 0;
    if (lay_clear_name(l->at.n, name, l->top, e) < 0)
        return -1;
    if (hides)
        return put_bytes(l, name, 0600, NULL, e);
    if (entry->type == ENTRY_HARDLINK)
        return put_hard_link(l, name, entry, e);
    link = str_dup(entry->link);
    if (entry->type == ENTRY_SYMLINK)
        return symlinkat(link, l->at.n, name) < 0
                   ? err_errno(e, "cannot make the link %s in %s", name, l->top)
                   : 0;
    if (put_bytes(l, name, entry->mode, data, e) < 0)
        return -1;
    return !l->layer && utimensat(l->at.n, name, times, AT_SYMLINK_NOFOLLOW) < 0
               ? err_errno(e, "cannot set the time of %s in %s", name, l->top)
               : 0;
}

int lay_open(struct lay *l, const char *top, bool layer, struct err *e)
{
    *l = (struct lay){.top = top, .layer = layer, .chunk = xmalloc(CHUNK)};
    return fd_open(&l->fd, top, O_RDONLY | O_DIRECTORY, 0, e);
}

void lay_clear(struct lay *l)
{
    fd_clear(&l->fd);
    fd_clear(&l->at);
    buf_clear(&l->folder);
    free(l->chunk);
    *l = (struct lay){0};
}
