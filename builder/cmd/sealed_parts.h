/* cmd/sealed_parts.h - what the files sealed*.c share; nobody else includes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../assemble/layer/layer_key.h"
#include "sealed.h"

#define SEALED_PYTHON "/" LAYER_PREFIX "/bin/python"

struct blob; /* of sealed_root.c */

/* The system of builds with the same groups. */
struct sealed_root {
    struct lock lock;
    struct seal_layers layers;
    struct blob *blobs; /* one a layer */
};

struct sealed {
    struct work *work;
    struct session *session;
    struct sealed_how how;
    struct arena arena;
    struct memo *memo;
    struct place *place;
    struct stored image; /* the base of the lock, once it is open */
    char *logs;
    struct VEC_OF(struct sealed_root *) roots;
    struct buf asked; /* what was told last of it */
};

/* sealed_root.c: can anything be built here? Told before anything is fetched for it. */
int sealed_begin(struct sealed *x, struct err *e) MUST_CHECK;
int sealed_fetch(void *ctx, const struct artifact *artifacts, size_t n,
                 int (*ready)(void *ctx, size_t index, struct err *e), void *ready_ctx,
                 struct err *e) MUST_CHECK;
/* The system that is the groups of `build` of that lock, made where it is not yet; `pip` may be
 * NULL. */
int sealed_find_root(struct sealed *x, const struct artifact_source *build, const struct lock *lock,
                     const struct artifact *pip, struct sealed_root **out,
                     struct err *e) MUST_CHECK;
void sealed_root_clear(struct sealed_root *r);

/* sealed_job.c: `failure` (may be NULL) gets what a build that fails said last. */
struct seal_means sealed_means(const struct sealed *x, struct seal_failure *failure);
/* `ask` of its build; once more with the compilers where they turn out to be wanted. */
int sealed_run(struct sealed *x, const struct artifact *wheel, const struct lock *lock,
               const struct artifact *pip,
               int (*ask)(void *ctx, const struct seal_build *build, const struct seal_means *means,
                          struct err *e),
               void *ctx, struct err *e) MUST_CHECK;
/* Is what a build requires in a layer of its root, as torch is? */
bool sealed_of_root(const struct artifact *requirement);
/* Has its root the CUDA toolkit? */
bool sealed_sees_cuda(const struct artifact_source *s);
/* seal/ names the package in what it says; the rest is named here. -1. */
int sealed_say_which(const struct artifact *wheel, struct err *e);

/* sealed.c: that wheel into the store, at hand or built, and what came of it into the artifact. */
int sealed_build(struct sealed *x, struct artifact *wheel, const struct lock *lock,
                 const struct artifact *pip, struct err *e) MUST_CHECK;
