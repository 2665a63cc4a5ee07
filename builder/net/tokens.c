/* SPDX-License-Identifier: Apache-2.0 */
#include "tokens.h"

#include <pthread.h>

#include "../doc/json.h"
#include "../io/crypto.h"
#include "challenge.h"
#include "http_parts.h"
#include "url.h"

enum {
    ANSWER_MAX = 1024 * 1024, /* bytes of a realm's answer */
    TOKEN_MAX = 64 * 1024,
    LIFE_S = 60, /* where a token does not say */
    LIFE_MAX_S = 24 * 3600,
};

struct token {
    char *scopes; /* owned; in one line */
    char *header; /* owned */
    int64_t until_ms;
};

enum wanted { WANTS_NOTHING, WANTS_BASIC, WANTS_BEARER };

struct tokens {
    struct tokens_how how;
    char *origin, *host;  /* owned */
    pthread_mutex_t lock; /* over all below */
    enum wanted wants;
    char *realm, *service, *scope; /* owned; of the last challenge */
    bool looked;
    struct login login;
    struct VEC_OF(struct token) list;
};

static void wipe(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free_clear(text);
}

void login_clear(struct login *login)
{
    free(login->user);
    wipe(&login->secret);
    *login = (struct login){0};
}

void tokens_open(struct tokens **out, const struct tokens_how *how)
{
    struct tokens *t = xcalloc(1, sizeof *t);

    t->how = *how;
    t->origin = str_dup(how->origin);
    t->host = str_dup(how->host);
    pthread_mutex_init(&t->lock, NULL);
    *out = t;
}

static void drop_token(struct token *token)
{
    free(token->scopes);
    wipe(&token->header);
}

void tokens_clear(struct tokens **tokens)
{
    struct tokens *t = *tokens;

    if (!t)
        return;
    for (size_t i = 0; i < t->list.n; i++)
        drop_token(&t->list.v[i]);
    vec_clear(&t->list);
    login_clear(&t->login);
    free(t->realm);
    free(t->service);
    free(t->scope);
    free(t->origin);
    free(t->host);
    pthread_mutex_destroy(&t->lock);
    free(t);
    *tokens = NULL;
}

/* Where tokens are to be had, seen from the registry. */
struct where {
    bool https, home_https;
    bool home; /* on the registry's host */
};

static struct where find(const struct tokens *t, const char *realm)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* both were addresses when they came */
    struct url there = {0}, home = {0};

    if (url_parse(&there, str_of(realm), &ignored) < 0 ||
        url_parse(&home, str_of(t->origin), &ignored) < 0)
        return (struct where){.home_https = true}; /* nobody is told anything there */
    return (struct where){.https = url_is_https(&there),
                          .home_https = url_is_https(&home),
                          .home = str_eq_nocase(there.host, home.host)};
}

/* May the realm be told? */
static bool is_trusted(const struct tokens *t, const char *realm)
{
    const struct where w = find(t, realm);

    return w.https || (!w.home_https && w.home);
}

int tokens_denied(struct tokens *t, struct str words, struct err *e)
{
    CLEANUP(buf_clear) struct buf untold = {0};
    bool known;

    pthread_mutex_lock(&t->lock);
    known = t->login.secret;
    if (known && t->wants == WANTS_BEARER && !is_trusted(t, t->realm))
        url_show(&untold, str_of(t->realm));
    pthread_mutex_unlock(&t->lock);
    if (untold.len)
        return err_set(e, ERR_NET,
                       "%s wants a token of %s, which is not told who is logged in, for it is "
                       "another host, and plain http",
                       t->host, untold.p);
    return err_set(e, ERR_NET, "%s %s%s" STR_FMT "; `docker login %s` or `podman login %s` %s",
                   t->host,
                   known ? "refuses the user that is logged in there"
                         : "wants to know who asks, and nobody is logged in there",
                   words.len ? ": " : "", STR_ARG(words), t->host, t->host,
                   known ? "changes that" : "does that");
}

/* ---- who we are ---- */

static int look_up(struct tokens *t, struct err *e)
{
    if (t->looked || !t->how.login)
        return 0;
    if (t->how.login(t->how.ctx, &t->login, e) < 0)
        return -1;
    t->looked = true;
    return 0;
}

static void add_basic(struct buf *out, const struct login *l)
{
    CLEANUP(buf_wipe) struct buf both = {0};

    buf_fmt(&both, "%s:%s", l->user ? l->user : "", l->secret);
    buf_puts(out, "Authorization: Basic ");
    base64_encode(out, both.p, both.len, false);
}

/* ---- asking a realm ---- */

static void add_query(struct buf *out, const char *name, struct str value)
{
    buf_fmt(out, "%s%s=", out->len && out->p[out->len - 1] != '?' ? "&" : "", name);
    for (size_t i = 0; i < value.len; i++)
        if (c_alnum(value.p[i]) || str_has(STR("-._~:/,"), value.p[i]))
            buf_putc(out, value.p[i]);
        else
            buf_fmt(out, "%%%02X", (unsigned)(unsigned char)value.p[i]);
}

