/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/path.h"
#include "doc/emit.h"
#include "doc/yaml.h"
#include "faults.h"

enum { MAX = 1024 * 1024 };

static void values_keep_their_text(void **state)
{
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        {"a: 1.10", "{\"a\":1.10}"}, /* never 1.1 */
        {"a: \"1.10\"", "{\"a\":\"1.10\"}"},
        {"a: 2.6.0", "{\"a\":\"2.6.0\"}"},
        {"[0, -0, -1, 0.5, 10]", "[0,-0,-1,0.5,10]"},
        {"[007, 1., .5, -, 1e3, +1, 0x1f, 1_0]",
         "[\"007\",\"1.\",\".5\",\"-\",\"1e3\",\"+1\",\"0x1f\",\"1_0\"]"}, /* no JSON numbers */
        {"[true, false, \"true\"]", "[true,false,\"true\"]"},
        {"[on, off, yes, no, True]", "[\"on\",\"off\",\"yes\",\"no\",\"True\"]"},
        {"[~, null, '~', \"\"]", "[null,null,\"~\",\"\"]"},
        {"a:\n", "{\"a\":null}"},
        {"b: 1\na: 2\n", "{\"b\":1,\"a\":2}"}, /* the file's order */
        {"2.6: x\ntrue: y\n", "{\"2.6\":\"x\",\"true\":\"y\"}"},
        {"a: |\n  x\n  y\n", "{\"a\":\"x\\ny\\n\"}"},
        {"\xef\xbb\xbf"
         "a: 1\n",
         "{\"a\":1}"}, /* a byte order mark */
        {"a: 1\r\nb: 2\r\n", "{\"a\":1,\"b\":2}"},
        {"%YAML 1.1\n---\na: 1\n...\n", "{\"a\":1}"},
        {"{}", "{}"},
        {"# a comment\n- [a, {b: c}]\n", "[[\"a\",{\"b\":\"c\"}]]"},
        {"\"\\u00e9\"", "\"\xc3\xa9\""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(doc_clear) struct doc doc = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf out = {0}, faults = {0};

        if (yaml_parse(&doc, str_of(cases[i].yaml), "x.yaml", &e) < 0)
            fail_msg("%s: %s", cases[i].yaml, faults_text(&faults, &e));
        emit_json(&out, doc.root, EMIT_COMPACT);
        assert_string_equal(out.p, cases[i].json);
    }
}

static void places_are_told(void **state)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err e = {0};
    const struct node *list;

    assert_int_equal(yaml_parse(&doc, STR("a: 1\nlist:\n  - x\n  - {k: y}\n"), "x.yaml", &e), 0);
    list = node_get(doc.root, "list");
    assert_int_equal(list->key_pos.line, 2);
    assert_int_equal(list->key_pos.col, 1);
    assert_int_equal(list->count, 2);
    assert_int_equal(list->child->pos.line, 3);
    assert_int_equal(list->child->pos.col, 5);
    assert_int_equal(node_get(list->child->next, "k")->pos.col, 9);
    assert_string_equal(list->pos.file, "x.yaml");
}

