/* assemble/layer/layer_record.h - what is remembered about a layer once made: its digests and how
 * to put its bytes together again. Kept in the store under a key that names everything it was made
 * from. Only what a hasher saw is written: a layer whose diff_id was not seen has a record without.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/buf.h"
#include "../../model/slim.h"
#include "layer.h"

struct layer_record {
    struct digest digest, diff_id; /* diff_id is all-zero when it was never seen */
    uint64_t size, tar_size;       /* as in struct layer_result */
    struct chunked chunked;        /* the same */
    struct digest literals;        /* of the literal bytes, a blob in the store */
    struct segments segments;
    struct slim_counts slim; /* what rules left out of it */
};

void layer_record_print(struct buf *out, const struct layer_result *made,
                        const struct seen *literals, const struct segments *segments,
                        const struct slim_counts *slim);
int layer_record_parse(struct layer_record *out, struct str text, struct err *e) MUST_CHECK;
void layer_record_clear(struct layer_record *r);
