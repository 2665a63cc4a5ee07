/* SPDX-License-Identifier: Apache-2.0 */
#include "../assemble/assemble.h"
#include "../fetch/fetch.h"
#include "../assemble/image.h"
#include "../assemble/system/system_gaps.h"
#include "../base/path.h"
#include "../model/finding.h"
#include "../out/dest.h"
#include "build.h"
#include "output.h"
#include "prove.h"
#include "room.h"

/* ---- the lock ---- */

static int stale(const struct work *w, const char *words, struct err *e)
{
    return err_set(e, ERR_INPUT,
                   "%s is out of date with %s: %s; run `envbuild lock %s` to accept the change",
                   w->lock_path, w->recipe_path, words, w->recipe_path);
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
        w->lock_path, w->recipe_path, words.p, w->recipe_path);
}

/* A lock that is the recipe's, chosen now if there is none. */
static int have_lock(struct work *w, struct session *s, const struct build_args *a, struct err *e)
{
    CLEANUP(buf_clear) struct buf words = {0};
    CLEANUP(lock_clear) struct lock lock = {0};

    if (!w->has_lock && a->locked)
        return err_set(e, ERR_INPUT,
                       "%s is not there, and --locked writes none; run `envbuild lock %s` first",
                       w->lock_path, w->recipe_path);
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

    return fetch_artifacts(f->work->cas, f->work->http, artifacts, n, &how, e);
}

/* ---- the image ---- */

static int open_image(struct stored *out, const struct work *w, const struct events *events,
                      struct err *e)
{
    return stored_open(out, w->lock.image.ref, w->dir, events, e) < 0 ? err_wrap(e, "base") : 0;
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

/* What is told at the end. */
struct outcome {
    struct audit audit;
    size_t fresh; /* layers that the output did not have */
};

/* The image that an edit of the recipe's files is going to replace: it has the system that they lie
 * on. None is fine. */
static bool open_beside(struct stored *out, const struct work *w, const struct dest *dest,
                        const struct image_name *name, const struct session *s)
{
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(err_clear) struct err ignored = {0};
    const struct stored_scratch scratch = {NULL, s->events};

    if (!w->lock.settled || dest->kind != DEST_LAYOUT)
        return false;
    dest_print(dest, name, &text);
    return stored_open_any(out, buf_view(&text), ".", &scratch, &ignored) == 0;
}

static int assemble(struct work *w, struct session *s, const struct build_args *a,
                    const struct stored *image, struct stored *beside, struct place *place,
                    const struct dest *dest, const struct image_name *name, struct outcome *out,
                    struct err *e)
{
    const struct stored *below = w->lock.image.ref.len ? image : NULL;
    struct proving proving;
    struct fetching fetching = {w, s, a};
    struct disks disks = {s->store_dir, dest->path};
    CLEANUP(free_clear) char *scratch = path_join(s->store_dir, "scratch");
    CLEANUP(free_clear) char *context = recipe_context(&w->recipe, w->dir);
    struct assembly in = {.cas = w->cas,
                          .memo = w->layers,
                          .metadata = w->metadata,
                          .place = place,
                          .fetcher = {fetch, &fetching},
                          .image = below,
                          .beside = open_beside(beside, w, dest, name, s) ? beside : NULL,
                          .dir = context,
                          .scratch_dir = scratch,
                          .jobs = a->jobs,
                          .watcher = &proving.watcher,
                          .events = s->events,
                          .audit = a->audit ? &out->audit : NULL,
                          .fresh = &out->fresh,
                          .room = check_room,
                          .room_ctx = &disks};
    bool built = w->lock.built, settled = w->lock.settled;

