/* SPDX-License-Identifier: Apache-2.0 */
#include "../model/locale.h"
#include "../pkg/pypi/git_ref.h"
#include "deb/apt_archive.h"
#include "deb/apt_extra.h"
#include "lock_facts.h"
#include "resolve_parts.h"
#include "services.h"
#include "deb/solve_deb.h"
#include "toolkit/stand_ins.h"

static bool toolkit_is_apt(const struct plans *p)
{
    return str_is(p->toolkit.from, "apt");
}

/* `all`: the components of the base's archives with those that its toolkit is in; owned by the
 * caller. */
static void add_sources(struct apt_source *list, size_t *n, const struct baselayer *base,
                        const struct strs *more, struct str keyring, struct strs *all)
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
                                               .keyring = keyring,
                                               .fingerprints = base->fingerprints};
    }
}

static int open_archive(struct apt_archive *out, const struct resolve_input *in,
                        const struct plans *plans, const struct lock *lock, struct err *e)
{
    CLEANUP(apt_extra_clear) struct apt_extra extra = {0};
    CLEANUP(free_clear) struct strs *components = xcalloc(in->base->archives.n, sizeof *components);
    CLEANUP(buf_clear) struct buf own = {0}, keyring = {0};
    const struct strs none = {0};
    size_t most, n = 0;
    int result;

    if ((in->base->archives.n && baselayer_keyring(&keyring, in->base, e) < 0) ||
        apt_extra_open(&extra, in->recipe, in->dir, e) < 0)
        return -1;
    most = extra.sources.n;
    for (size_t i = 0; i < in->base->archives.n; i++)
        most += in->base->archives.v[i].suites.n;
    CLEANUP(free_clear) struct apt_source *sources = xcalloc(most, sizeof *sources);
    add_sources(sources, &n, in->base,
                toolkit_is_apt(plans) ? &in->base->toolkit.components : &none, buf_view(&keyring),
                components);
    for (size_t i = 0; i < extra.sources.n; i++)
        sources[n++] = extra.sources.v[i];
    stand_ins_print(&own, lock);
    result = apt_archive_open(out, in->pages, in->memo, sources, n, buf_view(&own), in->base->arch,
                              in->now, in->events, e);
    for (size_t i = 0; i < in->base->archives.n; i++)
        vec_clear(&components[i]);
    return result;
}

static int install_names(struct deb_solver *s, enum lock_group group, bool essential,
                         const struct strs *names, struct err *e)
{
    CLEANUP(free_clear) struct deb_want *wants = xcalloc(names->n, sizeof *wants);

    for (size_t i = 0; i < names->n; i++)
        wants[i].text = names->v[i];
    return deb_solver_install(s, lock_group_name(group), essential, wants, names->n, e);
}

/* What the recipe names, and what its services need. */
static int install_apt(struct deb_solver *s, const struct recipe *r, struct err *e)
{
    struct deb_wants wants = {0};
    int result = 0;

    for (size_t i = 0; i < r->apt.n; i++)
        vec_add(&wants, ((struct deb_want){r->apt.v[i].text, r->apt.v[i].pos}));
    services_debs(&wants, r);
    if (wants.n)
        result = deb_solver_install(s, lock_group_name(LOCK_APT), false, wants.v, wants.n, e);
    vec_clear(&wants);
    return result;
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
            name =
                str_of(arena_fmt(&plans->arena, STR_FMT "-%u", STR_ARG(name), plans->toolkit.gcc));
        vec_add(&names, name);
    }
    for (size_t i = 0; i < b->devel.n && plans->toolkit.wanted; i++)
        vec_add(&names, b->devel.v[i]);
    result = install_names(s, LOCK_COMPILE, false, &names, e);
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
    result = install_names(s, LOCK_TOOLKIT, false, &names, e);
    if (result == 0 && names.n)
        result = install_names(s, LOCK_TOOLKIT, false, &b->toolkit.packages, e);
    vec_clear(&names);
    return result;
}

/* Builds from source need compilers where the image has none. */
static bool wants_tools(const struct recipe *r)
{
    return recipe_builds(r) && str_is(r->variant.text, "runtime");
}

/* git, for builds that ask it for their version. */
static bool wants_git(const struct recipe *r, const struct requirements *reqs)
{
    const struct pypi_root *root;

    if (wants_tools(r))
        vec_each(root, &reqs->roots)
            if (git_ref_is(root->requirement->url))
                return true;
    return false;
}

