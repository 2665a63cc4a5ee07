/* tests/unit/test_system_toolkit.c - /usr/local/cuda as it is laid out from archives, packages and
 * wheels, and what of it is not there twice. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "mkdeb.h"
#include "assemble/import/stand_in.h"
#include "assemble/system/system.h"
#include "io/crypto.h"

enum { MOST = 8 };

#define ROOT "usr/local/cuda-12.4/"
#define SITE "/opt/venv/lib/python3.11/site-packages/"

/* What a system with a toolkit is made of. */
struct world {
    struct debpkg packages[MOST];
    const struct debpkg *packages_v[MOST];
    struct redist_pkg archives[MOST];
    const struct redist_pkg *archives_v[MOST];
    struct toolkit_wheel wheels[MOST];
    const struct toolkit_wheel *wheels_v[MOST];
    size_t packages_n, archives_n, wheels_n;
    struct toolkit toolkit;
    uint64_t saved;
    struct spool spool;
    struct tree tree;
    struct names uncovered;
    struct err e;
};

static void world_clear(struct world *w)
{
    tree_clear(&w->tree);
    for (size_t i = 0; i < MOST; i++) {
        debpkg_clear(&w->packages[i]);
        redist_pkg_clear(&w->archives[i]);
        toolkit_wheel_clear(&w->wheels[i]);
    }
    names_clear(&w->uncovered);
    if (w->packages_n)
        spool_clear(&w->spool);
    err_clear(&w->e);
}

static struct toolkit_wheel *add_wheel(struct world *w)
{
    w->wheels_v[w->wheels_n] = &w->wheels[w->wheels_n];
    return &w->wheels[w->wheels_n++];
}

static void wheel_has(struct toolkit_wheel *wheel, const char *path, const char *content)
{
    struct toolkit_file *f = vec_push(&wheel->files);

    f->path = str_of(path);
    f->size = strlen(content);
    hash_bytes(&f->digest, content, f->size);
}

static struct redist_pkg *add_archive(struct world *w, const char *name)
{
    struct redist_pkg *p = &w->archives[w->archives_n];

    p->name = str_of(name);
    w->archives_v[w->archives_n++] = p;
    return p;
}

static void archive_has(struct redist_pkg *p, const char *path, enum entry_type type,
                        const char *text)
{
    struct entry *entry = vec_push(&p->entries);

    *entry = (struct entry){.path = str_of(path), .type = type, .mode = 0755, .mtime = 7};
    if (type == ENTRY_FILE)
        entry->content = (struct content){CONTENT_BYTES, .size = strlen(text), .bytes = text};
    else if (text)
        entry->link = str_of(text);
}

static void archive_has_library(struct redist_pkg *p, const char *path, const char *text)
{
    struct redist_lib *lib = vec_push(&p->libs);

    archive_has(p, path, ENTRY_FILE, text);
    lib->path = str_of(path);
    lib->size = strlen(text);
    hash_bytes(&lib->digest, text, lib->size);
}

static void add_package(struct world *w, const char *control, const struct mk *files)
{
    CLEANUP(buf_clear) struct buf deb = {0};
    const struct mk members[] = {MK_FILE("./control", 0644, control), MK_END};
    struct input in;

    if (!w->packages_n)
        spool_open(&w->spool, "/tmp");
    mk_deb(&deb, members, files);
    mk_input(&in, "x.deb", buf_view(&deb));
    if (import_deb(&w->packages[w->packages_n], &w->spool, &in, &w->e) < 0)
        fail_msg("%s", w->e.msg);
    fd_clear(&in.fd);
    w->packages_v[w->packages_n] = &w->packages[w->packages_n];
    w->packages_n++;
}

