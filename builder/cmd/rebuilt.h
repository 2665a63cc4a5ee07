/* cmd/rebuilt.h - what a wheel that was built holds, as its lock has it, and in what one that was
 * built again differs: two machines seldom have both wheels. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/arena.h"
#include "../base/buf.h"
#include "../base/vec.h"
#include "../io/zip.h"

enum { REBUILT_MAX = 2000 }; /* files; of larger wheels a lock has no list */

/* "1a2b3c4d path" of each file by path, CRC-32 first, in `arena`; without RECORD, which differs
 * wherever another does. Empty where there are too many. */
struct strs rebuilt_list(struct arena *arena, const struct zip *wheel);
/* Append in words in what two lists differ: "a.py differs; only the lock has b.py". Nothing where
 * they are the same. */
void rebuilt_differ(struct buf *out, const struct strs *lock, const struct strs *now);
