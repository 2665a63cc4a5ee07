/* SPDX-License-Identifier: Apache-2.0 */
#include "../io/crypto.h"
#include "../pkg/pypi/metadata_memo.h"
#include "assemble_parts.h"
#include "download.h"
#include "files.h"
#include "import/import_wheel.h"
#include "layer/layer_key.h"

/* ---- what is known ---- */

static bool layer_is_known(const struct lock_layer *l)
{
    return digest_is_set(&l->digest) && digest_is_set(&l->diff_id);
}

/* A diff_id that nobody has seen stays the lock's own word, for this lock alone. */
static void take_digests(struct lock_layer *l, const struct digest *digest,
                         const struct digest *diff_id, uint64_t size, uint64_t tar_size,
                         const struct chunked *chunked)
{
    l->digest = *digest;
    if (digest_is_set(diff_id))
        l->diff_id = *diff_id;
    l->size = size;
    l->unpacked = tar_size;
    l->chunked = *chunked;
}

/* The lock says otherwise than what was seen. */
static int contradict(const struct lock_layer *l, const char *what, const struct digest *want,
                      const struct digest *got, struct err *e)
{
    char said[DIGEST_TEXT + 1], is[DIGEST_TEXT + 1];

    digest_text(want, said);
    digest_text(got, is);
    return err_set(
        e, ERR_INTEGRITY,
        "layer %s: its %s is %s, but the lock has %s; the lock was edited, or written by another "
        "version: compare it with an older one, with `envbuild lock diff OLD NEW`",
        l->name.p, what, is, said);
}

/* Another version of the library may well have made the lock's digests. */
static int check_encoder(const struct making *m, struct err *e)
{
    const struct lock *lock = m->all->lock;
    CLEANUP(buf_clear) struct buf ours = {0};

    layer_encoder(&ours, lock_compression(lock));
    if (str_eq(lock->encoder, buf_view(&ours)))
        return 0;
    return err_set(e, ERR_INTEGRITY,
                   "layer %s: the lock's layers were compressed by " STR_FMT
                   ", and this envbuild has %s, which gives other bytes; build with that "
                   "version, or remove the lock and lock again",
                   m->layer->name.p, STR_ARG(lock->encoder), ours.p);
}

static int check_diff_id(const struct lock_layer *l, const struct digest *seen, struct err *e)
{
    if (!digest_is_set(&l->diff_id) || !digest_is_set(seen) || digest_eq(&l->diff_id, seen))
        return 0;
    return contradict(l, "diff_id", &l->diff_id, seen, e);
}

/* What the store remembers of a layer; not remembering is no fault. */
static int recall(struct making *m, struct str key, const struct memo *memo, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct err none = {0};
    bool found = false;
    struct lock_layer *l = m->layer;

    if (memo_get(memo, key, NULL, &text, &found, &none) < 0 || !found ||
        layer_record_parse(&m->record, buf_view(&text), &none) < 0) {
        err_clear(&none); /* as good as no record: the layer is made again */
        return 0;
    }
    if (layer_is_known(l) &&
        (!digest_eq(&l->digest, &m->record.digest) || l->size != m->record.size)) {
        /* An edited lock, or a record of an envbuild that made it otherwise: making it tells. */
        m->doubted = true;
        layer_record_clear(&m->record);
        return 0;
    }
    if (check_diff_id(l, &m->record.diff_id, e) < 0)
        return -1;
    if (!layer_is_known(l) && !digest_is_set(&m->record.diff_id)) { /* a first build tells it */
        layer_record_clear(&m->record);
        return 0;
    }
    m->has_record = true;
    m->diff_id_seen = digest_is_set(&m->record.diff_id);
    take_digests(l, &m->record.digest, &m->record.diff_id, m->record.size, m->record.tar_size,
                 &m->record.chunked);
    return 0;
}

/* A layer of the base image: the image was opened by its digest, so it says what the layer is. */
static int check_image_layer(const struct making *m, struct err *e)
{
    const struct stored *image = m->all->in->image;
    const struct lock_layer *l = m->layer;
    size_t i = m->index;

    if (!image || i >= image->manifest.layers.n || i >= image->config.diff_ids.n)
        return err_set(e, ERR_INPUT, "layer %s: the base image has no such layer", l->name.p);
    if (!digest_eq(&image->manifest.layers.v[i].digest, &l->digest))
        return contradict(l, "digest", &l->digest, &image->manifest.layers.v[i].digest, e);
    return check_diff_id(l, &image->config.diff_ids.v[i], e);
}

