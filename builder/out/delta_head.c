/* SPDX-License-Identifier: Apache-2.0 */
#include "delta.h"

#include "../doc/emit.h"
#include "../doc/pull.h"

static const char *const form_names[] = {"members", "single", "zstd", "plain"};
static const uint64_t plain_max = (uint64_t)1 << 38;

/* ---- out ---- */

static void put_digest(struct doc *d, struct node *map, const char *key,
                       const struct digest *digest)
{
    char text[DIGEST_TEXT + 1];

    digest_text(digest, text);
    node_put_str(d, map, key, str_of(text));
}

static void put_runs(struct doc *d, struct node *to, const struct delta *delta, size_t first,
                     size_t n, bool near)
{
    struct node *list = node_add(d, to, node_new_list(d));

    for (size_t i = first; i < first + n; i++) {
        const struct delta_run *r = &delta->runs.v[i];

        node_add_u64(d, list, near ? r->layer - 1 : r->layer);
        if (r->layer)
            node_add_u64(d, list, r->at);
        node_add_u64(d, list, r->size);
    }
}

static void put_piece(struct doc *d, struct node *list, const struct delta *delta,
                      const struct delta_piece *p)
{
    struct node *to = node_add(d, list, node_new_list(d));

    node_add_u64(d, to, p->kind);
    switch (p->kind) {
    case DELTA_COPY:
        node_add_u64(d, to, p->layer);
        node_add_u64(d, to, p->at);
        node_add_u64(d, to, p->packed);
        node_add_u64(d, to, p->plain_at);
        node_add_u64(d, to, p->plain);
        return;
    case DELTA_RAW:
        node_add_u64(d, to, p->packed);
        node_add_u64(d, to, p->plain);
        return;
    case DELTA_DEFLATE1:
    case DELTA_FIXED1:
    case DELTA_BYTES:
        node_add_u64(d, to, p->packed);
        put_runs(d, to, delta, p->run, p->runs, false);
        put_runs(d, to, delta, p->near, p->nears, true);
        return;
    }
}

static void put_old(struct doc *d, struct node *root, const struct delta_old *old)
{
    struct node *to = node_put(d, root, "old", node_new_map(d)), *list;

    put_digest(d, to, "manifest", &old->manifest);
    put_digest(d, to, "config", &old->config);
    list = node_put(d, to, "layers", node_new_list(d));
    for (size_t i = 0; i < old->layers.n; i++) {
        struct node *layer = node_add(d, list, node_new_map(d));

        put_digest(d, layer, "digest", &old->layers.v[i].digest);
        node_put_u64(d, layer, "size", old->layers.v[i].size);
        put_digest(d, layer, "diff_id", &old->diff_ids.v[i]);
    }
}

static void put_documents(struct doc *d, struct node *root, const struct delta *delta)
{
    struct node *list = node_put(d, root, "documents", node_new_list(d));
    const struct delta_document *doc;

    vec_each(doc, &delta->documents) {
        struct node *to = node_add(d, list, node_new_map(d));

        put_digest(d, to, "digest", &doc->digest);
        node_put_u64(d, to, "size", doc->size);
        node_put_u64(d, to, "packed", doc->packed);
        if (digest_is_set(&doc->near)) {
            put_digest(d, to, "near", &doc->near);
            node_put_u64(d, to, "near_size", doc->near_size);
        }
    }
}

static void put_layers(struct doc *d, struct node *root, const struct delta *delta)
{
    struct node *list = node_put(d, root, "layers", node_new_list(d));
    const struct delta_layer *l;
    const struct delta_piece *p;

    vec_each(l, &delta->layers) {
        struct node *to = node_add(d, list, node_new_map(d)), *pieces;

        put_digest(d, to, "digest", &l->digest);
        node_put_u64(d, to, "size", l->size);
        put_digest(d, to, "diff_id", &l->diff_id);
        node_put_u64(d, to, "plain", l->plain);
        node_put_str(d, to, "form", str_of(form_names[l->form]));
        pieces = node_put(d, to, "pieces", node_new_list(d));
        vec_each(p, &l->pieces)
            put_piece(d, pieces, delta, p);
    }
}

