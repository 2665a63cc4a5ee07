/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/fs.h"
#include "../base/path.h"
#include "../doc/emit.h"
#include "../io/crypto.h"
#include "../model/recipe_form.h"
#include "certificates.h"
#include "deb/apt_extra.h"
#include "own_wheels.h"
#include "resolve_parts.h"
#include "scan.h"
#include "services.h"

int resolve_owner(uint32_t *uid, uint32_t *gid, const struct recipe *r, const char *key,
                  const struct value *owner, unsigned format, struct err *e)
{
    struct str group = owner->text, user = {0};

    if (!group.len || str_is(group, "root"))
        return 0;
    if (str_eq(group, r->user.name.text)) {
        *uid = r->user.uid;
        *gid = format < 2 ? r->user.gid : 0; /* which any uid is in */
        return 0;
    }
    if (!str_cut(&group, STR(":"), &user))
        user = group;
    if (str_u32(user, uid) && str_u32(group, gid) && *uid <= INT32_MAX && *gid <= INT32_MAX)
        return 0;
    return err_at(e, &owner->pos,
                  "%s: owner \"" STR_FMT
                  "\" is neither the recipe's user nor root nor a number such as 1000 or 1000:1000",
                  key, STR_ARG(owner->text));
}

/* What all of `files` leave out. */
static int read_ignored(struct ignore *out, const char *context, struct err *e)
{
    CLEANUP(free_clear) char *path = path_join(context, ".dockerignore");
    CLEANUP(buf_clear) struct buf text = {0};

    ignore_add_built_in(out);
    if (!fs_exists(path))
        return 0;
    return fs_read(&text, path, IGNORE_FILE_MAX, e) < 0
               ? -1
               : ignore_add_lines(out, buf_view(&text), path, e);
}

static int take_copy(struct lock_copy *copy, struct arena *a, const struct recipe_file *f,
                     const char *context, struct scan_rules *rules, struct err *e)
{
    struct err why = {0};

    copy->from = arena_str(a, f->from.text);
    copy->to = arena_str(a, f->to.text);
    if (!str_octal(f->mode.text, &copy->mode))
        copy->mode = 0; /* the recipe names none */
    ignore_clear(&rules->exclude);
    for (size_t i = 0; i < f->exclude.n; i++)
        if (ignore_add(&rules->exclude, f->exclude.v[i].text, &why) < 0) {
            err_at(e, &f->exclude.v[i].pos, "files: exclude: %s", why.msg);
            err_clear(&why);
        }
    if (scan_files(copy, a, context, rules, &why) < 0) {
        err_at(e, &f->from.pos, "files: %s", why.msg);
        err_clear(&why);
    }
    return err_is_set(e) ? -1 : 0;
}

/* What nobody said is to be left out is told. */
static void tell_left(const struct names *left, const struct events *events)
{
    enum { NAMED = 8 };
    CLEANUP(buf_clear) struct buf words = {0};

    for (size_t i = 0; i < left->n && i < NAMED; i++)
        buf_fmt(&words, "%s%s", i ? ", " : "", left->v[i]);
    if (left->n > NAMED)
        buf_fmt(&words, " and %zu more", left->n - NAMED);
    if (left->n)
        events_warn(events,
                    "files: left out, for it is not meant for an image: %s; a line such as "
                    "\"!%s\" in .dockerignore takes it back",
                    words.p, left->v[0]);
}

static int take_copies(struct lock *lock, const struct recipe *r, const char *dir,
                       const struct events *events, struct err *e)
{
    CLEANUP(free_clear) char *context = recipe_context(r, dir);
    CLEANUP(scan_rules_clear) struct scan_rules rules = {0};
    struct arena *a = &lock->doc.arena;
    struct err fault = {0};

    if (r->files.n && lock->format >= 2 && read_ignored(&rules.ignore, context, e) < 0)
        return err_wrap(e, "files");

    for (size_t i = 0; i < r->files.n; i++) {
        const struct recipe_file *f = &r->files.v[i];
        struct lock_copy *copy = vec_push(&lock->copies);
        struct err why = {0};

        (void)!resolve_owner(&copy->uid, &copy->gid, r, "files", &f->owner, lock->format, &fault);
        if (take_copy(copy, a, f, context, &rules, &why) < 0)
            err_join(&fault, &why);
    }
    if (err_is_set(&fault))
        return err_join(e, &fault);
    tell_left(&rules.built_in, events);
    return 0;
}

static void add_input(struct lock *lock, struct str path, struct str use,
                      const struct digest *digest)
{
    for (size_t i = 0; i < lock->inputs.n; i++)
        if (str_eq(lock->inputs.v[i].path, path))
            return;
    vec_add(&lock->inputs, ((struct lock_input){arena_str(&lock->doc.arena, path), use, *digest}));
}

