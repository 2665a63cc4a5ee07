/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pkg/pypi/metadata_memo.h"

#include "peer.h"

#define TRUE_TEXT "Metadata-Version: 2.1\nName: Foo_Bar\nVersion: 1.0\nRequires-Dist: a\n"
#define FALSE_TEXT TRUE_TEXT "Requires-Dist: evil\n"

struct world {
    char *folder;
    struct cas *cas;
    struct memo *memo;
    struct artifact wheel;
};

static int begin(void **state)
{
    struct world *w = xcalloc(1, sizeof *w);
    struct err e = {0};

    *state = w;
    w->folder = scratch_make();
    w->wheel = (struct artifact){.eco = ECO_WHEEL,
                                 .name = STR("foo-bar"),
                                 .version = STR("1.0"),
                                 .file = STR("foo_bar-1.0-py3-none-any.whl"),
                                 .url = STR("https://a/foo_bar-1.0-py3-none-any.whl"),
                                 .from = STR("https://a/simple/")};
    hash_bytes(&w->wheel.digest, "the wheel", 9);
    return cas_open(&w->cas, w->folder, NULL, &e) < 0 ? -1 : memo_open(&w->memo, w->folder, &e);
}

static int end(void **state)
{
    struct world *w = *state;

    cas_clear(&w->cas);
    memo_clear(&w->memo);
    scratch_remove(w->folder);
    free(w);
    return 0;
}

static struct metadata_source source_of(const struct world *w, const char *from, const char *url)
{
    return (struct metadata_source){str_of(from), str_of(url), w->wheel.digest};
}

static void expect(struct world *w, const char *from, const char *url, const char *text)
{
    const struct metadata_source source = source_of(w, from, url);
    CLEANUP(buf_clear) struct buf out = {0};

    assert_int_equal(metadata_recall(w->memo, &source, &out), text != NULL);
    if (text)
        assert_string_equal(out.p, text);
}

static void announce(struct world *w, const char *from, const char *url, const char *text)
{
    const struct metadata_source source = source_of(w, from, url);

    metadata_announced(w->memo, &source, str_of(text), NULL);
}

static int confirm(struct world *w, const char *own, struct err *e)
{
    return metadata_confirm(w->memo, w->cas, &w->wheel, str_of(own), e);
}

static void see_the_wheel(struct world *w)
{
    struct err e = {0};

    assert_int_equal(cas_put_bytes(w->cas, STR("the wheel"), NULL, &e), 0);
}

static void an_announcement_counts_where_it_was_made(void **state)
{
    struct world *w = *state;

    announce(w, "https://a/simple/", "https://a/x.whl", FALSE_TEXT "\nThe description.\n");
    expect(w, "https://a/simple/", "https://a/x.whl", FALSE_TEXT);
    expect(w, "https://b/simple/", "https://b/x.whl", NULL);
    expect(w, "https://b/simple/", "https://a/x.whl", NULL); /* who leads to a's file is not a */
    expect(w, "recipe", "https://a/x.whl", NULL);
    expect(w, "https://a/simple/", "https://a/y.whl", NULL);
}

static void what_the_wheel_says_counts_for_all(void **state)
{
    struct world *w = *state;
    struct err e = {0};

    see_the_wheel(w);
    assert_int_equal(confirm(w, TRUE_TEXT "\nThe description.\n", &e), 0);
    expect(w, "https://a/simple/", "https://a/x.whl", TRUE_TEXT);
    expect(w, "https://b/simple/", "https://b/x.whl", TRUE_TEXT);
}

static void a_wheel_that_was_not_seen_says_nothing(void **state)
{
    struct world *w = *state;
    struct err e = {0};

    assert_int_equal(confirm(w, TRUE_TEXT, &e), 0); /* nothing speaks against it */
    expect(w, "https://a/simple/", "https://a/x.whl", NULL);
}

static void another_announcement_is_an_error_that_names_both(void **state)
{
    static const char *const cases[][2] = {
        {FALSE_TEXT, "Requires-Dist: announced was \"evil\", the wheel says nothing"},
        {"Name: foo-bar\nVersion: 1.0\n",
         "Requires-Dist: announced was nothing, the wheel says \"a\""},
        {"Name: foo-bar\nVersion: 1.0\nRequires-Dist: b\n",
         "Requires-Dist: announced was \"b\", the wheel says \"a\""},
        {TRUE_TEXT "Requires-Python: <4\n",
         "Requires-Python: announced was \"<4\", the wheel says nothing"},
        {TRUE_TEXT "Provides-Extra: X\n",
         "Provides-Extra: announced was \"x\", the wheel says nothing"},
        {TRUE_TEXT "Summary: of no account\n", NULL},
        {"Name: foo-bar\nVersion: 1.0\nrequires-dist:  a \n", NULL},
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(err_clear) struct err e = {0};

        announce(w, w->wheel.from.p, w->wheel.url.p, cases[i][0]);
        assert_int_equal(confirm(w, TRUE_TEXT, &e), cases[i][1] ? -1 : 0);
        if (!cases[i][1])
            continue;
        assert_int_equal(e.kind, ERR_INTEGRITY);
        assert_non_null(strstr(e.msg, cases[i][1]));
        assert_non_null(strstr(e.msg, "foo_bar-1.0-py3-none-any.whl"));
        assert_non_null(strstr(e.msg, "https://a/simple/"));
    }
}

/* The lock that rests on the announcement goes on failing until somebody chooses again; then the
 * wheel is asked, and its word is what the new lock rests on. */
static void choosing_again_rests_on_the_wheel(void **state)
{
    CLEANUP(err_clear) struct err first = {0}, second = {0};
    struct world *w = *state;
    struct err e = {0};

    see_the_wheel(w);
    announce(w, w->wheel.from.p, w->wheel.url.p, FALSE_TEXT);
    assert_int_equal(confirm(w, TRUE_TEXT, &first), -1);
    assert_int_equal(confirm(w, TRUE_TEXT, &second), -1);
    expect(w, w->wheel.from.p, w->wheel.url.p, TRUE_TEXT);
    assert_int_equal(confirm(w, TRUE_TEXT, &e), 0);
}

static void a_wheel_of_another_name_is_not_the_locks(void **state)
{
    static const char *const cases[] = {"Name: foo\nVersion: 1.0\n",
                                        "Name: foo.bar\nVersion: 1.1\n",
                                        "Name: foo-bar\nVersion: no version\n"};
    struct world *w = *state;
    struct err none = {0};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(err_clear) struct err e = {0};

        assert_int_equal(confirm(w, cases[i], &e), -1);
        assert_non_null(strstr(e.msg, "and the lock has it as foo-bar 1.0"));
    }
    assert_int_equal(confirm(w, "Name: FOO.bar\nVersion: 1.0.0\n", &none), 0);
}

int main(void)
{
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        IN_WORLD(an_announcement_counts_where_it_was_made),
        IN_WORLD(what_the_wheel_says_counts_for_all),
        IN_WORLD(a_wheel_that_was_not_seen_says_nothing),
        IN_WORLD(another_announcement_is_an_error_that_names_both),
        IN_WORLD(choosing_again_rests_on_the_wheel),
        IN_WORLD(a_wheel_of_another_name_is_not_the_locks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
