/* tests/unit/test_own_project.c - which files a recipe's own project has, with git and without, and
 * what of it decides. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "io/source.h"
#include "io/tar_read.h"
#include "mkfolder.h"
#include "plan/own_project.h"

#define PLAIN "[project]\nname = \"demo\"\nversion = \"1\"\n"
#define SCM                                                                  \
    "[build-system]\nrequires = [\"hatchling\", \"hatch-vcs\"]\n[project]\n" \
    "name = \"demo\"\ndynamic = [\"version\"]\n"

/* What an environment of git's would change, if it were let. */
static int begin(void **state)
{
    setenv("GIT_DIR", "/nowhere", 1);
    setenv("GIT_INDEX_FILE", "/nowhere/index", 1);
    return 0;
}

/* A command of a shell in the folder; its hooks and monitors must not run. */
static void shell(const struct mkfolder *f, const char *command)
{
    CLEANUP(buf_clear) struct buf line = {0};

    buf_fmt(&line,
            "cd %s && unset GIT_DIR GIT_INDEX_FILE && export GIT_CONFIG_GLOBAL=/dev/null "
            "GIT_CONFIG_NOSYSTEM=1 && git() { command git -c user.name=a -c user.email=a@b.test "
            "-c protocol.file.allow=always \"$@\"; } && %s",
            f->path, command);
    assert_int_equal(system(line.p), 0);
}

static void open_project(struct own_project *p, struct recipe *r, const struct mkfolder *f,
                         const char *how)
{
    CLEANUP(buf_clear) struct buf yaml = {0};
    struct err e = {0};

    buf_fmt(&yaml, "pytorch: none\nname: x\n%s\n", how);
    if (recipe_parse(r, buf_view(&yaml), "x.yaml", &e) < 0 ||
        own_project_open(p, r, f->path, &e) < 0)
        fail_msg("%s", e.msg);
}

struct text_sink {
    struct sink sink;
    struct buf text;
};

static int text_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    buf_add(&((struct text_sink *)self)->text, bytes, len);
    return 0;
}

/* "path=mode:text", links "path->target". */
static void list_tar(struct buf *out, const struct own_project *p)
{
    struct text_sink to = {.sink.write = text_write};
    CLEANUP(tar_clear) struct tar_reader *tar = NULL;
    const struct tar_entry *t;
    struct digest digest;
    struct err e = {0};
    uint64_t size = 0;

    if (own_project_pack(p, &to.sink, NULL, &e) < 0 ||
        own_project_hash(&digest, &size, p, NULL, &e) < 0)
        fail_msg("%s", e.msg);
    assert_int_equal(size, to.text.len);
    tar = tar_open(source_bytes(buf_view(&to.text), "x.tar"), TAR_PACKAGE);
    buf_reset(out);
    for (;;) {
        struct str path;

        if (tar_next(tar, &t, &e) < 0)
            fail_msg("%s", e.msg);
        if (!t)
            break;
        path = t->entry.path;
        assert_true(str_skip(&path, STR("project/")));
        assert_int_equal(t->entry.mtime, 315532800);
        buf_fmt(out, "%s" STR_FMT, out->len ? " " : "", STR_ARG(path));
        if (t->entry.type == ENTRY_SYMLINK)
            buf_fmt(out, "->" STR_FMT, STR_ARG(t->entry.link));
        else if (t->entry.mode == 0755)
            buf_puts(out, "*");
    }
    buf_clear(&to.text);
}

static void expect_files(const struct mkfolder *f, const char *how, const char *files)
{
    CLEANUP(own_project_clear) struct own_project p = {0};
    CLEANUP(recipe_clear) struct recipe r = {0};
    CLEANUP(buf_clear) struct buf got = {0};

    open_project(&p, &r, f, how);
    list_tar(&got, &p);
    assert_string_equal(got.p ? got.p : "", files);
}

