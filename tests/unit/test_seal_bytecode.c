/* tests/unit/test_seal_bytecode.c - modules on their way to the compiler, and what is taken of what
 * it left. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "oci_fixture.h"

#include <unistd.h>

#include "base/path.h"
#include "mktar.h"
#include "seal/bytecode.h"

static int open_tar(struct source **out, void *ctx, struct err *e)
{
    struct buf *tar = ctx;

    *out = source_bytes(buf_view(tar), "a layer");
    return 0;
}

static char *below(const struct seal_bytecode *b, const char *path)
{
    return path_join(b->place.files, path);
}

static void write_below(const struct seal_bytecode *b, const char *path, const char *text)
{
    CLEANUP(free_clear) char *to = below(b, path), *dir = path_dir(to);
    CLEANUP(err_clear) struct err e = {0};

    assert_ok(fs_mkdirs(dir, &e), &e);
    assert_ok(fs_write(to, str_of(text), &e), &e);
}

static void what_the_compiler_left_is_read_and_no_link_is_followed(void **state)
{
    static const struct {
        const char *module, *made, *link;
        bool found;
    } cases[] = {
        {"site/a.py", "site/__pycache__/a.cpython-311.pyc", NULL, true},
        {"site/b.c.py", "site/__pycache__/b.c.cpython-311.pyc", NULL, true},
        {"site/bad.py", NULL, NULL, false},
        {"site/l.py", "site/__pycache__/l.cpython-311.pyc", "/etc/passwd", false},
    };
    CLEANUP(seal_bytecode_clear) struct seal_bytecode b = {0};
    CLEANUP(free_clear) char *store = path_join(*state, "store"), *src = NULL;
    CLEANUP(cas_clear) struct cas *cas = NULL;
    CLEANUP(buf_clear) struct buf tar = {0}, source = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct seal_layer layer = {.name = "a layer", .open = open_tar, .ctx = &tar};
    const struct seal_layers layers = {&layer, 1, 1};
    const struct digest key = {{7}};
    struct seal_means means = {.threads = 1};

    mktar(&tar, "usr/bin/python", '0', "", "x", 1);
    tar_end(&tar);
    hash_bytes(&layer.diff_id, tar.p, tar.len);
    layer.size = tar.len;
    assert_ok(cas_open(&cas, store, NULL, &e), &e);
    means.cas = cas;
    assert_ok(seal_bytecode_open(&b, &layers, &key, STR("cpython-311"), &means, &e), &e);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf result = {0}, got = {0}, made = {0};
        CLEANUP(free_clear) char *at = NULL;
        bool found;

        assert_ok(seal_bytecode_add(&b, str_of(cases[i].module), STR("x = 1\n"), &e), &e);
        buf_fmt(&result, "result/%s", cases[i].made ? cases[i].made : "none");
        at = below(&b, result.p);
        if (cases[i].link)
            assert_int_equal(symlink(cases[i].link, at), 0);
        else if (cases[i].made)
            write_below(&b, result.p, "code");
        assert_ok(seal_bytecode_read(&got, &made, &found, &b, str_of(cases[i].module), &e), &e);
        assert_int_equal(found, cases[i].found);
        if (found) {
            assert_string_equal(got.p, "code");
            assert_string_equal(made.p, cases[i].made);
        }
    }
    src = below(&b, "src/site/b.c.py");
    assert_ok(fs_read(&source, src, 100, &e), &e);
    assert_string_equal(source.p, "x = 1\n");
    seal_bytecode_clear(&b);
    assert_false(fs_exists(src));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_compiler_left_is_read_and_no_link_is_followed),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
