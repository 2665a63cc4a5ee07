/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/path.h"
#include "peer.h"
#include "plan/pypi/pypi_index.h"

static struct peer peer;
static char *folder;
static struct http *http;
static struct memo *page_memo, *memo;
static struct cas *cas;
static char *places[2];

static char *at(const char *path)
{
    struct buf url = {0};

    buf_fmt(&url, "http://user:word@127.0.0.1:%d%s", peer.port, path);
    return buf_take(&url);
}

static int begin(void **state)
{
    struct http_options o = {.tries = 2, .pause_ms = 10};
    struct err e = {0};
    char *a, *b;

    folder = scratch_make();
    a = path_join(folder, "pages");
    b = path_join(folder, "memo");
    if (!peer_start(&peer, "tests/peers/index_peer.py", folder) || http_open(&http, &o, &e) < 0 ||
        memo_open(&page_memo, a, &e) < 0 || memo_open(&memo, b, &e) < 0 ||
        cas_open(&cas, folder, NULL, &e) < 0)
        return -1;
    places[0] = at("/simple");
    places[1] = at("/other/");
    free(a);
    free(b);
    return 0;
}

static int end(void **state)
{
    http_clear(&http);
    memo_clear(&page_memo);
    memo_clear(&memo);
    cas_clear(&cas);
    peer_stop(&peer);
    scratch_remove(folder);
    free(places[0]);
    free(places[1]);
    return 0;
}

/* What a run with the two indexes gives for one requirement: lines of artifacts, or the error. */
static enum err_kind solve(const char *text, bool offline, struct buf *out)
{
    const struct pypi_place both[] = {{.url = str_of(places[0])}, {.url = str_of(places[1])}};
    const struct pypi_index_options o = {.places = both,
                                         .places_n = 2,
                                         .target = {3, 11, 2, 36, STR("x86_64")},
                                         .python_full = STR("3.11.2"),
                                         .memo = memo};
    CLEANUP(pages_clear)
    struct pages *pages = pages_open(offline ? NULL : http, page_memo, cas,
                                     &(struct pages_options){.offline = offline});
    CLEANUP(pypi_index_clear)
    struct pypi_index *index = pypi_index_open(pages, offline ? NULL : http, &o);
    CLEANUP(pypi_solution_clear) struct pypi_solution solution = {0};
    CLEANUP(arena_clear) struct arena arena = {0};
    CLEANUP(requirement_clear) struct requirement r = {0};
    CLEANUP(err_clear) struct err e = {0};
    const struct pypi_universe universe = pypi_index_universe(index);
    const struct pypi_root root = {&r, STR("recipe")};
    const struct pypi_want want = {
        .env = {STR("3.11.2"), STR("x86_64")}, .roots = &root, .roots_n = 1};
    struct artifacts all = {0};
    const struct artifact *a;

    if (requirement_parse(&r, &arena, str_of(text), &e) < 0 ||
        solve_pypi(&solution, &want, &universe, &e) < 0 ||
        pypi_artifacts(&all, index, &solution, &e) < 0) {
        buf_puts(out, e.msg);
        return e.kind;
    }
    vec_each(a, &all) {
        struct str from = a->from;

        buf_fmt(out, "%s" STR_FMT " " STR_FMT, a == all.v ? "" : ", ", STR_ARG(a->name),
                STR_ARG(a->version));
        assert_true(a->eco == ECO_WHEEL && digest_is_set(&a->digest));
        assert_true(str_find_str(a->url, STR("user")) == a->url.len);
        assert_true(str_find_str(from, STR("user")) == from.len);
    }
    vec_clear(&all);
    return ERR_NONE;
}

static void expect(const char *text, enum err_kind kind, const char *part)
{
    CLEANUP(buf_clear) struct buf got = {0};
    enum err_kind was = solve(text, false, &got);

    if (was != kind || !strstr(got.p, part))
        fail_msg("%s: kind %d, %s", text, (int)was, got.p);
}

