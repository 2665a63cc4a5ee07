/* tests/unit/test_tool_lock.c - what lock files of other tools have for a target. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "doc/yaml.h"
#include "faults.h"
#include "pkg/pypi/tool_lock.h"

static const struct marker_env env = {STR_INIT("3.11.2"), STR_INIT("x86_64")};

/* A digest that ends in the digit. */
#define HASH(digit) "000000000000000000000000000000000000000000000000000000000000000" #digit
#define PYPI "source = {registry = \"https://pypi.org/simple\"}\n"

/* What is chosen of `text`, one pick a line, or the faults. `choice` is YAML as in a recipe. */
static void choose(struct buf *out, const char *file, const char *text, const char *choice)
{
    CLEANUP(tool_lock_clear) struct tool_lock lock = {0};
    CLEANUP(tool_lock_picks_clear) struct tool_lock_picks picks = {0};
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(arena_clear) struct arena arena = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct tool_lock_choice c = {.env = &env, .pos = {"x.yaml", 3, 7}};
    const struct tool_lock_pick *p;

    buf_reset(out);
    buf_puts(out, "");
    assert_int_equal(yaml_parse(&doc, str_of(choice), "x.yaml", &e), 0);
    c.extras = node_get(doc.root, "extras");
    c.groups = node_get(doc.root, "groups");
    if (tool_lock_parse(&lock, str_of(text), str_of(file), &e) < 0 ||
        tool_lock_choose(&picks, &arena, &lock, &c, &e) < 0) {
        faults_text(out, &e);
        return;
    }
    vec_each(p, &picks) {
        buf_fmt(out, STR_FMT, STR_ARG(p->text));
        for (size_t i = 0; i < p->hashes.n; i++)
            buf_fmt(out, " %u", p->hashes.v[i].bytes[31]);
        buf_putc(out, '\n');
    }
}

struct row {
    const char *choice, *result;
};

static void check(const char *file, const char *text, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CLEANUP(buf_clear) struct buf out = {0};

        choose(&out, file, text, rows[i].choice);
        assert_string_equal(out.p, rows[i].result);
    }
}

