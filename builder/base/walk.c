/* SPDX-License-Identifier: Apache-2.0 */
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "fs.h"

enum { DEPTH_MAX = 256 };

struct walking {
    int (*each)(void *ctx, const struct walk_item *item, struct err *e);
    void *ctx;
    const char *top;
    struct buf path;
    unsigned depth;
};

static int walk_folder(struct walking *w, int dir, struct err *e);

static int enter(struct walking *w, int dir, const char *name, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    int n = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), result;

    fd = (struct fd){n, n >= 0};
    if (n < 0)
        return errno == ENOENT ? 0 : err_errno(e, "cannot read folder %s/%s", w->top, w->path.p);
    if (w->depth == DEPTH_MAX)
        return err_set(e, ERR_SYSTEM,
                       "%s/%s: it lies more than %d folders deep, which no store and no layout "
                       "does; remove it",
                       w->top, w->path.p, DEPTH_MAX);
    w->depth++;
    result = walk_folder(w, n, e);
    w->depth--;
    return result;
}

static int visit(struct walking *w, int dir, const char *name, struct err *e)
{
    struct walk_item item = {buf_view(&w->path), dir, name, NULL};
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_errno(e, "cannot read %s/%s", w->top, w->path.p);
    item.st = &st;
    if (w->each(w->ctx, &item, e) < 0)
        return -1;
    return S_ISDIR(st.st_mode) ? enter(w, dir, name, e) : 0;
}

static int walk_folder(struct walking *w, int dir, struct err *e)
{
    CLEANUP(names_clear) struct names names = {0};
    size_t at = w->path.len;
    char **name;

    if (fs_list_at(&names, dir, w->top, e) < 0)
        return -1;
    vec_each(name, &names) {
        buf_fmt(&w->path, "%s%s", at ? "/" : "", *name);
        if (visit(w, dir, *name, e) < 0)
            return -1;
        w->path.len = at;
        w->path.p[at] = '\0';
    }
    return 0;
}

int walk(const char *dir, int (*each)(void *ctx, const struct walk_item *item, struct err *e),
         void *ctx, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    struct walking w = {.each = each, .ctx = ctx, .top = dir};
    struct walk_item item = {.name = "."};
    struct stat st;
    int result;

    if (fd_open(&fd, dir, O_RDONLY | O_DIRECTORY, 0, e) < 0)
        return -1;
    if (fstat(fd.n, &st) < 0)
        return err_errno(e, "cannot read %s", dir);
    item.dir = fd.n;
    item.st = &st;
    if (each(ctx, &item, e) < 0)
        return -1;
    result = walk_folder(&w, fd.n, e);
    buf_clear(&w.path);
    return result;
}

void walk_count(struct walk_use *use, const struct stat *st)
{
    use->files += !S_ISDIR(st->st_mode);
    use->bytes += S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0;
    use->real += (uint64_t)st->st_blocks * 512;
}

/* ---- removing ---- */

enum { NEST_MAX = 32 }; /* folders that are open at once */

struct removing {
    int top; /* what lies too deep is moved here */
    const char *what;
    unsigned moved, nest;
};

static int remove_below(struct removing *r, int dir, struct err *e);

static int remove_folder(struct removing *r, int dir, const char *name, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    char aside[32];
    int n;

    if (r->nest == NEST_MAX) {
        do
            snprintf(aside, sizeof aside, ".deep-%u", r->moved++);
        while (faccessat(r->top, aside, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
        return renameat(dir, name, r->top, aside) < 0 ? err_errno(e, "cannot empty %s", r->what)
                                                      : 0;
    }
    n = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (n < 0 && errno == EACCES && fchmodat(dir, name, 0700, 0) == 0)
        n = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (n < 0)
        return errno == ENOENT ? 0 : err_errno(e, "cannot remove %s in %s", name, r->what);
    fd = (struct fd){n, true};
    r->nest++;
    if (remove_below(r, n, e) < 0)
        return -1;
    r->nest--;
    return unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT
               ? err_errno(e, "cannot remove %s in %s", name, r->what)
               : 0;
}

static int remove_below(struct removing *r, int dir, struct err *e)
{
    CLEANUP(names_clear) struct names names = {0};
    char **name;

    (void)!fchmod(dir, 0700); /* as far as it is ours */
    if (fs_list_at(&names, dir, r->what, e) < 0)
        return -1;
    vec_each(name, &names)
        if (unlinkat(dir, *name, 0) < 0 && errno != ENOENT) {
            if (errno != EISDIR && errno != EPERM)
                return err_errno(e, "cannot remove %s in %s", *name, r->what);
            if (remove_folder(r, dir, *name, e) < 0)
                return -1;
        }
    return 0;
}

int walk_remove(const char *dir, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    struct removing r = {.what = dir};
    int n = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (n < 0 && errno == EACCES && chmod(dir, 0700) == 0)
        n = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (n < 0)
        return errno == ENOENT ? 0 : err_errno(e, "cannot remove %s", dir);
    fd = (struct fd){n, true};
    for (;;) { /* once more for what was moved up */
        unsigned moved = r.moved;

        r.top = n;
        if (remove_below(&r, n, e) < 0)
            return -1;
        if (r.moved == moved)
            break;
    }
    return rmdir(dir) < 0 && errno != ENOENT ? err_errno(e, "cannot remove %s", dir) : 0;
}
