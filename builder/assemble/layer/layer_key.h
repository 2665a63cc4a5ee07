/* assemble/layer/layer_key.h - the text that names everything a layer is made from (format 1): two
 * layers of the same key are the same bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../model/lock.h"

#define LAYER_PREFIX "opt/venv" /* where the Python environment stands in every image */

void layer_key(struct buf *out, const struct lock *lock, size_t layer);
/* Of a layer that is one download: the same without the system, of which download_key() adds what
 * decides. */
void layer_key_alone(struct buf *out, const struct lock *lock, size_t layer);
/* Under this the memory has the second key of that layer, download_key(), as it last was: so that
 * who does not know the system finds the layer, too. */
void layer_key_of_second(struct buf *out, const struct lock *lock, size_t layer);
/* The key of the whole system: what all system layers together are made from. */
void system_key(struct buf *out, const struct lock *lock);
