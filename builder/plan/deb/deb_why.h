/* plan/deb/deb_why.h - why debs cannot be installed, as a short chain in the user's words.
 *
 * "exim4-daemon-light" and "postfix" cannot be installed together: postfix conflicts with
 * mail-transport-agent, which exim4-daemon-light provides; drop one of them
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/map.h"
#include "../../pkg/deb/debindex.h"

/* What the solver knows and decided about one name. */
struct deb_mark {
    const struct deb_package
        *candidate;                  /* the version that would be taken; NULL: name is virtual */
    const struct deb_package *taken; /* candidate once it is marked, else NULL */
    const char *group;
    bool requested, parsed;
    bool firm;        /* asked for, or the only way to satisfy what is firm: never given up again */
    bool reached;     /* by sweep(), or by follow_suite() before */
    unsigned busy;    /* how often its needs are being settled right now */
    struct str asked; /* the want's own words, when requested */
    struct deb_mark *because;           /* whose dependency brought it in; NULL when requested */
    const struct relation_group *needs; /* Pre-Depends, then Depends */
    size_t needs_n;
    struct deb_refusal *refuses; /* what it conflicts with or breaks */
};

/* One Conflicts or Breaks entry: listed with its owner, and under the name that it is against. */
struct deb_refusal {
    struct deb_mark *owner;
    const struct deb_package *of; /* the owner's version that says so */
    const struct relation *against;
    bool breaks; /* rather than conflicts with */
    struct deb_refusal *next_of_owner, *next_of_name;
};

struct deb_scene { /* all borrowed */
    const struct debindex *index;
    const struct map *marks; /* name to struct deb_mark */
    const char *universe;    /* "debian-12" */
    const char *group;       /* that is being installed */
};

/* Append the whole sentence to `out`. */
void deb_why_clash(struct buf *out, const struct deb_scene *s, const struct deb_refusal *r,
                   const struct deb_mark *other);
/* Nothing satisfies what `who` needs. */
void deb_why_unmet(struct buf *out, const struct deb_scene *s, const struct deb_mark *who,
                   const struct relation_group *g);
/* "1.2, 1.1 and 3 others", from `p` on. */
void deb_why_versions(struct buf *out, const struct deb_package *p);
