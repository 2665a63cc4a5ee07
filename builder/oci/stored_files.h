/* oci/stored_files.h - the files of a place with images: a layout's folder, or a tar of it; or a
 * folder as skopeo's "dir:" has it, with "manifest.json" and blobs named by their hex digits.
 *
 * A tar is walked once and its files are found by their names; of two with one name the later
 * counts, as where it is unpacked. Links lead to files of the same tar. In one of a bundle it is
 * the tar within that counts.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/arena.h"
#include "../base/digest.h"
#include "../base/map.h"
#include "../io/source.h"
#include "registries.h"
#include "stored_spool.h"

struct stored_files {
    char *path;          /* owned; of the folder or the tar */
    bool archive;        /* a tar */
    bool flat;           /* a folder of "dir:" */
    struct digest top;   /* there, of what "manifest.json" holds, once that was read; of a registry,
                            what was asked for */
    struct str top_text; /* of a registry: its text */
    struct registry *registry; /* borrowed; NULL: it is none */
    struct fd fd;              /* of the tar, or the lock on a layout: layout_use() */
    uint64_t base, size;       /* where in that file the tar stands: bytes */
    struct map names;          /* of its files */
    bool tree;                 /* it has files of a system, as `docker export` writes */
    struct str arch;           /* whose loader they have, in Go's words; may be empty */
    struct arena arena;
};

/* A folder. A layout is used until this is cleared; `events` (may be NULL) are told when it waits.
 */
int stored_files_folder(struct stored_files *out, const char *path, bool flat,
                        const struct events *events, struct err *e) MUST_CHECK;
/* A tar. With `scratch` one that is to be looked into: it may be compressed as a whole. NULL: an
 * oci-archive to build on. */
int stored_files_tar(struct stored_files *out, const char *path,
                     const struct stored_scratch *scratch, struct err *e) MUST_CHECK;
/* The tar that a bundle has, in a folder. */
int stored_files_bundle(struct stored_files *out, const char *path,
                        const struct stored_scratch *scratch, struct err *e) MUST_CHECK;
/* What the engine ("docker", "podman") saves of an image of its own. */
int stored_files_saved(struct stored_files *out, const char *engine, struct str image,
                       const struct stored_scratch *scratch, struct err *e) MUST_CHECK;
void stored_files_clear(struct stored_files *f);

/* A file of a tar. */
bool stored_files_has(const struct stored_files *f, struct str name, uint64_t *size);
/* It is the blob of that digest. */
void stored_files_alias(struct stored_files *f, const struct digest *digest, struct str name);
/* The tar as a whole is. */
void stored_files_alias_all(struct stored_files *f, const struct digest *digest);

/* The text of a document, of at most IMAGE_DOC_MAX bytes; lives as long as `f`. */
int stored_files_text(struct str *out, struct stored_files *f, struct str name,
                      struct err *e) MUST_CHECK;
/* The same of a blob, held against its digest. `size` is what its descriptor says. */
int stored_files_doc(struct str *out, struct stored_files *f, const struct digest *digest,
                     uint64_t size, struct err *e) MUST_CHECK;
/* The file that it is, owned; NULL in a tar and of a registry. */
char *stored_files_blob_path(const struct stored_files *f, const struct digest *digest);
/* The same of a manifest, which a registry keeps apart from blobs. */
int stored_files_manifest(struct str *out, struct stored_files *f, const struct digest *digest,
                          struct err *e) MUST_CHECK;
/* The bytes of a blob, and how many there are, but of a registry's. ERR_INPUT when it is missing.
 */
int stored_files_blob(struct source **out, uint64_t *size, const struct stored_files *f,
                      const struct digest *digest, struct err *e) MUST_CHECK;
