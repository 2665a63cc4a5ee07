/* SPDX-License-Identifier: Apache-2.0 */
#include "services.h"

#include "../base/fs.h"
#include "../base/path.h"
#include "../doc/emit.h"
#include "../io/crypto.h"
#include "../model/embedded.h"

enum { KEYS_MAX = 64 * 1024 };

/* In seconds. On a busy machine JupyterLab takes minutes to start, and who is found ill is ended by
 * Kubernetes with all that runs in it; what cannot start ends by itself. */
enum { INTERVAL = 10, TIMEOUT = 30, START_PERIOD = 600, RETRIES = 3 };

#define SETTINGS "/usr/local/share/envbuild/services.json"
#define PROFILE "/etc/profile.d/envbuild-services.sh"

/* The base's /etc/profile sets PATH anew, so a log-in would lose the image's own. */
static const char profile[] = "# Written by envbuild: a session of ssh has the PATH of its image.\n"
                              "if [ -n \"${ENVBUILD_PATH:-}\" ]; then\n"
                              "    PATH=$ENVBUILD_PATH\n"
                              "    export PATH\n"
                              "    unset ENVBUILD_PATH\n"
                              "fi\n";

static bool has_any(const struct recipe *r)
{
    return r->jupyter.on || r->ssh.on;
}

/* ---- what they are made of ---- */

/* Is it "name", or "name=1.0" and the like? */
static bool names(struct str item, const char *name)
{
    return str_skip(&item, str_of(name)) && (!item.len || str_has(STR("=/:"), item.p[0]));
}

static void want(struct deb_wants *wants, const struct recipe *r, const char *name)
{
    for (size_t i = 0; i < r->apt.n; i++)
        if (names(r->apt.v[i].text, name))
            return;
    vec_add(wants, ((struct deb_want){str_of(name), r->services}));
}

void services_debs(struct deb_wants *wants, const struct recipe *r)
{
    if (has_any(r))
        want(wants, r, "tini");
    if (r->ssh.on)
        want(wants, r, "openssh-server");
}

bool services_same(const struct node *a, const struct node *b)
{
    static const char *const all[] = {"jupyter", "ssh"};
    bool same = true;

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        same &= !node_get(node_get(a, "services"), all[i]) ==
                !node_get(node_get(b, "services"), all[i]);
    return same;
}

/* ---- the keys that are let in ---- */

static bool is_key_type(struct str word)
{
    static const char *const begins[] = {"ssh-ed25519", "ssh-rsa", "ecdsa-sha2-", "sk-ssh-ed25519",
                                         "sk-ecdsa-sha2-"};

    for (size_t i = 0; i < ARRAY_LEN(begins); i++)
        if (str_starts(word, str_of(begins[i])))
            return true;
    return false;
}

/* "[options] type base64 [comment]", sshd(8). */
static bool is_key(struct str line)
{
    struct str word;

    while (str_word(&line, &word))
        if (is_key_type(word))
            return str_word(&line, &word) && str_starts(word, STR("AAAA"));
    return false;
}

static int add_keys(struct lock *lock, struct node *list, struct str text, const struct value *name,
                    struct err *e)
{
    struct str rest = text, line;
    bool more = true;

    if (str_find_str(text, STR("PRIVATE KEY-----")) < text.len)
        return err_at(e, &name->pos,
                      "services: ssh: \"" STR_FMT "\" is a private key, which is nobody's but "
                      "yours; name the file of the public one, which ends in .pub",
                      STR_ARG(name->text));
    while (more) {
        more = str_cut(&rest, STR("\n"), &line);
        line = str_trim(more ? line : rest);
        if (!line.len || line.p[0] == '#')
            continue;
        if (!is_key(line))
            return err_at(e, &name->pos,
                          "services: ssh: \"" STR_FMT
                          "\" has a line that is no public key: \"" STR_FMT
                          "\"; one a line is wanted, as in ~/.ssh/id_ed25519.pub",
                          STR_ARG(name->text), STR_ARG(str_sub(line, 0, 40)));
        node_add_str(&lock->doc, list, arena_str(&lock->doc.arena, line));
    }
    return 0;
}

