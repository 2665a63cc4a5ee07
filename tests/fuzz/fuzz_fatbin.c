/* Device code: in place or in one pass, whole or in pieces, the same bytes give the same list, and
 * the list is sorted and bounded. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include "look/fatbin.h"

static void scan(struct fatbin_list *list, const uint8_t *bytes, size_t len, size_t piece)
{
    CLEANUP(free_clear) struct fatbin_scan *s = xmalloc(sizeof *s);
    CLEANUP(err_clear) struct err e = {0};

    fatbin_scan_init(s, list, FATBIN_EMBEDDED);
    for (size_t at = 0; at < len; at += piece)
        assert(sink_write(&s->sink, bytes + at, len - at < piece ? len - at : piece, &e) == 0);
    assert(sink_finish(&s->sink, &e) == 0);
}

static void check_same(const struct fatbin_list *a, const struct fatbin_list *b)
{
    assert(a->fatbins == b->fatbins && a->broken == b->broken && a->codes.n == b->codes.n);
    for (size_t i = 0; i < a->codes.n; i++) {
        const struct fatbin_code *x = &a->codes.v[i], *y = &b->codes.v[i];

        assert(x->kind == y->kind && x->sm == y->sm && x->suffix == y->suffix);
        assert(x->entries == y->entries && x->compressed == y->compressed && x->bytes == y->bytes);
        assert(x->entries && x->compressed <= x->entries);
        assert(!i || x[-1].kind < x->kind || x[-1].sm < x->sm || x[-1].suffix < x->suffix);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP(fatbin_list_clear)
    struct fatbin_list whole = {0}, pieces = {0}, placed = {0}, file = {0};
    CLEANUP(elf_clear) struct elf elf = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct blob_reader_bytes blob;

    scan(&whole, bytes, len, len ? len : 1);
    scan(&pieces, bytes, len, 1 + len % 61);
    check_same(&whole, &pieces);
    blob_reader_bytes_init(&blob, (struct str){(const char *)bytes, len}, "fuzz");
    assert(fatbin_read(&placed, &blob.reader, NULL, &e) == 0);
    check_same(&whole, &placed);
    if (elf_read(&elf, &blob.reader, &e) == 0)
        assert(fatbin_read(&file, &blob.reader, &elf, &e) == 0);
    return 0;
}
