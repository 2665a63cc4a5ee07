/* SPDX-License-Identifier: Apache-2.0 */
#include "image_layers.h"

#include "../../oci/rootfs.h"
#include "../layer/layer_key.h"
#include "venv.h"

enum { KEPT_MAX = 4 * 1024 * 1024 };

static bool wanted(struct str path)
{
    return str_is(path, "etc/passwd") || str_is(path, "etc/group") || str_is(path, "etc/shadow") ||
           str_is(path, "etc/gshadow") || skeleton_is_bundle(path) ||
           str_find_str(path, STR("/venv/scripts/")) < path.len ||
           str_ends(path, STR("/venv/__init__.py"));
}

static int keep(void *ctx, struct str path, uint64_t size, struct source *data, struct buf *text,
                struct err *e)
{
    return wanted(path) ? source_read_all(data, text, KEPT_MAX, e) : 0;
}

/* Folders, links, and the files whose text was kept. */
static int to_tree(struct tree *out, const struct rootfs *fs, struct err *e)
{
    for (size_t i = 0; i < fs->nodes.n; i++) {
        const struct rootfs_node *n = fs->nodes.v[i];
        struct entry entry = {.path = n->path,
                              .type = n->type,
                              .mode = n->mode,
                              .uid = n->uid,
                              .gid = n->gid,
                              .link = n->link};

        if (n->gone || n->special || (n->type == ENTRY_FILE && !wanted(n->path)))
            continue;
        if (n->type == ENTRY_FILE)
            entry.content =
                (struct content){CONTENT_BYTES, .size = n->text.len, .bytes = n->text.p};
        if (tree_add(out, &entry, true, e) < 0)
            return -1;
    }
    tree_sort(out);
    return 0;
}

/* "usr/local" of "usr/local/bin/python3.11". */
static struct str home_of(struct str python)
{
    struct str name;

    str_cut_last(&python, STR("/"), &name);
    str_drop(&python, STR("/bin"));
    return python;
}

static bool is_ours(struct str path)
{
    struct str rest = path;

    return str_skip(&rest, STR(LAYER_PREFIX)) && (!rest.len || rest.p[0] == '/');
}

/* Out of the whole tree. */
static int take_venv(struct tree *out, const struct tree *whole, const struct tree *skeleton,
                     int64_t mtime, struct err *e)
{
    out->below = skeleton;
    for (size_t i = 0; i < whole->entries.n; i++) {
        struct entry entry = whole->entries.v[i];

        if (!is_ours(entry.path))
            continue;
        entry.mtime = mtime;
        if (tree_parents(out, entry.path, mtime, e) < 0 || tree_add(out, &entry, true, e) < 0)
            return -1;
    }
    out->below = NULL; /* it moves */
    tree_sort(out);
    return 0;
}

int image_layers_skeleton(struct tree *out, const struct stored *image, bool certificates,
                          struct err *e)
{
    CLEANUP(rootfs_clear) struct rootfs fs = {0};
    CLEANUP(tree_clear) struct tree whole = {0};
    struct inflater *inflater;
    int result;

    if (rootfs_read(&fs, image, keep, NULL, e) < 0 || to_tree(&whole, &fs, e) < 0)
        return -1;
    inflater = inflater_open();
    result = skeleton_of(out, &whole, certificates, inflater, e);
    inflater_clear(&inflater);
    return result;
}

int image_layers_build(struct tree *skeleton, struct tree *venv, const struct lock *lock,
                       const struct stored *image, struct err *e)
{
    CLEANUP(rootfs_clear) struct rootfs fs = {0};
    CLEANUP(tree_clear) struct tree whole = {0}, bones = {0}, own = {0};
    struct venv how = {.python = lock->python,
                       .python_full = lock->python_full,
                       .prefix = STR(LAYER_PREFIX),
                       .home = home_of(lock->image.python),
                       .bare = true};
    struct inflater *inflater;
    int result;

    if (!digest_eq(&image->digest, &lock->image.manifest))
        return err_set(
            e, ERR_INTEGRITY,
            "%s gives another image for linux/amd64 than the lock names; run `envbuild lock` "
            "to accept it",
            image->files.path);
    if (rootfs_read(&fs, image, keep, NULL, e) < 0 || to_tree(&whole, &fs, e) < 0)
        return -1;
    inflater = inflater_open();
    result = skeleton_of(&bones, &whole, lock_has_certificates(lock), inflater, e);
    inflater_clear(&inflater);
    if (result < 0 || venv_add(&whole, &how, e) < 0)
        return -1;
    tree_sort(&whole);
    if (take_venv(&own, &whole, &bones, lock->created, e) < 0)
        return -1;
    MOVE(skeleton, &bones);
    MOVE(venv, &own);
    return 0;
}
