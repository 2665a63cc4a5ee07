/* cmd/room.h - is there room on the disks for what is going to be written? */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/fs.h"

struct room_need {
    const char *path;    /* folder or file, for the message; need not be there yet */
    uint64_t bytes;      /* that are going to be written below it */
    struct fs_room have; /* what its disk has */
};

/* ERR_SYSTEM where a disk has less than all needs on it together. */
int room_check(const struct room_need *needs, size_t n, struct err *e) MUST_CHECK;
