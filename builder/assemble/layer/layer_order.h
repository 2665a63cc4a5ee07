/* assemble/layer/layer_order.h - what the order of a lock's layers means for whoever makes them:
 * which artifacts the system is made from, and where the toolkit parts it in two. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../model/lock.h"

/* Is the artifact one that the system is made from? Debs and NVIDIA's archives are; of wheels those
 * of NVIDIA's, where there is a toolkit to link to them. */
bool layer_order_needs(const struct lock *lock, const struct artifact *a);
/* The position of the toolkit's layer; behind the last when there is none. */
size_t layer_order_toolkit(const struct lock *lock);
/* Do the layers below that one do without the artifact? */
bool layer_order_is_above(const struct lock *lock, size_t artifact);
