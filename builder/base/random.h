/* base/random.h - what nobody can guess, from the kernel. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "buf.h"
#include "err.h"

/* Append "7k3m-x9qd" for two groups: 20 bits each, in digits that are not taken for one another on
 * paper. */
int random_code(struct buf *out, unsigned groups, struct err *e) MUST_CHECK;
