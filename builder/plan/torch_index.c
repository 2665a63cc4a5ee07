/* SPDX-License-Identifier: Apache-2.0 */
#include "torch_index.h"

/* Projects whose wheels are built against one torch, CUDA and all. */
static const struct str names[] = {
    STR_INIT("fbgemm-gpu"), STR_INIT("torch"),     STR_INIT("torch-tensorrt"),
    STR_INIT("torchaudio"), STR_INIT("torchtext"), STR_INIT("torchvision"),
    STR_INIT("xformers"),
};

static bool has_own_place(const struct recipe *r)
{
    for (size_t i = 0; i < r->indexes.n; i++)
        for (size_t j = 0; j < r->indexes.v[i].only.n; j++)
            if (str_is(r->indexes.v[i].only.v[j].text, "torch"))
                return true;
    return false;
}

/* "11.8" and "11.8.0" give "cu118". */
static struct str cuda_label(struct arena *a, struct str cuda)
{
    struct str minor = cuda, major;

    if (!str_cut(&minor, STR("."), &major))
        return (struct str){0};
    return str_of(arena_fmt(a, "cu" STR_FMT STR_FMT, STR_ARG(major),
                            STR_ARG(str_sub(minor, 0, str_find(minor, '.')))));
}

void torch_index_choose(struct torch_index *out, struct arena *a, const struct catalog *c,
                        const struct recipe *r)
{
    struct str cuda = r->cuda.text;
    struct catalog_build build;

    *out = (struct torch_index){0};
    if (!cuda.len || has_own_place(r))
        return;
    if (str_is(cuda, TORCH_CPU))
        out->local = STR(TORCH_CPU);
    else if (catalog_build(c, r->pytorch.text, catalog_cuda(cuda), &build) && !build.pypi)
        out->local = cuda_label(a, cuda);
    if (!out->local.len)
        return;
    out->place = (struct pypi_place){
        .url = str_of(arena_fmt(a, TORCH_INDEX_URL STR_FMT "/", STR_ARG(out->local))),
        .only = names,
        .only_n = ARRAY_LEN(names),
        .owns = true,
    };
}
