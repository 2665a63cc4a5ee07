/* SPDX-License-Identifier: Apache-2.0 */
#include "lock_facts.h"

#include "../base/dotted.h"
#include "../model/require.h"

#include "pypi/torch_index.h"

/* Version of the first wheel whose name is `name`, or `name` with "-cu11", "-cu12", ... behind it.
 */
static struct str wheel_version(const struct lock *lock, const char *name)
{
    for (size_t i = 0; i < lock->artifacts.n; i++) {
        const struct artifact *a = &lock->artifacts.v[i];
        struct str rest = a->name;

        if (a->eco == ECO_WHEEL && str_skip(&rest, str_of(name)) &&
            (!rest.len || str_starts(rest, STR("-cu"))))
            return a->version;
    }
    return (struct str){0};
}

/* "2.16.0+cu134" in its parts; *local is empty without one. */
static struct str public_of(struct str version, struct str *local)
{
    struct str rest = version, head = version;

    *local = str_cut(&rest, STR("+"), &head) ? rest : (struct str){0};
    return head;
}

/* The driver whose user-space part a package cuda-compat-12-4 brings: "550.54.15" of
 * "550.54.15-1"; the newest of several. */
static struct str compat_of(const struct lock *lock)
{
    struct str newest = {0};

    for (size_t i = 0; i < lock->artifacts.n; i++) {
        const struct artifact *a = &lock->artifacts.v[i];
        struct str driver = str_sub(a->version, 0, str_find(a->version, '-'));

        if (a->eco == ECO_DEB && str_starts(a->name, STR("cuda-compat-")) &&
            (!newest.len || dotted_compare(driver, newest) > 0))
            newest = driver;
    }
    return newest;
}

/* NVIDIA_REQUIRE_CUDA: the family's oldest driver, or its first CUDA where that is not known. */
static void take_requirement(struct lock *lock, const struct catalog *catalog)
{
    struct facts *f = &lock->facts;
    CLEANUP(buf_clear) struct buf text = {0};

    if (f->driver_min.len)
        require_print(&text, catalog, f->driver_min, f->compat);
    else if (f->cuda.len)
        buf_fmt(&text, "cuda>=" STR_FMT ".0", STR_ARG(dotted_first(f->cuda, 1)));
    f->require = arena_str(&lock->doc.arena, buf_view(&text));
}

void lock_facts_derive(struct lock *lock, const struct catalog *catalog,
                       const struct events *events)
{
    struct facts *f = &lock->facts;
    struct arena *a = &lock->doc.arena;
    struct catalog_build build = {0};
    struct str local;
    bool known, bundled;

    f->pytorch = public_of(wheel_version(lock, "torch"), &local);
    f->python = lock->python;
    f->cuda = dotted_first(wheel_version(lock, "nvidia-cuda-runtime"), 2);
    /* The wheel may have a fourth number of its own: 13.0.3.0 is the toolkit 13.0.3. */
    f->cuda_toolkit = dotted_first(wheel_version(lock, "cuda-toolkit"), 3);
    f->cudnn = wheel_version(lock, "nvidia-cudnn");
    f->nccl = wheel_version(lock, "nvidia-nccl");
    if (!f->cuda.len)
        f->cuda = dotted_first(f->cuda_toolkit, 2);
    bundled = !f->cuda.len && str_starts(local, STR("cu"));
    if (bundled) /* the libraries are in the wheel itself */
        f->cuda = dotted_first(recipe_cuda(local, a), 2);
    known = f->cuda.len && catalog_build(catalog, f->pytorch, f->cuda, &build);
    if (!known && f->cuda.len)
        events_warn(events,
                    "PyTorch " STR_FMT " for CUDA " STR_FMT " is not in the catalog: what it needs "
                    "of a GPU is taken from its wheels alone",
                    STR_ARG(f->pytorch), STR_ARG(f->cuda));
    if (!f->cuda_toolkit.len)
        f->cuda_toolkit = arena_str(a, build.toolkit);
    if (bundled) {
        f->cudnn = arena_str(a, build.cudnn);
        f->nccl = arena_str(a, build.nccl);
    }
    if (build.archs_unconfirmed)
        events_warn(events,
                    "PyTorch " STR_FMT " for CUDA " STR_FMT
                    ": for which GPUs it has code is not confirmed",
                    STR_ARG(f->pytorch), STR_ARG(f->cuda));
    f->archs = arena_str(a, build.archs);
    f->compat = compat_of(lock);
    f->driver_min = arena_str(a, catalog_family_driver(catalog, f->cuda));
    f->driver_full = arena_str(a, catalog_driver(catalog, f->cuda_toolkit));
    take_requirement(lock, catalog);
}

