/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>

#include "../serve/listen.h"
#include "../serve/serve.h"
#include "../base/path.h"
#include "output.h"
#include "session.h"

enum { TICK = 1000 }; /* milliseconds */

static int fill(struct shelf *shelf, struct session *s, int argc, char **argv, struct err *e)
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
        return shelf_add(shelf, STR("oci:images"), &scratch, &files, e);
    for (int i = 0; i < argc; i++)
        if (shelf_add(shelf, str_of(argv[i]), &scratch, &files, e) < 0)
            return -1;
    return 0;
}

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
    CLEANUP(shelf_clear) struct shelf shelf = {0};
    CLEANUP(serve_clear) struct serve *serving = NULL;
    CLEANUP(names_clear) struct names hosts = {0};
    CLEANUP(fd_clear) struct fd socket = {0};
    uint16_t port;

    if (listen_open(&socket, &port, str_of(where), e) < 0 || fill(&shelf, s, argc, argv, e) < 0 ||
        listen_hosts(&hosts, &socket, e) < 0 ||
        serve_open(&serving, &shelf, &socket, str_of(hosts.v[0]), s->jobs, e) < 0)
        return -1;
    progress_pause(s->progress);
    if (s->json)
        print_json(s, &shelf, &hosts);
    else
        print_names(&shelf, &hosts);
    fflush(stdout);
    if (!s->quiet)
        output_message("envbuild: http://%s/ says what to type; Ctrl-C ends it", hosts.v[0]);
    while (!events_cancelled(s->events)) {
        serve_tick(serving, progress_now(s->progress));
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
    };

    if (session_begin(s, "serve", own, ARRAY_LEN(own), &argc, argv, 0, INT32_MAX, e) < 0)
        return -1;
    return s->help ? 0 : serve(s, where, argc, argv, e);
}
