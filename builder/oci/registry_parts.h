/* oci/registry_parts.h - what the files registry*.c share; nobody else includes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <pthread.h>

#include "registry.h"

struct registry {
    struct registry_how how;
    char *name;       /* owned; "host/repository", for messages */
    char *server;     /* owned; whose address is asked: "registry-1.docker.io" */
    char *host;       /* owned */
    char *repository; /* owned */
    struct caller *caller;
    pthread_mutex_t lock; /* over the next two, until they are set */
    char *origin;         /* owned; "https://server", once that is known */
    struct tokens *tokens;
};

/* What a request needs to be allowed to do. */
enum registry_right { RIGHT_PULL, RIGHT_PUSH };

/* Append the origin, "/v2/", the repository and a path. */
int registry_url(struct buf *out, struct registry *r, const char *path, struct err *e) MUST_CHECK;
/* Append the header of who we are, where `url` is the registry's own. `from` is another repository
 * that is read; may be empty. */
int registry_header(struct registry *r, struct buf *out, struct str url, enum registry_right right,
                    struct str from, struct err *e) MUST_CHECK;
/* Run it, with who we are; a 401 is answered. w->ask.headers may have up to REGISTRY_HEADERS. */
enum { REGISTRY_HEADERS = 6 };
int registry_run(struct registry *r, struct call_whole *w, enum registry_right right,
                 struct str from, struct err *e) MUST_CHECK;
/* After a 401 of `url` to the header `sent`. Where that is not the registry's own, ERR_NET: its
 * challenge could name a realm that all later requests would tell who we are. */
int registry_refused(struct registry *r, const struct answer *a, struct str url, struct str sent,
                     struct err *e) MUST_CHECK;
/* registry_manifest() that tells the ETag, too (owned; NULL: there is none); `etag` may be NULL. */
int registry_manifest_etag(bool *found, struct buf *out, struct digest *digest, char **etag,
                           struct registry *r, struct str reference, struct err *e) MUST_CHECK;
/* Put a tag only where that line of a request holds, "If-Match: ..." (NULL: whatever is there).
 * That it does not is fine: who reads it again learns it. */
int registry_put_if(struct registry *r, struct str tag, struct str media_type, struct str json,
                    const char *condition, struct err *e) MUST_CHECK;
/* Is that the code of its error? */
bool registry_says(struct str body, const char *code);
/* What the registry refuses, in its own words: always -1. `what` is what was asked of it: "layer
 * sha256:...", "tag 2.6.0". */
int registry_fault(struct registry *r, const char *what, unsigned status, struct str body,
                   struct err *e);
