/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>

#include "../base/path.h"
#include "../serve/listen.h"
#include "../serve/serve.h"
#include "build_job.h"
#include "output.h"
#include "session.h"

enum { TICK = 1000 }; /* milliseconds */

/* What is served, and whose it is: a store stays in use as long as its files are. */
struct serving {
    struct shelf shelf;
    struct VEC_OF(struct work *) works;
};

static void serving_clear(struct serving *v)
{
    struct work **w;

    shelf_clear(&v->shelf);
    vec_each(w, &v->works) {
        work_clear(*w);
        free(*w);
    }
    vec_clear(&v->works);
}

/* ---- what to serve ---- */

static bool is_lock(const char *operand)
{
    return str_ends(str_of(operand), STR(".lock"));
}

static int take_lock(struct build_job *job, struct session *s, const char *operand,
                     const struct build_args *a, struct err *e)
{
    if (is_lock(operand))
        return work_open_lock(job->work, s, operand, e) < 0 ? -1 : build_job_of_lock(job, s, e);
    return work_open(job->work, s, operand, NULL, e) < 0 ? -1 : build_job_lock(job, s, a, e);
}

/* A build whose place is the shelf: what the store lacks is fetched and made, and of layers of
 * wheels nothing is written. */
static int add_lock(struct serving *v, struct session *s, const char *operand,
                    const struct blob_files *files, struct err *e)
{
    CLEANUP(build_job_clear) struct build_job job = {0};
    CLEANUP(place_clear) struct place *place = NULL;
    const struct build_args a = {.jobs = s->jobs};
    struct build_product *p = vec_push(&job.products);

    job.work = xcalloc(1, sizeof *job.work);
    vec_add(&v->works, job.work);
    if (take_lock(&job, s, operand, &a, e) < 0)
        return -1;
    p->dest.kind = DEST_DOCKER_ARCHIVE; /* which /image.tar is: one form of the image */
    p->name = (struct image_name){
        .repository = job.work->lock.name, .tag = job.work->lock.tag, .title = job.work->lock.name};
    p->forms = dest_forms(&p->dest, &job.work->lock);
    place = shelf_place(&v->shelf, job.work->cas, job.work->lock_path, files);
    return build_job_make(&job, 0, place, s, &a, files, NULL, e) < 0 ||
                   build_job_put(&job, 0, place, s->events, e) < 0 || place_close(place, e) < 0
               ? -1
               : build_job_record(&job, &a, e);
}

static int fill(struct serving *v, struct session *s, int argc, char **argv, struct err *e)
{
    CLEANUP(free_clear) char *dir = NULL, *memory = path_join(s->store_dir, "outputs");
    CLEANUP(memo_clear) struct memo *memo = NULL;
    struct stored_scratch scratch = session_ways(s, NULL);
    struct blob_files files = {.events = s->events};

    events_emit(s->events, &(struct event){.kind = EVENT_STEP, .name = "read the images"});
    if (session_scratch(&dir, s, e) < 0 || memo_open(&memo, memory, e) < 0)
        return -1;
    scratch.dir = dir;
    files.memo = memo;
    if (!argc)
        return shelf_add(&v->shelf, STR("oci:images"), &scratch, &files, e);
    for (int i = 0; i < argc; i++)
        if (is_lock(argv[i]) || recipe_is_name(str_of(argv[i]))
                ? add_lock(v, s, argv[i], &files, e) < 0
                : shelf_add(&v->shelf, str_of(argv[i]), &scratch, &files, e) < 0)
            return -1;
    return 0;
}

/* ---- what is told ---- */

static void print_json(struct session *s, const struct shelf *shelf, const struct names *hosts)
{
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = node_new_map(&d), *list;
    const struct shelf_repository *r;
    const struct shelf_tag *t;
    char **host;

    node_put_u64(&d, root, "envbuild_output", 1);
    list = node_put(&d, root, "hosts", node_new_list(&d));
    vec_each(host, hosts)
        node_add_str(&d, list, str_of(*host));
    list = node_put(&d, root, "images", node_new_list(&d));
    vec_each(r, &shelf->repositories)
        vec_each(t, &r->tags)
            node_add_str(&d, list,
                         str_of(arena_fmt(&d.arena, STR_FMT ":" STR_FMT, STR_ARG(r->name),
                                          STR_ARG(t->tag))));
    session_json(s, &d, root);
}