static void files_of_a_folder(void **state)
{
    static const struct mkfolder_item items[] = {
        {"pyproject.toml", PLAIN, NULL},
        {"x.yaml", "the recipe", NULL},
        {"x.lock", "{\n  \"envbuild_lock\": 4,", NULL},
        {"uv.lock", "version = 1\n", NULL},
        {"a/b.py", "1", NULL},
        {"a/__pycache__/b.pyc", "1", NULL},
        {"a/build/keep.py", "1", NULL},
        {"a/link.py", NULL, "b.py"},
        {"build/lib/b.py", "1", NULL},
        {"dist/x.whl", "1", NULL},
        {".venv/bin/python", "1", NULL},
        {"demo.egg-info/PKG-INFO", "1", NULL},
        {"node_modules/x/y.js", "1", NULL},
        {".env", "SECRET=1", NULL},
        {"images/oci-layout", "{}", NULL},
        {"images/blobs/sha256/00", "1", NULL},
        {"wheels/demo.whl", "1", NULL},
        {"wheels/data.txt", "1", NULL},
        {"vendor/own.whl", "1", NULL},
        {"empty", NULL, NULL},
        {NULL, NULL, NULL},
    };
    CLEANUP(mkfolder_clear) struct mkfolder f = {0};

    mkfolder(&f, items);
    shell(&f, "chmod 0700 a/b.py");
    expect_files(&f, "project: .",
                 "a/b.py* a/build/keep.py a/link.py->b.py pyproject.toml uv.lock vendor/own.whl "
                 "wheels/data.txt");
}

static void files_of_a_work_tree(void **state)
{
    static const struct mkfolder_item items[] = {
        {"sub/lib.h", "1", NULL},
        {"top/app/pyproject.toml", PLAIN, NULL},
        {"top/app/build/is_code.py", "1", NULL},
        {"top/app/gone.py", "1", NULL},
        {"top/app/ignored/x.py", "1", NULL},
        {"top/app/new.py", "1", NULL},
        {"top/app/.gitignore", "ignored\n", NULL},
        {"top/other.py", "1", NULL},
        {"top/x.yaml", "1", NULL},
        {NULL, NULL, NULL},
    };
    CLEANUP(mkfolder_clear) struct mkfolder f = {0};

    mkfolder(&f, items);
    shell(&f, "git init -q -b main sub && git -C sub add -A && git -C sub commit -qm x && "
              "git init -q -b main top && cd top && git add app/gone.py app/build && "
              "git submodule --quiet add ../sub app/vendor 2>/dev/null && git commit -qm x && "
              "rm app/gone.py && git config core.fsmonitor 'touch ../../ran; false' && "
              "git config core.hooksPath .");
    expect_files(&f, "project: top/app",
                 ".gitignore build/is_code.py new.py pyproject.toml vendor/lib.h");
    shell(&f, "test ! -e ran");
}

