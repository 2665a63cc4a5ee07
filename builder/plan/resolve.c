/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve.h"

#include "../base/fs.h"
#include "../base/path.h"
#include "../base/version.h"
#include "../doc/emit.h"
#include "../io/crypto.h"
#include "../model/recipe_form.h"
#include "../net/url.h"
#include "apt_archive.h"
#include "apt_extra.h"
#include "asking.h"
#include "derive.h"
#include "layering.h"
#include "pypi_index.h"
#include "scan.h"
#include "solve_deb.h"
#include "stand_ins.h"
#include "startup.h"
#include "toolkit.h"
#include "torch_index.h"

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
static int take_inputs(struct lock *lock, const struct recipe *r, const struct asking *asking,
                       const char *dir, struct err *e)
{
    for (size_t i = 0; i < asking->files.sources.n; i++)
        add_input(lock, asking->files.sources.v[i].path, STR("pip"),
                  &asking->files.sources.v[i].digest);
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

static int recipe_part(struct lock *out, const struct recipe *r, const struct asking *asking,
                       const char *dir, struct err *e)
{
    CLEANUP(lock_clear) struct lock lock = {0};
    CLEANUP(buf_clear) struct buf text = {0};

    lock.recipe = recipe_to_node(r, &lock.doc);
    emit_json(&text, lock.recipe, EMIT_COMPACT);
    hash_bytes(&lock.recipe_digest, text.p, text.len);
    lock.user =
        (struct lock_user){arena_str(&lock.doc.arena, r->user.name.text), r->user.uid, r->user.gid};
    if (take_inputs(&lock, r, asking, dir, e) < 0 || take_copies(&lock, r, dir, e) < 0 ||
        apt_extra_take(&lock, r, dir, e) < 0)
        return -1;
    vec_sort(&lock.inputs, input_compare);
    MOVE(out, &lock);
    return 0;
}

int resolve_recipe(struct lock *out, const struct recipe *r, const char *dir, struct err *e)
{
    CLEANUP(asking_clear) struct asking asking = {0};

    /* What it is compared by hangs on no label. */
    return asking_open(&asking, r, STR(""), NULL, dir, e) < 0
               ? -1
               : recipe_part(out, r, &asking, dir, e);
}

/* ---- Debian ---- */

/* Everything that is decided before the network is asked, for the recipe at hand. */
struct plans {
    struct torch_index torch;
    struct toolkit_plan toolkit;
    struct asking asking;
    struct strs libraries; /* versions in the archive of base->toolkit.libraries; texts in arena */
    struct arena arena;
};

static void plans_clear(struct plans *p)
{
    toolkit_plan_clear(&p->toolkit);
    asking_clear(&p->asking);
    vec_clear(&p->libraries);
    arena_clear(&p->arena);
}

static bool toolkit_is_apt(const struct plans *p)
{
    return str_is(p->toolkit.from, "apt");
}

/* `all`: the components of the base's archives with those that its toolkit is in; owned by the
 * caller. */
static void add_sources(struct apt_source *list, size_t *n, const struct baselayer *base,
                        const struct strs *more, struct strs *all)
{
    for (size_t i = 0; i < base->archives.n; i++) {
        const struct base_archive *a = &base->archives.v[i];

        for (size_t j = 0; j < a->components.n; j++)
            vec_add(&all[i], a->components.v[j]);
        for (size_t j = 0; j < more->n; j++)
            vec_add(&all[i], more->v[j]);
        for (size_t j = 0; j < a->suites.n; j++)
            list[(*n)++] = (struct apt_source){.uri = a->uri,
                                               .suite = a->suites.v[j],
                                               .components = all[i],
                                               .keyring = base->keyring,
                                               .fingerprints = base->fingerprints};
    }
}

static int open_archive(struct apt_archive *out, const struct resolve_input *in,
                        const struct plans *plans, const struct lock *lock, struct err *e)
{
    CLEANUP(apt_extra_clear) struct apt_extra extra = {0};
    CLEANUP(free_clear) struct strs *components = xcalloc(in->base->archives.n, sizeof *components);
    CLEANUP(buf_clear) struct buf own = {0};
    const struct strs none = {0};
    size_t most, n = 0;
    int result;

    if (apt_extra_open(&extra, in->recipe, in->dir, e) < 0)
        return -1;
    most = extra.sources.n;
    for (size_t i = 0; i < in->base->archives.n; i++)
        most += in->base->archives.v[i].suites.n;
    CLEANUP(free_clear) struct apt_source *sources = xcalloc(most, sizeof *sources);
    add_sources(sources, &n, in->base,
                toolkit_is_apt(plans) ? &in->base->toolkit.components : &none, components);
    for (size_t i = 0; i < extra.sources.n; i++)
        sources[n++] = extra.sources.v[i];
    stand_ins_print(&own, lock);
    result = apt_archive_open(out, in->web, in->memo, sources, n, buf_view(&own), in->base->arch,
                              in->now, e);
    for (size_t i = 0; i < in->base->archives.n; i++)
        vec_clear(&components[i]);
    return result;
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

/* The compilers, of that major where it is not the base's own ("gcc-11" for "gcc"). */
static int install_compilers(struct deb_solver *s, const struct baselayer *b, struct plans *plans,
                             struct err *e)
{
    struct strs names = {0};
    int result;

    for (size_t i = 0; i < b->compile.n; i++) {
        struct str name = b->compile.v[i];

        if (plans->toolkit.gcc && (str_is(name, "gcc") || str_is(name, "g++")))
            name = str_of(
                arena_fmt(&plans->arena, STR_FMT "-%u", STR_ARG(name), plans->toolkit.gcc));
        vec_add(&names, name);
    }
    for (size_t i = 0; i < b->devel.n && plans->toolkit.wanted; i++)
        vec_add(&names, b->devel.v[i]);
    result = install_names(s, "compile", false, &names, e);
    vec_clear(&names);
    return result;
}

/* The distribution's toolkit, behind the packages that stand in for what it must not bring. */
static int install_toolkit(struct deb_solver *s, const struct baselayer *b, const struct lock *lock,
                           struct err *e)
{
    struct strs names = {0};
    int result;

    for (size_t i = 0; i < lock->toolkit.stand_ins.n; i++)
        vec_add(&names, lock->toolkit.stand_ins.v[i].name);
    result = install_names(s, "toolkit", false, &names, e);
    if (result == 0 && names.n)
        result = install_names(s, "toolkit", false, &b->toolkit.packages, e);
    vec_clear(&names);
    return result;
}

static int choose_debs(struct deb_solver *s, const struct resolve_input *in, struct plans *plans,
                       const struct lock *lock, struct err *e)
{
    const struct baselayer *b = in->base;

    if (install_names(s, "base", true, &b->base, e) < 0 ||
        install_names(s, "python", false, &b->python, e) < 0 ||
        (!str_is(in->recipe->variant.text, "runtime") &&
         install_compilers(s, b, plans, e) < 0) ||
        install_toolkit(s, b, lock, e) < 0)
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

static void keep_archives(struct lock *lock, const struct lock_archive *archives, size_t n)
{
    struct arena *a = &lock->doc.arena;

    for (size_t i = 0; i < n; i++) {
        const struct lock_archive *from = &archives[i];
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

/* Choose with what the older lock has preferred; where that fails, let go of what stands in the
 * way.
 */
static int choose_keeping(struct deb_solution *out, struct deb_solver **solver,
                          struct debindex *index, const struct resolve_input *in,
                          struct plans *plans, const struct lock *lock, struct err *e)
{
    CLEANUP(buf_clear) struct buf universe = {0};
    struct keep_moved moved = {0};
    struct err fault = {0};
    int result = -1;

    keep_prefer_debs(&in->keep, index, &moved);
    buf_fmt(&universe, STR_FMT "%s", STR_ARG(in->base->name),
            in->recipe->archives.n ? " with apt_archives" : "");
    do {
        err_clear(&fault);
        deb_solver_clear(solver);
        *solver = deb_solver_open(index, universe.p);
        result = choose_debs(*solver, in, plans, lock, &fault);
    } while (result < 0 && fault.kind == ERR_UNSAT && keep_yield(index, &moved, &fault));
    vec_clear(&moved);
    if (result < 0)
        return err_join(e, &fault);
    deb_solver_solution(*solver, out);
    return 0;
}

/* Which versions there are of the libraries that wheels may have as well. */
static void learn_libraries(struct plans *plans, const struct debindex *index,
                            const struct base_toolkit *base)
{
    vec_clear(&plans->libraries);
    for (size_t i = 0; i < base->libraries.n; i++) {
        const struct deb_package *p = debindex_find(index, base->libraries.v[i].package);

        vec_add(&plans->libraries, p ? arena_str(&plans->arena, p->version) : STR(""));
    }
}

/* The artifacts of a solution; packages of ours are none. */
static int keep_debs(struct lock *lock, struct deb_solution *solution, struct err *e)
{
    CLEANUP(arena_clear) struct arena scratch = {0};
    struct artifact *list = NULL;
    size_t n = 0;

    for (size_t i = 0; i < solution->n; i++)
        if (!stand_ins_has(lock, solution->v[i].package->name))
            solution->v[n++] = solution->v[i];
    solution->n = n;
    if (deb_artifacts(&list, &scratch, solution, e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        vec_add(&lock->artifacts, keep(&lock->doc.arena, &list[i]));
    return 0;
}

static int choose_anew(struct lock *lock, const struct resolve_input *in, struct plans *plans,
                       struct err *e)
{
    CLEANUP(apt_archive_clear) struct apt_archive archive = {0};
    CLEANUP(deb_solver_clear) struct deb_solver *solver = NULL;
    struct deb_solution solution = {0};
    int result;

    if (open_archive(&archive, in, plans, lock, e) < 0 ||
        choose_keeping(&solution, &solver, &archive.index, in, plans, lock, e) < 0)
        return -1;
    result = keep_debs(lock, &solution, e);
    vec_clear(&solution);
    learn_libraries(plans, &archive.index, &in->base->toolkit);
    keep_archives(lock, archive.releases.v, archive.releases.n);
    return result;
}

static void take_over(struct lock *lock, const struct lock *old, enum ecosystem eco)
{
    for (size_t i = 0; i < old->artifacts.n; i++)
        if (old->artifacts.v[i].eco == eco)
            vec_add(&lock->artifacts, keep(&lock->doc.arena, &old->artifacts.v[i]));
}

static void take_stand_ins(struct lock *lock, const struct lock_toolkit *old)
{
    struct arena *a = &lock->doc.arena;

    for (size_t i = 0; i < old->stand_ins.n; i++) {
        const struct lock_stand_in *from = &old->stand_ins.v[i];
        struct lock_stand_in *to = vec_push(&lock->toolkit.stand_ins);

        to->name = arena_str(a, from->name);
        to->version = arena_str(a, from->version);
        to->summary = arena_str(a, from->summary);
        for (size_t j = 0; j < from->provides.n; j++)
            vec_add(&to->provides, arena_str(a, from->provides.v[j]));
        for (size_t j = 0; j < from->links.n; j++)
            vec_add(&to->links, ((struct lock_link){arena_str(a, from->links.v[j].path),
                                                    arena_str(a, from->links.v[j].target)}));
    }
}

static int resolve_debs(struct lock *lock, const struct resolve_input *in, struct plans *plans,
                        struct err *e)
{
    events_emit(in->events, &(struct event){.kind = EVENT_STEP, .name = "choose system packages"});
    if (keep_all_debs(&in->keep, lock)) {
        take_over(lock, in->keep.old, ECO_DEB);
        take_stand_ins(lock, &in->keep.old->toolkit);
        keep_archives(lock, in->keep.old->archives.v, in->keep.old->archives.n);
    } else if (choose_anew(lock, in, plans, e) < 0) {
        return -1;
    }
    return set_python(lock, in->base, e);
}

/* ---- Python ---- */

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

static int keep_wheels(struct lock *lock, struct pypi_index *index,
                       const struct pypi_solution *solution, struct err *e)
{
    struct artifacts list = {0};
    int result = pypi_artifacts(&list, index, solution, e);

    for (size_t i = 0; i < list.n && result == 0; i++)
        vec_add(&lock->artifacts, keep(&lock->doc.arena, &list.v[i]));
    vec_clear(&list);
    return result;
}

struct places VEC_OF(struct pypi_place);

/* Folders first, then the recipe's indexes; without any, the one of the command line or PyPI. */
static void list_places(struct places *out, struct arena *a, const struct resolve_input *in,
                        const struct torch_index *torch)
{
    const struct recipe *r = in->recipe;

    for (size_t i = 0; i < r->find_links.n; i++)
        vec_add(out, ((struct pypi_place){.folder = r->find_links.v[i].text}));
    if (torch->place.url.len)
        vec_add(out, torch->place);
    for (size_t i = 0; i < r->indexes.n; i++) {
        const struct recipe_index *x = &r->indexes.v[i];
        struct str *only = x->only.n ? arena_alloc(a, x->only.n * sizeof *only) : NULL;
        CLEANUP(buf_clear) struct buf url = {0};

        url_without_userinfo(&url, x->url.text);
        for (size_t j = 0; j < x->only.n; j++)
            only[j] = pep503_name(a, x->only.v[j].text);
        vec_add(out, ((struct pypi_place){
                         .url = arena_str(a, buf_view(&url)), .only = only, .only_n = x->only.n}));
    }
    if (!r->indexes.n)
        vec_add(out, ((struct pypi_place){.url = in->index.len ? in->index : STR(PYPI_INDEX_URL)}));
}

/* What an older lock has, to be kept where nothing speaks against it. */
struct keeping {
    struct VEC_OF(struct pypi_prefer) prefer;
    struct VEC_OF(struct pypi_bound) bound;
};

static void keeping_clear(struct keeping *k)
{
    vec_clear(&k->prefer);
    vec_clear(&k->bound);
}

static void keep_old(struct keeping *k, const struct keep *keep)
{
    for (size_t i = 0; keep->old && i < keep->old->artifacts.n; i++) {
        const struct artifact *a = &keep->old->artifacts.v[i];

        if (a->eco != ECO_WHEEL || !keep_has(keep, a))
            continue;
        vec_add(&k->prefer, ((struct pypi_prefer){a->name, a->version}));
        vec_add(&k->bound, ((struct pypi_bound){a->name, a->from}));
    }
}

/* One run of the solver; `roots` of what is asked. */
static int solve_wheels(struct pypi_solution *out, struct pypi_want *want, size_t roots,
                        const struct pypi_universe *universe, const struct asking *asking,
                        struct err *e)
{
    struct err fault = {0};

    want->roots = asking->roots.v;
    want->roots_n = roots;
    if (solve_pypi(out, want, universe, &fault) == 0)
        return 0;
    asking_place(asking, &fault);
    return err_join(e, &fault);
}

/* NVIDIA's headers of a newer release of the same major serve an older nvcc: nvidia-nvshmem asks for
 * nvidia-cuda-cccl as such, and cuda-toolkit for that of its own release. */
static bool serves(const struct artifact *there, const struct artifact *pinned)
{
    struct str major = str_sub(pinned->version, 0, str_find(pinned->version, '.') + 1);

    return str_starts(there->name, STR("nvidia-")) && str_starts(there->version, major) &&
           catalog_driver_compare(there->version, pinned->version) > 0; /* numbers and dots both */
}

/* What the variant adds to the others' choice, which it must not move: then images of all variants
 * share the layers that they have in common. */
static int keep_added(struct lock *lock, struct pypi_index *index,
                      const struct pypi_solution *solution, const struct pos *pos, struct err *e)
{
    struct artifacts list = {0};
    int result = pypi_artifacts(&list, index, solution, e);
    struct err fault = {0};
    struct artifact *a;

    vec_each(a, &list) {
        const struct artifact *there = lock_find(lock, ECO_WHEEL, a->name);

        if (there && !str_eq(there->version, a->version) && !serves(there, a))
            err_at_kind(&fault, ERR_UNSAT, pos,
                        "variant: it needs " STR_FMT " " STR_FMT ", and without it " STR_FMT
                        " would be chosen; name one in `pip`",
                        STR_ARG(a->name), STR_ARG(a->version), STR_ARG(there->version));
        if (there)
            continue;
        a->group = STR("variant");
        vec_add(&lock->artifacts, keep(&lock->doc.arena, a));
    }
    vec_clear(&list);
    if (err_is_set(&fault))
        return err_join(e, &fault);
    return result;
}

static int choose_wheels(struct lock *lock, struct pypi_index *index, struct pypi_want *want,
                         const struct plans *plans, const struct resolve_input *in, struct err *e)
{
    CLEANUP(pypi_solution_clear) struct pypi_solution first = {0}, second = {0};
    const struct asking *asking = &plans->asking;
    struct pypi_universe universe = pypi_index_universe(index);
    struct VEC_OF(struct pypi_prefer) prefer = {0};
    int result;

    if (solve_wheels(&first, want, asking->own, &universe, asking, e) < 0 ||
        keep_wheels(lock, index, &first, e) < 0)
        return -1;
    if (asking->own == asking->roots.n)
        return 0;
    for (size_t i = 0; i < first.picks.n; i++)
        vec_add(&prefer, ((struct pypi_prefer){first.picks.v[i].name,
                                               first.picks.v[i].candidate->version.text}));
    for (size_t i = 0; i < want->prefer_n; i++)
        vec_add(&prefer, want->prefer[i]);
    want->prefer = prefer.v;
    want->prefer_n = prefer.n;
    result = solve_wheels(&second, want, asking->roots.n, &universe, asking, e);
    if (result == 0)
        result = keep_added(lock, index, &second, &in->recipe->variant.pos, e);
    vec_clear(&prefer);
    return result;
}

static int resolve_wheels(struct lock *lock, const struct resolve_input *in,
                          const struct plans *plans, struct err *e)
{
    CLEANUP(keeping_clear) struct keeping keeping = {0};
    CLEANUP(arena_clear) struct arena arena = {0};
    CLEANUP(pypi_index_clear) struct pypi_index *index = NULL;
    const struct asking *asking = &plans->asking;
    struct places places = {0};
    struct pypi_index_options options = {.allowed = asking->allowed.v,
                                         .allowed_n = asking->allowed.n,
                                         .root = str_of(in->root),
                                         .python_full = lock->python_full,
                                         .memo = in->memo,
                                         .events = in->events};
    struct pypi_want want;

    events_emit(in->events, &(struct event){.kind = EVENT_STEP, .name = "choose Python packages"});
    if (keep_all_wheels(&in->keep, lock)) {
        take_over(lock, in->keep.old, ECO_WHEEL);
        return 0;
    }
    if (target_of(&options.target, in, e) < 0)
        return -1;
    keep_old(&keeping, &in->keep);
    options.bound = keeping.bound.v;
    options.bound_n = keeping.bound.n;
    list_places(&places, &arena, in, &plans->torch);
    options.places = places.v;
    options.places_n = places.n;
    index = pypi_index_open(in->web, in->http, &options);
    vec_clear(&places);
    want = (struct pypi_want){.env = {lock->python_full, options.target.machine},
                              .constraints = asking->constraints.v,
                              .constraints_n = asking->constraints.n,
                              .prefer = keeping.prefer.v,
                              .prefer_n = keeping.prefer.n,
                              .pre = asking->files.pre,
                              .events = in->events};
    return choose_wheels(lock, index, &want, plans, in, e);
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

/* What can be told wrong without the network is told before it is asked. */
static int plans_open(struct plans *out, const struct resolve_input *in, struct err *e)
{
    const struct recipe *r = in->recipe;

    torch_index_choose(&out->torch, &out->arena, in->catalog, r);
    return keep_check(&in->keep, e) < 0 ||
                   catalog_check(in->catalog, r, in->base->python_version, e) < 0 ||
                   toolkit_plan_open(&out->toolkit, &out->arena, r, in->catalog, in->base, e) < 0 ||
                   asking_open(&out->asking, r, out->torch.local, &out->toolkit, in->dir, e) < 0
               ? -1
               : 0;
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

static void drop_debs(struct lock *lock)
{
    size_t kept = 0;

    for (size_t i = 0; i < lock->artifacts.n; i++)
        if (lock->artifacts.v[i].eco != ECO_DEB)
            lock->artifacts.v[kept++] = lock->artifacts.v[i];
    lock->artifacts.n = kept;
    for (size_t i = 0; i < lock->archives.n; i++)
        vec_clear(&lock->archives.v[i].signers);
    lock->archives.n = 0;
}

/* All packages again with the distribution's toolkit among them: what stands in for some of it is
 * known only when the wheels are. */
static int resolve_toolkit_debs(struct lock *lock, const struct resolve_input *in,
                                struct plans *plans, struct err *e)
{
    if (!toolkit_is_apt(plans) || lock->toolkit.stand_ins.n)
        return 0; /* stand-ins that are there were taken over, with all packages */
    drop_debs(lock);
    derive_facts(lock, in->catalog, NULL); /* the driver stand-in's version */
    stand_ins_choose(lock, &in->base->toolkit, in->catalog, &plans->libraries);
    return resolve_debs(lock, in, plans, e);
}

/* Debs, wheels and archives, in the order of which needs to know what of the others. */
static int resolve_artifacts(struct lock *lock, const struct resolve_input *in,
                             struct plans *plans, struct err *e)
{
    if ((!in->image && resolve_debs(lock, in, plans, e) < 0) ||
        resolve_wheels(lock, in, plans, e) < 0 || resolve_toolkit_debs(lock, in, plans, e) < 0)
        return -1;
    vec_sort(&lock->artifacts, artifact_compare);
    return 0;
}

int resolve(struct lock *out, const struct resolve_input *in, struct err *e)
{
    CLEANUP(lock_clear) struct lock lock = {0};
    CLEANUP(plans_clear) struct plans plans = {0};
    struct arena *a;

    if (plans_open(&plans, in, e) < 0 ||
        recipe_part(&lock, in->recipe, &plans.asking, in->dir, e) < 0)
        return -1;
    a = &lock.doc.arena;
    lock.format = LOCK_FORMAT;
    lock.writer = STR(ENVBUILD_VERSION);
    lock.base = arena_str(a, in->base->name);
    lock.variant = arena_str(a, in->recipe->variant.text);
    lock.apt_sources = arena_str(a, in->base->sources);
    lock.apt_sources_path = arena_str(a, in->base->sources_path);
    set_toolkit(&lock, &plans.toolkit, &in->base->toolkit);
    if (in->image)
        base_image_lock(&lock, in->image, in->recipe);
    if (resolve_artifacts(&lock, in, &plans, e) < 0)
        return -1;
    derive_facts(&lock, in->catalog, in->events);
    if (derive_check(&lock, in->catalog, in->recipe, e) < 0 || set_name(&lock, in->recipe, e) < 0)
        return -1;
    set_image(&lock, in);
    if (startup_add(&lock, in->recipe, shell_of(&lock, in), in->events, e) < 0)
        return -1;
    layering(&lock);
    MOVE(out, &lock);
    return 0;
}
