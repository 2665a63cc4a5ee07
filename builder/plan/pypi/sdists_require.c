/* SPDX-License-Identifier: Apache-2.0 */
#include "pypi_index.h"
#include "sdists_parts.h"

/* ---- choosing wheels for builds ---- */

struct asks {
    struct VEC_OF(struct pypi_root) roots, constraints;
    struct VEC_OF(struct pypi_prefer) prefer;
    struct VEC_OF(struct requirement *) parsed;
};

static void asks_clear(struct asks *a)
{
    for (size_t i = 0; i < a->parsed.n; i++)
        requirement_clear(a->parsed.v[i]);
    vec_clear(&a->parsed);
    vec_clear(&a->roots);
    vec_clear(&a->constraints);
    vec_clear(&a->prefer);
}

static int parse(struct sdists *x, struct asks *a, struct str text, struct requirement **out,
                 struct err *e)
{
    *out = arena_alloc(&x->arena, sizeof **out);
    vec_add(&a->parsed, *out);
    return requirement_parse(*out, &x->arena, text, e);
}

static bool asks_for(const struct pypi_want *want, struct str name)
{
    for (size_t i = 0; i < want->roots_n; i++)
        if (str_eq(want->roots[i].requirement->name, name))
            return true;
    return false;
}

/* It is taken in the version that the image asks for. */
static void bind_to_image(const struct sdists *x, struct asks *a, struct str name)
{
    for (size_t i = 0; i < x->want->roots_n; i++)
        if (str_eq(x->want->roots[i].requirement->name, name))
            vec_add(&a->constraints, x->want->roots[i]);
    for (size_t i = 0; i < x->want->constraints_n; i++)
        if (str_eq(x->want->constraints[i].requirement->name, name))
            vec_add(&a->constraints, x->want->constraints[i]);
}

/* What `a` asks for; texts are borrowed from the index and from what lasts as long as `x`. */
static int solve(struct sdists *x, const struct asks *a, struct artifacts *out, struct err *e)
{
    struct pypi_solution *solution = arena_alloc(&x->arena, sizeof *solution);
    const struct pypi_universe universe = pypi_index_universe(x->index);
    const struct pypi_want want = {.env = x->want->env,
                                   .roots = a->roots.v,
                                   .roots_n = a->roots.n,
                                   .constraints = a->constraints.v,
                                   .constraints_n = a->constraints.n,
                                   .prefer = a->prefer.v,
                                   .prefer_n = a->prefer.n,
                                   .build = x->want->build,
                                   .of_build = x->want->of_build,
                                   .events = x->want->events};

    vec_add(&x->solutions, solution);
    return solve_pypi(solution, &want, &universe, e) < 0
               ? -1
               : pypi_artifacts(out, x->index, solution, e);
}

/* pip of the image, which has it for the people inside: it drives builds. */
static int choose_pip(struct sdists *x, struct err *e)
{
    CLEANUP(asks_clear) struct asks asks = {0};
    struct artifacts list = {0};
    const struct artifact *a;
    struct requirement *r;
    int result;

    if (x->pip.name.len)
        return 0;
    if (parse(x, &asks, STR("pip"), &r, e) < 0)
        return -1;
    vec_add(&asks.roots, ((struct pypi_root){r, STR("recipe")}));
    bind_to_image(x, &asks, r->name);
    for (size_t i = 0; i < x->want->prefer_n; i++)
        vec_add(&asks.prefer, x->want->prefer[i]);
    result = solve(x, &asks, &list, e);
    vec_each(a, &list)
        if (str_is(a->name, "pip"))
            x->pip = *a;
    vec_clear(&list);
    return result;
}

/* ---- asking the backend ---- */

int sdists_fail(struct err *fault, struct err *e)
{
    if (fault->kind == ERR_INPUT)
        fault->kind = ERR_UNSAT;
    return err_join(e, fault);
}

static struct str name_of(const struct made *m)
{
    return m->wheel.name.len ? m->wheel.name : STR("the project");
}

static int need_backend(const struct sdists *x, const struct made *m, struct err *e)
{
    struct str version = m->source.commit.len ? m->source.commit : m->wheel.version;

    if (x->o.backend)
        return 0;
    return err_set(e, ERR_UNSAT,
                   STR_FMT "%s" STR_FMT
                           " has to be built to know what it needs, and nothing is built "
                           "here",
                   STR_ARG(name_of(m)), version.len ? " " : "", STR_ARG(version));
}

static void add_digest(struct buf *key, const struct digest *d)
{
    char text[DIGEST_TEXT + 1];

    digest_text(d, text);
    buf_fmt(key, "%s\n", text);
}

