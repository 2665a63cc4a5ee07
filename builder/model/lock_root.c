/* SPDX-License-Identifier: Apache-2.0 */
#include "lock_root.h"

static int by_name(const void *x, const void *y)
{
    const struct artifact *a = x, *b = y;

    return a->eco != b->eco ? (int)a->eco - (int)b->eco : str_cmp(a->name, b->name);
}

static void add_debs(struct lock *out, const struct artifacts *from, const struct strs *groups)
{
    const struct artifact *a;

    vec_each(a, from)
        if (a->eco == ECO_DEB && strs_has(groups, a->group))
            vec_add(&out->artifacts, *a);
}

static void add_layer(struct lock *out, enum lock_group group)
{
    struct str name = str_of(lock_group_name(group));
    struct lock_layer layer = {.name = name, .kind = LOCK_SYSTEM, .group = group};

    for (size_t i = 0; i < out->artifacts.n; i++)
        if (out->artifacts.v[i].eco == ECO_DEB && str_eq(out->artifacts.v[i].group, name))
            vec_add(&layer.artifacts, i);
    if (layer.artifacts.n)
        vec_add(&out->layers, layer);
}

void lock_root(struct lock *out, const struct lock *lock, const struct strs *groups,
               const struct artifact *pip)
{
    struct lock_layer *wheels;

    *out = (struct lock){.recipe = lock->recipe,
                         .name = lock->name,
                         .tag = lock->tag,
                         .variant = lock->variant,
                         .writer = lock->writer,
                         .os = lock->os,
                         .arch = lock->arch,
                         .base = lock->base,
                         .python = lock->python,
                         .python_full = lock->python_full,
                         .apt_sources = lock->apt_sources,
                         .apt_sources_path = lock->apt_sources_path,
                         .created = lock->created,
                         .format = lock->format};
    add_debs(out, &lock->artifacts, groups);
    add_debs(out, &lock->tools, groups);
    vec_add(&out->artifacts, *pip);
    vec_sort(&out->artifacts, by_name);
    add_layer(out, LOCK_BASE);
    add_layer(out, LOCK_PYTHON);
    wheels = vec_push(&out->layers);
    wheels->name = STR("pip");
    wheels->kind = LOCK_WHEELS;
    vec_add(&wheels->artifacts, out->artifacts.n - 1);
    add_layer(out, LOCK_APT);
    add_layer(out, LOCK_COMPILE);
}
