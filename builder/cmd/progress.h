/* cmd/progress.h - what people see while it works: one bar on a terminal, a line every ten
 * seconds in a pipe, nothing with -q, which keeps warnings for --json. Everything goes to stderr.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/event.h"
#include "../base/vec.h"

enum verbosity { SAY_NOTHING, SAY_NORMAL, SAY_MORE };

struct progress; /* opaque */

/* `cancelled` is asked by rooms through events; borrowed. `clock` gives milliseconds; NULL: the
 * machine's. */
struct progress *progress_open(enum verbosity say, bool terminal, uint64_t (*clock)(void),
                               const volatile int *cancelled);
const struct events *progress_events(struct progress *p);
/* Wipe the display, so that what is printed next stands on a clean line. */
void progress_pause(struct progress *p);
/* What was warned of so far; borrowed, while no room works. */
const struct names *progress_warnings(const struct progress *p);
/* How long it is open, in milliseconds. */
uint64_t progress_now(const struct progress *p);
/* "24 s". */
void progress_time(struct buf *out, uint64_t ms);
/* "3.1 GiB". */
void progress_size(struct buf *out, uint64_t bytes);
void progress_free(struct progress *p);
