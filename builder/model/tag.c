/* SPDX-License-Identifier: Apache-2.0 */
#include "tag.h"

#include "../base/dotted.h"

#include "baselayer.h"

static int bad(struct str text, struct str part, struct err *e)
{
    str_skip(&text, STR("docker://"));
    if (str_has(text, '/')) /* the name of an image, and not that of a build of PyTorch */
        return err_set(
            e, ERR_USAGE,
            "\"" STR_FMT "\" is an image of a registry, and a recipe, a lock or a tag is "
            "wanted here; docker://" STR_FMT " is what inspect, explain, check, emit and diff read",
            STR_ARG(text), STR_ARG(text));
    if (str_is(part, "latest"))
        return err_set(e, ERR_USAGE,
                       "\"" STR_FMT
                       "\": \"latest\" is another image next month; name a release, as in "
                       "2.6.0-cuda12.4-cudnn9-runtime: `envbuild catalog` lists them",
                       STR_ARG(text));
    return err_set(e, ERR_USAGE,
                   "\"" STR_FMT "\": \"" STR_FMT
                   "\" is not a part of a tag such as 2.6.0-cuda12.4-cudnn9-runtime",
                   STR_ARG(text), STR_ARG(part));
}

static bool is_variant(struct str s)
{
    return str_is(s, "runtime") || str_is(s, "compile") || str_is(s, "devel");
}

static bool take_part(struct tag *t, struct arena *a, struct str part)
{
    struct str rest = part;

    if (!t->cudnn.len && str_skip(&rest, STR("cudnn")) && dotted_is(rest, 1, 4)) {
        t->cudnn = rest;
        return true;
    }
    if (!t->cuda.len && (str_starts(part, STR("cu")) || str_is(part, RECIPE_CPU))) {
        t->cuda = recipe_cuda(part, a);
        return t->cuda.len > 0;
    }
    if (t->variant.len || !is_variant(part))
        return false;
    t->variant = part;
    return true;
}

int tag_parse(struct tag *out, struct arena *a, struct str text, struct err *e)
{
    struct tag t = {0};
    struct str rest = text, part, digest, name;

    if (str_cut_last(&rest, STR("@"), &digest) && !str_starts(digest, STR("sha256:")))
        return bad(text, digest, e);
    if (str_cut_last(&rest, STR(":"), &name)) {
        t.repository = rest;
        rest = name;
    }
    if (!str_item(&rest, '-', &t.pytorch) || !dotted_is(t.pytorch, 3, 3))
        return bad(text, t.pytorch, e);
    while (str_item(&rest, '-', &part))
        if (!take_part(&t, a, part))
            return bad(text, part, e);
    if (!t.variant.len)
        t.variant = STR("runtime");
    *out = t;
    return 0;
}

void tag_of_build(struct tag *out, struct str pytorch, const struct catalog_build *b)
{
    *out = (struct tag){.pytorch = pytorch,
                        .cuda = b->cuda,
                        .cudnn = dotted_first(b->cudnn, 1),
                        .variant = STR("runtime")};
}

void tag_print(struct buf *out, const struct tag *t)
{
    buf_str(out, t->pytorch);
    if (t->cuda.len)
        buf_fmt(out, "-%s" STR_FMT, str_is(t->cuda, RECIPE_CPU) ? "" : "cuda", STR_ARG(t->cuda));
    if (t->cudnn.len)
        buf_fmt(out, "-cudnn" STR_FMT, STR_ARG(t->cudnn));
    buf_fmt(out, "-" STR_FMT, STR_ARG(t->variant));
}

/* ---- the nearest that exist ---- */

/* The tag of a build. */
static void print_build(struct buf *out, struct str pytorch, const struct catalog_build *b,
                        struct str variant)
{
    struct tag t;

    tag_of_build(&t, pytorch, b);
    t.variant = variant;
    buf_puts(out, out->len ? " or " : "");
    tag_print(out, &t);
}

/* The newest release that was built for that CUDA. */
static bool same_cuda(const struct catalog *c, struct str cuda, struct str *pytorch,
                      struct catalog_build *b)
{
    struct strs releases = {0};
    bool found = false;

    catalog_releases(c, &releases);
    for (size_t i = releases.n; i-- > 0 && !found;)
        if (catalog_build(c, releases.v[i], cuda, b)) {
            *pytorch = releases.v[i];
            found = true;
        }
    vec_clear(&releases);
    return found;
}

static void nearest(struct buf *out, const struct tag *t, const struct catalog *c)
{
    struct catalog_build b;
    struct str pytorch;

    if (str_is(t->cuda, RECIPE_CPU)) {
        struct tag plain = {.pytorch = t->pytorch, .cuda = t->cuda, .variant = t->variant};

        if (str_is(t->variant, "devel"))
            plain.variant = STR("compile");
        tag_print(out, &plain);
        return;
    }
    if (catalog_build(c, t->pytorch, STR(""), &b))
        print_build(out, t->pytorch, &b, t->variant);
    if (t->cuda.len && same_cuda(c, t->cuda, &pytorch, &b))
        print_build(out, pytorch, &b, t->variant);
}

