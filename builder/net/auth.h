/* net/auth.h - who we are to which server: users with passwords or tokens, each for one origin.
 *
 * A credential is used for the scheme, host and port that it was given for and nowhere else, also
 * when a server redirects. Among several for one origin the one whose path agrees longest is taken.
 * What is not listed here is looked up in a netrc file by libcurl.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/vec.h"
#include "url.h"

struct auth_entry {
    char *url;    /* owned; what it was given for */
    char *header; /* owned; "Authorization: ..." */
};

struct auth {
    struct VEC_OF(struct auth_entry) entries;
    char *netrc; /* owned; path of a netrc file, NULL: none */
};

/* A user and a password (RFC 7617), or, with `user` empty, a token (RFC 6750). */
void auth_add(struct auth *auth, struct str url, struct str user, struct str password);
/* The header line for `url`, or NULL. */
const char *auth_header(const struct auth *auth, const struct url *url);
void auth_clear(struct auth *auth);
