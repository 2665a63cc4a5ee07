/* SPDX-License-Identifier: Apache-2.0 */
#include "huffman.h"

#include "../base/mem.h"

enum { SYMBOL_BITS = 9 };

/* Leaves as count << 9 | symbol: their order is the order of counts, then of symbols. */
static unsigned gather(uint32_t *leaf, const uint32_t *count, unsigned n)
{
    unsigned leaves = 0;

    for (unsigned i = 0; i < n; i++)
        if (count[i])
            leaf[leaves++] = count[i] << SYMBOL_BITS | i;
    for (unsigned i = 0; leaves < 2; i++)
        if (!count[i])
            leaf[leaves++] = 1u << SYMBOL_BITS | i;
    return leaves;
}

/* Shell sort: small, and keys differ, so any right sort gives the same order. */
static void sort(uint32_t *key, unsigned n)
{
    static const unsigned gaps[] = {57, 23, 10, 4, 1};

    for (size_t g = 0; g < ARRAY_LEN(gaps); g++)
        for (unsigned gap = gaps[g], i = gap, j; i < n; i++) {
            uint32_t k = key[i];

            for (j = i; j >= gap && key[j - gap] > k; j -= gap)
                key[j] = key[j - gap];
            key[j] = k;
        }
}

/* Huffman's tree over sorted leaves. Nodes 0 to leaves - 1 are the leaves, inner nodes follow in
 * the order they are made, which is by weight: so two queues do. Of equal weights the leaf comes
 * first, which keeps the tree flat. */
static void build_tree(uint16_t *parent, const uint32_t *leaf, unsigned leaves)
{
    uint32_t weight[2 * HUFFMAN_SYMBOLS];
    unsigned next_leaf = 0, next_inner = leaves;

    for (unsigned made = leaves; made < 2 * leaves - 1; made++) {
        weight[made] = 0;
        for (int child = 0; child < 2; child++) {
            bool is_leaf =
                next_leaf < leaves &&
                (next_inner == made || leaf[next_leaf] >> SYMBOL_BITS <= weight[next_inner]);
            unsigned node = is_leaf ? next_leaf++ : next_inner++;

            weight[made] += is_leaf ? leaf[node] >> SYMBOL_BITS : weight[node];
            parent[node] = (uint16_t)made;
        }
    }
}

/* How many leaves have each depth, where what is deeper than `limit` counts as `limit`. */
static void count_depths(unsigned *of_depth, const uint16_t *parent, unsigned leaves,
                         unsigned limit)
{
    uint16_t depth[2 * HUFFMAN_SYMBOLS];

    depth[2 * leaves - 2] = 0;
    for (unsigned i = 2 * leaves - 2; i-- > 0;) {
        depth[i] = (uint16_t)(depth[parent[i]] + 1);
        if (i < leaves)
            of_depth[depth[i] < limit ? depth[i] : limit]++;
    }
}

/* Cut leaves overfill the code space. Each step hangs one of them beside the deepest leaf that has
 * room below it: that frees one place at the limit, until the code is complete again. */
static void repair(unsigned *of_depth, unsigned limit)
{
    uint64_t used = 0;

    for (unsigned d = 1; d <= limit; d++)
        used += (uint64_t)of_depth[d] << (limit - d);
    for (; used > 1ull << limit; used--) {
        unsigned d = limit - 1;

        while (!of_depth[d])
            d--;
        of_depth[d]--;
        of_depth[d + 1] += 2;
        of_depth[limit]--;
    }
}

void huffman_lengths(uint8_t *len, const uint32_t *count, unsigned n, unsigned limit)
{
    uint32_t leaf[HUFFMAN_SYMBOLS];
    uint16_t parent[2 * HUFFMAN_SYMBOLS];
    unsigned of_depth[HUFFMAN_BITS + 1] = {0}, leaves = gather(leaf, count, n), next = 0;

    sort(leaf, leaves);
    build_tree(parent, leaf, leaves);
    count_depths(of_depth, parent, leaves, limit);
    repair(of_depth, limit);

    memset(len, 0, n);
    for (unsigned d = limit; d > 0; d--) /* the rarest symbols get the longest codes */
        for (unsigned i = 0; i < of_depth[d]; i++)
            len[leaf[next++] & ((1u << SYMBOL_BITS) - 1)] = (uint8_t)d;
}

static uint16_t reverse(unsigned code, unsigned len)
{
    unsigned out = 0;

    for (; len; len--, code >>= 1)
        out = out << 1 | (code & 1);
    return (uint16_t)out;
}

void huffman_codes(uint16_t *code, const uint8_t *len, unsigned n)
{
    unsigned of_len[HUFFMAN_BITS + 1] = {0}, next[HUFFMAN_BITS + 1] = {0};

    for (unsigned i = 0; i < n; i++)
        of_len[len[i]]++;
    of_len[0] = 0;
    for (unsigned d = 1; d <= HUFFMAN_BITS; d++)
        next[d] = (next[d - 1] + of_len[d - 1]) << 1;
    for (unsigned i = 0; i < n; i++)
        code[i] = len[i] ? reverse(next[len[i]]++, len[i]) : 0;
}
