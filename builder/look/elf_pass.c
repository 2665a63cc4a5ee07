/* SPDX-License-Identifier: Apache-2.0 */
#include "elf_pass.h"

#include <elf.h>

enum {
    HEAD_MAX = 20 << 20,    /* of the first segment; the longest symbol names seen end at 18 MiB */
    SEGMENT_MAX = 16 << 20, /* a segment up to this size is kept whole */
    TAIL_MAX = 2 << 20,     /* section headers and their names */
    SEGMENTS_MAX = 4096,
    DYNAMIC_MAX = 1 << 20,
};

enum step { STEP_SEGMENTS, STEP_DYNAMIC, STEP_DONE };

/* ---- what is kept ---- */

static void want(struct elf_pass *p, uint64_t from, uint64_t size)
{
    uint64_t to;

    if (from >= p->reader.size || !size)
        return;
    if (__builtin_add_overflow(from, size, &to) || to > p->reader.size)
        to = p->reader.size;
    vec_add(&p->wanted, ((struct pass_range){from, to}));
}

/* Note that a range is in the scratch file; one that touches the last one kept continues it. */
static void note(struct pass_ranges *kept, uint64_t from, uint64_t to)
{
    for (size_t i = 0; i < kept->n; i++) {
        struct pass_range *r = &kept->v[i];

        if (from <= r->to && to >= r->from) {
            r->from = from < r->from ? from : r->from;
            r->to = to > r->to ? to : r->to;
            return;
        }
    }
    vec_add(kept, ((struct pass_range){from, to}));
}

static bool is_kept(const struct elf_pass *p, uint64_t from, uint64_t len)
{
    uint64_t to = from + len; /* inside the file, so it does not overflow */
    bool more = true;

    while (from < to && more) {
        const struct pass_range *r;

        more = false;
        vec_each(r, &p->kept)
            if (r->from <= from && from < r->to) {
                from = r->to;
                more = true;
            }
    }
    return from >= to;
}

static int kept_read(struct blob_reader *self, void *to, size_t len, uint64_t offset, struct err *e)
{
    struct elf_pass *p = (struct elf_pass *)((char *)self - offsetof(struct elf_pass, reader));

    if (!is_kept(p, offset, len))
        return err_set(e, ERR_INPUT,
                       "%s: laid out so that it cannot be read in one pass: what stands at %llu "
                       "comes before what points at it",
                       self->what, (unsigned long long)offset);
    if (fd_pread_all(p->scratch, to, len, offset, "the scratch file", e) < 0)
        return -1;
    if (p->no_sections && !offset && len >= sizeof(Elf64_Ehdr))
        ((Elf64_Ehdr *)to)->e_shoff = 0;
    return 0;
}

/* Put what is wanted of `len` bytes, the first of which stands at `p->at`, into the scratch file.
 */
static int keep(struct elf_pass *p, const char *bytes, size_t len, struct err *e)
{
    for (size_t i = 0; i < p->wanted.n; i++) {
        struct pass_range r = p->wanted.v[i];
        uint64_t from = r.from > p->at ? r.from : p->at;
        uint64_t to = r.to < p->at + len ? r.to : p->at + len;

        if (from >= to || is_kept(p, from, to - from))
            continue;
        if (fd_pwrite_all(p->scratch, bytes + (from - p->at), (size_t)(to - from), from,
                          "the scratch file", e) < 0)
            return -1;
        note(&p->kept, from, to);
    }
    return 0;
}

/* ---- the plan: each step tells what to keep for the next ---- */

/* Read a part of the plan if it is here already. */
static bool peek(struct elf_pass *p, void *to, size_t len, uint64_t offset)
{
    CLEANUP(err_clear) struct err none = {0}; /* elf_read() will tell */

    return blob_reader_has(&p->reader, offset, len) && is_kept(p, offset, len) &&
           blob_reader_read(&p->reader, to, len, offset, &none) == 0;
}

/* Where the bytes of a memory address lie in the file; 0 when nowhere. */
static uint64_t place_of(struct elf_pass *p, const Elf64_Ehdr *head, uint64_t address)
{
    for (unsigned i = 0; i < head->e_phnum; i++) {
        Elf64_Phdr s;

        if (peek(p, &s, sizeof s, head->e_phoff + i * sizeof s) && s.p_type == PT_LOAD &&
            address >= s.p_vaddr && address - s.p_vaddr < s.p_filesz)
            return s.p_offset + (address - s.p_vaddr);
    }
    return 0;
}

/* What stands right before a segment and in none: patchelf lays new segments behind the names of
 * sections. */
static void want_before(struct elf_pass *p, const Elf64_Ehdr *head, uint64_t start)
{
    uint64_t from = start > TAIL_MAX ? start - TAIL_MAX : 0;

    for (unsigned i = 0; i < head->e_phnum; i++) {
        Elf64_Phdr s;
        uint64_t end;

        if (peek(p, &s, sizeof s, head->e_phoff + i * sizeof s) && s.p_type == PT_LOAD &&
            s.p_offset < start && !__builtin_add_overflow(s.p_offset, s.p_filesz, &end))
            from = from > end ? from : end;
    }
    if (from < start)
        want(p, from, start - from);
}

