/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe_form.h"

static void put(struct doc *doc, struct node *map, const char *key, const struct value *v)
{
    if (v->text.len)
        node_put_str(doc, map, key, v->text);
}

static void put_list(struct doc *doc, struct node *map, const char *key, const struct values *v)
{
    struct node *list;

    if (!v->n)
        return;
    list = node_put(doc, map, key, node_new_list(doc));
    for (size_t i = 0; i < v->n; i++)
        node_add_str(doc, list, v->v[i].text);
}

/* An empty command differs from none: it takes the default away. */
static void put_command(struct doc *doc, struct node *map, const char *key, bool has,
                        const struct values *v)
{
    if (has && !v->n)
        node_put(doc, map, key, node_new_list(doc));
    put_list(doc, map, key, v);
}

static void put_seconds(struct doc *doc, struct node *map, const char *key, uint32_t n)
{
    if (n)
        node_put_u64(doc, map, key, n);
}

static void put_health(struct doc *doc, struct node *root, const struct recipe *r)
{
    const struct recipe_health *h = &r->health;
    struct node *n;

    if (!r->has_healthcheck)
        return;
    if (!h->command.n) {
        node_put_str(doc, root, "healthcheck", STR("off"));
        return;
    }
    n = node_put(doc, root, "healthcheck", node_new_map(doc));
    put_list(doc, n, "command", &h->command);
    put_seconds(doc, n, "interval", h->interval);
    put_seconds(doc, n, "timeout", h->timeout);
    put_seconds(doc, n, "start_period", h->start_period);
    put_seconds(doc, n, "retries", h->retries);
}

static void put_services(struct doc *doc, struct node *root, const struct recipe *r)
{
    struct node *list, *n;

    if (!r->jupyter.on && !r->ssh.on)
        return;
    list = node_put(doc, root, "services", node_new_map(doc));
    if (r->jupyter.on) {
        n = node_put(doc, list, "jupyter", node_new_map(doc));
        node_put_u64(doc, n, "port", r->jupyter.port);
        put(doc, n, "notebooks", &r->jupyter.notebooks);
        put(doc, n, "password_hash", &r->jupyter.password_hash);
    }
    if (r->ssh.on) {
        n = node_put(doc, list, "ssh", node_new_map(doc));
        node_put_u64(doc, n, "port", r->ssh.port);
        put_list(doc, n, "authorized_keys", &r->ssh.authorized_keys);
    }
}

static void put_lock(struct doc *doc, struct node *n, const struct recipe_ask *ask)
{
    put(doc, n, "lock", &ask->value);
    if (ask->extras)
        node_put(doc, n, "extras", node_copy(doc, ask->extras));
    if (ask->groups)
        node_put(doc, n, "groups", node_copy(doc, ask->groups));
}

static void put_asks(struct doc *doc, struct node *root, const struct recipe *r)
{
    struct node *list;

    list = r->pip.n ? node_put(doc, root, "pip", node_new_list(doc)) : NULL;
    for (size_t i = 0; i < r->pip.n; i++)
        if (r->pip.v[i].lock)
            put_lock(doc, node_add(doc, list, node_new_map(doc)), &r->pip.v[i]);
        else if (r->pip.v[i].file)
            put(doc, node_add(doc, list, node_new_map(doc)), "requirements", &r->pip.v[i].value);
        else
            node_add_str(doc, list, r->pip.v[i].value.text);
    list = r->constraints.n ? node_put(doc, root, "constraints", node_new_list(doc)) : NULL;
    for (size_t i = 0; i < r->constraints.n; i++)
        node_add_str(doc, list, r->constraints.v[i].value.text);
}

static void put_archives(struct doc *doc, struct node *root, const struct recipe *r)
{
    struct node *list =
        r->archives.n ? node_put(doc, root, "apt_archives", node_new_list(doc)) : NULL;

    for (size_t i = 0; i < r->archives.n; i++) {
        const struct recipe_archive *a = &r->archives.v[i];
        struct node *n = node_add(doc, list, node_new_map(doc));

        put(doc, n, "uri", &a->uri);
        put_list(doc, n, "suites", &a->suites);
        put_list(doc, n, "components", &a->components);
        put(doc, n, "keyring", &a->keyring);
        put_list(doc, n, "fingerprints", &a->fingerprints);
    }
}

static void put_indexes(struct doc *doc, struct node *root, const struct recipe *r)
{
    struct node *list = r->indexes.n ? node_put(doc, root, "indexes", node_new_list(doc)) : NULL;

    for (size_t i = 0; i < r->indexes.n; i++) {
        struct node *n = node_add(doc, list, node_new_map(doc));

        put(doc, n, "url", &r->indexes.v[i].url);
        put(doc, n, "name", &r->indexes.v[i].name);
        put_list(doc, n, "only", &r->indexes.v[i].only);
    }
}

