/* cmd/progress.h - what people see while it works: a display on a terminal, lines in a pipe,
 * nothing with -q, which keeps warnings for --json. Everything goes to stderr. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/event.h"
#include "../base/vec.h"

enum verbosity { SAY_NOTHING, SAY_NORMAL, SAY_MORE };

struct progress; /* opaque */

/* `cancelled` is asked by rooms through events; borrowed. */
struct progress *progress_open(enum verbosity say, bool terminal, const volatile int *cancelled);
const struct events *progress_events(struct progress *p);
/* Wipe the display, so that what is printed next stands on a clean line. */
void progress_pause(struct progress *p);
/* What was warned of so far; borrowed, while no room works. */
const struct names *progress_warnings(const struct progress *p);
void progress_free(struct progress *p);
