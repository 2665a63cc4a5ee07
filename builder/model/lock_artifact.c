/* SPDX-License-Identifier: Apache-2.0 */
#include "lock_artifact.h"

#include "../base/date.h"
#include "../io/crypto.h"
#include "../oci/ref.h"
#include "labels.h"

enum { SHORT = 12 }; /* hex digits */

static const char before_key[] = LABEL_PREFIX "before", lock_key[] = LABEL_PREFIX "lock.digest";

void lock_artifact_tag(struct buf *out, struct str tag, const struct digest *lock, bool artifact)
{
    enum { ROOM = REF_TAG_MAX - 1 - SHORT - (sizeof LOCK_TAG_END - 1) };
    char hex[DIGEST_HEX + 1];

    digest_hex(lock, hex);
    if (ref_tag_ok(tag))
        tag = str_sub(tag, 0, ROOM);
    buf_fmt(out, STR_FMT "-%.*s%s", STR_ARG(tag), SHORT, hex, artifact ? LOCK_TAG_END : "");
}

bool lock_artifact_of(struct str *out, struct str tag)
{
    struct str hex;

    if (!str_drop(&tag, STR(LOCK_TAG_END)) || !str_cut_last(&tag, STR("-"), &hex) ||
        hex.len != SHORT)
        return false;
    for (size_t i = 0; i < hex.len; i++)
        if (!c_digit(hex.p[i]) && (hex.p[i] < 'a' || hex.p[i] > 'f'))
            return false;
    *out = tag;
    return true;
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
                         const struct descriptor *image, struct lock_artifact *says)
{
    CLEANUP(image_manifest_clear) struct image_manifest m = {.artifact_type = STR(MEDIA_LOCK)};
    CLEANUP(buf_clear) struct buf created = {0};
    struct descriptor *layer = vec_push(&m.layers);
    struct arena *a = &m.arena;

    lock_digest(&says->lock, lock);
    date_print(&created, lock->created);
    m.config = describe(MEDIA_EMPTY, STR("{}"));
    *layer = describe(MEDIA_LOCK, text);
    pairs_add(&layer->annotations, STR(ANNOTATION_TITLE),
              str_of(arena_fmt(a, STR_FMT ".lock", STR_ARG(lock->name))));
    m.has_subject = true;
    m.subject = (struct descriptor){
        .media_type = image->media_type, .digest = image->digest, .size = image->size};
    pairs_add(&m.annotations, STR("org.opencontainers.image.created"), buf_view(&created));
    pairs_add(&m.annotations, str_of(lock_key), digest_str(a, &says->lock));
    if (digest_is_set(&says->before))
        pairs_add(&m.annotations, str_of(before_key), digest_str(a, &says->before));
    image_manifest_write(&m, out);
}

bool lock_artifact_read(struct lock_artifact *out, const struct image_manifest *m)
{
    const struct str *before = pairs_get(&m->annotations, before_key),
                     *lock = pairs_get(&m->annotations, lock_key);
    struct lock_artifact says = {0};

    if (!str_is(m->artifact_type, MEDIA_LOCK) || !m->has_subject || m->layers.n != 1 || !lock ||
        !digest_from_text(&says.lock, *lock) ||
        (before && !digest_from_text(&says.before, *before)))
        return false;
    *out = says;
    return true;
}