static int realm_fault(const struct tokens *t, const char *why, struct err *e)
{
    CLEANUP(buf_clear) struct buf shown = {0};

    url_show(&shown, str_of(t->realm));
    return err_set(e, ERR_NET, "%s: the token that %s asks for: %s", shown.p, t->host, why);
}

/* What may stand in a header line, and is no line end. */
static bool is_plain(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] <= ' ' || text.p[i] > '~')
            return false;
    return text.len && text.len <= TOKEN_MAX;
}

static int take_answer(struct tokens *t, struct token *out, const struct call_whole *w,
                       struct err *e)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err ignored = {0}; /* its words may hold a part of the token */
    struct str token, life;
    uint64_t seconds = LIFE_S;
    struct buf header = {0};

    if (json_parse(&doc, buf_view(&w->body), ANSWER_MAX, "token", &ignored) < 0)
        return realm_fault(t, "the answer is not JSON", e);
    token = node_text_of(doc.root, "token");
    if (!token.len)
        token = node_text_of(doc.root, "access_token");
    life = node_text_of(doc.root, "expires_in");
    if (life.len && !str_u64(life, &seconds))
        seconds = LIFE_S;
    if (!is_plain(token))
        return realm_fault(t, "the answer holds no token", e);
    seconds = seconds < LIFE_MAX_S ? seconds : LIFE_MAX_S;
    buf_fmt(&header, "Authorization: Bearer " STR_FMT, STR_ARG(token));
    out->header = buf_take(&header);
    out->until_ms = now_ms() + (int64_t)seconds * 750;
    explicit_bzero((char *)(uintptr_t)token.p, token.len);
    return 0;
}

/* A session that is ended after an interruption may need a new token for that. */
static enum call_haste haste(const struct tokens *t)
{
    return events_cancelled(caller_options(t->how.caller)->events) ? CALL_LAST_WORDS : CALL_USUAL;
}

static void add_scopes(struct buf *query, struct str scopes)
{
    struct str one;

    while (str_word(&scopes, &one))
        add_query(query, "scope", one);
}

/* `grant_type=refresh_token`. Sets w->status. */
static int post_identity(struct tokens *t, struct call_whole *w, const char *scopes, struct err *e)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded",
                                          "Accept: application/json"};
    CLEANUP(buf_wipe) struct buf form = {0};

    add_query(&form, "grant_type", STR("refresh_token"));
    add_query(&form, "service", str_of(t->service));
    add_query(&form, "client_id", STR("envbuild"));
    add_query(&form, "scope", str_of(scopes));
    add_query(&form, "refresh_token", str_of(t->login.secret));
    *w = (struct call_whole){.ask = {.method = "POST",
                                     .url = str_of(t->realm),
                                     .headers = headers,
                                     .headers_n = ARRAY_LEN(headers),
                                     .haste = haste(t),
                                     .verified = !find(t, t->realm).home},
                             .text = buf_view(&form),
                             .limit = ANSWER_MAX};
    return call_run(t->how.caller, w, e);
}

static int get_token(struct tokens *t, struct call_whole *w, const char *scopes, bool told,
                     struct err *e)
{
    CLEANUP(buf_clear) struct buf url = {0};
    CLEANUP(buf_wipe) struct buf basic = {0};
    const char *headers[2] = {"Accept: application/json", NULL};

    buf_puts(&url, t->realm);
    if (!strchr(t->realm, '?'))
        buf_putc(&url, '?');
    if (t->service)
        add_query(&url, "service", str_of(t->service));
    add_scopes(&url, str_of(scopes));
    if (told) {
        add_query(&url, "client_id", STR("envbuild"));
        add_basic(&basic, &t->login);
        headers[1] = basic.p;
    }
    *w = (struct call_whole){.ask = {.method = "GET",
                                     .url = buf_view(&url),
                                     .headers = headers,
                                     .headers_n = told ? 2 : 1,
                                     .haste = haste(t),
                                     .verified = told && !find(t, t->realm).home},
                             .limit = ANSWER_MAX};
    return call_run(t->how.caller, w, e);
}

static int ask_realm(struct tokens *t, struct token *out, const char *scopes, struct err *e)
{
    CLEANUP(call_whole_clear) struct call_whole w = {0};
    char status[32];
    bool told, posted = false;

    if (look_up(t, e) < 0)
        return -1;
    told = t->login.secret && is_trusted(t, t->realm);
    if (told && t->login.identity) {
        if (post_identity(t, &w, scopes, e) < 0)
            return err_wrap(e, "%s", t->host);
        posted = w.status != 404 && w.status != 405;
        if (!posted)
            call_whole_clear(&w);
    }
    if (!posted && get_token(t, &w, scopes, told, e) < 0)
        return err_wrap(e, "%s", t->host);
    if (w.status == 200)
        return take_answer(t, out, &w, e);
    if (w.status == 401 || w.status == 403) {
        out->header = NULL;
        return 0; /* the caller words it */
    }
    snprintf(status, sizeof status, "HTTP %u", w.status);
    return realm_fault(t, status, e);
}

/* ---- tokens that are kept ---- */

