/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict.h"

static const char *const names[] = {
    [VERDICT_RUNS] = "runs", [VERDICT_LIMITS] = "runs-with-limits", [VERDICT_NO] = "does-not-run"};

/* Where the rules come from; the pages of NVIDIA's documentation. */
#define RULE_MINOR "CUDA Compatibility: minor version compatibility"
#define RULE_FORWARD "CUDA Compatibility: forward compatibility"
#define RULE_BINARY "CUDA Programming Guide: binary and PTX compatibility"
#define RULE_HARDWARE "NVIDIA driver: supported hardware"

const char *verdict_name(enum verdict v)
{
    return names[v];
}

static void add(struct judgement *j, const char *code, const char *rule, enum verdict v,
                const char *fmt, ...) PRINTF(5, 6);
static void add(struct judgement *j, const char *code, const char *rule, enum verdict v,
                const char *fmt, ...)
{
    CLEANUP(buf_clear) struct buf text = {0};
    va_list args;

    va_start(args, fmt);
    buf_vfmt(&text, fmt, args);
    va_end(args);
    vec_add(&j->reasons, ((struct reason){code, rule, v, arena_str(&j->arena, buf_view(&text))}));
    if (v > j->verdict)
        j->verdict = v;
}

static bool has_reason(const struct judgement *j, const char *code)
{
    const struct reason *r;

    vec_each(r, &j->reasons)
        if (strcmp(r->code, code) == 0)
            return true;
    return false;
}

/* "GeForce RTX 4090 (8.9)", or "a GPU of compute capability 8.9". */
static const char *gpu_words(struct judgement *j, const struct catalog_gpu *g)
{
    return g->name.len
               ? arena_fmt(&j->arena, STR_FMT " (compute capability " STR_FMT ")", STR_ARG(g->name),
                           STR_ARG(g->cc))
               : arena_fmt(&j->arena, "a GPU of compute capability " STR_FMT, STR_ARG(g->cc));
}

/* ---- the driver ---- */

/* Does the driver know the CUDA of the image, so that it can compile its PTX? */
static bool knows_cuda(const struct facts *f, const struct host *h, const struct catalog *c)
{
    struct str knows = catalog_cuda_of_driver(c, h->driver);

    return knows.len && catalog_driver_compare(knows, f->cuda) >= 0;
}

static bool works(enum catalog_forward way)
{
    return way == FORWARD_YES || way == FORWARD_SELECTED;
}

/* What forward compatibility gives on all of the GPUs. */
static enum catalog_forward forward(const struct facts *f, const struct host *h,
                                    const struct catalog *c)
{
    enum catalog_forward worst = FORWARD_UNKNOWN;

    for (size_t i = 0; i < h->gpus.n; i++) {
        enum catalog_forward way = catalog_forward(c, f->cuda, h->driver, h->gpus.v[i].class);

        if (i == 0 || way < worst)
            worst = way;
    }
    return worst;
}

static void judge_old_driver(struct judgement *j, const struct facts *f, const struct host *h,
                             const struct catalog *c)
{
    enum catalog_forward way = forward(f, h, c);

    if (works(way))
        add(j, "needs-forward-compatibility", RULE_FORWARD, VERDICT_LIMITS,
            "driver " STR_FMT " is older than " STR_FMT ", the oldest for CUDA " STR_FMT
            "; on this class of GPU it works with NVIDIA's forward-compatibility package "
            "(cuda-compat)%s",
            STR_ARG(h->driver), STR_ARG(f->driver_min), STR_ARG(f->cuda),
            way == FORWARD_SELECTED ? ", on selected products" : "");
    else
        add(j, "driver-too-old", RULE_MINOR, VERDICT_NO,
            "driver " STR_FMT " is installed, and CUDA " STR_FMT " needs " STR_FMT " or newer",
            STR_ARG(h->driver), STR_ARG(f->cuda), STR_ARG(f->driver_min));
}

static void judge_driver(struct judgement *j, const struct facts *f, const struct host *h,
                         const struct catalog *c)
{
    struct str knows;

    if (!h->driver.len) {
        add(j, "no-driver", RULE_MINOR, VERDICT_NO,
            "no NVIDIA driver is installed, and CUDA " STR_FMT " needs " STR_FMT
            " or newer; on the CPU alone the image runs",
            STR_ARG(f->cuda), STR_ARG(f->driver_min));
        return;
    }
    if (f->driver_min.len && catalog_driver_compare(h->driver, f->driver_min) < 0) {
        judge_old_driver(j, f, h, c);
        return;
    }
    knows = catalog_cuda_of_driver(c, h->driver);
    if (knows.len && !knows_cuda(f, h, c))
        add(j, "ptx-newer-than-driver", RULE_MINOR, VERDICT_LIMITS,
            "driver " STR_FMT " knows CUDA " STR_FMT " and cannot compile PTX of " STR_FMT
            "; what is compiled for its GPU already runs",
            STR_ARG(h->driver), STR_ARG(knows), STR_ARG(f->cuda));
}

