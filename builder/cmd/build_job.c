/* SPDX-License-Identifier: Apache-2.0 */
#include "build_job.h"

#include "../assemble/image.h"
#include "../assemble/system/system_gaps.h"
#include "../base/path.h"
#include "../fetch/fetch.h"
#include "../model/compression.h"
#include "../model/finding.h"
#include "../store/roots.h"
#include "output.h"
#include "prove.h"
#include "room.h"

/* ---- the lock ---- */

static int stale(const struct work *w, const char *words, struct err *e)
{
    return err_set(e, ERR_INPUT,
                   "%s is out of date with %s: %s; run `envbuild lock %s` to accept the change",
                   w->lock_path, w->operand, words, w->operand);
}

/* The lock must say what its recipe and artifacts give. Where another envbuild wrote it, that may
 * have derived otherwise: the lock is obeyed, and what differs is told. */
static int check_edited(struct work *w, struct session *s, const struct build_args *a,
                        struct err *e)
{
    CLEANUP(lock_differences_clear) struct lock_differences found = {0};
    CLEANUP(buf_clear) struct buf words = {0};

    if (work_compare(w, s, &found, e) < 0)
        return -1;
    if (!found.list.n)
        return 0;
    if (!work_derives_alike(w) && !a->strict) {
        work_warn_older(w, s, &found);
        return 0;
    }
    work_say_differences(&words, &found);
    return err_set(
        e, ERR_INPUT,
        "%s is not what %s gives: %s; the lock was edited, or made with another catalog; "
        "restore it, or run `envbuild lock %s` to write what the recipe gives",
        w->lock_path, w->operand, words.p, w->operand);
}

/* What the lock names is needed in the store as long as the lock is there. */
static int note_lock(const struct work *w, const struct session *s, struct err *e)
{
    CLEANUP(free_clear) char *path = NULL;

    if (cas_is_read_only(w->cas))
        return 0;
    return fs_absolute(&path, w->lock_path, e) < 0 ? -1 : roots_note(s->store_dir, path, e);
}

/* A lock that is the recipe's, chosen now if there is none. */
static int have_lock(struct work *w, struct session *s, const struct build_args *a, struct err *e)
{
    CLEANUP(buf_clear) struct buf words = {0};
    CLEANUP(lock_clear) struct lock lock = {0};

    if (!w->has_lock && a->locked)
        return err_set(e, ERR_INPUT,
                       "%s is not there, and --locked writes none; run `envbuild lock %s` first",
                       w->lock_path, w->operand);
    if (!w->has_lock) {
        if (work_resolve(w, s, &(struct pins){0}, &lock, e) < 0)
            return -1;
        work_take_lock(w, &lock);
        if (work_write_lock(w, e) < 0)
            return -1;
        work_tell_choices(w, s);
        return 0;
    }
    if (work_changes(w, &words, e) < 0)
        return -1;
    if (words.len && (a->locked || !work_take_files(w)))
        return stale(w, words.p, e);
    if (words.len && !s->quiet && !s->json) {
        progress_pause(s->progress);
        output_message("%s; %s takes that over", words.p, w->lock_path);
    }
    return check_edited(w, s, a, e);
}

struct sealed *build_job_sealed(struct work *w, struct session *s, const struct build_args *a)
{
    const struct sealed_how how = {.jobs = a->jobs,
                                   .downloads = a->downloads,
                                   .offline = a->offline,
                                   .rebuild_ok = a->rebuild_ok};

    return sealed_open(w, s, &how);
}

/* What a first build gives stands in the lock, whatever becomes of the image. */
static int build_wheels(struct work *w, struct session *s, const struct build_args *a,
                        struct err *e)
{
    CLEANUP(sealed_clear) struct sealed *sealed = build_job_sealed(w, s, a);
    bool changed;

    if (sealed_first(sealed, &changed, e) < 0)
        return -1;
    return changed && !a->locked ? work_write_lock(w, e) : 0;
}

/* ---- fetching, as assemble asks for it ---- */

struct fetching {
    struct work *work;
    struct session *session;
    const struct build_args *args;
};

