/* oci/stored_files.h - the files of a place with images: a layout's folder, or a tar of it.
 *
 * A tar is walked once and its files are found by their names; of two with one name the later
 * counts, as where it is unpacked. Links lead to files of the same tar.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/arena.h"
#include "../base/digest.h"
#include "../base/map.h"
#include "../io/source.h"

struct stored_files {
    char *path;       /* owned; of the folder or the tar */
    bool archive;     /* a tar */
    struct fd fd;     /* of it */
    struct map names; /* of its files */
    struct arena arena;
};

/* `any`: in messages, an image of any kind is asked for, not an oci-archive. */
int stored_files_open(struct stored_files *out, const char *path, bool archive, bool any,
                      struct err *e) MUST_CHECK;
void stored_files_clear(struct stored_files *f);

/* A file of a tar. */
bool stored_files_has(const struct stored_files *f, struct str name, uint64_t *size);
/* It is the blob of that digest. */
void stored_files_alias(struct stored_files *f, const struct digest *digest, struct str name);

/* The text of a document, of at most IMAGE_DOC_MAX bytes; lives as long as `f`. */
int stored_files_text(struct str *out, struct stored_files *f, struct str name,
                      struct err *e) MUST_CHECK;
/* The same of a blob, held against its digest. */
int stored_files_doc(struct str *out, struct stored_files *f, const struct digest *digest,
                     struct err *e) MUST_CHECK;
/* The bytes of a blob, and how many there are. ERR_INPUT when it is missing. */
int stored_files_blob(struct source **out, uint64_t *size, const struct stored_files *f,
                      const struct digest *digest, struct err *e) MUST_CHECK;
