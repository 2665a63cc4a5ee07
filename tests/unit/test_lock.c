/* tests/unit/test_lock.c - a lock prints and reads back the same; damaged ones are told. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lock_fixture.h"

/* A file made for the image, with the digest of its text. */
static void text_add(struct lock *l, const char *to, const char *text)
{
    struct lock_copy *copy = vec_push(&l->copies);
    struct lock_file file = {.executable = true, .size = strlen(text)};

    hash_bytes(&file.digest, text, strlen(text));
    copy->to = str_of(to);
    copy->text = str_of(text);
    vec_add(&copy->files, file);
}

static void layers_stand_by_how_rarely_they_change(void **state)
{
    static const char *const names[] = {
        "base", "python", "cuda", "nvidia-cudnn-cu12", "torch", "wheels", "numpy", "apt", "files"};
    CLEANUP(lock_clear) struct lock l = {0};

    lock_make(&l);
    assert_int_equal(l.layers.n, ARRAY_LEN(names));
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_true(str_is(l.layers.v[i].name, names[i]));
}

static void a_compat_package_is_told_where_there_is_one(void **state)
{
    CLEANUP(lock_clear) struct lock l = {0}, again = {0};
    CLEANUP(buf_clear) struct buf without = {0}, with = {0};
    CLEANUP(err_clear) struct err e = {0};

    lock_make(&l);
    l.facts.archs_read = true;
    lock_print(&without, &l);
    assert_null(strstr(without.p, "compat"));
    assert_null(strstr(without.p, "archs"));
    l.facts.compat = STR("550.54.15");
    lock_print(&with, &l);
    assert_int_equal(read_text(&again, buf_view(&with), &e), 0);
    assert_true(str_is(again.facts.compat, "550.54.15"));
}

static void what_is_printed_reads_back_the_same(void **state)
{
    for (int built = 0; built < 3; built++) {
        CLEANUP(lock_clear) struct lock l = {0}, again = {0};
        CLEANUP(buf_clear) struct buf text = {0}, second = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct digest a, b;

        lock_make(&l);
        lock_digest(&a, &l);
        if (built) {
            l.built = true;
            l.encoder = STR("deflate/1");
            vec_add(&l.uncovered, STR("x 1 postinst"));
            if (built > 1)
                vec_add(&l.findings, STR("/a needs libx.so.1, which is not in the image"));
            for (size_t i = 0; i < l.layers.n; i++) {
                digest_of(&l.layers.v[i].digest, (unsigned char)(i + 20));
                digest_of(&l.layers.v[i].diff_id, (unsigned char)(i + 40));
                l.layers.v[i].size = i + 1;
                if (built > 1)
                    l.layers.v[i].chunked = (struct chunked){l.config, 1, 2, 3, 4, 5, 6 + i};
            }
            digest_of(&l.config, 60);
            digest_of(&l.manifest, 61);
            if (built > 1)
                l.layers.v[0].chunked.toc = l.config;
        }
        lock_print(&text, &l);
        assert_true((strstr(text.p, "\"chunked\"") != NULL) == (built > 1));
        if (read_text(&again, buf_view(&text), &e) < 0)
            fail_msg("%s", e.msg);
        if (built > 1)
            assert_memory_equal(&again.layers.v[0].chunked, &l.layers.v[0].chunked,
                                sizeof l.layers.v[0].chunked);
        lock_print(&second, &again);
        assert_string_equal(text.p, second.p);
        assert_int_equal(again.built, built > 0);
        assert_int_equal(again.findings.n, built > 1);
        lock_digest(&b, &again); /* of the chosen part alone */
        assert_true(digest_eq(&a, &b));
    }
}

static void offers_make(struct lock *l)
{
    lock_make(l);
    vec_add(&l->ports, STR("8888/tcp"));
    vec_add(&l->volumes, STR("/data"));
    vec_add(&l->health.command, STR("curl"));
    l->health.interval = 3;
    l->health.retries = 2;
    text_add(l, "/usr/local/share/ca-certificates/corp.crt", "x");
}

/* They are there only where they are used, so that older locks keep their digests. */
static void what_an_image_offers_is_kept(void **state)
{
    CLEANUP(lock_clear) struct lock l = {0}, plain = {0}, again = {0};
    CLEANUP(buf_clear) struct buf text = {0}, second = {0}, none = {0};
    CLEANUP(err_clear) struct err e = {0};

    offers_make(&l);
    assert_true(lock_has_certificates(&l));
    lock_print(&text, &l);
    if (read_text(&again, buf_view(&text), &e) < 0)
        fail_msg("%s", e.msg);
    lock_print(&second, &again);
    assert_string_equal(text.p, second.p);
    lock_make(&plain);
    assert_false(lock_has_certificates(&plain));
    lock_print(&none, &plain);
    assert_null(strstr(none.p, "ports"));
    assert_null(strstr(none.p, "volumes"));
    assert_null(strstr(none.p, "healthcheck"));
}

