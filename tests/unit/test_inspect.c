/* What is found in images made by hand: packages, facts, and whether everything would load. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "oci_fixture.h"

#include "look/inspect.h"
#include "look/linkage.h"
#include "oci/layer_read.h"
#include "mkelf.h"
#include "mkfatbin.h"
#include "mktar.h"

/* An image in words, a layer after the other. */
struct world {
    const char *folder;
    struct buf tar;
    struct image_config config;
    struct image_manifest manifest;
    struct place *place;
    struct stored image;
    struct catalog catalog;
    struct inspection found;
    struct proof proof;
    struct memo *memo;
};

static void world_clear(struct world *w)
{
    memo_clear(&w->memo);
    proof_clear(&w->proof);
    inspection_clear(&w->found);
    stored_clear(&w->image);
    catalog_clear(&w->catalog);
    place_clear(&w->place);
    image_config_clear(&w->config);
    image_manifest_clear(&w->manifest);
    buf_clear(&w->tar);
}

static void open_world(struct world *w, void **state)
{
    CLEANUP(err_clear) struct err e = {0};
    const struct blob_files files = {0};

    w->folder = *state;
    w->config.platform = (struct platform){STR("linux"), STR("amd64"), {0}};
    w->manifest.config.media_type = STR(MEDIA_CONFIG);
    if (layout_open(&w->place, w->folder, &files, &e) < 0 ||
        catalog_open(&w->catalog, NULL, &e) < 0)
        fail_msg("%s", e.msg);
}

static void file(struct world *w, const char *path, const char *text)
{
    mktar(&w->tar, path, '0', "", text, strlen(text));
}

static void elf(struct world *w, const char *path, const struct mkelf *m)
{
    CLEANUP(buf_clear) struct buf bytes = {0};

    mkelf(&bytes, m);
    mktar(&w->tar, path, '0', "", bytes.p, bytes.len);
}

static void end_layer(struct world *w)
{
    CLEANUP(err_clear) struct err e = {0};
    struct descriptor *d = vec_push(&w->manifest.layers);
    static const char end[2 * TAR_BLOCK];

    buf_add(&w->tar, end, sizeof end);
    hash_bytes(vec_push(&w->config.diff_ids), w->tar.p, w->tar.len);
    d->media_type = STR(MEDIA_LAYER);
    d->size = w->tar.len;
    if (place_put_bytes(w->place, buf_view(&w->tar), &d->digest, &e) < 0)
        fail_msg("%s", e.msg);
    buf_reset(&w->tar);
}

/* What is told of an image is the same when it comes from what was remembered of its layers. */
static int look_twice(struct world *w, struct err *e)
{
    const struct scan_memory memory = {w->memo, {.memo = w->memo}};
    CLEANUP(inspection_clear) struct inspection first = {0};

    if (inspect(&first, &w->image, &w->catalog, &memory, w->folder, 2, e) < 0)
        return -1;
    for (size_t i = 0; i < w->image.manifest.layers.n; i++) {
        CLEANUP(layer_scan_clear) struct layer_scan g = {0};
        bool found = false;

        if (scan_recall(&g, &found, &memory, &w->image.manifest.layers.v[i].digest, e) < 0)
            return -1;
        assert_true(found);
    }
    return inspect(&w->found, &w->image, &w->catalog, &memory, w->folder, 2, e);
}

static void look(struct world *w)
{
    CLEANUP(free_clear) char *memory = path_join(w->folder, "memory");
    CLEANUP(buf_clear) struct buf text = {0}, json = {0}, where = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct image_name name = {.repository = STR("x"), .tag = STR("1")};
    struct digest digest;

    end_layer(w);
    image_config_write(&w->config, &text);
    w->manifest.config.size = text.len;
    if (place_put_bytes(w->place, buf_view(&text), &w->manifest.config.digest, &e) < 0)
        fail_msg("%s", e.msg);
    image_manifest_write(&w->manifest, &json);
    buf_fmt(&where, "oci:%s", w->folder);
    if (place_put_image(w->place, buf_view(&json), &name, &w->config.platform, &digest, &e) < 0 ||
        place_close(w->place, &e) < 0 ||
        stored_open_any(&w->image, buf_view(&where), "", &(struct stored_scratch){0}, &e) < 0 ||
        memo_open(&w->memo, memory, &e) < 0 || look_twice(w, &e) < 0 ||
        inspection_prove(&w->proof, &w->found, &e) < 0)
        fail_msg("%s", e.msg);
}

#define SITE "opt/venv/lib/python3.11/site-packages"

