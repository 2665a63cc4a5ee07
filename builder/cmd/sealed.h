/* cmd/sealed.h - wheels from source: who answers the chooser's questions about an sdist, who builds
 * what a lock wants built, and who compiles bytecode, all sealed (seal/), in the system that the
 * lock has.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../assemble/assemble.h"
#include "../plan/pypi/sdists.h"
#include "../seal/wheel.h"
#include "work.h"

struct sealed; /* opaque; sealed_open to sealed_clear */

struct sealed_how {
    uint32_t jobs, downloads; /* threads; 0 downloads: as many as usual */
    bool rebuild_ok;          /* another result than the lock's becomes the lock's */
};

/* Nothing is made or probed before there is something to build. `w` is connected, and borrowed. */
struct sealed *sealed_open(struct work *w, struct session *s, const struct sealed_how *how);
void sealed_clear(struct sealed **sealed);

/* For struct assembly. */
struct compiler sealed_compiler(struct sealed *x);
/* For struct resolve_input. */
struct source_backend sealed_backend(struct sealed *x);

/* Build what was never built: file, size and digest become the lock's; *changed tells so. With
 * rebuild_ok also what is not at hand, and then another result becomes the lock's. */
int sealed_first(struct sealed *x, bool *changed, struct err *e) MUST_CHECK;
/* Where it is handed on: `dir`, or for what is bound to a torch a folder there. Owned. */
char *sealed_folder(const char *dir, const struct artifact *wheel);
/* Bring those of these artifacts of w->lock that are made from source into the store: from the
 * folder "wheels" beside the recipe (sealed_folder()), or by building them again. ERR_INTEGRITY
 * where a build gives another wheel than the lock has. */
int sealed_have(struct sealed *x, const struct artifact *artifacts, size_t n,
                struct err *e) MUST_CHECK;
