/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "pkg/deb/debindex.h"

static const char hash[] = "00000000000000000000000000000000000000000000000000000000000000aa";

static int add(struct debindex *index, const char *text, const char *from, struct err *e)
{
    return debindex_add(index, xstrdup(text), strlen(text), from, "https://archive.example/debian/",
                        e);
}

static void the_highest_version_of_all_suites_leads(void **state)
{
    CLEANUP(debindex_clear) struct debindex index = {.arch = STR("amd64")};
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(add(&index,
                         "Package: b\nVersion: 1\nArchitecture: all\n\n\n"
                         "Package: a\nVersion: 1.9\nArchitecture: amd64\n",
                         "stable/main", &e),
                     0);
    assert_int_equal(add(&index,
                         "Package: a\nVersion: 1.10\nArchitecture: amd64\n\n"
                         "Package: a\nVersion: 1.2\nArchitecture: amd64\n\n"
                         "Package: a\nVersion: 1.9\nArchitecture: amd64\n",
                         "security/main", &e),
                     0);
    debindex_finish(&index);
    const struct deb_package *a = debindex_find(&index, STR("a"));
    assert_true(str_is(a->version, "1.10") && str_is(a->origin->from, "security/main"));
    a = a->next_version;
    assert_true(str_is(a->version, "1.9") &&
                str_is(a->origin->from, "stable/main")); /* added first */
    a = a->next_version;
    assert_true(str_is(a->version, "1.2"));
    assert_null(a->next_version);
    assert_int_equal(index.packages.n, 2);
    assert_true(str_is(index.packages.v[0]->name, "a") && str_is(index.packages.v[1]->name, "b"));
    assert_null(debindex_find(&index, STR("c")));
}

static void other_architectures_are_passed_over(void **state)
{
    CLEANUP(debindex_clear) struct debindex index = {.arch = STR("arm64")};
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(add(&index,
                         "Package: a\nVersion: 1\nArchitecture: amd64\nProvides: v\n\n"
                         "Package: b\nVersion: 1\nArchitecture: arm64\n\n"
                         "Package: c\nVersion: 1\nArchitecture: all\n",
                         "t", &e),
                     0);
    debindex_finish(&index);
    assert_int_equal(index.packages.n, 2);
    assert_null(debindex_find(&index, STR("a")));
    assert_null(debindex_providers(&index, STR("v")));
}

static struct str field(const struct deb_package *p, const char *name)
{
    CLEANUP(err_clear) struct err e = {0};
    struct str value = {0};

    if (deb_package_field(&value, p, name, &e) < 0)
        fail_msg("%s", e.msg);
    return value;
}

static void flags_and_fields_are_read(void **state)
{
    CLEANUP(debindex_clear) struct debindex index = {.arch = STR("amd64")};
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(
        add(&index,
            "package: a\nEssential: yes\nVERSION: 1\nArchitecture: amd64\nPriority: required\n"
            "Multi-Arch: allowed\nDescription: one\n two\nDepends: one,\n two\nProtected: yes\n\n"
            "Package: b\nVersion: 1\nArchitecture: amd64\nEssential: no\nMulti-Arch: same\n",
            "t", &e),
        0);
    debindex_finish(&index);
    const struct deb_package *a = debindex_find(&index, STR("a")),
                             *b = debindex_find(&index, STR("b"));
    assert_true(a->essential && a->important && a->any && a->priority == DEB_REQUIRED);
    assert_true(!b->essential && !b->important && !b->any && b->priority == DEB_UNRANKED);
    assert_true(str_is(field(a, "depends"), "one,\n two"));
    assert_int_equal(field(b, "Depends").len, 0);
    assert_int_equal(field(a, "Description").len, 0); /* not kept */
}

static void providers_come_by_rank_then_name(void **state)
{
    CLEANUP(debindex_clear) struct debindex index = {.arch = STR("amd64")};
    CLEANUP(err_clear) struct err e = {0};
    static const char *const want[] = {"e", "r", "a", "b"};
    size_t n = 0;

    assert_int_equal(
        add(&index,
            "Package: b\nVersion: 1\nArchitecture: all\nPriority: optional\nProvides: x,\n v (= "
            "2),\n y\n\n"
            "Package: r\nVersion: 1\nArchitecture: all\nPriority: required\nProvides: v\n\n"
            "Package: a\nVersion: 1\nArchitecture: all\nPriority: optional\nProvides: v\n\n"
            "Package: e\nVersion: 1\nArchitecture: all\nEssential: yes\nProvides: v\n",
            "t", &e),
        0);
    debindex_finish(&index);
    for (const struct deb_provider *v = debindex_providers(&index, STR("v")); v; v = v->next, n++)
        assert_true(str_is(v->package->name, want[n]) &&
                    str_is(v->version, str_is(v->package->name, "b") ? "2" : ""));
    assert_int_equal(n, 4);
    assert_non_null(debindex_providers(&index, STR("y")));
    assert_null(debindex_providers(&index, STR("z")));
}

