/* model/fleet.h - a fleet: the machines that somebody has, as a document.
 *
 *     envbuild_fleet: 1
 *     machines:
 *       - {name: lab, driver: "535.104.05", gpu: RTX 4090, count: 8}
 *       - {driver: 550.54.15, gpus: [A100, L4]}
 *
 * Each names its driver and its GPUs, as driver_read() and catalog_gpu() take them; `count` says
 * how many there are alike, `arch` the processor where the GPU is sold with several.
 * fleet.schema.json tells editors.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "catalog.h"

enum { FLEET_MACHINES_MAX = 500, FLEET_COUNT_MAX = 1000000 };

struct fleet_machine {
    struct str name; /* "machine 2" for the second of the list, where none is given */
    struct str driver;
    struct str arch; /* of its processor, "arm64"; empty when it is not told */
    struct VEC_OF(struct catalog_gpu) gpus; /* at least one */
    uint32_t count;                         /* at least 1 */
};

struct fleet {
    struct doc doc;                               /* owns the texts */
    struct VEC_OF(struct fleet_machine) machines; /* at least one */
};

/* All faults at once, each with its place. Names of GPUs live as long as the catalog. */
int fleet_read(struct fleet *out, const char *path, const struct catalog *c,
               struct err *e) MUST_CHECK;
/* The same of a text; `file` is its name for messages. */
int fleet_parse(struct fleet *out, struct str text, const char *file, const struct catalog *c,
                struct err *e) MUST_CHECK;
void fleet_clear(struct fleet *f);
