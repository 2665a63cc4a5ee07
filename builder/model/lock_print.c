/* SPDX-License-Identifier: Apache-2.0 */
#include "../doc/emit.h"
#include "../io/crypto.h"
#include "lock_form.h"
#include "lock_record.h"
#include "lock_slim.h"
#include "lock_source.h"
#include "lock_toolkit.h"
#include "lock_words.h"

static void put_opt(struct doc *d, struct node *map, const char *key, struct str text)
{
    if (text.len)
        node_put_str(d, map, key, text);
}

void lock_put_digest(struct doc *d, struct node *map, const char *key, const struct digest *digest)
{
    char text[DIGEST_TEXT + 1];

    digest_text(digest, text);
    node_put_str(d, map, key, arena_str(&d->arena, str_of(text)));
}

static void put_strs(struct doc *d, struct node *map, const char *key, const struct strs *list)
{
    struct node *n = node_put(d, map, key, node_new_list(d));

    for (size_t i = 0; i < list->n; i++)
        node_add_str(d, n, list->v[i]);
}

static void put_mode(struct doc *d, struct node *n, uint32_t mode)
{
    if (mode)
        node_put_str(d, n, "mode", str_of(arena_fmt(&d->arena, "0%03o", mode)));
}

/* Left out when empty, so that what older locks did not know changes no digest of theirs. */
static void put_inputs(struct doc *d, struct node *recipe, const struct lock *lock)
{
    struct node *list = lock->inputs.n ? node_put(d, recipe, "inputs", node_new_list(d)) : NULL;

    for (size_t i = 0; i < lock->inputs.n; i++) {
        struct node *n = node_add(d, list, node_new_map(d));

        node_put_str(d, n, "path", lock->inputs.v[i].path);
        node_put_str(d, n, "use", lock->inputs.v[i].use);
        lock_put_digest(d, n, "sha256", &lock->inputs.v[i].digest);
    }
}

static void put_archives(struct doc *d, struct node *root, const struct lock *lock)
{
    struct node *list = node_put(d, root, "archives", node_new_list(d));

    for (size_t i = 0; i < lock->archives.n; i++) {
        const struct lock_archive *a = &lock->archives.v[i];
        struct node *n = node_add(d, list, node_new_map(d));

        node_put_str(d, n, "uri", a->uri);
        node_put_str(d, n, "suite", a->suite);
        put_opt(d, n, "codename", a->codename);
        node_put_u64(d, n, "date", (uint64_t)a->date);
        lock_put_digest(d, n, "inrelease", &a->digest);
        put_strs(d, n, "signers", &a->signers);
    }
}

static void put_needs(struct doc *d, struct node *n, const struct artifact *a)
{
    struct node *extras;

    if (!a->turn)
        return;
    put_strs(d, n, "needs", &a->needs);
    extras = a->extras.n ? node_put(d, n, "extras", node_new_map(d)) : NULL;
    for (size_t i = 0; i < a->extras.n; i++)
        put_strs(d, extras, arena_fmt(&d->arena, STR_FMT, STR_ARG(a->extras.v[i].name)),
                 &a->extras.v[i].needs);
    node_put_u64(d, n, "turn", a->turn);
}

static void put_place(struct doc *d, struct node *n, const struct artifact_place *p)
{
    if (!p)
        return;
    node_put_str(d, n, "to", p->to);
    if (p->unpack)
        node_put_bool(d, n, "unpack", true);
    node_put_u64(d, n, "uid", p->uid);
    node_put_u64(d, n, "gid", p->gid);
    put_mode(d, n, p->mode);
}

static void put_artifact(struct doc *d, struct node *list, const struct artifact *a)
{
    struct node *n = node_add(d, list, node_new_map(d));

    node_put_str(d, n, "type", str_of(ecosystems[a->eco]));
    node_put_str(d, n, "name", a->name);
    node_put_str(d, n, "version", a->version);
    put_opt(d, n, "arch", a->arch);
    put_opt(d, n, "group", a->group);
    if (a->requested)
        node_put_bool(d, n, "requested", true);
    node_put_str(d, n, "from", a->from);
    lock_source_put(d, n, a);
    put_needs(d, n, a);
    put_place(d, n, a->place);
}