static bool has_git(const struct lock *lock)
{
    const struct artifact *a;

    vec_each(a, &lock->tools)
        if (str_is(a->name, "git"))
            return true;
    return lock_find(lock, ECO_DEB, STR("git"));
}

/* What all variants have comes first, so that the variant's own packages move none of it. */
static int choose_debs(struct deb_solver *s, const struct resolve_input *in, struct plans *plans,
                       const struct lock *lock, struct err *e)
{
    const struct baselayer *b = in->base;
    struct str name = STR("git");
    const struct strs git = {&name, 1, 1};

    return install_names(s, LOCK_BASE, true, &b->base, e) < 0 ||
                   install_names(s, LOCK_PYTHON, false, &b->python, e) < 0 ||
                   install_apt(s, in->recipe, e) < 0 ||
                   ((!str_is(in->recipe->variant.text, "runtime") || wants_tools(in->recipe)) &&
                    install_compilers(s, b, plans, e) < 0) ||
                   (wants_git(in->recipe, &plans->reqs) &&
                    install_names(s, LOCK_COMPILE, false, &git, e) < 0) ||
                   install_toolkit(s, b, lock, e) < 0
               ? -1
               : 0;
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
    struct pins_moved moved = {0};
    struct err fault = {0};
    int result = -1;

    pins_prefer_debs(&in->pins, index, &moved);
    buf_fmt(&universe, STR_FMT "%s", STR_ARG(in->base->name),
            in->recipe->archives.n ? " with apt_archives" : "");
    do {
        err_clear(&fault);
        deb_solver_clear(solver);
        *solver = deb_solver_open(index, universe.p);
        result = choose_debs(*solver, in, plans, lock, &fault);
    } while (result < 0 && fault.kind == ERR_UNSAT && pins_yield(index, &moved, &fault));
    vec_clear(&moved);
    if (result < 0)
        return err_join(e, &fault);
    deb_solver_solution(*solver, out);
    return 0;
}

static bool asks_for_locale(const struct recipe *r)
{
    for (size_t i = 0; i < r->env.n; i++)
        if (locale_asked(r->env.v[i].text).len)
            return true;
    return false;
}

/* What locale-gen would make is taken from a package of the archive, of the very version where
 * there is one. With locales-all itself everything is there already. */
static void choose_locales(struct deb_solution *solution, const struct debindex *index,
                           const struct recipe *r)
{
    const struct deb_package *first = debindex_find(index, STR("locales-all")), *best = first;
    const struct deb_package *locales = NULL;
    size_t at = 0;

    for (size_t i = 0; i < solution->n; i++) {
        const struct deb_package *p = solution->v[i].package;

        if (str_is(p->name, "locales"))
            locales = p;
        if (p == first)
            return;
        at += str_cmp(p->name, STR("locales-all")) < 0;
    }
    if (!locales || !first || !asks_for_locale(r))
        return;
    for (const struct deb_package *p = first; p; p = p->next_version)
        if (str_eq(p->version, locales->version))
            best = p;
    vec_push(solution);
    memmove(&solution->v[at + 1], &solution->v[at], (solution->n - 1 - at) * sizeof *solution->v);
    solution->v[at] = (struct deb_chosen){best, lock_group_name(LOCK_LOCALES), false};
}

