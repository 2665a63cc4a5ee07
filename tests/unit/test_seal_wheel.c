/* tests/unit/test_seal_wheel.c - what decides a wheel that is built, and the source as files. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "oci_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "mkfolder.h"
#include "mktar.h"
#include "mkwheel.h"
#include "seal/source_lay.h"
#include "seal/wheel.h"

/* ---- the key ---- */

/* A build with change number `k`; number 0 changes nothing. False when there is no such change. */
static bool key_of(struct digest *out, unsigned k)
{
    struct seal_layer layers[] = {{.diff_id = {{1}}}, {.diff_id = {{2}}}};
    struct seal_file wheels[] = {{STR("a.whl"), {{3}}}, {STR("b.whl"), {{4}}}};
    struct str env[] = {STR("A=1"), STR("B=2")}, settings[] = {STR("x=1"), STR("x=2")};
    struct seal_build b = {.name = STR("demo"),
                           .version = STR("1.0"),
                           .source = {.sdist = "demo.tar.gz", .digest = {{5}}},
                           .layers = {layers, 2, 2},
                           .python = STR("/opt/venv/bin/python"),
                           .path = STR("/usr/bin"),
                           .requires = {wheels, 2, 2},
                           .settings = {settings, 2, 2},
                           .env = {env, 2, 2},
                           .epoch = 7};
    unsigned n = 0;

#define CHANGE(what) \
    if (++n == k)    \
        what;
    CHANGE(b.name = STR("demO"))
    CHANGE(b.version = STR("1.1"))
    CHANGE((b.source.sdist = NULL, b.source.folder = "demo"))
    CHANGE(b.source.digest.bytes[3] = 1)
    CHANGE(b.source.subfolder = STR("python"))
    CHANGE(layers[1].diff_id.bytes[3] = 1)
    CHANGE(b.layers.n = 1)
    CHANGE(b.python = STR("/usr/bin/python3"))
    CHANGE(b.path = STR("/bin"))
    CHANGE(b.shared = true)
    CHANGE(b.requires.n = 1)
    CHANGE(wheels[0].digest.bytes[3] = 1)
    CHANGE(wheels[0].name = STR("c.whl"))
    CHANGE((b.inputs.v = wheels, b.inputs.n = 1))
    CHANGE(b.settings.n = 1)
    CHANGE(settings[0] = STR("x=3"))
    CHANGE(b.env.n = 1)
    CHANGE(env[0] = STR("A=1 3:B=2"))
    CHANGE(b.cuda_home = STR("/usr/local/cuda"))
    CHANGE(b.archs = STR("8.0"))
    CHANGE(b.epoch = 8)
#undef CHANGE
    seal_key(out, &b);
    return k <= n;
}

static void all_that_decides_is_in_the_key(void **state)
{
    struct digest keys[64];
    unsigned n = 0;

    while (key_of(&keys[n], n))
        n++;
    assert_int_equal(n, 22);
    for (unsigned i = 0; i < n; i++)
        for (unsigned j = 0; j < i; j++)
            if (digest_eq(&keys[i], &keys[j]))
                fail_msg("change %u and %u", j, i);
}

static void how_much_runs_at_once_is_not(void **state)
{
    struct seal_file ab[] = {{STR("a.whl"), {{3}}}, {STR("b.whl"), {{4}}}}, ba[] = {ab[1], ab[0]};
    struct str many[] = {STR("MAX_JOBS=16"), STR("MAKEFLAGS=-j3"), STR("A=1"),
                         STR("CMAKE_BUILD_PARALLEL_LEVEL=2"), STR("CARGO_BUILD_JOBS=1")};
    struct str few[] = {STR("A=1")};
    struct seal_build x = {.name = STR("demo"), .requires = {ab, 2, 2}, .env = {many, 5, 5}};
    struct seal_build y = {.name = STR("demo"), .requires = {ba, 2, 2}, .env = {few, 1, 1}};
    struct digest a, b;

    seal_key(&a, &x);
    seal_key(&b, &y);
    assert_true(digest_eq(&a, &b));
}

/* ---- sources ---- */

static void read_tree(struct buf *out, const char *top, const char *name)
{
    CLEANUP(free_clear) char *path = path_join(top, name);
    CLEANUP(err_clear) struct err e = {0};
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    buf_fmt(out, "%s %o %lld ", name, (unsigned)st.st_mode & 0777, (long long)st.st_mtime);
    assert_ok(fs_read(out, path, 100, &e), &e);
}

