/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"

#include "../base/date.h"
#include "../io/crypto.h"
#include "../model/compression.h"
#include "../model/labels.h"
#include "../model/lock_artifact.h"

/* A label, unless its value is not known. */
static void label(struct pairs *to, const char *key, struct str value)
{
    if (value.len)
        pairs_add(to, str_of(key), value);
}

static struct str digest_str(struct arena *a, const struct digest *d)
{
    char text[DIGEST_TEXT + 1];

    digest_text(d, text);
    return arena_str(a, str_of(text));
}

static struct str joined(struct arena *a, const struct strs *list, const char *between)
{
    CLEANUP(buf_clear) struct buf text = {0};

    for (size_t i = 0; i < list->n; i++)
        buf_fmt(&text, "%s" STR_FMT, i ? between : "", STR_ARG(list->v[i]));
    return arena_str(a, buf_view(&text));
}

/* "numpy-tests torch-headers" */
static struct str slim_rules(struct arena *a, const struct lock *lock)
{
    struct strs names = {0};
    struct str text;

    for (size_t i = 0; i < lock->slim.n; i++)
        vec_add(&names, str_of(lock->slim.v[i].rule->name));
    text = joined(a, &names, " ");
    vec_clear(&names);
    return text;
}

static void add_labels(struct pairs *to, const struct lock *lock, struct arena *a)
{
    const struct facts *f = &lock->facts;
    CLEANUP(buf_clear) struct buf created = {0};
    struct digest digest;
    const struct node *own;

    date_print(&created, lock->created);
    lock_digest(&digest, lock);
    label(to, "org.opencontainers.image.created", arena_str(a, buf_view(&created)));
    label(to, "org.opencontainers.image.title", lock->name);
    label(to, "org.opencontainers.image.version", lock->tag);
    label(to, LABEL_PREFIX "version", lock->writer);
    label(to, LABEL_PREFIX "format", str_of(arena_fmt(a, "%u", lock->format)));
    label(to, LABEL_PREFIX "base", lock->base);
    if (lock->image.ref.len) {
        label(to, "org.opencontainers.image.base.name", lock->image.name);
        label(to, "org.opencontainers.image.base.digest", digest_str(a, &lock->image.manifest));
    }
    label(to, LABEL_PREFIX "variant", lock->variant);
    label(to, LABEL_PREFIX "slim", slim_rules(a, lock));
    label(to, LABEL_PREFIX "recipe.digest", digest_str(a, &lock->recipe_digest));
    label(to, LABEL_PREFIX "lock.digest", digest_str(a, &digest));
    label(to, LABEL_PREFIX "pytorch.version", f->pytorch);
    label(to, LABEL_PREFIX "python.version", lock->python_full);
    label(to, LABEL_PREFIX "cuda.version", f->cuda);
    label(to, LABEL_PREFIX "cuda.toolkit", f->cuda_toolkit);
    label(to, LABEL_PREFIX "toolkit.version", lock->toolkit.version);
    label(to, LABEL_PREFIX "toolkit.from", lock->toolkit.from);
    label(to, LABEL_PREFIX "cuda.driver.min", f->driver_min);
    label(to, LABEL_PREFIX "cuda.driver.full", f->driver_full);
    label(to, LABEL_PREFIX "cuda.archs", f->archs);
    label(to, LABEL_PREFIX "cudnn.version", f->cudnn);
    label(to, LABEL_PREFIX "nccl.version", f->nccl);
    if (strcmp(lock_startup_check(lock), "off") != 0)
        label(to, LABEL_PREFIX "startup-check", str_of(lock_startup_check(lock)));
    label(to, LABEL_PREFIX "uncovered-scripts", joined(a, &lock->uncovered, ", "));
    label(to, "com.nvidia.cudnn.version", f->cudnn);
    node_each(own, lock->labels)
        pairs_add(to, own->key, own->text);
}

/* What the image below says and we do not say otherwise. */
static void continue_config(struct image_config *c, const struct image_config *below,
                            const struct lock *lock)
{
    c->user = below->user;
    c->stop_signal = below->stop_signal;
    for (size_t i = 0; i < below->ports.n; i++)
        vec_add(&c->ports, below->ports.v[i]);
    for (size_t i = 0; i < below->volumes.n; i++)
        vec_add(&c->volumes, below->volumes.v[i]);
    for (size_t i = 0; i < below->labels.n; i++)
        pairs_add(&c->labels, below->labels.v[i].key, below->labels.v[i].value);
    for (size_t i = 0; i < below->history.n; i++)
        vec_add(&c->history, below->history.v[i]);
    for (size_t i = 0; i < below->diff_ids.n && !below->history.n; i++)
        vec_add(&c->history, ((struct image_history){.comment = STR("of the base image")}));
}

