/* SPDX-License-Identifier: Apache-2.0 */
#include "../doc/json.h"
#include "../io/crypto.h"
#include "../net/url.h"
#include "image.h"
#include "registry_parts.h"

enum { ERROR_MAX = 64 * 1024, WORDS_MAX = 300 };

/* ---- where it is ---- */

static bool is_loopback(struct str host)
{
    struct str name = host, port;

    if (!str_ends(host, STR("]")))
        str_cut_last(&name, STR(":"), &port);
    return url_host_is_loopback(name);
}

int registry_open(struct registry **out, const struct registry_how *how, struct err *e)
{
    struct registry *r = xcalloc(1, sizeof *r);
    struct buf name = {0};

    r->how = *how;
    r->how.chunk = how->chunk ? how->chunk : REGISTRY_CHUNK;
    r->how.http.unverified = how->insecure;
    r->how.http.pace = how->ways->pace;
    r->host = str_dup(how->host);
    r->server = str_is(how->host, "docker.io") || str_is(how->host, "index.docker.io")
                    ? xstrdup("registry-1.docker.io")
                    : str_dup(how->host);
    r->repository = str_dup(how->repository);
    buf_fmt(&name, "%s/%s", r->host, r->repository);
    r->name = buf_take(&name);
    pthread_mutex_init(&r->lock, NULL);
    if (caller_open(&r->caller, &r->how.http, e) < 0) {
        registry_clear(&r);
        return -1;
    }
    *out = r;
    return 0;
}

void registry_clear(struct registry **registry)
{
    struct registry *r = *registry;

    if (!r)
        return;
    tokens_clear(&r->tokens);
    caller_clear(&r->caller);
    pthread_mutex_destroy(&r->lock);
    free(r->origin);
    free(r->name);
    free(r->server);
    free(r->host);
    free(r->repository);
    free(r);
    *registry = NULL;
}

const char *registry_name(const struct registry *r)
{
    return r->name;
}

enum registry_upload registry_way(const struct registry *r)
{
    return r->how.upload == REGISTRY_ANY && r->how.ways->whole ? REGISTRY_PUT : r->how.upload;
}

struct str registry_host(const struct registry *r)
{
    return str_of(r->host);
}

struct str registry_repository(const struct registry *r)
{
    return str_of(r->repository);
}

/* No answer came. */
static int no_answer(struct registry *r, const struct call_whole *w, struct err *why, struct err *e)
{
    if (!w->untrusted) {
        err_join(e, why);
        return err_wrap(e, "%s", r->name);
    }
    return err_set(e, why->kind,
                   "%s: %s; for this registry alone, put it into "
                   "~/.config/containers/certs.d/%s/ca.crt",
                   r->name, why->msg, r->host);
}

/* Is somebody there who speaks TLS? Its answer does not matter, nor its certificate yet: reading
 * whom this machine trusts takes longer than all else here. */
static int speaks_tls(bool *yes, struct registry *r, struct err *e)
{
    CLEANUP(caller_clear) struct caller *caller = NULL;
    struct http_options how = r->how.http;
    CLEANUP(call_whole_clear) struct call_whole w = {.limit = ERROR_MAX, .once = true};
    CLEANUP(err_clear) struct err fault = {0};
    CLEANUP(buf_clear) struct buf url = {0};

    buf_fmt(&url, "https://%s/v2/", r->server);
    w.ask = (struct call_ask){.method = "GET", .url = buf_view(&url), .stays = true};
    how.unverified = true;
    if (caller_open(&caller, &how, e) < 0)
        return -1;
    *yes = true;
    if (call_run(caller, &w, &fault) == 0)
        return 0;
    if (!w.no_line)
        return no_answer(r, &w, &fault, e);
    *yes = false;
    return 0;
}

static int find_origin(struct registry *r, struct err *e)
{
    bool tls = true;
    struct buf origin = {0};

    if ((r->how.insecure || is_loopback(str_of(r->host))) && speaks_tls(&tls, r, e) < 0)
        return -1;
    buf_fmt(&origin, "%s://%s", tls ? "https" : "http", r->server);
    r->origin = buf_take(&origin);
    tokens_open(&r->tokens, &(struct tokens_how){.caller = r->caller,
                                                 .origin = str_of(r->origin),
                                                 .host = str_of(r->host),
                                                 .login = r->how.login,
                                                 .ctx = r->how.ctx});
    return 0;
}

