/* base/digest.h - SHA-256 digests as values. OCI image-spec 1.1 descriptor.md, "Digests". */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "str.h"

enum { DIGEST_HEX = 64, DIGEST_TEXT = 7 + 64 };

struct digest {
    uint8_t bytes[32]; /* all-zero: no digest */
};

bool digest_is_set(const struct digest *d);
bool digest_eq(const struct digest *a, const struct digest *b);
int digest_cmp(const struct digest *a, const struct digest *b);
int digest_order(const void *a, const void *b); /* the same, for qsort() and bsearch() */
/* 64 lower-case hex digits; false on anything else. */
bool digest_from_hex(struct digest *out, struct str hex);
/* "sha256:" and 64 lower-case hex digits; false on anything else. */
bool digest_from_text(struct digest *out, struct str text);
/* Write the hex digits and a NUL. */
void digest_hex(const struct digest *d, char out[DIGEST_HEX + 1]);
/* Write "sha256:<hex>" and a NUL. */
void digest_text(const struct digest *d, char out[DIGEST_TEXT + 1]);
