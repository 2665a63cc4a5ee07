/* SPDX-License-Identifier: Apache-2.0 */
#include "mkdeb.h"
#include "io/tar_read.h"
#include "mktar.h"

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

/* ---- as other people's images have them ---- */

enum { LAST = 0 }; /* the header at hand begins a tar */

static unsigned char *header(struct buf *tar, size_t at)
{
    return (unsigned char *)tar->p + at;
}

static void expect(struct buf *tar, enum tar_kind kind, const char *want)
{
    CLEANUP(buf_clear) struct buf out = {0};
    CLEANUP(err_clear) struct err e = {0};

    if (walk(&out, buf_view(tar), kind, &e) < 0)
        fail_msg("%s where \"%s\" belongs", e.msg, want);
    assert_string_equal(out.p ? out.p : "", want);
}

static void refuse(struct buf *tar, enum tar_kind kind, const char *says)
{
    CLEANUP(buf_clear) struct buf out = {0};
    CLEANUP(err_clear) struct err e = {0};

    if (walk(&out, buf_view(tar), kind, &e) == 0)
        fail_msg("\"%s\" where \"%s\" belongs", out.p ? out.p : "", says);
    if (!strstr(e.msg, says))
        fail_msg("%s where \"%s\" belongs", e.msg, says);
    assert_int_equal(e.kind, ERR_INPUT);
}

