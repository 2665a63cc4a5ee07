/* SPDX-License-Identifier: Apache-2.0 */
#include "published.h"

#include "../io/crypto.h"
#include "../model/lock_artifact.h"
#include "../model/lock_form.h"

/* ---- one lock ---- */

/* What an artifact holds, and which image it refers to. *is: it is a lock. */
struct artifact_read {
    struct image_manifest manifest;
    struct lock_artifact says;
    struct lock lock;
    struct buf text;
};

static void artifact_read_clear(struct artifact_read *r)
{
    image_manifest_clear(&r->manifest);
    lock_clear(&r->lock);
    buf_clear(&r->text);
}

static int read_text(struct artifact_read *r, const struct stored *s, struct err *e)
{
    CLEANUP(source_clear) struct source *blob = NULL;
    const struct descriptor *d = &r->manifest.layers.v[0];
    struct digest digest;

    if (stored_blob(&blob, s, d, e) < 0 || source_read_all(blob, &r->text, LOCK_SIZE_MAX, e) < 0)
        return -1;
    hash_bytes(&digest, r->text.p, r->text.len);
    return digest_eq(&digest, &d->digest)
               ? 0
               : err_set(e, ERR_INTEGRITY, "%s: the lock has another digest than its manifest says",
                         s->files.path);
}

/* Was the lock built to what it refers to: a manifest, or an index of its forms? */
static int is_of(bool *out, const struct artifact_read *r, const struct stored *s, struct err *e)
{
    CLEANUP(image_index_clear) struct image_index index = {0};
    CLEANUP(buf_clear) struct buf json = {0};
    const struct descriptor *subject = &r->manifest.subject, *d;

    *out = lock_is_of(&r->lock, &subject->digest);
    if (*out || !str_is(subject->media_type, MEDIA_INDEX))
        return 0;
    if (stored_manifest(&json, s, &subject->digest, e) < 0 ||
        image_index_parse(&index, buf_view(&json), MEDIA_INDEX, "index", e) < 0)
        return -1;
    *out = index.manifests.n > 0;
    vec_each(d, &index.manifests)
        *out &= lock_is_of(&r->lock, &d->digest);
    return 0;
}

static int read_artifact(struct artifact_read *r, bool *is, const struct stored *s,
                         const struct digest *digest, struct err *e)
{
    CLEANUP(buf_clear) struct buf json = {0};
    bool ours;

    if (stored_manifest(&json, s, digest, e) < 0)
        return -1;
    *is = !image_is_index(buf_view(&json));
    if (!*is)
        return 0;
    if (image_manifest_parse(&r->manifest, buf_view(&json), NULL, "manifest", e) < 0)
        return -1;
    *is = lock_artifact_read(&r->says, &r->manifest);
    if (!*is)
        return 0;
    if (read_text(r, s, e) < 0 || lock_parse(&r->lock, buf_view(&r->text), "lock", e) < 0)
        return -1;
    if (is_of(&ours, r, s, e) < 0)
        return -1;
    return ours ? 0
                : err_set(e, ERR_INTEGRITY, "%s: the lock is of another image than it refers to",
                          s->files.path);
}

/* This image's, or that of the index which names it. */
static bool is_about(const struct image_manifest *artifact, const struct stored *image)
{
    const struct digest *subject = &artifact->subject.digest;

    return digest_eq(subject, &image->digest) || digest_eq(subject, &image->root);
}

/* True with the lock, if that is what `digest` holds, and the image's. */
static int take_lock(bool *taken, struct lock *out, struct buf *text, const struct stored *image,
                     const struct digest *digest, struct err *e)
{
    CLEANUP(artifact_read_clear) struct artifact_read r = {0};

    if (read_artifact(&r, taken, image, digest, e) < 0)
        return -1;
    *taken = *taken && is_about(&r.manifest, image);
    if (!*taken)
        return 0;
    MOVE(out, &r.lock);
    MOVE(text, &r.text);
    return 0;
}

