/* serve/shelf_parts.h - what the files shelf*.c share; nobody else includes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "shelf.h"

/* A blob that is one file, which is opened and held against its name. */
int shelf_put_file(struct shelf *shelf, const char *path, const struct digest *digest,
                   uint64_t size, const struct blob_files *files, struct err *e) MUST_CHECK;
/* A file that is open. *at is its position; -1: with errno. */
int shelf_keep_file(size_t *at, struct shelf *shelf, struct fd *fd, const char *name,
                    const struct digest *digest);
void shelf_add_doc(struct shelf *shelf, const struct digest *digest, struct str media_type,
                   struct str text);
/* The full name that an image has, else its tag. */
int shelf_put_name(struct shelf *shelf, const struct stored *image, struct str name, struct str tag,
                   const struct digest *digest, struct err *e) MUST_CHECK;
