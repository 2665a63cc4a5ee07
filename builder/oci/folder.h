/* oci/folder.h - a folder as skopeo's "dir:" has it: one image, "manifest.json", blobs named by
 * their hex digits, and "version". Manifests that an index names are "<hex>.manifest.json".
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "place.h"

/* Make the folder, or write into one of this kind. ERR_INPUT where it holds other things. The image
 * is there at place_close(). */
int folder_open(struct place **out, const char *dir, struct err *e) MUST_CHECK;
