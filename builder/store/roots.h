/* store/roots.h - the locks that are built from this store: what they name is needed here.
 *
 * On disk: locks/<64 hex>, a file that holds a lock's absolute path and is named by its SHA-256.
 * When it was changed last is when the lock was built last.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/err.h"
#include "../base/vec.h"

struct root {
    char *path;   /* owned; absolute, of a lock that may be gone */
    int64_t used; /* seconds since 1970 */
};
struct roots VEC_OF(struct root);

/* The lock `path` is built now, from the store that the caller has open. */
int roots_note(const char *store, const char *path, struct err *e) MUST_CHECK;
/* Sorted by path. */
int roots_list(struct roots *out, const char *store, struct err *e) MUST_CHECK;
int roots_forget(const char *store, const char *path, struct err *e) MUST_CHECK;
void roots_clear(struct roots *roots);
