/* oci/place_store.h - the store as a place: whatever a layer is made of, its blob is there as well.
 * It has blobs alone, and no images. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../store/cas.h"
#include "place.h"

/* `cas` is borrowed until place_clear(). */
struct place *place_store(const struct cas *cas);
