/* SPDX-License-Identifier: Apache-2.0 */
/* The solver against worlds of text: every file in data/solve_pypi/ holds cases, a case is lines.
 *
 *   case NAME
 *   offer PROJECT VERSION [yanked] [refused] [python=SPEC] [tag=py3-none-any] [hidden-python=SPEC]
 *   needs REQUIREMENT            of the last offer; extra NAME: it has this extra
 *   sdist PROJECT VERSION [python=SPEC]
 *   file PROJECT VERSION URL     what stands at a URL
 *   want REQUIREMENT | constrain REQUIREMENT | prefer PROJECT VERSION | pre | rounds N
 *   build LABEL                  of torch and its kin where versions do not say it
 *   expect PROJECT[EXTRAS] VERSION [-> NEED ...] [[EXTRA]-> NEED ...]     exactly these, sorted
 *   reads PROJECT VERSION, ...   metadata asked for, in order
 *   warns TEXT                   a warning holds this text
 *   fails TEXT                   instead of expect
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>
#include "base/map.h"
#include "base/path.h"
#include "plan/pypi/solve_pypi.h"
#include "plan/pypi/torch_index.h"
#include "table.h"

#define CASES "tests/unit/data/solve_pypi"

enum { MESSAGE_MAX = 500 }; /* bytes: nobody reads walls of text */

struct offer {
    struct str project, version, hidden_python, url;
    struct buf metadata;
    struct metadata parsed;
    bool has_parsed;
    struct str file;
};

struct scene {
    struct arena arena;
    struct str name;
    struct VEC_OF(struct offer *) offers;
    struct VEC_OF(struct project *) projects;
    struct map by_name, by_file; /* struct project, struct offer */
    struct VEC_OF(struct requirement *) requirements;
    struct VEC_OF(struct pypi_root) roots, constraints;
    struct VEC_OF(struct pypi_prefer) prefers;
    struct buf expect, reads, got_reads, warnings;
    struct str fails, warns, build;
    bool pre, has_reads;
    unsigned rounds;
};

/* Says what differs; returns 1. */
static unsigned differs(const struct scene *s, const char *what, struct str want, struct str got)
{
    print_error("case " STR_FMT ": %s\n  want: " STR_FMT "\n  got:  " STR_FMT "\n",
                STR_ARG(s->name), what, STR_ARG(want), STR_ARG(got));
    return 1;
}

static struct str word_after(struct str line, const char *key)
{
    struct str word;

    while (str_word(&line, &word))
        if (str_skip(&word, str_of(key)))
            return word;
    return (struct str){0};
}

static struct project *project_of(struct scene *s, struct str name, bool make)
{
    struct project *p;

    name = pep503_name(&s->arena, name);
    p = map_get(&s->by_name, name);
    if (p || !make)
        return p;
    p = arena_alloc(&s->arena, sizeof *p);
    p->name = name;
    vec_add(&s->projects, p);
    map_set(&s->by_name, p->name, p);
    return p;
}

static void add_file(struct scene *s, struct project *p, struct str name, struct str line)
{
    struct simple_file *f = vec_push(&p->page.files);
    struct str rest = line, word;

    f->name = name;
    f->url = STR("https://index.test/file");
    f->requires_python = word_after(line, "python=");
    while (str_word(&rest, &word)) {
        f->yanked |= str_is(word, "yanked");
        f->refused |= str_is(word, "refused");
    }
    if (f->yanked)
        f->yanked_reason = STR("bad build");
}

static void add_offer(struct scene *s, struct str line, bool sdist, bool on_index)
{
    struct offer *o = arena_alloc(&s->arena, sizeof *o);
    struct str tag = word_after(line, "tag="), name;

    assert_true(str_word(&line, &o->project) && str_word(&line, &o->version));
    name = str_of(arena_fmt(&s->arena, STR_FMT "-" STR_FMT "%s" STR_FMT "%s", STR_ARG(o->project),
                            STR_ARG(o->version), sdist ? ".tar.gz" : "-",
                            STR_ARG(sdist     ? STR("")
                                    : tag.len ? tag
                                              : STR("py3-none-any")),
                            sdist ? "" : ".whl"));
    o->file = name;
    o->hidden_python = word_after(line, "hidden-python=");
    buf_fmt(&o->metadata, "Name: " STR_FMT "\nVersion: " STR_FMT "\n", STR_ARG(o->project),
            STR_ARG(o->version));
    if (o->hidden_python.len)
        buf_fmt(&o->metadata, "Requires-Python: " STR_FMT "\n", STR_ARG(o->hidden_python));
    if (on_index)
        add_file(s, project_of(s, o->project, true), name, line);
    else
        o->url = str_trim(line);
    vec_add(&s->offers, o);
    if (!map_has(&s->by_file, o->file))
        map_set(&s->by_file, o->file, o);
}

