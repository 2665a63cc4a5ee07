/* plan/own_project.h - the recipe's own project: which files of its folder belong to it, and what
 * its pyproject.toml says.
 *
 * In a git work tree those belong that git has or does not ignore; elsewhere all but what is never
 * a source: .git, virtual environments, caches, what builds leave. Nowhere do the recipe and what
 * envbuild itself writes beside it: locks, layouts, wheels. As a file it is a tar of one folder,
 * "project/": files and links by the bytes of their paths, without owners, one time for all, modes
 * 0644 and 0755. Links that lead out of the project are refused.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/digest.h"
#include "../base/event.h"
#include "../io/sink.h"
#include "../model/recipe.h"
#include "../pkg/pypi/pyproject.h"

struct own_input {   /* a file of it that decides with the recipe */
    struct str path; /* from the recipe's folder */
    struct digest digest;
};

struct own_project {
    const struct recipe *recipe; /* borrowed, as is the next */
    const char *recipe_dir;
    char *dir; /* owned; its folder */
    bool has_toml;
    struct pyproject toml;
    struct arena arena;
    /* Of pyproject.toml what decides which packages there are, where it tells all of that; else
     * that file, setup.cfg and setup.py as they are. */
    struct VEC_OF(struct own_input) inputs;
};

/* `dir` is the recipe's folder. All is told that can be told without building it: that there is no
 * project, what no pyproject.toml may say, groups that it does not have. */
int own_project_open(struct own_project *out, const struct recipe *r, const char *dir,
                     struct err *e) MUST_CHECK;
void own_project_clear(struct own_project *p);

/* The tar, to `out`, which is not finished. `events` may be NULL. */
int own_project_pack(const struct own_project *p, struct sink *out, const struct events *events,
                     struct err *e) MUST_CHECK;
/* Digest and size of the tar. */
int own_project_hash(struct digest *digest, uint64_t *size, const struct own_project *p,
                     const struct events *events, struct err *e) MUST_CHECK;
/* `env` of a build with what a backend that asks git for the version gets instead, for there is no
 * .git in the tar: "SETUPTOOLS_SCM_PRETEND_VERSION=1.2.1.dev3+g0123456", in the place of an older
 * one. All in `a`, or borrowed from `env`. What the recipe says stays. `events` (may be NULL) is
 * told where git knows none. */
struct strs own_project_env(struct arena *a, const struct strs *env, const struct own_project *p,
                            const struct events *events);
/* As a lock has it: "./", "./sub/". Text in `a`. */
struct str own_project_url(struct arena *a, const struct recipe *r);
