/* tests/unit/test_layering.c - which artifact goes into which layer, and in which order. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "locktext.h"
#include "plan/layering.h"

/* "base: libc6 | torch: torch | files:" */
static const char *plan_of(struct buf *out, const struct lock *l)
{
    const struct lock_layer *layer;

    buf_reset(out);
    vec_each(layer, &l->layers) {
        buf_fmt(out, "%s" STR_FMT ":", out->len ? " | " : "", STR_ARG(layer->name));
        for (size_t i = 0; i < layer->artifacts.n; i++)
            buf_fmt(out, " " STR_FMT, STR_ARG(l->artifacts.v[layer->artifacts.v[i]].name));
    }
    return out->p;
}

struct row {
    const char *what, *artifacts, *plan;
};

static void expect_plans(const struct row *rows, size_t n, unsigned format)
{
    for (size_t i = 0; i < n; i++) {
        CLEANUP(lock_clear) struct lock l = {.format = format};
        CLEANUP(buf_clear) struct buf plan = {0};

        artifacts_add(&l, rows[i].artifacts);
        layering(&l, NULL);
        if (strcmp(plan_of(&plan, &l), rows[i].plan) != 0)
            fail_msg("format %u: %s: %s", format, rows[i].what, plan.p);
    }
}

/* In formats 1 and 2, but for the order in a layer. */
static void artifacts_have_their_layers(void **state)
{
    static const struct row rows[] = {
        {"nothing at all has its files", "", "files:"},
        {"debs go by their group, whatever their order",
         "deb apt 1 9 base; deb gcc 1 9 compile; deb git 1 9 apt; deb python3 1 9 python",
         "base: apt | python: python3 | apt: git | compile: gcc | files:"},
        {"small wheels go together, tier by tier",
         "wheel cuda-toolkit 1 1; wheel numpy 2 1; wheel nvidia-nvtx 1 1; wheel torch 2 1; "
         "wheel triton 3 1",
         "cuda: cuda-toolkit nvidia-nvtx | triton: triton | torch: torch | wheels: numpy | files:"},
        {"a wheel of 8 MiB has a layer of its own, one byte less has not",
         "wheel a 1 8388607; wheel b 1 8388608; wheel c 1 1", "wheels: a c | b: b | files:"},
        {"big ones stand after the small ones of their tier",
         "wheel nvidia-cudnn 9 600M; wheel nvidia-nvtx 1 1; wheel torch 2 700M",
         "cuda: nvidia-nvtx | nvidia-cudnn: nvidia-cudnn | torch: torch | files:"},
        {"what only a variant has stands above apt",
         "deb git 1 9 apt; wheel nvidia-nvcc 1 9 variant; wheel numpy 1 1; wheel triton 3 9M "
         "variant",
         "wheels: numpy | apt: git | compile-wheels: nvidia-nvcc | triton: triton | files:"},
        {"a toolkit's archives and debs share its layer",
         "deb libc6 1 9 base; deb nvcc 1 9 toolkit; redist cuda_nvcc 12 9M toolkit",
         "base: libc6 | toolkit: nvcc cuda_nvcc | files:"},
        {"downloads are a layer each, above all but the files",
         "deb gcc 1 9 compile; wheel numpy 2 1; download a.tar 1 9; download b.zip 1 9",
         "wheels: numpy | compile: gcc | a.tar: a.tar | b.zip: b.zip | files:"},
        {"names that only begin alike are of no tier",
         "wheel cudatoolkit 1 1; wheel nvidia 1 1; wheel torchvision 1 1",
         "wheels: cudatoolkit nvidia torchvision | files:"},
    };

    expect_plans(rows, ARRAY_LEN(rows), 1);
}

