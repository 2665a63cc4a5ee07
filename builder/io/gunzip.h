/* io/gunzip.h - gzip in (RFC 1952): any number of members, as `gzip -d` takes them. Each one's CRC
 * and size are checked; zeros behind the last are passed over. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "source.h"

struct gunzip; /* opaque; a source */

/* Do the bytes begin as a gzip file does? Two are enough. */
bool gunzip_is(struct str head);

/* `in` and `what`, which names it in errors, are borrowed. What is damaged or cut off is
 * ERR_INTEGRITY when it is read. */
struct gunzip *gunzip_open(struct source *in, const char *what);
struct source *gunzip_source(struct gunzip *g);
void gunzip_clear(struct gunzip **g);