static void names_are_cleaned_in_layers(void **state)
{
    static const struct {
        const char *path, *want; /* NULL: not a safe path */
    } cases[] = {
        {"a", "f a 755 :  x\n"},
        {"/etc/a", "f etc/a 755 :  x\n"},
        {"././././a", "f a 755 :  x\n"},
        {"a//b/./c", "f a/b/c 755 :  x\n"},
        {"a/", "f a 755 :  x\n"},
        {"a..b", "f a..b 755 :  x\n"},
        {"../a", "f a 755 :  x\n"},
        {"/../../a", "f a 755 :  x\n"},
        {"a/../b", "f b 755 :  x\n"},
        {"a/b/../c", "f a/c 755 :  x\n"},
        {"a/b/../../c", "f c 755 :  x\n"},
        {"a/..b/c", "f a/..b/c 755 :  x\n"},
        {"", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf tar = {0};

        mktar(&tar, cases[i].path, '0', "", "x", 1);
        if (cases[i].want)
            expect(&tar, TAR_LAYER, cases[i].want);
        else
            refuse(&tar, TAR_LAYER, "is not a safe path");
        if (strstr(cases[i].path, "../"))
            refuse(&tar, TAR_ARCHIVE, "is not a safe path");
    }
}

static void targets_of_hard_links_are_cleaned_in_layers(void **state)
{
    CLEANUP(buf_clear) struct buf tar = {0}, out = {0};

    mktar(&tar, "/", '5', "", "", 0);
    mktar(&tar, "h", '1', "/./etc//a", "", 0);
    mktar(&tar, "l", '2', "/./etc//a", "", 0);
    mktar(&tar, "u", '1', "../etc/x/../a", "", 0);
    expect(&tar, TAR_LAYER,
           "d  755 :  \nh h 755 : etc/a \nl l 755 : /./etc//a \nh u 755 : etc/a \n");
    mktar(&out, "h", '1', "..", "", 0);
    refuse(&out, TAR_LAYER, "t: \"h\": a hard link to \"..\" leads outside");
    refuse(&out, TAR_ARCHIVE, "t: \"h\": a hard link to \"..\" leads outside");
}

static void devices_are_for_layers(void **state)
{
    CLEANUP(buf_clear) struct buf tar = {0};
    const struct tar_entry *entry;
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(tar_clear) struct tar_reader *t = NULL;

    mktar(&tar, "dev/null", '3', "", "", 0);
    refuse(&tar, TAR_PACKAGE, "neither file, folder nor link");
    t = tar_open(source_bytes(buf_view(&tar), "t"), TAR_LAYER);
    assert_int_equal(tar_next(t, &entry, &e), 0);
    assert_true(entry->special);
}

static void pax_says_more_than_the_header(void **state)
{
    CLEANUP(buf_clear) struct buf tar = {0};

    mktar_pax(&tar, 'g', STR("comment=0123456789abcdef\n"));
    mktar_pax(&tar, 'x',
              STR("path=etc/na\303\257ve\nuid=4000000\nmtime=12.5\nmtime=\nfoo=bar\n"
                  "SCHILY.xattr.user.x=1\n"));
    mktar(&tar, "short", '0', "", "x", 1);
    mktar_pax(&tar, 'x', STR("linkpath=na\303\257ve\n"));
    mktar(&tar, "l", '2', "short", "", 0);
    mktar(&tar, "plain", '0', "", "y", 1); /* nothing is left of what was said before */
    expect(&tar, TAR_LAYER,
           "f etc/na\303\257ve 755 :  x\nl l 755 : na\303\257ve \nf plain 755 :  y\n");
    refuse(&tar, TAR_DEB, "t: a tar in pax form, which no deb may hold");
}

/* Of an image they are known, with NUL bytes and all; what becomes part of one brings none. */
static void capabilities_are_read_of_layers_alone(void **state)
{
    static const enum tar_kind kinds[] = {TAR_LAYER, TAR_PACKAGE};
    CLEANUP(buf_clear) struct buf tar = {0}, record = {0};
    static const char caps[20] = {1, 0, 0, 2, 0, 0x20};

    buf_puts(&record, "SCHILY.xattr.security.capability=");
    buf_add(&record, caps, sizeof caps);
    buf_putc(&record, '\n');
    mktar_pax(&tar, 'x', buf_view(&record));
    mktar(&tar, "ping", '0', "", "x", 1);
    mktar(&tar, "plain", '0', "", "x", 1);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        CLEANUP(tar_clear)
        struct tar_reader *t = tar_open(source_bytes(buf_view(&tar), "t"), kinds[i]);
        CLEANUP(err_clear) struct err e = {0};
        const struct tar_entry *entry;

        assert_int_equal(tar_next(t, &entry, &e), 0);
        assert_int_equal(entry->entry.caps.len, kinds[i] == TAR_LAYER ? sizeof caps : 0);
        if (entry->entry.caps.len)
            assert_memory_equal(entry->entry.caps.p, caps, sizeof caps);
        assert_int_equal(tar_next(t, &entry, &e), 0);
        assert_int_equal(entry->entry.caps.len, 0);
    }
}

/* The size that counts is where the next header stands: another reader must not see the one that is
 * hidden here. */
static void a_size_of_pax_counts(void **state)
{
    CLEANUP(buf_clear) struct buf tar = {0}, hidden = {0};

    mktar(&hidden, "hidden", '0', "", "", 0);
    mktar_pax(&tar, 'x', STR("size=512\n"));
    mktar(&tar, "f", '0', "", "", 0);
    buf_str(&tar, buf_view(&hidden));
    mktar(&tar, "next", '0', "", "x", 1);
    {
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(tar_clear)
        struct tar_reader *t = tar_open(source_bytes(buf_view(&tar), "t"), TAR_LAYER);
        const struct tar_entry *entry;

        assert_int_equal(tar_next(t, &entry, &e), 0);
        assert_int_equal(entry->entry.content.size, 512);
        assert_int_equal(tar_next(t, &entry, &e), 0);
        assert_true(str_is(entry->entry.path, "next"));
        assert_int_equal(tar_next(t, &entry, &e), 0);
        assert_null(entry);
    }
}

