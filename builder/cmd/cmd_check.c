/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/dotted.h"
#include "../base/fs.h"
#include "../model/require.h"
#include "../model/tag.h"
#include "stored_facts.h"
#include "machine.h"
#include "output.h"
#include "work.h"

struct checking {
    struct arena arena;
    struct catalog catalog;
    struct lock lock;
    struct work work; /* of a recipe */
    struct stored_facts stored;
    struct facts image;
    struct machine_releases releases;
    struct check_answer {
        struct machine machine;
        struct judgement judgement;
        struct buf better; /* the newest that would run, where this does not */
    } answers[MACHINE_RELEASES];
};

static void checking_clear(struct checking *c)
{
    for (size_t i = 0; i < MACHINE_RELEASES; i++) {
        judgement_clear(&c->answers[i].judgement);
        machine_clear(&c->answers[i].machine);
        buf_clear(&c->answers[i].better);
    }
    machine_releases_clear(&c->releases);
    work_clear(&c->work);
    stored_facts_clear(&c->stored);
    lock_clear(&c->lock);
    catalog_clear(&c->catalog);
    arena_clear(&c->arena);
}

/* ---- the image ---- */

static int from_catalog(struct checking *c, struct str pytorch, struct str cuda, struct err *e)
{
    struct catalog_build b;

    if (str_is(cuda, RECIPE_CPU)) { /* asks nothing of a GPU */
        c->image = (struct facts){.pytorch = pytorch, .arch = STR(CATALOG_ARCH)};
        return 0;
    }
    if (!catalog_build(&c->catalog, pytorch, cuda, &b))
        return err_set(e, ERR_UNSAT,
                       "PyTorch " STR_FMT " is not in the catalog; write its lock first, with "
                       "`envbuild lock`, and check that",
                       STR_ARG(pytorch));
    facts_of_build(&c->image, &c->catalog, pytorch, &b);
    return 0;
}

/* What its variables ask for counts: the recipe's `env` may say something else. */
static void from_lock(struct checking *c, const struct lock *lock)
{
    c->image = lock->facts;
    c->image.require = require_of_env(&c->arena, &lock->env);
}

/* By its lock, where that is still the recipe's. */
static int from_recipe(struct checking *c, struct session *s, const char *path, struct err *e)
{
    CLEANUP(buf_clear) struct buf words = {0};
    struct work *w = &c->work;
    bool fits;

    if (work_open(w, s, path, NULL, e) < 0 || work_fits(w, &fits, &words, e) < 0)
        return -1;
    if (!fits)
        return from_catalog(c, w->recipe.pytorch.text, w->recipe.cuda.text, e);
    from_lock(c, &w->lock);
    return 0;
}

static int from_tag(struct checking *c, const char *text, struct err *e)
{
    struct tag tag;

    if (tag_parse(&tag, &c->arena, str_of(text), e) < 0 || tag_check(&tag, &c->catalog, e) < 0)
        return -1;
    return from_catalog(c, tag.pytorch, tag.cuda, e);
}

static int find_image(struct checking *c, struct session *s, const char *operand, struct err *e)
{
    struct str name = str_of(operand);

    if (str_ends(name, STR(".lock"))) {
        if (lock_read(&c->lock, operand, e) < 0)
            return -1;
        from_lock(c, &c->lock);
        return 0;
    }
    if (stored_is_image(name, ".")) {
        if (stored_facts_open(&c->stored, s, operand, &c->catalog, e) < 0)
            return -1;
        c->image = c->stored.facts;
        return 0;
    }
    if (work_is_recipe(operand))
        return from_recipe(c, s, operand, e);
    return from_tag(c, operand, e);
}

/* ---- the answer ---- */

static void find_better(struct check_answer *a, const struct catalog *c)
{
    struct facts f;

    if (a->judgement.verdict == VERDICT_NO && newest_that_runs(&f, &a->machine.host, c))
        buf_fmt(&a->better, STR_FMT "-cuda" STR_FMT "-cudnn" STR_FMT "-runtime", STR_ARG(f.pytorch),
                STR_ARG(f.cuda), STR_ARG(dotted_first(f.cudnn, 1)));
}

/* Of this machine, for an image that asks for a GPU. */
static void print_machine(const struct machine *machine, const struct facts *image)
{
    const struct missing *m;

    if (!machine->probed || !image->cuda.len)
        return;
    vec_each(m, &machine->plumbing.missing)
        output_print("  here: " STR_FMT "; remedy: %s [%s]\n", STR_ARG(m->sentence), m->remedy,
                     m->code);
}

static void print_text(const struct checking *c, const char *operand)
{
    for (size_t i = 0; i < c->releases.n; i++) {
        const struct check_answer *a = &c->answers[i];
        const char *name = c->releases.names[i];
        const struct reason *r;

        output_print("%s", operand);
        if (name)
            output_print(" on %s, %s", name, c->releases.args[i].driver);
        output_print(": %s\n", verdict_name(a->judgement.verdict));
        vec_each(r, &a->judgement.reasons)
            output_print("  " STR_FMT " [%s]\n", STR_ARG(r->sentence), r->code);
        if (a->better.len)
            output_print("  the newest that runs here: %s\n", a->better.p);
        print_machine(&a->machine, &c->image);
    }
}

static void put_answer(struct doc *d, struct node *map, const struct check_answer *a)
{
    node_put_str(d, map, "verdict", str_of(verdict_name(a->judgement.verdict)));
    machine_put_reasons(d, map, &a->judgement);
    machine_put(d, node_put(d, map, "host", node_new_map(d)), &a->machine);
    if (a->better.len)
        node_put_str(d, map, "newest_that_runs", buf_view(&a->better));
}

/* Of a branch the oldest release's, and in it the newest's. */
static void print_json(struct session *s, const struct checking *c)
{
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = node_new_map(&d);

    node_put_u64(&d, root, "envbuild_output", 1);
    put_answer(&d, root, &c->answers[0]);
    if (c->releases.n > 1)
        put_answer(&d, node_put(&d, root, "newest_release", node_new_map(&d)), &c->answers[1]);
    session_json(s, &d, root);
}

static int check(struct session *s, const char *operand, const struct machine_args *args,
                 struct err *e)
{
    CLEANUP(checking_clear) struct checking c = {0};

    if (catalog_open(&c.catalog, s->catalog_dir, e) < 0)
        return -1;
    machine_releases(&c.releases, &c.catalog, args);
    for (size_t i = 0; i < c.releases.n; i++)
        if (machine_find(&c.answers[i].machine, s, &c.catalog, &c.releases.args[i], e) < 0)
            return -1;
    if (find_image(&c, s, operand, e) < 0)
        return -1;
    for (size_t i = 0; i < c.releases.n; i++) {
        struct check_answer *a = &c.answers[i];

        judge(&a->judgement, &c.image, &a->machine.host, &c.catalog);
        find_better(a, &c.catalog);
        s->no |= a->judgement.verdict == VERDICT_NO;
    }
    progress_pause(s->progress);
    if (s->json)
        print_json(s, &c);
    else
        print_text(&c, operand);
    return 0;
}

int cmd_check(struct session *s, int argc, char **argv, struct err *e)
{
    struct machine_args a = {0};
    struct opt own[MACHINE_OPTS];
    int result;

    machine_opts(own, &a);
    result = session_begin(s, "check", own, ARRAY_LEN(own), &argc, argv, 1, 1, e);
    if (result == 0 && !s->help)
        result = check(s, argv[0], &a, e);
    vec_clear(&a.gpus);
    return result;
}
