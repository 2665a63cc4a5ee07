/* Wheels that are built from source, in a lock: what they are built from, and in which system. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lock_fixture.h"
#include "model/lock_root.h"

/* One wheel that is built, by another that is built, and the compilers for both. */
static void source_make(struct lock *l, bool built)
{
    struct arena *a = &l->doc.arena;
    struct artifact_source *s = arena_alloc(a, 2 * sizeof *s), *inner = s + 1;
    struct artifact *tool = vec_push(&l->tools), *wheel;

    needs_make(l);
    *inner = (struct artifact_source){
        .sdist = {STR_INIT("flit_core-3.tar.gz"), STR_INIT("https://a.test/f"), 5, {{5}}},
        .isolated = true,
        .root = words_in(l, "base python")};
    *s = (struct artifact_source){
        .sdist = {STR_INIT("sympy-1.0.tar.gz"), STR_INIT("./wheels/sympy-1.0.tar.gz"), 7, {{7}}},
        .root = words_in(l, "base python compile"),
        .requires = arena_alloc(a, 2 * sizeof *s->requires),
        .requires_n = 2,
        .env = words_in(l, "A=1 B=2"),
        .settings = words_in(l, "x=y"),
        .archs = words_in(l, "8.0 9.0+PTX"),
        .expect = words_in(l, "amp_C"),
        .abi = built ? STR("torch2.6.0+cu124cxx11abiFALSE") : STR(""),
        .made = words_in(l, built ? "a b" : ""),
        .files = arena_alloc(a, sizeof *s->files),
        .files_n = 1};
    s->files[0] =
        (struct artifact_file){STR_INIT("x.bin"), STR_INIT("https://a.test/x.bin"), 9, {{9}}};
    s->requires[0] = (struct artifact){.eco = ECO_WHEEL,
                                       .name = STR_INIT("flit-core"),
                                       .version = STR_INIT("3"),
                                       .from = STR_INIT("somewhere"),
                                       .source = inner};
    s->requires[1] = (struct artifact){.eco = ECO_WHEEL,
                                       .name = STR_INIT("setuptools"),
                                       .version = STR_INIT("80.0"),
                                       .from = STR_INIT("somewhere"),
                                       .group = STR_INIT(ARTIFACT_OF_ROOT),
                                       .file = STR_INIT("setuptools.whl"),
                                       .url = STR_INIT("https://a.test/setuptools.whl"),
                                       .size = 3,
                                       .digest = {{3}}};
    *tool = (struct artifact){.eco = ECO_DEB,
                              .name = STR_INIT("gcc"),
                              .version = STR_INIT("12"),
                              .group = STR_INIT("compile"),
                              .from = STR_INIT("somewhere"),
                              .file = STR_INIT("gcc.deb"),
                              .url = STR_INIT("https://a.test/gcc.deb"),
                              .size = 3,
                              .digest = {{4}}};
    wheel = &l->artifacts.v[l->artifacts.n - 2];
    assert_true(str_is(wheel->name, "sympy"));
    wheel->source = s;
    wheel->url = (struct str){0};
    wheel->file = STR("sympy-1.0-py3-none-any.whl");
    if (built)
        return;
    wheel->file = (struct str){0};
    wheel->size = 0;
    wheel->digest = (struct digest){0};
}

