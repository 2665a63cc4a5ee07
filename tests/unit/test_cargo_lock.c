/* tests/unit/test_cargo_lock.c - the crates of a Cargo.lock. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pkg/pypi/cargo_lock.h"

#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CRATES_IO "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n"

static void crates_are_read_or_told(void **state)
{
    static const struct {
        const char *text, *crates;
    } rows[] = {
        {"version = 4\n[[package]]\nname = \"cfg-if\"\nversion = \"1.0.0+a\"\n" CRATES_IO
         "checksum = \"" SUM "\"\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n"
         "dependencies = [\n \"cfg-if\",\n]\n[[package]]\nname = \"b_c\"\nversion = \"2.0.0\"\n"
         "source = \"sparse+https://index.crates.io/\"\nchecksum = \"" SUM "\"\n",
         "cfg-if 1.0.0+a, b_c 2.0.0, "},
        {"[[package]]\nname = \"x\"\nversion = \"1\"\nsource = \"git+https://h.test/x#abc\"\n", ""},
        {"", ""},
        {"package = 1\n", ""},
        {"[[package]]\nname = \"x\"\nversion = \"1\"\n" CRATES_IO,
         "Cargo.lock: \"x 1\" is no crate with a checksum"},
        {"[[package]]\nname = \"../x\"\nversion = \"1\"\n" CRATES_IO "checksum = \"" SUM "\"\n",
         "Cargo.lock: \"../x 1\" is no crate with a checksum"},
        {"[[package]]\nname = \"x\"\nversion = \"../1\"\n" CRATES_IO "checksum = \"" SUM "\"\n",
         "Cargo.lock: \"x ../1\" is no crate with a checksum"},
        {"[package\n", "\"[package\" is not a table's head"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(arena_clear) struct arena arena = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf got = {0};
        struct crates crates = {0};
        const struct crate *c;

        if (cargo_lock_parse(&crates, &arena, str_of(rows[i].text), &e) < 0)
            buf_puts(&got, e.msg);
        else
            vec_each(c, &crates)
                buf_fmt(&got, STR_FMT " " STR_FMT ", ", STR_ARG(c->name), STR_ARG(c->version));
        vec_clear(&crates);
        if (i + 1 == ARRAY_LEN(rows)) /* TOML's reader has its own words */
            assert_true(err_is_set(&e));
        else
            assert_true(str_is(buf_view(&got), rows[i].crates));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crates_are_read_or_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
