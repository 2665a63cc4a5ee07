/* oci/reach.h - which blobs an index leads to: manifests, and what those name. Pure: documents come
 * from the caller. OCI image-spec 1.1, image-index.md and manifest.md.
 *
 * A referrer is an entry whose document has a subject (a signature, an SBOM), or whose tag has the
 * form "sha256-<64 hex>" with or without ".sig" and the like behind it (distribution-spec 1.1,
 * "Referrers Tag Schema"; cosign). It goes when its subject goes, and when that lies here and
 * nothing leads to it; what refers to something that is not here stays.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "image.h"

/* The text of a manifest or index. *there false: it is not here, and so leads to nothing. */
typedef int (*reach_read)(void *ctx, const struct descriptor *d, struct buf *out, bool *there,
                          struct err *e);

struct reach_entry {
    const struct descriptor *d; /* of the index; borrowed */
    bool goes;                  /* the caller's wish; of a referrer it is the answer */
    struct digest refers;       /* of a referrer: its subject; else all-zero */
};

/* Find the referrers. */
int reach_referrers(struct reach_entry *entries, size_t n, reach_read read, void *ctx,
                    struct err *e) MUST_CHECK;
/* What all that stays leads to, itself included: sorted, each once. Decides of referrers whether
 * they go. ERR_INPUT for a document that cannot be read: what it needs is not known then. */
int reach(struct digests *out, struct reach_entry *entries, size_t n, reach_read read, void *ctx,
          struct err *e) MUST_CHECK;
/* Bytes of all that one descriptor leads to, itself included; each blob once. */
int reach_size(uint64_t *out, const struct descriptor *d, reach_read read, void *ctx,
               struct err *e) MUST_CHECK;