static void what_is_refused_has_its_place(void **state)
{
    static const struct {
        struct str yaml;
        const char *fault;
    } cases[] = {
        {STR_INIT(""), "x.yaml: the file is empty"},
        {STR_INIT("# only a comment\n"), "x.yaml: the file is empty"},
        {STR_INIT("a: 1\nb: 2\na: 3\n"),
         "x.yaml:3:1: key \"a\" stands here twice; the first is on line 1"},
        {STR_INIT("1.0: x\n\"1.0\": y\n"),
         "x.yaml:2:1: key \"1.0\" stands here twice; the first is on line 1"},
        {STR_INIT("a: {b: 1, b: 2}"),
         "x.yaml:1:11: key \"b\" stands here twice; the first is on line 1"},
        {STR_INIT("a: &x 1\n"),
         "x.yaml:1:4: anchors (&...) are not allowed here; write the value itself"},
        {STR_INIT("a: &x [1]\n"),
         "x.yaml:1:4: anchors (&...) are not allowed here; write the value itself"},
        {STR_INIT("a: &x {}\n"),
         "x.yaml:1:4: anchors (&...) are not allowed here; write the value itself"},
        {STR_INIT("a: 1\nb: *x\n"),
         "x.yaml:2:4: aliases (*...) are not allowed here; write the value itself"},
        {STR_INIT("a: !!str 1\n"),
         "x.yaml:1:4: tags (!...) are not allowed here; write the value itself"},
        {STR_INIT("a: ! 1\n"),
         "x.yaml:1:4: tags (!...) are not allowed here; write the value itself"},
        {STR_INIT("a: !x [1]\n"),
         "x.yaml:1:4: tags (!...) are not allowed here; write the value itself"},
        {STR_INIT("!x {a: 1}\n"),
         "x.yaml:1:1: tags (!...) are not allowed here; write the value itself"},
        {STR_INIT("a: 1\n---\nb: 2\n"),
         "x.yaml:2:1: a second document begins here; one file holds one"},
        {STR_INIT("[a]: 1\n"), "x.yaml:1:1: a key must be a word, not a list"},
        {STR_INIT("? {a: b}\n: 1\n"), "x.yaml:1:3: a key must be a word, not a map"},
        {STR_INIT("~: 1\n"), "x.yaml:1:1: a key must be a word, not nothing"},
        {STR_INIT("a: \"x\\0y\"\n"), "x.yaml:1:4: text must not hold a NUL (\\0)"},
        {STR_INIT("\"x\\0\": 1\n"), "x.yaml:1:1: text must not hold a NUL (\\0)"},
        {STR_INIT("a: x\0y\n"), "x.yaml:1:5: a control character (0x00), which no YAML text has"},
        {STR_INIT("a: \x1b[0m\n"),
         "x.yaml:1:4: a control character (0x1b), which no YAML text has"},
        {STR_INIT("a: \xff\n"), "x.yaml:1:4: not UTF-8 text: invalid leading UTF-8 octet"},
        {STR_INIT("\xff\xfe"
                  "a\0:\0"),
         "x.yaml:1:1: not UTF-8 text: invalid leading UTF-8 octet"},
        {STR_INIT("a: [1\nb: 2\n"),
         "x.yaml:2:2: not valid YAML: while parsing a flow sequence: did not "
         "find expected ',' or ']'"},
        {STR_INIT("a:\n\tb: 1\n"), "x.yaml:2:1: a tab; YAML indents with spaces"},
        {STR_INIT("a: \"x\n"), "x.yaml:1:4: a quote opens here and is never closed"},
        {STR_INIT("a: b: c\n"),
         "x.yaml:1:5: not valid YAML: mapping values are not allowed in this "
         "context"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(doc_clear) struct doc doc = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf faults = {0};

        assert_int_equal(yaml_parse(&doc, cases[i].yaml, "x.yaml", &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_null(doc.root);
        assert_string_equal(faults_text(&faults, &e), cases[i].fault);
    }
}

static int parse_nested(unsigned levels, const char *inner, struct err *e)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(buf_clear) struct buf text = {0};

    for (unsigned i = 0; i < levels; i++)
        buf_puts(&text, i % 2 ? "{a: " : "[");
    buf_puts(&text, inner);
    for (unsigned i = levels; i-- > 0;)
        buf_putc(&text, i % 2 ? '}' : ']');
    return yaml_parse(&doc, buf_view(&text), "x.yaml", e);
}

static void depth_is_limited(void **state)
{
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(parse_nested(31, "x", &e), 0);
    assert_int_equal(parse_nested(32, "x", &e), 0);
    assert_int_equal(parse_nested(33, "", &e), -1);
    assert_string_equal(e.msg, "nested deeper than 32 levels");
    err_clear(&e);
    assert_int_equal(parse_nested(5000, "x", &e), -1); /* and no stack is used up */
}

static void size_is_limited(void **state)
{
    CLEANUP(buf_clear) struct buf text = {0};

    buf_puts(&text, "a: ");
    while (text.len < MAX)
        buf_putc(&text, 'x');
    for (size_t len = MAX - 1; len <= MAX + 1; len++) {
        CLEANUP(doc_clear) struct doc doc = {0};
        CLEANUP(err_clear) struct err e = {0};

        if (text.len < len)
            buf_putc(&text, 'x');
        assert_int_equal(yaml_parse(&doc, str_sub(buf_view(&text), 0, len), "x.yaml", &e),
                         len <= MAX ? 0 : -1);
        if (len > MAX)
            assert_string_equal(e.msg, "larger than 1 MiB, the most allowed");
    }
}

/* As many keys in one map as fit into a file: the search for twins must not be quadratic. An alarm
 * ends the test if it is. */
static void many_keys_are_quick(void **state)
{
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err e = {0};

    buf_putc(&text, '{');
    for (unsigned i = 0; i < 130000; i++)
        buf_fmt(&text, "%x: ,", i);
    buf_putc(&text, '}');
    alarm(15);
    assert_int_equal(yaml_parse(&doc, buf_view(&text), "x.yaml", &e), 0);
    alarm(0);
    assert_int_equal(doc.root->count, 130000);
}

static void files_that_cannot_be_read_say_why(void **state)
{
    char dir[] = "/tmp/test_yaml.XXXXXX";
    CLEANUP(free_clear) char *path = NULL;
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf big = {0};

    assert_non_null(mkdtemp(dir));
    assert_int_equal(yaml_read(&doc, dir, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.msg, "is a folder, not a file"));
    err_clear(&e);

    path = path_join(dir, "x.yaml");
    assert_int_equal(yaml_read(&doc, path, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.msg, "No such file or directory"));
    err_clear(&e);

    while (big.len <= MAX)
        buf_puts(&big, "# 16 bytes long\n");
    assert_int_equal(fs_write(path, buf_view(&big), &e), 0);
    assert_int_equal(yaml_read(&doc, path, &e), -1);
    assert_non_null(strstr(e.msg, "is larger than 1048576 bytes"));
    err_clear(&e);

    if (geteuid() != 0) { /* root may read everything */
        assert_int_equal(chmod(path, 0), 0);
        assert_int_equal(yaml_read(&doc, path, &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        err_clear(&e);
    }

    assert_int_equal(fs_write(path, STR("a: 1\n"), &e), 0);
    assert_int_equal(yaml_read(&doc, path, &e), 0);
    assert_string_equal(doc.file, path);
    assert_int_equal(fs_remove(path, &e), 0);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_keep_their_text),
        cmocka_unit_test(places_are_told),
        cmocka_unit_test(what_is_refused_has_its_place),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(size_is_limited),
        cmocka_unit_test(many_keys_are_quick),
        cmocka_unit_test(files_that_cannot_be_read_say_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
