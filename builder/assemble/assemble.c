/* SPDX-License-Identifier: Apache-2.0 */
#include "assemble.h"

#include <pthread.h>

#include "../base/pool.h"
#include "../io/deflate.h"
#include "../io/crypto.h"
#include "../oci/layer_read.h"
#include "../pkg/pypi/metadata_memo.h"
#include "files.h"
#include "import/import_wheel.h"
#include "layer/layer_key.h"
#include "layer/layer_order.h"
#include "layer/layer_record.h"
#include "system/system_layers.h"
#include "system/venv.h"

enum how { HOW_PRESENT, HOW_JOIN, HOW_MAKE, HOW_TAKE };

/* One layer on its way. */
struct making {
    struct assembler *all;
    struct lock_layer *layer;
    size_t index;
    enum how how;
    bool has_record;
    bool diff_id_seen; /* the store remembers it, and the lock's is the same */
    bool doubted;      /* the store remembers another layer than the lock says */
    bool watched;      /* made although it is known, because somebody has to see it */
    struct layer_record record;
    struct slim_counts slim; /* what is left out while it is made */
    struct buf key;
    size_t waiting; /* of its artifacts, not yet in the store; main thread only */
};

struct assembler {
    struct lock *lock;
    const struct assembly *in;
    struct pool *pool;
    struct making *makings; /* one a layer */
    struct tree venv;       /* its outline, which wheels are laid into */
    struct system_layers system;
    bool need_system;
    /* Of the system, to be unpacked: all, and those without the toolkit. The trees below the
     * toolkit's and the last part are waited for before the rest is made. */
    _Atomic size_t parts_left, below_left, stages_left;
    struct VEC_OF(size_t) want; /* positions in lock->artifacts of what is fetched */
    bool *wanted;               /* by position: is it in `want`? */
    struct spool files;         /* the recipe's own files */
};

static void assembler_clear(struct assembler *a)
{
    pool_clear(&a->pool); /* first: its jobs use the rest */
    for (size_t i = 0; a->makings && i < a->lock->layers.n; i++) {
        layer_record_clear(&a->makings[i].record);
        vec_clear(&a->makings[i].slim);
        buf_clear(&a->makings[i].key);
    }
    free(a->makings);
    tree_clear(&a->venv);
    system_layers_clear(&a->system);
    vec_clear(&a->want);
    free(a->wanted);
    spool_clear(&a->files);
}

/* ---- what is known ---- */

static bool layer_is_known(const struct lock_layer *l)
{
    return digest_is_set(&l->digest) && digest_is_set(&l->diff_id);
}

/* A diff_id that nobody has seen stays the lock's own word, for this lock alone. */
static void take_digests(struct lock_layer *l, const struct digest *digest,
                         const struct digest *diff_id, uint64_t size, uint64_t tar_size)
{
    l->digest = *digest;
    if (digest_is_set(diff_id))
        l->diff_id = *diff_id;
    l->size = size;
    l->unpacked = tar_size;
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
        "layer %s: its %s is %s, but the lock has %s; the lock was edited, or is another "
        "envbuild's: compare it with the one that it came from, with `envbuild lock "
        "diff`",
        l->name.p, what, is, said);
}

static int check_diff_id(const struct lock_layer *l, const struct digest *seen, struct err *e)
{
    if (!layer_is_known(l) || !digest_is_set(seen) || digest_eq(&l->diff_id, seen))
        return 0;
    return contradict(l, "diff_id", &l->diff_id, seen, e);
}