/* Does the older lock have locales where the recipe asks for some, and only there? */
static bool keeps_locales(const struct lock *old, const struct recipe *r)
{
    bool had = lock_layer_of(old, LOCK_LOCALES);

    if (!asks_for_locale(r))
        return !had;
    return had || !lock_find(old, ECO_DEB, STR("locales")) ||
           lock_find(old, ECO_DEB, STR("locales-all"));
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

/* The artifacts of a solution; packages of ours are none. `tools`: compilers are not the image's.
 */
static int keep_debs(struct lock *lock, struct deb_solution *solution, bool tools, struct err *e)
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
    for (size_t i = 0; i < n; i++) {
        struct artifact kept = artifact_keep(&lock->doc.arena, &list[i]);

        if (tools && str_eq(kept.group, str_of(lock_group_name(LOCK_COMPILE))))
            vec_add(&lock->tools, kept);
        else
            vec_add(&lock->artifacts, kept);
    }
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
    choose_locales(&solution, &archive.index, in->recipe);
    result = keep_debs(lock, &solution, wants_tools(in->recipe), e);
    vec_clear(&solution);
    learn_libraries(plans, &archive.index, &in->base->toolkit);
    keep_archives(lock, archive.releases.v, archive.releases.n);
    return result;
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

int resolve_debs_again(struct lock *lock, const struct resolve_input *in, struct err *e)
{
    artifacts_take_over(lock, in->pins.old, ECO_DEB);
    for (size_t i = 0; i < in->pins.old->tools.n; i++)
        vec_add(&lock->tools, artifact_keep(&lock->doc.arena, &in->pins.old->tools.v[i]));
    keep_archives(lock, in->pins.old->archives.v, in->pins.old->archives.n);
    return set_python(lock, in->base, e);
}

int resolve_debs(struct lock *lock, const struct resolve_input *in, struct plans *plans,
                 struct err *e)
{
    events_emit(in->events, &(struct event){.kind = EVENT_STEP, .name = "choose system packages"});
    if (pins_all_debs(&in->pins, lock) && keeps_locales(in->pins.old, in->recipe) &&
        (in->pins.old->tools.n > 0) == wants_tools(in->recipe) &&
        (!wants_git(in->recipe, &plans->reqs) || has_git(in->pins.old))) {
        take_stand_ins(lock, &in->pins.old->toolkit);
        return resolve_debs_again(lock, in, e);
    }
    return choose_anew(lock, in, plans, e) < 0 ? -1 : set_python(lock, in->base, e);
}

/* Which versions of the libraries the packages that stand in of the older lock provide. */
static void recall_libraries(struct plans *plans, const struct lock_toolkit *old,
                             const struct base_toolkit *base)
{
    struct arena *a = &plans->arena;

    for (size_t i = 0; i < base->libraries.n; i++) {
        struct str begin =
            str_of(arena_fmt(a, STR_FMT " (= ", STR_ARG(base->libraries.v[i].package)));
        struct str *version = vec_push(&plans->libraries);

        for (size_t j = 0; j < old->stand_ins.n; j++)
            for (size_t k = 0; k < old->stand_ins.v[j].provides.n; k++) {
                struct str provided = old->stand_ins.v[j].provides.v[k];

                if (str_skip(&provided, begin) && str_drop(&provided, STR(")")))
                    *version = provided;
            }
    }
}

void resolve_stand_ins_again(struct lock *lock, const struct resolve_input *in, struct plans *plans)
{
    if (!toolkit_is_apt(plans))
        return;
    recall_libraries(plans, &in->pins.old->toolkit, &in->base->toolkit);
    lock_facts_derive(lock, in->catalog, NULL); /* the driver stand-in's version */
    stand_ins_choose(lock, &in->base->toolkit, in->catalog, &plans->libraries);
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

/* Is of every library that wheels may have the same wheel there that the older lock had? */
static bool same_libraries(const struct lock *lock, const struct lock *old,
                           const struct base_toolkit *base)
{
    for (size_t i = 0; i < base->libraries.n; i++) {
        const struct artifact *a = lock_find(lock, ECO_WHEEL, base->libraries.v[i].wheel);
        const struct artifact *b = lock_find(old, ECO_WHEEL, base->libraries.v[i].wheel);

        if (!a != !b || (a && !str_eq(a->version, b->version)))
            return false;
    }
    return true;
}

int resolve_toolkit_debs(struct lock *lock, const struct resolve_input *in, struct plans *plans,
                         struct err *e)
{
    if (!toolkit_is_apt(plans))
        return 0;
    if (lock->toolkit.stand_ins.n) { /* taken over, with all packages */
        if (same_libraries(lock, in->pins.old, &in->base->toolkit))
            return 0;
        lock_drop_stand_ins(&lock->toolkit);
        drop_debs(lock);
        if (choose_anew(lock, in, plans, e) < 0) /* which versions there are */
            return -1;
    }
    drop_debs(lock);
    lock_facts_derive(lock, in->catalog, NULL); /* the driver stand-in's version */
    stand_ins_choose(lock, &in->base->toolkit, in->catalog, &plans->libraries);
    return choose_anew(lock, in, plans, e);
}
