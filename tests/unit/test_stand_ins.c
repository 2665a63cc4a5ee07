/* tests/unit/test_stand_ins.c - packages of ours in an image's dpkg database: what they stand in
 * for, and what dpkg and the solver read of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "assemble/import/stand_in.h"
#include "plan/toolkit/stand_ins.h"

static void add_wheel(struct lock *l, const char *name, const char *version)
{
    struct artifact *a = vec_push(&l->artifacts);

    *a = (struct artifact){.eco = ECO_WHEEL, .name = str_of(name), .version = str_of(version)};
}

/* As debian-13's file says it, where the archive has these versions. */
static void choose(struct lock *l, const char *release, const char *cublas, const char *cufft)
{
    CLEANUP(catalog_clear) struct catalog c = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct base_toolkit base = {0};
    struct strs versions = {0};

    assert_int_equal(catalog_open(&c, NULL, &e), 0);
    l->python = STR("3.13");
    l->toolkit.from = STR("apt");
    l->toolkit.version = str_of(release);
    vec_add(&base.driver, STR("libcuda1"));
    vec_add(&base.driver, STR("libcuda.so.1"));
    vec_add(&base.libraries,
            ((struct base_library){STR_INIT("libcublas12"), STR_INIT("nvidia-cublas-cu12"),
                                   STR_INIT("nvidia/cublas/lib/libcublas.so.12")}));
    vec_add(&base.libraries,
            ((struct base_library){STR_INIT("libcufft11"), STR_INIT("nvidia-cufft-cu12"),
                                   STR_INIT("nvidia/cufft/lib/libcufft.so.11")}));
    vec_add(&versions, str_of(cublas));
    vec_add(&versions, str_of(cufft));
    stand_ins_choose(l, &base, &c, &versions);
    vec_clear(&base.driver);
    vec_clear(&base.libraries);
    vec_clear(&versions);
}

static void the_driver_is_the_hosts(void **state)
{
    CLEANUP(lock_clear) struct lock l = {0};
    CLEANUP(buf_clear) struct buf text = {0};

    choose(&l, "12.4.1", "12.4.5.8~12.4.1-2", "11.2.1.3~12.4.1-2"); /* no wheel has them */
    assert_int_equal(l.toolkit.stand_ins.n, 1);
    stand_ins_print(&text, &l);
    assert_string_equal(text.p, "Package: envbuild-driver-of-host\nVersion: 550.54.15\n"
                                "Architecture: all\nProvides: libcuda1 (= 550.54.15), "
                                "libcuda.so.1 (= 550.54.15)\n\n");
    assert_true(stand_ins_has(&l, STR("envbuild-driver-of-host")));
    assert_false(stand_ins_has(&l, STR("libcuda1")));
}

/* The driver of a toolkit that has none confirmed is at least that of its family. */
static void without_a_driver_of_its_own_it_is_the_familys(void **state)
{
    CLEANUP(lock_clear) struct lock l = {0};

    l.facts.driver_min = STR("580.65.06");
    choose(&l, "13.2.2", "", "");
    assert_true(str_is(l.toolkit.stand_ins.v[0].version, "580.65.06"));
}

static void a_wheel_stands_in_where_the_versions_agree(void **state)
{
    static const struct {
        const char *wheel, *package;
        bool same;
    } cases[] = {
        {"12.4.5.8", "12.4.5.8~12.4.1-2", true},
        {"10.3.5.147", "11.1.1+~10.3.5.147~12.4.1-2", true}, /* the package's own number first */
        {"11.1.1", "11.1.1+~10.3.5.147~12.4.1-2", false},
        {"12.4.5", "12.4.5.8~12.4.1-2", false},
        {"12.4.5.80", "12.4.5.8~12.4.1-2", false},
        {"12.4.1-2", "12.4.5.8~12.4.1-2", true}, /* no wheel is of such a version */
        {"12.4.5.8", "12.4.5.8-2", false},
        {"12.4.5.8", "", false}, /* the archive has none */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(lock_clear) struct lock l = {0};

        add_wheel(&l, "nvidia-cublas-cu12", cases[i].wheel);
        choose(&l, "12.4.1", cases[i].package, "11.2.1.3~12.4.1-2");
        if ((l.toolkit.stand_ins.n == 2) != cases[i].same)
            fail_msg("%s and %s", cases[i].wheel, cases[i].package);
    }
}

static void a_library_is_a_link_to_the_wheels(void **state)
{
    CLEANUP(lock_clear) struct lock l = {0};
    const struct lock_stand_in *s;

    add_wheel(&l, "nvidia-cublas-cu12", "12.4.5.8");
    choose(&l, "12.4.1", "12.4.5.8~12.4.1-2", "11.2.1.3~12.4.1-2");
    assert_int_equal(l.toolkit.stand_ins.n, 2);
    s = &l.toolkit.stand_ins.v[1];
    assert_true(str_is(s->name, STAND_IN_LIBRARIES) && str_is(s->version, "12.4.1"));
    assert_int_equal(s->provides.n, 1);
    assert_true(str_is(s->provides.v[0], "libcublas12 (= 12.4.5.8~12.4.1-2)"));
    assert_int_equal(s->links.n, 1);
    assert_true(str_is(s->links.v[0].path, "/usr/lib/x86_64-linux-gnu/libcublas.so.12"));
    assert_true(str_is(s->links.v[0].target, "/opt/venv/lib/python3.13/site-packages/nvidia/cublas/"
                                             "lib/libcublas.so.12"));
}

