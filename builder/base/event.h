/* base/event.h - how rooms report progress; cmd/ draws it. Rooms below cmd/ never print. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "err.h"

enum event_kind {
    EVENT_STEP,  /* `name` is what begins now, e.g. "resolve" */
    EVENT_PLAN,  /* item `name` of `task` is going to weigh `total` bytes of the step's whole; where
                    `name` is the task itself, all of its items together */
    EVENT_BEGIN, /* item `name` of `task` begins; `total` bytes, 0 when not known */
    EVENT_ADVANCE, /* `done` of its bytes are through, counted from its start */
    EVENT_END,     /* the item is finished */
    EVENT_WARNING, /* `name` is a sentence for the user */
    EVENT_NOTE,    /* `name` is a detail for -v, e.g. a retry */
    EVENT_WAIT,    /* `name` says who is waited for */
    EVENT_SAID,    /* `name` is the last line that the program of item `task` wrote, which runs for
                      `done` milliseconds; an empty one: it has ended */
};

struct event {
    enum event_kind kind;
    const char *task; /* "fetch", "assemble", "check", "write", "send", "index"; or NULL */
    const char *name; /* borrowed for the call */
    uint64_t done, total;
};

/* May be called from any thread; `emit` NULL means that nobody listens. Interrupting is polled
 * here too: a long-running loop asks events_cancelled() now and then and stops with
 * ERR_INTERRUPTED when it says true. */
struct events {
    void (*emit)(void *ctx, const struct event *event);
    bool (*cancelled)(void *ctx);
    void *ctx;
};

static inline void events_emit(const struct events *to, const struct event *event)
{
    if (to && to->emit)
        to->emit(to->ctx, event);
}

static inline bool events_cancelled(const struct events *to)
{
    return to && to->cancelled && to->cancelled(to->ctx);
}

/* A wait for another process. All-zero but for `events` at the start. */
struct wait {
    const struct events *events; /* borrowed, may be NULL */
    uint64_t since_ms;           /* the first call; 0 before it */
    bool told;
};
/* To be called again and again while waiting; after a second it emits EVENT_WAIT, once. */
void wait_tell(struct wait *w, const char *fmt, ...) PRINTF(2, 3);
/* The same, and sleep for some milliseconds; ERR_INTERRUPTED when cancelled. */
int wait_nap(struct wait *w, struct err *e, const char *fmt, ...) PRINTF(3, 4) MUST_CHECK;

void events_warn(const struct events *to, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void events_note(const struct events *to, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
