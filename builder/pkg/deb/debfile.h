/* pkg/deb/debfile.h - one .deb: its control part in memory, its data as a walk. deb(5). */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/arena.h"
#include "../../io/tar_read.h"
#include "control.h"

struct deb_member {
    struct str name; /* "control", "postinst", "md5sums", ... */
    struct str bytes;
    int64_t mtime;
};

struct debfile {
    struct arena arena;
    struct VEC_OF(struct deb_member) members; /* of control.tar, sorted by name */
    struct control control;                   /* of the "control" member */
    uint64_t data_offset, data_size;          /* of the data.tar member in the file */
};

int debfile_open(struct debfile *out, const struct input *input, struct err *e) MUST_CHECK;
void debfile_clear(struct debfile *d);
struct str debfile_member(const struct debfile *d, const char *name); /* empty when absent */
/* tar_walk() over the data part. Owner names root/shadow/staff/... are left to the caller. */
int debfile_walk(const struct debfile *d, const struct input *input, tar_each each, void *ctx,
                 struct err *e) MUST_CHECK;
