/* look/image_facts.h - what the files and packages of an image mean: system, Python, PyTorch, CUDA,
 * device code, and what all that needs of a host. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "inspect.h"

/* Fill in everything but layers, packages and sums, which must be there. */
void image_facts_find(struct inspection *in, const struct catalog *catalog);