/* Since format 3. */
static void what_changes_most_stands_on_top(void **state)
{
    static const struct row rows[] = {
        {"nothing at all has its state and files", "", "state: | files:"},
        {"PyTorch and what comes with it stands below the debs",
         "deb libc6 1 9 base; deb python3 1 9 python; wheel nvidia-cudnn 9 600M; wheel nvidia-nvtx "
         "1 1; wheel torch 2 700M; wheel triton 3 1",
         "cuda: nvidia-nvtx | nvidia-cudnn: nvidia-cudnn | triton: triton | torch: torch | "
         "base: libc6 | python: python3 | state: | files:"},
        {"large wheels stand below the debs, the largest lowest",
         "deb libc6 1 9 base; wheel a 1 9M; wheel b 1 8388608; wheel c 1 30M; wheel d 1 9M",
         "c: c | a: a | d: d | b: b | base: libc6 | state: | files:"},
        {"small ones are grouped by size",
         "wheel a 1 1; wheel b 1 262143; wheel c 1 262144; wheel d 1 524287; wheel e 1 1M; "
         "wheel f 1 7M; wheel g 1 8388607; wheel h 1 2M",
         "state: | g: g | f: f | wheels-4m: h | wheels-2m: e | wheels-512k: d c | "
         "wheels-256k: b a | files:"},
        {"the toolkit stands with PyTorch, the compiler with the other debs",
         "deb gcc 1 9 compile; deb git 1 9 apt; deb libc6 1 9 base; deb nvcc 1 9 toolkit; wheel "
         "numpy 2 9M; wheel nvidia-nvcc 1 9 variant; wheel six 1 1; wheel torch 2 9M; wheel triton "
         "3 9M variant; redist cuda_nvcc 12 9M toolkit",
         "torch: torch | triton: triton | toolkit: nvcc cuda_nvcc | numpy: numpy | base: libc6 | "
         "apt: git | compile: gcc | compile-wheels: nvidia-nvcc | state: | wheels-256k: six | "
         "files:"},
        {"downloads lie on the system, and below what changes more often",
         "deb git 1 9 apt; wheel six 1 1; download a.tar 1 9",
         "apt: git | state: | a.tar: a.tar | wheels-256k: six | files:"},
    };

    expect_plans(rows, ARRAY_LEN(rows), 3);
}

static void what_the_recipe_names_stands_on_the_rest(void **state)
{
    CLEANUP(lock_clear) struct lock l = {.format = 3};
    CLEANUP(buf_clear) struct buf plan = {0};

    artifacts_add(&l, "wheel a 1 1; wheel b 1 3M; wheel c 1 1; wheel d 1 3M; wheel e 1 9M");
    l.artifacts.v[2].requested = l.artifacts.v[3].requested = l.artifacts.v[4].requested = true;
    layering(&l, NULL);
    assert_string_equal(plan_of(&plan, &l), "e: e | state: | wheels-4m: b | wheels-256k: a | "
                                            "asked-4m: d | asked-256k: c | files:");
}

/* Of one more wheel, whatever its size, all layers but one stay. */
static void an_insertion_moves_no_other(void **state)
{
    static const char *const more[] = {"1", "262144", "3M", "7M", "9M", "600M"};
    static const char some[] = "wheel a 1 1; wheel b 1 1; wheel c 1 300000; wheel d 1 3M; "
                               "wheel e 1 5M; wheel f 1 9M; wheel g 1 20M;";

    for (size_t i = 0; i < ARRAY_LEN(more); i++) {
        CLEANUP(lock_clear) struct lock before = {.format = 3}, after = {.format = 3};
        CLEANUP(buf_clear) struct buf text = {0}, plan = {0}, next = {0};
        struct str rest, layer;
        size_t changed = 0;

        buf_fmt(&text, "%swheel more 1 %s", some, more[i]);
        artifacts_add(&before, some);
        artifacts_add(&after, text.p);
        layering(&before, NULL);
        layering(&after, NULL);
        plan_of(&plan, &before);
        plan_of(&next, &after);
        rest = buf_view(&next);
        while (str_item(&rest, '|', &layer))
            changed += str_find_str(buf_view(&plan), str_trim(layer)) == plan.len ||
                       str_find_str(layer, STR("more")) < layer.len;
        assert_int_equal(changed, 1);
    }
}