/* A devel image's: all of a toolkit that can be. */
static void toolkit_make(struct lock *l)
{
    struct lock_stand_in *s;

    lock_make(l);
    artifact_add(l, ECO_REDIST, "cuda_nvcc", "toolkit", 50u << 20);
    artifact_add(l, ECO_DEB, "gcc-11", "compile", 100);
    artifact_add(l, ECO_WHEEL, "setuptools", "variant", 100);
    l->variant = STR("devel");
    l->toolkit = (struct lock_toolkit){.from = STR_INIT("nvidia"),
                                       .version = STR_INIT("12.4.1"),
                                       .root = STR_INIT("/usr/local/cuda-12.4"),
                                       .gcc = STR_INIT("11"),
                                       .sources = STR_INIT("Types: deb\n")};
    s = vec_push(&l->toolkit.stand_ins);
    s->name = STR("envbuild-cuda-of-wheels");
    s->version = STR("12.4.1");
    s->summary = STR("libraries");
    vec_add(&s->provides, STR("libcublas12 (= 12.4.5.8~12.4.1-2)"));
    vec_add(&s->links, ((struct lock_link){STR_INIT("/usr/lib/libcublas.so.12"),
                                           STR_INIT("/opt/venv/libcublas.so.12")}));
    lock_plan(l);
}

/* What a variant adds comes on top of what all of them have, layer by layer. */
static void what_runtime_has_stands_below_what_devel_adds(void **state)
{
    static const char *const added[] = {"compile", "compile-wheels", "toolkit", "files"};
    CLEANUP(lock_clear) struct lock runtime = {0}, devel = {0};
    size_t n;

    lock_make(&runtime);
    toolkit_make(&devel);
    n = runtime.layers.n - 1; /* but for its files */
    assert_int_equal(devel.layers.n, n + ARRAY_LEN(added));
    for (size_t i = 0; i < n; i++) {
        const struct lock_layer *a = &runtime.layers.v[i], *b = &devel.layers.v[i];

        assert_true(str_eq(a->name, b->name) && a->kind == b->kind);
        assert_int_equal(a->artifacts.n, b->artifacts.n);
        for (size_t j = 0; j < a->artifacts.n; j++)
            assert_true(str_eq(runtime.artifacts.v[a->artifacts.v[j]].name,
                               devel.artifacts.v[b->artifacts.v[j]].name));
    }
    for (size_t i = 0; i < ARRAY_LEN(added); i++)
        assert_true(str_is(devel.layers.v[n + i].name, added[i]));
}

/* A toolkit of wheels is a layer of links alone. */
static void a_toolkit_of_wheels_has_a_layer_too(void **state)
{
    CLEANUP(lock_clear) struct lock l = {0};
    const struct lock_layer *layer;

    lock_make(&l);
    l.toolkit.from = STR("pypi");
    lock_plan(&l);
    layer = lock_layer_of(&l, LOCK_TOOLKIT);
    assert_true(layer && layer->kind == LOCK_SYSTEM && !layer->artifacts.n);
}

/* Locks without a toolkit keep their bytes. */
static void a_toolkit_is_kept(void **state)
{
    CLEANUP(lock_clear) struct lock plain = {0}, l = {0}, again = {0};
    CLEANUP(buf_clear) struct buf without = {0}, text = {0}, second = {0};
    CLEANUP(err_clear) struct err e = {0};
    const struct artifact *a;
    const struct lock_stand_in *s;

    lock_make(&plain);
    lock_print(&without, &plain);
    assert_null(strstr(without.p, "toolkit"));
    assert_non_null(strstr(without.p, "\"envbuild_lock\": 4"));
    toolkit_make(&l);
    lock_print(&text, &l);
    assert_non_null(strstr(text.p, "\"envbuild_lock\": 4"));
    if (read_text(&again, buf_view(&text), &e) < 0)
        fail_msg("%s", e.msg);
    a = lock_find(&again, ECO_REDIST, STR("cuda_nvcc"));
    assert_true(a && str_is(a->group, "toolkit") && a->size == 50u << 20);
    assert_null(lock_find(&again, ECO_WHEEL, STR("cuda_nvcc")));
    assert_string_equal(ecosystem_name(a->eco), "redist");
    assert_true(str_is(again.toolkit.from, "nvidia") && str_is(again.toolkit.gcc, "11"));
    assert_true(str_is(again.toolkit.sources, "Types: deb\n"));
    assert_int_equal(again.toolkit.stand_ins.n, 1);
    s = &again.toolkit.stand_ins.v[0];
    assert_true(s->provides.n == 1 && s->links.n == 1);
    assert_true(str_is(s->links.v[0].target, "/opt/venv/libcublas.so.12"));
    lock_print(&second, &again);
    assert_string_equal(text.p, second.p);
}