static void the_prefix_of_ustar_is_part_of_the_name(void **state)
{
    CLEANUP(buf_clear) struct buf tar = {0}, gnu = {0}, star = {0};

    mktar(&tar, "index.json", '0', "", "x", 1);
    memcpy(header(&tar, LAST) + 345, "elsewhere", 9);
    mktar_sum(header(&tar, LAST));
    expect(&tar, TAR_ARCHIVE, "f elsewhere/index.json 755 :  x\n");
    mktar(&gnu, "index.json", '0', "", "x", 1);
    memcpy(header(&gnu, LAST) + 257, "ustar  ", 8);
    memcpy(header(&gnu, LAST) + 345, "14000000000", 11); /* GNU has times there */
    mktar_sum(header(&gnu, LAST));
    expect(&gnu, TAR_ARCHIVE, "f index.json 755 :  x\n");
    mktar(&star, "a", '0', "", "x", 1);
    memset(header(&star, LAST) + 345, 'p', 155);
    memcpy(header(&star, LAST) + 508, "tar", 3);
    mktar_sum(header(&star, LAST));
    {
        CLEANUP(buf_clear) struct buf want = {0};

        buf_puts(&want, "f ");
        for (int i = 0; i < 131; i++)
            buf_putc(&want, 'p');
        buf_puts(&want, "/a 755 :  x\n");
        expect(&star, TAR_ARCHIVE, want.p);
    }
}

static void gnu_names_are_as_long_as_they_are(void **state)
{
    CLEANUP(buf_clear) struct buf tar = {0}, path = {0}, want = {0};

    while (path.len < 300)
        buf_puts(&path, "folder/");
    buf_puts(&path, "name");
    mktar(&tar, "././@LongLink", 'L', "", path.p, path.len + 1);
    mktar(&tar, "././@LongLink", 'K', "", path.p, path.len + 1);
    mktar(&tar, "cut", '2', "cut", "", 0);
    mktar(&tar, "a", '0', "", "x", 1);
    buf_fmt(&want, "l %s 755 : %s \nf a 755 :  x\n", path.p, path.p);
    expect(&tar, TAR_LAYER, want.p);
    expect(&tar, TAR_DEB, want.p);
}

static void numbers_may_be_binary(void **state)
{
    CLEANUP(buf_clear) struct buf tar = {0}, minus = {0}, huge = {0};
    const struct tar_entry *entry;
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(tar_clear) struct tar_reader *t = NULL;

    mktar(&tar, "a", '0', "", "x", 1);
    memcpy(header(&tar, LAST) + 108, "\x80\0\0\0\0\x12\x34\x56", 8);
    memcpy(header(&tar, LAST) + 124, "\x80\0\0\0\0\0\0\0\0\0\0\1", 12);
    memcpy(header(&tar, LAST) + 136, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12);
    mktar_sum(header(&tar, LAST));
    t = tar_open(source_bytes(buf_view(&tar), "t"), TAR_LAYER);
    if (tar_next(t, &entry, &e) < 0)
        fail_msg("%s", e.msg);
    assert_int_equal(entry->entry.uid, 0x123456);
    assert_int_equal(entry->entry.content.size, 1);
    assert_int_equal(entry->entry.mtime, 0); /* before 1970 */
    mktar(&minus, "a", '0', "", "", 0);
    memset(header(&minus, LAST) + 124, 0xff, 12);
    mktar_sum(header(&minus, LAST));
    refuse(&minus, TAR_LAYER, "a size it cannot have");
    mktar(&huge, "a", '0', "", "", 0);
    memcpy(header(&huge, LAST) + 124, "\x80\1\0\0\0\0\0\0\0\0\0\0", 12);
    mktar_sum(header(&huge, LAST));
    refuse(&huge, TAR_LAYER, "a broken header");
}