static bool plan_segments(struct elf_pass *p, const Elf64_Ehdr *head)
{
    bool first = true;

    for (unsigned i = 0; i < head->e_phnum; i++) {
        Elf64_Phdr s;

        if (!peek(p, &s, sizeof s, head->e_phoff + i * sizeof s))
            return false;
        if (s.p_type == PT_LOAD)
            want_before(p, head, s.p_offset);
        if (s.p_type == PT_LOAD && first)
            want(p, s.p_offset, s.p_filesz < HEAD_MAX ? s.p_filesz : HEAD_MAX);
        else if ((s.p_type == PT_LOAD && s.p_filesz <= SEGMENT_MAX) ||
                 ((s.p_type == PT_DYNAMIC || s.p_type == PT_INTERP) && s.p_filesz <= DYNAMIC_MAX))
            want(p, s.p_offset, s.p_filesz);
        first = first && s.p_type != PT_LOAD;
    }
    return true;
}

/* What the dynamic section points at, as far as it is still to come. */
static bool plan_dynamic(struct elf_pass *p, const Elf64_Ehdr *head, const Elf64_Phdr *s)
{
    uint64_t strings = 0, strings_size = 0;

    for (uint64_t i = 0; i < s->p_filesz / sizeof(Elf64_Dyn); i++) {
        Elf64_Dyn d;

        if (!peek(p, &d, sizeof d, s->p_offset + i * sizeof d))
            return false;
        if (d.d_tag == DT_NULL)
            break;
        if (d.d_tag == DT_STRTAB)
            strings = d.d_un.d_val;
        else if (d.d_tag == DT_STRSZ)
            strings_size = d.d_un.d_val;
        else if (d.d_tag == DT_VERNEED || d.d_tag == DT_VERDEF)
            want(p, place_of(p, head, d.d_un.d_val), DYNAMIC_MAX);
    }
    if (strings)
        want(p, place_of(p, head, strings), strings_size);
    return true;
}

/* True when a step was made, so that more may be wanted of the bytes at hand. */
static bool plan(struct elf_pass *p)
{
    Elf64_Ehdr head;

    if (p->step == STEP_DONE || !peek(p, &head, sizeof head, 0))
        return false;
    if (!elf_is((struct str){(const char *)&head, sizeof head}) ||
        head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_ident[EI_DATA] != ELFDATA2LSB ||
        head.e_phentsize != sizeof(Elf64_Phdr) || head.e_phnum > SEGMENTS_MAX) {
        p->step = STEP_DONE;
        return false;
    }
    if (p->step == STEP_SEGMENTS) {
        want(p, head.e_phoff, head.e_phnum * sizeof(Elf64_Phdr));
        if (!plan_segments(p, &head))
            return false;
        p->step = STEP_DYNAMIC;
        return true;
    }
    for (unsigned i = 0; i < head.e_phnum; i++) {
        Elf64_Phdr s;

        if (!peek(p, &s, sizeof s, head.e_phoff + i * sizeof s) || s.p_type != PT_DYNAMIC)
            continue;
        if (!plan_dynamic(p, &head, &s))
            return false;
        break;
    }
    p->step = STEP_DONE;
    return true;
}

static int pass_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct elf_pass *p = (struct elf_pass *)self;

    do {
        if (keep(p, bytes, len, e) < 0)
            return -1;
    } while (plan(p));
    if (keep(p, bytes, len, e) < 0)
        return -1;
    p->at += len;
    return p->scan ? sink_write(&p->scan->sink, bytes, len, e) : 0;
}

void elf_pass_begin(struct elf_pass *p, int scratch, uint64_t size, bool code, const char *what)
{
    *p = (struct elf_pass){
        .sink = {pass_write, NULL},
        .reader = {kept_read, size, what},
        .scratch = scratch,
    };
    if (code) {
        p->scan = xmalloc(sizeof *p->scan);
        fatbin_scan_init(p->scan, &p->code, FATBIN_EMBEDDED);
        p->scan->spots = &p->spots;
    }
    want(p, 0, 4096);
    want(p, size > TAIL_MAX ? size - TAIL_MAX : 0, TAIL_MAX);
}

int elf_pass_end(struct elf_pass *p, struct elf *elf, struct fatbin_list *code, struct err *e)
{
    CLEANUP(elf_clear) struct elf found = {0};

    CLEANUP(err_clear) struct err again = {0};

    if (p->scan && sink_finish(&p->scan->sink, e) < 0)
        return -1;
    if (elf_read(&found, &p->reader, &again) < 0) {
        /* The loader does without sections, and so do all facts but what code is where. */
        p->no_sections = true;
        if (elf_read(&found, &p->reader, e) < 0)
            return -1;
    }
    fatbin_settle(&p->code, &p->spots, &found);
    MOVE(elf, &found);
    MOVE(code, &p->code);
    return 0;
}

void elf_pass_clear(struct elf_pass *p)
{
    vec_clear(&p->wanted);
    vec_clear(&p->kept);
    vec_clear(&p->spots);
    fatbin_list_clear(&p->code);
    free(p->scan);
    *p = (struct elf_pass){0};
}
