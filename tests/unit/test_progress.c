/* cmd/progress.c: what is written to standard error of names that hold control characters. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "cmd/progress.h"
#include "base/fd.h"

static uint64_t ms; /* each event is a second later */
static uint64_t tick(void)
{
    return ms += 1000;
}

/* The text that a display writes of one item, one step, a warning and a note. */
static void display(struct buf *out, bool terminal, const char *name)
{
    static const volatile int never;
    struct progress *p = progress_open(SAY_MORE, terminal, tick, &never);
    const struct events *to = progress_events(p);
    CLEANUP(fd_clear) struct fd said = {memfd_create("said", MFD_CLOEXEC), true};
    int saved = dup(STDERR_FILENO);
    struct err e = {0};
    uint64_t size;

    dup2(said.n, STDERR_FILENO);
    events_emit(to, &(struct event){.kind = EVENT_STEP, .name = name});
    events_emit(to,
                &(struct event){.kind = EVENT_BEGIN, .task = "fetch", .name = name, .total = 9});
    events_warn(to, "about %s", name);
    events_note(to, "more of %s", name);
    events_emit(to, &(struct event){.kind = EVENT_END, .task = "fetch", .name = name});
    progress_pause(p);
    dup2(saved, STDERR_FILENO);
    close(saved);
    progress_free(p);
    assert_int_equal(fd_size(said.n, &size, "said", &e), 0);
    assert_int_equal(fd_pread_all(said.n, buf_room(out, size), size, 0, "said", &e), 0);
    out->len += size;
}

static const char hostile[] = "a\x1b]0;b\a\xff\xc2\x9b\n\xe2\x80\xaez";
static const char shown[] = "a\\x1b]0;b\\x07\\xff\\u009b\\n\\u202ez";

static void lines_are_escaped(void **state)
{
    CLEANUP(buf_clear) struct buf out = {0};
    CLEANUP(buf_clear) struct buf want = {0};

    display(&out, false, hostile);
    buf_fmt(&want, "%s\nwarning: about %s\n  more of %s\n  fetch %s, 9 B\n", shown, shown, shown,
            shown);
    assert_string_equal(out.p, want.p);
}

/* Only the display's own sequences, which go up some rows and wipe, are written raw. */
static void a_terminal_gets_only_our_own_sequences(void **state)
{
    CLEANUP(buf_clear) struct buf out = {0};
    struct str rest, row, before;

    display(&out, true, hostile);
    assert_true(str_find_str(buf_view(&out), STR("fetch a\\x1b]0;b\\x07\\xff\\u009b\\n\\u202e")) <
                out.len);
    for (rest = buf_view(&out); str_cut(&rest, STR("\r\x1b["), &before);) {
        row = rest;
        assert_true(str_cut(&rest, STR("A\x1b[J"), &row) && row.len == 1);
    }
    for (size_t i = 0; i < rest.len; i++)
        assert_true(rest.p[i] == '\n' || (rest.p[i] >= ' ' && rest.p[i] < 0x7f));
}

static void long_names_are_cut_between_characters(void **state)
{
    CLEANUP(buf_clear) struct buf out = {0};
    struct str rest, row;

    display(&out, true,
            "012345678901234567890123456789012345678901234567890123456789012345678901"
            "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac");
    assert_true(str_find_str(buf_view(&out), STR("fetch 0")) < out.len);
    for (rest = buf_view(&out); str_line(&rest, &row);)
        if (str_starts(row, STR("fetch 0")))
            assert_true(str_ends(row, STR("78901\xe2\x82\xac")));
}

/* A build from source says how long it runs, and its last line, escaped as any foreign text. */
static void what_a_build_says_is_shown(void **state)
{
    static const volatile int never;
    CLEANUP(buf_clear) struct buf out = {0};
    struct progress *p = progress_open(SAY_NORMAL, false, tick, &never);
    const struct events *to = progress_events(p);
    CLEANUP(fd_clear) struct fd said = {memfd_create("said", MFD_CLOEXEC), true};
    int saved = dup(STDERR_FILENO);
    struct err e = {0};
    uint64_t size;

    dup2(said.n, STDERR_FILENO);
    events_emit(to, &(struct event){.kind = EVENT_STEP, .name = "build"});
    events_emit(to, &(struct event){EVENT_BEGIN, "fetch", "x", 0, 9});
    events_emit(to, &(struct event){EVENT_END, "fetch", "x", 0, 0});
    for (uint64_t i = 1; i <= 15; i++)
        events_emit(to, &(struct event){EVENT_SAID, "demo 1.0", "[1/2] cc \x1b]0;a.c", 123000, 0});
    events_emit(to, &(struct event){EVENT_SAID, "demo 1.0", "", 0, 0});
    for (uint64_t i = 1; i <= 15; i++)
        events_emit(to, &(struct event){EVENT_ADVANCE, "fetch", "x", i, 0});
    dup2(saved, STDERR_FILENO);
    close(saved);
    progress_free(p);
    assert_int_equal(fd_size(said.n, &size, "said", &e), 0);
    assert_int_equal(fd_pread_all(said.n, buf_room(&out, size), size, 0, "said", &e), 0);
    out.len += size;
    buf_putc(&out, '\0');
    assert_string_equal(
        out.p, "build\n  100%, 9 B of 9 B: build demo 1.0, 2 min 3 s: [1/2] cc \\x1b]0;a.c\n"
               "  100%, 9 B of 9 B: build\n"
               "  100%, 9 B of 9 B: build\n");
}

