/* serve/shelf.h - what is handed out: the images that were named, by repository and tag, and all
 * that they lead to. Nothing else can be asked for.
 *
 * Each blob is held against its name when it is put here, and its files stay open; documents are
 * kept in memory. A layer that nobody wrote is put here as parts of other files, so that any range
 * of it can be had. After the last image it is only read, by many threads.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../oci/place.h"
#include "../oci/stored.h"
#include "../store/blob_file.h"
#include "../store/cas.h"
#include "httpd.h"

struct shelf_doc { /* a manifest or an index */
    struct digest digest;
    struct str media_type, text;
};

struct shelf_file {
    struct fd fd;
    struct str name;         /* for messages */
    struct digest digest;    /* of a part's file in the store; else all-zero */
    uint64_t size;           /* bytes */
    struct timespec changed; /* when its bytes were seen */
};

struct shelf_blob {
    struct digest digest;
    uint64_t size;               /* bytes */
    struct str text;             /* a small one of which there is no file; or */
    struct httpd_parts parts;    /* what its bytes are */
    struct VEC_OF(size_t) files; /* positions in the shelf's */
};

struct shelf_tag {
    struct str tag;
    struct digest digest; /* of a manifest or an index */
    const struct stored *image;
};
struct shelf_tags VEC_OF(struct shelf_tag);

struct shelf_repository {
    struct str name;
    struct shelf_tags tags; /* sorted by byte, as the repositories */
};

struct shelf_referrers {
    struct digest subject;
    struct image_index index;
};

struct deltas; /* deltas.h */
struct shelf {
    struct arena arena;
    struct VEC_OF(struct stored *) images; /* owned */
    struct VEC_OF(struct shelf_repository) repositories;
    struct VEC_OF(struct shelf_doc) docs;
    struct VEC_OF(struct shelf_file) files;
    struct VEC_OF(struct shelf_blob) blobs;
    struct VEC_OF(struct shelf_referrers) referrers;
    struct deltas *deltas; /* borrowed; NULL: none are offered */
};

/* All images of a layout, or one of them: oci:DIR[:TAG][@DIGEST], dir:DIR or the folder's path.
 * ERR_INPUT for another form, for a blob that is missing, and for a name that another image has
 * here; ERR_INTEGRITY for a blob with other bytes than its name says. */
int shelf_add(struct shelf *shelf, struct str text, const struct stored_scratch *scratch,
              const struct blob_files *files, struct err *e) MUST_CHECK;
/* The shelf as a place (serve/shelf_place.c), for images that are made for it alone: layers lie on
 * it as parts of what the store has; what cannot, as a base image's, goes into the store. `from` is
 * the lock, for messages. All is borrowed until the place is freed. */
struct place *shelf_place(struct shelf *shelf, const struct cas *cas, const char *from,
                          const struct blob_files *files);
void shelf_clear(struct shelf *shelf);

/* NULL where there is none. */
const struct shelf_repository *shelf_repository(const struct shelf *shelf, struct str name);
const struct shelf_tag *shelf_tag(const struct shelf_repository *r, struct str tag);
const struct shelf_doc *shelf_doc(const struct shelf *shelf, const struct digest *digest);
const struct shelf_blob *shelf_blob(const struct shelf *shelf, const struct digest *digest);
const struct image_index *shelf_referrers(const struct shelf *shelf, const struct digest *subject);

/* Is a file still the one whose bytes were seen? Are all of a blob? */
bool shelf_file_is_whole(const struct shelf_file *f);
bool shelf_blob_is_whole(const struct shelf *shelf, const struct shelf_blob *b);
/* Its bytes, as the next of an answer. */
void shelf_blob_give(struct httpd_answer *out, const struct shelf_blob *b);
/* Bytes of its config and layers. */
uint64_t shelf_image_size(const struct stored *image);