static bool is_plain(const struct recipe_build *b)
{
    return b->isolated && !b->env.n && !b->requires.n && !b->constraints.n && !b->archs.n &&
           !b->settings.n && !b->expect.n && !b->fetch.n;
}

static void put_build_of(struct doc *doc, struct node *map, const struct recipe_build *b)
{
    struct node *n = node_put(doc, map, arena_cstr(&doc->arena, b->name.text), node_new_map(doc)),
                *list;

    if (!b->isolated)
        node_put_bool(doc, n, "isolation", false);
    put_list(doc, n, "env", &b->env);
    put_list(doc, n, "requires", &b->requires);
    put_list(doc, n, "constraints", &b->constraints);
    put_list(doc, n, "archs", &b->archs);
    put_list(doc, n, "config_settings", &b->settings);
    put_list(doc, n, "expect", &b->expect);
    list = b->fetch.n ? node_put(doc, n, "fetch", node_new_list(doc)) : NULL;
    for (size_t i = 0; i < b->fetch.n; i++) {
        struct node *input = node_add(doc, list, node_new_map(doc));

        put(doc, input, "url", &b->fetch.v[i].url);
        put(doc, input, "sha256", &b->fetch.v[i].sha256);
    }
}

/* Names alone are a list, however they were written. */
static void put_builds(struct doc *doc, struct node *root, const struct recipe *r)
{
    const struct recipe_build *b;
    bool plain = true;
    struct node *n;

    if (r->build_all)
        node_put_str(doc, root, "build", STR("all"));
    if (!r->builds.n)
        return;
    vec_each(b, &r->builds)
        plain &= is_plain(b);
    n = node_put(doc, root, "build", plain ? node_new_list(doc) : node_new_map(doc));
    vec_each(b, &r->builds)
        if (plain)
            node_add_str(doc, n, b->name.text);
        else
            put_build_of(doc, n, b);
}

/* A path alone, where nothing else is said. */
static void put_project(struct doc *doc, struct node *root, const struct recipe_project *p)
{
    struct node *n;

    if (!p->extras.n && !p->groups.n) {
        put(doc, root, "project", &p->path);
        return;
    }
    n = node_put(doc, root, "project", node_new_map(doc));
    put(doc, n, "path", &p->path);
    put_list(doc, n, "extras", &p->extras);
    put_list(doc, n, "groups", &p->groups);
}

static void put_downloads(struct doc *doc, struct node *root, const struct recipe *r)
{
    struct node *list =
        r->downloads.n ? node_put(doc, root, "downloads", node_new_list(doc)) : NULL;
    const struct recipe_download *x;

    vec_each(x, &r->downloads) {
        struct node *n = node_add(doc, list, node_new_map(doc));

        put(doc, n, "name", &x->name);
        put(doc, n, "url", &x->url);
        put(doc, n, "sha256", &x->sha256);
        put(doc, n, "to", &x->to);
        if (x->unpack)
            node_put_bool(doc, n, "unpack", true);
        put(doc, n, "owner", &x->owner);
        put(doc, n, "mode", &x->mode);
    }
}

struct node *recipe_to_node(const struct recipe *r, struct doc *doc)
{
    struct node *root = node_new_map(doc), *list, *n;

