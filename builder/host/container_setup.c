/* SPDX-License-Identifier: Apache-2.0 */
#include "container_setup.h"

#include "../base/dotted.h"
#include "../base/fs.h"

enum { SPEC_MAX = 4 * 1024 * 1024, SMALL_MAX = 4096 };

static void add(struct container_setup *out, const char *code, const char *remedy, const char *fmt,
                ...) PRINTF(4, 5);
static void add(struct container_setup *out, const char *code, const char *remedy, const char *fmt,
                ...)
{
    CLEANUP(buf_clear) struct buf text = {0};
    va_list args;

    va_start(args, fmt);
    buf_vfmt(&text, fmt, args);
    va_end(args);
    vec_add(&out->missing,
            ((struct missing){code, arena_str(&out->arena, buf_view(&text)), remedy}));
}

static bool read_below(struct buf *out, const char *root, const char *dir, const char *name,
                       uint64_t limit)
{
    CLEANUP(err_clear) struct err unreadable = {0}; /* as good as missing */
    CLEANUP(buf_clear) struct buf path = {0};

    buf_fmt(&path, "%s%s/%s", root, dir, name);
    return fs_read(out, path.p, limit, &unreadable) == 0;
}

static bool list_below(struct names *out, const char *root, const char *dir)
{
    CLEANUP(err_clear) struct err unreadable = {0}; /* as good as empty */
    CLEANUP(buf_clear) struct buf path = {0};

    buf_fmt(&path, "%s%s", root, dir);
    return fs_list(out, path.p, &unreadable) == 0;
}

static bool exists(const char *root, const char *path)
{
    CLEANUP(buf_clear) struct buf whole = {0};

    buf_fmt(&whole, "%s%s", root, path);
    return fs_exists(whole.p);
}

/* ---- the driver ---- */

/* Is there an NVIDIA display or 3D controller on the PCI bus? Vendor 0x10de, class 0x03.... */
static bool on_the_bus(const char *root)
{
    static const char dir[] = "/sys/bus/pci/devices";
    CLEANUP(names_clear) struct names devices = {0};

    if (!list_below(&devices, root, dir))
        return false;
    for (size_t i = 0; i < devices.n; i++) {
        CLEANUP(buf_clear) struct buf folder = {0}, vendor = {0}, class = {0};

        buf_fmt(&folder, "%s/%s", dir, devices.v[i]);
        if (read_below(&vendor, root, folder.p, "vendor", SMALL_MAX) &&
            read_below(&class, root, folder.p, "class", SMALL_MAX) &&
            str_is(str_trim(buf_view(&vendor)), "0x10de") &&
            str_starts(buf_view(&class), STR("0x03")))
            return true;
    }
    return false;
}

static void check_driver(struct container_setup *out, const struct probe *p, const char *root)
{
    if (p->wsl && !p->driver.len && !p->hidden)
        add(out, "wsl-without-driver",
            "install NVIDIA's driver for Windows, then `wsl --shutdown`; inside WSL none is "
            "installed",
            "this is WSL, and /usr/lib/wsl/lib has no libcuda.so.1");
    else if (!p->wsl && !p->driver.len && on_the_bus(root))
        add(out, "driver-not-loaded",
            "install the distribution's NVIDIA driver, or load it with `modprobe nvidia`; with "
            "Secure Boot its module must be signed",
            "an NVIDIA GPU is on the PCI bus, and no driver is loaded");
}

static void check_libraries(struct container_setup *out, const struct probe *p)
{
    switch (p->nvml) {
    case NVML_NOT_ASKED:
    case NVML_ANSWERED:
        return;
    case NVML_ABSENT:
        add(out, "no-driver-libraries",
            "install the libraries of the same driver version; in a container, start it with the "
            "GPU (`--gpus all` or `--device nvidia.com/gpu=all`)",
            "driver " STR_FMT " is loaded, and its libnvidia-ml.so.1 is not to be found",
            STR_ARG(p->driver));
        return;
    case NVML_MISMATCH:
        add(out, "driver-libraries-differ", "restart the machine, or unload and load the module",
            "driver " STR_FMT " is loaded, and its libraries are of another version, as after an "
            "upgrade",
            STR_ARG(p->driver));
        return;
    case NVML_FAILED:
        add(out, "driver-does-not-answer", "`nvidia-smi` and `dmesg` tell more",
            "driver " STR_FMT " is loaded, and its libnvidia-ml.so.1 does not answer",
            STR_ARG(p->driver));
        return;
    }
}

/* ---- device nodes ---- */

static bool has_gpu_node(const char *root)
{
    CLEANUP(names_clear) struct names nodes = {0};

    list_below(&nodes, root, "/dev");
    for (size_t i = 0; i < nodes.n; i++) {
        struct str number = str_of(nodes.v[i]);
        uint32_t n;

        if (str_skip(&number, STR("nvidia")) && str_u32(number, &n))
            return true;
    }
    return false;
}

