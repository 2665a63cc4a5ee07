/* The solver's cases are text: tests/unit/data/solve_deb. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/fs.h"
#include "plan/deb/solve_deb.h"

#define FOLDER "tests/unit/data/solve_deb"

struct suite {
    struct deb_origin origin;
    struct buf offers;
};

struct story {
    struct str title;
    struct VEC_OF(struct suite) suites;
    struct strs wants, expects, refusals; /* whole lines, without their first word */
    struct strs want_kinds;               /* "want" or "essential" */
};

static void story_clear(struct story *s)
{
    for (size_t i = 0; i < s->suites.n; i++)
        buf_clear(&s->suites.v[i].offers);
    vec_clear(&s->suites);
    vec_clear(&s->wants);
    vec_clear(&s->want_kinds);
    vec_clear(&s->expects);
    vec_clear(&s->refusals);
}

/* "a 1; Depends: b" as a paragraph of a Packages file. */
static void put_offer(struct buf *out, struct str line)
{
    struct str head, name, version, field;

    assert_true(str_item(&line, ';', &head));
    assert_true(str_word(&head, &name) && str_word(&head, &version));
    buf_fmt(out, "Package: " STR_FMT "\nVersion: " STR_FMT "\nArchitecture: amd64\n", STR_ARG(name),
            STR_ARG(version));
    while (str_item(&line, ';', &field))
        buf_fmt(out, STR_FMT "\n", STR_ARG(str_trim(field)));
    buf_fmt(out, "Filename: pool/" STR_FMT "_" STR_FMT ".deb\nSize: 1\nSHA256: %064d\n\n",
            STR_ARG(name), STR_ARG(version), 7);
}

static int run_wants(struct deb_solver *s, const struct story *story, struct err *e)
{
    for (size_t i = 0; i < story->wants.n; i++) {
        struct VEC_OF(struct deb_want) wants = {0};
        struct str line = story->wants.v[i], word;
        assert_true(str_word(&line, &word));
        /* The labels outlive the solver: they are the only groups that these cases use. */
        static const char *const groups[] = {"base", "python", "apt"};
        const char *label = NULL;
        for (size_t g = 0; g < ARRAY_LEN(groups); g++)
            label = str_is(word, groups[g]) ? groups[g] : label;
        assert_non_null(label);
        while (str_word(&line, &word))
            vec_add(&wants, ((struct deb_want){.text = word}));
        int result = deb_solver_install(s, label, str_is(story->want_kinds.v[i], "essential"),
                                        wants.v, wants.n, e);
        vec_clear(&wants);
        if (result < 0)
            return -1;
    }
    return 0;
}

static void check_solution(const struct story *story, const struct deb_solver *s)
{
    CLEANUP(buf_clear) struct buf got = {0}, want = {0};
    struct deb_solution solution = {0};

    deb_solver_solution(s, &solution);
    for (size_t i = 0; i < solution.n; i++)
        buf_fmt(&got, STR_FMT " " STR_FMT " %s%s\n", STR_ARG(solution.v[i].package->name),
                STR_ARG(solution.v[i].package->version), solution.v[i].group,
                solution.v[i].requested ? " asked" : "");
    for (size_t i = 0; i < story->expects.n; i++)
        buf_fmt(&want, STR_FMT "\n", STR_ARG(story->expects.v[i]));
    vec_clear(&solution);
    if (!str_eq(buf_view(&got), buf_view(&want)))
        fail_msg("%.*s: expected\n%s\ngot\n%s", STR_ARG(story->title), want.p, got.p);
}

static void check_refusal(const struct story *story, const struct err *e)
{
    assert_true(e->kind == ERR_UNSAT || e->kind == ERR_INPUT);
    for (size_t i = 0; i < story->refusals.n; i++) {
        const struct err *one = e;
        while (one && str_find_str(str_of(one->msg), story->refusals.v[i]) == strlen(one->msg))
            one = one->next;
        if (one && strlen(one->msg) > 400)
            fail_msg("%.*s: more than anybody reads: %s", STR_ARG(story->title), one->msg);
        if (!one)
            fail_msg("%.*s: no message says \"" STR_FMT "\", but: %s", STR_ARG(story->title),
                     STR_ARG(story->refusals.v[i]), e->msg);
    }
}

static void run_story(const struct story *story)
{
    CLEANUP(debindex_clear) struct debindex index = {.arch = STR("amd64")};
    CLEANUP(deb_solver_clear) struct deb_solver *s = NULL;
    CLEANUP(err_clear) struct err e = {0};

    for (size_t i = 0; i < story->suites.n; i++) {
        CLEANUP(buf_clear) struct buf bytes = {0};
        CLEANUP(source_clear) struct source *source = NULL;

        source = source_bytes(buf_view(&story->suites.v[i].offers), "offers");
        assert_int_equal(deblist_condense(&bytes, source, 1 << 20, index.arch, "test", &e), 0);
        assert_int_equal(debindex_add_list(&index, &bytes, &story->suites.v[i].origin, &e), 0);
    }
    debindex_finish(&index);
    s = deb_solver_open(&index, "test");
    if (run_wants(s, story, &e) == 0)
        check_solution(story, s);
    else if (!story->refusals.n)
        fail_msg("%.*s: refused: %s", STR_ARG(story->title), e.msg);
    if (story->refusals.n)
        check_refusal(story, &e);
}