/* Rules stand in the chosen part, what they left out and how large layers are in the built one. */
static void slim_locks_and_sizes_are_kept(void **state)
{
    CLEANUP(lock_clear) struct lock l = {0}, again = {0};
    CLEANUP(buf_clear) struct buf text = {0}, second = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct digest plain, slim, built, read;

    lock_make(&l);
    lock_digest(&plain, &l);
    vec_push(&l.slim)->rule = slim_rule_named(STR("numpy-tests"));
    lock_digest(&slim, &l);
    assert_false(digest_eq(&plain, &slim));
    l.built = true;
    l.encoder = STR("deflate/1");
    l.slim.v[0].files = 3;
    l.slim.v[0].bytes = 4;
    l.slim.v[0].packed = 5;
    for (size_t i = 0; i < l.layers.n; i++) {
        digest_of(&l.layers.v[i].digest, 20);
        digest_of(&l.layers.v[i].diff_id, 40);
        l.layers.v[i].unpacked = i * 10;
    }
    lock_digest(&built, &l);
    assert_true(digest_eq(&built, &slim));
    lock_print(&text, &l);
    assert_non_null(strstr(text.p, "\"envbuild_lock\": 4"));
    if (read_text(&again, buf_view(&text), &e) < 0)
        fail_msg("%s", e.msg);
    lock_print(&second, &again);
    assert_string_equal(text.p, second.p);
    lock_digest(&read, &again);
    assert_true(digest_eq(&read, &slim));
    assert_int_equal(again.layers.v[0].unpacked, 0);
    assert_int_equal(again.layers.v[2].unpacked, 20);
    assert_int_equal(again.slim.n, 1);
    assert_int_equal(again.slim.v[0].packed, 5);
}

static void needs_are_kept(void **state)
{
    CLEANUP(lock_clear) struct lock l = {0}, again = {0};
    CLEANUP(buf_clear) struct buf text = {0}, second = {0};
    CLEANUP(err_clear) struct err e = {0};
    const struct artifact *torch;

    needs_make(&l);
    lock_print(&text, &l);
    if (read_text(&again, buf_view(&text), &e) < 0)
        fail_msg("%s", e.msg);
    lock_print(&second, &again);
    assert_string_equal(text.p, second.p);
    torch = lock_find(&again, ECO_WHEEL, STR("torch"));
    assert_int_equal(torch->turn, 7);
    assert_int_equal(torch->needs.n, 2);
    assert_true(str_is(torch->needs.v[1], "sympy"));
    assert_int_equal(torch->extras.n, 1);
    assert_true(str_is(torch->extras.v[0].name, "opt,x"));
    assert_true(str_is(torch->extras.v[0].needs.v[0], "numpy[fast]"));
}

static void unknown_rules_are_refused(void **state)
{
    CLEANUP(lock_clear) struct lock l = {0}, again = {0};
    CLEANUP(buf_clear) struct buf text = {0}, bad = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct str rest, head;

    lock_make(&l);
    vec_push(&l.slim)->rule = slim_rule_named(STR("numpy-tests"));
    lock_print(&text, &l);
    rest = buf_view(&text);
    assert_true(str_cut(&rest, STR("numpy-tests"), &head));
    buf_fmt(&bad, STR_FMT "numpy-tests-2" STR_FMT, STR_ARG(head), STR_ARG(rest));
    assert_int_equal(read_text(&again, buf_view(&bad), &e), -1);
    assert_non_null(strstr(e.msg, "slim: rule \"numpy-tests-2\" is not known to this envbuild"));
}

static void damaged_offers_are_told(void **state)
{
    static const struct damage cases[] = {
        {"\"8888/tcp\"", "\"8888\"", "ports: \"8888\" is not one such as 8888/tcp"},
        {"\"8888/tcp\"", "\"8888/x\"", "ports: \"8888/x\" is not one"},
        {"\"/data\"", "\"data\"", "volumes: \"data\" is not an absolute path"},
        {"[\"curl\"]", "[]", "healthcheck: it has no command"},
        {"[\"curl\"]", "[\"\"]", "healthcheck: \"\" is not a command"},
        {"\"interval\"", "\"intervals\"", "intervals"},
    };
    CLEANUP(lock_clear) struct lock l = {0};

    offers_make(&l);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_told(&l, &cases[i]);
}

