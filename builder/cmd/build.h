/* cmd/build.h - building the image of a recipe, for the commands that then run it too. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "work.h"

struct build_args {
    struct strs outputs;      /* -o: places, each gets the image; at least one */
    struct strs mount_from;   /* --mount-from */
    struct strs caches;       /* --cache, before those of the configuration */
    const char *index;        /* --index; may be NULL */
    const char *cell;         /* --cell; may be NULL */
    uint32_t jobs, downloads; /* threads; 0: as many as usual */
    bool locked, strict, audit, replace, keep_going, rebuild_ok;
    bool folder; /* --all */
    bool silent; /* print neither the reference nor how it went */
};

/* Lock it if need be, and put its image where a->outputs say. `w` is opened here, and cleared by
 * the caller. `reference` gets the image's name in the first as other tools take it. */
int build_recipe(struct work *w, struct session *s, const char *recipe, const struct build_args *a,
                 struct buf *reference, struct err *e) MUST_CHECK;
