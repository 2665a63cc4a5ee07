/* base/mem.h - memory that never fails quietly, and the scope helpers all rooms use.
 *
 * Running out of memory ends the program (exit 7): sizes that come from input are
 * checked against a limit before anything is allocated for them.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>
#include "banned.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* `CLEANUP(buf_clear) struct buf b = {0};` runs buf_clear(&b) when the scope ends. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Hand a value over: the target takes it, the source becomes empty. Both are pointers. */
#define MOVE(to, from)                     \
    do {                                   \
        *(to) = *(from);                   \
        memset((from), 0, sizeof *(from)); \
    } while (0)

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t len);

/* For CLEANUP on a `char *` or any other pointer to heap memory. */
void free_clear(void *pointer_to_pointer);
