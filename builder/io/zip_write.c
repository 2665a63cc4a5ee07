/* SPDX-License-Identifier: Apache-2.0 */
#include "zip_write.h"

#include <unistd.h>

#include "packers.h"

enum {
    LOCAL_SIG = 0x04034b50,
    ENTRY_SIG = 0x02014b50,
    END_SIG = 0x06054b50,
    VERSION = 20, /* 2.0: deflate */
    MADE_BY_UNIX = 3 << 8,
    DATE = 1 << 5 | 1, /* 1980-01-01 */
    FLAG_UTF8 = 1 << 11,
    METHOD_STORED = 0,
    METHOD_DEFLATE = 8,
    ENTRIES_MAX = 65534,
    PART = 1024 * 1024, /* decides bytes */
    CHUNK = 256 * 1024,
};

static const uint64_t size_max = UINT32_MAX - 1;

/* ---- packing one entry into the scratch file ---- */

static void *open_tool(void)
{
    return deflater_open();
}

static int pack_part(void *tool, struct buf *out, struct str part, struct err *e)
{
    deflate_1_part(tool, out, part.p, part.len);
    return 0;
}

static void free_tool(void *tool)
{
    struct deflater *d = tool;

    deflater_clear(&d);
}

static const struct packing packing = {open_tool, pack_part, free_tool};

struct scratch {
    struct sink sink;
    int fd;
    uint64_t size;
};

static int scratch_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct scratch *s = (struct scratch *)self;

    if (fd_pwrite_all(s->fd, bytes, len, s->size, "a scratch file", e) < 0)
        return -1;
    s->size += len;
    return 0;
}

struct packing_sink {
    struct sink sink;
    struct packers *packers;
    uint32_t crc;
};

static int packing_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct packing_sink *s = (struct packing_sink *)self;
    const char *p = bytes;

    s->crc = crc32_add(s->crc, bytes, len);
    while (len) {
        size_t room = PART - packers_gathered(s->packers), n = len < room ? len : room;

        packers_add(s->packers, p, n);
        p += n;
        len -= n;
        if (n == room && packers_cut(s->packers, e) < 0)
            return -1;
    }
    return 0;
}

static int pack(struct zip_writer *z, const struct content *content, const char *what,
                struct scratch *scratch, uint32_t *crc, struct digest *sha256, struct err *e)
{
    struct packing_sink to = {.sink.write = packing_write,
                              .packers = packers_open(&packing, z->threads, &scratch->sink)};
    CLEANUP(hash_sink_clear) struct hash_sink hash = {0};
    int result;

    hash_sink_open(&hash, &to.sink);
    result = content_copy(z->inflater, content, &hash.sink, what, e) < 0 ||
                     packers_cut(to.packers, e) < 0 || packers_finish(to.packers, e) < 0 ||
                     sink_write(&scratch->sink, deflate_1_end, sizeof deflate_1_end, e) < 0
                 ? -1
                 : sink_finish(&hash.sink, e);
    packers_clear(&to.packers);
    *crc = to.crc;
    *sha256 = hash.digest;
    return result;
}

/* ---- records ---- */

struct record {
    struct str name;
    bool executable, deflated;
    uint32_t crc, packed, size;
};

/* What local header and directory have in common. */
static void put_common(struct buf *out, const struct record *r)
{
    bool ascii = true;

    for (size_t i = 0; i < r->name.len; i++)
        ascii = ascii && (unsigned char)r->name.p[i] < 0x80;
    buf_number(out, VERSION, 2);
    buf_number(out, ascii ? 0 : FLAG_UTF8, 2);
    buf_number(out, r->deflated ? METHOD_DEFLATE : METHOD_STORED, 2);
    buf_number(out, 0, 2); /* midnight */
    buf_number(out, DATE, 2);
    buf_number(out, r->crc, 4);
    buf_number(out, r->packed, 4);
    buf_number(out, r->size, 4);
    buf_number(out, r->name.len, 2);
    buf_number(out, 0, 2); /* no extra field */
}

