/* assemble/import/wheel_paths.h - which files a wheel lays where, so that two wheels with the same
 * path are found. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/arena.h"
#include "../../base/vec.h"
#include "../../io/entry.h"

struct wheel_path {
    struct str path; /* of the image, in the arena */
    uint64_t print;  /* of size, content and mode: files that are the same have the same */
};

struct wheel_paths {
    struct arena arena;
    struct VEC_OF(struct wheel_path) list; /* in the wheel's order */
};

void wheel_paths_add(struct wheel_paths *p, const struct entry *file);
void wheel_paths_clear(struct wheel_paths *p);
