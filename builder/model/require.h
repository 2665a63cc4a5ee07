/* model/require.h - NVIDIA_REQUIRE_*: what an image asks of the driver and the GPUs. NVIDIA's
 * container tools do not start it where that is not met.
 *
 * Alternatives stand between spaces, and one must hold; the terms of one between commas, and all
 * must. A term is a property (cuda, driver, arch, brand), an operator (= != < <= > >=) and a value.
 * Versions compare number by number. Source: NVIDIA/libnvidia-container, src/cli/dsl.c@5823754b8577
 * and configure.c@09df17a2424704. (Tools that use CDI alone do not ask.)
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "catalog.h"

enum require_answer {
    REQUIRE_MET,
    REQUIRE_UNMET,
    REQUIRE_WRONG, /* a term that was come to is none; the tools refuse that, too */
};

/* `text` may have several lines, all of which must be met: one for each variable. What is not known
 * (the brand of a GPU without a class, all of the GPU when it is NULL, the CUDA of a driver before
 * the catalog's) is taken as true. A class of GPUs has several brands, and each of them may be its.
 * *first: the first alternative of the line that is not met, which the tools name. */
enum require_answer require_judge(struct str text, struct str driver, const struct catalog_gpu *gpu,
                                  const struct catalog *c, struct str *first);

/* What the tools read from the variables of an image, as lines; empty when they ask nothing.
 * CUDA_VERSION alone stands for its cuda>=, NVIDIA_DISABLE_REQUIRE switches all off. */
struct str require_of_env(struct arena *a, const struct strs *env);

/* What an image of ours asks for: the family's oldest driver, and where it brings the user-space
 * part of driver `compat` (may be empty), the older ones and the brands with which that works. */
void require_print(struct buf *out, const struct catalog *c, struct str driver_min,
                   struct str compat);

/* The driver versions in it, at which the answer may change; adds borrowed texts. */
void require_drivers(struct strs *out, struct str text);
