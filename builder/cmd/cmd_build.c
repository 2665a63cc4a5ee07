/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/path.h"
#include "../model/baselayer.h"
#include "../oci/ref.h"
#include "build_tell.h"
#include "output.h"

/* All that one command builds: recipes or cells of them, into each place that is named. */
struct building {
    struct arena arena; /* owns names */
    struct work lender;
    struct work *works; /* one a job; owned */
    struct build_jobs jobs;
    struct VEC_OF(struct place *) places; /* one an output */
    struct layer_caches caches;
    struct blob_files files;
};

static void building_clear(struct building *b)
{
    struct build_job *job;
    struct place **p;

    vec_each(p, &b->places)
        place_clear(p);
    vec_clear(&b->places);
    vec_each(job, &b->jobs)
        build_job_clear(job);
    for (size_t i = 0; b->works && i < b->jobs.n; i++)
        work_clear(&b->works[i]);
    free(b->works);
    vec_clear(&b->jobs);
    work_clear(&b->lender);
    layer_caches_clear(&b->caches);
    arena_clear(&b->arena);
}

/* ---- steps, each of all jobs ---- */

/* A job that failed is told with all others, and what it is, unless its file is named anyway. */
static void fail(struct build_job *job, bool folder, struct err *fault, struct err *e)
{
    job->failed = true;
    if (folder && !fault->file)
        err_wrap(fault, "%s", job->work->operand);
    else if (job->cell.len)
        err_wrap(fault, STR_FMT, STR_ARG(job->cell));
    err_join(e, fault);
}

static void tell_job(const struct build_job *job, struct session *s, const struct build_args *a)
{
    if ((!job->cell.len && !a->folder) || s->quiet || s->json)
        return;
    progress_pause(s->progress);
    output_message("%s", job->work->operand);
}

typedef int job_step(struct building *b, struct build_job *job, struct session *s,
                     const struct build_args *a, struct err *e);

static void each_job(struct building *b, struct session *s, const struct build_args *a,
                     job_step *step, struct err *e)
{
    struct build_job *job;

    vec_each(job, &b->jobs) {
        struct err fault = {0};

        if (job->failed)
            continue;
        if (events_cancelled(s->events)) {
            if (!err_is_set(e))
                err_set(e, ERR_INTERRUPTED, "interrupted");
            return;
        }
        if (step(b, job, s, a, &fault) < 0)
            fail(job, a->folder, &fault, e);
    }
}

static int lock_job(struct building *b, struct build_job *job, struct session *s,
                    const struct build_args *a, struct err *e)
{
    tell_job(job, s, a);
    return build_job_lock(job, s, a, e) < 0 ? -1 : build_job_name(job, a, e);
}

static bool holds_one_image(enum dest_kind kind)
{
    return kind == DEST_FOLDER || kind == DEST_DOCKER_ARCHIVE;
}

/* Two images under one name would be one. */
static int check_names(const struct building *b, struct err *e)
{
    for (size_t i = 1; i < b->jobs.n; i++)
        for (size_t k = 0; k < i; k++) {
            const struct build_job *x = &b->jobs.v[k], *y = &b->jobs.v[i];

            for (size_t j = 0; !x->failed && !y->failed && j < x->products.n; j++) {
                CLEANUP(buf_clear) struct buf one = {0}, other = {0};

                dest_print(&x->products.v[j].dest, &x->products.v[j].name, &one);
                dest_print(&y->products.v[j].dest, &y->products.v[j].name, &other);
                if (strcmp(one.p, other.p) != 0)
                    continue;
                return err_set(e, ERR_INPUT, "%s and %s both make %s; %s", x->work->operand,
                               y->work->operand, one.p,
                               holds_one_image(x->products.v[j].dest.kind)
                                   ? "that place holds one image; oci:DIR and oci-archive:FILE hold many"
                                   : "put what differs into `tag`, as in "
                                     "\"{pytorch}-{variant}-{base}\", or name no tag in -o");
            }
        }
    return 0;
}

/* ---- caches ---- */

