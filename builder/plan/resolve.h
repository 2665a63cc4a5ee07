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
#include "choices.h"
#include "pins.h"
#include "pypi/sdists.h"

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
    struct choices *choices;              /* for resolve(): gets what was chosen */
    const struct source_backend *backend; /* NULL: nothing can be built to know what it needs */
};

/* Everything but what a build fills in. */
int resolve(struct lock *out, const struct resolve_input *in, struct err *e) MUST_CHECK;

/* The oldest envbuild that derived as this one does; see resolve_again(). A change of what is
 * derived for a lock that exists, by code or catalog, is a new version of envbuild, and this
 * becomes it. */
#define RESOLVE_DERIVES_AS "0.4.0"

/* What recipe and base give for the artifacts of the lock in->pins.old, without asking anybody:
 * facts, settings, files made for the image, the plan of its layers. A lock that nobody edited says
 * the same (model/lock_compare.h), if an envbuild from RESOLVE_DERIVES_AS on wrote it. Of an image
 * that is the base, base_image_recall() is enough. */
int resolve_again(struct lock *out, const struct resolve_input *in, struct err *e) MUST_CHECK;

/* The parts of a lock that follow from the recipe and its local files alone, for telling whether
 * the lock `of` is still that of its recipe: recipe, recipe_digest, inputs, user, copies, and as
 * artifacts those of its wheels that have other bytes now (own_wheels.h). */
int resolve_recipe(struct lock *out, const struct recipe *recipe, const char *dir,
                   const struct lock *of, struct err *e) MUST_CHECK;
