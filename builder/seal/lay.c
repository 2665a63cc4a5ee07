/* SPDX-License-Identifier: Apache-2.0 */
#include "lay.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "../base/beneath.h"
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

/* ---- room ---- */

static const uint64_t disk_spare = (uint64_t)512 << 20, look_after = (uint64_t)64 << 20,
                      entry_size = 4096; /* bytes that a name takes, about */

bool lay_disk_is_full(const char *folder)
{
    struct statvfs room;

    return statvfs(folder, &room) == 0 && ((uint64_t)room.f_bavail * room.f_frsize < disk_spare ||
                                           (room.f_files && room.f_favail < room.f_files / 200));
}

/* What says how large it is may lie: so it is seen while it is written. */
static int count(struct lay *l, uint64_t bytes, struct err *e)
{
    l->since += bytes;
    if (l->since < look_after)
        return 0;
    l->since = 0;
    return lay_disk_is_full(l->top) ? err_set(e, ERR_SYSTEM,
                                              "the disk is nearly full; make room, or name another "
                                              "store with --store DIR (%s)",
                                              l->top)
                                    : 0;
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
        if (source_read(data, l->chunk, CHUNK, &got, e) < 0 || count(l, got, e) < 0 ||
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

/* Link to what `name` is in the folder `path` of this layer, by a way without links. False: there
 * is no such file. */
static bool link_here(const struct lay *l, struct str path, const char *name, const char *as)
{
    CLEANUP(err_clear) struct err missing = {0}; /* told by who needs it */
    CLEANUP(fd_clear) struct fd folder = {0};
    struct stat st;

    return beneath_open(&folder, l->fd.n, path.len ? path : STR("."), O_PATH | O_DIRECTORY, l->top,
                        &missing) == 0 &&
           fstatat(folder.n, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode) &&
           linkat(folder.n, name, l->at.n, as, 0) == 0;
}

static int put_hard_link(struct lay *l, const char *name, const struct entry *entry, struct err *e)
{
    struct str base = path_base(entry->link);
    struct str folder = str_sub(entry->link, 0, entry->link.len - base.len);
    CLEANUP(free_clear) char *target = str_dup(base);
    CLEANUP(buf_clear) struct buf lower = {0}, mark = {0};
    CLEANUP(source_clear) struct source *text = NULL;

    str_drop(&folder, STR("/"));
    buf_fmt(&lower, LAY_LINK "%s", target);
    buf_fmt(&mark, LAY_LINK "%s", name);
    if (!lay_is_whiteout(target) &&
        (link_here(l, folder, target, name) || (l->layer && link_here(l, folder, lower.p, mark.p))))
        return 0;
    if (!l->layer || lay_is_whiteout(target))
        return err_set(e, ERR_INPUT,
                       "\"" STR_FMT "\" is a hard link to \"" STR_FMT
                       "\", which is not a file that stands before it",
                       STR_ARG(entry->path), STR_ARG(entry->link));
    text = source_bytes(entry->link, mark.p);
    return lay_clear_name(l->at.n, mark.p, l->top, e) < 0 ? -1
                                                          : put_bytes(l, mark.p, 0600, text, e);
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
    if (count(l, entry_size, e) < 0 || go_to(l, &name, entry->path, e) < 0)
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
