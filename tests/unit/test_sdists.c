/* tests/unit/test_sdists.c - sdists as candidates, against a loopback index and a backend that only
 * says what it is told to. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/path.h"
#include "peer.h"
#include "plan/pypi/pypi_index.h"
#include "plan/pypi/sdists.h"

static struct peer peer;
static char *folder, *place;
static struct http *http;
static struct memo *page_memo;
static struct cas *cas;

static int begin(void **state)
{
    struct http_options o = {.tries = 2, .pause_ms = 10};
    struct err e = {0};
    struct buf url = {0};
    char *pages;

    folder = scratch_make();
    pages = path_join(folder, "pages");
    if (!peer_start(&peer, "tests/peers/index_peer.py", folder) || http_open(&http, &o, &e) < 0 ||
        memo_open(&page_memo, pages, &e) < 0 || cas_open(&cas, folder, NULL, &e) < 0)
        return -1;
    buf_fmt(&url, "http://127.0.0.1:%d/simple/", peer.port);
    place = buf_take(&url);
    free(pages);
    return 0;
}

static int end(void **state)
{
    http_clear(&http);
    memo_clear(&page_memo);
    cas_clear(&cas);
    peer_stop(&peer);
    scratch_remove(folder);
    free(place);
    return 0;
}

/* A backend that answers from words, and writes down what it was asked. */
struct fake {
    const char *first, *more, *metadata, *refuses; /* first, more: requirements, by "," */
    struct buf log;
};

static void note(struct fake *f, const char *what, const struct artifact *wheel)
{
    buf_fmt(&f->log, "%s " STR_FMT " " STR_FMT ":", what, STR_ARG(wheel->name),
            STR_ARG(wheel->version));
    for (size_t i = 0; i < wheel->source->requires_n; i++)
        buf_fmt(&f->log, " " STR_FMT " " STR_FMT, STR_ARG(wheel->source->requires[i].name),
                STR_ARG(wheel->source->requires[i].version));
    buf_puts(&f->log, "\n");
}

static int fake_requires(void *ctx, const struct artifact *wheel, const struct lock *lock,
                         const struct artifact *pip, bool first, struct names *out, struct err *e)
{
    struct fake *f = ctx;
    struct str rest = str_of(first ? f->first : f->more), one;

    assert_true(str_is(pip->name, "pip") && str_is(pip->version, "25.0"));
    note(f, first ? "first" : "more", wheel);
    assert_true(str_is(wheel->source->sdist.url, "./") ||
                cas_has(cas, &wheel->source->sdist.digest, wheel->source->sdist.size));
    while (str_item(&rest, ',', &one)) {
        CLEANUP(free_clear) char *text = str_dup(one);

        names_add(out, text);
    }
    return 0;
}

static int fake_metadata(void *ctx, const struct artifact *wheel, const struct lock *lock,
                         const struct artifact *pip, struct buf *out, struct err *e)
{
    struct fake *f = ctx;

    note(f, "metadata", wheel);
    if (f->refuses)
        return err_set(e, ERR_INPUT, "%s", f->refuses);
    buf_puts(out, f->metadata);
    return 0;
}

struct scene {
    const char *recipe; /* `build` */
    const char *asks;
    struct fake *fake;
    struct memo *memo;
    const struct artifacts *kept;
    const char *toml; /* of the recipe's own project; NULL: it has setup.py alone, if it is there */
    bool project;
    bool torch, toolkit; /* the image has them */
};

static void parse(struct requirement *out, struct arena *a, const char *text)
{
    struct err e = {0};

    if (requirement_parse(out, a, str_of(text), &e) < 0)
        fail_msg("%s", e.msg);
}

static struct strs tell_version(void *ctx, struct arena *a, const struct strs *env)
{
    struct strs out = {.v = arena_alloc(a, (env->n + 1) * sizeof *out.v), .n = env->n + 1};

