/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "assemble/toolkit/stub_library.h"
#include "assemble/toolkit/stub_names.h"

static int read_one(struct stub_names *out, const char *prefix, struct str header, struct err *e)
{
    struct strs headers = {&header, 1, 1};

    return stub_names_read(out, str_of(prefix), &headers, e);
}

static char *joined(const struct strs *names)
{
    struct buf text = {0};

    for (size_t i = 0; i < names->n; i++)
        buf_fmt(&text, "%s" STR_FMT, i ? " " : "", STR_ARG(names->v[i]));
    return buf_take(&text);
}

static void check(const char *header, const char *names)
{
    CLEANUP(stub_names_clear) struct stub_names found = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(free_clear) char *text = NULL;

    if (read_one(&found, "gx", str_of(header), &e) < 0)
        assert_string_equal("", e.msg);
    text = joined(&found.names);
    assert_string_equal(text, names);
}

static void functions_are_what_is_declared(void **state)
{
    static const char *const cases[][2] = {
        {"GXresult GXAPI gxInit(unsigned flags);", "gxInit"},
        {"GXresult gxB(void);GXresult gxA(void); GXresult gxB(void);", "gxA gxB"},
        {"GXresult GXAPI\ngxWide\n(int a,\n int b\n);", "gxWide"},
        {"extern \"C\" { GXresult gxInC(void); }", "gxInC"},
        {"const API char* gxText(int);", "gxText"},
        {"DEPRECATED(\"gxOld(\") int gxNew(void);", "gxNew"},
        {"int /* of gxNot( */ gxA /**/ (void); // int gxNot(void);\n", "gxA"},
        {"char q = '\"'; int gxA(void); char *s = \"\\\"; int gxNot(void);\";", "gxA"},
        {"it's no literal\nint gxA(void);", "gxA"}, /* one that does not end */
        {"int gxA(int (*gxNot)(int), gxNot2 x); typedef int gxNot3(void);", "gxA"},
        {"typedef int (GXAPI *PFN_gxNot)(int); int gxA(void);", "gxA"},
        {"int gxlower(void); int Gxno(void); int gx(void); int gx_no(void); int gxA2_v2(void);",
         "gxA2_v2"},
        {"static inline int gxNot(void) { return gxA(1) + gxNot2(); } int gxB(void);", "gxB"},
        {"struct gxS { int gxNot; } s; enum { gxN = sizeof(int), gxM }; int gxB(void);", "gxB"},
        {"int gxA(void)", "gxA"}, /* the end is missing */
        {"int gxA(void); /* and no end of this; int gxNot(void);", "gxA"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check(cases[i][0], cases[i][1]);
}

static void renamed_functions_have_both_names(void **state)
{
    static const char *const cases[][2] = {
        {"#define gxA gxA_v2\nint gxA(void);", "gxA gxA_v2"},
        {"#define gxA gxA_v2\nint gxA_v2(void);", "gxA gxA_v2"},
        {"int gxA_v2(void);\n#define gxA gxA_v2 /* at\nlast */\n", "gxA gxA_v2"},
        {"  # \\\n define gxA \\\n gxA_v2\nint gxA(void);", "gxA gxA_v2"},
        {"#define gxA gxB\n#define gxB gxC\nint gxC(void);", "gxA gxB gxC"},
        {"#define gxOldType_t gxNewType_t\n#define gxMaskAll (gxMaskA | gxMaskB)\nint gxA(void);",
         "gxA"},
        {"#define gxA gxOther + 1\n#define gxA\nint gxA(void);", "gxA"},
        {"#define gxA __CUDA_API_PTDS(gxA_v2)\nint gxA(void);", "gxA gxA_v2 gxA_v2_ptds"},
        {"#define gxA __CUDA_API_PTSZ( gxA )\nint gxA(void);", "gxA gxA_ptsz"},
        {"#define gxA __CUDA_API_OTHER(gxA)\nint gxA(void);", "gxA"},
        {"#define __CUDA_API_PTDS(api) api ## _ptds\nint gxA(void);", "gxA"},
        /* what the header itself defines, the library has not */
        {"static inline int gxA_here(void) { return gxA(); }\n#define gxA gxA_here\nint gxA(void);",
         "gxA"},
        {"#define gxA(x) gxNot(x)\nint gxB(void);", "gxB"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check(cases[i][0], cases[i][1]);
}

static void both_sides_of_a_condition_are_read(void **state)
{
    static const char *const cases[][2] = {
        {"#if defined(INTERNAL)\n#undef gxA\nint gxA(void);\n#elif X\nint gxB(void);\n"
         "#else\nint gxC(void);\n#endif\n",
         "gxA gxB gxC"},
        {"#ifdef _WIN32\nint gxNot(void);\n#if X\nint gxNot2(void);\n#else\n#endif\n"
         "int gxNot3(void);\n#else\nint gxA(void);\n#endif\nint gxB(void);",
         "gxA gxB"},
        {"#if defined _WINDOWS\n#define gxA gxNot\n#endif\nint gxA(void);", "gxA"},
        {"#if defined(_WIN64) || defined(__LP64__)\nint gxA(void);\n#endif\n", "gxA"},
        {"#if 0\nint gxNot(void);\n#endif\n#ifndef _WIN32\nint gxA(void);\n#endif\n", "gxA"},
        {"#endif\n#else\n#endif\nint gxA(void);", "gxA"},
        {"#error don't\nint gxA(void);", "gxA"},
        {"int a; #ifdef _WIN32\nint gxA(void);", "gxA"}, /* no directive there */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check(cases[i][0], cases[i][1]);
}

static void functions_that_return_text_are_known(void **state)
{
    CLEANUP(stub_names_clear) struct stub_names found = {0};
    CLEANUP(err_clear) struct err e = {0};
    static const char header[] = "int gxInit(const char *); const char API *gxString(int);\n"
                                 "const char *gxName(int);\n#define gxString gxString_v2\n"
                                 "int gxGetName(int, const char **);";
    CLEANUP(free_clear) char *texts = NULL;

    assert_int_equal(read_one(&found, "gx", str_of(header), &e), 0);
    texts = joined(&found.texts);
    assert_string_equal(texts, "gxName gxString gxString_v2");
    assert_int_equal(found.names.n, 5);
}

static void headers_complete_each_other(void **state)
{
    CLEANUP(stub_names_clear) struct stub_names found = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct str texts[] = {STR("#define gxA gxA_v2\n/* no end"),
                          STR("#ifdef _WIN32\nint gxNot(void);"), STR("int gxA(void);")};
    struct strs headers = {texts, ARRAY_LEN(texts), ARRAY_LEN(texts)};
    CLEANUP(free_clear) char *names = NULL;

    assert_int_equal(stub_names_read(&found, STR("gx"), &headers, &e), 0);
    names = joined(&found.names);
    assert_string_equal(names, "gxA gxA_v2");
}

static void refused(struct str header, const char *message)
{
    CLEANUP(stub_names_clear) struct stub_names found = {0};
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(read_one(&found, "gx", header, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.msg, message));
    assert_int_equal(found.names.n, 0);
}

static void what_is_no_header_is_refused(void **state)
{
    CLEANUP(buf_clear) struct buf many = {0}, longest = {0};

    refused(STR(""), "no function whose name begins with \"gx\"");
    refused(STR("int main(void);"), "no function");
    refused(STR("#define gxA gxA_v2\n"), "no function");

    for (unsigned i = 0; i <= STUB_SYMBOLS_MAX; i++)
        buf_fmt(&many, "int gxF%u(void);", i);
    refused(buf_view(&many), "more than 16384 functions");

    buf_puts(&longest, "int gx");
    while (longest.len < 4 + STUB_NAME_MAX)
        buf_putc(&longest, 'X');
    CLEANUP(free_clear) char *fits = xstrdup(longest.p);
    buf_puts(&longest, "X(void);");
    refused(buf_view(&longest), "has 256 bytes");

    CLEANUP(stub_names_clear) struct stub_names found = {0};
    CLEANUP(err_clear) struct err e = {0};
    buf_reset(&longest);
    buf_fmt(&longest, "%s(void);", fits);
    assert_int_equal(read_one(&found, "gx", buf_view(&longest), &e), 0);
    buf_fmt(&longest, "\n#define gxY __CUDA_API_PTDS(%s)\n", fits + 4);
    refused(buf_view(&longest), "bytes");

    buf_reset(&many);
    while (many.len <= STUB_HEADER_MAX)
        buf_puts(&many, "int gxA(void);                                  ");
    refused(buf_view(&many), "a header of");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_what_is_declared),
        cmocka_unit_test(renamed_functions_have_both_names),
        cmocka_unit_test(both_sides_of_a_condition_are_read),
        cmocka_unit_test(functions_that_return_text_are_known),
        cmocka_unit_test(headers_complete_each_other),
        cmocka_unit_test(what_is_no_header_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
