/* SPDX-License-Identifier: Apache-2.0 */
#include "pull.h"

#include "../doc/emit.h"

enum { PAGE = 1000 }; /* names in one answer, at most */

/* ---- documents ---- */

static void put_json(struct httpd_answer *out, unsigned status, const struct doc *d)
{
    CLEANUP(buf_clear) struct buf text = {0};

    emit_json(&text, d->root, EMIT_COMPACT);
    out->status = status;
    httpd_header(out, "Content-Type", STR("application/json"));
    httpd_text(out, arena_str(&out->arena, buf_view(&text)));
}

void pull_answer_error(struct httpd_answer *out, unsigned status, const char *code,
                       const char *message)
{
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *list, *item = node_new_map(&d);

    d.root = node_new_map(&d);
    list = node_put(&d, d.root, "errors", node_new_list(&d));
    node_add(&d, list, item);
    node_put_str(&d, item, "code", str_of(code));
    node_put_str(&d, item, "message", str_of(message));
    put_json(out, status, &d);
}

static void put_digest(struct httpd_answer *out, const struct digest *digest)
{
    CLEANUP(buf_clear) struct buf etag = {0};
    char text[DIGEST_TEXT + 1];

    digest_text(digest, text);
    buf_fmt(&etag, "\"%s\"", text);
    httpd_header(out, "Docker-Content-Digest", str_of(text));
    out->etag = arena_str(&out->arena, buf_view(&etag));
}

/* ---- lists ---- */

/* Those of a sorted list behind `last`, at most `n`. */
static void put_list(struct httpd_answer *out, struct doc *d, const char *key,
                     const struct strs *all, const struct httpd_ask *ask)
{
    struct str last = httpd_query_one(ask, "last"), limit = httpd_query_one(ask, "n"), end = {0};
    struct node *list = node_put(d, d->root, key, node_new_list(d));
    CLEANUP(buf_clear) struct buf link = {0};
    uint32_t n = PAGE;
    bool more = false;
    const struct str *s;

    if (limit.len && !str_u32(limit, &n)) {
        pull_answer_error(out, 400, "UNSUPPORTED", "n is no number");
        return;
    }
    n = n < PAGE ? n : PAGE;
    vec_each(s, all) {
        if (last.len && str_cmp(*s, last) <= 0)
            continue;
        more = list->count == n;
        if (more)
            break;
        node_add_str(d, list, *s);
        end = *s;
    }
    if (more && n) {
        buf_fmt(&link, "<" STR_FMT "?n=%u&last=" STR_FMT ">; rel=\"next\"", STR_ARG(ask->path), n,
                STR_ARG(end));
        httpd_header(out, "Link", buf_view(&link));
    }
    put_json(out, 200, d);
}

static void put_catalog(struct httpd_answer *out, const struct shelf *shelf,
                        const struct httpd_ask *ask)
{
    CLEANUP(doc_clear) struct doc d = {0};
    const struct shelf_repository *r;
    struct strs names = {0};

    d.root = node_new_map(&d);
    vec_each(r, &shelf->repositories)
        vec_add(&names, r->name);
    put_list(out, &d, "repositories", &names, ask);
    vec_clear(&names);
}

static void put_tags(struct httpd_answer *out, const struct shelf_repository *r,
                     const struct httpd_ask *ask)
{
    CLEANUP(doc_clear) struct doc d = {0};
    const struct shelf_tag *t;
    struct strs names = {0};

    d.root = node_new_map(&d);
    node_put_str(&d, d.root, "name", r->name);
    vec_each(t, &r->tags)
        vec_add(&names, t->tag);
    put_list(out, &d, "tags", &names, ask);
    vec_clear(&names);
}

static void put_referrers(struct httpd_answer *out, const struct shelf *shelf,
                          const struct digest *subject, const struct httpd_ask *ask)
{
    const struct image_index *all = shelf_referrers(shelf, subject);
    struct str type = httpd_query_one(ask, "artifactType");
    CLEANUP(buf_clear) struct buf json = {0};
    struct image_index found = {0};
    const struct descriptor *d;

    if (all)
        vec_each(d, &all->manifests)
            if (!type.len || str_eq(type, d->artifact_type))
                vec_add(&found.manifests, *d); /* its annotations stay those of `all` */
    image_index_write(&found, &json);
    vec_clear(&found.manifests);
    out->status = 200;
    httpd_header(out, "Content-Type", STR(MEDIA_INDEX));
    if (type.len)
        httpd_header(out, "OCI-Filters-Applied", STR("artifactType"));
    httpd_text(out, arena_str(&out->arena, buf_view(&json)));
}

/* ---- what images are made of ---- */

static void put_manifest(struct httpd_answer *out, const struct shelf *shelf,
                         const struct shelf_repository *r, const struct route *route)
{
    const struct shelf_tag *tag = route->tag.len ? shelf_tag(r, route->tag) : NULL;
    const struct shelf_doc *d = NULL;

    if (tag || !route->tag.len)
        d = shelf_doc(shelf, tag ? &tag->digest : &route->digest);
    if (!d) {
        pull_answer_error(out, 404, "MANIFEST_UNKNOWN", "there is no such image here");
        return;
    }
    out->status = 200;
    httpd_header(out, "Content-Type", d->media_type);
    put_digest(out, &d->digest);
    httpd_text(out, d->text);
}

static void put_blob(struct httpd_answer *out, const struct shelf *shelf,
                     const struct digest *digest)
{
    const struct shelf_blob *b = shelf_blob(shelf, digest);
    const struct shelf_doc *d = shelf_doc(shelf, digest);

    if (!b && !d) {
        pull_answer_error(out, 404, "BLOB_UNKNOWN", "there is no such blob here");
        return;
    }
    if (b && !shelf_blob_is_whole(shelf, b)) {
        /* whoever got 500 would try again */
        pull_answer_error(out, 404, "BLOB_UNKNOWN",
                          "the blob's file was changed while it was served");
        return;
    }
    out->status = 200;
    httpd_header(out, "Content-Type", STR("application/octet-stream"));
    put_digest(out, digest);
    if (b)
        shelf_blob_give(out, b);
    else
        httpd_text(out, d->text);
}

void pull_answer(struct httpd_answer *out, const struct shelf *shelf, const struct httpd_ask *ask)
{
    const struct route route = route_parse(ask->path);
    const struct shelf_repository *r = NULL;

    httpd_header(out, "Docker-Distribution-Api-Version", STR("registry/2.0"));
    if (route.name.len) {
        r = shelf_repository(shelf, route.name);
        if (!r) {
            pull_answer_error(out, 404, "NAME_UNKNOWN", "there is no such repository here");
            return;
        }
    }
    switch (route.kind) {
    case ROUTE_NONE:
        if (route.fault)
            pull_answer_error(out, 400, route.fault, "it is not of the form that it needs");
        else
            pull_answer_error(out, 404, "UNSUPPORTED", "there is nothing of that name");
        break;
    case ROUTE_PING:
        out->status = 200;
        httpd_header(out, "Content-Type", STR("application/json"));
        httpd_text(out, STR("{}"));
        break;
    case ROUTE_CATALOG:
        put_catalog(out, shelf, ask);
        break;
    case ROUTE_MANIFEST:
        put_manifest(out, shelf, r, &route);
        break;
    case ROUTE_BLOB:
        put_blob(out, shelf, &route.digest);
        break;
    case ROUTE_TAGS:
        put_tags(out, r, ask);
        break;
    case ROUTE_REFERRERS:
        put_referrers(out, shelf, &route.digest, ask);
        break;
    }
}