    for (size_t i = 0; i < env->n; i++)
        out.v[i] = env->v[i];
    out.v[env->n] = STR("SCM=now");
    return out;
}

/* What is chosen, "name version" each, those that are built with "*" and what they require; or the
 * error. `look` (may be NULL) gets the artifacts while all is open. */
static enum err_kind solve(const struct scene *s, struct buf *out, void (*look)(struct artifacts *))
{
    const struct pypi_place one = {.url = str_of(place)};
    const struct source_backend backend = {s->fake, fake_requires, fake_metadata};
    CLEANUP(recipe_clear) struct recipe recipe = {0};
    CLEANUP(lock_clear) struct lock lock = {0};
    CLEANUP(buf_clear) struct buf yaml = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(pages_clear)
    struct pages *pages = pages_open(http, page_memo, cas, &(struct pages_options){0});

    buf_fmt(&yaml, "pytorch: \"2.6.0\"\nvariant: devel\n%s", s->recipe);
    if (recipe_parse(&recipe, buf_view(&yaml), "x.yaml", &e) < 0)
        fail_msg("%s", e.msg);
    vec_add(&lock.artifacts, ((struct artifact){.eco = ECO_DEB, .group = STR_INIT("python")}));
    vec_add(&lock.tools, ((struct artifact){.eco = ECO_DEB, .group = STR_INIT("compile")}));
    if (s->toolkit)
        lock.toolkit.from = STR("nvidia");
    CLEANUP(pyproject_clear) struct pyproject toml = {0};
    const struct sdists_project project = {.url = STR_INIT("./"),
                                           .toml = s->toml ? &toml : NULL,
                                           .digest = {{9}},
                                           .size = 5,
                                           .env = tell_version};

    if (s->toml && pyproject_parse(&toml, str_of(s->toml), "pyproject.toml", &e) < 0)
        fail_msg("%s", e.msg);
    const struct sdists_options how = {.recipe = &recipe,
                                       .project = s->project ? &project : NULL,
                                       .archs = STR("7.0 8.0"),
                                       .lock = &lock,
                                       .kept = s->kept,
                                       .backend = s->fake ? &backend : NULL,
                                       .pages = pages,
                                       .memo = s->memo};
    CLEANUP(sdists_clear) struct sdists *sdists = sdists_open(&how);
    const struct pypi_index_options o = {.places = &one,
                                         .places_n = 1,
                                         .sdists = sdists,
                                         .target = {3, 11, 2, 36, STR("x86_64")},
                                         .python_full = STR("3.11.2")};
    CLEANUP(pypi_index_clear) struct pypi_index *index = pypi_index_open(pages, http, &o);
    CLEANUP(pypi_solution_clear) struct pypi_solution solution = {0};
    CLEANUP(arena_clear) struct arena arena = {0};
    struct requirement r[3] = {0};
    const struct pypi_universe universe = pypi_index_universe(index);
    const struct pypi_root roots[] = {
        {&r[0], STR("recipe")}, {&r[1], STR("recipe")}, {&r[2], STR("recipe")}};
    const struct pypi_want want = {
        .env = {STR("3.11.2"), STR("x86_64")}, .roots = roots, .roots_n = s->torch ? 3 : 2};
    struct artifacts all = {0};
    const struct artifact *a;
    enum err_kind kind = ERR_NONE;

