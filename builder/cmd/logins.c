/* SPDX-License-Identifier: Apache-2.0 */
#include "logins.h"

#include <unistd.h>

#include "../base/fs.h"
#include "../base/path.h"
#include "../doc/json.h"
#include "../io/crypto.h"
#include "../io/program.h"

enum { FILE_MAX = 20 << 20, SAID_MAX = 1 << 20 };

static const char hub_server[] = "https://index.docker.io/v1/";

struct finding {
    struct str host, repository;
    char *const *environment;
    const struct events *events;
};

const char *environment_get(char *const *environment, const char *name)
{
    for (size_t len = strlen(name); environment && *environment; environment++)
        if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
            return *environment + len + 1;
    return NULL;
}

/* ---- keys ---- */

static struct str plain_host(struct str host)
{
    return str_is(host, "index.docker.io") || str_is(host, "registry-1.docker.io")
               ? STR("docker.io")
               : host;
}

/* How much of host and repository a key names; 0: it means another. */
static size_t match(const struct finding *f, struct str key)
{
    struct str host, path = {0};
    bool old = str_skip(&key, STR("https://")) || str_skip(&key, STR("http://"));

    host = key;
    if (str_cut(&key, STR("/"), &host) && !old)
        path = key;
    if (!str_eq(plain_host(host), plain_host(f->host)))
        return 0;
    if (path.len && !(str_starts(f->repository, path) &&
                      (path.len == f->repository.len || f->repository.p[path.len] == '/')))
        return 0;
    return host.len + path.len;
}

static const struct node *best(const struct finding *f, const struct node *map)
{
    const struct node *n, *found = NULL;
    size_t most = 0;

    if (map && map->kind != NODE_MAP)
        return NULL;
    node_each(n, map) {
        size_t len = match(f, n->key);

        if (len > most) {
            most = len;
            found = n;
        }
    }
    return found;
}

/* ---- helpers ---- */

static bool name_ok(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!c_alnum(name.p[i]) && !strchr("-_.", name.p[i]))
            return false;
    return name.len > 0;
}

static int take_said(struct login *out, const char *program, struct str said, struct err *e)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err ignored = {0}; /* its words may hold a part of the secret */
    struct str user, secret;

    if (json_parse(&doc, said, SAID_MAX, program, &ignored) < 0)
        return err_set(e, ERR_SYSTEM, "%s prints no JSON", program);
    user = node_text_of(doc.root, "Username");
    secret = node_text_of(doc.root, "Secret");
    if (!secret.len)
        return 0;
    out->identity = str_is(user, "<token>");
    out->user = str_dup(user);
    out->secret = str_dup(secret);
    explicit_bzero((char *)(uintptr_t)secret.p, secret.len);
    return 0;
}

static int run_helper(struct login *out, const char *program, const char *server,
                      const struct events *events, struct err *e)
{
    CLEANUP(program_clear) struct program *p = NULL;
    CLEANUP(buf_clear) struct buf missing = {0};
    char *const argv[] = {(char *)(uintptr_t)program, (char[]){"get"}, NULL};
    struct program_end end;
    bool reads;

    buf_fmt(&missing, "%s, which your configuration names for %s, is not installed here", program,
            server);
    if (program_open(&p,
                     &(struct program_how){.name = program,
                                           .argv = argv,
                                           .missing = missing.p,
                                           .input = PROGRAM_READS_PIPE,
                                           .errors = PROGRAM_ERRORS_OURS,
                                           .output_max = SAID_MAX,
                                           .events = events},
                     e) < 0 ||
        program_write(p, server, strlen(server), &reads, e) < 0 || program_wait(p, &end, e) < 0)
        return -1;
    if (end.code == 1 && str_find_str(end.output, STR("credentials not found")) < end.output.len)
        return 0;
    if (end.code || end.signal) {
        if (str_find_str(end.output, STR("\"Secret\"")) < end.output.len)
            end.output = (struct str){0}; /* its words are told, but not that one */
        return program_judge(&end, program, NULL, e);
    }
    return take_said(out, program, end.output, e);
}

