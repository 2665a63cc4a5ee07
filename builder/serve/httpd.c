/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd_parts.h"

#include <microhttpd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTIONS = 480,        /* a process may commonly open 1024 files */
    OF_ONE = CONNECTIONS / 2, /* address: nobody keeps the others out, and a room may share one */
    IDLE = 60,                /* seconds */
    REQUEST = 32 * 1024,      /* bytes of its line and headers */
    BLOCK = 128 * 1024,
};

struct httpd {
    struct MHD_Daemon *daemon;
    const struct httpd_handlers *handlers;
    bool encrypts;
    pthread_mutex_t lock;                    /* over those below */
    struct VEC_OF(int) sockets;              /* of all connections */
    struct VEC_OF(struct request *) running; /* those whose bytes go out */
};

/* ---- the question ---- */

static struct str header(struct MHD_Connection *c, const char *name)
{
    return str_of(MHD_lookup_connection_value(c, MHD_HEADER_KIND, name));
}

struct query {
    struct strs *out;
    const char *name;
};

static enum MHD_Result take_value(void *ctx, enum MHD_ValueKind kind, const char *key,
                                  const char *value)
{
    const struct query *q = ctx;

    if (!strcmp(key, q->name))
        vec_add(q->out, str_of(value));
    return MHD_YES;
}

void httpd_query(struct strs *out, const struct httpd_ask *ask, const char *name)
{
    struct query q = {out, name};

    MHD_get_connection_values(ask->connection, MHD_GET_ARGUMENT_KIND, take_value, &q);
}

struct str httpd_query_one(const struct httpd_ask *ask, const char *name)
{
    return str_of(MHD_lookup_connection_value(ask->connection, MHD_GET_ARGUMENT_KIND, name));
}

static void take_peer(char *out, size_t len, struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *from = info ? info->client_addr : NULL;
    struct sockaddr_in6 v6;
    struct sockaddr_in v4;

    if (from && from->sa_family == AF_INET6) {
        memcpy(&v6, from, sizeof v6);
        inet_ntop(AF_INET6, &v6.sin6_addr, out, (socklen_t)len);
        if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
            inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], out, (socklen_t)len);
    } else if (from && from->sa_family == AF_INET) {
        memcpy(&v4, from, sizeof v4);
        inet_ntop(AF_INET, &v4.sin_addr, out, (socklen_t)len);
    }
}

static struct httpd_ask ask_of(struct MHD_Connection *c, const char *path, const char *method)
{
    struct httpd_ask ask = {
        .path = str_of(path),
        .range = header(c, MHD_HTTP_HEADER_RANGE),
        .if_range = header(c, MHD_HTTP_HEADER_IF_RANGE),
        .if_none_match = header(c, MHD_HTTP_HEADER_IF_NONE_MATCH),
        .host = header(c, MHD_HTTP_HEADER_HOST),
        .agent = header(c, MHD_HTTP_HEADER_USER_AGENT),
        .language = header(c, MHD_HTTP_HEADER_ACCEPT_LANGUAGE),
        .authorization = header(c, MHD_HTTP_HEADER_AUTHORIZATION),
        .head = !strcmp(method, MHD_HTTP_METHOD_HEAD),
        .connection = c,
    };

    take_peer(ask.peer, sizeof ask.peer, c);
    return ask;
}

/* ---- the answer ---- */

static ssize_t read_on(void *ctx, uint64_t at, char *to, size_t max)
{
    ssize_t n = httpd_read_pieces(ctx, at, to, max);

    return n < 0 ? MHD_CONTENT_READER_END_WITH_ERROR : n;
}

/* What lies in one file goes out by sendfile(), where it need not be encrypted. */
static struct MHD_Response *response_of(struct request *r, uint64_t len, bool encrypts)
{
    const struct httpd_answer *a = &r->answer;
    const struct httpd_parts *parts = a->pieces.n == 1 ? a->pieces.v[0].parts : NULL;
    const struct httpd_part *part = parts ? httpd_part_at(parts, r->from) : NULL;
    int own;

