/* model/catalog.h - what is known of PyTorch, CUDA and drivers: reviewed data that explains, checks
 * early and advises. Package metadata is the truth; a release that stands not here is resolved all
 * the same.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../doc/node.h"
#include "recipe.h"

struct catalog {
    struct doc pytorch, cuda, require;
};

/* The built-in tables, or those in `dir`. */
int catalog_open(struct catalog *out, const char *dir, struct err *e) MUST_CHECK;
void catalog_clear(struct catalog *c);

/* One CUDA build of a release; empty texts where the catalog does not know. */
struct catalog_build {
    struct str cuda, toolkit, cudnn, nccl, archs;
    bool pypi;                                 /* the wheel on PyPI is this build */
    bool archs_unconfirmed, cudnn_unconfirmed; /* rest on one secondary source */
};

/* Does the catalog know the release? */
bool catalog_has(const struct catalog *c, struct str pytorch);
/* The build of a release for CUDA `cuda` ("12.4"); with `cuda` empty PyPI's. False when there is
 * none. */
bool catalog_build(const struct catalog *c, struct str pytorch, struct str cuda,
                   struct catalog_build *out);

/* Driver that a toolkit release ("12.4.1") shipped with; empty when not known or not confirmed. */
struct str catalog_driver(const struct catalog *c, struct str toolkit);
/* Oldest driver that runs the family of "12.4": "525.60.13". */
struct str catalog_family_driver(const struct catalog *c, struct str cuda);
/* NVIDIA_REQUIRE_CUDA of NVIDIA's images of that toolkit; empty when not known. */
struct str catalog_require(const struct catalog *c, struct str toolkit);

/* Refuse what cannot be, before anything is asked of the network: a CUDA, cuDNN or Python that this
 * release has no build for; all faults at once (ERR_UNSAT). `python` is the base's version. */
int catalog_check(const struct catalog *c, const struct recipe *r, struct str python,
                  struct err *e) MUST_CHECK;
