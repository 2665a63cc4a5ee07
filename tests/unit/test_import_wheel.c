/* tests/unit/test_import_wheel.c - wheels become entries of a tree as pip would leave their files,
 * and what pip cannot install, or no image can hold, is refused by name. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "mkwheel.h"

#include "assemble/import/import_wheel.h"
#include "assemble/layer/layer.h"
#include "assemble/system/venv.h"

enum { WHEELS_MAX = 2, FILES_MAX = 16 };

#define SITE "opt/venv/lib/python3.11/site-packages/"
#define FILE_OF(path, text)     \
    {                           \
        (path), (text), NULL, 0 \
    }

struct importing {
    struct tree venv, tree;
    struct input inputs[WHEELS_MAX];
    struct err e;
};

static void importing_clear(struct importing *i)
{
    tree_clear(&i->tree);
    tree_clear(&i->venv);
    for (size_t k = 0; k < WHEELS_MAX; k++)
        fd_clear(&i->inputs[k].fd);
    err_clear(&i->e);
}

/* The wheels are called "one" and "two", version 1.0. */
static int import(struct importing *i, const struct mkwheel_file (*wheels)[FILES_MAX])
{
    static const char *const names[] = {"one", "two"};
    struct venv venv = {.python = STR("3.11"), .prefix = STR("opt/venv"), .home = STR("usr")};
    struct inflater *inflater = inflater_open();
    int result = venv_outline(&i->venv, &venv, &i->e);

    i->tree.below = &i->venv;
    for (size_t k = 0; k < WHEELS_MAX && wheels[k][0].path && result == 0; k++) {
        struct wheel_import how = {.python = venv.python,
                                   .prefix = venv.prefix,
                                   .name = str_of(names[k]),
                                   .version = STR("1.0")};

        mkwheel(&i->inputs[k], names[k], "1.0", wheels[k]);
        result = import_wheel(&i->tree, &i->inputs[k], &how, inflater, &i->e);
    }
    inflater_clear(&inflater);
    tree_sort(&i->tree);
    return result;
}

static int nowhere(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    return 0;
}

/* What the layer makes of it: the hashes of RECORD are checked there. */
static int write_layer(struct importing *i, bool skip)
{
    struct sink sink = {nowhere, NULL};
    struct layer_output to = {.blob = &sink, .skip_diff_id = skip, .name = "x"};
    struct layer_result result;

    return layer_write(&result, &i->tree, &to, NULL, &i->e);
}

/* Files alone, without those that every wheel has: "mode path text". */
static void list(struct buf *out, const struct importing *i)
{
    struct inflater *inflater = inflater_open();
    const struct entry *entry;

    vec_each(entry, &i->tree.entries) {
        CLEANUP(buf_clear) struct buf text = {0};
        struct str path = entry->path;
        struct err e = {0};

        if (entry->type == ENTRY_DIR) {
            assert_int_equal(entry->mode, 0755);
            continue;
        }
        assert_int_equal(entry->type, ENTRY_FILE);
        assert_true(!entry->uid && !entry->gid);
        str_skip(&path, STR(SITE));
        if (str_find_str(path, STR(".dist-info/")) < path.len && !str_ends(path, STR("/RECORD")))
            continue;
        assert_int_equal(content_read(inflater, &entry->content, &text, 1 << 20, "it", &e), 0);
        if (str_ends(path, STR("/RECORD")))
            buf_reset(&text); /* it has a test of its own */
        buf_fmt(out, "%o " STR_FMT " %s\n", entry->mode, STR_ARG(path), text.p);
    }
    inflater_clear(&inflater);
}

