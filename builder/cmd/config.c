/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "../base/fs.h"
#include "../doc/field.h"
#include "../doc/yaml.h"

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

int config_read(struct config *out, const char *path, struct err *e)
{
    static const char *const known[] = {"mirrors", "keyring", NULL};
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
    doc_clear(&c->doc);
    *c = (struct config){0};
}
