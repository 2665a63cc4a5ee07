/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <elf.h>
#include "assemble/system/ldconfig.h"
#include "mktree.h"

/* The smallest library that has a name: header, two program headers, dynamic part, strings. */
static void mk_library(struct buf *out, const char *soname, unsigned machine)
{
    struct {
        Elf64_Ehdr head;
        Elf64_Phdr ph[2];
        Elf64_Dyn dyn[3];
        char strings[64];
    } lib = {0};

    memcpy(lib.head.e_ident, ELFMAG, SELFMAG);
    lib.head.e_ident[EI_CLASS] = ELFCLASS64;
    lib.head.e_ident[EI_DATA] = ELFDATA2LSB;
    lib.head.e_type = ET_DYN;
    lib.head.e_machine = (Elf64_Half)machine;
    lib.head.e_phoff = offsetof(__typeof__(lib), ph);
    lib.head.e_phentsize = sizeof lib.ph[0];
    lib.head.e_phnum = 2;
    lib.ph[0] = (Elf64_Phdr){.p_type = PT_LOAD, .p_vaddr = 0x1000, .p_filesz = sizeof lib};
    lib.ph[1] = (Elf64_Phdr){.p_type = PT_DYNAMIC,
                             .p_offset = offsetof(__typeof__(lib), dyn),
                             .p_filesz = sizeof lib.dyn};
    lib.dyn[0].d_tag = DT_STRTAB;
    lib.dyn[0].d_un.d_ptr = 0x1000 + offsetof(__typeof__(lib), strings);
    lib.dyn[1].d_tag = soname ? DT_SONAME : DT_NEEDED;
    lib.dyn[1].d_un.d_val = 1;
    snprintf(lib.strings + 1, sizeof lib.strings - 1, "%s", soname ? soname : "libc.so.6");
    buf_add(out, &lib, sizeof lib);
}

static void add_library(struct tree *t, const char *path, const char *soname)
{
    CLEANUP(buf_clear) struct buf bytes = {0};

    mk_library(&bytes, soname, EM_X86_64);
    mktree_parents(t, path, 1);
    mktree_file(t, path, 0644, 5, buf_view(&bytes));
}

