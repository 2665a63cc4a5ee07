/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

enum {
    SAMPLES = 6, /* one a second: a rate is that of the last five */
    MACHINES = 4096,
};

struct transfer {
    struct machine *machine;
    struct transfer *next;
    int fd;
    uint64_t len, base; /* acknowledged bytes of the connection before its first */
    bool behind;        /* a later one began, when of this had arrived */
    uint64_t then;      /* so many bytes */
};

struct machine {
    struct watch_row row;
    struct transfer *transfers;
    char what[160];  /* that it wants */
    bool delta;      /* one went to it */
    uint64_t ended;  /* bytes of answers that have ended, since the server began */
    uint64_t before; /* of these, those of what it fetched before */
    uint64_t sent[SAMPLES], at[SAMPLES]; /* bytes, milliseconds */
};

struct watch {
    pthread_mutex_t lock; /* over all below, and the files of transfers */
    struct VEC_OF(struct machine *) machines;
    unsigned sample;
};

struct watch *watch_open(void)
{
    struct watch *w = xcalloc(1, sizeof *w);

    pthread_mutex_init(&w->lock, NULL);
    return w;
}

void watch_free(struct watch *w)
{
    struct machine **m;

    if (!w)
        return;
    vec_each(m, &w->machines) {
        for (struct transfer *t = (*m)->transfers, *next; t; t = next) {
            next = t->next;
            free(t);
        }
        free(*m);
    }
    vec_clear(&w->machines);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

/* ---- how far ---- */

static uint64_t acknowledged(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ? 0 : info.tcpi_bytes_acked;
}

static uint64_t arrived(const struct transfer *t)
{
    uint64_t now = acknowledged(t->fd), n = now > t->base ? now - t->base : 0;

    return n < t->len ? n : t->len;
}

/* Since the server began. */
static uint64_t sent_to(const struct machine *m)
{
    uint64_t sent = m->ended;

    for (const struct transfer *t = m->transfers; t; t = t->next)
        sent += arrived(t);
    return sent;
}

/* ---- machines ---- */

/* The program and its version: the first word, of what any log may hold. */
static void take_agent(struct machine *m, struct str agent)
{
    size_t n = 0;

    for (; n < agent.len && n < sizeof m->row.agent - 1; n++)
        if (!c_alnum(agent.p[n]) && !strchr("/.-_+", agent.p[n]))
            break;
    if (n) {
        memcpy(m->row.agent, agent.p, n);
        m->row.agent[n] = 0;
    }
}

/* NULL where there are too many to watch. */
static struct machine *machine(struct watch *w, const char *peer, struct str agent)
{
    struct machine **m, *found = NULL;

    vec_each(m, &w->machines)
        if (!strcmp((*m)->row.peer, peer))
            found = *m;
    if (!found && w->machines.n < MACHINES) {
        found = xcalloc(1, sizeof *found);
        snprintf(found->row.peer, sizeof found->row.peer, "%s", peer);
        vec_add(&w->machines, found);
    }
    if (found)
        take_agent(found, agent);
    return found;
}

static void want(struct machine *m, enum watch_kind kind, struct str what, uint64_t size)
{
    bool same = str_is(str_sub(what, 0, sizeof m->what - 1), m->what);

    if (same && (m->transfers || !watch_is_done(&m->row)))
        return;
    snprintf(m->what, sizeof m->what, STR_FMT, STR_ARG(what));
    m->row.delta = kind == WATCH_DELTA;
    m->delta |= m->row.delta;
    m->row.want = size;
    m->row.cut = false;
    m->before = sent_to(m);
}

void watch_wants(struct watch *w, const char *peer, struct str agent, enum watch_kind kind,
                 struct str what, uint64_t size)
{
    struct machine *m;

    pthread_mutex_lock(&w->lock);
    m = machine(w, peer, agent);
    if (m)
        want(m, kind, what, size);
    pthread_mutex_unlock(&w->lock);
}

void *watch_begin(struct watch *w, const char *peer, struct str agent, int fd, uint64_t len)
{
    struct transfer *t = NULL;
    struct machine *m;

    pthread_mutex_lock(&w->lock);
    m = machine(w, peer, agent);
    if (m) {
        for (t = m->transfers; t; t = t->next) {
            t->behind = true;
            t->then = arrived(t);
        }
        t = xcalloc(1, sizeof *t);
        *t = (struct transfer){
            .machine = m, .next = m->transfers, .fd = fd, .len = len, .base = acknowledged(fd)};
        m->transfers = t;
        m->row.active++;
        m->row.cut = false;
    }
    pthread_mutex_unlock(&w->lock);
    return t;
}

/* Who slept, or whose link was lost, comes by another connection: that the old one ends some time
 * later says nothing of him. */
static bool was_left(const struct transfer *t)
{
    return t->behind && arrived(t) == t->then;
}

void watch_end(struct watch *w, void *transfer, bool whole)
{
    struct transfer *t = transfer, **link;

    if (!t)
        return;
    pthread_mutex_lock(&w->lock);
    for (link = &t->machine->transfers; *link != t;)
        link = &(*link)->next;
    *link = t->next;
    t->machine->ended += whole ? t->len : arrived(t);
    t->machine->row.active--;
    t->machine->row.cut |= !whole && !was_left(t);
    pthread_mutex_unlock(&w->lock);
    free(t);
}

void watch_tick(struct watch *w, uint64_t now_ms)
{
    struct machine **m;
    unsigned oldest;

    pthread_mutex_lock(&w->lock);
    w->sample = (w->sample + 1) % SAMPLES;
    oldest = (w->sample + 1) % SAMPLES;
    vec_each(m, &w->machines) {
        uint64_t sent = sent_to(*m), ms = now_ms - (*m)->at[oldest];

        (*m)->sent[w->sample] = sent;
        (*m)->at[w->sample] = now_ms;
        (*m)->row.rate = ms ? (sent - (*m)->sent[oldest]) * 1000 / ms : 0;
    }
    pthread_mutex_unlock(&w->lock);
}

/* ---- telling ---- */

bool watch_is_done(const struct watch_row *r)
{
    return !r->active && !r->cut && r->got;
}

void watch_rows(struct watch_rows *out, struct watch *w)
{
    struct machine **m;

    pthread_mutex_lock(&w->lock);
    vec_each(m, &w->machines) {
        (*m)->row.got = sent_to(*m) - (*m)->before;
        vec_add(out, (*m)->row);
    }
    pthread_mutex_unlock(&w->lock);
}

void watch_sum(struct watch_sum *out, struct watch *w)
{
    struct machine **m;

    *out = (struct watch_sum){0};
    pthread_mutex_lock(&w->lock);
    vec_each(m, &w->machines) {
        struct watch_row *r = &(*m)->row;
        uint64_t sent = sent_to(*m);

        r->got = sent - (*m)->before;
        out->machines++;
        out->done += watch_is_done(r);
        out->deltas += (*m)->delta;
        out->sent += sent;
        out->rate += r->rate;
        out->left += r->active && r->want > r->got ? r->want - r->got : 0;
    }
    pthread_mutex_unlock(&w->lock);
}