static void damaged_locks_are_told(void **state)
{
    static const struct damage cases[] = {
        {"\"envbuild_lock\": 4", "\"envbuild_lock\": 5", "lock schema 5"},
        {"\"format\": 1", "\"format\": 7", "layer format 7"},
        {"\"type\": \"wheel\"", "\"type\": \"weel\"", "weel"},
        {"wheel:sympy", "wheel:simpy", "wheel:simpy"},
        {"wheel:sympy", "deb:git",
         "layer \"wheels\" is of kind \"wheels\", which has no deb \"git\""},
        {"deb:python3", "wheel:torch",
         "layer \"python\" is of kind \"system\", which has no wheel \"torch\""},
        {"\"kind\": \"system\"", "\"kind\": \"sistem\"", "sistem"},
        {"\"workdir\"", "\"wrkdir\"", "workdir"},
        {"sha256:0202", "sha256:zz02", "sha256"},
        {"\"digest\": \"sha256:", "\"digest\": \"sha256:ab", "digest"},
        {"\"size\": 100", "\"size\": -1", "size"},
        {"{\"name\"", "[\"name\"", "JSON"},
    };
    CLEANUP(lock_clear) struct lock l = {0};

    lock_make(&l);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_told(&l, &cases[i]);
}

static void damaged_needs_are_told(void **state)
{
    static const struct damage cases[] = {
        {"\"turn\": 7", "\"turn\": 0", "turn: the first one is 1"},
        {"\"turn\": 7", "\"turm\": 7", "turn"},
        {"\"turn\": 7", "\"turn\": 99999999999", "turn"},
        {"\"needs\": []", "\"needs\": {}", "needs"},
        {"\"sympy\"]", "\"simpy\"]", "needs \"simpy\", which is not a wheel of the lock"},
        {"\"sympy\"]", "\"git\"]", "needs \"git\", which is not a wheel of the lock"},
        {"[\"nvidia-cudnn-cu12\", \"sympy\"]", "[\"torch\", \"sympy\"]",
         "twice, or is not in order"},
        {"numpy[fast]", "numpy[fast", "numpy[fast\""},
        {"numpy[fast]", "numpy[]", "numpy[]\""},
        {"opt,x", "opt x", "\"opt x\" is not a name of an extra"},
    };
    CLEANUP(lock_clear) struct lock l = {0};

    needs_make(&l);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_told(&l, &cases[i]);
}

static void damaged_overlaps_are_told(void **state)
{
    static const struct damage cases[] = {
        {"\"winner\": \"torch\"", "\"winner\": \"git\"", "are not two wheels of the lock"},
        {"\"winner\": \"torch\"", "\"winner\": \"sympy\"", "are not two wheels of the lock"},
        {"\"a/b\", \"a/c\"", "", "are not two wheels of the lock that share paths"},
        {"\"a/b\", \"a/c\"", "\"a/c\", \"a/b\"", "\"a/b\" is not a path, or not in order"},
        {"\"a/b\", \"a/c\"", "\"../b\"", "\"../b\" is not a path"},
        {"\"a/b\", \"a/c\"", "\"/b\"", "\"/b\" is not a path"},
    };
    struct strs left = {0};
    CLEANUP(lock_clear) struct lock l = {0}, again = {0};
    CLEANUP(buf_clear) struct buf text = {0}, second = {0};
    struct err e = {0};
    struct lock_overlap *o;

    needs_make(&l);
    o = vec_push(&l.overlaps);
    o->winner = STR("torch");
    o->loser = STR("sympy");
    vec_add(&o->paths, STR("a/b"));
    vec_add(&o->paths, STR("a/c"));
    l.built = true;
    l.encoder = STR("deflate/1");
    lock_print(&text, &l);
    if (read_text(&again, buf_view(&text), &e) < 0)
        fail_msg("%s", e.msg);
    lock_print(&second, &again);
    assert_string_equal(text.p, second.p);
    lock_left_out(&left, &again, STR("sympy"));
    assert_true(left.n == 2 && str_is(left.v[0], "a/b") && str_is(left.v[1], "a/c"));
    left.n = 0;
    lock_left_out(&left, &again, STR("torch"));
    assert_int_equal(left.n, 0);
    vec_clear(&left);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_told(&l, &cases[i]);
}