    if (!s->project)
        parse(&r[0], &arena, s->asks);
    parse(&r[1], &arena, "plain<2");
    parse(&r[2], &arena, "torch==2.6.0");
    sdists_bind(sdists, index, &want);
    if (s->project) {
        if (sdists_project_name(sdists, &r[0].name, &e) < 0) {
            buf_puts(out, e.msg);
            return e.kind;
        }
        r[0].name_written = r[0].text = r[0].name;
        r[0].url = STR("./");
        for (size_t i = 0; i < recipe.project.extras.n; i++)
            vec_add(&r[0].extras, recipe.project.extras.v[i].text);
    }
    if (solve_pypi(&solution, &want, &universe, &e) < 0 ||
        pypi_artifacts(&all, index, &solution, &e) < 0) {
        buf_puts(out, e.msg);
        kind = e.kind;
    }
    vec_each(a, &all) {
        buf_fmt(out, "%s" STR_FMT " " STR_FMT "%s", a == all.v ? "" : ", ", STR_ARG(a->name),
                STR_ARG(a->version), a->source ? "*" : "");
        assert_true(a->source ? !a->url.len : digest_is_set(&a->digest) && a->url.len);
        for (size_t i = 0; a->source && i < a->source->requires_n; i++)
            buf_fmt(out, " (" STR_FMT " " STR_FMT ")", STR_ARG(a->source->requires[i].name),
                    STR_ARG(a->source->requires[i].version));
    }
    if (look && !kind)
        look(&all);
    vec_clear(&all);
    requirement_clear(&r[0]);
    requirement_clear(&r[1]);
    requirement_clear(&r[2]);
    return kind;
}

static void expect(const struct scene *s, enum err_kind kind, const char *part, const char *log)
{
    CLEANUP(buf_clear) struct buf got = {0};
    enum err_kind was = solve(s, &got, NULL);
    const char *asked = s->fake && s->fake->log.p ? s->fake->log.p : "";

    if (was != kind || !strstr(got.p, part))
        fail_msg("%s: kind %d, %s", s->asks, (int)was, got.p);
    assert_string_equal(asked, log);
    if (s->fake)
        buf_clear(&s->fake->log);
}

#define MOVING "Metadata-Version: 2.1\nName: Moving\nVersion: 2.0\nRequires-Dist: bare\n"

static void what_holds_for_the_wheel_is_read_from_the_sdist(void **state)
{
    struct fake fake = {.more = ""};
    struct scene s = {.recipe = "build: [still]", .asks = "still", .fake = &fake};

    expect(&s, ERR_NONE, "plain 1.0, still 1.0* (tool 1.0)", "more still 1.0: tool 1.0\n");
    s.recipe = "build: all";
    s.asks = "zipped";
    expect(&s, ERR_NONE, "plain 1.0, zipped 1.0* (tool 1.0)", "more zipped 1.0: tool 1.0\n");
}

/* PEP 621: what is not dynamic holds; the version is the file's anyway. */
static void a_table_tells_as_much_as_a_backend(void **state)
{
    struct fake fake = {.more = "",
                        .metadata = "Metadata-Version: 2.1\nName: tabled\nVersion: 2.0\n"};
    struct scene s = {.recipe = "build: [tabled]", .asks = "tabled[more]<2", .fake = &fake};

    expect(&s, ERR_NONE, "bare 1.0, big 1.0, plain 1.0, tabled 1.0* (tool 1.0)",
           "more tabled 1.0: tool 1.0\n");
    s.asks = "tabled";
    expect(&s, ERR_NONE, "plain 1.0, tabled 2.0* (tool 2.0)",
           "more tabled 2.0: tool 2.0\nmetadata tabled 2.0: tool 2.0\n");
}

static void what_a_source_does_not_name_is_as_with_pip(void **state)
{
    struct fake fake = {.more = "", .metadata = "Metadata-Version: 2.1\nName: old\nVersion: 1.0\n"};
    struct scene s = {.recipe = "build: [old, vague]", .asks = "old", .fake = &fake};

    expect(&s, ERR_NONE, "old 1.0* (setuptools 80.0), plain 1.0",
           "more old 1.0: setuptools 80.0\nmetadata old 1.0: setuptools 80.0\n");
    fake.first = "tool"; /* a table that PEP 621 does not allow is for the backend to judge */
    fake.metadata = "Metadata-Version: 2.1\nName: vague\nVersion: 1.0\n";
    s.asks = "vague";
    expect(&s, ERR_NONE, "plain 1.0, vague 1.0* (tool 2.0)",
           "first vague 1.0:\nmore vague 1.0: tool 2.0\nmetadata vague 1.0: tool 2.0\n");
}

