/* io/zip_write.h - zips in one form: the bytes hang on nothing but names, x bits and contents
 * (APPNOTE 6.3).
 *
 * Each entry: made by Unix, 0644 or 0755, 1980-01-01 00:00:00, no extra field and no comment; its
 * name flagged as UTF-8 where it is not ASCII; deflated by DEFLATE_ENCODER in parts of 1 MiB, or
 * stored where that is not smaller. Below 4 GiB in all and 65535 entries, so zip64 is never needed:
 * ERR_INPUT beyond.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "crypto.h"
#include "deflate.h"
#include "inflate.h"
#include "../base/fs.h"

struct zip_writer {
    struct sink *to;     /* borrowed; never finished */
    struct fs_temp temp; /* an entry while it is packed: its header has to know how long it is */
    unsigned threads;
    struct inflater *inflater; /* borrowed */
    struct buf directory;
    uint64_t at; /* bytes written */
    size_t entries;
};

/* `scratch` is a folder with room for the largest entry. */
int zip_writer_open(struct zip_writer *z, struct sink *to, struct inflater *inflater,
                    const char *scratch, unsigned threads, struct err *e) MUST_CHECK;
/* Append an entry. `sha256` becomes that of its plain bytes. */
int zip_writer_add(struct zip_writer *z, struct str name, bool executable,
                   const struct content *content, struct digest *sha256, struct err *e) MUST_CHECK;
/* Write the directory. */
int zip_writer_end(struct zip_writer *z, struct err *e) MUST_CHECK;
void zip_writer_clear(struct zip_writer *z);
