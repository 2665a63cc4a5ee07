/* SPDX-License-Identifier: Apache-2.0 */
#include "slim.h"

/* Each is preceded by the versions that it was made from. tests/real/slim-vs-full.sh holds them
 * against the wheels: every module that can be imported in a full image can be in the slim one. */
static const struct slim_rule rules[] = {
    /* 3.9.0. triton/runtime/build.py links with -lcuda in backends/nvidia/lib alone; Proton opens
     * libcupti.so. */
    {.name = "triton-static",
     .wheels = {"triton"},
     .what = "Triton's static libraries of CUPTI",
     .why = "Triton links none of them: its profiler opens the shared one beside them",
     .drop = {"triton/backends/nvidia/lib/**/*.a"}},
    /* 3.2.0 and 3.9.0. The backend's Python files stay: both find backends by them and import all.
     * amd/compiler.py opens lib/ when it compiles for such a GPU, amd/driver.py include/. */
    {.name = "triton-amd",
     .wheels = {"triton"},
     .what = "what Triton compiles for AMD's GPUs with",
     .why = "it is opened when a kernel is compiled for one, and the image is NVIDIA's",
     .drop = {"triton/backends/amd/lib/**", "triton/backends/amd/include/**"}},
    /* 2.6.0 and 2.15.0. Nothing in torch names it; torch_shm_manager beside it is needed. */
    {.name = "torch-protoc",
     .wheels = {"torch"},
     .when = SLIM_NOTHING_COMPILES,
     .what = "PyTorch's copies of protoc",
     .why = "it writes C++ sources, which nothing in the image compiles",
     .drop = {"torch/bin/protoc", "torch/bin/protoc-*"}},
    /* 2.6.0 and 2.15.0. torch._inductor and torch.utils.cpp_extension name them to a compiler. */
    {.name = "torch-headers",
     .wheels = {"torch"},
     .when = SLIM_NOTHING_COMPILES,
     .what = "PyTorch's C++ headers and CMake files",
     .why = "a compiler reads them, and the image has none",
     .drop = {"torch/include/**", "torch/share/cmake/**"}},
    /* Of CUDA 12.4 and 13.2; NVRTC has those that it needs itself inside. The wheels of the large
     * libraries stay whole: 5 MB of 2 GB are not worth that slim and full images share none of
     * their layers. */
    {.name = "cuda-headers",
     .wheels = {"nvidia-cuda-runtime*", "nvidia-cuda-cccl*", "nvidia-cuda-crt*", "nvidia-nvtx*"},
     .when = SLIM_NOTHING_COMPILES,
     .what = "headers and CMake files of the CUDA runtime",
     .why = "a compiler reads them, and the image has none; neither PyTorch nor Triton gives them "
            "to NVRTC",
     .drop = {"nvidia/*/include/**", "nvidia/*/cccl/**"}},
    {.name = "cuda-static",
     .wheels = {"nvidia-cuda-runtime*"},
     .when = SLIM_NOTHING_COMPILES,
     .what = "static libraries of the CUDA runtime",
     .why = "a linker reads them, and the image has none",
     .drop = {"nvidia/*/lib/*.a"}},
    {.name = "numpy-static",
     .wheels = {"numpy"},
     .when = SLIM_NOTHING_COMPILES,
     .what = "NumPy's static libraries",
     .why = "extension modules are linked with them, and the image has no linker",
     .drop = {"numpy/**/lib/*.a"}},
    /* 1.26.4, 2.2.6 and 2.5.5. numpy.testing of 2.2 imports what is kept. */
    {.name = "numpy-tests",
     .wheels = {"numpy"},
     .what = "NumPy's own tests",
     .why = "only numpy.test() runs them",
     .drop = {"numpy/**/tests/**"},
     .keep = {"numpy/_core/tests/__init__.py", "numpy/_core/tests/_natype.py"}},
    /* 1.13.1 and 1.14.0. sympy.testing, which sympy imports, is no folder of tests. */
    {.name = "sympy-tests",
     .wheels = {"sympy"},
     .what = "SymPy's own tests",
     .why = "only sympy.test() runs them",
     .drop = {"sympy/**/tests/**"}},
    /* 3.4.2, 3.6.1 and 3.7. Its entry point names the module that is kept. */
    {.name = "networkx-tests",
     .wheels = {"networkx"},
     .what = "NetworkX's own tests",
     .why = "only pytest runs them",
     .drop = {"networkx/**/tests/**"},
     .keep = {"networkx/classes/tests/__init__.py",
              "networkx/classes/tests/dispatch_interface.py"}},
    /* 1.3.0. */
    {.name = "mpmath-tests",
     .wheels = {"mpmath"},
     .what = "mpmath's own tests",
     .why = "only mpmath.runtests() runs them",
     .drop = {"mpmath/tests/**"}},
    /* 3.1.1. */
    {.name = "pandas-tests",
     .wheels = {"pandas"},
     .what = "pandas's own tests",
     .why = "only pandas.test() runs them",
     .drop = {"pandas/tests/**"}},
    /* 1.17.1. scipy.special._precompute imports what is kept. */
    {.name = "scipy-tests",
     .wheels = {"scipy"},
     .what = "SciPy's own tests",
     .why = "only scipy.test() runs them",
     .drop = {"scipy/**/tests/**"},
     .keep = {"scipy/special/tests/__init__.py", "scipy/special/tests/test_hyp2f1.py"}},
    /* 1.9.1. */
    {.name = "scikit-learn-tests",
     .wheels = {"scikit-learn"},
     .what = "scikit-learn's own tests",
     .why = "only pytest runs them",
     .drop = {"sklearn/**/tests/**"}},
    /* 3.11.2. */
    {.name = "matplotlib-tests",
     .wheels = {"matplotlib"},
     .what = "Matplotlib's own tests",
     .why = "only pytest runs them",
     .drop = {"matplotlib/tests/**", "mpl_toolkits/*/tests/**"}},
};

