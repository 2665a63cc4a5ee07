/* SPDX-License-Identifier: Apache-2.0 */
#include "layering.h"

/* Where a wheel stands among the wheel layers. */
enum tier {
    TIER_CUDA,
    TIER_TRITON,
    TIER_TORCH,
    TIER_OTHER,
    TIER_VARIANT, /* only the variant has them: above those that all variants share */
    TIER_PROJECT, /* the recipe's own, which changes with each edit: one layer on top */
};

static bool is_cuda(struct str name)
{
    return str_starts(name, STR("nvidia-")) || str_starts(name, STR("cuda-"));
}

static enum tier tier_of(const struct artifact *a)
{
    if (artifact_is_project(a))
        return TIER_PROJECT;
    if (str_is(a->group, "variant"))
        return TIER_VARIANT;
    if (is_cuda(a->name))
        return TIER_CUDA;
    if (str_is(a->name, "triton"))
        return TIER_TRITON;
    return str_is(a->name, "torch") ? TIER_TORCH : TIER_OTHER;
}

static struct lock_layer *add_layer(struct lock *lock, struct str name, enum lock_layer_kind kind)
{
    struct lock_layer *l = vec_push(&lock->layers);

    l->name = name;
    l->kind = kind;
    return l;
}

static struct lock_layer *add_system(struct lock *lock, enum lock_group group)
{
    struct lock_layer *l = add_layer(lock, str_of(lock_group_name(group)), LOCK_SYSTEM);

    l->group = group;
    return l;
}

/* The debs of one group, and NVIDIA's archives, if there are any. */
static void add_debs(struct lock *lock, enum lock_group group)
{
    struct lock_layer *l = NULL;

    for (size_t i = 0; i < lock->artifacts.n; i++) {
        const struct artifact *a = &lock->artifacts.v[i];

        if (a->eco == ECO_WHEEL || !str_is(a->group, lock_group_name(group)))
            continue;
        if (!l)
            l = add_system(lock, group);
        vec_add(&l->artifacts, i);
    }
}

/* The smallest size that still gets a layer of its own: LAYER_OWN_MIN, or more where that would
 * make more layers than an image should have. */
static uint64_t own_threshold(const struct lock *lock)
{
    uint64_t min = LAYER_OWN_MIN;

    for (;; min *= 2) {
        size_t n = 0;

        for (size_t i = 0; i < lock->artifacts.n; i++)
            n += lock->artifacts.v[i].eco == ECO_WHEEL &&
                 artifact_download(&lock->artifacts.v[i]) >= min;
        if (n + lock->layers.n <= LAYERS_MAX || min >= LAYER_GROUP_ALL)
            return min;
    }
}

/* All wheels of a tier: the big ones alone, after one layer with all small ones. */
static void add_wheels(struct lock *lock, enum tier tier, const char *small, uint64_t own_min)
{
    struct lock_layer group = {.kind = LOCK_WHEELS};

    for (size_t i = 0; i < lock->artifacts.n; i++) {
        const struct artifact *a = &lock->artifacts.v[i];

        if (a->eco == ECO_WHEEL && tier_of(a) == tier && artifact_download(a) < own_min)
            vec_add(&group.artifacts, i);
    }
    if (group.artifacts.n) {
        group.name = str_of(small);
        vec_add(&lock->layers, group);
    }
    for (size_t i = 0; i < lock->artifacts.n; i++) {
        const struct artifact *a = &lock->artifacts.v[i];

        if (a->eco == ECO_WHEEL && tier_of(a) == tier && artifact_download(a) >= own_min) {
            struct lock_layer *own = add_layer(lock, a->name, LOCK_WHEELS);

            vec_add(&own->artifacts, i);
        }
    }
}

/* Since format 2 wheels of a layer are laid in the order in which pip would install them. */
static void order_wheels(const struct lock *lock, struct lock_layer *l)
{
    size_t *v = l->artifacts.v;

    for (size_t i = 1; l->kind == LOCK_WHEELS && i < l->artifacts.n; i++)
        for (size_t j = i;
             j && lock_installs_before(&lock->artifacts.v[v[j]], &lock->artifacts.v[v[j - 1]]);
             j--) {
            size_t below = v[j - 1];

            v[j - 1] = v[j];
            v[j] = below;
        }
}

/* Of packages, archives, or of links to wheels alone. */
static void add_toolkit(struct lock *lock)
{
    size_t before = lock->layers.n;

    add_debs(lock, LOCK_TOOLKIT);
    if (lock->toolkit.from.len && lock->layers.n == before)
        add_system(lock, LOCK_TOOLKIT);
}

static void add_downloads(struct lock *lock)
{
    for (size_t i = 0; i < lock->artifacts.n; i++)
        if (lock->artifacts.v[i].eco == ECO_DOWNLOAD) {
            struct lock_layer *l = add_layer(lock, lock->artifacts.v[i].name, LOCK_DOWNLOAD);

            vec_add(&l->artifacts, i);
        }
}

void layering(struct lock *lock)
{
    uint64_t own_min = own_threshold(lock);

    if (lock->image.ref.len) /* its layers are there already */
        add_system(lock, LOCK_PYTHON);
    add_debs(lock, LOCK_BASE);
    add_debs(lock, LOCK_PYTHON);
    add_wheels(lock, TIER_CUDA, "cuda", own_min);
    add_wheels(lock, TIER_TRITON, "triton", own_min);
    add_wheels(lock, TIER_TORCH, "torch", own_min);
    add_wheels(lock, TIER_OTHER, "wheels", own_min);
    add_debs(lock, LOCK_APT);
    add_debs(lock, LOCK_LOCALES);
    add_debs(lock, LOCK_COMPILE); /* from here on what the variant adds */
    add_wheels(lock, TIER_VARIANT, "compile-wheels", own_min);
    add_toolkit(lock);
    if (lock_has_bytecode(lock))
        add_layer(lock, STR("bytecode"), LOCK_BYTECODE);
    add_downloads(lock);
    add_wheels(lock, TIER_PROJECT, "project", UINT64_MAX);
    add_layer(lock, STR("files"), LOCK_FILES);
    for (size_t i = 0; i < lock->layers.n && lock->format >= 2; i++)
        order_wheels(lock, &lock->layers.v[i]);
}