/* What the store remembers of a layer; not remembering is no fault. */
static int recall(struct making *m, const struct memo *memo, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct err none = {0};
    bool found = false;
    struct lock_layer *l = m->layer;

    if (memo_get(memo, buf_view(&m->key), NULL, &text, &found, &none) < 0 || !found ||
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
    take_digests(l, &m->record.digest, &m->record.diff_id, m->record.size, m->record.tar_size);
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

static int decide(struct assembler *a, struct making *m, struct err *e)
{
    bool here = false;

    if (m->layer->kind == LOCK_IMAGE) {
        if (check_image_layer(m, e) < 0)
            return -1;
    } else {
        layer_key(&m->key, a->lock, m->index);
        if (!a->in->audit && recall(m, a->in->memo, e) < 0)
            return -1;
    }
    m->watched = m->layer->kind != LOCK_IMAGE && a->in->watcher && !a->lock->built &&
                 !(layer_is_known(m->layer) &&
                   a->in->watcher->knows(a->in->watcher->ctx, &m->layer->digest));
    if (layer_is_known(m->layer) && !m->watched && !m->doubted &&
        place_has_blob(&here, a->in->place, &m->layer->digest, m->layer->size, e) < 0)
        return -1;
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

/* A blob of the store is believed by its name while it is read, and whatever is made of it is
 * checked. When that fails, the blob itself may have gone bad on the disk: then it is thrown out,
 * so that the next run fetches it again. */
static void throw_out_damaged(const struct cas *cas, const struct input *inputs, size_t n,
                              struct err *e)
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
        list[i] = &inputs[i];
    }
    return 0;
}

static int join_into(struct making *m, const struct input *literals,
                     const struct input *const *inputs, struct err *e)
{
    CLEANUP(place_blob_clear) struct place_blob blob = {0};
    const struct events *events = m->all->in->events;
    struct event ev = {EVENT_BEGIN, "write", m->layer->name.p, 0, m->layer->size};

    events_emit(events, &ev);
    if (place_blob_open(&blob, m->all->in->place, &m->layer->digest, m->layer->size, e) < 0 ||
        segments_write(&m->record.segments, literals, inputs, &blob.sink, events, e) < 0 ||
        sink_finish(&blob.sink, e) < 0)
        return err_wrap(e, "layer %s", m->layer->name.p);
    ev.kind = EVENT_END;
    events_emit(events, &ev);
    return 0;
}

static int join(void *ctx, struct err *e)
{
    struct making *m = ctx;
    size_t n = m->record.segments.inputs.n;
    CLEANUP(free_clear) struct input *inputs = xcalloc(n, sizeof *inputs);
    CLEANUP(free_clear) const struct input **list = xcalloc(n, sizeof *list);
    struct input literals = {0};
    int result = open_inputs(inputs, list, m, e);

    if (result == 0)
        result = cas_input(&literals, m->all->in->cas, &m->record.literals, "blob in the store", e);
    if (result == 0)
        result = join_into(m, &literals, list, e);
    if (result < 0) {
        throw_out_damaged(m->all->in->cas, inputs, n, e);
        throw_out_damaged(m->all->in->cas, &literals, 1, e);
    }
    cas_input_clear(&literals);
    for (size_t i = 0; i < n; i++)
        cas_input_clear(&inputs[i]);
    return result;
}

/* ---- taking over ---- */

static int take_into(struct making *m, struct source *from, struct err *e)
{
    CLEANUP(place_blob_clear) struct place_blob blob = {0};
    const struct events *events = m->all->in->events;
    struct event ev = {EVENT_BEGIN, "write", m->layer->name.p, 0, m->layer->size};

    events_emit(events, &ev);
    if (place_blob_open(&blob, m->all->in->place, &m->layer->digest, m->layer->size, e) < 0 ||
        source_copy(from, &blob.sink, NULL, e) < 0 || sink_finish(&blob.sink, e) < 0)
        return -1;
    ev.kind = EVENT_END;
    events_emit(events, &ev);
    return 0;
}

/* A layer of the base image, byte for byte; its digest is checked on the way. */
static int take(void *ctx, struct err *e)
{
    struct making *m = ctx;
    const struct stored *image = m->all->in->image;
    struct descriptor d = {.digest = m->layer->digest, .size = m->layer->size};
    CLEANUP(source_clear) struct source *blob = NULL;

    if (stored_blob(&blob, image, &d, e) < 0)
        return err_wrap(e, "layer %s", m->layer->name.p);
    return take_into(m, blob, e) < 0
               ? err_wrap(e, "layer %s of %s", m->layer->name.p, image->files.path)
               : 0;
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
        memo_put(m->all->in->memo, buf_view(&m->key), &made->digest, buf_view(&text), e) < 0)
        return -1;
    if (layer_is_known(l) && !digest_eq(&l->digest, digest))
        return contradict(l, "digest", &l->digest, digest, e);
    if (layer_is_known(l) && l->size != made->size)
        return err_set(e, ERR_INTEGRITY,
                       "layer %s: it has %llu bytes, but the lock has %llu; the lock was edited",
                       l->name.p, (unsigned long long)made->size, (unsigned long long)l->size);
    if (check_diff_id(l, diff_id, e) < 0)
        return -1;
    take_digests(l, digest, diff_id, made->size, made->tar_size);
    return 0;
}

