/* SPDX-License-Identifier: Apache-2.0 */
#include "../../io/inflate.h"
#include "../../io/zip.h"
#include "../../net/url.h"
#include "wheel_peek.h"

enum {
    TAIL_FIRST = 32 << 10, /* most wheels' metadata and directory lie in it */
    TAIL_LAST = 1 << 20,   /* an end record behind a long comment */
    DIRECTORY_MAX = 64 << 20,
    METADATA_MAX = 16 << 20,
    LOCAL_HEADER = 30, /* APPNOTE 4.3.7 */
    LOCAL_SLACK = 512, /* room for its name and extra fields, whose length is not known before */
};

/* A wheel on its way. */
struct peek {
    struct wheel_peek *wheel;
    struct inflater *inflater; /* borrowed */
    struct http_request r;
    struct buf tail, part; /* the file's last bytes; the range that was asked for last */
    uint64_t part_at;
    struct zip_directory directory;
    struct zip_member member;
    bool has_directory, has_member;
};

static int begin(void *ctx, const struct http_request *r, uint64_t offset, struct err *e)
{
    struct peek *p = ctx;

    buf_reset(r->last ? &p->tail : &p->part);
    return 0;
}

static int write(void *ctx, const void *bytes, size_t len, struct err *e)
{
    struct peek *p = ctx;

    buf_add(p->r.last ? &p->tail : &p->part, bytes, len);
    return 0;
}

static struct http_request *ask(struct peek *p)
{
    http_request_clear(&p->r);
    p->r = (struct http_request){.url = p->wheel->url, .begin = begin, .write = write, .ctx = p};
    return &p->r;
}

static void ask_tail(struct peek *p, uint64_t len)
{
    struct http_request *r = ask(p);

    r->last = r->limit = len;
}

static void ask_range(struct peek *p, uint64_t from, uint64_t to)
{
    struct http_request *r = ask(p);

    r->from = p->part_at = from;
    r->to = to;
    r->limit = to - from;
}

/* Bytes from..from+len of the file, if they are at hand. */
static bool at_hand(const struct peek *p, uint64_t from, uint64_t len, struct str *out)
{
    uint64_t tail_at = p->wheel->size - p->tail.len;

    if (from >= tail_at && len <= p->wheel->size - from) {
        *out = str_sub(buf_view(&p->tail), (size_t)(from - tail_at), (size_t)len);
        return true;
    }
    if (from < p->part_at || from - p->part_at > p->part.len ||
        len > p->part.len - (from - p->part_at))
        return false;
    *out = str_sub(buf_view(&p->part), (size_t)(from - p->part_at), (size_t)len);
    return true;
}

static int bad(struct err *e, const char *why)
{
    return err_set(e, ERR_INPUT, "%s", why);
}

/* The steps give 1 when more bytes have been asked for, 0 to go on. */

static int find_directory(struct peek *p, struct err *e)
{
    int rc;

    if (p->has_directory)
        return 0;
    rc = zip_locate(&p->directory, buf_view(&p->tail), p->wheel->size, e);
    if (rc < 0)
        return -1;
    if (rc > 0) {
        if (p->tail.len >= TAIL_LAST || p->tail.len >= p->wheel->size)
            return bad(e, "no zip file");
        ask_tail(p, TAIL_LAST);
        return 1;
    }
    if (p->directory.size > DIRECTORY_MAX || p->directory.offset > p->wheel->size)
        return bad(e, "the zip directory is too large");
    p->has_directory = true;
    return 0;
}

static int find_metadata(struct peek *p, struct err *e)
{
    struct str directory;

    if (p->has_member)
        return 0;
    if (!at_hand(p, p->directory.offset, p->directory.size, &directory)) {
        ask_range(p, p->directory.offset, p->directory.offset + p->directory.size);
        return 1;
    }
    if (zip_find_member(&p->member, &p->directory, directory, STR(".dist-info/METADATA"), e) < 0)
        return -1;
    if (p->member.size > METADATA_MAX || p->member.packed > METADATA_MAX ||
        p->member.header_offset > p->directory.offset)
        return bad(e, "METADATA is too large or misplaced");
    p->has_member = true;
    return 0;
}

static uint64_t number16(const char *p)
{
    return (unsigned char)p[0] | (unsigned)(unsigned char)p[1] << 8;
}

