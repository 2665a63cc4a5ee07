/* SPDX-License-Identifier: Apache-2.0 */
#include "lock_source.h"

#include "../pkg/pypi/git_ref.h"

enum { DEPTH_MAX = 8 }; /* of builds for builds */

static void put_list(struct doc *d, struct node *map, const char *key, const struct strs *list)
{
    struct node *n = list->n ? node_put(d, map, key, node_new_list(d)) : NULL;

    for (size_t i = 0; i < list->n; i++)
        node_add_str(d, n, list->v[i]);
}

static void put_file(struct doc *d, struct node *n, const struct artifact_file *f)
{
    char text[DIGEST_TEXT + 1];

    digest_text(&f->digest, text);
    node_put_str(d, n, "file", f->file);
    if (f->url.len)
        node_put_str(d, n, "url", f->url);
    node_put_u64(d, n, "size", f->size);
    node_put_str(d, n, "sha256", arena_str(&d->arena, str_of(text)));
}

static void put_source(struct doc *d, struct node *n, const struct artifact_source *s)
{
    put_file(d, n, &s->sdist);
    if (s->commit.len)
        node_put_str(d, n, "commit", s->commit);
    put_list(d, n, "tags", &s->tags);
}

static void put_require(struct doc *d, struct node *list, const struct artifact *a)
{
    struct node *n = node_add(d, list, node_new_map(d));

    node_put_str(d, n, "name", a->name);
    node_put_str(d, n, "version", a->version);
    node_put_str(d, n, "from", a->from);
    if (a->group.len)
        node_put_str(d, n, "group", a->group);
    lock_source_put(d, n, a);
}

static void put_build(struct doc *d, struct node *n, const struct artifact_source *s)
{
    struct node *list;

    put_list(d, n, "root", &s->root);
    if (!s->isolated)
        node_put_bool(d, n, "isolation", false);
    list = s->requires_n ? node_put(d, n, "requires", node_new_list(d)) : NULL;
    for (size_t i = 0; i < s->requires_n; i++)
        put_require(d, list, &s->requires[i]);
    put_list(d, n, "env", &s->env);
    put_list(d, n, "settings", &s->settings);
    put_list(d, n, "archs", &s->archs);
    put_list(d, n, "expect", &s->expect);
    if (s->abi.len)
        node_put_str(d, n, "abi", s->abi);
    put_list(d, n, "made", &s->made);
    list = s->files_n ? node_put(d, n, "files", node_new_list(d)) : NULL;
    for (size_t i = 0; i < s->files_n; i++)
        put_file(d, node_add(d, list, node_new_map(d)), &s->files[i]);
}

void lock_source_put(struct doc *d, struct node *n, const struct artifact *a)
{
    const struct artifact_file own = {a->file, a->url, a->size, a->digest};

    if (!a->source || digest_is_set(&a->digest))
        put_file(d, n, &own);
    if (!a->source)
        return;
    put_source(d, node_put(d, n, "source", node_new_map(d)), a->source);
    put_build(d, node_put(d, n, "build", node_new_map(d)), a->source);
}

/* ---- reading ---- */

static void get_list(struct strs *out, struct arena *arena, const struct fields *f, const char *key)
{
    const struct node *n, *list = field_list(f, key);

    out->v = arena_alloc(arena, ((list ? list->count : 0) + 1) * sizeof *out->v);
    node_each(n, list)
        out->v[out->n++] = n->text;
}

static void need_digest(struct digest *out, const struct fields *f)
{
    struct str text;

    if (field_need_str(f, "sha256", &text))
        field_digest(f, "sha256", out);
}

static void get_file(struct artifact_file *out, const struct fields *f)
{
    field_need_str(f, "file", &out->file);
    field_need_str(f, "url", &out->url);
    field_need_u64(f, "size", &out->size, UINT64_MAX / 2);
    need_digest(&out->digest, f);
}

static void get_git(struct artifact_source *s, struct arena *arena, const struct fields *f)
{
    struct git_ref ref = {0};
    struct err fault = {0};

    field_need_str(f, "commit", &s->commit);
    get_list(&s->tags, arena, f, "tags");
    if (git_ref_parse(&ref, s->sdist.url, &fault) < 0)
        err_at(f->e, &f->map->pos, "%s", fault.msg);
    err_clear(&fault);
    s->folder = ref.folder;
}