static void add_lines(struct buf *key, const char *what, const struct strs *list)
{
    for (size_t i = 0; i < list->n; i++)
        buf_fmt(key, "%s " STR_FMT "\n", what, STR_ARG(list->v[i]));
}

void sdists_key(struct buf *key, const struct artifact_source *s)
{
    add_digest(key, &s->sdist.digest);
    if (s->folder.len)
        buf_fmt(key, "folder " STR_FMT "\n", STR_ARG(s->folder));
    add_lines(key, "root", &s->root);
    for (size_t i = 0; i < s->requires_n; i++) {
        buf_fmt(key, "requires " STR_FMT " " STR_FMT, STR_ARG(s->requires[i].name),
                STR_ARG(s->requires[i].group));
        if (s->requires[i].source)
            sdists_key(key, s->requires[i].source);
        else
            add_digest(key, &s->requires[i].digest);
    }
    buf_fmt(key, "isolation %d\n", s->isolated);
    add_lines(key, "env", &s->env);
    add_lines(key, "settings", &s->settings);
    add_lines(key, "archs", &s->archs);
    add_lines(key, "expect", &s->expect);
    for (size_t i = 0; i < s->files_n; i++)
        add_digest(key, &s->files[i].digest);
}

static void answer_key(struct buf *key, const struct sdists *x, const struct made *m,
                       const char *question)
{
    const struct artifact *deb;

    buf_fmt(key, "build backend, %s\n", question);
    sdists_key(key, &m->source);
    vec_each(deb, &x->o.lock->artifacts)
        if (deb->eco == ECO_DEB)
            add_digest(key, &deb->digest);
    vec_each(deb, &x->o.lock->tools)
        add_digest(key, &deb->digest);
}

static bool recall(const struct sdists *x, struct str key, struct buf *out)
{
    CLEANUP(err_clear) struct err none = {0}; /* as good as no answer */
    bool found = false;

    return x->o.memo && memo_get(x->o.memo, key, NULL, out, &found, &none) == 0 && found;
}

static void remember(const struct sdists *x, struct str key, struct str text)
{
    CLEANUP(err_clear) struct err none = {0}; /* it is asked again */

    if (x->o.memo)
        (void)!memo_put_text(x->o.memo, key, text, &none);
}

/* One line each. */
static int ask_requires(struct sdists *x, const struct made *m, bool first, struct buf *out,
                        struct err *e)
{
    const struct source_backend *b = x->o.backend;
    CLEANUP(buf_clear) struct buf key = {0};
    CLEANUP(names_clear) struct names names = {0};

    answer_key(&key, x, m, first ? "requires of the source" : "requires of the backend");
    if (recall(x, buf_view(&key), out))
        return 0;
    if (need_backend(x, m, e) < 0 || choose_pip(x, e) < 0 ||
        b->requires(b->ctx, &m->wheel, x->o.lock, &x->pip, first, &names, e) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++)
        buf_fmt(out, "%s\n", names.v[i]);
    remember(x, buf_view(&key), buf_view(out));
    return 0;
}

int sdists_ask_metadata(struct sdists *x, const struct made *m, struct buf *out, struct err *e)
{
    const struct source_backend *b = x->o.backend;
    CLEANUP(buf_clear) struct buf key = {0};

    answer_key(&key, x, m, "metadata");
    if (recall(x, buf_view(&key), out))
        return 0;
    if (need_backend(x, m, e) < 0 || choose_pip(x, e) < 0 ||
        b->metadata(b->ctx, &m->wheel, x->o.lock, &x->pip, out, e) < 0)
        return -1;
    remember(x, buf_view(&key), buf_view(out));
    return 0;
}

static int add_recipes(struct sdists *x, struct asks *a, const struct made *m, struct str label,
                       struct err *e)
{
    const struct recipe_build *b = recipe_build_of(x->o.recipe, m->wheel.name);
    struct requirement *r;

    /* An extension of one torch does not load into another. */
    bind_to_image(x, a, STR("torch"));
    for (size_t i = 0; b && i < b->requires.n; i++) {
        if (parse(x, a, b->requires.v[i].text, &r, e) < 0)
            return -1;
        vec_add(&a->roots, ((struct pypi_root){r, STR("recipe")}));
        if (!str_is(r->name, "torch"))
            bind_to_image(x, a, r->name);
    }
    if (b && !b->isolated && asks_for(x->want, STR("torch"))) {
        if (parse(x, a, STR("torch"), &r, e) < 0)
            return -1;
        vec_add(&a->roots, ((struct pypi_root){r, STR("recipe")}));
    }
    for (size_t i = 0; b && i < b->constraints.n; i++) {
        if (parse(x, a, b->constraints.v[i].text, &r, e) < 0)
            return -1;
        vec_add(&a->constraints, ((struct pypi_root){r, label}));
    }
    return 0;
}