static void pax_headers_that_cannot_be_are_refused(void **state)
{
    static const struct {
        struct str records;
        const char *says;
        char type;
    } cases[] = {
        {STR_INIT("size=-1\n"), "\"size\" that cannot be", 'x'},
        {STR_INIT("size=18446744073709551616\n"), "\"size\" that cannot be", 'x'},
        {STR_INIT("size=12x\n"), "\"size\" that cannot be", 'x'},
        {STR_INIT("path=a\0b\n"), "\"path\" that cannot be", 'x'},
        {STR_INIT("linkpath=a\0b\n"), "\"linkpath\" that cannot be", 'x'},
        {STR_INIT("mtime=1.x\n"), "\"mtime\" that cannot be", 'x'},
        {STR_INIT("uid=-1\n"), "owner -1:0 is out of range", 'x'},
        {STR_INIT("gid=4294967296\n"), "owner 0:4294967296 is out of range", 'x'},
        {STR_INIT("path=..\n"), "the root is not a folder", 'x'},
        {STR_INIT("GNU.sparse.major=2\n"), "major\" that cannot be", 'x'},
        {STR_INIT("GNU.sparse.map=1\n"), "map\" that cannot be", 'x'},
        {STR_INIT("=x\n"), "a broken pax header", 'x'},
        {STR_INIT("x\n"), "a broken pax header", 'x'},
        {STR_INIT("path=a\n"), "a global pax header that says more than a comment", 'g'},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf tar = {0};

        mktar_pax(&tar, cases[i].type, cases[i].records);
        mktar(&tar, "a", '0', "", "x", 1);
        refuse(&tar, TAR_LAYER, cases[i].says);
    }
}

static void pax_records_of_wrong_length_are_refused(void **state)
{
    static const char *const cases[] = {"5 a=b",
                                        "7 a=b\n",
                                        "9 a=b\n",
                                        "x a=b\n",
                                        " a=b\n",
                                        "0 a=b\n",
                                        "99999999999999999999999 a=b\n",
                                        "6 a=b\n6 a"};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf tar = {0};

        mktar(&tar, "pax", 'x', "", cases[i], strlen(cases[i]));
        mktar(&tar, "a", '0', "", "x", 1);
        refuse(&tar, TAR_LAYER, "a broken pax header");
    }
}

/* At its edge, and one byte above. */
static void what_stands_before_an_entry_has_a_limit(void **state)
{
    enum { MAX = 1 << 20 };
    CLEANUP(buf_clear) struct buf text = {0};

    buf_fmt(&text, "%d x=", MAX);
    while (text.len < MAX - 1)
        buf_putc(&text, 'y');
    buf_putc(&text, '\n');
    for (size_t more = 0; more < 2; more++) {
        CLEANUP(buf_clear) struct buf tar = {0};

        buf_puts(&text, more ? "z" : "");
        mktar(&tar, "pax", 'x', "", text.p, text.len);
        mktar(&tar, "a", '0', "", "x", 1);
        if (more)
            refuse(&tar, TAR_LAYER, "a pax header or a long name of more than 1 MiB");
        else
            expect(&tar, TAR_LAYER, "f a 755 :  x\n");
    }
    for (size_t more = 0; more < 2; more++) {
        CLEANUP(buf_clear) struct buf tar = {0}, record = {0};

        buf_puts(&record, "SCHILY.xattr.user.x=");
        for (size_t i = 0; i < (64 << 10) + more; i++)
            buf_putc(&record, 'v');
        buf_putc(&record, '\n');
        mktar_pax(&tar, 'x', buf_view(&record));
        mktar(&tar, "a", '0', "", "x", 1);
        if (more)
            refuse(&tar, TAR_LAYER, "that cannot be");
        else
            expect(&tar, TAR_LAYER, "f a 755 :  x\n");
    }
}

