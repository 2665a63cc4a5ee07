/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/fs.h"
#include "faults.h"
#include "pkg/nvidia/redist.h"

#define HEX "0011223344556677889900112233445566778899001122334455667788990011"
#define PLATFORM "linux-x86_64"

static void join(struct buf *out, const struct strs *list)
{
    buf_puts(out, "");
    for (size_t i = 0; i < list->n; i++)
        buf_fmt(out, "%s" STR_FMT, i ? " " : "", STR_ARG(list->v[i]));
}

static void parse(struct redist *r, const char *text)
{
    struct err e = {0};

    if (redist_parse(r, str_of(text), "m.json", &e) < 0)
        fail_msg("%s", e.msg);
}

static void a_recorded_manifest_is_read(void **state)
{
    CLEANUP(redist_clear) struct redist r = {0};
    CLEANUP(buf_clear) struct buf text = {0}, names = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct redist_file f;
    struct strs list = {0};
    char hex[DIGEST_HEX + 1];
    bool found;

    assert_int_equal(
        fs_read(&text, "tests/unit/data/redist/redistrib_12.4.1.json", REDIST_TEXT_MAX, &e), 0);
    assert_int_equal(redist_parse(&r, buf_view(&text), "m.json", &e), 0);
    assert_true(str_is(r.label, "12.4.1") && str_is(r.product, "cuda"));
    assert_int_equal(
        redist_find(&f, &r, STR("cuda_nvcc"), STR(PLATFORM), STR("cuda12"), &found, &e), 0);
    assert_true(found && str_is(f.component, "cuda_nvcc") && str_is(f.version, "12.4.131"));
    assert_true(
        str_is(f.path, "cuda_nvcc/linux-x86_64/cuda_nvcc-linux-x86_64-12.4.131-archive.tar.xz"));
    assert_int_equal(f.size, 51184484);
    digest_hex(&f.digest, hex);
    assert_string_equal(hex, "7ffba1ada0e4b8c17e451ac7a60d386aa2642ecd08d71202a0b100c98bd74681");

    /* A Jetson's alone; not at all; no component. */
    assert_int_equal(redist_find(&f, &r, STR("cuda_compat"), STR(PLATFORM), STR(""), &found, &e),
                     0);
    assert_false(found);
    assert_int_equal(redist_find(&f, &r, STR("cuda_nvc"), STR(PLATFORM), STR(""), &found, &e), 0);
    assert_false(found);
    assert_int_equal(redist_find(&f, &r, STR("release_label"), STR(PLATFORM), STR(""), &found, &e),
                     -1);
    assert_string_equal(e.msg, "release_label: a map is wanted here, not text");

    redist_list(&list, &r, STR("linux-aarch64"));
    join(&names, &list);
    assert_string_equal(
        names.p,
        "cuda_cccl cuda_compat cuda_cudart cuda_cuobjdump cuda_cupti cuda_cuxxfilt "
        "cuda_documentation cuda_gdb cuda_nvcc cuda_nvdisasm cuda_nvml_dev cuda_nvprune cuda_nvrtc "
        "cuda_nvtx cuda_profiler_api cuda_sanitizer_api libcublas libcudla "
        "libcufft libcufile libcurand libcusolver libcusparse libnpp libnvfatbin "
        "libnvjitlink libnvjpeg nsight_compute nvidia_fs");
    vec_clear(&list);
}

static void a_variant_is_chosen(void **state)
{
    static const struct {
        const char *component, *platform, *variant;
        const char *path; /* NULL: there is none */
    } cases[] = {
        {"a", "p", "cuda12", "a/12.tar.xz"},
        {"a", "p", "cuda11", "a/11.tar.xz"},
        {"a", "p", "cuda13", NULL},
        {"a", "p", "", NULL},
        {"a", "q", "cuda12", "a/q.tar.xz"}, /* one for all */
        {"a", "q", "", "a/q.tar.xz"},
        {"a", "r", "", NULL},
        {"b", "p", "", NULL},
        {"b", "p", "size", NULL},
    };
    CLEANUP(redist_clear) struct redist r = {0};
    CLEANUP(buf_clear) struct buf names = {0};
    struct strs list = {0};

    parse(&r,
          "{\"a\": {\"version\": \"1\", \"new\": [{}], \"p\": {"
          "\"cuda12\": {\"relative_path\": \"a/12.tar.xz\", \"sha256\": \"" HEX "\", "
          "\"size\": \"1\"}, "
          "\"cuda11\": {\"relative_path\": \"a/11.tar.xz\", \"sha256\": \"" HEX "\", \"size\": 2}},"
          "\"q\": {\"relative_path\": \"a/q.tar.xz\", \"sha256\": \"" HEX "\", "
          "\"size\": \"8589934591\"}}, \"b\": {}}");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = {0};
        struct redist_file f;
        bool found;

        if (redist_find(&f, &r, str_of(cases[i].component), str_of(cases[i].platform),
                        str_of(cases[i].variant), &found, &e) < 0)
            fail_msg("%s", e.msg);
        assert_int_equal(found, cases[i].path != NULL);
        if (found)
            assert_true(str_is(f.path, cases[i].path));
    }
    redist_variants(&list, &r, STR("a"), STR("p"));
    join(&names, &list);
    assert_string_equal(names.p, "cuda11 cuda12");
    vec_clear(&list);
    redist_variants(&list, &r, STR("a"), STR("q"));
    redist_variants(&list, &r, STR("b"), STR("p"));
    redist_variants(&list, &r, STR("c"), STR("p"));
    assert_int_equal(list.n, 0);
    assert_int_equal(r.label.len + r.product.len, 0);
}

