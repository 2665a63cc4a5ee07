/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd_parts.h"

#include <unistd.h>

#include "range.h"

void httpd_header(struct httpd_answer *a, const char *name, struct str value)
{
    pairs_add(&a->headers, str_of(name), arena_str(&a->arena, value));
}

void httpd_text(struct httpd_answer *a, struct str text)
{
    vec_add(&a->pieces, ((struct httpd_piece){NULL, text, text.len}));
}

void httpd_file(struct httpd_answer *a, const struct httpd_parts *parts, uint64_t size)
{
    vec_add(&a->pieces, ((struct httpd_piece){.parts = parts, .size = size}));
}

void httpd_answer_clear(struct httpd_answer *a)
{
    vec_clear(&a->headers);
    vec_clear(&a->pieces);
    arena_clear(&a->arena);
}

uint64_t httpd_size(const struct httpd_answer *a)
{
    const struct httpd_piece *p;
    uint64_t size = 0;

    vec_each(p, &a->pieces)
        size += p->size;
    return size;
}

/* Is `etag` one of the list, or the list "*"? */
static bool names_etag(struct str list, struct str etag)
{
    struct str item;

    while (str_item(&list, ',', &item)) {
        item = str_trim(item);
        str_skip(&item, STR("W/"));
        if (str_eq(item, etag) || str_is(item, "*"))
            return true;
    }
    return false;
}

/* What goes out of the whole: the range that is asked for, or nothing. */
void httpd_apply_conditions(struct httpd_answer *a, const struct httpd_ask *ask, uint64_t *from,
                            uint64_t *len)
{
    CLEANUP(buf_clear) struct buf text = {0};
    uint64_t size = *len;

    if (a->status != 200 || !a->etag.len)
        return;
    httpd_header(a, "ETag", a->etag);
    httpd_header(a, "Accept-Ranges", STR("bytes"));
    if (names_etag(ask->if_none_match, a->etag)) {
        a->status = 304;
        *len = 0;
        return;
    }
    if (!ask->range.len || (ask->if_range.len && !str_eq(ask->if_range, a->etag)))
        return;
    switch (range_parse(ask->range, size, from, len)) {
    case RANGE_ALL:
        return;
    case RANGE_PART:
        a->status = 206;
        buf_fmt(&text, "bytes %llu-%llu/%llu", (unsigned long long)*from,
                (unsigned long long)(*from + *len - 1), (unsigned long long)size);
        break;
    case RANGE_OUTSIDE:
        a->status = 416;
        buf_fmt(&text, "bytes */%llu", (unsigned long long)size);
        *len = 0;
        break;
    }
    httpd_header(a, "Content-Range", buf_view(&text));
}

/* The part in which byte `at` is. */
const struct httpd_part *httpd_part_at(const struct httpd_parts *parts, uint64_t at)
{
    size_t low = 0, high = parts->n;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (parts->v[middle].at <= at)
            low = middle;
        else
            high = middle;
    }
    return &parts->v[low];
}

/* As many as lie together, at most `max`; 0: the file has become shorter. */
static size_t read_piece(const struct httpd_piece *p, uint64_t at, char *to, size_t max)
{
    size_t n = p->size - at < max ? (size_t)(p->size - at) : max;
    const struct httpd_part *part;
    ssize_t got;

    if (!p->parts) {
        memcpy(to, p->text.p + at, n);
        return n;
    }
    part = httpd_part_at(p->parts, at);
    at -= part->at;
    got = pread(part->fd, to, part->size - at < n ? (size_t)(part->size - at) : n,
                (off_t)(part->offset + at));
    return got > 0 ? (size_t)got : 0;
}

/* Bytes of the pieces, from any place on. */
ssize_t httpd_read_pieces(const struct request *r, uint64_t at, char *to, size_t max)
{
    const struct httpd_piece *p;
    uint64_t skip = r->from + at;
    size_t n = 0, got;

    vec_each(p, &r->answer.pieces) {
        for (; n < max && skip < p->size; n += got, skip += got) {
            got = read_piece(p, skip, to + n, max - n);
            if (!got)
                return -1;
        }
        skip -= skip < p->size ? skip : p->size;
        if (n == max)
            break;
    }
    return (ssize_t)n;
}
