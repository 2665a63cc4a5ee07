/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/fs.h"
#include "../doc/emit.h"
#include "../host/plumbing.h"
#include "../host/verdict.h"
#include "../model/tag.h"
#include "work.h"

struct check_args {
    const char *driver, *root;
    struct strs gpus; /* as given */
};

struct checking {
    struct arena arena;
    struct catalog catalog;
    struct lock lock;
    struct work work; /* of a recipe */
    struct probe probe;
    struct plumbing plumbing;
    bool probed; /* the machine was asked, not the command line */
    struct host host;
    struct facts image;
    struct judgement judgement;
};

static void checking_clear(struct checking *c)
{
    judgement_clear(&c->judgement);
    vec_clear(&c->host.gpus);
    vec_clear(&c->host.unknown);
    plumbing_clear(&c->plumbing);
    probe_clear(&c->probe);
    work_clear(&c->work);
    lock_clear(&c->lock);
    catalog_clear(&c->catalog);
    arena_clear(&c->arena);
}

static int add_gpu(void *value, const char *arg, struct err *e)
{
    struct strs *list = value;

    vec_add(list, str_of(arg));
    return 0;
}

/* ---- the host ---- */

static int take_gpus(struct checking *c, const struct strs *names, struct err *e)
{
    for (size_t i = 0; i < names->n; i++) {
        struct catalog_gpu gpu;

        if (catalog_gpu(&c->catalog, names->v[i], &gpu))
            vec_add(&c->host.gpus, gpu);
        else
            catalog_gpu_unknown(&c->catalog, names->v[i], e);
    }
    return err_is_set(e) ? -1 : 0;
}

static const char *variable(const struct session *s, struct str name)
{
    for (char **line = s->environment; line && *line; line++) {
        struct str rest = str_of(*line);

        if (str_skip(&rest, name) && str_skip(&rest, STR("=")))
            return rest.p;
    }
    return NULL;
}

static void probe_machine(struct checking *c, const char *root, const char *path)
{
    const struct probe_gpu *g;

    probe_host(&c->probe, root, NULL);
    plumbing_check(&c->plumbing, &c->probe, root, path);
    c->probed = c->host.asked = true;
    c->host.has_driver = true;
    c->host.driver = c->probe.driver;
    vec_each(g, &c->probe.gpus) {
        struct catalog_gpu gpu;

        if (host_gpu(&gpu, &c->catalog, g->name, g->cc))
            vec_add(&c->host.gpus, gpu);
        else
            vec_add(&c->host.unknown, g->name.len ? g->name : g->cc);
    }
}

/* What is named is judged; without a name this machine is, or the one below --root. */
static int find_host(struct checking *c, const struct session *s, const struct check_args *a,
                     struct err *e)
{
    if (a->driver && !recipe_is_version(str_of(a->driver), 1, 3))
        return err_set(e, ERR_USAGE, "--driver: \"%s\" is no version such as 550.54.15", a->driver);
    if (a->root && (a->driver || a->gpus.n))
        return err_set(e, ERR_USAGE, "--root is a machine to ask; --driver and --gpu name another");
    if (a->root && !fs_exists(a->root))
        return err_set(e, ERR_USAGE, "--root: there is no folder %s", a->root);
    if (a->driver || a->gpus.n) {
        c->host.has_driver = a->driver != NULL;
        c->host.driver = str_of(a->driver);
        return take_gpus(c, &a->gpus, e);
    }
    if (a->root)
        probe_machine(c, a->root, NULL);
    else
        probe_machine(c, "", variable(s, STR("PATH")));
    return 0;
}

/* ---- the image ---- */

static int from_catalog(struct checking *c, struct str pytorch, struct str cuda, struct err *e)
{
    struct catalog_build b;

    if (!catalog_build(&c->catalog, pytorch, cuda, &b))
        return err_set(e, ERR_UNSAT,
                       "PyTorch " STR_FMT " is not in the catalog; write its lock first, with "
                       "`envbuild lock`, and check that",
                       STR_ARG(pytorch));
    facts_of_build(&c->image, &c->catalog, pytorch, &b);
    return 0;
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
    c->image = w->lock.facts;
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
        c->image = c->lock.facts;
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

    if (c->judgement.verdict != VERDICT_NO || !newest_that_runs(&f, &c->host, &c->catalog))
        return;
    buf_fmt(out, STR_FMT "-cuda" STR_FMT "-cudnn" STR_FMT "-runtime", STR_ARG(f.pytorch),
            STR_ARG(f.cuda), STR_ARG(str_sub(f.cudnn, 0, str_find(f.cudnn, '.'))));
}