static int try_build(struct world *w)
{
    struct system_input in = {.arch = STR("amd64"), .toolkit = &w->toolkit};

    w->toolkit.root = STR("/usr/local/cuda-12.4");
    w->toolkit.site = STR("opt/venv/lib/python3.11/site-packages");
    w->toolkit.wheels = w->wheels_v;
    w->toolkit.wheels_n = w->wheels_n;
    w->toolkit.archives = w->archives_v;
    w->toolkit.archives_n = w->archives_n;
    w->toolkit.date = 1700000000;
    w->toolkit.saved = &w->saved;
    w->saved = 99; /* of a run before */
    return system_build(&w->tree, w->packages_v, w->packages_n, &in, &w->uncovered, &w->e);
}

static void build(struct world *w)
{
    if (try_build(w) < 0)
        fail_msg("%s", w->e.msg);
}

static void expect(const struct world *w, const char *path, const char *text)
{
    const struct entry *entry = tree_get(&w->tree, str_of(path));

    if (!entry || entry->type != ENTRY_FILE || entry->content.kind != CONTENT_BYTES)
        fail_msg("%s is not a file", path);
    assert_int_equal(entry->content.size, strlen(text));
    assert_memory_equal(entry->content.bytes, text, strlen(text));
}

static void expect_link(const struct world *w, const char *path, const char *target)
{
    const struct entry *entry = tree_get(&w->tree, str_of(path));

    if (!entry || entry->type != ENTRY_SYMLINK)
        fail_msg("%s is not a link", path);
    if (!str_is(entry->link, target))
        fail_msg("%s leads to " STR_FMT, path, STR_ARG(entry->link));
}

static void expect_none(const struct world *w, const char *path)
{
    if (tree_get(&w->tree, str_of(path)))
        fail_msg("%s is there", path);
}

static void every_toolkit_has_the_names_that_people_know(void **state)
{
    CLEANUP(world_clear) struct world w = {0};

    w.toolkit.sources = STR("Types: deb\n");
    build(&w);
    expect_link(&w, "usr/local/cuda", "cuda-12.4");
    expect_link(&w, ROOT "lib", "lib64");
    expect_link(&w, ROOT "targets/x86_64-linux/include", "../../include");
    expect_link(&w, ROOT "targets/x86_64-linux/lib", "../../lib64");
    expect(&w, "etc/ld.so.conf.d/000_cuda.conf", "/usr/local/cuda/lib64\n");
    expect(&w, "etc/apt/sources.list.d/envbuild-toolkit.sources", "Types: deb\n");
    expect_none(&w, "usr/local/bin/gcc");
    assert_int_equal(w.saved, 0);
}

static void gcc_means_the_one_that_nvcc_takes(void **state)
{
    CLEANUP(world_clear) struct world w = {0};

    w.toolkit.gcc = STR("11");
    build(&w);
    expect_link(&w, "usr/local/bin/gcc", "/usr/bin/gcc-11");
    expect_link(&w, "usr/local/bin/cc", "/usr/bin/gcc-11");
    expect_link(&w, "usr/local/bin/c++", "/usr/bin/g++-11");
    expect_link(&w, "usr/local/bin/cpp", "/usr/bin/cpp-11");
    expect_link(&w, "usr/local/bin/x86_64-linux-gnu-g++", "/usr/bin/x86_64-linux-gnu-g++-11");
    expect_none(&w, "etc/apt/sources.list.d/envbuild-toolkit.sources");
}