/* Write a tree as this layer: into the place where that can take it now, else only into the store's
 * memory, from where it is joined later. */
static int write_layer(struct making *m, const struct tree *tree, struct layer_watch *watch,
                       struct seen *digest, struct err *e)
{
    CLEANUP(place_blob_clear) struct place_blob blob = {0};
    CLEANUP(cas_put_clear) struct cas_put literals = {0};
    const struct assembly *in = m->all->in;
    struct layer_result made = {0};
    struct layer_output to = {.literals = &literals.sink,
                              .segments = &m->record.segments,
                              .skip_diff_id = layer_is_known(m->layer) && !watch && !in->audit,
                              .watch = watch,
                              .name = m->layer->name.p};

    layer_record_clear(&m->record);
    if (cas_put_open(&literals, in->cas, NULL, UINT64_MAX, e) < 0)
        return -1;
    if (!in->place->known_first) {
        if (place_blob_open(&blob, in->place, NULL, 0, e) < 0)
            return -1;
        to.blob = &blob.sink;
    }
    if (layer_write(&made, tree, &to, in->events, e) < 0 || sink_finish(&literals.sink, e) < 0)
        return -1;
    if (take_result(m, &made, &literals.seen, e) < 0)
        return -1;
    m->has_record = true;
    *digest = made.digest;
    return to.blob ? sink_finish(to.blob, e) : 0;
}

static int make_from(struct making *m, const struct tree *tree, struct err *e)
{
    const struct watcher *by = m->watched ? m->all->in->watcher : NULL;
    struct layer_watch *watch = by ? by->open(by->ctx, e) : NULL;
    struct seen digest;
    int result;

    if (by && !watch)
        return -1;
    result = write_layer(m, tree, watch, &digest, e);
    if (by && result == 0)
        result = by->done(by->ctx, watch, &digest, e);
    if (by)
        by->close(by->ctx, watch);
    return result;
}

/* The lock's rules that concern wheels of this layer. */
static void take_rules(struct making *m)
{
    const struct lock *lock = m->all->lock;

    for (size_t i = 0; i < lock->slim.n; i++)
        for (size_t j = 0; j < m->layer->artifacts.n; j++)
            if (slim_concerns(lock->slim.v[i].rule,
                              lock->artifacts.v[m->layer->artifacts.v[j]].name)) {
                vec_push(&m->slim)->rule = lock->slim.v[i].rule;
                break;
            }
}

static int import_all(struct tree *t, struct making *m, struct input *inputs, struct err *e)
{
    const struct assembly *in = m->all->in;
    const struct lock *lock = m->all->lock;
    struct inflater *inflater = inflater_open();
    int result = 0;

    take_rules(m);
    for (size_t i = 0; i < m->layer->artifacts.n && result == 0; i++) {
        const struct artifact *a = &lock->artifacts.v[m->layer->artifacts.v[i]];
        CLEANUP(buf_clear) struct buf metadata = {0};
        struct wheel_import how = {.python = lock->python,
                                   .prefix = STR(LAYER_PREFIX),
                                   .name = a->name,
                                   .version = a->version,
                                   .requested = a->requested,
                                   .slim = &m->slim,
                                   .metadata = &metadata};

        if (cas_input(&inputs[i], in->cas, &a->digest, a->file.p, e) < 0 ||
            import_wheel(t, &inputs[i], &how, inflater, e) < 0 ||
            metadata_confirm(in->metadata, in->cas, a, buf_view(&metadata), e) < 0)
            result = -1;
    }
    inflater_clear(&inflater);
    tree_sort(t);
    return result;
}

static int make_wheels(void *ctx, struct err *e)
{
    struct making *m = ctx;
    CLEANUP(tree_clear) struct tree t = {.below = &m->all->venv};
    CLEANUP(free_clear) struct input *inputs = xcalloc(m->layer->artifacts.n, sizeof *inputs);
    int result = import_all(&t, m, inputs, e);

    if (result == 0)
        result = make_from(m, &t, e);
    if (result < 0)
        throw_out_damaged(m->all->in->cas, inputs, m->layer->artifacts.n, e);
    for (size_t i = 0; i < m->layer->artifacts.n; i++)
        cas_input_clear(&inputs[i]);
    return result;
}