static void mentions_follow_the_texts(void **state)
{
    CLEANUP(debindex_clear) struct debindex index = {.arch = STR("amd64")};
    CLEANUP(err_clear) struct err e = {0};
    static const char *const want[] = {"a", "p", "d", "x", "r"};

    /* apt reads Pre-Depends before Depends before Recommends, whatever the paragraph's order. */
    assert_int_equal(add(&index,
                         "Package: a\nVersion: 1\nArchitecture: all\nRecommends: r\nDepends: d (>= "
                         "1) |\n x, p:any\n"
                         "Pre-Depends: p\nDescription: z\n z\n\n"
                         "Package: x\nVersion: 1\nArchitecture: all\n\nPackage: d\nVersion: "
                         "1\nArchitecture: all\n\n"
                         "Package: p\nVersion: 1\nArchitecture: all\n\nPackage: r\nVersion: "
                         "1\nArchitecture: all\n",
                         "t", &e),
                     0);
    debindex_finish(&index);
    for (size_t i = 1; i < ARRAY_LEN(want); i++)
        assert_true(debindex_mention(&index, debindex_find(&index, str_of(want[i - 1]))) <
                    debindex_mention(&index, debindex_find(&index, str_of(want[i]))));
}

static void what_is_incomplete_is_refused(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"Package: a\nVersion: 1\n", "lacks Package, Version or Architecture"},
        {"Version: 1\nArchitecture: all\n", "lacks Package, Version or Architecture"},
        {"<html>\n", "lacks Package, Version or Architecture"},
        {"Package: a\nVersion: 1\nArchitecture: all\nProvides: b (1)\n", "Provides of a"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(debindex_clear) struct debindex index = {.arch = STR("amd64")};
        CLEANUP(err_clear) struct err e = {0};
        assert_int_equal(add(&index, cases[i].text, "suite/main", &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_non_null(strstr(e.msg, cases[i].says));
        assert_non_null(strstr(e.msg, "suite/main"));
    }
}

static void a_file_is_known_by_url_size_and_digest(void **state)
{
    static const struct {
        const char *filename, *size, *sha256, *says;
    } cases[] = {
        {"pool/a_1.deb", "12", hash, NULL},
        {"../a_1.deb", "12", hash, "no usable Filename"},
        {"pool/../../a_1.deb", "12", hash, "no usable Filename"},
        {"/a_1.deb", "12", hash, "no usable Filename"},
        {"", "12", hash, "no usable Filename"},
        {"pool/a_1.deb", "-1", hash, "Size or SHA256"},
        {"pool/a_1.deb", "12", "aa", "Size or SHA256"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(debindex_clear) struct debindex index = {.arch = STR("amd64")};
        CLEANUP(arena_clear) struct arena arena = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf text = {0};
        struct deb_file f = {0};
        buf_fmt(&text,
                "Package: a\nVersion: 1\nArchitecture: all\nFilename: %s\nSize: %s\nSHA256: %s\n",
                cases[i].filename, cases[i].size, cases[i].sha256);
        assert_int_equal(add(&index, text.p, "t", &e), 0);
        debindex_finish(&index);
        int result = deb_package_file(&f, &arena, debindex_find(&index, STR("a")), &e);
        assert_int_equal(result, cases[i].says ? -1 : 0);
        if (cases[i].says) {
            assert_non_null(strstr(e.msg, cases[i].says));
            continue;
        }
        assert_true(str_is(f.url, "https://archive.example/debian/pool/a_1.deb"));
        assert_true(str_is(f.file, "a_1.deb"));
        assert_int_equal(f.size, 12);
        assert_int_equal(f.digest.bytes[31], 0xaa);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_highest_version_of_all_suites_leads),
        cmocka_unit_test(other_architectures_are_passed_over),
        cmocka_unit_test(flags_and_fields_are_read),
        cmocka_unit_test(providers_come_by_rank_then_name),
        cmocka_unit_test(mentions_follow_the_texts),
        cmocka_unit_test(what_is_incomplete_is_refused),
        cmocka_unit_test(a_file_is_known_by_url_size_and_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
