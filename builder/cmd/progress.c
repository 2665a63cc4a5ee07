/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "../base/thread.h"
#include "../base/utf8.h"
#include "../base/vec.h"

enum { REDRAW_MS = 100, TICK_MS = 500, LINE_MS = 10000, RATE_MS = 2000, BAR_MIN = 4, BAR_MAX = 30 };

struct item {
    char *name, *task;
    uint64_t done, total;
    uint64_t weight; /* its part of the whole, in bytes of it; 0: it was not planned */
};

/* What somebody said is going to happen. */
struct plan {
    char *name, *task;
    uint64_t weight;
};

struct whole {
    uint64_t done, total;
};

struct progress {
    struct events events;
    enum verbosity say;
    bool terminal;
    const volatile int *cancelled;
    pthread_mutex_t lock;
    pthread_t ticker; /* draws what stands still */
    pthread_cond_t stop;
    bool ticks, stopped, shown;       /* shown: until the display is wiped for good */
    struct VEC_OF(struct item) items; /* what is being worked on */
    char *step, *said; /* said: of a program at work, with whose it is; NULL: none is */
    struct VEC_OF(struct plan) plans;
    uint64_t finished, planned, begun; /* bytes of the present step, all items */
    uint64_t opened_ms, started_ms, drawn_ms;
    uint64_t left; /* seconds, the least that was told */
    uint64_t (*clock)(void);
    int rows; /* of the display now on the screen */
    struct names warnings;
};

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void progress_size(struct buf *b, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double n = (double)bytes;
    unsigned u = 0;

    while (n >= 1024 && u + 1 < ARRAY_LEN(units)) {
        n /= 1024;
        u++;
    }
    buf_fmt(b, u ? "%.1f %s" : "%.0f %s", n, units[u]);
}

/* Nothing sensible can be done when stderr is gone. */
static void put(const struct buf *b)
{
    if (b->len && write(STDERR_FILENO, b->p, b->len) < 0)
        return;
}

static void wipe(struct progress *p, struct buf *out)
{
    if (p->rows)
        buf_fmt(out, "\r\033[%dA\033[J", p->rows);
    p->rows = 0;
}

static unsigned width(void)
{
    struct winsize ws;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 20 ? ws.ws_col : 80;
}

static unsigned long long percent(const struct whole *w)
{
    return w->total ? (unsigned long long)((double)w->done * 100 / (double)w->total) : 0;
}

/* All of the step, as far as it was planned. Without a plan what has begun is all that is known. */
static struct whole whole_of(const struct progress *p)
{
    struct whole w = {p->finished, p->planned ? p->planned : p->begun};

    for (size_t i = 0; i < p->items.n; i++) {
        const struct item *item = &p->items.v[i];
        double part = item->total ? (double)item->done / (double)item->total : 0;

        w.done += (uint64_t)((double)item->weight * (part < 1 ? part : 1));
    }
    if (w.done > w.total)
        w.done = w.total;
    return w;
}

/* Seconds left at the mean rate; they only fall, since a plan may guess. UINT64_MAX: nobody knows,
 * since it is too early, or what still works moves no bytes. */
static uint64_t seconds_left(struct progress *p, const struct whole *w, uint64_t now)
{
    uint64_t ms = now - p->started_ms, left;

    if (ms < RATE_MS || !w->done || w->done == w->total)
        return UINT64_MAX;
    left = (uint64_t)((double)(w->total - w->done) / (double)w->done * (double)ms / 1000) + 1;
    if (left < p->left)
        p->left = left;
    return p->left;
}

static void add_time(struct buf *out, uint64_t seconds)
{
    if (seconds >= 60)
        buf_fmt(out, "%llu min %llu s", (unsigned long long)(seconds / 60),
                (unsigned long long)(seconds % 60));
    else
        buf_fmt(out, "%llu s", (unsigned long long)seconds);
}

