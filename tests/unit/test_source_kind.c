/* tests/unit/test_source_kind.c - which sources are compiled. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "oci_fixture.h"

#include "mktar.h"
#include "seal/source_kind.h"

static bool compiles(const char *folder, const struct artifact_source *s, const char *const *names)
{
    CLEANUP(free_clear) char *path = path_join(folder, "demo.tar");
    CLEANUP(buf_clear) struct buf tar = {0};
    CLEANUP(err_clear) struct err e = {0};

    mktar(&tar, "demo-1.0/x.c", '5', "", "", 0); /* a folder is no file */
    for (; *names; names++)
        mktar(&tar, *names, '0', "", "x", 1);
    tar_end(&tar);
    assert_ok(fs_write(path, buf_view(&tar), &e), &e);
    return source_compiles(s, path);
}

static void files_tell(void **state)
{
    static const struct {
        const char *name;
        bool compiled;
    } cases[] = {
        {"demo-1.0/setup.py", false},       {"demo-1.0/a.cfg", false},
        {"demo-1.0/README.c.md", false},    {"demo-1.0/src/x.c", true},
        {"demo-1.0/src/x.pyx", true},       {"demo-1.0/x/Y.CPP", true},
        {"demo-1.0/src/lib.rs", true},      {"demo-1.0/CMakeLists.txt", true},
        {"demo-1.0/rust/Cargo.toml", true}, {"demo-1.0/kernel.cu", true},
    };
    const struct artifact_source s = {0};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *const names[] = {"demo-1.0/pyproject.toml", cases[i].name, NULL};

        if (compiles(*state, &s, names) != cases[i].compiled)
            fail_msg("%s", cases[i].name);
    }
}

static void what_it_requires_tells(void **state)
{
    static const char *const names[] = {"demo-1.0/setup.py", NULL};
    struct artifact requires[] = {{.name = STR_INIT("hatchling")}, {.name = STR_INIT("hatch-vcs")}};
    struct artifact_source s = {.requires = requires, .requires_n = 2};

    assert_false(compiles(*state, &s, names));
    requires[1].name = STR("mypy"); /* which makes C of Python */
    assert_true(compiles(*state, &s, names));
    s.requires_n = 1;
    assert_false(compiles(*state, &s, names));
    s.commit = STR("a865356");
    assert_true(compiles(*state, &s, names));
}

static void what_cannot_be_read_may_be_compiled(void **state)
{
    CLEANUP(free_clear) char *path = path_join(*state, "damaged.tar.gz");
    const struct artifact_source s = {0};
    CLEANUP(err_clear) struct err e = {0};

    assert_true(source_compiles(&s, path));
    assert_ok(fs_write(path, STR("\x1f\x8b\x08 what is none"), &e), &e);
    assert_true(source_compiles(&s, path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_tell),
        cmocka_unit_test(what_it_requires_tells),
        cmocka_unit_test(what_cannot_be_read_may_be_compiled),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
