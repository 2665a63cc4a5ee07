/* assemble/system/system_gaps.h - what an image lacks because no maintainer script ran, and what to
 * do about it. Some of it no rule can make: a secret in an image is one for all of its containers.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../model/lock.h"

/* A sentence for each script in lock->uncovered, and for each package of the lock that lacks
 * something although rules stand for its scripts. */
void system_gaps(const struct lock *lock, struct names *out);
