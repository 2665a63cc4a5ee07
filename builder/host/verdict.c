/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict.h"

#include "../base/dotted.h"
#include "../model/require.h"

static const char *const names[] = {
    [VERDICT_RUNS] = "runs", [VERDICT_LIMITS] = "runs-with-limits", [VERDICT_NO] = "does-not-run"};

/* Where the rules come from; the pages of NVIDIA's documentation. */
#define RULE_MINOR "CUDA Compatibility: minor version compatibility"
#define RULE_FORWARD "CUDA Compatibility: forward compatibility"
#define RULE_BINARY "CUDA Programming Guide: binary and PTX compatibility"
#define RULE_HARDWARE "NVIDIA driver: supported hardware"
#define RULE_CUDNN "cuDNN: support matrix"
#define RULE_REQUIRE "NVIDIA Container Toolkit: NVIDIA_REQUIRE_*"
#define RULE_PLATFORM "OCI image-spec: platform"
#define RULE_CATALOG "envbuild: what the catalog does not know is not said to run"

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
    vec_add(&j->reasons, ((struct reason){.code = code,
                                          .rule = rule,
                                          .verdict = v,
                                          .sentence = arena_str(&j->arena, buf_view(&text))}));
    if (v > j->verdict)
        j->verdict = v;
}

