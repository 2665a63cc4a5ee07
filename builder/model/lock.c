/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/path.h"
#include "../base/version.h"
#include "../doc/field.h"
#include "../doc/json.h"
#include "lock_check.h"
#include "lock_form.h"
#include "lock_record.h"
#include "lock_slim.h"
#include "lock_source.h"
#include "lock_toolkit.h"
#include "lock_words.h"

/* ---- reading: whatever is no word of a lock is refused ---- */

#define ONLY(f, ...) fields_only(f, (const char *const[]){__VA_ARGS__, NULL})

void lock_need_digest(const struct fields *f, const char *key, struct digest *out)
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

        ONLY(&f, "uri", "suite", "codename", "date", "inrelease", "signers");
        field_need_str(&f, "uri", &a->uri);
        field_need_str(&f, "suite", &a->suite);
        field_str(&f, "codename", &a->codename);
        a->date = get_time(&f, "date");
        lock_need_digest(&f, "inrelease", &a->digest);
        get_strs(&f, "signers", &a->signers);
    }
}

static int artifact_compare(const void *x, const void *y)
{
    const struct artifact *a = x, *b = y;

    return a->eco != b->eco ? (int)a->eco - (int)b->eco : str_cmp(a->name, b->name);
}

/* The array is the document's. */
static struct strs texts_of(struct lock *lock, const struct node *list)
{
    struct strs out = {0};
    const struct node *n;

    node_each(n, list)
        out.n++;
    out.v = arena_alloc(&lock->doc.arena, (out.n + 1) * sizeof *out.v);
    out.n = 0;
    node_each(n, list)
        out.v[out.n++] = n->text;
    return out;
}

/* Of wheels, since format 2. */
static void get_needs(struct lock *lock, struct artifact *a, const struct fields *f)
{
    const struct node *n, *extras = field_map(f, "extras");
    struct fields map = {extras, "lock", f->e};
    uint64_t turn = 0;

    if (lock->format < 2 || a->eco != ECO_WHEEL)
        return;
    a->needs = texts_of(lock, field_need_list(f, "needs"));
    node_each(n, extras)
        a->extras.n++;
    a->extras.v = arena_alloc(&lock->doc.arena, (a->extras.n + 1) * sizeof *a->extras.v);
    a->extras.n = 0;
    node_each(n, extras)
        a->extras.v[a->extras.n++] =
            (struct artifact_extra){n->key, texts_of(lock, field_need_list(&map, n->key.p))};
    if (field_need_u64(f, "turn", &turn, LOCK_SIZE_MAX) && !turn)
        err_at(f->e, &f->map->pos, "turn: the first one is 1");
    a->turn = (uint32_t)turn;
}

/* "0755" */
static void get_mode(uint32_t *mode, const struct fields *f, const char *what)
{
    struct str text = {0};

    if (!field_str(f, "mode", &text))
        return;
    if (text.len != 4 || !str_octal(text, mode) || !*mode || *mode > 0777)
        err_at(f->e, &f->map->pos, "%s: mode \"" STR_FMT "\" is not one such as \"0755\"", what,
               STR_ARG(text));
}

static void get_owner(uint32_t *uid, uint32_t *gid, const struct fields *f)
{
    uint64_t u = 0, g = 0;

    field_need_u64(f, "uid", &u, INT32_MAX);
    field_need_u64(f, "gid", &g, INT32_MAX);
    *uid = (uint32_t)u;
    *gid = (uint32_t)g;
}

/* Of downloads, which alone have one. */
static void get_place(struct lock *lock, struct artifact *a, const struct fields *f)
{
    struct artifact_place *p;

    if (a->eco != ECO_DOWNLOAD)
        return;
    p = arena_alloc(&lock->doc.arena, sizeof *p);
    field_need_str(f, "to", &p->to);
    field_bool(f, "unpack", &p->unpack);
    get_owner(&p->uid, &p->gid, f);
    get_mode(&p->mode, f, "artifacts");
    a->place = p;
}

