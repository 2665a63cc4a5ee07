/* plan/resolve_parts.h - what the files resolve*.c share; nobody else includes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "requirements.h"
#include "resolve.h"
#include "toolkit/toolkit.h"
#include "pypi/torch_index.h"

/* Everything that is decided before the network is asked, for the recipe at hand. */
struct plans {
    struct torch_index torch;
    struct toolkit_plan toolkit;
    struct requirements reqs;
    struct strs libraries; /* versions in the archive of base->toolkit.libraries; texts in arena */
    struct arena arena;
};

/* resolve.c: an artifact with all its texts in `a`. */
struct artifact artifact_keep(struct arena *a, const struct artifact *from);
/* All artifacts of one kind, as the older lock has them. */
void artifacts_take_over(struct lock *lock, const struct lock *old, enum ecosystem eco);

/* resolve_recipe.c: what the recipe and its local files decide alone; see resolve_recipe(). What is
 * left out of `files`, and what is new to who chooses at `now`, is told, unless `events` is NULL.
 */
int resolve_recipe_part(struct lock *out, const struct recipe *r, const struct requirements *reqs,
                        const char *dir, unsigned format, int64_t now, const struct events *events,
                        struct err *e) MUST_CHECK;

/* Who owns what is put into the image; `key` names it in messages. 0 and 0 where nobody is named.
 */
int resolve_owner(uint32_t *uid, uint32_t *gid, const struct recipe *r, const char *key,
                  const struct value *owner, unsigned format, struct err *e) MUST_CHECK;

/* resolve_downloads.c: files by their addresses: what the older lock has stays while its address is
 * the recipe's, others are fetched. */
int resolve_downloads(struct lock *lock, const struct resolve_input *in, struct err *e) MUST_CHECK;
/* The same from the older lock, as it is. */
void resolve_downloads_again(struct lock *lock, const struct resolve_input *in);
/* Where they go and whose they are, when lock->folders is known. */
int resolve_places(struct lock *lock, const struct recipe *r, struct err *e) MUST_CHECK;

/* resolve_image.c: the settings of the image, and whose its folders are. */
int resolve_image(struct lock *lock, const struct resolve_input *in, struct err *e) MUST_CHECK;
/* The shell that the image will have, if any. */
struct str resolve_shell(const struct lock *lock, const struct resolve_input *in);
/* Warn of the recipe's variables that name what the image will not have. */
void resolve_tell_env(const struct lock *lock, const struct recipe *r, const struct events *events);

/* resolve_debs.c: the groups of packages, and lock->python_full. */
int resolve_debs(struct lock *lock, const struct resolve_input *in, struct plans *plans,
                 struct err *e) MUST_CHECK;
/* All packages again with the distribution's toolkit among them, where that is asked for: what
 * stands in for some of it is known only when the wheels are. */
int resolve_toolkit_debs(struct lock *lock, const struct resolve_input *in, struct plans *plans,
                         struct err *e) MUST_CHECK;
/* The same from the older lock, as it is. */
int resolve_debs_again(struct lock *lock, const struct resolve_input *in, struct err *e) MUST_CHECK;
void resolve_stand_ins_again(struct lock *lock, const struct resolve_input *in,
                             struct plans *plans);
/* resolve_wheels.c: Python's packages, those of all variants and what the variant adds. */
int resolve_wheels(struct lock *lock, const struct resolve_input *in, struct plans *plans,
                   struct err *e) MUST_CHECK;
/* The wheels of the older lock; which of them the recipe names is found anew. */
int resolve_wheels_again(struct lock *lock, const struct resolve_input *in, struct plans *plans,
                         struct err *e) MUST_CHECK;
/* resolve_archives.c: the toolkit as NVIDIA's archives, where that is asked for, and cuDNN's where
 * no wheel has its headers. */
int resolve_archives(struct lock *lock, const struct resolve_input *in, struct plans *plans,
                     struct err *e) MUST_CHECK;
