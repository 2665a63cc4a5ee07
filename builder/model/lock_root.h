/* model/lock_root.h - the system that a wheel is built in, as a lock of its own: its layers are
 * those of the image, with the compilers that only builds see, and the image's pip. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "lock.h"

/* `groups`: as a build names them. Texts are borrowed from `lock` and `pip`; lock_clear(out) by the
 * caller. */
void lock_root(struct lock *out, const struct lock *lock, const struct strs *groups,
               const struct artifact *pip);
