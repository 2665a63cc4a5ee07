/* SPDX-License-Identifier: Apache-2.0 */
#include "tar.h"

#include "../base/path.h"

/* POSIX ustar, "ustar Interchange Format": every field is octal or text, NUL-ended where it fits. */
struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], chksum[8], typeflag;
    char linkname[100], magic[6], version[2], uname[32], gname[32], devmajor[8], devminor[8];
    char prefix[155], pad[12];
};
_Static_assert(sizeof(struct header) == TAR_BLOCK, "a tar header is one block");

static const char pax_name[] = "pax"; /* a constant: GNU's default holds a process id */

static bool octal(char *field, size_t width, uint64_t n)
{
    for (size_t i = width - 1; i-- > 0; n >>= 3)
        field[i] = (char)('0' + (n & 7));
    field[width - 1] = '\0';
    return n == 0;
}

static void checksum(struct header *h)
{
    const unsigned char *p = (const unsigned char *)h;
    unsigned sum = 0;

    memset(h->chksum, ' ', sizeof h->chksum);
    for (size_t i = 0; i < sizeof *h; i++)
        sum += p[i];
    octal(h->chksum, 7, sum); /* six digits, a NUL, and the space that stands there */
}

static bool has_whiteout(struct str path)
{
    struct str part;

    while (str_item(&path, '/', &part))
        if (str_starts(part, STR(".wh.")))
            return true;
    return false;
}

/* The name field, and prefix where one "/" can split the name in two that fit. */
static bool set_name(struct header *h, struct str name)
{
    if (name.len <= sizeof h->name) {
        memcpy(h->name, name.p, name.len);
        return true;
    }
    for (size_t i = 1; i < name.len - 1 && i <= sizeof h->prefix; i++) {
        if (name.p[i] != '/' || name.len - i - 1 > sizeof h->name)
            continue;
        memcpy(h->prefix, name.p, i);
        memcpy(h->name, name.p + i + 1, name.len - i - 1);
        return true;
    }
    return false;
}

/* pax records count their own length, which may make the number of its digits grow. */
static void pax_record(struct buf *out, const char *key, struct str value)
{
    size_t rest = strlen(key) + value.len + 3, len = rest + 1;
    char digits[24];

    while (rest + (size_t)snprintf(digits, sizeof digits, "%zu", len) != len)
        len = rest + strlen(digits);
    buf_fmt(out, "%zu %s=", len, key);
    buf_str(out, value);
    buf_putc(out, '\n');
}

static void pax_number(struct buf *out, const char *key, uint64_t n)
{
    char digits[24];

    snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    pax_record(out, key, str_of(digits));
}

static void put_pax(struct buf *out, const struct buf *records)
{
    static const char zeros[TAR_BLOCK];
    struct header h = {.typeflag = 'x', .magic = "ustar", .version = {'0', '0'}};

    memcpy(h.name, pax_name, sizeof pax_name - 1);
    octal(h.mode, sizeof h.mode, 0644);
    octal(h.uid, sizeof h.uid, 0);
    octal(h.gid, sizeof h.gid, 0);
    octal(h.size, sizeof h.size, records->len);
    octal(h.mtime, sizeof h.mtime, 0);
    octal(h.devmajor, sizeof h.devmajor, 0);
    octal(h.devminor, sizeof h.devminor, 0);
    checksum(&h);
    buf_add(out, &h, sizeof h);
    buf_str(out, buf_view(records));
    buf_add(out, zeros, tar_padding(records->len));
}

static int check(const struct entry *entry, struct err *e)
{
    if (!path_is_safe(entry->path))
        return err_set(e, ERR_INPUT, "\"" STR_FMT "\" is no path for an image",
                       STR_ARG(entry->path));
    if (has_whiteout(entry->path))
        return err_set(e, ERR_INPUT,
                       "\"" STR_FMT "\" cannot stand in a layer: names that begin with .wh. "
                       "mean deletion there",
                       STR_ARG(entry->path));
    if (str_has(entry->link, '\0') || entry->link.len > 4096)
        return err_set(e, ERR_INPUT, "\"" STR_FMT "\" links to what is no path",
                       STR_ARG(entry->path));
    return 0;
}

static char typeflag(enum entry_type type)
{
    switch (type) {
    case ENTRY_FILE:
        return '0';
    case ENTRY_HARDLINK:
        return '1';
    case ENTRY_SYMLINK:
        return '2';
    case ENTRY_DIR:
        return '5';
    }
    return '0';
}

int tar_header(struct buf *out, const struct entry *entry, struct err *e)
{
    CLEANUP(buf_clear) struct buf name = {0}, pax = {0};
    struct header h = {.typeflag = typeflag(entry->type), .magic = "ustar", .version = {'0', '0'}};
    uint64_t size = entry->type == ENTRY_FILE ? entry->content.size : 0;

    if (check(entry, e) < 0)
        return -1;
    buf_str(&name, entry->path);
    if (entry->type == ENTRY_DIR)
        buf_putc(&name, '/');
    if (!set_name(&h, buf_view(&name))) {
        memcpy(h.name, name.p, sizeof h.name); /* what readers without pax would show */
        pax_record(&pax, "path", buf_view(&name));
    }
    if (entry->link.len && entry->link.len <= sizeof h.linkname)
        memcpy(h.linkname, entry->link.p, entry->link.len);
    else if (entry->link.len) {
        memcpy(h.linkname, entry->link.p, sizeof h.linkname);
        pax_record(&pax, "linkpath", entry->link);
    }
    octal(h.mode, sizeof h.mode, entry->mode & 07777);
    if (!octal(h.uid, sizeof h.uid, entry->uid))
        pax_number(&pax, "uid", entry->uid);
    if (!octal(h.gid, sizeof h.gid, entry->gid))
        pax_number(&pax, "gid", entry->gid);
    if (!octal(h.size, sizeof h.size, size))
        pax_number(&pax, "size", size);
    octal(h.mtime, sizeof h.mtime, entry->mtime > 0 ? (uint64_t)entry->mtime : 0);
    octal(h.devmajor, sizeof h.devmajor, 0);
    octal(h.devminor, sizeof h.devminor, 0);
    checksum(&h);
    if (pax.len)
        put_pax(out, &pax);
    buf_add(out, &h, sizeof h);
    return 0;
}

size_t tar_padding(uint64_t size)
{
    return (size_t)(-size & (TAR_BLOCK - 1));
}

void tar_end(struct buf *out)
{
    static const char zeros[2 * TAR_BLOCK];

    buf_add(out, zeros, sizeof zeros);
}
