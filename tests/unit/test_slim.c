/* tests/unit/test_slim.c - which files of which wheels the rules leave out, and which rules an
 * image follows. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "io/crypto.h"
#include "model/slim.h"
#include "plan/slimming.h"

/* The rule that leaves a file out, or "". */
static const char *taken_by(const char *wheel, const char *path)
{
    const struct slim_rule *rule;

    for (size_t i = 0; (rule = slim_rule_at(i)); i++)
        if (slim_concerns(rule, str_of(wheel)) && slim_takes(rule, str_of(path)))
            return rule->name;
    return "";
}

static void rules_take_what_they_say(void **state)
{
    static const struct {
        const char *wheel, *path, *rule;
    } cases[] = {
        {"triton", "triton/backends/nvidia/lib/cupti/libcupti_static.a", "triton-static"},
        {"triton", "triton/backends/nvidia/lib/x.a", "triton-static"},
        {"triton", "triton/backends/nvidia/lib/cupti/libcupti.so", ""},
        {"triton", "triton/backends/nvidia/lib/libdevice.10.bc", ""},
        {"triton", "triton/backends/nvidia/include/cuda.h", ""},
        {"triton", "triton/backends/amd/lib/ockl.bc", "triton-amd"},
        {"triton", "triton/backends/amd/include/hip/amd_detail/x.h", "triton-amd"},
        {"triton", "triton/backends/amd/driver.py", ""},
        {"triton", "triton/backends/amd/__init__.py", ""},
        {"torch", "torch/bin/protoc", "torch-protoc"},
        {"torch", "torch/bin/protoc-3.13.0.0", "torch-protoc"},
        {"torch", "torch/bin/torch_shm_manager", ""},
        {"torch", "torch/include/ATen/ATen.h", "torch-headers"},
        {"torch", "torch/share/cmake/Torch/TorchConfig.cmake", "torch-headers"},
        {"torch", "torch/testing/__init__.py", ""},
        {"torch", "torch/_inductor/codegen/aoti_runtime/interface.cpp", ""},
        {"torch", "torch/lib/libtorch_cpu.so", ""},
        {"torch", "torchgen/packaged/ATen/native/tags.yaml", ""},
        {"torchvision", "torchvision/include/x.h", ""},
        {"nvidia-cuda-runtime-cu12", "nvidia/cuda_runtime/include/cuda.h", "cuda-headers"},
        {"nvidia-cuda-runtime-cu12", "nvidia/cuda_runtime/lib/libcudart.so.12", ""},
        {"nvidia-cuda-runtime", "nvidia/cu13/include/cooperative_groups/x.h", "cuda-headers"},
        {"nvidia-cuda-runtime", "nvidia/cu13/lib/libcudart_static.a", "cuda-static"},
        {"nvidia-cuda-cccl", "nvidia/cu13/include/cccl/cub/cub.cuh", "cuda-headers"},
        {"nvidia-cuda-cccl", "nvidia/cu13/cccl/lib/cmake/cub/x.cmake", "cuda-headers"},
        {"nvidia-nvtx", "nvidia/cu13/include/nvtx3/nvToolsExt.h", "cuda-headers"},
        {"nvidia-nvtx", "nvidia/cu13/lib/libnvToolsExt.so.1", ""},
        {"nvidia-cudnn-cu12", "nvidia/cudnn/include/cudnn.h", ""}, /* its layer stays shared */
        {"nvidia-nvshmem-cu13", "nvidia/nvshmem/lib/libnvshmem_device.a", ""},
        {"numpy", "numpy/_core/lib/libnpymath.a", "numpy-static"},
        {"numpy", "numpy/random/lib/libnpyrandom.a", "numpy-static"},
        {"numpy", "numpy/tests/test_scripts.py", "numpy-tests"},
        {"numpy", "numpy/_core/tests/data/astype_copy.pkl", "numpy-tests"},
        {"numpy", "numpy/_core/tests/_natype.py", ""}, /* numpy.testing imports it */
        {"numpy", "numpy/_core/tests/__init__.py", ""},
        {"numpy", "numpy/testing/__init__.py", ""},
        {"numpy", "numpy/random/_pickle.py", ""},
        {"sympy", "sympy/core/tests/test_args.py", "sympy-tests"},
        {"sympy", "sympy/testing/runtests.py", ""},
        {"networkx", "networkx/algorithms/tests/test_dag.py", "networkx-tests"},
        {"networkx", "networkx/classes/tests/test_graph.py", "networkx-tests"},
        {"networkx", "networkx/classes/tests/dispatch_interface.py", ""}, /* an entry point */
        {"networkx", "networkx/conftest.py", ""},
        {"mpmath", "mpmath/tests/runtests.py", "mpmath-tests"},
        {"pandas", "pandas/tests/arrays/test_array.py", "pandas-tests"},
        {"pandas", "pandas/_testing/__init__.py", ""},
        {"scipy", "scipy/io/matlab/tests/data/big.mat", "scipy-tests"},
        {"scipy", "scipy/special/tests/test_hyp2f1.py", ""}, /* scipy.special._precompute */
        {"scikit-learn", "sklearn/tree/tests/test_tree.py", "scikit-learn-tests"},
        {"matplotlib", "mpl_toolkits/mplot3d/tests/test_art3d.py", "matplotlib-tests"},
        {"matplotlib", "matplotlib/testing/__init__.py", ""},
        {"jupyterlab", "jupyterlab/tests/test_app.py", ""}, /* nobody looked at it */
        {"numpy-stl", "numpy/tests/x.py", ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (strcmp(taken_by(cases[i].wheel, cases[i].path), cases[i].rule) != 0)
            fail_msg("%s of %s: \"%s\"", cases[i].path, cases[i].wheel,
                     taken_by(cases[i].wheel, cases[i].path));
}

/* A lock names rules, so that what a rule takes is a promise. One that should take something else
 * gets another name and a line of its own here. */
static void rules_never_change(void **state)
{
    static const char *const pinned[][2] = {
        {"triton-static", "a42fb765d6de6d98"},    {"triton-amd", "1b43d0ea278ae020"},
        {"torch-protoc", "6eff6cf4f56db410"},     {"torch-headers", "38f65fed0a2362d0"},
        {"cuda-headers", "001b332037d3be90"},     {"cuda-static", "c0b7bea5910319f0"},
        {"numpy-static", "60b7d6bdb823a3cd"},     {"numpy-tests", "02aa37b7cc856fc7"},
        {"sympy-tests", "4cf6e6c747750bec"},      {"networkx-tests", "4adbb18487270c75"},
        {"mpmath-tests", "fdc662adf239da56"},     {"pandas-tests", "a86615734aaa3f05"},
        {"scipy-tests", "7e5dc447e2493f5a"},      {"scikit-learn-tests", "5fa0ee0f3e69e8de"},
        {"matplotlib-tests", "bd0a7aaf23fcae97"},
    };
    size_t n = 0;

    while (slim_rule_at(n))
        n++;
    assert_int_equal(n, ARRAY_LEN(pinned));
    for (size_t i = 0; i < ARRAY_LEN(pinned); i++) {
        const struct slim_rule *rule = slim_rule_named(str_of(pinned[i][0]));
        CLEANUP(buf_clear) struct buf text = {0};
        char hex[DIGEST_HEX + 1];
        struct digest digest;

        assert_non_null(rule);
        for (size_t j = 0; j < ARRAY_LEN(rule->wheels) && rule->wheels[j]; j++)
            buf_fmt(&text, "of %s\n", rule->wheels[j]);
        for (size_t j = 0; rule->drop[j]; j++)
            buf_fmt(&text, "drop %s\n", rule->drop[j]);
        for (size_t j = 0; rule->keep[j]; j++)
            buf_fmt(&text, "keep %s\n", rule->keep[j]);
        hash_bytes(&digest, text.p, text.len);
        digest_hex(&digest, hex);
        hex[16] = '\0';
        if (strcmp(hex, pinned[i][1]) != 0)
            fail_msg("{\"%s\", \"%s\"}", pinned[i][0], hex);
    }
}

/* ---- choosing ---- */

static void has(struct lock *l, enum ecosystem eco, const char *name)
{
    *vec_push(&l->artifacts) = (struct artifact){.eco = eco, .name = str_of(name)};
}

static void chosen(struct buf *out, const char *variant, const char *image, const char *deb,
                   const char *wheel)
{
    CLEANUP(lock_clear) struct lock l = {.variant = str_of(variant)};

    l.image.ref = str_of(image);
    has(&l, ECO_DEB, "gcc-12-base");
    has(&l, ECO_WHEEL, "nvidia-cuda-runtime-cu12");
    has(&l, ECO_WHEEL, "numpy");
    has(&l, ECO_WHEEL, "torch");
    if (*deb)
        has(&l, ECO_DEB, deb);
    if (*wheel)
        has(&l, ECO_WHEEL, wheel);
    slimming_choose(&l);
    for (size_t i = 0; i < l.slim.n; i++)
        buf_fmt(out, "%s%s", i ? " " : "", l.slim.v[i].rule->name);
}

static void the_recipes_own_project_stays_whole(void **state)
{
    struct artifact_source source = {0};
    CLEANUP(lock_clear) struct lock l = {.variant = STR("runtime")};

    has(&l, ECO_WHEEL, "numpy");
    l.artifacts.v[0].group = STR(ARTIFACT_OF_PROJECT);
    l.artifacts.v[0].source = &source;
    slimming_choose(&l);
    assert_int_equal(l.slim.n, 0);
}

#define ALL "torch-protoc torch-headers cuda-headers cuda-static numpy-static numpy-tests"

static void what_compilers_read_stays_where_there_is_one(void **state)
{
    static const char *const cases[][5] = {
        {"runtime", "", "", "", ALL},
        {"compile", "", "", "", "numpy-tests"},
        {"devel", "", "", "", "numpy-tests"},
        {"runtime", "oci:x", "", "", "numpy-tests"}, /* who knows what is in it */
        {"runtime", "", "gcc", "", "numpy-tests"},
        {"runtime", "", "g++-11", "", "numpy-tests"},
        {"runtime", "", "clang-14", "", "numpy-tests"},
        {"runtime", "", "gcc-11-doc", "", ALL},
        {"runtime", "", "clangd", "", ALL},
        {"runtime", "", "", "cupy-cuda12x", "numpy-tests"},
        {"runtime", "", "", "numba-cuda", "numpy-tests"},
        {"runtime", "", "", "ziglang", "numpy-tests"},
        {"runtime", "", "", "cuda-bindings", ALL}, /* PyTorch's own since 2.11 */
        {"runtime", "", "", "sympy", ALL " sympy-tests"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf out = {0};

        chosen(&out, cases[i][0], cases[i][1], cases[i][2], cases[i][3]);
        assert_string_equal(out.p, cases[i][4]);
    }
}

static void figures_of_one_rule_add_up(void **state)
{
    const struct slim_rule *a = slim_rule_at(0), *b = slim_rule_at(1);
    struct slim_count all[] = {{a, 0, 0, 0}, {b, 1, 2, 3}}, one[] = {{b, 10, 20, 30}};
    struct slim_counts counts = {all, 2, 2}, more = {one, 1, 1};

    slim_add(&counts, &more);
    slim_add(&counts, &(struct slim_counts){0});
    assert_int_equal(all[0].files, 0);
    assert_int_equal(all[1].files, 11);
    assert_int_equal(all[1].bytes, 22);
    assert_int_equal(all[1].packed, 33);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_take_what_they_say),
        cmocka_unit_test(rules_never_change),
        cmocka_unit_test(the_recipes_own_project_stays_whole),
        cmocka_unit_test(what_compilers_read_stays_where_there_is_one),
        cmocka_unit_test(figures_of_one_rule_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
