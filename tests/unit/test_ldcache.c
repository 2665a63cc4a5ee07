/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "pkg/elf/ldcache.h"

static struct ldcache_lib libs[] = {
    {STR_INIT("liba.so.9"), STR_INIT("/lib/liba.so.9"), {0}, 0x00030200, 0},
    {STR_INIT("liba.so.10"), STR_INIT("/lib/liba.so.10"), {0}, 0, 0},
    {STR_INIT("liba.so.9"), STR_INIT("/opt/liba.so.9"), {0}, 0, 0},
    {STR_INIT("liba.so.9"), STR_INIT("/lib/glibc-hwcaps/v/liba.so.9"), STR_INIT("v"), 0, 2},
};
static const struct ldcache_libs list = {libs, ARRAY_LEN(libs), ARRAY_LEN(libs)};
static struct str v[] = {STR_INIT("v"), STR_INIT("empty"), STR_INIT("v")};
static const struct strs variants = {v, ARRAY_LEN(v), ARRAY_LEN(v)};

static void write_cache(struct buf *out)
{
    CLEANUP(err_clear) struct err e = {0};

    if (ldcache_write(out, &list, &variants, STR("made by a test"), &e) < 0)
        fail_msg("%s", e.msg);
}

/* "soname path" a line. */
static void show(struct buf *out, const struct ldcache_libs *all)
{
    const struct ldcache_lib *lib;

    buf_puts(out, "");
    vec_each(lib, all)
        buf_fmt(out, STR_FMT " " STR_FMT "\n", STR_ARG(lib->soname), STR_ARG(lib->path));
}

static void what_is_written_reads_back(void **state)
{
    static const char *const befores[] = {"", "an older format, as glibc 2.31 had before it "};

    for (size_t i = 0; i < ARRAY_LEN(befores); i++) {
        CLEANUP(buf_clear) struct buf bytes = {0}, cache = {0}, text = {0};
        struct ldcache_libs all = {0};

        buf_puts(&bytes, befores[i]);
        write_cache(&cache);
        buf_str(&bytes, buf_view(&cache));
        assert_true(ldcache_read(&all, buf_view(&bytes)));
        show(&text, &all);
        assert_string_equal(text.p, "liba.so.10 /lib/liba.so.10\n"
                                    "liba.so.9 /lib/liba.so.9\n" /* the first of the list */
                                    "liba.so.9 /opt/liba.so.9\n");
        assert_int_equal(all.v[1].os_version, 0x00030200);
        vec_clear(&all);
    }
}

static void variants_are_numbered_in_their_order(void **state)
{
    CLEANUP(buf_clear) struct buf cache = {0};
    uint32_t capabilities[2], count;

    write_cache(&cache);
    memcpy(&count, cache.p + 20, sizeof count);
    assert_int_equal(count, 4);
    memcpy(capabilities, cache.p + 48 + 24 + 16, sizeof capabilities); /* behind liba.so.10 */
    assert_int_equal(capabilities[0], 0);
    assert_int_equal(capabilities[1], 1u << 30 | 2);
    assert_non_null(memmem(cache.p, cache.len, "empty", 6));
}

static void set(struct buf *b, size_t at, uint32_t value)
{
    memcpy(b->p + at, &value, sizeof value);
}

static void what_is_no_cache_is_refused(void **state)
{
    CLEANUP(buf_clear) struct buf cache = {0};
    struct ldcache_libs all = {0};

    write_cache(&cache);
    assert_false(ldcache_read(&all, STR("")));
    assert_false(ldcache_read(&all, STR("ld.so-1.7.0")));
    for (size_t len = 0; len < 48 + 4 * 24; len++)
        assert_false(ldcache_read(&all, str_sub(buf_view(&cache), 0, len)));
    set(&cache, 20, UINT32_MAX);
    assert_false(ldcache_read(&all, buf_view(&cache)));
    assert_int_equal(all.n, 0);
}

static void entries_without_a_text_are_passed_over(void **state)
{
    CLEANUP(buf_clear) struct buf cache = {0}, text = {0};
    struct ldcache_libs all = {0};

    write_cache(&cache);
    set(&cache, 48, 0x3);                                  /* liba.so.10: for another machine */
    set(&cache, 48 + 2 * 24 + 8, (uint32_t)cache.len);     /* /lib/liba.so.9: outside */
    set(&cache, 48 + 3 * 24 + 4, (uint32_t)cache.len - 1); /* the generator's text does not end */
    assert_true(ldcache_read(&all, buf_view(&cache)));
    show(&text, &all);
    assert_string_equal(text.p, "");
    vec_clear(&all);
}

/* Many entries that point at one long text would be a table of gigabytes. */
static void texts_are_bounded(void **state)
{
    enum { COUNT = 600 };
    static const struct {
        size_t len, n;
        bool fits;
    } cases[] = {
        {3495, COUNT, true}, /* 1200 times this are just below 4 MiB */
        {3496, 0, false},
        {4095, 0, false},
        {4096, 0, true}, /* too long for a path, so nothing is taken */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf cache = {0};
        struct ldcache_libs all = {0};
        uint32_t end = 48 + COUNT * 24;

        buf_puts(&cache, "glibc-ld.so.cache1.1");
        buf_number(&cache, COUNT, 4);
        while (cache.len < 48)
            buf_putc(&cache, 0);
        for (unsigned k = 0; k < COUNT; k++) {
            buf_number(&cache, 0x303, 4);
            buf_number(&cache, end, 4);
            buf_number(&cache, end, 4);
            buf_number(&cache, 0, 4); /* oldest Linux */
            buf_number(&cache, 0, 8); /* capabilities */
        }
        for (size_t k = 0; k < cases[i].len; k++)
            buf_putc(&cache, 'x');
        buf_putc(&cache, 0);
        assert_int_equal(ldcache_read(&all, buf_view(&cache)), cases[i].fits);
        assert_int_equal(all.n, cases[i].n);
        vec_clear(&all);
    }
}

static void more_than_places_can_say_is_refused(void **state)
{
    static struct ldcache_lib huge[] = {{{"x", INT32_MAX}, STR_INIT("x"), {0}, 0, 0}};
    static const struct ldcache_libs one = {huge, 1, 1};
    CLEANUP(buf_clear) struct buf cache = {0};
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(ldcache_write(&cache, &one, &(struct strs){0}, STR("x"), &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_int_equal(cache.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(variants_are_numbered_in_their_order),
        cmocka_unit_test(what_is_no_cache_is_refused),
        cmocka_unit_test(entries_without_a_text_are_passed_over),
        cmocka_unit_test(texts_are_bounded),
        cmocka_unit_test(more_than_places_can_say_is_refused),
    };
    return cmocka_run_group_tests_name("ldcache", tests, NULL, NULL);
}
