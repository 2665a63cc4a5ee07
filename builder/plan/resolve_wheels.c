/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/dotted.h"
#include "../net/url.h"
#include "own_wheels.h"
#include "pypi/pypi_index.h"
#include "pypi/pypi_sources.h"
#include "resolve_parts.h"

static int target_of(struct wheel_target *out, const struct resolve_input *in, struct err *e)
{
    uint32_t python[2];

    *out = (struct wheel_target){.glibc_major = in->base->glibc_major,
                                 .glibc_minor = in->base->glibc_minor,
                                 .machine = STR("x86_64")};
    if (dotted_numbers(python, 2, in->base->python_version) != 2)
        return err_set(e, ERR_INPUT, "base " STR_FMT ": python version \"" STR_FMT "\" is none",
                       STR_ARG(in->base->name), STR_ARG(in->base->python_version));
    out->python_major = python[0];
    out->python_minor = python[1];
    return 0;
}

static int keep_wheels(struct lock *lock, struct pypi_index *index,
                       const struct pypi_solution *solution, struct err *e)
{
    struct artifacts list = {0};
    int result = pypi_artifacts(&list, index, solution, e);

    for (size_t i = 0; i < list.n && result == 0; i++)
        vec_add(&lock->artifacts, artifact_keep(&lock->doc.arena, &list.v[i]));
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
    struct VEC_OF(struct pypi_locked) locked; /* what locks of other tools have */
    struct artifacts built;
};

static void keeping_clear(struct keeping *k)
{
    vec_clear(&k->prefer);
    vec_clear(&k->bound);
    vec_clear(&k->locked);
    vec_clear(&k->built);
}

static void keep_old(struct keeping *k, const struct pins *pins)
{
    for (size_t i = 0; pins->old && i < pins->old->artifacts.n; i++) {
        const struct artifact *a = &pins->old->artifacts.v[i];

        if (a->eco != ECO_WHEEL || !pins_has(pins, a))
            continue;
        vec_add(&k->prefer, ((struct pypi_prefer){a->name, a->version}));
        vec_add(&k->bound, ((struct pypi_bound){a->name, a->from}));
        if (a->source)
            vec_add(&k->built, *a);
    }
}

static void keep_locked(struct keeping *k, const struct requirements *reqs)
{
    const struct tool_lock_pick *p;

    vec_each(p, &reqs->locked)
        if (p->version.len)
            vec_add(&k->locked, ((struct pypi_locked){p->name, p->version, p->pos.file}));
}

/* One run of the solver; `roots` of what is asked. */
static int solve_wheels(struct pypi_solution *out, struct pypi_want *want, size_t roots,
                        const struct pypi_universe *universe, const struct requirements *reqs,
                        struct err *e)
{
    struct err fault = {0};

    want->roots = reqs->roots.v;
    want->roots_n = roots;
    if (solve_pypi(out, want, universe, &fault) == 0)
        return 0;
    requirements_place(reqs, &fault);
    return err_join(e, &fault);
}

/* What is one program in several wheels. */
static bool is_of_compiler(struct str name)
{
    static const char *const names[] = {"nvidia-cuda-nvcc", "nvidia-cuda-crt", "nvidia-nvvm"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_is(name, names[i]))
            return true;
    return false;
}

/* NVIDIA's headers of a newer release of the same major serve an older nvcc: nvidia-nvshmem asks
 * for nvidia-cuda-cccl as such, and cuda-toolkit for that of its own release. */
static bool serves(const struct artifact *there, const struct artifact *pinned)
{
    struct str major = str_sub(pinned->version, 0, str_find(pinned->version, '.') + 1);

    return !is_of_compiler(there->name) && str_starts(there->name, STR("nvidia-")) &&
           str_starts(there->version, major) &&
           dotted_compare(there->version, pinned->version) > 0; /* numbers and dots both */
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
        vec_add(&lock->artifacts, artifact_keep(&lock->doc.arena, a));
    }
    vec_clear(&list);
    if (err_is_set(&fault))
        return err_join(e, &fault);
    return result;
}

