/* SPDX-License-Identifier: Apache-2.0 */
#include "credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/fd.h"

enum { SECRET_MAX = 64 * 1024 };

struct asker {
    struct auth *auth;
    const struct config *config;
    const struct session *session;
};

/* The value of ENVBUILD_INDEX_<NAME>_<what>; empty when it is not set. */
static struct str variable(const struct asker *a, struct str name, const char *what)
{
    CLEANUP(buf_clear) struct buf key = {0};

    buf_puts(&key, "ENVBUILD_INDEX_");
    for (size_t i = 0; i < name.len; i++) {
        char c = name.p[i];

        buf_putc(&key, (char)(c == '-' ? '_' : c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c));
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

static int spawn(pid_t *pid, char *const *argv, int output, struct err *e)
{
    posix_spawn_file_actions_t files;
    int rc;

    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    rc = posix_spawnp(pid, argv[0], &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    errno = rc;
    return rc ? err_errno(e, "cannot start the keyring \"%s\"", argv[0]) : 0;
}

static int read_answer(struct buf *out, int fd, struct err *e)
{
    ssize_t n;

    do {
        n = read(fd, buf_room(out, 4096), 4096);
        if (n > 0)
            out->len += (size_t)n;
    } while ((n > 0 && out->len < SECRET_MAX) || (n < 0 && errno == EINTR));
    return n < 0 ? err_errno(e, "cannot read from the keyring") : 0;
}

static int run(struct buf *out, char *const *argv, bool *found, struct err *e)
{
    CLEANUP(fd_clear) struct fd in = {0};
    int ends[2], status, rc;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(e, "cannot make a pipe");
    in = (struct fd){ends[0], true};
    rc = spawn(&pid, argv, ends[1], e);
    close(ends[1]);
    if (rc < 0)
        return -1;
    rc = read_answer(out, in.n, e);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_errno(e, "cannot wait for the keyring");
    *found = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return rc;
}

/* `PROGRAM get ADDRESS USER`, as the program "keyring" understands it. */
static int ask_keyring(struct asker *a, struct str url, struct str user, struct buf *password,
                       struct err *e)
{
    const struct strs *words = &a->config->keyring;
    CLEANUP(names_clear) struct names argv = {0};
    bool found = false;
    struct str text, line = {0};

    if (!words->n)
        return 0;
    for (size_t i = 0; i < words->n; i++)
        vec_add(&argv, str_dup(words->v[i]));
    names_add(&argv, "get");
    vec_add(&argv, str_dup(url));
    vec_add(&argv, str_dup(user));
    vec_add(&argv, NULL);
    if (run(password, argv.v, &found, e) < 0)
        return -1;
    text = buf_view(password);
    str_line(&text, &line);
    password->len = found ? line.len : 0;
    return 0;
}

/* ---- one index ---- */

static int take_index(struct asker *a, struct str address, struct str name, struct err *e)
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
        struct str named = variable(a, name, "USERNAME");

        user = named.len ? named : user;
        named = variable(a, name, "PASSWORD");
        password = named.len ? named : password;
        token = variable(a, name, "TOKEN");
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
        if (take_index(&a, r->indexes.v[i].url.text, r->indexes.v[i].name.text, e) < 0)
            return -1;
    if (index && take_index(&a, str_of(index), (struct str){0}, e) < 0)
        return err_wrap(e, "--index");
    MOVE(out, &auth);
    return 0;
}