static void an_sdist_is_held_against_its_digest(void **state)
{
    CLEANUP(free_clear) char *path = path_join(*state, "demo.tar"), *to = path_join(*state, "src");
    struct seal_source source = {.sdist = path};
    CLEANUP(buf_clear) struct buf tar = {0}, got = {0};
    CLEANUP(err_clear) struct err e = {0};

    mktar(&tar, "demo-1.0/setup.py", '0', "", "x", 1);
    mktar(&tar, "demo-1.0/.wh.name", '0', "", "y", 1); /* means nothing here */
    mktar(&tar, "../../up", '0', "", "z", 1);
    mktar(&tar, "demo-1.0/link", '2', "/etc", "", 0);
    mktar(&tar, "demo-1.0/link/passwd", '0', "", "w", 1);
    tar_end(&tar);
    assert_ok(fs_write(path, buf_view(&tar), &e), &e);
    assert_ok(fs_mkdirs(to, &e), &e);
    assert_int_equal(source_lay(to, &source, 5, NULL, &e), -1);
    assert_int_equal(e.kind, ERR_INTEGRITY);
    err_clear(&e);
    hash_bytes(&source.digest, tar.p, tar.len);
    assert_ok(source_lay(to, &source, 5, NULL, &e), &e);
    read_tree(&got, to, "demo-1.0/setup.py");
    buf_putc(&got, '\n');
    read_tree(&got, to, "demo-1.0/.wh.name");
    buf_putc(&got, '\n');
    read_tree(&got, to, "up");
    buf_putc(&got, '\n');
    read_tree(&got, to, "demo-1.0/link/passwd");
    assert_string_equal(got.p, "demo-1.0/setup.py 755 0 x\ndemo-1.0/.wh.name 755 0 y\n"
                               "up 755 0 z\ndemo-1.0/link/passwd 755 0 w");
}

static void an_sdist_may_be_a_zip(void **state)
{
    static const struct mkwheel_file files[] = {
        {.path = "demo-1.0/setup.py", .text = "x", .mode = 0100755}, {0}};
    CLEANUP(free_clear) char *path = path_join(*state, "demo.zip"), *to = path_join(*state, "zip");
    struct seal_source source = {.sdist = path};
    CLEANUP(buf_clear) struct buf bytes = {0}, got = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct input in = {0};

    mkwheel(&in, "demo", "1.0", files);
    assert_ok(fd_pread_all(in.fd.n, buf_room(&bytes, in.size), in.size, 0, "it", &e), &e);
    bytes.len = in.size;
    assert_ok(fs_write(path, buf_view(&bytes), &e), &e);
    assert_ok(fs_mkdirs(to, &e), &e);
    source.digest = in.digest;
    assert_ok(source_lay(to, &source, 5, NULL, &e), &e);
    read_tree(&got, to, "demo-1.0/setup.py");
    assert_string_equal(got.p, "demo-1.0/setup.py 755 1699920000 x");
    fd_clear(&in.fd);
}

static void a_folder_is_copied_with_one_time(void **state)
{
    static const struct mkfolder_item items[] = {
        {"a/setup.py", .text = "x"}, {"a/b/c.txt", .text = "y"}, {"a/out", .link = "/etc"}, {0}};
    CLEANUP(free_clear)
    char *to = path_join(*state, "copy"), *from = NULL, *run = NULL, *link = NULL;
    CLEANUP(buf_clear) struct buf got = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct seal_source source = {0};
    char target[16] = {0};
    struct mkfolder f;

    mkfolder(&f, items);
    from = path_join(f.path, "a");
    run = path_join(from, "setup.py");
    assert_int_equal(chmod(run, 0700), 0);
    source.folder = from;
    assert_ok(fs_mkdirs(to, &e), &e);
    assert_ok(source_lay(to, &source, 1234, NULL, &e), &e);
    read_tree(&got, to, "setup.py");
    buf_putc(&got, '\n');
    read_tree(&got, to, "b/c.txt");
    assert_string_equal(got.p, "setup.py 755 1234 x\nb/c.txt 644 1234 y");
    link = path_join(to, "out");
    assert_int_equal(readlink(link, target, sizeof target - 1), 4);
    assert_string_equal(target, "/etc");
    mkfolder_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_decides_is_in_the_key),
        cmocka_unit_test(how_much_runs_at_once_is_not),
        cmocka_unit_test(an_sdist_is_held_against_its_digest),
        cmocka_unit_test(an_sdist_may_be_a_zip),
        cmocka_unit_test(a_folder_is_copied_with_one_time),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