static const struct pos *place_of(const struct requirements *reqs, struct str name)
{
    for (size_t i = 0; i < reqs->roots.n; i++)
        if (str_eq(reqs->roots.v[i].requirement->name, name))
            return &reqs->places.v[i];
    return &reqs->places.v[0];
}

/* pip would build it, and the recipe does not say that this may be. */
static void refuse_source(const struct pypi_source *s, const struct pos *pos,
                          const struct recipe *r, struct err *e)
{
    CLEANUP(buf_clear) struct buf build = {0};

    if (s->builds && r->builds.n)
        buf_fmt(&build, "add " STR_FMT " to `build` to build it", STR_ARG(s->name));
    else if (s->builds)
        buf_fmt(&build, "write `build: [" STR_FMT "]` to build it", STR_ARG(s->name));
    else
        buf_puts(&build, "such a file is not built");
    err_at_kind(e, ERR_UNSAT, pos,
                "%s; %s; with wheels alone " STR_FMT " would be " STR_FMT "%s" STR_FMT
                "%s: pin it (" STR_FMT "==" STR_FMT "), name a folder with a wheel that you built "
                "under `find_links`, or write `wheels_only: true`",
                s->text, build.p, STR_ARG(s->root), STR_ARG(s->now), s->dated.len ? " (" : "",
                STR_ARG(s->dated), s->dated.len ? ")" : "", STR_ARG(s->root), STR_ARG(s->now));
}

/* Nobody gets an old release in silence, be it that pip would build a newer one or that nothing
 * newer fits. */
static int check_choice(const struct pypi_solution *wheels, const struct pypi_want *want,
                        const struct pypi_universe *universe, const struct requirements *reqs,
                        const struct resolve_input *in, struct err *e)
{
    CLEANUP(pypi_sources_clear) struct pypi_sources sources = {0};
    const struct pypi_source *s;
    struct err fault = {0};

    if (pypi_sources_find(&sources, want, universe, wheels, e) < 0 ||
        choices_find(in->choices, want, universe, wheels, reqs, &sources, in->recipe->wheels_only,
                     e) < 0)
        return -1;
    vec_each(s, &sources.list)
        if (in->recipe->wheels_only)
            events_warn(in->events, "%s; with wheels alone " STR_FMT " is " STR_FMT, s->text,
                        STR_ARG(s->root), STR_ARG(s->now));
        else
            refuse_source(s, place_of(reqs, s->root), in->recipe, &fault);
    return err_is_set(&fault) ? err_join(e, &fault) : 0;
}

/* Who locked something wants that and nothing else: what it needs besides is told. */
static void tell_unlocked(const struct pypi_solution *s, const struct requirements *reqs,
                          const struct events *events)
{
    const struct pypi_pick *p;

    vec_each(p, &s->picks) {
        const struct tool_lock_pick *from = requirements_locked(reqs, p->name);

        for (size_t i = 0; from && !str_is(p->name, "torch") && i < p->needs.n; i++) {
            struct str need = str_sub(p->needs.v[i], 0, str_find(p->needs.v[i], '['));
            const struct pypi_pick *other = pypi_solution_find(s, need);

            if (other && !requirements_locked(reqs, need) && !str_is(need, "torch"))
                events_warn(events, STR_FMT " " STR_FMT " is not in %s, and " STR_FMT " needs it",
                            STR_ARG(need), STR_ARG(other->candidate->version.text), from->pos.file,
                            STR_ARG(p->name));
        }
    }
}