static void wheels_are_linked_to_where_a_toolkit_has_them(void **state)
{
    CLEANUP(world_clear) struct world w = {0};
    struct toolkit_wheel *cudart = add_wheel(&w), *other = add_wheel(&w);

    wheel_has(cudart, "nvidia/__init__.py", "");
    wheel_has(cudart, "nvidia/cu13/__init__.py", "");
    wheel_has(cudart, "nvidia/cu13/bin/nvcc", "nvcc");
    wheel_has(cudart, "nvidia/cu13/bin/crt/link.stub", "stub");
    wheel_has(cudart, "nvidia/cu13/include/cccl/cub/cub.cuh", "cub");
    wheel_has(cudart, "nvidia/cu13/include/cccl/thrust/x.h", "x");
    wheel_has(cudart, "nvidia/cu13/include/cuda_runtime.h", "h");
    wheel_has(cudart, "nvidia/cu13/lib/cmake/cub/cub-config.cmake", "cmake");
    wheel_has(cudart, "nvidia/cu13/lib/libcudart.so.13", "elf");
    wheel_has(cudart, "nvidia/cu13/lib/libcudart_static.a", "ar");
    wheel_has(cudart, "nvidia/cu13/lib/stubs/libcublas.so", "stub");
    wheel_has(cudart, "nvidia/cu13/nvvm/bin/cicc", "cicc");
    wheel_has(cudart, "nvidia/cu13/nvvm/libdevice/libdevice.10.bc", "bc");
    wheel_has(cudart, "nvidia/cu13/share/x", "x");
    wheel_has(other, "nvidia/cudnn/include/cudnn.h", "h");
    wheel_has(other, "nvidia/cudnn/lib/libcudnn.so.9", "elf");
    wheel_has(other, "nvidia/nvshmem/include/device/x.h", "h");
    wheel_has(other, "nvidia/nvshmem/lib/libnvshmem_host.so.3", "elf");
    wheel_has(other, "nvidia/nvshmem/lib/cmake/nvshmem/NVSHMEMConfig.cmake", "cmake");
    build(&w);
    expect_link(&w, ROOT "bin/nvcc", SITE "nvidia/cu13/bin/nvcc");
    expect_link(&w, ROOT "bin/crt", SITE "nvidia/cu13/bin/crt");
    expect_link(&w, ROOT "include/cccl", SITE "nvidia/cu13/include/cccl");
    expect_link(&w, ROOT "include/cuda_runtime.h", SITE "nvidia/cu13/include/cuda_runtime.h");
    expect_link(&w, ROOT "lib64/cmake/cub", SITE "nvidia/cu13/lib/cmake/cub");
    expect_link(&w, ROOT "lib64/libcudart.so.13", SITE "nvidia/cu13/lib/libcudart.so.13");
    expect_link(&w, ROOT "lib64/libcudart.so", "libcudart.so.13"); /* what linkers look for */
    expect_link(&w, ROOT "lib64/libcudart_static.a", SITE "nvidia/cu13/lib/libcudart_static.a");
    expect_link(&w, ROOT "lib64/stubs/libcublas.so", SITE "nvidia/cu13/lib/stubs/libcublas.so");
    expect_link(&w, ROOT "nvvm", SITE "nvidia/cu13/nvvm");
    expect_link(&w, ROOT "include/cudnn.h", SITE "nvidia/cudnn/include/cudnn.h");
    expect_link(&w, ROOT "lib64/libcudnn.so", "libcudnn.so.9");
    expect_none(&w, ROOT "share");
    expect_none(&w, ROOT "include/device");
    expect_none(&w, ROOT "lib64/libnvshmem_host.so.3");
    expect_none(&w, ROOT "lib64/cmake/nvshmem");
    expect_none(&w, ROOT "lib64/__init__.py");
    assert_int_equal(w.saved, 0); /* nothing is left out for them */
}

