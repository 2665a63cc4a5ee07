/* cmd/pick.h - which build of PyTorch a machine should take, for those who name none. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../host/recommend.h"
#include "../model/tag.h"
#include "machine.h"

struct pick {
    struct catalog catalog;
    struct machine machine;
    struct recommendation all;
    struct arena arena;
    bool found; /* there is a build of the release that was asked for */
    struct tag tag;
    enum verdict verdict; /* of it, on this machine */
};

/* The newest build of `release` (of any, where it is empty) that runs on the machine, if need be
 * with limits; where none does, the newest. */
int pick(struct pick *out, const struct session *s, const struct machine_args *args,
         struct str release, struct err *e) MUST_CHECK;
/* "the newest that runs on this machine is 2.13.0-cuda12.6-cudnn9-runtime"; or "the newest is". */
void pick_words(struct buf *out, const struct pick *p);
void pick_clear(struct pick *p);

/* What "latest" means today; only of this machine. */
int pick_latest(struct pick *out, const struct session *s, struct err *e) MUST_CHECK;