static bool can_join(const struct making *m, const struct cas *cas)
{
    if (!m->has_record || !cas_has(cas, &m->record.literals, m->record.segments.literal_size))
        return false;
    for (size_t i = 0; i < m->record.segments.inputs.n; i++)
        if (!cas_has(cas, &m->record.segments.inputs.v[i], 0))
            return false;
    return true;
}

static bool is_watched(const struct making *m)
{
    const struct watcher *by = m->all->in->watcher;

    return m->layer->kind != LOCK_IMAGE && by && !m->all->lock->built &&
           !(layer_is_known(m->layer) &&
             (m->all->lock->settled || by->knows(by->ctx, &m->layer->digest)));
}

int making_recall(struct assembler *a, struct making *m, struct err *e)
{
    if (m->layer->kind == LOCK_IMAGE) {
        if (check_image_layer(m, e) < 0)
            return -1;
    } else {
        layer_key(&m->key, a->lock, m->index);
        if (!a->in->audit && recall(m, buf_view(&m->key), a->in->memo, e) < 0)
            return -1;
    }
    m->watched = is_watched(m);
    m->asked = layer_is_known(m->layer) && !m->watched && !m->doubted;
    return 0;
}

int making_decide(struct assembler *a, struct making *m, struct err *e)
{
    const struct lock_layer *l = m->layer;
    bool here = false;

    if (m->asked &&
        (place_has_blob(&here, a->in->place, &l->digest, l->size, e) < 0 ||
         (!here && place_share_blob(&m->shared, a->in->place, &l->digest, l->size, e) < 0)))
        return err_wrap(e, "layer %s", l->name.p);
    if (here)
        events_note(a->in->events, "layer %s: %s", l->name.p, a->in->place->there);
    here |= m->shared;
    if (m->layer->kind == LOCK_IMAGE)
        m->how = here ? HOW_PRESENT : HOW_TAKE;
    else if (m->watched || a->in->audit)
        m->how = HOW_MAKE;
    else if (here)
        m->how = HOW_PRESENT;
    else
        m->how = can_join(m, a->in->cas) ? HOW_JOIN : HOW_MAKE;
    return 0;
}

bool making_may_be_cached(const struct making *m)
{
    return m->how == HOW_MAKE && layer_is_known(m->layer) && !m->watched && !m->doubted &&
           !m->all->in->audit;
}

/* A blob of the store is believed by its name while it is read, and whatever is made of it is
 * checked. When that fails, the blob itself may have gone bad on the disk: then it is thrown out,
 * so that the next run fetches it again. */
void making_throw_out(const struct cas *cas, const struct input *inputs, size_t n, struct err *e)
{
    for (size_t i = 0; i < n && (e->kind == ERR_INTEGRITY || e->kind == ERR_INPUT); i++) {
        bool right = true;

        if (!inputs[i].fd.open || cas_check(cas, &inputs[i].digest, &right, e) < 0 || right)
            continue;
        err_clear(e);
        err_set(e, ERR_INTEGRITY, "%s was damaged in the store and is removed from it; run again",
                inputs[i].name);
    }
}

/* ---- joining ---- */

static int open_inputs(struct input *inputs, const struct input **list, const struct making *m,
                       struct err *e)
{
    const struct segments *s = &m->record.segments;

    for (size_t i = 0; i < s->inputs.n; i++) {
        if (cas_input(&inputs[i], m->all->in->cas, &s->inputs.v[i], "blob in the store", e) < 0)
            return -1;
        inputs[i].events = m->all->in->events;
        list[i] = &inputs[i];
    }
    return 0;
}

typedef int use_inputs(const struct segments *s, const struct input *literals,
                       const struct input *const *inputs, void *ctx, struct err *e);

