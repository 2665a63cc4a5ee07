/* SPDX-License-Identifier: Apache-2.0 */
#include "beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

enum { LINKS_MAX = 40 }; /* as Linux follows them */

struct walk {
    struct buf *out; /* where we are; empty is the root */
    int root;
    unsigned links;
};

static void cut(struct buf *out, size_t len)
{
    out->len = len;
    out->p[len] = '\0';
}

static bool step_up(struct buf *out)
{
    struct str path = buf_view(out), name;

    if (!out->len)
        return false;
    cut(out, str_cut_last(&path, STR("/"), &name) ? path.len : 0);
    return true;
}

static bool walk(struct walk *w, struct str path, bool last)
{
    struct buf *out = w->out;
    struct str part;

    while (str_item(&path, '/', &part)) {
        size_t mark = out->len;
        char target[PATH_MAX];
        ssize_t n;

        if (!part.len || str_is(part, "."))
            continue;
        if (str_is(part, "..")) {
            if (!step_up(out))
                return false;
            continue;
        }
        buf_fmt(out, "%s" STR_FMT, mark ? "/" : "", STR_ARG(part));
        n = path.p || last ? readlinkat(w->root, out->p, target, sizeof target) : -1;
        if (n < 0) /* no link, or not there */
            continue;
        cut(out, mark);
        if (n == sizeof target || target[0] == '/' || ++w->links > LINKS_MAX ||
            !walk(w, (struct str){target, (size_t)n}, true))
            return false;
    }
    return true;
}

bool beneath_resolve(struct buf *out, int root, struct str path, bool last)
{
    struct walk w = {out, root, 0};

    buf_reset(out);
    buf_room(out, 1)[0] = '\0';
    return walk(&w, path, last);
}

static int open_part(struct fd *out, int folder, struct str name, int flags, const char *what,
                     struct err *e)
{
    CLEANUP(free_clear) char *part = str_dup(name.len ? name : STR("."));
    int n;

    if (str_is(name, ".."))
        return err_set(e, ERR_INPUT, "cannot open %s: it leads out of its folder", what);
    do
        n = openat(folder, part, flags | O_NOFOLLOW | O_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(e, "cannot open %s", what);
    *out = (struct fd){n, true};
    return 0;
}

int beneath_open(struct fd *out, int root, struct str path, int flags, const char *what,
                 struct err *e)
{
    CLEANUP(fd_clear) struct fd folder = {.n = root};
    struct str part;

    while (str_cut(&path, STR("/"), &part)) {
        struct fd next;

        if (open_part(&next, folder.n, part, O_PATH | O_DIRECTORY, what, e) < 0)
            return -1;
        fd_clear(&folder);
        folder = next;
    }
    return open_part(out, folder.n, path, flags, what, e);
}
