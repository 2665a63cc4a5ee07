/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/fs.h"
#include "base/path.h"
#include "host/container_setup.h"
#include "host/verdict.h"

/* A machine as files: "PATH" or "PATH=TEXT", ended by NULL. */
enum { FILES_MAX = 16 };
struct machine {
    char dir[32];
};

static void machine_open(struct machine *m, const char *const files[FILES_MAX])
{
    memcpy(m->dir, "/tmp/test_probe.XXXXXX", sizeof "/tmp/test_probe.XXXXXX");
    assert_non_null(mkdtemp(m->dir));
    for (size_t i = 0; i < FILES_MAX && files[i]; i++) {
        struct str text = str_of(files[i]), name = text;
        CLEANUP(free_clear) char *path = NULL;
        CLEANUP(free_clear) char *part = NULL;
        struct err e = {0};

        if (!str_cut(&text, STR("="), &name))
            text = STR("");
        part = str_dup(name);
        path = path_join(m->dir, part);
        assert_int_equal(fs_mkdirs_for(path, &e), 0);
        assert_int_equal(fs_write(path, text, &e), 0);
    }
}

static void machine_clear(struct machine *m)
{
    CLEANUP(buf_clear) struct buf remove = {0};

    buf_fmt(&remove, "rm -rf %s", m->dir);
    assert_int_equal(system(remove.p), 0);
}

#define SYS "sys/module/nvidia/version=550.54.15\n"
#define NODES "dev/nvidia0", "dev/nvidiactl", "dev/nvidia-uvm"
#define GPU_0 \
    "proc/driver/nvidia/gpus/0000:01:00.0/information=Model: \t\t NVIDIA L4\nIRQ:   \t\t 1\n"
#define CDI "etc/cdi/nvidia.yaml=kind: nvidia.com/gpu\npath: /usr/lib/libcuda.so.550.54.15\n"
#define CTK "usr/bin/nvidia-ctk"

static void what_is_missing_is_named(void **state)
{
    static const struct {
        const char *files[FILES_MAX], *codes;
    } cases[] = {
        {{SYS, GPU_0, NODES, CDI, CTK}, ""},
        {{0}, ""}, /* no GPU and no driver: nothing to hand on */
        {{SYS, GPU_0, NODES, CDI}, "no-container-toolkit "},
        {{SYS, GPU_0, NODES, CDI, "usr/bin/nvidia-container-cli"}, ""},
        {{SYS, GPU_0, NODES, CDI, "usr/local/nvidia/toolkit/nvidia-ctk"}, ""},
        {{SYS, GPU_0, NODES, CTK}, "no-cdi-specification "},
        {{SYS, GPU_0, NODES, CTK, "var/run/cdi/x.json={\"kind\": \"nvidia.com/gpu\"}"}, ""},
        {{SYS, GPU_0, NODES, CTK, "etc/cdi/x.yaml=kind: example.com/net\n"},
         "no-cdi-specification "},
        {{SYS, GPU_0, NODES, CTK, "etc/cdi/x.yaml.old=kind: nvidia.com/gpu\n"},
         "no-cdi-specification "},
        {{SYS, GPU_0, NODES, CTK,
          "etc/cdi/x.yaml=kind: nvidia.com/gpu\n- /lib/libcuda.so.1\n- "
          "/lib/libcuda.so.535.104.05\n"},
         "stale-cdi-specification "},
        {{SYS, NODES, CDI, CTK}, "no-gpu "},
        {{SYS, GPU_0, CDI, CTK}, "no-device-node no-device-node no-device-node "},
        {{SYS, GPU_0, CDI, CTK, "dev/nvidia7", "dev/nvidiactl"}, "no-device-node "}, /* uvm */
        {{SYS, GPU_0, CDI, CTK, "dev/nvidia-modeset", "dev/nvidiactl", "dev/nvidia-uvm"},
         "no-device-node "}, /* no GPU's own */
        {{"sys/bus/pci/devices/0000:01:00.0/vendor=0x10de\n",
          "sys/bus/pci/devices/0000:01:00.0/class=0x030200\n"},
         "driver-not-loaded "},
        {{"sys/bus/pci/devices/0000:01:00.1/vendor=0x10de\n", /* its sound alone */
          "sys/bus/pci/devices/0000:01:00.1/class=0x040300\n"},
         ""},
        {{"sys/bus/pci/devices/0000:02:00.0/vendor=0x1002\n",
          "sys/bus/pci/devices/0000:02:00.0/class=0x030000\n"},
         ""},
        {{"usr/lib/wsl/lib/libdxcore.so", "dev/dxg"}, "wsl-without-driver "},
        {{"dev/dxg", "usr/lib/wsl/lib/libcuda.so.1"}, ""}, /* its driver is known by NVML alone */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(machine_clear) struct machine m;
        CLEANUP(container_setup_clear) struct container_setup plumbing = {0};
        CLEANUP(probe_clear) struct probe p = {0};
        CLEANUP(buf_clear) struct buf codes = {0};
        const struct missing *missing;

        machine_open(&m, cases[i].files);
        probe_host(&p, m.dir, NULL);
        container_setup_check(&plumbing, &p, m.dir, NULL);
        vec_each(missing, &plumbing.missing) {
            buf_fmt(&codes, "%s ", missing->code);
            assert_true(missing->sentence.len > 15 && strlen(missing->remedy) > 15);
        }
        if (!str_is(buf_view(&codes), cases[i].codes))
            fail_msg("case %zu: \"%s\", not \"%s\"", i, codes.p ? codes.p : "", cases[i].codes);
    }
}