bool judgement_whole(const struct judgement *j)
{
    const struct reason *r;

    vec_each(r, &j->reasons)
        if (r->verdict != VERDICT_RUNS && !r->beside)
            return false;
    return true;
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

/* ---- the processor ---- */

static const struct catalog_gpu *arm64_gpu(const struct host *h)
{
    for (size_t i = 0; i < h->gpus.n; i++)
        if (h->gpus.v[i].arm64)
            return &h->gpus.v[i];
    return NULL;
}

struct str host_arch(const struct host *h)
{
    return arm64_gpu(h) ? STR("arm64") : h->arch;
}

bool host_unseen(const struct host *h)
{
    return h->hidden || h->unknown.n;
}

/* False on a machine of another processor: then nothing else counts. */
static bool judge_arch(struct judgement *j, const struct facts *f, const struct host *h)
{
    const struct catalog_gpu *g = arm64_gpu(h);
    struct str arch = host_arch(h);

    if (!f->arch.len || !arch.len || str_eq(f->arch, arch))
        return true;
    add(j, "other-architecture", RULE_PLATFORM, VERDICT_NO,
        "the image is for " STR_FMT ", and %s" STR_FMT, STR_ARG(f->arch),
        g ? arena_fmt(&j->arena, "%s is part of a machine that is ", gpu_words(j, g))
          : "the machine is ",
        STR_ARG(arch));
    return false;
}

/* ---- the driver ---- */

/* Does the driver know the CUDA of the image, so that it can compile its PTX? */
static bool knows_cuda(const struct facts *f, const struct host *h, const struct catalog *c)
{
    struct str knows = catalog_cuda_of_driver(c, h->driver);

    return knows.len && dotted_compare(knows, f->cuda) >= 0;
}

static bool works(enum catalog_forward way)
{
    return way == FORWARD_YES || way == FORWARD_SELECTED;
}

static const char *selected(enum catalog_forward way)
{
    return way == FORWARD_SELECTED ? ", on selected products" : "";
}

/* What forward compatibility to CUDA `cuda` gives on all of the GPUs. */
static enum catalog_forward forward(struct str cuda, const struct host *h, const struct catalog *c)
{
    enum catalog_forward worst = FORWARD_UNKNOWN;

    for (size_t i = 0; i < h->gpus.n; i++) {
        enum catalog_forward way = catalog_forward(c, cuda, h->driver, h->gpus.v[i].class);

        if (i == 0 || way < worst)
            worst = way;
    }
    return worst;
}

/* Is the image's own user-space driver as new as `needed`? */
static bool brings(const struct facts *f, struct str needed)
{
    return f->compat.len && dotted_compare(f->compat, needed) >= 0;
}

/* Does it know the CUDA of the image, so that it can compile its PTX? */
static bool brings_cuda(const struct facts *f, const struct catalog *c)
{
    struct str knows = f->compat.len ? catalog_cuda_of_driver(c, f->compat) : f->compat;

    return knows.len && dotted_compare(knows, f->cuda) >= 0;
}

/* What the image lacks: "cuda-compat-12-4 in the image would do, ..., and the image has none". */
static const char *lacks(struct judgement *j, const struct facts *f, enum catalog_forward way)
{
    struct str minor = f->cuda, major = {0};

    str_cut(&minor, STR("."), &major);
    return arena_fmt(
        &j->arena,
        "on this class of GPU NVIDIA's forward-compatibility package (cuda-compat-" STR_FMT
        "-" STR_FMT ") in the image would do%s, and the image has %s" STR_FMT "%s",
        STR_ARG(major), STR_ARG(minor), selected(way), f->compat.len ? "that of driver " : "none",
        STR_ARG(f->compat), f->compat.len ? ", which is too old" : "");
}

static const char *brought(struct judgement *j, const struct facts *f, enum catalog_forward way)
{
    return arena_fmt(&j->arena,
                     "the image's forward-compatibility package (cuda-compat, of driver " STR_FMT
                     ") takes its place, as this class of GPU allows%s",
                     STR_ARG(f->compat), selected(way));
}

static void judge_old_driver(struct judgement *j, const struct facts *f, const struct host *h,
                             const struct catalog *c)
{
    bool there = brings(f, f->driver_min);
    enum catalog_forward way =
        forward(there ? catalog_cuda_of_driver(c, f->compat) : f->cuda, h, c);

    if (works(way) && there)
        add(j, "needs-forward-compatibility", RULE_FORWARD, VERDICT_LIMITS,
            "driver " STR_FMT " is older than " STR_FMT ", the oldest for CUDA " STR_FMT "; %s",
            STR_ARG(h->driver), STR_ARG(f->driver_min), STR_ARG(f->cuda), brought(j, f, way));
    else if (works(way))
        add(j, "lacks-forward-compatibility", RULE_FORWARD, VERDICT_NO,
            "driver " STR_FMT " is installed, and CUDA " STR_FMT " needs " STR_FMT " or newer; %s",
            STR_ARG(h->driver), STR_ARG(f->cuda), STR_ARG(f->driver_min), lacks(j, f, way));
    else
        add(j, "driver-too-old", RULE_MINOR, VERDICT_NO,
            "driver " STR_FMT " is installed, and CUDA " STR_FMT " needs " STR_FMT " or newer%s",
            STR_ARG(h->driver), STR_ARG(f->cuda), STR_ARG(f->driver_min),
            way == FORWARD_NO
                ? "; a forward-compatibility package does not work on this class of GPU"
            : there
                ? "; that the image's forward-compatibility package works there is not confirmed"
                : "");
}

/* Has all of the image that PyTorch itself runs machine code for all the GPUs, as read from it? */
static bool has_machine_code(const struct facts *f, const struct host *h, const struct catalog *c)
{
    struct str by;

    for (size_t i = 0; i < h->gpus.n; i++)
        if (catalog_code(f->archs, &h->gpus.v[i], &by) != CODE_MACHINE ||
            !catalog_libraries_have_code(c, f->cuda, &h->gpus.v[i]))
            return false;
    return h->gpus.n && !h->unknown.n;
}

/* Triton and NVRTC, with which PyTorch compiles, make machine code with the image's own ptxas; a
 * GPU that torch has code for is one that they know. */
static void judge_ptx_of_others(struct judgement *j, const struct facts *f, const struct host *h,
                                struct str knows)
{
    add(j, "ptx-newer-than-driver", RULE_MINOR, VERDICT_LIMITS,
        "driver " STR_FMT " knows CUDA " STR_FMT " and cannot compile PTX of " STR_FMT
        "; PyTorch and its CUDA libraries have machine code for %s, and Triton and NVRTC make it "
        "without the driver, so only a program that hands PTX of its own to the driver meets this",
        STR_ARG(h->driver), STR_ARG(knows), STR_ARG(f->cuda),
        h->gpus.n == 1 ? gpu_words(j, &h->gpus.v[0]) : "these GPUs");
    j->reasons.v[j->reasons.n - 1].beside = true;
}

/* The driver runs the CUDA, and is older than it: PTX alone is concerned. */
static void judge_older_driver(struct judgement *j, const struct facts *f, const struct host *h,
                               struct str knows, const struct catalog *c)
{
    enum catalog_forward way = FORWARD_UNKNOWN;

    if (brings_cuda(f, c))
        way = forward(catalog_cuda_of_driver(c, f->compat), h, c);
    if (works(way))
        add(j, "needs-forward-compatibility", RULE_FORWARD, VERDICT_LIMITS,
            "driver " STR_FMT " knows CUDA " STR_FMT " and cannot compile PTX of " STR_FMT "; %s",
            STR_ARG(h->driver), STR_ARG(knows), STR_ARG(f->cuda), brought(j, f, way));
    else if (has_machine_code(f, h, c))
        judge_ptx_of_others(j, f, h, knows);
    else
        add(j, "ptx-newer-than-driver", RULE_MINOR, VERDICT_LIMITS,
            "driver " STR_FMT " knows CUDA " STR_FMT " and cannot compile PTX of " STR_FMT
            "; what is compiled for its GPU already runs",
            STR_ARG(h->driver), STR_ARG(knows), STR_ARG(f->cuda));
}

static void judge_driver(struct judgement *j, const struct facts *f, const struct host *h,
                         const struct catalog *c)
{
    struct str knows;

    if (h->hidden) {
        add(j, "driver-not-readable", RULE_CATALOG, VERDICT_LIMITS,
            "this is WSL, whose driver is that of Windows; its version cannot be read from here, "
            "and whether it runs CUDA " STR_FMT
            " is not judged; name driver and GPU with --driver and --gpu",
            STR_ARG(f->cuda));
        return;
    }
    if (!h->driver.len) {
        add(j, "no-driver", RULE_MINOR, VERDICT_NO,
            "no NVIDIA driver is installed, and CUDA " STR_FMT " needs %s" STR_FMT
            "; on the CPU alone the image runs",
            STR_ARG(f->cuda), f->driver_min.len ? "at least " : "one", STR_ARG(f->driver_min));
        return;
    }
    if (!f->driver_min.len) {
        add(j, "cuda-not-known", RULE_CATALOG, VERDICT_LIMITS,
            "which driver CUDA " STR_FMT " needs is not in the catalog, and whether " STR_FMT
            " is new enough is not judged",
            STR_ARG(f->cuda), STR_ARG(h->driver));
        return;
    }
    if (dotted_compare(h->driver, f->driver_min) < 0) {
        judge_old_driver(j, f, h, c);
        return;
    }
    knows = catalog_cuda_of_driver(c, h->driver);
    if (knows.len && !knows_cuda(f, h, c))
        judge_older_driver(j, f, h, knows, c);
}

/* ---- what the image asks NVIDIA's container tools for ---- */

/* Of all that is asked, on all GPUs. */
static enum require_answer require_on(const struct facts *f, const struct host *h,
                                      struct str driver, const struct catalog *c, struct str *first)
{
    enum require_answer answer = REQUIRE_MET;

    if (!h->gpus.n)
        return require_judge(f->require, driver, NULL, c, first);
    for (size_t i = 0; i < h->gpus.n && answer == REQUIRE_MET; i++)
        answer = require_judge(f->require, driver, &h->gpus.v[i], c, first);
    return answer;
}

/* The oldest driver of the catalog, newer than the host's, with which it is met. */
static struct str driver_that_meets(const struct facts *f, const struct host *h,
                                    const struct catalog *c)
{
    struct strs drivers = {0};
    struct str found = {0}, first;

    catalog_drivers(c, &drivers);
    for (size_t i = 0; i < drivers.n && !found.len; i++)
        if (dotted_compare(drivers.v[i], h->driver) > 0 &&
            require_on(f, h, drivers.v[i], c, &first) == REQUIRE_MET)
            found = drivers.v[i];
    vec_clear(&drivers);
    return found;
}

static void judge_require(struct judgement *j, const struct facts *f, const struct host *h,
                          const struct catalog *c)
{
    struct str first = {0}, driver;
    enum require_answer answer = require_on(f, h, h->driver, c, &first);

    if (answer == REQUIRE_WRONG)
        add(j, "require-not-read", RULE_REQUIRE, VERDICT_NO,
            "the image asks for \"" STR_FMT "\" in NVIDIA_REQUIRE_*, which NVIDIA's container "
            "tools cannot read, so they do not start it; NVIDIA_DISABLE_REQUIRE=1 in its "
            "environment lets them",
            STR_ARG(first));
    if (answer != REQUIRE_UNMET)
        return;
    driver = driver_that_meets(f, h, c);
    add(j, "require-not-met", RULE_REQUIRE, VERDICT_NO,
        "the image asks for \"" STR_FMT "\" in NVIDIA_REQUIRE_*, and neither that nor another of "
        "its alternatives holds with driver " STR_FMT
        ", so NVIDIA's container tools do not start it; NVIDIA_DISABLE_REQUIRE=1 in its "
        "environment lets them%s" STR_FMT,
        STR_ARG(first), STR_ARG(h->driver), driver.len ? ", and so does driver " : "",
        STR_ARG(driver));
}

/* ---- a GPU ---- */

static bool branch_before(struct str driver, struct str branch)
{
    return branch.len && dotted_compare(dotted_first(driver, 1), branch) < 0;
}

static bool branch_behind(struct str driver, struct str branch)
{
    return branch.len && dotted_compare(dotted_first(driver, 1), branch) > 0;
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
    bool needed = h->has_driver && h->driver.len && !knows_cuda(f, h, c), there = brings_cuda(f, c);
    enum catalog_forward way = catalog_forward(
        c, there ? catalog_cuda_of_driver(c, f->compat) : f->cuda, h->driver, g->class);

    if (needed && !works(way)) {
        add(j, "ptx-cannot-be-compiled", RULE_BINARY, VERDICT_NO,
            "for %s the image has PTX alone, and driver " STR_FMT
            " is too old to compile that of CUDA " STR_FMT,
            gpu_words(j, g), STR_ARG(h->driver), STR_ARG(f->cuda));
        return;
    }
    if (needed && !there && !has_reason(j, "lacks-forward-compatibility"))
        add(j, "lacks-forward-compatibility", RULE_FORWARD, VERDICT_NO,
            "for %s the image has PTX alone, and driver " STR_FMT
            " is too old to compile that of CUDA " STR_FMT "; %s",
            gpu_words(j, g), STR_ARG(h->driver), STR_ARG(f->cuda), lacks(j, f, way));
    add(j, "ptx-only", RULE_BINARY, VERDICT_LIMITS,
        "for %s the image has no machine code; its PTX (" STR_FMT
        ") is compiled when it is first used, which takes minutes",
        gpu_words(j, g), STR_ARG(by));
}

/* Do the architectures rest on one secondary source? */
static bool archs_unconfirmed(const struct facts *f, const struct catalog *c)
{
    struct catalog_build b;

    return !f->archs_read && catalog_build(c, f->pytorch, f->cuda, &b) && b.archs_unconfirmed &&
           str_eq(b.archs, f->archs);
}

/* False when there is no code for the GPU. */
static bool judge_code(struct judgement *j, const struct facts *f, const struct catalog_gpu *g,
                       const struct host *h, const struct catalog *c)
{
    enum catalog_code code;
    struct str by = {0};

    code = catalog_code(f->archs, g, &by);
    if (code == CODE_NONE)
        add(j, "no-code-for-gpu", RULE_BINARY, VERDICT_NO,
            "PyTorch " STR_FMT " for CUDA " STR_FMT " has code for " STR_FMT
            "%s, and none that runs on %s",
            STR_ARG(f->pytorch), STR_ARG(f->cuda), STR_ARG(f->archs),
            archs_unconfirmed(f, c) ? " (not confirmed)" : "", gpu_words(j, g));
    else if (code == CODE_PTX)
        judge_ptx(j, f, g, by, h, c);
    if (code != CODE_NONE && archs_unconfirmed(f, c) && !has_reason(j, "archs-not-confirmed"))
        add(j, "archs-not-confirmed", RULE_CATALOG, VERDICT_RUNS,
            "that PyTorch " STR_FMT " for CUDA " STR_FMT " has code for " STR_FMT
            " is not confirmed",
            STR_ARG(f->pytorch), STR_ARG(f->cuda), STR_ARG(f->archs));
    return code != CODE_NONE;
}

/* Libraries have code for fewer GPUs than PyTorch itself. */
static void judge_libraries(struct judgement *j, const struct facts *f, const struct catalog_gpu *g,
                            const struct catalog *c)
{
    struct str from, cc;

    if (catalog_library_lacks(c, "cudnn", f->cudnn, g, &from, &cc))
        add(j, "library-without-gpu", RULE_CUDNN, VERDICT_LIMITS,
            "cuDNN " STR_FMT " is in the image, and from " STR_FMT
            " on it has no code for GPUs before compute capability " STR_FMT
            "; convolutions and all else that it does fail on %s",
            STR_ARG(f->cudnn), STR_ARG(from), STR_ARG(cc), gpu_words(j, g));
}

/* The architectures of the build are not known: but a toolkit may be too new or too old for a GPU.
 */
static bool judge_toolkit(struct judgement *j, const struct facts *f, const struct catalog_gpu *g,
                          const struct catalog *c)
{
    struct catalog_arch arch = {0};

    if (!catalog_arch(c, g->cc, &arch))
        return true;
    if (!arch.toolkit_last.len || dotted_compare(f->cuda, arch.toolkit_last) <= 0) {
        if (!has_reason(j, "archs-not-known"))
            add(j, "archs-not-known", RULE_CATALOG, VERDICT_RUNS,
                "for which GPUs PyTorch " STR_FMT " for CUDA " STR_FMT " has code is not known",
                STR_ARG(f->pytorch), STR_ARG(f->cuda));
        return true;
    }
    add(j, "no-code-for-gpu", RULE_BINARY, VERDICT_NO,
        "CUDA " STR_FMT " is the last that makes code for %s, and PyTorch " STR_FMT
        " is built with " STR_FMT,
        STR_ARG(arch.toolkit_last), gpu_words(j, g), STR_ARG(f->pytorch), STR_ARG(f->cuda));
    return false;
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
    uint32_t numbers[2];

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
        if (dotted_numbers(numbers, 2, cc) != 2)
            return false;
        gpu.major = numbers[0];
        gpu.minor = numbers[1];
    }
    gpu.name = name;
    *out = gpu;
    return true;
}

