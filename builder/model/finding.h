/* model/finding.h - what the load proof found (look/proof.h), read back from the sentences that a
 * lock keeps, and which of it matters most. Any version's locks have the same sentences.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "lock.h"

/* Begins what only plug-ins would meet. */
#define FINDING_PLUGIN "only where a plug-in is asked for: "

enum finding_rank {
    FINDING_IMPORT,    /* a program or module would not load */
    FINDING_REQUESTED, /* a plug-in of a package that the recipe names would not */
    FINDING_OTHER,     /* a plug-in of another's; one name that is two files */
};

struct finding {
    enum finding_rank rank;
    struct str file, owner; /* absolute; whose package it is, or empty */
    struct str what;        /* "needs libz.so.1, which is not in the image" */
};

/* `words` is one of lock->findings; the texts of *out are its own. */
void finding_read(struct finding *out, const struct lock *lock, struct str words);
/* Does the recipe name the package? Packages that every image has are not named by it. */
bool finding_is_named(const struct lock *lock, struct str owner);

/* What is told of them when they are new, a line each: what matters first, what else there is as a
 * count. `recipe` is for the command that lists them. */
void findings_summary(struct names *out, const struct lock *lock, const char *recipe);
/* All of them, one a line, what matters most first. */
void findings_print(struct buf *out, const struct lock *lock);
/* The same as member "findings" of `root`, where the lock is built. */
void findings_put(struct doc *d, struct node *root, const struct lock *lock);
