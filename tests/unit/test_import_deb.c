/* tests/unit/test_import_deb.c - debs become records of what they hold, and what no image can hold
 * is refused by name. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "mkdeb.h"

#include "assemble/import/import_deb.h"
#include "assemble/system/system.h"

#define CONTROL(name) "Package: " name "\nVersion: 1:1.0-1\nArchitecture: all\nDescription: d\n"

struct importing {
    struct spool spool;
    struct debpkg p[2];
    struct err e;
};

static void importing_clear(struct importing *i)
{
    debpkg_clear(&i->p[0]);
    debpkg_clear(&i->p[1]);
    spool_clear(&i->spool);
    err_clear(&i->e);
}

static int import(struct importing *i, unsigned which, const char *control, const struct mk *files)
{
    const struct mk members[] = {MK_FILE("./control", 0644, control),
                                 MK_FILE("./postinst", 0755, "#!/bin/sh\n"),
                                 MK_FILE("./md5sums", 0644, "0  x\n"), MK_END};
    CLEANUP(buf_clear) struct buf deb = {0};
    struct input in;
    int result;

    if (!which)
        spool_open(&i->spool, "/tmp");
    mk_deb(&deb, members, files);
    mk_input(&in, which ? "two.deb" : "one.deb", buf_view(&deb));
    result = import_deb(&i->p[which], &i->spool, &in, &i->e);
    fd_clear(&in.fd);
    return result;
}

static void a_record_holds_what_the_deb_does(void **state)
{
    static char big[1000];
    const struct mk files[] = {
        MK_DIR("./", 0755),
        MK_DIR("./usr/", 0755),
        MK_FILE("./usr/small", 04755, "x"),
        MK_OWNED("./usr/big", 0640, big, "root", "shadow"),
        MK_LINK("./usr/link", "../etc/x"),
        MK_HARD("./usr/hard", "./usr/small"),
        MK_END,
    };
    static const char *const lines[] = {"1 755 usr root", "0 4755 usr/small root x",
                                        "0 640 usr/big shadow", "2 777 usr/link root ../etc/x",
                                        "3 644 usr/hard root usr/small"};
    CLEANUP(importing_clear) struct importing i = {0};
    char read[sizeof big] = {0};

    memset(big, 'b', sizeof big - 1);
    assert_int_equal(import(&i, 0, CONTROL("demo") "Multi-Arch: same\n", files), 0);
    assert_true(str_is(i.p[0].name, "demo") && str_is(i.p[0].version, "1:1.0-1"));
    assert_true(str_is(i.p[0].arch, "all") && i.p[0].same);
    assert_int_equal(i.p[0].newest, 1700000000);
    assert_int_equal(i.p[0].entries.n, ARRAY_LEN(lines));
    for (size_t k = 0; k < ARRAY_LEN(lines); k++) {
        const struct deb_entry *d = &i.p[0].entries.v[k];
        const struct content *c = &d->entry.content;
        CLEANUP(buf_clear) struct buf line = {0};

        buf_fmt(&line, "%u %o " STR_FMT " " STR_FMT "%s" STR_FMT, (unsigned)d->entry.type,
                d->entry.mode, STR_ARG(d->entry.path), STR_ARG(d->gname),
                d->entry.link.len ? " " : "", STR_ARG(d->entry.link));
        if (d->entry.type == ENTRY_FILE && c->kind == CONTENT_BYTES)
            buf_fmt(&line, " %.*s", (int)c->size, (const char *)c->bytes);
        assert_string_equal(line.p, lines[k]);
    }
    assert_int_equal(i.p[0].entries.v[2].entry.content.kind, CONTENT_RANGE);
    assert_int_equal(fd_pread_all(i.spool.input.fd.n, read, sizeof big - 1,
                                  i.p[0].entries.v[2].entry.content.offset, "spool", &i.e),
                     0);
    assert_string_equal(read, big);
    assert_int_equal(i.p[0].infos.n, 3);
    assert_true(str_is(debpkg_text(&i.p[0], "postinst"), "#!/bin/sh\n"));
    assert_true(str_is(debpkg_text(&i.p[0], "md5sums"), "")); /* no rule looks into it */
    assert_true(str_is(debpkg_text(&i.p[0], "prerm"), ""));
}

