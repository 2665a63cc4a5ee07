/* fetch/learn.h - a file that is known by its address: brought into the store, whatever its size,
 * and its digest told.
 *
 * What a killed run left is continued. Where nobody says what the bytes must be, that is done only
 * if the server says that the file is still the one that was begun (If-Range, RFC 9110, 13.1.5);
 * else it starts over. A file that was learned before is asked for by its ETag or date, and not
 * fetched when the server says that it did not change.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../net/http.h"
#include "../store/cas.h"
#include "../store/memo.h"

struct learn_means {   /* all borrowed */
    struct http *http; /* NULL: offline */
    const struct cas *cas;
    const struct memo *memo;
    const struct events *events; /* PLAN, BEGIN, ADVANCE, END of task "fetch"; may be NULL */
};

struct learn_file {
    struct str url, name; /* `name` is for people */
    struct digest digest; /* what it must be, or all-zero: it becomes what the file has */
    uint64_t size;        /* becomes its bytes */
};

/* ERR_INTEGRITY where it is not what it must be; ERR_NET for what is not in the store offline. */
int learn_fetch(struct learn_file *f, const struct learn_means *means, struct err *e) MUST_CHECK;
