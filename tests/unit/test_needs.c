/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "look/needs.h"
#include "pkg/elf/ldcache.h"

/* A tree in words, a line each, in fields between spaces:
 *   file PATH [soname=S] [rpath=R] [runpath=R] [needs=A,B] [wants=LIB:VERSION] [weak=LIB:VERSION]
 *             [defines=V,W] [bits=32] [interp=PATH]
 *   link PATH TARGET
 *   cache NAME PATH   an entry of ld.so.cache
 *   path DIR          a directory of LD_LIBRARY_PATH */
struct world {
    struct needs needs;
    struct arena arena;
    struct elf elfs[16];
    size_t n;
};

static void world_clear(struct world *w)
{
    needs_clear(&w->needs);
    arena_clear(&w->arena);
    for (size_t i = 0; i < w->n; i++)
        elf_clear(&w->elfs[i]);
}

static void set(struct elf *elf, struct str key, struct str value)
{
    struct str item, version = value;

    if (str_is(key, "soname"))
        elf->soname = value;
    else if (str_is(key, "rpath"))
        elf->rpath = value;
    else if (str_is(key, "runpath"))
        elf->runpath = value;
    else if (str_is(key, "interp"))
        elf->interpreter = value;
    else if (str_is(key, "bits"))
        elf->bits = 32;
    else if (str_is(key, "needs"))
        while (str_item(&value, ',', &item))
            vec_add(&elf->needed, item);
    else if (str_is(key, "defines"))
        while (str_item(&value, ',', &item))
            vec_add(&elf->defines, item);
    else if (str_cut(&version, STR(":"), &item))
        vec_add(&elf->needs, ((struct elf_need){item, version, str_is(key, "weak")}));
    else
        fail_msg("what is " STR_FMT, STR_ARG(key));
}

/* A cache of one entry, as ldconfig writes it. */
static void add_cache(struct world *w, struct str name, struct str path)
{
    CLEANUP(buf_clear) struct buf b = {0};
    uint32_t words[] = {1,     0,  0, 0, 0, 0, 0, /* count and the rest of the head */
                        0x303, 72, 0, 0, 0, 0};   /* flags, name, path, version, hwcap */

    struct ldcache_libs list = {0};

    words[9] = 72 + (uint32_t)name.len + 1;
    buf_puts(&b, "glibc-ld.so.cache1.1");
    buf_add(&b, words, sizeof words);
    buf_fmt(&b, STR_FMT "%c" STR_FMT "%c", STR_ARG(name), 0, STR_ARG(path), 0);
    assert_true(ldcache_read(&list, arena_str(&w->arena, buf_view(&b))));
    assert_int_equal(list.n, 1);
    needs_add_cached(&w->needs, list.v[0].soname, list.v[0].path);
    vec_clear(&list);
}

static void world_read(struct world *w, const char *text)
{
    struct str rest = str_of(text), line, word, key;

    while (str_item(&rest, '\n', &line)) {
        struct str kind, path;

        if (!str_word(&line, &kind) || !str_word(&line, &path))
            continue;
        if (str_is(kind, "link")) {
            assert_true(str_word(&line, &word));
            needs_add_link(&w->needs, path, word);
        } else if (str_is(kind, "cache")) {
            assert_true(str_word(&line, &word));
            add_cache(w, path, word);
        } else if (str_is(kind, "path")) {
            vec_add(&w->needs.library_path, path);
        } else {
            struct elf *elf = &w->elfs[w->n++];

            assert_true(w->n <= ARRAY_LEN(w->elfs));
            elf->bits = 64;
            elf->machine = ELF_MACHINE_X86_64;
            while (str_word(&line, &word)) {
                assert_true(str_cut(&word, STR("="), &key));
                set(elf, key, word);
            }
            needs_add_file(&w->needs, path, elf);
        }
    }
}

static void print(struct buf *out, const struct needs_findings *f)
{
    static const char *const kinds[] = {"missing", "version", "interpreter", "driver"};
    const struct needs_finding *x;

    vec_each(x, &f->v) {
        buf_fmt(out, "%s%s " STR_FMT " " STR_FMT, out->len ? "; " : "", kinds[x->kind],
                STR_ARG(x->file), STR_ARG(x->name));
        if (x->version.len)
            buf_fmt(out, " " STR_FMT, STR_ARG(x->version));
        if (x->found.len)
            buf_fmt(out, " at " STR_FMT, STR_ARG(x->found));
    }
}

