/* cmd/engine.h - Docker and Podman as they are on this machine. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/event.h"

/* Does `argv` (ended by NULL) run and end with 0? Not where there is no such program. What it
 * prints is dropped. */
bool engine_agrees(char *const *argv, const struct events *events);
/* Has this machine a GPU to hand to a container? To ask for what is not there is fatal. */
bool engine_has_gpus(void);
