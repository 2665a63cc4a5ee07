/* SPDX-License-Identifier: Apache-2.0 */
#include "pace.h"

#include <pthread.h>
#include <sys/random.h>

#include "http_parts.h"

struct pace {
    pthread_mutex_t lock;
    int64_t until_ms;   /* nobody asks before */
    int64_t refused_ms; /* the last refusal; 0: none */
    unsigned refusals;  /* in a row */
};

struct pace *pace_open(void)
{
    struct pace *p = xcalloc(1, sizeof *p);

    pthread_mutex_init(&p->lock, NULL);
    return p;
}

void pace_clear(struct pace **p)
{
    if (!*p)
        return;
    pthread_mutex_destroy(&(*p)->lock);
    free_clear(p);
}

uint32_t http_jitter(uint32_t pause)
{
    uint32_t number = 0;

    if (getrandom(&number, sizeof number, GRND_NONBLOCK) != sizeof number)
        return 0;
    return number % (pause / 4 + 1);
}

static int64_t due(struct pace *p)
{
    int64_t until;

    pthread_mutex_lock(&p->lock);
    until = p->until_ms;
    pthread_mutex_unlock(&p->lock);
    return until;
}

int pace_wait(struct pace *p, const struct events *events, struct err *e)
{
    struct wait wait = {.events = events};
    int64_t until = 0, own = 0;

    for (int64_t now = now_ms(), next = due(p); now < next || now < own; now = now_ms()) {
        if (next != until) /* a refusal since */
            own = next + http_jitter((uint32_t)(next > now ? next - now : 0));
        until = next;
        if (wait_nap(&wait, e, "waiting, for the server wants fewer requests") < 0)
            return -1;
        next = due(p);
    }
    return 0;
}

void pace_answered(struct pace *p, const struct http_options *o, bool refused, int64_t begun_ms,
                   uint32_t retry_after_s)
{
    int64_t now = now_ms(), until;

    pthread_mutex_lock(&p->lock);
    if (begun_ms >= p->refused_ms)
        p->refusals = refused ? p->refusals + 1 : 0;
    if (refused) {
        until = now + http_pause_ms(o, p->refusals ? p->refusals : 1, retry_after_s);
        p->until_ms = until > p->until_ms ? until : p->until_ms;
        p->refused_ms = now;
    }
    pthread_mutex_unlock(&p->lock);
}
