/* seal/sandbox.h - one command run in a root, with nothing of the host: bubblewrap's `bwrap`.
 *
 * It sees the root read-only; one folder of the host, writable, as SANDBOX_BUILD, with "home",
 * "tmp" and "shm" in it, which are $HOME, /tmp and /var/tmp, /dev/shm; files and folders that it is
 * given, read-only, below SANDBOX_IN; a /proc of its own, read-only, and the few devices of bwrap's
 * --dev. So all that it writes lies in that folder. It has user, pid, ipc, uts, net and cgroup
 * namespaces of its own, so no network but its own loopback; user and group 1000, no capabilities,
 * the host name "sealed", umask 022, no terminal, no standard input, no descriptor and no variable
 * but those given here. The kernel's out-of-memory killer takes its processes first.
 *
 * When the command ends, or we do, by whatever signal, all that it started is ended too, and
 * sandbox_run() returns only after that.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "root.h"

#define SANDBOX_BUILD SEAL_TOP "/build"
#define SANDBOX_IN SEAL_TOP "/in"

enum { SANDBOX_LOG_MAX = 64 << 20, SANDBOX_TAIL_LINES = 30, SANDBOX_LAST = 64 << 10 };

/* 0: no limit. Who needs more is ended; sandbox_end tells by which. Looked at some times a second,
 * but for processes and the length of one file, which the kernel limits (processes not of root's).
 */
struct sandbox_limits {
    uint64_t memory;    /* bytes of all its processes together, without mapped files */
    uint64_t disk;      /* bytes below the build folder, and of one file */
    uint32_t processes; /* and threads */
    uint32_t seconds;   /* of the wall clock */
};

struct sandbox_mount {
    char *from; /* owned: a file or folder of the host, without links in its path */
    char *to;   /* owned: below SANDBOX_IN, as "wheels/x.whl"; or absolute, below SANDBOX_BUILD */
};
struct sandbox_mounts VEC_OF(struct sandbox_mount);
void sandbox_mounts_add(struct sandbox_mounts *mounts, const char *from, const char *to);
void sandbox_mounts_clear(struct sandbox_mounts *mounts);

struct sandbox_how {
    const char *name;                    /* for messages and progress: "flash-attn" */
    const char *root;                    /* struct seal_root's path */
    const char *folder;                  /* of the host: SANDBOX_BUILD */
    const struct sandbox_mounts *mounts; /* may be NULL */
    const char *const *argv;             /* ended by NULL; the first is a path in the root */
    const struct strs *env;              /* "NAME=value", over TZ=UTC, LC_ALL=C.UTF-8 and HOME */
    const struct sandbox_limits *limits;
    const char *log; /* a file that gets its output, written anew; of more than SANDBOX_LOG_MAX
                        bytes the rest is left out */
    const struct events *events; /* EVENT_SAID; may be NULL */
};

enum sandbox_stop {
    SANDBOX_ENDED, /* by itself */
    SANDBOX_TIME,
    SANDBOX_MEMORY, /* limits.memory, or next to nothing of the machine's was left */
    SANDBOX_DISK,   /* limits.disk, or next to nothing was left on it */
    SANDBOX_PROCESSES,
};

struct sandbox_end {
    enum sandbox_stop stop;
    int code;        /* exit code of the command; 128 + signal where one ended it */
    struct buf last; /* the last SANDBOX_LAST bytes of its output: foreign */
    struct buf tail; /* the last SANDBOX_TAIL_LINES lines of those */
    uint64_t ms;     /* how long it ran */
    uint64_t memory; /* the most that was seen, in bytes */
};

/* 0 when the command ran, however it ended. ERR_SYSTEM when it could not be started, with what
 * seal/probe.h has to say of that; ERR_INTERRUPTED. */
int sandbox_run(struct sandbox_end *out, const struct sandbox_how *how, struct err *e) MUST_CHECK;
void sandbox_end_clear(struct sandbox_end *end);
