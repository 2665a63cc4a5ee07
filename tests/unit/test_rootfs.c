/* An image's layers put together, and what a base image is found to be. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mktar.h"
#include "plan/base_image.h"

/* A layer as text: "path" a file that holds "x", "path/" a folder, "path>target" a link,
 * "path=other" a hard link, "path!" a device; between spaces. */
static void layer_of(struct buf *tar, const char *text)
{
    struct str rest = str_of(text), word;

    while (str_word(&rest, &word)) {
        struct str path = word, target = word;
        CLEANUP(free_clear) char *p = NULL, *t = NULL;
        char type = '0';

        if (str_cut(&target, STR(">"), &path))
            type = '2';
        else if (str_cut(&target, STR("="), &path))
            type = '1';
        else if (str_drop(&path, STR("!")))
            type = '3';
        else if (str_ends(path, STR("/")))
            type = '5';
        p = str_dup(path);
        t = str_dup(type == '1' || type == '2' ? target : STR(""));
        mktar(tar, p, type, t, "x", type == '0');
    }
    tar_end(tar);
}

static int keep_all(void *ctx, struct str path, uint64_t size, struct source *data,
                    struct buf *text, struct err *e)
{
    return source_read_all(data, text, 1 << 20, e);
}

static int add_layer(struct rootfs *r, const char *text, struct err *e)
{
    CLEANUP(buf_clear) struct buf tar = {0};

    layer_of(&tar, text);
    return rootfs_add(r, source_bytes(buf_view(&tar), "layer"), keep_all, NULL, e);
}

