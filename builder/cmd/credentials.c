/* SPDX-License-Identifier: Apache-2.0 */
#include "credentials.h"

#include "../io/program.h"

enum { SECRET_MAX = 64 * 1024 };

struct asker {
    struct auth *auth;
    const struct config *config;
    const struct session *session;
};

/* The value of ENVBUILD_<KIND>_<NAME>_<what>; empty when it is not set. */
static struct str variable(const struct asker *a, const char *kind, struct str name,
                           const char *what)
{
    CLEANUP(buf_clear) struct buf key = {0};

    buf_fmt(&key, "ENVBUILD_%s_", kind);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.p[i];

        buf_putc(&key, (char)(!c_alnum(c) ? '_' : c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c));
    }
    buf_fmt(&key, "_%s=", what);
    for (char **line = a->session->environment; line && *line; line++) {
        struct str text = str_of(*line);

        if (str_skip(&text, buf_view(&key)))
            return text;
    }
    return (struct str){0};
}

/* ---- the keyring's command ---- */

/* The first line that it prints; empty when it knows no password. */
static int run(struct buf *out, char *const *argv, const struct events *events, struct err *e)
{
    CLEANUP(buf_clear) struct buf name = {0};
    CLEANUP(program_clear) struct program *keyring = NULL;
    struct program_end end;
    struct str line = {0};

    buf_fmt(&name, "the keyring \"%s\"", argv[0]);
    if (program_open(&keyring,
                     &(struct program_how){.name = name.p,
                                           .argv = argv,
                                           .input = PROGRAM_READS_OURS,
                                           .errors = PROGRAM_ERRORS_OURS,
                                           .output_max = SECRET_MAX,
                                           .events = events},
                     e) < 0 ||
        program_wait(keyring, &end, e) < 0)
        return -1;
    if (!end.signal && !end.code && str_line(&end.output, &line))
        buf_str(out, line);
    return 0;
}

/* `PROGRAM get ADDRESS USER`, as the program "keyring" understands it. */
static int ask_keyring(struct asker *a, struct str url, struct str user, struct buf *password,
                       struct err *e)
{
    const struct strs *words = &a->config->keyring;
    CLEANUP(names_clear) struct names argv = {0};

    if (!words->n)
        return 0;
    for (size_t i = 0; i < words->n; i++)
        vec_add(&argv, str_dup(words->v[i]));
    names_add(&argv, "get");
    vec_add(&argv, str_dup(url));
    vec_add(&argv, str_dup(user));
    vec_add(&argv, NULL);
    return run(password, argv.v, a->session->events, e);
}

/* ---- one index ---- */

/* `kind`: of what has that address, "INDEX" or "DOWNLOAD". */
static int take_address(struct asker *a, const char *kind, struct str address, struct str name,
                        struct err *e)
{
    CLEANUP(buf_clear) struct buf url = {0}, known = {0}, asked = {0};
    struct str user = {0}, password, token = {0};
    struct url parts;

    if (url_parse(&parts, address, e) < 0)
        return -1;
    url_without_userinfo(&url, address);
    if (url_decode(&known, parts.userinfo, e) < 0)
        return -1;
    password = buf_view(&known);
    if (!str_cut(&password, STR(":"), &user)) {
        user = password;
        password = (struct str){0};
    }
    if (name.len) {
        struct str named = variable(a, kind, name, "USERNAME");

        user = named.len ? named : user;
        named = variable(a, kind, name, "PASSWORD");
        password = named.len ? named : password;
        token = variable(a, kind, name, "TOKEN");
    }
    if (user.len && !password.len && !token.len) {
        if (ask_keyring(a, buf_view(&url), user, &asked, e) < 0)
            return -1;
        password = buf_view(&asked);
    }
    if (token.len && !user.len)
        auth_add(a->auth, buf_view(&url), (struct str){0}, token);
    else if (user.len && (password.len || token.len))
        auth_add(a->auth, buf_view(&url), user, password.len ? password : token);
    else if (password.len)
        auth_add(a->auth, buf_view(&url), STR("__token__"), password);
    return 0;
}

int credentials_of(struct auth *out, const struct recipe *r, const char *index,
                   const struct config *config, const struct session *s, struct err *e)
{
    CLEANUP(auth_clear) struct auth auth = {.netrc = s->netrc ? xstrdup(s->netrc) : NULL};
    struct asker a = {&auth, config, s};

    for (size_t i = 0; i < r->indexes.n; i++)
        if (take_address(&a, "INDEX", r->indexes.v[i].url.text, r->indexes.v[i].name.text, e) < 0)
            return -1;
    for (size_t i = 0; i < r->downloads.n; i++)
        if (take_address(&a, "DOWNLOAD", r->downloads.v[i].url.text, r->downloads.v[i].name.text,
                         e) < 0)
            return -1;
    if (index && take_address(&a, "INDEX", str_of(index), (struct str){0}, e) < 0)
        return err_wrap(e, "--index");
    MOVE(out, &auth);
    return 0;
}
