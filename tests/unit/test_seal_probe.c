/* tests/unit/test_seal_probe.c - what stands in the way of sealed builds, and what is missing in a
 * build that failed, told by words of other programs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "oci_fixture.h"

#include <sys/wait.h>

#include "mkfolder.h"
#include "seal/hint.h"
#include "seal/memory.h"
#include "seal/probe.h"

#define CLONE_OFF "proc/sys/kernel/unprivileged_userns_clone"
#define NONE_LEFT "proc/sys/user/max_user_namespaces"
#define RESTRICTED "proc/sys/kernel/apparmor_restrict_unprivileged_userns"
#define MOUNTS "proc/self/mountinfo"

static void each_obstacle_is_told_apart(void **state)
{
    static const struct {
        const char *said;
        struct mkfolder_item items[3];
        enum seal_obstacle obstacle;
    } cases[] = {
        {"bwrap: setting up uid map: Permission denied\n",
         {{RESTRICTED, .text = "1\n"}, {NONE_LEFT, .text = "95000\n"}},
         SEAL_APPARMOR},
        {"bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted\n",
         {{RESTRICTED, .text = "1\n"}},
         SEAL_APPARMOR},
        {"bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted\n",
         {{RESTRICTED, .text = "0\n"}},
         SEAL_FORBIDDEN},
        {"bwrap: No permissions to create new namespace, likely because the kernel does not allow "
         "non-privileged user namespaces. See <https://deb.li/bubblewrap> or "
         "<file:///usr/share/doc/bubblewrap/README.Debian.gz>.\n",
         {{CLONE_OFF, .text = "0\n"}},
         SEAL_NAMESPACES_OFF},
        {"bwrap: Creating new namespace failed, likely because the kernel does not support user "
         "namespaces.  bwrap must be installed setuid on such systems.\n",
         {{0}},
         SEAL_FORBIDDEN},
        {"bwrap: Creating new namespace failed: nesting depth or /proc/sys/user/max_*_namespaces "
         "exceeded (ENOSPC)\n",
         {{NONE_LEFT, .text = "0\n"}},
         SEAL_NAMESPACES_OFF},
        {"bwrap: No permissions to create new namespace, likely because the kernel does not allow "
         "non-privileged user namespaces.\n",
         {{CLONE_OFF, .text = "1\n"}},
         SEAL_FORBIDDEN},
        {"bwrap: Can't mount proc on /newroot/proc: Operation not permitted\n",
         {{MOUNTS, .text = "1 2 0:5 / /proc rw - proc proc rw\n3 1 0:6 / /proc/kcore ro - tmpfs t "
                           "rw\n"}},
         SEAL_NO_PROC},
        {"bwrap: Can't mount proc on /newroot/proc: Operation not permitted\n",
         {{MOUNTS, .text = "1 2 0:5 / /proc rw - proc proc rw\n3 1 0:6 / /proc/driver/nvidia ro - "
                           "tmpfs t rw\n"}},
         SEAL_NVIDIA_PROC},
        {"bwrap: Unknown option --json-status-fd\n", {{0}}, SEAL_OLD_BWRAP},
        {"bwrap: Can't find source path /x: No such file or directory\n", {{0}}, SEAL_OTHER},
        {"", {{0}}, SEAL_OTHER},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(seal_probe_clear) struct seal_probe p = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(free_clear) char *proc = NULL;
        struct mkfolder f;

        mkfolder(&f, cases[i].items);
        proc = path_join(f.path, "proc");
        seal_probe_judge(&p, str_of(cases[i].said), proc);
        if (p.obstacle != cases[i].obstacle)
            fail_msg("case %zu: %d", i, (int)p.obstacle);
        assert_int_equal(seal_probe_need(&p, &e), -1);
        assert_int_equal(e.kind, ERR_SYSTEM);
        assert_non_null(strstr(e.msg, p.remedy));
        assert_null(strchr(e.msg, '\n'));
        mkfolder_clear(&f);
    }
}

static void nothing_in_the_way_is_no_error(void **state)
{
    const struct seal_probe p = {0};
    struct err e = {0};

    assert_int_equal(seal_probe_need(&p, &e), 0);
}

static void what_is_missing_is_told(void **state)
{
    static const char *const cases[][2] = {
        {"x.c:1:10: fatal error: ffi.h: No such file or directory\n    1 | #include <ffi.h>",
         "it lacks the header ffi.h, which Debian's package libffi-dev has; write it under `apt`"},
        {"x.cpp:1:10: fatal error: openssl/ssl.h: No such file or directory",
         "it lacks the header openssl/ssl.h, which Debian's package libssl-dev has; write it under "
         "`apt`"},
        {"fatal error: cuda_runtime.h: No such file or directory",
         "it lacks the header cuda_runtime.h, which the CUDA toolkit has; write `variant: devel`, "
         "without "
         "`parts` that leave it out"},
        {"fatal error: nv/target: No such file or directory\nTraceback",
         "it lacks the header nv/target, which the CUDA toolkit has; write `variant: devel`, "
         "without `parts` that leave it out"},
        {"fatal error: numpy/arrayobject.h: No such file or directory",
         "it lacks the header numpy/arrayobject.h; write `build: {demo: {requires: [numpy]}}`"},
        {"fatal error: strange.h: No such file or directory",
         "it lacks the header strange.h; put the package that has it under `apt`"},
        {"ModuleNotFoundError: No module named 'pkg_resources'",
         "setuptools has no pkg_resources since version 82; write `build: {demo: {constraints: "
         "[\"setuptools<82\"]}}`"},
        {"ModuleNotFoundError: No module named 'torch'",
         "it wants the image's torch while it builds; write `build: {demo: {isolation: false, "
         "requires: [torch]}}`"},
        {"ModuleNotFoundError: No module named 'Cython.Build'",
         "it wants the module Cython.Build while it builds; write `build: {demo: {requires: "
         "[Cython]}}`"},
        {"error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory",
         "gcc is not in the root; write gcc under `apt`"},
        {"FileNotFoundError: [Errno 2] No such file or directory: 'cmake'",
         "cmake is not in the root; write `build: {demo: {requires: [cmake]}}`"},
        {"FileNotFoundError: [Errno 2] No such file or directory: '/usr/local/cuda/bin/nvcc'",
         "nvcc is not in the root; write `variant: devel`, and for which GPUs, as in `build: "
         "{demo: "
         "{archs: [8.0]}}`"},
        {"OSError: CUDA_HOME environment variable is not set. Please set it",
         "it wants the CUDA toolkit; write `variant: devel`, and for which GPUs, as in `build: "
         "{demo: {archs: [8.0]}}`"},
        {"mamba_ssm was requested, but nvcc was not found.  Are you sure\nNameError: name",
         "it wants the CUDA toolkit; write `variant: devel`, and for which GPUs, as in `build: "
         "{demo: {archs: [8.0]}}`"},
        {"UserWarning: Failed to initialize NumPy: No module named 'numpy'\n"
         "error: nvcc not found at '/usr/local/cuda/bin/nvcc'. Ensure CUDA path is correct.",
         "it wants the CUDA toolkit; write `variant: devel`, and for which GPUs, as in `build: "
         "{demo: {archs: [8.0]}}`"},
        {"error: can't find Rust compiler", "rustc is not in the root; write rustc under `apt`"},
        {"urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>",
         "it wants the network, which a sealed build has not; name what it fetches under `build: "
         "{demo: {fetch: [{url: ..., sha256: ...}]}}`"},
        {"FileNotFoundError: [Errno 2] No such file or directory: 'requirements/base.txt'",
         "requirements/base.txt is not in the source, which may be incomplete; the project's git "
         "tag may have it"},
        {"AssertionError", ""},
        {"fatal error: \nx.h: No such file or directory", ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf out = {0};

        hint_of(&out, str_of(cases[i][0]), STR("demo"), false, false);
        assert_string_equal(out.p ? out.p : "", cases[i][1]);
    }
}

static void nvcc_comes_after_the_metadata(void **state)
{
    CLEANUP(buf_clear) struct buf out = {0};

    hint_of(&out, STR("No such file or directory: '/usr/local/cuda/bin/nvcc'"), STR("demo"), true,
            false);
    assert_string_equal(out.p,
                        "it wants nvcc to tell what it needs, and the toolkit is chosen once that "
                        "is known; its setup.py may know a variable for that, which `build: {demo: "
                        "{env: {...}}}` sets");
}

/* Nothing can be added to an image that is the base. */
static void on_an_image_other_things_help(void **state)
{
    static const char *const cases[][2] = {
        {"x.c:1:10: fatal error: zlib.h: No such file or directory",
         "it lacks the header zlib.h, which Debian's package zlib1g-dev has; put it into the image "
         "that is the base"},
        {"x.c:1:10: fatal error: own.h: No such file or directory",
         "it lacks the header own.h; put it into the image that is the base"},
        {"error: command 'gcc' failed: No such file or directory",
         "gcc is not in the root; put it into the image that is the base"},
        {"OSError: CUDA_HOME environment variable is not set. Please set it",
         "it wants the CUDA toolkit; take as the base an image that has it, and name its folder in "
         "`build: {demo: {env: {CUDA_HOME: /usr/local/cuda}}}`"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf out = {0};

        hint_of(&out, str_of(cases[i][0]), STR("demo"), false, true);
        assert_string_equal(out.p, cases[i][1]);
    }
}

static void want_of_memory_is_told(void **state)
{
    assert_true(hint_is_memory(STR("gcc: fatal error: Killed signal terminated program cc1plus")));
    assert_true(hint_is_memory(STR("process didn't exit: (signal: 9, SIGKILL: kill)")));
    assert_false(hint_is_memory(STR("Killed by a review")));
}

/* A child that waits belongs to us, and is counted. */
static void processes_are_counted_with_all_below(void **state)
{
    struct memory_use alone, two;
    int ends[2];
    pid_t pid;
    char c;

    memory_of(&alone, getpid());
    assert_int_equal(alone.processes, 1);
    assert_true(alone.bytes > 0);
    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        close(ends[1]);
        _exit(read(ends[0], &c, 1) < 0);
    }
    close(ends[0]);
    memory_of(&two, getpid());
    assert_int_equal(two.processes, 2);
    assert_true(two.bytes > alone.bytes);
    memory_of(&two, pid);
    assert_int_equal(two.processes, 1);
    close(ends[1]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    memory_of(&two, pid);
    assert_int_equal(two.processes, 0);
    assert_true(memory_free() > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_obstacle_is_told_apart),
        cmocka_unit_test(nothing_in_the_way_is_no_error),
        cmocka_unit_test(what_is_missing_is_told),
        cmocka_unit_test(nvcc_comes_after_the_metadata),
        cmocka_unit_test(on_an_image_other_things_help),
        cmocka_unit_test(want_of_memory_is_told),
        cmocka_unit_test(processes_are_counted_with_all_below),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
