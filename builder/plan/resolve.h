/* plan/resolve.h - a recipe becomes a lock: asks indexes and archives, chooses, checks the choice.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../model/baselayer.h"
#include "../model/catalog.h"
#include "../model/lock.h"
#include "../model/recipe.h"
#include "../fetch/pages.h"
#include "base_image.h"
#include "pins.h"

struct resolve_input {
    const struct recipe *recipe;
    const struct catalog *catalog;
    const struct baselayer *base;   /* with `image`: base_image_as_base() */
    const struct base_image *image; /* NULL: `base` is made of packages */
    struct pins pins;               /* of an older lock */
    const char *dir;                /* of the recipe, for its local files */
    const char *root;               /* the same, absolute */
    struct pages *pages;
    struct http *http; /* NULL when offline */
    struct memo *memo;
    struct str index; /* simple index to ask; empty: PyPI's */
    int64_t now;      /* seconds since 1970: archives dated later are refused */
    const struct events *events;
};

/* Everything but what a build fills in. */
int resolve(struct lock *out, const struct resolve_input *in, struct err *e) MUST_CHECK;

/* The parts of a lock that follow from the recipe and its local files alone, for telling whether a
 * lock is still that of its recipe: recipe, recipe_digest, inputs, user, copies. */
int resolve_recipe(struct lock *out, const struct recipe *recipe, const char *dir,
                   struct err *e) MUST_CHECK;
