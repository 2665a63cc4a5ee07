/* io/server_cert.h - the certificate that a server shows and its key, looked at before anybody
 * connects. X.509 (RFC 5280); of its names the alternative ones alone count, as clients have it
 * (RFC 9525).
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/buf.h"
#include "../base/err.h"
#include "../base/vec.h"

struct server_cert {
    struct buf chain,
        key;    /* PEM: its certificate first, then those above it; the second is a secret */
    void *x509; /* owned; the first */
};

/* ERR_INPUT, in words that say what would work, for a file that holds none, a key that is encrypted
 * or belongs to another certificate, and a certificate that is not valid at `now` (seconds since
 * 1970). */
int server_cert_read(struct server_cert *out, const char *cert, const char *key, int64_t now,
                     struct err *e) MUST_CHECK;
void server_cert_clear(struct server_cert *c);

/* Is it for that host, a name or a number? */
bool server_cert_is_for(const struct server_cert *c, const char *host);
/* Its names that are no patterns, as "teacher.local". */
void server_cert_names(struct names *out, const struct server_cert *c);
/* All that it is for, for people: "teacher.local, *.example, 10.0.0.9"; nothing where there is
 * nothing. */
void server_cert_list(struct buf *out, const struct server_cert *c);
