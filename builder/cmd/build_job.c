/* SPDX-License-Identifier: Apache-2.0 */
#include "build_job.h"

#include "../assemble/system/system_gaps.h"
#include "../base/path.h"
#include "../fetch/fetch.h"
#include "../model/compression.h"
#include "../model/finding.h"
#include "../model/lock_form.h"
#include "../oci/ref.h"
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
    bool fits;

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
    if (work_fits(w, &fits, &words, e) < 0)
        return -1;
    if (!fits || (words.len && a->locked))
        return stale(w, words.p, e);
    if (words.len && !s->quiet && !s->json) {
        progress_pause(s->progress);
        output_message("%s; %s takes that over", words.p, w->lock_path);
    }
    return check_edited(w, s, a, e);
}

struct sealed *build_job_sealed(struct work *w, struct session *s, const struct build_args *a)
{
    const struct sealed_how how = {.jobs = a->jobs ? a->jobs : s->jobs,
                                   .downloads = a->downloads,
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
                                .offline = f->session->offline,
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
        events_warn(s->events, "Docker before 23 cannot load layers of zstd; with `compression: "
                               "gzip` it can");
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

static int take_lock(struct build_job *job, struct session *s, struct err *e)
{
    struct work *w = job->work;

    if (note_lock(w, s, e) < 0)
        return -1;
    job->built = w->lock.built;
    job->settled = w->lock.settled;
    job->forms = lock_forms_built(&w->lock);
    return w->lock.image.ref.len ? open_image(&job->image, w, s, e) : 0;
}

int build_job_lock(struct build_job *job, struct session *s, const struct build_args *a,
                   struct err *e)
{
    struct work *w = job->work;

    return work_connect(w, s, a->index, e) < 0 || have_lock(w, s, a, e) < 0 ||
                   build_wheels(w, s, a, e) < 0
               ? -1
               : take_lock(job, s, e);
}

int build_job_of_lock(struct build_job *job, struct session *s, struct err *e)
{
    const struct work *w = job->work;

    if (!w->lock.built)
        return err_set(e, ERR_INPUT,
                       "%s does not tell the digests of its layers, for it was never built; name "
                       "its recipe instead, or run `envbuild build RECIPE` first",
                       w->lock_path);
    return take_lock(job, s, e);
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
        p->forms = dest_forms(&p->dest, &w->lock);
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

/* One form, which becomes the one at hand. */
static int make_form(struct build_job *job, struct assembly *in, enum compression how,
                     struct build_product *p, struct session *s, struct err *e)
{
    struct lock *lock = &job->work->lock;

    lock_take_form(lock, how);
    warn_client(lock, &p->dest, s);
    if (assemble_layers(lock, in, e) < 0)
        return -1;
    for (size_t i = 0; i < lock->layers.n; i++)
        p->size += lock->layers.v[i].size;
    p->layers += lock->layers.n;
    return 0;
}

/* One a core; but a registry may hold back each upload, so that fewer than four leave its line
 * idle. */
static unsigned threads(const struct dest *dest, const struct session *s,
                        const struct build_args *a)
{
    enum { UPLOADS = 4 };

    if (a->jobs)
        return a->jobs;
    return dest->kind == DEST_REGISTRY && s->jobs < UPLOADS ? UPLOADS : s->jobs;
}

int build_job_make(struct build_job *job, size_t i, struct place *place, struct session *s,
                   const struct build_args *a, const struct blob_files *files,
                   struct layer_caches *caches, struct err *e)
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
    CLEANUP(sealed_clear) struct sealed *sealed = build_job_sealed(w, s, a);
    struct assembly in = {.cas = w->cas,
                          .memo = w->layers,
                          .metadata = w->metadata,
                          .place = place,
                          .fetcher = {fetch, &fetching},
                          .compiler = sealed_compiler(sealed),
                          .image = below,
                          .caches = caches,
                          .beside =
                              open_beside(&p->beside, w, &p->dest, &p->name, s) ? &p->beside : NULL,
                          .dir = context,
                          .files = files,
                          .jobs = threads(&p->dest, s, a),
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
    if (cas_sweep(w->cas, NULL, e) < 0)
        return -1;
    for (size_t k = 0; k < p->forms.n; k++) {
        bool first = i == 0 && k == 0;

        in.watcher = first && !job->built ? &proving.watcher : NULL;
        if (make_form(job, &in, p->forms.v[k], p, s, e) < 0 ||
            (first && judge_made(job, s, a, &proving, below, e) < 0))
            return -1;
        w->lock.settled = !w->lock.built; /* for the next all is known but the image */
    }
    p->sent = place->sent - sent;
    p->ms = progress_now(s->progress) - begun;
    return 0;
}

/* ---- the image is there ---- */

/* In a registry each form of an index has a tag of its own, or those who clean up there would take
 * it for nobody's. */
static struct image_name name_of(const struct build_product *p, size_t part, struct buf *tag)
{
    CLEANUP(buf_clear) struct buf end = {0};
    struct image_name name = p->name;

    if (part + 1 == p->parts.n)
        return name;
    buf_puts(&end, "-");
    compression_tag(&end, p->forms.v[part]);
    buf_fmt(tag, STR_FMT STR_FMT, STR_ARG(str_sub(name.tag, 0, REF_TAG_MAX - end.len)),
            STR_ARG(buf_view(&end)));
    name.tag = buf_view(tag);
    return name;
}

static int make_parts(struct image_parts *out, struct build_job *job, const struct build_product *p,
                      struct place *place, struct err *e)
{
    struct lock *lock = &job->work->lock;
    struct image_part index = {0};

    for (size_t k = 0; k < p->forms.n; k++) {
        lock_take_form(lock, p->forms.v[k]);
        if (image_make(vec_push(out), lock, place, lock->image.ref.len ? &job->image.config : NULL,
                       e) < 0)
            return -1;
        lock->built = true;
        lock->settled = false;
    }
    lock_take_own_form(lock);
    if (out->n < 2)
        return 0;
    image_make_index(&index, lock, out);
    vec_add(out, index);
    return 0;
}

int build_job_put(struct build_job *job, size_t i, struct place *place, const struct events *events,
                  struct err *e)
{
    struct build_product *p = &job->products.v[i];
    uint64_t sent = place->sent;

    if (make_parts(&p->parts, job, p, place, e) < 0)
        return -1;
    for (size_t k = 0; k < p->parts.n; k++) {
        CLEANUP(buf_clear) struct buf tag = {0};
        const struct image_name name = name_of(p, k, &tag);

        if (image_put(place, &job->work->lock, &name, &p->parts.v[k], k + 1 < p->parts.n, events,
                      e) < 0)
            return -1;
    }
    p->digest = p->parts.v[p->parts.n - 1].d.digest;
    p->sent += place->sent - sent;
    return 0;
}

int build_job_tag(struct build_job *job, size_t i, struct place *place, struct err *e)
{
    const struct build_product *p = &job->products.v[i];

    for (size_t k = 0; k < p->parts.n; k++) {
        CLEANUP(buf_clear) struct buf tag = {0};
        const struct image_name name = name_of(p, k, &tag);

        if (image_tag(place, &name, &p->parts.v[k], k + 1 < p->parts.n, e) < 0)
            return -1;
    }
    return 0;
}

/* What programs say that read one gzip member and take the next for something else. */
static bool sounds_like_members(const char *words)
{
    static const char *const said[] = {"unexpected EOF", "invalid tar header",
                                       "gzip:", "flate:", "checksum"};

    for (size_t i = 0; i < ARRAY_LEN(said); i++)
        if (strstr(words, said[i]))
            return true;
    return false;
}

void build_job_hint(const struct build_job *job, size_t i, const struct events *events,
                    const struct err *e)
{
    const struct build_product *p = &job->products.v[i];

    if ((p->dest.kind == DEST_DOCKER || p->dest.kind == DEST_PODMAN) &&
        p->forms.v[0] == COMPRESSION_GZIP && e->msg && sounds_like_members(e->msg))
        events_warn(events,
                    "it may read no more than the first of a gzip layer's members; with "
                    "`-o %s,compression=gzip,single` each layer has one",
                    p->dest.kind == DEST_DOCKER ? "docker:" : "podman:");
}

/* Of a lock that was never built another form alone is not recorded: what a lock records begins
 * with its own. */
int build_job_record(struct build_job *job, const struct build_args *a, struct err *e)
{
    struct work *w = job->work;

    lock_take_own_form(&w->lock);
    return a->locked || !w->lock.built || lock_forms_built(&w->lock) == job->forms
               ? 0
               : work_write_lock(w, e);
}

void build_job_clear(struct build_job *job)
{
    struct build_product *p;

    vec_each(p, &job->products) {
        image_parts_clear(&p->parts);
        stored_clear(&p->beside);
        dest_clear(&p->dest);
    }
    vec_clear(&job->products);
    stored_clear(&job->image);
}