/* What keeps the GPUs themselves from being judged. */
static void judge_unseen(struct judgement *j, const struct facts *f, const struct host *h)
{
    for (size_t i = 0; i < h->unknown.n; i++)
        add(j, "gpu-not-known", RULE_CATALOG, VERDICT_LIMITS,
            "\"" STR_FMT "\" is not in the catalog, and whether it runs this code is not judged; "
            "name its compute capability with --gpu",
            STR_ARG(h->unknown.v[i]));
    if (h->asked && h->driver.len && !h->gpus.n && !h->unknown.n)
        add(j, "no-gpu", RULE_HARDWARE, VERDICT_NO,
            "driver " STR_FMT " shows no GPU, and CUDA " STR_FMT
            " needs one; on the CPU alone the image runs",
            STR_ARG(h->driver), STR_ARG(f->cuda));
}

/* What rests on one secondary source and lets the GPU pass. */
static void judge_driver_known(struct judgement *j, const struct catalog_gpu *g,
                               const struct host *h, const struct catalog *c)
{
    struct catalog_arch arch = {0};

    if (h->has_driver && h->driver.len && catalog_arch(c, g->cc, &arch) &&
        arch.branches_unconfirmed && dotted_compare(h->driver, arch.driver) < 0)
        add(j, "driver-not-confirmed", RULE_HARDWARE, VERDICT_RUNS,
            "that driver " STR_FMT " drives %s is not confirmed%s" STR_FMT "%s", STR_ARG(h->driver),
            gpu_words(j, g), arch.driver_unconfirmed ? "" : "; ",
            STR_ARG(arch.driver_unconfirmed ? STR("") : arch.driver),
            arch.driver_unconfirmed ? "" : " or newer is documented to");
}

