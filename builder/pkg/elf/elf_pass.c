/* SPDX-License-Identifier: Apache-2.0 */
#include "elf_pass.h"

#include "../../base/fd.h"
#include "elf_parts.h"

enum {
    HEAD_MIN = 4096,        /* of every file */
    HEAD_MAX = 20 << 20,    /* of the first segment; the longest symbol names seen end at 18 MiB */
    SEGMENT_MAX = 16 << 20, /* a segment up to this size is kept whole */
    TAIL_MAX = 2 << 20,     /* section headers and their names */
    TABLE_MAX = 1 << 20,    /* of a table whose size is not known */
};

/* ---- what is kept ---- */

static void want(struct elf_pass *p, uint64_t from, uint64_t size)
{
    uint64_t to;

    if (__builtin_add_overflow(from, size, &to) || to > p->reader.size)
        to = p->reader.size;
    from = from > p->at ? from : p->at; /* what was not kept is gone */
    if (from < to)
        vec_add(&p->wanted, ((struct elf_range){from, to}));
}

static int range_compare(const void *a, const void *b)
{
    const struct elf_range *x = a, *y = b;

    return (x->from > y->from) - (x->from < y->from);
}

/* Sort the ranges, and make one of those that touch. */
static void tidy(struct elf_ranges *r)
{
    size_t kept = 0;

    vec_sort(r, range_compare);
    for (size_t i = 1; i < r->n; i++) {
        struct elf_range *last = &r->v[kept];

        if (r->v[i].from > last->to)
            r->v[++kept] = r->v[i];
        else if (r->v[i].to > last->to)
            last->to = r->v[i].to;
    }
    if (r->n)
        r->n = kept + 1;
}