/* What is told, each fault with a place, which is left out. */
static const char *told(struct buf *out, struct err *e)
{
    for (struct err *at = e; at && err_is_set(at); at = at->next) {
        assert_true(at->line > 0 && at->col > 0);
        at->line = at->col = 0;
    }
    return faults_text(out, e);
}

static void other_documents_are_refused(void **state)
{
    static const char *const cases[][2] = {
        {"", "m.json: no valid JSON: the text ends too early"},
        {"[]", "m.json: no manifest: a map of components is wanted, not a list"},
        {"{\"a\": {}, \"a\": {}}", "m.json: no valid JSON: the key \"a\" stands twice"},
        {"{\"release_label\": 12.4}", "m.json: release_label: a short plain word is wanted here"},
        {"{\"release_label\": \"12 4\"}",
         "m.json: release_label: a short plain word is wanted here"},
        {"{\"release_product\": {}}", "m.json: release_product: a short plain word is wanted here"},
        {"{\"release_product\": \"\"}",
         "m.json: release_product: a short plain word is wanted here"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(redist_clear) struct redist r = {0};
        CLEANUP(buf_clear) struct buf text = {0};
        CLEANUP(err_clear) struct err e = {0};

        assert_int_equal(redist_parse(&r, str_of(cases[i][0]), "m.json", &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_string_equal(told(&text, &e), cases[i][1]);
        assert_null(r.doc.root);
    }
}

static void nested(struct buf *out, unsigned levels)
{
    for (unsigned i = 0; i < levels; i++)
        buf_puts(out, "{\"a\":");
    buf_puts(out, "1");
    for (unsigned i = 0; i < levels; i++)
        buf_putc(out, '}');
}

static void limits_hold_at_their_edges(void **state)
{
    static const struct {
        uint64_t size;
        unsigned depth;
        int result;
    } cases[] = {{REDIST_TEXT_MAX - 1, 1, 0},
                 {REDIST_TEXT_MAX, 1, 0},
                 {REDIST_TEXT_MAX + 1, 1, -1},
                 {0, 63, 0},
                 {0, 64, 0},
                 {0, 65, -1}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(redist_clear) struct redist r = {0};
        CLEANUP(buf_clear) struct buf text = {0};
        CLEANUP(err_clear) struct err e = {0};

        nested(&text, cases[i].depth);
        while (text.len < cases[i].size)
            buf_putc(&text, ' ');
        assert_int_equal(redist_parse(&r, buf_view(&text), "m.json", &e), cases[i].result);
        assert_true(!cases[i].result || e.kind == ERR_INPUT);
    }
}

/* A row whose members are given as JSON; NULL: left out. */
static void row(struct buf *out, const char *version, const char *path, const char *size,
                const char *sha256)
{
    buf_puts(out, "{\"a\": {\"x\": 1");
    if (version)
        buf_fmt(out, ", \"version\": %s", version);
    buf_puts(out, ", \"p\": {\"md5\": null");
    if (path)
        buf_fmt(out, ", \"relative_path\": %s", path);
    if (size)
        buf_fmt(out, ", \"size\": %s", size);
    if (sha256)
        buf_fmt(out, ", \"sha256\": %s", sha256);
    buf_puts(out, "}}}");
}

#define Q(text) "\"" text "\""
#define GOOD_V Q("1.2")
#define GOOD_P Q("a/p/a-p-1.2-archive.tar.xz")
#define GOOD_S Q("1")
#define GOOD_H Q(HEX)
#define SAYS_V "m.json: a: version: a short plain version is wanted here"
#define SAYS_P                                                                            \
    "m.json: a: relative_path: a plain path below the manifest's folder, without \"..\"," \
    " is wanted here"
#define SAYS_S "m.json: a: size: a number of bytes, from 1 to below 8 GiB, is wanted here"
#define SAYS_H "m.json: a: sha256: a SHA-256 of 64 lower-case hex digits is wanted here"

static void bad_rows_are_refused(void **state)
{
    static const struct {
        const char *version, *path, *size, *sha256, *says;
    } cases[] = {
        {GOOD_V, GOOD_P, GOOD_S, GOOD_H, ""},
        {NULL, GOOD_P, GOOD_S, GOOD_H, "m.json: a: \"version\" is missing"},
        {"1.2", GOOD_P, GOOD_S, GOOD_H, SAYS_V},
        {Q(""), GOOD_P, GOOD_S, GOOD_H, SAYS_V},
        {Q("1/2"), GOOD_P, GOOD_S, GOOD_H, SAYS_V},
        {Q(".."), GOOD_P, GOOD_S, GOOD_H, SAYS_V},
        {Q("1\\u001b[31m"), GOOD_P, GOOD_S, GOOD_H, SAYS_V},
        {Q("1\\u0000"), GOOD_P, GOOD_S, GOOD_H, SAYS_V},
        {Q("01234567890123456789012345678901234567890123456789012345678901234"), GOOD_P, GOOD_S,
         GOOD_H, SAYS_V},
        {GOOD_V, "7", GOOD_S, GOOD_H, SAYS_P},
        {GOOD_V, "[]", GOOD_S, GOOD_H, SAYS_P},
        {GOOD_V, Q(""), GOOD_S, GOOD_H, SAYS_P},
        {GOOD_V, Q("/etc/passwd"), GOOD_S, GOOD_H, SAYS_P},
        {GOOD_V, Q("//evil.test/a.tar.xz"), GOOD_S, GOOD_H, SAYS_P},
        {GOOD_V, Q("https://evil.test/a.tar.xz"), GOOD_S, GOOD_H, SAYS_P},
        {GOOD_V, Q("../a.tar.xz"), GOOD_S, GOOD_H, SAYS_P},
        {GOOD_V, Q("a/../../b.tar.xz"), GOOD_S, GOOD_H, SAYS_P},
        {GOOD_V, Q("a/./b.tar.xz"), GOOD_S, GOOD_H, SAYS_P},
        {GOOD_V, Q("a//b.tar.xz"), GOOD_S, GOOD_H, SAYS_P},
        {GOOD_V, Q("a/b/"), GOOD_S, GOOD_H, SAYS_P},
        {GOOD_V, Q("a/.."), GOOD_S, GOOD_H, SAYS_P},
        {GOOD_V, Q("a\\\\b.tar.xz"), GOOD_S, GOOD_H, SAYS_P},
        {GOOD_V, Q("a/b.tar.xz\\u0000"), GOOD_S, GOOD_H, SAYS_P},
        {GOOD_V, Q("a/b.tar.xz\\n"), GOOD_S, GOOD_H, SAYS_P},
        {GOOD_V, Q("a/b c.tar.xz"), GOOD_S, GOOD_H, SAYS_P},
        {GOOD_V, Q("a/b.tar.xz?x=y"), GOOD_S, GOOD_H, SAYS_P},
        {GOOD_V, Q("a/b.tar.xz#x"), GOOD_S, GOOD_H, SAYS_P},
        {GOOD_V, Q("a/%2e%2e/b.tar.xz"), GOOD_S, GOOD_H, SAYS_P},
        {GOOD_V, Q("a/\\u00e9.tar.xz"), GOOD_S, GOOD_H, SAYS_P},
        {GOOD_V, GOOD_P, Q("8589934591"), GOOD_H, ""},
        {GOOD_V, GOOD_P, "8589934591", GOOD_H, ""},
        {GOOD_V, GOOD_P, NULL, GOOD_H, "m.json: a: \"size\" is missing"},
        {GOOD_V, GOOD_P, Q("0"), GOOD_H, SAYS_S},
        {GOOD_V, GOOD_P, Q("-1"), GOOD_H, SAYS_S},
        {GOOD_V, GOOD_P, "-1", GOOD_H, SAYS_S},
        {GOOD_V, GOOD_P, "1.5", GOOD_H, SAYS_S},
        {GOOD_V, GOOD_P, "true", GOOD_H, SAYS_S},
        {GOOD_V, GOOD_P, "null", GOOD_H, SAYS_S},
        {GOOD_V, GOOD_P, Q(""), GOOD_H, SAYS_S},
        {GOOD_V, GOOD_P, Q(" 1"), GOOD_H, SAYS_S},
        {GOOD_V, GOOD_P, Q("0x10"), GOOD_H, SAYS_S},
        {GOOD_V, GOOD_P, Q("8589934592"), GOOD_H, SAYS_S},
        {GOOD_V, GOOD_P, Q("18446744073709551617"), GOOD_H, SAYS_S},
        {GOOD_V, GOOD_P, GOOD_S, NULL, "m.json: a: \"sha256\" is missing"},
        {GOOD_V, GOOD_P, GOOD_S, Q(""), SAYS_H},
        {GOOD_V, GOOD_P, GOOD_S, Q("00" HEX), SAYS_H},
        {GOOD_V, GOOD_P, GOOD_S, Q("0011223344556677889900112233445566778899001122334455667788990"),
         SAYS_H},
        {GOOD_V, GOOD_P, GOOD_S,
         Q("AA11223344556677889900112233445566778899001122334455667788990011"), SAYS_H},
        {GOOD_V, GOOD_P, GOOD_S,
         Q("0000000000000000000000000000000000000000000000000000000000000000"), SAYS_H},
        {GOOD_V, GOOD_P, "[]", "{}", SAYS_S "\n" SAYS_H}, /* all are told */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(redist_clear) struct redist r = {0};
        CLEANUP(buf_clear) struct buf text = {0}, said = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct redist_file f = {0};
        bool found;
        int result;

        row(&text, cases[i].version, cases[i].path, cases[i].size, cases[i].sha256);
        parse(&r, text.p);
        result = redist_find(&f, &r, STR("a"), STR("p"), STR(""), &found, &e);
        assert_string_equal(told(&said, &e), cases[i].says);
        assert_int_equal(result, cases[i].says[0] ? -1 : 0);
        assert_int_equal(found, result == 0);
        assert_true(result == 0 || (e.kind == ERR_INPUT && !f.path.p));
    }
}

static void a_long_path_is_refused(void **state)
{
    for (size_t len = 511; len <= 513; len++) {
        CLEANUP(redist_clear) struct redist r = {0};
        CLEANUP(buf_clear) struct buf text = {0}, path = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct redist_file f;
        bool found;

        buf_putc(&path, '"');
        for (size_t i = 0; i < len; i++)
            buf_putc(&path, i % 2 ? '/' : 'a');
        path.p[len] = 'a';
        buf_putc(&path, '"');
        row(&text, GOOD_V, path.p, GOOD_S, GOOD_H);
        parse(&r, text.p);
        assert_int_equal(redist_find(&f, &r, STR("a"), STR("p"), STR(""), &found, &e),
                         len > 512 ? -1 : 0);
    }
}

static void wrong_kinds_are_refused(void **state)
{
    static const char *const cases[][2] = {
        {"{\"a\": []}", "m.json: a: a map is wanted here, not a list"},
        {"{\"a\": {\"p\": \"x\"}}", "m.json: a: p: a map is wanted here, not text"},
        {"{\"a\": {\"p\": null}}", "m.json: a: p: a map is wanted here, not nothing"},
        {"{\"a\": {\"p\": {\"v\": 1}}}", "m.json: a: p: a map is wanted here, not a number"},
        {"{\"a\": {\"p\": {\"v\": {}}}}",
         "m.json: a: \"version\" is missing\nm.json: a: \"relative_path\" is missing\n"
         "m.json: a: \"size\" is missing\nm.json: a: \"sha256\" is missing"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(redist_clear) struct redist r = {0};
        CLEANUP(buf_clear) struct buf said = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct redist_file f;
        bool found;

        parse(&r, cases[i][0]);
        assert_int_equal(redist_find(&f, &r, STR("a"), STR("p"), STR("v"), &found, &e), -1);
        assert_string_equal(told(&said, &e), cases[i][1]);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_false(found);
    }
}

static void a_fault_elsewhere_does_no_harm(void **state)
{
    CLEANUP(redist_clear) struct redist r = {0};
    CLEANUP(buf_clear) struct buf names = {0};
    struct strs list = {0};
    struct err e = {0};
    struct redist_file f;
    bool found;

    parse(&r, "{\"bad\": 7, \"\\u001b[31m\": {\"p\": {}}, \"b\": {\"p\": []}, \"a\": {\"version\": "
              "\"1\", \"q\": 5, \"p\": {\"relative_path\": \"x\", \"size\": \"1\", \"sha256\": "
              "\"" HEX "\"}}}");
    assert_int_equal(redist_find(&f, &r, STR("a"), STR("p"), STR(""), &found, &e), 0);
    assert_true(found);
    redist_list(&list, &r, STR("p")); /* nothing in it can play tricks on a terminal */
    join(&names, &list);
    assert_string_equal(names.p, "a b");
    vec_clear(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recorded_manifest_is_read),
        cmocka_unit_test(a_variant_is_chosen),
        cmocka_unit_test(other_documents_are_refused),
        cmocka_unit_test(limits_hold_at_their_edges),
        cmocka_unit_test(bad_rows_are_refused),
        cmocka_unit_test(a_long_path_is_refused),
        cmocka_unit_test(wrong_kinds_are_refused),
        cmocka_unit_test(a_fault_elsewhere_does_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
