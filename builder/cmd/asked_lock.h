/* cmd/asked_lock.h - the lock that a command is asked about: by a recipe, a lock or a tag. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "work.h"

struct asked_lock {
    struct work work; /* empty for a lock that is named itself */
    struct lock lock;
};

/* Options that commands with such an operand take. */
enum { ASKED_OPTS = 2 };
void asked_opts(struct opt *out, struct session *s, const char **index);

/* A recipe stands for its lock where that still fits (work_fits()), else for what would be chosen
 * now, as a tag does; nothing is written. `index` is what --index names, or NULL. */
int asked_lock_open(struct asked_lock *out, struct session *s, const char *operand,
                    const char *index, struct err *e) MUST_CHECK;
void asked_lock_clear(struct asked_lock *l);
