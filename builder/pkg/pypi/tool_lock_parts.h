/* pkg/pypi/tool_lock_parts.h - what the files tool_lock*.c share; nobody else includes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../doc/field.h"
#include "tool_lock.h"

/* A file that is being chosen from. */
struct choosing {
    const struct tool_lock *lock;
    const struct node *root;
    const struct tool_lock_choice *choice;
    struct strs extras, groups; /* chosen; normalised */
    struct arena *arena;
    struct tool_lock_picks *out;
    struct err *e;
};

/* tool_lock_uv.c, tool_lock_poetry.c, tool_lock_pylock.c: faults go to in->e. */
void tool_lock_uv(struct choosing *in);
void tool_lock_poetry(struct choosing *in);
void tool_lock_pylock(struct choosing *in);

/* tool_lock.c: the rest. */

/* Choose of `known` what the recipe names under `key` ("extras"). */
void choose_names(struct choosing *in, const char *key, const struct node *asked,
                  const struct strs *known, struct strs *out);
/* Names of extras or groups, normalised: the keys of a map, or the texts of a list. */
void add_names(struct choosing *in, struct strs *out, const struct node *from);
/* Tell that of these the recipe must name under `key` which are meant, if any. */
void tell_ambiguous(struct choosing *in, const char *key, const struct strs *names);
/* Does the marker, which may be NULL, hold? A faulty one is told, and does not. */
bool marker_holds(struct choosing *in, const struct node *marker);
/* Does it hang on extras or groups? */
bool marker_hangs(struct choosing *in, const struct node *marker);
/* Tell where the target's Python does not fit. What is no set of specifiers fits. */
void check_python(struct choosing *in, const char *key, const struct node *specifiers);

/* Of the markers under `key` of the file one must hold, if there are any. */
void check_environments(struct choosing *in, const char *key);

/* Begin the pick of a package: its name, version (text or NULL) and place. NULL: it has no name. */
struct tool_lock_pick *add_pick(struct choosing *in, const struct node *package);
/* What it is: of an index, or of an address or path (from the lock's folder). */
void pick_version(struct choosing *in, struct tool_lock_pick *p, struct str index);
void pick_address(struct choosing *in, struct tool_lock_pick *p, struct str address);
void pick_path(struct choosing *in, struct tool_lock_pick *p, struct str path);
/* "git+ADDRESS@COMMIT", with a folder in it unless that is empty. */
void pick_git(struct choosing *in, struct tool_lock_pick *p, struct str address, struct str commit,
              struct str folder);
/* A file of it that hashes as "sha256:..." says; an empty text: nobody knows, so any will do. */
void pick_hash(struct choosing *in, struct tool_lock_pick *p, const struct node *file,
               struct str text);
