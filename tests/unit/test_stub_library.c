/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <elf.h>
#include <sys/mman.h>
#include "assemble/toolkit/stub_library.h"
#include "base/fd.h"
#include "io/crypto.h"
#include "pkg/elf/elf.h"

static struct str few[] = {STR_INIT("gxInit"), STR_INIT("gxInit_v2"), STR_INIT("gxString")};
static struct str text[] = {STR_INIT("gxString")};
static const struct strs names = {few, ARRAY_LEN(few), ARRAY_LEN(few)};
static const struct strs texts = {text, ARRAY_LEN(text), ARRAY_LEN(text)};

static void make(struct buf *out, const struct strs *list)
{
    CLEANUP(err_clear) struct err e = {0};

    if (stub_library(out, STR("libgx.so.1"), list, &texts, STUB_RESULT_CUDA, &e) < 0)
        assert_string_equal("", e.msg);
}

/* N names in byte order. */
static void make_names(struct strs *list, struct arena *a, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        vec_add(list, str_of(arena_fmt(a, "gxFunction%05u", i)));
}

/* The bytes of every stub ever written: a change here is a change of images. */
static void bytes_never_change(void **state)
{
    CLEANUP(buf_clear) struct buf a = {0}, b = {0};
    struct digest digest;
    char hex[DIGEST_HEX + 1];

    make(&a, &names);
    buf_puts(&b, "what was there before");
    make(&b, &names);
    assert_true(str_eq(buf_view(&a), buf_view(&b)));
    hash_bytes(&digest, a.p, a.len);
    digest_hex(&digest, hex);
    assert_string_equal(hex, "ece4b97d2f07babc292405c43626c069eaf0836c2c3271c670e84b15e5f12dc7");
}

static void our_own_reader_understands_it(void **state)
{
    CLEANUP(buf_clear) struct buf lib = {0};
    CLEANUP(elf_clear) struct elf elf = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct blob_reader_bytes blob;

    make(&lib, &names);
    blob_reader_bytes_init(&blob, buf_view(&lib), "stub");
    if (elf_read(&elf, &blob.reader, &e) < 0)
        assert_string_equal("", e.msg);
    assert_true(elf.bits == 64 && elf.little && elf.type == ET_DYN && elf.dynamic);
    assert_int_equal(elf.machine, ELF_MACHINE_X86_64);
    assert_true(str_is(elf.soname, "libgx.so.1"));
    assert_true(!elf.needed.n && !elf.needs.n && !elf.defines.n && !elf.interpreter.len);
    assert_true(!elf.rpath.len && !elf.runpath.len);
    assert_int_equal(elf.sections.n, 7);
    assert_non_null(elf_section(&elf, STR(".dynsym")));
}

/* The symbol of a name by the hash table, as a loader finds it; NULL when it does not. */
static const Elf64_Sym *look_up(const struct buf *lib, struct str name)
{
    const Elf64_Ehdr *head = (const void *)lib->p;
    const Elf64_Phdr *ph = (const void *)(lib->p + head->e_phoff);
    const Elf64_Dyn *d = (const void *)(lib->p + ph[2].p_offset);
    const char *strings = NULL;
    const uint32_t *hash = NULL;
    const Elf64_Sym *symbols = NULL;
    uint32_t h = 0;

    assert_int_equal(ph[2].p_type, PT_DYNAMIC);
    for (; d->d_tag != DT_NULL; d++) {
        const void *p = lib->p + d->d_un.d_ptr; /* the first segment lies as in the file */
        if (d->d_tag == DT_HASH)
            hash = p;
        if (d->d_tag == DT_SYMTAB)
            symbols = p;
        if (d->d_tag == DT_STRTAB)
            strings = p;
    }
    assert_true(hash && symbols && strings);
    for (size_t i = 0; i < name.len; i++) {
        h = (h << 4) + (unsigned char)name.p[i];
        h = (h ^ (h >> 24 & 0xf0)) & 0x0fffffff;
    }
    for (uint32_t i = hash[2 + h % hash[0]]; i; i = hash[2 + hash[0] + i]) {
        assert_true(i < hash[1]);
        if (str_is(name, strings + symbols[i].st_name))
            return &symbols[i];
    }
    return NULL;
}