/* What does the tag name, if it is what is looked for? */
struct tag_question {
    const struct stored *place;
    struct str tag;
    bool found;
    struct digest digest;
    bool is_lock; /* that was read: of a version */
    struct artifact_read artifact;
    struct err unread; /* why it could not be */
};

static void tag_question_clear(struct tag_question *q)
{
    artifact_read_clear(&q->artifact);
    err_clear(&q->unread);
}

static int ask_tag(void *question, struct err *e)
{
    struct tag_question *q = question;

    return registry_has_manifest(&q->found, &q->digest, q->place->files.registry, q->tag, e);
}

/* Only an artifact that says to be the lock of the image. */
static int ask_lock(void *question, struct err *e)
{
    CLEANUP(image_manifest_clear) struct image_manifest manifest = {0};
    CLEANUP(buf_clear) struct buf json = {0};
    struct tag_question *q = question;
    struct lock_artifact says;

    if (registry_manifest(&q->found, &json, &q->digest, q->place->files.registry, q->tag, e) < 0)
        return -1;
    q->found = q->found && !image_is_index(buf_view(&json));
    if (!q->found)
        return 0;
    if (image_manifest_parse(&manifest, buf_view(&json), NULL, "manifest", e) < 0)
        return -1;
    q->found = lock_artifact_read(&says, &manifest) && is_about(&manifest, q->place);
    return 0;
}

struct tag_questions {
    struct names names;
    struct VEC_OF(struct tag_question) list; /* those that were asked for */
};

static void tag_questions_clear(struct tag_questions *q)
{
    struct tag_question *one;

    vec_each(one, &q->list)
        tag_question_clear(one);
    vec_clear(&q->list);
    names_clear(&q->names);
}

/* Of all tags that are `wanted`, many at once. */
static int ask_tags(struct tag_questions *out, const struct stored *place,
                    bool (*wanted)(struct str tag), int (*ask)(void *question, struct err *e),
                    struct err *e)
{
    char **name;

    if (registry_tags(&out->names, place->files.registry, e) < 0)
        return -1;
    vec_each(name, &out->names)
        if (wanted(str_of(*name)))
            vec_add(&out->list, ((struct tag_question){.place = place, .tag = str_of(*name)}));
    return registry_ask_many(out->list.v, out->list.n, sizeof *out->list.v, ask, e);
}

static bool is_of_lock(struct str tag)
{
    struct str of;

    return lock_artifact_of(&of, tag);
}

/* Where a registry has no list of referrers, many write one, and the last may not have seen what
 * the one before wrote; but every lock has a tag of its own. */
static int find_by_tags(bool *taken, struct lock *out, struct buf *text, const struct stored *image,
                        struct err *e)
{
    CLEANUP(tag_questions_clear) struct tag_questions tags = {0};
    const struct tag_question *q;

    if (ask_tags(&tags, image, is_of_lock, ask_lock, e) < 0)
        return -1;
    vec_each(q, &tags.list)
        if (q->found && !*taken && take_lock(taken, out, text, image, &q->digest, e) < 0)
            return -1;
    return 0;
}

static int find_by_referrers(bool *taken, struct lock *out, struct buf *text,
                             const struct stored *image, const struct digest *subject,
                             struct err *e)
{
    CLEANUP(image_index_clear) struct image_index index = {0};
    CLEANUP(buf_clear) struct buf json = {0};
    const struct descriptor *d;

    if (stored_referrers(&json, image, subject, e) < 0 ||
        (json.len && image_index_parse(&index, buf_view(&json), NULL, "referrers", e) < 0))
        return -1;
    vec_each(d, &index.manifests)
        if (!*taken && str_is(d->artifact_type, MEDIA_LOCK) &&
            take_lock(taken, out, text, image, &d->digest, e) < 0)
            return -1;
    return 0;
}

