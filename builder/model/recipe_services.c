/* What containers of the image start by themselves. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe_reading.h"

#include "../base/path.h"

enum { PORT_MIN = 1024, JUPYTER_PORT = 8888, SSH_PORT = 2222 };

static bool begin(struct reading *sub, struct reading *in, const char *name,
                  const char *const *known)
{
    const struct node *n = node_get(in->f.map, name);

    *sub = (struct reading){in->r, {NULL, "services", in->e}, in->e};
    if (n && n->kind != NODE_NULL)
        sub->f = fields_of(n, "services", in->e);
    fields_only(&sub->f, known);
    return n;
}

/* Below 1024 a port is root's in most engines. */
static void get_port(struct reading *in, const char *what, uint32_t otherwise, uint32_t *out)
{
    const struct node *n = node_get(in->f.map, "port");
    uint64_t port = otherwise;

    if (field_u64(&in->f, "port", &port, UINT16_MAX) && port < PORT_MIN)
        err_at(in->e, &n->pos,
               "services: %s: port %u is root's; take one from %d on: which port of the host leads "
               "there is for who runs it, as in `docker run -p %u:%u`",
               what, (unsigned)port, PORT_MIN, (unsigned)port, otherwise);
    *out = (uint32_t)port;
}

/* ---- JupyterLab ---- */

static bool is_empty(const struct node *n)
{
    return n->kind == NODE_NULL || (node_is_scalar(n) && !str_trim(n->text).len);
}

/* Whoever reaches the port runs programs: nothing there is open, and no secret is in an image. */
static void refuse_secret(struct reading *in, const char *key)
{
    const struct node *n = node_get(in->f.map, key);

    if (n && is_empty(n))
        err_at(in->e, &n->pos,
               "services: jupyter: with an empty %s anybody who reaches the port runs programs "
               "there; leave it out, and each start makes a token and prints the link",
               key);
    else if (n)
        err_at(in->e, &n->pos,
               "services: jupyter: a %s in the recipe is known to everybody who has the image; "
               "give a token to who runs it, as JUPYTER_TOKEN or /run/secrets/jupyter_token, or "
               "write password_hash",
               key);
}

/* "argon2:$argon2id$v=19$m=10240,t=10,p=8$...$...": a faster hash is soon guessed, and who has the
 * image has the hash. */
static void get_password_hash(struct reading *in, struct value *out)
{
    struct str rest;

    if (!node_get(in->f.map, "password_hash"))
        return;
    reading_value(in, "password_hash", out);
    rest = out->text;
    if (rest.len && (!str_skip(&rest, STR("argon2:$argon2id$")) || !reading_all_of(rest, "+/=,$")))
        err_at(in->e, &out->pos,
               "services: jupyter: password_hash is not what Jupyter makes of a password, "
               "\"argon2:$argon2id$...\"; in a container of the image `python3 -c \"from "
               "jupyter_server.auth import passwd; print(passwd())\"` asks for one and prints it");
}

static void get_notebooks(struct reading *in, struct value *out)
{
    CLEANUP(buf_clear) struct buf clean = {0};

    reading_value(in, "notebooks", out);
    if (!out->text.len)
        return;
    if (!reading_absolute(out->text) || !path_clean(&clean, out->text) || clean.len < 2)
        err_at(in->e, &out->pos,
               "services: jupyter: notebooks \"" STR_FMT "\" is not an absolute path of the image, "
               "such as \"/opt/notebooks\"",
               STR_ARG(out->text));
    else
        out->text = arena_str(&in->r->doc.arena, buf_view(&clean));
}

static void read_jupyter(struct reading *in)
{
    static const char *const known[] = {"port",  "notebooks", "password_hash",
                                        "token", "password",  NULL};
    struct recipe_jupyter *j = &in->r->jupyter;
    struct reading sub;

    if (!begin(&sub, in, "jupyter", known))
        return;
    j->on = true;
    get_port(&sub, "jupyter", JUPYTER_PORT, &j->port);
    get_notebooks(&sub, &j->notebooks);
    get_password_hash(&sub, &j->password_hash);
    refuse_secret(&sub, "token");
    refuse_secret(&sub, "password");
}

/* ---- OpenSSH ---- */

static void read_ssh(struct reading *in)
{
    static const char *const known[] = {"port", "authorized_keys", NULL};
    const struct node *n = node_get(in->f.map, "ssh");
    struct recipe_ssh *s = &in->r->ssh;
    const struct value *v;
    struct reading sub;

    if (!begin(&sub, in, "ssh", known))
        return;
    s->on = true;
    get_port(&sub, "ssh", SSH_PORT, &s->port);
    reading_texts(&sub, "authorized_keys", &s->authorized_keys);
    vec_each(v, &s->authorized_keys)
        if (str_starts(v->text, STR("/")))
            err_at(in->e, &v->pos,
                   "services: ssh: \"" STR_FMT "\" must be relative to the recipe's folder",
                   STR_ARG(v->text));
    if (!in->r->user.name.text.len)
        err_at(in->e, &n->key_pos,
               "services: ssh: root is never let in, and the image has no other user; add `user: "
               "{name: student}`");
    if (in->r->jupyter.on && in->r->jupyter.port == s->port)
        err_at(in->e, &n->key_pos, "services: jupyter and ssh cannot both have port %u", s->port);
}

/* ---- both ---- */

/* {jupyter: {port: 8888}, ssh: {authorized_keys: [keys.pub]}}; user and base are known. */
void recipe_read_services(struct reading *in)
{
    static const char *const known[] = {"jupyter", "ssh", NULL};
    const struct node *n = node_get(in->f.map, "services");
    const struct node *cmd = node_get(in->f.map, "cmd");
    struct reading sub;

    if (!n)
        return;
    sub = (struct reading){in->r, fields_of(n, "services", in->e), in->e};
    fields_only(&sub.f, known);
    if (sub.f.map && !n->count)
        err_at(in->e, &n->pos,
               "services: none stands here; there are jupyter and ssh, as in "
               "{jupyter: {port: 8888}}");
    read_jupyter(&sub);
    read_ssh(&sub);
    in->r->services = n->pos;
    if (cmd)
        err_at(in->e, &cmd->pos,
               "cmd: the image's command starts its services; leave `cmd` out, and name another "
               "command when you run it, as in `docker run IMAGE COMMAND`");
    if (in->r->image.text.len)
        err_at(in->e, &n->key_pos,
               "services: their programs are packages, which cannot be added to an image that is "
               "named as the base; name a base such as debian-12");
}
