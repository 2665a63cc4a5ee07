/* plan/pypi/pypi_hint.h - what would work instead: the search again with one wish of the user
 * less. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "pypi_search.h"

/* After a conflict, append such as "torchvision 0.21.0 fits", or nothing when a small search finds
 * nothing. -1 only when interrupted. */
int hint_conflict(struct buf *out, const struct problem *w, const struct pypi_found *found,
                  struct err *e) MUST_CHECK;