static void every_symbol_is_found(void **state)
{
    static const unsigned counts[] = {1, 2, 3, 100, 5000, STUB_SYMBOLS_MAX};

    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        CLEANUP(arena_clear) struct arena a = {0};
        CLEANUP(buf_clear) struct buf lib = {0};
        struct strs many = {0};
        make_names(&many, &a, counts[i]);
        make(&lib, &many);
        for (size_t k = 0; k < many.n; k++) {
            const Elf64_Sym *symbol = look_up(&lib, many.v[k]);
            assert_non_null(symbol);
            assert_int_equal(symbol->st_info, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC));
            assert_int_equal(symbol->st_other, STV_DEFAULT);
            assert_memory_equal(lib.p + symbol->st_value, "\xb8\x22\0\0\0\xc3", 6);
        }
        assert_null(look_up(&lib, STR("gxNot")));
        vec_clear(&many);
    }
}

static void every_function_answers(void **state)
{
#ifdef __x86_64__
    static const int32_t results[] = {34, 9, -1, INT32_MIN, 0};

    for (size_t i = 0; i < ARRAY_LEN(results); i++) {
        CLEANUP(buf_clear) struct buf lib = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct fd fd = {memfd_create("stub", MFD_CLOEXEC), true};
        char path[64];
        int (*init)(int);
        const char *(*string)(int);

        assert_int_equal(stub_library(&lib, STR("libgx.so.1"), &names, &texts, results[i], &e), 0);
        assert_int_equal(fd_write_all(fd.n, lib.p, lib.len, "stub", &e), 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd.n);
        void *stub = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (!stub)
            fail_msg("%s", dlerror());
        *(void **)&init = dlsym(stub, "gxInit_v2");
        *(void **)&string = dlsym(stub, "gxString");
        assert_true(init && string && !dlsym(stub, "gxNot"));
        assert_int_equal(init(7), results[i]);
        assert_non_null(strstr(string(7), "a stub to link programs with"));
        assert_int_equal(dlclose(stub), 0);
        fd_clear(&fd);
    }
#else
    skip();
#endif
}

static void refused(struct str soname, struct str *list, size_t n, const char *message)
{
    CLEANUP(buf_clear) struct buf lib = {0};
    CLEANUP(err_clear) struct err e = {0};
    const struct strs given = {list, n, n};

    assert_int_equal(stub_library(&lib, soname, &given, NULL, 1, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.msg, message));
    assert_int_equal(lib.len, 0);
}

static void what_makes_no_library_is_refused(void **state)
{
    CLEANUP(arena_clear) struct arena a = {0};
    struct str good[] = {STR("gxA")}, twice[] = {STR("gxA"), STR("gxA")};
    struct str unsorted[] = {STR("gxB"), STR("gxA")};
    struct str bad[] = {STR(""),     STR("1x"),       STR("a b"), STR("a@1"),
                        STR("a\0b"), STR("\xc3\xa4"), {0}};
    char longest[STUB_NAME_MAX + 1];
    struct strs many = {0};
    CLEANUP(buf_clear) struct buf lib = {0};
    CLEANUP(err_clear) struct err e = {0};

    refused(STR("libx.so"), NULL, 0, "1 to 16384 functions, not 0");
    refused(STR("libx.so"), twice, 2, "\"gxA\" is there twice or out of order");
    refused(STR("libx.so"), unsorted, 2, "twice or out of order");
    memset(longest, 'x', sizeof longest);
    bad[ARRAY_LEN(bad) - 1] = (struct str){longest, sizeof longest};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        refused(STR("libx.so"), &bad[i], 1, "is not a name of a function");
    refused(STR(""), good, 1, "is not a name of a library");
    refused(STR("a/b"), good, 1, "is not a name of a library");
    refused(STR("a\0b"), good, 1, "is not a name of a library");
    refused(bad[ARRAY_LEN(bad) - 1], good, 1, "is not a name of a library");
    make_names(&many, &a, STUB_SYMBOLS_MAX + 1);
    refused(STR("libx.so"), many.v, many.n, "not 16385");
    vec_clear(&many);

    bad[ARRAY_LEN(bad) - 1].len = STUB_NAME_MAX;
    const struct strs fits = {&bad[ARRAY_LEN(bad) - 1], 1, 1};
    assert_int_equal(stub_library(&lib, fits.v[0], &fits, NULL, 1, &e), 0);
    assert_non_null(look_up(&lib, fits.v[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_never_change),
        cmocka_unit_test(our_own_reader_understands_it),
        cmocka_unit_test(every_symbol_is_found),
        cmocka_unit_test(every_function_answers),
        cmocka_unit_test(what_makes_no_library_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
