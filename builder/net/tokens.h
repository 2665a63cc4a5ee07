/* net/tokens.h - who we are to one registry: what its challenges ask for, answered. The docs'
 * "Token authentication" and "OAuth2" of the distribution project; RFC 7617 for Basic.
 *
 * Nobody is asked for a credential before the registry wants one. A realm that is not https gets
 * none, unless the registry itself speaks plain http and the realm is on its host; a realm on
 * another host gets it by https, as Docker does, and only if its certificate is trusted: that a
 * registry may show any is said of its host alone. Tokens are kept for their scopes until three
 * quarters of their time are over. Safe for many threads.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "call.h"

/* All-zero: nobody. Texts are owned, and wiped. */
struct login {
    char *user, *secret;
    bool identity; /* `secret` is an identity token, to be exchanged at the realm */
};
void login_clear(struct login *login);

struct tokens; /* opaque; tokens_open to tokens_clear */

struct tokens_how {
    struct caller *caller; /* borrowed, as all here */
    struct str origin;     /* "https://host:port" */
    struct str host;       /* what messages and `docker login` call it */
    /* Looked for once, when it is wanted; finding none is fine. NULL: nobody */
    int (*login)(void *ctx, struct login *out, struct err *e);
    void *ctx;
};

void tokens_open(struct tokens **out, const struct tokens_how *how);
void tokens_clear(struct tokens **tokens);

/* Append the "Authorization: ..." line for a request that needs `scopes`
 * ("repository:NAME:pull,push"); nothing where, as far as is known, none is needed. */
int tokens_header(struct tokens *t, struct buf *out, const struct strs *scopes,
                  struct err *e) MUST_CHECK;
/* A request with the header `sent` was answered by 401 and `challenges` (may be NULL): learn what
 * is wanted, and forget what was sent. */
int tokens_refused(struct tokens *t, const char *challenges, struct str sent,
                   struct err *e) MUST_CHECK;
/* What to say when it is refused for good: always -1. `words` are the registry's own, or empty. */
int tokens_denied(struct tokens *t, struct str words, struct err *e);
/* Is a secret of ours in it? */
bool tokens_in(struct tokens *t, struct str text);