static int add_asks(struct sdists *x, struct asks *a, const struct made *m, struct str lines,
                    struct err *e)
{
    struct str label = str_of(arena_fmt(&x->arena, "the build of " STR_FMT, STR_ARG(name_of(m))));
    const struct artifact *old = sdists_older(x, m);
    struct requirement *r;
    struct str line;

    while (str_line(&lines, &line)) {
        if (!str_trim(line).len)
            continue;
        if (parse(x, a, arena_str(&x->arena, str_trim(line)), &r, e) < 0)
            return -1;
        vec_add(&a->roots, ((struct pypi_root){r, label}));
    }
    for (size_t i = 0; old && i < old->source->requires_n; i++)
        vec_add(&a->prefer, ((struct pypi_prefer){old->source->requires[i].name,
                                                  old->source->requires[i].version}));
    return add_recipes(x, a, m, label, e);
}

/* It is no file of many GB to install for each build, but stands in the root, with what it needs.
 */
static void move_to_root(struct artifacts *list, struct str name)
{
    struct artifact *a;

    vec_each(a, list) {
        if (!str_eq(a->name, name) || a->source || str_is(a->group, ARTIFACT_OF_ROOT))
            continue;
        a->group = STR(ARTIFACT_OF_ROOT);
        for (size_t i = 0; i < a->needs.n; i++)
            move_to_root(list, str_sub(a->needs.v[i], 0, str_find(a->needs.v[i], '[')));
        for (size_t i = 0; i < a->extras.n; i++)
            for (size_t j = 0; j < a->extras.v[i].needs.n; j++) {
                struct str need = a->extras.v[i].needs.v[j];

                move_to_root(list, str_sub(need, 0, str_find(need, '[')));
            }
    }
}

static void take_requires(struct sdists *x, struct made *m, struct artifacts *list)
{
    struct artifact_source *s = &m->source;
    const struct artifact *a;

    move_to_root(list, STR("torch"));
    s->requires = arena_alloc(&x->arena, (list->n + 1) * sizeof *s->requires);
    s->requires_n = 0;
    vec_each(a, list) {
        bool of_root = str_is(a->group, ARTIFACT_OF_ROOT);

        strs_add_once(&x->used, a->name);
        if (str_is(a->name, "torch"))
            sdists_see_cuda(x, s);
        s->requires[s->requires_n++] = (struct artifact){.eco = ECO_WHEEL,
                                                         .name = a->name,
                                                         .version = a->version,
                                                         .from = a->from,
                                                         .group = of_root ? a->group : STR(""),
                                                         .file = a->file,
                                                         .url = a->url,
                                                         .size = a->size,
                                                         .digest = a->digest,
                                                         .source = a->source};
    }
}

/* Choose wheels for the requirements, a line each, and those of the recipe. */
static int choose(struct sdists *x, struct made *m, struct str lines, struct err *e)
{
    CLEANUP(asks_clear) struct asks asks = {0};
    struct artifacts list = {0};
    int result;

    if (add_asks(x, &asks, m, lines, e) < 0)
        return -1;
    result = solve(x, &asks, &list, e);
    if (result == 0)
        take_requires(x, m, &list);
    vec_clear(&list);
    return result;
}

/* First what the source names, then what its backend adds, which is asked with the first there. */
static int choose_all(struct sdists *x, struct made *m, struct err *e)
{
    CLEANUP(buf_clear) struct buf lines = {0}, more = {0};

    buf_str(&lines, m->first);
    if ((!m->named && ask_requires(x, m, true, &lines, e) < 0) ||
        choose(x, m, buf_view(&lines), e) < 0 || ask_requires(x, m, false, &more, e) < 0)
        return -1;
    buf_str(&lines, buf_view(&more));
    return more.len ? choose(x, m, buf_view(&lines), e) : 0;
}

int sdists_require(struct sdists *x, struct made *m, struct err *e)
{
    if (m->required)
        return 0;
    if (m->busy)
        return err_set(
            e, ERR_UNSAT,
            "to build " STR_FMT " " STR_FMT ", " STR_FMT
            " itself is needed; `constraints` of its `build` may name a release that has a wheel",
            STR_ARG(m->wheel.name), STR_ARG(m->wheel.version), STR_ARG(m->wheel.name));
    m->busy = true;
    m->required = sdists_crates(x, m, e) == 0 && choose_all(x, m, e) == 0;
    m->busy = false;
    return m->required ? 0 : -1;
}
