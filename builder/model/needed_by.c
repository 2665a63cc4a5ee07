/* SPDX-License-Identifier: Apache-2.0 */
#include "needed_by.h"

#include "../pkg/pypi/pep508.h"

enum { DEPTH_MAX = 100 }; /* of the tree; a lock may be anything */

bool needed_by_known(const struct lock *lock)
{
    return lock->format >= 2;
}

const struct artifact *needed_by_find(const struct lock *lock, struct str name)
{
    CLEANUP(buf_clear) struct buf normal = {0};
    const struct artifact *a;

    pep503_normalise(&normal, name);
    a = lock_find(lock, ECO_WHEEL, buf_view(&normal));
    if (!a)
        a = lock_find(lock, ECO_DEB, name);
    if (!a)
        a = lock_find(lock, ECO_REDIST, name);
    return a ? a : lock_find(lock, ECO_DOWNLOAD, name);
}

/* ---- edges ---- */

/* The wheel of "fsspec[http]"; NULL where the image has it by other ways. */
static const struct artifact *target(const struct lock *lock, struct str need)
{
    return lock_find(lock, ECO_WHEEL, str_sub(need, 0, str_find(need, '[')));
}

/* Its own needs, then those of the extras that somebody asked for. */
static void edges(struct strs *out, const struct artifact *a)
{
    for (size_t i = 0; i < a->needs.n; i++)
        strs_add_once(out, a->needs.v[i]);
    for (size_t i = 0; i < a->extras.n; i++)
        for (size_t j = 0; j < a->extras.v[i].needs.n; j++)
            strs_add_once(out, a->extras.v[i].needs.v[j]);
}

/* ---- who needs it ---- */

/* From one root over all that it needs, nearest first; by[i] is who first led to artifact i. */
struct walk {
    const struct artifact **by;
    struct VEC_OF(const struct artifact *) queue;
};

static void walk_clear(struct walk *w)
{
    free(w->by);
    vec_clear(&w->queue);
}

static size_t at(const struct lock *lock, const struct artifact *a)
{
    return (size_t)(a - lock->artifacts.v);
}

static bool walk_to(struct walk *w, const struct lock *lock, const struct artifact *root,
                    const struct artifact *goal)
{
    w->by = xcalloc(lock->artifacts.n, sizeof *w->by);
    w->by[at(lock, root)] = root;
    vec_add(&w->queue, root);
    for (size_t i = 0; i < w->queue.n; i++) {
        const struct artifact *a = w->queue.v[i];
        struct strs needs = {0};

        if (a == goal)
            return true;
        edges(&needs, a);
        for (size_t j = 0; j < needs.n; j++) {
            const struct artifact *next = target(lock, needs.v[j]);

            if (!next || w->by[at(lock, next)])
                continue;
            w->by[at(lock, next)] = a;
            vec_add(&w->queue, next);
        }
        vec_clear(&needs);
    }
    return false;
}

/* The way that was gone, root first. */
struct chain VEC_OF(const struct artifact *);

static void chain_of(struct chain *out, const struct walk *w, const struct lock *lock,
                     const struct artifact *goal)
{
    const struct artifact *a = goal;

    for (vec_add(out, a); w->by[at(lock, a)] != a; vec_add(out, a))
        a = w->by[at(lock, a)];
    for (size_t i = 0; i < out->n / 2; i++) {
        const struct artifact *swap = out->v[i];

        out->v[i] = out->v[out->n - 1 - i];
        out->v[out->n - 1 - i] = swap;
    }
}

/* The chain from `root` to `goal`; empty when there is none. */
static void find_chain(struct chain *out, const struct lock *lock, const struct artifact *root,
                       const struct artifact *goal)
{
    CLEANUP(walk_clear) struct walk w = {0};

    if (root->eco == ECO_WHEEL && root->requested && walk_to(&w, lock, root, goal))
        chain_of(out, &w, lock, goal);
}

/* Did the recipe's services bring it, and not its `apt`? */
static bool is_of_services(const struct lock *lock, const struct artifact *a)
{
    const struct node *n;

    if (!node_get(lock->recipe, "services") ||
        (!str_is(a->name, "tini") && !str_is(a->name, "openssh-server")))
        return false;
    node_each(n, node_get(lock->recipe, "apt"))
        if (str_starts(n->text, a->name))
            return false;
    return true;
}

static const char *asker(const struct lock *lock, const struct artifact *a)
{
    if (is_of_services(lock, a))
        return "the recipe's `services` need it";
    if (str_is(a->group, "locales"))
        return "the locale that the recipe's `env` asks for is taken from it";
    return !str_is(a->group, "apt") ? NULL
           : a->requested           ? "the recipe's `apt` names it"
                                    : "a package that the recipe's `apt` names needs it";
}