/* How often a path with `part` in it was asked for. */
static unsigned asked(const char *part)
{
    CLEANUP(free_clear) char *url = at("/log");
    CLEANUP(buf_clear) struct buf log = {0};
    struct http_request r = {.url = str_of(url)};
    struct err e = {0};
    struct str rest, line;
    unsigned n = 0;

    assert_int_equal(http_get(http, &r, &log, &e), 0);
    http_request_clear(&r);
    for (rest = buf_view(&log); str_line(&rest, &line);)
        n += str_find_str(line, str_of(part)) < line.len;
    return n;
}

static void all_ways_to_metadata(void **state)
{
    CLEANUP(buf_clear) struct buf again = {0}, offline = {0};
    unsigned files;

    /* plain: by its tail; html: hash in the link; announced: PEP 658; vain: announced, but ranges;
     * big: directory and member by ranges of their own; second: only on the second index. */
    expect("plain", ERR_NONE, "announced 1.0, big 1.0, html 1.0, plain 2.0, second 1.0, vain 1.0");
    assert_int_equal(asked("/files/plain-2.0-py3-none-any.whl"), 1);
    assert_int_equal(asked("/files/announced-1.0-py3-none-any.whl.metadata"), 1);
    assert_int_equal(asked("/files/big-1.0-py3-none-any.whl"), 3);
    /* The first index that has a name binds it: the other's is not even looked at. */
    assert_int_equal(asked("/other/plain/"), 0);
    assert_int_equal(asked("/other/second/"), 1);

    files = asked("/files/");
    assert_int_equal(solve("plain", false, &again), ERR_NONE);
    assert_int_equal(asked("/files/"), files);
    assert_int_equal(solve("plain", true, &offline), ERR_NONE);
    assert_string_equal(again.p, offline.p);
}

static void what_an_index_may_leave_out(void **state)
{
    /* Then the wheel is fetched whole: for its hash, or for its METADATA. */
    expect("bare", ERR_NONE, "bare 1.0");
    expect("norange", ERR_NONE, "norange 1.0");
}

static void what_an_index_may_do_wrong(void **state)
{
    expect("liar", ERR_UNSAT, "liar-1.0-py3-none-any.whl says in METADATA that it is other 1.0");
    expect("v9", ERR_INPUT, "\"application/vnd.pypi.simple.v9+json\"");
    expect("absent", ERR_UNSAT, "\"absent\" is on no index asked (http://127.0.0.1:");
}

static void files_by_their_address(void **state)
{
    CLEANUP(free_clear) char *wheel = at("/files/plain-1.0-py3-none-any.whl");
    CLEANUP(buf_clear) struct buf text = {0};

    buf_fmt(&text, "plain @ http://%s", strchr(wheel, '@') + 1);
    expect(text.p, ERR_NONE, "plain 1.0");
    buf_fmt(&text, "#sha256=%064d", 1);
    expect(text.p, ERR_NONE, "plain 1.0");
    expect("other @ https://x.test/plain-1.0-py3-none-any.whl", ERR_INPUT,
           "\"plain-1.0-py3-none-any.whl\" is a wheel of plain");
    expect("plain @ https://x.test/plain-1.0.tar.gz", ERR_INPUT, "is not a wheel");
    expect("plain @ https://x.test/plain-1.0-py3-none-any.whl#sha256=12", ERR_INPUT,
           "\"12\" is not a sha256");
}

static void offline_says_what_is_missing(void **state)
{
    CLEANUP(buf_clear) struct buf got = {0};

    assert_int_equal(solve("never-seen", true, &got), ERR_NET);
    assert_non_null(strstr(got.p, "--offline"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_ways_to_metadata),
        cmocka_unit_test(what_an_index_may_leave_out),
        cmocka_unit_test(what_an_index_may_do_wrong),
        cmocka_unit_test(files_by_their_address),
        cmocka_unit_test(offline_says_what_is_missing),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