/* "stable 500": the following offers are in that suite, with that pin. */
static struct suite *add_suite(struct story *story, struct str line)
{
    struct suite *suite = vec_push(&story->suites);
    struct str pin = {0};

    assert_true(str_word(&line, &suite->origin.suite) && str_word(&line, &pin));
    assert_true(str_u32(pin, &suite->origin.pin));
    suite->origin.from = suite->origin.suite;
    suite->origin.base_url = STR("https://archive.example/debian/");
    return suite;
}

static struct suite *last_suite(struct story *story)
{
    return story->suites.n ? &story->suites.v[story->suites.n - 1]
                           : add_suite(story, STR("test 500"));
}

static void read_line(struct story *story, struct str line)
{
    struct str word;

    if (!str_word(&line, &word) || word.p[0] == '#')
        return;
    line = str_trim(line);
    if (str_is(word, "offer"))
        put_offer(&last_suite(story)->offers, line);
    else if (str_is(word, "suite"))
        add_suite(story, line);
    else if (str_is(word, "expect"))
        vec_add(&story->expects, line);
    else if (str_is(word, "refuse"))
        vec_add(&story->refusals, line);
    else if (str_is(word, "want") || str_is(word, "essential")) {
        vec_add(&story->wants, line);
        vec_add(&story->want_kinds, word);
    } else {
        fail_msg("unknown line: " STR_FMT, STR_ARG(word));
    }
}

static unsigned run_file(const char *path)
{
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(story_clear) struct story story = {0};
    CLEANUP(err_clear) struct err e = {0};
    unsigned n = 0;

    assert_int_equal(fs_read(&text, path, 1 << 20, &e), 0);
    for (struct str rest = buf_view(&text), line; str_line(&rest, &line);) {
        if (!str_skip(&line, STR("case "))) {
            read_line(&story, line);
            continue;
        }
        if (n++)
            run_story(&story);
        story_clear(&story);
        story = (struct story){.title = line};
    }
    run_story(&story);
    return n;
}

static void every_case_ends_as_written(void **state)
{
    CLEANUP(names_clear) struct names files = {0};
    CLEANUP(err_clear) struct err e = {0};
    unsigned n = 0;

    assert_int_equal(fs_list(&files, FOLDER, &e), 0);
    for (size_t i = 0; i < files.n; i++) {
        CLEANUP(buf_clear) struct buf path = {0};
        buf_fmt(&path, FOLDER "/%s", files.v[i]);
        n += run_file(path.p);
    }
    assert_true(n >= 40);
}

static void a_solution_becomes_artifacts(void **state)
{
    CLEANUP(debindex_clear) struct debindex index = {.arch = STR("amd64")};
    CLEANUP(deb_solver_clear) struct deb_solver *s = NULL;
    CLEANUP(arena_clear) struct arena arena = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct deb_solution solution = {0};
    struct buf text = {0};
    struct artifact *v = NULL;

    put_offer(&text, STR("a 1:2-3; Depends: b"));
    put_offer(&text, STR("b 4"));
    size_t len = text.len;
    assert_int_equal(debindex_add(&index, buf_take(&text), len, "test/main",
                                  "https://archive.example/debian/", &e),
                     0);
    debindex_finish(&index);
    s = deb_solver_open(&index, "test");
    assert_int_equal(
        deb_solver_install(s, "apt", false, &(struct deb_want){.text = STR("a")}, 1, &e), 0);
    deb_solver_solution(s, &solution);
    assert_int_equal(deb_artifacts(&v, &arena, &solution, &e), 0);
    assert_int_equal(solution.n, 2);
    assert_int_equal(v[0].eco, ECO_DEB);
    assert_true(str_is(v[0].version, "1:2-3") && str_is(v[0].arch, "amd64"));
    assert_true(str_is(v[0].url, "https://archive.example/debian/pool/a_1:2-3.deb"));
    assert_true(str_is(v[0].file, "a_1:2-3.deb") && str_is(v[0].from, "test/main"));
    assert_true(str_is(v[0].group, "apt") && v[0].requested && !v[1].requested);
    assert_int_equal(v[0].size, 1);
    assert_int_equal(v[0].digest.bytes[31], 7);
    vec_clear(&solution);
}

static void a_chain_without_end_is_refused(void **state)
{
    CLEANUP(debindex_clear) struct debindex index = {.arch = STR("amd64")};
    CLEANUP(deb_solver_clear) struct deb_solver *s = NULL;
    CLEANUP(err_clear) struct err e = {0};
    struct buf text = {0};

    for (unsigned i = 0; i < 2100; i++) {
        CLEANUP(buf_clear) struct buf line = {0};
        buf_fmt(&line, "p%u 1; Depends: p%u", i, i + 1);
        put_offer(&text, buf_view(&line));
    }
    put_offer(&text, STR("p2100 1"));
    size_t len = text.len;
    assert_int_equal(debindex_add(&index, buf_take(&text), len, "t", "u", &e), 0);
    debindex_finish(&index);
    s = deb_solver_open(&index, "test");
    assert_int_equal(
        deb_solver_install(s, "apt", false, &(struct deb_want){.text = STR("p0")}, 1, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.msg, "more than 2000 dependencies"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_ends_as_written),
        cmocka_unit_test(a_solution_becomes_artifacts),
        cmocka_unit_test(a_chain_without_end_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