/* Paths, links and lines of dpkg's database come from here. */
static void a_toolkit_that_leads_elsewhere_is_told(void **state)
{
    static const struct damage cases[] = {
        {"\"from\": \"nvidia\"", "\"from\": \"conda\"",
         "toolkit: from \"conda\" is not known here"},
        {"\"version\": \"12.4.1\"", "\"version\": \"12.4;x\"",
         "version \"12.4;x\" is not a CUDA release"},
        {"/usr/local/cuda-12.4", "/etc",
         "toolkit: root \"/etc\" is not /usr/local/cuda- and a version"},
        {"/usr/local/cuda-12.4", "/usr/local/cuda-12.4/../..",
         "root \"/usr/local/cuda-12.4/../..\""},
        {"/usr/local/cuda-12.4", "/usr/local/cuda-", "root"},
        {"/usr/local/cuda-12.4", "usr/local/cuda-12.4", "root"},
        {"/usr/local/cuda-12.4", "/usr/local/cuda-12.4\\u0000/x", "root"},
        {"\"gcc\": \"11\"", "\"gcc\": \"11/../x\"", "gcc \"11/../x\" is not a major version"},
        {"\"name\": \"envbuild-cuda-of-wheels\"", "\"name\": \"../x\"",
         "name \"../x\" is not a package's"},
        {"\"name\": \"envbuild-cuda-of-wheels\"", "\"name\": \"a\\nb\"", "is not a package's"},
        {"\"summary\": \"libraries\"", "\"summary\": \"x\\n\\nPackage: y\"",
         "is not a line of text"},
        {"\"summary\": \"libraries\"", "\"summary\": \"\"", "is not a line of text"},
        {"libcublas12 (= 12.4.5.8~12.4.1-2)", "libcublas12",
         "\"libcublas12\" is not a package and its version"},
        {"libcublas12 (= 12.4.5.8~12.4.1-2)", "libcublas12 (= 1), dpkg (= 9)",
         "is not a package and its version"},
        {"libcublas12 (= 12.4.5.8~12.4.1-2)", "libcublas12 (= 1)\\nEssential: yes (= 1)",
         "is not a package and"},
        {"/usr/lib/libcublas.so.12", "../x", "path \"../x\" is not a place for a link"},
        {"/usr/lib/libcublas.so.12", "/usr/../../x", "is not a place for a link"},
        {"/usr/lib/libcublas.so.12", "/usr/lib/x\\ny", "is not a place for a link"},
        {"/opt/venv/libcublas.so.12", "../../etc/shadow", "is not a place that a link can lead to"},
        {"\"stand_ins\": [", "\"stand_inz\": [", "stand_in"},
        {"\"name\": \"toolkit\"", "\"name\": \"toolbox\"",
         "layer \"toolbox\" of kind \"system\" is not known here"},
    };
    CLEANUP(lock_clear) struct lock l = {0};

    toolkit_make(&l);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_told(&l, &cases[i]);
}

static void archives_without_a_toolkit_are_told(void **state)
{
    CLEANUP(lock_clear) struct lock l = {0}, again = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(err_clear) struct err e = {0};

    toolkit_make(&l);
    l.toolkit.from = STR("");
    lock_print(&text, &l);
    assert_int_equal(read_text(&again, buf_view(&text), &e), -1);
    assert_non_null(strstr(e.msg, "layer \"toolkit\" is of a toolkit, and the lock has none"));
}

