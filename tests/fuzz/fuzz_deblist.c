/* Packages files: what was condensed and printed in its old order condenses to the same packages
 * and provides. Bytes that are no condensed list are refused, and those that pass can be looked at.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include "pkg/deb/debindex.h"

static bool condense(struct buf *out, struct str text)
{
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(source_clear) struct source *source = source_bytes(text, "input");

    return deblist_condense(out, source, text.len, STR("amd64"), "input", &e) == 0;
}

static struct str name_of(const struct deblist *l, size_t i)
{
    return deblist_str(l, l->packages[i].name_at, l->packages[i].name_len);
}

static void print(struct buf *out, const struct deblist *l)
{
    CLEANUP(deblist_texts_clear) struct deblist_texts texts = {0};
    struct err e = {0};
    struct str text;

    for (uint32_t order = 0; order < l->packages_n; order++)
        for (size_t i = 0; i < l->packages_n; i++)
            if (l->packages[i].order == order) {
                assert(deblist_paragraph(&text, &texts, l, i, &e) == 0);
                buf_str(out, text);
                buf_putc(out, '\n');
            }
}

static void compare(const struct deblist *a, const struct deblist *b)
{
    uint32_t rank;

    assert(a->packages_n == b->packages_n && a->provides_n == b->provides_n);
    for (size_t i = 0; i < a->packages_n; i++) {
        assert(str_eq(name_of(a, i), name_of(b, i)) &&
               a->packages[i].order == b->packages[i].order);
        assert(!i || str_cmp(name_of(a, i - 1), name_of(a, i)) <= 0);
    }
    for (size_t i = 0; i < a->provides_n; i++)
        assert(a->provides[i].package == b->provides[i].package);
    for (size_t i = 0; i < a->names_n; i++)
        assert(deblist_rank(a, deblist_str(a, a->names[i].at, a->names[i].len), &rank) &&
               rank == a->names[i].rank);
}

/* It need not be sorted, so nothing but reading it is asked. */
static void look(struct str bytes)
{
    CLEANUP(debindex_clear) struct debindex index = {.arch = STR("amd64")};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf copy = {0};

    struct str text;

    buf_str(&copy, bytes);
    if (debindex_add_list(&index, &copy, &(struct deb_origin){.pin = DEB_PIN_USUAL}, &e) < 0)
        return;
    debindex_finish(&index);
    for (size_t i = 0; i < index.packages.n; i++) {
        CLEANUP(err_clear) struct err unread = {0};

        (void)!deb_package_field(&text, index.packages.v[i], "Depends", &unread);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    CLEANUP(buf_clear) struct buf once = {0}, twice = {0}, printed = {0};
    struct deblist a, b;

    look(text);
    if (!condense(&once, text))
        return 0;
    assert(deblist_view(&a, buf_view(&once)));
    print(&printed, &a);
    assert(condense(&twice, buf_view(&printed)) && deblist_view(&b, buf_view(&twice)));
    compare(&a, &b);
    once.p[once.len / 2] ^= (char)size; /* as a disk might */
    look(buf_view(&once));
    return 0;
}
