/* host/probe.h - the NVIDIA driver and GPUs of this machine.
 *
 * The driver's version from /sys/module/nvidia/version, else from /proc/driver/nvidia/version; the
 * GPUs from NVML, the driver's own library, opened when it is asked and never linked.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/arena.h"
#include "../base/vec.h"

struct probe {
    struct arena arena;
    struct str driver; /* empty: none is loaded */
    struct strs gpus;  /* compute capabilities or names, as catalog_gpu() takes them */
};

/* `root` stands before the paths of /sys and /proc: "" but for tests, which have no NVML. */
void probe_host(struct probe *out, const char *root);
void probe_clear(struct probe *p);
