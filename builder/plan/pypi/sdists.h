/* plan/pypi/sdists.h - sdists, commits of git repositories and the recipe's own project among the
 * candidates: their metadata, and what building them needs.
 *
 * What an sdist says itself is taken where it holds for its wheel too: its PKG-INFO (PEP 643), or
 * [project] of its pyproject.toml (PEP 621). Else its build backend is asked. That is foreign code,
 * so it is asked through `struct source_backend`, whose owner runs it sealed, with what the backend
 * requires: wheels of the same indexes, chosen as all others are (or built themselves), each in an
 * environment of its own. What it answered is remembered by all that the answer hangs on.
 *
 * torch is the image's wherever a build requires it, and with what it needs it stands in the
 * build's root, as does the CUDA toolkit of a devel image.
 *
 * What a backend refuses ends the search, as with pip: only files that are damaged are passed over.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../fetch/pages.h"
#include "../../model/lock.h"
#include "../../model/recipe.h"
#include "../../pkg/pypi/pyproject.h"
#include "solve_pypi.h"

struct pypi_index;

/* Who asks backends; errors name the package. `wheel`: what is to be built; of its source the sdist
 * is in the store, and `requires` are to be installed. Its root are the debs of `lock` and `pip`.
 */
struct source_backend {
    void *ctx;
    /* Requirements (PEP 508) of the build, one each, owned. `first`: those that the source names,
     * [build-system] requires or PEP 517's, asked only where its pyproject.toml cannot be read
     * here; then nothing is installed. Else those that the backend has besides. */
    int (*requires)(void *ctx, const struct artifact *wheel, const struct lock *lock,
                    const struct artifact *pip, bool first, struct names *out, struct err *e);
    /* Append the METADATA of the wheel that would be built. */
    int (*metadata)(void *ctx, const struct artifact *wheel, const struct lock *lock,
                    const struct artifact *pip, struct buf *out, struct err *e);
};

/* The recipe's own project. All borrowed. */
struct sdists_project {
    struct str url;               /* as the lock has it: "./" */
    const struct pyproject *toml; /* NULL: it has none */
    struct digest digest;         /* of its files as a tar, which the backend's owner makes */
    uint64_t size;
    /* `env` of its build with what tells the backend its version; in `a`. */
    struct strs (*env)(void *ctx, struct arena *a, const struct strs *env);
    void *ctx;
};

struct sdists_options {
    const struct recipe *recipe; /* `build` */
    const struct lock *lock;     /* whose debs are chosen */
    struct str archs; /* what the image promises to run on: "8.0 9.0"; empty: not known */
    const struct artifacts *kept; /* built ones of an older lock: as they were, where they still
                                     fit; may be NULL */
    const struct source_backend *backend; /* NULL: nobody can be asked */
    const struct sdists_project *project; /* NULL: none */
    struct pages *pages;
    struct memo *memo; /* may be NULL */
    const struct events *events;
};

struct sdists; /* opaque; sdists_open to sdists_clear */

/* Borrows all of `options` until sdists_clear. */
struct sdists *sdists_open(const struct sdists_options *options);
void sdists_clear(struct sdists **sdists);
/* Where build requirements are chosen; `want` is what is wanted for the image. Both borrowed;
 * before the first question. */
void sdists_bind(struct sdists *x, struct pypi_index *index, const struct pypi_want *want);

/* The one candidate of a "git+..." address or of the recipe's project, whose version is known once
 * it was looked at. Of the project all extras that the recipe names must be there. Lives as `x`
 * does. */
int sdists_direct(struct sdists *x, const struct project *p, struct candidate *c,
                  struct err *e) MUST_CHECK;
/* Is that the recipe's project? */
bool sdists_is_project(const struct sdists *x, struct str url);
/* What the recipe's project is called (normalised), asked of its backend where it does not say so
 * itself. Lives as `x` does. */
int sdists_project_name(struct sdists *x, struct str *out, struct err *e) MUST_CHECK;

bool sdists_may_build(const struct sdists *x, struct str name);
/* As pypi_universe's; lives as long as `x`. */
int sdists_metadata(struct sdists *x, const struct project *p, const struct candidate *c,
                    const struct metadata **out, struct err *e) MUST_CHECK;
/* Set out->source, and where an older lock's was built just so, its file, size and digest. `url` is
 * the sdist's as the lock has it. Lives as long as `x`. */
int sdists_source(struct sdists *x, const struct project *p, const struct candidate *c,
                  struct str url, struct artifact *out, struct err *e) MUST_CHECK;
/* Was it needed for a build? Of names of `build` that the image does not have. */
bool sdists_used(const struct sdists *x, struct str name);