static void the_path_is_searched(void **state)
{
    static const struct {
        const char *path;
        size_t missing;
    } cases[] = {
        {"/opt/bin:/usr/bin", 0}, {"/usr/bin::bin", 1}, {"opt/bin", 1}, {"", 1}, {NULL, 1}};
    static const char *const files[FILES_MAX] = {SYS, GPU_0, NODES, CDI, "opt/bin/nvidia-ctk"};
    CLEANUP(machine_clear) struct machine m;
    CLEANUP(probe_clear) struct probe p = {0};

    machine_open(&m, files);
    probe_host(&p, m.dir, NULL);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(container_setup_clear) struct container_setup plumbing = {0};

        container_setup_check(&plumbing, &p, m.dir, cases[i].path);
        assert_int_equal(plumbing.missing.n, cases[i].missing);
    }
}

static void names_without_nvml(void **state)
{
    static const char *const files[FILES_MAX] = {
        SYS, GPU_0, "proc/driver/nvidia/gpus/0000:02:00.0/information=Model: NVIDIA A10G\n",
        "proc/driver/nvidia/gpus/0000:03:00.0/information=IRQ: 3\n"};
    CLEANUP(machine_clear) struct machine m;
    CLEANUP(probe_clear) struct probe p = {0};

    machine_open(&m, files);
    probe_host(&p, m.dir, NULL);
    assert_int_equal(p.nvml, NVML_NOT_ASKED);
    assert_int_equal(p.gpus.n, 2);
    assert_true(str_is(p.gpus.v[0].name, "NVIDIA L4") && !p.gpus.v[0].cc.len);
    assert_true(str_is(p.gpus.v[1].name, "NVIDIA A10G"));
}

/* ---- NVML, by a library of ours ---- */

static const char *fake; /* path of fake_nvml.so, beside this program */

static void fake_set(const char *init, const char *driver, const char *gpus)
{
    setenv("FAKE_NVML_INIT", init, 1);
    setenv("FAKE_NVML_DRIVER", driver, 1);
    setenv("FAKE_NVML_GPUS", gpus, 1);
}

static void nvml_is_asked(void **state)
{
    static const char *const files[FILES_MAX] = {SYS, NODES, CDI, CTK}, *const empty[FILES_MAX] = {
                                                                            0};
    static const char *const wsl[FILES_MAX] = {"dev/dxg", CTK, CDI};
    static const struct {
        const char *const *files, *library, *init, *driver, *gpus; /* given */
        enum probe_nvml nvml;
        size_t n;
        const char *found, *code;
    } cases[] = {
        {files, NULL, "0", "1.2.3", "NVIDIA L4=8.9;NVIDIA H100 80GB HBM3=9.0", NVML_ANSWERED, 2,
         "550.54.15", ""}, /* what is loaded counts */
        {wsl, NULL, "0", "551.61", "NVIDIA GeForce RTX 4090=8.9", NVML_ANSWERED, 1, "551.61", ""},
        {files, NULL, "0", "550.54.15", "", NVML_ANSWERED, 0, "550.54.15", "no-gpu"},
        {files, NULL, "18", "", "NVIDIA L4=8.9", NVML_MISMATCH, 0, "550.54.15",
         "driver-libraries-differ"},
        {files, NULL, "999", "", "NVIDIA L4=8.9", NVML_FAILED, 0, "550.54.15",
         "driver-does-not-answer"},
        {files, "libnvidia-ml-of-nobody.so.1", "0", "", "", NVML_ABSENT, 0, "550.54.15",
         "no-driver-libraries"},
        {files, "libc.so.6", "0", "", "", NVML_FAILED, 0, "550.54.15", "driver-does-not-answer"},
        {empty, "libnvidia-ml-of-nobody.so.1", "0", "", "", NVML_ABSENT, 0, "", ""},
        {empty, NULL, "9", "", "", NVML_FAILED, 0, "", ""}, /* 9: no driver is loaded */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(machine_clear) struct machine m;
        CLEANUP(container_setup_clear) struct container_setup plumbing = {0};
        CLEANUP(probe_clear) struct probe p = {0};

        machine_open(&m, cases[i].files);
        fake_set(cases[i].init, cases[i].driver, cases[i].gpus);
        probe_host(&p, m.dir, cases[i].library ? cases[i].library : fake);
        container_setup_check(&plumbing, &p, m.dir, NULL);
        if (p.nvml != cases[i].nvml || p.gpus.n != cases[i].n || !str_is(p.driver, cases[i].found))
            fail_msg("case %zu: nvml %d, %zu GPUs, driver \"" STR_FMT "\"", i, (int)p.nvml,
                     p.gpus.n, STR_ARG(p.driver));
        assert_string_equal(plumbing.missing.n ? plumbing.missing.v[0].code : "", cases[i].code);
    }
}

