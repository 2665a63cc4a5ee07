/* SPDX-License-Identifier: Apache-2.0 */
#include "delta.h"

#include <fcntl.h>

#include "../io/bits.h"
#include "../io/crypto.h"
#include "../io/zstd.h"

static const char magic[] = "envbuild delta 1\n", magic_any[] = "envbuild delta ";
enum { MAGIC = sizeof magic - 1, LENGTHS = 8, BEGIN = MAGIC + LENGTHS, SUM = 32 };

int delta_too_different(struct err *e)
{
    return err_set(e, ERR_INPUT,
                   "the images differ in too many places for a delta; copy the new one whole");
}

int delta_begin_write(const struct delta *d, struct buf *out, struct err *e)
{
    struct zstd_packer *z = zstd_packer_open();
    CLEANUP(buf_clear) struct buf head = {0}, frame = {0};
    int result;

    delta_head_write(d, &head);
    result = zstd_pack_near(z, &frame, buf_view(&head), (struct str){0}, e);
    zstd_packer_free(z);
    if (result < 0)
        return -1;
    if (head.len > DELTA_HEAD_MAX)
        return delta_too_different(e);
    buf_puts(out, magic);
    buf_number(out, frame.len, 4);
    buf_number(out, head.len, 4);
    buf_str(out, buf_view(&frame));
    return 0;
}

static int check_sum(const struct delta *d, struct err *e)
{
    CLEANUP(source_clear) struct source *from = source_file(d->fd.n, 0, d->size - SUM, d->path);
    CLEANUP(hash_source_clear) struct hash_source hashing;
    struct digest sum, told;

    hash_source_open(&hashing, from);
    if (source_drain(&hashing.source, e) < 0 ||
        fd_pread_all(d->fd.n, told.bytes, SUM, d->size - SUM, d->path, e) < 0)
        return -1;
    hash_finish(&hashing.hash, &sum);
    return digest_eq(&sum, &told)
               ? 0
               : err_set(e, ERR_INTEGRITY, "%s is cut or damaged: fetch it again", d->path);
}

static int no_delta(const struct delta *d, struct err *e)
{
    return err_set(e, ERR_INPUT, "%s is not a delta; give a file that `envbuild delta` has written",
                   d->path);
}

static int check_magic(const struct delta *d, const char *begin, struct err *e)
{
    if (memcmp(begin, magic, MAGIC) == 0)
        return 0;
    if (memcmp(begin, magic_any, sizeof magic_any - 1) == 0)
        return err_set(
            e, ERR_INPUT,
            "%s is a delta of a form that this envbuild does not know; a newer one reads it",
            d->path);
    return no_delta(d, e);
}

static int read_file(struct delta *out, struct delta *d, struct err *e)
{
    CLEANUP(buf_clear) struct buf frame = {0}, head = {0};
    char begin[BEGIN];
    uint32_t packed, plain;

    if (d->size < BEGIN + SUM)
        return no_delta(d, e);
    if (fd_pread_all(d->fd.n, begin, BEGIN, 0, d->path, e) < 0 || check_magic(d, begin, e) < 0 ||
        check_sum(d, e) < 0)
        return -1;
    packed = load_le32((const uint8_t *)begin + MAGIC);
    plain = load_le32((const uint8_t *)begin + MAGIC + 4);
    if (packed > d->size - BEGIN - SUM || plain > DELTA_HEAD_MAX)
        return no_delta(d, e);
    if (fd_pread_all(d->fd.n, buf_room(&frame, packed), packed, BEGIN, d->path, e) < 0)
        return -1;
    if (zstd_unpack_near(buf_room(&head, plain), plain, (struct str){frame.p, packed},
                         (struct str){0}, e) < 0 ||
        delta_head_read(out, (struct str){head.p, plain}, BEGIN + packed, d->size - SUM, e) < 0)
        return err_wrap(e, "%s cannot be used; have it made again", d->path);
    return 0;
}

int delta_open(struct delta *out, const char *path, struct err *e)
{
    CLEANUP(delta_clear) struct delta file = {.path = xstrdup(path)}, d = {0};

    if (fd_open(&file.fd, path, O_RDONLY, 0, e) < 0 ||
        fd_size(file.fd.n, &file.size, path, e) < 0 || read_file(&d, &file, e) < 0)
        return -1;
    MOVE(&d.fd, &file.fd);
    MOVE(&d.path, &file.path);
    d.size = file.size;
    MOVE(out, &d);
    return 0;
}

void delta_clear(struct delta *d)
{
    struct delta_layer *l;

    vec_each(l, &d->layers)
        vec_clear(&l->pieces);
    vec_clear(&d->layers);
    vec_clear(&d->old.layers);
    vec_clear(&d->old.diff_ids);
    vec_clear(&d->documents);
    vec_clear(&d->locks);
    vec_clear(&d->runs);
    fd_clear(&d->fd);
    free(d->path);
    arena_clear(&d->arena);
    *d = (struct delta){0};
}

const struct delta_layer *delta_layer(const struct delta *d, const struct digest *digest)
{
    const struct delta_layer *l;

    vec_each(l, &d->layers)
        if (digest_eq(&l->digest, digest))
            return l;
    return NULL;
}

const struct delta_document *delta_document(const struct delta *d, const struct digest *digest)
{
    const struct delta_document *doc;

    vec_each(doc, &d->documents)
        if (digest_eq(&doc->digest, digest))
            return doc;
    return NULL;
}
