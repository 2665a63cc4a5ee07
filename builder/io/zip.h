/* io/zip.h - a zip file that is fit to be a wheel: APPNOTE 6.3, less everything ambiguous.
 *
 * The central directory decides; each local header must agree with it. Refused as ERR_INPUT:
 * overlaps, gaps, data before the first or after the last record, more than one end record (also in
 * the comment), a zip64 record that says other things than the end record, methods but 0 and 8,
 * encryption, multi-disk, duplicate names, unsafe or absolute names, backslashes, NUL, names that
 * are neither ASCII nor UTF-8 by flag bit 11, second names (extra field 0x7075), symlinks and other
 * special files by mode, folders by mode that are files by name, a stored entry whose sizes differ.
 * So all readers see the same members. zip64 is read. Data descriptors (flag bit 3) are accepted
 * when the descriptor agrees with the directory.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/arena.h"
#include "../base/vec.h"
#include "entry.h"

enum { ZIP_ENTRIES_MAX = 1000000 };

struct zip_entry {
    struct str name;            /* as in the file; a directory's ends in "/" */
    bool directory, executable; /* any x bit in the Unix mode */
    int64_t mtime;              /* from the DOS time, read as UTC; never below 1980 */
    struct content content;     /* RANGE (method 0, has_crc) or DEFLATE; its input is the zip */
};

struct zip {
    struct arena arena;
    struct VEC_OF(struct zip_entry) entries; /* in the order of the central directory */
};

/* Read and check the directory and all local headers; contents are checked when they are read.
 * `input` must outlive the zip. */
int zip_open(struct zip *out, const struct input *input, struct err *e) MUST_CHECK;
void zip_clear(struct zip *zip);
const struct zip_entry *zip_find(const struct zip *zip, struct str name); /* NULL when absent */

/* Where the central directory lies, and how many entries it has. */
struct zip_directory {
    uint64_t offset, size, entries;
};
/* Find it in a zip of `size` bytes; `tail` are the file's last tail.len bytes. For reading one
 * member by range requests. Returns 1 when `tail` is too short to tell. */
int zip_locate(struct zip_directory *out, struct str tail, uint64_t size, struct err *e) MUST_CHECK;
/* One member of a zip of which only the bytes of its central directory are at hand: method, packed
 * and plain size, crc, offset of its local header. ERR_INPUT when it is not there. */
struct zip_member {
    uint64_t header_offset, packed, size;
    uint32_t crc;
    bool deflated;
};
/* `suffix`: the one member at depth 1 whose name ends in it (e.g. ".dist-info/METADATA"). `bytes`
 * are those of the directory; it is held to the same rules as by zip_open(). */
int zip_find_member(struct zip_member *out, const struct zip_directory *d, struct str bytes,
                    struct str suffix, struct err *e) MUST_CHECK;
