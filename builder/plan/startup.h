/* plan/startup.h - the start-up check: a shell script as the first step of the image's entrypoint.
 *
 * It says in one sentence that the host's driver is older than the CUDA family of the image needs,
 * then becomes the command (`fail`: ends with STARTUP_EXIT instead). It is silent when the driver
 * will do, when no GPU was given to the container (no /dev/nvidiactl; so also under WSL, where no
 * file tells the driver), when no driver can be read, and when somebody put NVIDIA's package for
 * forward compatibility into /usr/local/cuda. A driver between the family's minimum and the
 * toolkit's own is silent too: that is minor version compatibility. It starts no other program and
 * changes no variable of the environment but those that a shell keeps itself.
 *
 * The whole text stands in the lock, as a file made for the image, so an image never changes by a
 * newer envbuild's wording.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/event.h"
#include "../model/lock.h"
#include "../model/recipe.h"

/* EX_CONFIG of sysexits.h: no Python program ends so by chance, and it is below the 125 to 127 of
 * container engines. */
enum { STARTUP_EXIT = 78 };

/* Put script and entrypoint into `lock`, whose facts and settings are there already. `shell` is the
 * image's: "/bin/bash", "/bin/sh", or empty when it has none: ERR_INPUT if the recipe asks for the
 * check, else a warning. Does nothing where the recipe says off or no driver is needed. */
int startup_add(struct lock *lock, const struct recipe *r, struct str shell,
                const struct events *events, struct err *e) MUST_CHECK;
/* The script for an image of these facts; false when facts->driver_min is not "525.60.13",
 * "525.60" or the like. */
bool startup_script(struct buf *out, const struct facts *facts, struct str shell, bool fail);
