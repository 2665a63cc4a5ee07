/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include <dlfcn.h>
#include <sys/utsname.h>

#include "../base/fs.h"
#include "../model/driver.h"

enum { TEXT_MAX = 4096, NAME_MAX_NVML = 96, GPUS_MAX = 256 };

static bool read_text(struct buf *out, const char *root, const char *path)
{
    CLEANUP(err_clear) struct err missing = {0}; /* then there is no driver */
    CLEANUP(buf_clear) struct buf whole = {0};

    buf_fmt(&whole, "%s%s", root, path);
    return fs_read(out, whole.p, TEXT_MAX, &missing) == 0;
}

static bool exists(const char *root, const char *path)
{
    CLEANUP(buf_clear) struct buf whole = {0};

    buf_fmt(&whole, "%s%s", root, path);
    return fs_exists(whole.p);
}

static void find_driver(struct probe *p, const char *root)
{
    static const char *const paths[] = {"/sys/module/nvidia/version",
                                        "/proc/driver/nvidia/version"};

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        CLEANUP(buf_clear) struct buf text = {0};
        struct driver d;

        if (!read_text(&text, root, paths[i]) || !driver_read(&d, buf_view(&text)))
            continue;
        if (!p->driver.len)
            p->driver = arena_str(&p->arena, d.version);
        if (d.arch.len)
            p->arch = d.arch;
    }
}

/* ---- NVML ---- */

/* The few calls of NVML that are needed; nvml.h of the CUDA toolkit has them and the numbers. */
enum { NVML_OK = 0, NVML_LIB_RM_VERSION_MISMATCH = 18 };
struct nvml {
    int (*init)(void);
    int (*shutdown)(void);
    int (*driver)(char *version, unsigned size);
    int (*count)(unsigned *n);
    int (*handle)(unsigned index, void **device);
    int (*name)(void *device, char *name, unsigned size);
    int (*capability)(void *device, int *major, int *minor);
};

static bool take(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);

    memcpy(function, &found, sizeof found);
    return found != NULL;
}

static bool load(struct nvml *n, void *library)
{
    return take(library, "nvmlInit_v2", &n->init) && take(library, "nvmlShutdown", &n->shutdown) &&
           take(library, "nvmlSystemGetDriverVersion", &n->driver) &&
           take(library, "nvmlDeviceGetCount_v2", &n->count) &&
           take(library, "nvmlDeviceGetHandleByIndex_v2", &n->handle) &&
           take(library, "nvmlDeviceGetName", &n->name) &&
           take(library, "nvmlDeviceGetCudaComputeCapability", &n->capability);
}

static struct str text_of(struct probe *p, const char *text, size_t size)
{
    return arena_str(&p->arena, str_trim((struct str){text, strnlen(text, size)}));
}

static void list_gpus(struct probe *p, const struct nvml *n)
{
    unsigned count = 0;

    if (n->count(&count) != NVML_OK)
        return;
    for (unsigned i = 0; i < count && i < GPUS_MAX; i++) {
        char name[NAME_MAX_NVML] = "";
        struct probe_gpu gpu = {0};
        int major, minor;
        void *device;

        if (n->handle(i, &device) != NVML_OK)
            continue; /* it fell off the bus, or is not ours to see */
        if (n->name(device, name, sizeof name) == NVML_OK)
            gpu.name = text_of(p, name, sizeof name);
        if (n->capability(device, &major, &minor) == NVML_OK)
            gpu.cc = str_of(arena_fmt(&p->arena, "%d.%d", major, minor));
        if (gpu.name.len || gpu.cc.len)
            vec_add(&p->gpus, gpu);
    }
}

static enum probe_nvml ask(struct probe *p, void *library)
{
    char driver[NAME_MAX_NVML] = "";
    struct nvml nvml;
    int result;

    if (!load(&nvml, library))
        return NVML_FAILED;
    result = nvml.init();
    if (result != NVML_OK)
        return result == NVML_LIB_RM_VERSION_MISMATCH ? NVML_MISMATCH : NVML_FAILED;
    if (!p->driver.len && nvml.driver(driver, sizeof driver) == NVML_OK)
        p->driver = text_of(p, driver, sizeof driver);
    list_gpus(p, &nvml);
    nvml.shutdown();
    return NVML_ANSWERED;
}

/* Where the loader looks, then where WSL and NixOS keep it. */
static void ask_nvml(struct probe *p, const char *named)
{
    const char *const names[] = {named ? named : "libnvidia-ml.so.1",
                                 named ? NULL : "/usr/lib/wsl/lib/libnvidia-ml.so.1",
                                 named ? NULL : "/run/opengl-driver/lib/libnvidia-ml.so.1"};
    void *library = NULL;

    for (size_t i = 0; i < ARRAY_LEN(names) && !library; i++)
        if (names[i])
            library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        p->nvml = NVML_ABSENT;
        return;
    }
    p->nvml = ask(p, library);
    dlclose(library);
}

/* ---- without NVML ---- */

/* "Model: \t\t NVIDIA H100 80GB HBM3" of each GPU's `information`. */
static void read_names(struct probe *p, const char *root)
{
    CLEANUP(names_clear) struct names folders = {0};
    CLEANUP(err_clear) struct err missing = {0}; /* then there is none */
    CLEANUP(buf_clear) struct buf dir = {0};

    buf_fmt(&dir, "%s/proc/driver/nvidia/gpus", root);
    if (fs_list(&folders, dir.p, &missing) < 0)
        return;
    for (size_t i = 0; i < folders.n && i < GPUS_MAX; i++) {
        CLEANUP(buf_clear) struct buf path = {0}, text = {0};
        struct str rest, line;

        buf_fmt(&path, "/proc/driver/nvidia/gpus/%s/information", folders.v[i]);
        if (!read_text(&text, root, path.p))
            continue;
        for (rest = buf_view(&text); str_line(&rest, &line);)
            if (str_skip(&line, STR("Model:"))) {
                line = str_trim(line);
                vec_add(&p->gpus, ((struct probe_gpu){.name = arena_str(&p->arena, line)}));
                break;
            }
    }
}

void probe_host(struct probe *out, const char *root, const char *nvml)
{
    struct utsname own;

    *out = (struct probe){0};
    if (!root[0] && uname(&own) == 0)
        out->arch = driver_arch(str_of(own.machine));
    out->wsl = exists(root, "/usr/lib/wsl/lib") || exists(root, "/dev/dxg");
    find_driver(out, root);
    if (!root[0] || nvml)
        ask_nvml(out, nvml);
    if (!out->gpus.n)
        read_names(out, root);
    out->hidden = out->wsl && !out->driver.len && exists(root, "/usr/lib/wsl/lib/libcuda.so.1");
}

void probe_clear(struct probe *p)
{
    vec_clear(&p->gpus);
    arena_clear(&p->arena);
    *p = (struct probe){0};
}