static void check_nodes(struct container_setup *out, const struct probe *p, const char *root)
{
    static const char remedy[] = "`nvidia-modprobe -c 0 -u`, or nvidia-persistenced at boot; in a "
                                 "container, start it with the GPU";

    if (p->wsl) {
        if (!exists(root, "/dev/dxg"))
            add(out, "no-device-node", "update WSL: `wsl --update`, and use WSL 2",
                "/dev/dxg is missing, by which WSL reaches the GPU");
        return;
    }
    if (!has_gpu_node(root))
        add(out, "no-device-node", remedy, "/dev/nvidia0 is missing, and any other GPU's node");
    if (!exists(root, "/dev/nvidiactl"))
        add(out, "no-device-node", remedy, "/dev/nvidiactl is missing");
    if (!exists(root, "/dev/nvidia-uvm"))
        add(out, "no-device-node", remedy, "/dev/nvidia-uvm is missing, without which CUDA fails");
}

/* ---- containers ---- */

static bool in_path(const char *root, struct str path, const char *program)
{
    struct str folder;

    while (str_item(&path, ':', &folder)) {
        CLEANUP(buf_clear) struct buf file = {0};

        buf_fmt(&file, STR_FMT "/%s", STR_ARG(folder), program);
        if (folder.len && folder.p[0] == '/' && exists(root, file.p))
            return true;
    }
    return false;
}

static void check_toolkit(struct container_setup *out, const char *root, const char *path)
{
    struct str folders = path && path[0]
                             ? str_of(path)
                             : STR("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");

    if (!in_path(root, folders, "nvidia-ctk") && !in_path(root, folders, "nvidia-container-cli") &&
        !exists(root, "/usr/local/nvidia/toolkit/nvidia-ctk")) /* where the GPU operator puts it */
        add(out, "no-container-toolkit",
            "install nvidia-container-toolkit from NVIDIA's package archive, then "
            "`nvidia-ctk runtime configure` for Docker",
            "neither nvidia-ctk nor nvidia-container-cli is in PATH");
}

/* A driver's version as a specification names it: "libcuda.so.550.54.15". */
static bool names_driver(struct str spec, struct str *version)
{
    static const struct str mark = STR_INIT("libcuda.so.");
    size_t at;

    while ((at = str_find_str(spec, mark)) < spec.len) {
        spec = str_sub(spec, at + mark.len, spec.len);
        *version = dotted_prefix(spec);
        if (str_has(*version, '.')) /* not "libcuda.so.1" */
            return true;
    }
    return false;
}

static void check_cdi(struct container_setup *out, const struct probe *p, const char *root)
{
    static const char *const dirs[] = {"/etc/cdi", "/var/run/cdi"};
    static const char remedy[] = "`nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`";
    bool found = false;

    for (size_t d = 0; d < ARRAY_LEN(dirs); d++) {
        CLEANUP(names_clear) struct names files = {0};

        list_below(&files, root, dirs[d]);
        for (size_t i = 0; i < files.n; i++) {
            CLEANUP(buf_clear) struct buf text = {0};
            struct str name = str_of(files.v[i]), version;

            if ((!str_ends(name, STR(".yaml")) && !str_ends(name, STR(".json"))) ||
                !read_below(&text, root, dirs[d], files.v[i], SPEC_MAX) ||
                str_find_str(buf_view(&text), STR("nvidia.com/gpu")) == text.len)
                continue;
            found = true;
            if (!p->wsl && names_driver(buf_view(&text), &version) && !str_eq(version, p->driver))
                add(out, "stale-cdi-specification", remedy,
                    "%s/%s is of driver " STR_FMT ", and " STR_FMT " is loaded", dirs[d],
                    files.v[i], STR_ARG(version), STR_ARG(p->driver));
        }
    }
    if (!found)
        add(out, "no-cdi-specification", remedy,
            "neither /etc/cdi nor /var/run/cdi has a specification of nvidia.com/gpu; Podman and "
            "`--device nvidia.com/gpu=all` need it, `docker --gpus all` does not");
}

void container_setup_check(struct container_setup *out, const struct probe *p, const char *root,
                           const char *path)
{
    *out = (struct container_setup){0};
    check_driver(out, p, root);
    if (!p->driver.len)
        return; /* nothing to hand to a container */
    check_libraries(out, p);
    if (!p->gpus.n)
        add(out, "no-gpu", "`lspci -d 10de:` shows whether one is on the bus, `dmesg` why not",
            "driver " STR_FMT " is loaded, and shows no GPU", STR_ARG(p->driver));
    check_nodes(out, p, root);
    check_toolkit(out, root, path);
    check_cdi(out, p, root);
}

void container_setup_clear(struct container_setup *p)
{
    vec_clear(&p->missing);
    arena_clear(&p->arena);
    *p = (struct container_setup){0};
}