static void a_backend_is_asked_for_what_may_change(void **state)
{
    struct fake fake = {.more = "bare, tool<2", .metadata = MOVING};
    struct scene s = {.recipe = "build: [moving]", .asks = "moving", .fake = &fake};

    expect(&s, ERR_NONE, "bare 1.0, moving 2.0* (bare 1.0) (tool 1.0), plain 1.0",
           "more moving 2.0: tool 2.0\n"
           "metadata moving 2.0: bare 1.0 tool 1.0\n");
    s.recipe = ""; /* not allowed: the wheel */
    expect(&s, ERR_NONE, "moving 1.0, plain 1.0", "");
    s.recipe = "build: [moving]";
    s.asks = "moving<2"; /* nobody builds what does not fit */
    expect(&s, ERR_NONE, "moving 1.0, plain 1.0", "");
}

static void the_recipe_bounds_what_a_build_gets(void **state)
{
    struct fake fake = {.more = "", .metadata = MOVING};
    struct scene s = {
        .recipe = "build: {moving: {isolation: false, constraints: [tool<2], requires: [plain], "
                  "env: {A: 1}, archs: [8.0], config_settings: {x: y}, expect: [m]}}",
        .asks = "moving",
        .fake = &fake};

    /* plain of the image, not the newest. */
    expect(&s, ERR_NONE, "moving 2.0* (plain 1.0) (tool 1.0)",
           "more moving 2.0: plain 1.0 tool 1.0\n"
           "metadata moving 2.0: plain 1.0 tool 1.0\n");
}

/* What is built with torch: `asked` of the archs, in the toolkit. */
static void check_cuda(const struct artifacts *all, const char *root, const char *archs)
{
    CLEANUP(buf_clear) struct buf in_root = {0}, groups = {0}, got = {0};
    const struct artifact *a;

    vec_each(a, all) {
        for (size_t i = 0; a->source && i < a->source->requires_n; i++)
            if (a->source->requires[i].group.len)
                buf_fmt(&in_root, STR_FMT " ", STR_ARG(a->source->requires[i].name));
        for (size_t i = 0; a->source && i < a->source->root.n; i++)
            buf_fmt(&groups, STR_FMT " ", STR_ARG(a->source->root.v[i]));
        for (size_t i = 0; a->source && i < a->source->archs.n; i++)
            buf_fmt(&got, STR_FMT " ", STR_ARG(a->source->archs.v[i]));
    }
    assert_string_equal(in_root.p ? in_root.p : "", "bare tool torch ");
    assert_string_equal(groups.p, root);
    assert_string_equal(got.p ? got.p : "", archs);
}

static void is_of_the_images_gpus(struct artifacts *all)
{
    check_cuda(all, "python compile toolkit ", "7.0 8.0 ");
}

static void is_of_the_recipes_gpus(struct artifacts *all)
{
    check_cuda(all, "python compile toolkit ", "9.0 ");
}

static void sees_no_toolkit(struct artifacts *all)
{
    check_cuda(all, "python compile ", "");
}