void delta_head_write(const struct delta *delta, struct buf *out)
{
    CLEANUP(doc_clear) struct doc d = {0};
    const struct digest *lock;
    struct node *list;

    d.root = node_new_map(&d);
    put_old(&d, d.root, &delta->old);
    put_digest(&d, d.root, "manifest", &delta->manifest);
    if (delta->name.len)
        node_put_str(&d, d.root, "name", delta->name);
    if (delta->encoder.len)
        node_put_str(&d, d.root, "encoder", delta->encoder);
    put_documents(&d, d.root, delta);
    list = node_put(&d, d.root, "locks", node_new_list(&d));
    vec_each(lock, &delta->locks) {
        char text[DIGEST_TEXT + 1];

        digest_text(lock, text);
        node_add_str(&d, list, str_of(text));
    }
    put_layers(&d, d.root, delta);
    emit_json(out, d.root, EMIT_COMPACT);
}

/* ---- in ---- */

/* What is read, and where the body's next bytes are. */
struct reading {
    struct delta *to;
    struct pull pull;
    uint64_t at, end;
    const char *fault;
};

/* The first fault counts; a caller's loops end by pull's own. */
static void bad(struct reading *r, const char *why)
{
    if (!r->fault)
        r->fault = why;
}

static uint64_t number(struct reading *r)
{
    struct str text;
    uint64_t n = 0;

    if (!pull_number(&r->pull, &text) || !str_u64(text, &n))
        bad(r, "a number is missing or is none");
    return n;
}

/* An item of a list that must be there. */
static uint64_t item(struct reading *r)
{
    if (pull_item(&r->pull))
        return number(r);
    bad(r, "a list ends early");
    return 0;
}

static void no_item(struct reading *r)
{
    while (pull_item(&r->pull)) {
        bad(r, "a list is too long");
        pull_skip(&r->pull);
    }
}

static void digest(struct reading *r, struct digest *out)
{
    struct str text = {0};

    if (!pull_text(&r->pull, &text) || !digest_from_text(out, text))
        bad(r, "a digest is missing or is none");
}

static void text(struct reading *r, struct str *out)
{
    struct str s = {0};

    if (!pull_text(&r->pull, &s))
        bad(r, "a text is missing");
    *out = arena_str(&r->to->arena, s);
}

/* `size` bytes of the body. */
static uint64_t take(struct reading *r, uint64_t size)
{
    uint64_t at = r->at;

    if (size > r->end - r->at)
        bad(r, "its body is shorter than its head says");
    else
        r->at += size;
    return at;
}

static void add(struct reading *r, uint64_t *sum, uint64_t n)
{
    if (__builtin_add_overflow(*sum, n, sum) || *sum > plain_max)
        bad(r, "a size is too large");
}

static void read_old_layer(struct reading *r)
{
    struct descriptor *d = vec_push(&r->to->old.layers);
    struct digest *diff_id = vec_push(&r->to->old.diff_ids);
    struct str key;

    if (!pull_map(&r->pull))
        bad(r, "a layer is no map");
    while (pull_key(&r->pull, &key))
        if (str_is(key, "digest"))
            digest(r, &d->digest);
        else if (str_is(key, "size"))
            d->size = number(r);
        else if (str_is(key, "diff_id"))
            digest(r, diff_id);
        else
            pull_skip(&r->pull);
    if (!digest_is_set(&d->digest) || !digest_is_set(diff_id))
        bad(r, "a layer has no digest");
    if (r->to->old.layers.n > IMAGE_LAYERS_MAX)
        bad(r, "there are too many layers");
}

static void read_old(struct reading *r)
{
    struct str key;

    if (!pull_map(&r->pull))
        bad(r, "\"old\" is no map");
    while (pull_key(&r->pull, &key))
        if (str_is(key, "manifest")) {
            digest(r, &r->to->old.manifest);
        } else if (str_is(key, "config")) {
            digest(r, &r->to->old.config);
        } else if (str_is(key, "layers") && pull_list(&r->pull)) {
            while (pull_item(&r->pull) && !r->fault)
                read_old_layer(r);
        } else {
            pull_skip(&r->pull);
        }
}