static void put_artifacts(struct doc *d, struct node *root, const struct lock *lock)
{
    struct node *list = node_put(d, root, "artifacts", node_new_list(d));

    for (size_t i = 0; i < lock->artifacts.n; i++)
        put_artifact(d, list, &lock->artifacts.v[i]);
    list = lock->tools.n ? node_put(d, root, "tools", node_new_list(d)) : NULL;
    for (size_t i = 0; i < lock->tools.n; i++)
        put_artifact(d, list, &lock->tools.v[i]);
}

static void put_copies(struct doc *d, struct node *root, const struct lock *lock)
{
    struct node *list = node_put(d, root, "files", node_new_list(d));

    for (size_t i = 0; i < lock->copies.n; i++) {
        const struct lock_copy *c = &lock->copies.v[i];
        struct node *n = node_add(d, list, node_new_map(d)), *files;

        if (c->from.len)
            node_put_str(d, n, "from", c->from);
        put_opt(d, n, "text", c->text);
        node_put_str(d, n, "to", c->to);
        node_put_u64(d, n, "uid", c->uid);
        node_put_u64(d, n, "gid", c->gid);
        put_mode(d, n, c->mode);
        files = node_put(d, n, "content", node_new_list(d));
        for (size_t j = 0; j < c->files.n; j++) {
            const struct lock_file *f = &c->files.v[j];
            struct node *m = node_add(d, files, node_new_map(d));

            node_put_str(d, m, "path", f->path);
            if (f->folder) {
                node_put_bool(d, m, "folder", true);
                continue;
            }
            if (f->link.len) {
                node_put_str(d, m, "link", f->link);
                continue;
            }
            if (f->executable)
                node_put_bool(d, m, "executable", true);
            node_put_u64(d, m, "size", f->size);
            lock_put_digest(d, m, "sha256", &f->digest);
        }
    }
}

static void put_folders(struct doc *d, struct node *root, const struct lock *lock)
{
    struct node *list = lock->folders.n ? node_put(d, root, "folders", node_new_list(d)) : NULL;

    for (size_t i = 0; i < lock->folders.n; i++) {
        struct node *n = node_add(d, list, node_new_map(d));

        node_put_str(d, n, "path", lock->folders.v[i].path);
        node_put_u64(d, n, "uid", lock->folders.v[i].uid);
    }
}

static void put_facts(struct doc *d, struct node *root, const struct facts *f)
{
    struct node *n = node_put(d, root, "facts", node_new_map(d));

    put_opt(d, n, "pytorch", f->pytorch);
    put_opt(d, n, "python", f->python);
    put_opt(d, n, "cuda", f->cuda);
    put_opt(d, n, "cuda_toolkit", f->cuda_toolkit);
    put_opt(d, n, "cudnn", f->cudnn);
    put_opt(d, n, "nccl", f->nccl);
    put_opt(d, n, "driver_min", f->driver_min);
    put_opt(d, n, "driver_full", f->driver_full);
    put_opt(d, n, "archs", f->archs);
    put_opt(d, n, "compat", f->compat);
    put_opt(d, n, "require", f->require);
}

/* A layer names its artifacts as "type:name", which reads and diffs better than positions. */
static void put_layers(struct doc *d, struct node *root, const struct lock *lock)
{
    struct node *list = node_put(d, root, "layers", node_new_list(d));

    for (size_t i = 0; i < lock->layers.n; i++) {
        const struct lock_layer *l = &lock->layers.v[i];
        struct node *n = node_add(d, list, node_new_map(d)), *artifacts;

        node_put_str(d, n, "name", l->name);
        node_put_str(d, n, "kind", str_of(kinds[l->kind]));
        if (l->kind == LOCK_IMAGE) {
            node_put_str(d, n, "media_type", l->media_type);
            node_put_u64(d, n, "size", l->size);
            lock_put_digest(d, n, "digest", &l->digest);
            lock_put_digest(d, n, "diff_id", &l->diff_id);
        }
        artifacts = node_put(d, n, "artifacts", node_new_list(d));
        for (size_t j = 0; j < l->artifacts.n; j++) {
            const struct artifact *a = &lock->artifacts.v[l->artifacts.v[j]];

            node_add_str(
                d, artifacts,
                str_of(arena_fmt(&d->arena, "%s:" STR_FMT, ecosystems[a->eco], STR_ARG(a->name))));
        }
    }
}

