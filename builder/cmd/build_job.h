/* cmd/build_job.h - one recipe on its way: its lock, then its layers in each place, then its image.
 *
 * Several go side by side, each step of all before the next of any: so no tag moves before all that
 * is asked for is there.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../assemble/assemble.h"
#include "../assemble/image.h"
#include "../out/dest.h"
#include "build.h"
#include "sealed.h"

/* The image in one place. */
struct build_product {
    struct dest dest;
    struct image_name name;
    struct compressions forms; /* that go there */
    struct image_parts parts;  /* once it is put: of each form, then their index if there are two */
    struct digest digest;      /* of the last of them, which gets the name */
    uint64_t size;             /* bytes of the layers, of all forms, and how many there are */
    size_t layers;
    struct stored beside; /* that it replaces there, if any */
    struct audit audit;
    struct fresh fresh; /* what the place did not have */
    uint64_t sent, ms;  /* bytes over a network; how long its layers took */
};

struct build_job {
    struct work *work;                            /* open; borrowed */
    struct str cell;                              /* of a matrix, else empty; borrowed */
    struct stored image;                          /* that it stands on, if any */
    struct VEC_OF(struct build_product) products; /* one a place, in the order of a->outputs */
    bool built, settled;                          /* the lock, before */
    size_t forms;                                 /* that it had the manifests of */
    bool failed;                                  /* it was told, and is left out */
};

/* A lock that is the recipe's, chosen now if there is none. */
int build_job_lock(struct build_job *job, struct session *s, const struct build_args *a,
                   struct err *e) MUST_CHECK;
/* The same of a lock whose recipe nobody named: job->work is a work_open_lock(). ERR_INPUT where it
 * was never built. */
int build_job_of_lock(struct build_job *job, struct session *s, struct err *e) MUST_CHECK;
/* Who builds its wheels. */
struct sealed *build_job_sealed(struct work *w, struct session *s, const struct build_args *a);
/* What it is called in each place. */
int build_job_name(struct build_job *job, const struct build_args *a, struct err *e) MUST_CHECK;
/* Its layers into place number `i`, in order. */
int build_job_make(struct build_job *job, size_t i, struct place *place, struct session *s,
                   const struct build_args *a, const struct blob_files *files,
                   struct layer_caches *caches, struct err *e) MUST_CHECK;
/* Its image, when all layers are there. No name moves. */
int build_job_put(struct build_job *job, size_t i, struct place *place, const struct events *events,
                  struct err *e) MUST_CHECK;
/* Its name, when all images are there. */
int build_job_tag(struct build_job *job, size_t i, struct place *place, struct err *e) MUST_CHECK;
/* After a failure of place number `i`: may it be how we write gzip? Then a warning says so. */
void build_job_hint(const struct build_job *job, size_t i, const struct events *events,
                    const struct err *e);
/* When all places are closed: what was built stands in the lock. */
int build_job_record(struct build_job *job, const struct build_args *a, struct err *e) MUST_CHECK;
void build_job_clear(struct build_job *job);