/* All that the layer's bytes lie in, open. */
static int with_inputs(struct making *m, use_inputs *use, void *ctx, struct err *e)
{
    size_t n = m->record.segments.inputs.n;
    CLEANUP(free_clear) struct input *inputs = xcalloc(n, sizeof *inputs);
    CLEANUP(free_clear) const struct input **list = xcalloc(n, sizeof *list);
    struct input literals = {0};
    int result = open_inputs(inputs, list, m, e);

    if (result == 0)
        result = cas_input(&literals, m->all->in->cas, &m->record.literals, "blob in the store", e);
    literals.events = m->all->in->events;
    if (result == 0)
        result = use(&m->record.segments, &literals, list, ctx, e);
    if (result < 0) {
        making_throw_out(m->all->in->cas, inputs, n, e);
        making_throw_out(m->all->in->cas, &literals, 1, e);
    }
    cas_input_clear(&literals);
    for (size_t i = 0; i < n; i++)
        cas_input_clear(&inputs[i]);
    return result;
}

static int write_inputs(const struct segments *s, const struct input *literals,
                        const struct input *const *inputs, void *ctx, struct err *e)
{
    return segments_write(s, literals, inputs, ctx, literals->events, e);
}

int making_bytes(void *ctx, struct sink *to, struct err *e)
{
    return with_inputs(ctx, write_inputs, to, e);
}

/* Tell the place where the layer's bytes lie. */
static int put_inputs(const struct segments *s, const struct input *literals,
                      const struct input *const *inputs, void *ctx, struct err *e)
{
    const struct making *m = ctx;
    struct place_parts parts = {0};
    const struct segment *seg;
    int result;

    vec_each(seg, &s->list)
        vec_add(&parts, ((struct place_part){seg->source ? inputs[seg->source - 1] : literals,
                                             seg->offset, seg->len}));
    result = place_put_parts(m->all->in->place, &m->layer->digest, m->layer->size, &parts, e);
    vec_clear(&parts);
    return result;
}

/* Put the layer's bytes, which `make` writes, into the place. */
static int put_known(struct making *m, int (*make)(void *ctx, struct sink *to, struct err *e),
                     struct err *e)
{
    CLEANUP(place_blob_clear) struct place_blob blob = {.name = m->layer->name.p};
    const struct events *events = m->all->in->events;
    struct place *place = m->all->in->place;
    struct event ev = {EVENT_BEGIN, place->task, m->layer->name.p, 0, m->layer->size};

    events_emit(events, &ev);
    if (place_blob_open(&blob, place, &m->layer->digest, m->layer->size, e) < 0 ||
        place_blob_make(&blob, make, m, e) < 0)
        return err_wrap(e, "layer %s", m->layer->name.p);
    ev.kind = EVENT_END;
    events_emit(events, &ev);
    return 0;
}

int making_join(void *ctx, struct err *e)
{
    struct making *m = ctx;

    if (!place_takes_parts(m->all->in->place))
        return put_known(m, making_bytes, e);
    return with_inputs(m, put_inputs, m, e) < 0 ? err_wrap(e, "layer %s", m->layer->name.p) : 0;
}

/* ---- taking over ---- */

static struct source *open_cached(const struct making *m)
{
    struct source *blob = registry_blob(m->cache->registry, &m->layer->digest, m->layer->size);

    blob->events = m->all->in->events;
    return blob;
}

/* Byte for byte; its digest is checked on the way. */
static int take_bytes(void *ctx, struct sink *to, struct err *e)
{
    struct making *m = ctx;
    const struct stored *image = m->all->in->image;
    struct descriptor d = {.digest = m->layer->digest, .size = m->layer->size};
    CLEANUP(source_clear) struct source *blob = NULL;

    if (m->taken.size)
        blob = source_input(m->taken.input, m->taken.offset, m->taken.size);
    else if (m->cache)
        blob = open_cached(m);
    else if (stored_blob(&blob, image, &d, e) < 0)
        return -1;
    if (source_copy(blob, to, NULL, e) == 0)
        return 0;
    return m->cache ? -1 : err_wrap(e, "%s", image->files.path);
}

int making_take(void *ctx, struct err *e)
{
    return put_known(ctx, take_bytes, e);
}

