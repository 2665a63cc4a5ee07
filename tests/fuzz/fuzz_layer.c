/* A layer on top of another: whatever comes in, what is left is a tree. Each file stands in folders
 * that are there, is found by its path, and what was deleted is found no more. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include "base/path.h"
#include "io/decompress.h"
#include "oci/rootfs.h"
#include "mktar.h"

static void make_base(struct buf *tar)
{
    static const char *const files[] = {"a", "d/a", "d/b", "d/s/a", "d/s/b", "e/a"};

    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        mktar(tar, files[i], '0', "", "x", 1);
    mktar(tar, "l", '2', "d", "", 0);
}

static int keep(void *ctx, struct str path, uint64_t size, struct source *data, struct buf *text,
                struct err *e)
{
    return size < 100 ? source_read_all(data, text, 100, e) : 0;
}

static void check(const struct rootfs *r)
{
    for (size_t i = 0; i < r->nodes.n; i++) {
        const struct rootfs_node *n = r->nodes.v[i], *folder;
        struct str name = path_base(n->path);

        if (n->gone) {
            assert(rootfs_get(r, n->path) != n);
            continue;
        }
        assert(rootfs_get(r, n->path) == n && path_is_safe(n->path));
        assert(n->type != ENTRY_HARDLINK && n->layer < r->layers);
        assert(!str_starts(name, STR(".wh.")));
        if (n->path.len > name.len) {
            folder = rootfs_get(r, str_sub(n->path, 0, n->path.len - name.len - 1));
            assert(folder && folder->type == ENTRY_DIR && !folder->gone);
        }
        (void)rootfs_follow(r, n->path);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP(rootfs_clear) struct rootfs r = {0};
    CLEANUP(buf_clear) struct buf base = {0};

    make_base(&base);
    for (int i = 0; i < 3; i++) {
        CLEANUP(err_clear) struct err e = {0};
        struct str tar = i ? (struct str){(const char *)bytes, len} : buf_view(&base);

        if (rootfs_add(&r, decompress(source_bytes(tar, "fuzz")), keep, NULL, &e) < 0)
            assert(e.kind == ERR_INPUT || e.kind == ERR_INTEGRITY);
        check(&r);
    }
    return 0;
}