static int take_keys(struct lock *lock, struct node *list, const struct value *name,
                     const char *dir, struct err *e)
{
    CLEANUP(free_clear) char *from = str_dup(name->text);
    CLEANUP(free_clear) char *path = path_join(dir, from);
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(err_clear) struct err why = {0};
    struct lock_input input = {.use = STR("services")};

    if (fs_read(&text, path, KEYS_MAX, &why) < 0)
        return err_at(e, &name->pos, "services: ssh: %s", why.msg);
    if (add_keys(lock, list, buf_view(&text), name, e) < 0)
        return -1;
    for (size_t i = 0; i < lock->inputs.n; i++)
        if (str_eq(lock->inputs.v[i].path, name->text))
            return 0;
    hash_bytes(&input.digest, text.p, text.len);
    input.path = arena_str(&lock->doc.arena, name->text);
    vec_add(&lock->inputs, input);
    return 0;
}

/* ---- files ---- */

static void add_file(struct lock *lock, const char *to, struct str text, bool executable)
{
    struct lock_copy *copy = vec_push(&lock->copies);
    struct lock_file file = {.executable = executable, .size = text.len};

    hash_bytes(&file.digest, text.p, text.len);
    copy->text = arena_str(&lock->doc.arena, text);
    copy->to = str_of(to);
    vec_add(&copy->files, file);
}

static void put(struct doc *d, struct node *map, const char *key, struct str text)
{
    if (text.len)
        node_put_str(d, map, key, text);
}

/* What services.py reads. */
static int print_settings(struct buf *out, struct lock *lock, const struct recipe *r,
                          const char *dir, struct err *e)
{
    struct doc *d = &lock->doc;
    struct node *root = node_new_map(d), *n, *keys;
    struct err fault = {0};

    put(d, root, "user", r->user.name.text);
    if (r->jupyter.on) {
        n = node_put(d, root, "jupyter", node_new_map(d));
        node_put_u64(d, n, "port", r->jupyter.port);
        put(d, n, "notebooks", r->jupyter.notebooks.text);
        put(d, n, "password_hash", r->jupyter.password_hash.text);
    }
    if (r->ssh.on) {
        n = node_put(d, root, "ssh", node_new_map(d));
        node_put_u64(d, n, "port", r->ssh.port);
        keys = node_put(d, n, "keys", node_new_list(d));
        for (size_t i = 0; i < r->ssh.authorized_keys.n; i++) {
            struct err why = {0};

            if (take_keys(lock, keys, &r->ssh.authorized_keys.v[i], dir, &why) < 0)
                err_join(&fault, &why);
        }
    }
    emit_json(out, root, EMIT_LINES);
    return err_is_set(&fault) ? err_join(e, &fault) : 0;
}

int services_take(struct lock *lock, const struct recipe *r, const char *dir, struct err *e)
{
    CLEANUP(buf_clear) struct buf settings = {0};
    struct str program;

    if (!has_any(r))
        return 0;
    if (print_settings(&settings, lock, r, dir, e) < 0)
        return -1;
    if (!embedded_get(&program, STR("plan-services.py")))
        return err_set(e, ERR_SYSTEM, "this envbuild was built without its services.py");
    add_file(lock, LOCK_SERVICES, program, true);
    add_file(lock, SETTINGS, buf_view(&settings), false);
    if (r->ssh.on)
        add_file(lock, PROFILE, str_of(profile), false);
    return 0;
}

/* ---- settings of the image ---- */

static void add_port(struct lock *lock, uint32_t port)
{
    vec_add(&lock->ports, str_of(arena_fmt(&lock->doc.arena, "%u/tcp", port)));
}

void services_set(struct lock *lock, const struct recipe *r)
{
    if (!has_any(r))
        return;
    vec_add(&lock->cmd, STR("/usr/bin/tini"));
    vec_add(&lock->cmd, STR("-s")); /* also where the engine's own init is process 1 */
    vec_add(&lock->cmd, STR("--"));
    vec_add(&lock->cmd, STR(LOCK_SERVICES));
    if (r->jupyter.on)
        add_port(lock, r->jupyter.port);
    if (r->ssh.on)
        add_port(lock, r->ssh.port);
    if (r->has_healthcheck)
        return;
    lock->health = (struct image_health){
        .interval = INTERVAL, .timeout = TIMEOUT, .start_period = START_PERIOD, .retries = RETRIES};
    vec_add(&lock->health.command, STR(LOCK_SERVICES));
    vec_add(&lock->health.command, STR("probe"));
}