static void files_stand_where_pip_puts_them(void **state)
{
    static const struct {
        struct mkwheel_file wheels[WHEELS_MAX][FILES_MAX];
        const char *files;
    } cases[] = {
        {{{FILE_OF("m/__init__.py", "x")}}, "644 m/__init__.py x\n644 one-1.0.dist-info/RECORD \n"},
        {{{{"m.so", "x", NULL, 0100755}, {"n.so", "y", NULL, 0100220}}}, /* the x bit alone */
         "755 m.so x\n644 n.so y\n644 one-1.0.dist-info/RECORD \n"},
        {{{FILE_OF("one-1.0.data/purelib/p.py", "p"),
           FILE_OF("one-1.0.data/platlib/q.py", "q"),
           FILE_OF("one-1.0.data/headers/h.h", "h"),
           FILE_OF("one-1.0.data/data/etc/x.json", "{}"),
           {"one-1.0.data/data/bin/tool", "#!/bin/sh\n", NULL, 0100755},
           FILE_OF("one-1.0.data/data/lib/python3.11/site-packages/d.py", "d")}},
         "755 opt/venv/bin/tool #!/bin/sh\n\n644 opt/venv/etc/x.json {}\n"
         "644 opt/venv/include/site/python3.11/one/h.h h\n"
         "644 d.py d\n644 one-1.0.dist-info/RECORD \n644 p.py p\n644 q.py q\n"},
        {{{FILE_OF("one-1.0.data/scripts/w", "#!pythonw\nw"),
           FILE_OF("one-1.0.data/scripts/flag", "#!python -u\nf"),
           FILE_OF("one-1.0.data/scripts/sp", "#! python\ns"),
           FILE_OF("one-1.0.data/scripts/env", "#!/usr/bin/env python3\ne")}},
         "755 opt/venv/bin/env #!/usr/bin/env python3\ne\n"
         "755 opt/venv/bin/flag #!/opt/venv/bin/python\nf\n"
         "755 opt/venv/bin/sp #! python\ns\n"
         "755 opt/venv/bin/w #!/opt/venv/bin/python\nw\n644 one-1.0.dist-info/RECORD \n"},
        {{{FILE_OF("caf\303\251.py", "c"), FILE_OF("n.pth", "import sys")}},
         "644 caf\303\251.py c\n644 n.pth import sys\n644 one-1.0.dist-info/RECORD \n"},
        /* Through the environment's own link, and over its own file. */
        {{{FILE_OF("one-1.0.data/data/lib64/libx.so", "x"),
           FILE_OF("one-1.0.data/data/lib64/python3.11/site-packages/y.py", "y"),
           FILE_OF("one-1.0.data/scripts/activate", "a")}},
         "755 opt/venv/bin/activate a\n644 opt/venv/lib/libx.so x\n"
         "644 one-1.0.dist-info/RECORD \n644 y.py y\n"},
        /* The same path in two wheels: the later one wins. */
        {{{FILE_OF("m.py", "first")}, {FILE_OF("m.py", "second")}},
         "644 m.py second\n644 one-1.0.dist-info/RECORD \n644 two-1.0.dist-info/RECORD \n"},
    };

    for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
        CLEANUP(importing_clear) struct importing i = {0};
        CLEANUP(buf_clear) struct buf out = {0};

        if (import(&i, cases[k].wheels) < 0 || write_layer(&i, false) < 0)
            fail_msg("%zu: %s", k, i.e.msg);
        list(&out, &i);
        assert_string_equal(out.p, cases[k].files);
    }
}

