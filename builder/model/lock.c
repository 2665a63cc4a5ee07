/* SPDX-License-Identifier: Apache-2.0 */
#include "lock.h"

#include "../base/version.h"
#include "../doc/emit.h"
#include "../doc/field.h"
#include "../doc/json.h"
#include "../io/crypto.h"
#include "lock_slim.h"
#include "lock_toolkit.h"

static const char *const ecosystems[] = {
    [ECO_DEB] = "deb", [ECO_WHEEL] = "wheel", [ECO_REDIST] = "redist"};
static const char *const kinds[] = {[LOCK_SYSTEM] = "system",
                                    [LOCK_WHEELS] = "wheels",
                                    [LOCK_FILES] = "files",
                                    [LOCK_IMAGE] = "image"};

const char *ecosystem_name(enum ecosystem eco)
{
    return ecosystems[eco];
}

/* ---- writing ---- */

static void put_opt(struct doc *d, struct node *map, const char *key, struct str text)
{
    if (text.len)
        node_put_str(d, map, key, text);
}

static void put_digest(struct doc *d, struct node *map, const char *key,
                       const struct digest *digest)
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

/* Left out when empty, so that what older locks did not know changes no digest of theirs. */
static void put_inputs(struct doc *d, struct node *recipe, const struct lock *lock)
{
    struct node *list = lock->inputs.n ? node_put(d, recipe, "inputs", node_new_list(d)) : NULL;

    for (size_t i = 0; i < lock->inputs.n; i++) {
        struct node *n = node_add(d, list, node_new_map(d));

        node_put_str(d, n, "path", lock->inputs.v[i].path);
        node_put_str(d, n, "use", lock->inputs.v[i].use);
        put_digest(d, n, "sha256", &lock->inputs.v[i].digest);
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
        put_digest(d, n, "inrelease", &a->digest);
        put_strs(d, n, "signers", &a->signers);
    }
}

static void put_artifacts(struct doc *d, struct node *root, const struct lock *lock)
{
    struct node *list = node_put(d, root, "artifacts", node_new_list(d));

    for (size_t i = 0; i < lock->artifacts.n; i++) {
        const struct artifact *a = &lock->artifacts.v[i];
        struct node *n = node_add(d, list, node_new_map(d));

        node_put_str(d, n, "type", str_of(ecosystems[a->eco]));
        node_put_str(d, n, "name", a->name);
        node_put_str(d, n, "version", a->version);
        put_opt(d, n, "arch", a->arch);
        put_opt(d, n, "group", a->group);
        if (a->requested)
            node_put_bool(d, n, "requested", true);
        node_put_str(d, n, "from", a->from);
        node_put_str(d, n, "file", a->file);
        node_put_str(d, n, "url", a->url);
        node_put_u64(d, n, "size", a->size);
        put_digest(d, n, "sha256", &a->digest);
    }
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
            put_digest(d, m, "sha256", &f->digest);
        }
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
            put_digest(d, n, "digest", &l->digest);
            put_digest(d, n, "diff_id", &l->diff_id);
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
    if (lock->labels)
        node_put(d, n, "labels", node_copy(d, lock->labels));
}

static void put_built(struct doc *d, struct node *root, const struct lock *lock)
{
    struct node *n = node_put(d, root, "built", node_new_map(d)), *list;

    node_put_str(d, n, "encoder", lock->encoder);
    put_strs(d, n, "uncovered_scripts", &lock->uncovered);
    if (lock->findings.n)
        put_strs(d, n, "findings", &lock->findings);
    if (lock->toolkit.from.len)
        node_put_u64(d, n, "toolkit_saved", lock->toolkit.saved);
    lock_slim_put_built(d, n, &lock->slim);
    list = node_put(d, n, "layers", node_new_list(d));
    for (size_t i = 0; i < lock->layers.n; i++) {
        const struct lock_layer *l = &lock->layers.v[i];
        struct node *m = node_add(d, list, node_new_map(d));

        node_put_str(d, m, "name", l->name);
        node_put_u64(d, m, "size", l->size);
        if (l->unpacked)
            node_put_u64(d, m, "unpacked", l->unpacked);
        put_digest(d, m, "digest", &l->digest);
        put_digest(d, m, "diff_id", &l->diff_id);
    }
    put_digest(d, n, "config", &lock->config);
    put_digest(d, n, "manifest", &lock->manifest);
}

