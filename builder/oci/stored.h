/* oci/stored.h - an image that is stored already, opened for reading: a layout's folder, an
 * oci-archive or what `docker save` writes, one image of it.
 *
 *     oci:DIR[:TAG][@sha256:HEX]           a layout (OCI image-spec 1.1, image-layout.md)
 *     oci-archive:FILE[:TAG][@sha256:HEX]  the same in a tar
 *     dir:DIR[@sha256:HEX]                 a folder as skopeo's "dir:" has it
 *     docker-archive:FILE[:NAME]           a tar with a manifest.json, or one as above; or what
 *                                          `bundle` wrote, a folder or a tar of it
 *     docker://HOST/NAME[:TAG][@sha256:HEX]  of a registry
 *     docker:NAME, podman:NAME             what the local engine saves of it
 *     PATH                                 any of these but the last two
 *
 * A tar that is to be looked into may be compressed as a whole; to build on it may not. One that is
 * no archive of images but has files of a system, as `docker export` writes it, is an image of one
 * layer.
 *
 * The digest may be that of an index: then the manifest for linux/amd64 is taken. Manifest and
 * config are checked by digest when the image is opened; a layer by whoever reads it. A tar that
 * has no manifest but manifest.json tells neither the manifest's digest nor those of its layers.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "image.h"
#include "stored_files.h"

struct stored {
    struct stored_files files;
    bool no_digests;      /* layers' descriptors have the diff_id as digest, and `digest` is zero */
    struct digest digest; /* of the manifest */
    struct digest root;   /* of what was asked for: the manifest, or an index that names it */
    struct str name;      /* full name that the index gives the image, or empty */
    struct image_manifest manifest; /* as many layers as the config has diff_ids */
    struct image_config config;
    struct str manifest_text, config_text; /* as they were read; the first may be empty */
    const struct events *events;           /* asked while blobs are read; borrowed */
};

/* Is `text` of a form to build on? ERR_INPUT says what is wrong. */
int stored_check(struct str text, struct err *e) MUST_CHECK;
/* To build on: a layout, oci-archive, "dir:" or registry, for linux/amd64, and named by its digest.
 * A relative path is one below `dir`. ERR_INPUT when there is no such image, and when the digest is
 * left out (the message names the one that the place has). `how` needs no folder. */
int stored_open(struct stored *out, struct str text, const char *dir,
                const struct stored_scratch *how, struct err *e) MUST_CHECK;
/* To look into: of any form and for any Linux. Without digest and tag it must be the only one. */
int stored_open_any(struct stored *out, struct str text, const char *dir,
                    const struct stored_scratch *scratch, struct err *e) MUST_CHECK;
/* Does `text` name an image, rather than a recipe, a lock or a tag? By its form, or by what is
 * there.
 */
bool stored_is_image(struct str text, const char *dir);
void stored_clear(struct stored *s);

/* Append a manifest or index of the place, held against its digest. */
int stored_manifest(struct buf *out, const struct stored *s, const struct digest *digest,
                    struct err *e) MUST_CHECK;
/* Append the index of what refers to a manifest, as a registry or an index.json tells it; nothing
 * where neither is. */
int stored_referrers(struct buf *out, const struct stored *s, const struct digest *subject,
                     struct err *e) MUST_CHECK;
/* The bytes of a blob. ERR_INPUT when it is missing, ERR_INTEGRITY when it is of another size than
 * `d` says; what they hash to is for the caller to see. */
int stored_blob(struct source **out, const struct stored *s, const struct descriptor *d,
                struct err *e) MUST_CHECK;
