/* SPDX-License-Identifier: Apache-2.0 */
#include "descriptor.h"

void pairs_add(struct pairs *pairs, struct str key, struct str value)
{
    struct pair *p;

    vec_each(p, pairs) {
        if (str_eq(p->key, key)) {
            p->value = value;
            return;
        }
    }
    vec_add(pairs, ((struct pair){key, value}));
}

const struct str *pairs_get(const struct pairs *pairs, const char *key)
{
    const struct pair *p;

    vec_each(p, pairs)
        if (str_is(p->key, key))
            return &p->value;
    return NULL;
}

void descriptor_clear(struct descriptor *d)
{
    vec_clear(&d->annotations);
    *d = (struct descriptor){0};
}

void descriptors_clear(struct descriptors *list)
{
    struct descriptor *d;

    vec_each(d, list)
        descriptor_clear(d);
    vec_clear(list);
}

/* RFC 6838 names: a letter or digit, then up to 126 of these. */
static bool media_part_ok(struct str s)
{
    if (!s.len || s.len > 127 || !c_alnum(s.p[0]))
        return false;
    for (size_t i = 1; i < s.len; i++)
        if (!c_alnum(s.p[i]) && !str_has(STR("!#$&^_.+-"), s.p[i]))
            return false;
    return true;
}

bool media_type_ok(struct str type)
{
    struct str head;

    return str_cut(&type, STR("/"), &head) && media_part_ok(head) && media_part_ok(type);
}

bool media_type_is_manifest(struct str type)
{
    return str_is(type, MEDIA_MANIFEST) || str_is(type, MEDIA_DOCKER_MANIFEST);
}

bool media_type_is_index(struct str type)
{
    return str_is(type, MEDIA_INDEX) || str_is(type, MEDIA_DOCKER_LIST);
}

bool media_type_is_foreign(struct str type)
{
    if (str_is(type, MEDIA_DOCKER_LAYER_FOREIGN))
        return true;
    return str_skip(&type, STR(MEDIA_LAYER_FOREIGN)) &&
           (!type.len || str_is(type, "+gzip") || str_is(type, "+zstd"));
}

const struct node *oci_member(const struct node *map, const char *key)
{
    const struct node *n = node_get(map, key);

    return n && n->kind != NODE_NULL ? n : NULL;
}

int oci_member_str(struct str *out, const struct node *map, const char *key, struct err *e)
{
    const struct node *n = oci_member(map, key);

    if (!n)
        return 0;
    if (n->kind != NODE_STRING)
        return err_at(e, &n->pos, "%s is %s where text belongs", key, node_kind_name(n));
    *out = n->text;
    return 0;
}

int oci_member_strs(struct strs *out, const struct node *map, const char *key, struct err *e)
{
    const struct node *n = oci_member(map, key), *item;

    if (!n)
        return 0;
    if (n->kind != NODE_LIST)
        return err_at(e, &n->pos, "%s is %s where a list belongs", key, node_kind_name(n));
    node_each(item, n) {
        if (item->kind != NODE_STRING)
            return err_at(e, &item->pos, "%s holds %s where text belongs", key,
                          node_kind_name(item));
        vec_add(out, item->text);
    }
    return 0;
}

static int pair_compare(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;

    return str_cmp(x->key, y->key);
}

struct node *pairs_to_node(const struct pairs *pairs, struct doc *doc)
{
    struct node *map = node_new_map(doc);
    struct pairs sorted = {0};
    struct pair *p;

    vec_each(p, pairs)
        vec_add(&sorted, *p);
    vec_sort(&sorted, pair_compare);
    vec_each(p, &sorted)
        node_put_str(doc, map, arena_cstr(&doc->arena, p->key), p->value);
    vec_clear(&sorted);
    return map;
}

int pairs_from_node(struct pairs *out, const struct node *n, const char *what, struct err *e)
{
    const struct node *item;

    if (!n)
        return 0;
    if (n->kind != NODE_MAP)
        return err_at(e, &n->pos, "%s is %s where a map belongs", what, node_kind_name(n));
    node_each(item, n) {
        if (item->kind != NODE_STRING)
            return err_at(e, &item->pos, "%s: \"" STR_FMT "\" is %s where text belongs", what,
                          STR_ARG(item->key), node_kind_name(item));
        vec_add(out, ((struct pair){item->key, item->text})); /* JSON keys are unique */
    }
    vec_sort(out, pair_compare);
    return 0;
}

