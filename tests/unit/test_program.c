/* io/program.c, with small shell scripts. No test depends on how long something takes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "io/program.h"

/* Cancelled from the call on that `left` counts down to; `told` is what was waited for. */
struct listener {
    struct events events;
    unsigned left;
    bool until_told;
    char told[64];
};

static void listen(void *ctx, const struct event *ev)
{
    struct listener *l = ctx;

    assert_int_equal(ev->kind, EVENT_WAIT);
    snprintf(l->told, sizeof l->told, "%s", ev->name);
}

static bool is_over(void *ctx)
{
    struct listener *l = ctx;

    return l->until_told ? l->told[0] : l->left && --l->left == 0;
}

/* Run `script` with sh and give it `input`; -1 on an error. The output is copied. */
static int run(struct program_how how, const char *script, struct str input,
               struct program_end *end, struct buf *output, struct err *e)
{
    CLEANUP(program_clear) struct program *p = NULL;
    char *argv[] = {(char[]){"sh"}, (char[]){"-c"},          (char *)(uintptr_t)script,
                    (char[]){"sh"}, (char[]){"an argument"}, NULL};
    bool reads = true;

    how.name = "the script";
    how.argv = argv;
    if (program_open(&p, &how, e) < 0 ||
        (input.len && program_write(p, input.p, input.len, &reads, e) < 0) ||
        program_wait(p, end, e) < 0)
        return -1;
    if (input.len)
        assert_int_equal(reads, true);
    buf_str(output, end->output);
    return 0;
}

static void output_and_exit_code_come_back(void **state)
{
    static const struct {
        const char *script, *output;
        enum program_errors errors;
        int code, signal;
    } cases[] = {
        {"echo \"$1 $X\"; exit 3", "an argument y\n", PROGRAM_ERRORS_DROPPED, 3, 0},
        {"cat; echo 1; echo 2 >&2", "1\n", PROGRAM_ERRORS_DROPPED, 0, 0},
        {"echo 1; echo 2 >&2", "1\n2\n", PROGRAM_ERRORS_OUTPUT, 0, 0},
        {"printf x; kill -9 $$", "x", PROGRAM_ERRORS_DROPPED, -1, SIGKILL},
        {"exec >&- 2>&-; exit 4", "", PROGRAM_ERRORS_OUTPUT, 4, 0},
    };
    char *env[] = {(char[]){"X=y"}, (char[]){"PATH=/usr/bin:/bin"}, NULL};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf out = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct program_how how = {.env = env, .errors = cases[i].errors, .output_max = 100};
        struct program_end end;

        assert_int_equal(run(how, cases[i].script, (struct str){0}, &end, &out, &e), 0);
        assert_true(str_is(buf_view(&out), cases[i].output));
        assert_int_equal(end.code, cases[i].code);
        assert_int_equal(end.signal, cases[i].signal);
    }
}

/* More than both pipes hold: it writes while it reads. */
static void input_goes_in_while_output_comes_out(void **state)
{
    CLEANUP(buf_clear) struct buf in = {0}, out = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct program_how how = {.input = PROGRAM_READS_PIPE, .output_max = 8 << 20};
    struct program_end end;

    for (unsigned i = 0; in.len < 4 << 20; i++)
        buf_fmt(&in, "line %u\n", i);
    assert_int_equal(run(how, "cat", buf_view(&in), &end, &out, &e), 0);
    assert_true(str_eq(buf_view(&in), buf_view(&out)));
}

static void it_starts_with_default_signals_and_three_descriptors(void **state)
{
    CLEANUP(buf_clear) struct buf out = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct program_how how = {.errors = PROGRAM_ERRORS_OUTPUT, .output_max = 1000};
    struct program_end end;
    sigset_t all, before;

    assert_int_equal(dup2(STDERR_FILENO, 7), 7); /* as whoever started us may leave one open */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    assert_int_equal(
        run(how,
            /* glibc leaves 32 and 33, which are its own, ignored */
            "sed -nE 's/^(SigBlk|SigIgn).*(.{7})$/\\1 \\2/p' /proc/self/status; "
            "cd /proc/$$/fd; for n in *; do [ ! -e $n ] || [ $n -gt 9 ] || printf $n; done",
            (struct str){0}, &end, &out, &e),
        0);
    close(7);
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    assert_string_equal(out.p, "SigBlk 0000000\nSigIgn 0000000\n012");
}

struct collected {
    struct sink sink;
    struct buf text;
};

static int collect(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    buf_add(&((struct collected *)self)->text, bytes, len);
    return 0;
}

