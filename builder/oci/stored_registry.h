/* oci/stored_registry.h - the image of a registry as stored.h reads it: "docker://REF". */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "stored.h"
#include "stored_text.h"

/* Find what the text means: s->files and the digest of the manifest or index, whose text is kept
 * for stored_files_manifest(). With `any` a tag will do, and "latest" where there is none; else a
 * text without digest is ERR_INPUT that names the one there is. */
int stored_registry_open(struct stored *s, struct digest *digest, const struct stored_text *place,
                         struct str text, bool any, struct registries *registries,
                         struct err *e) MUST_CHECK;