static int reach(struct registry *r, struct err *e)
{
    int result = 0;

    pthread_mutex_lock(&r->lock);
    if (!r->origin)
        result = find_origin(r, e);
    pthread_mutex_unlock(&r->lock);
    return result;
}

int registry_url(struct buf *out, struct registry *r, const char *path, struct err *e)
{
    if (reach(r, e) < 0)
        return -1;
    buf_fmt(out, "%s/v2/%s/%s", r->origin, r->repository, path);
    return 0;
}

/* ---- asking ---- */

static int is_home(bool *home, const struct registry *r, struct str url, struct err *e)
{
    struct url here, origin;

    if (url_parse(&here, url, e) < 0 || url_parse(&origin, str_of(r->origin), e) < 0)
        return -1;
    *home = url_same_origin(&here, &origin);
    return 0;
}

int registry_header(struct registry *r, struct buf *out, struct str url, enum registry_right right,
                    struct str from, struct err *e)
{
    CLEANUP(buf_clear) struct buf own = {0}, other = {0};
    struct strs scopes = {0};
    bool home;
    int result;

    if (is_home(&home, r, url, e) < 0)
        return -1;
    if (!home)
        return 0;
    buf_fmt(&own, "repository:%s:pull%s", r->repository, right == RIGHT_PUSH ? ",push" : "");
    vec_add(&scopes, buf_view(&own));
    if (from.len) {
        buf_fmt(&other, "repository:" STR_FMT ":pull", STR_ARG(from));
        vec_add(&scopes, buf_view(&other));
    }
    result = tokens_header(r->tokens, out, &scopes, e);
    vec_clear(&scopes);
    return result;
}

int registry_refused(struct registry *r, const struct answer *a, struct str url, struct str sent,
                     struct err *e)
{
    CLEANUP(buf_clear) struct buf shown = {0};
    bool home;

    if (is_home(&home, r, url, e) < 0)
        return -1;
    if (home)
        return tokens_refused(r->tokens, a->challenges, sent, e);
    url_show(&shown, url);
    return err_set(e, ERR_NET,
                   "%s: %s, where the registry leads, answers HTTP 401; it is not told who is "
                   "logged in, for it is another server",
                   r->name, shown.p);
}

int registry_run(struct registry *r, struct call_whole *w, enum registry_right right,
                 struct str from, struct err *e)
{
    enum { ASKED_MAX = 3 }; /* nobody; who we are; the same with a new token */
    const struct call_ask ask = w->ask;

    for (unsigned asked = 1;; asked++) {
        CLEANUP(buf_wipe) struct buf header = {0};
        CLEANUP(err_clear) struct err why = {0};
        const char *headers[REGISTRY_HEADERS + 1];
        int result;

        if (registry_header(r, &header, ask.url, right, from, e) < 0)
            return -1;
        for (size_t i = 0; i < ask.headers_n; i++)
            headers[i] = ask.headers[i];
        headers[ask.headers_n] = header.p;
        w->ask.headers = headers;
        w->ask.headers_n = ask.headers_n + (header.len > 0);
        w->limit = w->limit ? w->limit : ERROR_MAX;
        result = call_run(r->caller, w, &why);
        w->ask = ask;
        if (result < 0)
            no_answer(r, w, &why, e);
        if (result == 0 && w->status == 401 && asked < ASKED_MAX)
            result = registry_refused(r, &w->answer, ask.url, buf_view(&header), e);
        else if (result == 0)
            asked = ASKED_MAX;
        if (result < 0)
            return -1;
        if (asked == ASKED_MAX)
            return 0;
        call_whole_clear(w);
    }
}

/* ---- what it says ---- */

struct said {
    struct doc doc;
    struct str code, words;
};

static void said_clear(struct said *s)
{
    doc_clear(&s->doc);
}

