/* store/memo.h - what was found out once, remembered under the text of what was asked.
 *
 * Nothing is believed in here that nobody saw: a value is remembered as what was found out about
 * bytes that a hasher of ours saw, or as a text for its own sake, whose key names whom it is from.
 *
 * On disk: <2 hex>/<62 hex> of the key's SHA-256; the file holds the key, the value, the digest of
 * the bytes that were seen, and a checksum. All are checked on reading: a damaged file, or one of
 * another key, is as good as none. One that was used within a day was changed within a day, so that
 * those nobody uses are told by their date. Writing is atomic. Safe for many threads and processes
 * at once.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../io/crypto.h"

enum { MEMO_MAX = 128 * 1024 * 1024 }; /* bytes of a value at most */

struct memo; /* opaque; memo_open to memo_clear; may be shared by threads */

int memo_open(struct memo **out, const char *dir, struct err *e) MUST_CHECK;
void memo_clear(struct memo **memo);

/* Append the value to `out` when there is one. `of` not NULL: only one that was found out about
 * bytes of that digest. */
int memo_get(const struct memo *memo, struct str key, const struct digest *of, struct buf *out,
             bool *found, struct err *e) MUST_CHECK;
/* Remember what was found out about bytes that were seen; replaces. */
int memo_put(const struct memo *memo, struct str key, const struct seen *of, struct str value,
             struct err *e) MUST_CHECK;
/* What is remembered under that key, if anything is, is needed: it stays as if it were asked for.
 */
void memo_keep(const struct memo *memo, struct str key);
/* What is remembered under `from` of bytes of that digest holds under `to`, too. */
int memo_copy(const struct memo *memo, struct str from, struct str to, const struct digest *of,
              struct err *e) MUST_CHECK;
/* Remember a text for its own sake; replaces. The key names all that it hangs on: who answered so,
 * or what it was made from. */
int memo_put_text(const struct memo *memo, struct str key, struct str text,
                  struct err *e) MUST_CHECK;
