/* ELF files: whatever comes in, what gets through lies inside: sections within the file, names of
 * sane length, everything bounded. A refusal says why and leaves nothing behind. What ldconfig's
 * way to read says of a library's name is the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include "pkg/elf/elf.h"
#include "pkg/elf/elf_library.h"

static void check_text(struct str s)
{
    assert(s.len < 4096 && !str_has(s, 0));
}

static void check_texts(const struct strs *texts)
{
    const struct str *s;

    vec_each(s, texts)
        check_text(*s);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP(elf_clear) struct elf elf = {0};
    CLEANUP(err_clear) struct err e = {0};
    const struct elf_section *section;
    const struct elf_need *need;
    struct elf_library library;
    struct blob_reader_bytes blob;

    blob_reader_bytes_init(&blob, (struct str){(const char *)bytes, len}, "fuzz");
    if (elf_read(&elf, &blob.reader, &e) < 0) {
        assert(err_is_set(&e) && e.kind == ERR_INPUT);
        assert(!elf.bits && !elf.sections.n && !elf.needed.n);
        return 0;
    }
    assert(elf.bits == 32 || elf.bits == 64);
    vec_each(section, &elf.sections) {
        check_text(section->name);
        assert(section->empty || blob_reader_has(&blob.reader, section->offset, section->size));
    }
    vec_each(need, &elf.needs) {
        check_text(need->library);
        check_text(need->version);
    }
    check_texts(&elf.needed);
    check_texts(&elf.defines);
    check_text(elf.soname);
    check_text(elf.rpath);
    check_text(elf.runpath);
    check_text(elf.interpreter);
    if (elf.dynamic && elf_library_read(&library, &elf.arena, &blob.reader))
        assert(elf.machine == ELF_MACHINE_X86_64 && str_eq(library.soname, elf.soname));
    return 0;
}
