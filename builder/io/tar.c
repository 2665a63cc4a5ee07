/* SPDX-License-Identifier: Apache-2.0 */
#include "tar.h"

#include "../base/path.h"

/* Python's tarfile uses this name, too. A reader that knows pax never shows it; GNU tar's own
 * default holds a process id. */
#define PAX_NAME "././@PaxHeader"

enum {
    NAME_MAX_LEN = 100,
    PREFIX_MAX_LEN = 155,
    PATH_MAX_LEN = 4096, /* Linux' PATH_MAX, as path_is_safe() has it */
    LINK_MAX_LEN = 4096,
    PART_MAX_LEN = 255, /* Linux' NAME_MAX */
    SHOWN_LEN = 200,    /* of a path that is too long, in a message */
    TYPE_FILE = '0',
    TYPE_HARDLINK = '1',
    TYPE_SYMLINK = '2',
    TYPE_DIR = '5',
    TYPE_PAX = 'x',
};

/* One block, POSIX.1-2017 pax, "ustar Interchange Format". */
struct ustar {
    char name[NAME_MAX_LEN], mode[8], uid[8], gid[8], size[12], mtime[12], chksum[8], typeflag;
    char linkname[100], magic[6], version[2], uname[32], gname[32], devmajor[8], devminor[8];
    char prefix[PREFIX_MAX_LEN], pad[12];
};
_Static_assert(sizeof(struct ustar) == TAR_BLOCK, "a tar header is one block");

static bool octal_fits(uint64_t value, size_t width)
{
    return value >> (3 * (width - 1)) == 0;
}

/* Octal digits and a NUL. What does not fit is written as base-256: a pax record says the same
 * number, so that readers which overlook one of the two still agree about where the next header is.
 */
static void put_number(char *field, size_t width, uint64_t value)
{
    bool octal = octal_fits(value, width);
    unsigned shift = octal ? 3 : 8;

    memset(field, 0, width);
    for (size_t i = octal ? width - 1 : width; i-- > 0; value >>= shift)
        field[i] = (char)(octal ? '0' + (value & 7) : value & 255);
    if (!octal)
        field[0] = (char)0x80;
}

/* As much as fits. A field that is full has no NUL. */
static void put_text(char *field, size_t width, struct str text)
{
    memcpy(field, text.p, text.len < width ? text.len : width);
}

static void put_block(struct buf *out, struct ustar *h)
{
    const unsigned char *bytes = (const unsigned char *)h;
    unsigned sum = 0;

    memcpy(h->magic, "ustar", 6);
    memcpy(h->version, "00", 2);
    put_number(h->devmajor, sizeof h->devmajor, 0);
    put_number(h->devminor, sizeof h->devminor, 0);
    memset(h->chksum, ' ', sizeof h->chksum);
    for (size_t i = 0; i < sizeof *h; i++)
        sum += bytes[i];
    put_number(h->chksum, 7, sum); /* six digits and a NUL; the last byte stays a space */
    buf_add(out, h, sizeof *h);
}

/* "LEN key=value\n" where LEN counts itself. */
static void pax_record(struct buf *out, const char *key, struct str value)
{
    size_t rest = strlen(key) + value.len + 3, len = rest + 1;
    char digits[24];

    for (size_t last = 0; last != len;) {
        last = len;
        len = rest + (size_t)snprintf(digits, sizeof digits, "%zu", last);
    }
    buf_fmt(out, "%zu %s=", len, key);
    buf_str(out, value);
    buf_putc(out, '\n');
}

static void pax_number(struct buf *out, const char *key, uint64_t value, size_t width)
{
    char digits[24];

    if (octal_fits(value, width))
        return;
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    pax_record(out, key, str_of(digits));
}

/* Put `path` into name, or at a "/" into prefix and name; false when neither holds it. */
static bool put_path(struct ustar *h, struct str path)
{
    size_t cut = 0;

    if (path.len > NAME_MAX_LEN) /* a folder's own last "/" is no place to cut */
        cut = path.len - 2 < PREFIX_MAX_LEN ? path.len - 2 : PREFIX_MAX_LEN;
    while (cut > 0 && path.p[cut] != '/')
        cut--;
    put_text(h->prefix, sizeof h->prefix, str_sub(path, 0, cut));
    if (cut)
        path = str_sub(path, cut + 1, path.len);
    put_text(h->name, sizeof h->name, path);
    return path.len <= NAME_MAX_LEN;
}

static bool has_long_part(struct str path)
{
    struct str part;

    while (str_item(&path, '/', &part))
        if (part.len > PART_MAX_LEN)
            return true;
    return false;
}

static int check_path(struct str path, const char *what, struct err *e)
{
    struct str rest = path, part;

    if (path.len > PATH_MAX_LEN || has_long_part(path))
        return err_set(e, ERR_INPUT,
                       "%s \"" STR_FMT "…\" is too long: %d bytes at most, %d between two \"/\"",
                       what, STR_ARG(str_sub(path, 0, SHOWN_LEN)), PATH_MAX_LEN, PART_MAX_LEN);
    if (!path_is_safe(path))
        return err_set(e, ERR_INPUT, "%s \"" STR_FMT "\" is not a path that a layer may hold", what,
                       STR_ARG(path));
    while (str_item(&rest, '/', &part))
        if (str_starts(part, STR(".wh.")))
            return err_set(e, ERR_INPUT,
                           "%s \"" STR_FMT "\" would be read as a deletion: in a layer no name may "
                           "start with \".wh.\"",
                           what, STR_ARG(path));
    return 0;
}

