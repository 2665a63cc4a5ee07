/* serve/deltas.h - what turns an image of the shelf into another one of it, for machines that have
 * the first.
 *
 *     /delta/NAME[:TAG]?have=sha256:DIGEST
 *
 * TAG is "latest" where it is left out; DIGEST is the manifest's or the config's of the image that
 * is there, or was there before. Each is made when it is first asked for, by a thread of its own,
 * one at a time: until then the answer is 503, with a time to ask again. It stays in a file without
 * a name.
 *
 * Of an image that is made straight from a lock there is none: a delta reads both images whole,
 * some parts of them several times and from the middle on, from a place that has their blobs
 * (oci/stored.h), and such an image lies in none; nor does a lock tell what it named before.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/event.h"
#include "../base/fs.h"
#include "shelf.h"

enum { DELTAS_MAX = 16 }; /* at most so many in one server's life */

struct deltas_images VEC_OF(struct stored *);

struct deltas_how { /* all is borrowed, and `ctx` */
    const struct shelf *shelf;
    const struct deltas_images *before; /* what is not handed out any more, but may be had */
    /* Write the delta into a file that is made for it. Not on the main thread. */
    int (*make)(struct fs_temp *out, uint64_t *size, const struct stored *old,
                const struct stored *new, void *ctx, struct err *e);
    void *ctx;
};

/* To be cleared after the server; waits for what is being made. */
struct deltas *deltas_open(const struct deltas_how *how);
void deltas_clear(struct deltas **d);

bool deltas_is(struct str path);
/* Of such a path. From several threads at once. */
void deltas_answer(struct httpd_answer *out, struct deltas *d, const struct httpd_ask *ask);
