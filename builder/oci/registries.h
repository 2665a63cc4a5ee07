/* oci/registries.h - the repositories that this run deals with, each opened once.
 *
 * How a host is reached, and who we are there, is the user's configuration; whoever has read that
 * tells it by `find`, host by host.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "registry.h"

struct registries; /* opaque; registries_open to registries_clear */

/* `how` has host and repository; fill in the rest. What it borrows must stay until
 * registries_clear(). */
typedef int (*registries_find)(void *ctx, struct registry_how *how, struct err *e);

void registries_open(struct registries **out, registries_find find, void *ctx);
/* The repository of "host/org/name", or "org/name" of Docker Hub; tag and digest do not matter.
 * Borrowed. */
int registries_get(struct registry **out, struct registries *all, struct str reference,
                   struct err *e) MUST_CHECK;
void registries_clear(struct registries **all);