static void links_stay_inside(void **state)
{
    static const char *const targets[] = {"../../outside", "/etc/passwd", "back"};

    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        const struct mkfolder_item items[] = {{"p/pyproject.toml", PLAIN, NULL},
                                              {"outside", "secret", NULL},
                                              {"p/app/back", NULL, i == 2 ? "../.." : "."},
                                              {"p/app/out", NULL, targets[i]},
                                              {NULL, NULL, NULL}};
        CLEANUP(mkfolder_clear) struct mkfolder f = {0};
        CLEANUP(own_project_clear) struct own_project p = {0};
        CLEANUP(recipe_clear) struct recipe r = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct digest digest;
        uint64_t size;

        mkfolder(&f, items);
        open_project(&p, &r, &f, "project: p");
        assert_int_equal(own_project_hash(&digest, &size, &p, NULL, &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_int_equal(e.line, 3);
        assert_non_null(strstr(e.msg, "leads out of the project"));
    }
}

/* The digests of what decides. */
static void inputs_of(struct buf *out, const char *toml, const char *setup, const char *how)
{
    const struct mkfolder_item items[] = {{toml ? "pyproject.toml" : "x", toml ? toml : "", NULL},
                                          {setup ? "setup.py" : "x", setup ? setup : "", NULL},
                                          {NULL, NULL, NULL}};
    CLEANUP(mkfolder_clear) struct mkfolder f = {0};
    CLEANUP(own_project_clear) struct own_project p = {0};
    CLEANUP(recipe_clear) struct recipe r = {0};
    const struct own_input *in;

    mkfolder(&f, items);
    open_project(&p, &r, &f, how);
    vec_each(in, &p.inputs) {
        char text[DIGEST_TEXT + 1];

        digest_text(&in->digest, text);
        buf_fmt(out, STR_FMT " %s\n", STR_ARG(in->path), text);
    }
}

static void what_decides_is_told_from_what_does_not(void **state)
{
#define MORE PLAIN "dependencies = [\"six\"]\n"
#define DYNAMIC "[project]\nname = \"demo\"\nversion = \"1\"\ndynamic = [\"dependencies\"]\n"
    static const struct {
        const char *a, *b, *setup_a, *setup_b, *how;
        bool same;
    } rows[] = {
        {PLAIN, PLAIN "[tool.ruff]\nx = 1\n", NULL, "1", "project: .", true},
        {PLAIN, "[project]\nversion = \"2\"\nname = \"demo\"\n", NULL, NULL, "project: .", true},
        {PLAIN, MORE, NULL, NULL, "project: .", false},
        {PLAIN, PLAIN "[project.optional-dependencies]\nx = []\n", NULL, NULL, "project: .", false},
        {PLAIN, PLAIN "[build-system]\nrequires = [\"x\"]\n", NULL, NULL, "project: .", false},
        {PLAIN, PLAIN "[dependency-groups]\ndev = [\"six\"]\n", NULL, NULL, "project: .", true},
        {PLAIN "[dependency-groups]\ndev = [\"a\"]\n", PLAIN "[dependency-groups]\ndev = [\"b\"]\n",
         NULL, NULL, "project: {path: ., groups: [Dev]}", false},
        {DYNAMIC, DYNAMIC, "1", "2", "project: .", false},
        {DYNAMIC, DYNAMIC "[tool.ruff]\nx = 1\n", "1", "1", "project: .", false},
        {NULL, NULL, "1", "2", "project: .", false},
        {NULL, NULL, "1", "1", "project: .", true},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf a = {0}, b = {0};

        inputs_of(&a, rows[i].a, rows[i].setup_a, rows[i].how);
        inputs_of(&b, rows[i].b, rows[i].setup_b, rows[i].how);
        if ((strcmp(a.p, b.p) == 0) != rows[i].same)
            fail_msg("row %zu: %s%s", i, a.p, b.p);
    }
}

static void what_is_no_project_is_told(void **state)
{
    static const struct {
        const char *toml, *how, *says;
    } rows[] = {
        {NULL, "project: .", "project: \".\" has neither pyproject.toml nor setup.py"},
        {PLAIN, "project: sub", "project: \"sub\" has neither pyproject.toml nor setup.py"},
        {PLAIN, "project: {path: ., groups: [dev]}",
         "project: it has no group \"dev\"; there is none"},
        {PLAIN "[dependency-groups]\na = []\nB_b = []\n", "project: {path: ., groups: [dev, A]}",
         "project: it has no group \"dev\"; there is a, b-b"},
        {PLAIN "dependencies = [1]\n", "project: .", "a requirement is wanted here"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct mkfolder_item items[] = {
            {rows[i].toml ? "pyproject.toml" : "x", rows[i].toml ? rows[i].toml : "", NULL},
            {NULL, NULL, NULL}};
        CLEANUP(mkfolder_clear) struct mkfolder f = {0};
        CLEANUP(own_project_clear) struct own_project p = {0};
        CLEANUP(recipe_clear) struct recipe r = {0};
        CLEANUP(buf_clear) struct buf yaml = {0};
        CLEANUP(err_clear) struct err e = {0};

        mkfolder(&f, items);
        buf_fmt(&yaml, "pytorch: none\nname: x\n%s\n", rows[i].how);
        assert_int_equal(recipe_parse(&r, buf_view(&yaml), "x.yaml", &e), 0);
        assert_int_equal(own_project_open(&p, &r, f.path, &e), -1);
        assert_non_null(e.file);
        if (!strstr(e.msg, rows[i].says))
            fail_msg("%s: %s", rows[i].how, e.msg);
    }
}

/* `made` makes the repository; what stands behind "=" is compared to as many bytes. */
static void expect_version(const char *toml, const char *made, const char *recipe, const char *env)
{
    const struct mkfolder_item items[] = {{"pyproject.toml", toml, NULL}, {NULL, NULL, NULL}};
    struct str old[] = {STR_INIT("A=1"), STR_INIT("SETUPTOOLS_SCM_PRETEND_VERSION=old")};
    const struct strs before = {old, ARRAY_LEN(old), 0};
    CLEANUP(mkfolder_clear) struct mkfolder f = {0};
    CLEANUP(own_project_clear) struct own_project p = {0};
    CLEANUP(recipe_clear) struct recipe r = {0};
    CLEANUP(arena_clear) struct arena arena = {0};
    CLEANUP(buf_clear) struct buf got = {0};
    struct strs now;

    mkfolder(&f, items);
    shell(&f, made);
    open_project(&p, &r, &f, recipe);
    now = own_project_env(&arena, &before, &p, NULL);
    for (size_t i = 0; i < now.n; i++)
        buf_fmt(&got, "%s" STR_FMT, i ? " " : "", STR_ARG(now.v[i]));
    if (strncmp(got.p, env, strlen(env)) != 0)
        fail_msg("%s: %s", made, got.p);
}

static void a_version_is_handed_over(void **state)
{
#define ONE "git init -q -b main . && git add -A && git commit -qm x"
#define TWO " && git commit -q --allow-empty -m y"
#define TOLD "A=1 SETUPTOOLS_SCM_PRETEND_VERSION="
    expect_version(SCM, ONE " && git tag v1.2.0", "project: .", TOLD "1.2.0");
    expect_version(SCM, ONE " && git tag -a -m x demo-1.2.0" TWO TWO, "project: .",
                   TOLD "1.2.1.dev2+g");
    expect_version(SCM, ONE " && git tag 1.0rc1" TWO, "project: .", TOLD "1.0rc2.dev1+g");
    expect_version(SCM, ONE TWO, "project: .", TOLD "0.1.dev2+g");
    expect_version(SCM, ONE " && git tag nightly", "project: .", TOLD "0.1.dev1+g");
    expect_version(SCM, "git init -q .", "project: .", TOLD "0+unknown");
    expect_version(SCM, "true", "project: .", TOLD "0+unknown");
    expect_version(PLAIN, ONE, "project: .", TOLD "old"); /* nobody asks: nothing changes */
    expect_version(SCM, ONE,
                   "project: .\nbuild: {demo: {env: {SETUPTOOLS_SCM_PRETEND_VERSION: \"7\"}}}",
                   TOLD "old"); /* which is the recipe's */
    expect_version("[build-system]\nrequires = [\"versioneer\"]\n", ONE " && git tag 2.0",
                   "project: .", TOLD "old VERSIONEER_PRETEND_VERSION=2.0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_a_folder),
        cmocka_unit_test(files_of_a_work_tree),
        cmocka_unit_test(links_stay_inside),
        cmocka_unit_test(what_decides_is_told_from_what_does_not),
        cmocka_unit_test(what_is_no_project_is_told),
        cmocka_unit_test(a_version_is_handed_over),
    };

    return cmocka_run_group_tests(tests, begin, NULL);
}