static void put_base_image(struct doc *d, struct node *base, const struct lock_image *image)
{
    struct node *n;

    if (!image->ref.len)
        return;
    n = node_put(d, base, "image", node_new_map(d));
    node_put_str(d, n, "ref", image->ref);
    put_opt(d, n, "name", image->name);
    put_digest(d, n, "manifest", &image->manifest);
    node_put_str(d, n, "python", image->python);
    node_put_str(d, n, "glibc", image->glibc);
}

static unsigned schema_of(const struct lock *lock)
{
    if (lock->schema)
        return lock->schema;
    return lock->toolkit.from.len || lock->slim.n ? LOCK_SCHEMA : 2;
}

static struct node *chosen_part(struct doc *d, const struct lock *lock)
{
    struct node *root = node_new_map(d), *n;

    node_put_u64(d, root, "envbuild_lock", schema_of(lock));
    node_put_str(d, root, "envbuild", lock->writer);
    node_put_u64(d, root, "format", lock->format);
    n = node_put(d, root, "recipe", node_new_map(d));
    put_digest(d, n, "digest", &lock->recipe_digest);
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
    put_layers(d, root, lock);
    return root;
}

void lock_print(struct buf *out, const struct lock *lock)
{
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = chosen_part(&d, lock);

    if (lock->built)
        put_built(&d, root, lock);
    emit_json(out, root, EMIT_LINES);
}

void lock_digest(struct digest *out, const struct lock *lock)
{
    CLEANUP(doc_clear) struct doc d = {0};
    CLEANUP(buf_clear) struct buf text = {0};

    emit_json(&text, chosen_part(&d, lock), EMIT_COMPACT);
    hash_bytes(out, text.p, text.len);
}

/* ---- reading ---- */

static void need_digest(const struct fields *f, const char *key, struct digest *out)
{
    struct str text;

    if (field_need_str(f, key, &text))
        field_digest(f, key, out);
}

static void get_strs(const struct fields *f, const char *key, struct strs *out)
{
    const struct node *n, *list = field_need_list(f, key);

    node_each(n, list)
        vec_add(out, n->text);
}

static bool name_index(const char *const *names, size_t n, struct str text, unsigned *out)
{
    for (unsigned i = 0; i < n; i++)
        if (str_is(text, names[i])) {
            *out = i;
            return true;
        }
    return false;
}

static int64_t get_time(const struct fields *f, const char *key)
{
    uint64_t seconds = 0;

    field_need_u64(f, key, &seconds, (uint64_t)1 << 40);
    return (int64_t)seconds;
}

static void get_archives(struct lock *lock, const struct fields *root)
{
    const struct node *n, *list = field_need_list(root, "archives");

    node_each(n, list) {
        struct fields f = fields_of(n, "lock", root->e);
        struct lock_archive *a = vec_push(&lock->archives);

        field_need_str(&f, "uri", &a->uri);
        field_need_str(&f, "suite", &a->suite);
        field_str(&f, "codename", &a->codename);
        a->date = get_time(&f, "date");
        need_digest(&f, "inrelease", &a->digest);
        get_strs(&f, "signers", &a->signers);
    }
}

static void get_artifacts(struct lock *lock, const struct fields *root)
{
    const struct node *n, *list = field_need_list(root, "artifacts");

    node_each(n, list) {
        struct fields f = fields_of(n, "lock", root->e);
        struct artifact *a = vec_push(&lock->artifacts);
        struct str type = {0};
        unsigned eco = 0;

        if (field_need_str(&f, "type", &type) &&
            !name_index(ecosystems, ARRAY_LEN(ecosystems), type, &eco))
            err_at(root->e, &n->pos, "artifact type \"" STR_FMT "\" is not known here",
                   STR_ARG(type));
        a->eco = (enum ecosystem)eco;
        field_need_str(&f, "name", &a->name);
        field_need_str(&f, "version", &a->version);
        field_str(&f, "arch", &a->arch);
        field_str(&f, "group", &a->group);
        field_bool(&f, "requested", &a->requested);
        field_need_str(&f, "from", &a->from);
        field_need_str(&f, "file", &a->file);
        field_need_str(&f, "url", &a->url);
        field_need_u64(&f, "size", &a->size, UINT64_MAX / 2);
        need_digest(&f, "sha256", &a->digest);
    }
}

static void get_files(struct lock_copy *c, const struct fields *copy)
{
    const struct node *n, *list = field_need_list(copy, "content");

    node_each(n, list) {
        struct fields f = fields_of(n, "lock", copy->e);
        struct lock_file *file = vec_push(&c->files);

        field_need_str(&f, "path", &file->path);
        field_bool(&f, "folder", &file->folder);
        field_bool(&f, "executable", &file->executable);
        field_str(&f, "link", &file->link);
        if (file->folder || file->link.len)
            continue;
        field_need_u64(&f, "size", &file->size, UINT64_MAX / 2);
        need_digest(&f, "sha256", &file->digest);
    }
}