/* "43%, 1.3 GiB of 3.1 GiB, 40 s left". */
static void add_whole(struct progress *p, struct buf *out, const struct whole *w, uint64_t now)
{
    uint64_t left = seconds_left(p, w, now);

    buf_fmt(out, "%llu%%, ", percent(w));
    progress_size(out, w->done);
    buf_puts(out, " of ");
    progress_size(out, w->total);
    if (left == UINT64_MAX)
        return;
    buf_puts(out, ", ");
    add_time(out, left);
    buf_puts(out, " left");
}

/* "torch: sent 312 of 820 MiB": what goes over a network says how far it is. */
static void add_sent(struct buf *out, const struct item *item)
{
    enum { MIB = 1024 * 1024 };

    utf8_show(out, str_of(item->name), SHOW_LINE);
    buf_fmt(out, ": sent %llu of %llu MiB", (unsigned long long)(item->done / MIB),
            (unsigned long long)(item->total / MIB));
}

static void add_item(struct buf *out, const struct item *item)
{
    if (strcmp(item->task, "send") == 0 && item->total) {
        add_sent(out, item);
        return;
    }
    utf8_show(out, str_of(item->task), SHOW_LINE);
    buf_putc(out, ' ');
    utf8_show(out, str_of(item->name), SHOW_LINE);
}

/* What happens now: what a program says, the oldest item, or the step. */
static void add_now(struct buf *out, const struct progress *p)
{
    if (p->said) {
        buf_puts(out, p->said);
    } else if (p->items.n) {
        add_item(out, &p->items.v[0]);
        if (p->items.n > 1)
            buf_fmt(out, ", and %zu more", p->items.n - 1);
    } else {
        utf8_show(out, str_of(p->step ? p->step : ""), SHOW_LINE);
    }
}

/* A row that does not wrap. */
static void add_row(struct buf *out, const struct buf *row, unsigned columns)
{
    buf_add(out, row->p, utf8_prefix(buf_view(row), columns - 1));
    buf_putc(out, '\n');
}

static void draw_whole(struct progress *p, struct buf *out, unsigned columns, uint64_t now)
{
    CLEANUP(buf_clear) struct buf row = {0}, text = {0};
    struct whole w = whole_of(p);
    size_t bar;

    if (!w.total)
        return;
    add_whole(p, &text, &w, now);
    bar = columns > text.len + 6 ? columns - text.len - 6 : 0;
    bar = bar < BAR_MAX ? bar : BAR_MAX;
    if (bar >= BAR_MIN) {
        size_t full = (size_t)((double)bar * (double)w.done / (double)w.total);

        buf_putc(&row, '[');
        for (size_t i = 0; i < bar; i++)
            buf_putc(&row, i < full ? '#' : '.');
        buf_puts(&row, "] ");
    }
    buf_str(&row, buf_view(&text));
    add_row(out, &row, columns);
    p->rows++;
}

static void draw(struct progress *p)
{
    CLEANUP(buf_clear) struct buf out = {0}, row = {0};
    uint64_t now = p->clock();
    unsigned columns = width();

    if (now - p->drawn_ms < REDRAW_MS)
        return;
    wipe(p, &out);
    draw_whole(p, &out, columns, now);
    add_now(&row, p);
    add_row(&out, &row, columns);
    p->rows++;
    p->drawn_ms = now;
    put(&out);
}

/* Events may stay away, and the last ones came too fast to be drawn: then this draws them, and the
 * time that is left. */
static void *keep_drawn(void *ctx)
{
    struct progress *p = ctx;
    struct timespec until;

    pthread_mutex_lock(&p->lock);
    while (!p->stopped) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += TICK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&p->stop, &p->lock, &until);
        if (!p->stopped && p->shown && p->clock() - p->drawn_ms >= TICK_MS)
            draw(p);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void line(struct progress *p, const char *prefix, const char *text)
{
    CLEANUP(buf_clear) struct buf out = {0};

    wipe(p, &out);
    buf_puts(&out, prefix);
    utf8_show(&out, str_of(text), SHOW_LINE);
    buf_putc(&out, '\n');
    put(&out);
    if (p->terminal)
        p->drawn_ms = 0;
}