/* One GPU: does the driver drive it, and has the image code for it? */
static void judge_gpu(struct judgement *j, const struct facts *f, const struct catalog_gpu *g,
                      const struct host *h, const struct catalog *c)
{
    if (!judge_hardware(j, g, h, c))
        return;
    if (f->archs.len ? judge_code(j, f, g, h, c) : judge_toolkit(j, f, g, c)) {
        judge_libraries(j, f, g, c);
        judge_driver_known(j, g, h, c);
    }
    if (g->unconfirmed)
        add(j, "gpu-not-confirmed", RULE_CATALOG, VERDICT_RUNS,
            "that " STR_FMT " has compute capability " STR_FMT " is not confirmed",
            STR_ARG(g->name), STR_ARG(g->cc));
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
    if (!judge_arch(out, f, h) || !f->cuda.len)
        return; /* a CPU build asks nothing else */
    if (h->has_driver)
        judge_driver(out, f, h, c);
    if (h->driver.len && out->verdict != VERDICT_NO) /* all that is asked, where the rest is met */
        judge_require(out, f, h, c);
    for (size_t i = 0; i < h->gpus.n; i++)
        if (!judged_before(h, i))
            judge_gpu(out, f, &h->gpus.v[i], h, c);
    judge_unseen(out, f, h);
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
                          .archs = b->archs,
                          .arch = STR(CATALOG_ARCH)};
}