/* Locks of wheels alone keep their bytes; the file of one that is built comes with its build. */
static void what_is_built_is_kept(void **state)
{
    for (int built = 0; built < 2; built++) {
        CLEANUP(lock_clear) struct lock plain = {0}, l = {0}, again = {0};
        CLEANUP(buf_clear) struct buf without = {0}, text = {0}, second = {0};
        CLEANUP(err_clear) struct err e = {0};
        const struct artifact *a;

        needs_make(&plain);
        lock_print(&without, &plain);
        assert_null(strstr(without.p, "\"source\""));
        assert_null(strstr(without.p, "\"tools\""));
        source_make(&l, built);
        lock_print(&text, &l);
        if (read_text(&again, buf_view(&text), &e) < 0)
            fail_msg("%s", e.msg);
        a = lock_find(&again, ECO_WHEEL, STR("sympy"));
        assert_true(a->source && digest_is_set(&a->digest) == built);
        assert_true(a->source->sdist.size == 7 && !a->source->isolated);
        assert_int_equal(a->source->requires_n, 2);
        assert_true(a->source->requires[0].source->isolated);
        assert_true(!a->source->requires[0].group.len);
        assert_true(str_is(a->source->requires[1].group, ARTIFACT_OF_ROOT));
        assert_true(str_is(a->source->archs.v[1], "9.0+PTX"));
        assert_true(a->source->made.n == (built ? 2 : 0));
        assert_int_equal(artifact_download(a), 7);
        assert_true(str_is(a->source->abi, built ? "torch2.6.0+cu124cxx11abiFALSE" : ""));
        assert_true(again.tools.n == 1 && str_is(again.tools.v[0].name, "gcc"));
        lock_print(&second, &again);
        assert_string_equal(text.p, second.p);
    }
}

/* The one of the recipe, from a folder; what a settled lock keeps lacks its layer. */
static void a_project_is_kept(void **state)
{
    static const struct damage damage = {"\"./sub/\"", "\"https://a.test/x\"",
                                         "is of group \"project\""};
    CLEANUP(lock_clear) struct lock l = {0}, again = {0};
    CLEANUP(buf_clear) struct buf text = {0}, second = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct artifact *a;
    struct artifact_source *s;

    source_make(&l, false);
    a = &l.artifacts.v[l.artifacts.n - 2];
    s = arena_alloc(&l.doc.arena, sizeof *s);
    *s = *a->source;
    s->sdist = (struct artifact_file){STR_INIT("sympy.tar"), STR_INIT("./sub/"), 7, {{7}}};
    a->source = s;
    a->group = STR(ARTIFACT_OF_PROJECT);
    lock_plan(&l);
    lock_print(&text, &l);
    if (read_text(&again, buf_view(&text), &e) < 0)
        fail_msg("%s", e.msg);
    assert_true(str_is(lock_project(&again)->name, "sympy"));
    lock_print(&second, &again);
    assert_string_equal(text.p, second.p);
    expect_told(&l, &damage);
}

/* The image's layers below, then its pip, then the compilers of `tools`: no other wheel. */
static void a_build_sees_the_system_and_the_tools(void **state)
{
    static const char *const names[] = {"base", "python", "pip", "setuptools", "compile"};
    const struct artifact pip = {.eco = ECO_WHEEL, .name = STR_INIT("pip"), .digest = {{8}}};
    CLEANUP(lock_clear) struct lock l = {0}, root = {0};
    const struct artifact_source *s;

    source_make(&l, false);
    s = lock_find(&l, ECO_WHEEL, STR("sympy"))->source;
    lock_root(&root, &l, s, &pip);
    assert_int_equal(root.layers.n, ARRAY_LEN(names));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct lock_layer *layer = &root.layers.v[i];

        assert_true(str_is(layer->name, names[i]));
        assert_int_equal(layer->artifacts.n, 1);
    }
    assert_true(str_is(root.artifacts.v[root.layers.v[4].artifacts.v[0]].name, "gcc"));
    assert_true(digest_eq(&root.artifacts.v[root.layers.v[2].artifacts.v[0]].digest, &pip.digest));
    assert_int_equal(root.artifacts.n, 5);
    assert_int_equal(root.created, l.created);
}

/* Since format 3 what all of its packages decide together is a layer, of roots too. */
static void a_root_has_its_state(void **state)
{
    const struct artifact pip = {.eco = ECO_WHEEL, .name = STR_INIT("pip"), .digest = {{8}}};
    CLEANUP(lock_clear) struct lock l = {0}, root = {0};

    source_make(&l, false);
    l.format = 3;
    lock_root(&root, &l, lock_find(&l, ECO_WHEEL, STR("sympy"))->source, &pip);
    assert_int_equal(root.layers.n, 6);
    assert_int_equal(root.layers.v[5].group, LOCK_STATE);
    assert_int_equal(root.layers.v[5].artifacts.n, 0);
}

