/* oci/stored_saved.h - an image as `docker save` wrote it before it wrote layouts: manifest.json
 * names config and layers by their paths, so neither the manifest's digest nor those of the layers
 * are known. moby's tarexport.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "stored.h"
#include "stored_text.h"

/* What `docker export` and `podman export` write, the files of one container: one layer, whose
 * digest is found out by reading all of it. */
int stored_exported_open(struct stored *s, struct err *e) MUST_CHECK;
/* `s` has its files open. ERR_INPUT. */
int stored_saved_open(struct stored *s, const struct stored_text *place, struct err *e) MUST_CHECK;
/* "pytorch:2.6" is also what "docker.io/library/pytorch:2.6" is called. */
bool stored_saved_is_called(struct str name, struct str asked);