static void get_artifact(struct lock *lock, struct artifact *a, const struct node *n, struct err *e)
{
    struct fields f = fields_of(n, "lock", e);
    struct str type = {0};
    unsigned eco = 0;

    ONLY(&f, "type", "name", "version", "arch", "group", "requested", "from", "file", "url", "size",
         "sha256", "source", "build", "needs", "extras", "turn", "to", "unpack", "uid", "gid",
         "mode");
    if (field_need_str(&f, "type", &type) &&
        !name_index(ecosystems, ARRAY_LEN(ecosystems), type, &eco))
        err_at(e, &n->pos, "artifact type \"" STR_FMT "\" is not known here", STR_ARG(type));
    a->eco = (enum ecosystem)eco;
    field_need_str(&f, "name", &a->name);
    field_need_str(&f, "version", &a->version);
    field_str(&f, "arch", &a->arch);
    field_str(&f, "group", &a->group);
    field_bool(&f, "requested", &a->requested);
    field_need_str(&f, "from", &a->from);
    lock_source_get(a, &lock->doc.arena, &f);
    get_needs(lock, a, &f);
    get_place(lock, a, &f);
}

static void get_artifacts(struct lock *lock, const struct fields *root)
{
    const struct node *n;

    node_each(n, field_need_list(root, "artifacts")) {
        struct artifact *a = vec_push(&lock->artifacts);

        get_artifact(lock, a, n, root->e);
        if (lock->artifacts.n > 1 && artifact_compare(a - 1, a) >= 0)
            err_at(root->e, &n->pos,
                   "%s \"" STR_FMT "\" stands there twice, or not in order: by type, then by name",
                   ecosystems[a->eco], STR_ARG(a->name));
    }
    node_each(n, field_list(root, "tools"))
        get_artifact(lock, vec_push(&lock->tools), n, root->e);
}

static void get_files(struct lock_copy *c, const struct fields *copy)
{
    const struct node *n, *list = field_need_list(copy, "content");

    node_each(n, list) {
        struct fields f = fields_of(n, "lock", copy->e);
        struct lock_file *file = vec_push(&c->files);

        ONLY(&f, "path", "folder", "executable", "link", "size", "sha256");
        field_need_str(&f, "path", &file->path);
        field_bool(&f, "folder", &file->folder);
        field_bool(&f, "executable", &file->executable);
        field_str(&f, "link", &file->link);
        if (file->folder || file->link.len)
            continue;
        field_need_u64(&f, "size", &file->size, UINT64_MAX / 2);
        lock_need_digest(&f, "sha256", &file->digest);
    }
}

static void get_copies(struct lock *lock, const struct fields *root)
{
    const struct node *n, *list = field_need_list(root, "files");

    node_each(n, list) {
        struct fields f = fields_of(n, "lock", root->e);
        struct lock_copy *c = vec_push(&lock->copies);

        ONLY(&f, "from", "text", "to", "uid", "gid", "mode", "content");
        field_str(&f, "text", &c->text);
        if (!c->text.len)
            field_need_str(&f, "from", &c->from);
        field_need_str(&f, "to", &c->to);
        get_owner(&c->uid, &c->gid, &f);
        get_mode(&c->mode, &f, "files");
        get_files(c, &f);
    }
}

static void get_folders(struct lock *lock, const struct fields *root)
{
    const struct node *n;

    node_each(n, field_list(root, "folders")) {
        struct fields f = fields_of(n, "lock", root->e);
        struct lock_folder *folder = vec_push(&lock->folders);
        uint64_t uid = 0;

        ONLY(&f, "path", "uid");
        field_need_str(&f, "path", &folder->path);
        field_need_u64(&f, "uid", &uid, INT32_MAX);
        folder->uid = (uint32_t)uid;
    }
}

