/* SPDX-License-Identifier: Apache-2.0 */
#include "registry_place.h"

#include <pthread.h>

enum { STEP = 1024 * 1024 }; /* bytes between two events */

/* What the registry has said of a blob, or has been sent. */
struct told {
    struct digest digest;
    const char *there; /* "there", "mounted"; NULL: it is not */
};

struct registry_place {
    struct place place;
    struct registry *r; /* borrowed, as all but `told` */
    const struct registry_mounts *mounts;
    const struct events *events;
    pthread_mutex_t lock; /* over `told` */
    struct VEC_OF(struct told) told;
};

static bool find_told(struct registry_place *p, const struct digest *digest, const char **there)
{
    const struct told *t;
    bool found = false;

    pthread_mutex_lock(&p->lock);
    vec_each(t, &p->told)
        if (digest_eq(&t->digest, digest)) {
            *there = t->there;
            found = true;
        }
    pthread_mutex_unlock(&p->lock);
    return found;
}

static void note(struct registry_place *p, const struct digest *digest, const char *there)
{
    pthread_mutex_lock(&p->lock);
    vec_add(&p->told, ((struct told){*digest, there})); /* the last word counts */
    pthread_mutex_unlock(&p->lock);
}

/* ---- blobs ---- */

static bool may_have(const struct registry_mount *m, const struct digest *digest)
{
    const struct descriptor *d;

    if (!m->blobs)
        return true;
    vec_each(d, m->blobs)
        if (digest_eq(&d->digest, digest))
            return true;
    return false;
}

static int mount(bool *has, struct registry_place *p, const struct digest *digest, struct err *e)
{
    const struct registry_mount *m;

    vec_each(m, p->mounts)
        if (!*has && may_have(m, digest) && registry_mount(has, p->r, digest, m->repository, e) < 0)
            return -1;
    return 0;
}

static int ask(struct registry_place *p, const struct digest *digest, uint64_t size, struct err *e)
{
    bool has, mounted = false;

    if (registry_has_blob(&has, p->r, digest, size, e) < 0 ||
        (!has && p->mounts && mount(&mounted, p, digest, e) < 0))
        return -1;
    note(p, digest, has ? "there" : mounted ? "mounted" : NULL);
    return 0;
}

static int has_blob(bool *has, struct place *place, const struct digest *digest, uint64_t size,
                    struct err *e)
{
    struct registry_place *p = (struct registry_place *)place;

    while (!find_told(p, digest, &place->there))
        if (ask(p, digest, size, e) < 0)
            return -1;
    *has = place->there;
    return 0;
}

struct question {
    struct registry_place *p;
    const struct descriptor *d;
};

static int ask_one(void *ctx, struct err *e)
{
    const struct question *q = ctx;

    return ask(q->p, &q->d->digest, q->d->size, e);
}

static bool is_first(const struct descriptors *blobs, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (digest_eq(&blobs->v[j].digest, &blobs->v[i].digest))
            return false;
    return true;
}

static int ask_blobs(struct place *place, const struct descriptors *blobs, struct err *e)
{
    CLEANUP(free_clear) struct question *questions = xcalloc(blobs->n, sizeof *questions);
    struct registry_place *p = (struct registry_place *)place;
    const char *there;
    size_t n = 0;

    for (size_t i = 0; i < blobs->n; i++)
        if (is_first(blobs, i) && !find_told(p, &blobs->v[i].digest, &there))
            questions[n++] = (struct question){p, &blobs->v[i]};
    return registry_ask_many(questions, n, sizeof *questions, ask_one, e);
}

struct sending {
    struct upload *upload;
    uint64_t told, counted;
};

static int blob_open(struct place *place, struct place_blob *b, struct err *e)
{
    struct registry_place *p = (struct registry_place *)place;
    struct sending *s = xcalloc(1, sizeof *s);

    upload_open(&s->upload, p->r, b->known ? &b->digest : NULL, b->size);
    b->state = s;
    return 0;
}

/* Bytes that are made again are not sent again, and not told again. */
static void tell(const struct place_blob *b, struct sending *s)
{
    const struct registry_place *p = (const struct registry_place *)b->place;
    uint64_t sent = upload_sent(s->upload);

    b->place->sent += sent - s->counted;
    s->counted = sent;
    if (!b->name || !b->known || b->written < s->told + STEP)
        return;
    s->told = b->written;
    events_emit(p->events, &(struct event){.kind = EVENT_ADVANCE,
                                           .task = b->place->task,
                                           .name = b->name,
                                           .done = b->written,
                                           .total = b->size});
}

static int blob_write(struct place_blob *b, const void *bytes, size_t len, struct err *e)
{
    struct sending *s = b->state;
    int result = upload_write(s->upload, b->written - len, bytes, len, &b->again, e);

    tell(b, s);
    return result;
}

static int blob_finish(struct place_blob *b, struct err *e)
{
    struct registry_place *p = (struct registry_place *)b->place;
    struct sending *s = b->state;

    if (upload_finish(s->upload, &b->digest, b->size, &b->again, e) < 0)
        return -1;
    note(p, &b->digest, "there");
    return 0;
}