static struct pypi_root read_root(struct scene *s, struct str text, struct str label)
{
    struct requirement *r = arena_alloc(&s->arena, sizeof *r);
    struct err e = {0};

    if (requirement_parse(r, &s->arena, text, &e) < 0)
        fail_msg("%s", e.msg);
    vec_add(&s->requirements, r);
    return (struct pypi_root){r, label};
}

static void add_line(struct buf *b, struct str line)
{
    buf_str(b, str_trim(line));
    buf_putc(b, '\n');
}

static void read_line(struct scene *s, struct str key, struct str line)
{
    struct offer *last = s->offers.n ? s->offers.v[s->offers.n - 1] : NULL;

    line = str_trim(line);
    if (str_is(key, "offer") || str_is(key, "sdist") || str_is(key, "file"))
        add_offer(s, line, str_is(key, "sdist"), !str_is(key, "file"));
    else if (str_is(key, "needs"))
        buf_fmt(&last->metadata, "Requires-Dist: " STR_FMT "\n", STR_ARG(line));
    else if (str_is(key, "extra"))
        buf_fmt(&last->metadata, "Provides-Extra: " STR_FMT "\n", STR_ARG(line));
    else if (str_is(key, "want"))
        vec_add(&s->roots, read_root(s, line, STR("recipe")));
    else if (str_is(key, "constrain"))
        vec_add(&s->constraints, read_root(s, line, STR("limits.txt")));
    else if (str_is(key, "prefer")) {
        struct pypi_prefer *p = vec_push(&s->prefers);

        assert_true(str_word(&line, &p->name) && str_word(&line, &p->version));
    } else if (str_is(key, "build"))
        s->build = line;
    else if (str_is(key, "pre"))
        s->pre = true;
    else if (str_is(key, "rounds"))
        assert_true(str_u32(line, &s->rounds));
    else if (str_is(key, "expect"))
        add_line(&s->expect, line);
    else if (str_is(key, "reads")) {
        s->has_reads = true;
        add_line(&s->reads, line);
    } else if (str_is(key, "warns"))
        s->warns = line;
    else if (str_is(key, "fails"))
        s->fails = line;
    else
        fail_msg("case " STR_FMT ": unknown line \"" STR_FMT "\"", STR_ARG(s->name), STR_ARG(key));
}

static struct str asked(void *ctx, struct str name)
{
    return STR("https://index.test/simple/");
}

static int ask_project(void *ctx, struct str name, const struct project **out, struct err *e)
{
    *out = project_of(ctx, name, false);
    return 0;
}

static int ask_metadata(void *ctx, const struct project *p, const struct candidate *c,
                        const struct metadata **out, struct err *e)
{
    struct scene *s = ctx;
    struct offer *o = map_get(&s->by_file, c->file->name);

    if (!o)
        return err_set(e, ERR_NET, "no such file");
    if (!o->has_parsed) {
        buf_fmt(&s->got_reads, "%s" STR_FMT " " STR_FMT, s->got_reads.len ? ", " : "",
                STR_ARG(o->project), STR_ARG(o->version));
        if (metadata_parse(&o->parsed, buf_view(&o->metadata), "METADATA", e) < 0)
            return -1;
        o->has_parsed = true;
    }
    *out = &o->parsed;
    return 0;
}

static const struct wheel_target target = {3, 11, 2, 36, STR_INIT("x86_64")};

static int ask_direct(void *ctx, struct str name, struct str url, const struct project **out,
                      struct err *e)
{
    struct scene *s = ctx;

    for (size_t i = 0; i < s->offers.n; i++) {
        struct offer *o = s->offers.v[i];
        struct project *p;

        if (!str_eq(o->url, url))
            continue;
        p = arena_alloc(&s->arena, sizeof *p);
        p->name = arena_str(&s->arena, name);
        add_file(s, p, o->file, STR(""));
        p->page.files.v[0].url = url;
        *out = p;
        vec_add(&s->projects, p);
        return project_select(p, &target, STR("3.11.2"), STR("recipe"), false, e);
    }
    return err_set(e, ERR_NET, "nothing at " STR_FMT, STR_ARG(url));
}

static void hear(void *ctx, const struct event *event)
{
    struct scene *s = ctx;

    if (event->kind == EVENT_WARNING)
        add_line(&s->warnings, str_of(event->name));
}

