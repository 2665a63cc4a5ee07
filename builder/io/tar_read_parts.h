/* io/tar_read_parts.h - what the files tar_read*.c share; nobody else includes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/vec.h"
#include "tar.h"
#include "tar_read.h"

enum {
    CHUNK = 256 * 1024,
    ENTRIES_MAX = 5000000,
    EXTRA_MAX = 1 << 20,  /* bytes of a pax header or a long name */
    XATTR_MAX = 64 << 10, /* bytes of one attribute */
    PIECES_MAX = 1 << 20, /* of a file with holes */
    LINK_MAX = 4096,
    NUMBER_MAX = 20, /* decimal digits */
};

/* Where things stand in a header block. */
enum {
    AT_NAME = 0,
    AT_MODE = 100,
    AT_UID = 108,
    AT_GID = 116,
    AT_SIZE = 124,
    AT_MTIME = 136,
    AT_SUM = 148,
    AT_TYPE = 156,
    AT_LINK = 157,
    AT_MAGIC = 257,
    AT_UNAME = 265,
    AT_GNAME = 297,
    AT_PREFIX = 345,
    AT_STAR = 508, /* "tar" here: star's, whose prefix is shorter */
    AT_GNU_PIECES = 386,
    AT_GNU_MORE = 482,
    AT_GNU_REAL = 483,
    AT_GNU_MORE_NEXT = 504, /* in the blocks that follow */
};

/* A stretch of a file with holes that is in the tar. */
struct piece {
    uint64_t at, len;
};

/* What the headers before an entry say of it. Texts lie in the reader's `records` and `long_…`. */
struct extra {
    bool pax, has_path, has_link, has_size, has_uid, has_gid, has_mtime;
    struct str path, link, caps;
    uint64_t size;
    int64_t uid, gid, mtime;
    bool sparse, map_in_data; /* pax forms 0.0 and 0.1; 1.0 */
    bool has_real;
    uint64_t real;
};

struct tar_reader {
    struct source *in;  /* owned */
    struct source data; /* of the entry at hand; its `below` is `in` */
    enum tar_kind kind;
    struct tar_entry entry;
    unsigned char *chunk; /* owned: bytes read ahead */
    size_t room, at, have;
    uint64_t offset;  /* of the next byte of the tar */
    uint64_t left;    /* bytes of the entry that are still to come */
    uint64_t padding; /* bytes behind them, up to the next header */
    uint64_t total;   /* sizes of all files */
    size_t entries;
    bool ended;
    struct extra extra;
    struct buf raw, path, name, link, records, long_path, long_link, uname, gname;
    bool sparse;
    struct VEC_OF(struct piece) pieces;
    size_t piece; /* the one at or after `pos` */
    uint64_t pos; /* in the file with its holes */
};

/* ERR_INPUT that names the tar, why it is none, and where. */
int tar_bad(const struct tar_reader *t, const char *why, struct err *e);
/* Bytes of the tar; less than `len` only at its end. */
int tar_take(struct tar_reader *t, void *to, size_t len, size_t *got, struct err *e) MUST_CHECK;
/* Octal, or where the first bit is set the bits behind it, as a signed number of many bytes. */
bool tar_number(const unsigned char *field, size_t len, int64_t *out) MUST_CHECK;

/* tar_read_pax.c: what t->records say, into t->extra. */
int tar_pax_read(struct tar_reader *t, bool global, struct err *e) MUST_CHECK;

/* tar_read_sparse.c: files with holes. */
/* A stretch that begins at `at`; false when there are too many. */
bool tar_piece_add(struct tar_reader *t, uint64_t at) MUST_CHECK;
/* "0,512,4096,100": the map of pax form 0.1. */
bool tar_pieces_of_text(struct tar_reader *t, struct str map) MUST_CHECK;
/* GNU's own form, told by the header block `h`; pax forms, told by t->extra. */
int tar_sparse_gnu(struct tar_reader *t, const unsigned char *h, struct err *e) MUST_CHECK;
int tar_sparse_pax(struct tar_reader *t, struct err *e) MUST_CHECK;
