/* serve/serve.h - a shelf of images, handed out by HTTP: what each path gives, and who fetches. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "gate.h"
#include "shelf.h"
#include "watch.h"

struct serve; /* opaque */

/* All is borrowed, until serve_clear(). */
struct serve_how {
    const struct shelf *shelf;
    struct str host;                /* "192.168.1.7:5000": by what the room reaches it */
    const struct server_cert *cert; /* NULL: plain HTTP */
    struct gate *gate;              /* NULL: whoever asks may have all */
    unsigned threads;
};

/* Begin, at the listening socket, which becomes the server's. */
int serve_open(struct serve **out, const struct serve_how *how, struct fd *socket,
               struct err *e) MUST_CHECK;
/* The room reaches it by another address now. */
void serve_move(struct serve *s, struct str host);
/* To be called about once a second, with a clock that began at any time. Ends the answers of files
 * that were changed. Appends what the terminal is to be told, lines with their ends: that of a
 * file, once each, and what to try where for a minute nobody has asked for anything. */
void serve_tick(struct serve *s, uint64_t now_ms, struct buf *say);
void serve_sum(struct watch_sum *out, struct serve *s);
void serve_clear(struct serve **s); /* cuts off whoever still fetches */