static int make_system(void *ctx, struct err *e)
{
    struct making *m = ctx;

    return make_from(m, system_layers_tree(&m->all->system, m->index), e);
}

static int make_files(void *ctx, struct err *e)
{
    struct making *m = ctx;
    struct assembler *a = m->all;
    CLEANUP(tree_clear) struct tree t = {0};

    spool_open(&a->files, a->in->scratch_dir);
    if (files_build(&t, a->lock, a->in->dir, &a->files, &a->system.skeleton, e) < 0)
        return -1;
    return make_from(m, &t, e);
}

static uint64_t layer_bytes(const struct assembler *a, const struct lock_layer *l)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < l->artifacts.n; i++)
        sum += a->lock->artifacts.v[l->artifacts.v[i]].size;
    return sum;
}

/* What takes longest for its size is begun first, so that it is not what everybody waits for at the
 * end: compressing the system, then copying wheels by size. */
static void start(struct making *m, int (*run)(void *ctx, struct err *e))
{
    uint64_t weight = layer_bytes(m->all, m->layer);

    if (m->layer->kind == LOCK_SYSTEM)
        weight += UINT64_MAX / 4;
    pool_add(m->all->pool, weight, (unsigned)m->index, run, m);
}

static void start_files(struct assembler *a)
{
    for (size_t i = 0; i < a->lock->layers.n; i++)
        if (a->makings[i].how == HOW_MAKE && a->makings[i].layer->kind == LOCK_FILES)
            start(&a->makings[i], make_files);
}

static void start_system(struct assembler *a, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (a->makings[i].how == HOW_MAKE && a->makings[i].layer->kind == LOCK_SYSTEM)
            start(&a->makings[i], make_system);
}

/* The layers below the toolkit's need not wait for it. */
static int build_below(struct assembler *a, struct err *e)
{
    if (system_layers_build(&a->system, a->lock, e) < 0)
        return -1;
    start_system(a, 0, layer_order_toolkit(a->lock));
    return 0;
}

/* All of it is unpacked: the other trees, then their layers and the one on top. */
static int build_rest(struct assembler *a, struct err *e)
{
    int built = a->in->image ? system_layers_from_image(&a->system, a->lock, a->in->image, e)
                             : system_layers_finish(&a->system, a->lock, e);

    if (built < 0 || system_layers_remember(&a->system, a->lock, a->in->memo, e) < 0)
        return -1;
    start_system(a, a->in->image ? 0 : layer_order_toolkit(a->lock), a->lock->layers.n);
    start_files(a);
    return 0;
}

struct unpack {
    struct assembler *all;
    size_t artifact;
};

/* Two things at most fall due with a part, each to the thread that is the last. */
static int part_done(struct assembler *a, size_t artifact, struct err *e)
{
    bool below = !layer_order_is_above(a->lock, artifact) && --a->below_left == 0;
    bool all = --a->parts_left == 0;

    if (below && build_below(a, e) < 0)
        return -1;
    for (int due = below + all; due; due--)
        if (--a->stages_left == 0)
            return build_rest(a, e);
    return 0;
}

static int unpack_part(void *ctx, struct err *e)
{
    CLEANUP(free_clear) struct unpack *u = ctx;
    struct assembler *a = u->all;
    const struct artifact *artifact = &a->lock->artifacts.v[u->artifact];
    struct input input = {0};
    int result = cas_input(&input, a->in->cas, &artifact->digest, artifact->file.p, e);

    input.events = a->in->events;
    if (result == 0)
        result = system_layers_import(&a->system, a->lock, u->artifact, &input, e);
    if (result < 0)
        throw_out_damaged(a->in->cas, &input, 1, e);
    cas_input_clear(&input);
    return result == 0 ? part_done(a, u->artifact, e) : -1;
}

static int read_image(void *ctx, struct err *e)
{
    return build_rest(ctx, e);
}

/* ---- fetching ---- */

/* The system is the long way (unpack, compress), so it starts before any wheel's layer. */
static void part_ready(struct assembler *a, size_t artifact)
{
    struct unpack *u = xcalloc(1, sizeof *u);

    *u = (struct unpack){a, artifact};
    pool_add(a->pool, UINT64_MAX / 2 + a->lock->artifacts.v[artifact].size, 0, unpack_part, u);
}

