/* tests/unit/test_git.c - commits as files of the store: by git's own servers on loopback, held
 * against git itself; and repositories that want more than that. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/path.h"
#include "fetch/git.h"
#include "peer.h"

static struct peer peer;
static char *folder;
static struct cas *cas;

static int begin(void **state)
{
    CLEANUP(free_clear) char *store = NULL;
    struct err e = {0};

    folder = scratch_make();
    store = path_join(folder, "store");
    /* What git would heed of ours, if it were let. */
    setenv("GIT_DIR", "/nowhere", 1);
    setenv("GIT_CONFIG_COUNT", "1", 1);
    setenv("GIT_CONFIG_KEY_0", "url.https://nowhere.invalid/.insteadOf", 1);
    setenv("GIT_CONFIG_VALUE_0", "http://127", 1);
    if (cas_open(&cas, store, NULL, &e) < 0)
        return -1;
    return peer_start(&peer, "tests/peers/git_peer.py", folder) ? 0 : -1;
}

static int end(void **state)
{
    cas_clear(&cas);
    peer_stop(&peer);
    scratch_remove(folder);
    return 0;
}

/* "http", "git" or "file", of a repository of the peer. */
static char *address(const char *scheme, const char *rest)
{
    struct buf b = {0};

    if (strcmp(scheme, "file") == 0)
        buf_fmt(&b, "git+file://%s/repos/%s", folder, rest);
    else
        buf_fmt(&b, "git+%s://127.0.0.1:%d/%s", scheme, *scheme == 'h' ? peer.port : peer.port_2,
                rest);
    return buf_take(&b);
}

static enum err_kind get(struct git_commit *out, struct arena *a, const char *url, bool offline,
                         struct err *e)
{
    const struct git_means means = {.cas = cas, .offline = offline};
    struct git_ref ref;

    if (git_ref_parse(&ref, str_of(url), e) < 0)
        return e->kind;
    return git_get(out, a, &means, &ref, STR("demo"), e) < 0 ? e->kind : ERR_NONE;
}

static struct git_commit need(struct arena *a, const char *scheme, const char *rest)
{
    CLEANUP(free_clear) char *url = address(scheme, rest);
    struct git_commit c = {0};
    struct err e = {0};

    if (get(&c, a, url, false, &e))
        fail_msg("%s: %s", url, e.msg);
    assert_true(cas_has(cas, &c.digest, c.size));
    return c;
}

/* What a shell prints where the tar of `c` was unpacked. */
static char *said(const struct git_commit *c, const char *command)
{
    CLEANUP(free_clear) char *blob = cas_path(cas, &c->digest);
    CLEANUP(buf_clear) struct buf line = {0};
    struct buf out = {0};
    char chunk[4096];
    size_t n;
    FILE *f;

    buf_fmt(&line,
            "unset GIT_DIR GIT_CONFIG_COUNT; rm -rf '%s/x' && mkdir '%s/x' && cd '%s/x' && "
            "tar xf '%s' && cd demo && { %s; } 2>&1",
            folder, folder, folder, blob, command);
    f = popen(line.p, "r");
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        buf_add(&out, chunk, n);
    if (pclose(f) != 0)
        fail_msg("%s: %s", command, out.p);
    return buf_take(&out);
}

static void expect_said(const struct git_commit *c, const char *command, const char *want)
{
    CLEANUP(free_clear) char *got = said(c, command);

    assert_string_equal(got, want);
}

static void every_way_gives_the_same_file(void **state)
{
    static const char *const ways[] = {"http", "git"};
    CLEANUP(arena_clear) struct arena a = {0};
    struct git_commit first = need(&a, "http", "demo@main");

    assert_true(git_ref_is_commit(first.commit));
    assert_true(first.tags.n == 1 && str_is(first.tags.v[0], "v1.0")); /* no "nightly" */
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct git_commit c = need(&a, ways[i], "demo");

        assert_true(str_eq(c.commit, first.commit) && digest_eq(&c.digest, &first.digest));
    }
}

static void git_finds_in_it_what_it_asks_for(void **state)
{
    CLEANUP(arena_clear) struct arena a = {0};
    struct git_commit c = need(&a, "http", "demo");

    /* All objects are what their names say; folders of older commits are not there. */
    expect_said(&c, "git fsck --full | grep -v '^ \\|^broken link\\|^missing tree' || true", "");
    expect_said(&c, "git status --porcelain", "");
    expect_said(&c, "git describe --tags --long --dirty", "v1.0-1-ga865356\n");
    expect_said(&c, "git rev-list --count HEAD", "2\n");
    expect_said(&c, "git archive HEAD | tar tf - | tr '\\n' ' '",
                ".gitattributes .gitmodules backend.py demo/ demo/__init__.py link more.txt "
                "pyproject.toml run.sh vendor/ vendor/sub/ win.bat ");
    expect_said(&c, "cat vendor/sub/sub.h win.bat; readlink link; test -x run.sh && echo x",
                "int sub;\none\ntwo\ndemo/__init__.py\nx\n");
    expect_said(&c, "echo more >> more.txt; git describe --tags --dirty",
                "v1.0-1-ga865356-dirty\n");
}

