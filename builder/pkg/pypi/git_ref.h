/* pkg/pypi/git_ref.h - an address of a git repository, as pip writes it (pip's documentation, "VCS
 * Support"):
 *
 *     git+https://host/x.git@REF#subdirectory=packages/x
 *
 * git+https, git+http, git+ssh, git+git and git+file. REF is a branch, a tag, a commit, or a full
 * name as refs/pull/1/head; without one it is what the repository's HEAD names.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/arena.h"
#include "../../base/err.h"

/* Views into the text. */
struct git_ref {
    struct str url;    /* for git: "https://host/x.git" */
    struct str ref;    /* empty: HEAD */
    struct str folder; /* where the project stands; empty: the top */
};

bool git_ref_is(struct str url); /* "git+..." */
/* ERR_INPUT for what git could read as an option or a program, for a password, which a lock would
 * keep, and for what is not known. */
int git_ref_parse(struct git_ref *out, struct str url, struct err *e) MUST_CHECK;
/* A branch's, tag's or commit's name. */
bool git_ref_is_name(struct str s);
/* A commit's whole name: 40 small hexadecimal digits. */
bool git_ref_is_commit(struct str s);
/* May git be given that address? Those of submodules are foreign. "https", "http", "ssh", "git",
 * and with `file` that. */
bool git_ref_may_fetch(struct str url, bool file);