const struct slim_rule *slim_rule_at(size_t i)
{
    return i < ARRAY_LEN(rules) ? &rules[i] : NULL;
}

const struct slim_rule *slim_rule_named(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (str_is(name, rules[i].name))
            return &rules[i];
    return NULL;
}

/* "*" in one part of a path. */
static bool part_matches(struct str pattern, struct str part)
{
    for (; pattern.len; pattern = str_sub(pattern, 1, pattern.len)) {
        if (pattern.p[0] == '*') {
            pattern = str_sub(pattern, 1, pattern.len);
            for (size_t i = 0; i <= part.len; i++)
                if (part_matches(pattern, str_sub(part, i, part.len)))
                    return true;
            return false;
        }
        if (!part.len || part.p[0] != pattern.p[0])
            return false;
        part = str_sub(part, 1, part.len);
    }
    return !part.len;
}

static bool path_matches(struct str pattern, struct str path)
{
    struct str wanted, part;

    while (str_item(&pattern, '/', &wanted)) {
        if (str_is(wanted, "**")) {
            if (!pattern.len)
                return path.len > 0;
            for (; path.len; str_item(&path, '/', &part))
                if (path_matches(pattern, path))
                    return true;
            return false;
        }
        if (!str_item(&path, '/', &part) || !part_matches(wanted, part))
            return false;
    }
    return !path.len;
}

static bool one_matches(const char *const *patterns, struct str path)
{
    for (; *patterns; patterns++)
        if (path_matches(str_of(*patterns), path))
            return true;
    return false;
}

bool slim_concerns(const struct slim_rule *rule, struct str wheel)
{
    for (size_t i = 0; i < ARRAY_LEN(rule->wheels) && rule->wheels[i]; i++)
        if (part_matches(str_of(rule->wheels[i]), wheel))
            return true;
    return false;
}

bool slim_takes(const struct slim_rule *rule, struct str path)
{
    return one_matches(rule->drop, path) && !one_matches(rule->keep, path);
}

void slim_add(struct slim_counts *counts, const struct slim_counts *more)
{
    for (size_t i = 0; i < more->n; i++)
        for (size_t j = 0; j < counts->n; j++)
            if (counts->v[j].rule == more->v[i].rule) {
                counts->v[j].files += more->v[i].files;
                counts->v[j].bytes += more->v[i].bytes;
                counts->v[j].packed += more->v[i].packed;
            }
}