static void a_ref_is_a_branch_a_tag_or_a_commit(void **state)
{
    static const char *const cases[][2] = {
        {"demo@main", "a865356"},           {"demo@v1.0", "500afb9"},
        {"demo@v0.9", "500afb9"},           {"demo@refs/tags/v1.0", "500afb9"},
        {"demo@refs/heads/dev", "a865356"}, {"demo@500afb9", "500afb9"},
    };
    CLEANUP(arena_clear) struct arena a = {0};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct git_commit c = need(&a, "http", cases[i][0]);
        CLEANUP(buf_clear) struct buf whole = {0};

        if (!str_starts(c.commit, str_of(cases[i][1])))
            fail_msg("%s is " STR_FMT, cases[i][0], STR_ARG(c.commit));
        buf_fmt(&whole, "demo@" STR_FMT, STR_ARG(c.commit));
        c = need(&a, "git", whole.p);
        assert_true(str_starts(c.commit, str_of(cases[i][1])));
    }
}

static void what_a_lock_has_is_got_again(void **state)
{
    CLEANUP(arena_clear) struct arena a = {0};
    CLEANUP(free_clear) char *url = address("http", "demo@dev"), *path = NULL;
    struct git_commit c = need(&a, "http", "demo@dev"), again = c, now;
    CLEANUP(buf_clear) struct buf line = {0};
    struct err e = {0};

    buf_fmt(&line,
            "python3 -c \"import urllib.request as u; u.urlopen('http://127.0.0.1:%d/move/dev')."
            "read()\"",
            peer.port);
    assert_int_equal(system(line.p), 0);
    now = need(&a, "http", "demo@dev");
    assert_false(str_eq(now.commit, c.commit));
    /* Offline while it is here; then it is fetched, and is the same. */
    assert_int_equal(get(&again, &a, url, true, &e), ERR_NONE);
    path = cas_path(cas, &c.digest);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(get(&again, &a, url, true, &e), ERR_NET);
    assert_non_null(strstr(e.msg, "offline"));
    err_clear(&e);
    assert_int_equal(get(&again, &a, url, false, &e), ERR_NONE);
    assert_true(digest_eq(&again.digest, &c.digest) && cas_has(cas, &c.digest, c.size));
    /* Another file is none of the lock's. */
    again.digest.bytes[0] ^= 1;
    assert_int_equal(get(&again, &a, url, false, &e), ERR_INTEGRITY);
    err_clear(&e);
}

static void a_folder_of_this_machine_is_fetched_where_it_is_named(void **state)
{
    CLEANUP(arena_clear) struct arena a = {0};
    struct git_commit c = need(&a, "file", "twin");

    expect_said(&c, "git describe --always --dirty; cat win.bat", "8bc8e19\none\ntwo\n");
}

static void what_wants_more_gets_nothing(void **state)
{
    static const char *const cases[][3] = {
        {"http", "ext", "are fetched by https, http, ssh and git alone"},
        {"http", "file", "are fetched by https, http, ssh and git alone"},
        {"http", "dash", "are fetched by https, http, ssh and git alone"},
        {"file", "demo", "are fetched by https, http, ssh and git alone"},
        {"http", "dotgit", "is no path for a file of a repository"},
        {"http", "demo@nothing", "it has no branch and no tag nothing"},
        {"http", "demo@0123456789", "it has no commit 0123456789"},
        {"http", "demo@0123456789012345678901234567890123456789", "not our ref"},
        {"http", "nothing", "not found"},
    };
    CLEANUP(free_clear) char *pwned = path_join(folder, "pwned");
    CLEANUP(arena_clear) struct arena a = {0};
    struct git_commit c;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(free_clear) char *url = address(cases[i][0], cases[i][1]);
        struct git_commit none = {0};
        struct err e = {0};

        if (!get(&none, &a, url, false, &e) || !strstr(e.msg, cases[i][2]))
            fail_msg("%s: %s", url, e.msg);
        err_clear(&e);
    }
    c = need(&a, "http", "command");
    expect_said(&c, "cat m/sub.h x", "int sub;\nx\n");
    c = need(&a, "http", "out");
    expect_said(&c, "readlink up; cat x", "../../../..\nx\n");
    assert_int_not_equal(access(pwned, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_gives_the_same_file),
        cmocka_unit_test(git_finds_in_it_what_it_asks_for),
        cmocka_unit_test(a_ref_is_a_branch_a_tag_or_a_commit),
        cmocka_unit_test(what_a_lock_has_is_got_again),
        cmocka_unit_test(a_folder_of_this_machine_is_fetched_where_it_is_named),
        cmocka_unit_test(what_wants_more_gets_nothing),
    };

    if (system("git --version >/dev/null 2>&1 && python3 -c '' 2>/dev/null") != 0) {
        fprintf(stderr, "skipped: git or python3 is missing\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, begin, end);
}
