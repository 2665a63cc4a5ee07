/* pkg/pypi/tool_lock.h - lock files of other tools, all TOML: what of them is for one target.
 *
 * pylock.toml, pylock.NAME.toml (PEP 751): `packages`, each with name, version, marker, index, and
 *     wheels and sdist with `hashes`, or archive, vcs or directory. A package is taken where its
 *     marker holds; markers may ask for `extras` and `dependency_groups`, which the file lists.
 * uv.lock, version 1 (docs.astral.sh/uv, crates/uv-resolver/src/lock): `package`, a graph: name,
 *     version, source (registry, git, url, path, directory, editable or virtual), dependencies,
 *     optional-dependencies and dev-dependencies by extra and group, wheels and sdist with `hash`.
 *     Taken is what the project reaches: the package of the lock's own folder, or where there is
 *     none all members of the workspace. What the extras and groups under `conflicts`
 *     decide stands in markers as `extra == "extra-4-demo-cpu"`: the length of the package's name,
 *     it, and the extra; "group-..." and "project-..." in the same way.
 * poetry.lock, lock-version 2.1 (Poetry 2): `package`, each with name, version, optional, groups,
 *     markers (a text, or one for each group), files with `hash`, and where it is not PyPI's a
 *     source (legacy, git, url, file or directory). Taken is what is in a chosen group and whose
 *     marker holds. `main` is always chosen. Older ones do not tell which package is whose.
 *
 * The project itself is never among what is taken.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/digest.h"
#include "../../doc/node.h"
#include "marker.h"

/* Does the name, with or without a path, tell that it is such a file? */
bool tool_lock_is_name(struct str path);

struct tool_lock {
    struct doc doc;
    struct str folder; /* that it stands in, from the recipe's; "." */
};
/* `file` is its path from the recipe's folder. */
int tool_lock_parse(struct tool_lock *out, struct str text, struct str file,
                    struct err *e) MUST_CHECK;
void tool_lock_clear(struct tool_lock *lock);
/* The version of a project, where all packages of that name (normalised) have the same but for a
 * local label; else empty. */
struct str tool_lock_version(const struct tool_lock *lock, struct str name);

struct tool_lock_choice {
    const struct marker_env *env;
    bool guess; /* the third number of its Python is not known: that Python does not fit is not told
                 */
    const struct node *extras, *groups; /* lists of texts; NULL: nobody said */
    struct pos pos;                     /* who chooses, for faults that are not of a line */
};

/* One package, as a requirement. */
struct tool_lock_pick {
    struct str name;    /* normalised */
    struct str version; /* empty where it is not from an index */
    struct str text;    /* "x==1.0", or "x @ " and an address or a path from the recipe's folder */
    struct str index;   /* the address it is from; empty: the file does not say, or not from one */
    struct pos pos;     /* of its version */
    struct VEC_OF(struct digest) hashes; /* of its files; empty: the file does not tell all */
};
struct tool_lock_picks VEC_OF(struct tool_lock_pick);

/* What is for the target, in the order of the file; texts live in `a`. ERR_INPUT with its place for
 * an extra or group that the file does not have, for those that exclude each other, for none of
 * those where somebody must say so, and for two packages of one name. */
int tool_lock_choose(struct tool_lock_picks *out, struct arena *a, const struct tool_lock *lock,
                     const struct tool_lock_choice *choice, struct err *e) MUST_CHECK;
void tool_lock_picks_clear(struct tool_lock_picks *picks);