static void headers_that_cannot_be_are_refused(void **state)
{
    static const struct {
        char type;
        const char *link, *data, *says;
    } cases[] = {
        {'1', "b", "x", "a size it cannot have"},  {'2', "b", "x", "a size it cannot have"},
        {'5', "", "x", "a size it cannot have"},   {'3', "", "x", "a size it cannot have"},
        {'D', "", "", "an entry of unknown type"}, {'X', "", "", "an entry of unknown type"},
        {'2', "", "", "without a usable target"},  {'1', "", "", "leads outside"},
    };
    CLEANUP(buf_clear) struct buf sum = {0}, octal = {0}, after = {0};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf tar = {0};

        mktar(&tar, "a", cases[i].type, cases[i].link, cases[i].data, strlen(cases[i].data));
        refuse(&tar, TAR_LAYER, cases[i].says);
    }
    mktar(&sum, "a", '0', "", "x", 1);
    header(&sum, LAST)[0]++;
    refuse(&sum, TAR_LAYER,
           "t is not a valid tar: no header stands where one belongs, at byte 512");
    mktar(&octal, "a", '0', "", "x", 1);
    header(&octal, LAST)[130] = '8';
    mktar_sum(header(&octal, LAST));
    refuse(&octal, TAR_LAYER, "a broken header");
    memset(buf_room(&after, TAR_BLOCK), 0, TAR_BLOCK);
    after.len = TAR_BLOCK;
    mktar(&after, "a", '0', "", "x", 1);
    refuse(&after, TAR_LAYER, "something follows its end");
}

/* Some writers leave out the two blocks at the end, and the padding before them. */
static void a_tar_may_end_with_its_last_byte(void **state)
{
    CLEANUP(buf_clear) struct buf tar = {0};

    mktar(&tar, "a", '0', "", "xy", 2);
    for (size_t len = 0; len <= tar.len; len++) {
        CLEANUP(buf_clear) struct buf part = {0};

        buf_add(&part, tar.p, len);
        if (!len)
            expect(&part, TAR_LAYER, "");
        else if (len >= TAR_BLOCK + 2)
            expect(&part, TAR_LAYER, "f a 755 :  xy\n");
        else
            refuse(&part, TAR_LAYER, "it ends early");
    }
    tar.len = 0;
    mktar_pax(&tar, 'x', STR("path=b\n"));
    refuse(&tar, TAR_LAYER, "it ends early"); /* what is the path of nothing */
}

/* ---- files with holes ---- */

static void put_octal(unsigned char *to, uint64_t n)
{
    snprintf((char *)to, 12, "%011llo", (unsigned long long)n & 077777777777);
}

/* In GNU's own form: pieces of one byte each, at every tenth. */
static void gnu_holes(struct buf *tar, size_t pieces)
{
    unsigned char more[TAR_BLOCK] = {0};
    size_t start = tar->len, n = 0;
    CLEANUP(buf_clear) struct buf data = {0};

    for (size_t i = 0; i < pieces; i++)
        buf_putc(&data, (char)('a' + i % 26));
    mktar(tar, "holes", 'S', "", "", 0);
    memcpy(header(tar, start) + 257, "ustar  \0", 8);
    put_octal(header(tar, start) + 124, pieces);
    for (; n < pieces && n < 4; n++) {
        put_octal(header(tar, start) + 386 + n * 24, n * 10);
        put_octal(header(tar, start) + 386 + n * 24 + 12, 1);
    }
    header(tar, start)[482] = pieces > 4;
    put_octal(header(tar, start) + 483, pieces * 10);
    mktar_sum(header(tar, start));
    while (n < pieces) {
        memset(more, 0, sizeof more);
        for (size_t k = 0; k < 21 && n < pieces; k++, n++) {
            put_octal(more + k * 24, n * 10);
            put_octal(more + k * 24 + 12, 1);
        }
        more[504] = n < pieces;
        buf_add(tar, more, sizeof more);
    }
    buf_str(tar, buf_view(&data));
    mktar_pad(tar, pieces);
    mktar(tar, "next", '0', "", "x", 1);
}