static void archives_come_before_wheels(void **state)
{
    CLEANUP(world_clear) struct world w = {0};
    struct toolkit_wheel *wheel = add_wheel(&w);
    struct redist_pkg *nvcc = add_archive(&w, "cuda_nvcc"), *cublas = add_archive(&w, "libcublas");

    wheel_has(wheel, "nvidia/cublas/include/cublas.h", "the wheel's");
    wheel_has(wheel, "nvidia/cublas/include/crt/host_config.h", "the wheel's");
    wheel_has(wheel, "nvidia/cublas/lib/libcublas.so.12", "the very bytes");
    wheel_has(wheel, "nvidia/cublas/lib/libnvblas.so.12", "other bytes");
    archive_has(nvcc, "bin", ENTRY_DIR, NULL);
    archive_has(nvcc, "bin/nvcc", ENTRY_FILE, "nvcc");
    archive_has(nvcc, "include", ENTRY_DIR, NULL);
    archive_has(nvcc, "include/crt", ENTRY_DIR, NULL);
    archive_has(nvcc, "include/crt/host_config.h", ENTRY_FILE, "nvidia's");
    archive_has(cublas, "include", ENTRY_DIR, NULL); /* both have it */
    archive_has(cublas, "include/cublas.h", ENTRY_FILE, "nvidia's");
    archive_has(cublas, "lib64", ENTRY_DIR, NULL);
    archive_has(cublas, "lib64/libcublas.so", ENTRY_SYMLINK, "libcublas.so.12");
    archive_has(cublas, "lib64/libcublas.so.12", ENTRY_SYMLINK, "libcublas.so.12.4.5.8");
    archive_has_library(cublas, "lib64/libcublas.so.12.4.5.8", "the very bytes");
    archive_has_library(cublas, "lib64/libnvblas.so.12.4.5.8", "bytes of its own");
    build(&w);
    expect(&w, ROOT "bin/nvcc", "nvcc");
    expect(&w, ROOT "include/crt/host_config.h", "nvidia's");
    expect(&w, ROOT "include/cublas.h", "nvidia's");
    expect_link(&w, ROOT "lib64/libcublas.so.12", "libcublas.so.12.4.5.8");
    expect_link(&w, ROOT "lib64/libcublas.so.12.4.5.8", SITE "nvidia/cublas/lib/libcublas.so.12");
    expect(&w, ROOT "lib64/libnvblas.so.12.4.5.8", "bytes of its own");
    expect_link(&w, ROOT "lib64/libnvblas.so.12", SITE "nvidia/cublas/lib/libnvblas.so.12");
    assert_int_equal(w.saved, strlen("the very bytes"));
}

static void hard_links_lead_into_the_toolkit(void **state)
{
    CLEANUP(world_clear) struct world w = {0};
    struct redist_pkg *p = add_archive(&w, "cuda_x");
    struct toolkit_wheel *wheel = add_wheel(&w);
    const struct entry *entry;

    wheel_has(wheel, "nvidia/x/lib/libx.so.12", "the very bytes");
    archive_has(p, "bin/a", ENTRY_FILE, "tool");
    archive_has(p, "bin/b", ENTRY_HARDLINK, "bin/a");
    archive_has_library(p, "lib64/libx.so.12.1", "the very bytes");
    archive_has(p, "lib64/libx.so.12.2", ENTRY_HARDLINK, "lib64/libx.so.12.1");
    build(&w);
    expect(&w, ROOT "bin/a", "tool");
    entry = tree_get(&w.tree, STR(ROOT "bin/b"));
    assert_true(entry && entry->type == ENTRY_HARDLINK && str_is(entry->link, ROOT "bin/a"));
    expect_link(&w, ROOT "lib64/libx.so.12.1", SITE "nvidia/x/lib/libx.so.12");
    expect_link(&w, ROOT "lib64/libx.so.12.2", SITE "nvidia/x/lib/libx.so.12");
    assert_int_equal(w.saved, strlen("the very bytes")); /* once, as it was there */
}

static void two_archives_may_not_hold_one_file(void **state)
{
    CLEANUP(world_clear) struct world w = {0};

    archive_has(add_archive(&w, "cuda_a"), "bin/x", ENTRY_FILE, "a");
    archive_has(add_archive(&w, "cuda_b"), "bin/x", ENTRY_FILE, "b");
    assert_int_equal(try_build(&w), -1);
    assert_int_equal(w.e.kind, ERR_INPUT);
    assert_string_equal(w.e.msg, "cuda_b: /" ROOT "bin/x is there twice");
    assert_int_equal(w.tree.entries.n, 0);
}

