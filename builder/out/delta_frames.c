/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_frames.h"

#include "../io/bits.h"

static const uint32_t zstd_magic = 0xfd2fb528, zstd_skippable = 0x184d2a50;

static bool is_skippable(uint32_t magic)
{
    return (magic & 0xfffffff0u) == zstd_skippable;
}

bool delta_frames_begin(const unsigned char head[4])
{
    return load_le32(head) == zstd_magic || is_skippable(load_le32(head));
}

/* What is read of one frame. */
struct frame {
    struct source *from;
    uint64_t left;        /* bytes of the blob from its begin on */
    uint64_t size, plain; /* bytes of it that were passed, and that it holds */
    bool right;           /* it is one, and whole */
};

static int take(struct frame *f, unsigned char *to, size_t len, struct err *e)
{
    size_t got = 0;

    f->right &= len <= f->left - f->size;
    if (f->right && source_read_full(f->from, to, len, &got, e) < 0)
        return -1;
    f->right &= got == len;
    f->size += got;
    return 0;
}

static int pass(struct frame *f, uint64_t len, struct err *e)
{
    f->right &= len <= f->left - f->size;
    if (!f->right)
        return 0;
    f->size += len;
    return delta_pass(f->from, len, e);
}

static int pass_blocks(struct frame *f, bool checksum, struct err *e)
{
    unsigned char head[3] = {0};
    bool last = false;

    while (!last && f->right) {
        uint32_t word;

        if (take(f, head, sizeof head, e) < 0)
            return -1;
        word = (uint32_t)head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16;
        last = word & 1;
        if (pass(f, (word >> 1 & 3) == 1 ? 1 : word >> 3, e) < 0) /* 1: a byte that is repeated */
            return -1;
    }
    return pass(f, checksum ? 4 : 0, e);
}

/* Behind its magic: the sizes of what follows, and how much it holds, which not all say. */
static int read_head(struct frame *f, bool *checksum, struct err *e)
{
    static const unsigned char id_sizes[] = {0, 1, 2, 4}, sizes[] = {0, 2, 4, 8};
    unsigned char what = 0, rest[13] = {0};
    size_t skip, len;
    bool single;

    if (take(f, &what, 1, e) < 0)
        return -1;
    *checksum = what >> 2 & 1;
    single = what >> 5 & 1;
    skip = (size_t)!single + id_sizes[what & 3]; /* the window, a dictionary */
    len = sizes[what >> 6];
    len = single && !len ? 1 : len;
    f->right &= len > 0;
    if (take(f, rest, skip + len, e) < 0)
        return -1;
    for (size_t i = 0; i < len; i++)
        f->plain |= (uint64_t)rest[skip + i] << 8 * i;
    f->plain += len == 2 ? 256 : 0;
    return 0;
}

static int read_frame(struct frame *f, struct err *e)
{
    unsigned char word[4] = {0};
    bool checksum = false;

    if (take(f, word, sizeof word, e) < 0)
        return -1;
    if (is_skippable(load_le32(word)))
        return take(f, word, sizeof word, e) < 0 ? -1 : pass(f, load_le32(word), e);
    f->right &= load_le32(word) == zstd_magic;
    return read_head(f, &checksum, e) < 0 ? -1 : pass_blocks(f, checksum, e);
}

int delta_frames_find(struct delta_parts *out, struct source *from, uint64_t blob, uint64_t plain,
                      size_t max, struct err *e)
{
    uint64_t at = 0, plain_at = 0;
    bool right = true;

    while (right && at < blob && out->n <= max) {
        struct frame f = {.from = from, .left = blob - at, .right = true};

        if (read_frame(&f, e) < 0)
            return -1;
        right = f.right && f.plain <= plain - plain_at;
        vec_add(out, ((struct delta_part){
                         .at = at, .size = f.size, .plain_at = plain_at, .plain = f.plain}));
        at += f.size;
        plain_at += f.plain;
    }
    if (!right || (at == blob && plain_at != plain))
        out->n = 0;
    return 0;
}
