/* SPDX-License-Identifier: Apache-2.0 */
#include "mkdeb.h"
#include "io/tar_read.h"

static int describe(void *ctx, const struct tar_entry *u, struct source *data, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct buf *out = ctx;

    if (u->entry.type == ENTRY_FILE && source_read_all(data, &text, 99, e) < 0)
        return -1;
    buf_fmt(out, "%c " STR_FMT " %o " STR_FMT ":" STR_FMT " " STR_FMT " %s\n",
            "fdlh"[u->entry.type], STR_ARG(u->entry.path), u -> entry.mode, STR_ARG(u->uname),
            STR_ARG(u->gname), STR_ARG(u->entry.link), text.p ? text.p : "");
    return 0;
}

static int walk(struct buf *out, struct str tar, enum tar_kind kind, struct err *e)
{
    CLEANUP(tar_clear) struct tar_reader *t = tar_open(source_bytes(tar, "t"), kind);

    return tar_walk(t, describe, out, e);
}

static void a_tar_is_walked_in_order(void **state)
{
    static const struct mk entries[] = {
        MK_DIR("./", 0755),
        MK_DIR("./a/", 01777),
        MK_OWNED("./a/f", 04755, "hello", "root", "staff"),
        MK_LINK("./a/l", "../f"),
        MK_HARD("./a/h", "./a/f"),
    };
    CLEANUP(buf_clear) struct buf tar = {0};
    CLEANUP(buf_clear) struct buf out = {0};
    CLEANUP(err_clear) struct err e = {0};

    for (size_t i = 0; i < ARRAY_LEN(entries); i++)
        mk_tar(&tar, &entries[i]);
    mk_tar_end(&tar);
    assert_int_equal(walk(&out, buf_view(&tar), TAR_PACKAGE, &e), 0);
    assert_string_equal(out.p, "d  755 root:root  \n"
                               "d a 1777 root:root  \n"
                               "f a/f 4755 root:staff  hello\n"
                               "l a/l 777 root:root ../f \n"
                               "h a/h 644 root:root a/f \n");
}

static void unsafe_entries_are_refused(void **state)
{
    static const struct {
        struct mk entry;
        const char *says;
    } cases[] = {
        {MK_FILE("/etc/passwd", 0644, "x"), "t: \"/etc/passwd\" is not a safe path"},
        {MK_FILE("./../x", 0644, "x"), "t: \"./../x\" is not a safe path"},
        {MK_FILE("./a//b", 0644, "x"), "t: \"./a//b\" is not a safe path"},
        {MK_FILE("./a/./b", 0644, "x"), "t: \"./a/./b\" is not a safe path"},
        {MK_OTHER("./null", '3'), "t: \"./null\": neither file, folder nor link; only these may "
                                  "enter an image"},
        {MK_OTHER("./pipe", '6'), "t: \"./pipe\": neither file, folder nor link; only these may "
                                  "enter an image"},
        {MK_HARD("./h", "../x"), "t: \"./h\": a hard link to \"../x\" leads outside"},
        {MK_HARD("./h", "/etc/shadow"), "t: \"./h\": a hard link to \"/etc/shadow\" leads outside"},
        {MK_LINK("./l", ""), "t: \"./l\": a symbolic link without a usable target"},
        {MK_FILE(".", 0644, "x"), "t: the root is not a folder"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf tar = {0};
        CLEANUP(buf_clear) struct buf out = {0};
        CLEANUP(err_clear) struct err e = {0};
        mk_tar(&tar, &cases[i].entry);
        mk_tar_end(&tar);
        assert_int_equal(walk(&out, buf_view(&tar), TAR_PACKAGE, &e), -1);
        assert_string_equal(e.msg, cases[i].says);
        assert_int_equal(e.kind, ERR_INPUT);
    }
}

static void a_cut_tar_is_refused(void **state)
{
    CLEANUP(buf_clear) struct buf tar = {0};
    CLEANUP(buf_clear) struct buf out = {0};
    CLEANUP(err_clear) struct err e = {0};

    mk_tar(&tar, &(struct mk)MK_FILE("./f", 0644, "hello"));
    assert_int_equal(walk(&out, str_sub(buf_view(&tar), 0, 514), TAR_PACKAGE, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tar_is_walked_in_order),
        cmocka_unit_test(unsafe_entries_are_refused),
        cmocka_unit_test(a_cut_tar_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