    proving_init(&proving, w->linkage, scratch);
    events_emit(s->events, &(struct event){.kind = EVENT_STEP, .name = "fetch and assemble"});
    if (cas_sweep(w->cas, NULL, e) < 0 || fs_mkdirs(scratch, e) < 0 ||
        assemble_layers(&w->lock, &in, e) < 0 || check_strict(&w->lock, a, s, e) < 0 ||
        (!built && (!settled || proving_knows(&proving, &w->lock)) &&
         prove(&w->lock, &proving, below, e) < 0) ||
        image_put(&w->lock, place, name, below ? &below->config : NULL, e) < 0)
        return -1;
    if (!built && !settled) { /* afterwards it is known */
        overlap_warn(&w->lock, s->events);
        prove_warn(&w->lock, w->recipe_path, s->events);
    }
    events_emit(s->events, &(struct event){.kind = EVENT_STEP, .name = "finish"});
    if (place_close(place, e) < 0)
        return -1;
    w->lock.built = true;
    w->lock.settled = false;
    return built || a->locked ? 0 : work_write_lock(w, e);
}

/* ---- what is told at the end ---- */

static void print_json(struct session *s, const struct work *w, const char *reference,
                       const char *digest)
{
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = node_new_map(&d), *list;
    uint64_t size = 0;

    node_put_u64(&d, root, "envbuild_output", 1);
    node_put_str(&d, root, "reference", str_of(reference));
    node_put_str(&d, root, "name", w->lock.name);
    node_put_str(&d, root, "tag", w->lock.tag);
    node_put_str(&d, root, "digest", str_of(digest));
    node_put_str(&d, root, "lock", str_of(w->lock_path));
    list = node_put(&d, root, "layers", node_new_list(&d));
    for (size_t i = 0; i < w->lock.layers.n; i++) {
        const struct lock_layer *l = &w->lock.layers.v[i];
        struct node *n = node_add(&d, list, node_new_map(&d));
        char layer[DIGEST_TEXT + 1];

        digest_text(&l->digest, layer);
        node_put_str(&d, n, "name", l->name);
        node_put_u64(&d, n, "size", l->size);
        node_put_str(&d, n, "digest", str_of(layer));
        size += l->size;
    }
    node_put_u64(&d, root, "size", size);
    findings_put(&d, root, &w->lock);
    session_json(s, &d, root);
}

/* The reference, as other tools take it. Where stdout carries the image itself the digest tells
 * what that is, on stderr. */
static void print_result(const struct work *w, struct session *s, const struct dest *dest,
                         const char *reference)
{
    char digest[DIGEST_TEXT + 1];

    digest_text(&w->lock.manifest, digest);
    progress_pause(s->progress);
    if (s->json && !dest_is_stdout(dest))
        print_json(s, w, reference, digest);
    else if (dest_is_stdout(dest))
        output_message("%s@%s", reference, digest);
    else
        output_print("%s\n", reference);
}

/* What was wrong was told one by one, and is right now. */
static void print_audit(const struct audit *audit, const struct place *place,
                        const struct session *s)
{
    size_t wrong = audit->damaged + place->wrong;

    progress_pause(s->progress);
    output_message(
        "audit: %zu files of the store read again, %zu layers and their diff_ids made again; "
        "%zu in the store and %u in the output were wrong%s",
        audit->blobs, audit->layers, audit->damaged, place->wrong,
        wrong ? ", and are replaced" : "");
}

/* What to type next. */
static void add_next(struct buf *out, const struct work *w, const struct dest *dest,
                     const struct image_name *name)
{
    const char *gpus = !w->lock.facts.cuda.len     ? ""
                       : dest->kind == DEST_PODMAN ? "--device nvidia.com/gpu=all "
                                                   : "--gpus all ";
    CLEANUP(buf_clear) struct buf image = {0};

    dest_print(dest, name, &image);
    switch (dest->kind) {
    case DEST_DOCKER:
    case DEST_PODMAN:
        buf_fmt(out, "; next: `%s run --rm -it %s%s`",
                dest->kind == DEST_DOCKER ? "docker" : "podman", gpus, image.p);
        return;
    case DEST_LAYOUT:
        buf_fmt(out, "; next: `envbuild %s -o docker:` loads it", w->recipe_path);
        return;
    case DEST_DOCKER_ARCHIVE:
        if (dest->path)
            buf_fmt(out, "; next: `docker load -i %s`", dest->path);
        return;
    case DEST_OCI_ARCHIVE:
        buf_fmt(out, "; next: `skopeo copy %s docker://REGISTRY/NAME:TAG`", image.p);
        return;
    }
}

/* "  3.1 GiB in 12 layers, 2 new and 10 reused, 24 s; next: ...". */
static void print_last(const struct work *w, struct session *s, const struct dest *dest,
                       const struct image_name *name, const struct outcome *out)
{
    CLEANUP(buf_clear) struct buf line = {0};
    size_t n = w->lock.layers.n;
    uint64_t size = 0;

    if (s->quiet || s->json)
        return;
    for (size_t i = 0; i < n; i++)
        size += w->lock.layers.v[i].size;
    progress_size(&line, size);
    buf_fmt(&line, " in %zu layers, %zu new and %zu reused, ", n, out->fresh, n - out->fresh);
    progress_time(s->progress, &line);
    add_next(&line, w, dest, name);
    progress_pause(s->progress);
    output_message("  %s", line.p);
}

int build_recipe(struct work *w, struct session *s, const char *recipe, const struct build_args *a,
                 struct buf *reference, struct err *e)
{
    CLEANUP(dest_clear) struct dest dest = {0};
    CLEANUP(place_clear) struct place *place = NULL;
    CLEANUP(stored_clear) struct stored image = {0};
    struct image_name name;
    struct blob_files files = {.again = a->audit, .events = s->events};
    struct outcome out = {0};
    CLEANUP(stored_clear) struct stored beside = {0};