/* Without NVML: what the files alone tell. */
static void files_tell_the_processor_and_hidden_drivers(void **state)
{
    static const struct {
        const char *files[FILES_MAX], *driver, *arch;
        bool hidden;
    } cases[] = {
        {{"proc/driver/nvidia/version=NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  "
          "580.95.05  Release Build\n",
          "sys/module/nvidia/version=580.95.05\n"},
         "580.95.05",
         "arm64",
         false},
        {{"proc/driver/nvidia/version=NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.120\n"},
         "550.120",
         "amd64",
         false},
        {{SYS}, "550.54.15", "", false},
        {{"dev/dxg", "usr/lib/wsl/lib/libcuda.so.1"}, "", "", true},
        {{"dev/dxg"}, "", "", false},
        {{0}, "", "", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(machine_clear) struct machine m;
        CLEANUP(probe_clear) struct probe p = {0};

        machine_open(&m, cases[i].files);
        probe_host(&p, m.dir, NULL);
        if (!str_is(p.driver, cases[i].driver) || !str_is(p.arch, cases[i].arch) ||
            p.hidden != cases[i].hidden)
            fail_msg("case %zu: \"" STR_FMT "\" \"" STR_FMT "\"", i, STR_ARG(p.driver),
                     STR_ARG(p.arch));
    }
}

/* A machine's own word on its capability counts; its name gives the class. */
static void a_machine_names_its_gpus(void **state)
{
    static const struct {
        const char *name, *cc, *got, *class; /* got: NULL when it cannot be told */
    } cases[] = {
        {"NVIDIA H100 80GB HBM3", "9.0", "9.0", "datacenter"},
        {"NVIDIA GeForce RTX 4090", "8.9", "8.9", "geforce"},
        {"NVIDIA GeForce RTX 4090", "", "8.9", "geforce"},
        {"NVIDIA GeForce RTX 4090", "9.0", "9.0", ""}, /* the name is not what it says */
        {"NVIDIA Something New", "8.9", "8.9", ""},
        {"NVIDIA Something New", "14.3", "14.3", ""}, /* newer than the catalog */
        {"NVIDIA Something New", "", NULL, NULL},
        {"", "8.9", "8.9", ""},
        {"NVIDIA H20", "", "9.0", "datacenter"},    /* not confirmed */
        {"NVIDIA H20", "9.0", "9.0", "datacenter"}, /* now the machine itself says so */
        {"", "x", NULL, NULL},
        {"", "", NULL, NULL},
    };
    CLEANUP(catalog_clear) struct catalog catalog = {0};
    struct err e = {0};

    assert_int_equal(catalog_open(&catalog, NULL, &e), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct catalog_gpu g = {0};
        bool told = host_gpu(&g, &catalog, str_of(cases[i].name), str_of(cases[i].cc));

        assert_int_equal(told, cases[i].got != NULL);
        if (told)
            assert_true(str_is(g.cc, cases[i].got) && str_is(g.class, cases[i].class) &&
                        g.major >= 8 &&
                        g.unconfirmed == (str_is(g.name, "H20") && !cases[i].cc[0]));
    }
}

int main(int argc, char **argv)
{
    CLEANUP(free_clear) char *dir = path_dir(argv[0]);
    CLEANUP(free_clear) char *library = path_join(dir, "fake_nvml.so");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(the_path_is_searched),
        cmocka_unit_test(names_without_nvml),
        cmocka_unit_test(nvml_is_asked),
        cmocka_unit_test(a_machine_names_its_gpus),
        cmocka_unit_test(files_tell_the_processor_and_hidden_drivers),
    };

    fake = library;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
