/* cmd/store_needs.h - what the locks that are built from a store need of it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../oci/image.h"
#include "../store/roots.h"

struct need_lock {
    const struct root *root; /* of needs.roots */
    bool gone;               /* the file is no longer there */
    bool counts;             /* what it names is needed */
};

struct store_needs {
    struct roots roots;
    struct VEC_OF(struct need_lock) locks;
    struct digests blobs; /* sorted, each once */
};

/* Artifacts, and what of each layer is in none of them; what is remembered of the layers is used
 * thereby (store/memo.h). `before` as in struct gc_rules: locks that
 * were not built since need nothing; 0: all count that are there. A lock that cannot be read is
 * ERR_INPUT: what it needs is not known. */
int store_needs_read(struct store_needs *out, const char *store, int64_t before,
                     struct err *e) MUST_CHECK;
void store_needs_clear(struct store_needs *n);
