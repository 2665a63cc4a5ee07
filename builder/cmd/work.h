/* cmd/work.h - what commands that deal with a recipe share: its files, its lock, and the handles.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../model/lock.h"
#include "../model/lock_compare.h"
#include "../model/recipe.h"
#include "../net/http.h"
#include "../plan/choices.h"
#include "../plan/pins.h"
#include "../fetch/pages.h"
#include "../store/cas.h"
#include "../store/memo.h"
#include "config.h"
#include "session.h"

struct work {
    char *recipe_path, *lock_path,
        *dir;            /* owned; "x.yaml", "x.lock", and the folder of the first */
    char *operand;       /* owned; "x.yaml", or "x.yaml --cell variant=devel" */
    char *root;          /* owned; the folder's absolute path */
    struct work *lender; /* whose store and network these are; NULL: own */
    struct recipe recipe;
    struct lock lock;
    bool has_lock;
    struct lock now;        /* what work_changes() found of the recipe as it stands */
    struct choices choices; /* of the last work_resolve() */
    struct config config;
    struct auth auth;
    char *index; /* owned; the command line's, without user and password; NULL: none */
    struct cas *cas;
    /* What the store remembers, by kind. */
    struct memo *layers, *linkage, *page_memo, *metadata, *outputs;
    struct http *http; /* offline it reads nothing but local files */
    struct pages *pages;
};

/* Read the recipe, and its lock if there is one; open the store. `cell` (NULL: none) names one cell
 * of a recipe with `matrix` by some of its values; its lock is "x.d/CELL.lock". */
int work_open(struct work *w, struct session *s, const char *recipe, const char *cell,
              struct err *e) MUST_CHECK;
/* Say that locks are there of cells that the recipe's matrix has no longer; they stay until a
 * person removes them. */
int work_tell_stale(struct session *s, const char *recipe, struct err *e) MUST_CHECK;
/* Is a recipe meant: by its name, or because there is such a file? */
bool work_is_recipe(const char *operand);
/* One that has a lock, which is read from `path`, and no recipe; opens the way to the network, too.
 */
int work_open_lock(struct work *w, struct session *s, const char *path, struct err *e) MUST_CHECK;
/* One that has no recipe, but lends its store and its network to others, so that all of them ask an
 * index once. It stays where it is. */
int work_open_lender(struct work *w, struct session *s, struct err *e) MUST_CHECK;
void work_borrow(struct work *w, struct work *lender); /* before work_open() */
/* The same of a recipe that stands in no file: it has no lock, and files are below the working
 * folder. `name` is for messages. */
int work_open_text(struct work *w, struct session *s, struct str recipe, const char *name,
                   struct err *e) MUST_CHECK;
/* Open the way to the network; with s->offline only the store answers. `index` (NULL: PyPI) is
 * asked for recipes that name none. */
int work_connect(struct work *w, struct session *s, const char *index, struct err *e) MUST_CHECK;
/* The user's, read by work_connect(). */
const struct config *work_config(const struct work *w);
void work_clear(struct work *w);

/* Is the lock that of the recipe as it stands? Otherwise `words` says what changed. */
int work_changes(struct work *w, struct buf *words, struct err *e) MUST_CHECK;
/* The same, but what the recipe's own files hold is no choice: a lock where nothing else changed
 * fits, and has taken that over, not written yet (lock_take_files()). Where there is no lock, none
 * fits. */
int work_fits(struct work *w, bool *fits, struct buf *words, struct err *e) MUST_CHECK;
/* What the lock says otherwise than its recipe and artifacts give: `old` is what they give, `now`
 * what the lock has. Nobody is asked. */
int work_compare(struct work *w, struct session *s, struct lock_differences *out,
                 struct err *e) MUST_CHECK;
/* "work folder is "/x" and not "/workspace"" */
void work_say_difference(struct buf *out, const struct lock_difference *d);
/* All of them in one line. */
void work_say_differences(struct buf *out, const struct lock_differences *all);
/* The lock is of an envbuild that did not derive as this one: tell what differs. */
void work_warn_older(const struct work *w, struct session *s, const struct lock_differences *all);
/* Did the envbuild that wrote the lock derive as this one does? Else differences are no edits. */
bool work_derives_alike(const struct work *w);
/* Choose anew, keeping of an older lock what `pins` says. */
int work_resolve(struct work *w, struct session *s, const struct pins *pins, struct lock *out,
                 struct err *e) MUST_CHECK;
/* It becomes w->lock, not written yet. */
void work_take_lock(struct work *w, struct lock *lock);
int work_write_lock(struct work *w, struct err *e) MUST_CHECK;
/* What was chosen of what was asked for, a line each; after a lock is written. */
void work_tell_choices(const struct work *w, struct session *s);