static uint32_t u32(const struct buf *b, size_t at)
{
    const unsigned char *p = (const unsigned char *)b->p + at;

    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* The cache as text, checked on the way: one "soname path" a line. */
static void show(struct buf *out, const struct buf *cache)
{
    assert_true(cache->len > 48);
    assert_memory_equal(cache->p, "glibc-ld.so.cache1.1", 20);
    for (uint32_t i = 0; i < u32(cache, 20); i++) {
        uint32_t key = u32(cache, 48 + i * 24 + 4), value = u32(cache, 48 + i * 24 + 8);
        assert_int_equal(u32(cache, 48 + i * 24), 0x303);
        assert_true(key < cache->len && value < cache->len);
        buf_fmt(out, "%s %s\n", cache->p + key, cache->p + value);
    }
}

static void build(const struct tree *t, struct buf *text, struct buf *cache)
{
    CLEANUP(err_clear) struct err e = {0};
    int64_t newest = 0;

    assert_int_equal(ldconfig(cache, t, STR("made by a test"), false, NULL, &newest, &e), 0);
    assert_true(newest <= 5);
    show(text, cache);
}

static void merged_usr(struct tree *t)
{
    mktree_dir(t, "usr", 0755, 1);
    mktree_dir(t, "usr/lib", 0755, 1);
    mktree_link(t, "lib", "usr/lib", 1);
}

static void libraries_are_listed_in_the_loaders_order(void **state)
{
    CLEANUP(tree_clear) struct tree t = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(buf_clear) struct buf cache = {0};

    merged_usr(&t);
    add_library(&t, "usr/lib/x86_64-linux-gnu/liba.so.9.1", "liba.so.9");
    mktree_link(&t, "usr/lib/x86_64-linux-gnu/liba.so.9", "liba.so.9.1", 1);
    mktree_link(&t, "usr/lib/x86_64-linux-gnu/liba.so", "liba.so.9", 1);
    add_library(&t, "usr/lib/x86_64-linux-gnu/liba.so.10", "liba.so.10");
    add_library(&t, "usr/lib/x86_64-linux-gnu/libplain.so", NULL);
    add_library(&t, "usr/lib/x86_64-linux-gnu/plugin.so", "plugin.so"); /* no library's name */
    add_library(&t, "usr/lib/x86_64-linux-gnu/sub/libdeep.so.1", "libdeep.so.1");
    add_library(&t, "usr/lib/liba.so.9", "liba.so.9");
    build(&t, &text, &cache);
    assert_string_equal(text.p, "libplain.so /lib/x86_64-linux-gnu/libplain.so\n"
                                "liba.so.10 /lib/x86_64-linux-gnu/liba.so.10\n"
                                "liba.so.9 /lib/x86_64-linux-gnu/liba.so.9\n"
                                "liba.so.9 /lib/liba.so.9\n"
                                "liba.so /lib/x86_64-linux-gnu/liba.so\n");
}

static void configured_directories_come_first(void **state)
{
    CLEANUP(tree_clear) struct tree t = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(buf_clear) struct buf cache = {0};

    merged_usr(&t);
    mktree_dir(&t, "etc", 0755, 1);
    mktree_dir(&t, "etc/ld.so.conf.d", 0755, 1);
    mktree_file(&t, "etc/ld.so.conf", 0644, 1, STR("include /etc/ld.so.conf.d/*.conf\n"));
    mktree_file(&t, "etc/ld.so.conf.d/b.conf", 0644, 1, STR("# text\n/opt/two\n"));
    mktree_file(&t, "etc/ld.so.conf.d/a.conf", 0644, 1, STR("/opt/one # here\n/opt/none\n"));
    mktree_file(&t, "etc/ld.so.conf.d/c.txt", 0644, 1, STR("/opt/three\n"));
    add_library(&t, "opt/two/libx.so.1", "libx.so.1");
    add_library(&t, "opt/one/libx.so.1", "libx.so.1");
    add_library(&t, "opt/three/libx.so.1", "libx.so.1");
    add_library(&t, "usr/lib/libx.so.1", "libx.so.1");
    build(&t, &text, &cache);
    assert_string_equal(text.p, "libx.so.1 /opt/one/libx.so.1\n"
                                "libx.so.1 /opt/two/libx.so.1\n"
                                "libx.so.1 /lib/libx.so.1\n");
}

static void strings_share_their_tails(void **state)
{
    static const char golden[] = "/lib/libx.so.1\0";
    CLEANUP(tree_clear) struct tree t = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(buf_clear) struct buf cache = {0};

    merged_usr(&t);
    add_library(&t, "usr/lib/libx.so.1", "libx.so.1");
    build(&t, &text, &cache);
    assert_int_equal(u32(&cache, 24), 15); /* "libx.so.1" lies inside "/lib/libx.so.1" */
    assert_memory_equal(cache.p + 72, golden, 15);
    assert_int_equal(u32(&cache, 32), 88); /* the extension, after padding to 4 */
    assert_int_equal(u32(&cache, 88), 0xEAA42174u);
    assert_int_equal(cache.len, 88 + 24 + strlen("made by a test"));
    assert_memory_equal(cache.p + 112, "made by a test", 14);
}

static void what_is_no_x86_64_library_is_left_out(void **state)
{
    CLEANUP(tree_clear) struct tree t = {0};
    CLEANUP(buf_clear) struct buf arm = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(buf_clear) struct buf cache = {0};

    merged_usr(&t);
    mk_library(&arm, "libarm.so.1", EM_AARCH64);
    mktree_file(&t, "usr/lib/libarm.so.1", 0644, 1, buf_view(&arm));
    mktree_file(&t, "usr/lib/libtext.so", 0644, 1, STR("GROUP ( libx.so.1 )"));
    mktree_file(&t, "usr/lib/libempty.so", 0644, 1, STR(""));
    mktree_link(&t, "usr/lib/libgone.so", "nowhere", 1);
    add_library(&t, "usr/lib/libnew.so.1.dpkg-new", "libnew.so.1");
    add_library(&t, "usr/lib/libnolink.so.1.2", "libnolink.so.1"); /* no soname link beside it */
    assert_true(arm.len > 64);
    build(&t, &text, &cache);
    assert_int_equal(text.len, 0);
}

static void broken_libraries_are_left_out(void **state)
{
    CLEANUP(buf_clear) struct buf whole = {0};

    mk_library(&whole, "libcut.so.1", EM_X86_64);
    for (size_t len = 0; len < whole.len; len += 7) {
        CLEANUP(tree_clear) struct tree t = {0};
        CLEANUP(buf_clear) struct buf cache = {0};
        CLEANUP(err_clear) struct err e = {0};
        merged_usr(&t);
        mktree_file(&t, "usr/lib/libcut.so.1", 0644, 1, str_sub(buf_view(&whole), 0, len));
        assert_int_equal(ldconfig(&cache, &t, STR("x"), false, NULL, NULL, &e), 0);
    }
}

/* What ldconfig of glibc 2.35 and 2.39 writes for such a tree. */
static void variants_for_some_processors_come_first(void **state)
{
    static const char *const names[] = {"odd", "x86-64-v2", "x86-64-v3"};
    CLEANUP(tree_clear) struct tree t = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(buf_clear) struct buf cache = {0};

    merged_usr(&t);
    mktree_dir(&t, "etc", 0755, 1);
    mktree_file(&t, "etc/ld.so.conf", 0644, 1, STR("/opt/x\n"));
    add_library(&t, "usr/lib/libx.so.1", "libx.so.1");
    add_library(&t, "usr/lib/glibc-hwcaps/x86-64-v3/libx.so.1", "libx.so.1");
    add_library(&t, "usr/lib/glibc-hwcaps/x86-64-v2/libx.so.1", "libx.so.1");
    add_library(&t, "usr/lib/glibc-hwcaps/odd/libx.so.1", "libx.so.1");
    add_library(&t, "opt/x/glibc-hwcaps/x86-64-v2/libx.so.1", "libx.so.1");
    add_library(&t, "usr/lib/glibc-hwcaps/a:b/libx.so.1", "libx.so.1");
    add_library(&t, "usr/lib/glibc-hwcaps/.hidden/libx.so.1", "libx.so.1");
    add_library(&t, "usr/lib/glibc-hwcaps/x86-64-v2/deep/libx.so.1", "libx.so.1");
    mktree_dir(&t, "usr/lib/glibc-hwcaps/unused", 0755, 1);
    build(&t, &text, &cache);
    assert_string_equal(text.p, "libx.so.1 /lib/glibc-hwcaps/odd/libx.so.1\n"
                                "libx.so.1 /opt/x/glibc-hwcaps/x86-64-v2/libx.so.1\n"
                                "libx.so.1 /lib/glibc-hwcaps/x86-64-v2/libx.so.1\n"
                                "libx.so.1 /lib/glibc-hwcaps/x86-64-v3/libx.so.1\n"
                                "libx.so.1 /lib/libx.so.1\n");
    for (uint32_t i = 0; i < 5; i++) {
        static const uint32_t numbers[] = {0, 1, 1, 2, 0};
        assert_int_equal(u32(&cache, 48 + i * 24 + 16), numbers[i]);
        assert_int_equal(u32(&cache, 48 + i * 24 + 20), i < 4 ? 1u << 30 : 0);
    }
    uint32_t at = u32(&cache, 32);
    assert_int_equal(u32(&cache, at + 4), 2);
    assert_int_equal(u32(&cache, at + 8 + 8), at + 8 + 32 + 12); /* the generator lies last */
    assert_int_equal(u32(&cache, at + 24), 1);
    assert_int_equal(u32(&cache, at + 24 + 8), at + 8 + 32);
    assert_int_equal(u32(&cache, at + 24 + 12), 12);
    for (uint32_t i = 0; i < 3; i++)
        assert_string_equal(cache.p + u32(&cache, at + 40 + 4 * i), names[i]);
    assert_true(memmem(cache.p, at, "unused", 7) != NULL); /* named, though nothing lies there */
    assert_true(memmem(cache.p, at, "hidden", 6) == NULL);
}

/* A variant says what it asks of the processor: the highest bit of its property note. */
static void variants_tell_their_isa(void **state)
{
    static const struct {
        uint32_t bits, level;
    } cases[] = {{0, 0}, {1, 0}, {2, 1}, {4, 2}, {5, 2}, {8, 3}, {16, 4}, {0x80000000u, 31}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint32_t note[] = {
            4, 16, NT_GNU_PROPERTY_TYPE_0, 0, GNU_PROPERTY_X86_ISA_1_NEEDED, 4, cases[i].bits, 0};
        CLEANUP(buf_clear) struct buf lib = {0};
        CLEANUP(buf_clear) struct buf cache = {0};
        CLEANUP(err_clear) struct err e = {0};
        Elf64_Ehdr head;
        Elf64_Phdr ph[3] = {0};

        memcpy(&note[3], "GNU", 4);
        mk_library(&lib, "libx.so.1", EM_X86_64);
        memcpy(&head, lib.p, sizeof head);
        memcpy(ph, lib.p + head.e_phoff, 2 * sizeof ph[0]);
        ph[2] = (Elf64_Phdr){.p_type = PT_NOTE,
                             .p_align = 8,
                             .p_filesz = sizeof note,
                             .p_offset = lib.len + sizeof ph};
        head.e_phoff = lib.len;
        head.e_phnum = 3;
        memcpy(lib.p, &head, sizeof head);
        buf_add(&lib, ph, sizeof ph);
        for (size_t cut = 0; cut <= sizeof note; cut += 4) {
            CLEANUP(tree_clear) struct tree broken = {0};
            merged_usr(&broken);
            mktree_parents(&broken, "usr/lib/glibc-hwcaps/v/libx.so.1", 1);
            struct buf *b = &lib;
            size_t whole = b->len;
            buf_add(b, note, cut);
            mktree_file(&broken, "usr/lib/glibc-hwcaps/v/libx.so.1", 0644, 1, buf_view(b));
            b->len = whole;
            assert_int_equal(ldconfig(&cache, &broken, STR("x"), false, NULL, NULL, &e), 0);
        }
        assert_int_equal(u32(&cache, 20), 1);
        assert_int_equal(u32(&cache, 48 + 20), 1u << 30 | cases[i].level);
    }
}

/* Links to what is in the image and not in the tree: the libraries of wheels, which have no links
 * of their own. */
static void links_lead_to_libraries_outside(void **state)
{
    static const char *const there[] = {"/site/nvidia/lib/libx.so.12", "/site/nvidia/lib/liby.so.9",
                                        "/site/nvidia/lib/libz.so.1", "/site/nvidia/x.h"};
    CLEANUP(tree_clear) struct tree t = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(buf_clear) struct buf cache = {0};
    CLEANUP(map_clear) struct map outside = {0};
    CLEANUP(err_clear) struct err e = {0};
    int64_t newest = 0;

    merged_usr(&t);
    mktree_dir(&t, "etc", 0755, 1);
    mktree_file(&t, "etc/ld.so.conf", 0644, 1, STR("/opt/cuda/lib64\n"));
    mktree_dir(&t, "opt", 0755, 1);
    mktree_dir(&t, "opt/cuda-1", 0755, 1);
    mktree_link(&t, "opt/cuda", "cuda-1", 1);
    mktree_dir(&t, "opt/cuda-1/lib64", 0755, 1);
    mktree_link(&t, "opt/cuda-1/lib64/libx.so.12", there[0], 4);
    mktree_link(&t, "opt/cuda-1/lib64/libx.so", "libx.so.12", 1);
    /* Of an archive: a chain whose file became a link. */
    mktree_link(&t, "opt/cuda-1/lib64/liby.so", "liby.so.9", 1);
    mktree_link(&t, "opt/cuda-1/lib64/liby.so.9", "liby.so.9.1.2", 1);
    mktree_link(&t, "opt/cuda-1/lib64/liby.so.9.1.2", there[1], 1);
    mktree_link(&t, "opt/cuda-1/lib64/libother.so.2", there[2], 1); /* no link of that soname */
    mktree_link(&t, "opt/cuda-1/lib64/libgone.so.1", "/site/nvidia/lib/libgone.so.1", 1);
    mktree_link(&t, "opt/cuda-1/lib64/libdangling.so.1", "nowhere", 1);
    mktree_link(&t, "opt/cuda-1/lib64/libloop.so.1", "libloop.so.1", 1);
    mktree_link(&t, "opt/cuda-1/lib64/libheader.so.1", there[3], 1);
    mktree_link(&t, "opt/cuda-1/lib64/x.h", there[3], 1);
    mktree_link(&t, "usr/lib/libz.so.1", there[2], 1);
    for (size_t i = 0; i < ARRAY_LEN(there); i++)
        map_set(&outside, str_of(there[i]), &t);
    assert_int_equal(ldconfig(&cache, &t, STR("x"), false, &outside, &newest, &e), 0);
    show(&text, &cache);
    assert_string_equal(text.p, "libz.so.1 /lib/libz.so.1\n"
                                "liby.so.9 /opt/cuda/lib64/liby.so.9\n"
                                "liby.so /opt/cuda/lib64/liby.so\n"
                                "libx.so.12 /opt/cuda/lib64/libx.so.12\n"
                                "libx.so /opt/cuda/lib64/libx.so\n");
    assert_int_equal(newest, 4);
}

/* Includes that include each other would be read without an end. */
static void configuration_has_an_end(void **state)
{
    for (int over = 0; over < 2; over++) {
        CLEANUP(tree_clear) struct tree t = {0};
        CLEANUP(buf_clear) struct buf conf = {0}, cache = {0};
        CLEANUP(err_clear) struct err e = {0};

        merged_usr(&t);
        mktree_dir(&t, "etc", 0755, 1);
        for (int i = 0; i < 99; i++)
            buf_puts(&conf, "include /etc/a\n");
        mktree_file(&t, "etc/ld.so.conf", 0644, 1, buf_view(&conf));
        buf_reset(&conf);
        for (int i = 0; i < 100 + over; i++)
            buf_puts(&conf, "/nowhere\n");
        mktree_file(&t, "etc/a", 0644, 1, buf_view(&conf)); /* 99 + 99 * 100 lines are 9999 */
        assert_int_equal(ldconfig(&cache, &t, STR("x"), false, NULL, NULL, &e), over ? -1 : 0);
        if (over)
            assert_non_null(strstr(e.msg, "more than 10000 lines"));
    }
}

static void an_include_of_itself_is_refused(void **state)
{
    CLEANUP(tree_clear) struct tree t = {0};
    CLEANUP(buf_clear) struct buf cache = {0};
    CLEANUP(err_clear) struct err e = {0};

    mktree_dir(&t, "etc", 0755, 1);
    mktree_file(&t, "etc/ld.so.conf", 0644, 1, STR("include /etc/*.conf\n"));
    assert_int_equal(ldconfig(&cache, &t, STR("x"), false, NULL, NULL, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.msg, "includes too deep"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libraries_are_listed_in_the_loaders_order),
        cmocka_unit_test(configured_directories_come_first),
        cmocka_unit_test(strings_share_their_tails),
        cmocka_unit_test(what_is_no_x86_64_library_is_left_out),
        cmocka_unit_test(broken_libraries_are_left_out),
        cmocka_unit_test(variants_for_some_processors_come_first),
        cmocka_unit_test(variants_tell_their_isa),
        cmocka_unit_test(links_lead_to_libraries_outside),
        cmocka_unit_test(configuration_has_an_end),
        cmocka_unit_test(an_include_of_itself_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