/* {"errors": [{"code": ..., "message": ..., "detail": ...}]} */
static void listen(struct said *out, struct str body)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* then the status has to do */
    const struct node *list, *detail;
    struct buf words = {0};

    if (json_parse(&out->doc, body, ERROR_MAX, "answer", &ignored) < 0)
        return;
    list = node_get(out->doc.root, "errors");
    list = list && list->kind == NODE_LIST ? list->child : NULL;
    out->code = node_text_of(list, "code");
    buf_str(&words, node_text_of(list, "message"));
    detail = node_get(list, "detail");
    if (detail && detail->kind == NODE_STRING && detail->text.len &&
        !str_eq(detail->text, buf_view(&words)))
        buf_fmt(&words, "%s" STR_FMT, words.len ? ": " : "", STR_ARG(detail->text));
    if (!words.len)
        buf_str(&words, out->code);
    out->words = arena_str(&out->doc.arena, buf_view(&words));
    buf_clear(&words);
}

bool registry_says(struct str body, const char *code)
{
    CLEANUP(said_clear) struct said said = {0};

    listen(&said, body);
    return str_is(said.code, code);
}

/* What its user can do about it. */
static const char *advice(const struct registry *r, unsigned status, struct str code,
                          struct str words)
{
    if (str_is(code, "NAME_UNKNOWN") || str_is(code, "RepositoryNotFoundException"))
        return "; there is no such repository: look at its name, or create it there first";
    if (status == 413)
        return "; the registry, or a proxy before it, takes no body that large: set a smaller "
               "`chunk` under `registries` in the configuration";
    if (status == 409 || str_is(code, "TAG_INVALID") || str_is(code, "TAG_IMMUTABLE") ||
        str_find_str(words, STR("immutable")) < words.len)
        return "; this repository does not allow a tag to move: publish under another tag, or use "
               "the image by its digest";
    if ((status == 403 || str_is(code, "DENIED")) && strcmp(r->host, "ghcr.io") == 0)
        return "; look at the package's settings on GitHub, \"Manage Actions access\", and at the "
               "token's scope write:packages";
    if (status == 403 || str_is(code, "DENIED"))
        return "; who is logged in there has no right to do that";
    if (status == 429)
        return "; it wants fewer requests: try again later";
    return "";
}

int registry_fault(struct registry *r, const char *what, unsigned status, struct str body,
                   struct err *e)
{
    CLEANUP(said_clear) struct said said = {0};

    listen(&said, body);
    if (tokens_in(r->tokens, said.words)) /* some show around what they were sent */
        said.words = (struct str){0};
    said.words = str_sub(said.words, 0, WORDS_MAX);
    if (status == 401) {
        tokens_denied(r->tokens, said.words, e);
        return err_wrap(e, "%s: %s", r->name, what);
    }
    if (said.words.len)
        return err_set(e, ERR_NET, "%s: %s: the registry says \"" STR_FMT "\" (HTTP %u)%s", r->name,
                       what, STR_ARG(said.words), status, advice(r, status, said.code, said.words));
    return err_set(e, ERR_NET, "%s: %s: HTTP %u%s", r->name, what, status,
                   advice(r, status, said.code, said.words));
}

/* ---- manifests ---- */

static const char accept_line[] =
    "Accept: " MEDIA_INDEX ", " MEDIA_MANIFEST ", " MEDIA_DOCKER_LIST ", " MEDIA_DOCKER_MANIFEST;

static int ask_manifest(struct call_whole *w, struct registry *r, const char *method,
                        struct str reference, struct err *e)
{
    static const char *const headers[] = {accept_line};
    CLEANUP(buf_clear) struct buf url = {0}, path = {0};
    int result;

    buf_fmt(&path, "manifests/" STR_FMT, STR_ARG(reference));
    if (registry_url(&url, r, path.p, e) < 0)
        return -1;
    w->ask = (struct call_ask){
        .method = method, .url = buf_view(&url), .headers = headers, .headers_n = 1};
    w->limit = IMAGE_DOC_MAX;
    result = registry_run(r, w, RIGHT_PULL, (struct str){0}, e);
    w->ask = (struct call_ask){0};
    return result;
}

