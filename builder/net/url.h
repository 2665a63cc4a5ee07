/* net/url.h - addresses as text: taking apart, joining, comparing, showing (RFC 3986).
 *
 * Only absolute http, https and file addresses are known. Control characters, spaces and bytes
 * above 0x7e are refused, so that no address can carry a header line or a terminal sequence.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/err.h"

enum { URL_MAX = 8192 }; /* bytes */

/* Views into the text that was parsed. */
struct url {
    struct str scheme;   /* "http", "https" or "file", in any case of letters */
    struct str userinfo; /* "user:password", without "@"; empty when absent */
    struct str host;     /* with brackets for IPv6; empty only for file */
    struct str path;     /* from its "/" on; may be empty */
    struct str query;    /* without "?"; p is NULL when there is none */
    struct str fragment; /* without "#"; p is NULL when there is none */
    uint16_t port;       /* the scheme's own when not named; 0 for file */
};

int url_parse(struct url *out, struct str text, struct err *e) MUST_CHECK;
bool url_is_https(const struct url *u);
bool url_is_file(const struct url *u);
/* This machine itself: "localhost", 127.0.0.0/8 or "[::1]". */
bool url_host_is_loopback(struct str host);
/* Scheme, host and port are the same: what may share a credential. */
bool url_same_origin(const struct url *a, const struct url *b);

/* Append what `ref` means on page `base` (RFC 3986, 5.2), dot segments removed, fragment kept. */
int url_join(struct buf *out, struct str base, struct str ref, struct err *e) MUST_CHECK;

/* Append the percent-decoded text; ERR_INPUT for a bad escape or one of a NUL. */
int url_decode(struct buf *out, struct str text, struct err *e) MUST_CHECK;
/* Append the decoded last part of the path. ERR_INPUT for what is no plain file name: empty, "."
 * or "..", or with a slash, backslash or control character in it. */
int url_file_name(struct buf *out, struct str url, struct err *e) MUST_CHECK;

/* Append "file://" and the absolute `path`, escaped where an address must be. */
void url_of_path(struct buf *out, struct str path);
/* Append `url` without "user:password@". Text that is no address is kept as it is. */
void url_without_userinfo(struct buf *out, struct str url);

/* Append the address as messages show it: no userinfo, no fragment, "?..." for a query (tokens
 * stand there), unprintable bytes as "?". Takes any text. */
void url_show(struct buf *out, struct str url);