/* "12.4" holds for "12.4.1", "9" for "9.1.0.70". */
static bool holds(struct str asked, struct str found)
{
    return str_eq(asked, found) || (str_skip(&found, asked) && str_starts(found, STR(".")));
}

/* ---- one copy of each library ---- */

/* "nvidia-cublas-cu12" without its CUDA major, which becomes *cuda: 0 where the name has none, as
 * names have from 13 on. */
static struct str library(struct str name, uint32_t *cuda)
{
    struct str tail, head = name;

    *cuda = 0;
    return str_cut_last(&head, STR("-cu"), &tail) && tail.len == 2 && str_u32(tail, cuda) ? head
                                                                                          : name;
}

static bool has_need(const struct strs *needs, struct str name)
{
    for (size_t i = 0; i < needs->n; i++)
        if (str_eq(str_sub(needs->v[i], 0, str_find(needs->v[i], '[')), name))
            return true;
    return false;
}

/* Does the wheel need it, itself or by an extra, which then becomes *extra? */
static bool wheel_needs(const struct artifact *w, struct str name, struct str *extra)
{
    *extra = (struct str){0};
    if (has_need(&w->needs, name))
        return true;
    for (size_t i = 0; i < w->extras.n; i++)
        if (has_need(&w->extras.v[i].needs, name)) {
            *extra = w->extras.v[i].name;
            return true;
        }
    return false;
}

/* Whoever needs both has them side by side on purpose. */
static bool one_needs_both(const struct lock *lock, const struct artifact *a,
                           const struct artifact *b)
{
    const struct artifact *w;
    struct str extra;

    vec_each(w, &lock->artifacts)
        if (wheel_needs(w, a->name, &extra) && wheel_needs(w, b->name, &extra))
            return true;
    return false;
}

/* "x", or "x[extra]", or nobody but the recipe. */
static void put_who_needs(struct buf *out, const struct lock *lock, const struct artifact *a)
{
    const struct artifact *w;
    struct str extra;

    vec_each(w, &lock->artifacts)
        if (!a->requested && wheel_needs(w, a->name, &extra)) {
            buf_str(out, w->name);
            if (extra.len)
                buf_fmt(out, "[" STR_FMT "]", STR_ARG(extra));
            return;
        }
    buf_puts(out, "a requirement in `pip`");
}

/* One of another CUDA than torch is nobody's choice but that of who needs both, and what is newer
 * than torch's would ask for another driver than the image does. */
static void check_pair(const struct lock *lock, const struct artifact *a, const struct artifact *b,
                       struct err *e)
{
    CLEANUP(buf_clear) struct buf who = {0};
    const struct artifact *other = b;
    uint32_t ours = 0, cuda_a, cuda_b, theirs;
    bool own;

    if (!str_eq(library(a->name, &cuda_a), library(b->name, &cuda_b)))
        return;
    str_u32(dotted_first(lock->facts.cuda, 1), &ours);
    own = cuda_a == ours || (!cuda_a && ours >= 13);
    if (!own)
        other = a;
    theirs = own ? cuda_b : cuda_a;
    if (theirs && theirs < ours && one_needs_both(lock, a, b))
        return;
    put_who_needs(&who, lock, other);
    err_set(e, ERR_UNSAT,
            "two copies of one library would be in the image: " STR_FMT " " STR_FMT " and " STR_FMT
            " " STR_FMT "; %s asks for " STR_FMT ", and PyTorch " STR_FMT
            " comes with CUDA " STR_FMT ": leave that out, or take a PyTorch of the other CUDA",
            STR_ARG(a->name), STR_ARG(a->version), STR_ARG(b->name), STR_ARG(b->version), who.p,
            STR_ARG(other->name), STR_ARG(lock->facts.pytorch), STR_ARG(lock->facts.cuda));
}

