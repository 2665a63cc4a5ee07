/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_make_parts.h"

#include "../model/lock_artifact.h"
#include "../model/lock_form.h"

struct text {
    struct digest digest;
    struct buf bytes;
};

static void text_clear(struct text *t)
{
    buf_clear(&t->bytes);
}

static int read_text(struct text *t, const struct stored *s, const struct descriptor *d,
                     struct err *e)
{
    CLEANUP(source_clear) struct source *blob = NULL;

    if (stored_blob(&blob, s, d, e) < 0 || source_read_all(blob, &t->bytes, LOCK_SIZE_MAX, e) < 0)
        return -1;
    hash_bytes(&t->digest, t->bytes.p, t->bytes.len);
    return digest_eq(&t->digest, &d->digest)
               ? 0
               : err_set(
                     e, ERR_INTEGRITY,
                     "%s: the lock of the image is damaged there; build or copy the image again",
                     s->files.path);
}

static int add_document(struct making *m, struct str bytes, const struct digest *near,
                        struct str near_bytes, struct err *e)
{
    CLEANUP(buf_clear) struct buf frame = {0};
    struct delta_document *d;
    struct digest digest;

    hash_bytes(&digest, bytes.p, bytes.len);
    if (delta_document(&m->delta, &digest))
        return 0;
    if (zstd_pack_near(m->zstd, &frame, bytes, near_bytes, e) < 0)
        return -1;
    d = vec_push(&m->delta.documents);
    *d = (struct delta_document){.digest = digest, .size = bytes.len, .packed = frame.len};
    if (near_bytes.len) {
        d->near = *near;
        d->near_size = near_bytes.len;
    }
    return delta_body_add(m, buf_view(&frame), e);
}

struct locks {
    struct image_index index;
    struct buf json;
};

static void locks_clear(struct locks *l)
{
    image_index_clear(&l->index);
    buf_clear(&l->json);
}

static int find_locks(struct locks *out, const struct stored *s, struct err *e)
{
    if (stored_referrers(&out->json, s, &s->digest, e) < 0)
        return -1;
    return out->json.len
               ? image_index_parse(&out->index, buf_view(&out->json), NULL, "referrers", e)
               : 0;
}

/* A lock's manifest, and the lock. */
struct lock_read {
    struct buf json;
    struct image_manifest manifest;
    struct text text;
    bool is;
};

static void lock_read_clear(struct lock_read *r)
{
    buf_clear(&r->json);
    image_manifest_clear(&r->manifest);
    text_clear(&r->text);
}

static int read_lock(struct lock_read *out, const struct stored *s, const struct descriptor *d,
                     struct err *e)
{
    struct lock_artifact says;

    if (!str_is(d->artifact_type, MEDIA_LOCK))
        return 0;
    if (stored_manifest(&out->json, s, &d->digest, e) < 0 ||
        image_manifest_parse(&out->manifest, buf_view(&out->json), NULL, "manifest", e) < 0)
        return -1;
    out->is = lock_artifact_read(&says, &out->manifest);
    return out->is ? read_text(&out->text, s, &out->manifest.layers.v[0], e) : 0;
}

/* The last lock of OLD, for those of NEW to be near. */
static int read_old_lock(struct text *out, const struct stored *old, struct err *e)
{
    CLEANUP(locks_clear) struct locks locks = {0};
    const struct descriptor *d;

    if (find_locks(&locks, old, e) < 0)
        return -1;
    vec_each(d, &locks.index.manifests) {
        CLEANUP(lock_read_clear) struct lock_read lock = {0};

        if (read_lock(&lock, old, d, e) < 0)
            return -1;
        if (!lock.is)
            continue;
        text_clear(out);
        MOVE(out, &lock.text);
    }
    return 0;
}

static int add_locks(struct making *m, struct err *e)
{
    const struct stored *new = m->how->new;
    CLEANUP(locks_clear) struct locks locks = {0};
    CLEANUP(text_clear) struct text old = {0};
    const struct descriptor *d;

    if (find_locks(&locks, new, e) < 0 || read_old_lock(&old, m->how->old, e) < 0)
        return -1;
    vec_each(d, &locks.index.manifests) {
        CLEANUP(lock_read_clear) struct lock_read lock = {0};

        if (read_lock(&lock, new, d, e) < 0)
            return -1;
        if (!lock.is || m->delta.documents.n + 4 > DELTA_DOCUMENTS_MAX)
            continue;
        if (add_document(m, buf_view(&lock.json), NULL, (struct str){0}, e) < 0 ||
            add_document(m, buf_view(&lock.text.bytes), &old.digest, buf_view(&old.bytes), e) < 0)
            return -1;
        vec_add(&m->delta.locks, d->digest);
    }
    return 0;
}

int delta_documents_add(struct making *m, struct err *e)
{
    const struct stored *old = m->how->old, *new = m->how->new;

    return add_document(m, new->manifest_text, &old->digest, old->manifest_text, e) < 0 ||
                   add_document(m, new->config_text, &old->manifest.config.digest, old->config_text,
                                e) < 0
               ? -1
               : add_locks(m, e);
}
