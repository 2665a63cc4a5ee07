/* cmd/build_tell.h - what a build says at its end. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "build_job.h"

struct build_jobs VEC_OF(struct build_job);

/* The references on stdout, or the object of --json; how it went on stderr. `places` are those of
 * a->outputs. The faults of other jobs become part of the object; then `faults` is empty, and
 * s->no has their code. */
void build_tell(const struct build_jobs *jobs, struct place *const *places,
                const struct build_args *a, struct session *s, struct err *faults);