/* What a pipe is told of a step of four minutes: little, of one whole that does not grow. */
static void a_pipe_gets_a_line_every_ten_seconds(void **state)
{
    static const volatile int never;
    CLEANUP(buf_clear) struct buf out = {0};
    struct progress *p = progress_open(SAY_NORMAL, false, tick, &never);
    const struct events *to = progress_events(p);
    CLEANUP(fd_clear) struct fd said = {memfd_create("said", MFD_CLOEXEC), true};
    int saved = dup(STDERR_FILENO);
    unsigned long last = ULONG_MAX;
    struct str rest, line, left;
    struct err e = {0};
    size_t lines = 0;
    uint64_t size;

    dup2(said.n, STDERR_FILENO);
    events_emit(to, &(struct event){.kind = EVENT_STEP, .name = "fetch and assemble"});
    events_emit(to, &(struct event){EVENT_PLAN, "assemble", "torch", 0, 1024});
    events_emit(to, &(struct event){EVENT_PLAN, "fetch", "fetch", 0, 1024});
    events_emit(to, &(struct event){EVENT_BEGIN, "fetch", "torch.whl", 0, 1024});
    for (uint64_t i = 1; i <= 100; i++)
        events_emit(to, &(struct event){EVENT_ADVANCE, "fetch", "torch.whl", i * 1024 / 100, 1024});
    events_emit(to, &(struct event){EVENT_END, "fetch", "torch.whl", 0, 0});
    events_emit(to, &(struct event){EVENT_BEGIN, "assemble", "torch", 0, 9999999});
    for (uint64_t i = 1; i <= 100; i++)
        events_emit(to, &(struct event){EVENT_ADVANCE, "assemble", "torch", i * 99999, 9999999});
    dup2(saved, STDERR_FILENO);
    close(saved);
    progress_free(p);
    assert_int_equal(fd_size(said.n, &size, "said", &e), 0);
    assert_int_equal(fd_pread_all(said.n, buf_room(&out, size), size, 0, "said", &e), 0);
    out.len += size;
    for (rest = buf_view(&out); str_line(&rest, &line);) {
        unsigned long seconds;

        if (!str_starts(line, STR("  ")))
            continue;
        lines++;
        assert_true(str_find_str(line, STR(" of 2.0 KiB, ")) < line.len);
        assert_true(str_cut(&line, STR("KiB, "), &left));
        seconds = strtoul(line.p, NULL, 10);
        if (str_find_str(line, STR(" min ")) < line.len)
            seconds =
                seconds * 60 + strtoul(line.p + str_find_str(line, STR("min ")) + 4, NULL, 10);
        assert_true(seconds <= last);
        last = seconds;
    }
    assert_true(lines >= 15 && lines <= 21);
}

/* What goes into a registry says how much of it is sent. */
static void what_is_sent_says_how_far_it_is(void **state)
{
    static const volatile int never;
    CLEANUP(buf_clear) struct buf out = {0};
    struct progress *p = progress_open(SAY_NORMAL, false, tick, &never);
    const struct events *to = progress_events(p);
    CLEANUP(fd_clear) struct fd said = {memfd_create("said", MFD_CLOEXEC), true};
    const uint64_t mib = 1 << 20;
    int saved = dup(STDERR_FILENO);
    struct err e = {0};
    uint64_t size;

    dup2(said.n, STDERR_FILENO);
    events_emit(to, &(struct event){EVENT_BEGIN, "send", "torch", 0, 820 * mib});
    for (uint64_t i = 1; i <= 312; i++)
        events_emit(to, &(struct event){EVENT_ADVANCE, "send", "torch", i * mib, 820 * mib});
    dup2(saved, STDERR_FILENO);
    close(saved);
    progress_free(p);
    assert_int_equal(fd_size(said.n, &size, "said", &e), 0);
    assert_int_equal(fd_pread_all(said.n, buf_room(&out, size), size, 0, "said", &e), 0);
    out.len += size;
    assert_true(str_find_str(buf_view(&out), STR(": torch: sent ")) < out.len);
    assert_true(str_find_str(buf_view(&out), STR(" of 820 MiB\n")) < out.len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_escaped),
        cmocka_unit_test(a_terminal_gets_only_our_own_sequences),
        cmocka_unit_test(long_names_are_cut_between_characters),
        cmocka_unit_test(what_a_build_says_is_shown),
        cmocka_unit_test(a_pipe_gets_a_line_every_ten_seconds),
        cmocka_unit_test(what_is_sent_says_how_far_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