static void get_origin(struct artifact_source *s, struct arena *arena, const struct fields *f)
{
    static const char *const known[] = {"file", "url", "size", "sha256", "commit", "tags", NULL};

    fields_only(f, known);
    get_file(&s->sdist, f);
    if (git_ref_is(s->sdist.url) || field_str(f, "commit", &s->commit))
        get_git(s, arena, f);
}

static void get_only_file(struct artifact_file *out, const struct node *n, struct err *e)
{
    static const char *const known[] = {"file", "url", "size", "sha256", NULL};
    struct fields f = fields_of(n, "lock", e);

    fields_only(&f, known);
    get_file(out, &f);
}

static void get(struct artifact *out, struct arena *arena, const struct fields *f, unsigned depth);

static void get_requires(struct artifact_source *s, struct arena *arena, const struct fields *f,
                         unsigned depth)
{
    static const char *const known[] = {"name", "version", "from",   "group", "file", "url",
                                        "size", "sha256",  "source", "build", NULL};
    const struct node *n, *list = field_list(f, "requires");

    s->requires = arena_alloc(arena, ((list ? list->count : 0) + 1) * sizeof *s->requires);
    node_each(n, list) {
        struct fields r = fields_of(n, "lock", f->e);
        struct artifact *a = &s->requires[s->requires_n++];

        fields_only(&r, known);
        a->eco = ECO_WHEEL;
        field_need_str(&r, "name", &a->name);
        field_need_str(&r, "version", &a->version);
        field_need_str(&r, "from", &a->from);
        field_str(&r, "group", &a->group);
        get(a, arena, &r, depth + 1);
    }
}

static void get_build(struct artifact_source *s, struct arena *arena, const struct fields *f,
                      unsigned depth)
{
    static const char *const known[] = {"root",     "isolation", "requires", "env",
                                        "settings", "archs",     "expect",   "abi",
                                        "made",     "files",     NULL};
    const struct node *n, *list = field_list(f, "files");

    fields_only(f, known);
    get_list(&s->root, arena, f, "root");
    s->isolated = true;
    field_bool(f, "isolation", &s->isolated);
    get_requires(s, arena, f, depth);
    get_list(&s->env, arena, f, "env");
    get_list(&s->settings, arena, f, "settings");
    get_list(&s->archs, arena, f, "archs");
    get_list(&s->expect, arena, f, "expect");
    field_str(f, "abi", &s->abi);
    get_list(&s->made, arena, f, "made");
    s->files = arena_alloc(arena, ((list ? list->count : 0) + 1) * sizeof *s->files);
    node_each(n, list)
        get_only_file(&s->files[s->files_n++], n, f->e);
}

/* What a wheel that is built is called is known once it was built. */
static void get_source(struct artifact *out, struct arena *arena, const struct fields *f,
                       unsigned depth)
{
    struct artifact_source *s = arena_alloc(arena, sizeof *s);
    struct fields build = {field_need_map(f, "build"), "lock", f->e};
    struct fields origin = fields_of(field_map(f, "source"), "lock", f->e);

    out->source = s;
    if (out->eco != ECO_WHEEL || depth > DEPTH_MAX) {
        err_at(f->e, &f->map->pos,
               "\"" STR_FMT
               "\" has a `source`, which only wheels have, and only to a certain depth",
               STR_ARG(out->name));
        return;
    }
    get_origin(s, arena, &origin);
    get_build(s, arena, &build, depth);
    if (field_str(f, "file", &out->file)) {
        field_need_u64(f, "size", &out->size, UINT64_MAX / 2);
        need_digest(&out->digest, f);
    }
}

static void get(struct artifact *out, struct arena *arena, const struct fields *f, unsigned depth)
{
    struct artifact_file own = {0};

    if (field_map(f, "source")) {
        get_source(out, arena, f, depth);
        return;
    }
    get_file(&own, f);
    out->file = own.file;
    out->url = own.url;
    out->size = own.size;
    out->digest = own.digest;
}

void lock_source_get(struct artifact *out, struct arena *arena, const struct fields *f)
{
    get(out, arena, f, 0);
}
