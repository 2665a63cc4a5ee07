/* model/slim.h - what `slim: true` leaves out of wheels: one table of rules, each for files that
 * were seen in the wheels and that nothing in the image can need.
 *
 * A lock names the rules that its image follows. So what a rule takes never changes: a better one
 * gets another name, and the old one stays for the locks that name it (tests/unit/test_slim.c pins
 * them). Rules take files of site-packages; RECORD does not name what was taken.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/vec.h"

enum slim_when {
    SLIM_ALWAYS,
    SLIM_NOTHING_COMPILES, /* the image has no compiler, and no wheel that compiles for a GPU */
};

struct slim_rule {
    const char *name;
    const char *wheels[5]; /* normalised names, ended by NULL; "nvidia-nvtx*" has "-cu12", too */
    enum slim_when when;
    const char *what; /* that it leaves out, in words */
    const char *why;  /* that misses nobody */
    /* Paths in site-packages, ended by NULL. "*" stands for what has no "/", a part "**" for any
     * number of parts. */
    const char *drop[5], *keep[4];
};

/* What a rule left out of a layer or an image. */
struct slim_count {
    const struct slim_rule *rule;
    uint64_t files, bytes; /* bytes as unpacked */
    uint64_t packed;       /* as they were in the wheel */
};
struct slim_counts VEC_OF(struct slim_count);

/* All rules in their order; NULL behind the last. */
const struct slim_rule *slim_rule_at(size_t i);
const struct slim_rule *slim_rule_named(struct str name);
/* May it leave out files of this wheel? */
bool slim_concerns(const struct slim_rule *rule, struct str wheel);
/* Does it leave out this file of a wheel that it concerns? */
bool slim_takes(const struct slim_rule *rule, struct str path);
/* Add the figures of `more` to those of the same rules in `counts`. */
void slim_add(struct slim_counts *counts, const struct slim_counts *more);