static struct node *platform_to_node(const struct platform *p, struct doc *doc)
{
    struct node *map = node_new_map(doc);

    node_put_str(doc, map, "architecture", p->architecture);
    node_put_str(doc, map, "os", p->os);
    if (p->variant.len)
        node_put_str(doc, map, "variant", p->variant);
    return map;
}

struct node *descriptor_to_node(const struct descriptor *d, struct doc *doc)
{
    struct node *map = node_new_map(doc);
    char digest[DIGEST_TEXT + 1];

    digest_text(&d->digest, digest);
    node_put_str(doc, map, "mediaType", d->media_type);
    node_put_str(doc, map, "digest", arena_str(&doc->arena, str_of(digest)));
    node_put_u64(doc, map, "size", d->size);
    if (d->annotations.n)
        node_put(doc, map, "annotations", pairs_to_node(&d->annotations, doc));
    if (d->platform.os.len)
        node_put(doc, map, "platform", platform_to_node(&d->platform, doc));
    if (d->artifact_type.len)
        node_put_str(doc, map, "artifactType", d->artifact_type);
    return map;
}

static int digest_member(struct digest *out, const struct node *map, const char *what,
                         struct err *e)
{
    struct str text = {0}, algorithm, rest;

    if (oci_member_str(&text, map, "digest", e) < 0)
        return err_wrap(e, "%s", what);
    if (!text.len)
        return err_at(e, &map->pos, "%s has no digest", what);
    if (digest_from_text(out, text))
        return 0;
    rest = text;
    if (str_cut(&rest, STR(":"), &algorithm) && !str_is(algorithm, "sha256"))
        return err_at(e, &map->pos,
                      "%s: digest \"" STR_FMT "\" is not a sha256, the only kind read", what,
                      STR_ARG(text));
    return err_at(e, &map->pos,
                  "%s: digest \"" STR_FMT "\" is not sha256: and 64 lower-case hex digits", what,
                  STR_ARG(text));
}

static int size_member(uint64_t *out, const struct node *map, const char *what, struct err *e)
{
    const struct node *n = oci_member(map, "size");

    if (!n)
        return err_at(e, &map->pos, "%s has no size", what);
    if (n->kind != NODE_NUMBER || !str_u64(n->text, out) || *out > INT64_MAX)
        return err_at(e, &n->pos, "%s: size \"" STR_FMT "\" is not a count of bytes", what,
                      STR_ARG(n->text));
    return 0;
}

static int platform_member(struct platform *out, const struct node *map, struct err *e)
{
    const struct node *n = oci_member(map, "platform");

    if (!n)
        return 0;
    if (n->kind != NODE_MAP)
        return err_at(e, &n->pos, "platform is %s where a map belongs", node_kind_name(n));
    if (oci_member_str(&out->os, n, "os", e) < 0 ||
        oci_member_str(&out->architecture, n, "architecture", e) < 0 ||
        oci_member_str(&out->variant, n, "variant", e) < 0)
        return -1;
    if (!out->os.len || !out->architecture.len)
        return err_at(e, &n->pos, "platform lacks os or architecture");
    return 0;
}

int descriptor_from_node(struct descriptor *out, const struct node *n, const char *what,
                         struct err *e)
{
    CLEANUP(descriptor_clear) struct descriptor d = {0};

    if (n->kind != NODE_MAP)
        return err_at(e, &n->pos, "%s is %s where a descriptor belongs", what, node_kind_name(n));
    if (digest_member(&d.digest, n, what, e) < 0 || size_member(&d.size, n, what, e) < 0)
        return -1;
    if (oci_member_str(&d.media_type, n, "mediaType", e) < 0 ||
        oci_member_str(&d.artifact_type, n, "artifactType", e) < 0 ||
        platform_member(&d.platform, n, e) < 0 ||
        pairs_from_node(&d.annotations, oci_member(n, "annotations"), "annotations", e) < 0)
        return err_wrap(e, "%s", what);
    if (!media_type_ok(d.media_type))
        return err_at(e, &n->pos, "%s: \"" STR_FMT "\" is not a media type", what,
                      STR_ARG(d.media_type));
    MOVE(out, &d);
    return 0;
}
