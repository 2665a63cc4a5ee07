/* SPDX-License-Identifier: Apache-2.0 */
#include "decompress.h"

#include <archive.h>
#include <archive_entry.h>

#include "gunzip.h"

enum { CHUNK = 64 * 1024, HEAD = 10 };

/* ---- a source whose first bytes were read ahead ---- */

struct begun {
    struct source source;
    unsigned char head[HEAD];
    size_t at, have;
};

static int begun_read(struct source *self, void *to, size_t len, size_t *got, struct err *e)
{
    struct begun *b = (struct begun *)self;
    size_t n = b->have - b->at;

    if (!n)
        return source_read(self->below, to, len, got, e);
    *got = n < len ? n : len;
    memcpy(to, b->head + b->at, *got);
    b->at += *got;
    return 0;
}

static struct begun *begin(struct source *below)
{
    struct begun *b = xcalloc(1, sizeof *b);

    source_init(&b->source, begun_read, NULL, below);
    return b;
}

/* ---- by libarchive ---- */

struct decompressor {
    struct source source;
    bool told;               /* what the bytes are */
    struct archive *archive; /* owned; NULL: `below` gives the plain bytes */
    struct err *e;           /* of the read that is running */
    char chunk[CHUNK];
};

static la_ssize_t feed(struct archive *a, void *ctx, const void **bytes)
{
    struct decompressor *d = ctx;
    size_t got;

    if (source_read(d->source.below, d->chunk, sizeof d->chunk, &got, d->e) < 0) {
        archive_set_error(a, -1, "the source failed");
        return -1;
    }
    *bytes = d->chunk;
    return (la_ssize_t)got;
}

/* The source's own fault, when there was one, says more than libarchive can. */
static int feed_error(const struct decompressor *d, struct err *e)
{
    const char *why = archive_error_string(d->archive);

    if (err_is_set(e))
        return -1;
    return err_set(e, ERR_INPUT, "%s cannot be decompressed: %s", d->source.name,
                   why ? why : "no reason given");
}

static int start(struct decompressor *d, int filter, struct err *e)
{
    struct archive_entry *entry;

    d->archive = archive_read_new();
    /* Anything but ARCHIVE_OK means that libarchive would start a program for it. */
    if (!d->archive || archive_read_support_format_raw(d->archive) != ARCHIVE_OK ||
        archive_read_support_format_empty(d->archive) != ARCHIVE_OK ||
        archive_read_append_filter(d->archive, filter) != ARCHIVE_OK)
        return err_set(e, ERR_SYSTEM, "this libarchive was built without xz, zstd or bzip2");
    /* What cannot be read at all it takes for empty, but for the error that it leaves. */
    if (archive_read_open(d->archive, d, NULL, feed, NULL) != ARCHIVE_OK ||
        archive_errno(d->archive))
        return feed_error(d, e);
    int rc = archive_read_next_header(d->archive, &entry);
    d->source.ended = rc == ARCHIVE_EOF;
    return rc == ARCHIVE_OK || rc == ARCHIVE_EOF ? 0 : feed_error(d, e);
}

/* ---- what it is ---- */

static bool begins(const struct begun *b, const char *magic, size_t len)
{
    return b->have >= len && memcmp(b->head, magic, len) == 0;
}

/* RFC 8878, 3.1.2: a frame to be skipped may come first. */
static bool is_zstd(const struct begun *b)
{
    return begins(b, "\x28\xb5\x2f\xfd", 4) || (b->have >= 4 && (b->head[0] & 0xf0) == 0x50 &&
                                                memcmp(b->head + 1, "\x2a\x4d\x18", 3) == 0);
}

/* A block, or at once the end. */
static bool is_bzip2(const struct begun *b)
{
    return begins(b, "BZh", 3) && b->have == HEAD &&
           (memcmp(b->head + 4, "1AY&SY", 6) == 0 || memcmp(b->head + 4, "\x17rE8P\x90", 6) == 0);
}

static int tell(struct decompressor *d, struct err *e)
{
    struct begun *b = begin(d->source.below);

    d->told = true;
    d->source.below = &b->source;
    if (source_read_full(b->source.below, b->head, HEAD, &b->have, e) < 0)
        return -1;
    if (begins(b, "\x1f\x8b", 2))
        d->source.below = gunzip(&b->source);
    else if (is_zstd(b))
        return start(d, ARCHIVE_FILTER_ZSTD, e);
    else if (begins(b,
                    "\xfd"
                    "7zXZ",
                    6))
        return start(d, ARCHIVE_FILTER_XZ, e);
    else if (is_bzip2(b))
        return start(d, ARCHIVE_FILTER_BZIP2, e);
    return 0;
}

static int decompress_read(struct source *self, void *to, size_t len, size_t *got, struct err *e)
{
    struct decompressor *d = (struct decompressor *)self;

    d->e = e;
    *got = 0;
    if (!d->told && tell(d, e) < 0)
        return -1;
    if (self->ended)
        return 0;
    if (!d->archive)
        return source_read(self->below, to, len, got, e);
    la_ssize_t n = archive_read_data(d->archive, to, len);
    if (n < 0)
        return feed_error(d, e);
    *got = (size_t)n;
    return 0;
}

static void decompress_free(struct source *self)
{
    struct decompressor *d = (struct decompressor *)self;

    if (d->archive)
        archive_read_free(d->archive);
}

struct source *decompress(struct source *packed)
{
    struct decompressor *d = xcalloc(1, sizeof *d);

    source_init(&d->source, decompress_read, decompress_free, packed);
    d->source.unpacks = true;
    return &d->source;
}
