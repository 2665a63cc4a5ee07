/* fetch/fetch.h - bring artifacts into the store: in parallel, resumed, verified.
 *
 * Bytes are hashed as they pass. A wrong digest is fetched once more from the start, then it is
 * ERR_INTEGRITY. What a killed run left is hashed and continued by a range. Another process that
 * fetches the same artifact is waited for, not raced.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../net/http.h"
#include "../pkg/artifact.h"
#include "../store/cas.h"

struct fetch_options {
    struct str root;             /* absolute; what an address such as "./x.whl" is relative to */
    unsigned parallel;           /* downloads at once; 0: 8 */
    bool offline;                /* what is not in the store is ERR_NET, all of it listed */
    const struct events *events; /* PLAN, BEGIN, ADVANCE, END of task "fetch"; may be NULL */
    /* Called on the calling thread as each artifact is in the store, at once for those that are
     * already. Shall return soon. May be NULL. Failing, it ends the fetching. */
    int (*ready)(void *ctx, size_t index, struct err *e);
    void *ctx;
};

/* `http` may be NULL when offline and nothing is local. Every artifact must have a digest; size 0
 * means not known. The first fault ends it; what came until then stays in the store. */
int fetch_artifacts(struct cas *cas, struct http *http, const struct artifact *artifacts, size_t n,
                    const struct fetch_options *options, struct err *e) MUST_CHECK;