static void describe(struct buf *out, const struct pypi_solution *solution)
{
    const struct pypi_pick *p;

    vec_each(p, &solution->picks) {
        buf_str(out, p->name);
        for (size_t i = 0; i < p->extras.n; i++)
            buf_fmt(out, "%s" STR_FMT, i ? "," : "[", STR_ARG(p->extras.v[i]));
        buf_fmt(out, "%s " STR_FMT, p->extras.n ? "]" : "", STR_ARG(p->candidate->version.text));
        for (size_t i = 0; i < p->needs.n; i++)
            buf_fmt(out, "%s" STR_FMT, i ? " " : " -> ", STR_ARG(p->needs.v[i]));
        for (size_t i = 0; i < p->brought.n; i++) {
            const struct artifact_extra *x = &p->brought.v[i];

            buf_fmt(out, " [" STR_FMT "]->", STR_ARG(x->name));
            for (size_t j = 0; j < x->needs.n; j++)
                buf_fmt(out, " " STR_FMT, STR_ARG(x->needs.v[j]));
        }
        buf_putc(out, '\n');
    }
}

static unsigned judge(struct scene *s, int rc, const struct pypi_solution *solution,
                      const struct err *e)
{
    CLEANUP(buf_clear) struct buf got = {0};

    if (rc == 0)
        describe(&got, solution);
    else
        buf_puts(&got, e->msg);
    if (s->fails.len && (rc == 0 || e->kind != ERR_UNSAT || !str_eq(s->fails, buf_view(&got))))
        return differs(s, "failure", s->fails, buf_view(&got));
    if (got.len > MESSAGE_MAX && rc < 0)
        return differs(s, "length", STR("at most 500 bytes"), buf_view(&got));
    if (!s->fails.len && (rc < 0 || !str_eq(buf_view(&got), buf_view(&s->expect))))
        return differs(s, "solution", buf_view(&s->expect), buf_view(&got));
    return 0;
}

static unsigned judge_rest(struct scene *s)
{
    struct str warnings = buf_view(&s->warnings), reads = str_trim(buf_view(&s->reads));
    unsigned wrong = 0;

    if (s->has_reads && !str_eq(reads, buf_view(&s->got_reads)))
        wrong += differs(s, "reads", reads, buf_view(&s->got_reads));
    if (s->warns.len ? str_find_str(warnings, s->warns) >= warnings.len : warnings.len > 0)
        wrong += differs(s, "warnings", s->warns, warnings);
    return wrong;
}

static void scene_clear(struct scene *s)
{
    for (size_t i = 0; i < s->offers.n; i++) {
        buf_clear(&s->offers.v[i]->metadata);
        metadata_clear(&s->offers.v[i]->parsed);
    }
    for (size_t i = 0; i < s->projects.n; i++)
        project_clear(s->projects.v[i]);
    for (size_t i = 0; i < s->requirements.n; i++)
        requirement_clear(s->requirements.v[i]);
    vec_clear(&s->offers);
    vec_clear(&s->projects);
    map_clear(&s->by_name);
    map_clear(&s->by_file);
    vec_clear(&s->requirements);
    vec_clear(&s->roots);
    vec_clear(&s->constraints);
    vec_clear(&s->prefers);
    buf_clear(&s->expect);
    buf_clear(&s->reads);
    buf_clear(&s->got_reads);
    buf_clear(&s->warnings);
    arena_clear(&s->arena);
    *s = (struct scene){0};
}

/* Solve what was read, judge it, and begin anew. */
static unsigned play(struct scene *s)
{
    CLEANUP(pypi_solution_clear) struct pypi_solution solution = {0};
    CLEANUP(err_clear) struct err e = {0};
    const struct events events = {.emit = hear, .ctx = s};
    const struct pypi_universe universe = {.ctx = s,
                                           .asked = asked,
                                           .project = ask_project,
                                           .metadata = ask_metadata,
                                           .direct = ask_direct};
    const struct pypi_want want = {.env = {STR("3.11.2"), STR("x86_64")},
                                   .roots = s->roots.v,
                                   .roots_n = s->roots.n,
                                   .constraints = s->constraints.v,
                                   .constraints_n = s->constraints.n,
                                   .prefer = s->prefers.v,
                                   .prefer_n = s->prefers.n,
                                   .build = s->build,
                                   .of_build = torch_index_binds,
                                   .pre = s->pre,
                                   .rounds = s->rounds,
                                   .events = &events};
    unsigned wrong = 0;
    int rc;

    if (s->name.len) {
        for (size_t i = 0; i < s->projects.n; i++)
            assert_int_equal(project_select(s->projects.v[i], &target, STR("3.11.2"),
                                            STR("https://index.test/simple/"), false, &e),
                             0);
        rc = solve_pypi(&solution, &want, &universe, &e);
        wrong = judge(s, rc, &solution, &e) + judge_rest(s);
    }
    scene_clear(s);
    return wrong;
}