/* Written to the program once, when it is asked for the first time. */
static int give(void *ctx, struct err *e)
{
    struct fd *fd = ctx;

    if (fd->open)
        assert_int_equal(write(fd->n, "given\n", 6), 6);
    fd_clear(fd);
    return 0;
}

static int refuse(void *ctx, struct err *e)
{
    return err_set(e, ERR_NO, "no");
}

static void more_descriptors_and_turns(void **state)
{
    struct collected to = {.sink.write = collect};
    CLEANUP(buf_clear) struct buf out = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct program_end end;
    struct fd more[2], ours;
    int ends[2];
    struct program_how how = {.errors = PROGRAM_ERRORS_OUTPUT,
                              .output_max = 3,
                              .keep_end = true,
                              .to = &to.sink,
                              .more = more,
                              .more_n = 2,
                              .turn = give,
                              .turn_ctx = &ours};

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    ours = (struct fd){ends[1], true};
    more[1] = (struct fd){ends[0], true};
    more[0] = (struct fd){memfd_create("file", MFD_CLOEXEC), true};
    /* 4 is read before anything is written to it; 3 is a file */
    assert_int_equal(
        run(how, "read x <&4; echo got $x; echo kept >&3", (struct str){0}, &end, &out, &e), 0);
    assert_string_equal(to.text.p, "got given\n");
    assert_string_equal(out.p, "en\n");
    assert_int_equal(lseek(more[0].n, 0, SEEK_CUR), 5);
    fd_clear(&more[0]);
    fd_clear(&more[1]);
    buf_clear(&to.text);
    how.more_n = 0;
    how.turn = refuse;
    assert_int_equal(run(how, "sleep 1000", (struct str){0}, &end, &out, &e), -1);
    assert_string_equal(e.msg, "no");
}

/* Also where it has the number of a standard one. */
static void output_goes_to_a_file(void **state)
{
    for (unsigned closed = 0; closed < 2; closed++) {
        CLEANUP(buf_clear) struct buf out = {0};
        CLEANUP(err_clear) struct err e = {0};
        int in = dup(STDIN_FILENO), result;
        struct program_end end;
        struct fd file;
        char text[10] = "";

        if (closed)
            close(STDIN_FILENO);
        file = (struct fd){open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), true};
        result = run(
            (struct program_how){.errors = PROGRAM_ERRORS_OUTPUT, .file = &file, .output_max = 100},
            "echo 1; echo 2 >&2", (struct str){0}, &end, &out, &e);
        assert_int_equal(pread(file.n, text, sizeof text, 0), 2);
        close(file.n);
        dup2(in, STDIN_FILENO);
        close(in);
        assert_int_equal(result, 0);
        assert_string_equal(out.p, "2\n");
        assert_string_equal(text, "1\n");
    }
}

static void closed_standard_descriptors_do_no_harm(void **state)
{
    CLEANUP(buf_clear) struct buf out = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct program_how how = {.input = PROGRAM_READS_PIPE, .output_max = 100};
    struct program_end end;
    int in = dup(STDIN_FILENO), result;

    close(STDIN_FILENO);
    result = run(how, "cat", STR("through"), &end, &out, &e);
    dup2(in, STDIN_FILENO);
    close(in);
    assert_int_equal(result, 0);
    assert_string_equal(out.p, "through");
}

static void what_stops_reading_is_told_apart(void **state)
{
    CLEANUP(program_clear) struct program *p = NULL;
    CLEANUP(buf_clear) struct buf in = {0};
    CLEANUP(err_clear) struct err e = {0};
    char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"echo no; exit 2"}, NULL};
    struct program_how how = {
        .name = "x", .argv = argv, .input = PROGRAM_READS_PIPE, .output_max = 100};
    struct program_end end;
    bool reads;

    memset(buf_room(&in, 1 << 20), 'x', 1 << 20);
    in.len = 1 << 20;
    assert_int_equal(program_open(&p, &how, &e), 0);
    assert_int_equal(program_write(p, in.p, in.len, &reads, &e), 0);
    assert_false(reads);
    assert_int_equal(program_wait(p, &end, &e), 0);
    assert_int_equal(end.code, 2);
    assert_true(str_is(end.output, "no\n"));
}

static void output_without_end_is_stopped(void **state)
{
    CLEANUP(buf_clear) struct buf out = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct program_how how = {.output_max = 4096};
    struct program_end end;

    assert_int_equal(run(how, "yes", (struct str){0}, &end, &out, &e), -1);
    assert_int_equal(e.kind, ERR_SYSTEM);
    assert_string_equal(e.msg, "the script printed more than 4096 bytes, and was ended");
}