static void packages_are_linked_to_from_where_a_toolkit_has_them(void **state)
{
    static const struct mk toolkit[] = {
        MK_DIR("./", 0755), MK_FILE("./usr/bin/nvcc", 0755, "nvcc"),
        MK_FILE("./usr/bin/ptxas", 0755, "ptxas"),
        MK_FILE("./usr/lib/nvidia-cuda-toolkit/bin/cicc", 0755, "c"), MK_END};
    static const struct mk dev[] = {
        MK_FILE("./usr/include/cuda.h", 0644, "h"),
        MK_FILE("./usr/include/crt/host_config.h", 0644, "h"),
        MK_LINK("./usr/lib/x86_64-linux-gnu/libcudart.so", "libcudart.so.12"),
        MK_FILE("./usr/lib/x86_64-linux-gnu/stubs/libcuda.so", 0644, "stub"),
        MK_FILE("./usr/share/doc/nvidia-cuda-dev/copyright", 0644, "c"),
        MK_END};
    static const struct mk other[] = {MK_FILE("./usr/include/zlib.h", 0644, "h"), MK_END};
    static const struct mk thrust[] = {MK_FILE("./usr/include/thrust/x.h", 0644, "h"), MK_END};
    CLEANUP(world_clear) struct world w = {0};
    struct toolkit_wheel *wheel = add_wheel(&w);
    struct toolkit_header *header = vec_push(&wheel->headers);
    struct lock_stand_in s = {.name = STR_INIT("envbuild-cuda-of-wheels"),
                              .version = STR_INIT("12.4.1"),
                              .summary = STR_INIT("libraries")};

    *header = (struct toolkit_header){STR_INIT("cuda.h"), STR_INIT("CUresult cuInit(int);")};
    wheel_has(wheel, "nvidia/cudnn/include/cudnn.h", "h");
    wheel_has(wheel, "nvidia/cublas/lib/libcublas.so.12", "the very bytes");
    add_package(&w, "Package: nvidia-cuda-toolkit\nVersion: 1\nArchitecture: amd64\n", toolkit);
    add_package(&w,
                "Package: nvidia-cuda-dev\nSource: nvidia-cuda-toolkit (1)\nVersion: 1\n"
                "Architecture: amd64\n",
                dev);
    add_package(&w, "Package: zlib1g-dev\nSource: zlib\nVersion: 1\nArchitecture: amd64\n", other);
    add_package(&w, "Package: libthrust-dev\nSource: thrust\nVersion: 1\nArchitecture: all\n",
                thrust);
    vec_add(&s.provides, STR("libcublas12 (= 1)"));
    vec_add(&s.links, ((struct lock_link){STR_INIT("/usr/lib/x86_64-linux-gnu/libcublas.so.12"),
                                          STR_INIT(SITE "nvidia/cublas/lib/libcublas.so.12")}));
    assert_int_equal(stand_in_package(&w.packages[w.packages_n], &s, 1700000000, &w.e), 0);
    w.packages_v[w.packages_n] = &w.packages[w.packages_n];
    w.packages_n++;
    build(&w);
    expect_link(&w, ROOT "include/cuda.h", "/usr/include/cuda.h");
    expect_link(&w, ROOT "include/crt", "/usr/include/crt");
    expect_link(&w, ROOT "include/thrust", "/usr/include/thrust");
    expect_link(&w, ROOT "bin/ptxas", "/usr/bin/ptxas");
    expect_link(&w, ROOT "lib64/libcudart.so", "/usr/lib/x86_64-linux-gnu/libcudart.so");
    expect_link(&w, ROOT "lib64/stubs", "/usr/lib/x86_64-linux-gnu/stubs");
    expect_link(&w, ROOT "nvvm", "/usr/lib/nvidia-cuda-toolkit");
    /* Debian's nvcc looks into /usr/include alone, where the wheels' headers are not. */
    expect(&w, ROOT "bin/nvcc",
           "#!/bin/sh\nexec /usr/bin/nvcc -isystem /usr/local/cuda-12.4/include \"$@\"\n");
    expect_link(&w, ROOT "include/cudnn.h", SITE "nvidia/cudnn/include/cudnn.h");
    expect_none(&w, ROOT "include/zlib.h");
    /* The package's own stub is there: none is made. */
    expect(&w, "usr/lib/x86_64-linux-gnu/stubs/libcuda.so", "stub");
    expect_link(&w, "usr/lib/x86_64-linux-gnu/libcublas.so.12",
                SITE "nvidia/cublas/lib/libcublas.so.12");
    assert_int_equal(w.saved, strlen("the very bytes"));
    vec_clear(&s.provides);
    vec_clear(&s.links);
}

