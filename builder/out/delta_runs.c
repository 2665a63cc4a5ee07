/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_runs.h"

#include "../base/fs.h"
#include "../io/tar.h"

enum {
    CHUNK = 64 * 1024,
    AROUND = 64 * 1024, /* bytes of OLD before and behind where a literal run would stand */
    GAIN = 16,          /* a frame is near something where that saves one part of so many */
};

/* A stretch of a layer's tar, and where it stands in the scratch file. */
struct region {
    uint32_t layer;
    uint64_t at, size, spot;
};

struct delta_blocks {
    char *dir; /* owned */
    struct fs_temp temp;
    uint64_t used;
    struct VEC_OF(struct region) regions; /* by their spots */
    uint64_t *slots;                      /* a block's spot + 1; 0: empty */
    size_t n, cap;
};

struct delta_blocks *delta_blocks_open(const char *dir)
{
    struct delta_blocks *b = xcalloc(1, sizeof *b);

    b->dir = xstrdup(dir);
    return b;
}

void delta_blocks_clear(struct delta_blocks **b)
{
    if (!*b)
        return;
    fs_temp_clear(&(*b)->temp);
    vec_clear(&(*b)->regions);
    free((*b)->slots);
    free((*b)->dir);
    free(*b);
    *b = NULL;
}

/* ---- blocks by their hash ---- */

static uint64_t hash_block(const char *p)
{
    uint64_t h = 0x9e3779b97f4a7c15u, word;

    for (size_t i = 0; i < TAR_BLOCK; i += sizeof word) {
        memcpy(&word, p + i, sizeof word);
        h = (h ^ word) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    return h;
}

static bool is_zero(const char *p)
{
    static const char zeros[TAR_BLOCK];

    return memcmp(p, zeros, TAR_BLOCK) == 0;
}

static int read_at(const struct delta_blocks *b, void *to, size_t len, uint64_t spot, struct err *e)
{
    return fd_pread_all(b->temp.fd.n, to, len, spot, "the scratch file", e);
}

/* The slot of a block with these bytes, or the empty one where it would go. */
static int find_slot(uint64_t **out, const struct delta_blocks *b, const char *block, struct err *e)
{
    char other[TAR_BLOCK];

    for (size_t i = hash_block(block) & (b->cap - 1);; i = (i + 1) & (b->cap - 1)) {
        *out = &b->slots[i];
        if (!**out)
            return 0;
        if (read_at(b, other, TAR_BLOCK, **out - 1, e) < 0)
            return -1;
        if (memcmp(block, other, TAR_BLOCK) == 0)
            return 0;
    }
}

static int grow(struct delta_blocks *b, struct err *e)
{
    struct delta_blocks old = *b;
    char block[TAR_BLOCK];
    uint64_t *slot;

    b->cap = old.cap ? old.cap * 2 : 1024;
    b->slots = xcalloc(b->cap, sizeof *b->slots);
    for (size_t i = 0; i < old.cap; i++) {
        if (!old.slots[i])
            continue;
        if (read_at(b, block, TAR_BLOCK, old.slots[i] - 1, e) < 0 ||
            find_slot(&slot, b, block, e) < 0) {
            free(old.slots);
            return -1;
        }
        *slot = old.slots[i];
    }
    free(old.slots);
    return 0;
}

/* Of equal blocks the first counts. */
static int note_block(struct delta_blocks *b, const char *block, uint64_t spot, struct err *e)
{
    uint64_t *slot;

    if (is_zero(block))
        return 0;
    if ((b->n + 1) * 2 > b->cap && grow(b, e) < 0)
        return -1;
    if (find_slot(&slot, b, block, e) < 0)
        return -1;
    if (!*slot) {
        *slot = spot + 1;
        b->n++;
    }
    return 0;
}

/* ---- what OLD has ---- */

static struct region *region_for(struct delta_blocks *b, uint32_t layer, uint64_t at)
{
    struct region *last = b->regions.n ? &b->regions.v[b->regions.n - 1] : NULL;

    if (last && last->layer == layer && last->at + last->size == at)
        return last;
    last = vec_push(&b->regions);
    *last = (struct region){layer, at, 0, b->used};
    return last;
}

/* The blocks that became whole with the region's last `len` bytes. */
static int note_blocks(struct delta_blocks *b, const struct region *r, size_t len, struct err *e)
{
    uint64_t end = r->at + r->size, at = (end - len) / TAR_BLOCK * TAR_BLOCK;
    char block[TAR_BLOCK];

    if (at < r->at)
        at += TAR_BLOCK;
    for (; at + TAR_BLOCK <= end; at += TAR_BLOCK) {
        uint64_t spot = r->spot + (at - r->at);

        if (read_at(b, block, TAR_BLOCK, spot, e) < 0 || note_block(b, block, spot, e) < 0)
            return -1;
    }
    return 0;
}

int delta_blocks_add(struct delta_blocks *b, uint32_t layer, uint64_t at, struct source *from,
                     uint64_t size, struct err *e)
{
    CLEANUP(free_clear) char *chunk = xmalloc(CHUNK);
    struct region *r = region_for(b, layer, at);

    if (!b->temp.fd.open && fs_temp_open(&b->temp, b->dir, e) < 0)
        return -1;
    while (size) {
        size_t len = size < CHUNK ? (size_t)size : CHUNK, got;

        if (source_read_full(from, chunk, len, &got, e) < 0)
            return -1;
        if (got < len)
            return err_set(e, ERR_INPUT, "%s ends early", from->name);
        if (fd_pwrite_all(b->temp.fd.n, chunk, len, b->used, "the scratch file", e) < 0)
            return -1;
        b->used += len;
        r->size += len;
        size -= len;
        if (note_blocks(b, r, len, e) < 0)
            return -1;
    }
    return 0;
}

/* The region of a spot, or NULL. */
static const struct region *region_of(const struct delta_blocks *b, uint64_t spot)
{
    size_t low = 0, high = b->regions.n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (b->regions.v[mid].spot + b->regions.v[mid].size <= spot)
            low = mid + 1;
        else
            high = mid;
    }
    return low < b->regions.n && b->regions.v[low].spot <= spot ? &b->regions.v[low] : NULL;
}