/* The image's torch and what that needs are in the root, and with them the toolkit. */
static void torch_is_the_images(void **state)
{
    static const char log[] = "more cuda 1.0: bare 1.0 setuptools 80.0 tool 2.0 torch 2.6.0\n";
    struct fake fake = {.more = "", .metadata = "Metadata-Version: 2.1\nName: old\nVersion: 1.0\n"};
    struct scene s = {
        .recipe = "build: [cuda]", .asks = "cuda", .fake = &fake, .torch = true, .toolkit = true};
    CLEANUP(buf_clear) struct buf out = {0};

    assert_int_equal(solve(&s, &out, is_of_the_images_gpus), ERR_NONE);
    assert_string_equal(fake.log.p, log);
    buf_clear(&fake.log);
    s.recipe = "build: {cuda: {archs: [9.0]}}";
    assert_int_equal(solve(&s, &out, is_of_the_recipes_gpus), ERR_NONE);
    s.toolkit = false;
    s.recipe = "build: [cuda]";
    assert_int_equal(solve(&s, &out, sees_no_toolkit), ERR_NONE);
    s.asks = "old"; /* asks for no torch, but is told to see the image's */
    s.recipe = "build: {old: {isolation: false}}";
    assert_int_equal(solve(&s, &out, sees_no_toolkit), ERR_NONE);
    s.torch = false;
    buf_clear(&fake.log);
    expect(&s, ERR_NONE, "old 1.0* (setuptools 80.0)",
           "more old 1.0: setuptools 80.0\nmetadata old 1.0: setuptools 80.0\n");
}

static void is_the_project(struct artifacts *all)
{
    const struct artifact *a;
    size_t n = 0;

    vec_each(a, all) {
        if (!artifact_is_project(a))
            continue;
        n++;
        assert_true(str_is(a->source->sdist.file, "app.tar") && a->source->sdist.size == 5);
        assert_true(a->source->env.n == 2 && str_is(a->source->env.v[0], "A=1"));
        assert_true(str_is(a->source->env.v[1], "SCM=then")); /* its files are as they were */
    }
    assert_int_equal(n, 1);
}

/* The recipe's own needs no word of `build`; it is asked for what it does not say. */
static void a_project_is_a_candidate(void **state)
{
#define APP "[build-system]\nrequires = [\"tool<2\"]\n[project]\nname = \"App\"\n"
    static struct str env[] = {STR_INIT("A=1"), STR_INIT("SCM=then")};
    const struct artifact_source was = {.sdist = {.digest = {{9}}}, .env = {env, 2, 0}};
    struct artifact old = {.name = STR_INIT("app"), .source = &was};
    const struct artifacts kept = {&old, 1, 1};
    struct fake fake = {.more = "",
                        .metadata = "Metadata-Version: 2.1\nName: App\nVersion: 3.0\n"
                                    "Requires-Dist: bare ; extra == 'x'\nProvides-Extra: x\n"};
    struct scene s = {.recipe = "project: .", .asks = "app", .fake = &fake, .project = true};
    CLEANUP(buf_clear) struct buf out = {0};

    s.toml = APP "version = \"1.0\"\ndependencies = [\"bare\"]\n";
    expect(&s, ERR_NONE, "app 1.0* (tool 1.0), bare 1.0", "more app 1.0: tool 1.0\n");
    s.toml = APP "dynamic = [\"version\"]\n";
    expect(&s, ERR_NONE, "app 3.0* (tool 1.0), plain",
           "more app : tool 1.0\nmetadata app : tool 1.0\n");
    s.recipe = "project: {path: ., extras: [X]}";
    s.toml = APP "version = \"1.0\"\n[project.optional-dependencies]\nX = [\"bare\"]\n";
    expect(&s, ERR_NONE, "app 1.0* (tool 1.0), bare 1.0", "more app 1.0: tool 1.0\n");
    s.toml = APP "version = \"1.0\"\n[project.optional-dependencies]\na = []\nb = []\n";
    expect(&s, ERR_INPUT, "project: it has no extra \"x\"; there is a, b", "");
    s.recipe = "project: {path: ., extras: [y]}";
    s.toml = NULL; /* setup.py alone: its name is asked for first */
    expect(&s, ERR_INPUT, "project: it has no extra \"y\"; there is x",
           "more  : setuptools 80.0\nmetadata  : setuptools 80.0\n"
           "more app : setuptools 80.0\nmetadata app : setuptools 80.0\n");
    s.recipe = "project: .\nbuild: {app: {env: {A: 1}}}";
    s.toml = APP "version = \"1.0\"\n";
    s.kept = &kept;
    assert_int_equal(solve(&s, &out, is_the_project), ERR_NONE);
    buf_clear(&fake.log);
    fake.refuses = "it does not like that";
    s.toml = APP "dynamic = [\"version\"]\n";
    expect(&s, ERR_UNSAT, "it does not like that",
           "more app : tool 1.0\nmetadata app : tool 1.0\n");
}