static int spool_cached(struct making *m, struct err *e)
{
    CLEANUP(hash_source_clear) struct hash_source hashed = {0};
    CLEANUP(source_clear) struct source *blob = open_cached(m);
    char text[DIGEST_TEXT + 1];
    struct digest digest;

    hash_source_open(&hashed, blob);
    if (spool_put(&m->taken, &m->all->taken, &hashed.source, m->layer->size, e) < 0)
        return -1;
    hash_finish(&hashed.hash, &digest);
    digest_text(&digest, text);
    return digest_eq(&digest, &m->layer->digest)
               ? 0
               : err_set(e, ERR_INTEGRITY, "what came has the digest %s", text);
}

int making_try_cache(void *ctx, struct err *e)
{
    struct making *m = ctx;
    CLEANUP(err_clear) struct err why = {0};

    if (m->all->in->place->known_first ? spool_cached(m, &why) == 0 : making_take(m, &why) == 0)
        return 0;
    if (why.kind == ERR_INTERRUPTED)
        return err_join(e, &why);
    events_warn(m->all->in->events, "layer %s is made, for the cache %s does not give it: %s",
                m->layer->name.p, registry_name(m->cache->registry), why.msg);
    m->cache = NULL;
    m->taken = (struct content){0};
    m->how = HOW_MAKE;
    return 0;
}

/* ---- making ---- */

/* What was made is remembered as it was seen, and must be what the lock has. */
static int take_result(struct making *m, const struct layer_result *made,
                       const struct seen *literals, struct err *e)
{
    const struct digest *digest = seen_digest(&made->digest),
                        *diff_id = seen_digest(&made->diff_id);
    struct lock_layer *l = m->layer;
    CLEANUP(buf_clear) struct buf text = {0};

    m->record.literals = *seen_digest(literals);
    MOVE(&m->record.slim, &m->slim);
    layer_record_print(&text, made, literals, &m->record.segments, &m->record.slim);
    if (!(m->diff_id_seen && !digest_is_set(diff_id)) && /* that record tells more than this one */
        (memo_put(m->all->in->memo, buf_view(&m->key), &made->digest, buf_view(&text), e) < 0 ||
         (m->alone.len &&
          memo_put(m->all->in->memo, buf_view(&m->alone), &made->digest, buf_view(&text), e) < 0)))
        return -1;
    if (layer_is_known(l) && !digest_eq(&l->digest, digest))
        return check_encoder(m, e) < 0 ? -1 : contradict(l, "digest", &l->digest, digest, e);
    if (layer_is_known(l) && l->size != made->size)
        return err_set(e, ERR_INTEGRITY,
                       "layer %s: it has %llu bytes, but the lock has %llu; the lock was edited",
                       l->name.p, (unsigned long long)made->size, (unsigned long long)l->size);
    if (check_diff_id(l, diff_id, e) < 0)
        return -1;
    take_digests(l, digest, diff_id, made->size, made->tar_size, &made->chunked);
    return 0;
}

/* A layer without wheels and zips is all literals, which the store has then. */
bool making_is_stored_first(const struct making *m)
{
    return place_can_share(m->all->in->place) && m->layer->kind != LOCK_WHEELS &&
           m->layer->kind != LOCK_DOWNLOAD;
}

/* The store has just got the same bytes, so the place takes them over, or a copy. */
static int put_literals(struct making *m, const struct cas_put *literals, struct err *e)
{
    const struct assembly *in = m->all->in;
    CLEANUP(free_clear) char *path = cas_path(in->cas, &literals->digest);
    struct event ev = {EVENT_BEGIN, in->place->task, m->layer->name.p, 0, m->layer->size};
    bool done;

    blob_file_remember(in->files, path, &literals->written, &literals->seen);
    if (place_share_blob(&done, in->place, &literals->digest, literals->size, e) < 0)
        return -1;
    if (!done)
        return making_join(m, e);
    events_emit(in->events, &ev);
    ev.kind = EVENT_END;
    events_emit(in->events, &ev);
    return 0;
}

/* Write a tree as this layer: into the blob where there is one, else into the store's memory; from
 * there the place gets it now, or it is joined later. */
