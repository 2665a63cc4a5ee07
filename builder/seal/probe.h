/* seal/probe.h - can this machine build sealed, and if not, why and what allows it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/event.h"

enum seal_obstacle {
    SEAL_WORKS,
    SEAL_NO_BWRAP,       /* bubblewrap is not installed */
    SEAL_OLD_BWRAP,      /* it does not know an option that we need */
    SEAL_NAMESPACES_OFF, /* by user.max_user_namespaces or kernel.unprivileged_userns_clone */
    SEAL_APPARMOR,       /* Ubuntu 24.04: AppArmor takes what a user namespace gives */
    SEAL_FORBIDDEN,      /* by a container's seccomp filter, mostly: no new namespace */
    SEAL_NO_PROC,        /* a container whose /proc is masked: no new one may be mounted */
    SEAL_NVIDIA_PROC,    /* the same, by the NVIDIA runtime's mounts below /proc/driver */
    SEAL_OTHER,          /* `sentence` has bwrap's own words */
};

/* The error where there is no bwrap. */
#define SEAL_NO_BWRAP_SENTENCE "bwrap, which seals builds from source, is not here"
#define SEAL_NO_BWRAP_REMEDY "apt-get install bubblewrap"
#define SEAL_MISSING \
    "cannot build from source here: " SEAL_NO_BWRAP_SENTENCE "; " SEAL_NO_BWRAP_REMEDY

/* All-zero: it works. */
struct seal_probe {
    enum seal_obstacle obstacle;
    char *sentence, *remedy; /* owned; NULL where it works */
};

/* Try it once, with this machine's own root, which may only be read. */
int seal_probe(struct seal_probe *out, const struct events *events, struct err *e) MUST_CHECK;
/* What it means that bwrap failed and `said` this. `proc` is where the kernel's switches and mounts
 * are read: "/proc". */
void seal_probe_judge(struct seal_probe *out, struct str said, const char *proc);
/* ERR_SYSTEM with sentence and remedy, where it does not work. */
int seal_probe_need(const struct seal_probe *p, struct err *e) MUST_CHECK;
void seal_probe_clear(struct seal_probe *p);
