/* plan/ignore.h - which files `files:` leaves out: patterns as a .dockerignore has them.
 *
 * Docker's rules (moby/patternmatcher, docs.docker.com/build/concepts/context): one pattern a line,
 * relative to the folder, "#" in front is a comment. "*" is anything but "/", "?" one such
 * character, "[a-z]" one of a set, "**" any number of folders, "\" takes the next character as it
 * is. What matches a folder matches all below it. "!" takes back what earlier lines left out; the
 * last line that matches decides.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/arena.h"
#include "../base/err.h"
#include "../base/vec.h"

enum { IGNORE_PATTERN_MAX = 4096, IGNORE_FILE_MAX = 1 << 20 };

enum ignored {
    IGNORE_NOT,  /* no pattern says anything of it */
    IGNORE_BACK, /* a pattern with "!" takes it */
    IGNORE_BUILT_IN,
    IGNORE_OWN, /* by a pattern of .dockerignore or of the recipe */
};

struct ignore_piece; /* of a pattern */

struct ignore_rule {
    struct ignore_piece *pieces;
    size_t n;
    bool back, built_in;
};

struct ignore {
    struct arena arena;
    struct VEC_OF(struct ignore_rule) rules;
    bool takes_back; /* some rule has "!", so a folder that is left out may hold what is not */
};

/* What is never meant to be in an image: .git, .env, caches of Python and Jupyter, SSH keys and
 * files of passwords. */
void ignore_add_built_in(struct ignore *g);
/* One pattern; empty is none. ERR_INPUT for one that is not well formed. */
int ignore_add(struct ignore *g, struct str pattern, struct err *e) MUST_CHECK;
/* All lines of a .dockerignore; `name` is it in errors, with the line. */
int ignore_add_lines(struct ignore *g, struct str text, const char *name, struct err *e) MUST_CHECK;
/* `path` is relative and clean. */
enum ignored ignore_find(const struct ignore *g, struct str path);
void ignore_clear(struct ignore *g);