/* Its own layers stay below, and Python's layer is there without packages of ours. */
/* Since format 2: by turn, in a turn the last name first. */
static void wheels_are_laid_as_pip_installs_them(void **state)
{
    static const uint32_t turns[] = {2, 1, 3, 1, 1};
    static const char *const order[] = {"e", "d", "b", "a", "c"};

    for (unsigned format = 1; format <= 3; format++) {
        CLEANUP(lock_clear) struct lock l = {.format = format};
        const struct lock_layer *wheels;

        artifacts_add(&l, "wheel a 1 1; wheel b 1 1; wheel c 1 1; wheel d 1 1; wheel e 1 1");
        for (size_t i = 0; i < ARRAY_LEN(turns); i++)
            l.artifacts.v[i].turn = turns[i];
        layering(&l, NULL);
        wheels = &l.layers.v[format == 3]; /* above the state */
        assert_int_equal(wheels->artifacts.n, ARRAY_LEN(order));
        for (size_t i = 0; i < ARRAY_LEN(order); i++)
            assert_true(format == 1 ? wheels->artifacts.v[i] == i
                                    : str_is(l.artifacts.v[wheels->artifacts.v[i]].name, order[i]));
    }
}

static void bytecode_make(struct lock *l, unsigned format, bool asked, const char *artifacts)
{
    struct node *recipe = node_new_map(&l->doc);

    *l = (struct lock){.doc = l->doc, .recipe = recipe, .format = format};
    if (asked)
        node_put_bool(&l->doc, recipe, "bytecode", true);
    artifacts_add(l, artifacts);
}

static void bytecode_stands_on_all_but_files(void **state)
{
    static const char *const plans[] = {
        "wheels: numpy | compile: gcc | compile-wheels: nvidia-nvcc | files:",
        "wheels: numpy | compile: gcc | compile-wheels: nvidia-nvcc | bytecode: | files:",
    };

    for (unsigned is = 0; is < 2; is++) {
        CLEANUP(lock_clear) struct lock l = {0};
        CLEANUP(buf_clear) struct buf plan = {0};

        bytecode_make(&l, 2, is,
                      "deb gcc 1 9 compile; wheel nvidia-nvcc 1 9 variant; wheel numpy 1 1");
        layering(&l, NULL);
        assert_string_equal(plan_of(&plan, &l), plans[is]);
    }
}