static int fetch(void *ctx, const struct artifact *artifacts, size_t n,
                 int (*ready)(void *ctx, size_t index, struct err *e), void *ready_ctx,
                 struct err *e)
{
    struct fetching *f = ctx;
    struct fetch_options how = {.root = str_of(f->work->root),
                                .parallel = f->args->downloads,
                                .offline = f->args->offline,
                                .events = f->session->events,
                                .ready = ready,
                                .ctx = ready_ctx};
    CLEANUP(sealed_clear)
    struct sealed *sealed = build_job_sealed(f->work, f->session, f->args);

    if (sealed_have(sealed, artifacts, n, e) < 0)
        return -1;
    return fetch_artifacts(f->work->cas, f->work->http, artifacts, n, &how, e);
}

/* ---- the image ---- */

static int open_image(struct stored *out, const struct work *w, const struct session *s,
                      struct err *e)
{
    const struct stored_scratch how = session_ways(s, NULL);

    return stored_open(out, w->lock.image.ref, w->dir, &how, e) < 0 ? err_wrap(e, "base") : 0;
}

static int check_strict(const struct lock *lock, const struct build_args *a, struct session *s,
                        struct err *e)
{
    CLEANUP(names_clear) struct names gaps = {0};

    for (size_t i = 0; i < lock->uncovered.n && a->strict; i++)
        err_set(e, ERR_INPUT,
                "no rule stands for the maintainer script " STR_FMT ", and --strict is given",
                STR_ARG(lock->uncovered.v[i]));
    if (err_is_set(e))
        return -1;
    system_gaps(lock, &gaps);
    for (size_t i = 0; i < gaps.n && !lock->built; i++) /* afterwards it is known */
        events_warn(s->events, "%s", gaps.v[i]);
    return 0;
}

/* The image is what the lock says, wherever it goes. */
static void warn_client(const struct lock *lock, const struct dest *dest, const struct session *s)
{
    if ((dest->kind == DEST_DOCKER || dest->kind == DEST_DOCKER_ARCHIVE) &&
        compression_is_zstd(lock_compression(lock)))
        events_warn(s->events, "Docker before 23 cannot load layers of zstd; without `compression` "
                               "in the recipe it can");
}

struct disks {
    const char *store, *output; /* output: NULL where none of our files */
};

static int check_room(void *ctx, uint64_t store, uint64_t place, struct err *e)
{
    const struct disks *d = ctx;
    struct room_need needs[] = {{.path = d->store, .bytes = store},
                                {.path = d->output, .bytes = place}};

    fs_room(&needs[0].have, d->store);
    if (d->output)
        fs_room(&needs[1].have, d->output);
    return room_check(needs, d->output ? 2 : 1, e);
}

int build_job_lock(struct build_job *job, struct session *s, const struct build_args *a,
                   struct err *e)
{
    struct work *w = job->work;

    if (work_connect(w, s, a->index, a->offline, e) < 0 || have_lock(w, s, a, e) < 0 ||
        build_wheels(w, s, a, e) < 0 || note_lock(w, s, e) < 0)
        return -1;
    job->built = w->lock.built;
    job->settled = w->lock.settled;
    return w->lock.image.ref.len ? open_image(&job->image, w, s, e) : 0;
}

int build_job_name(struct build_job *job, const struct build_args *a, struct err *e)
{
    const struct work *w = job->work;

    for (size_t i = 0; i < a->outputs.n; i++) {
        struct build_product *p = vec_push(&job->products);

        if (dest_parse(&p->dest, a->outputs.v[i].p, e) < 0)
            return -1;
        p->name = dest_image_name(&p->dest, w->lock.name, w->lock.tag);
        p->name.title = w->lock.name;
        p->name.recipe = path_base(str_of(w->recipe_path));
        p->name.replace = a->replace;
    }
    return 0;
}

/* ---- layers ---- */

/* The image that an edit of the recipe's files is going to replace: it has the system that they lie
 * on. None is fine. */