static void add_offers(struct image_config *c, const struct lock *lock)
{
    for (size_t i = 0; i < lock->ports.n; i++)
        vec_add(&c->ports, lock->ports.v[i]);
    for (size_t i = 0; i < lock->volumes.n; i++)
        vec_add(&c->volumes, lock->volumes.v[i]);
    for (size_t i = 0; i < lock->health.command.n; i++)
        vec_add(&c->health.command, lock->health.command.v[i]);
    c->health.interval = lock->health.interval;
    c->health.timeout = lock->health.timeout;
    c->health.start_period = lock->health.start_period;
    c->health.retries = lock->health.retries;
}

static void config_fill(struct image_config *c, const struct lock *lock,
                        const struct image_config *below)
{
    struct arena *a = &c->arena;

    c->platform = (struct platform){.os = lock->os, .architecture = lock->arch};
    c->dated = true;
    c->created = lock->created;
    c->workdir = lock->workdir;
    if (below)
        continue_config(c, below, lock);
    if (lock->user.name.len)
        c->user = str_of(arena_fmt(a, "%u:%u", lock->user.uid, lock->user.gid));
    for (size_t i = 0; i < lock->env.n; i++)
        vec_add(&c->env, lock->env.v[i]);
    for (size_t i = 0; i < lock->entrypoint.n; i++)
        vec_add(&c->entrypoint, lock->entrypoint.v[i]);
    for (size_t i = 0; i < lock->cmd.n; i++)
        vec_add(&c->cmd, lock->cmd.v[i]);
    add_offers(c, lock);
    add_labels(&c->labels, lock, a);
    for (size_t i = 0; i < lock->layers.n; i++) {
        const struct lock_layer *l = &lock->layers.v[i];
        struct image_history *h;

        vec_add(&c->diff_ids, l->diff_id);
        if (l->kind == LOCK_IMAGE)
            continue;
        h = vec_push(&c->history);
        h->dated = true;
        h->created = lock->created;
        h->created_by = str_of(arena_fmt(a, "envbuild " STR_FMT, STR_ARG(l->name)));
    }
}

static void write_config(struct buf *out, const struct lock *lock, const struct image_config *below,
                         struct pairs *annotations, struct arena *a)
{
    CLEANUP(image_config_clear) struct image_config config = {0};

    config_fill(&config, lock, below);
    for (size_t i = 0; i < config.labels.n; i++)
        pairs_add(annotations, arena_str(a, config.labels.v[i].key),
                  arena_str(a, config.labels.v[i].value));
    image_config_write(&config, out);
}

static void write_manifest(struct buf *out, const struct lock *lock, struct image_manifest *m)
{
    bool zstd = compression_is_zstd(lock_compression(lock));

    for (size_t i = 0; i < lock->layers.n; i++) {
        const struct lock_layer *l = &lock->layers.v[i];
        struct descriptor *d = vec_push(&m->layers);

        d->media_type = l->kind == LOCK_IMAGE ? l->media_type
                        : zstd                ? STR(MEDIA_LAYER_ZSTD)
                                              : STR(MEDIA_LAYER_GZIP);
        d->digest = l->digest;
        d->size = l->size;
        chunked_annotate(&d->annotations, &l->chunked, &m->arena);
    }
    image_manifest_write(m, out);
}

static int same(const char *what, const struct digest *want, const struct digest *got,
                struct err *e)
{
    char have[DIGEST_TEXT + 1], made[DIGEST_TEXT + 1];

    if (digest_eq(want, got))
        return 0;
    digest_text(want, have);
    digest_text(got, made);
    return err_set(
        e, ERR_INTEGRITY,
        "the %s is %s, but the lock has %s; the lock was edited, or written by another version: "
        "compare it with an older one, with `envbuild lock diff OLD NEW`",
        what, made, have);
}

/* ---- into the place ---- */

/* The lock as it is once this image is built. One that is there already stays: what was before it
 * is known best by the first. */
static int put_lock(const struct lock *lock, struct place *place, const struct image_name *name,
                    const struct image_name *own, const struct descriptor *image, struct err *e)
{
    struct lock_artifact says = {0};
    CLEANUP(buf_clear) struct buf text = {0}, json = {0};
    struct tagged here, before, again;
    struct digest digest;
    bool right = true;

    if (place_tagged(&here, place, own, e) < 0)
        return -1;
    if (here.found && place->manifests_apart)
        return 0;
    lock_print(&text, lock);
    if (place_put_bytes(place, STR("{}"), &digest, e) < 0 ||
        place_put_bytes(place, buf_view(&text), &digest, e) < 0 ||
        (here.found && place_has_blob(&right, place, &here.digest, here.size, e) < 0))
        return -1;
    if (here.found && right)
        return 0;
    if (place_tagged(&before, place, name, e) < 0)
        return -1;
    if (before.found && !digest_eq(&before.digest, &image->digest)) {
        says.before = before.digest;
    } else if (before.found && !here.found) {
        /* Who published it since the first question knows what was before. */
        if (place_tagged(&again, place, own, e) < 0)
            return -1;
        if (again.found)
            return 0;
    }
    lock_artifact_write(&json, lock, buf_view(&text), image, &says);
    return place_put_image(place, buf_view(&json), own, NULL, &digest, e);
}

