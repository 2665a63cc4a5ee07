/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../base/utf8.h"
#include "../base/vec.h"

enum { ROWS_MAX = 8, REDRAW_MS = 100, NAME_WIDTH = 34 };

struct item {
    char *name, *task;
    uint64_t done, total;
};

struct progress {
    struct events events;
    enum verbosity say;
    bool terminal;
    const volatile int *cancelled;
    pthread_mutex_t lock;
    struct VEC_OF(struct item) items; /* what is being worked on */
    char *step;
    uint64_t finished, planned; /* bytes of the present task, all items */
    uint64_t started_ms, drawn_ms;
    int rows; /* of the display now on the screen */
    struct names warnings;
};

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void add_size(struct buf *b, uint64_t bytes)
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

/* A name of NAME_WIDTH characters: cut where it is longer, with blanks behind it where shorter. */
static void add_name(struct buf *out, const char *name)
{
    struct buf shown = {0};
    size_t fits, width = 0;

    utf8_show(&shown, str_of(name), SHOW_LINE);
    fits = utf8_prefix(buf_view(&shown), NAME_WIDTH);
    for (size_t i = 0; i < fits; i++)
        width += ((unsigned char)shown.p[i] & 0xc0) != 0x80; /* all but what continues one */
    buf_add(out, shown.p, fits);
    buf_fmt(out, "%*s ", NAME_WIDTH - (int)width, "");
    buf_clear(&shown);
}

static void draw_item(struct buf *out, const struct item *item, unsigned columns)
{
    enum { BAR = 20 };
    struct buf line = {0};
    unsigned filled = item->total ? (unsigned)(item->done * BAR / item->total) : 0;

    buf_fmt(&line, "  %-8s ", item->task);
    add_name(&line, item->name);
    for (unsigned i = 0; i < BAR && item->total; i++)
        buf_puts(&line, i < filled ? "#" : ".");
    buf_putc(&line, ' ');
    add_size(&line, item->done);
    if (item->total) {
        buf_puts(&line, " of ");
        add_size(&line, item->total);
    }
    buf_add(out, line.p, utf8_prefix(buf_view(&line), columns - 1));
    buf_putc(out, '\n');
    buf_clear(&line);
}

/* The last row: all items together, rate, and how long it will take. */
static void draw_total(struct progress *p, struct buf *out, uint64_t now)
{
    uint64_t done = p->finished, ms = now - p->started_ms;

    for (size_t i = 0; i < p->items.n; i++)
        done += p->items.v[i].done;
    buf_puts(out, "  ");
    utf8_show(out, str_of(p->step), SHOW_LINE);
    if (p->planned) {
        buf_puts(out, ": ");
        add_size(out, done);
        buf_puts(out, " of ");
        add_size(out, p->planned > done ? p->planned : done);
        if (ms > 500 && done) {
            uint64_t rate = done * 1000 / ms;

            buf_puts(out, ", ");
            add_size(out, rate);
            buf_puts(out, "/s");
            if (rate && p->planned > done)
                buf_fmt(out, ", %llus left", (unsigned long long)((p->planned - done) / rate));
        }
    }
    buf_putc(out, '\n');
}

static void draw(struct progress *p)
{
    CLEANUP(buf_clear) struct buf out = {0};
    uint64_t now = now_ms();
    unsigned columns = width();
    size_t rows = p->items.n < ROWS_MAX ? p->items.n : ROWS_MAX;

    if (now - p->drawn_ms < REDRAW_MS)
        return;
    wipe(p, &out);
    for (size_t i = 0; i < rows; i++)
        draw_item(&out, &p->items.v[i], columns);
    draw_total(p, &out, now);
    p->rows = (int)rows + 1;
    p->drawn_ms = now;
    put(&out);
}

static void line(struct progress *p, const char *prefix, const char *text)
{
    CLEANUP(buf_clear) struct buf out = {0};

    wipe(p, &out);
    buf_puts(&out, prefix);
    utf8_show(&out, str_of(text), SHOW_LINE);
    buf_putc(&out, '\n');
    put(&out);
    p->drawn_ms = 0;
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

static void begin_item(struct progress *p, const struct event *ev)
{
    struct item *item = find(p, ev);

    if (!item) {
        item = vec_push(&p->items);
        item->name = xstrdup(ev->name);
        item->task = xstrdup(ev->task);
        if (strcmp(ev->task, "fetch") != 0) /* downloads are announced before they begin */
            p->planned += ev->total;
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
    p->finished += item->total;
    if (!p->terminal || p->say == SAY_MORE) {
        buf_fmt(&text, "%s %s, ", item->task, item->name);
        add_size(&text, item->total);
        line(p, "  ", text.p);
        buf_clear(&text);
    }
    drop(p, item);
}

static void begin_step(struct progress *p, const struct event *ev)
{
    free(p->step);
    p->step = xstrdup(ev->name);
    p->finished = p->planned = 0;
    p->started_ms = now_ms();
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
        p->planned += ev->total;
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
    }
    if (p->terminal && p->say != SAY_NOTHING)
        draw(p);
    pthread_mutex_unlock(&p->lock);
}

static bool cancelled(void *ctx)
{
    return *((struct progress *)ctx)->cancelled != 0;
}

struct progress *progress_open(enum verbosity say, bool terminal, const volatile int *flag)
{
    struct progress *p = xcalloc(1, sizeof *p);

    p->events = (struct events){emit, cancelled, p};
    p->say = say;
    p->terminal = terminal;
    p->cancelled = flag;
    p->started_ms = now_ms();
    pthread_mutex_init(&p->lock, NULL);
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
    pthread_mutex_unlock(&p->lock);
}

const struct names *progress_warnings(const struct progress *p)
{
    return &p->warnings;
}

void progress_free(struct progress *p)
{
    if (!p)
        return;
    progress_pause(p);
    while (p->items.n)
        drop(p, &p->items.v[0]);
    vec_clear(&p->items);
    names_clear(&p->warnings);
    free(p->step);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
