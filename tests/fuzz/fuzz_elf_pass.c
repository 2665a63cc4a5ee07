/* ELF files that pass: the reader of a file that passes once says what the reader of a whole one
 * says, or, where sections came too late, what it says of the file without them; or that the file
 * is laid out for no single pass.
 *
 * The first four bytes tell how the file lies in the other ones: how many MiB of zeros stand in it,
 * behind which byte (u16), and how many bytes come at once. So small inputs become large files,
 * whose middle is not kept. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "pkg/elf/elf_pass.h"

enum { PLAN = 4, MIB = 1 << 20, HOLE_MAX = 48 };

/* Bytes with a hole of zeros in them. */
struct holed {
    struct blob_reader reader;
    struct str bytes;
    uint64_t at, hole;
};

static int holed_read(struct blob_reader *self, void *to, size_t len, uint64_t offset,
                      struct err *e)
{
    struct holed *h = (struct holed *)self;
    char *p = to;

    for (size_t i = 0; i < len; i++, offset++)
        p[i] = offset < h->at             ? h->bytes.p[offset]
               : offset < h->at + h->hole ? 0
                                          : h->bytes.p[offset - h->hole];
    return 0;
}

static int feed(struct elf_pass *p, struct str bytes, size_t step, struct err *e)
{
    for (; bytes.len; bytes = str_sub(bytes, step, bytes.len))
        if (sink_write(&p->sink, bytes.p, step < bytes.len ? step : bytes.len, e) < 0)
            return -1;
    return 0;
}

static int let_pass(struct elf *elf, const struct holed *h, size_t step, struct err *e)
{
    static const char zeros[MIB];
    static struct fd scratch; /* what the one before left there must not matter */
    CLEANUP(elf_pass_clear) struct elf_pass p = {0};

    if (!scratch.open)
        scratch = (struct fd){memfd_create("scratch", MFD_CLOEXEC), true};
    elf_pass_begin(&p, scratch.n, h->reader.size, "fuzz");
    if (feed(&p, str_sub(h->bytes, 0, h->at), step, e) < 0)
        return -1;
    for (uint64_t left = h->hole; left; left -= MIB)
        if (sink_write(&p.sink, zeros, MIB, e) < 0)
            return -1;
    if (feed(&p, str_sub(h->bytes, h->at, h->bytes.len), step, e) < 0)
        return -1;
    return elf_pass_end(&p, elf, e);
}

static void same_texts(const struct strs *a, const struct strs *b)
{
    assert(a->n == b->n);
    for (size_t i = 0; i < a->n; i++)
        assert(str_eq(a->v[i], b->v[i]));
}

static void same(const struct elf *a, const struct elf *b)
{
    assert(a->bits == b->bits && a->little == b->little && a->type == b->type &&
           a->machine == b->machine && a->dynamic == b->dynamic);
    assert(str_eq(a->interpreter, b->interpreter) && str_eq(a->soname, b->soname) &&
           str_eq(a->rpath, b->rpath) && str_eq(a->runpath, b->runpath));
    same_texts(&a->needed, &b->needed);
    same_texts(&a->defines, &b->defines);
    assert(a->needs.n == b->needs.n && a->sections.n == b->sections.n);
    for (size_t i = 0; i < a->needs.n; i++)
        assert(str_eq(a->needs.v[i].library, b->needs.v[i].library) &&
               str_eq(a->needs.v[i].version, b->needs.v[i].version) &&
               a->needs.v[i].weak == b->needs.v[i].weak);
    for (size_t i = 0; i < a->sections.n; i++)
        assert(str_eq(a->sections.v[i].name, b->sections.v[i].name) &&
               a->sections.v[i].offset == b->sections.v[i].offset &&
               a->sections.v[i].size == b->sections.v[i].size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP(elf_clear) struct elf whole = {0}, loaded = {0}, passed = {0};
    CLEANUP(err_clear) struct err whole_err = {0}, loaded_err = {0}, passed_err = {0};

    if (len < PLAN)
        return 0;
    struct holed h = {.bytes = {(const char *)bytes + PLAN, len - PLAN},
                      .hole = (uint64_t)(bytes[0] % HOLE_MAX) * MIB};
    h.at = (uint64_t)bytes[1] | (uint64_t)bytes[2] << 8;
    h.at = h.at < h.bytes.len ? h.at : h.bytes.len;
    h.reader = (struct blob_reader){holed_read, h.bytes.len + h.hole, "fuzz"};
    bool is_whole = elf_read(&whole, &h.reader, &whole_err) == 0;
    bool is_loaded = elf_read_loaded(&loaded, &h.reader, &loaded_err) == 0;

    if (let_pass(&passed, &h, 1 + (size_t)bytes[3] * 16, &passed_err) < 0) {
        assert(passed_err.kind == ERR_INPUT && !passed.bits);
        assert(!is_loaded || strstr(passed_err.msg, "laid out so that"));
        return 0;
    }
    /* Without sections where those of the whole file are damaged, or came too late. */
    assert(is_whole || is_loaded);
    same(&passed, is_whole && passed.sections.n == whole.sections.n ? &whole : &loaded);
    return 0;
}
