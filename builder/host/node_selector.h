/* host/node_selector.h - which nodes run an image, as bounds on the five numbers that a node tells
 * of itself: three of its driver's version, two of its GPU's compute capability. That is what the
 * selectors of a scheduler can compare.
 *
 * judge() decides, not this file: drivers and capabilities are cut wherever its answer can change,
 * each piece is judged, and the pieces that run, with or without limits, become terms. Three things
 * the numbers do not tell, and terms then ask for more than judge() does, never for less:
 * - the class of a GPU, so that an image's forward-compatibility package counts for nothing;
 * - which drivers will drive a GPU that the catalog does not know, or of which it knows no driver
 *   branch (Jetson modules): those count that drive the nearest older one;
 * - several GPUs of one node that differ: the labels of a node speak of one.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "verdict.h"

enum selector_number {
    SELECTOR_DRIVER_MAJOR, /* 550 of 550.54.15 */
    SELECTOR_DRIVER_MINOR,
    SELECTOR_DRIVER_REVISION, /* a driver may have none: 450.36 is before 450.36.06 */
    SELECTOR_COMPUTE_MAJOR,   /* 8 of 8.9 */
    SELECTOR_COMPUTE_MINOR,
    SELECTOR_NUMBERS,
};

/* The largest number that counts, in a version or as a bound; and what says that there is none. */
#define SELECTOR_MAX 9999U
#define SELECTOR_ANY UINT32_MAX

struct selector_bounds {
    uint32_t least, most; /* both included; 0 and SELECTOR_ANY: none */
};

/* A node fits a term when each of its numbers is within its bounds, and an image when it fits one
 * of its terms. */
struct selector_term {
    struct selector_bounds of[SELECTOR_NUMBERS];
};

struct node_selector {
    struct VEC_OF(
        struct selector_term) terms; /* oldest drivers first, then the least capabilities */
};

/* For an image with CUDA. Without a term no driver and GPU of which anybody knows runs it. */
void node_selector_for(struct node_selector *out, const struct facts *image,
                       const struct catalog *c);
/* The same for a driver alone: `oldest` or newer. */
void node_selector_for_driver(struct node_selector *out, struct str oldest);
void node_selector_clear(struct node_selector *w);

/* Two or three numbers between dots, none above SELECTOR_MAX? */
bool node_selector_takes(struct str text);