static void print_other(struct buf *out, const struct lock *lock, const struct artifact *a)
{
    const char *why = asker(lock, a);

    if (a->place)
        buf_fmt(out, "  the recipe's `downloads` names it, for " STR_FMT "\n",
                STR_ARG(a->place->to));
    else if (a->eco == ECO_REDIST)
        buf_puts(out, "  it is part of the CUDA toolkit\n");
    else if (why)
        buf_fmt(out, "  %s\n", why);
    else
        buf_fmt(out, "  it belongs to the packages of \"" STR_FMT "\", or one of them needs it\n",
                STR_ARG(a->group));
}

void needed_by_print(struct buf *out, const struct lock *lock, const struct artifact *a)
{
    const struct artifact *root;

    buf_fmt(out, STR_FMT " " STR_FMT ", %.1f MiB, from " STR_FMT "\n", STR_ARG(a->name),
            STR_ARG(a->version), (double)a->size / (1024 * 1024), STR_ARG(a->from));
    if (a->eco != ECO_WHEEL) {
        print_other(out, lock, a);
        return;
    }
    if (a->requested)
        buf_puts(out, "  the recipe asks for it\n");
    vec_each(root, &lock->artifacts) {
        struct chain chain = {0};

        find_chain(&chain, lock, root, a);
        for (size_t i = 0; i < chain.n && chain.n > 1; i++)
            buf_fmt(out, "%s" STR_FMT " " STR_FMT, i ? " needs " : "  ", STR_ARG(chain.v[i]->name),
                    STR_ARG(chain.v[i]->version));
        if (chain.n > 1)
            buf_putc(out, '\n');
        vec_clear(&chain);
    }
}

static void put_package(struct doc *d, struct node *n, const struct artifact *a)
{
    node_put_str(d, n, "type", str_of(ecosystem_name(a->eco)));
    node_put_str(d, n, "name", a->name);
    node_put_str(d, n, "version", a->version);
    node_put_u64(d, n, "size", a->size);
    node_put_bool(d, n, "requested", a->requested);
}

void needed_by_put(struct doc *d, struct node *root_node, const struct lock *lock,
                   const struct artifact *a)
{
    struct node *list;
    const struct artifact *root;

    put_package(d, node_put(d, root_node, "package", node_new_map(d)), a);
    list = node_put(d, root_node, "chains", node_new_list(d));
    vec_each(root, &lock->artifacts) {
        struct chain chain = {0};
        struct node *n;

        find_chain(&chain, lock, root, a);
        n = chain.n > 1 ? node_add(d, list, node_new_list(d)) : NULL;
        for (size_t i = 0; i < chain.n && n; i++)
            node_add_str(d, n, chain.v[i]->name);
        vec_clear(&chain);
    }
}

/* ---- the tree ---- */

static void print_branch(struct buf *out, const struct lock *lock, const struct artifact *a,
                         unsigned depth, bool *told)
{
    struct strs needs = {0};

    buf_fmt(out, "%*s" STR_FMT " " STR_FMT, (int)(2 * depth), "", STR_ARG(a->name),
            STR_ARG(a->version));
    edges(&needs, a);
    buf_puts(out, told[at(lock, a)] && needs.n ? " (as above)\n" : "\n");
    if (!told[at(lock, a)] && depth < DEPTH_MAX) {
        told[at(lock, a)] = true; /* before its own come: packages may need each other */
        for (size_t i = 0; i < needs.n; i++) {
            const struct artifact *next = target(lock, needs.v[i]);

            if (next)
                print_branch(out, lock, next, depth + 1, told);
        }
    }
    vec_clear(&needs);
}

void needed_by_tree(struct buf *out, const struct lock *lock)
{
    CLEANUP(free_clear) bool *told = xcalloc(lock->artifacts.n, sizeof *told);
    const struct artifact *a;

    vec_each(a, &lock->artifacts)
        if (a->eco == ECO_WHEEL && a->requested)
            print_branch(out, lock, a, 0, told);
    vec_each(a, &lock->artifacts)
        if (a->place)
            buf_fmt(out, STR_FMT " " STR_FMT "\n", STR_ARG(a->name), STR_ARG(a->version));
}

void needed_by_tree_put(struct doc *d, struct node *root, const struct lock *lock)
{
    struct node *list = node_put(d, root, "packages", node_new_list(d));
    const struct artifact *a;

    vec_each(a, &lock->artifacts) {
        struct strs needs = {0};
        struct node *n, *names;

        if (a->eco != ECO_WHEEL && !a->place)
            continue;
        n = node_add(d, list, node_new_map(d));
        put_package(d, n, a);
        names = node_put(d, n, "needs", node_new_list(d));
        edges(&needs, a);
        for (size_t i = 0; i < needs.n; i++)
            node_add_str(d, names, needs.v[i]);
        vec_clear(&needs);
    }
}