static void check_holes(struct buf *tar, size_t pieces)
{
    CLEANUP(buf_clear) struct buf got = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(tar_clear)
    struct tar_reader *t = tar_open(source_bytes(buf_view(tar), "t"), TAR_LAYER);
    const struct tar_entry *entry;

    if (tar_next(t, &entry, &e) < 0 || source_read_all(tar_data(t), &got, 1 << 20, &e) < 0)
        fail_msg("%s", e.msg);
    assert_true(str_is(entry->entry.path, "holes"));
    assert_int_equal(entry->entry.content.size, pieces * 10);
    assert_int_equal(got.len, pieces * 10);
    for (size_t i = 0; i < got.len; i++)
        assert_int_equal(got.p[i], i % 10 ? 0 : 'a' + i / 10 % 26);
    assert_int_equal(tar_next(t, &entry, &e), 0);
    assert_true(str_is(entry->entry.path, "next"));
    assert_int_equal(tar_next(t, &entry, &e), 0);
    assert_null(entry);
}

static void holes_of_gnu_are_zeros(void **state)
{
    static const size_t pieces[] = {0, 1, 4, 5, 25, 26, 100};

    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        CLEANUP(buf_clear) struct buf tar = {0};

        gnu_holes(&tar, pieces[i]);
        check_holes(&tar, pieces[i]);
        refuse(&tar, TAR_PACKAGE, "is a file with holes, which no package holds");
        refuse(&tar, TAR_ARCHIVE, "is a file with holes, which no archive of an image holds");
    }
}

static void holes_of_pax_are_zeros(void **state)
{
    static const char *const forms[] = {
        ("GNU.sparse.size=30\nGNU.sparse.numblocks=3\nGNU.sparse.offset=0\nGNU.sparse.numbytes=1\n"
         "GNU.sparse.offset=10\nGNU.sparse.numbytes=1\nGNU.sparse.offset=20\n"
         "GNU.sparse.numbytes=1\nGNU.sparse.name=holes\n"),
        ("GNU.sparse.size=30\nGNU.sparse.numblocks=3\nGNU.sparse.map=0,1,10,1,20,1\n"
         "GNU.sparse.name=holes\n"),
        "GNU.sparse.major=1\nGNU.sparse.minor=0\nGNU.sparse.name=holes\nGNU.sparse.realsize=30\n",
    };

    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        CLEANUP(buf_clear) struct buf tar = {0}, data = {0};

        if (i == 2) {
            buf_puts(&data, "3\n0\n1\n10\n1\n20\n1\n");
            mktar_pad(&data, data.len);
        }
        buf_puts(&data, "abc");
        mktar_pax(&tar, 'x', str_of(forms[i]));
        mktar(&tar, "GNUSparseFile.0/holes", '0', "", data.p, data.len);
        mktar(&tar, "next", '0', "", "x", 1);
        check_holes(&tar, 3);
    }
}