    if (dest_parse(&dest, a->output, e) < 0 || work_open(w, s, recipe, NULL, e) < 0 ||
        work_connect(w, s, a->index, a->offline, e) < 0 || have_lock(w, s, a, e) < 0)
        return -1;
    files.memo = w->outputs;
    name = dest_image_name(&dest, w->lock.name, w->lock.tag);
    name.title = w->lock.name;
    name.recipe = path_base(str_of(w->recipe_path));
    name.replace = a->replace;
    if ((w->lock.image.ref.len && open_image(&image, w, s->events, e) < 0) ||
        dest_open(&place, &dest, w->lock.created, &files, e) < 0 ||
        dest_check_name(&dest, &name, e) < 0)
        return -1;
    if (!a->audit)
        dest_leave_out(&dest, place, &name, &w->lock, s->events);
    if (assemble(w, s, a, &image, &beside, place, &dest, &name, &out, e) < 0)
        return -1;
    if (a->audit)
        print_audit(&out.audit, place, s);
    dest_print(&dest, &name, reference);
    if (!a->silent) {
        print_result(w, s, &dest, reference->p);
        print_last(w, s, &dest, &name, &out);
    }
    return 0;
}

int cmd_build(struct session *s, int argc, char **argv, struct err *e)
{
    CLEANUP(work_clear) struct work w = {0};
    CLEANUP(buf_clear) struct buf reference = {0};
    struct build_args a = {.output = "oci:images", .jobs = s->jobs};
    const struct opt own[] = {
        {'o', "output", "DEST",
         "oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE, docker:, podman: "
         "(oci:images)",
         opt_str, &a.output},
        {'j', "jobs", "N", "threads that assemble (one a core)", opt_u32, &a.jobs},
        {0, "downloads", "N", "downloads at once (8)", opt_u32, &a.downloads},
        {0, "index", "URL", "simple index to ask for a first lock (https://pypi.org/simple/)",
         opt_str, &a.index},
        {0, "locked", NULL, "fail rather than change the lock", opt_flag, &a.locked},
        {0, "offline", NULL, "use only what the store has", opt_flag, &a.offline},
        {0, "audit", NULL, "believe nothing that is remembered: read and make all of it again",
         opt_flag, &a.audit},
        {0, "replace", NULL, "take a tag of the layout that is another recipe's", opt_flag,
         &a.replace},
        {0, "strict", NULL,
         "fail on a maintainer script that no rule covers, and on an older lock that differs",
         opt_flag, &a.strict},
    };

    if (session_begin(s, "build", own, ARRAY_LEN(own), &argc, argv, 1, 1, e) < 0)
        return -1;
    return s->help ? 0 : build_recipe(&w, s, argv[0], &a, &reference, e);
}