static void read_document(struct reading *r)
{
    struct delta_document *d = vec_push(&r->to->documents);
    struct str key;

    if (!pull_map(&r->pull))
        bad(r, "a document is no map");
    while (pull_key(&r->pull, &key))
        if (str_is(key, "digest"))
            digest(r, &d->digest);
        else if (str_is(key, "near"))
            digest(r, &d->near);
        else if (str_is(key, "size"))
            d->size = number(r);
        else if (str_is(key, "packed"))
            d->packed = number(r);
        else if (str_is(key, "near_size"))
            d->near_size = number(r);
        else
            pull_skip(&r->pull);
    d->at = take(r, d->packed);
    if (d->size > DELTA_HEAD_MAX || d->near_size > DELTA_HEAD_MAX ||
        r->to->documents.n > DELTA_DOCUMENTS_MAX)
        bad(r, "its documents are too large");
}

/* A layer of OLD; runs count from 1. */
static uint32_t old_layer(struct reading *r, uint64_t n, unsigned base)
{
    if (n < base || n - base >= r->to->old.layers.n)
        bad(r, "it names a layer that OLD has not");
    return (uint32_t)n;
}

static void read_runs(struct reading *r, struct delta_piece *p)
{
    p->run = r->to->runs.n;
    if (!pull_item(&r->pull) || !pull_list(&r->pull))
        bad(r, "a piece has no runs");
    while (!r->fault && pull_item(&r->pull)) {
        struct delta_run run = {.layer = (uint32_t)number(r)};

        if (run.layer) {
            old_layer(r, run.layer, 1);
            run.at = item(r);
        }
        run.size = item(r);
        if (!run.size || run.at > plain_max)
            bad(r, "a run is empty or too far");
        add(r, &p->plain, run.size);
        if (!run.layer)
            add(r, &p->literal, run.size);
        vec_add(&r->to->runs, run);
    }
    p->runs = r->to->runs.n - p->run;
    if (p->plain > DELTA_CHUNK)
        bad(r, "a piece is too large");
}

static void read_near(struct reading *r, struct delta_piece *p)
{
    uint64_t sum = 0;

    p->near = r->to->runs.n;
    if (!pull_item(&r->pull) || !pull_list(&r->pull))
        bad(r, "a piece does not say what it is near");
    while (!r->fault && pull_item(&r->pull)) {
        struct delta_run run = {.layer = old_layer(r, number(r), 0) + 1};

        run.at = item(r);
        run.size = item(r);
        if (!run.size || run.at > plain_max)
            bad(r, "a run is empty or too far");
        add(r, &sum, run.size);
        vec_add(&r->to->runs, run);
    }
    p->nears = r->to->runs.n - p->near;
    if (sum > DELTA_NEAR_MAX)
        bad(r, "a piece is near too much");
}

static void read_copy(struct reading *r, struct delta_piece *p)
{
    uint64_t end;

    p->layer = old_layer(r, item(r), 0);
    p->at = item(r);
    p->packed = item(r);
    p->plain_at = item(r);
    p->plain = item(r);
    if (r->fault)
        return;
    if (__builtin_add_overflow(p->at, p->packed, &end) ||
        end > r->to->old.layers.v[p->layer].size || p->plain_at > plain_max)
        bad(r, "a piece lies outside its layer");
}

static void read_piece(struct reading *r, struct delta_layer *l, uint64_t *packed, uint64_t *plain)
{
    struct delta_piece *p = vec_push(&l->pieces);
    uint64_t kind;

    if (!pull_list(&r->pull)) {
        bad(r, "a piece is no list");
        return;
    }
    kind = item(r);
    if (kind > DELTA_BYTES || (l->form == DELTA_MEMBERS) == (kind == DELTA_BYTES))
        bad(r, "a piece is of a kind that its layer cannot have");
    if (r->fault)
        return;
    p->kind = (enum delta_kind)kind;
    switch (p->kind) {
    case DELTA_COPY:
        read_copy(r, p);
        add(r, packed, p->packed);
        break;
    case DELTA_RAW:
        p->packed = item(r);
        p->plain = item(r);
        p->at = take(r, p->packed);
        add(r, packed, p->packed);
        break;
    case DELTA_DEFLATE1:
    case DELTA_FIXED1:
    case DELTA_BYTES:
        p->packed = item(r);
        read_runs(r, p);
        read_near(r, p);
        p->at = take(r, p->packed);
        if (p->packed > 2 * DELTA_CHUNK || !p->plain)
            bad(r, "a piece is empty, or its frame too large");
        break;
    }
    add(r, plain, p->plain);
    no_item(r);
}