static void put_some(struct doc *d, struct node *map, const char *key, const struct strs *list)
{
    if (list->n)
        put_strs(d, map, key, list);
}

static void put_small(struct doc *d, struct node *map, const char *key, uint32_t n)
{
    if (n)
        node_put_u64(d, map, key, n);
}

static void put_health(struct doc *d, struct node *image, const struct image_health *h)
{
    struct node *n;

    if (!h->command.n)
        return;
    n = node_put(d, image, "healthcheck", node_new_map(d));
    put_strs(d, n, "command", &h->command);
    put_small(d, n, "interval", h->interval);
    put_small(d, n, "timeout", h->timeout);
    put_small(d, n, "start_period", h->start_period);
    put_small(d, n, "retries", h->retries);
}

static void put_image(struct doc *d, struct node *root, const struct lock *lock)
{
    struct node *n = node_put(d, root, "image", node_new_map(d)), *user;

    node_put_str(d, n, "os", lock->os);
    node_put_str(d, n, "architecture", lock->arch);
    node_put_u64(d, n, "created", (uint64_t)lock->created);
    put_strs(d, n, "env", &lock->env);
    put_strs(d, n, "entrypoint", &lock->entrypoint);
    put_strs(d, n, "cmd", &lock->cmd);
    node_put_str(d, n, "workdir", lock->workdir);
    if (lock->user.name.len) {
        user = node_put(d, n, "user", node_new_map(d));
        node_put_str(d, user, "name", lock->user.name);
        node_put_u64(d, user, "uid", lock->user.uid);
        node_put_u64(d, user, "gid", lock->user.gid);
    }
    put_some(d, n, "ports", &lock->ports);
    put_some(d, n, "volumes", &lock->volumes);
    put_health(d, n, &lock->health);
    if (lock->labels)
        node_put(d, n, "labels", node_copy(d, lock->labels));
}

static void put_overlaps(struct doc *d, struct node *built, const struct lock *lock)
{
    struct node *list = lock->overlaps.n ? node_put(d, built, "overlaps", node_new_list(d)) : NULL;
    const struct lock_overlap *o;

    vec_each(o, &lock->overlaps) {
        struct node *n = node_add(d, list, node_new_map(d));

        node_put_str(d, n, "winner", o->winner);
        node_put_str(d, n, "loser", o->loser);
        put_strs(d, n, "paths", &o->paths);
    }
}

void lock_put_chunked(struct doc *d, struct node *layer, const struct chunked *c)
{
    struct node *n;

    if (!digest_is_set(&c->toc))
        return;
    n = node_put(d, layer, "chunked", node_new_map(d));
    lock_put_digest(d, n, "digest", &c->toc);
    node_put_u64(d, n, "offset", c->offset);
    node_put_u64(d, n, "size", c->size);
    node_put_u64(d, n, "unpacked", c->unpacked);
    node_put_u64(d, n, "split_offset", c->split_offset);
    node_put_u64(d, n, "split_size", c->split_size);
    node_put_u64(d, n, "split_unpacked", c->split_unpacked);
}