static void get_copies(struct lock *lock, const struct fields *root)
{
    const struct node *n, *list = field_need_list(root, "files");

    node_each(n, list) {
        struct fields f = fields_of(n, "lock", root->e);
        struct lock_copy *c = vec_push(&lock->copies);
        uint64_t uid = 0, gid = 0;

        field_str(&f, "text", &c->text);
        if (!c->text.len)
            field_need_str(&f, "from", &c->from);
        field_need_str(&f, "to", &c->to);
        field_need_u64(&f, "uid", &uid, INT32_MAX);
        field_need_u64(&f, "gid", &gid, INT32_MAX);
        c->uid = (uint32_t)uid;
        c->gid = (uint32_t)gid;
        get_files(c, &f);
    }
}

static void get_facts(struct facts *out, const struct fields *root)
{
    struct fields f = fields_of(field_need_map(root, "facts"), "lock", root->e);

    field_str(&f, "pytorch", &out->pytorch);
    field_str(&f, "python", &out->python);
    field_str(&f, "cuda", &out->cuda);
    field_str(&f, "cuda_toolkit", &out->cuda_toolkit);
    field_str(&f, "cudnn", &out->cudnn);
    field_str(&f, "nccl", &out->nccl);
    field_str(&f, "driver_min", &out->driver_min);
    field_str(&f, "driver_full", &out->driver_full);
    field_str(&f, "archs", &out->archs);
    field_str(&f, "compat", &out->compat);
    field_str(&f, "require", &out->require);
}

static void get_layers(struct lock *lock, const struct fields *root)
{
    const struct node *n, *item, *list = field_need_list(root, "layers");

    node_each(n, list) {
        struct fields f = fields_of(n, "lock", root->e);
        struct lock_layer *l = vec_push(&lock->layers);
        struct str kind = {0};
        unsigned k = 0;

        field_need_str(&f, "name", &l->name);
        if (field_need_str(&f, "kind", &kind) && !name_index(kinds, ARRAY_LEN(kinds), kind, &k))
            err_at(root->e, &n->pos, "layer kind \"" STR_FMT "\" is not known here", STR_ARG(kind));
        l->kind = (enum lock_layer_kind)k;
        if (l->kind == LOCK_IMAGE) {
            field_need_str(&f, "media_type", &l->media_type);
            field_need_u64(&f, "size", &l->size, UINT64_MAX / 2);
            need_digest(&f, "digest", &l->digest);
            need_digest(&f, "diff_id", &l->diff_id);
        }
        node_each(item, field_need_list(&f, "artifacts")) {
            struct str name = item->text, type = {0};
            const struct artifact *a = NULL;
            unsigned eco;

            if (str_cut(&name, STR(":"), &type) &&
                name_index(ecosystems, ARRAY_LEN(ecosystems), type, &eco))
                a = lock_find(lock, (enum ecosystem)eco, name);
            if (a && (l->kind == LOCK_WHEELS) != (a->eco == ECO_WHEEL))
                err_at(root->e, &item->pos,
                       "layer \"" STR_FMT "\" is of kind \"" STR_FMT "\", which has no \"" STR_FMT
                       "\"",
                       STR_ARG(l->name), STR_ARG(kind), STR_ARG(item->text));
            else if (a && a->eco == ECO_REDIST && !lock->toolkit.from.len)
                err_at(root->e, &item->pos,
                       "layer \"" STR_FMT "\" has \"" STR_FMT "\", and the lock has no toolkit",
                       STR_ARG(l->name), STR_ARG(item->text));
            else if (a)
                vec_add(&l->artifacts, (size_t)(a - lock->artifacts.v));
            else
                err_at(root->e, &item->pos,
                       "layer \"" STR_FMT "\" names artifact \"" STR_FMT
                       "\", which is not in the lock",
                       STR_ARG(l->name), STR_ARG(item->text));
        }
    }
}

/* What the toolkit is made of is told by its layer. */
static void check_toolkit(const struct lock *lock, struct err *e)
{
    const struct lock_layer *l = lock_layer_named(lock, LOCK_TOOLKIT);

    if (lock->toolkit.from.len && (!l || l->kind != LOCK_SYSTEM))
        err_at(e, &lock->doc.root->pos,
               "the lock has a toolkit, and no layer \"" LOCK_TOOLKIT "\" of kind \"system\"");
}

