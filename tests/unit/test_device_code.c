/* tests/unit/test_device_code.c - what is told of a wheel that has not the code it was built for.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cmd/device_code.h"
#include "look/fatbin.h"
#include "mkfatbin.h"
#include "mkwheel.h"

/* A zip with one file. */
static void make(struct input *in, const char *name, const struct mkfatbin_entry *codes, size_t n)
{
    CLEANUP(buf_clear) struct buf zip = {0}, directory = {0}, bytes = {0};
    size_t at;

    buf_puts(&bytes, "some bytes before");
    if (n)
        mkfatbin(&bytes, codes, n);
    mkwheel_add(&zip, &directory, str_of(name), buf_view(&bytes), 0);
    at = zip.len;
    buf_str(&zip, buf_view(&directory));
    mkwheel_le(&zip, 0x06054b50, 4);
    mkwheel_le(&zip, 0, 4);
    mkwheel_le(&zip, 1, 2);
    mkwheel_le(&zip, 1, 2);
    mkwheel_le(&zip, directory.len, 4);
    mkwheel_le(&zip, at, 4);
    mkwheel_le(&zip, 0, 2);
    mk_input(in, "x.whl", buf_view(&zip));
}

static void note(void *ctx, const struct event *event)
{
    if (event->kind == EVENT_WARNING)
        buf_puts(ctx, event->name);
}

static void what_is_missing_is_told(void **state)
{
    static const struct mkfatbin_entry codes[] = {{FATBIN_CUBIN, 80, 0x11, 8},
                                                  {FATBIN_CUBIN, 90, 0x100011, 8}, /* 9.0a */
                                                  {FATBIN_PTX, 86, 0x11, 8}};
    static const struct {
        const char *file, *archs;
        size_t codes;
        bool asked;
        const char *says, *warns; /* NULL: nothing */
    } cases[] = {
        {"a/x.so", "8.0", 1, true, NULL, NULL},
        {"a/x.so.1", "8.9 8.0", 1, false, NULL, NULL}, /* an A100's code runs on an L4 */
        {"a/x.so", "7.5 8.0 9.0", 2, false,
         "x.whl has no code for GPUs of 7.5, 9.0, only for 8.0, 9.0a; where that is all that it "
         "supports, name it: `build: {demo: {archs: [...]}}`",
         NULL},
        {"a/x.so", "9.0a", 2, true, NULL, NULL},
        {"a/x.so", "8.6+PTX", 3, true, NULL, NULL},
        {"a/x.so", "8.0+PTX", 3, true, "has no code for GPUs of 8.0+PTX, only for", NULL},
        {"a/x.so", "8.0", 0, true, "no code for GPUs of 8.0, only for the CPU; its setup.py", NULL},
        {"a/x.py", "8.0", 0, true, "no code for GPUs of 8.0, only for the CPU", NULL},
        {"a/x.so", "8.0", 0, false, NULL, "x.whl has no code for GPUs; where it should"},
        {"a/x.py", "8.0", 3, false, NULL, NULL}, /* no library, nothing to say */
    };
    const struct artifact wheel = {.name = STR_INIT("demo"), .file = STR_INIT("x.whl")};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf warned = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(zip_clear) struct zip zip = {0};
        const struct events events = {.emit = note, .ctx = &warned};
        struct str rest = str_of(cases[i].archs), word;
        struct input in = {0};
        struct strs archs = {0};
        int result;

        make(&in, cases[i].file, codes, cases[i].codes);
        while (str_word(&rest, &word))
            vec_add(&archs, word);
        assert_int_equal(zip_open(&zip, &in, &e), 0);
        result = device_code_check(&zip, &archs, cases[i].asked, &wheel, &events, &e);
        if ((result < 0) != (cases[i].says != NULL) ||
            (cases[i].says && !strstr(e.msg, cases[i].says)))
            fail_msg("case %zu: %s", i, e.msg ? e.msg : "nothing");
        if (cases[i].warns ? !warned.p || !strstr(warned.p, cases[i].warns) : warned.len != 0)
            fail_msg("case %zu warns: %s", i, warned.p ? warned.p : "nothing");
        vec_clear(&archs);
        fd_clear(&in.fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_missing_is_told)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
