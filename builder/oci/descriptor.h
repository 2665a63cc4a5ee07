/* oci/descriptor.h - what points at a blob: media type, digest, size. OCI image-spec 1.1,
 * descriptor.md and media-types.md.
 *
 * Texts are borrowed: from the arena of the document they were read from, or from whoever builds
 * a document to write it.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/digest.h"
#include "../base/vec.h"
#include "../doc/node.h"

#define MEDIA_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_LAYER "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_LAYER_GZIP "application/vnd.oci.image.layer.v1.tar+gzip"
#define MEDIA_LAYER_ZSTD "application/vnd.oci.image.layer.v1.tar+zstd"
/* What a registry may not hand on, deprecated: with "", "+gzip" or "+zstd" behind it. */
#define MEDIA_LAYER_FOREIGN "application/vnd.oci.image.layer.nondistributable.v1.tar"
#define MEDIA_EMPTY "application/vnd.oci.empty.v1+json"
#define MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define MEDIA_DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define MEDIA_DOCKER_LAYER_PLAIN "application/vnd.docker.image.rootfs.diff.tar"
#define MEDIA_DOCKER_LAYER_ZSTD "application/vnd.docker.image.rootfs.diff.tar.zstd"
#define MEDIA_DOCKER_LAYER_FOREIGN "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

#define ANNOTATION_REF_NAME "org.opencontainers.image.ref.name"
#define ANNOTATION_TITLE "org.opencontainers.image.title"
#define ANNOTATION_RECIPE "io.envbuild.recipe" /* in an index: file name of an image's recipe */
#define ANNOTATION_CONTAINERD_NAME "io.containerd.image.name"

/* Annotations or labels. Written sorted by key, so the order they were added in never shows. */
struct pair {
    struct str key, value;
};
struct pairs VEC_OF(struct pair);
/* Replaces the value of a key that is there. */
void pairs_add(struct pairs *pairs, struct str key, struct str value);
/* The value, or NULL. */
const struct str *pairs_get(const struct pairs *pairs, const char *key);

struct platform {
    struct str os, architecture, variant; /* in Go's words: "linux", "amd64"; empty when absent */
};

struct descriptor {
    struct str media_type;
    struct digest digest;
    uint64_t size; /* bytes */
    struct pairs annotations;
    struct platform platform; /* entries of an index only */
    struct str artifact_type; /* empty when absent */
};
struct descriptors VEC_OF(struct descriptor);

void descriptor_clear(struct descriptor *d); /* frees the list of annotations, not its texts */
void descriptors_clear(struct descriptors *list);
bool media_type_ok(struct str type);
bool media_type_is_manifest(struct str type); /* of one image: OCI's or Docker's */
bool media_type_is_index(struct str type);    /* of several: OCI's or Docker's */
bool media_type_is_foreign(struct str type);  /* of a layer that a registry may not hand on */

/* To and from the members of a document. `what` names the descriptor in errors ("config"). */
struct node *descriptor_to_node(const struct descriptor *d, struct doc *doc);
int descriptor_from_node(struct descriptor *out, const struct node *n, const char *what,
                         struct err *e) MUST_CHECK;
struct node *pairs_to_node(const struct pairs *pairs, struct doc *doc);
int pairs_from_node(struct pairs *out, const struct node *n, const char *what,
                    struct err *e) MUST_CHECK;

/* The member `key` of a map; NULL when it is absent or null, which mean the same in OCI documents.
 */
const struct node *oci_member(const struct node *map, const char *key);
/* Read an optional text; a member of another type is ERR_INPUT. */
int oci_member_str(struct str *out, const struct node *map, const char *key,
                   struct err *e) MUST_CHECK;
/* Read an optional list of texts. */
int oci_member_strs(struct strs *out, const struct node *map, const char *key,
                    struct err *e) MUST_CHECK;