static void what_was_answered_is_remembered(void **state)
{
    CLEANUP(free_clear) char *dir = path_join(folder, "answers");
    CLEANUP(memo_clear) struct memo *memo = NULL;
    struct fake fake = {.more = "", .metadata = MOVING};
    struct scene s = {.recipe = "build: [moving]", .asks = "moving", .fake = &fake};
    struct err e = {0};

    assert_int_equal(memo_open(&memo, dir, &e), 0);
    s.memo = memo;
    expect(&s, ERR_NONE, "moving 2.0* (tool 2.0)",
           "more moving 2.0: tool 2.0\nmetadata moving 2.0: tool 2.0\n");
    expect(&s, ERR_NONE, "moving 2.0* (tool 2.0)", "");
    s.recipe = "build: {moving: {env: {A: 1}}}";
    expect(&s, ERR_NONE, "moving 2.0* (tool 2.0)",
           "more moving 2.0: tool 2.0\nmetadata moving 2.0: tool 2.0\n");
}

static void what_a_backend_refuses_is_told(void **state)
{
    struct fake fake = {.more = "", .refuses = "no compiler"};
    struct scene s = {.recipe = "build: [moving]", .asks = "moving", .fake = &fake};

    expect(&s, ERR_UNSAT, "no compiler",
           "more moving 2.0: tool 2.0\nmetadata moving 2.0: tool 2.0\n");
    s.recipe = "build: [greedy]";
    s.asks = "greedy";
    expect(&s, ERR_UNSAT, "the build of greedy asks for tool>3", "");
    s.recipe = "build: [moving]";
    s.asks = "moving";
    fake = (struct fake){.more = "", .metadata = "Name: x\nVersion: 1\n"};
    expect(&s, ERR_UNSAT, "moving-2.0.tar.gz says in its metadata that it is x 1",
           "more moving 2.0: tool 2.0\nmetadata moving 2.0: tool 2.0\n");
    s.recipe = "build: [knot]";
    s.asks = "knot";
    expect(&s, ERR_UNSAT, "to build knot 1.0, knot itself is needed", "");
    s.fake = NULL;
    s.recipe = "build: [old]";
    s.asks = "old";
    expect(&s, ERR_UNSAT, "old 1.0 has to be built to know what it needs", "");
}

static void a_damaged_sdist_is_passed_over(void **state)
{
    struct fake fake = {.more = ""};
    struct scene s = {.recipe = "build: [broken]", .asks = "broken", .fake = &fake};

    expect(&s, ERR_NONE, "broken 1.0* (tool 2.0), plain 1.0", "more broken 1.0: tool 2.0\n");
}

/* What an older lock has of it. */
static struct artifact_source old_source;
static struct artifact old_tool, old;
static struct str groups[] = {STR_INIT("python"), STR_INIT("compile")};

static void keep(struct artifacts *all)
{
    const struct artifact *a = &all->v[0];

    assert_true(str_is(a->name, "moving") && !digest_is_set(&a->digest));
    assert_int_equal(a->source->root.n, 2);
    old_tool = (struct artifact){.name = STR_INIT("tool"),
                                 .version = STR_INIT("2.0"),
                                 .digest = a->source->requires[0].digest};
    old_source = (struct artifact_source){.sdist.digest = a->source->sdist.digest,
                                          .isolated = true,
                                          .abi = STR_INIT("torch2.6.0cxx11abiTRUE"),
                                          .root = {groups, 2, 0},
                                          .requires = &old_tool,
                                          .requires_n = 1};
    old = (struct artifact){.name = STR_INIT("moving"),
                            .file = STR_INIT("moving-2.0-py3-none-any.whl"),
                            .size = 7,
                            .digest = {{7}},
                            .source = &old_source};
}

