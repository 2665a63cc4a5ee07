/* mktar.h - a tar by hand: io/tar.h refuses the names of whiteouts, and owners that are not root's.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/buf.h"
#include "io/tar.h"

/* `type`: '0' a file, '1' a hard link, '2' a link, '3' a device, '5' a folder. */
static inline void mktar(struct buf *tar, const char *path, char type, const char *link,
                         const void *bytes, size_t len)
{
    unsigned char h[TAR_BLOCK] = {0};
    unsigned sum = 0;

    snprintf((char *)h, 100, "%s", path);
    memcpy(h + 100, "0000755", 7);
    memcpy(h + 108, "0000000", 7);
    memcpy(h + 116, "0000000", 7);
    snprintf((char *)h + 124, 12, "%011zo", len);
    memcpy(h + 136, "00000000000", 11);
    memset(h + 148, ' ', 8);
    h[156] = (unsigned char)type;
    snprintf((char *)h + 157, 100, "%s", link);
    memcpy(h + 257, "ustar\00000", 8);
    for (size_t i = 0; i < sizeof h; i++)
        sum += h[i];
    snprintf((char *)h + 148, 8, "%06o", sum);
    buf_add(tar, h, sizeof h);
    buf_add(tar, bytes, len);
    memset(h, 0, sizeof h);
    buf_add(tar, h, tar_padding(len));
}