static int add_cache(struct layer_caches *out, struct session *s, struct str text, struct err *e)
{
    CLEANUP(ref_clear) struct ref ref = {0};
    CLEANUP(err_clear) struct err why = {0};
    struct str name = text;
    struct registry *r;

    if (!str_skip(&name, STR("docker://")) || ref_parse(&ref, name, &why) < 0 || ref.tag ||
        digest_is_set(&ref.digest))
        return err_set(e, ERR_USAGE,
                       "\"" STR_FMT "\" is no cache; a cache is a repository without a tag, as "
                       "docker://HOST/NAME",
                       STR_ARG(text));
    if (registries_get(&r, reach_registries(s->reach), name, e) < 0)
        return -1;
    vec_push(out)->registry = r;
    return 0;
}

static int add_caches(struct building *b, struct session *s, const struct strs *list, struct err *e)
{
    const struct str *text;

    vec_each(text, list)
        if (!s->offline && add_cache(&b->caches, s, *text, e) < 0)
            return -1;
    return 0;
}

/* What is put into a place need not be sent to a cache of the same registry once more. */
static int mount_into_caches(struct layer_caches *caches, const struct dest *dest,
                             struct session *s, struct err *e)
{
    struct layer_cache *c;
    struct registry *r;

    if (dest->kind != DEST_REGISTRY || !caches->n)
        return 0;
    if (registries_get(&r, reach_registries(s->reach), str_of(dest->name), e) < 0)
        return -1;
    vec_each(c, caches)
        if (c->registry != r && str_eq(registry_host(c->registry), registry_host(r)))
            vec_add(&c->mounts, ((struct registry_mount){registry_repository(r), NULL}));
    return 0;
}

static struct build_job *first_job(const struct building *b)
{
    struct build_job *job;

    vec_each(job, &b->jobs)
        if (!job->failed)
            return job;
    return NULL;
}

static int open_places(struct building *b, struct session *s, const struct build_args *a,
                       struct err *e)
{
    struct build_job *first = first_job(b), *job;
    struct dest_ways ways = {.mtime = first->work->lock.created,
                             .files = &b->files,
                             .registries = reach_registries(s->reach),
                             .mount_from = &a->mount_from,
                             .caches = &b->caches,
                             .base = first->work->lock.image.ref.len ? &first->image : NULL};

    vec_each(job, &b->jobs)
        if (!job->failed && job->work->lock.created > ways.mtime)
            ways.mtime = job->work->lock.created;
    b->files.memo = first->work->outputs;
    for (size_t i = 0; i < a->outputs.n; i++) {
        if (mount_into_caches(&b->caches, &first->products.v[i].dest, s, e) < 0 ||
            dest_open(vec_push(&b->places), &first->products.v[i].dest, &ways, e) < 0)
            return -1;
        vec_each(job, &b->jobs)
            if (!job->failed &&
                dest_check_name(&job->products.v[i].dest, &job->products.v[i].name, e) < 0)
                return -1;
        if (b->jobs.n == 1 && !a->audit)
            dest_leave_out(&first->products.v[i].dest, b->places.v[i], &first->products.v[i].name,
                           &first->work->lock, s->events);
    }
    return 0;
}

static int make_job(struct building *b, struct build_job *job, struct session *s,
                    const struct build_args *a, struct err *e)
{
    tell_job(job, s, a);
    for (size_t i = 0; i < b->places.n; i++)
        if (build_job_make(job, i, b->places.v[i], s, a, &b->files, &b->caches, e) < 0) {
            build_job_hint(job, i, s->events, e);
            return -1;
        }
    return 0;
}

static int put_job(struct building *b, struct build_job *job, struct session *s,
                   const struct build_args *a, struct err *e)
{
    for (size_t i = 0; i < b->places.n; i++)
        if (build_job_put(job, i, b->places.v[i], s->events, e) < 0)
            return -1;
    return 0;
}

static int tag_job(const struct building *b, struct build_job *job, struct err *e)
{
    for (size_t i = 0; i < b->places.n; i++)
        if (build_job_tag(job, i, b->places.v[i], e) < 0)
            return -1;
    return 0;
}

