/* io/zstd.h - zstd out (RFC 8878), the home of libzstd.
 *
 * The bytes hang on the library's version, which zstd_encoder() names, and on nothing else: not on
 * how many threads there are, nor on how the bytes come in. What others packed is io/decompress.h's
 * to read.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/buf.h"
#include "sink.h"

/* Append "zstd/1.5.4/3": the library that runs, its version and the level. */
void zstd_encoder(struct buf *out);

/* Frames, each by itself. */
struct zstd_packer; /* opaque, reusable */
struct zstd_packer *zstd_packer_open(void);
void zstd_packer_free(struct zstd_packer *z);
/* Append one frame that holds `bytes` and says how many they are. */
int zstd_pack(struct zstd_packer *z, struct buf *out, struct str bytes, struct err *e) MUST_CHECK;

/* Undo it: the frame holds `len` bytes, neither more nor less. */
int zstd_unpack(void *out, size_t len, struct str frame, struct err *e) MUST_CHECK;

/* The same frames, small and slow, where whoever unpacks has `near` as well: bytes that are much
 * alike, as an older text is, in memory of their own. Both may be empty. */
int zstd_pack_near(struct zstd_packer *z, struct buf *out, struct str bytes, struct str near,
                   struct err *e) MUST_CHECK;
/* ERR_INPUT for a frame that is damaged, holds more or less than `len` bytes, or was packed near
 * other bytes and shows it. */
int zstd_unpack_near(void *out, size_t len, struct str frame, struct str near,
                     struct err *e) MUST_CHECK;

/* A sink that makes one frame of all it is given, and passes that on. sink_finish() ends the frame;
 * `to` is not finished. */
struct zstd_sink;
/* `threads` of the library's own compress pieces of the frame; 0: the writer does, which gives
 * other bytes than any other number. */
int zstd_sink_open(struct zstd_sink **out, struct sink *to, unsigned threads,
                   struct err *e) MUST_CHECK;
struct sink *zstd_sink_of(struct zstd_sink *z);
void zstd_sink_clear(struct zstd_sink **z);

/* Append a frame that whoever reads zstd passes over. */
void zstd_skippable(struct buf *out, struct str bytes);