static void the_end_of_long_output_is_kept(void **state)
{
    CLEANUP(buf_clear) struct buf out = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct program_how how = {.output_max = 10, .keep_end = true};
    struct program_end end;

    assert_int_equal(run(how, "yes | head -n 100000; echo why", (struct str){0}, &end, &out, &e),
                     0);
    assert_string_equal(out.p, "y\ny\ny\nwhy\n");
}

/* Whoever has not ended holds the pipe open: read() sees its end only when all have. */
static void whoever_waits_can_be_interrupted(void **state)
{
    static const struct {
        const char *script;
        enum program_input input;
    } cases[] = {
        {"sleep 1000", PROGRAM_READS_NOTHING},
        {"exec >&-; exec sleep 1000", PROGRAM_READS_NOTHING},
        {"sleep 1000 & sleep 1000 & wait", PROGRAM_READS_NOTHING},
        {"trap '' TERM; sleep 1000 & wait; while :; do sleep 1; done", PROGRAM_READS_NOTHING},
        {"yes", PROGRAM_READS_NOTHING},
        {"sleep 1000", PROGRAM_READS_PIPE},
        {"exec sleep 1000", PROGRAM_READS_OURS},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf in = {0}, out = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct listener l = {{NULL, is_over, &l}, .left = 3};
        struct program_how how = {
            .input = cases[i].input, .output_max = 9, .keep_end = true, .events = &l.events};
        struct program_end end;
        int ends[2];
        char byte;

        if (how.input == PROGRAM_READS_PIPE)
            memset(buf_room(&in, 1 << 20), 'x', in.len = 1 << 20);
        assert_int_equal(pipe(ends), 0); /* inherited */
        fcntl(ends[0], F_SETFD, FD_CLOEXEC);
        assert_int_equal(run(how, cases[i].script, buf_view(&in), &end, &out, &e), -1);
        assert_int_equal(e.kind, ERR_INTERRUPTED);
        close(ends[1]);
        assert_int_equal(read(ends[0], &byte, 1), 0);
        close(ends[0]);
    }
}

static void after_a_second_it_is_told_what_is_waited_for(void **state)
{
    CLEANUP(buf_clear) struct buf out = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct listener l = {{listen, is_over, &l}, .until_told = true};
    struct program_how how = {.output_max = 9, .events = &l.events};
    struct program_end end;

    assert_int_equal(run(how, "sleep 1000", (struct str){0}, &end, &out, &e), -1);
    assert_int_equal(e.kind, ERR_INTERRUPTED);
    assert_string_equal(l.told, "waiting for the script");
}

/* As a program does that leaves a server behind. */
static void a_child_that_keeps_the_pipe_open_is_not_waited_for(void **state)
{
    CLEANUP(buf_clear) struct buf out = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct fd reads;
    struct program_how how = {.output_max = 100, .more = &reads, .more_n = 1};
    struct program_end end;
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    reads = (struct fd){ends[0], true};
    assert_int_equal(run(how, "cat <&3 & echo done", (struct str){0}, &end, &out, &e), 0);
    assert_string_equal(out.p, "done\n");
    close(ends[0]);
    close(ends[1]); /* ends the cat */
}

static void a_missing_program_is_told(void **state)
{
    static const char *const sentences[][2] = {
        {NULL, "cannot start x: No such file or directory"},
        {"install the package \"x\"", "install the package \"x\""},
    };
    char *argv[] = {(char[]){"no-such-program-here"}, NULL};

    for (size_t i = 0; i < ARRAY_LEN(sentences); i++) {
        CLEANUP(err_clear) struct err e = {0};
        struct program_how how = {.name = "x", .argv = argv, .missing = sentences[i][0]};
        struct program *p = NULL;

        assert_int_equal(program_open(&p, &how, &e), -1);
        assert_null(p);
        assert_int_equal(e.kind, ERR_SYSTEM);
        assert_string_equal(e.msg, sentences[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_and_exit_code_come_back),
        cmocka_unit_test(input_goes_in_while_output_comes_out),
        cmocka_unit_test(it_starts_with_default_signals_and_three_descriptors),
        cmocka_unit_test(more_descriptors_and_turns),
        cmocka_unit_test(output_goes_to_a_file),
        cmocka_unit_test(closed_standard_descriptors_do_no_harm),
        cmocka_unit_test(what_stops_reading_is_told_apart),
        cmocka_unit_test(output_without_end_is_stopped),
        cmocka_unit_test(the_end_of_long_output_is_kept),
        cmocka_unit_test(whoever_waits_can_be_interrupted),
        cmocka_unit_test(after_a_second_it_is_told_what_is_waited_for),
        cmocka_unit_test(a_child_that_keeps_the_pipe_open_is_not_waited_for),
        cmocka_unit_test(a_missing_program_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
