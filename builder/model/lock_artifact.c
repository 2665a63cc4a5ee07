/* SPDX-License-Identifier: Apache-2.0 */
#include "lock_artifact.h"

#include "../base/date.h"
#include "../io/crypto.h"
#include "../oci/ref.h"
#include "labels.h"

enum { SHORT = 12 }; /* hex digits */

static const char tag_key[] = LABEL_PREFIX "tag", before_key[] = LABEL_PREFIX "before";

void lock_artifact_tag(struct buf *out, struct str tag, const struct lock *lock, bool artifact)
{
    enum { ROOM = REF_TAG_MAX - 1 - SHORT - (sizeof LOCK_TAG_END - 1) };
    char hex[DIGEST_HEX + 1];
    struct digest digest;

    lock_digest(&digest, lock);
    digest_hex(&digest, hex);
    if (ref_tag_ok(tag))
        tag = str_sub(tag, 0, ROOM);
    buf_fmt(out, STR_FMT "-%.*s%s", STR_ARG(tag), SHORT, hex, artifact ? LOCK_TAG_END : "");
}

static struct str digest_str(struct arena *a, const struct digest *d)
{
    char text[DIGEST_TEXT + 1];

    digest_text(d, text);
    return arena_str(a, str_of(text));
}

static struct descriptor describe(const char *media_type, struct str bytes)
{
    struct descriptor d = {.media_type = str_of(media_type), .size = bytes.len};

    hash_bytes(&d.digest, bytes.p, bytes.len);
    return d;
}

void lock_artifact_write(struct buf *out, const struct lock *lock, struct str text,
                         const struct descriptor *image, const struct lock_artifact *says)
{
    CLEANUP(image_manifest_clear) struct image_manifest m = {.artifact_type = STR(MEDIA_LOCK)};
    CLEANUP(buf_clear) struct buf created = {0};
    struct descriptor *layer = vec_push(&m.layers);
    struct arena *a = &m.arena;
    struct digest digest;

    lock_digest(&digest, lock);
    date_print(&created, lock->created);
    m.config = describe(MEDIA_EMPTY, STR("{}"));
    *layer = describe(MEDIA_LOCK, text);
    pairs_add(&layer->annotations, STR(ANNOTATION_TITLE),
              str_of(arena_fmt(a, STR_FMT ".lock", STR_ARG(lock->name))));
    m.has_subject = true;
    m.subject = (struct descriptor){
        .media_type = image->media_type, .digest = image->digest, .size = image->size};
    pairs_add(&m.annotations, STR("org.opencontainers.image.created"), buf_view(&created));
    pairs_add(&m.annotations, STR(LABEL_PREFIX "lock.digest"), digest_str(a, &digest));
    pairs_add(&m.annotations, str_of(tag_key), says->tag);
    if (digest_is_set(&says->before))
        pairs_add(&m.annotations, str_of(before_key), digest_str(a, &says->before));
    image_manifest_write(&m, out);
}

bool lock_artifact_read(struct lock_artifact *out, const struct image_manifest *m)
{
    const struct str *tag = pairs_get(&m->annotations, tag_key),
                     *before = pairs_get(&m->annotations, before_key);

    if (!str_is(m->artifact_type, MEDIA_LOCK) || !m->has_subject || m->layers.n != 1)
        return false;
    *out = (struct lock_artifact){.tag = tag ? *tag : STR("")};
    if (before && !digest_from_text(&out->before, *before))
        return false;
    return true;
}
