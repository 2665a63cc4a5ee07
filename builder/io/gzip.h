/* io/gzip.h - framing of gzip members (RFC 1952): time 0, no name, XFL 0, OS 255. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/buf.h"

enum { GZIP_HEAD = 10, GZIP_TAIL = 8 };

/* The ten bytes before, and the eight bytes after, a raw deflate stream. */
extern const unsigned char gzip_head[GZIP_HEAD];
void gzip_tail(unsigned char out[GZIP_TAIL], uint32_t crc, uint64_t size);
