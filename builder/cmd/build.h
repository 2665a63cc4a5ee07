/* cmd/build.h - building the image of a recipe, for the commands that then run it too. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "work.h"

struct build_args {
    const char *output, *index; /* -o, --index; index may be NULL */
    uint32_t jobs, downloads;   /* threads; 0 downloads: as many as usual */
    bool locked, offline, strict, audit, replace;
    bool silent; /* print neither the reference nor how it went */
};

/* Lock it if need be, and put its image where a->output says. `w` is opened here, and cleared by
 * the caller. `reference` gets the image's name as other tools take it. */
int build_recipe(struct work *w, struct session *s, const char *recipe, const struct build_args *a,
                 struct buf *reference, struct err *e) MUST_CHECK;
