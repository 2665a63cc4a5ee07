/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/dotted.h"
#include "../base/version.h"
#include "lock_facts.h"
#include "layering.h"
#include "req_check.h"
#include "resolve_parts.h"
#include "slimming.h"
#include "startup.h"

static int set_name(struct lock *lock, const struct recipe *r, struct err *e)
{
    const struct facts *f = &lock->facts;
    CLEANUP(buf_clear) struct buf tag = {0}, compression = {0};
    struct recipe_tag words = {.pytorch = f->pytorch,
                               .cuda = r->cuda.text.len ? r->cuda.text : f->cuda,
                               .cudnn =
                                   r->cudnn.text.len ? r->cudnn.text : dotted_first(f->cudnn, 1),
                               .variant = r->variant.text,
                               .python = lock->python,
                               .base = lock->base};

    for (size_t i = 0; i < r->compression.n; i++) {
        enum compression how = COMPRESSION_GZIP;

        (void)compression_is(&how, r->compression.v[i].text);
        buf_puts(&compression, i ? "-" : "");
        compression_tag(&compression, how);
    }
    if (!r->compression.n)
        compression_tag(&compression, COMPRESSION_GZIP);
    words.compression = buf_view(&compression);
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

static struct artifact_file file_keep(struct arena *a, const struct artifact_file *from)
{
    return (struct artifact_file){arena_str(a, from->file), arena_str(a, from->url), from->size,
                                  from->digest};
}

static const struct artifact_source *source_keep(struct arena *a,
                                                 const struct artifact_source *from)
{
    struct artifact_source *to = arena_alloc(a, sizeof *to);

    *to = *from;
    to->sdist = file_keep(a, &from->sdist);
    to->commit = arena_str(a, from->commit);
    to->tags = strs_keep(a, &from->tags);
    to->folder = arena_str(a, from->folder);
    to->root = strs_keep(a, &from->root);
    to->env = strs_keep(a, &from->env);
    to->settings = strs_keep(a, &from->settings);
    to->archs = strs_keep(a, &from->archs);
    to->expect = strs_keep(a, &from->expect);
    to->abi = arena_str(a, from->abi);
    to->made = strs_keep(a, &from->made);
    to->requires = arena_alloc(a, (from->requires_n + 1) * sizeof *to->requires);
    for (size_t i = 0; i < from->requires_n; i++)
    to->requires[i] = artifact_keep(a, &from->requires[i]);
    to->files = arena_alloc(a, (from->files_n + 1) * sizeof *to->files);
    for (size_t i = 0; i < from->files_n; i++)
        to->files[i] = file_keep(a, &from->files[i]);
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
    to.source = from->source ? source_keep(a, from->source) : NULL;
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
    const struct marker_env env = {
        str_of(arena_fmt(&out->arena, STR_FMT ".0", STR_ARG(in->base->python_version))),
        STR("x86_64")};
    const struct tool_lock_pick *torch;

    torch_index_choose(&out->torch, &out->arena, in->catalog, r);
    if (toolkit_plan_open(&out->toolkit, &out->arena, r, in->catalog, in->base, e) < 0 ||
        requirements_open(&out->reqs, r, out->torch.local, &out->toolkit, in->dir, e) < 0 ||
        requirements_lock(&out->reqs, &env, true, e) < 0 ||
        req_check(&out->reqs, r, &out->torch, in->base->python_version, e) < 0)
        return -1;
    torch = requirements_locked(&out->reqs, STR("torch"));
    if (torch)
        torch_index_prefer(&out->torch, &out->arena, r, torch->index); /* its very file */
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
        resolve_archives(lock, in, plans, e) < 0 || resolve_downloads(lock, in, e) < 0)
        return -1;
    return 0;
}

/* What recipe and base decide before anything is chosen. */
static int begin(struct lock *lock, const struct resolve_input *in, const struct plans *plans,
                 unsigned format, const struct events *events, struct err *e)
{
    struct arena *a;

    if (resolve_recipe_part(lock, in->recipe, &plans->reqs, in->dir, format, in->now, events, e) <
        0)
        return -1;
    a = &lock->doc.arena;
    lock->writer = STR(ENVBUILD_VERSION);
    lock->base = arena_str(a, in->base->name);
    lock->variant = arena_str(a, in->recipe->variant.text);
    lock->os = STR("linux");
    lock->arch = STR("amd64");
    lock->apt_sources = arena_str(a, in->base->sources);
    lock->apt_sources_path = arena_str(a, in->base->sources_path);
    set_toolkit(lock, &plans->toolkit, &in->base->toolkit);
    if (in->image)
        base_image_lock(lock, in->image, in->recipe);
    return 0;
}

/* What follows from the artifacts that were chosen, now or for the lock `old`. */
static int finish(struct lock *lock, const struct resolve_input *in, const struct lock *old,
                  struct err *e)
{
    vec_sort(&lock->artifacts, artifact_compare);
    if (in->recipe->slim)
        slimming_choose(lock);
    lock_facts_derive(lock, in->catalog, in->events);
    if (lock_facts_check(lock, in->catalog, in->recipe, e) < 0 || set_name(lock, in->recipe, e) < 0)
        return -1;
    if (resolve_image(lock, in, e) < 0 || resolve_places(lock, in->recipe, e) < 0 ||
        startup_add(lock, in->recipe, resolve_shell(lock, in), in->events, e) < 0)
        return -1;
    layering(lock, old);
    return 0;
}

/* What compiles for GPUs when it runs. */
static void tell_toolkit(const struct lock *lock, const struct events *events)
{
    if (lock->facts.cuda.len && !lock->toolkit.from.len &&
        lock_find(lock, ECO_WHEEL, STR("deepspeed")))
        events_warn(events,
                    "deepspeed compiles its operators when they are used, and some releases raise "
                    "MissingCUDAException already when they are imported; this image has no CUDA "
                    "toolkit, and `variant: devel` has");
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
    if (resolve_artifacts(&lock, in, &plans, e) < 0 || finish(&lock, in, NULL, e) < 0)
        return -1;
    resolve_tell_env(&lock, in->recipe, in->events);
    tell_toolkit(&lock, in->events);
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
    resolve_downloads_again(&lock, in);
    if (finish(&lock, in, in->pins.old, e) < 0)
        return -1;
    MOVE(out, &lock);
    return 0;
}