/* A limit of what PyTorch itself does not do counts as none. */
static enum verdict grade(const struct judgement *j)
{
    return judgement_whole(j) ? VERDICT_RUNS : j->verdict;
}

/* Judge a build, and keep it when it is better than what was found before. */
static void try_build(struct facts *out, enum verdict *best, struct str pytorch, struct str cuda,
                      const struct host *h, const struct catalog *c)
{
    CLEANUP(judgement_clear) struct judgement j = {0};
    struct catalog_build b;
    struct facts f;

    if (!catalog_build(c, pytorch, cuda, &b) ||
        (h->gpus.n && (!b.archs.len || b.archs_unconfirmed)))
        return; /* nothing is advised that is not known to run */
    facts_of_build(&f, c, pytorch, &b);
    judge(&j, &f, h, c);
    if (grade(&j) < *best) {
        *best = grade(&j);
        *out = f;
    }
}

bool newest_that_runs(struct facts *out, const struct host *h, const struct catalog *c)
{
    enum verdict best = VERDICT_NO;
    struct strs releases = {0}, builds = {0};

    if (h->asked && (host_unseen(h) || !h->gpus.n))
        return false;
    catalog_releases(c, &releases);
    for (size_t i = releases.n; i-- > 0 && best != VERDICT_RUNS;) {
        vec_clear(&builds);
        catalog_builds_best_first(c, releases.v[i], &builds);
        for (size_t k = 0; k < builds.n; k++)
            try_build(out, &best, releases.v[i], builds.v[k], h, c);
    }
    vec_clear(&builds);
    vec_clear(&releases);
    return best != VERDICT_NO;
}
