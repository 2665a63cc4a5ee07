/* tests/unit/test_explain.c - what `explain` tells of sizes, the toolkit and slim images. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "doc/emit.h"
#include "model/explain.h"

enum { MIB = 1024 * 1024 };

static void layer_add(struct lock *l, const char *name, enum lock_layer_kind kind, uint64_t size,
                      uint64_t unpacked)
{
    *vec_push(&l->layers) = (struct lock_layer){
        .name = str_of(name), .kind = kind, .size = size * MIB, .unpacked = unpacked * MIB};
}

static void lock_make(struct lock *l)
{
    l->name = STR("pytorch");
    l->tag = STR("x");
    l->recipe = node_new_map(&l->doc);
}

static bool says(const struct lock *l, const char *text)
{
    CLEANUP(buf_clear) struct buf out = {0};

    explain_print(&out, l);
    return strstr(out.p, text) != NULL;
}

static bool json_says(const struct lock *l, const char *text)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(buf_clear) struct buf out = {0};
    struct node *root = node_new_map(&doc);

    explain_put(&doc, root, l);
    emit_json(&out, root, EMIT_COMPACT);
    return strstr(out.p, text) != NULL;
}

static void sizes_are_told_as_far_as_they_are_known(void **state)
{
    CLEANUP(lock_clear) struct lock fresh = {0}, old = {0}, built = {0}, image = {0};

    lock_make(&fresh);
    layer_add(&fresh, "torch", LOCK_WHEELS, 0, 0);
    assert_true(says(&fresh, "layers, bottom first        files     download\n"
                             "  torch                          0        0.0 MiB\n"));

    lock_make(&old); /* built by an envbuild that wrote no unpacked sizes */
    layer_add(&old, "torch", LOCK_WHEELS, 2, 0);
    assert_true(says(&old, "files     download     in image\n"));
    assert_false(json_says(&old, "unpacked"));

    lock_make(&built);
    layer_add(&built, "torch", LOCK_WHEELS, 2, 5);
    layer_add(&built, "files", LOCK_FILES, 1, 4);
    assert_true(says(&built, "files     download     in image     unpacked\n"));
    assert_true(says(&built, "  in all                         0        0.0 MiB        3.0 MiB"
                             "        9.0 MiB\n"));
    assert_true(json_says(&built,
                          "\"all\":{\"name\":\"in all\",\"files\":0,\"download\":0,\"size\":"
                          "3145728,\"unpacked\":9437184}"));

    lock_make(&image); /* a layer of the base image: nobody knows how large it is unpacked */
    layer_add(&image, "of-image-1", LOCK_IMAGE, 2, 0);
    layer_add(&image, "files", LOCK_FILES, 1, 4);
    assert_true(says(&image, "        1.0 MiB        4.0 MiB\n"));
    assert_true(says(&image, "        0.0 MiB        3.0 MiB\n"));
    assert_true(json_says(&image, "\"size\":3145728}"));
}

static void the_toolkit_is_told(void **state)
{
    CLEANUP(lock_clear) struct lock l = {0};
    struct lock_stand_in *s;

    lock_make(&l);
    assert_false(says(&l, "toolkit"));
    assert_false(json_says(&l, "\"toolkit\""));
    l.toolkit.from = STR("apt");
    l.toolkit.version = STR("12.4.1");
    l.toolkit.root = STR("/usr/local/cuda-12.4");
    l.toolkit.gcc = STR("13");
    s = vec_push(&l.toolkit.stand_ins);
    s->name = STR("envbuild-driver-of-host");
    s->summary = STR("the driver");
    vec_add(&s->provides, STR("libcuda1 (= 550.54.15)"));
    vec_add(&s->provides, STR("libnvidia-ml1 (= 550.54.15)"));
    assert_true(says(&l,
                     "\ntoolkit\n  CUDA 12.4.1 in /usr/local/cuda-12.4, from the base's packages; "
                     "gcc and g++ are 13, which its nvcc takes\n"
                     "  envbuild-driver-of-host stands in for libcuda1, libnvidia-ml1: the "
                     "driver\n"));
    assert_false(says(&l, "links to"));
    assert_false(json_says(&l, "saved"));
    l.built = true;
    l.toolkit.saved = 3 * MIB;
    assert_true(says(&l, "  3.0 MiB of its libraries are links to those of the wheels\n"));
    assert_true(json_says(&l,
                          "\"toolkit\":{\"from\":\"apt\",\"version\":\"12.4.1\",\"root\":"
                          "\"/usr/local/cuda-12.4\",\"gcc\":\"13\",\"stand_ins\":[{\"name\":"
                          "\"envbuild-driver-of-host\",\"summary\":\"the driver\",\"provides\":["
                          "\"libcuda1 (= 550.54.15)\",\"libnvidia-ml1 (= 550.54.15)\"]}],"
                          "\"saved\":3145728}"));
}

static void what_was_left_out_is_told(void **state)
{
    CLEANUP(lock_clear) struct lock l = {0};

    lock_make(&l);
    assert_false(says(&l, "slim"));
    vec_push(&l.slim)->rule = slim_rule_named(STR("numpy-tests"));
    vec_push(&l.slim)->rule = slim_rule_named(STR("triton-static"));
    assert_true(says(&l, "slim, left out of wheels\n"
                         "  numpy-tests                 NumPy's own tests\n"
                         "  triton-static               "));
    assert_false(json_says(&l, "packed"));
    l.built = true;
    l.slim.v[0].files = 503;
    l.slim.v[0].bytes = 6 * MIB;
    l.slim.v[0].packed = MIB;
    assert_true(says(&l,
                     "slim, left out of wheels       files     in wheels     unpacked\n"
                     "  numpy-tests                  503        1.0 MiB        6.0 MiB  NumPy's "
                     "own tests\n"));
    assert_false(says(&l, "triton-static")); /* this one has none */
    assert_true(json_says(&l,
                          "\"rule\":\"numpy-tests\",\"what\":\"NumPy's own tests\",\"why\":\"only "
                          "numpy.test() runs them\",\"files\":503,\"packed\":1048576,"
                          "\"unpacked\":6291456}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_told_as_far_as_they_are_known),
        cmocka_unit_test(the_toolkit_is_told),
        cmocka_unit_test(what_was_left_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
