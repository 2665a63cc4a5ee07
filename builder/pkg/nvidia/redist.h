/* pkg/nvidia/redist.h - what a manifest of NVIDIA's redistributable archives means.
 *
 * https://developer.download.nvidia.com/compute/<product>/redist/redistrib_<release>.json: a map of
 * components; each has a version and, per platform, one archive, or one for each CUDA major
 * ("cuda12": a variant). Sizes are decimal text. What a release says of itself stands beside the
 * components, where it says it: CUDA up to 12.1.1 does not. Pure: text in, records out. Only what
 * is asked for is judged, so a fault in a row that nobody wants refuses nothing.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/digest.h"
#include "../../base/vec.h"
#include "../../doc/node.h"

/* Bytes of a manifest; up to 2025 the largest has 57 KiB. An archive is smaller than the second
 * one. */
#define REDIST_TEXT_MAX (UINT64_C(4) << 20)
#define REDIST_SIZE_MAX (UINT64_C(8) << 30)

/* One archive that a manifest names. Texts live as long as the manifest's document. */
struct redist_file {
    struct str component, version; /* "cuda_nvcc", "12.4.131" */
    struct str path;               /* relative to the product's folder: safe by path_is_safe(), and
                                      of letters, digits and "+-._" between its "/" */
    uint64_t size;                 /* bytes; above 0, below REDIST_SIZE_MAX */
    struct digest digest;          /* SHA-256 */
};

struct redist {
    struct doc doc;
    struct str label, product; /* release_label "12.4.1", release_product "cuda"; may be empty */
};

/* `what` names the manifest in errors. ERR_INPUT for what is no manifest. */
int redist_parse(struct redist *out, struct str text, const char *what, struct err *e) MUST_CHECK;
void redist_clear(struct redist *r);

/* The archive of a component for a platform ("linux-x86_64"); `variant` ("cuda12", empty: none)
 * chooses where the platform has one for each. *found is false, and *out untouched, when the
 * manifest has none. ERR_INPUT, telling all faults, for a row that is none. */
int redist_find(struct redist_file *out, const struct redist *r, struct str component,
                struct str platform, struct str variant, bool *found, struct err *e) MUST_CHECK;
/* Append the components that have something for this platform, sorted, for messages. */
void redist_list(struct strs *out, const struct redist *r, struct str platform);
/* Append the variants that a component has for a platform, sorted; none where it has one archive.
 */
void redist_variants(struct strs *out, const struct redist *r, struct str component,
                     struct str platform);
