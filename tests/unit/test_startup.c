/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/fs.h"
#include "base/path.h"
#include "faults.h"
#include "plan/startup.h"

#define SYS "sys/module/nvidia/version"
#define PROC "proc/driver/nvidia/version"
#define NODE "dev/nvidiactl"
#define COMPAT "usr/local/cuda/compat/libcuda.so.1"

/* The shells that an image may have, as its first line would start them. */
static const char *const shells[][2] = {{"/bin/dash", "/bin/dash"},
                                        {"/bin/bash", "/bin/bash --posix"},
                                        {"/bin/busybox", "/bin/busybox sh"}};

static char top[32] = "/tmp/test_startup.XXXXXX";

static int make_top(void **state)
{
    return mkdtemp(top) ? 0 : -1;
}

static int remove_top(void **state)
{
    CLEANUP(buf_clear) struct buf remove = {0};

    buf_fmt(&remove, "rm -rf %s", top);
    return system(remove.p);
}

static void put_file(const char *name, const char *text)
{
    CLEANUP(free_clear) char *path = path_join(top, name);
    struct err e = {0};

    assert_int_equal(fs_mkdirs_for(path, &e), 0);
    assert_int_equal(fs_write(path, str_of(text), &e), 0);
}

static void take_file(const char *name)
{
    CLEANUP(free_clear) char *path = path_join(top, name);

    remove(path);
}

/* The script, looking at the machine below `top` instead. */
static void put_script(const struct facts *facts, struct str shell, bool fail)
{
    static const char *const paths[] = {"/" SYS, "/" PROC, "/" NODE, "/" COMPAT};
    CLEANUP(buf_clear) struct buf text = {0};

    assert_true(startup_script(&text, facts, shell, fail));
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        CLEANUP(buf_clear) struct buf moved = {0};
        struct str rest = buf_view(&text), head;

        while (str_cut(&rest, str_of(paths[i]), &head))
            buf_fmt(&moved, STR_FMT "%s%s", STR_ARG(head), top, paths[i]);
        buf_str(&moved, rest);
        buf_reset(&text);
        buf_str(&text, buf_view(&moved));
    }
    put_file("script", text.p);
}

struct outcome {
    struct buf out, err;
    int code;
};

static void outcome_clear(struct outcome *o)
{
    buf_clear(&o->out);
    buf_clear(&o->err);
}

static void read_back(struct buf *out, const char *name)
{
    CLEANUP(free_clear) char *path = path_join(top, name);
    struct err e = {0};

    assert_int_equal(fs_read(out, path, 1 << 20, &e), 0);
}

/* `args` is shell text. The script finds no other program: PATH leads nowhere. */
static void run(struct outcome *o, const char *shell, const char *args)
{
    CLEANUP(buf_clear) struct buf line = {0};
    int status;

    buf_fmt(&line,
            "env -i PATH=/nowhere LC_ALL=C.UTF-8 IFS=5 driver=mine %s %s/script %s >%s/out 2>%s/err"
            " </dev/null",
            shell, top, args, top, top);
    status = system(line.p);
    *o = (struct outcome){.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1};
    read_back(&o->out, "out");
    read_back(&o->err, "err");
}

static void each_shell(void (*test)(const char *shell))
{
    for (size_t i = 0; i < ARRAY_LEN(shells); i++)
        if (fs_exists(shells[i][0]))
            test(shells[i][1]);
        else
            printf("skipped: the start-up check under %s, which is not installed\n", shells[i][0]);
}

static const struct facts cuda_12 = {.cuda = {"12.4", 4}, .driver_min = {"525.60.13", 9}};

/* ---- which driver is too old ---- */