/* On an image it is the environment of its Python; the image's own layers come from there. */
static void on_an_image_a_root_is_what_lies_on_it(void **state)
{
    static struct str groups[] = {STR_INIT("sha256:0"), STR_INIT("python")};
    const struct artifact_source build = {.root = {groups, 2, 0}};
    const struct artifact pip = {.eco = ECO_WHEEL, .name = STR_INIT("pip")};
    CLEANUP(lock_clear) struct lock l = {.format = 3}, root = {0};

    l.image = (struct lock_image){.ref = STR_INIT("oci:x"), .manifest = {{9}}};
    vec_add(&l.layers, ((struct lock_layer){.name = STR_INIT("image-1"), .kind = LOCK_IMAGE}));
    lock_root(&root, &l, &build, &pip);
    assert_int_equal(root.layers.n, 2);
    assert_true(root.layers.v[0].group == LOCK_PYTHON && str_is(root.layers.v[1].name, "pip"));
    assert_true(digest_eq(&root.image.manifest, &l.image.manifest));
}

static void add(struct lock *l, enum ecosystem eco, const char *name, const char *group)
{
    vec_add(&l->artifacts,
            ((struct artifact){.eco = eco, .name = str_of(name), .group = str_of(group)}));
}

/* Once the lock has its layers; with the wheels that it links to, each in the build's own version.
 */
static void a_build_sees_the_toolkit(void **state)
{
    static struct str groups[] = {STR_INIT("base"), STR_INIT("toolkit")};
    static struct artifact requires[] = {
        {.eco = ECO_WHEEL,
         .name = STR_INIT("nvidia-a"),
         .version = STR_INIT("of the build"),
         .group = STR_INIT(ARTIFACT_OF_ROOT)},
        {.eco = ECO_WHEEL, .name = STR_INIT("ninja")},
        {.eco = ECO_WHEEL, .name = STR_INIT("torch"), .group = STR_INIT(ARTIFACT_OF_ROOT)}};
    const struct artifact_source build = {
        .root = {groups, 2, 0}, .requires = requires, .requires_n = 3};
    const struct artifact pip = {.eco = ECO_WHEEL, .name = STR_INIT("pip")};
    struct lock_stand_in stand_in = {.name = STR_INIT("envbuild-cuda")};
    CLEANUP(lock_clear) struct lock l = {0};

    vec_add(&stand_in.provides, STR("libcuda1"));
    vec_add(&l.toolkit.stand_ins, stand_in);
    l.toolkit.from = STR("apt");
    add(&l, ECO_DEB, "bash", "base");
    add(&l, ECO_DEB, "nvcc", "toolkit");
    add(&l, ECO_WHEEL, "nvidia-a", "pip");
    add(&l, ECO_WHEEL, "nvidia-b", "pip");
    add(&l, ECO_WHEEL, "numpy", "pip");
    add(&l, ECO_REDIST, "cuda_nvcc", "toolkit");
    for (int chosen = 0; chosen < 2; chosen++) {
        CLEANUP(lock_clear) struct lock root = {0};
        CLEANUP(buf_clear) struct buf names = {0};
        const struct lock_layer *layer;

        if (chosen)
            vec_add(&l.layers, ((struct lock_layer){.kind = LOCK_SYSTEM, .group = LOCK_TOOLKIT}));
        lock_root(&root, &l, &build, &pip);
        vec_each(layer, &root.layers)
            buf_fmt(&names, STR_FMT ":%zu ", STR_ARG(layer->name), layer->artifacts.n);
        assert_string_equal(names.p, chosen
                                         ? "base:1 nvidia-a:1 nvidia-b:1 pip:1 torch:1 toolkit:2 "
                                         : "base:1 nvidia-a:1 pip:1 torch:1 ");
        assert_true(str_is(lock_find(&root, ECO_WHEEL, STR("nvidia-a"))->version, "of the build"));
        assert_true(lock_find(&root, ECO_WHEEL, STR("torch"))->requested);
        assert_int_equal(root.toolkit.stand_ins.n, chosen);
        if (chosen)
            assert_true(str_is(root.toolkit.stand_ins.v[0].provides.v[0], "libcuda1"));
    }
}

