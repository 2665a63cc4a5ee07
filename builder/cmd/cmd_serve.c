/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>

#include "../base/path.h"
#include "../base/random.h"
#include "../out/delta_make.h"
#include "../out/published.h"
#include "../serve/announce.h"
#include "../serve/deltas.h"
#include "../serve/listen.h"
#include "../serve/serve.h"
#include "build_job.h"
#include "logins.h"
#include "output.h"
#include "session.h"

enum { TICK = 1000 }; /* milliseconds */

/* What is served, and whose it is: a store stays in use as long as its files are. */
struct serving {
    struct shelf shelf;
    struct deltas *deltas;
    struct deltas_images before; /* owned */
    char *scratch;               /* owned */
    const struct events *events;
    struct VEC_OF(struct work *) works;
};

static void serving_clear(struct serving *v)
{
    struct work **w;
    struct stored **image;

    deltas_clear(&v->deltas);
    vec_each(image, &v->before) {
        stored_clear(*image);
        free(*image);
    }
    vec_clear(&v->before);
    shelf_clear(&v->shelf);
    free(v->scratch);
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
    const struct build_args a = {0};
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
                   build_job_put(&job, 0, place, s->events, e) < 0 ||
                   build_job_tag(&job, 0, place, e) < 0 || place_close(place, e) < 0
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

/* ---- deltas between them ---- */

/* Quietly: the terminal tells of who fetches. */
static int make_delta(struct fs_temp *out, uint64_t *size, const struct stored *old,
                      const struct stored *new, void *ctx, struct err *e)
{
    const struct serving *v = ctx;
    const struct events events = {.cancelled = v->events->cancelled, .ctx = v->events->ctx};
    struct delta_made made;

    if (fs_mkdirs(v->scratch, e) < 0 || fs_temp_open(out, v->scratch, e) < 0 ||
        delta_make(&made, out->fd.n, "the delta",
                   &(struct delta_making){
                       .old = old, .new = new, .scratch = v->scratch, .events = &events},
                   e) < 0)
        return -1;
    *size = made.size;
    return 0;
}

static bool is_served(const struct serving *v, const struct digest *image)
{
    struct stored *const *i;

    vec_each(i, &v->shelf.images)
        if (digest_eq(&(*i)->digest, image) || digest_eq(&(*i)->root, image))
            return true;
    vec_each(i, &v->before)
        if (digest_eq(&(*i)->root, image))
            return true;
    return false;
}

/* What a layout had under its tags before, as the locks in it tell; of one that has none, or where
 * the image is gone, there is no delta. */
static void add_before(struct serving *v, const char *layout, const struct stored_scratch *how)
{
    CLEANUP(published_clear) struct published_list list = {0};
    CLEANUP(dest_clear) struct dest dest = {0};
    CLEANUP(buf_clear) struct buf name = {0};
    CLEANUP(err_clear) struct err ignored = {0};
    const struct published *p;
    char digest[DIGEST_TEXT + 1];

    buf_fmt(&name, "oci:%s", layout);
    if (dest_parse(&dest, name.p, &ignored) < 0 || published_read(&list, &dest, how, &ignored) < 0)
        return;
    vec_each(p, &list.versions) {
        struct stored *image;

        if (is_served(v, &p->image))
            continue;
        buf_reset(&name);
        digest_text(&p->image, digest);
        buf_fmt(&name, "oci:%s@%s", layout, digest);
        image = xcalloc(1, sizeof *image);
        err_clear(&ignored);
        if (stored_open_any(image, buf_view(&name), ".", how, &ignored) < 0)
            free(image);
        else
            vec_add(&v->before, image);
    }
}

static int offer_deltas(struct serving *v, struct session *s, struct err *e)
{
    const struct stored_scratch how = session_ways(s, NULL);
    const char *last = "";

    v->events = s->events;
    if (session_scratch(&v->scratch, s, e) < 0)
        return -1;
    for (size_t i = 0; i < v->shelf.images.n; i++) {
        const char *layout = v->shelf.images.v[i]->files.path;

        if (layout && strcmp(layout, last) != 0)
            add_before(v, layout, &how);
        last = layout ? layout : last;
    }
    v->deltas = deltas_open(&(struct deltas_how){
        .shelf = &v->shelf, .before = &v->before, .make = make_delta, .ctx = v});
    v->shelf.deltas = v->deltas;
    return 0;
}

/* ---- what is told ---- */

/* `code`: one that was made, and that nobody knows but by this; NULL: none. */
static void print_json(struct session *s, const struct shelf *shelf, const struct names *hosts,
                       const struct buf *code)
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
    if (code)
        node_put_str(&d, root, "code", buf_view(code));
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

static void print_summary(struct serve *serving, uint64_t ms)
{
    CLEANUP(buf_clear) struct buf size = {0}, took = {0}, deltas = {0};
    struct watch_sum sum;

    serve_sum(&sum, serving);
    progress_size(&size, sum.sent);
    progress_time(&took, ms);
    if (sum.deltas)
        buf_fmt(&deltas, ", %zu of them by a delta", sum.deltas);
    output_message("envbuild: %zu %s fetched %s in %s%s", sum.machines,
                   sum.machines == 1 ? "machine" : "machines", size.p, took.p,
                   deltas.p ? deltas.p : "");
}

/* ---- who may, and by what it is reached ---- */

struct serve_args {
    const char *where, *cert, *key;
    bool code;
};

/* What one server is given besides its images. */
struct opened {
    struct fd socket;
    struct fd listening; /* the same, when it is the server's: borrowed */
    uint16_t port;
    struct names hosts;
    struct server_cert cert;
    bool named;      /* the certificate is for names alone */
    struct buf code; /* a secret; empty: none is wanted */
    bool made;       /* the code was, just now */
    struct gate *gate;
    struct program *announced;
};

static void opened_clear(struct opened *o)
{
    program_free(o->announced);
    gate_free(o->gate);
    buf_wipe(&o->code);
    server_cert_clear(&o->cert);
    names_clear(&o->hosts);
    fd_clear(&o->socket);
}

static int open_cert(struct opened *o, const struct session *s, const struct serve_args *a,
                     struct err *e)
{
    if (!a->cert != !a->key)
        return err_set(e, ERR_USAGE, "--cert and --key belong together: a certificate and its key");
    return a->cert ? server_cert_read(&o->cert, a->cert, a->key, s->now, e) : 0;
}

/* By what the room reaches it now. */
static int find_hosts(struct names *out, struct opened *o, const struct fd *socket,
                      const struct serve_args *a, struct err *e)
{
    if (listen_hosts(out, socket, e) < 0)
        return -1;
    return o->cert.x509 ? listen_certified(out, &o->named, o->port, &o->cert, a->cert, e) : 0;
}

/* From the environment, as everybody on this machine sees a program's arguments. A variable that is
 * set is meant, also without the option. */
static int open_gate(struct opened *o, const struct session *s, const struct serve_args *a,
                     struct err *e)
{
    const char *given = environment_get(s->environment, "ENVBUILD_CODE");

    if (!given && !a->code)
        return 0;
    o->made = !given;
    if (given)
        buf_puts(&o->code, given);
    else if (random_code(&o->code, 2, e) < 0)
        return -1;
    return gate_open(&o->gate, buf_view(&o->code), e) < 0
               ? err_wrap(e, given ? "ENVBUILD_CODE" : "--code")
               : 0;
}

static void tell(const struct opened *o, const char *address)
{
    output_message("envbuild: %s/ says what to type; Ctrl-C ends it", address);
    if (o->named)
        output_message("envbuild: the certificate is for a name, so that has to lead to this "
                       "machine in the whole room");
    if (o->made)
        output_message("envbuild: the code is %s, as the password of any user", o->code.p);
    if (o->gate && !o->cert.x509)
        output_message("envbuild: the code can be read in the network; --cert and --key encrypt "
                       "it");
}

static void put_address(struct buf *out, const struct opened *o, const char *host)
{
    buf_fmt(out, "%s://%s", o->cert.x509 ? "https" : "http", host);
}

static void announce(struct opened *o, const struct shelf *shelf, const char *address)
{
    if (!listen_is_loopback(&o->listening) && shelf->repositories.n)
        announce_open(&o->announced,
                      shelf->repositories.n == 1 ? shelf->repositories.v[0].name : STR("envbuild"),
                      o->port, address);
}

/* A cable that is pulled, a new lease, a network that is joined: what was told leads nowhere, so
 * it is told anew. None: the certificate is for no address that there is now. */
static int follow_hosts(struct opened *o, struct serve *serving, const struct shelf *shelf,
                        const struct serve_args *a, bool quiet, struct err *e)
{
    CLEANUP(names_clear) struct names now = {0};
    CLEANUP(buf_clear) struct buf address = {0};
    char **host;

    if (find_hosts(&now, o, &o->listening, a, e) < 0) {
        if (e->kind != ERR_INPUT)
            return -1;
        names_clear(&now);
    }
    if (same_hosts(&now, &o->hosts)) {
        err_clear(e);
        return 0;
    }
    if (!now.n && !quiet)
        output_message("envbuild: %s", e->msg);
    err_clear(e);
    if (now.n) {
        serve_move(serving, str_of(now.v[0]));
        put_address(&address, o, now.v[0]);
        program_free(o->announced);
        o->announced = NULL;
        announce(o, shelf, address.p);
    }
    if (now.n && !quiet && str_starts(str_of(now.v[0]), STR("127.")))
        output_message("envbuild: this machine is in no network now");
    else if (!quiet)
        vec_each(host, &now) {
            buf_reset(&address);
            put_address(&address, o, *host);
            output_message("envbuild: the address is %s/ now", address.p);
        }
    names_clear(&o->hosts);
    MOVE(&o->hosts, &now);
    return 0;
}

static void tick(struct serve *serving, const struct session *s)
{
    CLEANUP(buf_clear) struct buf say = {0};
    struct str lines, line;

    serve_tick(serving, progress_now(s->progress), &say);
    lines = buf_view(&say);
    while (!s->quiet && str_cut(&lines, STR("\n"), &line))
        output_message(STR_FMT, STR_ARG(line));
}

static int serve(struct session *s, const struct serve_args *a, int argc, char **argv,
                 struct err *e)
{
    CLEANUP(serving_clear) struct serving v = {0};
    CLEANUP(opened_clear) struct opened o = {0};
    CLEANUP(serve_clear) struct serve *serving = NULL;
    CLEANUP(buf_clear) struct buf address = {0};

    if (listen_open(&o.socket, &o.port, str_of(a->where), e) < 0 || open_cert(&o, s, a, e) < 0 ||
        find_hosts(&o.hosts, &o, &o.socket, a, e) < 0 || open_gate(&o, s, a, e) < 0 ||
        fill(&v, s, argc, argv, e) < 0 || offer_deltas(&v, s, e) < 0)
        return -1;
    o.listening = o.socket;
    put_address(&address, &o, o.hosts.v[0]);
    announce(&o, &v.shelf, address.p);
    if (serve_open(&serving,
                   &(struct serve_how){.shelf = &v.shelf,
                                       .host = str_of(o.hosts.v[0]),
                                       .cert = o.cert.x509 ? &o.cert : NULL,
                                       .gate = o.gate,
                                       .threads = s->jobs},
                   &o.socket, e) < 0)
        return -1;
    progress_pause(s->progress);
    if (s->json)
        print_json(s, &v.shelf, &o.hosts, o.made ? &o.code : NULL);
    else
        print_names(&v.shelf, &o.hosts);
    fflush(stdout);
    if (!s->quiet)
        tell(&o, address.p);
    while (!events_cancelled(s->events)) {
        tick(serving, s);
        if (follow_hosts(&o, serving, &v.shelf, a, s->quiet, e) < 0)
            return -1;
        poll(NULL, 0, TICK); /* a signal ends it */
    }
    if (!s->quiet)
        print_summary(serving, progress_now(s->progress));
    return 0;
}

int cmd_serve(struct session *s, int argc, char **argv, struct err *e)
{
    struct serve_args a = {0};
    const struct opt own[] = {
        {0, "listen", "ADDR:PORT", "where to listen (all addresses, port 5000)", opt_str, &a.where},
        {0, "cert", "FILE", "TLS: the certificate in PEM, with those above it (none)", opt_str,
         &a.cert},
        {0, "key", "FILE", "the certificate's key, in PEM and not encrypted (none)", opt_str,
         &a.key},
        {0, "code", NULL, "ask for a passphrase: $ENVBUILD_CODE, or one that is made and told",
         opt_flag, &a.code},
        {0, "offline", NULL, "for a recipe or lock, use only what the store has", opt_flag,
         &s->offline},
    };

    if (session_begin(s, "serve", own, ARRAY_LEN(own), &argc, argv, 0, INT32_MAX, e) < 0)
        return -1;
    return s->help ? 0 : serve(s, &a, argc, argv, e);
}