static void stubs_are_made_from_headers(void **state)
{
    CLEANUP(world_clear) struct world w = {0};
    struct toolkit_wheel *wheel = add_wheel(&w);
    const struct entry *entry;

    vec_add(&wheel->headers,
            ((struct toolkit_header){STR_INIT("cudaGL.h"), STR_INIT("CUresult cuGLInit(void);")}));
    vec_add(&wheel->headers,
            ((struct toolkit_header){STR_INIT("cuda.h"),
                                     STR_INIT("CUresult cuInit(unsigned flags);")}));
    build(&w);
    entry = tree_get(&w.tree, STR(ROOT "lib64/stubs/libcuda.so"));
    assert_true(entry && entry->type == ENTRY_FILE && entry->mode == 0755);
    assert_memory_equal(entry->content.bytes, "\177ELF", 4);
    assert_non_null(memmem(entry->content.bytes, entry->content.size, "cuInit", 7));
    assert_non_null(memmem(entry->content.bytes, entry->content.size, "cuGLInit", 9));
    assert_non_null(memmem(entry->content.bytes, entry->content.size, "libcuda.so.1", 13));
    expect_none(&w, ROOT "lib64/stubs/libnvidia-ml.so"); /* nothing declares it */
}

static void a_header_that_declares_nothing_is_told(void **state)
{
    CLEANUP(world_clear) struct world w = {0};
    struct toolkit_wheel *wheel = add_wheel(&w);

    vec_add(&wheel->headers, ((struct toolkit_header){STR_INIT("cuda.h"), STR_INIT("int x;")}));
    assert_int_equal(try_build(&w), -1);
    assert_int_equal(w.e.kind, ERR_INPUT);
}

/* Links to wheels are in the loader's cache by the wheels' names. */
static void the_loader_finds_the_wheels(void **state)
{
    static const struct mk files[] = {
        MK_FILE("./etc/ld.so.conf", 0644, "include /etc/ld.so.conf.d/*.conf\n"), MK_END};
    CLEANUP(world_clear) struct world w = {0};
    const struct entry *entry;

    wheel_has(add_wheel(&w), "nvidia/cu13/lib/libcudart.so.13", "elf");
    add_package(&w, "Package: libc-bin\nVersion: 2.36-9\nArchitecture: amd64\n", files);
    build(&w);
    entry = tree_get(&w.tree, STR("etc/ld.so.cache"));
    assert_true(entry && entry->type == ENTRY_FILE);
    assert_non_null(memmem(entry->content.bytes, entry->content.size,
                           "/usr/local/cuda/lib64/libcudart.so.13", 38));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_toolkit_has_the_names_that_people_know),
        cmocka_unit_test(gcc_means_the_one_that_nvcc_takes),
        cmocka_unit_test(wheels_are_linked_to_where_a_toolkit_has_them),
        cmocka_unit_test(archives_come_before_wheels),
        cmocka_unit_test(hard_links_lead_into_the_toolkit),
        cmocka_unit_test(two_archives_may_not_hold_one_file),
        cmocka_unit_test(packages_are_linked_to_from_where_a_toolkit_has_them),
        cmocka_unit_test(stubs_are_made_from_headers),
        cmocka_unit_test(a_header_that_declares_nothing_is_told),
        cmocka_unit_test(the_loader_finds_the_wheels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