/* ---- a GPU ---- */

static bool branch_before(struct str driver, struct str branch)
{
    struct str first = str_sub(driver, 0, str_find(driver, '.'));

    return branch.len && catalog_driver_compare(first, branch) < 0;
}

static bool branch_behind(struct str driver, struct str branch)
{
    struct str first = str_sub(driver, 0, str_find(driver, '.'));

    return branch.len && catalog_driver_compare(first, branch) > 0;
}

/* False when the driver does not drive the GPU at all. */
static bool judge_hardware(struct judgement *j, const struct catalog_gpu *g, const struct host *h,
                           const struct catalog *c)
{
    struct catalog_arch arch = {0};

    if (!h->has_driver || !h->driver.len || !catalog_arch(c, g->cc, &arch))
        return true;
    if (branch_before(h->driver, arch.branch_first)) {
        add(j, "driver-older-than-gpu", RULE_HARDWARE, VERDICT_NO,
            "%s is driven from branch " STR_FMT " on%s, and driver " STR_FMT " is installed",
            gpu_words(j, g), STR_ARG(arch.branch_first),
            arch.branches_unconfirmed ? " (not confirmed)" : "", STR_ARG(h->driver));
        return false;
    }
    if (branch_behind(h->driver, arch.branch_last)) {
        add(j, "driver-dropped-gpu", RULE_HARDWARE, VERDICT_NO,
            "branch " STR_FMT " is the last that drives %s%s, and driver " STR_FMT " is installed",
            STR_ARG(arch.branch_last), gpu_words(j, g),
            arch.branches_unconfirmed ? " (not confirmed)" : "", STR_ARG(h->driver));
        return false;
    }
    return true;
}

/* The image has PTX alone, which the driver must compile; its toolkit may be newer than that. */
static void judge_ptx(struct judgement *j, const struct facts *f, const struct catalog_gpu *g,
                      struct str by, const struct host *h, const struct catalog *c)
{
    if (h->has_driver && h->driver.len && !knows_cuda(f, h, c)) {
        if (!works(catalog_forward(c, f->cuda, h->driver, g->class))) {
            add(j, "ptx-cannot-be-compiled", RULE_BINARY, VERDICT_NO,
                "for %s the image has PTX alone, and driver " STR_FMT
                " is too old to compile that of CUDA " STR_FMT,
                gpu_words(j, g), STR_ARG(h->driver), STR_ARG(f->cuda));
            return;
        }
        if (!has_reason(j, "needs-forward-compatibility"))
            add(j, "needs-forward-compatibility", RULE_FORWARD, VERDICT_LIMITS,
                "for %s the image has PTX alone, which driver " STR_FMT
                " compiles only with NVIDIA's forward-compatibility package (cuda-compat) of "
                "CUDA " STR_FMT,
                gpu_words(j, g), STR_ARG(h->driver), STR_ARG(f->cuda));
    }
    add(j, "ptx-only", RULE_BINARY, VERDICT_LIMITS,
        "for %s the image has no machine code; its PTX (" STR_FMT
        ") is compiled when it is first used, which takes minutes",
        gpu_words(j, g), STR_ARG(by));
}

static void judge_code(struct judgement *j, const struct facts *f, const struct catalog_gpu *g,
                       const struct host *h, const struct catalog *c)
{
    struct str by = {0};

    switch (catalog_code(f->archs, g, &by)) {
    case CODE_MACHINE:
        return;
    case CODE_PTX:
        judge_ptx(j, f, g, by, h, c);
        return;
    case CODE_NONE:
        add(j, "no-code-for-gpu", RULE_BINARY, VERDICT_NO,
            "PyTorch " STR_FMT " for CUDA " STR_FMT " has code for " STR_FMT
            ", and none that runs on %s",
            STR_ARG(f->pytorch), STR_ARG(f->cuda), STR_ARG(f->archs), gpu_words(j, g));
    }
}

