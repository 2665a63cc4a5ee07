/* mkwheel.h - small wheels: stored zips with a RECORD that is right, or lacks a file's hash. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "io/crypto.h"
#include "io/inflate.h"
#include "mkdeb.h"

struct mkwheel_file {
    const char *path, *text;
    const char *hash; /* what RECORD says instead; NULL: the right one */
    uint32_t mode;    /* 0: 0100644 */
};

static inline void mkwheel_le(struct buf *b, uint64_t n, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        buf_putc(b, (char)(n >> (8 * i) & 255));
}

/* What both headers of an entry say; 2023-11-14. */
static inline void mkwheel_head(struct buf *out, struct str name, struct str bytes)
{
    bool utf8 = false;

    mkwheel_le(out, 20, 2);
    for (size_t i = 0; i < name.len; i++)
        utf8 |= (unsigned char)name.p[i] >= 0x80;
    mkwheel_le(out, utf8 ? 1 << 11 : 0, 4); /* flags, method: stored */
    mkwheel_le(out, 0, 2);
    mkwheel_le(out, (2023 - 1980) << 9 | 11 << 5 | 14, 2);
    mkwheel_le(out, crc32_add(0, bytes.p, bytes.len), 4);
    mkwheel_le(out, bytes.len, 4);
    mkwheel_le(out, bytes.len, 4);
    mkwheel_le(out, name.len, 2);
    mkwheel_le(out, 0, 2);
}

static inline void mkwheel_add(struct buf *zip, struct buf *directory, struct str name,
                               struct str bytes, uint32_t mode)
{
    size_t at = zip->len;

    mkwheel_le(zip, 0x04034b50, 4);
    mkwheel_head(zip, name, bytes);
    buf_str(zip, name);
    buf_str(zip, bytes);
    mkwheel_le(directory, 0x02014b50, 4);
    mkwheel_le(directory, 20 | 3 << 8, 2);
    mkwheel_head(directory, name, bytes);
    mkwheel_le(directory, 0, 6);
    mkwheel_le(directory, (uint64_t)(mode ? mode : 0100644) << 16, 4);
    mkwheel_le(directory, at, 4);
    buf_str(directory, name);
}

static inline void mkwheel_record(struct buf *record, const char *path, struct str bytes,
                                  const char *hash)
{
    struct digest d;

    buf_fmt(record, strchr(path, ',') ? "\"%s\"," : "%s,", path);
    if (hash) {
        buf_puts(record, hash);
    } else {
        hash_bytes(&d, bytes.p, bytes.len);
        buf_puts(record, "sha256=");
        base64_encode(record, d.bytes, sizeof d.bytes, true);
    }
    buf_fmt(record, ",%zu\n", bytes.len);
}

/* A wheel of these files, ended by a path that is NULL, as an open file. */
static inline void mkwheel(struct input *in, const char *name, const char *version,
                           const struct mkwheel_file *files)
{
    CLEANUP(buf_clear) struct buf zip = {0}, directory = {0}, record = {0}, info = {0}, text = {0};
    size_t n = 3, at;

    for (; files->path; files++, n++) {
        mkwheel_add(&zip, &directory, str_of(files->path), str_of(files->text), files->mode);
        mkwheel_record(&record, files->path, str_of(files->text), files->hash);
    }
    buf_fmt(&info, "%s-%s.dist-info/METADATA", name, version);
    buf_fmt(&text, "Metadata-Version: 2.1\nName: %s\nVersion: %s\n", name, version);
    mkwheel_add(&zip, &directory, buf_view(&info), buf_view(&text), 0);
    mkwheel_record(&record, info.p, buf_view(&text), NULL);
    buf_reset(&info);
    buf_reset(&text);
    buf_fmt(&info, "%s-%s.dist-info/WHEEL", name, version);
    buf_puts(&text, "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n");
    mkwheel_add(&zip, &directory, buf_view(&info), buf_view(&text), 0);
    mkwheel_record(&record, info.p, buf_view(&text), NULL);
    buf_reset(&info);
    buf_fmt(&info, "%s-%s.dist-info/RECORD", name, version);
    buf_fmt(&record, "%s,,\n", info.p);
    mkwheel_add(&zip, &directory, buf_view(&info), buf_view(&record), 0);
    at = zip.len;
    buf_str(&zip, buf_view(&directory));
    mkwheel_le(&zip, 0x06054b50, 4);
    mkwheel_le(&zip, 0, 4);
    mkwheel_le(&zip, n, 2);
    mkwheel_le(&zip, n, 2);
    mkwheel_le(&zip, directory.len, 4);
    mkwheel_le(&zip, at, 4);
    mkwheel_le(&zip, 0, 2);
    mk_input(in, name, buf_view(&zip));
    hash_bytes(&in->digest, zip.p, zip.len);
}