    if (!len)
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (encrypts || !part || r->from - part->at + len > part->size)
        return MHD_create_response_from_callback(len, BLOCK, read_on, r, NULL);
    own = dup(part->fd);
    return own < 0 ? NULL
                   : MHD_create_response_from_fd_at_offset64(len, own,
                                                             part->offset + r->from - part->at);
}

static enum MHD_Result reply(struct MHD_Connection *c, struct httpd *h, struct request *r,
                             const struct httpd_ask *ask)
{
    const union MHD_ConnectionInfo *info;
    uint64_t len = httpd_size(&r->answer);
    enum MHD_Result result = MHD_YES;
    struct MHD_Response *response;
    const struct pair *p;

    httpd_apply_conditions(&r->answer, ask, &r->from, &len);
    response = response_of(r, len, h->encrypts);
    if (!response)
        return MHD_NO;
    vec_each(p, &r->answer.headers)
        if (result == MHD_YES)
            result = MHD_add_response_header(response, p->key.p, p->value.p);
    info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info && len && !ask->head && r->answer.status < 300) {
        r->transfer = h->handlers->begin(h->handlers->ctx, ask, info->connect_fd, len);
        r->began = true;
        r->socket = info->connect_fd;
        r->len = len;
        pthread_mutex_lock(&h->lock);
        vec_add(&h->running, r);
        pthread_mutex_unlock(&h->lock);
    }
    if (result == MHD_YES)
        result = MHD_queue_response(c, r->answer.status, response);
    MHD_destroy_response(response);
    return result;
}

static void refuse_method(struct httpd_answer *a)
{
    a->status = MHD_HTTP_METHOD_NOT_ALLOWED;
    httpd_header(a, MHD_HTTP_HEADER_ALLOW, STR("GET, HEAD"));
    httpd_header(a, MHD_HTTP_HEADER_CONTENT_TYPE, STR("application/json"));
    httpd_text(a, STR("{\"errors\":[{\"code\":\"UNSUPPORTED\",\"message\":\"nothing can be "
                      "written here\"}]}"));
}

/* A NUL would end a path before its end: what is written so is no name of ours. */
static size_t decode(void *ctx, struct MHD_Connection *c, char *text)
{
    return strstr(text, "%00") ? strlen(text) : MHD_http_unescape(text);
}

/* Called with the headers, then with each part of a body, then without one. */
static enum MHD_Result handle(void *ctx, struct MHD_Connection *c, const char *path,
                              const char *method, const char *version, const char *body,
                              size_t *body_len, void **state)
{
    struct httpd *h = ctx;
    struct httpd_ask ask;
    struct request *r;

    if (!*state) {
        *state = xcalloc(1, sizeof *r);
        return MHD_YES;
    }
    if (*body_len) {
        *body_len = 0;
        return MHD_YES;
    }
    r = *state;
    ask = ask_of(c, path, method);
    if (!ask.head && strcmp(method, MHD_HTTP_METHOD_GET) != 0)
        refuse_method(&r->answer);
    else
        h->handlers->answer(h->handlers->ctx, &ask, &r->answer);
    return reply(c, h, r, &ask);
}

static void completed(void *ctx, struct MHD_Connection *c, void **state,
                      enum MHD_RequestTerminationCode how)
{
    struct httpd *h = ctx;
    struct request *r = *state;