    node_put_u64(doc, root, "envbuild", RECIPE_SCHEMA);
    put(doc, root, "name", &r->name);
    put(doc, root, "pytorch", &r->pytorch);
    put(doc, root, "cuda", &r->cuda);
    put(doc, root, "cudnn", &r->cudnn);
    put(doc, root, "variant", &r->variant);
    if (r->toolkit.from.text.len || r->toolkit.parts.n) {
        n = node_put(doc, root, "toolkit", node_new_map(doc));
        put(doc, n, "from", &r->toolkit.from);
        put_list(doc, n, "parts", &r->toolkit.parts);
    }
    if (r->slim)
        node_put_bool(doc, root, "slim", true);
    put(doc, root, "base", &r->base);
    if (r->image.text.len)
        put(doc, node_put(doc, root, "base", node_new_map(doc)), "image", &r->image);
    put(doc, root, "python", &r->python);
    if (r->wheels_only)
        node_put_bool(doc, root, "wheels_only", true);
    put_builds(doc, root, r);
    put_project(doc, root, &r->project);
    if (r->bytecode)
        node_put_bool(doc, root, "bytecode", true);
    put_list(doc, root, "apt", &r->apt);
    put_archives(doc, root, r);
    put_list(doc, root, "ca_certificates", &r->certificates);
    put_asks(doc, root, r);
    put_indexes(doc, root, r);
    put_list(doc, root, "find_links", &r->find_links);
    put(doc, root, "context", &r->context);
    list = r->files.n ? node_put(doc, root, "files", node_new_list(doc)) : NULL;
    for (size_t i = 0; i < r->files.n; i++) {
        n = node_add(doc, list, node_new_map(doc));
        put(doc, n, "from", &r->files.v[i].from);
        put(doc, n, "to", &r->files.v[i].to);
        put(doc, n, "owner", &r->files.v[i].owner);
        put(doc, n, "mode", &r->files.v[i].mode);
        put_list(doc, n, "exclude", &r->files.v[i].exclude);
    }
    put_downloads(doc, root, r);
    if (r->user.name.text.len) {
        n = node_put(doc, root, "user", node_new_map(doc));
        put(doc, n, "name", &r->user.name);
        node_put_u64(doc, n, "uid", r->user.uid);
        node_put_u64(doc, n, "gid", r->user.gid);
    }
    put_list(doc, root, "folders", &r->folders);
    put_list(doc, root, "volumes", &r->volumes);
    put_list(doc, root, "ports", &r->ports);
    put_health(doc, root, r);
    put_list(doc, root, "env", &r->env);
    put(doc, root, "workdir", &r->workdir);
    put_command(doc, root, "entrypoint", r->has_entrypoint, &r->entrypoint);
    put_command(doc, root, "cmd", r->has_cmd, &r->cmd);
    put(doc, root, "startup_check", &r->startup_check);
    put_services(doc, root, r);
    if (r->compression.n == 1)
        put(doc, root, "compression", &r->compression.v[0]);
    else
        put_list(doc, root, "compression", &r->compression);
    if (r->labels && r->labels->count)
        node_put(doc, root, "labels", node_copy(doc, r->labels));
    put(doc, root, "tag", &r->tag);
    return root;
}

/* ---- differences in words ---- */

static void word(struct buf *out, const char *fmt, ...) PRINTF(2, 3);
static void word(struct buf *out, const char *fmt, ...)
{
    va_list args;

    if (out->len)
        buf_puts(out, "; ");
    va_start(args, fmt);
    buf_vfmt(out, fmt, args);
    va_end(args);
}

static bool same(const struct node *a, const struct node *b)
{
    const struct node *x = a->child, *y = b->child;

    if (a->kind != b->kind || !str_eq(a->text, b->text) || a->count != b->count)
        return false;
    for (; x; x = x->next, y = y->next)
        if (!str_eq(x->key, y->key) || !same(x, y))
            return false;
    return true;
}

/* What stands for an item in words: its text, the one value of {requirements: x.txt}, or the file
 * of {lock: uv.lock, extras: [x]}; NULL for larger ones. */
static const struct node *item_word(const struct node *n)
{
    if (n->count && node_is_scalar(n->child) && (n->count == 1 || str_is(n->child->key, "lock")))
        n = n->child;
    return node_is_scalar(n) ? n : NULL;
}

static bool has_word(const struct node *list, struct str text)
{
    const struct node *n, *item;

    node_each(n, list)
        if ((item = item_word(n)) && str_eq(item->text, text))
            return true;
    return false;
}

/* Items of `list` that `other` has not. */
static void diff_items(struct buf *words, struct str key, const struct node *list,
                       const struct node *other, const char *what)
{
    const struct node *n, *item;

    node_each(n, list)
        if ((item = item_word(n)) && !has_word(other, item->text))
            word(words, STR_FMT ": \"" STR_FMT "\" %s", STR_ARG(key), STR_ARG(item->text), what);
}

static void diff_lists(struct buf *words, struct str key, const struct node *old,
                       const struct node *now)
{
    size_t before = words->len;

    diff_items(words, key, now, old, "is new");
    diff_items(words, key, old, now, "is gone");
    if (words->len == before)
        word(words, STR_FMT " changed", STR_ARG(key));
}

void recipe_diff(struct buf *words, const struct node *old, const struct node *now)
{
    const struct node *n;

    node_each(n, now) {
        const struct node *was = node_get_str(old, n->key);

        if (!was && node_is_scalar(n))
            word(words, STR_FMT ": \"" STR_FMT "\" is new", STR_ARG(n->key), STR_ARG(n->text));
        else if (!was)
            word(words, STR_FMT " is new", STR_ARG(n->key));
        else if (same(was, n))
            continue;
        else if (node_is_scalar(n) && node_is_scalar(was))
            word(words, STR_FMT ": \"" STR_FMT "\" became \"" STR_FMT "\"", STR_ARG(n->key),
                 STR_ARG(was->text), STR_ARG(n->text));
        else if (n->kind == NODE_LIST && was->kind == NODE_LIST)
            diff_lists(words, n->key, was, n);
        else
            word(words, STR_FMT " changed", STR_ARG(n->key));
    }
    node_each(n, old)
        if (!node_get_str(now, n->key))
            word(words, STR_FMT " is gone", STR_ARG(n->key));
}
