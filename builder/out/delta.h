/* out/delta.h - an image as what differs from another one: a file that makes NEW where OLD is.
 *
 * The file, form 1, numbers with the low byte first:
 *
 *     "envbuild delta 1\n"
 *     4 bytes: size of the head's frame; 4 bytes: size of the head
 *     the head: JSON in one zstd frame (RFC 8878)
 *     the body: documents, then what each piece of each layer has in it, in the order of the head
 *     32 bytes: SHA-256 of all before
 *
 * The head names OLD (manifest, config, each layer), NEW (manifest and name), the documents that
 * NEW has and the layers that OLD lacks. A layer is a list of pieces, which follow one another in
 * its tar and in its blob; `form` says what makes the blob:
 *
 *     "members"  gzip members or zstd frames, each by itself
 *     "single"   one gzip member, a part of "deflate/1" (io/deflate.h) for each piece
 *     "zstd"     one zstd frame by the library that `encoder` names
 *     "plain"    the tar itself
 *
 * and a piece is one of
 *
 *     [0, LAYER, AT, PACKED, PLAIN_AT, PLAIN]   bytes that a layer of OLD has, in its blob and tar
 *     [1, PACKED, PLAIN]                        bytes of the body: whole members or frames
 *     [2, FRAME, RUNS, NEAR]                    a gzip member that "deflate/1" makes of plain bytes
 *     [3, FRAME, RUNS, NEAR]                    the same, by "fixed/1"
 *     [4, FRAME, RUNS, NEAR]                    plain bytes, for the forms of one stream
 *
 * Plain bytes, at most DELTA_CHUNK, are runs: "LAYER + 1, AT, SIZE" takes them from the tar of a
 * layer of OLD, "0, SIZE" from the frame of FRAME bytes that the body has, which is zstd with the
 * bytes of NEAR ("LAYER, AT, SIZE" each, DELTA_NEAR_MAX in all) before it. So what only moved is
 * told by where it was, although every member behind it has other bytes; and a layer can be made as
 * a blob where OLD's blobs are, as a tar where an engine kept only tars.
 *
 * Documents are NEW's manifest, its config, and locks that travel with it: manifest and text. Each
 * is a frame of its own, near a document of OLD where that is said.
 *
 * What is read here is a stranger's: every length is held against what there is, and what it makes
 * is believed only when a hasher has seen that it is NEW's.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/fd.h"
#include "../base/vec.h"
#include "../oci/image.h"

enum {
    DELTA_FORM = 1,
    DELTA_CHUNK = 1024 * 1024,         /* plain bytes of a piece that is made of runs */
    DELTA_NEAR_MAX = 2 * 1024 * 1024,  /* bytes */
    DELTA_HEAD_MAX = 16 * 1024 * 1024, /* bytes */
    DELTA_DOCUMENTS_MAX = 64,
    DELTA_PIECES_MAX = 256 * 1024, /* of what is made: while it is, each is several hundred bytes */
};

enum delta_form { DELTA_MEMBERS, DELTA_SINGLE, DELTA_ZSTD, DELTA_PLAIN };
enum delta_kind { DELTA_COPY, DELTA_RAW, DELTA_DEFLATE1, DELTA_FIXED1, DELTA_BYTES };

/* Plain bytes: of the tar of a layer of OLD, or literal ones. */
struct delta_run {
    uint32_t layer; /* position + 1; 0: the frame's next `size` bytes */
    uint64_t at, size;
};
struct delta_runs VEC_OF(struct delta_run);

struct delta_piece {
    enum delta_kind kind;
    uint32_t layer;                /* DELTA_COPY: position in OLD */
    uint64_t at;                   /* DELTA_COPY: in its blob; else in the file */
    uint64_t packed;               /* bytes there: of the blob, or of the frame */
    uint64_t plain_at;             /* DELTA_COPY: in its tar */
    uint64_t plain;                /* bytes of the tar */
    uint64_t literal;              /* bytes that the frame holds */
    size_t run, runs, near, nears; /* the first, and how many, of delta.runs */
};

struct delta_layer {
    struct digest digest, diff_id;
    uint64_t size, plain; /* bytes of the blob, and of the tar */
    enum delta_form form;
    struct VEC_OF(struct delta_piece) pieces;
};

struct delta_document {
    struct digest digest, near; /* near all-zero: it is near nothing */
    uint64_t size, near_size;
    uint64_t at, packed; /* in the file */
};

/* What OLD has. */
struct delta_old {
    struct digest manifest, config;
    struct descriptors layers; /* digest and size alone */
    struct digests diff_ids;   /* as many */
};

struct delta {
    struct arena arena;
    struct delta_old old;
    struct digest manifest; /* of NEW */
    struct str name;        /* of NEW: full, or empty */
    struct str encoder;     /* of DELTA_ZSTD; else empty */
    struct VEC_OF(struct delta_document) documents;
    struct digests locks; /* manifests of locks, among the documents */
    struct VEC_OF(struct delta_layer) layers;
    struct delta_runs runs; /* of all pieces */
    struct fd fd;           /* of the file that was read */
    char *path;             /* owned */
    uint64_t size;          /* of the file */
};

/* The head's text. */
void delta_head_write(const struct delta *d, struct buf *out);
/* `body` is where the body begins in the file, `end` where it must end. ERR_INPUT. */
int delta_head_read(struct delta *out, struct str json, uint64_t body, uint64_t end,
                    struct err *e) MUST_CHECK;

/* ERR_INPUT: it would have more pieces, or a larger head. */
int delta_too_different(struct err *e);
/* Write what stands before the body. */
int delta_begin_write(const struct delta *d, struct buf *out, struct err *e) MUST_CHECK;
/* Open a file and read its head. ERR_INPUT where it is none, is cut or damaged, or is of a form
 * that this envbuild does not know. */
int delta_open(struct delta *out, const char *path, struct err *e) MUST_CHECK;
void delta_clear(struct delta *d);

/* NULL: it has none of that digest. */
const struct delta_layer *delta_layer(const struct delta *d, const struct digest *digest);
const struct delta_document *delta_document(const struct delta *d, const struct digest *digest);
