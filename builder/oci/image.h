/* oci/image.h - the documents of an image: config, manifest, index. OCI image-spec 1.1, config.md,
 * manifest.md, image-index.md.
 *
 * To write one, fill the value with borrowed texts and call X_write: compact JSON, keys in a fixed
 * order, absent members left out, so equal values give equal bytes. To read one, X_parse: the texts
 * then live in the value's own arena. What was parsed is never written back in another's place:
 * unknown members are allowed and not kept.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "descriptor.h"

enum {
    IMAGE_DOC_MAX = 4 << 20, /* bytes of a config, manifest or index */
    IMAGE_LAYERS_MAX = 127,  /* what Docker's overlay mounts; a place takes no more */
};

struct digests VEC_OF(struct digest);

struct image_history {
    bool dated;
    int64_t created; /* seconds since 1970 */
    struct str author, created_by, comment;
    bool empty_layer;
};
struct image_histories VEC_OF(struct image_history);

/* Docker's HealthConfig: OCI's config.md keeps the name for it. Times in seconds, rounded up; 0:
 * Docker's own (30 s, 30 s, 0 s, 3 times). */
struct image_health {
    struct strs command; /* the program first; empty: there is no check */
    uint32_t interval, timeout, start_period, retries;
};
void image_health_clear(struct image_health *h);

/* "8888/tcp": a port of 1 to 65535 and its protocol, tcp where none is named. False for what is no
 * port, as a range. */
struct image_port {
    uint32_t number;
    const char *protocol; /* "tcp", "udp" or "sctp" */
};
bool image_port_parse(struct image_port *out, struct str text);

struct image_config {
    struct arena arena; /* the texts of a parsed one */
    struct platform platform;
    bool dated;
    int64_t created; /* seconds since 1970 */
    struct str author;
    struct str user, workdir, stop_signal;
    struct strs env; /* "NAME=value", in this order */
    struct strs entrypoint, cmd;
    struct strs ports;   /* "8888/tcp"; written sorted */
    struct strs volumes; /* absolute paths; written sorted */
    struct image_health health;
    struct pairs labels;
    struct digests diff_ids; /* base first */
    struct image_histories history;
};

void image_config_write(const struct image_config *config, struct buf *out);
/* Strict: os, architecture and rootfs must be there, history must
 * count as many layers as rootfs, numeric users fit 31 bits, the working folder is absolute and not
 * in /proc. ERR_INPUT; `what` names the document. */
int image_config_parse(struct image_config *out, struct str json, const char *what,
                       struct err *e) MUST_CHECK;
void image_config_clear(struct image_config *config);

struct image_manifest {
    struct arena arena;
    struct str media_type; /* empty when writing: OCI's */
    struct str artifact_type;
    struct descriptor config;
    struct descriptors layers; /* base first */
    bool has_subject;
    struct descriptor subject;
    struct pairs annotations;
};

void image_manifest_write(const struct image_manifest *manifest, struct buf *out);
/* `media_type` is what the descriptor or the server called it; NULL when nobody did. Refused: a
 * document that is also an index (CVE-2021-41190), or one whose own mediaType is another. */
int image_manifest_parse(struct image_manifest *out, struct str json, const char *media_type,
                         const char *what, struct err *e) MUST_CHECK;
void image_manifest_clear(struct image_manifest *manifest);

struct image_index {
    struct arena arena;
    struct str media_type; /* empty when writing: OCI's */
    struct str artifact_type;
    struct descriptors manifests;
    bool has_subject;
    struct descriptor subject;
    struct pairs annotations;
};

void image_index_write(const struct image_index *index, struct buf *out);
int image_index_parse(struct image_index *out, struct str json, const char *media_type,
                      const char *what, struct err *e) MUST_CHECK;
void image_index_clear(struct image_index *index);

/* Has the document a list of manifests? Then image_index_parse() judges it, else
 * image_manifest_parse(). */
bool image_is_index(struct str json);
