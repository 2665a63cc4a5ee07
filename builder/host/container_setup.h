/* host/container_setup.h - what a container needs of this machine to see its GPUs: driver
 * libraries, device nodes, the container toolkit, a CDI specification (CDI 0.5 and later, /etc/cdi
 * and /var/run/cdi). Each piece that is missing comes with its remedy. None of it changes what an
 * image needs.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "probe.h"

struct missing {
    const char *code;
    struct str sentence;
    const char *remedy;
};

struct container_setup {
    struct arena arena; /* owns the sentences */
    struct VEC_OF(struct missing) missing;
};

/* `path` is the environment's PATH; with NULL or "" the usual folders are searched. All paths are
 * below `root`. */
void container_setup_check(struct container_setup *out, const struct probe *p, const char *root,
                           const char *path);
void container_setup_clear(struct container_setup *p);
