/* plan/toolkit/toolkit.h - the CUDA toolkit of a devel image: where it comes from, what of it, and
 * the compiler that its nvcc takes. Pure: decided before anything is asked of the network.
 *
 * The release is the one that PyTorch's build was made with; the distribution's own toolkit, which
 * has but one, must be of the same CUDA.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../model/baselayer.h"
#include "../../model/catalog.h"
#include "../../model/lock.h"

struct toolkit_plan {
    bool wanted;        /* false: the variant has none, and the rest is empty */
    struct str from;    /* "pypi", "nvidia" or "apt" */
    struct str cuda;    /* "12.4" */
    struct str release; /* "12.4.1" */
    uint32_t gcc;       /* a major when the base's package gcc is too new for nvcc, else 0 */
    struct strs items;  /* extras of cuda-toolkit, or archives: see catalog_toolkit_items() */
};

/* ERR_UNSAT, with what there is instead, when the recipe's toolkit cannot be had; all faults at
 * once. Texts live in `a` or as long as the inputs. */
int toolkit_plan_open(struct toolkit_plan *out, struct arena *a, const struct recipe *r,
                      const struct catalog *c, const struct baselayer *base,
                      struct err *e) MUST_CHECK;
void toolkit_plan_clear(struct toolkit_plan *p);

/* Where it stands in the image, as toolkits of NVIDIA's do: "/usr/local/cuda-12.4". */
struct str toolkit_root(struct arena *a, struct str release);
