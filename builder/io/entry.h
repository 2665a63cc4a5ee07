/* io/entry.h - one file-system entry of a layer: what a tar header says, and where its bytes are.
 *
 * Paths are relative, without a leading or trailing "/", safe by path_is_safe(). Everything an
 * entry points at is borrowed: from the arena of the tree it stands in, and from inputs that stay
 * open as long as the tree lives.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/digest.h"
#include "../base/event.h"
#include "../base/fd.h"

enum entry_type { ENTRY_FILE, ENTRY_DIR, ENTRY_SYMLINK, ENTRY_HARDLINK };

/* An artifact (or a scratch file) that is open for reading. Shared by many entries. */
struct input {
    struct digest digest; /* all-zero for scratch files, which have no name outside this run */
    const char *name;     /* for messages */
    struct fd fd;
    uint64_t size;
    const struct events *events; /* asked while it is read; may be NULL */
};

enum content_kind {
    CONTENT_BYTES,   /* `bytes`, in memory */
    CONTENT_RANGE,   /* `size` plain bytes of `input` at `offset` */
    CONTENT_DEFLATE, /* raw deflate: `packed` bytes of `input` at `offset` that inflate to `size` */
};

struct content {
    enum content_kind kind;
    uint64_t size;             /* uncompressed bytes */
    const void *bytes;         /* CONTENT_BYTES */
    const struct input *input; /* CONTENT_RANGE, CONTENT_DEFLATE */
    uint64_t offset, packed;
    uint32_t crc; /* CRC-32 of the plain bytes; CONTENT_DEFLATE, and CONTENT_RANGE where has_crc */
    bool has_crc;
    /* What the plain bytes must hash to, by its length: 32 bytes are SHA-256, 48 SHA-384, 64
     * SHA-512. Empty: nobody says. Checked where a layer's tar is hashed. */
    struct str hash;
};

struct entry {
    struct str path;
    enum entry_type type;
    uint32_t mode; /* permission bits only, 07777 */
    uint32_t uid, gid;
    int64_t mtime;   /* seconds since 1970, at least 0 */
    struct str link; /* symlink: target as is; hardlink: path of an entry of the same layer */
    struct str
        caps; /* of a file: its xattr "security.capability" (capabilities(7)); mostly empty */
    struct content content; /* files only */
};
