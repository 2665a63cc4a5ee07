/* plan/slimming.h - which rules of model/slim.h an image follows whose recipe says `slim: true`. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../model/lock.h"

/* Fill lock->slim by its variant and artifacts: every rule that concerns one of its wheels, and
 * those for images where nothing compiles only where that is so. */
void slimming_choose(struct lock *lock);