static void what_is_built_is_judged(void **state)
{
    static const struct damage cases[] = {
        {"\"file\": \"sympy-1.0.tar.gz\"", "\"file\": \"a/b\"", "is not a file"},
        {"./wheels/sympy", "ext::sympy", "is not a file"},
        {"\"python\", \"compile\"", "\"python\", \"kernel\"", "\"kernel\" is not a group"},
        {"\"expect\"", "\"abi\": \"../x\", \"expect\"", "abi \"../x\" is not what a lock has"},
        {"\"A=1\"", "\"A=\\u0007\"", "is not a line of text"},
        {"\"name\": \"setuptools\"", "\"name\": \"a\"", "or not in order"},
        {"https://a.test/setuptools.whl", "ftp://a.test/setuptools.whl", "url"},
        {"\"group\": \"compile\"", "\"group\": \"apt\"", "no deb of group \"compile\""},
        {"\"name\": \"gcc\"", "\"name\": \"git\"", "the image has it too"},
        {"\"group\": \"root\"", "\"group\": \"pip\"", "group \"pip\" is not what a lock has"},
        {"\"name\": \"sympy\"", "\"name\": \"sympy\", \"group\": \"root\"",
         "group \"root\" is not what a lock has"},
    };
    CLEANUP(lock_clear) struct lock l = {0};

    source_make(&l, false);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_told(&l, &cases[i]);
}

static void git_make(struct lock *l)
{
    struct artifact_source *s = arena_alloc(&l->doc.arena, sizeof *s);
    struct artifact *wheel;

    source_make(l, false);
    wheel = &l->artifacts.v[l->artifacts.n - 2];
    *s = *wheel->source;
    s->sdist.url = STR("git+https://h.test/x.git@main#subdirectory=a/b");
    s->commit = STR("0123456789012345678901234567890123456789");
    s->tags = words_in(l, "v1.0");
    wheel->source = s;
}

static void what_is_of_git_has_its_commit(void **state)
{
    static const struct damage cases[] = {
        {"0123456789012345678901234567890123456789", "main", "\"main\" is not a commit"},
        {"\"v1.0\"", "\"--upload-pack=x\"", "\"--upload-pack=x\" is not a tag"},
        {"git+https://h.test", "git+ext://h.test", "is not the address of a git repository"},
        {"git+https", "https", "is not the address of a git repository"},
        {"\"commit\"", "\"comit\"", "comit"},
    };
    CLEANUP(lock_clear) struct lock l = {0}, again = {0};
    CLEANUP(buf_clear) struct buf text = {0}, second = {0};
    CLEANUP(err_clear) struct err e = {0};
    const struct artifact_source *s;

    git_make(&l);
    lock_print(&text, &l);
    if (read_text(&again, buf_view(&text), &e) < 0)
        fail_msg("%s", e.msg);
    s = lock_find(&again, ECO_WHEEL, STR("sympy"))->source;
    assert_true(str_starts(s->commit, STR("0123")) && str_is(s->folder, "a/b"));
    assert_true(s->tags.n == 1 && str_is(s->tags.v[0], "v1.0"));
    lock_print(&second, &again);
    assert_string_equal(text.p, second.p);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_told(&l, &cases[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_built_is_kept),
        cmocka_unit_test(a_project_is_kept),
        cmocka_unit_test(a_build_sees_the_system_and_the_tools),
        cmocka_unit_test(a_root_has_its_state),
        cmocka_unit_test(on_an_image_a_root_is_what_lies_on_it),
        cmocka_unit_test(a_build_sees_the_toolkit),
        cmocka_unit_test(what_is_built_is_judged),
        cmocka_unit_test(what_is_of_git_has_its_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