static unsigned play_file(const char *path, unsigned *wrong)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct scene s = {0};
    struct err e = {0};
    struct str rest, line, key;
    unsigned n = 0;

    assert_int_equal(fs_read(&text, path, 1 << 20, &e), 0);
    for (rest = buf_view(&text); str_line(&rest, &line);) {
        if (!str_trim(line).len || str_trim(line).p[0] == '#')
            continue;
        assert_true(str_word(&line, &key));
        if (!str_is(key, "case")) {
            read_line(&s, key, line);
            continue;
        }
        *wrong += play(&s);
        s.name = str_trim(line);
        n++;
    }
    *wrong += play(&s);
    return n;
}

static void every_case_holds(void **state)
{
    CLEANUP(names_clear) struct names files = {0};
    struct err e = {0};
    unsigned n = 0, wrong = 0;

    assert_int_equal(fs_list(&files, CASES, &e), 0);
    for (size_t i = 0; i < files.n; i++) {
        CLEANUP(free_clear) char *path = path_join(CASES, files.v[i]);

        n += play_file(path, &wrong);
    }
    assert_true(n >= 40);
    assert_int_equal(wrong, 0);
}

static bool always(void *ctx)
{
    return true;
}

static void cancelling_ends_the_search(void **state)
{
    CLEANUP(scene_clear) struct scene s = {.name = STR("cancel")};
    CLEANUP(err_clear) struct err e = {0};
    struct pypi_solution solution = {0};
    const struct events events = {.cancelled = always};
    const struct pypi_universe universe = {
        .ctx = &s, .project = ask_project, .metadata = ask_metadata, .direct = ask_direct};
    struct pypi_want want = {.env = {STR("3.11.2"), STR("x86_64")}, .events = &events};

    read_line(&s, STR("offer"), STR("a 1.0"));
    read_line(&s, STR("want"), STR("a"));
    want.roots = s.roots.v;
    want.roots_n = s.roots.n;
    assert_int_equal(project_select(s.projects.v[0], &target, STR("3.11.2"), STR(""), false, &e),
                     0);
    assert_int_equal(solve_pypi(&solution, &want, &universe, &e), -1);
    assert_int_equal(e.kind, ERR_INTERRUPTED);
    assert_int_equal(solution.picks.n, 0);
}

enum { MANY = 500, VERSIONS = 40, NEEDS = 6 };

/* A world of MANY projects with VERSIONS releases each; a release needs NEEDS others, of which one
 * in seven is pinned below the newest, so that much has to give way. Always the same. */
static void make_many(struct scene *s)
{
    uint32_t seed = 440;

    for (unsigned i = 0; i < MANY; i++)
        for (unsigned v = VERSIONS; v > 0; v--) {
            read_line(s, STR("offer"), str_of(arena_fmt(&s->arena, "p%u 1.%u", i, v)));
            for (unsigned n = 0; n < NEEDS; n++) {
                unsigned to = i + 1 + (seed = seed * 1664525 + 1013904223) % 1024 % 40;
                bool pinned = !(seed >> 16 & 7);

                if (to < MANY)
                    read_line(s, STR("needs"),
                              str_of(arena_fmt(
                                  &s->arena, "p%u>=1.%u,<%s%u,!=1.3; python_version >= \"3.8\"", to,
                                  pinned ? 0 : v / 2, pinned ? "=1." : "", pinned ? v - 1 : 2)));
            }
        }
    for (unsigned i = 0; i < 20; i++)
        read_line(s, STR("want"), str_of(arena_fmt(&s->arena, "p%u", i)));
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Says how long it takes; fails only when it is not solved. */
static void five_hundred_projects_are_solved(void **state)
{
    CLEANUP(scene_clear) struct scene s = {.name = STR("many")};
    CLEANUP(pypi_solution_clear) struct pypi_solution solution = {0};
    CLEANUP(err_clear) struct err e = {0};
    const struct pypi_universe universe = {
        .ctx = &s, .project = ask_project, .metadata = ask_metadata, .direct = ask_direct};
    struct pypi_want want = {.env = {STR("3.11.2"), STR("x86_64")}};
    double start;

    make_many(&s);
    want.roots = s.roots.v;
    want.roots_n = s.roots.n;
    for (size_t i = 0; i < s.projects.n; i++)
        assert_int_equal(
            project_select(s.projects.v[i], &target, STR("3.11.2"), STR(""), false, &e), 0);
    start = now_ms();
    if (solve_pypi(&solution, &want, &universe, &e) < 0)
        fail_msg("%s", e.msg);
    print_message("%zu projects in %u rounds, %.1f ms of CPU\n", solution.picks.n, solution.rounds,
                  now_ms() - start);
    assert_true(solution.picks.n > MANY / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_holds),
        cmocka_unit_test(cancelling_ends_the_search),
        cmocka_unit_test(five_hundred_projects_are_solved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
