/* pkg/pypi/pyproject.h - what a pyproject.toml says of a project: PyPA pyproject-toml (PEP 621),
 * dependency-groups (PEP 735) and build-system (PEP 517, 518).
 *
 * Tables of tools are not looked at. Every requirement parses; names of extras and groups are in
 * their normal form.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/vec.h"
#include "../../doc/node.h"

struct pyproject_need { /* a requirement (PEP 508) */
    struct str text;
    struct pos pos;
};
struct pyproject_needs VEC_OF(struct pyproject_need);

struct pyproject_set { /* an extra, or a group with all that it includes */
    struct str name;
    struct pos pos;
    struct pyproject_needs needs;
};
struct pyproject_sets VEC_OF(struct pyproject_set);

struct pyproject {
    struct doc doc;                            /* owns every text */
    bool named;                                /* it has a [project] */
    struct str name, version, requires_python; /* name as written; empty when left out */
    struct pos requires_python_pos;
    struct pyproject_needs dependencies;
    struct pyproject_sets extras, groups;
    struct strs dynamic;   /* keys of [project] that the backend tells: "version", "dependencies" */
    bool has_build_system; /* else setuptools builds it, as before PEP 517 */
    struct pyproject_needs build_requires;
    struct str build_backend; /* empty: as without [build-system] */
    struct strs backend_path; /* folders in the project that the backend is in */
};

/* `file` is the name for messages. All faults are told. */
int pyproject_parse(struct pyproject *out, struct str text, const char *file,
                    struct err *e) MUST_CHECK;
int pyproject_read(struct pyproject *out, const char *path, struct err *e) MUST_CHECK;
void pyproject_clear(struct pyproject *p);
/* Append the core metadata that a wheel of `version` has by [project] alone. False, and nothing
 * appended, where only the backend tells all of it: what it needs, its extras or its Python are
 * `dynamic`, or Poetry's table has them. */
bool pyproject_metadata(struct buf *out, const struct pyproject *p, struct str version);
/* The extra or group of that name, in any spelling; NULL: there is none. */
const struct pyproject_set *pyproject_find(const struct pyproject_sets *sets, struct str name);
