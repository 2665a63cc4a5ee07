/* fetch/git.h - one commit of a git repository as one file of the store, through the program git.
 *
 * The file is a tar of one folder: the files of the commit as git has them (no line ends are
 * changed, nothing is smudged), those of its submodules at their commits, and a ".git" for tools
 * that ask git for a version: the commits behind it, its files, an index without times, and of the
 * tags those that `git describe` could find: of each name before the first digit the nearest. All
 * is a function of commit and tags: no clock, no packing of git's own. Times are the commit's.
 *
 * git is run without configuration of the machine or the user, without hooks and prompts; ssh and
 * ~/.netrc know their keys themselves. Nothing of the repository is checked out or run. Files of
 * this machine are fetched for git+file:// alone, and never for a submodule.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../pkg/pypi/git_ref.h"
#include "../store/cas.h"

struct git_means {
    const struct cas *cas;
    bool offline;
    const struct events *events; /* may be NULL */
};

struct git_commit {
    struct str commit;    /* 40 hexadecimal digits */
    struct strs tags;     /* sorted; array and texts in an arena */
    struct digest digest; /* of the file, its size in bytes */
    uint64_t size;
};

/* What `ref` names now, or with *out filled in (a lock has it) that again; then the file is in the
 * store. `name` becomes the folder's. Texts go into `a`. ERR_NET for what git says of the other
 * side and for what is not here offline; ERR_INPUT for what the repository has; ERR_INTEGRITY where
 * the same commit is another file now; ERR_SYSTEM without git. */
int git_get(struct git_commit *out, struct arena *a, const struct git_means *means,
            const struct git_ref *ref, struct str name, struct err *e) MUST_CHECK;