static void what_is_no_sound_deb_is_refused(void **state)
{
    static const struct {
        const char *control;
        struct mk files[3];
        const char *says;
    } cases[] = {
        {CONTROL("../x"),
         {MK_END},
         "one.deb: \"../x\", \"1:1.0-1\", \"all\" are no package, version and architecture"},
        {CONTROL("x y"),
         {MK_END},
         "one.deb: \"x y\", \"1:1.0-1\", \"all\" are no package, version and architecture"},
        {"Package: x\nVersion: one\nArchitecture: all\n",
         {MK_END},
         "one.deb: \"x\", \"one\", \"all\" are no package, version and architecture"},
        {"Package: x\nVersion: 1\nArchitecture: ../a\n",
         {MK_END},
         "one.deb: \"x\", \"1\", \"../a\" are no package, version and architecture"},
        {CONTROL("x"), {MK_FILE("../up", 0644, "x"), MK_END}, NULL},
        {CONTROL("x"), {MK_FILE("./a/../../up", 0644, "x"), MK_END}, NULL},
        {CONTROL("x"), {MK_OTHER("./dev/null", '3'), MK_END}, NULL},
        {CONTROL("x"), {MK_OTHER("./pipe", '6'), MK_END}, NULL},
        {CONTROL("x"), {MK_HARD("./h", "../../etc/shadow"), MK_END}, NULL},
    };

    for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
        CLEANUP(importing_clear) struct importing i = {0};

        assert_int_equal(import(&i, 0, cases[k].control, cases[k].files), -1);
        assert_int_equal(i.e.kind, ERR_INPUT);
        assert_true(str_starts(str_of(i.e.msg), STR("one.deb: ")));
        if (cases[k].says)
            assert_string_equal(i.e.msg, cases[k].says);
        assert_true(!i.p[0].name.len && !i.p[0].entries.n);
    }
}

/* What the record may hold and the tree of all packages may not. */
static void packages_that_cannot_stand_together_are_refused(void **state)
{
    static const struct {
        struct mk one[3], two[3];
        const char *says;
    } cases[] = {
        {{MK_FILE("./usr/x", 0644, "x"), MK_END},
         {MK_FILE("./usr/x/y", 0644, "y"), MK_END},
         "package two: /usr/x/y needs a folder where /usr/x is a file; leave one of the two out"},
        {{MK_FILE("./usr/x/y", 0644, "x"), MK_END},
         {MK_FILE("./usr/x", 0644, "y"), MK_END},
         "package two: /usr/x would be a file and is a folder already; leave one of the two out"},
        {{MK_FILE("./usr/.wh.x", 0644, "x"), MK_END},
         {MK_END},
         "package one: path \"usr/.wh.x\" would be read as a deletion: in a layer no name may "
         "start "
         "with \".wh.\""},
        {{MK_HARD("./usr/h", "./usr/nothere"), MK_END},
         {MK_END},
         "package one: /usr/h is a hard link to /usr/nothere, which is not a file of the package"},
    };

    for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
        CLEANUP(importing_clear) struct importing i = {0};
        CLEANUP(tree_clear) struct tree t = {0};
        CLEANUP(names_clear) struct names uncovered = {0};
        const struct debpkg *v[] = {&i.p[0], &i.p[1]};
        const struct system_input in = {.arch = STR("amd64")};

        assert_int_equal(import(&i, 0, CONTROL("one"), cases[k].one), 0);
        assert_int_equal(import(&i, 1, CONTROL("two"), cases[k].two), 0);
        assert_int_equal(system_build(&t, v, 2, &in, &uncovered, &i.e), -1);
        assert_string_equal(i.e.msg, cases[k].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_holds_what_the_deb_does),
        cmocka_unit_test(what_is_no_sound_deb_is_refused),
        cmocka_unit_test(packages_that_cannot_stand_together_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
