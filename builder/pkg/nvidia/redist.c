/* SPDX-License-Identifier: Apache-2.0 */
#include "redist.h"

#include "../../base/path.h"
#include "../../doc/json.h"

enum { WORD_MAX = 64, PATH_MAX_LEN = 512 }; /* up to 2025 the longest have 25 and 102 bytes */

/* Letters, digits and `also`; begins with a letter or digit. Such text may stand in a message, an
 * address and a path. */
static bool is_plain(struct str s, size_t max, const char *also)
{
    if (!s.len || s.len > max || !c_alnum(s.p[0]))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!c_alnum(s.p[i]) && (!s.p[i] || !strchr(also, s.p[i])))
            return false;
    return true;
}

static bool is_word(struct str s)
{
    return is_plain(s, WORD_MAX, "+-._");
}

/* ---- the document ---- */

static int get_word(struct str *out, const struct doc *doc, const char *key, struct err *e)
{
    const struct node *n = node_get(doc->root, key);

    if (!n)
        return 0;
    if (n->kind != NODE_STRING || !is_word(n->text))
        return err_at(e, &n->pos, "%s: a short plain word is wanted here", key);
    *out = n->text;
    return 0;
}

int redist_parse(struct redist *out, struct str text, const char *what, struct err *e)
{
    CLEANUP(redist_clear) struct redist r = {0};

    if (json_parse(&r.doc, text, REDIST_TEXT_MAX, what, e) < 0)
        return -1;
    if (r.doc.root->kind != NODE_MAP)
        return err_at(e, &r.doc.root->pos, "no manifest: a map of components is wanted, not %s",
                      node_kind_name(r.doc.root));
    if (get_word(&r.label, &r.doc, "release_label", e) < 0 ||
        get_word(&r.product, &r.doc, "release_product", e) < 0)
        return -1;
    MOVE(out, &r);
    return 0;
}

void redist_clear(struct redist *r)
{
    doc_clear(&r->doc);
    *r = (struct redist){0};
}

/* ---- one row ---- */

/* What is being read, for messages. */
struct reading {
    struct str component;
    struct err *e;
};

static bool fault(const struct reading *x, const struct node *n, const char *key, const char *want)
{
    err_at(x->e, &n->pos, STR_FMT ": %s: %s is wanted here", STR_ARG(x->component), key, want);
    return false;
}

static const struct node *need(const struct reading *x, const struct node *map, const char *key)
{
    const struct node *n = node_get(map, key);

    if (!n)
        err_at(x->e, &map->pos, STR_FMT ": \"%s\" is missing", STR_ARG(x->component), key);
    return n;
}

static bool get_version(struct str *out, const struct reading *x, const struct node *component)
{
    const struct node *n = need(x, component, "version");

    if (!n)
        return false;
    if (n->kind != NODE_STRING || !is_word(n->text))
        return fault(x, n, "version", "a short plain version");
    *out = n->text;
    return true;
}

static bool get_path(struct str *out, const struct reading *x, const struct node *row)
{
    const struct node *n = need(x, row, "relative_path");

    if (!n)
        return false;
    if (n->kind != NODE_STRING || !is_plain(n->text, PATH_MAX_LEN, "+-._/") ||
        !path_is_safe(n->text))
        return fault(x, n, "relative_path",
                     "a plain path below the manifest's folder, without \"..\",");
    *out = n->text;
    return true;
}

static bool get_size(uint64_t *out, const struct reading *x, const struct node *row)
{
    const struct node *n = need(x, row, "size");
    uint64_t size;

    if (!n)
        return false;
    if ((n->kind != NODE_STRING && n->kind != NODE_NUMBER) || !str_u64(n->text, &size) || !size ||
        size >= REDIST_SIZE_MAX)
        return fault(x, n, "size", "a number of bytes, from 1 to below 8 GiB,");
    *out = size;
    return true;
}

static bool get_digest(struct digest *out, const struct reading *x, const struct node *row)
{
    const struct node *n = need(x, row, "sha256");
    struct digest digest;

    if (!n)
        return false;
    if (n->kind != NODE_STRING || !digest_from_hex(&digest, n->text) || !digest_is_set(&digest))
        return fault(x, n, "sha256", "a SHA-256 of 64 lower-case hex digits");
    *out = digest;
    return true;
}

/* A platform's row is a file when it says where that is, and else a map of variants. */
static bool is_file(const struct node *row)
{
    return node_get(row, "relative_path") != NULL;
}

int redist_find(struct redist_file *out, const struct redist *r, struct str component,
                struct str platform, struct str variant, bool *found, struct err *e)
{
    const struct node *c = node_get_str(r->doc.root, component), *row;
    struct redist_file file = {.component = component};
    struct err faults = {0};
    struct reading x = {component, &faults};

    *found = false;
    if (!c)
        return 0;
    if (c->kind != NODE_MAP)
        return err_at(e, &c->pos, STR_FMT ": a map is wanted here, not %s", STR_ARG(component),
                      node_kind_name(c));
    row = node_get_str(c, platform);
    if (row && row->kind == NODE_MAP && !is_file(row) && (row = node_get_str(row, variant)) == NULL)
        return 0;
    if (!row)
        return 0;
    if (row->kind != NODE_MAP)
        return err_at(e, &row->pos, STR_FMT ": " STR_FMT ": a map is wanted here, not %s",
                      STR_ARG(component), STR_ARG(platform), node_kind_name(row));
    get_version(&file.version, &x, c);
    get_path(&file.path, &x, row);
    get_size(&file.size, &x, row);
    get_digest(&file.digest, &x, row);
    if (err_is_set(&faults))
        return err_join(e, &faults);
    file.component = c->key;
    *out = file;
    *found = true;
    return 0;
}

/* ---- what there is ---- */

void redist_list(struct strs *out, const struct redist *r, struct str platform)
{
    const struct node *c;

    node_each(c, r->doc.root)
        if (is_word(c->key) && node_get_str(c, platform))
            vec_add(out, c->key);
    vec_sort(out, str_compare);
}

void redist_variants(struct strs *out, const struct redist *r, struct str component,
                     struct str platform)
{
    const struct node *row = node_get_str(node_get_str(r->doc.root, component), platform), *v;

    if (!row || row->kind != NODE_MAP || is_file(row))
        return;
    node_each(v, row)
        if (is_word(v->key))
            vec_add(out, v->key);
    vec_sort(out, str_compare);
}
