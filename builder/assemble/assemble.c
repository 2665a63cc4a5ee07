/* SPDX-License-Identifier: Apache-2.0 */
#include "../oci/layer_read.h"
#include "assemble_parts.h"
#include "layer/layer_key.h"
#include "layer/layer_order.h"
#include "system/venv.h"

static void assembler_clear(struct assembler *a)
{
    pool_clear(&a->pool); /* first: its jobs use the rest */
    for (size_t i = 0; a->makings && i < a->lock->layers.n; i++) {
        layer_record_clear(&a->makings[i].record);
        vec_clear(&a->makings[i].slim);
        buf_clear(&a->makings[i].key);
        buf_clear(&a->makings[i].alone);
    }
    for (size_t i = 0; a->paths && i < a->lock->artifacts.n; i++)
        wheel_paths_clear(&a->paths[i]);
    free(a->paths);
    free(a->makings);
    tree_clear(&a->venv);
    system_layers_clear(&a->system);
    vec_clear(&a->want);
    free(a->wanted);
    spool_clear(&a->files);
    spool_clear(&a->taken);
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

/* Both the system and its file are there. */
static void start_download(struct making *m)
{
    if (--m->due == 0)
        start(m, making_download);
}

/* What lies on the system. */
static void start_files(struct assembler *a)
{
    for (size_t i = 0; i < a->lock->layers.n; i++) {
        struct making *m = &a->makings[i];

        if (m->how == HOW_MAKE && m->layer->kind == LOCK_FILES)
            start(m, making_files);
        else if (m->how == HOW_MAKE && m->layer->kind == LOCK_DOWNLOAD)
            start_download(m);
    }
}

static void start_system(struct assembler *a, bool late)
{
    for (size_t i = 0; i < a->lock->layers.n; i++)
        if (a->makings[i].how == HOW_MAKE && a->makings[i].layer->kind == LOCK_SYSTEM &&
            layer_order_is_late(a->makings[i].layer->group) == late)
            start(&a->makings[i], making_system);
}

/* Most groups need not wait for the toolkit. */
static int build_below(struct assembler *a, struct err *e)
{
    if (system_layers_build(&a->system, a->lock, e) < 0)
        return -1;
    start_system(a, false);
    return 0;
}

/* All of it is unpacked: the other trees, then their layers and the one on top. */
static int build_rest(struct assembler *a, struct err *e)
{
    int built = a->in->image ? system_layers_from_image(&a->system, a->lock, a->in->image, e)
                             : system_layers_finish(&a->system, a->lock, e);

    if (built < 0 || system_layers_remember(&a->system, a->lock, a->in->memo, e) < 0)
        return -1;
    start_system(a, a->in->image == NULL);
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
        making_throw_out(a->in->cas, &input, 1, e);
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

        if (m->how == HOW_MAKE && m->layer->kind == LOCK_DOWNLOAD &&
            m->layer->artifacts.v[0] == artifact)
            start_download(m);
        if ((m->how != HOW_MAKE && !m->read) || m->layer->kind != LOCK_WHEELS)
            continue;
        for (size_t j = 0; j < m->layer->artifacts.n; j++)
            if (m->layer->artifacts.v[j] == artifact && --m->waiting == 0)
                start(m, m->read ? making_paths : making_wheels);
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

static void want_compiled(struct assembler *a, size_t layer)
{
    for (size_t i = lock_bytecode_from(a->lock, layer); i < layer; i++)
        if (a->lock->layers.v[i].kind == LOCK_WHEELS)
            want_layer(a, &a->lock->layers.v[i]);
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

/* For its wheels' paths: where an edit is to be checked, nothing is fetched for that. */
static bool is_read(const struct assembler *a, const struct making *m)
{
    const struct lock_layer *l = m->layer;

    if (!a->paths || m->how == HOW_MAKE || l->kind != LOCK_WHEELS)
        return false;
    for (size_t i = 0; a->only_stored && i < l->artifacts.n; i++)
        if (!cas_has(a->in->cas, &a->lock->artifacts.v[l->artifacts.v[i]].digest, 0))
            return false;
    return true;
}

/* What has to be fetched, and whether the system is needed as a tree. */
static void collect(struct assembler *a)
{
    bool files = false;

    for (size_t i = 0; i < a->lock->layers.n; i++) {
        struct making *m = &a->makings[i];

        m->read = is_read(a, m);
        if (m->how != HOW_MAKE && !m->read)
            continue;
        files |= m->layer->kind == LOCK_FILES || m->layer->kind == LOCK_DOWNLOAD;
        a->need_system |= m->layer->kind == LOCK_SYSTEM;
        m->waiting = m->layer->artifacts.n;
        m->due = 2;
        if (m->layer->kind == LOCK_WHEELS || m->layer->kind == LOCK_DOWNLOAD)
            want_layer(a, m->layer);
        if (m->layer->kind == LOCK_BYTECODE)
            want_compiled(a, i);
    }
    if (a->in->audit || !system_layers_recall(&a->system, a->lock, a->in->memo))
        a->need_system |= !lock_is_settled(a->lock) ||
                          (files && !(!a->in->image && a->in->beside && !a->in->audit &&
                                      system_layers_beside(&a->system, a->lock, a->in->beside)));
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

/* ---- wheels with the same path ---- */

static bool key_is_new(const struct making *m)
{
    CLEANUP(buf_clear) struct buf key = {0};

    layer_key(&key, m->all->lock, m->index);
    return !str_eq(buf_view(&key), buf_view(&m->key));
}

/* What was made, joined or there already is another layer, now that some of its files are known to
 * be left out. */
static int make_again(struct making *m, struct err *e)
{
    struct assembler *all = m->all;

    layer_record_clear(&m->record);
    buf_clear(&m->key);
    m->layer->digest = m->layer->diff_id = (struct digest){0};
    *m = (struct making){.all = all, .layer = m->layer, .index = m->index, .slim = m->slim};
    if (making_recall(all, m, e) < 0 || making_decide(all, m, e) < 0)
        return -1;
    if (m->how == HOW_MAKE && m->layer->kind == LOCK_WHEELS)
        start(m, making_wheels);
    else if (m->how == HOW_JOIN && !all->in->place->known_first)
        start(m, making_join);
    return 0;
}

/* All wheels were read: make those layers again that lose a file to a wheel of another layer. It is
 * rare, so that no layer waits for it. */
static int settle_overlaps(struct assembler *a, struct err *e)
{
    if (!a->paths)
        return 0;
    if (overlap_find(a, e) < 0)
        return -1;
    for (size_t i = 0; i < a->lock->layers.n && !lock_is_settled(a->lock); i++)
        if ((a->lock->layers.v[i].kind == LOCK_WHEELS ||
             a->lock->layers.v[i].kind == LOCK_BYTECODE) &&
            key_is_new(&a->makings[i]) && make_again(&a->makings[i], e) < 0)
            return -1;
    return pool_wait(a->pool, e);
}

/* ---- bytecode ---- */

static int check_compiler(const struct assembler *a, struct err *e)
{
    const struct compiler *c = &a->in->compiler;

    for (size_t i = 0; i < a->lock->layers.n; i++)
        if (making_is_compiled(&a->makings[i]) && c->begin(c->ctx, e) < 0)
            return err_wrap(e, "layer %s", a->lock->layers.v[i].name.p);
    return 0;
}

/* ---- all of it ---- */

static int ask_place(struct assembler *a, struct err *e)
{
    struct descriptors asked = {0};
    int result;

    for (size_t i = 0; i < a->lock->layers.n; i++) {
        const struct lock_layer *l = &a->lock->layers.v[i];

        if (a->makings[i].asked)
            vec_add(&asked, ((struct descriptor){.digest = l->digest, .size = l->size}));
    }
    result = place_ask_blobs(a->in->place, &asked, e);
    vec_clear(&asked);
    return result;
}

static int ask_caches(struct assembler *a, struct err *e)
{
    CLEANUP(free_clear)
    struct layer_question *questions = xcalloc(a->lock->layers.n, sizeof *questions);
    CLEANUP(free_clear) struct making **asked = xcalloc(a->lock->layers.n, sizeof(struct making *));
    size_t n = 0;

    for (size_t i = 0; i < a->lock->layers.n && a->in->caches; i++) {
        const struct lock_layer *l = &a->lock->layers.v[i];

        if (!making_may_be_cached(&a->makings[i]))
            continue;
        questions[n] = (struct layer_question){.digest = l->digest, .size = l->size};
        asked[n++] = &a->makings[i];
    }
    if (n && layer_caches_find(a->in->caches, questions, n, a->in->events, e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (!questions[i].found)
            continue;
        asked[i]->cache = questions[i].found;
        asked[i]->how = HOW_TAKE;
        events_note(a->in->events, "layer %s: in the cache %s", asked[i]->layer->name.p,
                    registry_name(asked[i]->cache->registry));
    }
    return 0;
}

static int decide(struct assembler *a, struct err *e)
{
    if (ask_place(a, e) < 0)
        return -1;
    for (size_t i = 0; i < a->lock->layers.n; i++)
        if (making_decide(a, &a->makings[i], e) < 0)
            return -1;
    return ask_caches(a, e);
}

/* Compressed bytes, as far as they are known before the first build. */
static uint64_t weight(const struct lock *lock, const struct lock_layer *l)
{
    uint64_t sum = 0;

    if (l->size)
        return l->size;
    for (size_t i = 0; i < l->artifacts.n; i++)
        sum += lock->artifacts.v[l->artifacts.v[i]].size;
    return sum;
}

/* Tell what each layer weighs before the first begins, so that the whole does not grow. */
static void plan(const struct assembler *a)
{
    for (size_t i = 0; i < a->lock->layers.n; i++) {
        const struct making *m = &a->makings[i];
        uint64_t bytes = weight(a->lock, m->layer);

        if (m->how == HOW_MAKE)
            events_emit(a->in->events,
                        &(struct event){EVENT_PLAN, "assemble", m->layer->name.p, 0, bytes});
        if (m->how != HOW_PRESENT &&
            (m->how != HOW_MAKE || a->in->place->known_first || making_is_stored_first(m)))
            events_emit(a->in->events, &(struct event){EVENT_PLAN, a->in->place->task,
                                                       m->layer->name.p, 0, bytes});
    }
}

/* Wheels and debs that are not in the store go there, layers that the place lacks into the place.
 */
static int check_room(const struct assembler *a, struct err *e)
{
    CLEANUP(free_clear) bool *counted = xcalloc(a->lock->artifacts.n, sizeof *counted);
    uint64_t store = 0, place = 0;

    for (size_t i = 0; i < a->lock->layers.n; i++) {
        const struct making *m = &a->makings[i];

        if (m->how != HOW_PRESENT)
            place += weight(a->lock, m->layer);
        for (size_t j = 0; j < m->layer->artifacts.n && m->how == HOW_MAKE; j++) {
            size_t at = m->layer->artifacts.v[j];
            const struct artifact *artifact = &a->lock->artifacts.v[at];
            uint64_t begun = cas_partial_size(a->in->cas, &artifact->digest);

            if (!counted[at] && !cas_has(a->in->cas, &artifact->digest, 0))
                store += artifact->size > begun ? artifact->size - begun : 0;
            counted[at] = true;
        }
    }
    return a->in->room && (store || place) ? a->in->room(a->in->room_ctx, store, place, e) : 0;
}

/* What caches have comes first: what they do not give has to be made like the rest. */
static int try_caches(struct assembler *a, struct err *e)
{
    spool_open(&a->taken, a->in->scratch_dir);
    for (size_t i = 0; i < a->lock->layers.n; i++)
        if (a->makings[i].cache)
            start(&a->makings[i], making_try_cache);
    return pool_wait(a->pool, e);
}

static int run(struct assembler *a, struct err *e)
{
    struct err fetch_err = {0}, pool_err = {0};
    bool known_first = a->in->place->known_first;
    int fetched, made;

    for (size_t i = 0; i < a->lock->layers.n; i++)
        if (a->makings[i].how == HOW_JOIN && !known_first)
            start(&a->makings[i], making_join);
        else if (a->makings[i].how == HOW_TAKE && !a->makings[i].cache && !known_first)
            start(&a->makings[i], making_take);
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
    if (made < 0 || fetched < 0 || settle_overlaps(a, e) < 0 || bytecode_make(a, e) < 0)
        return -1;
    for (size_t i = 0; i < a->lock->layers.n && known_first; i++)
        if (a->makings[i].how == HOW_TAKE
                ? making_take(&a->makings[i], e) < 0
                : a->makings[i].how != HOW_PRESENT && making_join(&a->makings[i], e) < 0)
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

/* Once all are made: before a first build nobody knows their sizes. */
static void count_fresh(const struct assembler *a)
{
    for (size_t i = 0; i < a->lock->layers.n && a->in->fresh; i++)
        if (a->makings[i].how != HOW_PRESENT || a->makings[i].shared) {
            a->in->fresh->layers++;
            a->in->fresh->bytes += a->lock->layers.v[i].size;
        }
}

/* Layers that are kept stay another version's work. */
static void take_encoder(struct lock *lock)
{
    CLEANUP(buf_clear) struct buf ours = {0};

    layer_encoder(&ours, lock_compression(lock));
    if (!lock_is_settled(lock) || !lock->encoder.len)
        lock->encoder = arena_str(&lock->doc.arena, buf_view(&ours));
    else if (!lock->built && !str_eq(lock->encoder, buf_view(&ours)))
        lock->encoder =
            str_of(arena_fmt(&lock->doc.arena, STR_FMT ", %s", STR_ARG(lock->encoder), ours.p));
}

int assemble_layers(struct lock *lock, const struct assembly *in, struct err *e)
{
    CLEANUP(assembler_clear) struct assembler a = {.lock = lock, .in = in};
    struct venv venv = {.python = lock->python, .prefix = STR(LAYER_PREFIX), .home = STR("usr")};

    a.makings = xcalloc(lock->layers.n, sizeof *a.makings);
    a.wanted = xcalloc(lock->artifacts.n, sizeof *a.wanted);
    if (lock->format >= 2 && (!lock_is_settled(lock) || in->audit))
        a.paths = xcalloc(lock->artifacts.n + 1, sizeof *a.paths);
    for (size_t i = 0; i < lock->layers.n; i++) {
        a.makings[i] = (struct making){.all = &a, .layer = &lock->layers.v[i], .index = i};
        if (making_recall(&a, &a.makings[i], e) < 0)
            return -1;
    }
    a.pool = pool_open(in->jobs);
    if (decide(&a, e) < 0)
        return -1;
    a.only_stored = !a.paths && overlap_may_hide(&a);
    if (a.only_stored)
        a.paths = xcalloc(lock->artifacts.n + 1, sizeof *a.paths);
    if (check_store(&a, e) < 0 || check_room(&a, e) < 0)
        return -1;
    plan(&a);
    if (try_caches(&a, e) < 0 || check_store(&a, e) < 0 || check_compiler(&a, e) < 0 ||
        venv_outline(&a.venv, &venv, e) < 0 || (in->audit && audit(&a, e) < 0))
        return -1;
    system_layers_open(&a.system, lock, in->scratch_dir);
    if (run(&a, e) < 0 || cache_leave(&a, e) < 0)
        return -1;
    count_fresh(&a);
    if (!lock_is_settled(lock))
        for (size_t i = 0; i < a.system.uncovered.n; i++)
            vec_add(&lock->uncovered, arena_str(&lock->doc.arena, str_of(a.system.uncovered.v[i])));
    if (!lock_is_settled(lock))
        lock->toolkit.saved = a.system.saved;
    for (size_t i = 0; i < lock->layers.n && !lock_is_settled(lock); i++)
        slim_add(&lock->slim, &a.makings[i].record.slim);
    take_encoder(lock);
    return 0;
}
