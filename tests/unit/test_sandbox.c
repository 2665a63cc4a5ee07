/* tests/unit/test_sandbox.c - how a command is sealed, with a bwrap that the test made: what it is
 * told, and what becomes of a command by what it does. What the real one keeps out is shown by
 * tests/real/sealed-builds.sh. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "oci_fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "seal/sandbox.h"

/* As bwrap does it: what it started is told on 3, it waits for a byte on 4, and tells how the
 * command ended. */
#define BEGIN "#!/bin/sh\necho \"{ \\\"child-pid\\\": $$ }\" >&3\nread x <&4\n"

struct world {
    char *bin, *folder, *log;
    struct sandbox_limits limits;
    struct sandbox_end end;
    struct buf said;
};

static void world_clear(struct world *w)
{
    free(w->bin);
    free(w->folder);
    free(w->log);
    sandbox_end_clear(&w->end);
    buf_clear(&w->said);
}

static int run(struct world *w, const char *top, const char *script, struct err *e)
{
    static const char *const argv[] = {"/usr/bin/command", "an argument", NULL};
    CLEANUP(sandbox_mounts_clear) struct sandbox_mounts mounts = {0};
    CLEANUP(free_clear) char *bwrap = NULL;
    struct str lines[] = {STR("A=1"), STR("TZ=over")};
    const struct strs env = {lines, 2, 2};

    w->bin = path_join(top, "bin");
    w->folder = path_join(top, "build");
    w->log = path_join(top, "log");
    bwrap = path_join(w->bin, "bwrap");
    sandbox_mounts_add(&mounts, "/store/x", "wheels/x.whl");
    assert_ok(fs_mkdirs(w->bin, e), e);
    assert_ok(fs_mkdirs(w->folder, e), e);
    assert_ok(fs_write(bwrap, str_of(script), e), e);
    assert_int_equal(chmod(bwrap, 0755), 0);
    return sandbox_run(&w->end,
                       &(struct sandbox_how){.name = "demo",
                                             .root = "/the/root",
                                             .folder = w->folder,
                                             .mounts = &mounts,
                                             .argv = argv,
                                             .env = &env,
                                             .limits = &w->limits,
                                             .log = w->log},
                       e);
}

static bool has(const struct world *w, const char *text)
{
    return str_find_str(buf_view(&w->end.tail), str_of(text)) < w->end.tail.len;
}

static void it_is_told_to_keep_all_out(void **state)
{
    static const char *const words[] = {"<--unshare-all>",
                                        "<--unshare-user>",
                                        "<--die-with-parent>",
                                        "<--new-session>",
                                        "<--cap-drop> <ALL>",
                                        "<--uid> <1000>",
                                        "<--hostname> <sealed>",
                                        "<--ro-bind> </the/root> </>",
                                        "<--ro-bind> </store/x> </seal/in/wheels/x.whl>",
                                        "<--remount-ro> </seal>",
                                        "<sh> </usr/bin/command> <an argument>",
                                        "[A=1]",
                                        "[TZ=over]",
                                        "[LC_ALL=C.UTF-8]",
                                        "[HOME=/seal/build/home]"};
    CLEANUP(world_clear) struct world w = {0};
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(setenv("OF_THE_HOST", "secret", 1), 0);
    assert_ok(run(&w, *state,
                  BEGIN "for a; do printf '<%s> ' \"$a\"; done; env | sed 's/.*/[&]/'\n"
                        "echo '{ \"exit-code\": 5 }' >&3\nexit 5\n",
                  &e),
              &e);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (!has(&w, words[i]))
            fail_msg("%s is not in %s", words[i], w.end.tail.p);
    assert_false(has(&w, "OF_THE_HOST"));
    assert_int_equal(w.end.stop, SANDBOX_ENDED);
    assert_int_equal(w.end.code, 5);
}