/* The architectures of the build are not known: but a toolkit may be too new or too old for a GPU.
 */
static void judge_toolkit(struct judgement *j, const struct facts *f, const struct catalog_gpu *g,
                          const struct catalog *c)
{
    struct catalog_arch arch = {0};

    if (!catalog_arch(c, g->cc, &arch))
        return;
    if (arch.toolkit_last.len && catalog_driver_compare(f->cuda, arch.toolkit_last) > 0)
        add(j, "no-code-for-gpu", RULE_BINARY, VERDICT_NO,
            "CUDA " STR_FMT " is the last that makes code for %s, and PyTorch " STR_FMT
            " is built with " STR_FMT,
            STR_ARG(arch.toolkit_last), gpu_words(j, g), STR_ARG(f->pytorch), STR_ARG(f->cuda));
}

static int gravest_first(const void *a, const void *b)
{
    const struct reason *x = a, *y = b;
    int order = (int)y->verdict - (int)x->verdict;

    return order ? order : str_cmp(x->sentence, y->sentence);
}

bool host_gpu(struct catalog_gpu *out, const struct catalog *c, struct str name, struct str cc)
{
    struct catalog_gpu by_name = {0}, gpu = {0};
    bool named = name.len && catalog_gpu(c, name, &by_name);
    struct str minor = cc, major;

    if (!cc.len) {
        if (named)
            *out = by_name;
        return named;
    }
    if (named && str_eq(by_name.cc, cc)) {
        *out = by_name;
        out->unconfirmed = false; /* the machine itself says so */
        return true;
    }
    if (!catalog_gpu(c, cc, &gpu)) { /* newer than the catalog */
        gpu.cc = cc;
        if (!str_cut(&minor, STR("."), &major) || !str_u32(major, &gpu.major) ||
            !str_u32(minor, &gpu.minor))
            return false;
    }
    gpu.name = name;
    *out = gpu;
    return true;
}

/* Eight equal GPUs are judged once. */
static bool judged_before(const struct host *h, size_t i)
{
    const struct catalog_gpu *g = &h->gpus.v[i];

    for (size_t k = 0; k < i; k++)
        if (str_eq(h->gpus.v[k].cc, g->cc) && str_eq(h->gpus.v[k].name, g->name))
            return true;
    return false;
}

void judge(struct judgement *out, const struct facts *f, const struct host *h,
           const struct catalog *c)
{
    if (!f->cuda.len)
        return; /* a CPU build asks nothing */
    if (h->has_driver)
        judge_driver(out, f, h, c);
    for (size_t i = 0; i < h->gpus.n; i++)
        if (!judged_before(h, i) && judge_hardware(out, &h->gpus.v[i], h, c)) {
            if (f->archs.len)
                judge_code(out, f, &h->gpus.v[i], h, c);
            else
                judge_toolkit(out, f, &h->gpus.v[i], c);
        }
    vec_sort(&out->reasons, gravest_first);
}

void judgement_clear(struct judgement *j)
{
    vec_clear(&j->reasons);
    arena_clear(&j->arena);
    *j = (struct judgement){0};
}

/* ---- what would run ---- */

void facts_of_build(struct facts *out, const struct catalog *c, struct str pytorch,
                    const struct catalog_build *b)
{
    *out = (struct facts){.pytorch = pytorch,
                          .cuda = b->cuda,
                          .cuda_toolkit = b->toolkit,
                          .cudnn = b->cudnn,
                          .nccl = b->nccl,
                          .driver_min = catalog_family_driver(c, b->cuda),
                          .driver_full = catalog_driver(c, b->toolkit),
                          .archs = b->archs};
}

bool newest_that_runs(struct facts *out, const struct host *h, const struct catalog *c)
{
    enum verdict best = VERDICT_NO;
    struct strs releases = {0};

    catalog_releases(c, &releases);
    for (size_t i = releases.n; i-- > 0 && best != VERDICT_RUNS;) {
        CLEANUP(judgement_clear) struct judgement j = {0};
        struct catalog_build b;
        struct facts f;

        if (!catalog_build(c, releases.v[i], STR(""), &b) ||
            (h->gpus.n && (!b.archs.len || b.archs_unconfirmed)))
            continue; /* nothing is advised that is not known to run */
        facts_of_build(&f, c, releases.v[i], &b);
        judge(&j, &f, h, c);
        if (j.verdict < best) {
            best = j.verdict;
            *out = f;
        }
    }
    vec_clear(&releases);
    return best != VERDICT_NO;
}
