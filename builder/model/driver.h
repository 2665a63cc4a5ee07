/* model/driver.h - an NVIDIA driver and a processor as machines and people write them. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/buf.h"

struct driver {
    struct str version; /* "550.54.15" */
    struct str arch;    /* "arm64"; empty when the text does not say */
};

/* A version as nvidia-smi prints it, that of a package ("550.54.15-0ubuntu1", "3:550.54.15-1.el9",
 * "575.57.08-open"), or a line that has one, as in /proc/driver/nvidia/version: "NVRM version:
 * NVIDIA UNIX Open Kernel Module for aarch64  580.95.05 ...". Borrows the text. */
bool driver_read(struct driver *out, struct str text);
/* "R550" is a branch of drivers: 550. Borrows the text. */
bool driver_branch(struct str *branch, struct str text);
/* Says of a text that driver_read() does not take what would do: `"R550" is a branch; ...`. */
void driver_words(struct buf *out, struct str text);

/* "amd64" of "x86_64", "arm64" of "aarch64", ...; empty when it is not known. */
struct str driver_arch(struct str word);
