/* SPDX-License-Identifier: Apache-2.0 */
#include "slimming.h"

/* "gcc" and "gcc-12", but not "gcc-12-base". */
static bool is_compiler(struct str package)
{
    static const char *const names[] = {"gcc", "g++", "clang", "tcc"};
    uint32_t major;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct str rest = package;

        if (str_skip(&rest, str_of(names[i])) &&
            (!rest.len || (str_skip(&rest, STR("-")) && str_u32(rest, &major))))
            return true;
    }
    return false;
}

/* Wheels that are a compiler, or hand headers and libraries of other wheels to NVRTC, nvJitLink or
 * nvcc at run time. Names begin so. */
static bool compiles(struct str wheel)
{
    static const char *const names[] = {
        "apache-tvm",     "cuda-cccl",     "cuda-cooperative", "cuda-core", "cuda-parallel",
        "cupy",           "deepspeed",     "flashinfer",       "numba",     "nvidia-cuda-nvcc",
        "nvidia-cutlass", "nvidia-mathdx", "nvmath-python",    "pycuda",    "pynvjitlink",
        "tilelang",       "ziglang"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_starts(wheel, str_of(names[i])))
            return true;
    return false;
}

/* An image that is the base may have a compiler that we do not know of. */
static bool nothing_compiles(const struct lock *lock)
{
    if (!str_is(lock->variant, "runtime") || lock->image.ref.len)
        return false;
    for (size_t i = 0; i < lock->artifacts.n; i++) {
        const struct artifact *a = &lock->artifacts.v[i];

        if (a->eco == ECO_DEB ? is_compiler(a->name) : compiles(a->name))
            return false;
    }
    return true;
}

static bool concerns_any(const struct slim_rule *rule, const struct lock *lock)
{
    const struct artifact *a;

    vec_each(a, &lock->artifacts)
        if (a->eco == ECO_WHEEL && !artifact_is_project(a) && slim_concerns(rule, a->name))
            return true;
    return false;
}

void slimming_choose(struct lock *lock)
{
    bool free_of_compilers = nothing_compiles(lock);
    const struct slim_rule *rule;

    for (size_t i = 0; (rule = slim_rule_at(i)); i++)
        if ((rule->when == SLIM_ALWAYS || free_of_compilers) && concerns_any(rule, lock))
            vec_push(&lock->slim)->rule = rule;
}
