/* model/compression.h - how an image's layers are compressed: the recipe's `compression`, a word or
 * a list of one gzip and one zstd, which is an index of both.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/buf.h"

struct lock;

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
/* Are layers of that media type +zstd? */
bool compression_is_zstd(enum compression c);
/* Append its name as a part of a tag: "zstd-chunked". */
void compression_tag(struct buf *out, enum compression c);

struct compressions {      /* of an image */
    enum compression v[2]; /* gzip first: of two that fit, clients take the first */
    size_t n;
};

/* What the lock's recipe asks for: gzip where it is silent. */
struct compressions lock_compressions(const struct lock *lock);
/* Append them: "gzip, zstd". */
void compressions_print(struct buf *out, const struct compressions *list);
/* That of the form at hand, which is the recipe's first where lock_take_form() took no other. */
enum compression lock_compression(const struct lock *lock);