static void what_cannot_be_installed_is_refused(void **state)
{
    static char deep[4077];
    const struct {
        struct mkwheel_file wheels[WHEELS_MAX][FILES_MAX];
        const char *says;
    } cases[] = {
        {{{FILE_OF("shared", "x")}, {FILE_OF("shared/mod.py", "y")}},
         "two: /" SITE "shared/mod.py needs a folder where /" SITE
         "shared is a file of one; leave one of the two out"},
        {{{FILE_OF("shared/mod.py", "x")}, {FILE_OF("shared", "y")}},
         "two: /" SITE
         "shared would be a file and is a folder of one already; leave one of the two "
         "out"},
        {{{FILE_OF("a/b/c", "x"), FILE_OF("one-1.0.data/purelib/a/b", "y")}},
         "one: /" SITE "a/b would be a file and is a folder of one already; leave one of the two "
         "out"},
        {{{FILE_OF("one-1.0.data/data/bin", "x")}},
         "one: /opt/venv/bin would be a file and is a folder already; leave one of the two out"},
        {{{FILE_OF("one-1.0.data/data/pyvenv.cfg/x", "x")}},
         "one: /opt/venv/pyvenv.cfg/x needs a folder where /opt/venv/pyvenv.cfg is a file; leave "
         "one "
         "of the two out"},
        {{{FILE_OF("one-1.0.data/data/bin/python/x", "x")}},
         "one: /opt/venv/bin/python/x leads out of the environment, to /usr/bin/python3.11/x"},
        {{{FILE_OF(deep, "x")}}, "is too long: 4096 bytes at most, 255 between two \"/\""},
        {{{FILE_OF("a/.wh.b", "x")}},
         "one: path \"" SITE "a/.wh.b\" would be read as a deletion: in a layer no name may start "
         "with \".wh.\""},
        {{{{"m.py", "x", "sha256=AAAA", 0}}},
         "one: holds \"m.py\", which RECORD does not vouch for"},
        {{{{"m.py", "x", "md5=AAAAAAAAAAAAAAAAAAAAAA", 0}}},
         "one: holds \"m.py\", which RECORD does not vouch for"},
        {{{{"m.py", "x", "", 0}}}, "one: holds \"m.py\", which RECORD does not vouch for"},
        {{{{"one-1.0.data/scripts/s", "#!python\n",
            "sha256=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 0}}},
         "one: its file \"one-1.0.data/scripts/s\" is not what its RECORD says"},
    };

    for (size_t k = 0; k + 1 < sizeof deep; k++)
        deep[k] = k % 2 ? '/' : 'd';
    deep[sizeof deep - 2] = 'd';
    for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
        CLEANUP(importing_clear) struct importing i = {0};
        const char *at;

        assert_int_equal(import(&i, cases[k].wheels), -1);
        at = i.e.msg ? strstr(i.e.msg, cases[k].says) : NULL;
        if (!at || strcmp(at, cases[k].says) != 0)
            fail_msg("%zu: %s", k, i.e.msg);
        assert_true(str_starts(str_of(i.e.msg), STR("one: ")) ||
                    str_starts(str_of(i.e.msg), STR("two: ")));
    }
}

/* Of "x": the other two of the family too, and base64 with its padding. */
static void files_hash_as_record_says(void **state)
{
#define WRONG "sha256=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    static const struct {
        const char *text, *hash;
        bool holds;
    } cases[] = {
        {"x", "sha256=LXEWQrcmsEQBYnyp--6cyMiD3Br_W_NWhPmS3dvCmYE", false},
        {"x", WRONG, false},
        {"", WRONG, false},
        {"x", NULL, true},
        {"", NULL, true},
        {"", "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=", true},
        {"", "sha384=OLBgp1GsljhM2TJ-sbHjaiH9txEUvgdDTAzHv2P24donTt6_529l-9Ua0vFImLlb", true},
        {"",
         "sha512=z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg_SpIdNs6c5H0NE8XYXysP-"
         "DGNKHfuwvY7kxvUdBeoGlODJ6-SfaPg",
         true},
        {"x",
         "sha512=z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg_SpIdNs6c5H0NE8XYXysP-"
         "DGNKHfuwvY7kxvUdBeoGlODJ6-SfaPg",
         false},
    };

    for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
        CLEANUP(importing_clear) struct importing i = {0};
        const struct mkwheel_file wheels[WHEELS_MAX][FILES_MAX] = {
            {FILE_OF("a.py", "before"),
             {"m.py", cases[k].text, cases[k].hash, 0},
             FILE_OF("n.py", "behind")}};

        assert_int_equal(import(&i, wheels), 0);
        assert_int_equal(write_layer(&i, true), 0); /* pinned: it was checked when it was made */
        assert_int_equal(write_layer(&i, false), cases[k].holds ? 0 : -1);
        if (cases[k].holds)
            continue;
        assert_int_equal(i.e.kind, ERR_INTEGRITY);
        assert_string_equal(i.e.msg,
                            "layer x: one: its file /" SITE
                            "m.py is not what its RECORD says: the wheel was changed after it was "
                            "made, or made wrongly; ask its publisher, or take another version");
    }
}