/* Where nothing can be drawn: one line now and then. */
static void tell(struct progress *p)
{
    CLEANUP(buf_clear) struct buf text = {0};
    uint64_t now = p->clock();
    struct whole w = whole_of(p);

    if (now - p->drawn_ms < LINE_MS || (!w.total && !p->said))
        return;
    if (w.total) {
        add_whole(p, &text, &w, now);
        buf_puts(&text, ": ");
    }
    add_now(&text, p);
    line(p, "  ", text.p);
    p->drawn_ms = now;
}

static struct item *find(struct progress *p, const struct event *ev)
{
    for (size_t i = 0; i < p->items.n; i++)
        if (strcmp(p->items.v[i].name, ev->name) == 0 && strcmp(p->items.v[i].task, ev->task) == 0)
            return &p->items.v[i];
    return NULL;
}

static void drop(struct progress *p, struct item *item)
{
    size_t at = (size_t)(item - p->items.v);

    free(item->name);
    free(item->task);
    memmove(item, item + 1, (p->items.n - at - 1) * sizeof *item);
    p->items.n--;
}

static void add_plan(struct progress *p, const struct event *ev)
{
    *(struct plan *)vec_push(&p->plans) =
        (struct plan){xstrdup(ev->name), xstrdup(ev->task), ev->total};
    p->planned += ev->total;
}

/* A plan is of one item, or of all of a task: then an item weighs what it has. */
static uint64_t weight_of(const struct progress *p, const struct event *ev)
{
    const struct plan *plan;

    if (!p->planned)
        return ev->total;
    vec_each(plan, &p->plans)
        if (strcmp(plan->task, ev->task) == 0) {
            if (strcmp(plan->name, ev->name) == 0)
                return plan->weight;
            if (strcmp(plan->name, plan->task) == 0)
                return ev->total;
        }
    return 0;
}

static void begin_item(struct progress *p, const struct event *ev)
{
    struct item *item = find(p, ev);

    if (!item) {
        item = vec_push(&p->items);
        item->name = xstrdup(ev->name);
        item->task = xstrdup(ev->task);
        item->weight = weight_of(p, ev);
        p->begun += ev->total;
    }
    item->done = ev->done;
    item->total = ev->total;
}

static void end_item(struct progress *p, const struct event *ev)
{
    struct item *item = find(p, ev);
    struct buf text = {0};

    if (!item)
        return;
    p->finished += item->weight;
    if (p->say == SAY_MORE) {
        buf_fmt(&text, "%s %s, ", item->task, item->name);
        progress_size(&text, item->total);
        line(p, "  ", text.p);
        buf_clear(&text);
    }
    drop(p, item);
}

static void drop_plans(struct progress *p)
{
    struct plan *plan;

    vec_each(plan, &p->plans) {
        free(plan->name);
        free(plan->task);
    }
    p->plans.n = 0;
}

/* "build flash-attn, 2 min 3 s: [12/48] nvcc ..." */
static void keep_said(struct progress *p, const struct event *ev)
{
    struct buf text = {0};

    free(p->said);
    p->said = NULL;
    if (!ev->name[0])
        return;
    buf_puts(&text, "build ");
    utf8_show(&text, str_of(ev->task), SHOW_LINE);
    buf_puts(&text, ", ");
    add_time(&text, ev->done / 1000);
    buf_puts(&text, ": ");
    utf8_show(&text, str_of(ev->name), SHOW_LINE);
    p->said = buf_take(&text);
}

static void begin_step(struct progress *p, const struct event *ev)
{
    free(p->step);
    p->step = xstrdup(ev->name);
    drop_plans(p);
    p->finished = p->planned = p->begun = 0;
    p->left = UINT64_MAX;
    p->started_ms = p->drawn_ms = p->clock();
    if (!p->terminal)
        line(p, "", ev->name);
}