static void assert_text(struct str got, const char *want)
{
    if (!str_is(got, want))
        fail_msg("\"" STR_FMT "\" where \"%s\" belongs", STR_ARG(got), want);
}

static void a_torch_is_read_from_its_files(void **state)
{
    CLEANUP(world_clear) struct world w = {0};
    CLEANUP(buf_clear) struct buf code = {0};

    open_world(&w, state);
    vec_add(&w.config.env, STR("PATH=/opt/venv/bin:/usr/bin"));
    file(&w, "usr/lib/os-release", "NAME=\"Some\"\nPRETTY_NAME=\"Some Linux 3\"\n");
    mktar(&w.tar, "etc/os-release", '2', "../usr/lib/os-release", "", 0);
    elf(&w, "usr/lib/libc.so.6",
        &(struct mkelf){.soname = "libc.so.6",
                        .defines = {"GLIBC_2.9", "GLIBC_2.36", "GLIBC_2.4", "GLIBC_PRIVATE"}});
    elf(&w, "usr/bin/python3.11", &(struct mkelf){.needed = {"libc.so.6"}});
    elf(&w, "usr/local/bin/python3.12", &(struct mkelf){0});
    file(&w, "usr/local/include/python3.12/patchlevel.h", "#define PY_VERSION      \t\"3.12.7\"\n");
    mktar(&w.tar, "opt/venv/bin/python3", '2', "/usr/bin/python3.11", "", 0);
    file(&w, "opt/other/lib/python3.12/site-packages/torch/version.py",
         "__version__ = '2.1.0+cpu'\ncuda = None\n");
    end_layer(&w);
    file(&w, SITE "/torch/version.py",
         "from typing import Optional\n\n__all__ = ['__version__', 'debug', 'cuda', 'git_version', "
         "'hip']\n"
         "__version__ = '2.6.0+cu124'\ndebug = False\ncuda: Optional[str] = '12.4'\nhip: "
         "Optional[str] = None\n");
    mkfatbin(&code,
             (struct mkfatbin_entry[]){{2, 80, 0, 100},
                                       {2, 90, 0, 100},
                                       {2, 80, 0, 9},
                                       {2, 90, 0, 9},
                                       {2, 90, 0x100000, 1},
                                       {1, 90, 0, 5}},
             6);
    elf(&w, SITE "/torch/lib/libtorch_cuda.so",
        &(struct mkelf){
            .soname = "libtorch_cuda.so", .section = ".nv_fatbin", .content = buf_view(&code)});
    elf(&w, SITE "/nvidia/cuda_runtime/lib/libcudart.so.12",
        &(struct mkelf){.soname = "libcudart.so.12"});
    file(&w, SITE "/nvidia_cuda_runtime_cu12-12.4.127.dist-info/METADATA",
         "Metadata-Version: 2.1\nName: nvidia-cuda-runtime-cu12\nVersion: 12.4.127\n\nName: not "
         "this\n");
    file(&w, SITE "/nvidia_cuda_runtime_cu12-12.4.127.dist-info/RECORD",
         "nvidia/cuda_runtime/lib/libcudart.so.12,sha256=x,5\n\"a,b.py\",,\n../../../bin/tool,,\n");
    file(&w, SITE "/setuptools/_vendor/wheel-0.1.dist-info/METADATA",
         "Name: wheel\nVersion: 0.1\n");
    file(&w, SITE "/nvidia_cudnn_cu12-9.1.0.70.dist-info/METADATA",
         "Name: nvidia-cudnn-cu12\nVersion: 9.1.0.70\n");
    file(&w, SITE "/a,b.py", "12345");
    file(&w, "opt/venv/bin/tool", "123");
    elf(&w, "usr/local/cuda-12.4/bin/nvcc", &(struct mkelf){0});
    file(&w, "usr/local/cuda-12.4/version.json",
         "{\"cuda\": {\"version\": \"12.4.1\"}, \"cuda_nvcc\" : {\"name\": \"CUDA NVCC\", "
         "\"version\" : \"12.4.131\"}}");
    look(&w);

    assert_text(w.found.system, "Some Linux 3");
    assert_text(w.found.glibc, "2.36");
    assert_text(w.found.pythons.v[0].version, "3.11");
    assert_text(w.found.pythons.v[1].version, "3.12.7");
    assert_int_equal(w.found.torches.n, 2);
    assert_text(w.found.torches.v[0].version, "2.6.0+cu124");
    assert_text(w.found.torches.v[0].cuda, "12.4");
    assert_text(w.found.torches.v[0].hip, "");
    assert_text(w.found.torches.v[1].cuda, "");
    assert_text(w.found.nvccs.v[0].version, "12.4.131");
    assert_text(w.found.facts.pytorch, "2.6.0");
    assert_text(w.found.facts.cuda, "12.4");
    assert_text(w.found.facts.cudnn, "9.1.0.70");
    assert_text(w.found.facts.driver_min, "525.60.13");
    assert_text(w.found.facts.archs, "8.0 9.0+PTX 9.0a");
    assert_text(w.found.codes.v[0].machine, "8.0 9.0 9.0a");
    assert_int_equal(w.found.libraries.n, 1);
    assert_text(w.found.libraries.v[0].version, "12.4.127");
    assert_int_equal(w.found.packages.list.n, 2);
    assert_text(w.found.packages.list.v[0]->key, "nvidia-cuda-runtime-cu12");
    assert_int_equal(w.found.packages.list.v[0]->files, 3);
    assert_int_equal(w.proof.findings.n, 0);
}

