/* assemble/import/stand_in.h - a package of ours, made from its lines in the lock: for dpkg it is
 * one like any other, with links for its files. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../model/lock.h"
#include "import_deb.h"

/* `date`: of its files. ERR_INPUT for what is no package name, version or path. */
int stand_in_package(struct debpkg *out, const struct lock_stand_in *s, int64_t date,
                     struct err *e) MUST_CHECK;
