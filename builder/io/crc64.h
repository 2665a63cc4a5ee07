/* io/crc64.h - the CRC-64 of ISO 3309, low bit first, as Go's crc64.ISO table has it: tar-split
 * knows a file's bytes by it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct crc64 {
    uint64_t table[8][256]; /* of one to eight bytes at once */
    uint64_t value;         /* 0 at the start of each run of bytes */
};
void crc64_open(struct crc64 *c);
void crc64_add(struct crc64 *c, const void *bytes, size_t len);
