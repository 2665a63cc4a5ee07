/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_apply_parts.h"

#include "../io/crypto.h"
#include "../io/zstd.h"
#include "../model/lock_artifact.h"

/* What a document is near; *there is false where OLD's place has it no longer. */
static int find_near(struct buf *out, bool *there, const struct applying *a,
                     const struct delta_document *doc)
{
    const struct stored *from = a->how->from;
    CLEANUP(source_clear) struct source *blob = NULL;
    CLEANUP(err_clear) struct err ignored = {0}; /* then it is not there */
    struct digest digest;

    *there = true;
    if (!digest_is_set(&doc->near))
        return 0;
    if (digest_eq(&doc->near, &from->digest)) {
        buf_str(out, from->manifest_text);
        return 0;
    }
    if (digest_eq(&doc->near, &a->how->delta->old.config)) {
        buf_str(out, from->config_text);
        return 0;
    }
    *there =
        !from->no_digests &&
        stored_blob(&blob, from, &(struct descriptor){.digest = doc->near, .size = doc->near_size},
                    &ignored) == 0 &&
        source_read_all(blob, out, DELTA_HEAD_MAX, &ignored) == 0;
    hash_bytes(&digest, out->p, out->len);
    *there = *there && digest_eq(&digest, &doc->near);
    return 0;
}

static int read_document(struct buf *out, bool *there, const struct applying *a,
                         const struct digest *digest, struct err *e)
{
    const struct delta *d = a->how->delta;
    const struct delta_document *doc = delta_document(d, digest);
    CLEANUP(buf_clear) struct buf near = {0}, frame = {0};
    CLEANUP(err_clear) struct err why = {0};
    struct digest got;

    if (!doc)
        return delta_lies(a, "it lacks a document that it names", e);
    if (find_near(&near, there, a, doc) < 0)
        return -1;
    if (!*there)
        return 0;
    if (fd_pread_all(d->fd.n, buf_room(&frame, doc->packed), doc->packed, doc->at, d->path, e) < 0)
        return -1;
    if (zstd_unpack_near(buf_room(out, doc->size), doc->size, (struct str){frame.p, doc->packed},
                         buf_view(&near), &why) < 0)
        return delta_lies(a, why.msg, e);
    out->len += doc->size;
    hash_bytes(&got, out->p, out->len);
    return digest_eq(&got, digest) ? 0
                                   : delta_lies(a, "a document has another digest than it says", e);
}

static int need_document(struct buf *out, const struct applying *a, const struct digest *digest,
                         struct err *e)
{
    bool there;

    if (read_document(out, &there, a, digest, e) < 0)
        return -1;
    return there ? 0 : delta_not_old(a->how->delta, a->how->from, e);
}

/* An engine's tars have no manifest that would name NEW's config. */
static int find_config(struct digest *out, struct applying *a, struct err *e)
{
    const struct delta *d = a->how->delta;

    if (a->packed) {
        if (need_document(&a->manifest_text, a, &d->manifest, e) < 0 ||
            image_manifest_parse(&a->manifest, buf_view(&a->manifest_text), NULL, "manifest", e) <
                0)
            return -1;
        *out = a->manifest.config.digest;
        return 0;
    }
    if (d->documents.n < 2)
        return delta_lies(a, "it lacks a document that it names", e);
    *out = d->documents.v[1].digest; /* behind the manifest */
    return 0;
}

int delta_read_new(struct applying *a, struct err *e)
{
    struct digest config;

    if (find_config(&config, a, e) < 0 || need_document(&a->config_text, a, &config, e) < 0 ||
        image_config_parse(&a->config, buf_view(&a->config_text), "config", e) < 0)
        return -1;
    return !a->packed || a->config.diff_ids.n == a->manifest.layers.n
               ? 0
               : delta_lies(a, "its image has more or fewer layers than diff_ids", e);
}

/* ---- locks ---- */

static int put_lock_bytes(struct applying *a, const struct image_manifest *m, struct str json,
                          struct str text, struct err *e)
{
    CLEANUP(arena_clear) struct arena arena = {0};
    struct lock_artifact says;
    struct lock_names names;
    struct digest digest;

    if (!lock_artifact_read(&says, m) || !digest_eq(&m->subject.digest, &a->how->delta->manifest))
        return 0;
    if (lock_artifact_names(&names, a->to, a->how->name, &says.lock, &m->subject.digest, &arena,
                            e) < 0 ||
        place_put_bytes(a->to, text, &digest, e) < 0 ||
        place_put_bytes(a->to, STR("{}"), &digest, e) < 0)
        return -1;
    if (a->to->manifests_apart && !names.there &&
        place_put_image(a->to, buf_view(&a->manifest_text), &names.image, &a->config.platform,
                        &digest, e) < 0)
        return -1;
    return place_put_image(a->to, json, &names.artifact, NULL, &digest, e);
}

static int put_lock(struct applying *a, const struct digest *lock, struct err *e)
{
    CLEANUP(image_manifest_clear) struct image_manifest m = {0};
    CLEANUP(buf_clear) struct buf json = {0}, text = {0};
    bool there;

    if (read_document(&json, &there, a, lock, e) < 0)
        return -1;
    if (!there)
        return 0;
    if (image_manifest_parse(&m, buf_view(&json), NULL, "manifest", e) < 0)
        return -1;
    if (!m.layers.n)
        return delta_lies(a, "a lock of it is none", e);
    if (read_document(&text, &there, a, &m.layers.v[0].digest, e) < 0)
        return -1;
    if (there)
        return put_lock_bytes(a, &m, buf_view(&json), buf_view(&text), e);
    events_note(a->how->events, "the image is there, but not its lock: the old one is not in %s",
                a->how->from->files.path);
    return 0;
}

/* A registry that takes no lock takes the image all the same: as when it is built. */
int delta_put_locks(struct applying *a, struct err *e)
{
    const struct digest *lock;

    if (!a->packed || !place_keeps(a->to))
        return 0;
    vec_each(lock, &a->how->delta->locks) {
        CLEANUP(err_clear) struct err why = {0};

        if (put_lock(a, lock, &why) == 0)
            continue;
        if (why.kind != ERR_NET)
            return err_join(e, &why);
        events_warn(a->how->events, "the image is there, but not its lock: %s", why.msg);
    }
    return 0;
}
