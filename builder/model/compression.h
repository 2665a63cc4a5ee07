/* model/compression.h - how an image's layers are compressed: the recipe's `compression`. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "lock.h"

enum compression {
    COMPRESSION_GZIP,    /* many members, those of large files as their wheels have them */
    COMPRESSION_SINGLE,  /* gzip of one member, all of it compressed anew: for readers that stop
                            behind the first */
    COMPRESSION_ZSTD,    /* one frame */
    COMPRESSION_CHUNKED, /* zstd of many frames, with a table of contents: see oci/chunked.h */
};

#define COMPRESSION_NAMES "gzip", "gzip,single", "zstd", "zstd:chunked" /* in that order */

const char *compression_name(enum compression c);
bool compression_is(enum compression *out, struct str name);
/* What the lock's recipe asks for: gzip where it is silent. */
enum compression lock_compression(const struct lock *lock);
/* Are layers of that media type +zstd? */
bool compression_is_zstd(enum compression c);