static void must_be_built(struct artifacts *all)
{
    assert_true(str_is(all->v[0].name, "moving") && !digest_is_set(&all->v[0].digest));
    assert_true(!all->v[0].source->abi.len);
}

static void must_be_kept(struct artifacts *all)
{
    assert_true(str_is(all->v[0].name, "moving") && all->v[0].digest.bytes[0] == 7);
    assert_true(str_is(all->v[0].source->abi, "torch2.6.0cxx11abiTRUE"));
    assert_true(all->v[0].size == 7 && str_is(all->v[0].file, "moving-2.0-py3-none-any.whl"));
}

static void what_was_built_stays_while_nothing_of_it_changes(void **state)
{
    struct fake fake = {.more = "",
                        .metadata = "Metadata-Version: 2.1\nName: moving\nVersion: 2.0\n"};
    struct scene s = {.recipe = "build: [moving]", .asks = "moving", .fake = &fake};
    const struct artifacts kept = {&old, 1, 0};
    CLEANUP(buf_clear) struct buf out = {0};

    assert_int_equal(solve(&s, &out, keep), ERR_NONE);
    s.kept = &kept;
    assert_int_equal(solve(&s, &out, must_be_kept), ERR_NONE);
    s.recipe = "build: {moving: {env: {A: 1}}}";
    assert_int_equal(solve(&s, &out, must_be_built), ERR_NONE);
    s.recipe = "build: {moving: {constraints: [tool<2]}}";
    assert_int_equal(solve(&s, &out, must_be_built), ERR_NONE);
    old_source.sdist.digest.bytes[0] ^= 1;
    s.recipe = "build: [moving]";
    assert_int_equal(solve(&s, &out, must_be_built), ERR_NONE);
    buf_clear(&fake.log);
}

/* ---- git ---- */

static struct peer git_peer;

static void has_commit(struct artifacts *all)
{
    const struct artifact_source *s = all->v[0].source;

    assert_true(str_is(all->v[0].name, "demo") && !all->v[0].url.len);
    assert_true(s->commit.len == 40 && s->tags.n == 1 && str_is(s->folder, "demo"));
    assert_true(str_ends(s->sdist.url, STR("demo@dev#subdirectory=demo")) && s->isolated);
    old_source = (struct artifact_source){
        .sdist = {.digest = s->sdist.digest, .size = s->sdist.size}, .isolated = true};
    old_source.sdist.url = str_of(xstrdup(s->sdist.url.p));
    old_source.commit = str_of(xstrdup(s->commit.p));
    old_source.tags.n = 1;
    old_source.tags.v = &groups[0];
    groups[0] = STR("v1.0");
    old = (struct artifact){.name = STR_INIT("demo"), .source = &old_source};
}

static void is_as_before(struct artifacts *all)
{
    assert_true(str_eq(all->v[0].source->commit, old_source.commit));
}

static void has_moved(struct artifacts *all)
{
    assert_false(str_eq(all->v[0].source->commit, old_source.commit));
}

