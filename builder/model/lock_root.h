/* model/lock_root.h - the system that a wheel is built in, as a lock of its own: its layers are
 * those of the image, with the compilers that only builds see, the image's pip, and where the build
 * asks for them torch and the CUDA toolkit. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "lock.h"

/* The root of `build`. Where the lock stands on an image, it is what lies on that: its layers are
 * not among these. Its CUDA toolkit is there once `lock` has its layers: what that is hangs on
 * the wheels, so that nobody has it while they are chosen. Wheels have a layer each, which they
 * share with the image where that gives them one. `pip` may be NULL. Texts are borrowed from
 * `lock`, `build` and `pip`; lock_clear(out) by the caller. */
void lock_root(struct lock *out, const struct lock *lock, const struct artifact_source *build,
               const struct artifact *pip);
