/* plan/base_image.h - what a recipe that names an image as its base can build on: the image's
 * Python, its C library, its system, found without running anything of it.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../model/baselayer.h"
#include "../model/lock.h"
#include "../model/recipe.h"
#include "../oci/rootfs.h"
#include "../oci/stored.h"

struct base_image {
    struct stored stored;
    struct arena arena;
    struct str os;          /* "debian-13"; "image" when nothing tells */
    struct str glibc;       /* "2.41" */
    struct str python;      /* path of the interpreter, no link, without the leading "/" */
    struct str python_full; /* "3.13.5" */
    struct str shell;       /* "/bin/bash", else "/bin/sh"; empty when it has neither */
    bool compiles;          /* there are gcc and Python.h */
};

/* Open the image and read all its layers. Faults carry the place of the recipe's words. The Python
 * is the one that the recipe names, else what "python3" on the image's PATH is. ERR_INPUT when the
 * image has none, no glibc, or an /opt/venv of its own. */
int base_image_open(struct base_image *out, const struct recipe *r, const char *dir,
                    const struct stored_scratch *how, struct err *e) MUST_CHECK;
/* The same from manifest and config alone; what base_image_open() found in the files is taken from
 * the lock that was written then. */
int base_image_recall(struct base_image *out, const struct recipe *r, const struct lock *lock,
                      const char *dir, const struct stored_scratch *how, struct err *e) MUST_CHECK;
/* The same from the files alone: fill in everything but `stored`, whose config gives PATH. */
int base_image_inspect(struct base_image *b, const struct rootfs *fs, struct str path_env,
                       struct str want_python, struct err *e) MUST_CHECK;
/* What base_image_inspect() needs of each file. */
int base_image_keep(void *ctx, struct str path, uint64_t size, struct source *data,
                    struct buf *text, struct err *e) MUST_CHECK;
void base_image_clear(struct base_image *b);

/* As a base without archives, for the rest of the choosing. Texts are borrowed. */
int base_image_as_base(struct baselayer *out, const struct base_image *b, struct err *e) MUST_CHECK;
/* Its layers and settings into the lock: all that comes before our own. */
void base_image_lock(struct lock *lock, const struct base_image *b, const struct recipe *r);
