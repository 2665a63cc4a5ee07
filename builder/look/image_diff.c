/* SPDX-License-Identifier: Apache-2.0 */
#include "image_diff.h"

enum { FILES_TOLD = 20 };

/* ---- packages ---- */

static int package_compare(const struct package *a, const struct package *b)
{
    int order = (int)a->manager - (int)b->manager;

    if (!order)
        order = str_cmp(a->where, b->where);
    return order ? order : str_cmp(a->key, b->key);
}

/* Both lists are sorted alike. */
static void compare_packages(struct image_diff *d, const struct packages *old,
                             const struct packages *now)
{
    size_t i = 0, j = 0;

    while (i < old->list.n || j < now->list.n) {
        const struct package *a = i < old->list.n ? old->list.v[i] : NULL;
        const struct package *b = j < now->list.n ? now->list.v[j] : NULL;
        int order = !a ? 1 : !b ? -1 : package_compare(a, b);

        i += order <= 0;
        j += order >= 0;
        if (order == 0 && str_eq(a->version, b->version))
            continue;
        vec_add(&d->packages,
                ((struct image_package_change){order <= 0 ? a : NULL, order >= 0 ? b : NULL}));
    }
}

/* ---- files ---- */

static bool alike(const struct rootfs_node *a, const struct rootfs_node *b)
{
    return a->type == b->type && a->special == b->special && a->mode == b->mode &&
           a->uid == b->uid && a->gid == b->gid && str_eq(a->link, b->link) && a->size == b->size &&
           str_eq(a->text, b->text) && str_eq(a->caps, b->caps);
}

static int file_compare(const void *a, const void *b)
{
    const struct image_file *x = a, *y = b;

    return str_cmp(x->path, y->path);
}

static void compare_files(struct image_diff *d, const struct rootfs *old, const struct rootfs *now)
{
    for (size_t i = 0; i < now->nodes.n; i++) {
        const struct rootfs_node *n = now->nodes.v[i];
        const struct rootfs_node *had = n->gone ? NULL : rootfs_get(old, n->path);

        if (n->gone || (had && alike(had, n)))
            continue;
        vec_add(&d->files, ((struct image_file){had ? FILE_OTHER : FILE_NEW, n->path}));
    }
    for (size_t i = 0; i < old->nodes.n; i++)
        if (!old->nodes.v[i]->gone && !rootfs_get(now, old->nodes.v[i]->path))
            vec_add(&d->files, ((struct image_file){FILE_GONE, old->nodes.v[i]->path}));
    vec_sort(&d->files, file_compare);
}

/* ---- layers ---- */

static void compare_layers(struct image_diff *d, const struct inspection *old,
                           const struct inspection *now)
{
    const struct inspect_layer *l, *had;

    vec_each(l, &now->layers) {
        bool same = false;

        vec_each(had, &old->layers)
            same |= digest_eq(&had->digest, &l->digest);
        d->layers++;
        d->same_layers += same;
        d->pull += same ? 0 : l->size;
    }
}

void image_diff(struct image_diff *out, const struct inspection *old, const struct inspection *now)
{
    compare_packages(out, &old->packages, &now->packages);
    compare_files(out, &old->fs, &now->fs);
    compare_layers(out, old, now);
}

void image_diff_clear(struct image_diff *d)
{
    vec_clear(&d->packages);
    vec_clear(&d->files);
}

/* ---- told ---- */

static void print_package(struct buf *out, const struct image_package_change *c)
{
    const struct package *any = c->now ? c->now : c->old;

    buf_fmt(out, "%s " STR_FMT " ", package_manager_name(any->manager), STR_ARG(any->name));
    if (!c->old)
        buf_fmt(out, STR_FMT " is new\n", STR_ARG(c->now->version));
    else if (!c->now)
        buf_fmt(out, STR_FMT " is gone\n", STR_ARG(c->old->version));
    else
        buf_fmt(out, STR_FMT " becomes " STR_FMT "\n", STR_ARG(c->old->version),
                STR_ARG(c->now->version));
}

static const char *const words[] = {
    [FILE_NEW] = "is new", [FILE_GONE] = "is gone", [FILE_OTHER] = "is another"};

void image_diff_print(struct buf *out, const struct image_diff *d)
{
    const struct image_package_change *c;

    vec_each(c, &d->packages)
        print_package(out, c);
    for (size_t i = 0; i < d->files.n && i < FILES_TOLD; i++)
        buf_fmt(out, "/" STR_FMT " %s\n", STR_ARG(d->files.v[i].path), words[d->files.v[i].change]);
    if (d->files.n > FILES_TOLD)
        buf_fmt(out, "and %zu more files; --json lists all\n", d->files.n - FILES_TOLD);
    if (d->same_layers < d->layers)
        buf_puts(out, "files are compared by size, rights and owner, not by content\n");
    buf_fmt(out, "layers: %zu of %zu stay the same\npull: %.1f MiB\n", d->same_layers, d->layers,
            (double)d->pull / (1024 * 1024));
}

void image_diff_put(struct doc *doc, struct node *root, const struct image_diff *d)
{
    static const char *const keys[] = {
        [FILE_NEW] = "new", [FILE_GONE] = "gone", [FILE_OTHER] = "changed"};
    struct node *list = node_put(doc, root, "packages", node_new_list(doc)), *n;
    const struct image_package_change *c;

    vec_each(c, &d->packages) {
        const struct package *any = c->now ? c->now : c->old;

        n = node_add(doc, list, node_new_map(doc));
        node_put_str(doc, n, "type", str_of(package_manager_name(any->manager)));
        node_put_str(doc, n, "name", any->name);
        if (c->old)
            node_put_str(doc, n, "old", c->old->version);
        if (c->now)
            node_put_str(doc, n, "new", c->now->version);
    }
    list = node_put(doc, root, "files", node_new_list(doc));
    for (size_t i = 0; i < d->files.n; i++) {
        n = node_add(doc, list, node_new_map(doc));
        node_put_str(doc, n, "path", d->files.v[i].path);
        node_put_str(doc, n, "change", str_of(keys[d->files.v[i].change]));
    }
    n = node_put(doc, root, "layers", node_new_map(doc));
    node_put_u64(doc, n, "new", d->layers);
    node_put_u64(doc, n, "same", d->same_layers);
    node_put_u64(doc, root, "pull", d->pull);
}
