/* plan/layering.h - which artifact goes into which layer.
 *
 * Docker's classic store fetches anew all layers above the lowest that changed; containerd's
 * those whose digest it lacks. So what changes rarely for its size stands low, and what
 * changes together is one layer. Since format 3, from below: CUDA's libraries, triton and torch,
 * and with them the toolkit, none of which changes without another PyTorch or CUDA · other wheels
 * of LAYER_OWN_MIN bytes or more · base · Python · apt extras · locales · compiler · what all
 * packages decide together · downloads · small wheels · those that the recipe asks for by name ·
 * the project · files. tests/bench/pulls.py measures what an update costs.
 *
 * A wheel of LAYER_OWN_MIN bytes or more is a layer of its own, so that images with the same cuDNN
 * share it; the largest stands lowest. So is a small wheel of half of that or more, above the debs.
 * The others are grouped by powers of two of their size, all below LAYER_CLASS_MIN together, the
 * largest lowest: one more wheel, or a new version of one, moves no other, and makes only its own
 * group and smaller ones to be fetched. What is built counts
 * with its source, for nobody knows the wheel before. The plan follows from the artifacts alone.
 *
 * Bytecode stands right above the wheels that it is made of, a layer for each of theirs, so that it
 * moves as they do; that of CUDA's libraries, triton and torch is one. Which system stands below
 * does not matter. At first format 3 had groups up to LAYER_OWN_MIN and one layer of all bytecode,
 * below the project; a lock whose layers are those keeps them.
 *
 * Formats 1 and 2: base · python · CUDA libraries · triton · torch · other wheels · apt extras ·
 * compiler · toolkit · bytecode · downloads · the project · files, all small wheels in one group.
 * In a layer of wheels the first is laid first: in format 1 they stand by name, since format 2 as
 * pip would install them.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../model/lock.h"

enum { LAYER_OWN_MIN = 8 * 1024 * 1024, LAYER_CLASS_MIN = 256 * 1024, LAYERS_MAX = 100 };
#define LAYER_GROUP_ALL ((uint64_t)1 << 50) /* where no wheel is big any more */

/* Add to lock->layers, which may hold those of a base image, from lock->artifacts (sorted) and
 * lock->copies, by lock->format. On a base image the Python environment is a layer of no artifacts,
 * and the system needs none of LOCK_STATE. `old` is the lock whose plan is made again; NULL: a new
 * one. */
void layering(struct lock *lock, const struct lock *old);
