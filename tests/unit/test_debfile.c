/* SPDX-License-Identifier: Apache-2.0 */
#include "mkdeb.h"
#include "pkg/deb/debfile.h"

static const char control_text[] = "Package: demo\nVersion: 1.0-1\nArchitecture: all\n"
                                   "Description: a test\n with two lines\n";
static const struct mk control[] = {
    MK_DIR("./", 0755),
    MK_FILE("./control", 0644, control_text),
    MK_FILE("./postinst", 0755, "#!/bin/sh\nset -e\n"),
    MK_FILE("./conffiles", 0644, "/etc/demo\n"),
    MK_END,
};
static const struct mk data[] = {
    MK_DIR("./", 0755),
    MK_DIR("./etc/", 0755),
    MK_FILE("./etc/demo", 0640, "x"),
    MK_END,
};

static int open_bytes(struct debfile *d, struct input *in, struct str bytes, struct err *e)
{
    mk_input(in, "demo.deb", bytes);
    return debfile_open(d, in, e);
}

static int count(void *ctx, const struct tar_entry *u, struct source *bytes, struct err *e)
{
    ++*(int *)ctx;
    return 0;
}

static void a_deb_opens_and_is_walked(void **state)
{
    CLEANUP(buf_clear) struct buf deb = {0};
    CLEANUP(debfile_clear) struct debfile d = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct input in;
    int seen = 0;

    mk_deb(&deb, control, data);
    assert_int_equal(open_bytes(&d, &in, buf_view(&deb), &e), 0);
    assert_int_equal(d.members.n, 3);
    assert_true(str_is(d.members.v[0].name, "conffiles")); /* sorted */
    assert_int_equal(d.members.v[0].mtime, 1700000000);
    assert_true(str_is(debfile_member(&d, "conffiles"), "/etc/demo\n"));
    assert_int_equal(debfile_member(&d, "prerm").len, 0);
    assert_true(str_is(control_get(&d.control, "version"), "1.0-1"));
    assert_int_equal(debfile_walk(&d, &in, count, &seen, &e), 0);
    assert_int_equal(seen, 3);
    fd_clear(&in.fd);
}

static void refuse(struct str bytes, const char *says)
{
    CLEANUP(debfile_clear) struct debfile d = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct input in;

    assert_int_equal(open_bytes(&d, &in, bytes, &e), -1);
    assert_string_equal(e.msg, says);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_int_equal(d.members.n, 0);
    fd_clear(&in.fd);
}

static void other_files_are_no_debs(void **state)
{
    CLEANUP(buf_clear) struct buf v3 = {0};
    CLEANUP(buf_clear) struct buf order = {0};
    CLEANUP(buf_clear) struct buf bzip = {0};
    CLEANUP(buf_clear) struct buf cut = {0};

    refuse(STR("!<ar"), "demo.deb: not a deb: too short");
    refuse(STR("PK\3\4 something else"), "demo.deb: not a deb: not an ar archive");
    refuse(STR("!<arch>\n"), "demo.deb: not a deb: it ends before its data part");
    mk_ar(&v3, "debian-binary", STR("3.0\n"));
    refuse(buf_view(&v3), "demo.deb: deb format \"3.0\" is not known; 2.0 is");
    mk_ar(&order, "debian-binary", STR("2.0\n"));
    mk_ar(&order, "data.tar.xz", STR("x"));
    refuse(buf_view(&order),
           "demo.deb: not a deb: \"data.tar.xz\" stands where control.tar belongs");
    mk_ar(&bzip, "debian-binary", STR("2.0\n"));
    mk_ar(&bzip, "control.tar.bz2", STR("x"));
    refuse(buf_view(&bzip),
           "demo.deb: \"control.tar.bz2\" is compressed in a way that is not supported; "
           "supported: .xz, .gz, .zst");
    mk_deb(&cut, control, data);
    refuse(str_sub(buf_view(&cut), 0, 100), "demo.deb: not a deb: it ends before its data part");
    refuse(str_sub(buf_view(&cut), 0, 200), "demo.deb: not a deb: a broken ar header at byte 72");
}

static void a_size_beyond_the_file_is_refused(void **state)
{
    CLEANUP(buf_clear) struct buf deb = {0};

    mk_deb(&deb, control, data);
    memcpy(deb.p + 72 + 48, "9999999999", 10);
    refuse(buf_view(&deb), "demo.deb: not a deb: a broken ar header at byte 72");
}

static void odd_control_parts_are_refused(void **state)
{
    static const struct mk pax[] = {
        {.path = "PaxHeaders", .type = 'x', .data = "20 mtime=1700000000\n", .posix = true},
        {.path = "./control", .type = '0', .mode = 0644, .data = control_text, .posix = true},
        MK_END,
    };
    static const struct mk twice[] = {
        MK_FILE("./control", 0644, control_text),
        MK_FILE("./control", 0644, control_text),
        MK_END,
    };
    static const struct mk deep[] = {MK_FILE("./a/control", 0644, control_text), MK_END};
    static const struct mk none[] = {MK_FILE("./postinst", 0755, "x"), MK_END};
    static const struct mk nameless[] = {MK_FILE("./control", 0644, "Package: demo\n"), MK_END};
    static const struct {
        const struct mk *control;
        const char *says;
    } cases[] = {
        {pax, "demo.deb: a tar in pax form, which no deb may hold"},
        {twice, "demo.deb: two members \"control\""},
        {deep, "demo.deb: \"a/control\" does not belong into a control part"},
        {none, "demo.deb: not a deb: no control file"},
        {nameless, "demo.deb: control names no package, version and architecture"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf deb = {0};
        mk_deb(&deb, cases[i].control, data);
        refuse(buf_view(&deb), cases[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deb_opens_and_is_walked),
        cmocka_unit_test(other_files_are_no_debs),
        cmocka_unit_test(a_size_beyond_the_file_is_refused),
        cmocka_unit_test(odd_control_parts_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
