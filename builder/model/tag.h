/* model/tag.h - the field's notation for a PyTorch image: "2.6.0-cuda12.4-cudnn9-runtime".
 *
 * With or without registry and repository ("pytorch/pytorch:2.6.0-cuda12.4-cudnn9-devel"); CUDA
 * also as cu124 or cuda124, or cpu; CUDA, cuDNN and variant may be left out.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "catalog.h"

struct tag {
    struct str repository;           /* "pytorch/pytorch"; empty when not named */
    struct str pytorch, cuda, cudnn; /* "2.6.0", "12.4", "9"; the last two may be empty */
    struct str variant;              /* "runtime" when left out */
};

/* Texts live in `a` or in `text`. ERR_USAGE says which part is none. */
int tag_parse(struct tag *out, struct arena *a, struct str text, struct err *e) MUST_CHECK;
/* The tag of a build, with the first number of its cuDNN: "2.6.0-cuda12.4-cudnn9-runtime". */
void tag_of_build(struct tag *out, struct str pytorch, const struct catalog_build *b);
/* Without the repository. */
void tag_print(struct buf *out, const struct tag *t);

/* Is there such a build? ERR_UNSAT says what there is instead, and why: the nearest
 * tags of the same release and of the same CUDA. A release that the catalog does not know is let
 * through.
 */
int tag_check(const struct tag *t, const struct catalog *c, struct err *e) MUST_CHECK;

/* A recipe for it that builds as it is and shows what else could stand in one; `build` is what the
 * catalog says of it. */
void tag_recipe(struct buf *out, const struct tag *t, const struct catalog_build *build);