/* What somebody between us and the registry may have made of it; NULL: it may be one. */
static const char *no_manifest(const struct call_whole *w)
{
    char first = w->body.len ? w->body.p[0] : '{';

    if (w->answer.gzipped && first == '\x1f')
        return "it comes compressed, which was not asked for; the registry, or a proxy before it, "
               "has to leave it as it is";
    return first == '<' ? "what came is a web page; is that the address of a registry, and does it "
                          "not want a log-in first?"
                        : NULL;
}

int registry_manifest_etag(bool *found, struct buf *out, struct digest *digest, char **etag,
                           struct registry *r, struct str reference, struct err *e)
{
    CLEANUP(call_whole_clear) struct call_whole w = {0};
    CLEANUP(buf_clear) struct buf what = {0};
    struct digest want;
    char text[DIGEST_TEXT + 1];
    const char *why;

    buf_fmt(&what, "manifest " STR_FMT, STR_ARG(reference));
    if (ask_manifest(&w, r, "GET", reference, e) < 0)
        return -1;
    *found = w.status == 200;
    if (w.status == 404)
        return 0;
    if (w.status != 200)
        return registry_fault(r, what.p, w.status, buf_view(&w.body), e);
    why = no_manifest(&w);
    if (why)
        return err_set(e, ERR_NET, "%s: %s: %s", r->name, what.p, why);
    hash_bytes(digest, w.body.p, w.body.len);
    digest_text(digest, text);
    if (digest_from_text(&want, reference) && !digest_eq(&want, digest))
        return err_set(e, ERR_INTEGRITY, "%s: %s: what came has the digest %s", r->name, what.p,
                       text);
    buf_str(out, buf_view(&w.body));
    if (etag)
        MOVE(etag, &w.answer.etag);
    return 0;
}

int registry_manifest(bool *found, struct buf *out, struct digest *digest, struct registry *r,
                      struct str reference, struct err *e)
{
    return registry_manifest_etag(found, out, digest, NULL, r, reference, e);
}

int registry_has_manifest(bool *found, struct digest *digest, struct registry *r,
                          struct str reference, struct err *e)
{
    CLEANUP(call_whole_clear) struct call_whole w = {0};
    CLEANUP(buf_clear) struct buf what = {0}, body = {0};

    if (ask_manifest(&w, r, "HEAD", reference, e) < 0)
        return -1;
    *found = w.status == 200;
    if (w.status == 404)
        return 0;
    if (w.status == 200 && w.answer.digest && digest_from_text(digest, str_of(w.answer.digest)))
        return 0;
    if (w.status == 200 || w.status == 405)
        return registry_manifest(found, &body, digest, r, reference, e);
    buf_fmt(&what, "manifest " STR_FMT, STR_ARG(reference));
    return registry_fault(r, what.p, w.status, (struct str){0}, e);
}

static int put(struct call_whole *w, struct registry *r, struct str reference,
               struct str media_type, const char *condition, struct err *e)
{
    CLEANUP(buf_clear) struct buf url = {0}, path = {0}, type = {0};
    const char *headers[2];
    int result;

    buf_fmt(&path, "manifests/" STR_FMT, STR_ARG(reference));
    buf_fmt(&type, "Content-Type: " STR_FMT, STR_ARG(media_type));
    headers[0] = type.p;
    headers[1] = condition;
    if (registry_url(&url, r, path.p, e) < 0)
        return -1;
    w->ask = (struct call_ask){.method = "PUT",
                               .url = buf_view(&url),
                               .headers = headers,
                               .headers_n = condition ? 2 : 1,
                               .haste = CALL_PATIENT};
    result = registry_run(r, w, RIGHT_PUSH, (struct str){0}, e);
    w->ask = (struct call_ask){0};
    return result;
}

static int put_fault(struct registry *r, const struct call_whole *w, struct str reference,
                     struct err *e)
{
    CLEANUP(buf_clear) struct buf what = {0};

    buf_fmt(&what, "manifest " STR_FMT, STR_ARG(reference));
    return registry_fault(r, what.p, w->status, buf_view(&w->body), e);
}