static void the_end_of_the_output_is_kept(void **state)
{
    CLEANUP(world_clear) struct world w = {0};
    CLEANUP(err_clear) struct err e = {0};

    assert_ok(run(&w, *state,
                  BEGIN "for i in $(seq 100); do echo line $i; done >&2; echo; echo\n"
                        "echo '{ \"exit-code\": 0 }' >&3\n",
                  &e),
              &e);
    assert_true(str_starts(buf_view(&w.end.tail), STR("line 71\n")));
    assert_true(str_ends(buf_view(&w.end.tail), STR("\nline 100")));
    assert_true(str_starts(buf_view(&w.end.last), STR("line 1\n")));
    assert_ok(fs_read(&w.said, w.log, 1 << 20, &e), &e);
    assert_true(str_starts(buf_view(&w.said), STR("line 1\nline 2\n")));
}

/* It ended before the command began. */
static void a_bwrap_that_fails_is_told_apart(void **state)
{
    CLEANUP(world_clear) struct world w = {0};
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(
        run(&w, *state, "#!/bin/sh\necho \"bwrap: Unknown option --block-fd\" >&2\nexit 1\n", &e),
        -1);
    assert_int_equal(e.kind, ERR_SYSTEM);
    assert_non_null(strstr(e.msg, "this bwrap is too old"));
}

static void what_takes_too_much_is_ended(void **state)
{
    /* It would run for ever; nobody waits for it. */
    static const char forever[] = BEGIN "echo begun\necho $$ >\"$0.pid\"\nexec sleep 100000\n";
    static const struct {
        struct sandbox_limits limits;
        enum sandbox_stop stop;
    } cases[] = {
        {{.memory = 1}, SANDBOX_MEMORY},
        {{.disk = 1}, SANDBOX_DISK},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(world_clear) struct world w = {.limits = cases[i].limits};
        CLEANUP(err_clear) struct err e = {0};

        assert_ok(run(&w, *state, forever, &e), &e);
        assert_int_equal(w.end.stop, cases[i].stop);
        assert_true(!w.end.tail.len || has(&w, "begun")); /* it may not have got that far */
    }
}

static void without_bwrap_it_says_what_to_install(void **state)
{
    CLEANUP(world_clear) struct world w = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(free_clear) char *path = xstrdup(getenv("PATH"));

    assert_int_equal(setenv("PATH", "/nowhere", 1), 0);
    assert_int_equal(run(&w, *state, "", &e), -1);
    assert_int_equal(setenv("PATH", path, 1), 0);
    assert_int_equal(e.kind, ERR_SYSTEM);
    assert_non_null(strstr(e.msg, "apt-get install bubblewrap"));
}

static bool at_once(void *ctx)
{
    return true;
}

static void whoever_waits_can_be_interrupted(void **state)
{
    static const struct events events = {.cancelled = at_once};
    static const char *const argv[] = {"x", NULL};
    CLEANUP(free_clear) char *folder = path_join(*state, "build"), *log = path_join(*state, "log");
    CLEANUP(sandbox_end_clear) struct sandbox_end end = {0};
    const struct sandbox_limits limits = {0};
    CLEANUP(err_clear) struct err e = {0};
    const struct strs env = {0};

    assert_int_equal(sandbox_run(&end,
                                 &(struct sandbox_how){.name = "demo",
                                                       .root = "/",
                                                       .folder = folder,
                                                       .argv = argv,
                                                       .env = &env,
                                                       .limits = &limits,
                                                       .log = log,
                                                       .events = &events},
                                 &e),
                     -1);
    assert_int_equal(e.kind, ERR_INTERRUPTED);
}

static int set_path(void **state)
{
    CLEANUP(buf_clear) struct buf path = {0};

    make_folder(state);
    buf_fmt(&path, "%s/bin:%s", (const char *)*state, getenv("PATH"));
    return setenv("PATH", path.p, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_told_to_keep_all_out),
        cmocka_unit_test(the_end_of_the_output_is_kept),
        cmocka_unit_test(a_bwrap_that_fails_is_told_apart),
        cmocka_unit_test(what_takes_too_much_is_ended),
        cmocka_unit_test(whoever_waits_can_be_interrupted),
        cmocka_unit_test(without_bwrap_it_says_what_to_install),
    };

    return cmocka_run_group_tests(tests, set_path, remove_folder);
}