static void check_twins(const struct lock *lock, struct err *e)
{
    for (size_t i = 0; i < lock->artifacts.n; i++)
        for (size_t j = i + 1; j < lock->artifacts.n; j++) {
            const struct artifact *a = &lock->artifacts.v[i], *b = &lock->artifacts.v[j];

            if (a->eco == ECO_WHEEL && b->eco == ECO_WHEEL && str_starts(a->name, STR("nvidia-")))
                check_pair(lock, a, b, e);
        }
}

/* ---- one build ---- */

/* The CUDA of a label: "11.8" of "cu118", or RECIPE_CPU; empty when it names no build. */
static struct str build_of_label(struct arena *a, struct str label)
{
    return str_starts(label, STR("cu")) || str_is(label, RECIPE_CPU) ? recipe_cuda(label, a)
                                                                     : (struct str){0};
}

static void put_build(struct buf *out, const struct artifact *a, struct str build)
{
    buf_fmt(out, STR_FMT " " STR_FMT " is built for %s" STR_FMT, STR_ARG(a->name),
            STR_ARG(a->version), str_is(build, RECIPE_CPU) ? "the " : "CUDA ",
            STR_ARG(str_is(build, RECIPE_CPU) ? STR("CPU") : build));
}

/* Of which build is what is bound to torch's? Without a label it is PyPI's, unless it comes from
 * where all is of one build, or is the user's own. Empty when that is not known. */
static struct str build_of(const struct artifact *w, struct str pypi, struct arena *a)
{
    struct str label;

    public_of(w->version, &label);
    if (label.len)
        return build_of_label(a, label);
    return str_starts(w->from, STR(TORCH_INDEX_URL)) || str_starts(w->url, STR(".")) ? STR("")
                                                                                     : pypi;
}

/* An extension of one build does not load into the torch of another. */
static void check_same_build(const struct lock *lock, const struct catalog *catalog,
                             const struct recipe *r, struct err *e)
{
    CLEANUP(arena_clear) struct arena a = {0};
    const struct artifact *torch = lock_find(lock, ECO_WHEEL, STR("torch")), *w;
    struct str ours = lock->facts.cuda.len ? lock->facts.cuda : STR(RECIPE_CPU);
    struct catalog_build pypi = {0};

    catalog_build(catalog, lock->facts.pytorch, STR(""), &pypi);
    if (!torch)
        return;
    vec_each(w, &lock->artifacts) {
        struct str theirs = build_of(w, pypi.cuda, &a);
        CLEANUP(buf_clear) struct buf words = {0};

        if (w->eco != ECO_WHEEL || w == torch || !torch_index_binds(w->name) || !theirs.len ||
            str_eq(theirs, ours))
            continue;
        put_build(&words, w, theirs);
        buf_puts(&words, ", and ");
        put_build(&words, torch, ours);
        err_at_kind(e, ERR_UNSAT, &r->pytorch.pos, "%s: both must be of one build", words.p);
    }
}

/* No PyTorch, and nothing whose needs of a host only a build of it tells. */
static void check_none(const struct lock *lock, const struct recipe *r, struct err *e)
{
    const struct artifact *there = lock_find(lock, ECO_WHEEL, STR("torch")), *a;

    vec_each(a, &lock->artifacts)
        if (!there && a->eco == ECO_WHEEL && str_starts(a->name, STR("nvidia-")))
            there = a;
    if (there)
        err_at_kind(e, ERR_UNSAT, &r->pytorch.pos,
                    "pytorch: none is asked for, and " STR_FMT " " STR_FMT
                    " would be in the image, because a requirement in `pip` needs it; name a "
                    "release of PyTorch",
                    STR_ARG(there->name), STR_ARG(there->version));
}