/* The first that may not move ends it, unless --keep-going. */
static void move_tags(struct building *b, const struct build_args *a, struct err *e)
{
    struct build_job *job;

    vec_each(job, &b->jobs) {
        struct err fault = {0};

        if (job->failed || (err_is_set(e) && !a->keep_going))
            continue;
        if (tag_job(b, job, &fault) < 0)
            fail(job, a->folder, &fault, e);
    }
}

static int close_all(struct building *b, struct session *s, const struct build_args *a,
                     struct err *e)
{
    struct build_job *job;

    events_emit(s->events, &(struct event){.kind = EVENT_STEP, .name = "finish"});
    for (size_t i = 0; i < b->places.n; i++)
        if (place_close(b->places.v[i], e) < 0) {
            build_job_hint(first_job(b), i, s->events, e);
            return -1;
        }
    vec_each(job, &b->jobs)
        if (!job->failed && build_job_record(job, a, e) < 0)
            return -1;
    return 0;
}

/* With --keep-going those that can be are built, and the others told at the end. */
static bool goes_on(const struct building *b, const struct session *s, const struct build_args *a,
                    const struct err *e)
{
    return !events_cancelled(s->events) && (!err_is_set(e) || (a->keep_going && first_job(b)));
}

static int build(struct building *b, struct session *s, const struct build_args *a, struct err *e)
{
    struct err fault = {0};

    b->files = (struct blob_files){.again = a->audit, .events = s->events};
    if (add_caches(b, s, &a->caches, e) < 0)
        return -1;
    each_job(b, s, a, lock_job, e);
    if (!goes_on(b, s, a, e) || check_names(b, &fault) < 0 ||
        add_caches(b, s, &work_config(first_job(b)->work)->caches, &fault) < 0 ||
        open_places(b, s, a, &fault) < 0)
        return err_join(e, &fault);
    each_job(b, s, a, make_job, e);
    if (goes_on(b, s, a, e))
        each_job(b, s, a, put_job, e);
    if (goes_on(b, s, a, e))
        move_tags(b, a, e);
    if (!goes_on(b, s, a, e) || close_all(b, s, a, &fault) < 0)
        return err_join(e, &fault);
    build_tell(&b->jobs, b->places.v, a, s, e);
    return err_is_set(e) ? -1 : 0;
}

int build_recipe(struct work *w, struct session *s, const char *recipe, const struct build_args *a,
                 struct buf *reference, struct err *e)
{
    CLEANUP(building_clear) struct building b = {0};
    const struct build_product *p;

    if (work_open(w, s, recipe, a->cell, e) < 0)
        return -1;
    vec_push(&b.jobs)->work = w;
    if (build(&b, s, a, e) < 0)
        return -1;
    p = &b.jobs.v[0].products.v[0];
    dest_print_put(&p->dest, &p->name, &p->digest, reference);
    return 0;
}

/* ---- which recipes ---- */

struct wanted { /* one job */
    const char *recipe;
    struct str cell;
};
struct wanteds VEC_OF(struct wanted);

static int add_cells(struct wanteds *out, struct building *b, const char *recipe, struct session *s,
                     const struct build_args *a, struct err *e)
{
    struct strs cells = {0};
    int result = recipe_cells(&cells, &b->arena, recipe, str_of(a->cell), e);

    if (result == 0)
        result = work_tell_stale(s, recipe, e);

    for (size_t i = 0; i < cells.n; i++)
        vec_add(out, ((struct wanted){recipe, cells.v[i]}));
    vec_clear(&cells);
    return result;
}

/* What cannot be read is told with all others. A base may lie beside its recipes. */
static int add_folder(struct wanteds *out, struct building *b, const char *folder,
                      struct session *s, const struct build_args *a, struct err *e)
{
    CLEANUP(names_clear) struct names names = {0};

    if (fs_list(&names, folder, e) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        CLEANUP(free_clear) char *path = path_join(folder, names.v[i]);

        struct err fault = {0};

        if (recipe_is_name(str_of(path)) && !baselayer_is_file(path) &&
            add_cells(out, b, arena_strdup(&b->arena, path), s, a, &fault) < 0)
            err_join(e, &fault);
    }
    if (out->n)
        return 0;
    return err_is_set(e)
               ? -1
               : err_set(e, ERR_INPUT,
                         "there is no recipe in %s, for none of its files ends in .yaml", folder);
}

