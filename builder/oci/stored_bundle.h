/* oci/stored_bundle.h - the archive in what `bundle` writes (out/bundle.h): image.tar, or its parts
 * image.tar.001 and so on, in a folder or in a tar of one. SHA256SUMS beside it says that it is
 * whole; what is in it is held against its digests by whoever reads it.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/vec.h"
#include "stored_spool.h"

/* Some bytes of a file. */
struct bundle_part {
    struct fd fd;  /* its own, open; or not: of the tar */
    unsigned turn; /* 0: the whole; else that of the part */
    uint64_t offset, size;
};

/* What of it was found so far. */
struct bundle_parts {
    struct VEC_OF(struct bundle_part) parts;
    bool sums; /* SHA256SUMS is there */
};

/* Is the folder one? */
bool bundle_parts_are_in(const char *dir);
/* All that are there. */
int bundle_parts_list(struct bundle_parts *out, const char *dir, struct err *e) MUST_CHECK;
/* A file of a tar, by its path there. */
void bundle_parts_note(struct bundle_parts *out, struct str path, uint64_t offset, uint64_t size);
/* The archive: a file and where in it. `tar` is the one that parts lie in, NULL in a folder; of
 * several parts a scratch file is made. ERR_INPUT where one is missing. */
int bundle_parts_open(struct fd *out, uint64_t *offset, uint64_t *size, struct bundle_parts *parts,
                      const struct fd *tar, const char *path, const struct stored_scratch *scratch,
                      struct err *e) MUST_CHECK;
void bundle_parts_clear(struct bundle_parts *b);