/* The tag that stays, in a registry: all that has no tag is swept there. */
static int put_fixed(struct place *place, const struct lock_names *names,
                     const struct image_part *part, struct err *e)
{
    struct str json = buf_view(&part->json);
    struct digest digest;

    if (!place->manifests_apart)
        return place_put_bytes(place, json, &digest, e);
    return names->there
               ? 0
               : place_put_image(place, json, &names->image, &part->d.platform, &digest, e);
}

/* What has to be there before the tag moves: the tag that stays, and the lock. A registry that
 * takes no lock takes the image all the same. */
static int put_beside(struct place *place, const struct lock *lock, const struct image_name *name,
                      const struct image_part *part, bool inner, const struct events *events,
                      struct err *e)
{
    CLEANUP(arena_clear) struct arena a = {0};
    CLEANUP(err_clear) struct err why = {0};
    struct digest of_lock;
    struct lock_names names;

    lock_digest(&of_lock, lock);
    if (lock_artifact_names(&names, place, name, &of_lock, &part->d.digest, &a, e) < 0 ||
        put_fixed(place, &names, part, e) < 0)
        return -1;
    if (inner || put_lock(lock, place, name, &names.artifact, &part->d, &why) == 0)
        return 0;
    if (why.kind != ERR_NET) {
        err_wrap(&why, "lock");
        return err_join(e, &why);
    }
    events_warn(events, "the image is there, but not its lock: %s", why.msg);
    return 0;
}

int image_put(struct place *place, const struct lock *lock, const struct image_name *name,
              const struct image_part *part, bool inner, const struct events *events, struct err *e)
{
    struct digest digest;

    if (place_keeps(place))
        return put_beside(place, lock, name, part, inner, events, e);
    return inner ? place_put_bytes(place, buf_view(&part->json), &digest, e) : 0;
}

int image_tag(struct place *place, const struct image_name *name, const struct image_part *part,
              bool inner, struct err *e)
{
    struct digest digest;

    return inner && !place->manifests_apart
               ? 0
               : place_put_image(place, buf_view(&part->json), name, &part->d.platform, &digest, e);
}

/* ---- what goes there ---- */

static void describe(struct image_part *part, const struct lock *lock, const char *media_type)
{
    part->d.media_type = str_of(media_type);
    part->d.size = part->json.len;
    part->d.platform = (struct platform){.os = lock->os, .architecture = lock->arch};
    hash_bytes(&part->d.digest, part->json.p, part->json.len);
}

int image_make(struct image_part *out, struct lock *lock, struct place *place,
               const struct image_config *below, struct err *e)
{
    CLEANUP(image_manifest_clear) struct image_manifest m = {0};
    CLEANUP(buf_clear) struct buf config = {0};

    write_config(&config, lock, below, &m.annotations, &m.arena);
    hash_bytes(&m.config.digest, config.p, config.len);
    m.config.media_type = STR(MEDIA_CONFIG);
    m.config.size = config.len;
    write_manifest(&out->json, lock, &m);
    describe(out, lock, MEDIA_MANIFEST);
    if (compression_is_zstd(lock_compression(lock)))
        pairs_add(&out->d.annotations, STR(ANNOTATION_ZSTD), STR("true"));
    /* All of it is compared before any of it gets a name. */
    if (lock->built && (same("image's config", &lock->config, &m.config.digest, e) < 0 ||
                        same("image's manifest", &lock->manifest, &out->d.digest, e) < 0))
        return -1;
    if (place_put_bytes(place, buf_view(&config), &m.config.digest, e) < 0)
        return -1;
    lock->config = m.config.digest;
    lock->manifest = out->d.digest;
    return 0;
}

void image_make_index(struct image_part *out, const struct lock *lock,
                      const struct image_parts *forms)
{
    struct image_index index = {0};
    const struct image_part *part;

    vec_each(part, forms)
        vec_add(&index.manifests, part->d); /* borrows their annotations */
    image_index_write(&index, &out->json);
    vec_clear(&index.manifests);
    describe(out, lock, MEDIA_INDEX);
}

void image_parts_clear(struct image_parts *parts)
{
    struct image_part *part;

    vec_each(part, parts) {
        descriptor_clear(&part->d);
        buf_clear(&part->json);
    }
    vec_clear(parts);
}