static void record_names_every_file_as_pip_does(void **state)
{
    static const struct mkwheel_file wheels[WHEELS_MAX][FILES_MAX] = {
        {FILE_OF("b,c.py", "x"), FILE_OF("one-1.0.data/data/lib64/l", "x"),
         FILE_OF("one-1.0.data/scripts/s", "#!python\n"),
         FILE_OF("one-1.0.dist-info/entry_points.txt",
                 "[console_scripts]\nOddTool = odd:main\nodd-sp = odd : main [extra]\n")}};
    static const char *const rows[] = {"\"b,c.py\",sha256=",
                                       "../../../lib64/l,sha256=",
                                       "../../../bin/s,sha256=",
                                       "../../../bin/OddTool,sha256=",
                                       "../../../bin/odd-sp,sha256=",
                                       "one-1.0.dist-info/INSTALLER,sha256=",
                                       "one-1.0.dist-info/RECORD,,\r\n"};
    CLEANUP(importing_clear) struct importing i = {0};
    const struct entry *record;

    assert_int_equal(import(&i, wheels), 0);
    record = tree_get(&i.tree, STR(SITE "one-1.0.dist-info/RECORD"));
    for (size_t k = 0; k < ARRAY_LEN(rows); k++)
        if (!strstr(record->content.bytes, rows[k]))
            fail_msg("%s in %s", rows[k], (const char *)record->content.bytes);
    assert_non_null(tree_get(&i.tree, STR("opt/venv/lib/l")));
    assert_null(tree_get(&i.tree, STR("opt/venv/lib64")));
}

/* A wheel that holds one script: `first`, then blanks up to `size`. */
static int import_script(struct importing *i, const char *first, size_t size, const char *hash)
{
    char *text = xmalloc(size + 1);
    const struct mkwheel_file wheels[WHEELS_MAX][FILES_MAX] = {
        {{"one-1.0.data/scripts/s", text, hash, 0}}};
    int result;

    memset(text, ' ', size);
    memcpy(text, first, strlen(first));
    text[size] = '\0';
    result = import(i, wheels);
    free(text);
    return result;
}

static void scripts_have_any_size(void **state)
{
    static const struct {
        const char *first;
        size_t size, grows;
        bool copied;
    } cases[] = {
        {"\177ELF", (16 << 20) + 1, 0, true},
        {"\177ELF", (64 << 20) + 1, 0, true},
        {"#!/bin/sh\n", (16 << 20) + 1, 0, true},
        {"#!pytho", 7, 0, true},
        {"", 0, 0, true},
        {"#!python", 8, 14, false}, /* "/opt/venv/bin/" */
        {"#!python\n", (16 << 20) + 1, 14, false},
        {"#!python\n", 64 << 20, 14, false},
    };

    for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
        CLEANUP(importing_clear) struct importing i = {0};
        const struct entry *script;

        if (import_script(&i, cases[k].first, cases[k].size, NULL) < 0 ||
            write_layer(&i, false) < 0)
            fail_msg("%zu: %s", k, i.e.msg);
        script = tree_get(&i.tree, STR("opt/venv/bin/s"));
        assert_int_equal(script->mode, 0755);
        assert_int_equal(script->content.kind, cases[k].copied ? CONTENT_RANGE : CONTENT_BYTES);
        assert_int_equal(script->content.size, cases[k].size + cases[k].grows);
        if (!cases[k].copied)
            assert_memory_equal(script->content.bytes, "#!/opt/venv/bin/python", 22);
    }
}

static void a_script_is_what_record_says(void **state)
{
    CLEANUP(importing_clear) struct importing copied = {0}, rewritten = {0}, large = {0};

    assert_int_equal(import_script(&copied, "\177ELF", 100, WRONG), 0);
    assert_int_equal(write_layer(&copied, false), -1);
    assert_string_equal(copied.e.msg,
                        "layer x: one: its file /opt/venv/bin/s is not what its RECORD says: the "
                        "wheel was changed after it was made, or made wrongly; ask its publisher, "
                        "or take another version");
    assert_int_equal(import_script(&rewritten, "#!python\n", 100, WRONG), -1);
    assert_int_equal(rewritten.e.kind, ERR_INTEGRITY);
    assert_int_equal(import_script(&large, "#!python\n", (64 << 20) + 1, NULL), -1);
    assert_int_equal(large.e.kind, ERR_INPUT);
    assert_string_equal(large.e.msg,
                        "one: its script \"s\", whose first line is to be rewritten, is "
                        "larger than 67108864 bytes, the most allowed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_stand_where_pip_puts_them),
        cmocka_unit_test(what_cannot_be_installed_is_refused),
        cmocka_unit_test(files_hash_as_record_says),
        cmocka_unit_test(record_names_every_file_as_pip_does),
        cmocka_unit_test(scripts_have_any_size),
        cmocka_unit_test(a_script_is_what_record_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