int published_lock(struct lock *out, struct buf *text, const struct stored *image, struct err *e)
{
    bool taken = false,
         in_index = digest_is_set(&image->root) && !digest_eq(&image->root, &image->digest);

    if (find_by_referrers(&taken, out, text, image, &image->digest, e) < 0 ||
        (!taken && in_index && find_by_referrers(&taken, out, text, image, &image->root, e) < 0) ||
        (!taken && image->files.registry && find_by_tags(&taken, out, text, image, e) < 0))
        return -1;
    if (taken)
        return 0;
    return err_set(e, ERR_INPUT,
                   "%s has no lock with this image: another tool made or copied it, or an envbuild "
                   "before 0.4.0, or it is one form of an index, whose tag has the lock; `envbuild "
                   "copy --all` copies locks, too",
                   image->files.path);
}

/* ---- all of a place ---- */

static int open_place(struct stored *out, const struct dest *d, const struct stored_scratch *how,
                      struct err *e)
{
    struct registry *r;
    struct buf path = {0};

    out->events = how->events;
    if (d->kind == DEST_LAYOUT)
        return stored_files_folder(&out->files, d->path, false, how->events, e);
    if (d->kind != DEST_REGISTRY || !d->name)
        return err_set(e, ERR_USAGE,
                       "only a layout (oci:DIR) and a registry (docker://HOST/NAME) have tags");
    if (registries_get(&r, how->registries, str_of(d->name), e) < 0)
        return -1;
    buf_fmt(&path, "docker://%s", registry_name(r));
    out->files = (struct stored_files){.path = buf_take(&path), .registry = r};
    return 0;
}

/* The lock, where the tag is one of those that locks have. One that is damaged, or of an envbuild
 * to come, keeps nobody from the others. */
static int read_version(struct tag_question *q, struct err *e)
{
    struct err why = {0};

    if (!is_of_lock(q->tag))
        return 0;
    if (read_artifact(&q->artifact, &q->is_lock, q->place, &q->digest, &why) < 0) {
        bool only_this = why.kind == ERR_INPUT || why.kind == ERR_INTEGRITY;

        err_wrap(&why, "tag " STR_FMT, STR_ARG(q->tag));
        err_join(only_this ? &q->unread : e, &why);
        return only_this ? 0 : -1;
    }
    buf_clear(&q->artifact.text);
    return 0;
}

static int ask_version(void *question, struct err *e)
{
    struct tag_question *q = question;

    return ask_tag(q, e) < 0 || (q->found && read_version(q, e) < 0) ? -1 : 0;
}

static void add_version(struct published_list *list, struct tag_question *q)
{
    struct published *v = vec_push(&list->versions);
    struct str tag = q->tag, of;

    (void)lock_artifact_of(&of, tag);
    str_drop(&tag, STR(LOCK_TAG_END));
    v->tag = arena_str(&list->arena, tag);
    v->of = arena_str(&list->arena, of);
    v->image = q->artifact.manifest.subject.digest;
    v->before = q->artifact.says.before;
    MOVE(&v->lock, &q->artifact.lock);
}

static void add_tag(struct published_list *list, struct tag_question *q)
{
    if (err_is_set(&q->unread))
        events_warn(q->place->events, "%s; this version is left out of the list", q->unread.msg);
    else if (q->is_lock)
        add_version(list, q);
    else
        vec_add(&list->tags, ((struct published_tag){arena_str(&list->arena, q->tag), q->digest}));
}

/* Tags that stand for a list of referrers, one layer of a cache, or one image of an index. */
static bool is_inner(struct str tag)
{
    struct digest digest;

    return (str_skip(&tag, STR("sha256-")) || str_skip(&tag, STR("layer-")) ||
            str_skip(&tag, STR("manifest-"))) &&
           digest_from_hex(&digest, tag);
}

static bool is_outer(struct str tag)
{
    return !is_inner(tag);
}

static int read_registry(struct published_list *list, const struct stored *s, struct err *e)
{
    CLEANUP(tag_questions_clear) struct tag_questions tags = {0};
    struct tag_question *q;

    if (ask_tags(&tags, s, is_outer, ask_version, e) < 0)
        return -1;
    vec_each(q, &tags.list)
        if (q->found)
            add_tag(list, q);
    return 0;
}