/* ---- as a package ---- */

static void dpkg_reads_a_package_like_any_other(void **state)
{
    CLEANUP(debpkg_clear) struct debpkg p = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf files = {0};
    struct lock_stand_in s = {.name = STR_INIT("envbuild-cuda-of-wheels"),
                              .version = STR_INIT("12.4.1"),
                              .summary = STR_INIT("libraries")};
    const struct deb_entry *d;

    vec_add(&s.provides, STR("libcublas12 (= 12.4.5.8~12.4.1-2)"));
    vec_add(&s.provides, STR("libcufft11 (= 11.2.1.3~12.4.1-2)"));
    vec_add(&s.links,
            ((struct lock_link){STR_INIT("/usr/lib/x/libcublas.so.12"), STR_INIT("/opt/a")}));
    vec_add(&s.links,
            ((struct lock_link){STR_INIT("/usr/lib/x/libcufft.so.11"), STR_INIT("/opt/b")}));
    if (stand_in_package(&p, &s, 1700000000, &e) < 0)
        fail_msg("%s", e.msg);
    assert_string_equal(
        debpkg_text(&p, "control").p,
        "Package: envbuild-cuda-of-wheels\nPriority: optional\nSection: misc\nInstalled-Size: 0\n"
        "Maintainer: envbuild <envbuild@localhost>\nArchitecture: all\nVersion: 12.4.1\n"
        "Replaces: libcublas12, libcufft11\n"
        "Provides: libcublas12 (= 12.4.5.8~12.4.1-2), libcufft11 (= 11.2.1.3~12.4.1-2)\n"
        "Description: libraries\n A stand-in made by envbuild, so that the packages that depend on "
        "what it provides\n are whole.\n");
    vec_each(d, &p.entries)
        buf_fmt(&files, STR_FMT "%s" STR_FMT "\n", STR_ARG(d->entry.path),
                d->entry.link.len ? " -> " : "", STR_ARG(d->entry.link));
    assert_string_equal(files.p, "usr\nusr/lib\nusr/lib/x\nusr/lib/x/libcublas.so.12 -> /opt/a\n"
                                 "usr/lib/x/libcufft.so.11 -> /opt/b\n");
    assert_int_equal(p.newest, 1700000000);
    assert_true(str_is(p.arch, "all"));
    vec_clear(&s.provides);
    vec_clear(&s.links);
}

/* Whatever a lock says: nothing but a package with links comes of it. */
static void what_is_no_package_is_refused(void **state)
{
    static const struct {
        struct str name, version, path, target;
    } cases[] = {
        {STR_INIT("../x"), STR_INIT("1"), STR_INIT("/a"), STR_INIT("/b")},
        {STR_INIT("a/b"), STR_INIT("1"), STR_INIT("/a"), STR_INIT("/b")},
        {STR_INIT(""), STR_INIT("1"), STR_INIT("/a"), STR_INIT("/b")},
        {STR_INIT("a"), STR_INIT(""), STR_INIT("/a"), STR_INIT("/b")},
        {STR_INIT("a"), STR_INIT("1\nStatus: x"), STR_INIT("/a"), STR_INIT("/b")},
        {STR_INIT("a"), STR_INIT("1\n\nPackage: b"), STR_INIT("/a"), STR_INIT("/b")},
        {STR_INIT("a"), STR_INIT("1"), STR_INIT("../x"), STR_INIT("/b")},
        {STR_INIT("a"), STR_INIT("1"), STR_INIT("/../x"), STR_INIT("/b")},
        {STR_INIT("a"), STR_INIT("1"), STR_INIT("/x//y"), STR_INIT("/b")},
        {STR_INIT("a"), STR_INIT("1"), STR_INIT("/"), STR_INIT("/b")},
        {STR_INIT("a"), STR_INIT("1"), STR_INIT("/x"), STR_INIT("")},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(debpkg_clear) struct debpkg p = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct lock_stand_in s = {
            .name = cases[i].name, .version = cases[i].version, .summary = STR_INIT("s")};

        vec_add(&s.links, ((struct lock_link){cases[i].path, cases[i].target}));
        if (stand_in_package(&p, &s, 1, &e) == 0)
            fail_msg("case %zu is taken", i);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_int_equal(p.entries.n, 0);
        vec_clear(&s.links);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_driver_is_the_hosts),
        cmocka_unit_test(without_a_driver_of_its_own_it_is_the_familys),
        cmocka_unit_test(a_wheel_stands_in_where_the_versions_agree),
        cmocka_unit_test(a_library_is_a_link_to_the_wheels),
        cmocka_unit_test(dpkg_reads_a_package_like_any_other),
        cmocka_unit_test(what_is_no_package_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
