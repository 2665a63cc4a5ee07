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

/* How often a size has to be halved to be below LAYER_CLASS_MIN. */
static unsigned class_of(uint64_t size)
{
    unsigned n = 0;

    for (; size >= LAYER_CLASS_MIN; size /= 2)
        n++;
    return n;
}

/* Format 3 as it was planned at first: of what is smaller than LAYER_OWN_MIN each power of two is a
 * group, and all bytecode one layer. */
struct how {
    bool at_first;
    uint64_t own_min, alone_min; /* what stands alone, below the debs and above them */
};

/* The smallest sizes that still get a layer of their own: LAYER_OWN_MIN and half of it, or more
 * where that would make more layers than an image should have. */
static void set_thresholds(struct how *how, const struct lock *lock)
{
    for (how->own_min = LAYER_OWN_MIN;; how->own_min *= 2) {
        size_t n;

        how->alone_min = how->at_first || lock->format < 3 ? how->own_min : how->own_min / 2;
        n = lock->format >= 3 ? 2 * class_of(how->alone_min) : 0; /* groups of small ones */
        for (size_t i = 0; i < lock->artifacts.n; i++)
            n += lock->artifacts.v[i].eco == ECO_WHEEL &&
                 artifact_download(&lock->artifacts.v[i]) >= how->alone_min;
        if (!how->at_first && lock->format >= 3 && lock_has_bytecode(lock))
            n *= 2;
        if (n + lock->layers.n <= LAYERS_MAX || how->own_min >= LAYER_GROUP_ALL)
            return;
    }
}

/* The wheels of a tier that are smaller, in one layer. */
static void add_small(struct lock *lock, enum tier tier, const char *name, uint64_t own_min)
{
    struct lock_layer group = {.kind = LOCK_WHEELS};

    for (size_t i = 0; i < lock->artifacts.n; i++) {
        const struct artifact *a = &lock->artifacts.v[i];

        if (a->eco == ECO_WHEEL && tier_of(a) == tier && artifact_download(a) < own_min)
            vec_add(&group.artifacts, i);
    }
    if (group.artifacts.n) {
        group.name = str_of(name);
        vec_add(&lock->layers, group);
    }
}

/* The others of a tier, each alone. */
static void add_big(struct lock *lock, enum tier tier, uint64_t own_min)
{
    for (size_t i = 0; i < lock->artifacts.n; i++) {
        const struct artifact *a = &lock->artifacts.v[i];

        if (a->eco == ECO_WHEEL && tier_of(a) == tier && artifact_download(a) >= own_min) {
            struct lock_layer *own = add_layer(lock, a->name, LOCK_WHEELS);

            vec_add(&own->artifacts, i);
        }
    }
}

static void add_wheels(struct lock *lock, enum tier tier, const char *small, uint64_t own_min)
{
    add_small(lock, tier, small, own_min);
    add_big(lock, tier, own_min);
}

static int larger_first(const void *x, const void *y, void *lock)
{
    const struct artifact *all = ((const struct lock *)lock)->artifacts.v;
    const struct artifact *a = &all[((const struct lock_layer *)x)->artifacts.v[0]];
    const struct artifact *b = &all[((const struct lock_layer *)y)->artifacts.v[0]];
    uint64_t m = artifact_download(a), n = artifact_download(b);

    return m != n ? (m > n ? -1 : 1) : str_cmp(a->name, b->name);
}

static void sort_from(struct lock *lock, size_t before)
{
    if (lock->layers.n > before)
        qsort_r(&lock->layers.v[before], lock->layers.n - before, sizeof lock->layers.v[0],
                larger_first, lock);
}

/* "wheels-8m": of 4 MiB to 8 MiB; "wheels-256k": of less. */
static struct str class_name(struct lock *lock, const char *word, unsigned class)
{
    uint64_t end = (uint64_t)LAYER_CLASS_MIN << class;
    bool mega = end >= 1 << 20;

    return str_of(arena_fmt(&lock->doc.arena, "%s-%llu%c", word,
                            (unsigned long long)(end >> (mega ? 20 : 10)), mega ? 'm' : 'k'));
}

/* Does nothing else decide about that wheel? */
static bool is_other(const struct artifact *a, bool named)
{
    return a->eco == ECO_WHEEL && tier_of(a) == TIER_OTHER && a->requested == named;
}

/* The larger ones of those that stand above the debs, each alone. */
static void add_alone(struct lock *lock, bool named, const struct how *how)
{
    size_t before = lock->layers.n;

    for (size_t i = 0; i < lock->artifacts.n; i++) {
        const struct artifact *a = &lock->artifacts.v[i];
        uint64_t size = artifact_download(a);

        if (is_other(a, named) && size >= how->alone_min && size < how->own_min) {
            struct lock_layer *own = add_layer(lock, a->name, LOCK_WHEELS);

            vec_add(&own->artifacts, i);
        }
    }
    sort_from(lock, before);
}

