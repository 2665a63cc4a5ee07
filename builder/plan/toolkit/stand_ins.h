/* plan/toolkit/stand_ins.h - packages of ours in the dpkg database of an image with the
 * distribution's CUDA toolkit, so that apt and dpkg hold it for whole.
 *
 * One for the driver: the toolkit's packages depend on libcuda1, which is the host's and is put
 * into a container by its runtime. One for the libraries that PyTorch's wheels have already: it
 * owns links to them. Both say what they stand in for by Provides with a version (Policy 7.5), the
 * second by Replaces as well, so that the real package can be installed over it.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../model/baselayer.h"
#include "../../model/catalog.h"
#include "../../model/lock.h"

#define STAND_IN_DRIVER "envbuild-driver-of-host"
#define STAND_IN_LIBRARIES "envbuild-cuda-of-wheels"

/* Fill lock->toolkit.stand_ins: from its toolkit's release, its wheels, and `versions`, those that
 * the archive has of base->libraries, in their order; empty where it has none. */
void stand_ins_choose(struct lock *lock, const struct base_toolkit *base, const struct catalog *c,
                      const struct strs *versions);
/* They as a Packages file, for the solver. */
void stand_ins_print(struct buf *out, const struct lock *lock);
bool stand_ins_has(const struct lock *lock, struct str package);