static void judge(const char *shell)
{
    static const struct {
        const char *need, *driver;
        bool old;
    } cases[] = {
        {"525.60.13", "525.60.13\n", false},
        {"525.60.13", "525.60.12\n", true},
        {"525.60.13", "525.60.14\n", false},
        {"525.60.13", "525.60.9\n", true}, /* numbers, not letters */
        {"525.60.13", "525.60.100\n", false},
        {"525.60.13", "525.9.99\n", true},
        {"525.60.13", "525.100.1\n", false},
        {"525.60.13", "99.99.99\n", true},
        {"525.60.13", "1000.1\n", false},
        {"525.60.13", "470.82.01\n", true},
        {"525.60.13", "535.104.05\n", false}, /* 05 is no octal, nor is 08 */
        {"525.60.13", "525.60.08\n", true},
        {"525.60.13", "525.60.09\n", true},
        {"525.60.13", "525.060.013\n", false},
        {"525.60.13", "525.60\n", true}, /* two components: the third is 0 */
        {"525.60.13", "525.61\n", false},
        {"525.60.13", "390.157\n", true},
        {"525.60.13", "580.65\n", false},
        {"525.60.13", "470.82.01", true}, /* the line has no end */
        {"525.60.13", "470.82.01\r\n", true},
        {"525.60.13", "535.104.05\r\n", false},
        {"525.60.13", "  470.82.01  \n", true},
        {"525.60.13", "470.82.01-custom\n", true},
        {"450.80.02", "450.80.02\n", false},
        {"450.80.02", "450.80.1\n", true},
        {"450.80.02", "450.36.06\n", true},
        {"450.80.02", "418.226.00\n", true},
        {"450.80.02", "470.82.01\n", false},
        {"580.65.06", "575.51.03\n", true},
        {"580.65.06", "580.65.06\n", false},
        {"580.65.06", "580.65.6\n", false},
        {"580.65.06", "580.65.05\n", true},
        {"580.65.06", "580.126.09\n", false},
        {"580.65.06", "590.44.01\n", false},
        {"580.65", "580.64.99\n", true},
        {"580.65", "580.65\n", false},
        {"0525.060.013", "525.60.12\n", true},
        /* What is no version says nothing. */
        {"525.60.13", "", false},
        {"525.60.13", "\n", false},
        {"525.60.13", "\n470.82.01\n", false},
        {"525.60.13", "470\n", false},
        {"525.60.13", "garbage\n", false},
        {"525.60.13", "470.x\n", false},
        {"525.60.13", "470..1\n", false},
        {"525.60.13", ".470.1\n", false},
        {"525.60.13", "470.\n", false},
        {"525.60.13", "1.2.3.4\n", false},
        {"525.60.13", "v470.82.01\n", false},
        {"525.60.13", "-1.2\n", false},
        {"525.60.13", "*\n", false},
        {"525.60.13", "$(echo 470.82.01)\n", false},
        {"525.60.13", "99999999999999999999.1\n", false},
        {"525.60.13", "1.99999999999999999999\n", false},
        {"525.60.13", "\\470.82.01\n", false},
    };

    put_file(NODE, "");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(outcome_clear) struct outcome o = {0};
        struct facts facts = {.cuda = STR("12.4"), .driver_min = str_of(cases[i].need)};

        put_script(&facts, STR("/bin/sh"), false);
        put_file(SYS, cases[i].driver);
        run(&o, shell, "/bin/echo done");
        if (o.code != 0 || !str_is(buf_view(&o.out), "done\n") ||
            cases[i].old != str_starts(buf_view(&o.err), STR("envbuild: the NVIDIA driver")) ||
            (!cases[i].old && o.err.len))
            fail_msg("%s: %s of %s: exit %d, said \"%s\"", shell, cases[i].driver, cases[i].need,
                     o.code, o.err.p);
    }
}

static void drivers_are_compared_as_numbers(void **state)
{
    each_shell(judge);
}

/* ---- where the driver is found ---- */

