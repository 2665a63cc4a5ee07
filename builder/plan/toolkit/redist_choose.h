/* plan/toolkit/redist_choose.h - NVIDIA's redistributable archives of one release, as artifacts.
 *
 * A release's manifest is asked for once a run; only what it tells is locked, archives are fetched
 * later. It is not signed: https to NVIDIA's server (or the user's mirror of it) is what vouches
 * for it, and from then on the lock's SHA-256.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../pkg/artifact.h"
#include "../../pkg/nvidia/redist.h"
#include "../../fetch/pages.h"

/* Products have a folder each below it: "cuda", "cudnn". */
#define REDIST_URL "https://developer.download.nvidia.com/compute/"
#define REDIST_PLATFORM "linux-x86_64"

struct redist_want {
    struct str component;
    struct pos pos; /* what asks for it; zero when nobody in particular does */
    bool optional;  /* not every release has it */
};

/* Append the archives of these components of one release ("12.4.1") to `out`, in the order of
 * `wants`, as group LOCK_TOOLKIT; their texts are in `a`. `variant` ("cuda12") chooses where there
 * is one for each CUDA; may be empty. On failure `out` is untouched:
 * - ERR_UNSAT: there is no such release, or it lacks what is not optional (all of that is told)
 * - ERR_INPUT: what the server gave is no manifest of that release
 * - ERR_NET: see pages_get() */
int redist_choose(struct artifacts *out, struct arena *a, struct pages *pages, struct str product,
                  struct str release, struct str variant, const struct redist_want *wants, size_t n,
                  struct err *e) MUST_CHECK;
