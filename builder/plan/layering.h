/* plan/layering.h - which artifact goes into which layer.
 *
 * Ordered by how rarely a layer changes: base · python · CUDA libraries · triton · torch · other
 * wheels · apt extras · compiler · toolkit · bytecode · downloads · the project · files. What a
 * variant adds comes on top of what all variants of a recipe have, so that these share the layers
 * below it. A wheel of LAYER_OWN_MIN bytes or more is a layer of its own, so that images with the
 * same cuDNN share it; the smaller ones are grouped; what is built counts with its source, for
 * nobody knows the wheel before. In a layer of wheels the first is laid first: in format 1 they
 * stand by name, since format 2 as pip would install them.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../model/lock.h"

enum { LAYER_OWN_MIN = 8 * 1024 * 1024, LAYERS_MAX = 100 };
#define LAYER_GROUP_ALL ((uint64_t)1 << 50) /* where no wheel is big any more */

/* Add to lock->layers, which may hold those of a base image, from lock->artifacts (sorted) and
 * lock->copies. On a base image the Python environment is a layer of no artifacts. */
void layering(struct lock *lock);