static int blob_again(struct place_blob *b, struct err *e)
{
    struct sending *s = b->state;

    return upload_rewind(s->upload, e);
}

static void blob_clear(struct place_blob *b)
{
    struct sending *s = b->state;

    upload_clear(&s->upload);
    free(s);
}

/* ---- images ---- */

static int has_manifest(bool *has, struct place *place, const struct digest *digest, struct err *e)
{
    struct registry_place *p = (struct registry_place *)place;
    struct digest there;
    char text[DIGEST_TEXT + 1];

    digest_text(digest, text);
    return registry_has_manifest(has, &there, p->r, str_of(text), e);
}

static int tagged(struct tagged *out, struct place *place, const struct image_name *name,
                  struct err *e)
{
    struct registry_place *p = (struct registry_place *)place;

    return registry_has_manifest(&out->found, &out->digest, p->r, name->tag, e);
}

static int has_tag(bool *has, struct registry_place *p, struct str tag, const struct digest *digest,
                   struct err *e)
{
    struct digest there = {0};
    bool found;

    if (registry_has_manifest(&found, &there, p->r, tag, e) < 0)
        return -1;
    *has = found && digest_eq(&there, digest);
    if (*has)
        events_note(p->events, "tag " STR_FMT ": there", STR_ARG(tag));
    return 0;
}

/* A tag that nobody may move is not touched where it is right; and it may become so meanwhile: by
 * another, or by a PUT of ours whose answer was lost. */
static int put_tag(struct registry_place *p, struct str tag, struct str json,
                   const struct descriptor *d, struct err *e)
{
    CLEANUP(err_clear) struct err why = {0}, ignored = {0}; /* the first one counts */
    bool has;

    if (has_tag(&has, p, tag, &d->digest, e) < 0)
        return -1;
    if (has || registry_put_manifest(NULL, p->r, tag, d->media_type, json, &why) == 0)
        return 0;
    if (why.kind == ERR_NET && has_tag(&has, p, tag, &d->digest, &ignored) == 0 && has)
        return 0;
    return err_join(e, &why);
}

/* As a list of referrers has it: what it is and what it says of itself, pulled up. */
static int add_referrer(struct registry_place *p, const struct descriptor *d,
                        const struct image_manifest *m, struct err *e)
{
    struct descriptor entry = *d;

    entry.artifact_type = m->artifact_type.len ? m->artifact_type : m->config.media_type;
    entry.annotations = m->annotations;
    return registry_add_referrer(p->r, &m->subject.digest, &entry, e);
}

/* By its digest. One that refers to another is put even where it is there: the list of referrers
 * may lack it. */
static int put_by_digest(struct registry_place *p, struct str json, const struct descriptor *d,
                         const struct image_manifest *m, struct err *e)
{
    bool refers = m && m->has_subject, has = false, noted = false;
    char text[DIGEST_TEXT + 1];

    digest_text(&d->digest, text);
    if (!refers && has_manifest(&has, &p->place, &d->digest, e) < 0)
        return -1;
    if (has)
        return 0;
    if (registry_put_manifest(&noted, p->r, str_of(text), d->media_type, json, e) < 0)
        return -1;
    return refers && !noted ? add_referrer(p, d, m, e) : 0;
}

static int put_image(struct place *place, struct str json, const struct descriptor *d,
                     const struct image_manifest *manifest, const struct image_name *name,
                     struct err *e)
{
    struct registry_place *p = (struct registry_place *)place;

    if (put_by_digest(p, json, d, manifest, e) < 0)
        return -1;
    return name->tag.len ? put_tag(p, name->tag, json, d, e) : 0;
}

static int close_place(struct place *p, struct err *e)
{
    return 0; /* a tag moves when its image is put */
}

static void free_place(struct place *place)
{
    struct registry_place *p = (struct registry_place *)place;

    pthread_mutex_destroy(&p->lock);
    vec_clear(&p->told);
    free(p);
}

static const struct place_ops registry_ops = {
    .has_blob = has_blob,
    .blob_open = blob_open,
    .blob_write = blob_write,
    .blob_finish = blob_finish,
    .blob_clear = blob_clear,
    .put_image = put_image,
    .close = close_place,
    .free = free_place,
    .blob_again = blob_again,
    .has_manifest = has_manifest,
    .ask_blobs = ask_blobs,
    .tagged = tagged,
};

void registry_place_open(struct place **out, struct registry *r,
                         const struct registry_mounts *mounts, const struct events *events)
{
    struct registry_place *p = xcalloc(1, sizeof *p);

    p->place = (struct place){.ops = &registry_ops,
                              .known_first = registry_way(r) == REGISTRY_PUT,
                              .manifests_apart = true,
                              .no_foreign = true,
                              .task = "send"};
    p->r = r;
    p->mounts = mounts;
    p->events = events;
    pthread_mutex_init(&p->lock, NULL);
    *out = &p->place;
}