    if (!r)
        return;
    if (r->began) {
        pthread_mutex_lock(&h->lock);
        for (size_t i = 0; i < h->running.n; i++)
            if (h->running.v[i] == r)
                h->running.v[i--] = h->running.v[--h->running.n];
        pthread_mutex_unlock(&h->lock);
        h->handlers->end(h->handlers->ctx, r->transfer, how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    }
    httpd_answer_clear(&r->answer);
    free(r);
    *state = NULL;
}

/* ---- files that changed ---- */

/* Is the file among what goes out? What has gone already is not known here. */
static bool has_file(const struct request *r, int fd)
{
    const struct httpd_piece *piece;
    const struct httpd_part *part;
    uint64_t at = 0;

    vec_each(piece, &r->answer.pieces) {
        if (piece->parts)
            vec_each(part, piece->parts)
                if (part->fd == fd && at + part->at < r->from + r->len &&
                    r->from < at + part->at + part->size)
                    return true;
        at += piece->size;
    }
    return false;
}

/* sendfile() has no bytes to give then, and libmicrohttpd would wait for more. */
void httpd_cut(struct httpd *h, int fd)
{
    struct request *const *r;

    pthread_mutex_lock(&h->lock);
    vec_each(r, &h->running)
        if (has_file(*r, fd))
            shutdown((*r)->socket, SHUT_RDWR);
    pthread_mutex_unlock(&h->lock);
}

/* ---- open and close ---- */

static void connected(void *ctx, struct MHD_Connection *c, void **state,
                      enum MHD_ConnectionNotificationCode what)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct httpd *h = ctx;

    pthread_mutex_lock(&h->lock);
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        vec_add(&h->sockets, info->connect_fd);
    for (size_t i = 0; what == MHD_CONNECTION_NOTIFY_CLOSED && i < h->sockets.n; i++)
        if (h->sockets.v[i] == info->connect_fd)
            h->sockets.v[i--] = h->sockets.v[--h->sockets.n];
    pthread_mutex_unlock(&h->lock);
}

/* False: nobody was left. */
static bool cut_off(struct httpd *h)
{
    const int *fd;
    bool any;

    pthread_mutex_lock(&h->lock);
    vec_each(fd, &h->sockets)
        shutdown(*fd, SHUT_RDWR);
    any = h->sockets.n > 0;
    pthread_mutex_unlock(&h->lock);
    return any;
}

/* Each connection is a file, and many systems begin with 1024. */
static void allow_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)!setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int httpd_open(struct httpd **out, struct fd *socket, unsigned threads,
               const struct server_cert *cert, const struct httpd_handlers *handlers, struct err *e)
{
    struct httpd *h = xcalloc(1, sizeof *h);
    struct MHD_OptionItem more[4] = {0};
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD;
    size_t n = 0;

    h->handlers = handlers;
    h->encrypts = cert != NULL;
    pthread_mutex_init(&h->lock, NULL);
    allow_files();
    if (threads > 1) /* a pool of one is none */
        more[n++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, threads, NULL};
    if (cert) {
        flags |= MHD_USE_TLS;
        more[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, cert->chain.p};
        more[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, cert->key.p};
    }
    more[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    h->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, handle, h, MHD_OPTION_LISTEN_SOCKET, socket->n,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)OF_ONE, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_UNESCAPE_CALLBACK, decode, NULL, MHD_OPTION_NOTIFY_CONNECTION, connected, h,
        MHD_OPTION_NOTIFY_COMPLETED, completed, h, MHD_OPTION_ARRAY, more, MHD_OPTION_END);
    if (!h->daemon) {
        pthread_mutex_destroy(&h->lock);
        free(h);
        return cert ? err_set(e, ERR_INPUT,
                              "cannot serve with this certificate and key; GnuTLS takes RSA from "
                              "2048 bits on, ECDSA and Ed25519")
                    : err_set(e, ERR_SYSTEM, "cannot serve: no thread can be started");
    }
    *socket = (struct fd){0}; /* the daemon closes it */
    *out = h;
    return 0;
}

void httpd_clear(struct httpd **h)
{
    int listening;

    if (!*h)
        return;
    /* libmicrohttpd 0.9.75 crashes where it is stopped while it refuses a request, so there is
     * none when it is stopped: two seconds are the net. */
    listening = MHD_quiesce_daemon((*h)->daemon);
    for (unsigned tries = 0; tries < 200 && cut_off(*h); tries++)
        poll(NULL, 0, 10);
    MHD_stop_daemon((*h)->daemon);
    if (listening >= 0)
        close(listening);
    pthread_mutex_destroy(&(*h)->lock);
    vec_clear(&(*h)->sockets);
    vec_clear(&(*h)->running);
    free(*h);
    *h = NULL;
}