static void packages_of_all_managers_are_found(void **state)
{
    CLEANUP(world_clear) struct world w = {0};
    static const char *const want[] = {"pip old-style 1.0",  "pip six 1.16.0",
                                       "conda numpy 1.26.4", "dpkg libc6 2.36-9",
                                       "dpkg tzdata 2024a",  "apk musl 1.2.5-r0"};

    open_world(&w, state);
    file(&w, "usr/lib/python3/dist-packages/six-1.16.0.egg-info/PKG-INFO",
         "Name: six\nVersion: 1.16.0\n");
    file(&w, "usr/lib/python3/dist-packages/old_style-1.0.egg-info",
         "Name: old_style\nVersion: 1.0\n");
    file(&w, "usr/lib/python3/dist-packages/broken-1.0.dist-info/METADATA", "no header at all");
    file(&w, "opt/conda/conda-meta/numpy-1.26.4-py311h1_0.json",
         "{\"files\": [\"lib/numpy.so\", \"../../etc/passwd\"]}");
    file(&w, "opt/conda/conda-meta/history", "x");
    file(&w, "opt/conda/lib/numpy.so", "1234567");
    file(&w, "var/lib/dpkg/status",
         "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: "
         "2.36-9\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n");
    file(&w, "var/lib/dpkg/status.d/tzdata", "Package: tzdata\nVersion: 2024a\n");
    file(&w, "var/lib/dpkg/info/libc6:amd64.list", "/.\n/sbin\n/sbin/ldconfig\n");
    mktar(&w.tar, "sbin", '2', "usr/sbin", "", 0);
    mktar(&w.tar, "usr/sbin/", '5', "", "", 0);
    file(&w, "usr/sbin/ldconfig", "12");
    file(&w, "lib/apk/db/installed", "P:musl\nV:1.2.5-r0\nF:lib\nR:ld-musl.so\n");
    file(&w, "srv/nobodys", "123");
    look(&w);

    assert_int_equal(w.found.packages.list.n, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        const struct package *p = w.found.packages.list.v[i];
        CLEANUP(buf_clear) struct buf text = {0};

        buf_fmt(&text, "%s " STR_FMT " " STR_FMT, package_manager_name(p->manager), STR_ARG(p->key),
                STR_ARG(p->version));
        assert_string_equal(text.p, want[i]);
    }
    assert_int_equal(packages_get(&w.found.packages, "numpy", false)->size, 7);
    assert_int_equal(packages_get(&w.found.packages, "libc6", false)->size, 2);
    assert_null(packages_owner(&w.found.packages, STR("srv/nobodys")));
}

static void what_an_upper_layer_deletes_does_not_count(void **state)
{
    CLEANUP(world_clear) struct world w = {0};

    open_world(&w, state);
    file(&w, SITE "/torch/version.py", "__version__ = '2.0.0'\n");
    file(&w, "a/gone", "12345");
    file(&w, "b/one", "1");
    elf(&w, "usr/lib/libneeded.so.1", &(struct mkelf){.soname = "libneeded.so.1"});
    elf(&w, "usr/bin/x",
        &(struct mkelf){.needed = {"libneeded.so.1"}, .interpreter = "/usr/lib/ld.so"});
    elf(&w, "usr/lib/ld.so", &(struct mkelf){0});
    end_layer(&w);
    file(&w, SITE "/torch/version.py", "__version__ = '2.1.0'\n");
    file(&w, "a/.wh.gone", "");
    file(&w, "b/.wh..wh..opq", "");
    file(&w, "b/two", "22");
    file(&w, "usr/lib/.wh.libneeded.so.1", "");
    look(&w);

    assert_int_equal(w.found.torches.n, 1);
    assert_text(w.found.torches.v[0].version, "2.1.0");
    assert_null(rootfs_get(&w.found.fs, STR("a/gone")));
    assert_null(rootfs_get(&w.found.fs, STR("b/one")));
    assert_non_null(rootfs_get(&w.found.fs, STR("b/two")));
    assert_int_equal(w.proof.findings.n, 1);
    assert_int_equal(w.proof.findings.v[0].kind, PROOF_MISSING);
    assert_true(w.proof.findings.v[0].reached);
}

