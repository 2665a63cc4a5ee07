/* Archives that are downloaded: what is taken of one stands below its folder, and no link leads out
 * of that, whatever other links it passes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mman.h>
#include <unistd.h>

#include "assemble/download.h"
#include "base/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINKS_MAX = 40 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Follow a path below the folder as Linux would; false: it leads nowhere, or round. */
static bool follow(const struct tree *t, struct buf *at, struct str path, unsigned links)
{
    struct str part;

    require(!str_starts(path, STR("/")));
    if (links > LINKS_MAX)
        return false;
    while (str_item(&path, '/', &part)) {
        const struct entry *entry;

        if (!part.len || str_is(part, "."))
            continue;
        if (str_is(part, "..")) {
            size_t slash = at->len;

            require(at->len > 1); /* or it leads out of "d" */
            while (at->p[slash - 1] != '/')
                slash--;
            at->len = slash - 1;
            at->p[at->len] = '\0';
            continue;
        }
        buf_fmt(at, "/" STR_FMT, STR_ARG(part));
        entry = tree_get(t, buf_view(at));
        if (!entry)
            return false;
        if (entry->type != ENTRY_SYMLINK)
            continue;
        at->len -= part.len + 1;
        at->p[at->len] = '\0';
        if (!follow(t, at, entry->link, links + 1))
            return false;
    }
    return true;
}

static void check(const struct tree *t)
{
    const struct entry *entry;

    vec_each(entry, &t->entries) {
        CLEANUP(buf_clear) struct buf at = {0};
        struct str rest = entry->path;

        require(str_skip(&rest, STR("d")) && (!rest.len || rest.p[0] == '/'));
        require(path_is_safe(entry->path) && entry->uid == 7 && entry->gid == 8);
        require(entry->type == ENTRY_SYMLINK || !(entry->mode & ~0777u));
        if (entry->type == ENTRY_SYMLINK && str_skip(&rest, STR("/"))) {
            buf_puts(&at, "d");
            (void)follow(t, &at, rest, 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct artifact_place place = {
        .to = STR_INIT("/d"), .unpack = true, .uid = 7, .gid = 8};
    struct artifact download = {.eco = ECO_DOWNLOAD, .file = STR_INIT("x"), .place = &place};
    CLEANUP(spool_clear) struct spool spool;
    CLEANUP(tree_clear) struct tree t = {0}, skeleton = {0};
    CLEANUP(fd_clear) struct fd fd = {memfd_create("x", 0), true};
    struct input in = {.name = "x", .fd = fd, .size = size};
    CLEANUP(lock_clear) struct lock lock = {0};
    struct err e = {0};

    vec_add(&lock.artifacts, download);
    spool_open(&spool, "/tmp");
    require(write(fd.n, data, size) == (ssize_t)size);
    if (download_build(&t, &lock, &download, &in, &spool, &skeleton, &e) == 0)
        check(&t);
    else
        require(e.kind == ERR_INPUT || e.kind == ERR_INTEGRITY);
    err_clear(&e);
    return 0;
}