int registry_put_manifest(bool *subject, struct registry *r, struct str reference,
                          struct str media_type, struct str json, struct err *e)
{
    CLEANUP(call_whole_clear) struct call_whole w = {.text = json};
    struct digest own, told;

    if (put(&w, r, reference, media_type, NULL, e) < 0)
        return -1;
    if (w.status < 200 || w.status >= 300)
        return put_fault(r, &w, reference, e);
    hash_bytes(&own, json.p, json.len);
    if (w.answer.digest && digest_from_text(&told, str_of(w.answer.digest)) &&
        !digest_eq(&own, &told))
        return err_set(e, ERR_INTEGRITY,
                       "%s: manifest " STR_FMT ": the registry has stored it as %s", r->name,
                       STR_ARG(reference), w.answer.digest);
    if (subject)
        *subject = w.answer.subject;
    return 0;
}

int registry_put_if(struct registry *r, struct str tag, struct str media_type, struct str json,
                    const char *condition, struct err *e)
{
    CLEANUP(call_whole_clear) struct call_whole w = {.text = json};

    if (put(&w, r, tag, media_type, condition, e) < 0)
        return -1;
    return (w.status >= 200 && w.status < 300) || w.status == 412 ? 0 : put_fault(r, &w, tag, e);
}

/* ---- blobs ---- */

int registry_has_blob(bool *has, struct registry *r, const struct digest *digest, uint64_t size,
                      struct err *e)
{
    CLEANUP(call_whole_clear) struct call_whole w = {0};
    CLEANUP(buf_clear) struct buf url = {0}, path = {0}, what = {0};
    char text[DIGEST_TEXT + 1];

    digest_text(digest, text);
    buf_fmt(&path, "blobs/%s", text);
    buf_fmt(&what, "blob %s", text);
    if (registry_url(&url, r, path.p, e) < 0)
        return -1;
    w.ask = (struct call_ask){.method = "HEAD", .url = buf_view(&url), .stays = true};
    if (registry_run(r, &w, RIGHT_PULL, (struct str){0}, e) < 0)
        return -1;
    /* A redirect leads to where it is kept. */
    *has = w.status == 200 ? !size || !w.answer.has_length || w.answer.length == size ||
                                 w.answer.gzipped || w.answer.encoded
                           : w.status >= 300 && w.status < 400;
    if (*has || w.status == 200 || w.status == 404)
        return 0;
    return registry_fault(r, what.p, w.status, (struct str){0}, e);
}

int registry_mount(bool *done, struct registry *r, const struct digest *digest, struct str from,
                   struct err *e)
{
    CLEANUP(call_whole_clear) struct call_whole w = {.text = STR(""), .once = true};
    CLEANUP(buf_clear) struct buf url = {0}, path = {0}, session = {0};
    CLEANUP(err_clear) struct err fault = {0};
    char hex[DIGEST_HEX + 1];

    *done = false;
    digest_hex(digest, hex);
    buf_fmt(&path, "blobs/uploads/?mount=sha256%%3A%s&from=" STR_FMT, hex, STR_ARG(from));
    if (registry_url(&url, r, path.p, e) < 0)
        return -1;
    w.ask = (struct call_ask){.method = "POST", .url = buf_view(&url)};
    if (registry_run(r, &w, RIGHT_PUSH, from, &fault) < 0)
        return fault.kind == ERR_INTERRUPTED ? err_join(e, &fault) : 0;
    if (w.status == 201 && /* some say so and have not done it */
        registry_has_blob(done, r, digest, 0, &fault) < 0)
        return fault.kind == ERR_INTERRUPTED ? err_join(e, &fault) : 0;
    if (w.status == 202 && w.answer.location && /* an upload has begun instead */
        !call_location(&session, buf_view(&url), w.answer.location)) {
        CLEANUP(call_whole_clear)
        struct call_whole bye = {
            .once = true,
            .ask = {.method = "DELETE", .url = buf_view(&session), .haste = CALL_LAST_WORDS}};

        (void)!registry_run(r, &bye, RIGHT_PUSH, (struct str){0}, &fault);
    }
    return 0;
}
