/* tests/tools/solve_pypi.c - solve requirements against the real index, for comparison with pip.
 *
 * solve_pypi STORE [-P PYTHON] [-g GLIBC] [-i INDEX] [-c CONSTRAINT] [-C FILE] [-r FILE] [--pre]
 * [-p NAME==VERSION] [-v] REQUIREMENT...: prints "name==version" lines, sorted; with -v also the
 * file, and the rounds and milliseconds on stderr. PYTHON is a full version, GLIBC the minor
 * of 2.x; files are read as a recipe's are. STORE is a folder that is made.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "base/path.h"
#include "plan/requirements.h"

struct options {
    struct recipe recipe; /* only what it asks of Python */
    struct VEC_OF(struct pypi_place) places;
    struct VEC_OF(struct pypi_prefer) prefer;
    struct requirements asking;
    struct wheel_target target;
    struct str python;
    bool verbose, pre;
};

static void hear(void *ctx, const struct event *event)
{
    if (event->kind == EVENT_WARNING || event->kind == EVENT_NOTE)
        fprintf(stderr, "%s: %s\n", event->kind == EVENT_NOTE ? "note" : "warning", event->name);
}

static struct recipe_ask item(const char *text, bool file)
{
    return (struct recipe_ask){.value = {.text = str_of(text), .pos = {.file = "recipe"}},
                               .file = file};
}

static int read_target(struct options *o, struct err *e)
{
    struct pep440 v;

    if (!pep440_parse(&v, o->python) || v.release_n < 2)
        return err_set(e, ERR_USAGE, "no version of Python");
    o->target.python_major = (unsigned)v.release[0];
    o->target.python_minor = (unsigned)v.release[1];
    return 0;
}

static int read_options(struct options *o, int argc, char **argv, struct err *e)
{
    for (int i = 2; i < argc; i++) {
        struct str value = str_of(i + 1 < argc ? argv[i + 1] : ""), name;

        if (!strcmp(argv[i], "-v")) {
            o->verbose = true;
        } else if (!strcmp(argv[i], "-P")) {
            o->python = value;
            i++;
        } else if (!strcmp(argv[i], "-g") && str_u32(value, &o->target.glibc_minor)) {
            i++;
        } else if (!strcmp(argv[i], "-i")) {
            vec_add(&o->places, ((struct pypi_place){.url = value}));
            i++;
        } else if (!strcmp(argv[i], "--pre")) {
            o->pre = true;
        } else if (!strcmp(argv[i], "-c") || !strcmp(argv[i], "-C")) {
            vec_add(&o->recipe.constraints, item(value.p, argv[i][1] == 'C'));
            i++;
        } else if (!strcmp(argv[i], "-r")) {
            vec_add(&o->recipe.pip, item(value.p, true));
            i++;
        } else if (!strcmp(argv[i], "-p") && str_cut(&value, STR("=="), &name)) {
            vec_add(&o->prefer, ((struct pypi_prefer){name, value}));
            i++;
        } else {
            vec_add(&o->recipe.pip, item(argv[i], false));
        }
    }
    o->recipe.pytorch.text = STR("0");
    o->recipe.variant.text = STR("runtime");
    if (read_target(o, e) < 0 || requirements_open(&o->asking, &o->recipe, STR(""), NULL, ".", e) < 0)
        return -1;
    return requirements_allowed(&o->asking, &(struct marker_env){o->python, o->target.machine}, e);
}

static int print(const struct options *o, struct pypi_index *index, const struct pypi_solution *s,
                 struct err *e)
{
    struct artifacts all = {0};
    const struct artifact *a;

    if (pypi_artifacts(&all, index, s, e) < 0)
        return -1;
    vec_each(a, &all) {
        printf(STR_FMT "==" STR_FMT, STR_ARG(a->name), STR_ARG(a->version));
        if (o->verbose)
            printf(" " STR_FMT " %llu", STR_ARG(a->file), (unsigned long long)a->size);
        putchar('\n');
    }
    if (o->verbose)
        fprintf(stderr, "%u rounds\n", s->rounds);
    vec_clear(&all);
    return 0;
}

static int solve(const struct options *o, struct pages *pages, struct http *http, struct memo *memo,
                 const struct events *events, struct err *e)
{
    CLEANUP(free_clear) char *root = getcwd(NULL, 0);
    const struct pypi_index_options io = {.places = o->places.v,
                                          .allowed = o->asking.allowed.v,
                                          .allowed_n = o->asking.allowed.n,
                                          .root = str_of(root),
                                          .places_n = o->places.n,
                                          .target = o->target,
                                          .python_full = o->python,
                                          .memo = memo,
                                          .events = events};
    CLEANUP(pypi_index_clear) struct pypi_index *index = pypi_index_open(pages, http, &io);
    CLEANUP(pypi_solution_clear) struct pypi_solution solution = {0};
    const struct pypi_universe universe = pypi_index_universe(index);
    const struct pypi_want want = {.env = {o->python, o->target.machine},
                                   /* without the first and last, which every recipe has */
                                   .roots = o->asking.roots.v + 1,
                                   .roots_n = o->asking.roots.n - 2,
                                   .constraints = o->asking.constraints.v,
                                   .constraints_n = o->asking.constraints.n,
                                   .pre = o->pre || o->asking.files.pre,
                                   .prefer = o->prefer.v,
                                   .prefer_n = o->prefer.n,
                                   .events = events};

    return solve_pypi(&solution, &want, &universe, e) < 0 ? -1 : print(o, index, &solution, e);
}

static int run(struct options *o, int argc, char **argv, struct err *e)
{
    CLEANUP(http_clear) struct http *http = NULL;
    CLEANUP(memo_clear) struct memo *page_memo = NULL, *memo = NULL;
    CLEANUP(cas_clear) struct cas *cas = NULL;
    CLEANUP(pages_clear) struct pages *pages = NULL;
    CLEANUP(free_clear) char *in_pages = path_join(argv[1], "pages");
    CLEANUP(free_clear) char *in_memo = path_join(argv[1], "memo");
    const struct events events = {.emit = hear};

    if (read_options(o, argc, argv, e) < 0 ||
        http_open(&http, &(struct http_options){.events = &events}, e) < 0 ||
        memo_open(&page_memo, in_pages, e) < 0 || memo_open(&memo, in_memo, e) < 0 ||
        cas_open(&cas, argv[1], NULL, e) < 0)
        return -1;
    pages = pages_open(http, page_memo, cas, &(struct pages_options){.events = &events});
    return solve(o, pages, http, memo, &events, e);
}

static void tell(const struct err *e)
{
    for (; e; e = e->next) {
        if (e->file && e->line)
            fprintf(stderr, "%s:%u: ", e->file, e->line);
        fprintf(stderr, "%s\n", e->msg);
    }
}

int main(int argc, char **argv)
{
    struct options o = {.target = {3, 11, 2, 36, STR("x86_64")}, .python = STR("3.11.2")};
    struct err e = {0};
    int rc;

    if (argc < 3) {
        fprintf(stderr, "usage: solve_pypi STORE [-v] REQUIREMENT...\n");
        return 2;
    }
    rc = run(&o, argc, argv, &e);
    if (rc < 0)
        tell(&e);
    requirements_clear(&o.asking);
    vec_clear(&o.recipe.pip);
    vec_clear(&o.recipe.constraints);
    vec_clear(&o.places);
    vec_clear(&o.prefer);
    rc = rc < 0 ? (int)e.kind : 0;
    err_clear(&e);
    return rc;
}
