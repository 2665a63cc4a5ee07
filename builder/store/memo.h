/* store/memo.h - small results remembered under the text of what was asked.
 *
 * On disk: <2 hex>/<62 hex> of the key's SHA-256; the file holds the key, the value and a checksum.
 * All are checked on reading: a damaged file, or one of another key, is as good as none. Writing is
 * atomic. Safe for many threads and processes at once.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/err.h"

enum { MEMO_MAX = 128 * 1024 * 1024 }; /* bytes of a value at most */

struct memo; /* opaque; memo_open to memo_clear; may be shared by threads */

int memo_open(struct memo **out, const char *dir, struct err *e) MUST_CHECK;
void memo_clear(struct memo **memo);

/* Append the value to `out` when there is one. */
int memo_get(const struct memo *memo, struct str key, struct buf *out, bool *found,
             struct err *e) MUST_CHECK;
/* Remember; replaces. */
int memo_put(const struct memo *memo, struct str key, struct str value, struct err *e) MUST_CHECK;