static void look(const char *shell)
{
#define NVRM "NVRM version: NVIDIA UNIX "
    static const struct {
        bool node;
        const char *sys, *proc;
        bool compat, old;
    } cases[] = {
        {true, "470.82.01\n", NULL, false, true},
        {false, "470.82.01\n", NVRM "x86_64 Kernel Module  470.82.01  Wed\n", false, false},
        {true, NULL, NULL, false, false},
        {true, "470.82.01\n", NULL, true, false}, /* forward compatibility */
        {true, NULL, NVRM "x86_64 Kernel Module  470.82.01  Wed Oct 27 21:21:55 UTC 2021\nGCC\n",
         false, true},
        {true, "", NVRM "Open Kernel Module for x86_64  515.43.04  Release Build  (x@U16-I1)\n",
         false, true},
        {true, NULL, NVRM "Open Kernel Module for x86_64  550.54.14  Release Build\n", false,
         false},
        {true, "550.54.14\n", NVRM "x86_64 Kernel Module  470.82.01  Wed\n", false, false},
        {true, NULL, NVRM "x86_64 Kernel Module\n", false, false},
        {true, NULL, "* ? [a]\n", false, false},
        {true, NULL, "", false, false},
    };

    put_script(&cuda_12, STR("/bin/sh"), false);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(outcome_clear) struct outcome o = {0};
        const struct {
            const char *name, *text;
        } files[] = {{NODE, cases[i].node ? "" : NULL},
                     {SYS, cases[i].sys},
                     {PROC, cases[i].proc},
                     {COMPAT, cases[i].compat ? "" : NULL}};

        for (size_t j = 0; j < ARRAY_LEN(files); j++)
            if (files[j].text)
                put_file(files[j].name, files[j].text);
            else
                take_file(files[j].name);
        run(&o, shell, "/bin/true");
        if (o.code != 0 || o.out.len || (o.err.len != 0) != cases[i].old)
            fail_msg("%s: case %zu: exit %d, said \"%s\"", shell, i, o.code, o.err.p);
    }
    take_file(COMPAT);
    take_file(PROC);
}

static void no_gpu_and_no_driver_are_silent(void **state)
{
    each_shell(look);
}

/* ---- what it says, and what becomes of the command ---- */

static void speak(const char *shell)
{
#define FOUND                                                                                  \
    "envbuild: the NVIDIA driver of this host is 470.82.01, but this image (CUDA 12.4) needs " \
    "525.60.13 or newer, so "
#define REMEDY                                                                                 \
    "; update the driver on the host, or take an image for an older CUDA: envbuild recommend " \
    "--driver 470.82.01\n"
    static const struct {
        bool fail;
        const char *driver, *args, *out, *err;
        int code;
    } cases[] = {
        {false, "470.82.01\n", "/bin/sh -c 'exit 7'", "",
         FOUND "PyTorch will not find the GPU" REMEDY, 7},
        {true, "470.82.01\n", "/bin/echo no", "",
         FOUND "the command was not started (startup_check: fail)" REMEDY, STARTUP_EXIT},
        {true, "535.104.05\n", "/bin/sh -c 'exit 7'", "", "", 7},
        {true, "nonsense\n", "/bin/sh -c 'exit 7'", "", "", 7},
        {false, "535.104.05\n", "/usr/bin/printf '<%s>' a '' 'b  c' '*' '$x' '-n'",
         "<a><><b  c><*><$x><-n>", "", 0},
        {false, "535.104.05\n", "/bin/sh -c 'echo $driver'", "mine\n", "", 0},
        {false, "535.104.05\n", "", "",
         "envbuild: no command is given, and the image has none of its own\n", 127},
    };

    put_file(NODE, "");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(outcome_clear) struct outcome o = {0};

        put_script(&cuda_12, STR("/bin/sh"), cases[i].fail);
        put_file(SYS, cases[i].driver);
        run(&o, shell, cases[i].args);
        if (o.code != cases[i].code || !str_is(buf_view(&o.out), cases[i].out) ||
            !str_is(buf_view(&o.err), cases[i].err))
            fail_msg("%s: case %zu: exit %d, \"%s\" and \"%s\"", shell, i, o.code, o.out.p,
                     o.err.p);
    }
}