static int name_compare(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void names_of(struct buf *out, const struct rootfs *r)
{
    struct strs names = {0};

    for (size_t i = 0; i < r->nodes.n; i++)
        if (!r->nodes.v[i]->gone)
            vec_add(&names, r->nodes.v[i]->path);
    vec_sort(&names, name_compare);
    for (size_t i = 0; i < names.n; i++)
        buf_fmt(out, "%s" STR_FMT, i ? " " : "", STR_ARG(names.v[i]));
    vec_clear(&names);
}

static void layers_make(void **state)
{
    static const struct {
        const char *layers[3], *want;
    } cases[] = {
        {{"a b/c"}, "a b b/c"},
        {{"./ ./a ./b/ ./b/c"}, "a b b/c"},
        {{"a b", ".wh.a"}, "b"},
        {{"d/ d/a d/b", "d/.wh.a"}, "d d/b"},
        {{"d/ d/a d/b/c e", ".wh.d"}, "e"},
        {{"d/ d/a da", ".wh.d d/ d/new"}, "d d/new da"},
        {{"d/ d/a da", "d/ d/new .wh.d"}, "d d/new da"}, /* the order within a layer is free */
        {{"d/ d/a d/b/c", "d/.wh..wh..opq d/new"}, "d d/new"},
        {{"d/ d/a d/b/c", "d/new d/.wh..wh..opq"}, "d d/new"},
        {{"a b", ".wh..wh..opq c"}, "c"},
        {{"a", ".wh..wh.plnk .wh.none"}, "a"},
        {{"d/ d/a", "d"}, "d"}, /* a file instead of a folder */
        {{"d>e e/a", "d/ d/b"}, "d d/b e e/a"},
        {{"d>e e/a", "d/b"}, "d d/b e e/a"},
        {{"a b=a", ".wh.a"}, "b"},
        {{"a", "b=a", ".wh.a"}, "b"},
        {{"dev/null! a"}, "a dev dev/null"},
        {{"a", ".wh.a", "a"}, "a"},
        {{"d/ d/a", "d/b .wh.d"}, "d d/b"}, /* what the layer itself has stays, and its folder */
        {{"d/ d/a", ".wh.d d/b"}, "d d/b"},
        {{"d/ d/s/ d/s/a", "d/s/b d/.wh..wh..opq"}, "d d/s d/s/b"},
        {{"d/ d/s/ d/s/a", "d/s/.wh..wh..opq d/.wh..wh..opq d/s/b .wh..wh..opq"}, "d d/s d/s/b"},
        {{"d/ d/s/a e", ".wh..wh..opq d/s/b", ".wh..wh..opq c"}, "c"},
        {{"d/ d/a", "d>e", "d/"}, "d"},
        {{"d/ d/a e", "d=e", "d/b"}, "d d/b e"},
        {{"d/ d/a", "d/ d/.wh.a d/ d/b"}, "d d/b"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(rootfs_clear) struct rootfs r = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf got = {0};

        for (size_t j = 0; j < 3 && cases[i].layers[j]; j++)
            if (add_layer(&r, cases[i].layers[j], &e) < 0)
                fail_msg("case %zu: %s", i, e.msg);
        names_of(&got, &r);
        assert_string_equal(got.p, cases[i].want);
    }
}

/* `n` files, each `before` a number and `after`. */
static void put_many(struct rootfs *r, const char *before, const char *after, size_t n)
{
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf path = {0};

    for (size_t i = 0; i < n; i++) {
        struct entry entry = {0};

        buf_reset(&path);
        buf_fmt(&path, "%s%zu%s", before, i, after);
        entry.path = buf_view(&path);
        if (rootfs_put(r, &entry, false, STR(""), NULL, &e) < 0)
            fail_msg("%s", e.msg);
    }
    rootfs_next(r);
}

static size_t count_all(const struct rootfs *r)
{
    size_t n = 0;

    for (size_t i = 0; i < r->nodes.n; i++)
        n += !r->nodes.v[i]->gone;
    return n;
}

/* A whiteout costs what it deletes, not what there is: if each went through all, this would take
 * minutes. */
static void many_whiteouts_cost_what_they_delete(void **state)
{
    enum { MANY = 100000 };
    CLEANUP(rootfs_clear) struct rootfs r = {0};

    put_many(&r, "d/", "", MANY);
    put_many(&r, "e", "/.wh..wh..opq", MANY);
    put_many(&r, "f", "/a", MANY);
    put_many(&r, "f", "/.wh..wh..opq", MANY);
    assert_int_equal(count_all(&r), 1 + MANY + MANY);
    put_many(&r, "d/.wh.", "", MANY);
    assert_int_equal(count_all(&r), 1 + MANY);
    put_many(&r, "d/", "", MANY); /* and one that is asked for again and again */
    for (size_t i = 0; i < 50000; i++) {
        CLEANUP(err_clear) struct err e = {0};
        struct entry opaque = {.path = STR("d/.wh..wh..opq")}, own = {.path = STR("d/own")};

        assert_int_equal(rootfs_put(&r, &opaque, false, STR(""), NULL, &e), 0);
        assert_int_equal(rootfs_put(&r, &own, false, STR(""), NULL, &e), 0);
    }
    assert_int_equal(count_all(&r), 1 + 1 + MANY);
}

static void links_are_followed(void **state)
{
    static const struct {
        const char *path, *want;
    } cases[] = {
        {"lib/x", "usr/lib/x"}, {"/lib/x", "usr/lib/x"},      {"lib", "usr/lib"},
        {"abs", "usr/lib/x"},   {"up/x", "usr/lib/x"},        {"loop", NULL},
        {"gone", NULL},         {"usr/lib/x/y", NULL},        {"lib/../lib/x", "usr/lib/x"},
        {"hard", "hard"},       {"../../lib/x", "usr/lib/x"},
    };
    CLEANUP(rootfs_clear) struct rootfs r = {0};
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(add_layer(&r,
                               "usr/lib/x lib>usr/lib abs>/lib/x a/b/c up>a/b/../../lib loop>loop2 "
                               "loop2>loop gone>nowhere hard=usr/lib/x",
                               &e),
                     0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct rootfs_node *n = rootfs_follow(&r, str_of(cases[i].path));

        if (!cases[i].want)
            assert_null(n);
        else if (!n || !str_is(n->path, cases[i].want))
            fail_msg("%s gives %s", cases[i].path, n ? n->path.p : "nothing");
    }
    assert_string_equal(rootfs_follow(&r, STR("hard"))->text.p, "x");
}

static void hard_links_lead_to_files(void **state)
{
    CLEANUP(rootfs_clear) struct rootfs r = {0};
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(add_layer(&r, "a b=none", &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
}

/* ---- base images ---- */

#define LIBC "lib/x86_64-linux-gnu/libc.so.6"
#define GLIBC "\0\0GNU C Library (Debian GLIBC 2.36-9+deb12u9) stable release version 2.36.\nCopy"
#define ELF(version) "\177ELF....\0" version "\0more\0"

struct file {
    const char *path, *text;
    size_t len;
};
#define F(path, text)                \
    {                                \
        path, text, sizeof(text) - 1 \
    }

static int inspect(struct base_image *b, const struct file *files, const char *want, struct err *e)
{
    CLEANUP(buf_clear) struct buf tar = {0};
    CLEANUP(rootfs_clear) struct rootfs r = {0};

    for (; files->path; files++)
        if (files->text[0] == '>')
            mktar(&tar, files->path, '2', files->text + 1, "", 0);
        else
            mktar(&tar, files->path, '0', "", files->text, files->len);
    tar_end(&tar);
    if (rootfs_add(&r, source_bytes(buf_view(&tar), "layer"), base_image_keep, NULL, e) < 0)
        return -1;
    return base_image_inspect(b, &r, STR("/usr/local/bin:/usr/bin:/bin"), str_of(want), e);
}

static void bases_are_read(void **state)
{
    static const struct {
        const char *python; /* asked for */
        struct file files[8];
        const char *want; /* "os glibc python full", or a part of the fault */
    } cases[] = {
        {"",
         {F("etc/os-release", "NAME=x\nID=debian\nVERSION_ID=\"12\"\n"), F(LIBC, GLIBC),
          F("usr/bin/python3", ">python3.11"), F("usr/bin/python3.11", ELF("3.11.2")),
          F("usr/lib/python3.11/os.py", "")},
         "debian-12 2.36 usr/bin/python3.11 3.11.2"},
        {"", /* the links of a merged /usr, and dpkg's word where the program is silent */
         {F("lib", ">usr/lib"), F("usr/" LIBC, GLIBC), F("bin", ">usr/bin"),
          F("usr/bin/python3", ">/bin/python3.12"), F("usr/bin/python3.12", "silent"),
          F("usr/lib/python3.12/os.py", ""),
          F("var/lib/dpkg/status",
            "Package: python3.12\nStatus: install ok installed\nVersion: 3.12.3-1ubuntu0.5\n\n")},
         "image 2.36 usr/bin/python3.12 3.12.3"},
        {"", /* built under /usr/local with a shared library */
         {F(LIBC, GLIBC), F("usr/local/bin/python3", ">python3.11"),
          F("usr/local/bin/python3.11", "small"),
          F("usr/local/lib/libpython3.11.so.1.0", ELF("3.11.9")),
          F("usr/local/lib/python3.11/os.py", ""), F("usr/bin/python3.13", ELF("3.13.5"))},
         "image 2.36 usr/local/bin/python3.11 3.11.9"},
        {"3.13",
         {F(LIBC, GLIBC), F("usr/bin/python3", ">python3.11"),
          F("usr/bin/python3.11", ELF("3.11.2")), F("usr/lib/python3.11/os.py", ""),
          F("usr/bin/python3.13", ELF("3.13.0rc1")), F("usr/lib/python3.13/os.py", "")},
         "image 2.36 usr/bin/python3.13 3.13.0rc1"},
        {"", /* another prefix, reached by a link */
         {F(LIBC, GLIBC), F("usr/local/bin/python3", ">/opt/py/bin/python3.12"),
          F("opt/py/bin/python3.12", "silent"), F("opt/py/lib/python3.12/os.py", ""),
          F("opt/py/include/python3.12/patchlevel.h", "#define PY_VERSION  \t\"3.12.7\"\n")},
         "image 2.36 opt/py/bin/python3.12 3.12.7"},
        {"3.12",
         {F(LIBC, GLIBC), F("usr/bin/python3.11", ELF("3.11.2")),
          F("usr/lib/python3.11/os.py", "")},
         "no Python 3.12 on its PATH; it has /usr/bin/python3.11"},
        {"", {F(LIBC, GLIBC), F("bin/sh", "x")}, "has no Python"},
        {"", {F(LIBC, GLIBC), F("usr/bin/python3", ">python3.11")}, "has no Python"},
        {"",
         {F("etc/os-release", "ID=alpine\n"), F("lib/ld-musl-x86_64.so.1", "x"),
          F("usr/bin/python3.11", ELF("3.11.2"))},
         "C library is musl (alpine)"},
        {"", {F("usr/bin/python3.11", ELF("3.11.2"))}, "has no glibc"},
        {"", {F(LIBC, GLIBC), F("opt/venv/pyvenv.cfg", "x")}, "has an /opt/venv already"},
        {"", {F(LIBC, GLIBC), F("opt", ">srv")}, "/opt is not a folder"},
        {"", {F(LIBC, GLIBC), F("usr/bin/python3.11", ELF("3.11.2"))}, "does not stand beside"},
        {"",
         {F(LIBC, GLIBC), F("usr/bin/python3.11", "silent"), F("usr/lib/python3.11/os.py", "")},
         "tells its full version"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(base_image_clear) struct base_image b = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf got = {0};

        if (inspect(&b, cases[i].files, cases[i].python, &e) < 0)
            buf_puts(&got, e.msg);
        else
            buf_fmt(&got, STR_FMT " " STR_FMT " " STR_FMT " " STR_FMT, STR_ARG(b.os),
                    STR_ARG(b.glibc), STR_ARG(b.python), STR_ARG(b.python_full));
        if (!strstr(got.p, cases[i].want))
            fail_msg("case %zu gives %s", i, got.p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_make),
        cmocka_unit_test(many_whiteouts_cost_what_they_delete),
        cmocka_unit_test(links_are_followed),
        cmocka_unit_test(hard_links_lead_to_files),
        cmocka_unit_test(bases_are_read),
    };

    return cmocka_run_group_tests_name("rootfs", tests, NULL, NULL);
}
