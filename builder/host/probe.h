/* host/probe.h - the NVIDIA driver and GPUs of a machine.
 *
 * The driver's version from /sys/module/nvidia/version, else from /proc/driver/nvidia/version, else
 * (WSL has neither) from NVML. The GPUs from NVML, the driver's own library, opened when it is
 * asked and never linked; else their names from /proc/driver/nvidia/gpus.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/arena.h"
#include "../base/vec.h"

struct probe_gpu {
    struct str name; /* as nvidia-smi prints it: "NVIDIA H100 80GB HBM3"; may be empty */
    struct str cc;   /* "9.0"; empty when only the name is known */
};

enum probe_nvml {
    NVML_NOT_ASKED,
    NVML_ANSWERED,
    NVML_ABSENT,   /* no such library */
    NVML_MISMATCH, /* the library is of another driver than the one that is loaded */
    NVML_FAILED,
};

struct probe {
    struct arena arena; /* owns the texts */
    struct str driver;  /* empty: none is loaded, or it cannot be read */
    struct str arch;    /* "arm64", of the processor; empty when nothing tells it */
    bool wsl;           /* the driver is that of Windows */
    bool hidden;        /* it is there, and its version cannot be read */
    enum probe_nvml nvml;
    struct VEC_OF(struct probe_gpu) gpus;
};

/* `root` stands before every path: "" for this machine. `nvml` is the library's name, NULL for
 * where drivers put it; with another root none is asked unless it is named, for it would speak of
 * this machine. */
void probe_host(struct probe *out, const char *root, const char *nvml);
void probe_clear(struct probe *p);
