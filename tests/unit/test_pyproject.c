/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "faults.h"
#include "pkg/pypi/pyproject.h"

static void print_needs(struct buf *out, const char *what, const struct pyproject_needs *needs)
{
    const struct pyproject_need *n;

    buf_fmt(out, "%s:", what);
    vec_each(n, needs)
        buf_fmt(out, " [" STR_FMT "]", STR_ARG(n->text));
    buf_putc(out, '\n');
}

static void print_sets(struct buf *out, const char *kind, const struct pyproject_sets *sets)
{
    const struct pyproject_set *s;

    vec_each(s, sets) {
        CLEANUP(buf_clear) struct buf what = {0};

        buf_fmt(&what, "%s " STR_FMT, kind, STR_ARG(s->name));
        print_needs(out, what.p, &s->needs);
    }
}

static void a_project_is_read(void **state)
{
    static const char text[] = "[project]\n"
                               "name = \"My.Demo\"\n"
                               "dynamic = [\"version\"]\n"
                               "requires-python = \">=3.11\"\n"
                               "dependencies = [\"torch==2.6.0\", \"x; sys_platform == 'win32'\"]\n"
                               "[project.optional-dependencies]\n"
                               "Viz_2 = [\"matplotlib<4\"]\n"
                               "empty = []\n"
                               "[dependency-groups]\n"
                               "dev = [\"pytest\"]\n"
                               "docs = [{include-group = \"DEV\"}, \"sphinx\"]\n"
                               "all = [{include-group = \"docs\"}, {include-group = \"dev\"}]\n"
                               "[build-system]\n"
                               "requires = [\"hatchling>=1\"]\n"
                               "build-backend = \"hatchling.build\"\n"
                               "backend-path = [\"tools\"]\n"
                               "[tool.uv]\n"
                               "sources = 1\n";
    CLEANUP(pyproject_clear) struct pyproject p = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf out = {0}, faults = {0};

    if (pyproject_parse(&p, str_of(text), "pyproject.toml", &e) < 0)
        fail_msg("%s", faults_text(&faults, &e));
    print_needs(&out, "dependencies", &p.dependencies);
    print_sets(&out, "extra", &p.extras);
    print_sets(&out, "group", &p.groups);
    print_needs(&out, "build", &p.build_requires);
    assert_string_equal(out.p, "dependencies: [torch==2.6.0] [x; sys_platform == 'win32']\n"
                               "extra viz-2: [matplotlib<4]\n"
                               "extra empty:\n"
                               "group dev: [pytest]\n"
                               "group docs: [pytest] [sphinx]\n"
                               "group all: [pytest] [sphinx] [pytest]\n"
                               "build: [hatchling>=1]\n");
    assert_true(p.named && p.has_build_system && !p.version.len);
    assert_true(str_is(p.name, "My.Demo") && str_is(p.requires_python, ">=3.11"));
    assert_true(p.dynamic.n == 1 && str_is(p.dynamic.v[0], "version"));
    assert_true(str_is(p.build_backend, "hatchling.build"));
    assert_true(p.backend_path.n == 1 && str_is(p.backend_path.v[0], "tools"));
    assert_int_equal(p.dependencies.v[1].pos.line, 5);
    assert_int_equal(p.dependencies.v[1].pos.col, 33);
    assert_non_null(pyproject_find(&p.extras, STR("VIZ.2")));
    assert_null(pyproject_find(&p.groups, STR("viz-2")));
}

static void one_of_tools_alone_is_read(void **state)
{
    CLEANUP(pyproject_clear) struct pyproject p = {0};
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(pyproject_parse(&p, STR("[tool.black]\nx = 1\n"), "p.toml", &e), 0);
    assert_true(!p.named && !p.has_build_system && !p.dependencies.n);
}