/* What the proof says of an image, in words. */
static void print(struct buf *out, const struct proof *p)
{
    const struct proof_finding *f;

    vec_each(f, &p->findings) {
        buf_puts(out, out->len ? "; " : "");
        buf_puts(out, f->reached ? "" : "plug-in ");
        proof_words(out, f);
    }
}

static void python_finds_what_torch_loads_first(void **state)
{
    CLEANUP(world_clear) struct world w = {0};
    CLEANUP(buf_clear) struct buf words = {0};

    open_world(&w, state);
    vec_add(&w.config.env, STR("LD_LIBRARY_PATH=/usr/local/nvidia/lib:/opt/libs"));
    elf(&w, SITE "/torch/lib/libc10.so", &(struct mkelf){.soname = "libc10.so"});
    elf(&w, SITE "/nvidia/cublas/lib/libcublas.so.12",
        &(struct mkelf){.soname = "libcublas.so.12"});
    elf(&w, SITE "/vision/_C.cpython-311.so",
        &(struct mkelf){.needed = {"libc10.so", "libcublas.so.12", "libcuda.so.1", "libopt.so.1"}});
    elf(&w, "opt/libs/libopt.so.1", &(struct mkelf){.soname = "libopt.so.1"});
    elf(&w, "usr/bin/outside",
        &(struct mkelf){.needed = {"libc10.so"}, .interpreter = "/lib/ld.so"});
    elf(&w, SITE "/x/libplugin.so", &(struct mkelf){.needed = {"libmlx5.so.1"}});
    elf(&w, SITE "/x/mod.so", &(struct mkelf){.needed = {"libdep.so.1"}, .rpath = "$ORIGIN/own"});
    elf(&w, SITE "/x/own/libdep.so.1",
        &(struct mkelf){.soname = "libdep.so.1",
                        .need_library = "libopt.so.1",
                        .need_versions = {"OPT_2"},
                        .needed = {"libopt.so.1"}});
    elf(&w, SITE "/y/mod.so", &(struct mkelf){.needed = {"libdep.so.1"}, .rpath = "$ORIGIN/own"});
    elf(&w, SITE "/y/own/libdep.so.1", &(struct mkelf){.soname = "libdep.so.1"});
    elf(&w, "usr/lib/x/stubs/libcuda.so.1", &(struct mkelf){.needed = {"libnowhere.so"}});
    look(&w);

    print(&words, &w.proof);
    assert_string_equal(
        words.p,
        "/usr/bin/outside needs libc10.so, which is not in the image where the loader looks; /" SITE
        "/torch/lib/libc10.so is; "
        "/usr/bin/outside is started by /lib/ld.so, which is not in the image; "
        "/" SITE "/y/mod.so takes libdep.so.1 from /" SITE
        "/y/own/libdep.so.1, others beside it from /" SITE "/x/own/libdep.so.1; "
        "plug-in /" SITE "/x/libplugin.so needs libmlx5.so.1, which is not in the image");
}

