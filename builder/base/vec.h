/* base/vec.h - a growing array of any type: `struct things { struct thing *v; size_t n, cap; };`
 *
 * The all-zero value is empty. vec_push(&things) returns a zeroed new last element; pointers
 * to elements last until the next push. These are macros: name the array by a plain expression, it
 * is evaluated more than once.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "str.h"

#define VEC_OF(type)   \
    {                  \
        type *v;       \
        size_t n, cap; \
    }

static inline void *vec_grow(void *v, size_t n, size_t *cap, size_t size)
{
    if (n == *cap) {
        *cap = *cap ? *cap * 2 : 8;
        if (*cap > SIZE_MAX / size)
            abort(); /* counts are bounded by input limits long before this */
        v = xrealloc(v, *cap * size);
    }
    memset((char *)v + n * size, 0, size);
    return v;
}

#define vec_push(a) \
    ((a)->v = vec_grow((a)->v, (a)->n, &(a)->cap, sizeof *(a)->v), &(a)->v[(a)->n++])
#define vec_add(a, value) (*vec_push(a) = (value))
/* The first test is for the empty array, whose NULL must not be added to. */
#define vec_each(item, a) for ((item) = (a)->v; (item) && (item) < (a)->v + (a)->n; (item)++)
#define vec_sort(a, compare)                                \
    do {                                                    \
        if ((a)->n > 1)                                     \
            qsort((a)->v, (a)->n, sizeof *(a)->v, compare); \
    } while (0)
/* Frees the array, not what its elements own. */
#define vec_clear(a)           \
    do {                       \
        free((a)->v);          \
        (a)->v = NULL;         \
        (a)->n = (a)->cap = 0; \
    } while (0)

/* The common ones. */
struct strs VEC_OF(struct str); /* borrowed texts */
bool strs_has(const struct strs *list, struct str s);
bool strs_add_once(struct strs *list, struct str s); /* false when it is there already */
struct names VEC_OF(char *);                         /* owned texts, each ended by NUL */
void names_clear(struct names *names);
void names_add(struct names *names, const char *s); /* takes a copy */