static int write_layer(struct making *m, const struct tree *tree, struct layer_watch *watch,
                       struct place_blob *blob, struct seen *digest, struct err *e)
{
    CLEANUP(cas_put_clear) struct cas_put literals = {0};
    const struct assembly *in = m->all->in;
    struct layer_result made = {0};
    struct layer_output to = {.literals = &literals.sink,
                              .segments = &m->record.segments,
                              .skip_diff_id = layer_is_known(m->layer) && !watch && !in->audit,
                              .watch = watch,
                              .blob = blob ? &blob->sink : NULL,
                              .blob_hash = blob ? &blob->hash : NULL,
                              .name = m->layer->name.p,
                              .compression = lock_compression(m->all->lock),
                              .threads = in->jobs};

    layer_record_clear(&m->record);
    if (cas_put_open(&literals, in->cas, NULL, UINT64_MAX, e) < 0 ||
        layer_write(&made, tree, &to, in->events, e) < 0 || sink_finish(&literals.sink, e) < 0 ||
        take_result(m, &made, &literals.seen, e) < 0)
        return -1;
    m->has_record = true;
    *digest = made.digest;
    return making_is_stored_first(m) ? put_literals(m, &literals, e) : 0;
}

static int make_once(struct making *m, const struct tree *tree, struct place_blob *blob,
                     struct err *e)
{
    const struct watcher *by = m->watched ? m->all->in->watcher : NULL;
    struct layer_watch *watch = by ? by->open(by->ctx, e) : NULL;
    struct seen digest;
    int result;

    if (by && !watch)
        return -1;
    result = write_layer(m, tree, watch, blob, &digest, e);
    if (by && result == 0)
        result = by->done(by->ctx, watch, &digest, e);
    if (by)
        by->close(by->ctx, watch);
    return result;
}

int making_write(struct making *m, const struct tree *tree, struct err *e)
{
    CLEANUP(place_blob_clear) struct place_blob blob = {0};
    CLEANUP(err_clear) struct err why = {0};
    struct place *place = m->all->in->place;

    if (place->known_first || making_is_stored_first(m))
        return make_once(m, tree, NULL, e);
    if (place_blob_open(&blob, place, NULL, 0, e) < 0)
        return -1;
    while (make_once(m, tree, &blob, &why) < 0) {
        if (!blob.again)
            return err_join(e, &why);
        err_clear(&why);
        if (place_blob_again(&blob, e) < 0)
            return -1;
    }
    if (sink_finish(&blob.sink, &why) == 0)
        return 0;
    if (!blob.again)
        return err_join(e, &why);
    return place_blob_again(&blob, e) < 0 ? -1 : place_blob_make(&blob, making_bytes, m, e);
}

void making_rules(struct slim_counts *out, const struct lock *lock, const struct lock_layer *l)
{
    for (size_t i = 0; i < lock->slim.n; i++)
        for (size_t j = 0; j < l->artifacts.n; j++) {
            const struct artifact *a = &lock->artifacts.v[l->artifacts.v[j]];

            if (!artifact_is_project(a) && slim_concerns(lock->slim.v[i].rule, a->name)) {
                vec_push(out)->rule = lock->slim.v[i].rule;
                break;
            }
        }
}

int making_import(struct tree *t, struct assembler *all, size_t artifact, struct input *input,
                  struct slim_counts *slim, struct inflater *inflater, struct err *e)
{
    const struct assembly *in = all->in;
    const struct lock *lock = all->lock;
    const struct artifact *a = &lock->artifacts.v[artifact];
    struct wheel_paths *paths = all->paths ? &all->paths[artifact] : NULL;
    CLEANUP(buf_clear) struct buf metadata = {0};
    struct strs without = {0};
    struct wheel_import how = {.python = lock->python,
                               .prefix = STR(LAYER_PREFIX),
                               .name = a->name,
                               .version = a->version,
                               .requested = a->requested,
                               .slim = slim,
                               .without = &without,
                               .paths = paths,
                               .metadata = &metadata};
    int result = 0;

    lock_left_out(&without, lock, a->name);
    if (paths)
        wheel_paths_clear(paths);
    if (cas_input(input, in->cas, &a->digest, a->file.p, e) < 0 ||
        import_wheel(t, input, &how, inflater, e) < 0 ||
        metadata_confirm(in->metadata, in->cas, a, buf_view(&metadata), e) < 0)
        result = -1;
    vec_clear(&without);
    return result;
}