static void the_loader_is_followed(void **state)
{
    static const struct {
        const char *what, *tree, *root, *says;
        size_t loaded;
    } cases[] = {
        {"default directories, through a link of a directory",
         "file /usr/lib/x86_64-linux-gnu/libc.so.6 soname=libc.so.6\nlink /lib usr/lib\n"
         "file /bin/a needs=libc.so.6",
         "/bin/a", "", 2},
        {"nowhere", "file /bin/a needs=libx.so.1", "/bin/a", "missing /bin/a libx.so.1", 1},
        {"somewhere else", "file /bin/a needs=libx.so.1\nfile /opt/libx.so.1", "/bin/a",
         "missing /bin/a libx.so.1 at /opt/libx.so.1", 1},
        {"what the configuration names",
         "file /bin/a needs=libx.so.1\nfile /opt/libx.so.1\ncache libx.so.1 /opt/libx.so.1",
         "/bin/a", "", 2},
        {"what the environment names",
         "file /bin/a needs=libx.so.1\nfile /opt/libx.so.1\npath /opt", "/bin/a", "", 2},
        {"runpath from where the file is",
         "file /v/torch/lib/libt.so runpath=/none:$ORIGIN/../../nvidia/lib:${ORIGIN} "
         "needs=libn.so.1,libu.so\n"
         "file /v/nvidia/lib/libn.so.1\nfile /v/torch/lib/libu.so",
         "/v/torch/lib/libt.so", "", 3},
        {"runpath is not for those below",
         "file /a/a.so runpath=$ORIGIN needs=libb.so\nfile /a/libb.so needs=libc.so\nfile "
         "/a/libc.so",
         "/a/a.so", "missing /a/libb.so libc.so at /a/libc.so", 2},
        {"rpath is",
         "file /a/a.so rpath=$ORIGIN needs=libb.so\nfile /a/libb.so needs=libc.so\nfile /a/libc.so",
         "/a/a.so", "", 3},
        {"but not for who has a runpath",
         "file /a/a.so rpath=$ORIGIN needs=libb.so\nfile /a/libb.so runpath=/x needs=libc.so\nfile "
         "/a/libc.so",
         "/a/a.so", "missing /a/libb.so libc.so at /a/libc.so", 2},
        {"who has a runpath has no rpath",
         "file /a/a.so rpath=$ORIGIN runpath=/x needs=libb.so\nfile /a/libb.so", "/a/a.so",
         "missing /a/a.so libb.so at /a/libb.so", 1},
        {"nor is the rpath of who loaded it, if that has a runpath",
         "file /a/a.so rpath=$ORIGIN runpath=/q needs=libb.so\nfile /q/libb.so needs=libc.so\n"
         "file /a/libc.so",
         "/a/a.so", "missing /q/libb.so libc.so at /a/libc.so", 2},
        {"a name that is loaded already is not searched",
         "file /a/a.so runpath=$ORIGIN needs=libb.so,libc.so\nfile /a/libb.so needs=libc.so\nfile "
         "/a/libc.so",
         "/a/a.so", "", 3},
        {"nor one that is loaded under its soname",
         "file /a/a.so runpath=$ORIGIN needs=libc.so,libb.so\nfile /a/libb.so needs=libc.so.1\n"
         "file /a/libc.so soname=libc.so.1",
         "/a/a.so", "", 3},
        {"a link has an origin of its own",
         "link /l/libb.so ../real/libb.so.1\nfile /real/libb.so.1 runpath=$ORIGIN needs=libc.so\n"
         "file /l/libc.so\nfile /a needs=libb.so\ncache libc.so /l/libc.so\ncache libb.so "
         "/l/libb.so",
         "/a", "", 3},
        {"tokens that are not known are passed over",
         "file /a/a.so runpath=$LIB:/x/$PLATFORM:$ORIGIN needs=libb.so\nfile /a/libb.so", "/a/a.so",
         "", 2},
        {"another class is passed over",
         "file /a/a.so runpath=/x:/y needs=libb.so\nfile /x/libb.so bits=32\n"
         "file /y/libb.so needs=libz.so",
         "/a/a.so", "missing /y/libb.so libz.so", 2},
        {"links that go round", "link /x /y\nlink /y /x\nfile /a runpath=/x needs=libb.so", "/a",
         "missing /a libb.so", 1},
        {"the driver comes from the host",
         "file /a needs=libcuda.so.1,libnvidia-ml.so.1,libcuda.so.2", "/a",
         "driver /a libcuda.so.1; driver /a libnvidia-ml.so.1; missing /a libcuda.so.2", 1},
        {"a version that is not there",
         "file /lib/libc.so.6 defines=libc.so.6,GLIBC_2.17,GLIBC_2.31\n"
         "file /a needs=libc.so.6 wants=libc.so.6:GLIBC_2.17 wants=libc.so.6:GLIBC_2.34 "
         "weak=libc.so.6:GLIBC_2.40",
         "/a", "version /a libc.so.6 GLIBC_2.34 at /lib/libc.so.6", 2},
        {"without versions any will do",
         "file /lib/libz.so.1\nfile /a needs=libz.so.1 wants=libz.so.1:Z_9", "/a", "", 2},
        {"a program's loader",
         "file /bin/a interp=/lib64/ld.so\nfile /bin/b interp=/lib/ld.so\nfile /lib/ld.so",
         "/bin/a", "interpreter /bin/a /lib64/ld.so", 1},
        {"a path is taken as it is", "file /a needs=/x/libb.so,$ORIGIN/libc.so\nfile /x/libb.so",
         "/a", "missing /a $ORIGIN/libc.so", 2},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(world_clear) struct world w = {0};
        CLEANUP(needs_findings_clear) struct needs_findings f = {0};
        CLEANUP(buf_clear) struct buf text = {0};
        CLEANUP(err_clear) struct err e = {0};

        world_read(&w, cases[i].tree);
        assert_int_equal(needs_check(&f, &w.needs, str_of(cases[i].root), &e), 0);
        print(&text, &f);
        if (strcmp(text.p ? text.p : "", cases[i].says) != 0 || f.loaded.n != cases[i].loaded)
            fail_msg("%s: \"%s\", %zu loaded", cases[i].what, text.p ? text.p : "", f.loaded.n);
    }
}

static void a_root_that_is_not_there_is_refused(void **state)
{
    CLEANUP(world_clear) struct world w = {0};
    CLEANUP(needs_findings_clear) struct needs_findings f = {0};
    CLEANUP(err_clear) struct err e = {0};

    world_read(&w, "file /a");
    assert_int_equal(needs_check(&f, &w.needs, STR("/b"), &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.msg, "/b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loader_is_followed),
        cmocka_unit_test(a_root_that_is_not_there_is_refused),
    };
    return cmocka_run_group_tests_name("needs", tests, NULL, NULL);
}