static void get_image(struct lock *lock, const struct fields *root)
{
    struct fields f = fields_of(field_need_map(root, "image"), "lock", root->e);
    const struct node *user;

    field_need_str(&f, "os", &lock->os);
    field_need_str(&f, "architecture", &lock->arch);
    lock->created = get_time(&f, "created");
    get_strs(&f, "env", &lock->env);
    get_strs(&f, "entrypoint", &lock->entrypoint);
    get_strs(&f, "cmd", &lock->cmd);
    field_need_str(&f, "workdir", &lock->workdir);
    lock->labels = field_map(&f, "labels");
    user = field_map(&f, "user");
    if (user) {
        struct fields u = fields_of(user, "lock", root->e);
        uint64_t uid = 0, gid = 0;

        field_need_str(&u, "name", &lock->user.name);
        field_need_u64(&u, "uid", &uid, INT32_MAX);
        field_need_u64(&u, "gid", &gid, INT32_MAX);
        lock->user.uid = (uint32_t)uid;
        lock->user.gid = (uint32_t)gid;
    }
}

static void get_built(struct lock *lock, const struct fields *root)
{
    const struct node *n, *map = field_map(root, "built");
    struct fields f = {map, "lock", root->e};
    size_t i = 0;

    if (!map)
        return;
    lock->built = true;
    field_need_str(&f, "encoder", &lock->encoder);
    get_strs(&f, "uncovered_scripts", &lock->uncovered);
    if (node_get(f.map, "findings"))
        get_strs(&f, "findings", &lock->findings);
    field_u64(&f, "toolkit_saved", &lock->toolkit.saved, UINT64_MAX / 2);
    lock_slim_get_built(&lock->slim, &f);
    node_each(n, field_need_list(&f, "layers")) {
        struct fields g = fields_of(n, "lock", root->e);
        struct str name = {0};

        field_need_str(&g, "name", &name);
        if (i >= lock->layers.n || !str_eq(name, lock->layers.v[i].name)) {
            err_at(root->e, &n->pos, "built layer \"" STR_FMT "\" is not the planned one",
                   STR_ARG(name));
            return;
        }
        field_need_u64(&g, "size", &lock->layers.v[i].size, UINT64_MAX / 2);
        field_u64(&g, "unpacked", &lock->layers.v[i].unpacked, UINT64_MAX / 2);
        need_digest(&g, "digest", &lock->layers.v[i].digest);
        need_digest(&g, "diff_id", &lock->layers.v[i].diff_id);
        i++;
    }
    if (i != lock->layers.n)
        err_at(root->e, &map->pos, "built: %zu layers are planned, %zu recorded", lock->layers.n,
               i);
    need_digest(&f, "config", &lock->config);
    need_digest(&f, "manifest", &lock->manifest);
}

static void get_inputs(struct lock *lock, const struct fields *recipe)
{
    const struct node *n, *list = field_list(recipe, "inputs");

    node_each(n, list) {
        struct fields f = fields_of(n, "lock", recipe->e);
        struct lock_input *input = vec_push(&lock->inputs);

        field_need_str(&f, "path", &input->path);
        field_need_str(&f, "use", &input->use);
        need_digest(&f, "sha256", &input->digest);
    }
}

static void get_base_image(struct lock_image *image, const struct fields *base)
{
    const struct node *map = field_map(base, "image");
    struct fields f = {map, "lock", base->e};

    if (!map)
        return;
    field_need_str(&f, "ref", &image->ref);
    field_str(&f, "name", &image->name);
    need_digest(&f, "manifest", &image->manifest);
    field_need_str(&f, "python", &image->python);
    field_need_str(&f, "glibc", &image->glibc);
}

static void get_head(struct lock *lock, const struct fields *root)
{
    struct fields r = fields_of(field_need_map(root, "recipe"), "lock", root->e);
    struct fields b = fields_of(field_need_map(root, "base"), "lock", root->e);
    uint64_t format = 0;

    field_need_str(root, "envbuild", &lock->writer);
    field_need_u64(root, "format", &format, UINT32_MAX);
    lock->format = (unsigned)format;
    if (format < 1 || format > LOCK_FORMAT)
        err_at(
            root->e, &lock->doc.root->pos,
            "layer format %llu is not known to this envbuild, which writes up to %d; the lock is "
            "from envbuild " STR_FMT,
            (unsigned long long)format, LOCK_FORMAT, STR_ARG(lock->writer));
    need_digest(&r, "digest", &lock->recipe_digest);
    lock->recipe = field_need_map(&r, "normal");
    get_inputs(lock, &r);
    field_need_str(root, "name", &lock->name);
    field_need_str(root, "tag", &lock->tag);
    field_need_str(&b, "name", &lock->base);
    field_need_str(&b, "variant", &lock->variant);
    field_need_str(&b, "python", &lock->python);
    field_need_str(&b, "python_full", &lock->python_full);
    field_need_str(&b, "apt_sources", &lock->apt_sources);
    lock->apt_sources_path = STR(LOCK_SOURCES_PATH);
    field_str(&b, "apt_sources_path", &lock->apt_sources_path);
    get_base_image(&lock->image, &b);
}

