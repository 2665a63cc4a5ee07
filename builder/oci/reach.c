/* SPDX-License-Identifier: Apache-2.0 */
#include "reach.h"

#include "../base/map.h"

struct reaching {
    reach_read read;
    void *ctx;
    struct map seen;    /* digests by their bytes */
    struct arena arena; /* of the keys */
    struct digests list;
    uint64_t bytes;
};

static void reaching_clear(struct reaching *r)
{
    map_clear(&r->seen);
    arena_clear(&r->arena);
    vec_clear(&r->list);
}

static struct str key_of(const struct digest *d)
{
    return (struct str){(const char *)d->bytes, sizeof d->bytes};
}

static bool has(const struct reaching *r, const struct digest *d)
{
    return map_has(&r->seen, key_of(d));
}

/* False when it was there. */
static bool add(struct reaching *r, const struct descriptor *d)
{
    if (has(r, &d->digest))
        return false;
    map_set(&r->seen, arena_str(&r->arena, key_of(&d->digest)), r);
    vec_add(&r->list, d->digest);
    if (__builtin_add_overflow(r->bytes, d->size, &r->bytes))
        r->bytes = UINT64_MAX;
    return true;
}

static int follow(struct reaching *r, const struct descriptor *d, struct err *e);

static int follow_all(struct reaching *r, const struct descriptors *list, struct err *e)
{
    const struct descriptor *d;

    vec_each(d, list)
        if (follow(r, d, e) < 0)
            return -1;
    return 0;
}

/* A document, if it is one and here; *there is false else. */
struct document {
    bool there, list;
    struct image_index index;
    struct image_manifest manifest;
};

static void document_clear(struct document *doc)
{
    image_index_clear(&doc->index);
    image_manifest_clear(&doc->manifest);
}

static int document_read(struct document *out, const struct reaching *r, const struct descriptor *d,
                         struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    char what[DIGEST_TEXT + 1];

    if (!media_type_is_manifest(d->media_type) && !media_type_is_index(d->media_type))
        return 0;
    if (r->read(r->ctx, d, &text, &out->there, e) < 0)
        return -1;
    if (!out->there)
        return 0;
    digest_text(&d->digest, what);
    out->list = image_is_index(buf_view(&text));
    return out->list ? image_index_parse(&out->index, buf_view(&text), NULL, what, e)
                     : image_manifest_parse(&out->manifest, buf_view(&text), NULL, what, e);
}

static int follow(struct reaching *r, const struct descriptor *d, struct err *e)
{
    CLEANUP(document_clear) struct document doc = {0};

    if (!add(r, d))
        return 0;
    if (document_read(&doc, r, d, e) < 0)
        return -1;
    if (!doc.there)
        return 0;
    if (doc.list)
        return follow_all(r, &doc.index.manifests, e);
    add(r, &doc.manifest.config);
    return follow_all(r, &doc.manifest.layers, e);
}

/* "sha256-<64 hex>" or "sha256-<64 hex>.sig" */
static bool subject_of_tag(struct digest *out, const struct descriptor *d)
{
    const struct str *tag = pairs_get(&d->annotations, ANNOTATION_REF_NAME);
    struct str hex = tag ? *tag : (struct str){0}, rest;

    if (!str_skip(&hex, STR("sha256-")) || hex.len < DIGEST_HEX)
        return false;
    rest = str_sub(hex, DIGEST_HEX, hex.len);
    return (!rest.len || rest.p[0] == '.') && digest_from_hex(out, str_sub(hex, 0, DIGEST_HEX));
}

int reach_referrers(struct reach_entry *entries, size_t n, reach_read read, void *ctx,
                    struct err *e)
{
    const struct reaching r = {.read = read, .ctx = ctx};

    for (size_t i = 0; i < n; i++) {
        CLEANUP(document_clear) struct document doc = {0};

        if (document_read(&doc, &r, entries[i].d, e) < 0)
            return -1;
        if (doc.list && doc.index.has_subject)
            entries[i].refers = doc.index.subject.digest;
        else if (!doc.list && doc.there && doc.manifest.has_subject)
            entries[i].refers = doc.manifest.subject.digest;
        else
            (void)subject_of_tag(&entries[i].refers, entries[i].d);
    }
    return 0;
}

/* Also where nothing leads to it. One that cannot be read is here, too. */
static bool is_here(const struct reaching *r, const struct digest *digest)
{
    const struct descriptor d = {.media_type = STR(MEDIA_MANIFEST), .digest = *digest};
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(err_clear) struct err ignored = {0};
    bool there = false;

    return r->read(r->ctx, &d, &text, &there, &ignored) < 0 || there;
}

/* Take what refers to what stays, and what refers to that. */
static int take_referrers(struct reaching *r, const struct reaching *all,
                          struct reach_entry *entries, size_t n, struct err *e)
{
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < n; i++) {
            struct reach_entry *entry = &entries[i];

            if (!digest_is_set(&entry->refers) || !entry->goes ||
                (!has(r, &entry->refers) && has(all, &entry->refers)))
                continue;
            entry->goes = false;
            more = true;
            if (follow(r, entry->d, e) < 0)
                return -1;
        }
    }
    return 0;
}

int reach(struct digests *out, struct reach_entry *entries, size_t n, reach_read read, void *ctx,
          struct err *e)
{
    CLEANUP(reaching_clear) struct reaching all = {.read = read, .ctx = ctx};
    CLEANUP(reaching_clear) struct reaching stays = {.read = read, .ctx = ctx};

    if (reach_referrers(entries, n, read, ctx, e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (digest_is_set(&entries[i].refers))
            entries[i].goes = true;
        if (follow(&all, entries[i].d, e) < 0 ||
            (!entries[i].goes && follow(&stays, entries[i].d, e) < 0))
            return -1;
    }
    for (size_t i = 0; i < n; i++)
        if (digest_is_set(&entries[i].refers) && is_here(&all, &entries[i].refers))
            add(&all, &(struct descriptor){.digest = entries[i].refers});
    if (take_referrers(&stays, &all, entries, n, e) < 0)
        return -1;
    vec_sort(&stays.list, digest_order);
    MOVE(out, &stays.list);
    return 0;
}

int reach_size(uint64_t *out, const struct descriptor *d, reach_read read, void *ctx, struct err *e)
{
    CLEANUP(reaching_clear) struct reaching r = {.read = read, .ctx = ctx};

    if (follow(&r, d, e) < 0)
        return -1;
    *out = r.bytes;
    return 0;
}