static int check_link(const struct entry *entry, struct err *e)
{
    struct str link = entry->link;

    if (entry->type == ENTRY_HARDLINK)
        return check_path(link, "hard link target", e);
    if (entry->type == ENTRY_SYMLINK &&
        (!link.len || link.len > LINK_MAX_LEN || str_has(link, '\0')))
        return err_set(e, ERR_INPUT,
                       "symbolic link \"" STR_FMT "\": its target must have 1 to %d bytes, none of "
                       "them NUL",
                       STR_ARG(entry->path), LINK_MAX_LEN);
    return 0;
}

int tar_check(const struct entry *entry, struct err *e)
{
    if (check_path(entry->path, "path", e) < 0 || check_link(entry, e) < 0)
        return -1;
    if (entry->mode > 07777)
        return err_set(e, ERR_INPUT, "\"" STR_FMT "\": mode %o holds more than permissions",
                       STR_ARG(entry->path), entry->mode);
    if (entry->mtime < 0 || !octal_fits((uint64_t)entry->mtime, sizeof((struct ustar *)0)->mtime))
        return err_set(e, ERR_INPUT,
                       "\"" STR_FMT "\": time %lld is outside what tar holds, 0 to 8589934591",
                       STR_ARG(entry->path), (long long)entry->mtime);
    return 0;
}

static char type_flag(enum entry_type type)
{
    switch (type) {
    case ENTRY_FILE:
        return TYPE_FILE;
    case ENTRY_DIR:
        return TYPE_DIR;
    case ENTRY_SYMLINK:
        return TYPE_SYMLINK;
    case ENTRY_HARDLINK:
        return TYPE_HARDLINK;
    }
    abort();
}

static void put_pax(struct buf *out, const struct buf *records)
{
    struct ustar h = {.typeflag = TYPE_PAX};

    put_text(h.name, sizeof h.name, STR(PAX_NAME));
    put_number(h.mode, sizeof h.mode, 0644);
    put_number(h.uid, sizeof h.uid, 0);
    put_number(h.gid, sizeof h.gid, 0);
    put_number(h.size, sizeof h.size, records->len);
    put_number(h.mtime, sizeof h.mtime, 0);
    put_block(out, &h);
    buf_str(out, buf_view(records));
    memset(buf_room(out, tar_padding(records->len)), 0, tar_padding(records->len));
    out->len += tar_padding(records->len);
}

/* Names go into the fields as raw bytes, also beyond ASCII, as GNU tar writes them. Go, libarchive
 * and Python take these bytes as they are, while a pax path is UTF-8 by definition: a reader in the
 * C locale may fail to convert it, and a name that is not UTF-8 has no right form at all. */
int tar_header(struct buf *out, const struct entry *entry, struct err *e)
{
    CLEANUP(buf_clear) struct buf path = {0};
    CLEANUP(buf_clear) struct buf records = {0};
    struct ustar h = {.typeflag = type_flag(entry->type)};
    uint64_t size = entry->type == ENTRY_FILE ? entry->content.size : 0;
    bool linked = entry->type == ENTRY_SYMLINK || entry->type == ENTRY_HARDLINK;

    if (tar_check(entry, e) < 0)
        return -1;
    buf_str(&path, entry->path);
    if (entry->type == ENTRY_DIR)
        buf_putc(&path, '/');

    put_number(h.mode, sizeof h.mode, entry->mode);
    put_number(h.uid, sizeof h.uid, entry->uid);
    put_number(h.gid, sizeof h.gid, entry->gid);
    put_number(h.size, sizeof h.size, size);
    put_number(h.mtime, sizeof h.mtime, (uint64_t)entry->mtime);

    if (entry->type == ENTRY_FILE && entry->caps.len)
        pax_record(&records, TAR_CAPS, entry->caps);
    pax_number(&records, "gid", entry->gid, sizeof h.gid);
    if (linked)
        put_text(h.linkname, sizeof h.linkname, entry->link);
    if (linked && entry->link.len > sizeof h.linkname)
        pax_record(&records, "linkpath", entry->link);
    if (!put_path(&h, buf_view(&path)))
        pax_record(&records, "path", buf_view(&path));
    pax_number(&records, "size", size, sizeof h.size);
    pax_number(&records, "uid", entry->uid, sizeof h.uid);

    if (records.len)
        put_pax(out, &records);
    put_block(out, &h);
    return 0;
}

size_t tar_padding(uint64_t size)
{
    return (size_t)(-size % TAR_BLOCK);
}

void tar_end(struct buf *out)
{
    memset(buf_room(out, 2 * TAR_BLOCK), 0, 2 * TAR_BLOCK);
    out->len += 2 * TAR_BLOCK;
}
