/* io/zip_write.h - zips in one form: the bytes hang on nothing but names, modes and contents
 * (APPNOTE 6.3).
 *
 * Each entry: made by Unix, 0644 or 0755, 1980-01-01 00:00:00, no extra field and no comment;
 * deflate by DEFLATE_ENCODER, or stored where that is not smaller; UTF-8 is flagged where a name is
 * not ASCII. Below 4 GiB in all and 65535 entries, so zip64 is never needed: ERR_INPUT beyond.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "deflate.h"
#include "sink.h"

struct zip_writer {
    struct sink *to; /* borrowed; not finished */
    struct deflater *deflater;
    struct buf directory;
    uint64_t at; /* bytes written */
    size_t entries;
};

void zip_writer_open(struct zip_writer *z, struct sink *to);
/* Append an entry of all these bytes. */
int zip_writer_add(struct zip_writer *z, struct str name, bool executable, struct str bytes,
                   struct err *e) MUST_CHECK;
/* Write the directory. */
int zip_writer_end(struct zip_writer *z, struct err *e) MUST_CHECK;
void zip_writer_clear(struct zip_writer *z);