static void list_builds(struct buf *out, const struct tag *t, const struct catalog *c)
{
    struct strs builds = {0};

    catalog_builds(c, t->pytorch, &builds);
    for (size_t i = 0; i < builds.n; i++)
        buf_fmt(out, "%s" STR_FMT, i ? ", " : "", STR_ARG(builds.v[i]));
    vec_clear(&builds);
}

static int refuse(const struct tag *t, const struct catalog *c, const char *why, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0}, near = {0};

    tag_print(&text, t);
    nearest(&near, t, c);
    return err_set(e, ERR_UNSAT, "%s: %s%s%s", text.p, why, near.len ? "; nearest: " : "",
                   near.len ? near.p : "");
}

int tag_check(const struct tag *t, const struct catalog *c, struct err *e)
{
    CLEANUP(buf_clear) struct buf why = {0}, builds = {0};
    struct catalog_build b;

    if (str_is(t->cuda, RECIPE_CPU) && t->cudnn.len)
        return refuse(t, c, "a build for the CPU has no cuDNN", e);
    if (str_is(t->cuda, RECIPE_CPU) && str_is(t->variant, "devel"))
        return refuse(t, c, "devel adds a CUDA toolkit, and cpu has none", e);
    if (str_is(t->cuda, RECIPE_CPU))
        return 0;
    if (!catalog_has(c, t->pytorch))
        return 0;
    list_builds(&builds, t, c);
    if (!catalog_build(c, t->pytorch, t->cuda, &b)) {
        buf_fmt(&why, "PyTorch " STR_FMT " was published for CUDA %s", STR_ARG(t->pytorch),
                builds.p ? builds.p : "none");
        return refuse(t, c, why.p, e);
    }
    if (t->cudnn.len && b.cudnn.len && !catalog_is_of(t->cudnn, b.cudnn)) {
        buf_fmt(&why, "PyTorch " STR_FMT " for CUDA " STR_FMT " has cuDNN " STR_FMT,
                STR_ARG(t->pytorch), STR_ARG(b.cuda), STR_ARG(b.cudnn));
        return refuse(t, c, why.p, e);
    }
    return 0;
}

/* What the variant brings, and what there is of it to choose. */
static void print_variant(struct buf *out, const struct tag *t, const struct catalog_build *b)
{
    struct str base;

    if (!str_is(t->variant, "devel")) {
        buf_fmt(out,
                "variant: " STR_FMT "          # compile adds gcc and g++, for torch.compile%s\n\n",
                STR_ARG(t->variant),
                str_is(t->cuda, RECIPE_CPU) ? "" : "; devel the CUDA toolkit too");
        return;
    }
    buf_puts(out,
             "variant: devel            # gcc, g++, make, ninja and the CUDA toolkit, to build "
             "extensions with nvcc\n\n"
             "# toolkit: [nvcc, cudart]  # these parts of it; all when left out\n");
    if (baselayer_with_toolkit(&base, b->cuda))
        buf_fmt(out,
                "# toolkit: {from: apt}     # Debian's own packages of it; with base: " STR_FMT
                "\n",
                STR_ARG(base));
}

void tag_recipe(struct buf *out, const struct tag *t, const struct catalog_build *b)
{
    struct str cudnn = t->cudnn.len ? t->cudnn : dotted_first(b->cudnn, 1);

    buf_fmt(out, "# PyTorch " STR_FMT, STR_ARG(t->pytorch));
    if (b->cuda.len)
        buf_fmt(out, " for CUDA " STR_FMT, STR_ARG(b->cuda));
    else if (str_is(t->cuda, RECIPE_CPU))
        buf_puts(out, " for the CPU");
    buf_fmt(out, ". Build it: envbuild build THIS-FILE\npytorch: \"" STR_FMT "\"\n",
            STR_ARG(t->pytorch));
    if (t->cuda.len || b->cuda.len)
        buf_fmt(out, "cuda: \"" STR_FMT "\"\n", STR_ARG(t->cuda.len ? t->cuda : b->cuda));
    if (cudnn.len)
        buf_fmt(out, "cudnn: \"" STR_FMT "\"\n", STR_ARG(cudnn));
    print_variant(out, t, b);
    buf_puts(out, "# base: ubuntu-24.04       # debian-12 when left out\n"
                  "# apt: [git, less]         # Debian's or Ubuntu's packages\n"
                  "# pip: [numpy, torchvision, {requirements: requirements.txt}]\n"
                  "# files: [{from: notebooks/, to: /workspace/}]\n"
                  "# user: {name: student, uid: 1000}\n"
                  "# env: {HF_HOME: /data}\n");
}