static void pieces_that_cannot_be_are_refused(void **state)
{
    static const struct {
        const char *map, *says;
    } cases[] = {
        {"0,2,1,1", "overlap or lie outside"}, {"10,1,0,2", "overlap or lie outside"},
        {"29,3", "overlap or lie outside"},    {"18446744073709551615,3", "overlap or lie outside"},
        {"0,2", "more or less data"},          {"0,4", "more or less data"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf tar = {0}, pax = {0};

        buf_fmt(&pax, "GNU.sparse.size=30\nGNU.sparse.map=%s\n", cases[i].map);
        mktar_pax(&tar, 'x', buf_view(&pax));
        mktar(&tar, "a", '0', "", "abc", 3);
        refuse(&tar, TAR_LAYER, cases[i].says);
    }
}

/* 32 TiB in a kilobyte: to be counted, not to be read. */
static void a_hole_costs_nothing(void **state)
{
    const uint64_t real = (uint64_t)1 << 45;
    CLEANUP(buf_clear) struct buf tar = {0}, pax = {0};
    CLEANUP(free_clear) char *bytes = xmalloc(1 << 20);

    buf_fmt(&pax, "GNU.sparse.size=%llu\nGNU.sparse.map=0,3\n", (unsigned long long)real);
    mktar_pax(&tar, 'x', buf_view(&pax));
    mktar(&tar, "a", '0', "", "abc", 3);
    for (int reads = 0; reads < 2; reads++) {
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(tar_clear)
        struct tar_reader *t = tar_open(source_bytes(buf_view(&tar), "t"), TAR_LAYER);
        const struct tar_entry *entry;
        size_t got = 1, n = 0;

        assert_int_equal(tar_next(t, &entry, &e), 0);
        assert_int_equal(entry->entry.content.size, real);
        for (; reads && n < 100 && got; n++)
            if (source_read(tar_data(t), bytes, 1 << 20, &got, &e) < 0)
                break;
        if (reads) {
            assert_int_equal(n, 64); /* three bytes, and less than 64 MiB */
            assert_string_equal(e.msg, "t: a unpacks to more than 1000 times its size");
        } else {
            assert_int_equal(tar_next(t, &entry, &e), 0);
            assert_null(entry);
        }
    }
}

/* Reading nothing, some or all of a file changes nothing about the next; nor do short reads. */
static void what_is_not_read_is_passed_over(void **state)
{
    CLEANUP(buf_clear) struct buf tar = {0}, big = {0};

    for (size_t i = 0; i < 700000; i++)
        buf_putc(&big, (char)(i % 251));
    for (int i = 0; i < 4; i++)
        mktar(&tar, "a", '0', "", big.p, big.len - (size_t)i);
    for (size_t step = 1; step < 600000; step = step * 7 + 3) {
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(free_clear) char *bytes = xmalloc(step);
        CLEANUP(tar_clear)
        struct tar_reader *t = tar_open(source_bytes(buf_view(&tar), "t"), TAR_LAYER);
        const struct tar_entry *entry;

        for (size_t i = 0; i < 4; i++) {
            size_t got, at = 0;

            assert_int_equal(tar_next(t, &entry, &e), 0);
            assert_int_equal(entry->entry.content.size, big.len - i);
            for (size_t reads = 0; reads < i * 3; reads++, at += got) {
                assert_int_equal(source_read(tar_data(t), bytes, step, &got, &e), 0);
                assert_memory_equal(bytes, big.p + at, got);
            }
        }
        assert_int_equal(tar_next(t, &entry, &e), 0);
        assert_null(entry);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tar_is_walked_in_order),
        cmocka_unit_test(unsafe_entries_are_refused),
        cmocka_unit_test(a_cut_tar_is_refused),
        cmocka_unit_test(names_are_cleaned_in_layers),
        cmocka_unit_test(targets_of_hard_links_are_cleaned_in_layers),
        cmocka_unit_test(devices_are_for_layers),
        cmocka_unit_test(pax_says_more_than_the_header),
        cmocka_unit_test(capabilities_are_read_of_layers_alone),
        cmocka_unit_test(a_size_of_pax_counts),
        cmocka_unit_test(the_prefix_of_ustar_is_part_of_the_name),
        cmocka_unit_test(gnu_names_are_as_long_as_they_are),
        cmocka_unit_test(numbers_may_be_binary),
        cmocka_unit_test(pax_headers_that_cannot_be_are_refused),
        cmocka_unit_test(pax_records_of_wrong_length_are_refused),
        cmocka_unit_test(what_stands_before_an_entry_has_a_limit),
        cmocka_unit_test(headers_that_cannot_be_are_refused),
        cmocka_unit_test(a_tar_may_end_with_its_last_byte),
        cmocka_unit_test(holes_of_gnu_are_zeros),
        cmocka_unit_test(holes_of_pax_are_zeros),
        cmocka_unit_test(pieces_that_cannot_be_are_refused),
        cmocka_unit_test(a_hole_costs_nothing),
        cmocka_unit_test(what_is_not_read_is_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