static int ask_helper(struct login *out, const struct finding *f, struct str name, const char *file,
                      struct err *e)
{
    CLEANUP(buf_clear) struct buf program = {0};
    CLEANUP(free_clear)
    char *server =
        str_is(plain_host(f->host), "docker.io") ? xstrdup(hub_server) : str_dup(f->host);

    if (!name_ok(name))
        return err_set(e, ERR_INPUT, "%s: \"" STR_FMT "\" is not the name of a credential helper",
                       file, STR_ARG(name));
    buf_fmt(&program, "docker-credential-" STR_FMT, STR_ARG(name));
    return run_helper(out, program.p, server, f->events, e) < 0 ? err_wrap(e, "%s", file) : 0;
}

/* ---- auths ---- */

static int take_entry(struct login *out, const struct node *n, const char *file, struct err *e)
{
    CLEANUP(buf_wipe) struct buf both = {0};
    struct str user = node_text_of(n, "username"), secret = node_text_of(n, "password");
    struct str token = node_text_of(n, "identitytoken"), auth = node_text_of(n, "auth");

    if (auth.len) {
        if (!base64_decode(&both, auth, false))
            return err_set(e, ERR_INPUT, "%s: the `auth` of \"" STR_FMT "\" is not base64", file,
                           STR_ARG(n->key));
        secret = buf_view(&both);
        while (str_drop(&secret, (struct str){"\0", 1}))
            ;
        if (!str_cut(&secret, STR(":"), &user))
            return err_set(e, ERR_INPUT, "%s: the `auth` of \"" STR_FMT "\" is not user:password",
                           file, STR_ARG(n->key));
    }
    if (token.len)
        secret = token;
    if (!secret.len)
        return 0;
    out->identity = token.len;
    out->user = str_dup(user);
    out->secret = str_dup(secret);
    return 0;
}

static int read_file(struct login *out, const struct finding *f, const char *path, struct err *e)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    const struct node *helper, *entry;
    struct str store;

    if (!fs_exists(path))
        return 0;
    if (json_read(&doc, path, FILE_MAX, e) < 0)
        return -1;
    helper = best(f, node_get(doc.root, "credHelpers"));
    store = helper ? helper->text : node_text_of(doc.root, "credsStore");
    if (store.len && ask_helper(out, f, store, path, e) < 0)
        return -1;
    entry = best(f, node_get(doc.root, "auths"));
    return out->secret || !entry ? 0 : take_entry(out, entry, path, e);
}

/* Where podman keeps it for this run of the machine. */
static int try_runtime(struct login *out, const struct finding *f, struct err *e)
{
    const char *dir = environment_get(f->environment, "XDG_RUNTIME_DIR");
    CLEANUP(buf_clear) struct buf path = {0};

    if (out->secret)
        return 0;
    if (dir && *dir)
        buf_fmt(&path, "%s/containers/auth.json", dir);
    else /* as for root in a container, where nobody has logged in */
        buf_fmt(&path, "/run/containers/%u/auth.json", (unsigned)getuid());
    return read_file(out, f, path.p, e);
}

static int try_file(struct login *out, const struct finding *f, const char *variable,
                    const char *below, const char *name, struct err *e)
{
    const char *dir = environment_get(f->environment, variable);
    CLEANUP(buf_clear) struct buf path = {0};

    if (out->secret || !dir || !*dir)
        return 0;
    buf_fmt(&path, "%s%s%s", dir, below, name);
    return read_file(out, f, path.p, e);
}

int logins_find(struct login *out, char *const *environment, struct str host, struct str repository,
                const struct events *events, struct err *e)
{
    const struct finding f = {host, repository, environment, events};
    bool docker = environment_get(environment, "DOCKER_CONFIG");
    bool config = environment_get(environment, "XDG_CONFIG_HOME");

    if (try_file(out, &f, "REGISTRY_AUTH_FILE", "", "", e) < 0 ||
        try_file(out, &f, docker ? "DOCKER_CONFIG" : "HOME", docker ? "" : "/.docker",
                 "/config.json", e) < 0 ||
        try_runtime(out, &f, e) < 0)
        return -1;
    return try_file(out, &f, config ? "XDG_CONFIG_HOME" : "HOME", config ? "" : "/.config",
                    "/containers/auth.json", e);
}
