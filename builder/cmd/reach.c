/* SPDX-License-Identifier: Apache-2.0 */
#include "reach.h"

#include "../base/fs.h"
#include "../base/path.h"
#include "../store/memo.h"
#include "logins.h"

enum { PEM_MAX = 8 << 20 };

struct reach {
    struct reach_from from;
    struct arena arena;
    struct config config;
    bool has_config;
    struct registries *registries;
    struct memo *memory; /* of hosts; NULL until one is asked */
};

/* Whose login is wanted. */
struct asked {
    struct reach *reach;
    struct str host, repository;
};

static int find_login(void *ctx, struct login *out, struct err *e)
{
    const struct asked *a = ctx;

    return logins_find(out, a->reach->from.environment, a->host, a->repository,
                       a->reach->from.events, e);
}

/* ---- certificates ---- */

static int add_file(struct buf *out, const char *path, const struct events *events, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};

    if (fs_read(&text, path, PEM_MAX, e) < 0)
        return -1;
    if (str_find_str(buf_view(&text), STR("-----BEGIN ")) == text.len)
        events_warn(events,
                    "%s holds no certificate in PEM form; `openssl x509 -inform der` makes one of "
                    "DER",
                    path);
    buf_str(out, buf_view(&text));
    buf_putc(out, '\n');
    return 0;
}

/* Authorities beside those that are trusted anyway. */
static int read_folder(struct reach *r, struct registry_how *how, const char *dir, struct err *e)
{
    CLEANUP(names_clear) struct names names = {0};
    CLEANUP(buf_clear) struct buf pem = {0};
    char **name;

    if (fs_list(&names, dir, e) < 0)
        return -1;
    vec_each(name, &names) {
        char *path = arena_fmt(&r->arena, "%s/%s", dir, *name);
        struct str stem = str_of(path);

        if (str_ends(stem, STR(".crt")) && add_file(&pem, path, r->from.events, e) < 0)
            return -1;
        if (str_drop(&stem, STR(".cert"))) {
            how->http.client_cert = path;
            how->http.client_key = arena_fmt(&r->arena, STR_FMT ".key", STR_ARG(stem));
            if (!fs_exists(how->http.client_key))
                return err_set(
                    e, ERR_INPUT,
                    "%s: its key %s is not there; if it is an authority's and not yours, "
                    "its name has to end in .crt",
                    path, how->http.client_key);
        }
    }
    if (pem.len && r->from.ca_file && add_file(&pem, r->from.ca_file, r->from.events, e) < 0)
        return -1;
    how->http.ca_pem = arena_str(&r->arena, buf_view(&pem));
    if (how->http.client_cert)
        how->http.client_origin =
            str_of(arena_fmt(&r->arena, "https://" STR_FMT "/", STR_ARG(how->host)));
    return 0;
}

static int find_certificates(struct reach *r, struct registry_how *how, struct err *e)
{
    static const struct {
        const char *variable, *below;
    } folders[] = {{"HOME", "/.config/containers/certs.d"},
                   {NULL, "/etc/containers/certs.d"},
                   {"HOME", "/.config/docker/certs.d"},
                   {NULL, "/etc/docker/certs.d"}};

    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        const char *top =
            folders[i].variable ? environment_get(r->from.environment, folders[i].variable) : "";
        CLEANUP(buf_clear) struct buf dir = {0};

        if (!top)
            continue;
        buf_fmt(&dir, "%s%s/" STR_FMT, top, folders[i].below, STR_ARG(how->host));
        if (fs_exists(dir.p))
            return read_folder(r, how, dir.p, e);
    }
    return 0;
}

/* ---- a host ---- */

static void host_key(struct buf *out, struct str host)
{
    buf_fmt(out, "registry " STR_FMT, STR_ARG(host));
}

static const char put_word[] = "put", chunks_word[] = "chunks";

/* What cannot be remembered is learned again. */
static void learned(void *ctx, enum registry_upload way)
{
    const struct asked *a = ctx;
    CLEANUP(err_clear) struct err ignored = {0};
    CLEANUP(buf_clear) struct buf key = {0};

    host_key(&key, a->host);
    (void)!memo_put_text(a->reach->memory, buf_view(&key),
                         str_of(way == REGISTRY_PUT ? put_word : chunks_word), &ignored);
}

static int recall(struct reach *r, struct registry_how *how, struct err *e)
{
    CLEANUP(buf_clear) struct buf key = {0}, word = {0};
    CLEANUP(free_clear) char *dir = path_join(r->from.store_dir, "registries");
    bool found;

    host_key(&key, how->host);
    if ((!r->memory && memo_open(&r->memory, dir, e) < 0) ||
        memo_get(r->memory, buf_view(&key), NULL, &word, &found, e) < 0)
        return -1;
    if (str_is(buf_view(&word), put_word))
        how->ways->whole = true;
    if (str_is(buf_view(&word), chunks_word))
        how->ways->chunked = true;
    how->learned = learned;
    return 0;
}

static int find(void *ctx, struct registry_how *how, struct err *e)
{
    struct reach *r = ctx;
    struct asked *a = arena_alloc(&r->arena, sizeof *a);
    struct config_registry c;

    if (r->from.offline)
        return err_set(e, ERR_NET,
                       STR_FMT "/" STR_FMT
                               ": with --offline no registry is asked; run without it, or "
                               "use a layout, as oci:DIR",
                       STR_ARG(how->host), STR_ARG(how->repository));
    if (!r->has_config && config_read(&r->config, r->from.config_path, e) < 0)
        return -1;
    r->has_config = true;
    a->reach = r;
    a->host = arena_str(&r->arena, how->host);
    a->repository = arena_str(&r->arena, how->repository);
    how->login = find_login;
    how->ctx = a;
    how->http = (struct http_options){.ca_file = r->from.ca_file,
                                      .ca_dir = r->from.ca_dir,
                                      .user_agent = r->from.user_agent,
                                      .events = r->from.events};
    config_registry(&c, &r->config, how->host);
    how->insecure = c.insecure;
    how->upload = c.upload;
    how->chunk = c.chunk;
    how->chunk_min = c.chunk_min;
    how->upload_max_ms = c.upload_max_ms;
    return recall(r, how, e) < 0 ? -1 : find_certificates(r, how, e);
}

struct reach *reach_open(const struct reach_from *from)
{
    struct reach *r = xcalloc(1, sizeof *r);

    r->from = *from;
    registries_open(&r->registries, find, r);
    return r;
}

struct registries *reach_registries(struct reach *r)
{
    return r->registries;
}

void reach_free(struct reach *r)
{
    if (!r)
        return;
    registries_clear(&r->registries);
    memo_clear(&r->memory);
    config_clear(&r->config);
    arena_clear(&r->arena);
    free(r);
}
