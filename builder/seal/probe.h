/* seal/probe.h - can this machine build sealed, and if not, why and what allows it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/event.h"

enum seal_obstacle {
    SEAL_WORKS,
    SEAL_NO_BWRAP,       /* bubblewrap is not installed */
    SEAL_OLD_BWRAP,      /* it does not know an option that we need */
    SEAL_NAMESPACES_OFF, /* user.max_user_namespaces or kernel.unprivileged_userns_clone is 0 */
    SEAL_APPARMOR,       /* Ubuntu 24.04: AppArmor takes the rights away that a namespace gives */
    SEAL_FORBIDDEN,      /* a container's seccomp filter: no new namespace */
    SEAL_NO_PROC,        /* a container whose /proc is covered: no new one may be mounted */
    SEAL_NVIDIA_PROC,    /* the same by the NVIDIA runtime's mounts over /proc/driver/nvidia */
    SEAL_OTHER,          /* `sentence` has bwrap's own words */
};

struct seal_probe {
    enum seal_obstacle obstacle;
    char *version;  /* owned: "0.8.0"; NULL where there is none */
    char *sentence; /* owned: what is wrong; NULL where it works */
    char *remedy;   /* owned: what to do; NULL where it works */
};

/* Try it once, with this machine's own root. */
int seal_probe(struct seal_probe *out, const struct events *events, struct err *e) MUST_CHECK;
/* What a try that went wrong means: `said` by bwrap; `proc` is where the kernel's switches and
 * mounts are read, "/proc". */
void seal_probe_judge(struct seal_probe *out, struct str said, const char *proc, bool root);
/* ERR_SYSTEM with sentence and remedy, where it does not work. */
int seal_probe_need(const struct seal_probe *p, struct err *e) MUST_CHECK;
void seal_probe_clear(struct seal_probe *p);