/* Everything that a lock says is judged when it is read, whoever wrote it. */
static void what_no_lock_says_is_told(void **state)
{
    static const struct damage cases[] = {
        {"\"name\": \"pytorch\"", "\"name\": \"../x\"", "name: \"../x\" is not an image name"},
        {"\"tag\": \"1\"", "\"tag\": \"a b\"", "tag: \"a b\" is not a tag"},
        {"\"variant\": \"runtime\"", "\"variant\": \"slim\"", "variant: \"slim\" is not known"},
        {"\"python\": \"3.11\"", "\"python\": \"3.11/..\"", "python: \"3.11/..\" is not a version"},
        {"\"python_full\": \"3.11.2\"", "\"python_full\": \"3.11.2/../x\"", "python_full"},
        {"\"name\": \"debian-12\"", "\"name\": \"a/b\"", "base: \"a/b\" is not a name"},
        {"\"cuda\": \"12.4\"", "\"cuda\": \"12.4\\nX=y\"", "cuda: \"12.4"},
        {"\"cuda\": \"12.4\"", "\"cda\": \"12.4\"", "unknown key \"cda\""},
        {"\"os\": \"linux\"", "\"os\": \"plan9\"", "plan9/amd64 is not a platform"},
        {"\"architecture\": \"amd64\"", "\"architecture\": \"s390x\"",
         "linux/s390x is not a platform"},
        {"\"A=b c\"", "\"A\"", "env: \"A\" is not NAME=value"},
        {"\"A=b c\"", "\"=b\"", "env: \"=b\" is not NAME=value"},
        {"\"A=b c\"", "\"A=b\", \"A=c\"", "env: A stands there twice"},
        {"\"A=b c\"", "\"A=b\\u0000c\"", "env: a NUL byte"},
        {"\"/bin/bash\"", "\"/bin/b\\u0000sh\"", "cmd: a NUL byte"},
        {"\"workdir\": \"/workspace\"", "\"workdir\": \"x\"",
         "workdir: \"x\" is not an absolute path"},
        {"\"workdir\": \"/workspace\"", "\"workdir\": \"/a/../b\"", "workdir: \"/a/../b\""},
        {"\"workdir\": \"/workspace\"", "\"workdir\": \"/a//b\"", "workdir: \"/a//b\""},
        {"\"workdir\": \"/workspace\"", "\"workdir\": \"/proc/self\"", "workdir: \"/proc/self\""},
        {"\"name\": \"student\"", "\"name\": \"x:0:0\"", "user: \"x:0:0\" is not a name of a user"},
        {"\"uid\": 1000", "\"uid\": 4294967296", "uid"},
        {"\"group\": \"apt\"", "\"group\": \"x\"", "deb \"git\": group \"x\""},
        {"\"group\": \"apt\"", "\"group\": \"base\"", "deb \"git\" is of group \"base\""},
        {"\"version\": \"1.0\"", "\"version\": \"1.0 x\"", "deb \"git\": version \"1.0 x\""},
        {"\"file\": \"file\"", "\"file\": \"../file\"", "deb \"git\": file \"../file\""},
        {"\"url\": \"https:", "\"url\": \"gopher:", "deb \"git\": url \"gopher:"},
        {"\"name\": \"git\"", "\"name\": \"zzz\"",
         "deb \"libc6\" stands there twice, or not in order"},
        {"\"name\": \"libc6\"", "\"name\": \"git\"", "deb \"git\" stands there twice"},
        {"\"to\": \"/workspace/\"", "\"to\": \"/../etc/\"", "files: to \"/../etc/\""},
        {"\"to\": \"/workspace/\"", "\"to\": \"etc/\"", "files: to \"etc/\""},
        {"\"from\": \"notebooks/\"", "\"from\": \"/etc\"", "files: from \"/etc\""},
        {"\"path\": \"a.ipynb\"", "\"path\": \"../a\"", "files: \"../a\" is not a path below"},
        {"#!/bin/sh", "#!/bin/ls", "the text of \"/usr/local/bin/x\" has another size or sha256"},
        {"\"text\": \"#!/bin/sh\"", "\"from\": \"n\", \"to\": \"/x\"", "stands twice"},
        {"\"deb:libc6\"", "", "layer \"base\" has no artifact"},
        {"\"wheel:numpy\"", "", "layer \"numpy\" has no artifact"},
        {"\"wheel:numpy\"", "\"wheel:sympy\"", "wheel \"sympy\" is in a layer already"},
        {"\"kind\": \"files\"", "\"kind\": \"wheels\"", "layer \"files\" has no artifact"},
        {"\"kind\": \"files\"",
         "\"kind\": \"image\", \"media_type\": \"x\", \"size\": 1, \"digest\": "
         "\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\", "
         "\"diff_id\": "
         "\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"",
         "layer \"files\" is of an image, and the lock has no base image"},
        {"\"kind\": \"system\"", "\"kind\": \"wheels\"", "which has no deb \"libc6\""},
        {"\"name\": \"base\"", "\"name\": \"system\"",
         "layer \"system\" of kind \"system\" is not known here"},
        {"\"uri\": \"https", "\"uri\": \"\\u001bhttps", "archives"},
        {"\"signers\": [\"B8", "\"signers\": [\"B 8", "is not a fingerprint"},
    };
    CLEANUP(lock_clear) struct lock l = {0};

    lock_make(&l);
    text_add(&l, "/usr/local/bin/x", "#!/bin/sh");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_told(&l, &cases[i]);
}

/* A list without anything in it: `from` is what stands between its brackets. */
static void a_lock_without_layers_is_told(void **state)
{
    CLEANUP(lock_clear) struct lock l = {0}, again = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(err_clear) struct err e = {0};

    lock_make(&l);
    for (size_t i = 0; i < l.layers.n; i++)
        vec_clear(&l.layers.v[i].artifacts);
    l.layers.n = 0;
    lock_print(&text, &l);
    assert_int_equal(read_text(&again, buf_view(&text), &e), -1);
    assert_non_null(strstr(e.msg, "layers: the last one must be of kind \"files\""));
}

static void bytecode_is_a_layer_without_artifacts(void **state)
{
    static const struct damage cases[] = {
        {"\"bytecode\", \"artifacts\": []", "\"bytecode\", \"artifacts\": [\"wheel:torch\"]",
         "layer \"bytecode\" is of kind \"bytecode\", which has no wheel \"torch\""},
        {"{\"name\": \"bytecode\", \"kind\": \"bytecode\", \"artifacts\": []},",
         "{\"name\": \"bytecode\", \"kind\": \"bytecode\", \"artifacts\": []}, {\"name\": \"b\", "
         "\"kind\": \"bytecode\", \"artifacts\": []},",
         "layer \"b\" does not stand in order above \"bytecode\""},
    };
    CLEANUP(lock_clear) struct lock l = {0}, again = {0};
    CLEANUP(buf_clear) struct buf text = {0}, second = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct node *recipe;

    lock_make(&l);
    recipe = node_new_map(&l.doc);
    node_put_bool(&l.doc, recipe, "bytecode", true);
    l.recipe = recipe;
    hash_bytes(&l.recipe_digest, "{\"bytecode\":true}", 17);
    lock_plan(&l);
    assert_true(l.layers.v[l.layers.n - 2].kind == LOCK_BYTECODE);
    lock_print(&text, &l);
    assert_int_equal(read_text(&again, buf_view(&text), &e), 0);
    lock_print(&second, &again);
    assert_string_equal(second.p, text.p);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_told(&l, &cases[i]);
}

