/* assemble/import/import_wheel.h - a wheel becomes entries of a tree, as `pip install --no-
 * compile` would leave its files. Contents stay in the wheel: they are copied from there when the
 * layer is written. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../io/inflate.h"
#include "../../model/slim.h"
#include "../layer/tree.h"
#include "wheel_paths.h"

struct wheel_import {
    struct str python;        /* "3.11" */
    struct str prefix;        /* "opt/venv" */
    struct str name, version; /* what the wheel must be: normalised name, version of the lock */
    bool requested;           /* the recipe names it: pip's REQUESTED file */
    /* Rules for files that are left out, those of other wheels among them; what is left out is
     * added to their figures. NULL: all files are taken. */
    struct slim_counts *slim;
    const struct strs
        *without;              /* paths of the image, sorted, that are left out; its RECORD stays */
    struct wheel_paths *paths; /* gets all its files, also those left out; NULL: nobody asks */
    struct buf *metadata;      /* gets its METADATA; NULL: nobody asks */
};

/* `wheel` must stay open as long as the tree, whose `below` is the outline of the environment
 * (system/venv.h). A path that another wheel of the same tree has is replaced, as pip does when it
 * installs one after the other; a file where another has a folder is ERR_INPUT that names both. */
int import_wheel(struct tree *t, const struct input *wheel, const struct wheel_import *how,
                 struct inflater *inflater, struct err *e) MUST_CHECK;
