/* plan/pypi/problem.h - what one search for Python projects knows so far, and what it never changes
 * its mind about: projects, who needs what, which candidates fit a requirement.
 *
 * Decisions and undoing them are solve_pypi.c's; this only asks the universe, once each.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/map.h"
#include "solve_pypi.h"

#define PYPI_NONE UINT32_MAX /* no candidate, no node */

/* A set of candidates of one project, by index; one bit each. */
struct bits {
    uint64_t *v;
    size_t n; /* words */
};
bool bits_has(struct bits b, uint32_t i);
void bits_add(struct bits b, uint32_t i);
bool bits_any(struct bits b);
void bits_and(struct bits b, struct bits other);
void bits_less(struct bits b, struct bits other); /* take away */
void bits_or(struct bits b, struct bits other);

/* A project by its name. */
struct known {
    struct str name;
    const struct project *project; /* NULL: on no index */
    bool direct;                   /* bound by a URL in the recipe: */
    struct str url;                /* as written there */
    uint32_t n;                    /* candidates */
    uint32_t preferred;            /* candidate to try first, or PYPI_NONE */
    struct bits final, yanked, broken;
    struct bits constraint; /* what the constraints admit */
    bool constraint_pre, constraint_pins;
    struct map fits; /* text of a specifier set -> struct bits * */
    const struct metadata **metadata;
    struct str *faults; /* of broken candidates */
};

/* One side of a dependency: a node is needed, with these versions. */
struct need {
    uint32_t node;
    const struct requirement *requirement; /* NULL: exactly candidate `only` */
    uint32_t only;                         /* else PYPI_NONE */
    struct bits fits;
    struct str label;               /* who of the user's asks; empty for dependencies */
    bool pre, pins, bounds, refers; /* names a pre-release, ==, an upper bound, another URL */
};

struct needs VEC_OF(const struct need *);

/* A project, or a project with extras: what the search decides on. */
struct node {
    struct known *of;
    uint32_t base; /* the node without extras; itself when it has none */
    struct strs extras;
    struct str id;        /* "name[a,b]" */
    uint32_t order;       /* place among the user's requests, or PYPI_NONE */
    unsigned conflicts;   /* how often it was met undecided in one */
    struct needs **needs; /* by candidate, once asked */
};

struct problem {
    const struct pypi_want *want;
    const struct pypi_universe *universe;
    struct arena arena;
    struct VEC_OF(struct known *) known;
    struct VEC_OF(struct node *) nodes;
    struct map by_id, by_name;
    struct needs roots;
};

/* Read the wishes: roots (those for extras last), preferences and constraints. */
int problem_open(struct problem *w, const struct pypi_want *want,
                 const struct pypi_universe *universe, struct err *e) MUST_CHECK;
void problem_clear(struct problem *w);

/* What candidate `c` of a node needs; *out = NULL when the candidate is broken, see known->faults.
 */
int problem_needs(struct problem *w, uint32_t node, uint32_t c, const struct needs **out,
                  struct err *e) MUST_CHECK;
/* Does a set of specifiers admit that version of a project? "==2.6.0+cu124" admits torch 2.6.0
 * where want->build says that this is the same. */
bool problem_admits(const struct problem *w, struct str name, const struct specifiers *set,
                    const struct pep440 *version);
/* Tell the universe what the search will probably ask, as far as one can tell before it begins. */
int problem_warm(struct problem *w, struct err *e) MUST_CHECK;
/* An empty set for the candidates of `k`, in the heap; bits_clear frees it. */
struct bits problem_bits(const struct known *k);
void bits_clear(struct bits *b);