static int input_compare(const void *x, const void *y)
{
    const struct lock_input *a = x, *b = y;

    return str_cmp(a->path, b->path);
}

/* The files that decide with the recipe. */
static int take_inputs(struct lock *lock, const struct recipe *r, const struct requirements *reqs,
                       const char *dir, struct err *e)
{
    for (size_t i = 0; i < reqs->files.sources.n; i++)
        add_input(lock, reqs->files.sources.v[i].path, STR("pip"),
                  &reqs->files.sources.v[i].digest);
    for (size_t i = 0; i < reqs->project.inputs.n; i++)
        add_input(lock, reqs->project.inputs.v[i].path, STR("project"),
                  &reqs->project.inputs.v[i].digest);
    if (baselayer_is_path(r->base.text)) {
        CLEANUP(free_clear) char *name = str_dup(r->base.text);
        CLEANUP(free_clear) char *path = path_join(dir, name);
        CLEANUP(buf_clear) struct buf text = {0};
        struct digest digest;

        if (fs_read(&text, path, REQFILE_MAX, e) < 0)
            return err_wrap(e, "base");
        hash_bytes(&digest, text.p, text.len);
        add_input(lock, r->base.text, STR("base"), &digest);
    }
    return 0;
}

int resolve_recipe_part(struct lock *out, const struct recipe *r, const struct requirements *reqs,
                        const char *dir, unsigned format, int64_t now, const struct events *events,
                        struct err *e)
{
    CLEANUP(lock_clear) struct lock lock = {.format = format};
    CLEANUP(buf_clear) struct buf text = {0};

    lock.recipe = recipe_to_node(r, &lock.doc);
    emit_json(&text, lock.recipe, EMIT_COMPACT);
    hash_bytes(&lock.recipe_digest, text.p, text.len);
    lock.user =
        (struct lock_user){arena_str(&lock.doc.arena, r->user.name.text), r->user.uid, r->user.gid};
    if (take_inputs(&lock, r, reqs, dir, e) < 0 || take_copies(&lock, r, dir, events, e) < 0 ||
        apt_extra_take(&lock, r, dir, e) < 0 ||
        certificates_take(&lock, r, dir, now, events, e) < 0 || services_take(&lock, r, dir, e) < 0)
        return -1;
    vec_sort(&lock.inputs, input_compare);
    MOVE(out, &lock);
    return 0;
}

static int take_own_wheels(struct lock *lock, const struct lock *of, const char *dir, struct err *e)
{
    struct artifacts changed = {0};
    int result = own_wheels_changed(&changed, of, dir, e);
    const struct artifact *a;

    vec_each(a, &changed)
        vec_add(&lock->artifacts, artifact_keep(&lock->doc.arena, a));
    vec_clear(&changed);
    return result;
}

/* Its files as they are now, where they are others than the lock has. The version that its backend
 * is told stays with them. */
static int take_project(struct lock *lock, const struct lock *of, const struct own_project *p,
                        struct err *e)
{
    const struct artifact *was = lock_project(of);
    struct arena *a = &lock->doc.arena;
    struct artifact_source *s;
    struct artifact now;
    struct digest digest;
    uint64_t size;

    if (!p->recipe || !was)
        return 0;
    if (own_project_hash(&digest, &size, p, NULL, e) < 0)
        return -1;
    if (digest_eq(&digest, &was->source->sdist.digest))
        return 0;
    now = artifact_keep(a, was);
    s = arena_alloc(a, sizeof *s);
    *s = *now.source;
    s->sdist.digest = digest;
    s->sdist.size = size;
    s->env = own_project_env(a, &s->env, p, NULL);
    now.source = s;
    vec_add(&lock->artifacts, now);
    return 0;
}

int resolve_recipe(struct lock *out, const struct recipe *r, const char *dir, const struct lock *of,
                   struct err *e)
{
    CLEANUP(requirements_clear) struct requirements reqs = {0};
    CLEANUP(lock_clear) struct lock lock = {0};

    /* What it is compared by hangs on no label. In format 1 `files` left nothing out. */
    if (requirements_open(&reqs, r, STR(""), NULL, dir, e) < 0 ||
        resolve_recipe_part(&lock, r, &reqs, dir, of->format, 0, NULL, e) < 0 ||
        take_own_wheels(&lock, of, dir, e) < 0 || take_project(&lock, of, &reqs.project, e) < 0)
        return -1;
    MOVE(out, &lock);
    return 0;
}
