/* SPDX-License-Identifier: Apache-2.0 */
#include "huffman.h"

enum { LENGTH_MAX = 15 };

struct leaf {
    uint32_t freq;
    uint16_t symbol;
};

static int leaf_compare(const void *a, const void *b)
{
    const struct leaf *x = a, *y = b;

    if (x->freq != y->freq)
        return x->freq < y->freq ? -1 : 1;
    return (int)x->symbol - (int)y->symbol;
}

/* The symbols that occur, rarest first. */
static unsigned collect(struct leaf *leaves, const uint32_t *freq, unsigned n)
{
    unsigned used = 0;

    for (unsigned i = 0; i < n; i++)
        if (freq[i])
            leaves[used++] = (struct leaf){freq[i], (uint16_t)i};
    for (unsigned i = 0; used < 2; i++) /* symbols that never occur fill up */
        if (!freq[i])
            leaves[used++] = (struct leaf){1, (uint16_t)i};
    qsort(leaves, used, sizeof *leaves, leaf_compare);
    return used;
}

/* Huffman's tree over sorted leaves with two queues; counts how many leaves lie at each depth. */
static void count_depths(unsigned *count, const struct leaf *leaves, unsigned n, unsigned limit)
{
    uint32_t weight[HUFFMAN_SYMBOLS_MAX];
    uint16_t parent[2 * HUFFMAN_SYMBOLS_MAX], depth[HUFFMAN_SYMBOLS_MAX];
    unsigned leaf = 0, node = 0;

    for (unsigned made = 0; made < n - 1; made++) {
        weight[made] = 0;
        for (unsigned k = 0; k < 2; k++) {
            if (leaf < n && (node >= made || leaves[leaf].freq <= weight[node])) {
                weight[made] += leaves[leaf].freq;
                parent[leaf++] = (uint16_t)made;
            } else {
                weight[made] += weight[node];
                parent[n + node++] = (uint16_t)made;
            }
        }
    }
    depth[n - 2] = 0;
    for (unsigned i = n - 2; i-- > 0;)
        depth[i] = (uint16_t)(depth[parent[n + i]] + 1);
    for (unsigned i = 0; i < n; i++) {
        unsigned d = depth[parent[i]] + 1u;

        count[d < limit ? d : limit]++;
    }
}

/* Cutting depths to the limit may promise more codes than there are: lengthen shorter ones until
 * the sum of 2^-length is 1 again. */
static void settle(unsigned *count, unsigned limit)
{
    uint32_t sum = 0;

    for (unsigned i = 1; i <= limit; i++)
        sum += count[i] << (limit - i);
    while (sum > 1u << limit) {
        unsigned i = limit - 1;

        while (!count[i])
            i--;
        count[i]--;
        count[i + 1] += 2;
        count[limit]--;
        sum--;
    }
}

void huffman_lengths(struct huffman *h, const uint32_t *freq, unsigned n, unsigned limit)
{
    struct leaf leaves[HUFFMAN_SYMBOLS_MAX];
    unsigned count[LENGTH_MAX + 1] = {0}, used, at = 0;

    used = collect(leaves, freq, n);
    count_depths(count, leaves, used, limit);
    settle(count, limit);
    memset(h->len, 0, sizeof h->len);
    for (unsigned len = limit; len > 0; len--)
        for (unsigned k = 0; k < count[len]; k++)
            h->len[leaves[at++].symbol] = (uint8_t)len;
}

void huffman_codes(struct huffman *h, unsigned n)
{
    unsigned count[LENGTH_MAX + 1] = {0}, next[LENGTH_MAX + 2] = {0};

    for (unsigned i = 0; i < n; i++)
        count[h->len[i]]++;
    count[0] = 0;
    for (unsigned len = 1; len <= LENGTH_MAX; len++)
        next[len + 1] = (next[len] + count[len]) << 1;
    for (unsigned i = 0; i < n; i++) {
        unsigned code, reversed = 0;

        if (!h->len[i])
            continue;
        code = next[h->len[i]]++;
        for (unsigned k = 0; k < h->len[i]; k++)
            reversed |= (code >> k & 1) << (h->len[i] - 1 - k);
        h->bits[i] = (uint16_t)reversed;
    }
}

void bits_align(struct bits *b)
{
    for (; b->count; b->count -= b->count < 8 ? b->count : 8) {
        b->out->p[b->out->len++] = (char)(b->held & 255);
        b->held >>= 8;
    }
    b->held = 0;
}