static void a_branch_stays_until_it_is_upgraded(void **state)
{
    struct fake fake = {.more = "tool",
                        .metadata = "Metadata-Version: 2.1\nName: Demo\nVersion: 1.0.dev1+x\n"};
    struct scene s = {.recipe = "build: [demo]", .fake = &fake};
    const struct artifacts kept = {&old, 1, 0};
    CLEANUP(buf_clear) struct buf asks = {0}, out = {0}, line = {0};

    buf_fmt(&asks, "demo @ git+http://127.0.0.1:%d/demo@dev#subdirectory=demo", git_peer.port);
    s.asks = asks.p;
    assert_int_equal(solve(&s, &out, has_commit), ERR_NONE);
    assert_string_equal(out.p, "demo 1.0.dev1+x* (setuptools 80.0) (tool 2.0), plain 1.0");
    assert_string_equal(fake.log.p, "more demo : setuptools 80.0\n"
                                    "metadata demo : setuptools 80.0 tool 2.0\n");
    buf_fmt(&line,
            "python3 -c \"import urllib.request as u; u.urlopen('http://127.0.0.1:%d/move/dev')."
            "read()\"",
            git_peer.port);
    assert_int_equal(system(line.p), 0);
    s.kept = &kept;
    assert_int_equal(solve(&s, &out, is_as_before), ERR_NONE);
    s.kept = NULL;
    assert_int_equal(solve(&s, &out, has_moved), ERR_NONE);
    free((char *)(uintptr_t)old_source.sdist.url.p);
    free((char *)(uintptr_t)old_source.commit.p);
    buf_clear(&fake.log);
}

static void what_git_has_is_built_where_the_recipe_says_so(void **state)
{
    struct fake fake = {.more = "", .metadata = "Name: demo\nVersion: one\n"};
    CLEANUP(buf_clear) struct buf asks = {0};
    struct scene s = {.recipe = "build: [other]", .fake = &fake};

    buf_fmt(&asks, "demo @ git+http://127.0.0.1:%d/demo", git_peer.port);
    s.asks = asks.p;
    expect(&s, ERR_INPUT, "is built from source, and the recipe's `build` does not name it", "");
    s.recipe = "build: all";
    expect(&s, ERR_UNSAT, "\"one\" is not a version (PEP 440)", "more demo :\nmetadata demo :\n");
    fake.metadata = "Metadata-Version: 2.1\nName: other\nVersion: 1\n";
    expect(&s, ERR_UNSAT, "says in its metadata that it is other 1",
           "more demo :\nmetadata demo :\n");
}

/* PEP 621 holds for a commit as for an sdist; a PKG-INFO there is nobody's word. */
static void what_a_commit_says_is_not_asked(void **state)
{
    struct fake fake = {.more = ""};
    CLEANUP(buf_clear) struct buf asks = {0};
    struct scene s = {.recipe = "build: [told]", .fake = &fake};

    buf_fmt(&asks, "told[more] @ git+http://127.0.0.1:%d/told#subdirectory=py", git_peer.port);
    s.asks = asks.p;
    expect(&s, ERR_NONE, "bare 1.0, big 1.0, plain 1.0, told 3.0* (tool 1.0)",
           "more told 3.0: tool 1.0\n");
}

static int begin_git(void **state)
{
    return peer_start(&git_peer, "tests/peers/git_peer.py", folder) ? 0 : -1;
}

static int end_git(void **state)
{
    peer_stop(&git_peer);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_holds_for_the_wheel_is_read_from_the_sdist),
        cmocka_unit_test(a_table_tells_as_much_as_a_backend),
        cmocka_unit_test(what_a_source_does_not_name_is_as_with_pip),
        cmocka_unit_test(a_backend_is_asked_for_what_may_change),
        cmocka_unit_test(the_recipe_bounds_what_a_build_gets),
        cmocka_unit_test(torch_is_the_images),
        cmocka_unit_test(a_project_is_a_candidate),
        cmocka_unit_test(what_was_answered_is_remembered),
        cmocka_unit_test(what_a_backend_refuses_is_told),
        cmocka_unit_test(a_damaged_sdist_is_passed_over),
        cmocka_unit_test(what_was_built_stays_while_nothing_of_it_changes),
        cmocka_unit_test_setup_teardown(a_branch_stays_until_it_is_upgraded, begin_git, end_git),
        cmocka_unit_test_setup_teardown(what_a_commit_says_is_not_asked, begin_git, end_git),
        cmocka_unit_test_setup_teardown(what_git_has_is_built_where_the_recipe_says_so, begin_git,
                                        end_git),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
