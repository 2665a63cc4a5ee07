/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "../base/fs.h"
#include "../doc/field.h"
#include "../doc/yaml.h"
#include "../oci/ref.h"

static struct str with_slash(struct config *c, struct str url)
{
    return str_ends(url, STR("/")) ? url
                                   : str_of(arena_fmt(&c->doc.arena, STR_FMT "/", STR_ARG(url)));
}

static bool check_url(struct str text, const struct pos *pos, struct err *e)
{
    CLEANUP(err_clear) struct err fault = {0};
    struct url u;

    if (url_parse(&u, text, &fault) == 0 && !u.query.p && !u.fragment.p)
        return true;
    err_at(e, pos, "mirrors: %s",
           fault.msg ? fault.msg : "an address without query and fragment is wanted here");
    return false;
}

static void read_mirror(struct config *c, struct http_mirrors *rule, const struct node *n,
                        struct err *e)
{
    if (!node_is_scalar(n))
        err_at(e, &n->pos, "mirrors: an address is wanted here, not %s", node_kind_name(n));
    else if (check_url(n->text, &n->pos, e))
        vec_add(&rule->mirrors, with_slash(c, n->text));
}

static void read_mirrors(struct config *c, const struct fields *f)
{
    const struct node *n, *item, *map = field_map(f, "mirrors");

    node_each(n, map) {
        struct http_mirrors *rule = vec_push(&c->rules);

        if (!check_url(n->key, &n->key_pos, f->e))
            continue;
        rule->prefix = with_slash(c, n->key);
        if (n->kind == NODE_LIST)
            node_each(item, n)
                read_mirror(c, rule, item, f->e);
        else
            read_mirror(c, rule, n, f->e);
    }
}

static void read_keyring(struct config *c, const struct fields *f)
{
    const struct node *n, *value = node_get(f->map, "keyring");
    struct str word, text;

    if (!value)
        return;
    if (value->kind == NODE_LIST) {
        node_each(n, value) {
            if (!node_is_scalar(n)) {
                err_at(f->e, &n->pos, "keyring: a word is wanted here, not %s", node_kind_name(n));
                return;
            }
            vec_add(&c->keyring, n->text);
        }
    } else {
        for (text = value->text; str_word(&text, &word);)
            vec_add(&c->keyring, word);
    }
    if (!c->keyring.n)
        err_at(f->e, &value->pos, "keyring: a program is wanted here, such as keyring");
}

/* "95MB", "50MiB", "1000000": bytes. */
static bool parse_size(uint64_t *out, struct str text)
{
    static const struct {
        struct str unit;
        uint64_t bytes;
    } units[] = {{STR_INIT("MiB"), 1 << 20},
                 {STR_INIT("GiB"), 1 << 30},
                 {STR_INIT("MB"), 1000000},
                 {STR_INIT("GB"), 1000000000}};
    uint64_t times = 1;

    for (size_t i = 0; i < ARRAY_LEN(units) && times == 1; i++)
        if (str_drop(&text, units[i].unit))
            times = units[i].bytes;
    return str_u64(str_trim(text), out) && !__builtin_mul_overflow(*out, times, out) && *out;
}

static void read_way(struct config_registry *r, const struct fields *f)
{
    static const char *const names[] = {"patch", "put", "chunks", NULL};
    static const enum registry_upload ways[] = {REGISTRY_PATCH, REGISTRY_PUT, REGISTRY_CHUNKS};
    CLEANUP(buf_clear) struct buf nearest = {0};
    struct str text = {0};

    if (!field_str(f, "upload", &text))
        return;
    for (size_t i = 0; names[i]; i++)
        if (str_is(text, names[i])) {
            r->upload = ways[i];
            return;
        }
    fields_suggest(&nearest, text, names);
    err_at(f->e, &node_get(f->map, "upload")->pos,
           "upload: \"" STR_FMT "\" is none of patch, put and chunks%s", STR_ARG(text),
           nearest.p ? nearest.p : "");
}

