/* host/recommend.h - which image should these machines take? The newest PyTorch that runs on all of
 * them with all that PyTorch itself does; or else the fewest images, and who takes which; and what
 * one upgrade of a driver would buy.
 *
 * Offers are the builds that `envbuild init` takes and of which it is confirmed for which GPUs they
 * have code; the newest OFFERS_MAX, should there be more. judge() alone says what runs. A machine
 * takes what runs with all that PyTorch itself does where there is such an offer (a limit of
 * programs of one's own is told, with the newest offer that has none), and what lacks some of it
 * only where there is no other. Of the sets of fewest images that leave no such machine out, the
 * one with the newest PyTorch is taken, then with the newest second, and so on; each machine takes
 * the newest of the set.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "set_cover.h"
#include "verdict.h"

struct recommend_machine {
    struct str name; /* empty: there is but this one */
    const struct host *host;
    uint32_t count;
};

struct offer {
    struct str tag; /* "2.6.0-cuda12.4-cudnn9-runtime" */
    struct facts facts;
};

/* Why something that is newer, or that others take, is not for these machines. */
struct against {
    size_t offer;
    struct judgement why;
};

/* A build of which it is not confirmed for which GPUs it has code, and so no offer. */
struct passed {
    struct str tag;
    size_t before; /* the offer that is the next older */
};

/* Machines with the same driver, processor and GPUs: what is true of one is true of all. */
struct recommend_kind {
    struct VEC_OF(size_t) machines; /* positions in the input */
    const struct host *host;        /* of the first of them */
    uint64_t count;                 /* machines, with their counts */
    bool served;                /* false: nothing runs there, or of a GPU nobody knows what runs */
    size_t offer;               /* what it takes; when nothing runs, what comes nearest */
    size_t newest;              /* what it could take if it were alone; of those served */
    struct judgement judgement; /* of `offer` */
    bool has_free;              /* `offer` has limits, and `free` is the newest that has none */
    size_t free;
    struct VEC_OF(struct against) against;
};

struct recommend_upgrade {
    bool found;
    struct str driver;            /* this one or a newer one */
    struct str last;              /* the last branch that drives the GPUs; empty: no end is known */
    struct VEC_OF(size_t) kinds;  /* that are upgraded */
    uint64_t count;               /* machines in them */
    struct VEC_OF(size_t) offers; /* that all machines would take then, the newest first */
    struct str sentence;
};

struct recommendation {
    struct arena arena;                 /* owns the texts that are not the catalog's */
    struct VEC_OF(struct offer) offers; /* the newest first */
    struct VEC_OF(struct recommend_kind) kinds;
    struct VEC_OF(size_t) images;             /* offers that are taken, the newest first */
    struct VEC_OF(struct passed) unconfirmed; /* newer than the newest image */
    uint64_t count, served;                   /* machines */
    struct recommend_upgrade upgrade;
};

/* Hosts and catalog must outlive the result. */
void recommend(struct recommendation *out, const struct recommend_machine *machines, size_t n,
               const struct catalog *c);
void recommendation_clear(struct recommendation *r);
