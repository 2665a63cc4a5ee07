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
    struct machine machine;
    struct facts image;
    struct judgement judgement;
};

static void checking_clear(struct checking *c)
{
    judgement_clear(&c->judgement);
    machine_clear(&c->machine);
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

    if (work_open(w, s, path, e) < 0 || (w->has_lock && work_changes(w, &words, e) < 0))
        return -1;
    if (!w->has_lock || words.len)
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
    if (str_ends(name, STR(".yaml")) || str_ends(name, STR(".yml")) || fs_exists(operand))
        return from_recipe(c, s, operand, e);
    return from_tag(c, operand, e);
}

/* ---- the answer ---- */

static void print_better(struct buf *out, const struct checking *c)
{
    struct facts f;

    if (c->judgement.verdict != VERDICT_NO || !newest_that_runs(&f, &c->machine.host, &c->catalog))
        return;
    buf_fmt(out, STR_FMT "-cuda" STR_FMT "-cudnn" STR_FMT "-runtime", STR_ARG(f.pytorch),
            STR_ARG(f.cuda), STR_ARG(dotted_first(f.cudnn, 1)));
}

/* Of this machine, for an image that asks for a GPU. */
static void print_machine(const struct checking *c)
{
    const struct missing *m;

    if (!c->machine.probed || !c->image.cuda.len)
        return;
    vec_each(m, &c->machine.plumbing.missing)
        output_print("  here: " STR_FMT "; remedy: %s [%s]\n", STR_ARG(m->sentence), m->remedy,
                     m->code);
}

static void print_text(const struct checking *c, const char *operand, const char *better)
{
    const struct reason *r;

    output_print("%s: %s\n", operand, verdict_name(c->judgement.verdict));
    vec_each(r, &c->judgement.reasons)
        output_print("  " STR_FMT " [%s]\n", STR_ARG(r->sentence), r->code);
    if (better[0])
        output_print("  the newest that runs here: %s\n", better);
    print_machine(c);
}

static void print_json(struct session *s, const struct checking *c, const char *better)
{
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = node_new_map(&d);

    node_put_u64(&d, root, "envbuild_output", 1);
    node_put_str(&d, root, "verdict", str_of(verdict_name(c->judgement.verdict)));
    machine_put_reasons(&d, root, &c->judgement);
    machine_put(&d, node_put(&d, root, "host", node_new_map(&d)), &c->machine);
    if (better[0])
        node_put_str(&d, root, "newest_that_runs", str_of(better));
    session_json(s, &d, root);
}

static int check(struct session *s, const char *operand, const struct machine_args *a,
                 struct err *e)
{
    CLEANUP(checking_clear) struct checking c = {0};
    CLEANUP(buf_clear) struct buf better = {0};

    if (catalog_open(&c.catalog, s->catalog_dir, e) < 0 ||
        machine_find(&c.machine, s, &c.catalog, a, e) < 0 || find_image(&c, s, operand, e) < 0)
        return -1;
    judge(&c.judgement, &c.image, &c.machine.host, &c.catalog);
    print_better(&better, &c);
    s->no = c.judgement.verdict == VERDICT_NO;
    progress_pause(s->progress);
    if (s->json)
        print_json(s, &c, better.p ? better.p : "");
    else
        print_text(&c, operand, better.p ? better.p : "");
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
