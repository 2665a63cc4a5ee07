/* plan/pypi/wheel_size.h - how large wheels are whose index does not tell: layers are planned by
 * that.
 *
 * One byte of each is asked for, many at once; the answer tells the size of the whole, which is
 * remembered with its address: it is the server's word.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../net/http.h"
#include "../../pkg/artifact.h"
#include "../../store/memo.h"

/* Sets each size that is 0; it stays so where no server tells, or `http` is NULL (offline) and the
 * memo (may be NULL) does not know. -1 only when interrupted. */
int wheel_sizes(struct artifact *wheels, size_t n, struct http *http, struct memo *memo,
                unsigned parallel, struct err *e) MUST_CHECK;
