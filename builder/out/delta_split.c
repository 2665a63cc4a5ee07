/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_split.h"

#include "../io/crypto.h"
#include "../io/decompress.h"
#include "../io/gunzip.h"
#include "delta_frames.h"

static const uint64_t plain_max = (uint64_t)1 << 38;

int delta_split_packed(struct source **out, const struct delta_split *s, uint64_t at, struct err *e)
{
    CLEANUP(source_clear) struct source *from = NULL;
    const struct descriptor *d = &s->image->manifest.layers.v[s->layer];

    if (s->kept.input)
        from = source_input(s->kept.input, s->kept.offset, d->size);
    else if (stored_blob(&from, s->image, d, e) < 0)
        return -1;
    if (delta_pass(from, at, e) < 0)
        return -1;
    MOVE(out, &from);
    return 0;
}

static int open_plain(struct source **out, const struct delta_split *s, struct gunzip_ends *ends,
                      size_t max, struct err *e)
{
    struct source *packed;

    if (delta_split_packed(&packed, s, 0, e) < 0)
        return -1;
    *out = s->packing == PACKED_GZIP  ? gunzip_watched(packed, ends, max)
           : s->packing == PACKED_NOT ? packed
                                      : decompress(packed);
    (*out)->limit = plain_max;
    return 0;
}

int delta_split_plain(struct source **out, const struct delta_split *s, struct err *e)
{
    return open_plain(out, s, NULL, 0, e);
}

/* ---- what the blob is ---- */

static int find_packing(struct delta_split *s, struct err *e)
{
    static const unsigned char xz[] = {0xfd, '7', 'z', 'X'};
    CLEANUP(source_clear) struct source *from = NULL;
    unsigned char head[4];
    size_t got;

    if (delta_split_packed(&from, s, 0, e) < 0 ||
        source_read_full(from, head, sizeof head, &got, e) < 0)
        return -1;
    s->packing = PACKED_NOT;
    if (got < sizeof head)
        return 0;
    if (head[0] == 0x1f && head[1] == 0x8b)
        s->packing = PACKED_GZIP;
    else if (delta_frames_begin(head))
        s->packing = PACKED_ZSTD;
    else if (memcmp(head, "BZh", 3) == 0 || memcmp(head, xz, sizeof xz) == 0)
        s->packing = PACKED_OTHER;
    return 0;
}

/* ---- all of it ---- */

static void take_ends(struct delta_split *s, const struct gunzip_ends *ends, uint64_t blob)
{
    const struct gunzip_end *end;
    uint64_t at = 0, plain_at = 0;

    vec_each(end, ends) {
        vec_add(&s->parts, ((struct delta_part){.at = at,
                                                .size = end->packed - at,
                                                .plain_at = plain_at,
                                                .plain = end->plain - plain_at}));
        at = end->packed;
        plain_at = end->plain;
    }
    if (s->parts.n)
        s->parts.v[s->parts.n - 1].size += blob - at; /* zeros behind the last one */
}

static int take_frames(struct delta_split *s, uint64_t blob, size_t max, struct err *e)
{
    CLEANUP(source_clear) struct source *from = NULL;

    return delta_split_packed(&from, s, 0, e) < 0
               ? -1
               : delta_frames_find(&s->parts, from, blob, s->plain, max, e);
}

static int damaged(const struct delta_split *s, const char *what, const struct digest *want,
                   struct err *e)
{
    char text[DIGEST_TEXT + 1];

    digest_text(want, text);
    return err_set(e, ERR_INTEGRITY,
                   "%s is damaged: the %s of a layer is not %s; build the image or copy it again",
                   s->image->files.path, what, text);
}

static int too_many(const struct delta_split *s, struct err *e)
{
    return err_set(e, ERR_INPUT,
                   "%s: the layers that only one of the two images has are in more than %d gzip "
                   "members and zstd frames, too many for a delta; copy the new image whole",
                   s->image->files.path, DELTA_PARTS_MAX);
}

/* The tar: how long it is, and whether it is what the config says. */
static int read_plain(struct delta_split *s, struct gunzip_ends *ends, size_t max, struct err *e)
{
    const struct digest *want = &s->image->config.diff_ids.v[s->layer];
    CLEANUP(source_clear) struct source *plain = NULL;
    CLEANUP(hash_sink_clear) struct hash_sink hash = {0};

    hash_sink_open(&hash, NULL);
    if (open_plain(&plain, s, ends, max, e) < 0 ||
        source_copy(plain, &hash.sink, &s->plain, e) < 0 || sink_finish(&hash.sink, e) < 0)
        return -1;
    return digest_eq(&hash.digest, want) ? 0 : damaged(s, "diff_id", want, e);
}

static int hash_parts(struct delta_split *s, struct err *e)
{
    const struct digest *want = &s->image->manifest.layers.v[s->layer].digest;
    CLEANUP(source_clear) struct source *from = NULL;
    CLEANUP(hash_sink_clear) struct hash_sink whole = {0};
    struct delta_part *part;

    hash_sink_open(&whole, NULL);
    if (delta_split_packed(&from, s, 0, e) < 0)
        return -1;
    vec_each(part, &s->parts) {
        CLEANUP(hash_sink_clear) struct hash_sink hash = {0};

        hash_sink_open(&hash, &whole.sink);
        if (delta_take(from, part->size, &hash.sink, e) < 0)
            return -1;
        hash_finish(&hash.hash, &part->digest);
    }
    if (sink_finish(&whole.sink, e) < 0)
        return -1;
    return digest_eq(&whole.digest, want) ? 0 : damaged(s, "digest", want, e);
}

/* What a registry has is fetched once. */
static int keep(struct delta_split *s, struct spool *spool, struct err *e)
{
    const struct descriptor *d = &s->image->manifest.layers.v[s->layer];
    CLEANUP(source_clear) struct source *from = NULL;
    struct content kept = {0};

    if (!s->image->files.registry)
        return 0;
    if (stored_blob(&from, s->image, d, e) < 0 || spool_put(&kept, spool, from, d->size, e) < 0)
        return -1;
    s->kept = kept;
    return 0;
}

int delta_split(struct delta_split *out, const struct stored *image, size_t i, size_t max,
                struct spool *spool, struct err *e)
{
    CLEANUP(delta_split_clear) struct delta_split s = {.image = image, .layer = i};
    uint64_t blob = image->manifest.layers.v[i].size;
    struct gunzip_ends ends = {0};
    int result =
        keep(&s, spool, e) < 0 || find_packing(&s, e) < 0 || read_plain(&s, &ends, max, e) < 0 ? -1
                                                                                               : 0;

    if (result == 0 && s.packing == PACKED_GZIP)
        take_ends(&s, &ends, blob);
    vec_clear(&ends);
    if (result < 0 || (s.packing == PACKED_ZSTD && take_frames(&s, blob, max, e) < 0))
        return -1;
    if (!s.parts.n)
        vec_add(&s.parts, ((struct delta_part){.size = blob, .plain = s.plain}));
    if (s.parts.n > max)
        return too_many(&s, e);
    if (hash_parts(&s, e) < 0)
        return -1;
    MOVE(out, &s);
    return 0;
}

void delta_split_clear(struct delta_split *s)
{
    vec_clear(&s->parts);
    *s = (struct delta_split){0};
}
