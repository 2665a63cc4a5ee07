/* mktar.h - a tar by hand: io/tar.h refuses the names of whiteouts, owners that are not root's, and
 * all that other writers do. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/buf.h"
#include "io/tar.h"

/* Make the sum right after the last header of `tar` was changed. */
static inline void mktar_sum(unsigned char *h)
{
    unsigned sum = 0;

    memset(h + 148, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += h[i];
    snprintf((char *)h + 148, 8, "%06o", sum);
}

static inline void mktar_pad(struct buf *tar, size_t len)
{
    static const char zeros[TAR_BLOCK];

    buf_add(tar, zeros, tar_padding(len));
}

/* `type`: '0' a file, '1' a hard link, '2' a link, '3' a device, '5' a folder. */
static inline void mktar(struct buf *tar, const char *path, char type, const char *link,
                         const void *bytes, size_t len)
{
    unsigned char h[TAR_BLOCK] = {0};

    snprintf((char *)h, 100, "%s", path);
    memcpy(h + 100, "0000755", 7);
    memcpy(h + 108, "0000000", 7);
    memcpy(h + 116, "0000000", 7);
    snprintf((char *)h + 124, 12, "%011llo", (unsigned long long)len & 077777777777);
    memcpy(h + 136, "00000000000", 11);
    h[156] = (unsigned char)type;
    snprintf((char *)h + 157, 100, "%s", link);
    memcpy(h + 257, "ustar\00000", 8);
    mktar_sum(h);
    buf_add(tar, h, sizeof h);
    buf_add(tar, bytes, len);
    mktar_pad(tar, len);
}

/* A pax header for the next entry: "path=a\n", a record a line; their lengths are put before them.
 */
static inline void mktar_pax(struct buf *tar, char type, struct str records)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct str line;

    while (str_cut(&records, STR("\n"), &line)) {
        size_t len = line.len + 2, digits = 0;

        for (size_t last = 1; digits != last;) { /* the length counts itself */
            last = digits;
            digits = (size_t)snprintf(NULL, 0, "%zu", len + last);
        }
        buf_fmt(&text, "%zu ", len + digits);
        buf_str(&text, line);
        buf_putc(&text, '\n');
    }
    mktar(tar, "pax", type, "", text.p, text.len);
}
