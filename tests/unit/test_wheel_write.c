/* tests/unit/test_wheel_write.c - wheels in our normal form, and the zips that they are. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "oci_fixture.h"

#include "io/deflate.h"
#include "mkwheel.h"
#include "pkg/pypi/wheel_write.h"

struct to_buf {
    struct sink sink;
    struct buf *out;
};

static int to_buf_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    buf_add(((struct to_buf *)self)->out, bytes, len);
    return 0;
}

static void normal(struct buf *out, const struct mkwheel_file *files, const char *version,
                   unsigned threads)
{
    struct to_buf to = {{.write = to_buf_write}, out};
    CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();
    CLEANUP(wheel_clear) struct wheel w = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct input in = {0};

    mkwheel(&in, "demo", version, files);
    assert_ok(wheel_open(&w, &in, STR("demo"), str_of(version), inflater, &e), &e);
    assert_ok(wheel_write(&to.sink, &w, inflater, "/tmp", threads, &e), &e);
    fd_clear(&in.fd);
}

static void reopen(struct wheel *w, struct input *in, const struct buf *bytes,
                   struct inflater *inflater)
{
    CLEANUP(err_clear) struct err e = {0};

    mk_input(in, "demo", buf_view(bytes));
    assert_ok(wheel_open(w, in, STR("demo"), STR("1.0"), inflater, &e), &e);
}

static void order_and_modes_are_normal(void **state)
{
    static const struct mkwheel_file files[] = {
        {.path = "demo.data/scripts/run", .text = "#!python\n", .mode = 0100711},
        {.path = "demo/z.py", .text = "z = 1\n", .mode = 0100600},
        {.path = "demo-1.0.dist-info/licenses/LICENSE", .text = "mine\n"},
        {.path = "demo/a,b.py", .text = "", .mode = 0100444},
        {.path = "a\xc3\xa9.py", .text = "x = 1\n"},
        {.path = "demo-1.0.dist-info/entry_points.txt", .text = ""},
        {0}};
    static const char *const order[] = {"a\xc3\xa9.py",
                                        "demo.data/scripts/run",
                                        "demo/a,b.py",
                                        "demo/z.py",
                                        "demo-1.0.dist-info/METADATA",
                                        "demo-1.0.dist-info/WHEEL",
                                        "demo-1.0.dist-info/entry_points.txt",
                                        "demo-1.0.dist-info/licenses/LICENSE",
                                        "demo-1.0.dist-info/RECORD"};
    CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();
    CLEANUP(buf_clear) struct buf bytes = {0}, record = {0};
    CLEANUP(wheel_clear) struct wheel w = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct input in = {0};

    normal(&bytes, files, "1.0", 1);
    reopen(&w, &in, &bytes, inflater);
    assert_int_equal(w.zip.entries.n, ARRAY_LEN(order));
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        assert_true(str_is(w.zip.entries.v[i].name, order[i]));
        assert_int_equal(w.zip.entries.v[i].executable, i == 1);
        assert_int_equal(w.zip.entries.v[i].mtime, 315532800); /* 1980-01-01 */
    }
    assert_ok(content_read(inflater, &w.zip.entries.v[8].content, &record, 4096, "it", &e), &e);
    assert_string_equal(
        record.p, "a\xc3\xa9.py,sha256=nia_NpkRxFwkPGhBR7I_yeHc_PJX0pmhxjIBam_NM_Q,6\n"
                  "demo.data/scripts/run,sha256=NKJyCC0fONcaYytG9mysca37TZf8wBDISvRNAW-78pQ,9\n"
                  "\"demo/a,b.py\",sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n"
                  "demo/z.py,sha256=G8Ae82h8z-B9oiAY3-eFF4HEQsi07HvXGNDB8UVSmtE,6\n"
                  "demo-1.0.dist-info/METADATA,"
                  "sha256=NKonpgZPlYtBt4GiF_KQ_Qq1-WUeK25Kzas0G3uTwwU,46\n"
                  "demo-1.0.dist-info/WHEEL,"
                  "sha256=JCVX9z8V-js2aV5qmQR2E3fiCs-Yu3vPO91cCBmO1JM,59\n"
                  "demo-1.0.dist-info/entry_points.txt,"
                  "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n"
                  "demo-1.0.dist-info/licenses/LICENSE,"
                  "sha256=_LyADbPxhnAAuFLxzgBEuPFYT3at4e1uZRiYJPlcPNo,5\n"
                  "demo-1.0.dist-info/RECORD,,\n");
    fd_clear(&in.fd);
}

/* The same files in another order, with other times and modes, packed by more threads. */
static void the_same_files_give_the_same_bytes(void **state)
{
    static const char text[] = "print('hello, hello, hello, hello')\n";
    static const struct mkwheel_file one[] = {{.path = "b.py", .text = text, .mode = 0100644},
                                              {.path = "a.py", .text = "1\n", .mode = 0100755},
                                              {0}},
                                     two[] = {{.path = "a.py", .text = "1\n", .mode = 0100700},
                                              {.path = "b.py", .text = text, .mode = 0100400},
                                              {0}};
    CLEANUP(buf_clear) struct buf x = {0}, y = {0};
    char hex[DIGEST_HEX + 1];
    struct digest digest;

    normal(&x, one, "1.0", 1);
    normal(&y, two, "1.0", 4);
    assert_true(str_eq(buf_view(&x), buf_view(&y)));
    hash_bytes(&digest, x.p, x.len);
    digest_hex(&digest, hex);
    /* A change of these bytes is a change of every wheel that a lock pins. */
    assert_string_equal(hex, "a4bf459dd8031d1cce7df3d48fa325f0f81181bbafb357413bd1bd9af1999759");
}

/* Of several parts, one that does not get smaller, and none at all. */
static void large_files_come_back(void **state)
{
    enum { SIZE = 3 * 1024 * 1024 + 17 };
    CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();
    CLEANUP(buf_clear) struct buf text = {0}, noise = {0}, bytes = {0}, again = {0};
    CLEANUP(wheel_clear) struct wheel w = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct mkwheel_file files[] = {{.path = "text"}, {.path = "noise"}, {.path = "none"}, {0}};
    struct input in = {0};
    uint32_t x = 1;

    while (text.len < SIZE)
        buf_fmt(&text, "line %zu\n", text.len);
    while (noise.len < SIZE) {
        x = x * 1664525 + 1013904223;
        buf_putc(&noise, (char)(x >> 24 | 1)); /* no NUL */
    }
    files[0].text = text.p;
    files[1].text = noise.p;
    files[2].text = "";
    normal(&bytes, files, "1.0", 1);
    normal(&again, files, "1.0", 3);
    assert_true(str_eq(buf_view(&bytes), buf_view(&again)));
    assert_true(bytes.len < noise.len + text.len / 2);
    reopen(&w, &in, &bytes, inflater);
    for (size_t i = 0; i < 3; i++) {
        static const char *const names[] = {"noise", "none", "text"};
        const struct buf *const want[] = {&noise, NULL, &text};
        CLEANUP(buf_clear) struct buf got = {0};

        assert_true(str_is(w.zip.entries.v[i].name, names[i]));
        assert_ok(content_read(inflater, &w.zip.entries.v[i].content, &got, 64 << 20, "it", &e),
                  &e);
        assert_true(want[i] ? str_eq(buf_view(&got), buf_view(want[i])) : !got.len);
    }
    fd_clear(&in.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_and_modes_are_normal),
        cmocka_unit_test(the_same_files_give_the_same_bytes),
        cmocka_unit_test(large_files_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
