/* io/unpack.h - foreign archives in, by libarchive: .deb (ar) and the tars inside, .xz indexes. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "entry.h"
#include "source.h"

/* One entry as found. Strings are borrowed until the next one. */
struct unpacked {
    struct entry entry;      /* path without a leading "./"; content.size only */
    struct str uname, gname; /* may be empty */
    bool pax;                /* the archive is in pax form, which deb(5) forbids */
    bool special;            /* untar_layer() only: a device, a socket or a pipe */
};

/* Decompress xz, gzip, zstd or nothing, told by the bytes, as a source. More than `limit` plain
 * bytes is ERR_INPUT. */
struct decompressor;
int decompress_open(struct decompressor **out, struct source *in, uint64_t limit, const char *what,
                    struct err *e) MUST_CHECK;
struct source *decompress_source(struct decompressor *d);
void decompress_clear(struct decompressor **d);

/* Walk a (maybe compressed) tar. `each` gets every entry in order; for files `data` reads its
 * bytes, all or none of which may be taken. A failing `each` ends the walk. Unsafe paths, devices,
 * sparse files, unknown types are ERR_INPUT. The entry "./" itself is passed with an empty path. */
int untar(struct source *in, const char *what,
          int (*each)(void *ctx, const struct unpacked *entry, struct source *data, struct err *e),
          void *ctx, struct err *e) MUST_CHECK;
/* The same for a layer of somebody else's image, which may hold devices, and files with holes. */
int untar_layer(struct source *in, const char *what,
                int (*each)(void *ctx, const struct unpacked *entry, struct source *data,
                            struct err *e),
                void *ctx, struct err *e) MUST_CHECK;