/* The position of the first range that ends behind `offset`. */
static size_t range_at(const struct elf_ranges *r, uint64_t offset)
{
    size_t from = 0, to = r->n;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (r->v[middle].to <= offset)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* `len` bytes at `offset`, inside the file. */
static bool is_kept(const struct elf_pass *p, uint64_t offset, uint64_t len)
{
    size_t i = range_at(&p->wanted, offset);

    return offset + len <= p->kept && i < p->wanted.n && p->wanted.v[i].from <= offset &&
           offset + len <= p->wanted.v[i].to;
}

static int kept_read(struct blob_reader *self, void *to, size_t len, uint64_t offset, struct err *e)
{
    struct elf_pass *p = (struct elf_pass *)((char *)self - offsetof(struct elf_pass, reader));

    if (!is_kept(p, offset, len))
        return err_set(e, ERR_INPUT,
                       "%s: laid out so that it cannot be read in one pass: what stands at %llu "
                       "comes before what points at it",
                       self->what, (unsigned long long)offset);
    return fd_pread_all(p->scratch, to, len, offset, "the scratch file", e);
}

/* Put what is wanted of `len` bytes, the first of which stands at `p->at`, into the scratch file.
 */
static int keep(struct elf_pass *p, const char *bytes, size_t len, struct err *e)
{
    uint64_t end = p->at + len;

    for (size_t i = range_at(&p->wanted, p->at); i < p->wanted.n; i++) {
        struct elf_range r = p->wanted.v[i];
        uint64_t from = r.from > p->at ? r.from : p->at, to = r.to < end ? r.to : end;

        if (from >= to)
            break;
        if (fd_pwrite_all(p->scratch, bytes + (from - p->at), (size_t)(to - from), from,
                          "the scratch file", e) < 0)
            return -1;
    }
    p->kept = end;
    return 0;
}

/* ---- the plan ---- */

static int offset_compare(const void *a, const void *b)
{
    const Elf64_Phdr *const *x = a, *const *y = b;

    return ((*x)->p_offset > (*y)->p_offset) - ((*x)->p_offset < (*y)->p_offset);
}

/* What stands right before a segment and in none: patchelf lays new segments behind the names of
 * sections. */
static void want_between(struct elf_pass *p, const struct elf_segments *s)
{
    struct VEC_OF(const Elf64_Phdr *) loads = {0};
    const Elf64_Phdr *load;
    uint64_t done = 0; /* the end of those that begin before */

    vec_each(load, &s->all)
        if (load->p_type == PT_LOAD)
            vec_add(&loads, load);
    vec_sort(&loads, offset_compare);
    for (size_t i = 0; i < loads.n; i++) {
        uint64_t start = loads.v[i]->p_offset, from = start > TAIL_MAX ? start - TAIL_MAX : 0, end;

        from = from > done ? from : done;
        if (from < start)
            want(p, from, start - from);
        if (!__builtin_add_overflow(start, loads.v[i]->p_filesz, &end) && end > done)
            done = end;
    }
    vec_clear(&loads);
}

static void want_segments(struct elf_pass *p, const struct elf_segments *s)
{
    const Elf64_Phdr *segment, *first = elf_segment(s, PT_LOAD);

    vec_each(segment, &s->all) {
        uint64_t size = segment->p_filesz;

        if (segment == first)
            want(p, segment->p_offset, size < HEAD_MAX ? size : HEAD_MAX);
        else if ((segment->p_type == PT_LOAD && size <= SEGMENT_MAX) ||
                 (segment->p_type == PT_INTERP && size <= TABLE_MAX))
            want(p, segment->p_offset, size);
        else if (segment->p_type == PT_DYNAMIC)
            want(p, segment->p_offset, elf_dynamic_size(segment));
    }
    want_between(p, s);
}

static void want_address(struct elf_pass *p, const struct elf_segments *s, uint64_t address,
                         uint64_t size)
{
    CLEANUP(err_clear) struct err none = {0}; /* elf_read() will tell */
    uint64_t offset, left;

    if (address && elf_address(&offset, &left, s, &p->reader, address, &none) == 0)
        want(p, offset, size < left ? size : left);
}

static int step_head(struct elf_pass *p, struct err *e)
{
    Elf64_Ehdr head;

    if (blob_reader_read(&p->reader, &head, sizeof head, 0, e) < 0)
        return -1;
    if (!elf_is_read(&head))
        return -1;
    want(p, head.e_phoff, head.e_phnum * sizeof(Elf64_Phdr));
    p->ready = head.e_phoff + head.e_phnum * sizeof(Elf64_Phdr);
    return 0;
}

static int read_segments(struct elf_segments *out, struct elf_pass *p, struct err *e)
{
    Elf64_Ehdr head;

    return blob_reader_read(&p->reader, &head, sizeof head, 0, e) < 0
               ? -1
               : elf_segments_read(out, &p->reader, &head, e);
}

static int step_segments(struct elf_pass *p, struct err *e)
{
    CLEANUP(elf_segments_clear) struct elf_segments s = {0};
    const Elf64_Phdr *dynamic;

    if (read_segments(&s, p, e) < 0)
        return -1;
    want_segments(p, &s);
    dynamic = elf_segment(&s, PT_DYNAMIC);
    if (!dynamic)
        return -1;
    p->ready = dynamic->p_offset + elf_dynamic_size(dynamic);
    return 0;
}

/* What the dynamic section points at, as far as it is still to come. */
static int step_dynamic(struct elf_pass *p, struct err *e)
{
    CLEANUP(elf_segments_clear) struct elf_segments s = {0};
    CLEANUP(elf_dynamic_clear) struct elf_dynamic d = {0};

    if (read_segments(&s, p, e) < 0 ||
        elf_dynamic_read(&d, &p->reader, elf_segment(&s, PT_DYNAMIC), e) < 0)
        return -1;
    want_address(p, &s, d.needs, TABLE_MAX);
    want_address(p, &s, d.defines, TABLE_MAX);
    want_address(p, &s, d.strings, d.strings_size);
    return 0;
}

/* True when a step was made, so that more may be wanted of the bytes at hand. */
static bool plan(struct elf_pass *p)
{
    static int (*const steps[])(struct elf_pass *, struct err *) = {
        [ELF_STEP_HEAD] = step_head,
        [ELF_STEP_SEGMENTS] = step_segments,
        [ELF_STEP_DYNAMIC] = step_dynamic,
    };
    CLEANUP(err_clear) struct err none = {0}; /* elf_read() will tell */

    if (p->step == ELF_STEP_DONE || p->kept < p->ready)
        return false;
    p->step = steps[p->step](p, &none) < 0 ? ELF_STEP_DONE : p->step + 1;
    tidy(&p->wanted);
    return true;
}

static int pass_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct elf_pass *p = (struct elf_pass *)self;

    do {
        if (keep(p, bytes, len, e) < 0)
            return -1;
    } while (plan(p));
    p->at += len;
    return 0;
}

void elf_pass_begin(struct elf_pass *p, int scratch, uint64_t size, const char *what)
{
    *p = (struct elf_pass){
        .sink = {pass_write, NULL},
        .reader = {kept_read, size, what},
        .scratch = scratch,
        .ready = sizeof(Elf64_Ehdr),
    };
    want(p, 0, HEAD_MIN);
    want(p, size > TAIL_MAX ? size - TAIL_MAX : 0, TAIL_MAX);
    tidy(&p->wanted);
}

int elf_pass_end(struct elf_pass *p, struct elf *elf, struct err *e)
{
    CLEANUP(err_clear) struct err none = {0};

    /* The loader does without sections, and so do all facts but what code is where. */
    return elf_read(elf, &p->reader, &none) == 0 ? 0 : elf_read_loaded(elf, &p->reader, e);
}

void elf_pass_clear(struct elf_pass *p)
{
    vec_clear(&p->wanted);
    *p = (struct elf_pass){0};
}
