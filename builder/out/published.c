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

/* True with the lock, if that is what `digest` holds, and this image's or that of the index which
 * names it. */
static int take_lock(bool *taken, struct lock *out, struct buf *text, const struct stored *image,
                     const struct digest *digest, struct err *e)
{
    CLEANUP(artifact_read_clear) struct artifact_read r = {0};
    const struct digest *subject;

    if (read_artifact(&r, taken, image, digest, e) < 0)
        return -1;
    subject = &r.manifest.subject.digest;
    *taken = *taken && (digest_eq(subject, &image->digest) || digest_eq(subject, &image->root));
    if (!*taken)
        return 0;
    MOVE(out, &r.lock);
    MOVE(text, &r.text);
    return 0;
}

/* Where a registry has no list of referrers, many write one, and the last may not have seen what
 * the one before wrote; but every lock has a tag of its own. */
static int find_by_tags(bool *taken, struct lock *out, struct buf *text, const struct stored *image,
                        struct err *e)
{
    CLEANUP(names_clear) struct names names = {0};
    struct registry *r = image->files.registry;
    char **name;

    if (registry_tags(&names, r, e) < 0)
        return -1;
    vec_each(name, &names) {
        struct digest digest;
        struct str of;
        bool found = false;

        if (*taken || !lock_artifact_of(&of, str_of(*name)))
            continue;
        if (registry_has_manifest(&found, &digest, r, str_of(*name), e) < 0 ||
            (found && take_lock(taken, out, text, image, &digest, e) < 0))
            return -1;
    }
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

static int add_version(struct published_list *list, bool *is, struct str tag,
                       const struct stored *s, const struct digest *digest, struct err *e)
{
    CLEANUP(artifact_read_clear) struct artifact_read r = {0};
    struct published *v;
    struct str of;

    if (!lock_artifact_of(&of, tag))
        return 0;
    if (read_artifact(&r, is, s, digest, e) < 0)
        return err_wrap(e, "tag " STR_FMT, STR_ARG(tag));
    if (!*is)
        return 0;
    v = vec_push(&list->versions);
    str_drop(&tag, STR(LOCK_TAG_END));
    v->tag = arena_str(&list->arena, tag);
    v->of = arena_str(&list->arena, of);
    v->image = r.manifest.subject.digest;
    v->before = r.says.before;
    MOVE(&v->lock, &r.lock);
    return 0;
}

static int add_tag(struct published_list *list, struct str tag, const struct stored *s,
                   const struct digest *digest, struct err *e)
{
    bool is = false;

    if (add_version(list, &is, tag, s, digest, e) < 0)
        return -1;
    if (!is)
        vec_add(&list->tags, ((struct published_tag){arena_str(&list->arena, tag), *digest}));
    return 0;
}

/* Tags that stand for a list of referrers, one layer of a cache, or one image of an index. */
static bool is_inner(struct str tag)
{
    struct digest digest;

    return (str_skip(&tag, STR("sha256-")) || str_skip(&tag, STR("layer-")) ||
            str_skip(&tag, STR("manifest-"))) &&
           digest_from_hex(&digest, tag);
}

struct tag_question {
    struct registry *r;
    const char *tag;
    bool found;
    struct digest digest;
};

static int ask_tag(void *question, struct err *e)
{
    struct tag_question *q = question;

    return registry_has_manifest(&q->found, &q->digest, q->r, str_of(q->tag), e);
}

static int read_registry(struct published_list *list, const struct stored *s, struct err *e)
{
    CLEANUP(names_clear) struct names names = {0};
    CLEANUP(free_clear) struct tag_question *questions = NULL;
    size_t n = 0;
    char **name;

    if (registry_tags(&names, s->files.registry, e) < 0)
        return -1;
    questions = xcalloc(names.n, sizeof *questions);
    vec_each(name, &names)
        if (!is_inner(str_of(*name)))
            questions[n++] = (struct tag_question){.r = s->files.registry, .tag = *name};
    if (registry_ask_many(questions, n, sizeof *questions, ask_tag, e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (questions[i].found &&
            add_tag(list, str_of(questions[i].tag), s, &questions[i].digest, e) < 0)
            return -1;
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

        if (tag && add_tag(list, *tag, s, &d->digest, e) < 0)
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
