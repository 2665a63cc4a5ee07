/* fetch/git_parts.h - what the files git*.c share; nobody else includes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/buf.h"
#include "git.h"

/* A repository of ours, without files, into which others are fetched. */
struct git_repo {
    const struct git_means *means; /* borrowed */
    char *dir;                     /* owned */
    struct str url;                /* where it is fetched from; borrowed */
    bool file;                     /* that may be a folder of this machine */
};
int git_repo_open(struct git_repo *out, const struct git_means *means, const char *dir,
                  struct str url, bool file, struct err *e) MUST_CHECK;
void git_repo_clear(struct git_repo *r);

/* `args` is ended by NULL. What git prints is appended to `out`; with `remote` it is what the other
 * side says, ERR_NET where that fails, and its errors are in it, too. */
int git_run(struct buf *out, const struct git_repo *r, bool remote, const char *const *args,
            struct err *e) MUST_CHECK;
/* The arguments of `git` for git_repo `r`, without the words of a command. */
void git_arguments(struct names *argv, const struct git_repo *r);
void git_environment(struct names *env, const struct git_repo *r);
/* Of our variables those that do not make git another one. */
void git_inherit(struct names *env);
#define GIT_MISSING "there is no program git, which fetches git+... addresses; install git"

/* Bring a commit, and with `shallow` nothing before it. */
int git_fetch_commit(const struct git_repo *r, struct str commit, bool shallow,
                     struct err *e) MUST_CHECK;

/* The tar, to `out`. `dir` is a folder for repositories of submodules. */
int git_archive(struct sink *out, const struct git_repo *r, const char *dir, struct str name,
                struct str commit, const struct strs *tags, struct err *e) MUST_CHECK;
