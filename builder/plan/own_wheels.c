/* SPDX-License-Identifier: Apache-2.0 */
#include "own_wheels.h"

#include <fcntl.h>

#include "../base/fd.h"
#include "../base/fs.h"
#include "../base/path.h"
#include "../io/crypto.h"
#include "../net/url.h"

/* Nobody builds the files of an index, be it one on this machine. */
static bool is_own(const struct artifact *a)
{
    return a->eco == ECO_WHEEL &&
           (str_starts(a->url, STR("./")) || str_starts(a->url, STR("file:"))) &&
           str_find_str(a->from, STR("://")) == a->from.len;
}

/* "./lib/a%20b.whl" lies below `dir`. */
static int find_path(char **out, const struct artifact *a, const char *dir, struct err *e)
{
    CLEANUP(buf_clear) struct buf name = {0};
    struct str rest = a->url;
    bool below = str_skip(&rest, STR("./"));

    if (!below)
        str_skip(&rest, STR("file://"));
    if (url_decode(&name, rest, e) < 0)
        return -1;
    *out = below ? path_join(dir, name.p) : buf_take(&name);
    return 0;
}

static int look(struct artifacts *out, const struct artifact *a, const char *dir, struct err *e)
{
    CLEANUP(free_clear) char *path = NULL;
    CLEANUP(fd_clear) struct fd fd = {0};
    struct artifact now = *a;

    if (find_path(&path, a, dir, e) < 0)
        return -1;
    if (!fs_exists(path))
        return 0;
    if (fd_open(&fd, path, O_RDONLY, 0, e) < 0 ||
        hash_fd(&now.digest, &now.size, fd.n, path, e) < 0)
        return -1;
    if (!digest_eq(&now.digest, &a->digest))
        vec_add(out, now);
    return 0;
}

int own_wheels_changed(struct artifacts *out, const struct lock *lock, const char *dir,
                       struct err *e)
{
    const struct artifact *a;

    vec_each(a, &lock->artifacts)
        if (is_own(a) && look(out, a, dir, e) < 0)
            return -1;
    return 0;
}
