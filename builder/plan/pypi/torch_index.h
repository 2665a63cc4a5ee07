/* plan/pypi/torch_index.h - PyTorch's own wheel index, for builds that are not on PyPI.
 *
 * https://download.pytorch.org/whl/cu118/ and its like hold one CUDA build each (whl/cpu the one
 * without), as PEP 503 pages whose versions carry the build as a local label: 2.6.0+cu118. What
 * must be of the same build, torch and the projects that link against it and CUDA, is asked for
 * there and nowhere else, and nothing else is ever asked for there: so no other index can slip a
 * torch in, and this one nothing but them. Its copies of NVIDIA's wheels and of triton are not
 * needed: PyPI has every version that a stable build pins.
 *
 * It is a bucket that may not be listed: what it does not have is answered with 403.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../model/catalog.h"
#include "pypi_index.h"

#define TORCH_INDEX_URL "https://download.pytorch.org/whl/"

struct torch_index {
    struct pypi_place place; /* its url is empty when PyPI's build is meant */
    struct str local;        /* the label that torch's version must have: "cu118", "cpu" */
    struct str build;        /* the same for PyPI's build too, "cu124"; empty: not known */
};

/* Which build the recipe means: PyPI's where it names no CUDA, or the one that PyPI's wheel has, or
 * where one of its own indexes is the place for torch. What else the recipe binds to an index of
 * its own stays there. Texts live in `a`. */
void torch_index_choose(struct torch_index *out, struct arena *a, const struct catalog *c,
                        const struct recipe *r);
/* Take the build that *out has from PyPI from PyTorch's index, if that is the address `index`. */
void torch_index_prefer(struct torch_index *out, struct arena *a, const struct recipe *r,
                        struct str index);
/* The index of a build: "https://download.pytorch.org/whl/cu118/" for "11.8" and "11.8.0". */
struct str torch_index_url(struct arena *a, struct str cuda);
/* Must that project be of torch's build? Name normalised; torch is one of them. */
bool torch_index_binds(struct str name);
