/* seal/sandbox.h - one command run in a root, with nothing of the host: bubblewrap's `bwrap`.
 *
 * It sees the root read-only; one folder of the host, writable, at SEAL_TOP "/build", with "home",
 * "tmp" and "shm" in it, which are $HOME, /tmp, /var/tmp and /dev/shm; files and folders that it is
 * given, read-only, below SEAL_TOP "/in"; a /proc of its own and the few devices of bwrap's --dev.
 * It has user, pid, ipc, uts, net and cgroup namespaces of its own, so no network but its own
 * loopback; user and group 1000, no capabilities, the host name "sealed", umask 022, no standard
 * input, no descriptor and no variable but those given here.
 *
 * When the command ends, or we do, by whatever signal, all that it started is ended too, and
 * sandbox_run() returns only after that.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/event.h"
#include "../base/vec.h"
#include "root.h"

#define SANDBOX_BUILD SEAL_TOP "/build"
#define SANDBOX_IN SEAL_TOP "/in"

/* 0: no limit. What is more is ended; sandbox_end tells by which. */
struct sandbox_limits {
    uint64_t memory;    /* bytes of all its processes together, as they are resident */
    uint64_t disk;      /* bytes below the build folder, and of one file */
    uint32_t processes; /* and threads */
    uint32_t seconds;   /* of the wall clock */
};

struct sandbox_mount {
    char *from; /* owned: a file or folder of the host */
    char *to;   /* owned: below SANDBOX_IN, as "wheels/x.whl" */
};

struct sandbox_how {
    const char *name;   /* for messages and progress: "flash-attn"; all texts are borrowed */
    const char *root;   /* struct seal_root's path */
    const char *folder; /* of the host: becomes SANDBOX_BUILD */
    const char
        *workdir; /* in the root, or below SANDBOX_BUILD or SANDBOX_IN; NULL: SANDBOX_BUILD */
    const struct sandbox_mount *mounts;
    size_t mounts_n;
    char *const *argv; /* ended by NULL; the first is a path in the root */
    struct strs env;   /* "NAME=value", beside TZ, LC_ALL, HOME, TMPDIR, which are set here */
    struct sandbox_limits limits;
    const char *log; /* file that gets its output; written anew, of at most SANDBOX_LOG_MAX bytes */
    const struct events *events; /* EVENT_SAID with each last line; may be NULL */
};

enum { SANDBOX_LOG_MAX = 64 << 20, SANDBOX_TAIL_LINES = 30 };

enum sandbox_stop {
    SANDBOX_ENDED, /* by itself: code and signal tell how */
    SANDBOX_TIME,
    SANDBOX_MEMORY, /* limits.memory, or next to nothing of the machine's was left */
    SANDBOX_DISK,   /* limits.disk, or next to nothing was left on it */
    SANDBOX_PROCESSES,
};

struct sandbox_end {
    enum sandbox_stop stop;
    int code;        /* exit code of the command, 128 + signal where one ended it */
    struct buf tail; /* the last SANDBOX_TAIL_LINES lines of its output, clean UTF-8 */
    uint64_t ms;     /* how long it ran */
    uint64_t memory; /* the most that was seen, bytes */
};

/* 0 when the command ran, however it ended; -1 when it could not be started (ERR_SYSTEM: bwrap said
 * why, see seal/probe.h), or ERR_INTERRUPTED. */
int sandbox_run(struct sandbox_end *out, const struct sandbox_how *how, struct err *e) MUST_CHECK;
void sandbox_end_clear(struct sandbox_end *end);