/* Each name by which each image is pulled, best first. */
static void print_names(const struct shelf *shelf, const struct names *hosts)
{
    const struct shelf_repository *r;
    const struct shelf_tag *t;
    char **host;

    vec_each(host, hosts)
        vec_each(r, &shelf->repositories)
            vec_each(t, &r->tags)
                output_print("%s/" STR_FMT ":" STR_FMT "\n", *host, STR_ARG(r->name),
                             STR_ARG(t->tag));
}

static bool same_hosts(const struct names *a, const struct names *b)
{
    for (size_t i = 0; i < a->n && a->n == b->n; i++)
        if (strcmp(a->v[i], b->v[i]) != 0)
            return false;
    return a->n == b->n;
}

/* A cable that is pulled, a new lease, a network that is joined: what was told leads nowhere, so
 * it is told anew. `socket` is the server's. */
static int follow_hosts(struct names *hosts, struct serve *serving, const struct fd *socket,
                        bool quiet, struct err *e)
{
    CLEANUP(names_clear) struct names now = {0};
    char **host;

    if (listen_hosts(&now, socket, e) < 0)
        return -1;
    if (same_hosts(&now, hosts))
        return 0;
    serve_move(serving, str_of(now.v[0]));
    if (!quiet && str_starts(str_of(now.v[0]), STR("127.")))
        output_message("envbuild: this machine is in no network now");
    else if (!quiet)
        vec_each(host, &now)
            output_message("envbuild: the address is http://%s/ now", *host);
    names_clear(hosts);
    MOVE(hosts, &now);
    return 0;
}

static void print_summary(struct serve *serving, uint64_t ms)
{
    CLEANUP(buf_clear) struct buf size = {0}, took = {0};
    struct watch_sum sum;

    serve_sum(&sum, serving);
    progress_size(&size, sum.sent);
    progress_time(&took, ms);
    output_message("envbuild: %zu %s fetched %s in %s", sum.machines,
                   sum.machines == 1 ? "machine" : "machines", size.p, took.p);
}

static int serve(struct session *s, const char *where, int argc, char **argv, struct err *e)
{
    CLEANUP(serving_clear) struct serving v = {0};
    CLEANUP(serve_clear) struct serve *serving = NULL;
    CLEANUP(names_clear) struct names hosts = {0};
    CLEANUP(fd_clear) struct fd socket = {0};
    struct fd listening; /* the server's */
    uint16_t port;

    if (listen_open(&socket, &port, str_of(where), e) < 0 || fill(&v, s, argc, argv, e) < 0 ||
        listen_hosts(&hosts, &socket, e) < 0)
        return -1;
    listening = socket;
    if (serve_open(&serving, &v.shelf, &socket, str_of(hosts.v[0]), s->jobs, e) < 0)
        return -1;
    progress_pause(s->progress);
    if (s->json)
        print_json(s, &v.shelf, &hosts);
    else
        print_names(&v.shelf, &hosts);
    fflush(stdout);
    if (!s->quiet)
        output_message("envbuild: http://%s/ says what to type; Ctrl-C ends it", hosts.v[0]);
    while (!events_cancelled(s->events)) {
        if (serve_tick(serving, progress_now(s->progress)) && !s->quiet)
            output_message("%s", serve_alone);
        if (follow_hosts(&hosts, serving, &listening, s->quiet, e) < 0)
            return -1;
        poll(NULL, 0, TICK); /* a signal ends it */
    }
    if (!s->quiet)
        print_summary(serving, progress_now(s->progress));
    return 0;
}

int cmd_serve(struct session *s, int argc, char **argv, struct err *e)
{
    const char *where = NULL;
    const struct opt own[] = {
        {0, "listen", "ADDR:PORT", "where to listen (all addresses, port 5000)", opt_str, &where},
        {0, "offline", NULL, "for a recipe or lock, use only what the store has", opt_flag,
         &s->offline},
    };

    if (session_begin(s, "serve", own, ARRAY_LEN(own), &argc, argv, 0, INT32_MAX, e) < 0)
        return -1;
    return s->help ? 0 : serve(s, where, argc, argv, e);
}
