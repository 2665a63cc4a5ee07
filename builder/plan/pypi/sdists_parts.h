/* plan/pypi/sdists_parts.h - what the files sdists*.c share; nobody else includes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "sdists.h"

/* One sdist that was looked at. */
struct made {
    const struct project *project;
    const struct candidate *candidate;
    struct artifact wheel; /* with its source; no file and no digest */
    struct artifact_source source;
    struct metadata metadata;
    struct str first;      /* requirements that the source names, a line each; empty: not known */
    struct str cargo_lock; /* its text, until its crates are among the source's files */
    bool named;            /* `first` is known */
    bool known;            /* metadata is set */
    bool required;         /* source.requires is set */
    bool busy;             /* its requirements are being chosen */
};

struct sdists {
    struct sdists_options o;
    struct arena arena;
    struct pypi_index *index;
    const struct pypi_want *want;
    struct VEC_OF(struct made *) made;
    struct VEC_OF(struct pypi_solution *) solutions; /* texts of artifacts are borrowed from them */
    struct strs used;
    struct artifact pip; /* once chosen */
};

/* sdists.c: what an older lock has of the same name and files; NULL: nothing. */
const struct artifact *sdists_older(const struct sdists *x, const struct made *m);
/* What is compiled for GPUs sees the toolkit, where the image has one: what is built with torch,
 * and what the recipe names GPUs for. */
void sdists_see_cuda(struct sdists *x, struct artifact_source *s);
/* The crates of its Cargo.lock, behind its other files: seal/driver.py makes a vendor folder of
 * them. */
int sdists_crates(struct sdists *x, struct made *m, struct err *e) MUST_CHECK;

/* sdists_require.c: choose the wheels that its build installs, and its crates; once. */
int sdists_require(struct sdists *x, struct made *m, struct err *e) MUST_CHECK;
/* Append the METADATA that its backend tells. */
int sdists_ask_metadata(struct sdists *x, const struct made *m, struct buf *out,
                        struct err *e) MUST_CHECK;
/* What a backend or its requirements refuse is no fault of a file: no older release is taken for
 * it. Always -1. */
int sdists_fail(struct err *fault, struct err *e);
/* All that a build hangs on, in words. */
void sdists_key(struct buf *key, const struct artifact_source *s);
