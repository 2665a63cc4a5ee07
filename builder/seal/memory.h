/* seal/memory.h - how much memory is left, and how much a process and all below it use. Read from
 * /proc, so no rights are needed. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <sys/types.h>

#include "../base/str.h"

/* Bytes that new processes of ours can have, without swapping and within our control group's limit;
 * UINT64_MAX when nobody tells. */
uint64_t memory_free(void);

struct memory_use {
    uint64_t bytes;     /* resident, without mapped files; each process for itself */
    uint32_t processes; /* and threads */
};
/* Of `top` and all that descend from it. What goes away meanwhile is not counted. */
void memory_of(struct memory_use *out, pid_t top);