static void emit(void *ctx, const struct event *ev)
{
    struct progress *p = ctx;

    if (p->say == SAY_NOTHING && ev->kind != EVENT_WARNING)
        return;
    pthread_mutex_lock(&p->lock);
    if (ev->kind == EVENT_WARNING)
        names_add(&p->warnings, ev->name);
    if (p->say == SAY_NOTHING) {
        pthread_mutex_unlock(&p->lock);
        return;
    }
    switch (ev->kind) {
    case EVENT_STEP:
        begin_step(p, ev);
        break;
    case EVENT_PLAN:
        add_plan(p, ev);
        break;
    case EVENT_BEGIN:
        begin_item(p, ev);
        break;
    case EVENT_ADVANCE: {
        struct item *item = find(p, ev);

        if (item)
            item->done = ev->done;
        break;
    }
    case EVENT_END:
        end_item(p, ev);
        break;
    case EVENT_WARNING:
        line(p, "warning: ", ev->name);
        break;
    case EVENT_WAIT:
        line(p, "", ev->name);
        break;
    case EVENT_NOTE:
        if (p->say == SAY_MORE)
            line(p, "  ", ev->name);
        break;
    case EVENT_SAID:
        keep_said(p, ev);
        break;
    }
    p->shown = true;
    if (p->terminal)
        draw(p);
    else if (ev->kind == EVENT_ADVANCE || ev->kind == EVENT_END || ev->kind == EVENT_SAID)
        tell(p);
    pthread_mutex_unlock(&p->lock);
}

static bool cancelled(void *ctx)
{
    return *((struct progress *)ctx)->cancelled != 0;
}

static void start_ticker(struct progress *p)
{
    pthread_condattr_t how;

    pthread_condattr_init(&how);
    pthread_condattr_setclock(&how, CLOCK_MONOTONIC);
    pthread_cond_init(&p->stop, &how);
    pthread_condattr_destroy(&how);
    p->ticks = thread_start(&p->ticker, keep_drawn, p);
}

static void stop_ticker(struct progress *p)
{
    if (!p->ticks)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopped = true;
    pthread_cond_signal(&p->stop);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->ticker, NULL);
    pthread_cond_destroy(&p->stop);
}

struct progress *progress_open(enum verbosity say, bool terminal, uint64_t (*clock)(void),
                               const volatile int *flag)
{
    struct progress *p = xcalloc(1, sizeof *p);

    p->events = (struct events){emit, cancelled, p};
    p->say = say;
    p->terminal = terminal;
    p->cancelled = flag;
    p->clock = clock ? clock : now_ms;
    p->opened_ms = p->started_ms = p->drawn_ms = p->clock();
    p->left = UINT64_MAX;
    pthread_mutex_init(&p->lock, NULL);
    if (terminal && say != SAY_NOTHING && !clock)
        start_ticker(p);
    return p;
}

const struct events *progress_events(struct progress *p)
{
    return &p->events;
}

void progress_pause(struct progress *p)
{
    CLEANUP(buf_clear) struct buf out = {0};

    pthread_mutex_lock(&p->lock);
    wipe(p, &out);
    put(&out);
    p->shown = false;
    pthread_mutex_unlock(&p->lock);
}

const struct names *progress_warnings(const struct progress *p)
{
    return &p->warnings;
}

uint64_t progress_now(const struct progress *p)
{
    return p->clock() - p->opened_ms;
}

void progress_time(struct buf *out, uint64_t ms)
{
    add_time(out, (ms + 500) / 1000);
}

void progress_free(struct progress *p)
{
    if (!p)
        return;
    stop_ticker(p);
    progress_pause(p);
    while (p->items.n)
        drop(p, &p->items.v[0]);
    vec_clear(&p->items);
    drop_plans(p);
    vec_clear(&p->plans);
    names_clear(&p->warnings);
    free(p->step);
    free(p->said);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
