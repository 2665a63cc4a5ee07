/* SPDX-License-Identifier: Apache-2.0 */
#include "lock_artifact.h"

#include "../base/date.h"
#include "../io/crypto.h"
#include "../oci/ref.h"
#include "labels.h"

enum { SHORT = 12 }; /* hex digits */

static const char before_key[] = LABEL_PREFIX "before", lock_key[] = LABEL_PREFIX "lock.digest";

void lock_artifact_tag(struct buf *out, struct str tag, const struct digest *lock,
                       const struct digest *image)
{
    enum { ROOM = REF_TAG_MAX - 2 * (1 + SHORT) - (sizeof LOCK_TAG_END - 1) };
    char hex[DIGEST_HEX + 1];

    digest_hex(lock, hex);
    if (ref_tag_ok(tag))
        tag = str_sub(tag, 0, ROOM);
    buf_fmt(out, STR_FMT "-%.*s", STR_ARG(tag), SHORT, hex);
    if (!image)
        return;
    digest_hex(image, hex);
    buf_fmt(out, ".%.*s", SHORT, hex);
}

static bool is_short_hex(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!c_digit(s.p[i]) && (s.p[i] < 'a' || s.p[i] > 'f'))
            return false;
    return s.len == SHORT;
}

bool lock_artifact_of(struct str *out, struct str tag)
{
    struct str hex, lock;

    if (!str_drop(&tag, STR(LOCK_TAG_END)) || !str_cut_last(&tag, STR("-"), &hex) ||
        (str_cut(&hex, STR("."), &lock) && !is_short_hex(lock)) || !is_short_hex(hex))
        return false;
    *out = tag;
    return true;
}

/* ---- names ---- */

static struct str add_tag(struct str tag, const struct digest *lock, const struct digest *image,
                          const char *end, struct arena *a)
{
    CLEANUP(buf_clear) struct buf whole = {0};

    if (!tag.len)
        return tag;
    lock_artifact_tag(&whole, tag, lock, image);
    buf_puts(&whole, end);
    return arena_str(a, buf_view(&whole));
}

static struct image_name add_tags(const struct image_name *name, const struct digest *lock,
                                  const struct digest *image, const char *end, struct arena *a)
{
    return (struct image_name){.repository = name->repository,
                               .tag = add_tag(name->tag, lock, image, end, a),
                               .layout_tag = add_tag(name->layout_tag, lock, image, end, a)};
}

/* *taken: another image has that name. A layout has it for the artifact alone, and one that is
 * damaged there counts as ours. */
static int ask(bool *taken, struct lock_names *names, struct place *place,
               const struct digest *image, struct err *e)
{
    bool apart = place->manifests_apart;
    struct tagged t;

    if (place_tagged(&t, place, apart ? &names->image : &names->artifact, e) < 0)
        return -1;
    names->there = apart && t.found && digest_eq(&t.digest, image);
    *taken = t.found &&
             (apart ? !names->there : digest_is_set(&t.subject) && !digest_eq(&t.subject, image));
    return 0;
}

int lock_artifact_names(struct lock_names *out, struct place *place, const struct image_name *name,
                        const struct digest *lock, const struct digest *image, struct arena *a,
                        struct err *e)
{
    bool taken;

    out->image = add_tags(name, lock, NULL, "", a);
    out->artifact = add_tags(name, lock, NULL, LOCK_TAG_END, a);
    if (ask(&taken, out, place, image, e) < 0)
        return -1;
    if (!taken)
        return 0;
    out->image = add_tags(name, lock, image, "", a);
    out->artifact = add_tags(name, lock, image, LOCK_TAG_END, a);
    return ask(&taken, out, place, image, e);
}

/* ---- the document ---- */

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