struct delta_cursor delta_cursor_at(const struct delta_blocks *b, uint32_t layer)
{
    const struct region *r;

    vec_each(r, &b->regions)
        if (r->layer >= layer)
            return (struct delta_cursor){true, r->spot};
    return (struct delta_cursor){0};
}

/* ---- a piece of NEW ---- */

struct finding {
    const struct delta_blocks *b;
    struct str bytes;
    struct delta_runs *runs;
    struct buf literals;
    struct VEC_OF(struct region) near; /* `spot` and `size` count */
    struct delta_cursor cursor;        /* where OLD is when `done` is reached */
    size_t done;                       /* bytes that are told */
};

/* How many bytes are the same from there on, or, with `back`, before. */
static int same(size_t *out, const struct finding *f, size_t at, uint64_t spot, bool back,
                struct err *e)
{
    const struct region *r = region_of(f->b, spot);
    char other[4096];
    size_t most = back ? at - f->done : f->bytes.len - at;
    uint64_t there = !r ? 0 : back ? spot - r->spot : r->spot + r->size - spot;

    *out = 0;
    most = most < there ? most : (size_t)there;
    while (*out < most) {
        size_t len = most - *out < sizeof other ? most - *out : sizeof other, i = 0;
        uint64_t from = back ? spot - *out - len : spot + *out;
        const char *own = back ? f->bytes.p + at - *out - len : f->bytes.p + at + *out;

        if (read_at(f->b, other, len, from, e) < 0)
            return -1;
        while (i < len && (back ? own[len - 1 - i] == other[len - 1 - i] : own[i] == other[i]))
            i++;
        *out += i;
        if (i < len)
            break;
    }
    return 0;
}

/* What OLD has where the literal bytes up to `end` would stand. */
static void note_near(struct finding *f, size_t end)
{
    const struct region *r = f->cursor.known ? region_of(f->b, f->cursor.at) : NULL;
    uint64_t from, to;

    if (!r && f->cursor.known && f->cursor.at)
        r = region_of(f->b, f->cursor.at - 1); /* behind its last byte */
    if (!r)
        return;
    from = f->cursor.at - r->spot > AROUND ? f->cursor.at - AROUND : r->spot;
    to = f->cursor.at + (end - f->done) + AROUND;
    to = to < r->spot + r->size ? to : r->spot + r->size;
    if (f->near.n) {
        struct region *last = &f->near.v[f->near.n - 1];

        if (from >= last->spot && from <= last->spot + last->size) { /* they are one */
            if (to > last->spot + last->size)
                last->size = to - last->spot;
            return;
        }
    }
    if (from < to)
        vec_add(&f->near, ((struct region){.spot = from, .size = to - from}));
}

static void tell_literal(struct finding *f, size_t end)
{
    size_t len = end - f->done;

    if (!len)
        return;
    note_near(f, end);
    vec_add(f->runs, ((struct delta_run){.size = len}));
    buf_add(&f->literals, f->bytes.p + f->done, len);
    f->cursor.at += len;
    f->done = end;
}