/* A build for the CPU has no CUDA, and nothing may bring one in. */
static void check_cpu(const struct lock *lock, const struct recipe *r, struct err *e)
{
    const struct facts *f = &lock->facts;
    const struct artifact *a;

    vec_each(a, &lock->artifacts)
        if (a->eco == ECO_WHEEL && str_starts(a->name, STR("nvidia-"))) {
            err_at_kind(e, ERR_UNSAT, &r->cuda.pos,
                        "cuda: cpu is asked for, and " STR_FMT " " STR_FMT
                        " would be in the image; a requirement in `pip` asks for CUDA",
                        STR_ARG(a->name), STR_ARG(a->version));
            return;
        }
    if (f->cuda.len)
        err_at_kind(e, ERR_UNSAT, &r->cuda.pos,
                    "cuda: cpu is asked for, but PyTorch " STR_FMT " comes with CUDA " STR_FMT,
                    STR_ARG(f->pytorch), STR_ARG(f->cuda));
}

/* Where torch came from, for messages. */
static struct str place_of_torch(const struct lock *lock)
{
    const struct artifact *torch = lock_find(lock, ECO_WHEEL, STR("torch"));

    return torch ? torch->from : STR("");
}

/* Which builds of a release PyPI lacks, the catalog has to know. */
static void hint_at_index(struct buf *out, const struct catalog *catalog, const struct recipe *r)
{
    CLEANUP(arena_clear) struct arena a = {0};

    if (!catalog_has(catalog, r->pytorch.text))
        buf_fmt(out,
                "; the catalog does not know this release, so name the index of its other builds: "
                "{url: \"" STR_FMT "\", only: [torch, torchvision, torchaudio]}",
                STR_ARG(torch_index_url(&a, r->cuda.text)));
}

static void check_cuda(const struct lock *lock, const struct catalog *catalog,
                       const struct recipe *r, struct err *e)
{
    const struct facts *f = &lock->facts;
    CLEANUP(buf_clear) struct buf hint = {0};

    if (!f->cuda.len)
        err_at_kind(e, ERR_UNSAT, &r->pytorch.pos,
                    "pytorch: the wheel of " STR_FMT " from " STR_FMT
                    " names no CUDA library; where it has none, write `cuda: cpu`",
                    STR_ARG(f->pytorch), STR_ARG(place_of_torch(lock)));
    if (!f->cuda.len || !r->cuda.text.len || holds(r->cuda.text, f->cuda) ||
        holds(r->cuda.text, f->cuda_toolkit))
        return;
    hint_at_index(&hint, catalog, r);
    err_at_kind(e, ERR_UNSAT, &r->cuda.pos,
                "cuda: \"" STR_FMT "\" is asked for, but PyTorch " STR_FMT " from " STR_FMT
                " comes with CUDA " STR_FMT "%s",
                STR_ARG(r->cuda.text), STR_ARG(f->pytorch), STR_ARG(place_of_torch(lock)),
                STR_ARG(f->cuda), hint.p ? hint.p : "");
}

int lock_facts_check(const struct lock *lock, const struct catalog *catalog, const struct recipe *r,
                     struct err *e)
{
    const struct facts *f = &lock->facts;
    struct err fault = {0};

    if (str_is(r->pytorch.text, RECIPE_NONE))
        check_none(lock, r, &fault);
    else if (str_is(r->cuda.text, RECIPE_CPU))
        check_cpu(lock, r, &fault);
    else
        check_cuda(lock, catalog, r, &fault);
    if (r->cudnn.text.len && !holds(r->cudnn.text, f->cudnn))
        err_at_kind(&fault, ERR_UNSAT, &r->cudnn.pos,
                    "cudnn: \"" STR_FMT "\" is asked for, but PyTorch " STR_FMT
                    " comes with cuDNN " STR_FMT,
                    STR_ARG(r->cudnn.text), STR_ARG(f->pytorch), STR_ARG(f->cudnn));
    if (!err_is_set(&fault)) /* what follows from a wrong torch is not worth telling */
        check_same_build(lock, catalog, r, &fault);
    check_twins(lock, &fault);
    return err_is_set(&fault) ? err_join(e, &fault) : 0;
}
