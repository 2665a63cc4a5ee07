/* oci/stored.h - an image that is stored already, opened for reading: a layout's folder, an
 * oci-archive or what `docker save` writes, one image of it.
 *
 *     oci:DIR[:TAG][@sha256:HEX]           a layout (OCI image-spec 1.1, image-layout.md)
 *     oci-archive:FILE[:TAG][@sha256:HEX]  the same in a tar that is not compressed
 *     docker-archive:FILE[:NAME]           a tar with a manifest.json, or one as above
 *     PATH                                 any of these
 *
 * The digest may be that of an index: then the manifest for linux/amd64 is taken. Manifest and
 * config are checked by digest when the image is opened; a layer by whoever reads it. A tar that
 * has no manifest but manifest.json tells neither the manifest's digest nor those of its layers.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/fd.h"
#include "image.h"

struct stored_blob { /* a blob's place in an archive */
    struct digest digest;
    uint64_t offset, size;
};

struct stored_name {       /* a file of an archive */
    struct str name, link; /* link: the name that it is another one of, or empty */
    uint64_t offset, size;
};

struct stored {
    char *path;       /* owned; of the folder or the archive */
    bool archive;     /* else a layout */
    struct fd fd;     /* of the archive */
    struct str index; /* text of index.json; in the arena */
    struct VEC_OF(struct stored_blob) blobs;
    struct VEC_OF(struct stored_name) names; /* of an archive's other files */
    bool no_digests;      /* layers' descriptors have the diff_id as digest, and `digest` is zero */
    struct digest digest; /* of the manifest */
    struct str name;      /* full name that the index gives the image, or empty */
    struct image_manifest manifest; /* as many layers as the config has diff_ids */
    struct image_config config;
    struct arena arena;
};

/* Is `text` of one of the first two forms? ERR_INPUT says what is wrong. */
int stored_check(struct str text, struct err *e) MUST_CHECK;
/* To build on: of the first two forms, for linux/amd64, and named by its digest. A relative path is
 * one below `dir`. ERR_INPUT when there is no such image, and when the digest is left out (the
 * message names the one that the place has). */
int stored_open(struct stored *out, struct str text, const char *dir, struct err *e) MUST_CHECK;
/* To look into: of any form and for any Linux. Without digest and tag it must be the only one. */
int stored_open_any(struct stored *out, struct str text, const char *dir, struct err *e) MUST_CHECK;
/* Does `text` name an image, rather than a recipe, a lock or a tag? By its form, or by what is
 * there.
 */
bool stored_is_image(struct str text, const char *dir);
void stored_clear(struct stored *s);

/* The bytes of a blob: an open file and where in it they stand. ERR_INPUT when it is missing or of
 * another size than `d` says. `fd` is owned by the caller. */
struct stored_range {
    struct fd fd;
    uint64_t offset, size;
};
int stored_find(struct stored_range *out, const struct stored *s, const struct descriptor *d,
                struct err *e) MUST_CHECK;
