/* SPDX-License-Identifier: Apache-2.0 */
#include "event.h"

#include <time.h>

PRINTF(3, 0)
static void say(const struct events *to, enum event_kind kind, const char *fmt, va_list args)
{
    struct buf text = {0};

    buf_vfmt(&text, fmt, args);
    events_emit(to, &(struct event){.kind = kind, .name = text.p});
    buf_clear(&text);
}

void events_warn(const struct events *to, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say(to, EVENT_WARNING, fmt, args);
    va_end(args);
}

void events_note(const struct events *to, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say(to, EVENT_NOTE, fmt, args);
    va_end(args);
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Milliseconds since the first call. */
PRINTF(2, 0)
static uint64_t wait_more(struct wait *w, const char *fmt, va_list args)
{
    enum { PATIENCE_MS = 1000 };
    uint64_t now = now_ms();

    w->since_ms = w->since_ms ? w->since_ms : now;
    if (!w->told && now - w->since_ms >= PATIENCE_MS) {
        say(w->events, EVENT_WAIT, fmt, args);
        w->told = true;
    }
    return now - w->since_ms;
}

void wait_tell(struct wait *w, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    wait_more(w, fmt, args);
    va_end(args);
}

int wait_nap(struct wait *w, struct err *e, const char *fmt, ...)
{
    enum { LONGEST_MS = 50 };
    va_list args;
    uint64_t waited, nap;

    va_start(args, fmt);
    waited = wait_more(w, fmt, args);
    va_end(args);
    if (events_cancelled(w->events))
        return err_set(e, ERR_INTERRUPTED, "interrupted");
    nap = waited + 1 < LONGEST_MS ? waited + 1 : LONGEST_MS; /* most locks are free in no time */
    nanosleep(&(struct timespec){.tv_nsec = (long)nap * 1000000}, NULL);
    return 0;
}