/* What the build recorded; of a settled lock what still holds of it. */
static void put_recorded(struct doc *d, struct node *root, const struct lock *lock)
{
    struct node *n = node_put(d, root, lock->built ? "built" : "kept", node_new_map(d)), *list;

    node_put_str(d, n, "encoder", lock->encoder);
    put_strs(d, n, "uncovered_scripts", &lock->uncovered);
    put_overlaps(d, n, lock);
    put_some(d, n, "findings", &lock->findings);
    if (lock->toolkit.from.len)
        node_put_u64(d, n, "toolkit_saved", lock->toolkit.saved);
    lock_slim_put_built(d, n, &lock->slim);
    list = node_put(d, n, "layers", node_new_list(d));
    for (size_t i = 0; i < lock->layers.n; i++) {
        const struct lock_layer *l = &lock->layers.v[i];
        struct node *m;

        if (lock->settled && lock_layer_is_own(lock, i))
            continue;
        m = node_add(d, list, node_new_map(d));
        node_put_str(d, m, "name", l->name);
        node_put_u64(d, m, "size", l->size);
        if (l->unpacked)
            node_put_u64(d, m, "unpacked", l->unpacked);
        lock_put_digest(d, m, "digest", &l->digest);
        lock_put_digest(d, m, "diff_id", &l->diff_id);
        lock_put_chunked(d, m, &l->chunked);
    }
    lock_forms_put(d, n, lock);
    if (lock->settled)
        return;
    lock_put_digest(d, n, "config", &lock->config);
    lock_put_digest(d, n, "manifest", &lock->manifest);
}

static void put_base_image(struct doc *d, struct node *base, const struct lock_image *image)
{
    struct node *n;

    if (!image->ref.len)
        return;
    n = node_put(d, base, "image", node_new_map(d));
    node_put_str(d, n, "ref", image->ref);
    put_opt(d, n, "name", image->name);
    lock_put_digest(d, n, "manifest", &image->manifest);
    node_put_str(d, n, "python", image->python);
    node_put_str(d, n, "glibc", image->glibc);
}

static unsigned schema_of(const struct lock *lock)
{
    return lock->schema ? lock->schema : LOCK_SCHEMA;
}

static struct node *chosen_part(struct doc *d, const struct lock *lock)
{
    struct node *root = node_new_map(d), *n;

    node_put_u64(d, root, "envbuild_lock", schema_of(lock));
    node_put_str(d, root, "envbuild", lock->writer);
    node_put_u64(d, root, "format", lock->format);
    n = node_put(d, root, "recipe", node_new_map(d));
    lock_put_digest(d, n, "digest", &lock->recipe_digest);
    node_put(d, n, "normal", node_copy(d, lock->recipe));
    put_inputs(d, n, lock);
    node_put_str(d, root, "name", lock->name);
    node_put_str(d, root, "tag", lock->tag);
    n = node_put(d, root, "base", node_new_map(d));
    node_put_str(d, n, "name", lock->base);
    node_put_str(d, n, "variant", lock->variant);
    node_put_str(d, n, "python", lock->python);
    node_put_str(d, n, "python_full", lock->python_full);
    node_put_str(d, n, "apt_sources", lock->apt_sources);
    if (!str_is(lock->apt_sources_path, LOCK_SOURCES_PATH))
        put_opt(d, n, "apt_sources_path", lock->apt_sources_path);
    put_base_image(d, n, &lock->image);
    put_facts(d, root, &lock->facts);
    lock_toolkit_put(d, root, &lock->toolkit);
    lock_slim_put(d, root, &lock->slim);
    put_image(d, root, lock);
    put_archives(d, root, lock);
    put_artifacts(d, root, lock);
    put_copies(d, root, lock);
    put_folders(d, root, lock);
    put_layers(d, root, lock);
    return root;
}

void lock_print(struct buf *out, const struct lock *lock)
{
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = chosen_part(&d, lock);

    if (lock->built || (lock->settled && (!lock->schema || lock->schema >= 4)))
        put_recorded(&d, root, lock);
    emit_json(out, root, EMIT_LINES);
}

void lock_digest(struct digest *out, const struct lock *lock)
{
    CLEANUP(doc_clear) struct doc d = {0};
    CLEANUP(buf_clear) struct buf text = {0};

    emit_json(&text, chosen_part(&d, lock), EMIT_COMPACT);
    hash_bytes(out, text.p, text.len);
}