static void get_facts(struct facts *out, const struct fields *root)
{
    struct fields f = fields_of(field_need_map(root, "facts"), "lock", root->e);

    ONLY(&f, "pytorch", "python", "cuda", "cuda_toolkit", "cudnn", "nccl", "driver_min",
         "driver_full", "archs", "compat", "require");
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

/* "wheel:numpy" */
static const struct artifact *named(const struct lock *lock, struct str text)
{
    struct artifact key = {.name = text};
    struct str type;
    unsigned eco;

    if (!lock->artifacts.n || !str_cut(&key.name, STR(":"), &type) ||
        !name_index(ecosystems, ARRAY_LEN(ecosystems), type, &eco))
        return NULL;
    key.eco = (enum ecosystem)eco;
    return bsearch(&key, lock->artifacts.v, lock->artifacts.n, sizeof key, artifact_compare);
}

static void get_layers(struct lock *lock, const struct fields *root)
{
    const struct node *n, *item, *list = field_need_list(root, "layers");

    node_each(n, list) {
        struct fields f = fields_of(n, "lock", root->e);
        struct lock_layer *l = vec_push(&lock->layers);
        struct str kind = {0};
        unsigned k = 0;

        ONLY(&f, "name", "kind", "media_type", "size", "digest", "diff_id", "artifacts");
        field_need_str(&f, "name", &l->name);
        if (field_need_str(&f, "kind", &kind) && !name_index(kinds, ARRAY_LEN(kinds), kind, &k))
            err_at(root->e, &n->pos, "layer kind \"" STR_FMT "\" is not known here", STR_ARG(kind));
        l->kind = (enum lock_layer_kind)k;
        if (l->kind == LOCK_IMAGE) {
            field_need_str(&f, "media_type", &l->media_type);
            field_need_u64(&f, "size", &l->size, UINT64_MAX / 2);
            lock_need_digest(&f, "digest", &l->digest);
            lock_need_digest(&f, "diff_id", &l->diff_id);
        }
        if (l->kind == LOCK_SYSTEM && name_index(groups, ARRAY_LEN(groups), l->name, &k))
            l->group = (enum lock_group)k;
        else if (l->kind == LOCK_SYSTEM)
            err_at(root->e, &n->pos,
                   "layer \"" STR_FMT "\" of kind \"system\" is not known here; there are base, "
                   "python, apt, locales, compile, toolkit and state",
                   STR_ARG(l->name));
        node_each(item, field_need_list(&f, "artifacts")) {
            const struct artifact *a = named(lock, item->text);

            if (a)
                vec_add(&l->artifacts, (size_t)(a - lock->artifacts.v));
            else
                err_at(root->e, &item->pos,
                       "layer \"" STR_FMT "\" names artifact \"" STR_FMT
                       "\", which is not in the lock",
                       STR_ARG(l->name), STR_ARG(item->text));
        }
    }
}

static uint32_t get_small(const struct fields *f, const char *key)
{
    uint64_t n = 0;

    field_u64(f, key, &n, INT32_MAX);
    return (uint32_t)n;
}

static void get_health(struct image_health *h, const struct fields *image)
{
    const struct node *map = field_map(image, "healthcheck");
    struct fields f = {map, "lock", image->e};

    if (!map)
        return;
    ONLY(&f, "command", "interval", "timeout", "start_period", "retries");
    get_strs(&f, "command", &h->command);
    if (!h->command.n)
        err_at(f.e, &map->pos, "healthcheck: it has no command");
    h->interval = get_small(&f, "interval");
    h->timeout = get_small(&f, "timeout");
    h->start_period = get_small(&f, "start_period");
    h->retries = get_small(&f, "retries");
}

/* A list that is left out where it is empty. */
static void get_some(const struct fields *f, const char *key, struct strs *out)
{
    const struct node *n;

    node_each(n, field_list(f, key))
        vec_add(out, n->text);
}

static void get_image(struct lock *lock, const struct fields *root)
{
    struct fields f = fields_of(field_need_map(root, "image"), "lock", root->e);
    const struct node *user;

    ONLY(&f, "os", "architecture", "created", "env", "entrypoint", "cmd", "workdir", "user",
         "ports", "volumes", "healthcheck", "labels");
    field_need_str(&f, "os", &lock->os);
    field_need_str(&f, "architecture", &lock->arch);
    lock->created = get_time(&f, "created");
    get_strs(&f, "env", &lock->env);
    get_strs(&f, "entrypoint", &lock->entrypoint);
    get_strs(&f, "cmd", &lock->cmd);
    field_need_str(&f, "workdir", &lock->workdir);
    get_some(&f, "ports", &lock->ports);
    get_some(&f, "volumes", &lock->volumes);
    get_health(&lock->health, &f);
    lock->labels = field_map(&f, "labels");
    user = field_map(&f, "user");
    if (user) {
        struct fields u = fields_of(user, "lock", root->e);
        uint64_t uid = 0, gid = 0;

        ONLY(&u, "name", "uid", "gid");
        field_need_str(&u, "name", &lock->user.name);
        field_need_u64(&u, "uid", &uid, INT32_MAX);
        field_need_u64(&u, "gid", &gid, INT32_MAX);
        lock->user.uid = (uint32_t)uid;
        lock->user.gid = (uint32_t)gid;
    }
}

static void get_overlaps(struct lock *lock, const struct fields *built)
{
    const struct node *n;

    node_each(n, field_list(built, "overlaps")) {
        struct fields f = fields_of(n, "lock", built->e);
        struct lock_overlap *o = vec_push(&lock->overlaps);

        ONLY(&f, "winner", "loser", "paths");
        field_need_str(&f, "winner", &o->winner);
        field_need_str(&f, "loser", &o->loser);
        get_strs(&f, "paths", &o->paths);
    }
}

void lock_get_chunked(struct chunked *c, const struct fields *layer)
{
    const struct node *map = field_map(layer, "chunked");
    struct fields f = {map, "lock", layer->e};

    if (!map)
        return;
    ONLY(&f, "digest", "offset", "size", "unpacked", "split_offset", "split_size",
         "split_unpacked");
    lock_need_digest(&f, "digest", &c->toc);
    field_need_u64(&f, "offset", &c->offset, UINT64_MAX / 2);
    field_need_u64(&f, "size", &c->size, UINT64_MAX / 2);
    field_need_u64(&f, "unpacked", &c->unpacked, UINT64_MAX / 2);
    field_need_u64(&f, "split_offset", &c->split_offset, UINT64_MAX / 2);
    field_need_u64(&f, "split_size", &c->split_size, UINT64_MAX / 2);
    field_need_u64(&f, "split_unpacked", &c->split_unpacked, UINT64_MAX / 2);
}

/* `key`: "built" is whole, "kept" lacks what hangs on the recipe's own files. */
static void get_recorded(struct lock *lock, const struct fields *root, const char *key, bool *is)
{
    const struct node *n, *map = field_map(root, key);
    struct fields f = {map, "lock", root->e};
    size_t i = 0;

    if (!map)
        return;
    *is = true;
    ONLY(&f, "encoder", "uncovered_scripts", "overlaps", "findings", "toolkit_saved", "slim",
         "layers", "forms", "config", "manifest");
    field_need_str(&f, "encoder", &lock->encoder);
    get_strs(&f, "uncovered_scripts", &lock->uncovered);
    get_overlaps(lock, &f);
    get_some(&f, "findings", &lock->findings);
    field_u64(&f, "toolkit_saved", &lock->toolkit.saved, UINT64_MAX / 2);
    lock_slim_get_built(&lock->slim, &f);
    node_each(n, field_need_list(&f, "layers")) {
        struct fields g = fields_of(n, "lock", root->e);
        struct str name = {0};

        ONLY(&g, "name", "size", "unpacked", "digest", "diff_id", "chunked");
        field_need_str(&g, "name", &name);
        while (lock->settled && i < lock->layers.n && lock_layer_is_own(lock, i))
            i++;
        if (i >= lock->layers.n || !str_eq(name, lock->layers.v[i].name)) {
            err_at(root->e, &n->pos, "%s layer \"" STR_FMT "\" is not the planned one", key,
                   STR_ARG(name));
            return;
        }
        field_need_u64(&g, "size", &lock->layers.v[i].size, UINT64_MAX / 2);
        field_u64(&g, "unpacked", &lock->layers.v[i].unpacked, UINT64_MAX / 2);
        lock_need_digest(&g, "digest", &lock->layers.v[i].digest);
        lock_need_digest(&g, "diff_id", &lock->layers.v[i].diff_id);
        lock_get_chunked(&lock->layers.v[i].chunked, &g);
        i++;
    }
    while (lock->settled && i < lock->layers.n && lock_layer_is_own(lock, i))
        i++;
    if (i != lock->layers.n)
        err_at(root->e, &map->pos, "%s: %zu layers are planned, %zu recorded", key, lock->layers.n,
               i);
    lock_forms_get(lock, &f);
    if (lock->settled)
        return;
    lock_need_digest(&f, "config", &lock->config);
    lock_need_digest(&f, "manifest", &lock->manifest);
}

static void get_inputs(struct lock *lock, const struct fields *recipe)
{
    const struct node *n, *list = field_list(recipe, "inputs");

    node_each(n, list) {
        struct fields f = fields_of(n, "lock", recipe->e);
        struct lock_input *input = vec_push(&lock->inputs);

        ONLY(&f, "path", "use", "sha256");
        field_need_str(&f, "path", &input->path);
        field_need_str(&f, "use", &input->use);
        lock_need_digest(&f, "sha256", &input->digest);
    }
}

static void get_base_image(struct lock_image *image, const struct fields *base)
{
    const struct node *map = field_map(base, "image");
    struct fields f = {map, "lock", base->e};

    if (!map)
        return;
    ONLY(&f, "ref", "name", "manifest", "python", "glibc");
    field_need_str(&f, "ref", &image->ref);
    field_str(&f, "name", &image->name);
    lock_need_digest(&f, "manifest", &image->manifest);
    field_need_str(&f, "python", &image->python);
    field_need_str(&f, "glibc", &image->glibc);
}

static void get_head(struct lock *lock, const struct fields *root)
{
    struct fields r = fields_of(field_need_map(root, "recipe"), "lock", root->e);
    struct fields b = fields_of(field_need_map(root, "base"), "lock", root->e);
    uint64_t format = 0;

    ONLY(root, "envbuild_lock", "envbuild", "format", "recipe", "name", "tag", "base", "facts",
         "toolkit", "slim", "image", "archives", "artifacts", "tools", "files", "folders", "layers",
         "built", "kept");
    ONLY(&r, "digest", "normal", "inputs");
    ONLY(&b, "name", "variant", "python", "python_full", "apt_sources", "apt_sources_path",
         "image");
    field_need_str(root, "envbuild", &lock->writer);
    field_need_u64(root, "format", &format, UINT32_MAX);
    lock->format = (unsigned)format;
    if (format < 1 || format > LOCK_FORMAT)
        err_at(
            root->e, &lock->doc.root->pos,
            "layer format %llu is not known to this envbuild, which writes up to %d; the lock is "
            "from envbuild " STR_FMT,
            (unsigned long long)format, LOCK_FORMAT, STR_ARG(lock->writer));
    lock_need_digest(&r, "digest", &lock->recipe_digest);
    lock->recipe = field_need_map(&r, "normal");
    get_inputs(lock, &r);
    field_need_str(root, "name", &lock->name);
    field_need_str(root, "tag", &lock->tag);
    field_need_str(&b, "name", &lock->base);
    field_need_str(&b, "variant", &lock->variant);
    field_need_str(&b, "python", &lock->python);
    field_need_str(&b, "python_full", &lock->python_full);
    field_need_str(&b, "apt_sources", &lock->apt_sources);
    get_base_image(&lock->image, &b);
    if (!lock->image.ref.len) /* such an image has sources of its own */
        lock->apt_sources_path = STR(LOCK_SOURCES_PATH);
    field_str(&b, "apt_sources_path", &lock->apt_sources_path);
}

static int newer(struct lock *lock, const struct fields *root, uint64_t schema, struct err *e)
{
    field_need_str(root, "envbuild", &lock->writer);
    return err_at(e, &lock->doc.root->pos,
                  "lock schema %llu needs envbuild " STR_FMT " or newer; this is " ENVBUILD_VERSION
                  ", which reads 1 to %d",
                  (unsigned long long)schema, STR_ARG(lock->writer), LOCK_SCHEMA);
}

/* The document becomes the lock's, or is cleared. */
static int from_doc(struct lock *out, struct doc *doc, struct err *e)
{
    CLEANUP(lock_clear) struct lock lock = {0};
    struct fields root;
    uint64_t schema = 0;

    MOVE(&lock.doc, doc);
    root = fields_of(lock.doc.root, "lock", e);
    if (!field_need_u64(&root, "envbuild_lock", &schema, UINT32_MAX))
        return -1;
    if (schema < 1 || schema > LOCK_SCHEMA)
        return newer(&lock, &root, schema, e);
    lock.schema = (unsigned)schema;
    get_head(&lock, &root);
    get_facts(&lock.facts, &root);
    lock.facts.arch = lock.arch;
    lock_toolkit_get(&lock.toolkit, &root);
    lock_slim_get(&lock, &root);
    get_image(&lock, &root);
    get_archives(&lock, &root);
    get_artifacts(&lock, &root);
    get_copies(&lock, &root);
    get_folders(&lock, &root);
    if (err_is_set(e)) /* layers are made of artifacts in order */
        return -1;
    get_layers(&lock, &root);
    get_recorded(&lock, &root, "built", &lock.built);
    if (lock.built && node_get(root.map, "kept"))
        err_at(e, &root.map->pos, "it has \"built\" and \"kept\"; a lock has one of them");
    else
        get_recorded(&lock, &root, "kept", &lock.settled);
    if (err_is_set(e) || lock_check(&lock, e) < 0)
        return -1;
    MOVE(out, &lock);
    return 0;
}

int lock_read(struct lock *out, const char *path, struct err *e)
{
    struct doc doc = {0};

    return json_read(&doc, path, LOCK_SIZE_MAX, e) < 0 ? -1 : from_doc(out, &doc, e);
}

int lock_parse(struct lock *out, struct str text, const char *name, struct err *e)
{
    struct doc doc = {0};

    return json_parse(&doc, text, LOCK_SIZE_MAX, name, e) < 0 ? -1 : from_doc(out, &doc, e);
}

/* ---- looking things up ---- */

const char *ecosystem_name(enum ecosystem eco)
{
    return ecosystems[eco];
}

const struct artifact *lock_find(const struct lock *lock, enum ecosystem eco, struct str name)
{
    for (size_t i = 0; i < lock->artifacts.n; i++)
        if (lock->artifacts.v[i].eco == eco && str_eq(lock->artifacts.v[i].name, name))
            return &lock->artifacts.v[i];
    return NULL;
}

bool lock_installs_before(const struct artifact *a, const struct artifact *b)
{
    return a->turn != b->turn ? a->turn < b->turn : str_cmp(a->name, b->name) > 0;
}

static const struct lock_layer *layer_with(const struct lock *lock, struct str wheel)
{
    const struct artifact *a = lock_find(lock, ECO_WHEEL, wheel);

    for (size_t i = 0; a && i < lock->layers.n; i++)
        for (size_t j = 0; j < lock->layers.v[i].artifacts.n; j++)
            if (&lock->artifacts.v[lock->layers.v[i].artifacts.v[j]] == a)
                return &lock->layers.v[i];
    return NULL;
}

void lock_left_out(struct strs *out, const struct lock *lock, struct str wheel)
{
    const struct lock_overlap *o;

    vec_each(o, &lock->overlaps) {
        if (!str_eq(o->loser, wheel) || layer_with(lock, o->winner) == layer_with(lock, o->loser))
            continue;
        for (size_t i = 0; i < o->paths.n; i++)
            vec_add(out, o->paths.v[i]);
    }
    vec_sort(out, str_compare);
}

const char *lock_group_name(enum lock_group group)
{
    return groups[group];
}

const struct lock_folder *lock_folder_of(const struct lock *lock, struct str path)
{
    for (size_t i = 0; i < lock->folders.n; i++)
        if (path_is_in(path, lock->folders.v[i].path))
            return &lock->folders.v[i];
    return NULL;
}

bool lock_copy_place(struct buf *out, const struct lock_copy *copy, const struct lock_file *file)
{
    CLEANUP(buf_clear) struct buf raw = {0};
    size_t before = out->len;

    buf_str(&raw, copy->to);
    if (file->path.len)
        buf_fmt(&raw, "/" STR_FMT, STR_ARG(file->path));
    else if (str_ends(copy->to, STR("/")))
        buf_str(&raw, path_base(copy->from));
    return path_clean(out, buf_view(&raw)) && out->len - before > 1;
}

bool lock_copy_is_certificate(const struct lock_copy *copy)
{
    return copy->text.len && str_starts(copy->to, STR(LOCK_CERTIFICATES)) &&
           str_ends(copy->to, STR(".crt"));
}

bool lock_has_certificates(const struct lock *lock)
{
    for (size_t i = 0; i < lock->copies.n; i++)
        if (lock_copy_is_certificate(&lock->copies.v[i]))
            return true;
    return false;
}

const struct artifact *lock_project(const struct lock *lock)
{
    const struct artifact *a;

    vec_each(a, &lock->artifacts)
        if (artifact_is_project(a))
            return a;
    return NULL;
}

bool lock_layer_is_own(const struct lock *lock, size_t layer)
{
    const struct lock_layer *l = &lock->layers.v[layer];

    return l->kind == LOCK_FILES || (l->kind == LOCK_WHEELS && l->artifacts.n == 1 &&
                                     artifact_is_project(&lock->artifacts.v[l->artifacts.v[0]]));
}

bool lock_has_bytecode(const struct lock *lock)
{
    const struct node *n = lock->recipe ? node_get(lock->recipe, "bytecode") : NULL;

    return n && n->kind == NODE_BOOL && n->boolean;
}

size_t lock_bytecode_from(const struct lock *lock, size_t layer)
{
    while (layer && lock->layers.v[layer - 1].kind != LOCK_BYTECODE)
        layer--;
    return layer;
}

const struct artifact_place *lock_place_of(const struct lock *lock, struct str path)
{
    const struct artifact_place *found = NULL;
    const struct artifact *a;

    vec_each(a, &lock->artifacts) {
        CLEANUP(buf_clear) struct buf folder = {0};

        if (a->place && (a->place->unpack || str_ends(a->place->to, STR("/"))) &&
            path_clean(&folder, a->place->to) && folder.len > 1 &&
            path_is_in(path, buf_view(&folder)) && (!found || a->place->to.len > found->to.len))
            found = a->place;
    }
    return found;
}

const struct lock_layer *lock_layer_of(const struct lock *lock, enum lock_group group)
{
    for (size_t i = 0; i < lock->layers.n; i++)
        if (lock->layers.v[i].group == group)
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

void overlaps_clear(struct overlaps *list)
{
    struct lock_overlap *o;

    vec_each(o, list)
        vec_clear(&o->paths);
    vec_clear(list);
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
    vec_clear(&lock->tools);
    vec_clear(&lock->copies);
    vec_clear(&lock->folders);
    vec_clear(&lock->layers);
    vec_clear(&lock->env);
    vec_clear(&lock->entrypoint);
    vec_clear(&lock->cmd);
    vec_clear(&lock->ports);
    vec_clear(&lock->volumes);
    image_health_clear(&lock->health);
    vec_clear(&lock->uncovered);
    overlaps_clear(&lock->overlaps);
    vec_clear(&lock->findings);
    lock_forms_clear(lock);
    doc_clear(&lock->doc);
    *lock = (struct lock){0};
}
