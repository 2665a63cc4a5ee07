/* SPDX-License-Identifier: Apache-2.0 */
#include "unpacked.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "../base/path.h"
#include "../base/walk.h"

static const char *const kinds[] = {[UNPACKED_LAYER] = "unpacked/layers/",
                                    [UNPACKED_ROOT] = "unpacked/roots/",
                                    [UNPACKED_BUILD] = "unpacked/builds/"};

static char *folder_of(const struct cas *cas, enum unpacked_kind kind, const struct digest *key)
{
    char hex[DIGEST_HEX + 1];
    struct buf path = {0};

    digest_hex(key, hex);
    buf_fmt(&path, "%s/%s%s", cas_dir(cas), kinds[kind], hex);
    return buf_take(&path);
}

/* Used now: utimensat() is also how one is told that is not there. */
static bool is_done(const char *folder)
{
    CLEANUP(free_clear) char *done = path_join(folder, "done");

    return utimensat(AT_FDCWD, done, NULL, 0) == 0 || (errno != ENOENT && fs_exists(done));
}

/* Nobody else makes it now. */
static int begin(struct unpacked *u, const struct events *events, struct err *e)
{
    CLEANUP(free_clear) char *lock = path_join(u->folder, "lock");

    if (fs_mkdirs(u->folder, e) < 0 || fs_lock(&u->lock, lock, events, e) < 0)
        return -1;
    u->here = is_done(u->folder);
    if (u->here) {
        fd_clear(&u->lock);
        return 0;
    }
    return walk_remove(u->files, e) < 0 ? -1 : fs_mkdirs(u->files, e);
}

int unpacked_open(struct unpacked *out, const struct cas *cas, enum unpacked_kind kind,
                  const struct digest *key, const struct events *events, struct err *e)
{
    CLEANUP(unpacked_clear) struct unpacked u = {.folder = folder_of(cas, kind, key)};

    u.files = path_join(u.folder, "files");
    u.here = is_done(u.folder);
    if (!u.here && cas_is_read_only(cas))
        return err_set(e, ERR_SYSTEM,
                       "the store %s may only be read here, and what a sealed build needs is not "
                       "unpacked in it",
                       cas_dir(cas));
    if (!u.here && begin(&u, events, e) < 0)
        return -1;
    MOVE(out, &u);
    return 0;
}

int unpacked_publish(struct unpacked *u, struct err *e)
{
    CLEANUP(free_clear) char *done = path_join(u->folder, "done");

    if (syncfs(u->lock.n) < 0)
        return err_errno(e, "cannot write %s to the disk", u->folder);
    if (fs_write(done, STR(""), e) < 0)
        return -1;
    u->here = true;
    fd_clear(&u->lock);
    return 0;
}

int unpacked_drop(struct unpacked *u, struct err *e)
{
    return walk_remove(u->files, e);
}

void unpacked_clear(struct unpacked *u)
{
    free(u->files);
    free(u->folder);
    fd_clear(&u->lock);
    *u = (struct unpacked){0};
}

/* What stands behind the folder's name. */
static bool behind(struct str *path)
{
    struct digest digest;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct str rest = *path;

        if (str_skip(&rest, str_of(kinds[i])) &&
            digest_from_hex(&digest, str_sub(rest, 0, DIGEST_HEX))) {
            *path = str_sub(rest, DIGEST_HEX, rest.len);
            return !path->len || path->p[0] == '/';
        }
    }
    return false;
}

bool unpacked_is_one(struct str path)
{
    return behind(&path) && !path.len;
}

bool unpacked_is_in(struct str path)
{
    return behind(&path);
}

int unpacked_remove(const char *folder, struct err *e)
{
    CLEANUP(free_clear) char *done = path_join(folder, "done");

    return fs_remove(done, e) < 0 ? -1 : walk_remove(folder, e);
}
