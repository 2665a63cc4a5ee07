/* fetch/git_tree.h - a folder that a person works in, as git sees it.
 *
 * git reads it with the settings of its user, but without hooks, file system monitors and variables
 * of its own, and it looks into no file: no filter of the repository runs.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/buf.h"
#include "../base/event.h"
#include "../base/vec.h"

/* Is `dir` in a work tree, by a ".git" in it or above it? */
bool git_tree_is(const char *dir);
/* The files and links below `dir` that git has or does not ignore, those of submodules too: paths
 * from `dir`, by byte, each once. Some of them may not be there any more. `events` may be NULL.
 * ERR_INPUT with what git says, ERR_SYSTEM without git. */
int git_tree_list(struct names *out, const char *dir, const struct events *events,
                  struct err *e) MUST_CHECK;
/* Append the version of the commit as setuptools-scm's defaults have it: "1.2.0" of a tag v1.2.0,
 * "1.2.1.dev3+g0123456" three commits behind it, "0.1.dev4+g0123456" of the fourth where there is
 * no tag. What is not committed counts nothing. False, and nothing appended, where there is none.
 */
bool git_tree_version(struct buf *out, const char *dir, const struct events *events);
