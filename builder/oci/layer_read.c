/* SPDX-License-Identifier: Apache-2.0 */
#include "layer_read.h"

#include "../io/crypto.h"
#include "../io/gunzip.h"
#include "../io/tar.h"
#include "../io/unpack.h"

enum { CHUNK = 256 * 1024, HEAD = 4 };

static const uint64_t plain_max = (uint64_t)1 << 38; /* bytes of one layer, unpacked */

/* Some tools leave out the padding and the end of a tar, and others read it all the same: that
 * nothing else is cut off, the digests tell. */
enum { TAR_END = 3 * TAR_BLOCK };

/* A source that hashes what passes; then `zeros` zero bytes, which are not hashed. */
struct hashing {
    struct source source;
    struct source *in;
    struct hash hash;
    bool on;
    uint64_t left; /* bytes until it is too much */
    size_t zeros;
    const struct events *events;
};

struct layer_read {
    char name[DIGEST_TEXT + 16];
    const struct stored *image;
    size_t i;
    struct stored_range range;
    struct source_file file;
    struct hashing packed, plain;
    struct gunzip *gunzip;
    struct decompressor *decompressor;
};

static int hashing_read(struct source *self, void *to, size_t len, size_t *got, struct err *e)
{
    struct hashing *h = (struct hashing *)self;

    if (events_cancelled(h->events))
        return err_set(e, ERR_INTERRUPTED, "interrupted");
    if (source_read(h->in, to, len, got, e) < 0)
        return -1;
    if (*got > h->left)
        return err_set(e, ERR_INPUT, "it unpacks to more than %llu bytes, the most allowed",
                       (unsigned long long)plain_max);
    h->left -= *got;
    if (h->on)
        hash_add(&h->hash, to, *got);
    if (!*got && h->zeros) {
        *got = len < h->zeros ? len : h->zeros;
        memset(to, 0, *got);
        h->zeros -= *got;
    }
    return 0;
}

static void hashing_open(struct hashing *h, struct source *in, bool on, uint64_t most)
{
    *h = (struct hashing){.source = {hashing_read}, .in = in, .on = on, .left = most};
    hash_open(&h->hash);
}

/* Told by its first bytes, which are read from the file once more. */
static int open_plain(struct layer_read *l, struct source **out, struct err *e)
{
    char head[HEAD] = {0};
    size_t n = l->range.size < HEAD ? (size_t)l->range.size : HEAD;

    if (fd_pread_all(l->range.fd.n, head, n, l->range.offset, l->name, e) < 0)
        return -1;
    if (gunzip_is((struct str){head, n})) {
        l->gunzip = gunzip_open(&l->packed.source, l->name);
        *out = gunzip_source(l->gunzip);
    } else if (n == HEAD && memcmp(head, "\x28\xb5\x2f\xfd", HEAD) == 0) {
        if (decompress_open(&l->decompressor, &l->packed.source, plain_max, l->name, e) < 0)
            return -1;
        *out = decompress_source(l->decompressor);
    } else {
        *out = &l->packed.source;
    }
    return 0;
}

int layer_read_open(struct layer_read **out, const struct stored *image, size_t i, bool diff_id,
                    const struct events *events, struct err *e)
{
    CLEANUP(layer_read_clear) struct layer_read *l = xcalloc(1, sizeof *l);
    const struct descriptor *d = &image->manifest.layers.v[i];
    struct source *plain;
    char digest[DIGEST_TEXT + 1];

    digest_text(&d->digest, digest);
    snprintf(l->name, sizeof l->name, "layer %s", digest);
    l->image = image;
    l->i = i;
    if (stored_find(&l->range, image, d, e) < 0)
        return -1;
    source_file_init(&l->file, l->range.fd.n, l->range.offset, l->range.size, l->name);
    hashing_open(&l->packed, &l->file.source, !image->no_digests, UINT64_MAX);
    if (open_plain(l, &plain, e) < 0)
        return -1;
    hashing_open(&l->plain, plain, diff_id || image->no_digests, plain_max);
    l->plain.zeros = TAR_END;
    l->plain.events = events;
    MOVE(out, &l);
    return 0;
}

struct source *layer_read_source(struct layer_read *l)
{
    return &l->plain.source;
}

const char *layer_read_name(const struct layer_read *l)
{
    return l->name;
}

static int drain(struct source *s, struct err *e)
{
    CLEANUP(free_clear) char *bytes = xmalloc(CHUNK);
    size_t got = 1;

    while (got)
        if (source_read(s, bytes, CHUNK, &got, e) < 0)
            return -1;
    return 0;
}

static int check(struct hashing *h, const struct digest *want, const char *what, struct err *e)
{
    char text[DIGEST_TEXT + 1];
    struct digest found;

    if (!h->on)
        return 0;
    hash_finish(&h->hash, &found);
    if (digest_eq(&found, want))
        return 0;
    digest_text(want, text);
    return err_set(e, ERR_INTEGRITY, "its %s is not %s: the image is damaged", what, text);
}

int layer_read_end(struct layer_read *l, struct err *fault, struct err *e)
{
    CLEANUP(err_clear) struct err own = {0};
    const struct descriptor *d = &l->image->manifest.layers.v[l->i];

    if (!fault)
        fault = &own;
    if (fault->kind == ERR_INTERRUPTED || fault->kind == ERR_SYSTEM)
        return err_join(e, fault);
    if (!err_is_set(fault))
        if (drain(&l->plain.source, fault) < 0 && fault->kind == ERR_INTERRUPTED)
            return err_join(e, fault);
    if (drain(&l->packed.source, e) < 0 || check(&l->packed, &d->digest, "digest", e) < 0 ||
        (!err_is_set(fault) &&
         check(&l->plain, &l->image->config.diff_ids.v[l->i], "diff_id", e) < 0))
        return err_wrap(e, "%s: %s", l->image->path, l->name);
    return err_is_set(fault) ? err_join(e, fault) : 0;
}

void layer_read_clear(struct layer_read **l)
{
    if (!*l)
        return;
    gunzip_clear(&(*l)->gunzip);
    decompress_clear(&(*l)->decompressor);
    hash_clear(&(*l)->packed.hash);
    hash_clear(&(*l)->plain.hash);
    fd_clear(&(*l)->range.fd);
    free(*l);
    *l = NULL;
}