static void read_form(struct reading *r, struct delta_layer *l)
{
    struct str name = {0};

    if (!pull_text(&r->pull, &name))
        bad(r, "a layer has no form");
    for (size_t i = 0; i < ARRAY_LEN(form_names); i++)
        if (str_is(name, form_names[i])) {
            l->form = (enum delta_form)i;
            return;
        }
    bad(r, "a layer is of an unknown form");
}

/* Its form stands before its pieces. */
static void read_layer(struct reading *r)
{
    struct delta_layer *l = vec_push(&r->to->layers);
    uint64_t packed = 0, plain = 0;
    struct str key;

    if (!pull_map(&r->pull))
        bad(r, "a layer is no map");
    while (pull_key(&r->pull, &key))
        if (str_is(key, "digest")) {
            digest(r, &l->digest);
        } else if (str_is(key, "size")) {
            l->size = number(r);
        } else if (str_is(key, "diff_id")) {
            digest(r, &l->diff_id);
        } else if (str_is(key, "plain")) {
            l->plain = number(r);
        } else if (str_is(key, "form")) {
            read_form(r, l);
        } else if (str_is(key, "pieces") && pull_list(&r->pull)) {
            while (pull_item(&r->pull) && !r->fault)
                read_piece(r, l, &packed, &plain);
        } else {
            pull_skip(&r->pull);
        }
    if (!digest_is_set(&l->digest) || !digest_is_set(&l->diff_id))
        bad(r, "a layer has no digest");
    if (packed > l->size || plain != l->plain || l->size > plain_max)
        bad(r, "the pieces of a layer are more or less than it has");
    if (r->to->layers.n > IMAGE_LAYERS_MAX)
        bad(r, "there are too many layers");
}

static void read_locks(struct reading *r)
{
    while (pull_item(&r->pull) && !r->fault) {
        digest(r, vec_push(&r->to->locks));
        if (r->to->locks.n > DELTA_DOCUMENTS_MAX)
            bad(r, "there are too many locks");
    }
}

static void read_head(struct reading *r)
{
    struct str key;

    if (!pull_map(&r->pull))
        bad(r, "its head is no map");
    while (pull_key(&r->pull, &key) && !r->fault)
        if (str_is(key, "old"))
            read_old(r);
        else if (str_is(key, "manifest"))
            digest(r, &r->to->manifest);
        else if (str_is(key, "name"))
            text(r, &r->to->name);
        else if (str_is(key, "encoder"))
            text(r, &r->to->encoder);
        else if (str_is(key, "documents") && pull_list(&r->pull))
            while (pull_item(&r->pull) && !r->fault)
                read_document(r);
        else if (str_is(key, "locks") && pull_list(&r->pull))
            read_locks(r);
        else if (str_is(key, "layers") && pull_list(&r->pull))
            while (pull_item(&r->pull) && !r->fault)
                read_layer(r);
        else
            pull_skip(&r->pull);
}

int delta_head_read(struct delta *out, struct str json, uint64_t body, uint64_t end, struct err *e)
{
    CLEANUP(delta_clear) struct delta d = {0};
    CLEANUP(arena_clear) struct arena a = {0};
    struct reading r = {.to = &d, .at = body, .end = end};

    pull_open(&r.pull, json, &a);
    read_head(&r);
    if (r.fault)
        return err_set(e, ERR_INPUT, "%s", r.fault);
    if (pull_end(&r.pull, "its head", e) < 0)
        return -1;
    if (!digest_is_set(&d.manifest) || !digest_is_set(&d.old.manifest) ||
        !digest_is_set(&d.old.config))
        return err_set(e, ERR_INPUT, "its head does not name two images");
    if (r.at != end)
        return err_set(e, ERR_INPUT, "its body is longer than its head says");
    MOVE(out, &d);
    return 0;
}
