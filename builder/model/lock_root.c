/* SPDX-License-Identifier: Apache-2.0 */
#include "lock_root.h"

static int by_name(const void *x, const void *y)
{
    const struct artifact *a = x, *b = y;

    return a->eco != b->eco ? (int)a->eco - (int)b->eco : str_cmp(a->name, b->name);
}

static bool is_toolkit(struct str group)
{
    return str_is(group, lock_group_name(LOCK_TOOLKIT));
}

/* Debs and NVIDIA's archives. */
static void add_parts(struct lock *out, const struct artifacts *from, const struct strs *groups)
{
    const struct artifact *a;

    vec_each(a, from)
        if (a->eco != ECO_WHEEL && strs_has(groups, a->group) &&
            (!is_toolkit(a->group) || out->toolkit.from.len))
            vec_add(&out->artifacts, *a);
}

/* As in an image, where torch is what the recipe asks for. */
static void add_wheel(struct lock *out, const struct artifact *wheel)
{
    struct artifact *a;

    if (lock_find(out, ECO_WHEEL, wheel->name))
        return;
    a = vec_push(&out->artifacts);
    *a = *wheel;
    a->requested = str_is(a->name, "torch");
    a->turn = 1;
}

static void take_toolkit(struct lock_toolkit *out, const struct lock_toolkit *from)
{
    const struct lock_stand_in *s;

    *out = *from;
    out->stand_ins.v = NULL;
    out->stand_ins.n = out->stand_ins.cap = 0;
    vec_each(s, &from->stand_ins) {
        struct lock_stand_in *to = vec_push(&out->stand_ins);

        *to = (struct lock_stand_in){.name = s->name, .version = s->version, .summary = s->summary};
        for (size_t i = 0; i < s->provides.n; i++)
            vec_add(&to->provides, s->provides.v[i]);
        for (size_t i = 0; i < s->links.n; i++)
            vec_add(&to->links, s->links.v[i]);
    }
}

static void add_wheels(struct lock *out, const struct lock *lock,
                       const struct artifact_source *build, const struct artifact *pip)
{
    const struct artifact *a;

    if (pip)
        vec_add(&out->artifacts, *pip);
    for (size_t i = 0; i < build->requires_n; i++)
        if (str_is(build->requires[i].group, ARTIFACT_OF_ROOT))
            add_wheel(out, &build->requires[i]);
    if (out->toolkit.from.len) /* what it links to */
        vec_each(a, &lock->artifacts)
            if (a->eco == ECO_WHEEL && !a->source && str_starts(a->name, STR("nvidia-")))
                add_wheel(out, a);
}

static void add_system_layer(struct lock *out, enum lock_group group)
{
    struct str name = str_of(lock_group_name(group));
    struct lock_layer layer = {.name = name, .kind = LOCK_SYSTEM, .group = group};

    for (size_t i = 0; i < out->artifacts.n; i++)
        if (out->artifacts.v[i].eco != ECO_WHEEL && str_eq(out->artifacts.v[i].group, name))
            vec_add(&layer.artifacts, i);
    if (layer.artifacts.n || (group == LOCK_TOOLKIT && out->toolkit.from.len) ||
        (out->image.ref.len ? group == LOCK_PYTHON : group == LOCK_STATE && out->format >= 3))
        vec_add(&out->layers, layer);
}

static void add_wheel_layers(struct lock *out)
{
    for (size_t i = 0; i < out->artifacts.n; i++) {
        struct lock_layer layer = {.name = out->artifacts.v[i].name, .kind = LOCK_WHEELS};

        if (out->artifacts.v[i].eco != ECO_WHEEL)
            continue;
        vec_add(&layer.artifacts, i);
        vec_add(&out->layers, layer);
    }
}

void lock_root(struct lock *out, const struct lock *lock, const struct artifact_source *build,
               const struct artifact *pip)
{
    *out = (struct lock){.recipe = lock->recipe,
                         .name = lock->name,
                         .tag = lock->tag,
                         .variant = lock->variant,
                         .writer = lock->writer,
                         .os = lock->os,
                         .arch = lock->arch,
                         .base = lock->base,
                         .image = lock->image,
                         .python = lock->python,
                         .python_full = lock->python_full,
                         .apt_sources = lock->apt_sources,
                         .apt_sources_path = lock->apt_sources_path,
                         .created = lock->created,
                         .format = lock->format};
    if (strs_has(&build->root, str_of(lock_group_name(LOCK_TOOLKIT))) &&
        lock_layer_of(lock, LOCK_TOOLKIT))
        take_toolkit(&out->toolkit, &lock->toolkit);
    add_parts(out, &lock->artifacts, &build->root);
    add_parts(out, &lock->tools, &build->root);
    add_wheels(out, lock, build, pip);
    vec_sort(&out->artifacts, by_name);
    add_system_layer(out, LOCK_BASE);
    add_system_layer(out, LOCK_PYTHON);
    add_wheel_layers(out);
    add_system_layer(out, LOCK_APT);
    add_system_layer(out, LOCK_COMPILE);
    add_system_layer(out, LOCK_TOOLKIT);
    add_system_layer(out, LOCK_STATE);
}