static int newer(struct lock *lock, const struct fields *root, uint64_t schema, struct err *e)
{
    field_need_str(root, "envbuild", &lock->writer);
    return err_at(e, &lock->doc.root->pos,
                  "lock schema %llu needs envbuild " STR_FMT " or newer; this is " ENVBUILD_VERSION
                  ", which reads 1 to %d",
                  (unsigned long long)schema, STR_ARG(lock->writer), LOCK_SCHEMA);
}

int lock_read(struct lock *out, const char *path, struct err *e)
{
    CLEANUP(lock_clear) struct lock lock = {0};
    struct fields root;
    uint64_t schema = 0;

    if (json_read(&lock.doc, path, LOCK_SIZE_MAX, e) < 0)
        return -1;
    root = fields_of(lock.doc.root, "lock", e);
    if (!field_need_u64(&root, "envbuild_lock", &schema, UINT32_MAX))
        return -1;
    if (schema < 1 || schema > LOCK_SCHEMA)
        return newer(&lock, &root, schema, e);
    lock.schema = (unsigned)schema;
    get_head(&lock, &root);
    get_facts(&lock.facts, &root);
    lock_toolkit_get(&lock.toolkit, &root);
    lock_slim_get(&lock, &root);
    get_image(&lock, &root);
    get_archives(&lock, &root);
    get_artifacts(&lock, &root);
    get_copies(&lock, &root);
    get_layers(&lock, &root);
    check_toolkit(&lock, e);
    get_built(&lock, &root);
    if (err_is_set(e))
        return -1;
    MOVE(out, &lock);
    return 0;
}

const struct artifact *lock_find(const struct lock *lock, enum ecosystem eco, struct str name)
{
    for (size_t i = 0; i < lock->artifacts.n; i++)
        if (lock->artifacts.v[i].eco == eco && str_eq(lock->artifacts.v[i].name, name))
            return &lock->artifacts.v[i];
    return NULL;
}

const struct lock_layer *lock_layer_named(const struct lock *lock, const char *name)
{
    for (size_t i = 0; i < lock->layers.n; i++)
        if (str_is(lock->layers.v[i].name, name))
            return &lock->layers.v[i];
    return NULL;
}

bool lock_slims(const struct lock *lock, const struct slim_rule *rule)
{
    for (size_t i = 0; i < lock->slim.n; i++)
        if (lock->slim.v[i].rule == rule)
            return true;
    return false;
}

const char *lock_startup_check(const struct lock *lock)
{
    const struct node *asked = node_get(lock->recipe, "startup_check");
    bool there = false;

    for (size_t i = 0; i < lock->copies.n; i++)
        there |= lock->copies.v[i].text.len && str_is(lock->copies.v[i].to, LOCK_STARTUP_CHECK);
    if (!there)
        return "off";
    return asked && str_is(asked->text, "fail") ? "fail" : "warn";
}

void lock_clear(struct lock *lock)
{
    for (size_t i = 0; i < lock->archives.n; i++)
        vec_clear(&lock->archives.v[i].signers);
    for (size_t i = 0; i < lock->copies.n; i++)
        vec_clear(&lock->copies.v[i].files);
    for (size_t i = 0; i < lock->layers.n; i++)
        vec_clear(&lock->layers.v[i].artifacts);
    lock_toolkit_clear(&lock->toolkit);
    vec_clear(&lock->slim);
    vec_clear(&lock->inputs);
    vec_clear(&lock->archives);
    vec_clear(&lock->artifacts);
    vec_clear(&lock->copies);
    vec_clear(&lock->layers);
    vec_clear(&lock->env);
    vec_clear(&lock->entrypoint);
    vec_clear(&lock->cmd);
    vec_clear(&lock->uncovered);
    vec_clear(&lock->findings);
    doc_clear(&lock->doc);
    *lock = (struct lock){0};
}