/* The packed bytes of METADATA, behind its local header. */
static int find_packed(struct peek *p, struct str *out, struct err *e)
{
    const struct zip_member *m = &p->member;
    uint64_t skip = LOCAL_HEADER, need = LOCAL_HEADER + m->packed, end;
    struct str header;

    if (at_hand(p, m->header_offset, LOCAL_HEADER, &header)) {
        if (!str_starts(header, STR("PK\x03\x04")))
            return bad(e, "no local header before METADATA");
        skip += number16(header.p + 26) + number16(header.p + 28);
        need = skip + m->packed;
        if (need > p->directory.offset - m->header_offset)
            return bad(e, "METADATA runs into the zip directory");
        if (at_hand(p, m->header_offset + skip, m->packed, out))
            return 0;
    } else {
        need += LOCAL_SLACK;
    }
    end = m->header_offset + need;
    ask_range(p, m->header_offset, end < p->directory.offset ? end : p->directory.offset);
    return 1;
}

struct buf_sink {
    struct sink sink;
    struct buf *to;
};

static int add_bytes(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    buf_add(((struct buf_sink *)(void *)self)->to, bytes, len);
    return 0;
}

static int unpack(struct peek *p, struct str packed, struct err *e)
{
    const struct zip_member *m = &p->member;
    struct buf *to = &p->wheel->metadata;
    struct buf_sink sink = {{add_bytes, NULL}, to};

    if (m->deflated) {
        CLEANUP(source_clear) struct source *bytes = source_bytes(packed, "METADATA");

        return inflate_exact(p->inflater, bytes, m->packed, m->size, m->crc, &sink.sink, NULL,
                             "METADATA", e);
    }
    if (m->packed != m->size || crc32_add(0, packed.p, packed.len) != m->crc)
        return err_set(e, ERR_INTEGRITY, "METADATA does not have the CRC that is announced");
    buf_str(to, packed);
    return 0;
}

/* What can be done with the bytes at hand; 1 when more are asked for. */
static int go_on(struct peek *p, struct err *e)
{
    struct str packed;
    int rc = find_directory(p, e);

    if (!rc)
        rc = find_metadata(p, e);
    if (!rc)
        rc = find_packed(p, &packed, e);
    return rc ? rc : unpack(p, packed, e);
}

/* The answer to a range must be that range: a server may send all, or something else. */
static int check_answer(struct peek *p, struct err *e)
{
    const struct http_request *r = &p->r;
    bool all = r->status == 200;

    if (r->last) {
        p->wheel->size = r->total ? r->total : all ? p->tail.len : 0;
        if (p->tail.len && p->tail.len <= p->wheel->size &&
            (p->tail.len == r->last || p->tail.len == p->wheel->size))
            return 0;
    } else if (p->part.len == r->to - r->from && (!all || !r->from)) {
        return 0;
    }
    return err_set(e, ERR_NET, "the server does not answer requests for a range");
}

static int finished(void *ctx, struct http_request *r, struct err *e)
{
    struct http *http = ctx;
    struct peek *p = r->ctx;
    struct err *fault = &p->wheel->err;
    int rc;

    p->wheel->no_ranges = r->status == 200 && (r->last || r->from);
    if (err_is_set(&r->err)) {
        err_join(fault, &r->err);
        return 0;
    }
    rc = check_answer(p, fault);
    if (!rc)
        rc = go_on(p, fault);
    p->wheel->no_ranges &= rc < 0;
    if (rc > 0)
        http_add(http, &p->r);
    if (rc < 0) {
        CLEANUP(buf_clear) struct buf shown = {0};

        url_show(&shown, p->wheel->url);
        err_wrap(fault, "%s", shown.p);
    }
    return 0;
}

static void peek_clear(struct peek *p)
{
    http_request_clear(&p->r);
    buf_clear(&p->tail);
    buf_clear(&p->part);
}

int wheel_peek(struct http *http, struct wheel_peek *const *wheels, size_t n, unsigned parallel,
               struct err *e)
{
    CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();
    CLEANUP(free_clear) struct peek *peeks = xcalloc(n + 1, sizeof *peeks);
    CLEANUP(free_clear) struct http_request **requests = xcalloc(n + 1, sizeof *requests);
    int rc;

    for (size_t i = 0; i < n; i++) {
        peeks[i] = (struct peek){.wheel = wheels[i], .inflater = inflater};
        ask_tail(&peeks[i], TAIL_FIRST);
        requests[i] = &peeks[i].r;
    }
    rc = http_run(http, requests, n, parallel, finished, http, e);
    for (size_t i = 0; i < n; i++)
        peek_clear(&peeks[i]);
    return rc;
}

void wheel_peek_clear(struct wheel_peek *w)
{
    buf_clear(&w->metadata);
    err_clear(&w->err);
    *w = (struct wheel_peek){0};
}
