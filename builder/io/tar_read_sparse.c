/* SPDX-License-Identifier: Apache-2.0 */
#include "tar_read_parts.h"

bool tar_piece_add(struct tar_reader *t, uint64_t at)
{
    if (t->pieces.n == PIECES_MAX)
        return false;
    vec_add(&t->pieces, ((struct piece){.at = at}));
    return true;
}

bool tar_pieces_of_text(struct tar_reader *t, struct str map)
{
    struct str word;
    uint64_t n;

    t->pieces.n = 0;
    while (str_item(&map, ',', &word)) {
        if (!str_u64(word, &n) || !tar_piece_add(t, n) || !str_item(&map, ',', &word) ||
            !str_u64(word, &n))
            return false;
        t->pieces.v[t->pieces.n - 1].len = n;
    }
    return true;
}

static int check_pieces(struct tar_reader *t, uint64_t real, struct err *e)
{
    const struct piece *p;
    uint64_t end = 0, sum = 0;

    vec_each(p, &t->pieces) {
        if (p->at < end || __builtin_add_overflow(p->at, p->len, &end) || end > real)
            return tar_bad(t, "a file with holes whose pieces overlap or lie outside", e);
        sum += p->len;
    }
    if (real > INT64_MAX || sum != t->left)
        return tar_bad(t, "a file with holes and more or less data than its pieces need", e);
    t->entry.entry.content.size = real;
    t->sparse = true;
    return 0;
}

/* *more: another block of them follows. */
static int gnu_pieces(struct tar_reader *t, const unsigned char *at, size_t n, struct err *e)
{
    for (size_t i = 0; i < n && at[i * 24]; i++) {
        int64_t from, len;

        if (!tar_number(at + i * 24, 12, &from) || !tar_number(at + i * 24 + 12, 12, &len) ||
            from < 0 || len < 0 || !tar_piece_add(t, (uint64_t)from))
            return tar_bad(t, "a file with a broken or too long list of pieces", e);
        t->pieces.v[t->pieces.n - 1].len = (uint64_t)len;
    }
    return 0;
}

/* GNU's own form: pieces in the header, and in blocks behind it that its size does not count. */
int tar_sparse_gnu(struct tar_reader *t, const unsigned char *h, struct err *e)
{
    unsigned char next[TAR_BLOCK];
    bool more = h[AT_GNU_MORE] != 0;
    int64_t real;
    size_t got;

    t->pieces.n = 0;
    if (!tar_number(h + AT_GNU_REAL, 12, &real) || real < 0)
        return tar_bad(t, "a broken header", e);
    if (gnu_pieces(t, h + AT_GNU_PIECES, 4, e) < 0)
        return -1;
    while (more) {
        if (tar_take(t, next, sizeof next, &got, e) < 0)
            return -1;
        if (got < sizeof next)
            return tar_bad(t, "it ends early", e);
        if (gnu_pieces(t, next, 21, e) < 0)
            return -1;
        more = next[AT_GNU_MORE_NEXT] != 0;
    }
    t->entry.offset = t->offset;
    return check_pieces(t, (uint64_t)real, e);
}

/* One line of the map that stands before the data; blocks are taken as needed. */
static int map_line(struct tar_reader *t, unsigned char *block, size_t *at, uint64_t *out,
                    struct err *e)
{
    char digits[NUMBER_MAX + 1];
    size_t n = 0, got;

    for (;;) {
        if (*at == TAR_BLOCK) {
            if (t->left < TAR_BLOCK)
                return tar_bad(t, "a file with holes without its list of pieces", e);
            if (tar_take(t, block, TAR_BLOCK, &got, e) < 0)
                return -1;
            if (got < TAR_BLOCK)
                return tar_bad(t, "it ends early", e);
            t->left -= TAR_BLOCK;
            *at = 0;
        }
        char c = (char)block[(*at)++];
        if (c == '\n')
            break;
        if (n == NUMBER_MAX)
            return tar_bad(t, "a file with a broken or too long list of pieces", e);
        digits[n++] = c;
    }
    if (!str_u64((struct str){digits, n}, out))
        return tar_bad(t, "a file with a broken or too long list of pieces", e);
    return 0;
}

int tar_sparse_pax(struct tar_reader *t, struct err *e)
{
    unsigned char block[TAR_BLOCK];
    size_t at = TAR_BLOCK;
    uint64_t n = 0, from, len;

    if (!t->extra.has_real)
        return tar_bad(t, "a file with holes that does not tell its size", e);
    if (t->extra.map_in_data) {
        t->pieces.n = 0;
        if (map_line(t, block, &at, &n, e) < 0)
            return -1;
        for (; n; n--) {
            if (map_line(t, block, &at, &from, e) < 0 || map_line(t, block, &at, &len, e) < 0)
                return -1;
            if (!tar_piece_add(t, from))
                return tar_bad(t, "a file with a broken or too long list of pieces", e);
            t->pieces.v[t->pieces.n - 1].len = len;
        }
    }
    t->entry.offset = t->offset;
    return check_pieces(t, t->extra.real, e);
}
