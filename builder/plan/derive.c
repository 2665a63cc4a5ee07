/* SPDX-License-Identifier: Apache-2.0 */
#include "derive.h"

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
            (!newest.len || catalog_driver_compare(driver, newest) > 0))
            newest = driver;
    }
    return newest;
}

/* "13.0.3.0" up to its n-th number. */
static struct str first_numbers(struct str version, unsigned n)
{
    size_t len = 0;

    while (n-- && len < version.len)
        len += str_find(str_sub(version, len, version.len), '.') + (n ? 1 : 0);
    return str_sub(version, 0, len);
}

static struct str first_two(struct str version)
{
    return first_numbers(version, 2);
}

/* What NVIDIA's own images say of that toolkit; else the family's first CUDA, which is what any
 * driver of the family supports. */
static struct str requirement(struct lock *lock, const struct catalog *catalog)
{
    const struct facts *f = &lock->facts;
    struct str known = catalog_require(catalog, f->cuda_toolkit);

    if (known.len || !f->cuda.len)
        return known;
    return str_of(arena_fmt(&lock->doc.arena, "cuda>=" STR_FMT ".0",
                            STR_ARG(str_sub(f->cuda, 0, str_find(f->cuda, '.')))));
}

void derive_facts(struct lock *lock, const struct catalog *catalog, const struct events *events)
{
    struct facts *f = &lock->facts;
    struct arena *a = &lock->doc.arena;
    struct catalog_build build = {0};
    struct str local;
    bool known;

    f->pytorch = public_of(wheel_version(lock, "torch"), &local);
    f->python = lock->python;
    f->cuda = first_two(wheel_version(lock, "nvidia-cuda-runtime"));
    /* The wheel may have a fourth number of its own: 13.0.3.0 is the toolkit 13.0.3. */
    f->cuda_toolkit = first_numbers(wheel_version(lock, "cuda-toolkit"), 3);
    f->cudnn = wheel_version(lock, "nvidia-cudnn");
    f->nccl = wheel_version(lock, "nvidia-nccl");
    if (!f->cuda.len)
        f->cuda = first_two(f->cuda_toolkit);
    if (!f->cuda.len && str_starts(local, STR("cu"))) /* the libraries are in the wheel itself */
        f->cuda = first_two(recipe_cuda(local, a));
    known = catalog_build(catalog, f->pytorch, f->cuda, &build);
    if (!known && f->cuda.len)
        events_warn(events,
                    "PyTorch " STR_FMT " for CUDA " STR_FMT " is not in the catalog: what it needs "
                    "of a GPU is taken from its wheels alone",
                    STR_ARG(f->pytorch), STR_ARG(f->cuda));
    if (!f->cuda_toolkit.len)
        f->cuda_toolkit = arena_str(a, build.toolkit);
    if (!f->cudnn.len && str_starts(local, STR("cu"))) {
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
    f->require = arena_str(a, requirement(lock, catalog));
}

/* "12.4" holds for "12.4.1", "9" for "9.1.0.70". */
static bool holds(struct str asked, struct str found)
{
    return str_eq(asked, found) || (str_skip(&found, asked) && str_starts(found, STR(".")));
}

/* "nvidia-cublas-cu12" without its CUDA major. */
static struct str library(struct str name)
{
    struct str tail, head = name;

    return str_cut_last(&head, STR("-cu"), &tail) && tail.len == 2 && c_digit(tail.p[0]) ? head
                                                                                         : name;
}

static void check_twins(const struct lock *lock, struct err *e)
{
    for (size_t i = 0; i < lock->artifacts.n; i++)
        for (size_t j = i + 1; j < lock->artifacts.n; j++) {
            const struct artifact *a = &lock->artifacts.v[i], *b = &lock->artifacts.v[j];

            if (a->eco == ECO_WHEEL && b->eco == ECO_WHEEL && str_starts(a->name, STR("nvidia-")) &&
                str_eq(library(a->name), library(b->name)))
                err_set(e, ERR_UNSAT,
                        "two copies of one library would be in the image: " STR_FMT " " STR_FMT
                        " and " STR_FMT " " STR_FMT
                        "; a requirement in `pip` asks for another CUDA than torch",
                        STR_ARG(a->name), STR_ARG(a->version), STR_ARG(b->name),
                        STR_ARG(b->version));
        }
}

/* A build for the CPU has no CUDA, and nothing may bring one in. */
static void check_cpu(const struct lock *lock, const struct recipe *r, struct err *e)
{
    for (size_t i = 0; i < lock->artifacts.n; i++) {
        const struct artifact *a = &lock->artifacts.v[i];

        if (a->eco == ECO_WHEEL && str_starts(a->name, STR("nvidia-"))) {
            err_at_kind(e, ERR_UNSAT, &r->cuda.pos,
                        "cuda: cpu is asked for, but a requirement in `pip` brings " STR_FMT
                        " " STR_FMT,
                        STR_ARG(a->name), STR_ARG(a->version));
            return;
        }
    }
}

int derive_check(const struct lock *lock, const struct recipe *r, struct err *e)
{
    const struct facts *f = &lock->facts;
    struct err fault = {0};

    if (str_is(r->cuda.text, "cpu"))
        check_cpu(lock, r, &fault);
    else if (!f->cuda.len)
        err_at_kind(&fault, ERR_UNSAT, &r->pytorch.pos,
                    "pytorch: the wheel of " STR_FMT " on PyPI names no CUDA library",
                    STR_ARG(f->pytorch));
    else if (r->cuda.text.len && !holds(r->cuda.text, f->cuda) &&
             !holds(r->cuda.text, f->cuda_toolkit))
        err_at_kind(&fault, ERR_UNSAT, &r->cuda.pos,
                    "cuda: \"" STR_FMT "\" is asked for, but PyTorch " STR_FMT
                    " on PyPI comes with CUDA " STR_FMT,
                    STR_ARG(r->cuda.text), STR_ARG(f->pytorch), STR_ARG(f->cuda));
    if (r->cudnn.text.len && !holds(r->cudnn.text, f->cudnn))
        err_at_kind(&fault, ERR_UNSAT, &r->cudnn.pos,
                    "cudnn: \"" STR_FMT "\" is asked for, but PyTorch " STR_FMT
                    " comes with cuDNN " STR_FMT,
                    STR_ARG(r->cudnn.text), STR_ARG(f->pytorch), STR_ARG(f->cudnn));
    check_twins(lock, &fault);
    return err_is_set(&fault) ? err_join(e, &fault) : 0;
}
