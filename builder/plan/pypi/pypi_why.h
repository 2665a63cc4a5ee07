/* plan/pypi/pypi_why.h - why a search for Python projects found nothing, in the user's words. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "pypi_state.h"

struct explanation {
    struct buf text;
    struct buf newest; /* "the newest that this Python can use is 2.1"; to end with when nothing
                          better is known; may be empty */
    bool complete;     /* the text says already what would work, or nothing can */
};

/* `told` all speak of one node and leave nothing to choose; `via` tells who needs those who ask. */
void explain_conflict(struct explanation *out, const struct problem *w, const struct reasons *told,
                      const struct reasons *via);
void explanation_clear(struct explanation *x);