static void names_tell_what_is_a_lock(void **state)
{
    static const struct {
        const char *path;
        bool is;
    } cases[] = {
        {"pylock.toml", true},      {"a/pylock.dev-1.toml", true}, {"uv.lock", true},
        {"../poetry.lock", true},   {"pylock..toml", false},       {"pylock.a.b.toml", false},
        {"pylock.toml.bak", false}, {"pdm.lock", false},           {"uv.lock/x", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(tool_lock_is_name(str_of(cases[i].path)), cases[i].is);
}

/* ---- uv.lock ---- */

static const char uv[] =
    "version = 1\nrevision = 3\nrequires-python = \">=3.10\"\n"
    "[[package]]\nname = \"both\"\nversion = \"1.0\"\n" PYPI
    "resolution-markers = [\"python_full_version < '3.11'\"]\n"
    "[[package]]\nname = \"both\"\nversion = \"2.0\"\n" PYPI
    "resolution-markers = [\"python_full_version >= '3.11'\"]\n"
    "dependencies = [{name = \"leaf\"}]\n"
    "sdist = {url = \"u\", hash = \"sha256:" HASH(
        1) "\"}\n"
           "wheels = [{url = \"v\", hash = \"sha256:" HASH(
               2) "\"}, {url = \"w\", hash = \"sha256:" HASH(3) "\"}]\n"
                                                                "[[package]]\nname = "
                                                                "\"demo\"\nversion = "
                                                                "\"0.1\"\nsource = {editable = "
                                                                "\".\"}\n"
                                                                "dependencies = [\n"
                                                                "  {name = \"both\", version = "
                                                                "\"1.0\", marker = "
                                                                "\"python_full_version < "
                                                                "'3.11'\"},\n"
                                                                "  {name = \"both\", version = "
                                                                "\"2.0\", marker = "
                                                                "\"python_full_version >= "
                                                                "'3.11'\"},\n"
                                                                "  {name = \"other\", marker = "
                                                                "\"sys_platform == 'win32'\"},\n"
                                                                "  {name = \"tool\", extra = "
                                                                "[\"fast\", \"gone\"]},\n"
                                                                "]\n"
                                                                "[package.optional-dependencies]"
                                                                "\nviz = [{name = \"plot\"}]\nall "
                                                                "= [{name = \"demo\", extra = "
                                                                "[\"viz\"]}]\n"
                                                                "[package.dev-dependencies]\ndev = "
                                                                "[{name = \"check\"}]\n"
                                                                "[package.metadata]\nprovides-"
                                                                "extras = [\"viz\", \"all\", "
                                                                "\"none\"]\n"
                                                                "[[package]]\nname = "
                                                                "\"check\"\nversion = \"3\"\n" PYPI
                                                                "[[package]]\nname = "
                                                                "\"leaf\"\nversion = \"1\"\n" PYPI
                                                                "dependencies = [{name = "
                                                                "\"both\"}]\n"
                                                                "wheels = [{url = \"v\", hash = "
                                                                "\"sha256:" HASH(
                                                                    4) "\"}, {url = \"w\"}]\n"
                                                                       "[[package]]\nname = "
                                                                       "\"other\"\nversion = "
                                                                       "\"1\"\n" PYPI
                                                                       "[[package]]\nname = "
                                                                       "\"plot\"\nversion = "
                                                                       "\"1\"\nsource = {url = "
                                                                       "\"https://h.test/"
                                                                       "plot-1-py3-none-any.whl\"}"
                                                                       "\n"
                                                                       "[[package]]\nname = "
                                                                       "\"speed\"\nversion = "
                                                                       "\"1\"\nsource = {path = "
                                                                       "\"wheels/"
                                                                       "speed-1-py3-none-any.whl\"}"
                                                                       "\n"
                                                                       "[[package]]\nname = "
                                                                       "\"tool\"\nversion = \"1\"\n"
                                                                       "source = {git = "
                                                                       "\"https://h.test/"
                                                                       "tool.git?subdirectory=a&"
                                                                       "rev=main#0123abc\"}\n"
                                                                       "[package.optional-"
                                                                       "dependencies]\nfast = "
                                                                       "[{name = \"speed\"}]\n";

static void a_graph_is_followed(void **state)
{
    static const struct row rows[] = {
        {"{}", "both==2.0 2 3 1\nleaf==1\nspeed @ ./sub/wheels/speed-1-py3-none-any.whl\n"
               "tool @ git+https://h.test/tool.git@0123abc#subdirectory=a\n"},
        {"{extras: [ALL], groups: [dev]}",
         "both==2.0 2 3 1\ncheck==3\nleaf==1\nplot @ https://h.test/plot-1-py3-none-any.whl\n"
         "speed @ ./sub/wheels/speed-1-py3-none-any.whl\n"
         "tool @ git+https://h.test/tool.git@0123abc#subdirectory=a\n"},
        {"{extras: [none]}",
         "both==2.0 2 3 1\nleaf==1\nspeed @ ./sub/wheels/speed-1-py3-none-any.whl\n"
         "tool @ git+https://h.test/tool.git@0123abc#subdirectory=a\n"},
        {"{extras: [vis], groups: [docs]}",
         "x.yaml:1:11: extras: sub/uv.lock has no \"vis\"; it has viz, all, none\n"
         "x.yaml:1:26: groups: sub/uv.lock has no \"docs\"; it has dev"},
    };

    check("sub/uv.lock", uv, rows, ARRAY_LEN(rows));
}

/* One torch from two indexes, by extras that exclude each other; what needs torch needs each. */
static const char forked[] =
    "version = 1\n"
    "conflicts = [[{package = \"demo\", extra = \"cpu\"}, {package = \"demo\", extra = "
    "\"cu124\"}],\n"
    "  [{package = \"demo\", group = \"a\"}, {package = \"demo\", group = \"b\"}]]\n"
    "[[package]]\nname = \"demo\"\nversion = \"1\"\nsource = {virtual = \".\"}\n"
    "dependencies = [{name = \"vision\"}]\n"
    "[package.optional-dependencies]\n"
    "cpu = [{name = \"torch\", version = \"2.6.0+cpu\"}]\n"
    "cu124 = [{name = \"torch\", version = \"2.6.0+cu124\"}]\n"
    "[package.dev-dependencies]\na = []\nb = []\n"
    "[[package]]\nname = \"torch\"\nversion = \"2.6.0+cpu\"\nsource = {registry = "
    "\"https://h.test/cpu\"}\n"
    "[[package]]\nname = \"torch\"\nversion = \"2.6.0+cu124\"\nsource = {registry = "
    "\"https://h.test/cu124\"}\n"
    "[[package]]\nname = \"vision\"\nversion = \"1\"\n" PYPI
    "dependencies = [{name = \"torch\", version = \"2.6.0+cpu\", marker = \"extra == "
    "'extra-4-demo-cpu'\"},\n"
    "  {name = \"torch\", version = \"2.6.0+cu124\", marker = \"extra == 'extra-4-demo-cu124' or "
    "extra == 'group-4-demo-b'\"}]\n";

static void what_excludes_must_be_named(void **state)
{
    static const struct row rows[] = {
        {"{}", "x.yaml:3:7: uv.lock has extras of which the choice differs: cpu, cu124; name those "
               "that are meant, as in extras: [cu124], or write extras: [] for none\n"
               "x.yaml:3:7: uv.lock has groups of which the choice differs: a, b; name those that "
               "are meant, as in groups: [b], or write groups: [] for none"},
        {"{extras: [cpu], groups: []}", "torch==2.6.0+cpu\nvision==1\n"},
        {"{extras: [cu124], groups: [a]}", "torch==2.6.0+cu124\nvision==1\n"},
        {"{extras: [], groups: []}", "vision==1\n"},
        {"{extras: [], groups: [b]}", "torch==2.6.0+cu124\nvision==1\n"},
        {"{extras: [cu124, cpu], groups: []}",
         "x.yaml:3:7: \"cpu\" and \"cu124\" exclude each other (uv.lock:2:50)"},
        {"{extras: [cpu], groups: [b]}",
         "uv.lock:21:11: \"torch==2.6.0+cu124\" is for the same image as \"torch==2.6.0+cpu\" at "
         "uv.lock:17:11; name extras or groups that leave one"},
    };

    check("uv.lock", forked, rows, ARRAY_LEN(rows));
}

static void a_workspace_has_members(void **state)
{
    static const char text[] =
        "version = 1\n[manifest]\nmembers = [\"a\", \"b\"]\n"
        "[manifest.dependency-groups]\ndev = [{name = \"d\"}]\n"
        "[[package]]\nname = \"a\"\nversion = \"1\"\nsource = {editable = \"packages/a\"}\n"
        "dependencies = [{name = \"b\", extra = [\"x\"]}]\n"
        "[[package]]\nname = \"b\"\nversion = \"1\"\nsource = {editable = \"packages/b\"}\n"
        "[package.optional-dependencies]\nx = [{name = \"c\"}]\n"
        "[[package]]\nname = \"c\"\nversion = \"1\"\n" PYPI
        "[[package]]\nname = \"d\"\nversion = \"1\"\n" PYPI;
    static const struct row rows[] = {{"{}", "c==1\n"}, {"{groups: [dev]}", "c==1\nd==1\n"}};

    check("uv.lock", text, rows, ARRAY_LEN(rows));
}

/* ---- poetry.lock ---- */

static void a_list_of_poetry(void **state)
{
    static const char text[] =
        "[[package]]\nname = \"Base\"\nversion = \"1\"\noptional = false\ngroups = [\"main\", "
        "\"dev\"]\n"
        "files = [{file = \"a.whl\", hash = \"sha256:" HASH(
            1) "\"}]\n"
               "[[package]]\nname = \"check\"\nversion = \"2\"\ngroups = [\"dev\"]\nfiles = []\n"
               "[[package]]\nname = \"mixed\"\nversion = \"3\"\ngroups = [\"main\", "
               "\"dev\"]\nfiles = []\n"
               "markers = {main = \"sys_platform == 'win32'\", dev = \"python_version >= "
               "'3.11'\"}\n"
               "[[package]]\nname = \"plot\"\nversion = \"4\"\noptional = true\ngroups = "
               "[\"main\"]\nfiles = []\n"
               "markers = \"extra == \\\"viz\\\"\"\n"
               "[package.source]\ntype = \"legacy\"\nurl = \"https://h.test/simple\"\nreference = "
               "\"h\"\n"
               "[[package]]\nname = \"repo\"\nversion = \"5\"\ngroups = [\"dev\"]\nfiles = []\n"
               "[package.source]\ntype = \"git\"\nurl = "
               "\"https://h.test/r.git\"\nresolved_reference = \"abc\"\n"
               "[extras]\nviz = [\"plot\"]\n"
               "[metadata]\nlock-version = \"2.1\"\npython-versions = \">=3.11,<3.13\"\n";
    static const struct row rows[] = {
        {"{}", "base==1 1\n"},
        {"{extras: [viz]}", "base==1 1\nplot==4\n"},
        {"{groups: [dev]}", "base==1 1\ncheck==2\nmixed==3\nrepo @ git+https://h.test/r.git@abc\n"},
        {"{groups: [docs], extras: [x]}",
         "x.yaml:1:27: extras: poetry.lock has no \"x\"; it has viz\n"
         "x.yaml:1:11: groups: poetry.lock has no \"docs\"; it has main, dev"},
    };

    check("poetry.lock", text, rows, ARRAY_LEN(rows));
}

/* ---- pylock.toml ---- */

static void a_list_of_pep_751(void **state)
{
    static const char text[] =
        "lock-version = \"1.0\"\ncreated-by = \"x\"\nrequires-python = \">=3.11\"\n"
        "environments = [\"sys_platform == 'darwin'\", \"sys_platform == 'linux'\"]\n"
        "extras = [\"cpu\", \"gpu\"]\ndependency-groups = [\"dev\", \"app\"]\ndefault-groups = "
        "[\"app\"]\n"
        "[[packages]]\nname = \"base\"\nversion = \"1\"\nindex = \"https://pypi.org/simple\"\n"
        "sdist = {url = \"u\", hashes = {md5 = \"0\", sha256 = \"" HASH(
            1) "\"}}\n"
               "wheels = [{url = \"v\", hashes = {sha256 = \"" HASH(
                   2) "\"}}]\n"
                      "[[packages]]\nname = \"app\"\nversion = \"1\"\nmarker = \"'app' in "
                      "dependency_groups\"\n"
                      "[[packages]]\nname = \"check\"\nversion = \"1\"\nmarker = \"'Dev' in "
                      "dependency_groups\"\n"
                      "[[packages]]\nname = \"demo\"\ndirectory = {path = \".\", editable = true}\n"
                      "[[packages]]\nname = \"sub\"\ndirectory = {path = \"sub\"}\nmarker = "
                      "\"'dev' in dependency_groups\"\n"
                      "[[packages]]\nname = \"torch\"\nversion = \"2.6.0+cpu\"\nmarker = \"'cpu' "
                      "in extras\"\n"
                      "[[packages]]\nname = \"torch\"\nversion = \"2.6.0\"\nmarker = \"'cpu' not "
                      "in extras and 'gpu' in extras\"\n"
                      "archive = {url = \"https://h.test/torch-2.6.0-x.whl\", hashes = {sha256 = "
                      "\"" HASH(3) "\"}}\n"
                                   "[[packages]]\nname = \"vcs\"\nmarker = \"'gpu' in extras\"\n"
                                   "vcs = {type = \"git\", url = \"https://h.test/r.git\", "
                                   "commit-id = \"abc\", subdirectory = \"d\"}\n";
    static const struct row rows[] = {
        {"{}", "x.yaml:3:7: pylock.toml has extras of which the choice differs: cpu, gpu; name "
               "those that are meant, as in extras: [gpu], or write extras: [] for none"},
        {"{extras: []}", "base==1 2 1\napp==1\n"},
        {"{extras: [cpu]}", "base==1 2 1\napp==1\ntorch==2.6.0+cpu\n"},
        {"{extras: [gpu], groups: [dev]}",
         "base==1 2 1\ncheck==1\nsub @ ./sub\ntorch @ https://h.test/torch-2.6.0-x.whl 3\n"
         "vcs @ git+https://h.test/r.git@abc#subdirectory=d\n"},
        {"{groups: [apps]}", "x.yaml:1:11: groups: pylock.toml has no \"apps\"; it has dev, app"},
    };

    check("pylock.toml", text, rows, ARRAY_LEN(rows));
}

static void what_is_wrong_has_its_place(void **state)
{
    static const struct {
        const char *file, *text, *faults;
    } cases[] = {
        {"uv.lock", "version = 2\n", "uv.lock:1:11: version: 2 is not known; 1 is"},
        {"uv.lock", "version = 1\nrequires-python = \">=3.12\"\n",
         "uv.lock:2:19: requires-python: \">=3.12\" does not fit the image's Python 3.11.2; write "
         "another `python` or lock again for this one"},
        {"uv.lock",
         "version = 1\n[[package]]\nname = \"d\"\nsource = {virtual = \".\"}\n"
         "dependencies = [{name = \"a\"}]\n",
         "uv.lock:5:17: \"a\" is needed here, and the file has no such package; lock again"},
        {"uv.lock",
         "version = 1\n[[package]]\nname = \"d\"\nsource = {virtual = \".\"}\n"
         "dependencies = [{name = \"a\", marker = \"x ==\"}]\n[[package]]\nname = \"a\"\n",
         "uv.lock:5:39: \"x ==\" is no marker"},
        {"uv.lock",
         "version = 1\n[[package]]\nname = \"d\"\nsource = {virtual = \".\"}\n"
         "dependencies = [{name = \"a\"}]\n[[package]]\nname = \"a\"\nversion = \"1 2\"\n" PYPI
         "wheels = [{hash = \"md5:0\"}]\n",
         "uv.lock:8:11: \"1 2\" is not a version\n"
         "uv.lock:10:11: a: \"md5:0\" is no sha256, and only those are compared"},
        {"poetry.lock", "[[package]]\nname = \"a\"\n[metadata]\nlock-version = \"2.0\"\n",
         "poetry.lock:4:16: lock-version: \"2.0\" does not tell which package is of which group; "
         "write it anew with Poetry 2: `poetry lock`"},
        {"poetry.lock",
         "[[package]]\nname = \"a b\"\nversion = \"1\"\ngroups = [\"main\"]\n[metadata]\n"
         "lock-version = \"2.1\"\n",
         "poetry.lock:1:3: \"a b\" is not the name of a package"},
        {"poetry.lock",
         "[[package]]\nname = \"a\"\nversion = \"1\"\ngroups = [\"main\"]\n"
         "files = [{hash = \"md5:0\"}]\n[metadata]\nlock-version = \"2.1\"\n",
         "poetry.lock:5:10: a: \"md5:0\" is no sha256, and only those are compared"},
        {"uv.lock", "version = 1\nsupported-markers = [\"sys_platform == 'darwin'\"]\n",
         "uv.lock:2:21: supported-markers: none is the image's, Python 3.11.2 on Linux and x86_64"},
        {"pylock.x.toml", "lock-version = \"2.0\"\npackages = []\n",
         "pylock.x.toml:1:16: lock-version: \"2.0\" is not known; 1.0 is"},
        {"pylock.toml",
         "lock-version = \"1.0\"\nenvironments = [\"sys_platform == 'win32'\"]\npackages = []\n",
         "pylock.toml:2:16: environments: none is the image's, Python 3.11.2 on Linux and x86_64"},
        {"pylock.toml",
         "lock-version = \"1.0\"\n[[packages]]\nname = \"a\"\nversion = \"1\"\n"
         "requires-python = \"<3.11\"\n[[packages]]\nname = \"A\"\nversion = \"2\"\n",
         "pylock.toml:5:19: requires-python: \"<3.11\" does not fit the image's Python 3.11.2; "
         "write another `python` or lock again for this one"},
        {"pylock.toml",
         "lock-version = \"1.0\"\n[[packages]]\nname = \"a\"\nversion = \"1\"\n"
         "[[packages]]\nname = \"A\"\nversion = \"2\"\n",
         "pylock.toml:7:11: \"a==2\" is for the same image as \"a==1\" at pylock.toml:4:11; name "
         "extras or groups that leave one"},
        {"pylock.toml", "x\n", "pylock.toml:1:2: \"=\" is missing behind the key"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf out = {0};

        choose(&out, cases[i].file, cases[i].text, "{}");
        assert_string_equal(out.p, cases[i].faults);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_tell_what_is_a_lock),
        cmocka_unit_test(a_graph_is_followed),
        cmocka_unit_test(what_excludes_must_be_named),
        cmocka_unit_test(a_workspace_has_members),
        cmocka_unit_test(a_list_of_poetry),
        cmocka_unit_test(a_list_of_pep_751),
        cmocka_unit_test(what_is_wrong_has_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
