/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

enum { CHUNK = 128 * 1024 };

void source_init(struct source *s,
                 int (*read)(struct source *self, void *to, size_t len, size_t *got, struct err *e),
                 void (*free)(struct source *self), struct source *below)
{
    *s = (struct source){.read = read, .free = free, .below = below, .limit = UINT64_MAX};
    if (below) {
        s->name = below->name;
        s->events = below->events;
    }
}

void source_free(struct source *s)
{
    while (s) {
        struct source *below = s->below;

        if (s->free)
            s->free(s);
        err_clear(&s->fault);
        free(s);
        s = below;
    }
}

void source_clear(struct source **s)
{
    source_free(*s);
    *s = NULL;
}

/* ---- reading ---- */

static int check_amount(struct source *s, struct err *e)
{
    if (s->produced > s->limit)
        return err_set(e, ERR_INPUT, "%s unpacks to more than %llu bytes, the most allowed",
                       s->name, (unsigned long long)s->limit);
    if (s->unpacks && s->produced > SOURCE_FREE && s->produced / SOURCE_RATIO > s->below->produced)
        return err_set(e, ERR_INPUT, "%s unpacks to more than %d times its size", s->name,
                       SOURCE_RATIO);
    return 0;
}

static int read_some(struct source *s, void *to, size_t len, size_t *got, struct err *e)
{
    if (events_cancelled(s->events))
        return err_set(e, ERR_INTERRUPTED, "interrupted");
    if (s->read(s, to, len, got, e) < 0)
        return -1;
    s->produced += *got;
    s->ended = !*got;
    return check_amount(s, e);
}

int source_read(struct source *s, void *to, size_t len, size_t *got, struct err *e)
{
    *got = 0;
    if (!err_is_set(&s->fault) && (s->ended || read_some(s, to, len, got, &s->fault) == 0))
        return 0;
    *got = 0;
    return err_set(e, s->fault.kind, "%s", s->fault.msg);
}

int source_read_full(struct source *s, void *to, size_t len, size_t *got, struct err *e)
{
    size_t n = 1;

    for (*got = 0; n && *got < len; *got += n)
        if (source_read(s, (char *)to + *got, len - *got, &n, e) < 0)
            return -1;
    return 0;
}

bool source_skip(struct source *s, uint64_t len, uint64_t *skipped)
{
    if (!s->skip)
        return false;
    *skipped = s->skip(s, len);
    s->produced += *skipped;
    return true;
}

int source_read_all(struct source *s, struct buf *out, uint64_t limit, struct err *e)
{
    size_t start = out->len, got;

    do {
        if (source_read(s, buf_room(out, CHUNK), CHUNK, &got, e) < 0)
            return -1;
        out->len += got;
        if (out->len - start > limit)
            return err_set(e, ERR_INPUT, "%s is larger than %llu bytes, the most allowed", s->name,
                           (unsigned long long)limit);
    } while (got);
    buf_room(out, 0);
    return 0;
}

int source_copy(struct source *s, struct sink *to, uint64_t *copied, struct err *e)
{
    CLEANUP(free_clear) char *chunk = xmalloc(CHUNK);
    uint64_t sum = 0;
    size_t got;

    for (;;) {
        if (source_read(s, chunk, CHUNK, &got, e) < 0)
            return -1;
        if (!got)
            break;
        if (to && sink_write(to, chunk, got, e) < 0)
            return -1;
        sum += got;
    }
    if (copied)
        *copied = sum;
    return 0;
}

int source_drain(struct source *s, struct err *e)
{
    return source_copy(s, NULL, NULL, e);
}

/* ---- memory ---- */

struct bytes {
    struct source source; /* first, as in all of them */
    struct str rest;
};

static int bytes_read(struct source *self, void *to, size_t len, size_t *got, struct err *e)
{
    struct bytes *s = (struct bytes *)self;

    *got = len < s->rest.len ? len : s->rest.len;
    if (*got)
        memcpy(to, s->rest.p, *got);
    s->rest = str_sub(s->rest, *got, s->rest.len);
    return 0;
}

struct source *source_bytes(struct str bytes, const char *name)
{
    struct bytes *s = xcalloc(1, sizeof *s);

    source_init(&s->source, bytes_read, NULL, NULL);
    s->source.name = name;
    s->rest = bytes;
    return &s->source;
}

/* ---- files ---- */

struct file {
    struct source source;
    struct fd own; /* the descriptor, where it is the source's */
    int fd;
    uint64_t offset, left;
};

static int file_read(struct source *self, void *to, size_t len, size_t *got, struct err *e)
{
    struct file *s = (struct file *)self;
    size_t n = len < s->left ? len : (size_t)s->left;

    if (n && fd_pread_all(s->fd, to, n, s->offset, self->name, e) < 0)
        return -1;
    s->offset += n;
    s->left -= n;
    *got = n;
    return 0;
}

static uint64_t file_skip(struct source *self, uint64_t len)
{
    struct file *s = (struct file *)self;
    uint64_t n = len < s->left ? len : s->left;

    s->offset += n;
    s->left -= n;
    return n;
}

static void file_free(struct source *self)
{
    fd_clear(&((struct file *)self)->own);
}

struct source *source_file(int fd, uint64_t offset, uint64_t len, const char *name)
{
    struct file *s = xcalloc(1, sizeof *s);

    source_init(&s->source, file_read, file_free, NULL);
    s->source.skip = file_skip;
    s->source.name = name;
    s->fd = fd;
    s->offset = offset;
    s->left = len;
    return &s->source;
}

struct source *source_file_take(struct fd *fd, uint64_t offset, uint64_t len, const char *name)
{
    struct source *s = source_file(fd->n, offset, len, name);

    MOVE(&((struct file *)s)->own, fd);
    return s;
}

struct source *source_input(const struct input *in, uint64_t offset, uint64_t len)
{
    struct source *s = source_file(in->fd.n, offset, len, in->name);

    s->events = in->events;
    return s;
}