static void a_remembered_layer_proves_the_same(void **state)
{
    CLEANUP(world_clear) struct world w = {0};
    CLEANUP(buf_clear) struct buf one = {0}, two = {0}, words = {0}, said = {0};
    CLEANUP(linkage_clear) struct linkage first = {0}, second = {0};
    CLEANUP(rootfs_clear) struct rootfs fs = {0};
    CLEANUP(proof_clear) struct proof proof = {0};
    CLEANUP(err_clear) struct err e = {0};

    open_world(&w, state);
    elf(&w, "usr/lib/liba.so.1",
        &(struct mkelf){.soname = "liba.so.1", .defines = {"liba.so.1", "A_1"}});
    elf(&w, "usr/lib/libb.so.1", &(struct mkelf){.soname = "libb.so.1", .runpath = "$ORIGIN"});
    mktar(&w.tar, "usr/lib/libl.so.1", '2', "liba.so.1", "", 0);
    mktar(&w.tar, "usr/lib/libh.so.1", '1', "usr/lib/liba.so.1", "", 0);
    file(&w, "usr/lib/text", "text");
    mktar(&w.tar, "usr/lib/text2", '1', "usr/lib/text", "", 0);
    end_layer(&w);
    file(&w, "usr/lib/.wh.libb.so.1", "");
    elf(&w, "usr/bin/x",
        &(struct mkelf){.needed = {"liba.so.1", "libb.so.1", "libl.so.1", "libh.so.1"},
                        .need_library = "liba.so.1",
                        .need_versions = {"A_1", "A_9"},
                        .other_library = "liba.so.1",
                        .other_version = "A_2",
                        .interpreter = "/usr/lib/liba.so.1"});
    look(&w);
    print(&said, &w.proof);
    assert_string_equal(
        said.p, "/usr/bin/x needs libb.so.1, which is not in the image; "
                "/usr/bin/x needs A_2 of liba.so.1, which /usr/lib/liba.so.1 does not have");
    /* The same from what is remembered of each layer. */
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(layer_scan_clear) struct layer_scan g = {0};
        CLEANUP(fs_temp_clear) struct fs_temp scratch = {0};
        struct buf *text = i ? &two : &one;

        if (fs_temp_open(&scratch, w.folder, &e) < 0)
            fail_msg("%s", e.msg);
        layer_scan_open(&g, scratch.fd.n, false);
        if (layer_read(&w.image, i, true, layer_scan_take, &g, NULL, &e) < 0 ||
            linkage_print(text, &g, &e) < 0)
            fail_msg("%s", e.msg);
    }
    if (linkage_parse(&first, buf_view(&one), &e) < 0 ||
        linkage_parse(&second, buf_view(&two), &e) < 0 || linkage_put(&fs, &first, &e) < 0 ||
        linkage_put(&fs, &second, &e) < 0)
        fail_msg("%s", e.msg);
    proof_image(&proof, &fs, NULL, &w.config.env, STR("amd64"));
    assert_int_equal(proof_run(&proof, &e), 0);
    print(&words, &proof);
    assert_string_equal(words.p, said.p);
}

static void a_scan_that_is_cut_is_none(void **state)
{
    CLEANUP(world_clear) struct world w = {0};
    CLEANUP(layer_scan_clear) struct layer_scan g = {0};
    CLEANUP(fs_temp_clear) struct fs_temp scratch = {0};
    CLEANUP(buf_clear) struct buf text = {0}, again = {0};
    CLEANUP(err_clear) struct err e = {0};

    open_world(&w, state);
    file(&w, "etc/os-release", "NAME=\"Some\"\n");
    file(&w, "usr/lib/\xff\xfe", "");
    elf(&w, "usr/bin/x", &(struct mkelf){.needed = {"liba.so.1"}, .defines = {"A_1"}});
    look(&w);
    if (fs_temp_open(&scratch, w.folder, &e) < 0)
        fail_msg("%s", e.msg);
    layer_scan_open(&g, scratch.fd.n, true);
    if (layer_read(&w.image, 0, true, layer_scan_take, &g, NULL, &e) < 0)
        fail_msg("%s", e.msg);
    scan_print(&text, &g);
    for (size_t len = 0; len <= text.len; len++) {
        CLEANUP(layer_scan_clear) struct layer_scan cut = {0};
        CLEANUP(err_clear) struct err fault = {0};

        assert_int_equal(scan_parse(&cut, str_sub(buf_view(&text), 0, len), &fault),
                         len == text.len ? 0 : -1);
        if (len == text.len)
            scan_print(&again, &cut);
    }
    assert_true(str_eq(buf_view(&again), buf_view(&text)));
    for (size_t i = 0; i < text.len; i++) { /* whatever is in it */
        CLEANUP(layer_scan_clear) struct layer_scan other = {0};
        CLEANUP(err_clear) struct err fault = {0};

        text.p[i] = (char)(text.p[i] ^ 0x81);
        (void)!scan_parse(&other, buf_view(&text), &fault);
        text.p[i] = (char)(text.p[i] ^ 0x81);
    }
}

static void what_is_remembered_must_make_sense(void **state)
{
    static const char *const cases[] = {"", "{", "[]", "{\"linkage\": 2}", "{}"};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(linkage_clear) struct linkage l = {0};
        CLEANUP(err_clear) struct err e = {0};

        assert_int_equal(linkage_parse(&l, str_of(cases[i]), &e), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_torch_is_read_from_its_files, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(packages_of_all_managers_are_found, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(what_an_upper_layer_deletes_does_not_count, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(python_finds_what_torch_loads_first, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_remembered_layer_proves_the_same, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_scan_that_is_cut_is_none, make_folder, remove_folder),
        cmocka_unit_test(what_is_remembered_must_make_sense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