static int ready(void *ctx, size_t index, struct err *e)
{
    struct assembler *a = ctx;
    size_t artifact = a->want.v[index];

    if (pool_failed(a->pool))
        return err_set(e, ERR_NO, "stopped"); /* the pool tells why */
    if (a->need_system && layer_order_needs(a->lock, &a->lock->artifacts.v[artifact]))
        part_ready(a, artifact);
    for (size_t i = 0; i < a->lock->layers.n; i++) {
        struct making *m = &a->makings[i];

        if (m->how != HOW_MAKE || m->layer->kind != LOCK_WHEELS)
            continue;
        for (size_t j = 0; j < m->layer->artifacts.n; j++)
            if (m->layer->artifacts.v[j] == artifact && --m->waiting == 0)
                start(m, make_wheels);
    }
    return 0;
}

static void want(struct assembler *a, size_t artifact)
{
    if (!a->wanted[artifact])
        vec_add(&a->want, artifact);
    a->wanted[artifact] = true;
}

static void want_layer(struct assembler *a, const struct lock_layer *l)
{
    for (size_t i = 0; i < l->artifacts.n; i++)
        want(a, l->artifacts.v[i]);
}

static void want_system(struct assembler *a)
{
    a->stages_left = 2;
    for (size_t i = 0; i < a->lock->artifacts.n; i++)
        if (layer_order_needs(a->lock, &a->lock->artifacts.v[i])) {
            want(a, i);
            a->parts_left++;
            a->below_left += !layer_order_is_above(a->lock, i);
        }
}

/* What has to be fetched, and whether the system is needed as a tree. */
static void collect(struct assembler *a)
{
    bool files = false;

    for (size_t i = 0; i < a->lock->layers.n; i++) {
        struct making *m = &a->makings[i];

        if (m->how != HOW_MAKE)
            continue;
        files |= m->layer->kind == LOCK_FILES;
        a->need_system |= m->layer->kind == LOCK_SYSTEM;
        m->waiting = m->layer->artifacts.n;
        if (m->layer->kind == LOCK_WHEELS)
            want_layer(a, m->layer);
    }
    if (a->in->audit || !system_layers_recall(&a->system, a->lock, a->in->memo))
        a->need_system |= files || !a->lock->built;
    if (a->need_system)
        want_system(a);
    else
        start_files(a);
    if (a->need_system && a->in->image)
        pool_add(a->pool, UINT64_MAX / 2, 0, read_image, a);
}

/* Debs and archives first, then wheels by size: what takes longest is begun first, whatever is in
 * the store. */
static int want_compare(const void *x, const void *y, void *ctx)
{
    const struct artifact *all = ctx;
    const struct artifact *a = &all[*(const size_t *)x], *b = &all[*(const size_t *)y];

    if ((a->eco == ECO_WHEEL) != (b->eco == ECO_WHEEL))
        return a->eco == ECO_WHEEL ? 1 : -1;
    if (a->size != b->size)
        return a->size > b->size ? -1 : 1;
    return (a > b) - (a < b);
}

static int fetch(struct assembler *a, struct err *e)
{
    const struct fetcher *f = &a->in->fetcher;
    CLEANUP(free_clear) struct artifact *list = NULL;

    if (!a->want.n)
        return 0;
    list = xcalloc(a->want.n, sizeof *list);
    qsort_r(a->want.v, a->want.n, sizeof a->want.v[0], want_compare, a->lock->artifacts.v);
    for (size_t i = 0; i < a->want.n; i++)
        list[i] = a->lock->artifacts.v[a->want.v[i]];
    return f->fetch(f->ctx, list, a->want.n, ready, a, e);
}

/* ---- the audit ---- */

/* What the store has of the artifacts; what is damaged there is removed, and so fetched again. */
static int audit_store(struct assembler *a, struct audit *audit, struct err *e)
{
    const struct artifact *artifact;
    bool right;

    vec_each(artifact, &a->lock->artifacts) {
        if (!cas_has(a->in->cas, &artifact->digest, 0))
            continue;
        if (events_cancelled(a->in->events))
            return err_set(e, ERR_INTERRUPTED, "interrupted");
        if (cas_check(a->in->cas, &artifact->digest, &right, e) < 0)
            return -1;
        audit->blobs++;
        audit->damaged += !right;
        if (!right)
            events_warn(a->in->events, STR_FMT " was damaged in the store; it is fetched again",
                        STR_ARG(artifact->file));
    }
    return 0;
}

