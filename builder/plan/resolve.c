/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve.h"

#include "../base/version.h"
#include "../doc/emit.h"
#include "../io/crypto.h"
#include "apt_archive.h"
#include "derive.h"
#include "layering.h"
#include "pypi_index.h"
#include "scan.h"
#include "solve_deb.h"

/* ---- what the recipe alone decides ---- */

static int owner_of(struct lock_copy *copy, const struct recipe *r, const struct value *owner,
                    struct err *e)
{
    struct str gid = owner->text, uid = {0};

    if (!gid.len || str_is(gid, "root"))
        return 0;
    if (str_eq(gid, r->user.name.text)) {
        copy->uid = r->user.uid;
        copy->gid = r->user.gid;
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

static int take_copies(struct lock *lock, const struct recipe *r, const char *dir, struct err *e)
{
    struct arena *a = &lock->doc.arena;
    struct err fault = {0};

    for (size_t i = 0; i < r->files.n; i++) {
        const struct recipe_file *f = &r->files.v[i];
        struct lock_copy *copy = vec_push(&lock->copies);
        struct err scan = {0};

        copy->from = arena_str(a, f->from.text);
        copy->to = arena_str(a, f->to.text);
        owner_of(copy, r, &f->owner, &fault);
        if (scan_files(copy, a, dir, &scan) < 0) {
            err_at(&fault, &f->from.pos, "files: %s", scan.msg);
            err_clear(&scan);
        }
    }
    return err_is_set(&fault) ? err_join(e, &fault) : 0;
}

int resolve_recipe(struct lock *out, const struct recipe *r, const char *dir, struct err *e)
{
    CLEANUP(lock_clear) struct lock lock = {0};
    CLEANUP(buf_clear) struct buf text = {0};

    lock.recipe = recipe_to_node(r, &lock.doc);
    emit_json(&text, lock.recipe, EMIT_COMPACT);
    hash_bytes(&lock.recipe_digest, text.p, text.len);
    lock.user =
        (struct lock_user){arena_str(&lock.doc.arena, r->user.name.text), r->user.uid, r->user.gid};
    if (take_copies(&lock, r, dir, e) < 0)
        return -1;
    MOVE(out, &lock);
    return 0;
}

static const struct lock_file *find_file(const struct lock_copy *c, struct str path)
{
    for (size_t i = 0; i < c->files.n; i++)
        if (str_eq(c->files.v[i].path, path))
            return &c->files.v[i];
    return NULL;
}

static bool same_file(const struct lock_file *a, const struct lock_file *b)
{
    return a->folder == b->folder && a->executable == b->executable && str_eq(a->link, b->link) &&
           a->size == b->size && digest_eq(&a->digest, &b->digest);
}

static void say(struct buf *words, const struct lock_copy *c, const struct lock_file *f,
                const char *what)
{
    struct str from = c->from;

    str_drop(&from, STR("/"));
    buf_fmt(words, "%s" STR_FMT "%s" STR_FMT " %s", words->len ? "; " : "", STR_ARG(from),
            f->path.len ? "/" : "", STR_ARG(f->path), what);
}

static void copy_changes(struct buf *words, const struct lock_copy *old,
                         const struct lock_copy *now)
{
    for (size_t i = 0; i < now->files.n; i++) {
        const struct lock_file *was = find_file(old, now->files.v[i].path);

        if (!was)
            say(words, now, &now->files.v[i], "is new");
        else if (!same_file(was, &now->files.v[i]))
            say(words, now, &now->files.v[i], "changed");
    }
    for (size_t i = 0; i < old->files.n; i++)
        if (!find_file(now, old->files.v[i].path))
            say(words, old, &old->files.v[i], "is gone");
}

void resolve_changes(struct buf *words, const struct lock *old, const struct lock *now)
{
    if (!digest_eq(&old->recipe_digest, &now->recipe_digest))
        recipe_diff(words, old->recipe, now->recipe);
    else
        for (size_t i = 0; i < now->copies.n && i < old->copies.n; i++)
            copy_changes(words, &old->copies.v[i], &now->copies.v[i]);
}

/* ---- Debian ---- */

static void add_sources(struct apt_source *list, size_t *n, const struct baselayer *base)
{
    for (size_t i = 0; i < base->archives.n; i++)
        for (size_t j = 0; j < base->archives.v[i].suites.n; j++)
            list[(*n)++] = (struct apt_source){.uri = base->archives.v[i].uri,
                                               .suite = base->archives.v[i].suites.v[j],
                                               .components = base->archives.v[i].components,
                                               .keyring = base->keyring,
                                               .fingerprints = base->fingerprints};
}

static int open_archive(struct apt_archive *out, const struct resolve_input *in, struct err *e)
{
    size_t most = 0, n = 0;

    for (size_t i = 0; i < in->base->archives.n; i++)
        most += in->base->archives.v[i].suites.n;
    CLEANUP(free_clear) struct apt_source *sources = xcalloc(most, sizeof *sources);
    add_sources(sources, &n, in->base);
    return apt_archive_open(out, in->web, sources, n, in->base->arch, in->now, e);
}

static int install_names(struct deb_solver *s, const char *group, bool essential,
                         const struct strs *names, struct err *e)
{
    CLEANUP(free_clear) struct deb_want *wants = xcalloc(names->n, sizeof *wants);

    for (size_t i = 0; i < names->n; i++)
        wants[i].text = names->v[i];
    return deb_solver_install(s, group, essential, wants, names->n, e);
}

static int install_apt(struct deb_solver *s, const struct recipe *r, struct err *e)
{
    CLEANUP(free_clear) struct deb_want *wants = xcalloc(r->apt.n, sizeof *wants);

    for (size_t i = 0; i < r->apt.n; i++)
        wants[i] = (struct deb_want){r->apt.v[i].text, r->apt.v[i].pos};
    return deb_solver_install(s, "apt", false, wants, r->apt.n, e);
}

static int choose_debs(struct deb_solver *s, const struct resolve_input *in, struct err *e)
{
    const struct baselayer *b = in->base;

    if (install_names(s, "base", true, &b->base, e) < 0 ||
        install_names(s, "python", false, &b->python, e) < 0 ||
        (str_is(in->recipe->variant.text, "compile") &&
         install_names(s, "compile", false, &b->compile, e) < 0))
        return -1;
    return in->recipe->apt.n ? install_apt(s, in->recipe, e) : 0;
}

static struct artifact keep(struct arena *a, const struct artifact *from)
{
    struct artifact to = *from;

    to.name = arena_str(a, from->name);
    to.version = arena_str(a, from->version);
    to.arch = arena_str(a, from->arch);
    to.file = arena_str(a, from->file);
    to.url = arena_str(a, from->url);
    to.from = arena_str(a, from->from);
    to.group = arena_str(a, from->group);
    return to;
}

static void keep_archives(struct lock *lock, const struct apt_archive *archive)
{
    struct arena *a = &lock->doc.arena;

    for (size_t i = 0; i < archive->releases.n; i++) {
        const struct lock_archive *from = &archive->releases.v[i];
        struct lock_archive *to = vec_push(&lock->archives);

        to->uri = arena_str(a, from->uri);
        to->suite = arena_str(a, from->suite);
        to->codename = arena_str(a, from->codename);
        to->date = from->date;
        to->digest = from->digest;
        for (size_t j = 0; j < from->signers.n; j++)
            vec_add(&to->signers, arena_str(a, from->signers.v[j]));
        if (to->date > lock->created)
            lock->created = to->date;
    }
}

/* "3.11.2" of "3.11.2-6+deb12u9". */
static int set_python(struct lock *lock, const struct baselayer *base, struct err *e)
{
    const struct artifact *a = lock_find(lock, ECO_DEB, base->python_package);
    struct str version, epoch, revision;

    if (!a)
        return err_set(e, ERR_INPUT, "base " STR_FMT ": its package groups do not bring " STR_FMT,
                       STR_ARG(base->name), STR_ARG(base->python_package));
    version = a->version;
    str_cut(&version, STR(":"), &epoch);
    str_cut_last(&version, STR("-"), &revision);
    lock->python = arena_str(&lock->doc.arena, base->python_version);
    lock->python_full = arena_str(&lock->doc.arena, version);
    return 0;
}

static int resolve_debs(struct lock *lock, const struct resolve_input *in, struct err *e)
{
    CLEANUP(apt_archive_clear) struct apt_archive archive = {0};
    CLEANUP(deb_solver_clear) struct deb_solver *solver = NULL;
    CLEANUP(arena_clear) struct arena scratch = {0};
    struct deb_solution solution = {0};
    struct artifact *list = NULL;
    int result;

    events_emit(in->events, &(struct event){.kind = EVENT_STEP, .name = "choose Debian packages"});
    if (open_archive(&archive, in, e) < 0)
        return -1;
    solver = deb_solver_open(&archive.index, in->base->name.p);
    if (choose_debs(solver, in, e) < 0)
        return -1;
    deb_solver_solution(solver, &solution);
    result = deb_artifacts(&list, &scratch, &solution, e);
    for (size_t i = 0; i < solution.n && result == 0; i++)
        vec_add(&lock->artifacts, keep(&lock->doc.arena, &list[i]));
    vec_clear(&solution);
    keep_archives(lock, &archive);
    return result < 0 ? -1 : set_python(lock, in->base, e);
}

/* ---- Python ---- */

struct asking {
    struct arena arena;
    struct VEC_OF(struct requirement *) requirements;
    struct VEC_OF(struct pypi_root) roots;
    struct VEC_OF(struct pypi_prefer) prefer;
};

static void asking_clear(struct asking *a)
{
    for (size_t i = 0; i < a->requirements.n; i++)
        requirement_clear(a->requirements.v[i]);
    vec_clear(&a->requirements);
    vec_clear(&a->roots);
    vec_clear(&a->prefer);
    arena_clear(&a->arena);
}

static int ask(struct asking *a, struct str text, const struct pos *pos, struct err *e)
{
    struct requirement *r = arena_alloc(&a->arena, sizeof *r);
    struct err fault = {0};

    if (requirement_parse(r, &a->arena, text, &fault) < 0) {
        err_at(e, pos, "pip: %s", fault.msg);
        err_clear(&fault);
        return -1;
    }
    vec_add(&a->requirements, r);
    vec_add(&a->roots, ((struct pypi_root){r, STR("recipe")}));
    return 0;
}

/* torch itself, pip for the people inside, and what the recipe lists. */
static int ask_all(struct asking *a, const struct resolve_input *in, struct err *e)
{
    const struct recipe *r = in->recipe;
    struct err fault = {0};

    ask(a, str_of(arena_fmt(&a->arena, "torch==" STR_FMT, STR_ARG(r->pytorch.text))),
        &r->pytorch.pos, &fault); /* first: place_fault() counts on it */
    for (size_t i = 0; i < r->pip.n; i++)
        ask(a, r->pip.v[i].text, &r->pip.v[i].pos, &fault);
    ask(a, STR("pip"), &r->pytorch.pos, &fault);
    if (str_is(r->variant.text,
               "compile")) /* torch.compile imports it, torch does not ask for it */
        ask(a, STR("setuptools"), &r->variant.pos, &fault);
    for (size_t i = 0; in->old && i < in->old->artifacts.n; i++) {
        const struct artifact *old = &in->old->artifacts.v[i];

        if (old->eco == ECO_WHEEL)
            vec_add(&a->prefer, ((struct pypi_prefer){old->name, old->version}));
    }
    return err_is_set(&fault) ? err_join(e, &fault) : 0;
}

static int target_of(struct wheel_target *out, const struct resolve_input *in, struct err *e)
{
    struct str minor = in->base->python_version, major;

    *out = (struct wheel_target){.glibc_major = in->base->glibc_major,
                                 .glibc_minor = in->base->glibc_minor,
                                 .machine = STR("x86_64")};
    if (str_cut(&minor, STR("."), &major) && str_u32(major, &out->python_major) &&
        str_u32(minor, &out->python_minor))
        return 0;
    return err_set(e, ERR_INPUT, "base " STR_FMT ": python version \"" STR_FMT "\" is none",
                   STR_ARG(in->base->name), STR_ARG(in->base->python_version));
}

/* The solver knows no places: point at the first item of the recipe that its words name. */
static void place_fault(struct err *fault, const struct recipe *r, const struct asking *a)
{
    const struct pos *pos = &r->pytorch.pos;

    if (fault->file || fault->kind != ERR_UNSAT)
        return;
    for (size_t i = 0; i < r->pip.n && i + 1 < a->requirements.n; i++) {
        struct str name = a->requirements.v[i + 1]->name; /* the first is torch itself */

        if (str_find_str(str_of(fault->msg), name) < strlen(fault->msg)) {
            pos = &r->pip.v[i].pos;
            break;
        }
    }
    fault->file = xstrdup(pos->file);
    fault->line = pos->line;
    fault->col = pos->col;
}

static int keep_wheels(struct lock *lock, const struct pypi_solution *solution, struct err *e)
{
    struct artifacts list = {0};
    int result = pypi_artifacts(&list, solution, e);

    for (size_t i = 0; i < list.n && result == 0; i++)
        vec_add(&lock->artifacts, keep(&lock->doc.arena, &list.v[i]));
    vec_clear(&list);
    return result;
}

static int resolve_wheels(struct lock *lock, const struct resolve_input *in, struct err *e)
{
    CLEANUP(asking_clear) struct asking a = {0};
    CLEANUP(pypi_solution_clear) struct pypi_solution solution = {0};
    CLEANUP(pypi_index_clear) struct pypi_index *index = NULL;
    struct pypi_index_options options = {
        .python_full = lock->python_full, .memo = in->memo, .events = in->events};
    struct pypi_place place = {.url = in->index};
    struct pypi_universe universe;
    struct pypi_want want;
    struct err fault = {0};

    if (in->index.len) {
        options.places = &place;
        options.places_n = 1;
    }
    events_emit(in->events, &(struct event){.kind = EVENT_STEP, .name = "choose Python packages"});
    if (ask_all(&a, in, e) < 0 || target_of(&options.target, in, e) < 0)
        return -1;
    index = pypi_index_open(in->web, in->http, &options);
    universe = pypi_index_universe(index);
    want = (struct pypi_want){.env = {lock->python_full, options.target.machine},
                              .roots = a.roots.v,
                              .roots_n = a.roots.n,
                              .prefer = a.prefer.v,
                              .prefer_n = a.prefer.n,
                              .events = in->events};
    if (solve_pypi(&solution, &want, &universe, &fault) < 0) {
        place_fault(&fault, in->recipe, &a);
        return err_join(e, &fault);
    }
    return keep_wheels(lock, &solution, e);
}

/* A requirement that is none is told before anything is asked of the network. */
static int check_requirements(const struct resolve_input *in, struct err *e)
{
    CLEANUP(asking_clear) struct asking a = {0};

    return ask_all(&a, in, e);
}

/* ---- the image's settings ---- */

static void set_env(struct lock *lock, struct str line)
{
    struct str name = str_sub(line, 0, str_find(line, '=') + 1);

    for (size_t i = 0; i < lock->env.n; i++)
        if (str_starts(lock->env.v[i], name)) {
            lock->env.v[i] = arena_str(&lock->doc.arena, line);
            return;
        }
    vec_add(&lock->env, arena_str(&lock->doc.arena, line));
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
    for (size_t i = 0; i < lock->env.n; i++) {
        struct str value = lock->env.v[i];

        if (str_skip(&value, name) && str_skip(&value, STR("=")) && value.len)
            return value;
    }
    return otherwise;
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

static void set_image(struct lock *lock, const struct resolve_input *in)
{
    const struct recipe *r = in->recipe;
    struct arena *a = &lock->doc.arena;
    struct str libraries;

    lock->os = STR("linux");
    lock->arch = STR("amd64");
    if (in->image)
        keep_strs(&lock->env, a, &in->image->stored.config.env);
    libraries = inherited(lock, STR("LD_LIBRARY_PATH"), STR(""));
    set_env(lock, str_of(arena_fmt(
                      a, "PATH=/opt/venv/bin:/usr/local/nvidia/bin:/usr/local/cuda/bin:" STR_FMT,
                      STR_ARG(inherited(lock, STR("PATH"),
                                        STR("/usr/local/sbin:/usr/local/bin:/usr/sbin:"
                                            "/usr/bin:/sbin:/bin"))))));
    set_env(lock, str_of(arena_fmt(a,
                                   "LD_LIBRARY_PATH=/usr/local/nvidia/lib:/usr/local/nvidia/lib64"
                                   "%s" STR_FMT,
                                   libraries.len ? ":" : "", STR_ARG(libraries))));
    set_env(lock, STR("VIRTUAL_ENV=/opt/venv"));
    set_env_fact(lock, "LANG", inherited(lock, STR("LANG"), STR("C.UTF-8")));
    set_env(lock, STR("NVIDIA_VISIBLE_DEVICES=all"));
    set_env(lock, STR("NVIDIA_DRIVER_CAPABILITIES=compute,utility"));
    set_env_fact(lock, "NVIDIA_REQUIRE_CUDA", lock->facts.require);
    set_env_fact(lock, "PYTORCH_VERSION", lock->facts.pytorch);
    for (size_t i = 0; i < r->env.n; i++)
        set_env(lock, r->env.v[i].text);
    keep_values(&lock->entrypoint, a, &r->entrypoint);
    keep_values(&lock->cmd, a, &r->cmd);
    lock->workdir = arena_str(a, r->workdir.text);
    if (in->image)
        continue_image(lock, r, &in->image->stored.config);
    if (!r->has_cmd && !r->has_entrypoint && !lock->cmd.n && !lock->entrypoint.n)
        vec_add(&lock->cmd, STR("/bin/bash"));
    lock->labels = r->labels ? node_copy(&lock->doc, r->labels) : NULL;
}

static int set_name(struct lock *lock, const struct recipe *r, struct err *e)
{
    const struct facts *f = &lock->facts;
    CLEANUP(buf_clear) struct buf tag = {0};
    struct recipe_tag words = {
        .pytorch = f->pytorch,
        .cuda = r->cuda.text.len ? r->cuda.text : f->cuda,
        .cudnn = r->cudnn.text.len ? r->cudnn.text : str_sub(f->cudnn, 0, str_find(f->cudnn, '.')),
        .variant = r->variant.text,
        .python = lock->python,
        .base = lock->base};

    if (recipe_expand_tag(&tag, r, &words, e) < 0)
        return -1;
    lock->name = arena_str(&lock->doc.arena, r->name.text);
    lock->tag = arena_str(&lock->doc.arena, buf_view(&tag));
    return 0;
}

static int artifact_compare(const void *x, const void *y)
{
    const struct artifact *a = x, *b = y;

    return a->eco != b->eco ? (int)a->eco - (int)b->eco : str_cmp(a->name, b->name);
}

int resolve(struct lock *out, const struct resolve_input *in, struct err *e)
{
    CLEANUP(lock_clear) struct lock lock = {0};
    struct arena *a;

    if (catalog_check(in->catalog, in->recipe, in->base->python_version, e) < 0 ||
        check_requirements(in, e) < 0 || resolve_recipe(&lock, in->recipe, in->dir, e) < 0)
        return -1;
    a = &lock.doc.arena;
    lock.format = LOCK_FORMAT;
    lock.writer = STR(ENVBUILD_VERSION);
    lock.base = arena_str(a, in->base->name);
    lock.variant = arena_str(a, in->recipe->variant.text);
    lock.apt_sources = arena_str(a, in->base->sources);
    if (in->image)
        base_image_lock(&lock, in->image, in->recipe);
    if ((!in->image && resolve_debs(&lock, in, e) < 0) || resolve_wheels(&lock, in, e) < 0)
        return -1;
    vec_sort(&lock.artifacts, artifact_compare);
    derive_facts(&lock, in->catalog, in->events);
    if (derive_check(&lock, in->recipe, e) < 0 || set_name(&lock, in->recipe, e) < 0)
        return -1;
    set_image(&lock, in);
    layering(&lock);
    MOVE(out, &lock);
    return 0;
}