static int choose_wheels(struct lock *lock, struct pypi_index *index, struct pypi_want *want,
                         const struct plans *plans, const struct resolve_input *in, struct err *e)
{
    CLEANUP(pypi_solution_clear) struct pypi_solution first = {0}, second = {0};
    const struct requirements *reqs = &plans->reqs;
    struct pypi_universe universe = pypi_index_universe(index);
    struct VEC_OF(struct pypi_prefer) prefer = {0};
    int result;

    if (solve_wheels(&first, want, reqs->own, &universe, reqs, e) < 0 ||
        check_choice(&first, want, &universe, reqs, in, e) < 0 ||
        keep_wheels(lock, index, &first, e) < 0)
        return -1;
    tell_unlocked(&first, reqs, in->events);
    if (reqs->own == reqs->roots.n)
        return 0;
    for (size_t i = 0; i < first.picks.n; i++)
        vec_add(&prefer, ((struct pypi_prefer){first.picks.v[i].name,
                                               first.picks.v[i].candidate->version.text}));
    for (size_t i = 0; i < want->prefer_n; i++)
        vec_add(&prefer, want->prefer[i]);
    want->prefer = prefer.v;
    want->prefer_n = prefer.n;
    result = solve_wheels(&second, want, reqs->roots.n, &universe, reqs, e);
    if (result == 0)
        result = keep_added(lock, index, &second, &in->recipe->variant.pos, e);
    vec_clear(&prefer);
    return result;
}

/* Is the wheel one that the recipe, or for its variant the image, asks for by name? */
static int is_asked_for(bool *out, const struct artifact *a, const struct lock *lock,
                        const struct requirements *reqs, struct err *e)
{
    const struct marker_env env = {lock->python_full, STR("x86_64")};
    bool added = str_is(a->group, "variant");

    *out = false;
    for (size_t i = 0; i < reqs->roots.n && !*out; i++) {
        const struct requirement *r = reqs->roots.v[i].requirement;

        if (str_eq(r->name, a->name) && (added || i < reqs->own) &&
            marker_eval(r->marker, &env, STR(""), out, e) < 0)
            return -1;
    }
    return 0;
}

/* A name of `build` that nothing needs is a mistake, and no harm. */
static void tell_unused(const struct lock *lock, const struct sdists *sdists,
                        const struct resolve_input *in)
{
    const struct recipe_build *b;

    vec_each(b, &in->recipe->builds)
        if (!lock_find(lock, ECO_WHEEL, b->name.text) && !sdists_used(sdists, b->name.text))
            events_warn(in->events,
                        "build: nothing needs " STR_FMT
                        "; ask for it under `pip`, or remove it here",
                        STR_ARG(b->name.text));
}

/* The recipe's own project, for who chooses. */
struct own {
    struct sdists_project as; /* digest and size are set where there is one */
    const struct own_project *project;
    const struct events *events;
};

static struct strs own_env(void *ctx, struct arena *a, const struct strs *env)
{
    struct own *own = ctx;
    const struct events *events = own->events;

    own->events = NULL; /* it is told once */
    return own_project_env(a, env, own->project, events);
}

static int own_open(struct own *out, struct arena *a, const struct requirements *reqs,
                    const struct resolve_input *in, struct err *e)
{
    const struct own_project *p = &reqs->project;

    if (!p->recipe)
        return 0;
    *out = (struct own){.as = {.url = own_project_url(a, p->recipe),
                               .toml = p->has_toml ? &p->toml : NULL,
                               .env = own_env,
                               .ctx = out},
                        .project = p,
                        .events = in->events};
    return own_project_hash(&out->as.digest, &out->as.size, p, in->events, e);
}

/* Is it as the older lock has it? */
static bool own_is_kept(const struct own *own, const struct lock *old)
{
    const struct artifact *a = lock_project(old);

    return own->project ? a && digest_eq(&a->source->sdist.digest, &own->as.digest) : !a;
}

int resolve_wheels_again(struct lock *lock, const struct resolve_input *in, struct plans *plans,
                         struct err *e)
{
    const struct marker_env env = {lock->python_full, STR("x86_64")};
    const struct artifact *project = lock_project(in->pins.old);
    struct artifact *a;

    if (requirements_lock(&plans->reqs, &env, false, e) < 0)
        return -1;
    if (project && plans->reqs.project.recipe)
        requirements_project(&plans->reqs, project->name);
    artifacts_take_over(lock, in->pins.old, ECO_WHEEL);
    vec_each(a, &lock->artifacts)
        if (a->eco == ECO_WHEEL && is_asked_for(&a->requested, a, lock, &plans->reqs, e) < 0)
            return -1;
    return 0;
}