/* Each borrows from the lender, which stays where it is. */
static int open_works(struct building *b, struct session *s, const struct wanteds *wanted,
                      const struct build_args *a, struct err *e)
{
    if (work_open_lender(&b->lender, s, e) < 0)
        return -1;
    b->works = xcalloc(wanted->n, sizeof *b->works);
    for (size_t i = 0; i < wanted->n; i++) {
        struct build_job *job = vec_push(&b->jobs);
        struct err fault = {0};

        job->work = &b->works[i];
        job->cell = wanted->v[i].cell;
        work_borrow(job->work, &b->lender);
        if (work_open(job->work, s, wanted->v[i].recipe, job->cell.p, &fault) < 0)
            fail(job, a->folder, &fault, e);
    }
    return 0;
}

static int build_all(struct session *s, const char *operand, const struct build_args *a,
                     struct err *e)
{
    CLEANUP(building_clear) struct building b = {0};
    struct wanteds wanted = {0};
    int result = a->folder ? add_folder(&wanted, &b, operand, s, a, e)
                           : add_cells(&wanted, &b, operand, s, a, e);

    if (result == 0)
        result = open_works(&b, s, &wanted, a, e);
    vec_clear(&wanted);
    return result == 0 ? build(&b, s, a, e) : -1;
}

int cmd_build(struct session *s, int argc, char **argv, struct err *e)
{
    struct build_args a = {0};
    int result;
    const struct opt own[] = {
        {'o', "output", "DEST",
         "oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE, dir:DIR, "
         "docker://HOST/NAME[:TAG], docker:, podman:, with \",compression=zstd\" another than the "
         "recipe's; may be repeated (oci:images)",
         opt_add, &a.outputs},
        {0, "mount-from", "NAME",
         "another repository of the registry that may have the layers (none)", opt_add,
         &a.mount_from},
        {0, "cache", "NAME",
         "docker://HOST/NAME: layers that it has are not made, and what is made is left there; may "
         "be repeated (none)",
         opt_add, &a.caches},
        {0, "cell", "CELL", "of a matrix, only the recipes with these values: variant=devel (all)",
         opt_cell, &a.cell},
        {0, "all", NULL, "RECIPE is a folder: build all recipes in it", opt_flag, &a.folder},
        {0, "keep-going", NULL, "of several, build those that can be built", opt_flag,
         &a.keep_going},
        {'j', "jobs", "N", "threads that assemble (one a core; to a registry at least 4)", opt_u32,
         &a.jobs},
        {0, "downloads", "N", "downloads at once (8)", opt_u32, &a.downloads},
        {0, "index", "URL", "simple index to ask for a first lock (https://pypi.org/simple/)",
         opt_str, &a.index},
        {0, "locked", NULL, "fail rather than change the lock", opt_flag, &a.locked},
        {0, "rebuild-ok", NULL,
         "where a wheel is built again and is another one, take it into the lock", opt_flag,
         &a.rebuild_ok},
        {0, "offline", NULL, "use only what the store has", opt_flag, &s->offline},
        {0, "audit", NULL, "believe nothing that is remembered: read and make all of it again",
         opt_flag, &a.audit},
        {0, "replace", NULL, "take a tag of the layout that is another recipe's", opt_flag,
         &a.replace},
        {0, "strict", NULL,
         "fail on a maintainer script that no rule covers, and on an older lock that differs",
         opt_flag, &a.strict},
    };

    result = session_begin(s, "build", own, ARRAY_LEN(own), &argc, argv, 1, 1, e);
    if (result == 0 && !a.outputs.n)
        vec_add(&a.outputs, STR("oci:images"));
    if (result == 0 && !s->help)
        result = build_all(s, argv[0], &a, e);
    vec_clear(&a.outputs);
    vec_clear(&a.mount_from);
    vec_clear(&a.caches);
    return result;
}
