/* SPDX-License-Identifier: Apache-2.0 */
#include "path.h"

char *path_join(const char *dir, const char *name)
{
    struct buf b = {0};

    if (name[0] == '/' || !dir[0]) {
        buf_puts(&b, name);
        return buf_take(&b);
    }
    buf_puts(&b, dir);
    if (b.p[b.len - 1] != '/')
        buf_putc(&b, '/');
    buf_puts(&b, name);
    return buf_take(&b);
}

char *path_dir(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return xstrdup(".");
    return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

struct str path_base(struct str path)
{
    struct str tail;

    return str_cut_last(&path, STR("/"), &tail) ? tail : path;
}

bool path_clean(struct buf *out, struct str path)
{
    bool absolute = str_starts(path, STR("/"));
    size_t start = out->len + absolute;
    struct str part;

    if (absolute)
        buf_putc(out, '/');
    while (str_item(&path, '/', &part)) {
        if (!part.len || str_is(part, "."))
            continue;
        if (str_is(part, "..")) {
            size_t keep = out->len;

            if (out->len == start)
                return false;
            while (keep > start && out->p[keep - 1] != '/')
                keep--;
            out->len = keep > start ? keep - 1 : start;
            out->p[out->len] = '\0';
            continue;
        }
        if (out->len > start)
            buf_putc(out, '/');
        buf_str(out, part);
    }
    return true;
}

bool path_is_safe(struct str path)
{
    struct str part;

    if (!path.len || path.len > 4096 || str_has(path, '\0'))
        return false;
    while (str_item(&path, '/', &part))
        if (!part.len || part.len > 255 || str_is(part, ".") || str_is(part, ".."))
            return false;
    return true;
}

bool path_is_in(struct str path, struct str folder)
{
    return str_skip(&path, folder) && (!path.len || path.p[0] == '/' || str_ends(folder, STR("/")));
}

bool path_is_kernels(struct str path)
{
    return path_is_in(path, STR("/proc")) || path_is_in(path, STR("/sys")) ||
           path_is_in(path, STR("/dev"));
}
