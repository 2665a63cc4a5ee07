/* SPDX-License-Identifier: Apache-2.0 */
#include "hash_pair.h"

enum { BLOCK = 64, SHA256_LEN = 32 };

/* ---- blocks, by the CPU's instructions ---- */

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>

static const uint32_t constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

#define SHA_CODE __attribute__((target("sha,sse4.1")))

/* The two halves as the instructions want them. */
struct halves {
    __m128i abef, cdgh;
};

SHA_CODE static inline struct halves load(const uint32_t state[8])
{
    __m128i dcba = _mm_loadu_si128((const __m128i *)(const void *)state);
    __m128i hgfe = _mm_loadu_si128((const __m128i *)(const void *)(state + 4));
    __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);

    return (struct halves){_mm_alignr_epi8(cdab, efgh, 8), _mm_blend_epi16(efgh, cdab, 0xf0)};
}

SHA_CODE static inline void store(uint32_t state[8], struct halves h)
{
    __m128i feba = _mm_shuffle_epi32(h.abef, 0x1b), dchg = _mm_shuffle_epi32(h.cdgh, 0xb1);

    _mm_storeu_si128((__m128i *)(void *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(void *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/* Four rounds. */
SHA_CODE static inline void rounds(struct halves *h, __m128i words)
{
    h->cdgh = _mm_sha256rnds2_epu32(h->cdgh, h->abef, words);
    h->abef = _mm_sha256rnds2_epu32(h->abef, h->cdgh, _mm_shuffle_epi32(words, 0x0e));
}

/* Whole blocks into one state, or into two that need not be equal. */
SHA_CODE static inline void add_blocks(uint32_t *one, uint32_t *two, const unsigned char *p,
                                       size_t n)
{
    const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    struct halves a = load(one), b = two ? load(two) : a;

    for (; n; n--, p += BLOCK) {
        struct halves a0 = a, b0 = b;
        __m128i w[4];

#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i)),
                                    order);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            __m128i last = w[(i + 3) % 4];
            __m128i words = _mm_add_epi32(
                w[i % 4], _mm_load_si128((const __m128i *)(const void *)(constants + 4 * i)));

            rounds(&a, words);
            if (two)
                rounds(&b, words);
            w[i % 4] =
                _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(w[i % 4], w[(i + 1) % 4]),
                                                   _mm_alignr_epi8(last, w[(i + 2) % 4], 4)),
                                     last);
        }
        a = (struct halves){_mm_add_epi32(a.abef, a0.abef), _mm_add_epi32(a.cdgh, a0.cdgh)};
        b = (struct halves){_mm_add_epi32(b.abef, b0.abef), _mm_add_epi32(b.cdgh, b0.cdgh)};
    }
    store(one, a);
    if (two)
        store(two, b);
}

SHA_CODE static void add_to_one(uint32_t *one, const unsigned char *p, size_t n)
{
    add_blocks(one, NULL, p, n);
}

SHA_CODE static void add_to_both(uint32_t *one, uint32_t *two, const unsigned char *p, size_t n)
{
    add_blocks(one, two, p, n);
}

static bool sha256_is_fast(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(1, &a, &b, &c, &d) && c & bit_SSE4_1 && c & bit_SSSE3 &&
           __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & bit_SHA;
}
#else
static bool sha256_is_fast(void)
{
    return false;
}

static void add_to_one(uint32_t *one, const unsigned char *p, size_t n)
{
    abort();
}

static void add_to_both(uint32_t *one, uint32_t *two, const unsigned char *p, size_t n)
{
    abort();
}
#endif

/* ---- one hash ---- */

static void sha256_open(struct sha256 *s)
{
    *s = (struct sha256){{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
                          0x1f83d9ab, 0x5be0cd19},
                         0,
                         {0}};
}

/* `also` may be NULL, else it has taken as many bytes beyond a block as `s`. */
static void sha256_add(struct sha256 *s, struct sha256 *also, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    size_t used = s->size % BLOCK, blocks;

    s->size += len;
    if (also)
        also->size += len;
    while (len) {
        if (!used && len >= BLOCK) {
            blocks = len / BLOCK;
            if (also)
                add_to_both(s->state, also->state, p, blocks);
            else
                add_to_one(s->state, p, blocks);
            p += blocks * BLOCK;
            len -= blocks * BLOCK;
            continue;
        }
        size_t n = BLOCK - used < len ? BLOCK - used : len;

        memcpy(s->rest + used, p, n);
        if (also)
            memcpy(also->rest + used, p, n);
        used += n;
        p += n;
        len -= n;
        if (used < BLOCK)
            continue;
        used = 0;
        add_to_one(s->state, s->rest, 1);
        if (also)
            add_to_one(also->state, also->rest, 1);
    }
}

static void sha256_finish(struct sha256 *s, struct digest *out)
{
    static const unsigned char pad[BLOCK] = {0x80};
    uint64_t bits = s->size * 8;
    size_t used = s->size % BLOCK;
    unsigned char length[8];

    for (size_t i = 0; i < 8; i++)
        length[i] = (unsigned char)(bits >> (56 - 8 * i));
    sha256_add(s, NULL, pad, (used < BLOCK - 8 ? BLOCK - 8 : 2 * BLOCK - 8) - used);
    sha256_add(s, NULL, length, sizeof length);
    for (size_t i = 0; i < SHA256_LEN; i++)
        out->bytes[i] = (unsigned char)(s->state[i / 4] >> (24 - 8 * (i % 4)));
}

/* ---- both ---- */

void hash_pair_open(struct hash_pair *p, bool plain)
{
    *p = (struct hash_pair){.fast = !plain && sha256_is_fast()};
    if (p->fast)
        sha256_open(&p->own_stream);
    else
        hash_open(&p->stream);
}

void hash_pair_begin(struct hash_pair *p, size_t len)
{
    p->has_part = true;
    p->both = p->fast && len == SHA256_LEN && p->own_stream.size % BLOCK == 0;
    if (p->both)
        sha256_open(&p->own_part);
    else
        hash_open_len(&p->part, len);
}

void hash_pair_add(struct hash_pair *p, const void *bytes, size_t len)
{
    if (p->has_part && !p->both)
        hash_add(&p->part, bytes, len);
    if (p->fast)
        sha256_add(&p->own_stream, p->has_part && p->both ? &p->own_part : NULL, bytes, len);
    else
        hash_add(&p->stream, bytes, len);
}

bool hash_pair_end(struct hash_pair *p, struct str want)
{
    struct digest found;

    p->has_part = false;
    if (!p->both)
        return hash_is(&p->part, want);
    sha256_finish(&p->own_part, &found);
    return want.len == sizeof found.bytes && memcmp(found.bytes, want.p, want.len) == 0;
}

void hash_pair_finish(struct hash_pair *p, struct seen *out)
{
    if (p->fast)
        sha256_finish(&p->own_stream, &out->made_by_hash);
    else
        hash_seen(&p->stream, out);
}

void hash_pair_clear(struct hash_pair *p)
{
    hash_clear(&p->stream);
    hash_clear(&p->part);
    *p = (struct hash_pair){0};
}
