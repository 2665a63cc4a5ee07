/* pkg/elf/ldcache.h - /etc/ld.so.cache: where the loader finds libraries by their names. Written
 * byte for byte as ldconfig of glibc 2.32 and later does for x86-64, and read.
 *
 * All numbers are little-endian, u32 but where said; places are bytes from the beginning. In order:
 *
 * - head: "glibc-ld.so.cache1.1", number of libraries, size of the strings, 2 (the byte order),
 * place of the extension, 12 zero bytes;
 * - for each library: flags (0x303: libc6, x86-64), place of the name, place of the path, oldest
 *   Linux, u64 capabilities: 0, or bit 62, the ISA in bits 32 to 41 and the number of a variant;
 * - strings: each ends in NUL and stands once; one that is the tail of another lies in it;
 * - extension, at a multiple of 4: 0xEAA42174, number of sections, for each of these kind, flags 0,
 *   place, size; kind 1: places of the names of variants; kind 0: who wrote it.
 *
 * Libraries stand in the loader's order of names, descending, strings in that of their ends.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/err.h"
#include "../../base/vec.h"

struct ldcache_lib {
    struct str soname, path;
    struct str variant;  /* a folder's name below glibc-hwcaps; empty: for every processor */
    uint32_t os_version; /* as in elf_library.h */
    uint32_t isa;        /* of a variant */
};
struct ldcache_libs VEC_OF(struct ldcache_lib);

/* Replaces *out. Among libraries of one name the first one of `libs` is found first, but variants
 * before others. `variants`: the names of all folders below glibc-hwcaps; also those without
 * libraries are named. `generator`: who writes. ERR_INPUT when there is too much for u32. */
int ldcache_write(struct buf *out, const struct ldcache_libs *libs, const struct strs *variants,
                  struct str generator, struct err *e) MUST_CHECK;

/* The libraries for every processor, x86-64 or aarch64, in their order; texts are of `bytes`. Those
 * whose texts are none are passed over. False when the bytes make no sense, and for more
 * than 4 MiB of texts. */
bool ldcache_read(struct ldcache_libs *out, struct str bytes);