static void layer_remove(struct lock *l, const char *name)
{
    for (size_t i = 0; i < l->layers.n; i++)
        if (str_is(l->layers.v[i].name, name)) {
            vec_clear(&l->layers.v[i].artifacts);
            l->layers.n--;
            memmove(&l->layers.v[i], &l->layers.v[i + 1],
                    (l->layers.n - i) * sizeof l->layers.v[0]);
            return;
        }
    fail_msg("no layer %s", name);
}

/* Since format 3 each layer of bytecode is of the wheels below it that no other has. */
static void bytecode_is_of_all_wheels_once(void **state)
{
    static const struct {
        const char *less, *more; /* a layer that is removed, and one of bytecode that is on top */
        const char *told;
    } cases[] = {
        {NULL, NULL, NULL},
        {"torch-bytecode", NULL, NULL}, /* then numpy's is of both */
        {"asked-256k-bytecode", NULL, "layers: the lock has bytecode, and not of all wheels"},
        {NULL, "b", "layer \"b\" has no wheels below that are not compiled"},
        {"asked-256k-bytecode", "b", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(lock_clear) struct lock l = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct node *recipe;
        struct artifact *a;

        lock_make(&l);
        l.format = 3;
        vec_each(a, &l.artifacts)
            a->turn = a->eco == ECO_WHEEL;
        recipe = node_new_map(&l.doc);
        node_put_bool(&l.doc, recipe, "bytecode", true);
        l.recipe = recipe;
        hash_bytes(&l.recipe_digest, "{\"bytecode\":true}", 17);
        lock_plan(&l);
        if (cases[i].less)
            layer_remove(&l, cases[i].less);
        if (cases[i].more) {
            struct lock_layer *top = vec_push(&l.layers);

            *top = top[-1]; /* the files */
            top[-1] = (struct lock_layer){.name = str_of(cases[i].more), .kind = LOCK_BYTECODE};
        }
        if ((lock_check(&l, &e) < 0) != (cases[i].told != NULL) ||
            (cases[i].told && !strstr(e.msg, cases[i].told)))
            fail_msg("case %zu: %s", i, e.msg ? e.msg : "nothing is told");
    }
}

/* Every two layers that stand the other way round are told. */
static void layers_out_of_order_are_told(void **state)
{
    CLEANUP(lock_clear) struct lock l = {0};

    toolkit_make(&l);
    for (size_t i = 0; i + 1 < l.layers.n; i++) {
        CLEANUP(err_clear) struct err e = {0}, none = {0};
        struct lock_layer below = l.layers.v[i];

        if (below.kind == LOCK_WHEELS && l.layers.v[i + 1].kind == LOCK_WHEELS)
            continue; /* which of them is below is for plan/layering.h */
        l.layers.v[i] = l.layers.v[i + 1];
        l.layers.v[i + 1] = below;
        if (below.kind != LOCK_WHEELS && l.layers.v[i].kind != LOCK_WHEELS)
            assert_int_equal(lock_check(&l, &e), -1);
        below = l.layers.v[i];
        l.layers.v[i] = l.layers.v[i + 1];
        l.layers.v[i + 1] = below;
        assert_int_equal(lock_check(&l, &none), 0);
    }
}

/* Since format 3 the place of the toolkit is as free as that of wheels. */
static bool is_free(const struct lock_layer *l)
{
    return l->kind == LOCK_WHEELS || l->group == LOCK_TOOLKIT;
}

static void swap(struct lock_layer *x, struct lock_layer *y)
{
    struct lock_layer z = *x;

    *x = *y;
    *y = z;
}

static void layers_out_of_order_are_told_in_format_3(void **state)
{
    CLEANUP(lock_clear) struct lock l = {0};
    struct artifact *a;
    struct lock_layer *bytecode;

    toolkit_make(&l);
    l.format = 3;
    vec_each(a, &l.artifacts)
        a->turn = a->eco == ECO_WHEEL;
    lock_plan(&l);
    bytecode = vec_push(&l.layers); /* between the wheels and the files */
    *bytecode = l.layers.v[l.layers.n - 2];
    l.layers.v[l.layers.n - 2] =
        (struct lock_layer){.name = STR_INIT("bytecode"), .kind = LOCK_BYTECODE};
    for (size_t i = 0; i < l.layers.n; i++)
        for (size_t j = i + 1; j < l.layers.n; j++) {
            CLEANUP(err_clear) struct err e = {0}, none = {0};
            struct lock_layer *x = &l.layers.v[i], *y = &l.layers.v[j];
            bool matters = false;

            for (size_t k = i; k <= j; k++) /* the top is no place for what is free */
                matters |= (k != i && !is_free(&l.layers.v[k]) && !is_free(x)) ||
                           (k != j && !is_free(&l.layers.v[k]) && !is_free(y)) ||
                           l.layers.v[k].kind == LOCK_BYTECODE || l.layers.v[k].kind == LOCK_FILES;
            swap(x, y);
            if ((lock_check(&l, &e) < 0) != matters)
                fail_msg("%s and %s: %s", x->name.p, y->name.p, e.msg);
            swap(x, y);
            assert_int_equal(lock_check(&l, &none), 0);
        }
}

/* Without it files of the system would be missing. */
static void every_system_of_format_3_has_its_state(void **state)
{
    CLEANUP(lock_clear) struct lock l = {0};
    CLEANUP(err_clear) struct err e = {0}, early = {0}, some = {0};
    struct lock_layer *state_layer;
    struct artifact *a;

    lock_make(&l);
    l.format = 3;
    vec_each(a, &l.artifacts)
        a->turn = a->eco == ECO_WHEEL;
    lock_plan(&l);
    for (state_layer = l.layers.v; state_layer->group != LOCK_STATE;)
        state_layer++;
    l.format = 2;
    assert_int_equal(lock_check(&l, &early), -1);
    l.format = 3;
    vec_add(&state_layer->artifacts, 0);
    assert_int_equal(lock_check(&l, &some), -1);
    vec_clear(&state_layer->artifacts);
    memmove(state_layer, state_layer + 1,
            (size_t)(l.layers.v + l.layers.n - state_layer - 1) * sizeof *state_layer);
    l.layers.n--;
    assert_int_equal(lock_check(&l, &e), -1);
    assert_non_null(strstr(e.msg, "layers: none is \"state\" of kind \"system\""));
}

/* Names of layers are for people: a wheel may be called like what a layer is found by. */
static void wheels_may_be_called_like_layers(void **state)
{
    CLEANUP(lock_clear) struct lock l = {0}, again = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(err_clear) struct err e = {0};
    const struct lock_layer *python;

    lock_make(&l);
    artifact_add(&l, ECO_WHEEL, "python", "", 9u << 20);
    artifact_add(&l, ECO_WHEEL, "files", "", 9u << 20);
    artifact_add(&l, ECO_WHEEL, "toolkit", "", 9u << 20);
    lock_plan(&l);
    lock_print(&text, &l);
    assert_int_equal(read_text(&again, buf_view(&text), &e), 0);
    python = lock_layer_of(&again, LOCK_PYTHON);
    assert_true(python && python->kind == LOCK_SYSTEM);
    assert_null(lock_layer_of(&again, LOCK_TOOLKIT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_stand_by_how_rarely_they_change),
        cmocka_unit_test(a_compat_package_is_told_where_there_is_one),
        cmocka_unit_test(what_is_printed_reads_back_the_same),
        cmocka_unit_test(what_an_image_offers_is_kept),
        cmocka_unit_test(damaged_offers_are_told),
        cmocka_unit_test(what_runtime_has_stands_below_what_devel_adds),
        cmocka_unit_test(a_toolkit_of_wheels_has_a_layer_too),
        cmocka_unit_test(a_toolkit_is_kept),
        cmocka_unit_test(slim_locks_and_sizes_are_kept),
        cmocka_unit_test(needs_are_kept),
        cmocka_unit_test(damaged_needs_are_told),
        cmocka_unit_test(damaged_overlaps_are_told),
        cmocka_unit_test(unknown_rules_are_refused),
        cmocka_unit_test(damaged_locks_are_told),
        cmocka_unit_test(a_toolkit_that_leads_elsewhere_is_told),
        cmocka_unit_test(archives_without_a_toolkit_are_told),
        cmocka_unit_test(what_no_lock_says_is_told),
        cmocka_unit_test(a_lock_without_layers_is_told),
        cmocka_unit_test(bytecode_is_a_layer_without_artifacts),
        cmocka_unit_test(bytecode_is_of_all_wheels_once),
        cmocka_unit_test(layers_out_of_order_are_told),
        cmocka_unit_test(layers_out_of_order_are_told_in_format_3),
        cmocka_unit_test(every_system_of_format_3_has_its_state),
        cmocka_unit_test(wheels_may_be_called_like_layers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