static void what_is_wrong_has_its_place(void **state)
{
    static const struct {
        const char *text, *faults;
    } cases[] = {
        {"[project]\nversion = \"1\"\n", "p.toml:1:2: project: \"name\" is missing"},
        {"[project]\nname = \"x\"\ndependencies = [\"a\", \"b c\", 1]\n",
         "p.toml:3:22: requirement \"b c\": \"c\" is not a version specifier (such as >=1.0, "
         "==2.4.* or "
         "~=3.1)\n"
         "p.toml:3:29: a requirement is wanted here, not a number"},
        {"[project]\nname = \"x\"\nrequires-python = \"3.11\"\n",
         "p.toml:3:19: requires-python: \"3.11\" is not a version specifier"},
        {"[project]\nname = \"x\"\nversion = \"1\"\ndynamic = [\"version\"]\n",
         "p.toml:3:1: \"version\" is under `dynamic`, so only the backend tells it"},
        {"[project]\nname = \"x\"\n[project.optional-dependencies]\na_b = []\nA-b = []\n",
         "p.toml:5:1: \"A-b\" is \"a-b\" of line 4"},
        {"[dependency-groups]\na = [{include-group = \"b\"}]\n",
         "p.toml:2:23: there is no group \"b\""},
        {"[dependency-groups]\na = [{include-group = \"b\"}]\nb = [{include-group = \"A\"}]\n",
         "p.toml:3:23: group \"a\" includes itself"},
        {"[dependency-groups]\na = [{path = \"b\"}]\n",
         "p.toml:2:6: a requirement or {include-group = \"NAME\"} is wanted here"},
        {"[dependency-groups]\na = \"b\"\n",
         "p.toml:2:5: a list of requirements is wanted here, not text"},
        {"[build-system]\n", "p.toml:1:2: build-system: \"requires\" is missing"},
        {"[project\n", "p.toml:1:9: \"]\" is missing behind the name"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(pyproject_clear) struct pyproject p = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf faults = {0};

        assert_int_equal(pyproject_parse(&p, str_of(cases[i].text), "p.toml", &e), -1);
        assert_string_equal(faults_text(&faults, &e), cases[i].faults);
    }
}

/* 2 to the 40th requirements, were they all written down. */
static void groups_do_not_grow_without_end(void **state)
{
    CLEANUP(pyproject_clear) struct pyproject p = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf text = {0};

    buf_puts(&text, "[dependency-groups]\ng0 = [\"a\", \"b\"]\n");
    for (int i = 1; i < 40; i++)
        buf_fmt(&text, "g%d = [{include-group = \"g%d\"}, {include-group = \"g%d\"}]\n", i, i - 1,
                i - 1);
    assert_int_equal(pyproject_parse(&p, buf_view(&text), "p.toml", &e), -1);
    assert_non_null(strstr(e.msg, "has more than 65536 requirements"));
}

/* Markers of an extra's requirements stay theirs. */
static void a_table_gives_metadata(void **state)
{
    static const struct {
        const char *text, *expect; /* NULL: the backend tells */
    } cases[] = {
        {"[project]\nname = 'a'\nversion = '1'\nrequires-python = '>=3.9'\n"
         "dependencies = ['b>1', \"c @ https://d.test/c.whl ; os_name == 'nt'\"]\n"
         "[project.optional-dependencies]\n"
         "X_y = ['e', \"f<2 ; os_name == 'nt' or os_name == 'posix'\"]\n",
         "Metadata-Version: 2.2\nName: a\nVersion: 1\nRequires-Python: >=3.9\n"
         "Requires-Dist: b>1\n"
         "Requires-Dist: c @ https://d.test/c.whl ; os_name == \"nt\"\n"
         "Provides-Extra: x-y\n"
         "Requires-Dist: e ; extra == \"x-y\"\n"
         "Requires-Dist: f<2 ; (os_name == \"nt\" or os_name == \"posix\") and extra == \"x-y\"\n"},
        {"[project]\nname = 'a'\ndynamic = ['version', 'readme']\n",
         "Metadata-Version: 2.2\nName: a\nVersion: 7\n"},
        {"[project]\nname = 'a'\ndynamic = ['dependencies']\n", NULL},
        {"[project]\nname = 'a'\ndynamic = ['optional-dependencies']\n", NULL},
        {"[project]\nname = 'a'\ndynamic = ['requires-python']\n", NULL},
        {"[project]\nname = 'a'\n[tool.poetry]\n", NULL},
        {"[project]\nname = 'a'\ndependencies = ['b']\n[tool.poetry]\n",
         "Metadata-Version: 2.2\nName: a\nVersion: 7\nRequires-Dist: b\n"},
        {"[build-system]\nrequires = []\n", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(pyproject_clear) struct pyproject p = {0};
        CLEANUP(buf_clear) struct buf out = {0};
        struct err e = {0};

        assert_int_equal(pyproject_parse(&p, str_of(cases[i].text), "p.toml", &e), 0);
        assert_int_equal(pyproject_metadata(&out, &p, STR("7")), cases[i].expect != NULL);
        assert_string_equal(out.p ? out.p : "", cases[i].expect ? cases[i].expect : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_gives_metadata),
        cmocka_unit_test(a_project_is_read),
        cmocka_unit_test(one_of_tools_alone_is_read),
        cmocka_unit_test(what_is_wrong_has_its_place),
        cmocka_unit_test(groups_do_not_grow_without_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
