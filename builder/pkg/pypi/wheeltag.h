/* pkg/pypi/wheeltag.h - which wheel fits a target, and which fits best (PEP 425, 600; PyPA
 * platform-compatibility-tags). */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/vec.h"

struct wheel_target {
    unsigned python_major, python_minor; /* 3, 11 */
    unsigned glibc_major, glibc_minor;   /* 2, 36 */
    struct str machine;                  /* "x86_64" */
};

struct wheel_name { /* views into the file name */
    struct str dist, version, build, python, abi, platform;
};

/* "dist-version[-build]-py-abi-plat.whl"; false when it is none. */
bool wheel_name_parse(struct wheel_name *out, struct str file);
/* Rank of the best tag the file name expands to: 0 is the best, UINT_MAX does not fit. */
unsigned wheel_rank(const struct wheel_name *name, const struct wheel_target *target);
/* Order of build tags: number, then text; none is lowest. */
int wheel_build_cmp(struct str a, struct str b);
