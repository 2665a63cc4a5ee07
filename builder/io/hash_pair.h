/* io/hash_pair.h - SHA-256 of a stream and, at the same time, hashes of parts of it.
 *
 * A layer's diff_id is the hash of its tar, and the files in it have hashes of their own. In a tar
 * a file begins at a whole block of SHA-256, so where the CPU has instructions for it both hashes
 * share the schedule of each block, and the second is nearly free. Elsewhere OpenSSL computes two.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "crypto.h"

/* FIPS 180-4, for CPUs that sha256_is_fast() tells. */
struct sha256 {
    uint32_t state[8];
    uint64_t size;
    unsigned char rest[64]; /* bytes of the last block that is not whole */
};

struct hash_pair {
    bool fast;     /* the stream is `own_stream`, else `stream` */
    bool both;     /* the part is `own_part`, else `part` */
    bool has_part; /* one has begun */
    struct sha256 own_stream, own_part;
    struct hash stream, part;
};

/* `plain`: use OpenSSL alone, whatever the CPU can. */
void hash_pair_open(struct hash_pair *p, bool plain);
/* A part begins here; its hash is `len` bytes long, see hash_open_len(). */
void hash_pair_begin(struct hash_pair *p, size_t len);
void hash_pair_add(struct hash_pair *p, const void *bytes, size_t len);
/* It ends; is its hash `want`? */
bool hash_pair_end(struct hash_pair *p, struct str want);
/* The stream's hash. */
void hash_pair_finish(struct hash_pair *p, struct seen *out);
void hash_pair_clear(struct hash_pair *p);
