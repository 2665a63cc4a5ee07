/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include <dlfcn.h>

#include "../base/fs.h"
#include "../base/path.h"

enum { VERSION_MAX = 4096 };

static bool read_text(struct buf *out, const char *root, const char *path)
{
    CLEANUP(err_clear) struct err missing = {0}; /* then there is no driver */
    CLEANUP(buf_clear) struct buf whole = {0};

    buf_fmt(&whole, "%s%s", root, path);
    return fs_read(out, whole.p, VERSION_MAX, &missing) == 0;
}

static bool is_version(struct str word)
{
    struct str part;
    unsigned parts = 0;
    uint32_t n;

    while (str_item(&word, '.', &part)) {
        if (!str_u32(part, &n))
            return false;
        parts++;
    }
    return parts == 2 || parts == 3;
}

/* The first word that is a version: "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15 ..."
 */
static void find_driver(struct probe *p, const char *root)
{
    static const char *const paths[] = {"/sys/module/nvidia/version",
                                        "/proc/driver/nvidia/version"};

    for (size_t i = 0; i < ARRAY_LEN(paths) && !p->driver.len; i++) {
        CLEANUP(buf_clear) struct buf text = {0};
        struct str rest, word;

        if (!read_text(&text, root, paths[i]))
            continue;
        for (rest = buf_view(&text); !p->driver.len && str_word(&rest, &word);)
            if (is_version(word))
                p->driver = arena_str(&p->arena, word);
    }
}

/* The few calls of NVML that are needed; nvml.h of the CUDA toolkit has them. */
struct nvml {
    int (*init)(void);
    int (*shutdown)(void);
    int (*count)(unsigned *n);
    int (*handle)(unsigned index, void **device);
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
           take(library, "nvmlDeviceGetCount_v2", &n->count) &&
           take(library, "nvmlDeviceGetHandleByIndex_v2", &n->handle) &&
           take(library, "nvmlDeviceGetCudaComputeCapability", &n->capability);
}

static void list_gpus(struct probe *p, const struct nvml *n)
{
    unsigned count = 0;
    int major, minor;
    void *device;

    if (n->count(&count) != 0)
        return;
    for (unsigned i = 0; i < count; i++)
        if (n->handle(i, &device) == 0 && n->capability(device, &major, &minor) == 0)
            vec_add(&p->gpus, str_of(arena_fmt(&p->arena, "%d.%d", major, minor)));
}

static void ask_nvml(struct probe *p)
{
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    struct nvml nvml;

    if (!library)
        return;
    if (load(&nvml, library) && nvml.init() == 0) {
        list_gpus(p, &nvml);
        nvml.shutdown();
    }
    dlclose(library);
}

void probe_host(struct probe *out, const char *root)
{
    *out = (struct probe){0};
    find_driver(out, root);
    if (!root[0])
        ask_nvml(out);
}

void probe_clear(struct probe *p)
{
    vec_clear(&p->gpus);
    arena_clear(&p->arena);
    *p = (struct probe){0};
}