static void read_registry(struct config_registry *r, const struct node *n, struct err *e)
{
    static const char *const known[] = {"insecure", "upload", "chunk", NULL};
    struct fields f = fields_of(n, "registry", e);
    struct str chunk = {0};

    if (!ref_host_ok(n->key))
        err_at(e, &n->key_pos,
               "registries: \"" STR_FMT "\" is not a host name with an optional port",
               STR_ARG(n->key));
    r->host = n->key;
    fields_only(&f, known);
    field_bool(&f, "insecure", &r->insecure);
    read_way(r, &f);
    if (field_str(&f, "chunk", &chunk) && !parse_size(&r->chunk, chunk))
        err_at(e, &node_get(n, "chunk")->pos,
               "chunk: \"" STR_FMT "\" is not a size; write it as 95MB", STR_ARG(chunk));
    if (r->chunk && r->upload == REGISTRY_ANY)
        r->upload = REGISTRY_CHUNKS;
}

static void read_registries(struct config *c, const struct fields *f)
{
    const struct node *n, *map = field_map(f, "registries");

    node_each(n, map)
        read_registry(vec_push(&c->registries), n, f->e);
}

static void read_caches(struct config *c, const struct fields *f)
{
    const struct node *n, *list = field_list(f, "caches");

    node_each(n, list) {
        if (node_is_scalar(n) && str_starts(n->text, STR("docker://")))
            vec_add(&c->caches, n->text);
        else
            err_at(f->e, &n->pos, "caches: a repository is wanted here, as docker://HOST/NAME");
    }
}

/* From their users' reports: Google's takes one piece, whose digest it wants first; JFrog's takes
 * PATCH alone; Amazon's no chunks below 5 MiB; GitHub's ends an upload after ten minutes. */
static const struct {
    struct str end; /* of the host's name */
    struct config_registry how;
} known_hosts[] = {
    {STR_INIT("-docker.pkg.dev"), {.upload = REGISTRY_PUT}},
    {STR_INIT(".jfrog.io"), {.upload = REGISTRY_PATCH}},
    {STR_INIT(".amazonaws.com"), {.chunk_min = 5 << 20}},
    {STR_INIT("public.ecr.aws"), {.chunk_min = 5 << 20}},
    {STR_INIT("ghcr.io"), {.upload_max_ms = 600000}},
};

void config_registry(struct config_registry *out, const struct config *c, struct str host)
{
    const struct config_registry *r;

    *out = (struct config_registry){.host = host};
    for (size_t i = 0; i < ARRAY_LEN(known_hosts); i++)
        if (str_ends(host, known_hosts[i].end))
            *out = known_hosts[i].how;
    vec_each(r, &c->registries) {
        if (!str_eq_nocase(r->host, host))
            continue;
        out->insecure = r->insecure;
        out->chunk = r->chunk;
        if (r->upload != REGISTRY_ANY)
            out->upload = r->upload;
    }
}

int config_read(struct config *out, const char *path, struct err *e)
{
    static const char *const known[] = {"mirrors", "keyring", "registries", "caches", NULL};
    CLEANUP(config_clear) struct config c = {0};
    struct err fault = {0};
    struct fields f;

    if (!path || !fs_exists(path))
        return 0;
    if (yaml_read(&c.doc, path, e) < 0)
        return -1;
    f = fields_of(c.doc.root, "configuration", &fault);
    fields_only(&f, known);
    read_mirrors(&c, &f);
    read_keyring(&c, &f);
    read_registries(&c, &f);
    read_caches(&c, &f);
    if (err_is_set(&fault))
        return err_join(e, &fault);
    MOVE(out, &c);
    return 0;
}

void config_clear(struct config *c)
{
    for (size_t i = 0; i < c->rules.n; i++)
        vec_clear(&c->rules.v[i].mirrors);
    vec_clear(&c->rules);
    vec_clear(&c->keyring);
    vec_clear(&c->registries);
    vec_clear(&c->caches);
    doc_clear(&c->doc);
    *c = (struct config){0};
}
