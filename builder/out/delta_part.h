/* out/delta_part.h - a part of a layer's blob that can be told apart, and reading on by parts. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/digest.h"
#include "../base/vec.h"
#include "../io/source.h"

struct delta_part {
    uint64_t at, size;        /* of the blob */
    uint64_t plain_at, plain; /* of the tar */
    struct digest digest;     /* of the blob's bytes */
};
struct delta_parts VEC_OF(struct delta_part);

/* Pass over `len` bytes of a source, which has them. */
int delta_pass(struct source *from, uint64_t len, struct err *e) MUST_CHECK;
/* `len` bytes of it go to `to`. */
int delta_take(struct source *from, uint64_t len, struct sink *to, struct err *e) MUST_CHECK;