static void tell_run(struct finding *f, uint64_t spot, size_t len)
{
    const struct region *r = region_of(f->b, spot);

    vec_add(f->runs, ((struct delta_run){r->layer + 1, r->at + (spot - r->spot), len}));
    f->cursor = (struct delta_cursor){true, spot + len};
    f->done += len;
}

/* A run at `at`, which begins before it where it can. */
static int try_run(bool *found, struct finding *f, size_t at, uint64_t spot, size_t least,
                   struct err *e)
{
    size_t before, behind;

    *found = false;
    if (same(&behind, f, at, spot, false, e) < 0)
        return -1;
    if (behind < least)
        return 0;
    if (same(&before, f, at, spot, true, e) < 0)
        return -1;
    tell_literal(f, at - before);
    tell_run(f, spot - before, before + behind);
    *found = true;
    return 0;
}

/* What stands in OLD where the reader is comes first, then where else the block is. */
static int look(bool *found, struct finding *f, size_t at, struct err *e)
{
    const char *block = f->bytes.p + at;
    uint64_t *slot;

    *found = false;
    if (f->cursor.known && try_run(found, f, at, f->cursor.at + (at - f->done), TAR_BLOCK, e) < 0)
        return -1;
    if (*found || is_zero(block) || !f->b->cap)
        return 0;
    if (find_slot(&slot, f->b, block, e) < 0)
        return -1;
    return *slot ? try_run(found, f, at, *slot - 1, TAR_BLOCK, e) : 0;
}

static int find_all(struct finding *f, uint64_t at, struct err *e)
{
    size_t i = (size_t)(-at & (TAR_BLOCK - 1));
    bool found;

    /* Padding that begins a piece goes on where the last one ended. */
    if (f->cursor.known && i && i < f->bytes.len && try_run(&found, f, 0, f->cursor.at, i, e) < 0)
        return -1;
    while (i + TAR_BLOCK <= f->bytes.len) {
        if (i < f->done) {
            i += TAR_BLOCK;
            continue;
        }
        if (look(&found, f, i, e) < 0)
            return -1;
        i += found ? 0 : TAR_BLOCK;
    }
    tell_literal(f, f->bytes.len);
    return 0;
}

static int read_near(struct buf *out, const struct finding *f, struct err *e)
{
    const struct region *r;

    vec_each(r, &f->near) {
        uint64_t len = DELTA_NEAR_MAX - out->len;

        len = r->size < len ? r->size : len;
        if (len && read_at(f->b, buf_room(out, len), len, r->spot, e) < 0)
            return -1;
        out->len += len;
    }
    return 0;
}

static void tell_near(struct delta_piece *piece, struct finding *f)
{
    uint64_t left = DELTA_NEAR_MAX;
    const struct region *near;

    vec_each(near, &f->near) {
        const struct region *r = region_of(f->b, near->spot);
        uint64_t len = near->size < left ? near->size : left;

        if (len)
            vec_add(f->runs,
                    ((struct delta_run){r->layer + 1, r->at + (near->spot - r->spot), len}));
        piece->nears += len > 0;
        left -= len;
    }
}

/* The literal bytes, near what was noted where that pays. */
static int pack(struct delta_piece *piece, struct finding *f, struct buf *frames,
                struct zstd_packer *z, struct err *e)
{
    CLEANUP(buf_clear) struct buf near = {0}, with = {0}, without = {0};
    bool pays;

    piece->near = f->runs->n;
    piece->literal = f->literals.len;
    if (!piece->literal)
        return 0;
    if (read_near(&near, f, e) < 0 ||
        zstd_pack_near(z, &without, buf_view(&f->literals), (struct str){0}, e) < 0 ||
        (near.len && zstd_pack_near(z, &with, buf_view(&f->literals), buf_view(&near), e) < 0))
        return -1;
    pays = near.len && with.len + with.len / GAIN + GAIN < without.len;
    if (pays)
        tell_near(piece, f);
    piece->packed = pays ? with.len : without.len;
    buf_str(frames, buf_view(pays ? &with : &without));
    return 0;
}

int delta_runs_find(struct delta_piece *piece, struct delta_runs *runs, struct buf *frames,
                    const struct delta_blocks *b, struct delta_cursor *cursor, struct str bytes,
                    uint64_t at, struct zstd_packer *z, struct err *e)
{
    struct finding f = {.b = b, .bytes = bytes, .runs = runs, .cursor = *cursor};
    int result;

    piece->plain = bytes.len;
    piece->run = runs->n;
    result = find_all(&f, at, e);
    piece->runs = runs->n - piece->run;
    if (result == 0)
        result = pack(piece, &f, frames, z, e);
    *cursor = f.cursor;
    buf_clear(&f.literals);
    vec_clear(&f.near);
    return result;
}