static void one_sentence_then_the_command(void **state)
{
    each_shell(speak);
}

static void commands_that_are_none_end_with_127(void **state)
{
    CLEANUP(outcome_clear) struct outcome o = {0};

    put_script(&cuda_12, STR("/bin/bash"), false);
    run(&o, "/bin/sh", "no-such-command");
    assert_int_equal(o.code, 127);
    assert_true(str_find_str(buf_view(&o.err), STR("no-such-command")) < o.err.len);
}

/* ---- in a lock ---- */

struct box { /* what is needed to make a lock */
    struct lock lock;
    struct recipe recipe;
};

static void box_clear(struct box *b)
{
    lock_clear(&b->lock);
    recipe_clear(&b->recipe);
}

static int add(struct box *b, const char *check, const char *driver, const char *shell,
               struct err *e)
{
    b->recipe.startup_check.text = str_of(check);
    b->lock.facts = (struct facts){.cuda = STR("12.4"), .driver_min = str_of(driver)};
    return startup_add(&b->lock, &b->recipe, str_of(shell), NULL, e);
}

static void it_goes_before_the_entrypoint(void **state)
{
    CLEANUP(box_clear) struct box b = {0};
    struct err e = {0};

    vec_add(&b.lock.entrypoint, STR("/entry"));
    vec_add(&b.lock.entrypoint, STR("x"));
    assert_int_equal(add(&b, "", "525.60.13", "/bin/bash", &e), 0);
    assert_int_equal(b.lock.entrypoint.n, 3);
    assert_true(str_is(b.lock.entrypoint.v[0], LOCK_STARTUP_CHECK));
    assert_true(str_is(b.lock.entrypoint.v[1], "/entry"));
    assert_true(str_is(b.lock.entrypoint.v[2], "x"));
    assert_int_equal(b.lock.copies.n, 1);
    assert_true(str_starts(b.lock.copies.v[0].text, STR("#!/bin/bash --posix\n")));
    assert_true(b.lock.copies.v[0].files.v[0].executable);
    assert_string_equal(lock_startup_check(&b.lock), "warn");
}

static void where_it_cannot_be_there_is_none(void **state)
{
    static const struct {
        const char *check, *driver, *shell, *fault;
    } cases[] = {
        {"off", "525.60.13", "/bin/sh", ""},
        {"", "", "/bin/sh", ""},     /* no CUDA, or none that the catalog knows */
        {"fail", "", "/bin/sh", ""}, /* told by a warning */
        {"", "525.60.13", "", ""},   /* an image without a shell; told by a warning */
        {"warn", "525.60.13", "",
         "startup_check: \"warn\" needs a shell, and the base has neither /bin/bash nor /bin/sh; "
         "write off"},
        {"", "525", "/bin/sh", ""},
        {"", "525.x.1", "/bin/sh", ""},
        {"", "5.2.5.1", "/bin/sh", ""},
        {"", "$(id).1", "/bin/sh", ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(box_clear) struct box b = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf text = {0};

        assert_int_equal(add(&b, cases[i].check, cases[i].driver, cases[i].shell, &e),
                         *cases[i].fault ? -1 : 0);
        assert_string_equal(faults_text(&text, &e), cases[i].fault);
        assert_int_equal(b.lock.copies.n + b.lock.entrypoint.n, 0);
        assert_string_equal(lock_startup_check(&b.lock), "off");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drivers_are_compared_as_numbers),
        cmocka_unit_test(no_gpu_and_no_driver_are_silent),
        cmocka_unit_test(one_sentence_then_the_command),
        cmocka_unit_test(commands_that_are_none_end_with_127),
        cmocka_unit_test(it_goes_before_the_entrypoint),
        cmocka_unit_test(where_it_cannot_be_there_is_none),
    };

    return cmocka_run_group_tests(tests, make_top, remove_top);
}
