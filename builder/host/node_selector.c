/* SPDX-License-Identifier: Apache-2.0 */
#include "node_selector.h"

#include "../base/dotted.h"
#include "../model/require.h"

/* A driver's version, or a compute capability and a 0. */
enum { NUMBERS = 3, COMPUTES = 2 };
struct point {
    uint32_t v[NUMBERS];
};
struct points VEC_OF(struct point);

/* A part of all versions: each number within its bounds. */
struct box {
    struct selector_bounds of[NUMBERS];
};
struct boxes VEC_OF(struct box);

static const struct selector_bounds anything = {0, SELECTOR_ANY};

/* ---- numbers ---- */

/* "525.60.13", "8.9", "9.0a+PTX": digits between dots up to whatever else there is. */
static bool read_point(struct point *out, struct str text)
{
    struct point p;

    if (!dotted_numbers(p.v, NUMBERS, dotted_first(dotted_prefix(text), NUMBERS)))
        return false;
    for (size_t i = 0; i < NUMBERS; i++)
        if (p.v[i] > SELECTOR_MAX)
            return false;
    *out = p;
    return true;
}

bool node_selector_takes(struct str text)
{
    struct point p;

    return dotted_is(text, 2, NUMBERS) && read_point(&p, text);
}

static int compare_points(const void *a, const void *b)
{
    const struct point *x = a, *y = b;

    for (size_t i = 0; i < NUMBERS; i++)
        if (x->v[i] != y->v[i])
            return x->v[i] < y->v[i] ? -1 : 1;
    return 0;
}

/* In order, none twice. */
static void tidy(struct points *p)
{
    size_t n = 0;

    vec_sort(p, compare_points);
    for (size_t i = 0; i < p->n; i++)
        if (!n || compare_points(&p->v[n - 1], &p->v[i]) != 0)
            p->v[n++] = p->v[i];
    p->n = n;
}

/* ---- where the answer can change ---- */

/* From this branch on; or, when it is the last, from the next one on. */
static void cut_branch(struct points *out, struct str branch, bool last)
{
    struct point p;

    if (read_point(&p, branch))
        vec_add(out, ((struct point){{p.v[0] + (last ? 1 : 0), 0, 0}}));
}

static void cut_drivers(struct points *out, const struct facts *f, const struct catalog *c)
{
    struct strs texts = {0};
    struct catalog_arch arch;
    struct point p;

    vec_push(out);
    if (read_point(&p, f->driver_min))
        vec_add(out, p);
    catalog_branches(c, &texts);
    for (size_t i = 0; i < texts.n; i++)
        cut_branch(out, texts.v[i], false);
    texts.n = 0;
    require_drivers(&texts, f->require);
    for (size_t i = 0; i < texts.n; i++)
        if (read_point(&p, texts.v[i]))
            vec_add(out, p);
    texts.n = 0;
    catalog_archs(c, &texts);
    for (size_t i = 0; i < texts.n; i++)
        if (catalog_arch(c, texts.v[i], &arch)) {
            cut_branch(out, arch.branch_first, false);
            cut_branch(out, arch.branch_last, true);
        }
    vec_clear(&texts);
    tidy(out);
}

/* A capability itself, the later ones of its major version, and the next major version. */
static void cut_capability(struct points *out, struct str text)
{
    struct point p;

    if (!read_point(&p, text))
        return;
    vec_add(out, ((struct point){{p.v[0], p.v[1], 0}}));
    vec_add(out, ((struct point){{p.v[0], p.v[1] + 1, 0}}));
    vec_add(out, ((struct point){{p.v[0] + 1, 0, 0}}));
}

static void cut_capabilities(struct points *out, const struct facts *f, const struct strs *known)
{
    struct str rest = f->archs, word;

    vec_push(out);
    for (size_t i = 0; i < known->n; i++)
        cut_capability(out, known->v[i]);
    while (str_word(&rest, &word))
        cut_capability(out, word);
    tidy(out);
}

/* ---- judging ---- */

/* What drives a GPU of that capability: what drives the nearest older one of which that is known;
 * before the oldest, the oldest. */
static struct str driven_like(const struct catalog *c, const struct strs *known, struct point cc)
{
    struct point best = {0}, oldest = {{SELECTOR_ANY, 0, 0}}, p;
    struct str like = {0}, first = {0};
    struct catalog_arch arch;

    for (size_t i = 0; i < known->n; i++) {
        if (!catalog_arch(c, known->v[i], &arch) || !arch.branch_first.len ||
            !read_point(&p, known->v[i]))
            continue;
        if (compare_points(&p, &cc) <= 0 && compare_points(&p, &best) >= 0) {
            best = p;
            like = known->v[i];
        }
        if (compare_points(&p, &oldest) < 0) {
            oldest = p;
            first = known->v[i];
        }
    }
    return like.len ? like : first;
}