/* Of this machine, for an image that asks for a GPU. */
static void print_machine(const struct checking *c)
{
    const struct missing *m;

    if (!c->probed || !c->image.cuda.len)
        return;
    vec_each(m, &c->plumbing.missing)
        printf("  here: " STR_FMT "; remedy: %s [%s]\n", STR_ARG(m->sentence), m->remedy, m->code);
}

static void print_text(const struct checking *c, const char *operand, const char *better)
{
    const struct reason *r;

    printf("%s: %s\n", operand, verdict_name(c->judgement.verdict));
    vec_each(r, &c->judgement.reasons)
        printf("  " STR_FMT " [%s]\n", STR_ARG(r->sentence), r->code);
    if (better[0])
        printf("  the newest that runs here: %s\n", better);
    print_machine(c);
}

static void put_host(struct doc *d, struct node *root, const struct checking *c)
{
    struct node *host = node_put(d, root, "host", node_new_map(d)), *list, *n;
    const struct missing *m;

    if (c->host.has_driver)
        node_put_str(d, host, "driver", c->host.driver);
    list = node_put(d, host, "gpus", node_new_list(d));
    for (size_t i = 0; i < c->host.gpus.n; i++)
        node_add_str(d, list, c->host.gpus.v[i].cc);
    if (!c->probed)
        return;
    list = node_put(d, host, "not_judged", node_new_list(d));
    for (size_t i = 0; i < c->host.unknown.n; i++)
        node_add_str(d, list, c->host.unknown.v[i]);
    list = node_put(d, host, "missing", node_new_list(d));
    vec_each(m, &c->plumbing.missing) {
        n = node_add(d, list, node_new_map(d));
        node_put_str(d, n, "code", str_of(m->code));
        node_put_str(d, n, "sentence", m->sentence);
        node_put_str(d, n, "remedy", str_of(m->remedy));
    }
}

static void print_json(const struct checking *c, const char *better)
{
    CLEANUP(doc_clear) struct doc d = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    struct node *root = node_new_map(&d), *list, *n;
    const struct reason *r;

    node_put_u64(&d, root, "envbuild_output", 1);
    node_put_str(&d, root, "verdict", str_of(verdict_name(c->judgement.verdict)));
    list = node_put(&d, root, "reasons", node_new_list(&d));
    vec_each(r, &c->judgement.reasons) {
        n = node_add(&d, list, node_new_map(&d));
        node_put_str(&d, n, "code", str_of(r->code));
        node_put_str(&d, n, "verdict", str_of(verdict_name(r->verdict)));
        node_put_str(&d, n, "rule", str_of(r->rule));
        node_put_str(&d, n, "sentence", r->sentence);
    }
    put_host(&d, root, c);
    if (better[0])
        node_put_str(&d, root, "newest_that_runs", str_of(better));
    emit_json(&text, root, EMIT_LINES);
    fwrite(text.p, 1, text.len, stdout);
}

static int check(struct session *s, const char *operand, const struct check_args *a, struct err *e)
{
    CLEANUP(checking_clear) struct checking c = {0};
    CLEANUP(buf_clear) struct buf better = {0};

    if (catalog_open(&c.catalog, s->catalog_dir, e) < 0 || find_host(&c, s, a, e) < 0 ||
        find_image(&c, s, operand, e) < 0)
        return -1;
    judge(&c.judgement, &c.image, &c.host, &c.catalog);
    print_better(&better, &c);
    s->no = c.judgement.verdict == VERDICT_NO;
    progress_pause(s->progress);
    if (s->json)
        print_json(&c, better.p ? better.p : "");
    else
        print_text(&c, operand, better.p ? better.p : "");
    return 0;
}

int cmd_check(struct session *s, int argc, char **argv, struct err *e)
{
    struct check_args a = {0};
    const struct opt own[] = {
        {0, "driver", "VERSION", "judge this driver, such as 550.54.15, not this machine's",
         opt_str, &a.driver},
        {0, "gpu", "NAME", "judge this GPU: \"RTX 4090\", sm_89 or 8.9; may be given again",
         add_gpu, &a.gpus},
        {0, "root", "DIR", "judge the machine whose root folder is DIR, as a container may see it",
         opt_str, &a.root},
    };
    int result = session_begin(s, "check", own, ARRAY_LEN(own), &argc, argv, 1, 1, e);

    if (result == 0 && !s->help)
        result = check(s, argv[0], &a, e);
    vec_clear(&a.gpus);
    return result;
}