static void put_entry(struct zip_writer *z, const struct record *r)
{
    struct buf *d = &z->directory;

    buf_number(d, ENTRY_SIG, 4);
    buf_number(d, MADE_BY_UNIX | VERSION, 2);
    put_common(d, r);
    buf_number(d, 0, 2); /* no comment */
    buf_number(d, 0, 4); /* disk 0, no attributes of DOS's */
    buf_number(d, (uint32_t)(r->executable ? 0100755 : 0100644) << 16, 4);
    buf_number(d, z->at, 4);
    buf_str(d, r->name);
}

static int put(struct zip_writer *z, const void *bytes, size_t len, struct err *e)
{
    z->at += len;
    return sink_write(z->to, bytes, len, e);
}

/* ---- an entry ---- */

static int copy_scratch(struct zip_writer *z, uint64_t size, struct err *e)
{
    CLEANUP(free_clear) char *chunk = xmalloc(CHUNK);

    for (uint64_t at = 0; at < size;) {
        size_t n = size - at < CHUNK ? (size_t)(size - at) : CHUNK;

        if (fd_pread_all(z->temp.fd.n, chunk, n, at, "a scratch file", e) < 0 ||
            put(z, chunk, n, e) < 0)
            return -1;
        at += n;
    }
    return 0;
}

static int copy_plain(struct zip_writer *z, const struct content *content, const char *what,
                      struct err *e)
{
    z->at += content->size;
    return content_copy(z->inflater, content, z->to, what, e);
}

static int too_much(const char *what, struct err *e)
{
    return err_set(
        e, ERR_INPUT,
        "%s: the wheel would have more than 4 GiB or 65534 files, which is not supported", what);
}

int zip_writer_open(struct zip_writer *z, struct sink *to, struct inflater *inflater,
                    const char *scratch, unsigned threads, struct err *e)
{
    *z = (struct zip_writer){.to = to, .inflater = inflater, .threads = threads};
    return fs_temp_open(&z->temp, scratch, e);
}

int zip_writer_add(struct zip_writer *z, struct str name, bool executable,
                   const struct content *content, struct digest *sha256, struct err *e)
{
    CLEANUP(free_clear) char *what = str_dup(name);
    CLEANUP(buf_clear) struct buf header = {0};
    struct scratch scratch = {.sink.write = scratch_write, .fd = z->temp.fd.n};
    struct record r = {.name = name, .executable = executable, .size = (uint32_t)content->size};

    if (content->size > size_max || name.len > UINT16_MAX || z->entries == ENTRIES_MAX)
        return too_much(what, e);
    if (pack(z, content, what, &scratch, &r.crc, sha256, e) < 0)
        return -1;
    r.deflated = scratch.size < content->size;
    r.packed = (uint32_t)(r.deflated ? scratch.size : content->size);
    put_entry(z, &r);
    buf_number(&header, LOCAL_SIG, 4);
    put_common(&header, &r);
    buf_str(&header, name);
    if (z->at + header.len + r.packed + z->directory.len > size_max)
        return too_much(what, e);
    z->entries++;
    if (put(z, header.p, header.len, e) < 0)
        return -1;
    return r.deflated ? copy_scratch(z, scratch.size, e) : copy_plain(z, content, what, e);
}

int zip_writer_end(struct zip_writer *z, struct err *e)
{
    CLEANUP(buf_clear) struct buf end = {0};
    uint64_t at = z->at;

    buf_number(&end, END_SIG, 4);
    buf_number(&end, 0, 4); /* one disk */
    buf_number(&end, z->entries, 2);
    buf_number(&end, z->entries, 2);
    buf_number(&end, z->directory.len, 4);
    buf_number(&end, at, 4);
    buf_number(&end, 0, 2); /* no comment */
    return put(z, z->directory.p, z->directory.len, e) < 0 ? -1 : put(z, end.p, end.len, e);
}

void zip_writer_clear(struct zip_writer *z)
{
    fs_temp_clear(&z->temp);
    buf_clear(&z->directory);
    *z = (struct zip_writer){0};
}
