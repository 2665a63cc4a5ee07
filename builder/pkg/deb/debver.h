/* pkg/deb/debver.h - Debian versions: deb-version(7). */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/str.h"

int debver_cmp(struct str a, struct str b);
bool debver_valid(struct str v);

enum debver_op { DEBVER_ANY, DEBVER_LT, DEBVER_LE, DEBVER_EQ, DEBVER_GE, DEBVER_GT };
/* "<<", "<=", "=", ">=", ">>" and the old "<", ">"; false on anything else. */
bool debver_op_parse(enum debver_op *out, struct str text);
bool debver_satisfies(struct str have, enum debver_op op, struct str want);
