/* SPDX-License-Identifier: Apache-2.0 */
#include "field.h"

#include "../base/digest.h"

struct fields fields_of(const struct node *n, const char *what, struct err *e)
{
    if (n && n->kind != NODE_MAP) {
        err_at(e, &n->pos, "%s: a map of keys and values is wanted here, not %s", what,
               node_kind_name(n));
        n = NULL;
    }
    return (struct fields){n, what, e};
}

void fields_suggest(struct buf *out, struct str word, const char *const *known)
{
    const char *best = NULL;
    unsigned nearest = 3; /* beyond two edits it is another word */

    for (; *known; known++) {
        unsigned d = str_distance(word, str_of(*known), nearest);

        if (d < nearest) {
            nearest = d;
            best = *known;
        }
    }
    if (best)
        buf_fmt(out, " (did you mean \"%s\"?)", best);
}

static bool in_list(struct str key, const char *const *known)
{
    for (; *known; known++)
        if (str_is(key, *known))
            return true;
    return false;
}

static const char *instead_of(struct str key, const struct field_hint *hints)
{
    for (; hints && hints->key; hints++)
        if (str_is(key, hints->key))
            return hints->instead;
    return NULL;
}

void fields_only_or(const struct fields *f, const char *const *known,
                    const struct field_hint *hints)
{
    const struct node *n;
    bool listed = false;

    node_each(n, f->map) {
        CLEANUP(buf_clear) struct buf hint = {0};
        const char *instead = instead_of(n->key, hints);

        if (in_list(n->key, known))
            continue;
        if (instead)
            buf_fmt(&hint, "; %s", instead);
        else
            fields_suggest(&hint, n->key, known);
        if (!hint.len && !listed) {
            listed = true;
            buf_puts(&hint, "; known keys:");
            for (const char *const *k = known; *k; k++)
                buf_fmt(&hint, " %s", *k);
        }
        err_at(f->e, n->key_pos.file ? &n->key_pos : &n->pos, "unknown key \"" STR_FMT "\"%s",
               STR_ARG(n->key), hint.len ? hint.p : "");
    }
}

void fields_only(const struct fields *f, const char *const *known)
{
    fields_only_or(f, known, NULL);
}

static bool wrong(const struct fields *f, const struct node *n, const char *key, const char *want)
{
    err_at(f->e, &n->pos, "%s: %s is wanted here, not %s", key, want, node_kind_name(n));
    return false;
}

bool field_str(const struct fields *f, const char *key, struct str *out)
{
    const struct node *n = node_get(f->map, key);

    if (!n)
        return false;
    if (!node_is_scalar(n))
        return wrong(f, n, key, "text");
    *out = n->text;
    return true;
}

bool field_u64(const struct fields *f, const char *key, uint64_t *out, uint64_t max)
{
    const struct node *n = node_get(f->map, key);
    uint64_t number;

    if (!n)
        return false;
    if (!node_is_scalar(n))
        return wrong(f, n, key, "a whole number");
    if (!str_u64(n->text, &number)) {
        err_at(f->e, &n->pos, "%s: a whole number is wanted here, not \"" STR_FMT "\"", key,
               STR_ARG(n->text));
        return false;
    }
    if (number > max) {
        err_at(f->e, &n->pos, "%s: " STR_FMT " is more than %llu, the most allowed", key,
               STR_ARG(n->text), (unsigned long long)max);
        return false;
    }
    *out = number;
    return true;
}

bool field_bool(const struct fields *f, const char *key, bool *out)
{
    const struct node *n = node_get(f->map, key);

    if (!n)
        return false;
    if (n->kind != NODE_BOOL)
        return wrong(f, n, key, "true or false");
    *out = n->boolean;
    return true;
}

static const struct node *member(const struct fields *f, const char *key, enum node_kind kind,
                                 const char *want)
{
    const struct node *n = node_get(f->map, key);

    if (n && n->kind != kind) {
        wrong(f, n, key, want);
        return NULL;
    }
    return n;
}

const struct node *field_map(const struct fields *f, const char *key)
{
    return member(f, key, NODE_MAP, "a map");
}

const struct node *field_list(const struct fields *f, const char *key)
{
    return member(f, key, NODE_LIST, "a list");
}

/* True when the member is there; a fault otherwise, unless the map itself was already one. */
static bool need(const struct fields *f, const char *key)
{
    if (node_get(f->map, key))
        return true;
    if (f->map)
        err_at(f->e, &f->map->pos, "%s: \"%s\" is missing", f->what, key);
    return false;
}

bool field_need_str(const struct fields *f, const char *key, struct str *out)
{
    return need(f, key) && field_str(f, key, out);
}

bool field_need_u64(const struct fields *f, const char *key, uint64_t *out, uint64_t max)
{
    return need(f, key) && field_u64(f, key, out, max);
}

const struct node *field_need_map(const struct fields *f, const char *key)
{
    return need(f, key) ? field_map(f, key) : NULL;
}

const struct node *field_need_list(const struct fields *f, const char *key)
{
    return need(f, key) ? field_list(f, key) : NULL;
}

bool field_digest(const struct fields *f, const char *key, struct digest *out)
{
    const struct node *n = node_get(f->map, key);

    if (!n)
        return false;
    if (!node_is_scalar(n) || !digest_from_text(out, n->text)) {
        err_at(f->e, &n->pos, "%s: \"sha256:\" and 64 hex digits are wanted here", key);
        return false;
    }
    return true;
}
