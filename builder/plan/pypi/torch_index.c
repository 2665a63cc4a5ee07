/* SPDX-License-Identifier: Apache-2.0 */
#include "torch_index.h"

#include "../../base/dotted.h"
#include "../../pkg/pypi/pep508.h"

/* Projects whose wheels are made for one build of torch. (pytorch-triton is the nightlies' triton;
 * what has that name on PyPI is not theirs.) */
static const struct str bound[] = {
    STR_INIT("fbgemm-gpu"), STR_INIT("fbgemm-gpu-genai"), STR_INIT("pytorch-triton"),
    STR_INIT("torch"),      STR_INIT("torch-tensorrt"),   STR_INIT("torchao"),
    STR_INIT("torchaudio"), STR_INIT("torchcodec"),       STR_INIT("torchvision"),
    STR_INIT("xformers"),
};

bool torch_index_binds(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(bound); i++)
        if (str_eq(bound[i], name))
            return true;
    return false;
}

/* Does an index of the recipe's name the project under `only`? */
static bool has_own_place(const struct recipe *r, struct str name, struct arena *a)
{
    for (size_t i = 0; i < r->indexes.n; i++)
        for (size_t j = 0; j < r->indexes.v[i].only.n; j++)
            if (str_eq(pep503_name(a, r->indexes.v[i].only.v[j].text), name))
                return true;
    return false;
}

/* "11.8" and "11.8.0" give "cu118". */
static struct str label_of(struct arena *a, struct str cuda)
{
    struct str minor = dotted_first(cuda, 2), major;

    if (str_is(cuda, RECIPE_CPU))
        return cuda;
    str_cut(&minor, STR("."), &major);
    return str_of(arena_fmt(a, "cu" STR_FMT STR_FMT, STR_ARG(major), STR_ARG(minor)));
}

struct str torch_index_url(struct arena *a, struct str cuda)
{
    return str_of(arena_fmt(a, TORCH_INDEX_URL STR_FMT "/", STR_ARG(label_of(a, cuda))));
}

static void set_place(struct torch_index *out, struct arena *a, const struct recipe *r)
{
    struct str *only = arena_alloc(a, sizeof bound);

    out->local = out->build;
    out->place = (struct pypi_place){
        .url = str_of(arena_fmt(a, TORCH_INDEX_URL STR_FMT "/", STR_ARG(out->build))),
        .only = only,
        .owns = true,
    };
    for (size_t i = 0; i < ARRAY_LEN(bound); i++)
        if (!has_own_place(r, bound[i], a))
            only[out->place.only_n++] = bound[i];
}

void torch_index_choose(struct torch_index *out, struct arena *a, const struct catalog *c,
                        const struct recipe *r)
{
    struct str cuda = r->cuda.text;
    struct catalog_build build;

    *out = (struct torch_index){0};
    if (cuda.len)
        out->build = label_of(a, cuda);
    if (has_own_place(r, STR("torch"), a))
        return;
    if (!cuda.len && catalog_build(c, r->pytorch.text, STR(""), &build))
        out->build = label_of(a, build.cuda);
    if (cuda.len &&
        (str_is(cuda, RECIPE_CPU) ||
         (catalog_build(c, r->pytorch.text, dotted_first(cuda, 2), &build) && !build.pypi)))
        set_place(out, a, r);
}

void torch_index_prefer(struct torch_index *out, struct arena *a, const struct recipe *r,
                        struct str index)
{
    if (str_skip(&index, STR(TORCH_INDEX_URL)) && out->build.len &&
        str_eq(str_sub(index, 0, str_find(index, '/')), out->build) &&
        !has_own_place(r, STR("torch"), a))
        set_place(out, a, r);
}
