/* cmd/machine.h - which machine a command speaks of: this one, one below a folder, or one that the
 * command line names by its driver and its GPUs. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../doc/node.h"
#include "../host/container_setup.h"
#include "../host/verdict.h"
#include "session.h"

struct machine_args {
    const char *driver, *root, *arch;
    struct strs gpus; /* as given */
};

struct machine {
    struct probe probe;
    struct container_setup plumbing;
    bool probed; /* the machine was asked, not the command line */
    struct host host;
};

/* Its options, for the first rows of a command's own. */
enum { MACHINE_OPTS = 4 };
void machine_opts(struct opt *out, struct machine_args *a);

/* A branch (`--driver R550`) means two machines, with its oldest and its newest release of the
 * catalog. */
enum { MACHINE_RELEASES = 2 };
struct machine_releases {
    struct arena arena;                         /* owns the texts of `args` */
    struct machine_args args[MACHINE_RELEASES]; /* borrow the GPUs */
    const char *names[MACHINE_RELEASES];        /* "R550, oldest"; NULL where no branch was named */
    size_t n;                                   /* 1, or 2 for a branch */
};
void machine_releases(struct machine_releases *out, const struct catalog *c,
                      const struct machine_args *a);
void machine_releases_clear(struct machine_releases *r);

/* What is named is judged; without a name this machine is, or the one below --root. */
int machine_find(struct machine *m, const struct session *s, const struct catalog *c,
                 const struct machine_args *a, struct err *e) MUST_CHECK;
void machine_clear(struct machine *m);

/* Why, as a list of a map's member "reasons". */
void machine_put_reasons(struct doc *d, struct node *map, const struct judgement *j);
/* What was found, into a map of its own, for --json. */
void machine_put(struct doc *d, struct node *host, const struct machine *m);