/* The smaller ones. */
static void add_classes(struct lock *lock, bool named, const char *word, uint64_t alone_min)
{
    for (unsigned class = class_of(alone_min - 1) + 1; class --;) {
        struct lock_layer group = {.kind = LOCK_WHEELS};

        for (size_t i = 0; i < lock->artifacts.n; i++) {
            const struct artifact *a = &lock->artifacts.v[i];
            uint64_t size = artifact_download(a);

            if (is_other(a, named) && size < alone_min && class_of(size) == class)
                vec_add(&group.artifacts, i);
        }
        if (group.artifacts.n) {
            group.name = class_name(lock, word, class);
            vec_add(&lock->layers, group);
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

static void add_bytecode(struct lock *lock)
{
    if (lock_has_bytecode(lock))
        add_layer(lock, STR("bytecode"), LOCK_BYTECODE);
}

static void plan_2(struct lock *lock, uint64_t own_min)
{
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
    add_bytecode(lock);
    add_downloads(lock);
}

/* Is the bytecode of two layers that follow one another a single layer? Of what changes together.
 */
static bool compiles_with(const struct lock *lock, const struct lock_layer *l,
                          const struct lock_layer *next)
{
    enum tier a, b;

    if (l->kind != LOCK_WHEELS || next->kind != LOCK_WHEELS)
        return false;
    a = tier_of(&lock->artifacts.v[l->artifacts.v[0]]);
    b = tier_of(&lock->artifacts.v[next->artifacts.v[0]]);
    return (a <= TIER_TORCH && b <= TIER_TORCH) || (a == TIER_VARIANT && b == TIER_VARIANT);
}

/* Above each layer of wheels what they are compiled to. */
static void add_bytecodes(struct lock *lock)
{
    CLEANUP(free_clear) struct lock_layer *plan = lock->layers.v;
    size_t n = lock->layers.n;

    lock->layers.v = NULL;
    lock->layers.n = lock->layers.cap = 0;
    for (size_t i = 0; i < n; i++) {
        vec_add(&lock->layers, plan[i]);
        if (plan[i].kind == LOCK_WHEELS &&
            !(i + 1 < n && compiles_with(lock, &plan[i], &plan[i + 1])))
            add_layer(
                lock,
                str_of(arena_fmt(&lock->doc.arena, STR_FMT "-bytecode", STR_ARG(plan[i].name))),
                LOCK_BYTECODE);
    }
}

static void plan_3(struct lock *lock, const struct how *how)
{
    size_t before;

    add_wheels(lock, TIER_CUDA, "cuda", how->own_min);
    add_wheels(lock, TIER_TRITON, "triton", how->own_min);
    add_wheels(lock, TIER_TORCH, "torch", how->own_min);
    add_big(lock, TIER_VARIANT, how->own_min);
    add_toolkit(lock);
    before = lock->layers.n;
    add_big(lock, TIER_OTHER, how->own_min);
    sort_from(lock, before);
    add_debs(lock, LOCK_BASE);
    add_debs(lock, LOCK_PYTHON);
    add_debs(lock, LOCK_APT);
    add_debs(lock, LOCK_LOCALES);
    add_debs(lock, LOCK_COMPILE);
    add_small(lock, TIER_VARIANT, "compile-wheels", how->own_min);
    if (!lock->image.ref.len)
        add_system(lock, LOCK_STATE);
    add_downloads(lock);
    add_alone(lock, false, how);
    add_classes(lock, false, "wheels", how->alone_min);
    add_alone(lock, true, how);
    add_classes(lock, true, "asked", how->alone_min);
    if (how->at_first)
        add_bytecode(lock);
    else if (lock_has_bytecode(lock))
        add_bytecodes(lock);
}

static void plan(struct lock *lock, bool at_first)
{
    struct how how = {.at_first = at_first};

    set_thresholds(&how, lock);
    if (lock->image.ref.len) /* its layers are there already */
        add_system(lock, LOCK_PYTHON);
    if (lock->format >= 3)
        plan_3(lock, &how);
    else
        plan_2(lock, how.own_min);
    add_wheels(lock, TIER_PROJECT, "project", UINT64_MAX);
    add_layer(lock, STR("files"), LOCK_FILES);
    for (size_t i = 0; i < lock->layers.n && lock->format >= 2; i++)
        order_wheels(lock, &lock->layers.v[i]);
}

static bool same_plan(const struct lock *a, const struct lock *b)
{
    for (size_t i = 0; i < a->layers.n && i < b->layers.n; i++)
        if (a->layers.v[i].kind != b->layers.v[i].kind ||
            !str_eq(a->layers.v[i].name, b->layers.v[i].name))
            return false;
    return a->layers.n == b->layers.n;
}

static void plan_again(struct lock *lock, size_t below, bool at_first)
{
    for (size_t i = below; i < lock->layers.n; i++)
        vec_clear(&lock->layers.v[i].artifacts);
    lock->layers.n = below;
    plan(lock, at_first);
}

void layering(struct lock *lock, const struct lock *old)
{
    size_t below = lock->layers.n;

    plan(lock, false);
    if (!old || same_plan(lock, old))
        return;
    plan_again(lock, below, true);
    if (!same_plan(lock, old)) /* it was edited */
        plan_again(lock, below, false);
}