/* Since format 3. What stands below the debs stays there. */
static void bytecode_stands_on_its_wheels(void **state)
{
    static const struct row rows[] = {
        {"nothing is compiled where no wheel is", "deb libc6 1 9 base",
         "base: libc6 | state: | files:"},
        {"a group has its own", "deb libc6 1 9 base; wheel a 1 1; wheel b 1 3M; wheel c 1 1",
         "base: libc6 | state: | wheels-4m: b | wheels-4m-bytecode: | wheels-256k: c a | "
         "wheels-256k-bytecode: | files:"},
        {"and so has each large wheel", "wheel a 1 9M; wheel b 1 30M; deb libc6 1 9 base",
         "b: b | b-bytecode: | a: a | a-bytecode: | base: libc6 | state: | files:"},
        {"what changes with PyTorch alone is one, and what only a variant has",
         "wheel nvidia-cudnn 9 600M; wheel nvidia-nvtx 1 1; wheel torch 2 700M; wheel triton 3 1; "
         "wheel nvidia-nvcc 1 20M variant; wheel nvidia-nvvm 1 60M variant; wheel nvidia-crt 1 1 "
         "variant; wheel a 1 9M",
         "cuda: nvidia-nvtx | nvidia-cudnn: nvidia-cudnn | triton: triton | torch: torch | "
         "torch-bytecode: | nvidia-nvcc: nvidia-nvcc | nvidia-nvvm: nvidia-nvvm | "
         "nvidia-nvvm-bytecode: | a: a | a-bytecode: | compile-wheels: nvidia-crt | "
         "compile-wheels-bytecode: | state: | files:"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(lock_clear) struct lock l = {0};
        CLEANUP(buf_clear) struct buf plan = {0};

        bytecode_make(&l, 3, true, rows[i].artifacts);
        layering(&l, NULL);
        if (strcmp(plan_of(&plan, &l), rows[i].plan) != 0)
            fail_msg("%s: %s", rows[i].what, plan.p);
    }
}

/* "base system, torch wheels": the layers of a lock that was read. */
static void plan_read(struct lock *l, const char *plan)
{
    static const char *const words[] = {"system", "wheels", "bytecode", "files"};
    struct str rest = str_of(plan), one;

    while (str_item(&rest, ',', &one)) {
        struct lock_layer *layer = vec_push(&l->layers);
        struct str word = str_trim(one);

        assert_true(str_word(&word, &layer->name));
        for (size_t i = 0; i < ARRAY_LEN(words); i++)
            if (str_is(str_trim(word), words[i]))
                layer->kind = (enum lock_layer_kind)i;
    }
}

/* What format 3 was at first; any other plan is an edited one. */
static void a_lock_is_planned_again_as_it_was(void **state)
{
    static const char artifacts[] = "deb gcc 1 9 compile; wheel numpy 1 9M; wheel pillow 1 7M; "
                                    "wheel six 1 1; wheel sympy 1 6M";
    static const char now[] =
        "numpy: numpy | numpy-bytecode: | compile: gcc | state: | pillow: pillow | "
        "pillow-bytecode: | sympy: sympy | sympy-bytecode: | wheels-256k: six | "
        "wheels-256k-bytecode: | files:";
    static const struct {
        const char *old;
        bool bytecode;
        const char *plan;
    } rows[] = {
        {"numpy wheels, compile system, state system, wheels-8m wheels, wheels-256k wheels, "
         "bytecode bytecode, files files",
         true,
         "numpy: numpy | compile: gcc | state: | wheels-8m: sympy pillow | wheels-256k: six | "
         "bytecode: | files:"},
        {"numpy wheels, compile system, state system, wheels-8m wheels, wheels-256k wheels, "
         "files files",
         false,
         "numpy: numpy | compile: gcc | state: | wheels-8m: sympy pillow | wheels-256k: six | "
         "files:"},
        {"numpy wheels, numpy-bytecode bytecode, compile system, state system, pillow wheels, "
         "pillow-bytecode bytecode, sympy wheels, sympy-bytecode bytecode, wheels-256k wheels, "
         "wheels-256k-bytecode bytecode, files files",
         true, now},
        {"numpy wheels, compile system, state system, wheels-8m wheels, wheels-256k wheels, "
         "files files",
         true, now},
        {"files files", true, now},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(lock_clear) struct lock l = {0}, old = {.format = 3}, again = {0};
        CLEANUP(buf_clear) struct buf plan = {0};

        plan_read(&old, rows[i].old);
        bytecode_make(&l, 3, rows[i].bytecode, artifacts);
        layering(&l, &old);
        assert_string_equal(plan_of(&plan, &l), rows[i].plan);
        bytecode_make(&again, 3, rows[i].bytecode, artifacts);
        layering(&again, &l);
        assert_string_equal(plan_of(&plan, &again), rows[i].plan);
    }
}

static void layers_stand_on_those_of_a_base_image(void **state)
{
    static const char *const plans[] = {
        "theirs: | python: | torch: torch | wheels: numpy | files:",
        "theirs: | python: | torch: torch | wheels-256k: numpy | files:"};

    for (unsigned i = 0; i < 2; i++) {
        CLEANUP(lock_clear) struct lock l = {.format = 2 + i};
        CLEANUP(buf_clear) struct buf plan = {0};
        struct lock_layer *theirs = vec_push(&l.layers);

        theirs->name = STR("theirs");
        theirs->kind = LOCK_IMAGE;
        l.image.ref = STR("docker.io/library/theirs");
        artifacts_add(&l, "wheel numpy 1 1; wheel torch 1 1");
        layering(&l, NULL);
        assert_string_equal(plan_of(&plan, &l), plans[i]);
        assert_int_equal(l.layers.v[1].kind, LOCK_SYSTEM);
    }
}

/* Above all that it does not change, however small or big it is. */
static void the_project_stands_on_top(void **state)
{
    static const char *const plans[] = {
        "wheels: numpy | triton: triton | toolkit: nvcc | project: app | files:",
        "triton: triton | toolkit: nvcc | state: | wheels-256k: numpy | project: app | files:"};
    const struct artifact_source source = {.sdist.size = 9 << 20};

    for (unsigned f = 0; f < 2; f++) {
        CLEANUP(lock_clear) struct lock l = {.format = 2 + f};
        CLEANUP(buf_clear) struct buf plan = {0};

        artifacts_add(&l, "wheel app 1 1 project; wheel numpy 1 1; wheel triton 3 9M variant; "
                          "deb nvcc 1 9 toolkit");
        l.artifacts.v[0].source = &source;
        layering(&l, NULL);
        assert_string_equal(plan_of(&plan, &l), plans[f]);
        for (size_t i = 0; i < l.layers.n; i++)
            assert_int_equal(lock_layer_is_own(&l, i), i + 2 >= l.layers.n);
        assert_ptr_equal(lock_project(&l), &l.artifacts.v[0]);
    }
}

static void a_toolkit_of_links_alone_has_a_layer(void **state)
{
    CLEANUP(lock_clear) struct lock l = {0};
    CLEANUP(buf_clear) struct buf plan = {0};

    l.toolkit.from = STR("pypi");
    layering(&l, NULL);
    assert_string_equal(plan_of(&plan, &l), "toolkit: | files:");
}

/* Big wheels are grouped from below when there are more of them than an image should have layers.
 */
static void there_are_never_too_many_layers(void **state)
{
    static const size_t counts[] = {80, 99, 100, 101, 300};
    static const size_t own[][5] = {{80, 99, 100, 1, 1}, {80, 1, 1, 1, 1}};

    for (size_t c = 0; c < 2 * ARRAY_LEN(counts); c++) {
        CLEANUP(lock_clear) struct lock l = {.format = c % 2 + 2};
        CLEANUP(buf_clear) struct buf names = {0};
        size_t alone = 0;

        for (size_t i = 0; i < counts[c / 2]; i++)
            buf_fmt(&names, "wheel p%03zu 1 %uM;", i, i ? 9 : 40);
        artifacts_add(&l, names.p);
        layering(&l, NULL);
        for (size_t i = 0; i < l.layers.n; i++)
            alone += l.layers.v[i].artifacts.n == 1;
        assert_int_equal(alone, own[c % 2][c / 2]);
        assert_true(l.layers.n <= LAYERS_MAX + 2); /* and the state and the files */
    }
}

static void there_are_never_too_many_layers_with_bytecode(void **state)
{
    static const size_t counts[] = {30, 40, 41, 300};

    for (size_t c = 0; c < ARRAY_LEN(counts); c++) {
        CLEANUP(lock_clear) struct lock l = {0};
        CLEANUP(buf_clear) struct buf names = {0};

        for (size_t i = 0; i < counts[c]; i++)
            buf_fmt(&names, "wheel p%03zu 1 %uM;", i, i ? 9 : 40);
        bytecode_make(&l, 3, true, names.p);
        layering(&l, NULL);
        assert_true(c < 2 ? l.layers.n == 2 * counts[c] + 2 : l.layers.n == 6);
        assert_true(l.layers.n <= LAYERS_MAX + 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(artifacts_have_their_layers),
        cmocka_unit_test(what_changes_most_stands_on_top),
        cmocka_unit_test(what_the_recipe_names_stands_on_the_rest),
        cmocka_unit_test(an_insertion_moves_no_other),
        cmocka_unit_test(wheels_are_laid_as_pip_installs_them),
        cmocka_unit_test(bytecode_stands_on_all_but_files),
        cmocka_unit_test(bytecode_stands_on_its_wheels),
        cmocka_unit_test(a_lock_is_planned_again_as_it_was),
        cmocka_unit_test(layers_stand_on_those_of_a_base_image),
        cmocka_unit_test(the_project_stands_on_top),
        cmocka_unit_test(a_toolkit_of_links_alone_has_a_layer),
        cmocka_unit_test(there_are_never_too_many_layers),
        cmocka_unit_test(there_are_never_too_many_layers_with_bytecode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
