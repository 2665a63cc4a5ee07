/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/dotted.h"
#include "../base/fs.h"
#include "../base/path.h"
#include "../base/version.h"
#include "../doc/emit.h"
#include "../io/crypto.h"
#include "../model/recipe_form.h"
#include "deb/apt_extra.h"
#include "env.h"
#include "lock_facts.h"
#include "layering.h"
#include "req_check.h"
#include "resolve_parts.h"
#include "scan.h"
#include "slimming.h"
#include "startup.h"

/* ---- what the recipe alone decides ---- */

static int owner_of(struct lock_copy *copy, const struct recipe *r, const struct value *owner,
                    unsigned format, struct err *e)
{
    struct str gid = owner->text, uid = {0};

    if (!gid.len || str_is(gid, "root"))
        return 0;
    if (str_eq(gid, r->user.name.text)) {
        copy->uid = r->user.uid;
        copy->gid = format < 2 ? r->user.gid : 0; /* which any uid is in */
        return 0;
    }
    if (!str_cut(&gid, STR(":"), &uid))
        uid = gid;
    if (str_u32(uid, &copy->uid) && str_u32(gid, &copy->gid) && copy->uid <= INT32_MAX &&
        copy->gid <= INT32_MAX)
        return 0;
    return err_at(e, &owner->pos,
                  "files: owner \"" STR_FMT
                  "\" is neither the recipe's user nor root nor a number such as 1000 or 1000:1000",
                  STR_ARG(owner->text));
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

        owner_of(copy, r, &f->owner, lock->format, &fault);
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

static int recipe_part(struct lock *out, const struct recipe *r, const struct requirements *reqs,
                       const char *dir, unsigned format, const struct events *events, struct err *e)
{
    CLEANUP(lock_clear) struct lock lock = {.format = format};
    CLEANUP(buf_clear) struct buf text = {0};

    lock.recipe = recipe_to_node(r, &lock.doc);
    emit_json(&text, lock.recipe, EMIT_COMPACT);
    hash_bytes(&lock.recipe_digest, text.p, text.len);
    lock.user =
        (struct lock_user){arena_str(&lock.doc.arena, r->user.name.text), r->user.uid, r->user.gid};
    if (take_inputs(&lock, r, reqs, dir, e) < 0 || take_copies(&lock, r, dir, events, e) < 0 ||
        apt_extra_take(&lock, r, dir, e) < 0)
        return -1;
    vec_sort(&lock.inputs, input_compare);
    MOVE(out, &lock);
    return 0;
}

int resolve_recipe(struct lock *out, const struct recipe *r, const char *dir, unsigned format,
                   struct err *e)
{
    CLEANUP(requirements_clear) struct requirements reqs = {0};

    /* What it is compared by hangs on no label. */
    return requirements_open(&reqs, r, STR(""), NULL, dir, e) < 0
               ? -1
               : recipe_part(out, r, &reqs, dir, format, NULL, e);
}

/* ---- the image's settings ---- */

static void set_env(struct lock *lock, struct str line)
{
    env_set(&lock->env, &lock->doc.arena, line);
}

static void set_env_fact(struct lock *lock, const char *name, struct str value)
{
    if (value.len)
        set_env(lock, str_of(arena_fmt(&lock->doc.arena, "%s=" STR_FMT, name, STR_ARG(value))));
}

static void keep_values(struct strs *to, struct arena *a, const struct values *from)
{
    for (size_t i = 0; i < from->n; i++)
        vec_add(to, arena_str(a, from->v[i].text));
}

/* The value that the image below gives a variable; `otherwise` when it gives none. */
static struct str inherited(const struct lock *lock, struct str name, struct str otherwise)
{
    struct str value = {0};

    return env_get(&value, &lock->env, name) && value.len ? value : otherwise;
}

/* The recipe's own variables, each made of those that are there before it. */
static int set_own_env(struct lock *lock, const struct recipe *r, struct err *e)
{
    struct err fault = {0};

    for (size_t i = 0; i < r->env.n; i++) {
        CLEANUP(buf_clear) struct buf line = {0};
        CLEANUP(err_clear) struct err why = {0};
        struct str value = r->env.v[i].text, name;

        if (lock->format < 2) { /* nothing was replaced then */
            set_env(lock, value);
            continue;
        }
        str_cut(&value, STR("="), &name);
        buf_fmt(&line, STR_FMT "=", STR_ARG(name));
        if (env_expand(&line, value, &lock->env, &why) < 0)
            err_at(&fault, &r->env.v[i].pos, "env: " STR_FMT ": %s", STR_ARG(name), why.msg);
        else
            set_env(lock, buf_view(&line));
    }
    return err_is_set(&fault) ? err_join(e, &fault) : 0;
}

static void keep_strs(struct strs *to, struct arena *a, const struct strs *from)
{
    for (size_t i = 0; i < from->n; i++)
        vec_add(to, arena_str(a, from->v[i]));
}

/* As a Dockerfile has it: an entrypoint of one's own takes the base's command away. */
static void continue_image(struct lock *lock, const struct recipe *r, const struct image_config *c)
{
    struct arena *a = &lock->doc.arena;

    if (!r->has_entrypoint)
        keep_strs(&lock->entrypoint, a, &c->entrypoint);
    if (!r->has_entrypoint && !r->has_cmd)
        keep_strs(&lock->cmd, a, &c->cmd);
    if (c->workdir.len && !r->workdir.pos.line)
        lock->workdir = arena_str(a, c->workdir);
}

/* ---- whose it is ---- */

/* The user's uid; false when only a name of the base image tells it. */
static bool own_uid(uint32_t *uid, const struct recipe *r, const struct resolve_input *in)
{
    struct str user = in->image ? in->image->stored.config.user : STR("");

    *uid = r->user.uid;
    if (r->user.name.text.len || !user.len || str_is(user, "root"))
        return true;
    return str_u32(str_sub(user, 0, str_find(user, ':')), uid);
}

/* Any uid has a name and a home then, although it may stand in no /etc/passwd, and a place for what
 * torch.compile makes. */
static void set_own(struct lock *lock, const struct resolve_input *in)
{
    const struct recipe *r = in->recipe;
    struct arena *a = &lock->doc.arena;
    struct str name = r->user.name.text;
    uint32_t uid;

    if (lock->facts.pytorch.len)
        set_env_fact(lock, "TORCHINDUCTOR_CACHE_DIR",
                     inherited(lock, STR("TORCHINDUCTOR_CACHE_DIR"), STR("/tmp/torchinductor")));
    if (name.len) {
        set_env_fact(lock, "USER", name);
        set_env_fact(lock, "HOME", str_of(arena_fmt(a, "/home/" STR_FMT, STR_ARG(name))));
    } else if (own_uid(&uid, r, in) && !uid) {
        set_env_fact(lock, "USER", inherited(lock, STR("USER"), STR("root")));
        set_env_fact(lock, "HOME", inherited(lock, STR("HOME"), STR("/root")));
    }
}

static void add_own_folder(struct lock *lock, struct str path, uint32_t uid)
{
    for (size_t i = 0; i < lock->folders.n; i++)
        if (str_eq(lock->folders.v[i].path, path))
            return;
    if (path.len > 1)
        vec_add(&lock->folders, ((struct lock_folder){arena_str(&lock->doc.arena, path), uid}));
}

/* Home, work folder and those that the recipe names, and whose the files in them are. */
static void set_folders(struct lock *lock, const struct resolve_input *in)
{
    const struct recipe *r = in->recipe;
    CLEANUP(buf_clear) struct buf home = {0};
    uint32_t uid = 0;

    if (own_uid(&uid, r, in) && r->user.name.text.len)
        buf_fmt(&home, "/home/" STR_FMT, STR_ARG(r->user.name.text));
    else if (!uid && !in->image)
        buf_puts(&home, "/root");
    add_own_folder(lock, buf_view(&home), uid);
    add_own_folder(lock, lock->workdir, uid);
    for (size_t i = 0; i < r->folders.n; i++)
        add_own_folder(lock, r->folders.v[i].text, uid);
    for (size_t i = 0; i < r->files.n; i++) {
        CLEANUP(buf_clear) struct buf to = {0};

        if (!r->files.v[i].owner.text.len && path_clean(&to, lock->copies.v[i].to) &&
            lock_folder_of(lock, buf_view(&to)))
            lock->copies.v[i].uid = uid;
    }
}

/* Is it there without the recipe: in the system, or a place where anybody makes it? */
static bool is_systems(struct str path)
{
    static const char *const begins[] = {"/bin", "/dev", "/etc",  "/lib", "/media",
                                         "/mnt", "/opt", "/proc", "/run", "/sbin",
                                         "/sys", "/tmp", "/usr",  "/var"};

    for (size_t i = 0; i < ARRAY_LEN(begins); i++)
        if (path_is_in(path, str_of(begins[i])))
            return true;
    return false;
}

static bool files_make(const struct lock *lock, struct str path)
{
    for (size_t i = 0; i < lock->copies.n; i++) {
        struct str to = lock->copies.v[i].to;

        if (path_is_in(to, path) || (str_ends(to, STR("/")) && str_starts(path, to)))
            return true;
    }
    return false;
}

/* HF_HOME=/data: who writes there is not root, and cannot make it. */
static void tell_env(const struct lock *lock, const struct recipe *r, const struct events *events)
{
    static const char *const ends[] = {"HOME", "DIR", "CACHE"};

    for (size_t i = 0; i < r->env.n && lock->user.name.len; i++) {
        struct str path = r->env.v[i].text, name;
        bool folder = false;

        str_cut(&path, STR("="), &name);
        for (size_t k = 0; k < ARRAY_LEN(ends); k++)
            folder |= str_ends(name, str_of(ends[k]));
        if (!folder || !str_starts(path, STR("/")) || path.len < 2 || str_has(path, ':') ||
            str_has(path, '$') || is_systems(path) || files_make(lock, path) ||
            lock_folder_of(lock, path))
            continue;
        events_warn(events,
                    "env: " STR_FMT " is " STR_FMT ", which nothing makes and " STR_FMT
                    " cannot make; add `folders: [" STR_FMT "]`",
                    STR_ARG(name), STR_ARG(path), STR_ARG(lock->user.name), STR_ARG(path));
    }
}

static int set_image(struct lock *lock, const struct resolve_input *in, struct err *e)
{
    const struct recipe *r = in->recipe;
    struct arena *a = &lock->doc.arena;
    struct str libraries;
    bool gpu = lock->facts.cuda.len > 0;

    lock->os = STR("linux");
    lock->arch = STR("amd64");
    if (in->image)
        keep_strs(&lock->env, a, &in->image->stored.config.env);
    set_env(lock, str_of(arena_fmt(a, "PATH=/opt/venv/bin:%s" STR_FMT,
                                   gpu ? "/usr/local/nvidia/bin:/usr/local/cuda/bin:" : "",
                                   STR_ARG(inherited(lock, STR("PATH"),
                                                     STR("/usr/local/sbin:/usr/local/bin:/usr/sbin:"
                                                         "/usr/bin:/sbin:/bin"))))));
    libraries = inherited(lock, STR("LD_LIBRARY_PATH"), STR(""));
    if (gpu)
        set_env(lock,
                str_of(arena_fmt(a,
                                 "LD_LIBRARY_PATH=/usr/local/nvidia/lib:/usr/local/nvidia/lib64"
                                 "%s" STR_FMT,
                                 libraries.len ? ":" : "", STR_ARG(libraries))));
    set_env(lock, STR("VIRTUAL_ENV=/opt/venv"));
    if (lock->toolkit.from.len) {
        set_env(lock, STR("CUDA_HOME=/usr/local/cuda"));
        set_env(lock, STR("LIBRARY_PATH=/usr/local/cuda/lib64:/usr/local/cuda/lib64/stubs"));
        set_env_fact(lock, "CUDA_VERSION", lock->toolkit.version);
    }
    set_env_fact(lock, "LANG", inherited(lock, STR("LANG"), STR("C.UTF-8")));
    if (gpu) {
        set_env(lock, STR("NVIDIA_VISIBLE_DEVICES=all"));
        set_env(lock, STR("NVIDIA_DRIVER_CAPABILITIES=compute,utility"));
    }
    set_env_fact(lock, "NVIDIA_REQUIRE_CUDA", lock->facts.require);
    set_env_fact(lock, "PYTORCH_VERSION", lock->facts.pytorch);
    if (lock->format >= 2)
        set_own(lock, in);
    if (set_own_env(lock, r, e) < 0)
        return -1;
    keep_values(&lock->entrypoint, a, &r->entrypoint);
    keep_values(&lock->cmd, a, &r->cmd);
    lock->workdir = arena_str(a, r->workdir.text);
    if (in->image)
        continue_image(lock, r, &in->image->stored.config);
    if (!r->has_cmd && !r->has_entrypoint && !lock->cmd.n && !lock->entrypoint.n)
        vec_add(&lock->cmd, STR("/bin/bash"));
    lock->labels = r->labels ? node_copy(&lock->doc, r->labels) : NULL;
    if (lock->format >= 2)
        set_folders(lock, in);
    return 0;
}

/* The shell that the image will have, if any. */
static struct str shell_of(const struct lock *lock, const struct resolve_input *in)
{
    if (in->image)
        return in->image->shell;
    if (lock_find(lock, ECO_DEB, STR("bash")))
        return STR("/bin/bash");
    return lock_find(lock, ECO_DEB, STR("dash")) ? STR("/bin/sh") : STR("");
}

static int set_name(struct lock *lock, const struct recipe *r, struct err *e)
{
    const struct facts *f = &lock->facts;
    CLEANUP(buf_clear) struct buf tag = {0};
    struct recipe_tag words = {.pytorch = f->pytorch,
                               .cuda = r->cuda.text.len ? r->cuda.text : f->cuda,
                               .cudnn =
                                   r->cudnn.text.len ? r->cudnn.text : dotted_first(f->cudnn, 1),
                               .variant = r->variant.text,
                               .python = lock->python,
                               .base = lock->base};

    if (recipe_expand_tag(&tag, r, &words, e) < 0)
        return -1;
    lock->name = arena_str(&lock->doc.arena, r->name.text);
    lock->tag = arena_str(&lock->doc.arena, buf_view(&tag));
    return 0;
}

/* ---- for all parts ---- */

static struct strs strs_keep(struct arena *a, const struct strs *from)
{
    struct strs to = {.v = arena_alloc(a, (from->n + 1) * sizeof *to.v), .n = from->n};

    for (size_t i = 0; i < from->n; i++)
        to.v[i] = arena_str(a, from->v[i]);
    return to;
}

struct artifact artifact_keep(struct arena *a, const struct artifact *from)
{
    struct artifact to = *from;

    to.name = arena_str(a, from->name);
    to.version = arena_str(a, from->version);
    to.arch = arena_str(a, from->arch);
    to.file = arena_str(a, from->file);
    to.url = arena_str(a, from->url);
    to.from = arena_str(a, from->from);
    to.group = arena_str(a, from->group);
    to.needs = strs_keep(a, &from->needs);
    to.extras.v = arena_alloc(a, (from->extras.n + 1) * sizeof *to.extras.v);
    for (size_t i = 0; i < from->extras.n; i++)
        to.extras.v[i] = (struct artifact_extra){arena_str(a, from->extras.v[i].name),
                                                 strs_keep(a, &from->extras.v[i].needs)};
    return to;
}

void artifacts_take_over(struct lock *lock, const struct lock *old, enum ecosystem eco)
{
    for (size_t i = 0; i < old->artifacts.n; i++)
        if (old->artifacts.v[i].eco == eco)
            vec_add(&lock->artifacts, artifact_keep(&lock->doc.arena, &old->artifacts.v[i]));
}

/* ---- all of it ---- */

static int artifact_compare(const void *x, const void *y)
{
    const struct artifact *a = x, *b = y;

    return a->eco != b->eco ? (int)a->eco - (int)b->eco : str_cmp(a->name, b->name);
}

static void plans_clear(struct plans *p)
{
    toolkit_plan_clear(&p->toolkit);
    requirements_clear(&p->reqs);
    vec_clear(&p->libraries);
    arena_clear(&p->arena);
}

/* What can be told wrong without the network is told before it is asked. */
static int plans_open(struct plans *out, const struct resolve_input *in, struct err *e)
{
    const struct recipe *r = in->recipe;

    torch_index_choose(&out->torch, &out->arena, in->catalog, r);
    if (toolkit_plan_open(&out->toolkit, &out->arena, r, in->catalog, in->base, e) < 0 ||
        requirements_open(&out->reqs, r, out->torch.local, &out->toolkit, in->dir, e) < 0 ||
        req_check(&out->reqs, r, &out->torch, in->base->python_version, e) < 0)
        return -1;
    return 0;
}

static void set_toolkit(struct lock *lock, const struct toolkit_plan *plan,
                        const struct base_toolkit *base)
{
    struct arena *a = &lock->doc.arena;
    struct lock_toolkit *t = &lock->toolkit;

    if (!plan->wanted)
        return;
    t->from = arena_str(a, plan->from);
    t->version = arena_str(a, plan->release);
    t->root = toolkit_root(a, plan->release);
    if (plan->gcc)
        t->gcc = str_of(arena_fmt(a, "%u", plan->gcc));
    if (str_is(plan->from, "apt"))
        t->sources = arena_str(a, base->sources);
}

/* Debs, wheels and archives, in the order of which needs to know what of the others. */
static int resolve_artifacts(struct lock *lock, const struct resolve_input *in, struct plans *plans,
                             struct err *e)
{
    if ((!in->image && resolve_debs(lock, in, plans, e) < 0) ||
        resolve_wheels(lock, in, plans, e) < 0 || resolve_toolkit_debs(lock, in, plans, e) < 0 ||
        resolve_archives(lock, in, plans, e) < 0)
        return -1;
    return 0;
}

/* What recipe and base decide before anything is chosen. */
static int begin(struct lock *lock, const struct resolve_input *in, const struct plans *plans,
                 unsigned format, const struct events *events, struct err *e)
{
    struct arena *a;

    if (recipe_part(lock, in->recipe, &plans->reqs, in->dir, format, events, e) < 0)
        return -1;
    a = &lock->doc.arena;
    lock->writer = STR(ENVBUILD_VERSION);
    lock->base = arena_str(a, in->base->name);
    lock->variant = arena_str(a, in->recipe->variant.text);
    lock->apt_sources = arena_str(a, in->base->sources);
    lock->apt_sources_path = arena_str(a, in->base->sources_path);
    set_toolkit(lock, &plans->toolkit, &in->base->toolkit);
    if (in->image)
        base_image_lock(lock, in->image, in->recipe);
    return 0;
}

/* What follows from the artifacts that were chosen. */
static int finish(struct lock *lock, const struct resolve_input *in, struct err *e)
{
    vec_sort(&lock->artifacts, artifact_compare);
    if (in->recipe->slim)
        slimming_choose(lock);
    lock_facts_derive(lock, in->catalog, in->events);
    if (lock_facts_check(lock, in->catalog, in->recipe, e) < 0 || set_name(lock, in->recipe, e) < 0)
        return -1;
    if (set_image(lock, in, e) < 0 ||
        startup_add(lock, in->recipe, shell_of(lock, in), in->events, e) < 0)
        return -1;
    layering(lock);
    return 0;
}

int resolve(struct lock *out, const struct resolve_input *in, struct err *e)
{
    CLEANUP(lock_clear) struct lock lock = {0};
    CLEANUP(plans_clear) struct plans plans = {0};

    if (pins_check(&in->pins, e) < 0 ||
        catalog_check(in->catalog, in->recipe, in->base->python_version, e) < 0 ||
        plans_open(&plans, in, e) < 0 || begin(&lock, in, &plans, LOCK_FORMAT, in->events, e) < 0)
        return -1;
    req_note(&plans.reqs, in->choices);
    if (resolve_artifacts(&lock, in, &plans, e) < 0 || finish(&lock, in, e) < 0)
        return -1;
    tell_env(&lock, in->recipe, in->events);
    MOVE(out, &lock);
    return 0;
}

int resolve_again(struct lock *out, const struct resolve_input *in, struct err *e)
{
    CLEANUP(lock_clear) struct lock lock = {0};
    CLEANUP(plans_clear) struct plans plans = {0};

    if (plans_open(&plans, in, e) < 0 ||
        begin(&lock, in, &plans, in->pins.old->format, NULL, e) < 0) /* told when it was chosen */
        return -1;
    if ((!in->image && resolve_debs_again(&lock, in, e) < 0) ||
        resolve_wheels_again(&lock, in, &plans, e) < 0)
        return -1;
    resolve_stand_ins_again(&lock, in, &plans);
    artifacts_take_over(&lock, in->pins.old, ECO_REDIST);
    if (finish(&lock, in, e) < 0)
        return -1;
    MOVE(out, &lock);
    return 0;
}