static int read_layout(struct published_list *list, struct stored *s, struct err *e)
{
    CLEANUP(image_index_clear) struct image_index index = {0};
    const struct descriptor *d;
    struct str text;

    if (stored_files_text(&text, &s->files, STR("index.json"), e) < 0 ||
        image_index_parse(&index, text, MEDIA_INDEX, "index.json", e) < 0)
        return err_wrap(e, "%s", s->files.path);
    vec_each(d, &index.manifests) {
        const struct str *tag = pairs_get(&d->annotations, ANNOTATION_REF_NAME);
        struct tag_question q = {.place = s, .digest = d->digest};
        int result;

        if (!tag)
            continue;
        q.tag = *tag;
        result = read_version(&q, e);
        if (result == 0)
            add_tag(list, &q);
        tag_question_clear(&q);
        if (result < 0)
            return -1;
    }
    return 0;
}

/* ---- their order ---- */

static int tag_compare(const void *a, const void *b)
{
    const struct published_tag *x = a, *y = b;

    return str_cmp(x->tag, y->tag);
}

static int version_compare(const void *a, const void *b)
{
    const struct published *x = a, *y = b;
    int order = str_cmp(x->of, y->of);

    if (order || x->rank != y->rank)
        return order ? order : x->rank < y->rank ? -1 : 1;
    if (x->lock.created != y->lock.created)
        return x->lock.created > y->lock.created ? -1 : 1;
    return str_cmp(x->tag, y->tag);
}

static struct published *find(const struct published_list *list, struct str of,
                              const struct digest *image)
{
    struct published *v;

    vec_each(v, &list->versions)
        if (str_eq(v->of, of) && digest_eq(&v->image, image))
            return v;
    return NULL;
}

static bool is_version(const struct published_list *list, struct str tag)
{
    const struct published *v;

    vec_each(v, &list->versions)
        if (str_eq(v->tag, tag))
            return true;
    return false;
}

static void put_in_order(struct published_list *list)
{
    struct published *v;
    const struct published_tag *t;
    size_t kept = 0;

    vec_each(v, &list->versions)
        v->rank = list->versions.n;
    vec_each(t, &list->tags) {
        v = find(list, t->tag, &t->image);
        if (v)
            v->now = true;
        for (size_t rank = 0; v && v->rank == list->versions.n; v = find(list, t->tag, &v->before))
            v->rank = rank++;
    }
    vec_sort(&list->versions, version_compare);
    for (size_t i = 0; i < list->tags.n; i++)
        if (!is_version(list, list->tags.v[i].tag))
            list->tags.v[kept++] = list->tags.v[i];
    list->tags.n = kept;
    vec_sort(&list->tags, tag_compare);
}

int published_read(struct published_list *out, const struct dest *d,
                   const struct stored_scratch *how, struct err *e)
{
    CLEANUP(published_clear) struct published_list list = {0};
    CLEANUP(stored_clear) struct stored s = {0};

    if (open_place(&s, d, how, e) < 0 ||
        (s.files.registry ? read_registry(&list, &s, e) : read_layout(&list, &s, e)) < 0)
        return -1;
    put_in_order(&list);
    MOVE(out, &list);
    return 0;
}

void published_clear(struct published_list *list)
{
    struct published *v;

    vec_each(v, &list->versions)
        lock_clear(&v->lock);
    vec_clear(&list->versions);
    vec_clear(&list->tags);
    arena_clear(&list->arena);
}

const struct published *published_find(const struct published_list *list, struct str of,
                                       const struct digest *image)
{
    return find(list, of, image);
}

bool published_has(const struct published_list *list, struct str of)
{
    const struct published *v;

    vec_each(v, &list->versions)
        if (str_eq(v->of, of))
            return true;
    return false;
}

const struct published_tag *published_tag(const struct published_list *list, struct str tag)
{
    const struct published_tag *t;

    vec_each(t, &list->tags)
        if (str_eq(t->tag, tag))
            return t;
    return NULL;
}

int published_manifest(struct buf *out, const struct dest *d, const struct digest *image,
                       const struct stored_scratch *how, struct err *e)
{
    CLEANUP(stored_clear) struct stored s = {0};

    return open_place(&s, d, how, e) < 0 ? -1 : stored_manifest(out, &s, image, e);
}
