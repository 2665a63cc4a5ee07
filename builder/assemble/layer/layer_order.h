/* assemble/layer/layer_order.h - what the groups of a lock's system mean for whoever makes its
 * layers: which artifacts it is made from, and what of it need not wait for the toolkit.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../model/lock.h"

/* Is the artifact one that the system is made from? Debs and NVIDIA's archives are; of wheels those
 * of NVIDIA's, where there is a toolkit to link to them. */
bool layer_order_needs(const struct lock *lock, const struct artifact *a);
/* Is a layer of that group made when all of the system is there: the toolkit's, and what all
 * packages decide together? */
bool layer_order_is_late(enum lock_group group);
/* Do the other groups do without the artifact? */
bool layer_order_is_above(const struct lock *lock, size_t artifact);
