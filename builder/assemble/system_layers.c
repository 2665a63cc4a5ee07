/* SPDX-License-Identifier: Apache-2.0 */
#include "system_layers.h"

#include "image_layers.h"
#include "layer_key.h"
#include "venv.h"

int system_layers_open(struct system_layers *s, const struct lock *lock, const char *scratch_dir,
                       struct err *e)
{
    if (spool_open(&s->spool, scratch_dir, e) < 0)
        return -1;
    s->spool_open = true;
    s->packages_n = lock->artifacts.n;
    s->packages = xcalloc(s->packages_n, sizeof *s->packages);
    s->trees_n = lock->layers.n;
    s->trees = xcalloc(s->trees_n, sizeof *s->trees);
    return 0;
}

void system_layers_clear(struct system_layers *s)
{
    for (size_t i = 0; i < s->trees_n; i++)
        tree_clear(&s->trees[i]);
    for (size_t i = 0; i < s->packages_n; i++)
        debpkg_clear(&s->packages[i]);
    free(s->trees);
    free(s->packages);
    tree_clear(&s->skeleton);
    names_clear(&s->uncovered);
    if (s->spool_open)
        spool_clear(&s->spool);
    *s = (struct system_layers){0};
}

int system_layers_import(struct system_layers *s, size_t artifact, const struct input *deb,
                         struct err *e)
{
    return import_deb(&s->packages[artifact], &s->spool, deb, e);
}

/* The system of layers 0 to `last`, as a whole tree. */
static int whole_tree(struct tree *out, struct system_layers *s, const struct lock *lock,
                      size_t last, struct err *e)
{
    struct system_input in = {
        .arch = lock->arch, .sources = lock->apt_sources, .sources_path = lock->apt_sources_path};
    struct VEC_OF(const struct debpkg *) list = {0};
    bool python = false;
    int result;

    for (size_t i = 0; i <= last; i++) {
        const struct lock_layer *l = &lock->layers.v[i];

        if (l->kind != LOCK_SYSTEM)
            continue;
        python |= str_is(l->name, "python");
        for (size_t j = 0; j < l->artifacts.n; j++)
            vec_add(&list, &s->packages[l->artifacts.v[j]]);
    }
    names_clear(&s->uncovered); /* the last tree, which has all packages, decides */
    result = system_build(out, list.v, list.n, &in, &s->uncovered, e);
    vec_clear(&list);
    if (result == 0 && python) {
        struct venv how = {.python = lock->python,
                           .python_full = lock->python_full,
                           .prefix = STR(LAYER_PREFIX),
                           .home = STR("usr")};

        result = venv_add(out, &how, e);
        tree_sort(out);
    }
    return result;
}

int system_layers_build(struct system_layers *s, const struct lock *lock, struct err *e)
{
    CLEANUP(tree_clear) struct tree below = {0};
    struct inflater *inflater;
    int result;

    for (size_t i = 0; i < lock->layers.n; i++) {
        CLEANUP(tree_clear) struct tree whole = {0};

        if (lock->layers.v[i].kind != LOCK_SYSTEM)
            continue;
        if (whole_tree(&whole, s, lock, i, e) < 0 || tree_diff(&s->trees[i], &below, &whole, e) < 0)
            return -1;
        tree_sort(&s->trees[i]);
        tree_clear(&below);
        MOVE(&below, &whole);
    }
    inflater = inflater_open();
    result = skeleton_of(&s->skeleton, &below, inflater, e);
    inflater_clear(&inflater);
    return result;
}

int system_layers_from_image(struct system_layers *s, const struct lock *lock,
                             const struct stored *image, struct err *e)
{
    for (size_t i = 0; i < lock->layers.n; i++)
        if (lock->layers.v[i].kind == LOCK_SYSTEM)
            return image_layers_build(&s->skeleton, &s->trees[i], lock, image, e);
    return err_set(e, ERR_INPUT, "the lock plans no layer for the Python environment");
}

const struct tree *system_layers_tree(const struct system_layers *s, size_t layer)
{
    return &s->trees[layer];
}

static void memo_key(struct buf *out, const struct lock *lock, const char *what)
{
    buf_fmt(out, "%s of ", what);
    system_key(out, lock);
}

int system_layers_remember(const struct system_layers *s, const struct lock *lock,
                           const struct memo *memo, struct err *e)
{
    CLEANUP(buf_clear) struct buf key = {0}, text = {0}, names = {0}, names_key = {0};

    memo_key(&names_key, lock, "uncovered scripts");
    for (size_t i = 0; i < s->uncovered.n; i++)
        buf_fmt(&names, "%s\n", s->uncovered.v[i]);
    memo_key(&key, lock, "skeleton");
    skeleton_print(&text, &s->skeleton);
    return memo_put(memo, buf_view(&names_key), buf_view(&names), e) < 0
               ? -1
               : memo_put(memo, buf_view(&key), buf_view(&text), e);
}

bool system_layers_recall(struct system_layers *s, const struct lock *lock, const struct memo *memo)
{
    CLEANUP(buf_clear) struct buf key = {0}, text = {0}, names = {0}, names_key = {0};
    struct err none = {0};
    bool found = false, named = false;
    struct str rest, line;

    memo_key(&names_key, lock, "uncovered scripts");
    memo_key(&key, lock, "skeleton");
    if (memo_get(memo, buf_view(&key), &text, &found, &none) < 0 || !found ||
        memo_get(memo, buf_view(&names_key), &names, &named, &none) < 0 || !named ||
        skeleton_parse(&s->skeleton, buf_view(&text), &none) < 0) {
        err_clear(&none); /* as good as not remembered: the system is built again */
        return false;
    }
    for (rest = buf_view(&names); str_line(&rest, &line);) {
        CLEANUP(free_clear) char *name = str_dup(line);

        names_add(&s->uncovered, name);
    }
    return true;
}