static int import_all(struct tree *t, struct making *m, struct input *inputs, struct err *e)
{
    struct inflater *inflater = inflater_open();
    int result = 0;

    vec_clear(&m->slim);
    making_rules(&m->slim, m->all->lock, m->layer);
    for (size_t i = 0; i < m->layer->artifacts.n && result == 0; i++)
        result =
            making_import(t, m->all, m->layer->artifacts.v[i], &inputs[i], &m->slim, inflater, e);
    inflater_clear(&inflater);
    tree_sort(t);
    return result;
}

/* Make a layer of wheels, or only read them. */
static int wheels(struct making *m, bool made, struct err *e)
{
    CLEANUP(tree_clear) struct tree t = {.below = &m->all->venv};
    CLEANUP(free_clear) struct input *inputs = xcalloc(m->layer->artifacts.n, sizeof *inputs);
    int result = import_all(&t, m, inputs, e);

    if (result == 0 && made)
        result = making_write(m, &t, e);
    if (result < 0)
        making_throw_out(m->all->in->cas, inputs, m->layer->artifacts.n, e);
    for (size_t i = 0; i < m->layer->artifacts.n; i++)
        cas_input_clear(&inputs[i]);
    return result;
}

int making_wheels(void *ctx, struct err *e)
{
    return wheels(ctx, true, e);
}

int making_paths(void *ctx, struct err *e)
{
    return wheels(ctx, false, e);
}

int making_system(void *ctx, struct err *e)
{
    struct making *m = ctx;

    return making_write(m, system_layers_tree(&m->all->system, m->index), e);
}

static int make_download(struct making *m, struct err *e)
{
    struct assembler *a = m->all;
    const struct artifact *download = &a->lock->artifacts.v[m->layer->artifacts.v[0]];
    CLEANUP(tree_clear) struct tree t = {0};
    CLEANUP(spool_clear) struct spool spool;
    struct input file = {0};
    int result = cas_input(&file, a->in->cas, &download->digest, download->file.p, e);

    spool_open(&spool, a->in->scratch_dir);
    file.events = a->in->events;
    if (result == 0)
        result = download_build(&t, a->lock, download, &file, &spool, &a->system.skeleton, e);
    if (result == 0)
        result = making_write(m, &t, e);
    if (result < 0)
        making_throw_out(a->in->cas, &file, 1, e);
    cas_input_clear(&file);
    return result;
}

/* Was the same layer made on another system? Most edits of the system change nothing of it. */
static int recall_alone(bool *joined, struct making *m, struct err *e)
{
    const struct assembly *in = m->all->in;
    CLEANUP(buf_clear) struct buf last = {0};

    download_key(&m->alone, m->all->lock, m->index, &m->all->system.skeleton);
    layer_key_of_second(&last, m->all->lock, m->index);
    if (memo_put_text(in->memo, buf_view(&last), buf_view(&m->alone), e) < 0)
        return -1;
    if (m->doubted || m->has_record || in->audit)
        return 0;
    if (recall(m, buf_view(&m->alone), in->memo, e) < 0)
        return -1;
    m->watched = is_watched(m);
    *joined = !m->watched && can_join(m, in->cas);
    if (!*joined)
        return 0;
    if (memo_copy(in->memo, buf_view(&m->alone), buf_view(&m->key), &m->record.digest, e) < 0)
        return -1;
    return in->place->known_first ? 0 : making_join(m, e);
}

int making_download(void *ctx, struct err *e)
{
    struct making *m = ctx;
    bool joined = false;

    if (recall_alone(&joined, m, e) < 0)
        return -1;
    return joined ? 0 : make_download(m, e);
}

int making_files(void *ctx, struct err *e)
{
    struct making *m = ctx;
    struct assembler *a = m->all;
    CLEANUP(tree_clear) struct tree t = {0};

    spool_open(&a->files, a->in->scratch_dir);
    if (files_build(&t, a->lock, a->in->dir, &a->files, &a->system.skeleton, e) < 0)
        return -1;
    return making_write(m, &t, e);
}
