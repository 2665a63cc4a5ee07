/* oci/registry.h - one repository of a registry. OCI distribution-spec 1.1; Docker's registries
 * before it speak the same.
 *
 * What is pulled is verified: manifests here, blobs by whoever reads them. Pushing is blobs first,
 * then manifests. Safe for many threads. Hosts are asked by https; a loopback host, and one that
 * the user's configuration calls insecure, also by http where nobody answers by https.
 *
 * Errors name the repository and carry the registry's own words. A request is sent with who we are
 * to the registry's own origin only.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../io/source.h"
#include "../net/tokens.h"
#include "descriptor.h"

/* How blobs are sent. */
enum registry_upload {
    REGISTRY_ANY,    /* small ones as below by PUT, else one PATCH */
    REGISTRY_PATCH,  /* PATCH alone: some know no other way */
    REGISTRY_PUT,    /* in one piece, whose digest and size are told before */
    REGISTRY_CHUNKS, /* several PATCHes, each no larger than `chunk` */
};

enum { REGISTRY_CHUNK = 95 * 1000 * 1000 }; /* bytes; below what the usual proxies take */

/* Of a host, for all its repositories: what turned out while it was spoken with. */
struct registry_ways {
    struct pace *pace;    /* of all requests to it */
    _Atomic bool chunked; /* a body was too large for somebody on the way */
    _Atomic bool whole;   /* it takes no PATCH, or none of unknown size */
};

struct registry_how {
    struct str host;       /* with its port: "localhost:5000", "docker.io" */
    struct str repository; /* "org/name" */
    struct http_options http;
    bool insecure; /* of this host: http will do, and any certificate */
    enum registry_upload upload;
    uint64_t chunk;             /* bytes; 0: REGISTRY_CHUNK */
    uint64_t chunk_min;         /* bytes that a chunk has at least, unless it is the last */
    uint32_t upload_max_ms;     /* an upload that takes longer is broken off there; 0: none is */
    struct registry_ways *ways; /* borrowed; set by registries_get() */
    int (*login)(void *ctx, struct login *out, struct err *e); /* see tokens.h; may be NULL */
    /* May be NULL: the host turned out to need this way, where `upload` says REGISTRY_ANY. From any
     * thread. */
    void (*learned)(void *ctx, enum registry_upload way);
    void *ctx;
};

struct registry; /* opaque; registry_open to registry_clear */

/* Nobody is asked yet. What `how` borrows must stay. */
int registry_open(struct registry **out, const struct registry_how *how, struct err *e) MUST_CHECK;
void registry_clear(struct registry **r);
const char *registry_name(const struct registry *r);         /* "host/org/name" */
enum registry_upload registry_way(const struct registry *r); /* as far as it is known */
struct str registry_host(const struct registry *r);
struct str registry_repository(const struct registry *r);

/* ---- pull ---- */

/* The manifest or index of a tag or digest (as text), at most IMAGE_DOC_MAX bytes, and its digest
 * as its bytes give it; one that is asked for by digest has that, else ERR_INTEGRITY. *found: is
 * there one? */
int registry_manifest(bool *found, struct buf *out, struct digest *digest, struct registry *r,
                      struct str reference, struct err *e) MUST_CHECK;
/* Only what it is: by HEAD, where the registry says so. */
int registry_has_manifest(bool *found, struct digest *digest, struct registry *r,
                          struct str reference, struct err *e) MUST_CHECK;
/* `size` 0: of any. */
int registry_has_blob(bool *has, struct registry *r, const struct digest *digest, uint64_t size,
                      struct err *e) MUST_CHECK;
/* The bytes of a blob of `size` bytes; a line that breaks is resumed. Nobody is asked before the
 * first read; what they hash to is for the caller to see. */
struct source *registry_blob(struct registry *r, const struct digest *digest, uint64_t size);

/* Many questions at once: `ask` of each of `n`, which are `size` bytes apart. The first is asked
 * alone, for it learns who we have to be for all others. After a failure the rest may not be asked;
 * the error is that of the lowest. */
int registry_ask_many(void *questions, size_t n, size_t size,
                      int (*ask)(void *question, struct err *e), struct err *e) MUST_CHECK;

/* All tags, in the registry's order. */
int registry_tags(struct names *out, struct registry *r, struct err *e) MUST_CHECK;
/* Append the index of what refers to that manifest; nothing where there is none. */
int registry_referrers(struct buf *out, struct registry *r, const struct digest *subject,
                       struct err *e) MUST_CHECK;

/* ---- push ---- */

/* *done: the registry has made the blob of another of its repositories one of ours. Whatever else
 * it says means that the blob has to be sent. -1: interrupted. */
int registry_mount(bool *done, struct registry *r, const struct digest *digest, struct str from,
                   struct err *e) MUST_CHECK;
/* `reference` is a tag or the digest. A manifest that is there is not looked for. *subject (may be
 * NULL): the registry has noted whom it refers to; else registry_add_referrer() has to. */
int registry_put_manifest(bool *subject, struct registry *r, struct str reference,
                          struct str media_type, struct str json, struct err *e) MUST_CHECK;
/* For registries without a list of referrers: note `d` in the index of the tag that stands for it.
 * Many may do so at once. */
int registry_add_referrer(struct registry *r, const struct digest *subject,
                          const struct descriptor *d, struct err *e) MUST_CHECK;

/* A blob that is sent while it is made, in order. After a failure *again says whether it is worth
 * making all of it once more: call upload_rewind(), then write from its first byte; what the
 * registry has kept is not sent twice. */
struct upload; /* opaque; upload_open to upload_clear */

/* `digest` and `size` where they are known before, else NULL. */
void upload_open(struct upload **out, struct registry *r, const struct digest *digest,
                 uint64_t size);
/* Bytes that stand at `offset`. */
int upload_write(struct upload *u, uint64_t offset, const void *bytes, size_t len, bool *again,
                 struct err *e) MUST_CHECK;
int upload_finish(struct upload *u, const struct digest *digest, uint64_t size, bool *again,
                  struct err *e) MUST_CHECK;
/* Waits as long as the registry asks for. */
int upload_rewind(struct upload *u, struct err *e) MUST_CHECK;
uint64_t upload_sent(const struct upload *u); /* bytes on the line so far, of all tries */
/* Ends what is not finished, at the registry too. */
void upload_clear(struct upload **u);
