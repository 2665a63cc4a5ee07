/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include "../base/fs.h"
#include "../base/path.h"
#include "../io/program.h"

enum { SAID_MAX = 4096, KERNEL_FILE_MAX = 1 << 20 };

/* ---- what stands in the way ---- */

static const struct known {
    const char *sentence, *remedy;
} known[] = {
    [SEAL_NO_BWRAP] = {SEAL_NO_BWRAP_SENTENCE, SEAL_NO_BWRAP_REMEDY},
    [SEAL_OLD_BWRAP] = {"this bwrap is too old: it lacks an option that sealed builds need",
                        "install bubblewrap 0.6 or newer, as Debian 12 and Ubuntu 22.04 have it"},
    [SEAL_NAMESPACES_OFF] = {"this kernel allows no user namespaces, in which sealed builds run",
                             "as root: sysctl user.max_user_namespaces=15000 and, where it exists, "
                             "kernel.unprivileged_userns_clone=1"},
    [SEAL_APPARMOR] =
        {"AppArmor forbids bwrap to set up a user namespace, as Ubuntu 24.04 does",
         "as root: apt-get install apparmor-profiles; ln -s "
         "/usr/share/apparmor/extra-profiles/bwrap-userns-restrict /etc/apparmor.d/; "
         "apparmor_parser -r /etc/apparmor.d/bwrap-userns-restrict; the sysctl that allows all "
         "programs what this allows bwrap is not needed"},
    [SEAL_FORBIDDEN] =
        {"no new namespace may be made here, as in a container whose seccomp filter "
         "forbids it",
         "build outside the container, or start it with --security-opt "
         "seccomp=unconfined --security-opt systempaths=unconfined (Docker), or "
         "--security-opt unmask=ALL (Podman); in Kubernetes with procMount: Unmasked "
         "and hostUsers: false"},
    [SEAL_NO_PROC] =
        {"no /proc can be mounted here, as in a container that masks a part of its own",
         "build outside the container, or start it with --security-opt "
         "systempaths=unconfined (Docker), or --security-opt unmask=ALL (Podman); in "
         "Kubernetes with procMount: Unmasked and hostUsers: false"},
    [SEAL_NVIDIA_PROC] =
        {"no /proc can be mounted here, because the NVIDIA runtime has mounted files "
         "below /proc/driver/nvidia of this container",
         "build in a container without a GPU (NVIDIA_VISIBLE_DEVICES=void); no GPU is "
         "needed to build"},
};

/* Is the number in this file of the kernel `n`? */
static bool kernel_says(const char *proc, const char *name, const char *n)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* this kernel has no such switch */
    CLEANUP(free_clear) char *path = path_join(proc, name);
    CLEANUP(buf_clear) struct buf text = {0};

    return fs_read(&text, path, KERNEL_FILE_MAX, &ignored) == 0 &&
           str_is(str_trim(buf_view(&text)), n);
}

static bool nvidia_is_mounted(const char *proc)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* then that is not the reason */
    CLEANUP(free_clear) char *path = path_join(proc, "self/mountinfo");
    CLEANUP(buf_clear) struct buf text = {0};

    if (fs_read(&text, path, KERNEL_FILE_MAX, &ignored) < 0)
        return false;
    return str_find_str(buf_view(&text), STR(" /proc/driver/nvidia")) < text.len;
}

static bool has(struct str said, const char *words)
{
    return str_find_str(said, str_of(words)) < said.len;
}

/* The words are bwrap's, 0.6 to 0.11. */
static enum seal_obstacle obstacle_of(struct str said, const char *proc)
{
    bool restricted = kernel_says(proc, "sys/kernel/apparmor_restrict_unprivileged_userns", "1");

    if (has(said, "Unknown option"))
        return SEAL_OLD_BWRAP;
    if (has(said, "mount proc on"))
        return nvidia_is_mounted(proc) ? SEAL_NVIDIA_PROC : SEAL_NO_PROC;
    if (kernel_says(proc, "sys/user/max_user_namespaces", "0") ||
        kernel_says(proc, "sys/kernel/unprivileged_userns_clone", "0"))
        return SEAL_NAMESPACES_OFF;
    if (has(said, "setting up uid map") || has(said, "RTM_NEWADDR") || has(said, "RTM_NEWLINK"))
        return restricted ? SEAL_APPARMOR : SEAL_FORBIDDEN;
    if (has(said, "No permissions to create") || has(said, "reating new namespace failed") ||
        has(said, "No permissions to creating new namespace"))
        return SEAL_FORBIDDEN;
    return SEAL_OTHER;
}

static void set(struct seal_probe *out, enum seal_obstacle obstacle)
{
    *out = (struct seal_probe){obstacle, xstrdup(known[obstacle].sentence),
                               xstrdup(known[obstacle].remedy)};
}

void seal_probe_judge(struct seal_probe *out, struct str said, const char *proc)
{
    enum seal_obstacle obstacle = obstacle_of(said, proc);
    struct buf sentence = {0};

    if (obstacle != SEAL_OTHER) {
        set(out, obstacle);
        return;
    }
    said = str_trim(said);
    buf_fmt(
        &sentence, "bwrap fails: " STR_FMT,
        STR_ARG(said.len ? str_sub(said, 0, str_find(said, '\n')) : STR("it does not say why")));
    *out = (struct seal_probe){obstacle, buf_take(&sentence),
                               xstrdup("see that `bwrap --unshare-all --ro-bind / / --proc /proc "
                                       "true` works for this user")};
}

/* ---- trying ---- */

int seal_probe(struct seal_probe *out, const struct events *events, struct err *e)
{
    static const char *const words[] = {"bwrap",
                                        "--unshare-all",
                                        "--unshare-user",
                                        "--uid",
                                        "1000",
                                        "--gid",
                                        "1000",
                                        "--cap-drop",
                                        "ALL",
                                        "--hostname",
                                        "sealed",
                                        "--die-with-parent",
                                        "--new-session",
                                        "--ro-bind",
                                        "/",
                                        "/",
                                        "--proc",
                                        "/proc",
                                        "--dev",
                                        "/dev",
                                        "--remount-ro",
                                        "/proc",
                                        "--remount-ro",
                                        "/dev",
                                        "--",
                                        "true",
                                        NULL};
    char *argv[ARRAY_LEN(words)];
    CLEANUP(program_clear) struct program *program = NULL;
    CLEANUP(err_clear) struct err missing = {0};
    struct program_end end;

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        argv[i] = (char *)(uintptr_t)words[i];
    *out = (struct seal_probe){0};
    if (program_open(&program,
                     &(struct program_how){.name = "bwrap",
                                           .argv = argv,
                                           .errors = PROGRAM_ERRORS_OUTPUT,
                                           .output_max = SAID_MAX,
                                           .keep_end = true,
                                           .events = events},
                     &missing) < 0) {
        set(out, SEAL_NO_BWRAP);
        return 0;
    }
    if (program_wait(program, &end, e) < 0)
        return -1;
    if (end.code || end.signal)
        seal_probe_judge(out, end.output, "/proc");
    return 0;
}

int seal_probe_need(const struct seal_probe *p, struct err *e)
{
    if (p->obstacle == SEAL_WORKS)
        return 0;
    return err_set(e, ERR_SYSTEM, "cannot build from source here: %s; %s", p->sentence, p->remedy);
}

void seal_probe_clear(struct seal_probe *p)
{
    free(p->sentence);
    free(p->remedy);
    *p = (struct seal_probe){0};
}
