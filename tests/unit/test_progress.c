/* cmd/progress.c: what is written to standard error of names that hold control characters. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "cmd/progress.h"
#include "base/fd.h"

/* The text that a display writes of one item, one step, a warning and a note. */
static void display(struct buf *out, bool terminal, const char *name)
{
    static const volatile int never;
    struct progress *p = progress_open(SAY_MORE, terminal, &never);
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
    assert_true(str_find_str(buf_view(&out),
                             STR("  fetch    a\\x1b]0;b\\x07\\xff\\u009b\\n\\u202e")) < out.len);
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

    display(&out, true,
            "0123456789012345678901234567890\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac");
    assert_true(str_find_str(buf_view(&out), STR("7890\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac ....")) <
                out.len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_escaped),
        cmocka_unit_test(a_terminal_gets_only_our_own_sequences),
        cmocka_unit_test(long_names_are_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