/* Ours in one line. A scope of the challenge that is no repository's is asked for as well. */
static void join_scopes(struct buf *out, const struct tokens *t, const struct strs *scopes)
{
    struct str more = str_of(t->scope), one;

    for (size_t i = 0; i < scopes->n; i++)
        buf_fmt(out, "%s" STR_FMT, out->len ? " " : "", STR_ARG(scopes->v[i]));
    while (str_word(&more, &one))
        if (!str_starts(one, STR("repository:")))
            buf_fmt(out, "%s" STR_FMT, out->len ? " " : "", STR_ARG(one));
}

static void forget(struct tokens *t, const char *scopes)
{
    for (size_t i = t->list.n; i-- > 0;)
        if (strcmp(t->list.v[i].scopes, scopes) == 0) {
            drop_token(&t->list.v[i]);
            t->list.v[i] = t->list.v[--t->list.n];
        }
}

static int bearer(struct tokens *t, struct buf *out, const struct strs *scopes, struct err *e)
{
    CLEANUP(buf_clear) struct buf line = {0};
    const struct token *had;
    struct token fresh = {0};

    join_scopes(&line, t, scopes);
    if (!line.p)
        buf_puts(&line, "");
    vec_each(had, &t->list)
        if (strcmp(had->scopes, line.p) == 0 && now_ms() < had->until_ms) {
            buf_puts(out, had->header);
            return 0;
        }
    forget(t, line.p);
    if (ask_realm(t, &fresh, line.p, e) < 0)
        return -1;
    if (!fresh.header)
        return 0;
    buf_puts(out, fresh.header);
    fresh.scopes = buf_take(&line);
    vec_add(&t->list, fresh);
    return 0;
}

static int basic(struct tokens *t, struct buf *out, struct err *e)
{
    if (look_up(t, e) < 0)
        return -1;
    if (t->login.secret && !t->login.identity && is_trusted(t, t->origin))
        add_basic(out, &t->login);
    return 0;
}

static bool is_in(struct str text, struct str line, const char *before)
{
    struct str secret = str_sub(line, strlen(before), line.len);

    return secret.len && str_find_str(text, secret) < text.len;
}

bool tokens_in(struct tokens *t, struct str text)
{
    CLEANUP(buf_wipe) struct buf header = {0};
    const struct token *token;
    bool found = false;

    pthread_mutex_lock(&t->lock);
    if (t->login.secret) {
        add_basic(&header, &t->login);
        found = is_in(text, str_of(t->login.secret), "") ||
                is_in(text, buf_view(&header), "Authorization: Basic ");
    }
    vec_each(token, &t->list)
        found |= is_in(text, str_of(token->header), "Authorization: Bearer ");
    pthread_mutex_unlock(&t->lock);
    return found;
}

int tokens_header(struct tokens *t, struct buf *out, const struct strs *scopes, struct err *e)
{
    int result = 0;

    pthread_mutex_lock(&t->lock);
    switch (t->wants) {
    case WANTS_NOTHING:
        break;
    case WANTS_BASIC:
        result = basic(t, out, e);
        break;
    case WANTS_BEARER:
        result = bearer(t, out, scopes, e);
        break;
    }
    pthread_mutex_unlock(&t->lock);
    return result;
}

/* ---- challenges ---- */

static void keep(char **slot, struct str text)
{
    free(*slot);
    *slot = text.len ? str_dup(text) : NULL;
}

/* Where a realm may be: an address without a user in it. */
static bool realm_ok(struct str realm)
{
    CLEANUP(err_clear) struct err ignored = {0};
    struct url u;

    return url_parse(&u, realm, &ignored) == 0 && !url_is_file(&u) && !u.userinfo.p;
}

static int learn(struct tokens *t, const char *text, struct err *e)
{
    CLEANUP(challenges_clear) struct challenges all = {0};
    const struct challenge *c;

    if (!text || !challenges_parse(&all, str_of(text)))
        return 0;
    c = challenges_find(&all, "bearer");
    if (c) {
        if (!realm_ok(challenge_get(c, "realm")))
            return err_set(e, ERR_NET,
                           "%s: it asks for a token, and \"" STR_FMT
                           "\", where that is to be had, is not an address",
                           t->host, STR_ARG(challenge_get(c, "realm")));
        t->wants = WANTS_BEARER;
        keep(&t->realm, challenge_get(c, "realm"));
        keep(&t->service, challenge_get(c, "service"));
        keep(&t->scope, challenge_get(c, "scope"));
    } else if (challenges_find(&all, "basic")) {
        t->wants = WANTS_BASIC;
    }
    return 0;
}

int tokens_refused(struct tokens *t, const char *challenges, struct str sent, struct err *e)
{
    int result;

    pthread_mutex_lock(&t->lock);
    for (size_t i = t->list.n; i-- > 0;)
        if (str_eq(str_of(t->list.v[i].header), sent)) {
            drop_token(&t->list.v[i]);
            t->list.v[i] = t->list.v[--t->list.n];
        }
    result = learn(t, challenges, e);
    pthread_mutex_unlock(&t->lock);
    return result;
}