static bool open_beside(struct stored *out, const struct work *w, const struct dest *dest,
                        const struct image_name *name, const struct session *s)
{
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(err_clear) struct err ignored = {0};
    const struct stored_scratch scratch = session_ways(s, NULL);

    if (!w->lock.settled || (dest->kind != DEST_LAYOUT && dest->kind != DEST_REGISTRY))
        return false;
    dest_print(dest, name, &text);
    return stored_open_any(out, buf_view(&text), ".", &scratch, &ignored) == 0;
}

/* What only the first place tells: it is of the image, not of the place. */
static int judge_made(struct build_job *job, struct session *s, const struct build_args *a,
                      struct proving *proving, const struct stored *below, struct err *e)
{
    struct lock *lock = &job->work->lock;

    if (check_strict(lock, a, s, e) < 0 ||
        (!job->built && (!job->settled || proving_knows(proving, lock)) &&
         prove(lock, proving, below, e) < 0))
        return -1;
    if (job->built || job->settled) /* it is known */
        return 0;
    overlap_warn(lock, s->events);
    prove_warn(lock, job->cell.len ? job->work->lock_path : job->work->recipe_path, s->events);
    return 0;
}

int build_job_make(struct build_job *job, size_t i, struct place *place, struct session *s,
                   const struct build_args *a, const struct blob_files *files, struct err *e)
{
    struct work *w = job->work;
    struct build_product *p = &job->products.v[i];
    const struct stored *below = w->lock.image.ref.len ? &job->image : NULL;
    uint64_t sent = place->sent, begun = progress_now(s->progress);
    struct proving proving;
    struct fetching fetching = {w, s, a};
    struct disks disks = {s->store_dir, p->dest.path};
    CLEANUP(free_clear) char *scratch = NULL;
    CLEANUP(free_clear) char *context = recipe_context(&w->recipe, w->dir);
    struct assembly in = {.cas = w->cas,
                          .memo = w->layers,
                          .metadata = w->metadata,
                          .place = place,
                          .fetcher = {fetch, &fetching},
                          .image = below,
                          .beside =
                              open_beside(&p->beside, w, &p->dest, &p->name, s) ? &p->beside : NULL,
                          .dir = context,
                          .files = files,
                          .jobs = a->jobs,
                          .watcher = &proving.watcher,
                          .events = s->events,
                          .audit = a->audit ? &p->audit : NULL,
                          .fresh = &p->fresh,
                          .room = check_room,
                          .room_ctx = &disks};

    if (session_scratch(&scratch, s, e) < 0)
        return -1;
    in.scratch_dir = scratch;
    proving_init(&proving, w->linkage, scratch);
    events_emit(s->events, &(struct event){.kind = EVENT_STEP, .name = "fetch and assemble"});
    warn_client(&w->lock, &p->dest, s);
    if (cas_sweep(w->cas, NULL, e) < 0 || assemble_layers(&w->lock, &in, e) < 0 ||
        (i == 0 && judge_made(job, s, a, &proving, below, e) < 0))
        return -1;
    w->lock.settled = !w->lock.built; /* for the next place all is known but the image */
    p->sent = place->sent - sent;
    p->ms = progress_now(s->progress) - begun;
    return 0;
}

/* ---- the image is there ---- */

int build_job_put(struct build_job *job, size_t i, struct place *place, struct err *e)
{
    struct build_product *p = &job->products.v[i];
    struct lock *lock = &job->work->lock;
    uint64_t sent = place->sent;

    if (image_put(lock, place, &p->name, lock->image.ref.len ? &job->image.config : NULL, e) < 0)
        return -1;
    p->sent += place->sent - sent;
    return 0;
}

int build_job_record(struct build_job *job, const struct build_args *a, struct err *e)
{
    struct work *w = job->work;

    w->lock.built = true;
    w->lock.settled = false;
    return job->built || a->locked ? 0 : work_write_lock(w, e);
}

void build_job_clear(struct build_job *job)
{
    struct build_product *p;

    vec_each(p, &job->products) {
        stored_clear(&p->beside);
        dest_clear(&p->dest);
    }
    vec_clear(&job->products);
    stored_clear(&job->image);
}