static int pass_over(void *ctx, const struct tar_entry *entry, struct source *data, struct err *e)
{
    return 0; /* its bytes are hashed all the same */
}

/* The base image's layers are the only ones that are not made again. */
static int audit_layers(struct assembler *a, struct audit *audit, struct err *e)
{
    for (size_t i = 0; i < a->lock->layers.n; i++) {
        audit->layers++;
        if (a->lock->layers.v[i].kind == LOCK_IMAGE &&
            layer_read(a->in->image, i, true, pass_over, NULL, NULL, e) < 0)
            return -1;
    }
    return 0;
}

static int audit(struct assembler *a, struct err *e)
{
    return audit_store(a, a->in->audit, e) < 0 ? -1 : audit_layers(a, a->in->audit, e);
}

/* ---- all of it ---- */

static int run(struct assembler *a, struct err *e)
{
    struct err fetch_err = {0}, pool_err = {0};
    bool known_first = a->in->place->known_first;
    int fetched, made;

    for (size_t i = 0; i < a->lock->layers.n; i++)
        if (a->makings[i].how == HOW_JOIN && !known_first)
            start(&a->makings[i], join);
        else if (a->makings[i].how == HOW_TAKE && !known_first)
            start(&a->makings[i], take);
    collect(a);
    fetched = fetch(a, &fetch_err);
    if (fetched < 0)
        pool_stop(a->pool);
    made = pool_wait(a->pool, &pool_err);
    /* A failed job also ends the fetching, and a failed fetch the jobs: tell the first cause. */
    if (made < 0)
        err_join(e, &pool_err);
    else if (fetched < 0)
        err_join(e, &fetch_err);
    err_clear(&fetch_err);
    err_clear(&pool_err);
    if (made < 0 || fetched < 0)
        return -1;
    for (size_t i = 0; i < a->lock->layers.n && known_first; i++)
        if (a->makings[i].how == HOW_TAKE
                ? take(&a->makings[i], e) < 0
                : a->makings[i].how != HOW_PRESENT && join(&a->makings[i], e) < 0)
            return -1;
    return 0;
}

/* Where nothing can be written, what has to be made is told before anything is begun. */
static int check_store(const struct assembler *a, struct err *e)
{
    CLEANUP(buf_clear) struct buf list = {0};

    if (!cas_is_read_only(a->in->cas))
        return 0;
    for (size_t i = 0; i < a->lock->layers.n; i++)
        if (a->makings[i].how == HOW_MAKE)
            buf_fmt(&list, "%s" STR_FMT, list.len ? ", " : "", STR_ARG(a->lock->layers.v[i].name));
    if (!list.len)
        return 0;
    return err_set(e, ERR_SYSTEM,
                   "the store %s is read-only and lacks layers of this lock: %s; name a store that"
                   " can be written with --store DIR",
                   cas_dir(a->in->cas), list.p);
}

int assemble_layers(struct lock *lock, const struct assembly *in, struct err *e)
{
    CLEANUP(assembler_clear) struct assembler a = {.lock = lock, .in = in};
    struct venv venv = {.python = lock->python, .prefix = STR(LAYER_PREFIX), .home = STR("usr")};

    a.makings = xcalloc(lock->layers.n, sizeof *a.makings);
    a.wanted = xcalloc(lock->artifacts.n, sizeof *a.wanted);
    for (size_t i = 0; i < lock->layers.n; i++) {
        a.makings[i] = (struct making){.all = &a, .layer = &lock->layers.v[i], .index = i};
        if (decide(&a, &a.makings[i], e) < 0)
            return -1;
    }
    if (check_store(&a, e) < 0 || venv_outline(&a.venv, &venv, e) < 0 ||
        (in->audit && audit(&a, e) < 0))
        return -1;
    system_layers_open(&a.system, lock, in->scratch_dir);
    a.pool = pool_open(in->jobs);
    if (run(&a, e) < 0)
        return -1;
    if (!lock->built)
        for (size_t i = 0; i < a.system.uncovered.n; i++)
            vec_add(&lock->uncovered, arena_str(&lock->doc.arena, str_of(a.system.uncovered.v[i])));
    if (!lock->built)
        lock->toolkit.saved = a.system.saved;
    for (size_t i = 0; i < lock->layers.n && !lock->built; i++)
        slim_add(&lock->slim, &a.makings[i].record.slim);
    lock->encoder = STR(DEFLATE_ENCODER);
    return 0;
}
