/* store/unpacked.h - folders that were made once and are kept by what decides their content:
 * layers as files, and roots made of them; and the folders of builds that run.
 *
 * On disk: unpacked/layers/<64 hex>, unpacked/roots/<64 hex> and unpacked/builds/<64 hex>, in each
 * "done", "files/" and "lock". "done" appears last, after all that is below "files" is on the disk,
 * and goes first when store/gc.h removes one; without it "files" is what a killed run left. When
 * "done" was changed last is when the folder was used last. Nobody writes below "files" while
 * "done" is there.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "cas.h"

enum unpacked_kind { UNPACKED_LAYER, UNPACKED_ROOT, UNPACKED_BUILD };

struct unpacked {
    char *files;  /* owned: the folder "files" */
    bool here;    /* it is whole; else it is empty, and who has it open fills it */
    char *folder; /* owned: that which "files" stands in; what else lies in it is the owner's */
    struct fd lock;
};

/* Waits for another process that makes the same one, and says so. Kept by gc as long as `cas` is
 * open. ERR_SYSTEM in a store that may only be read, where the folder is not here. */
int unpacked_open(struct unpacked *out, const struct cas *cas, enum unpacked_kind kind,
                  const struct digest *key, const struct events *events, struct err *e) MUST_CHECK;
/* It is filled: from now on it is here. Writes all of it to the disk first. */
int unpacked_publish(struct unpacked *u, struct err *e) MUST_CHECK;
/* It is of no use any more: empty it. */
int unpacked_drop(struct unpacked *u, struct err *e) MUST_CHECK;
void unpacked_clear(struct unpacked *u);

/* For gc: is `path`, below the store, one of these folders; or one, or below one? */
bool unpacked_is_one(struct str path);
bool unpacked_is_in(struct str path);
/* Remove such a folder. */
int unpacked_remove(const char *folder, struct err *e) MUST_CHECK;
