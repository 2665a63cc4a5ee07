/* serve/watch.h - who fetches, how far, and how fast. For several threads at once.
 *
 * A machine is an address. How much of an answer has arrived is asked of the kernel, which knows
 * what the other side has acknowledged (tcpi_bytes_acked of TCP_INFO).
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/vec.h"

struct watch; /* opaque */

struct watch_row {
    char peer[64];   /* address */
    char agent[32];  /* what it fetches with: "docker/20.10.24" */
    bool delta;      /* what it fetches now is one */
    uint64_t got;    /* bytes of blobs, archives and deltas that arrived, of what it fetches now */
    uint64_t want;   /* bytes that this is going to be, at most; what it has already is left out */
    uint64_t rate;   /* bytes a second, over the last seconds */
    unsigned active; /* answers on their way */
    bool cut;        /* the last one ended early */
};
struct watch_rows VEC_OF(struct watch_row);

struct watch_sum {
    size_t machines, done;
    size_t deltas;       /* machines to which one went */
    uint64_t sent, rate; /* bytes; bytes a second */
    uint64_t left;       /* bytes that those who fetch now still want */
};

struct watch *watch_open(void);
void watch_free(struct watch *w);

enum watch_kind { WATCH_IMAGE, WATCH_DELTA };

/* That machine is about to fetch `size` bytes in all; the same `what` again changes nothing. */
void watch_wants(struct watch *w, const char *peer, struct str agent, enum watch_kind kind,
                 struct str what, uint64_t size);
/* `len` bytes begin to go to it by the socket `fd`, which stays open until watch_end(). */
void *watch_begin(struct watch *w, const char *peer, struct str agent, int fd, uint64_t len);
void watch_end(struct watch *w, void *transfer, bool whole);
/* To be called about once a second, for the rates. */
void watch_tick(struct watch *w, uint64_t now_ms);

/* All machines that fetched something, the one that came first first. */
void watch_rows(struct watch_rows *out, struct watch *w);
void watch_sum(struct watch_sum *out, struct watch *w);
bool watch_is_done(const struct watch_row *r);