static bool runs(const struct facts *f, struct point driver, struct catalog_gpu *gpu,
                 const struct catalog *c)
{
    CLEANUP(judgement_clear) struct judgement j = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    struct host h = {.has_driver = true, .gpus = {.v = gpu, .n = 1}};

    buf_fmt(&text, "%u.%u.%u", driver.v[0], driver.v[1], driver.v[2]);
    h.driver = buf_view(&text);
    judge(&j, f, &h, c);
    return j.verdict != VERDICT_NO;
}

/* For each driver and each capability; owned. */
static bool *judge_all(const struct facts *f, const struct points *drivers,
                       const struct points *ccs, const struct strs *known, const struct catalog *c)
{
    bool *fits = xcalloc(drivers->n * ccs->n, sizeof *fits);

    for (size_t k = 0; k < ccs->n; k++) {
        struct point cc = ccs->v[k];
        struct catalog_gpu gpu = {
            .cc = driven_like(c, known, cc), .major = cc.v[0], .minor = cc.v[1]};

        for (size_t i = 0; i < drivers->n; i++)
            fits[i * ccs->n + k] = runs(f, drivers->v[i], &gpu, c);
    }
    return fits;
}

/* ---- pieces as bounds ---- */

static bool all_zero(const uint32_t *v, size_t n)
{
    while (n && !v[n - 1])
        n--;
    return n == 0;
}

/* Add all of `n` numbers, from the one at `at` on, that are `from` or later and before `to`, in as
 * few boxes as it takes; those before `at` stand in `box`. NULL: from 0, or without end. */
static void split(struct boxes *out, struct box box, const uint32_t *from, const uint32_t *to,
                  size_t at, size_t n)
{
    uint32_t first = from ? from[at] : 0;
    size_t rest = n - at - 1;

    if (from && to && from[at] == to[at]) {
        box.of[at] = (struct selector_bounds){first, first};
        split(out, box, from, to, at + 1, n);
        return;
    }
    if (from && !all_zero(from + at + 1, rest)) {
        box.of[at] = (struct selector_bounds){first, first};
        split(out, box, from, NULL, at + 1, n);
        first++;
    }
    if (!to || first < to[at]) {
        struct box whole = box;

        whole.of[at] = (struct selector_bounds){first, to ? to[at] - 1 : SELECTOR_ANY};
        vec_add(out, whole);
    }
    if (to && !all_zero(to + at + 1, rest)) {
        box.of[at] = (struct selector_bounds){to[at], to[at]};
        split(out, box, NULL, to, at + 1, n);
    }
}

static void split_range(struct boxes *out, const struct points *p, size_t from, size_t to, size_t n)
{
    split(out, (struct box){{anything, anything, anything}}, p->v[from].v,
          to < p->n ? p->v[to].v : NULL, 0, n);
}

/* The capabilities that a driver of that row runs. */
static void split_row(struct boxes *out, const struct points *ccs, const bool *row)
{
    for (size_t from = 0, to; from < ccs->n; from = to + 1) {
        for (; from < ccs->n && !row[from]; from++)
            ;
        for (to = from; to < ccs->n && row[to]; to++)
            ;
        if (from < to)
            split_range(out, ccs, from, to, COMPUTES);
    }
}

static void add_terms(struct node_selector *w, const struct boxes *drivers, const struct boxes *ccs)
{
    const struct box *d, *g;

    vec_each(d, drivers)
        vec_each(g, ccs)
            vec_add(&w->terms,
                    ((struct selector_term){{d->of[0], d->of[1], d->of[2], g->of[0], g->of[1]}}));
}

void node_selector_for(struct node_selector *out, const struct facts *f, const struct catalog *c)
{
    struct points drivers = {0}, ccs = {0};
    struct boxes driver_boxes = {0}, cc_boxes = {0};
    struct strs known = {0};
    bool *fits;

    catalog_archs(c, &known);
    cut_drivers(&drivers, f, c);
    cut_capabilities(&ccs, f, &known);
    fits = judge_all(f, &drivers, &ccs, &known, c);
    for (size_t from = 0, to; from < drivers.n; from = to) {
        const bool *row = fits + from * ccs.n;

        for (to = from + 1; to < drivers.n && memcmp(row, fits + to * ccs.n, ccs.n) == 0; to++)
            ;
        driver_boxes.n = cc_boxes.n = 0;
        split_range(&driver_boxes, &drivers, from, to, NUMBERS);
        split_row(&cc_boxes, &ccs, row);
        add_terms(out, &driver_boxes, &cc_boxes);
    }
    free(fits);
    vec_clear(&driver_boxes);
    vec_clear(&cc_boxes);
    vec_clear(&known);
    vec_clear(&ccs);
    vec_clear(&drivers);
}

void node_selector_for_driver(struct node_selector *out, struct str oldest)
{
    struct points p = {0};
    struct boxes boxes = {0};
    struct box any = {{anything, anything, anything}};
    struct boxes all = {.v = &any, .n = 1};

    if (!read_point(vec_push(&p), oldest))
        p.v[0] = (struct point){0};
    split_range(&boxes, &p, 0, 1, NUMBERS);
    add_terms(out, &boxes, &all);
    vec_clear(&boxes);
    vec_clear(&p);
}

void node_selector_clear(struct node_selector *w)
{
    vec_clear(&w->terms);
}