/* May the older lock's be taken over as they are? */
static int keeps_all(bool *out, const struct lock *lock, const struct resolve_input *in,
                     const struct own *own, struct err *e)
{
    struct artifacts changed = {0};
    int result = 0;

    *out = pins_all_wheels(&in->pins, lock) && own_is_kept(own, in->pins.old);
    if (*out)
        result = own_wheels_changed(&changed, in->pins.old, in->dir, e);
    *out &= !changed.n;
    vec_clear(&changed);
    return result;
}

int resolve_wheels(struct lock *lock, const struct resolve_input *in, struct plans *plans,
                   struct err *e)
{
    CLEANUP(keeping_clear) struct keeping keeping = {0};
    CLEANUP(arena_clear) struct arena arena = {0};
    CLEANUP(sdists_clear) struct sdists *sdists = NULL;
    CLEANUP(pypi_index_clear) struct pypi_index *index = NULL;
    struct requirements *reqs = &plans->reqs;
    struct catalog_build build = {0};
    struct places places = {0};
    struct pypi_index_options options = {.root = str_of(in->root),
                                         .python_full = lock->python_full,
                                         .memo = in->memo,
                                         .events = in->events};
    struct own own = {0};
    struct pypi_want want;
    struct str name;
    bool same;

    events_emit(in->events, &(struct event){.kind = EVENT_STEP, .name = "choose Python packages"});
    if (own_open(&own, &arena, reqs, in, e) < 0 || keeps_all(&same, lock, in, &own, e) < 0)
        return -1;
    if (same)
        return resolve_wheels_again(lock, in, plans, e);
    if (target_of(&options.target, in, e) < 0)
        return -1;
    want.env = (struct marker_env){lock->python_full, options.target.machine};
    if (requirements_lock(reqs, &want.env, false, e) < 0 ||
        requirements_allowed(reqs, &want.env, e) < 0)
        return -1;
    options.allowed = reqs->allowed.v;
    options.allowed_n = reqs->allowed.n;
    keep_old(&keeping, &in->pins);
    keep_locked(&keeping, reqs);
    options.bound = keeping.bound.v;
    options.bound_n = keeping.bound.n;
    list_places(&places, &arena, in, &plans->torch);
    options.places = places.v;
    options.places_n = places.n;
    (void)catalog_build(in->catalog, in->recipe->pytorch.text, plans->toolkit.cuda, &build);
    sdists = sdists_open(&(struct sdists_options){.recipe = in->recipe,
                                                  .archs = build.archs,
                                                  .lock = lock,
                                                  .kept = &keeping.built,
                                                  .backend = in->backend,
                                                  .project = own.project ? &own.as : NULL,
                                                  .pages = in->pages,
                                                  .memo = in->memo,
                                                  .events = in->events});
    options.sdists = sdists;
    index = pypi_index_open(in->pages, in->http, &options);
    vec_clear(&places);
    want = (struct pypi_want){.env = want.env,
                              .constraints = reqs->constraints.v,
                              .constraints_n = reqs->constraints.n,
                              .prefer = keeping.prefer.v,
                              .prefer_n = keeping.prefer.n,
                              .locked = keeping.locked.v,
                              .locked_n = keeping.locked.n,
                              .may_lack = &reqs->may_lack,
                              .build = plans->torch.local.len ? STR("") : plans->torch.build,
                              .of_build = torch_index_binds,
                              .pre = reqs->files.pre,
                              .events = in->events};
    sdists_bind(sdists, index, &want);
    if (own.project) {
        if (sdists_project_name(sdists, &name, e) < 0)
            return -1;
        requirements_project(reqs, name);
    }
    if (choose_wheels(lock, index, &want, plans, in, e) < 0)
        return -1;
    tell_unused(lock, sdists, in);
    return 0;
}
