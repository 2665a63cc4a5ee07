/* SPDX-License-Identifier: Apache-2.0 */
#include "zip.h"

#include "../base/date.h"
#include "../base/map.h"
#include "../base/path.h"
#include "../base/utf8.h"

/* APPNOTE.TXT 6.3: the records and their fixed sizes. */
enum {
    END_SIG = 0x06054b50,
    END_SIZE = 22,
    END64_SIG = 0x06064b50,
    END64_SIZE = 56,
    LOCATOR_SIG = 0x07064b50,
    LOCATOR_SIZE = 20,
    ENTRY_SIG = 0x02014b50,
    ENTRY_SIZE = 46,
    LOCAL_SIG = 0x04034b50,
    LOCAL_SIZE = 30,
    DESCRIPTOR_SIG = 0x08074b50,
    VERSION = 63, /* 6.3 */
    EXTRA_ZIP64 = 1,
    EXTRA_UNICODE_PATH = 0x7075, /* another name, for those who know it */
    METHOD_STORED = 0,
    METHOD_DEFLATE = 8,
    FLAG_ENCRYPTED = 1 << 0,
    FLAG_DESCRIPTOR = 1 << 3,
    FLAG_PATCH = 1 << 5,
    FLAG_STRONG = 1 << 6,
    FLAG_UTF8 = 1 << 11,
    FLAG_MASKED = 1 << 13,
    DIRECTORY_MAX = 256 * 1024 * 1024,
    WINDOW = 64 * 1024,
    DOS_FOLDER = 1 << 4, /* of the attributes */
};

static uint16_t le16(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;

    return (uint16_t)(u[0] | u[1] << 8);
}

static uint32_t le32(const char *p)
{
    return le16(p) | (uint32_t)le16(p + 2) << 16;
}

static uint64_t le64(const char *p)
{
    return le32(p) | (uint64_t)le32(p + 4) << 32;
}

/* One record of the central directory, with zip64 applied. */
struct record {
    uint16_t flags, method;
    uint32_t crc, dos_time, attributes;
    uint64_t packed, size, offset;
    struct str name;
    uint8_t needs; /* version of the format, times 10 */
    bool renamed;  /* an extra field tells another name */
};

/* ---- the end records ---- */

static int bad(struct err *e, const char *why)
{
    return err_set(e, ERR_INPUT, "not a zip file that can be trusted: %s", why);
}

/* The end record: the last that looks like one, and its comment must reach the file's end exactly.
 * Some readers take the last, some the one whose comment fits; so both must be the same. */
static const char *find_end(struct str tail)
{
    for (size_t i = tail.len >= 4 ? tail.len - 3 : 0; i-- > 0;)
        if (le32(tail.p + i) == END_SIG)
            return tail.len - i >= END_SIZE && i + END_SIZE + le16(tail.p + i + 20) == tail.len
                       ? tail.p + i
                       : NULL;
    return NULL;
}

/* Where the directory should end, and what the end record says of it: all ones when only the zip64
 * record tells. */
struct end {
    uint64_t at; /* of the first end record */
    uint32_t offset, size;
    uint16_t entries;
};

static bool agrees(uint64_t wide, uint64_t narrow, uint64_t ones)
{
    return narrow == ones || wide == narrow;
}

/* 0 found, 1 tail too short, -1 error. */
static int read_end64(struct zip_directory *out, struct end *end, struct str tail, size_t end_at,
                      uint64_t size, struct err *e)
{
    uint64_t tail_at = size - tail.len, record_at;
    const char *locator, *record;

    locator = tail.p + end_at - LOCATOR_SIZE;
    record_at = le64(locator + 8);
    if (record_at < tail_at)
        return record_at + END64_SIZE + LOCATOR_SIZE + END_SIZE <= size
                   ? 1
                   : bad(e, "its zip64 record lies");
    if (record_at - tail_at > end_at - LOCATOR_SIZE ||
        end_at - LOCATOR_SIZE - (record_at - tail_at) != END64_SIZE)
        return bad(e, "its zip64 record is not where it should be");
    record = tail.p + (record_at - tail_at);
    if (le32(record) != END64_SIG || le64(record + 4) != END64_SIZE - 12 || le32(record + 16) ||
        le32(record + 20) || le64(record + 24) != le64(record + 32) || le32(locator + 4) ||
        le32(locator + 16) != 1)
        return bad(e, "its zip64 record is malformed");
    *out = (struct zip_directory){le64(record + 48), le64(record + 40), le64(record + 32)};
    if (!agrees(out->offset, end->offset, UINT32_MAX) ||
        !agrees(out->size, end->size, UINT32_MAX) ||
        !agrees(out->entries, end->entries, UINT16_MAX))
        return bad(e, "its end record and its zip64 record differ");
    end->at = record_at;
    return 0;
}

int zip_locate(struct zip_directory *out, struct str tail, uint64_t size, struct err *e)
{
    const char *p = find_end(tail);
    struct zip_directory d;
    struct end end;
    size_t at;

    if (!p)
        return tail.len == size || tail.len > END_SIZE + UINT16_MAX
                   ? bad(e, "it has no end record, more than one, or something stands behind it")
                   : 1;
    at = (size_t)(p - tail.p);
    if (at < LOCATOR_SIZE && tail.len < size)
        return 1;
    if (le16(p + 4) || le16(p + 6) || le16(p + 8) != le16(p + 10))
        return bad(e, "it is in several parts");
    end = (struct end){size - tail.len + at, le32(p + 16), le32(p + 12), le16(p + 10)};
    d = (struct zip_directory){end.offset, end.size, end.entries};
    /* Some readers heed a zip64 record wherever there is one, others only where it is needed. */
    if (at >= LOCATOR_SIZE && le32(p - LOCATOR_SIZE) == LOCATOR_SIG) {
        int result = read_end64(&d, &end, tail, at, size, e);

        if (result)
            return result;
    } else if (end.entries == UINT16_MAX || end.size == UINT32_MAX || end.offset == UINT32_MAX) {
        return bad(e, "its zip64 record is missing");
    }
    if (d.offset > end.at || end.at - d.offset != d.size)
        return bad(e, "its directory is not where its end record says");
    if (d.size > DIRECTORY_MAX || d.entries > ZIP_ENTRIES_MAX)
        return bad(e, "its directory is too large");
    *out = d;
    return 0;
}

/* ---- the central directory ---- */

/* Replace the values that are all ones by those of the zip64 extra field. False for extra fields
 * that readers may understand in several ways. */
static bool apply_extra(struct record *r, struct str extra)
{
    bool wide_seen = false;

    while (extra.len >= 4) {
        uint16_t id = le16(extra.p), len = le16(extra.p + 2);
        struct str field = str_sub(extra, 4, len);
        uint64_t *const wide[] = {&r->size, &r->packed, &r->offset};

        if (field.len != len || (id == EXTRA_ZIP64 && wide_seen))
            return false;
        wide_seen |= id == EXTRA_ZIP64;
        r->renamed |= id == EXTRA_UNICODE_PATH;
        extra = str_sub(extra, 4 + (size_t)len, extra.len);
        for (size_t i = 0; id == EXTRA_ZIP64 && i < ARRAY_LEN(wide); i++) {
            if (*wide[i] != UINT32_MAX)
                continue;
            if (field.len < 8)
                return false;
            *wide[i] = le64(field.p);
            field = str_sub(field, 8, field.len);
        }
    }
    return true;
}

/* Take the next record from the directory's bytes. */
static int next_record(struct record *r, struct str *directory, struct err *e)
{
    const char *p = directory->p;
    size_t name, extra, comment;

    if (directory->len < ENTRY_SIZE || le32(p) != ENTRY_SIG)
        return bad(e, "its directory is broken");
    name = le16(p + 28);
    extra = le16(p + 30);
    comment = le16(p + 32);
    if (directory->len < ENTRY_SIZE + name + extra + comment)
        return bad(e, "its directory is cut off");
    *r = (struct record){.needs = (uint8_t)p[6],
                         .flags = le16(p + 8),
                         .method = le16(p + 10),
                         .dos_time = le32(p + 12),
                         .crc = le32(p + 16),
                         .packed = le32(p + 20),
                         .size = le32(p + 24),
                         .attributes = le32(p + 38),
                         .offset = le32(p + 42),
                         .name = {p + ENTRY_SIZE, name}};
    if (le16(p + 34) || !apply_extra(r, (struct str){p + ENTRY_SIZE + name, extra}))
        return bad(e, "its directory is malformed");
    *directory = str_sub(*directory, ENTRY_SIZE + name + extra + comment, directory->len);
    return 0;
}

static int refuse(struct err *e, const struct record *r, const char *why)
{
    return err_set(e, ERR_INPUT, "\"" STR_FMT "\" in it %s", STR_ARG(r->name), why);
}

static bool name_is_safe(struct str name)
{
    str_drop(&name, STR("/"));
    for (size_t i = 0; i < name.len; i++)
        if (name.p[i] == '\\' || (unsigned char)name.p[i] < 0x20)
            return false;
    return path_is_safe(name);
}

static bool is_ascii(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

/* Whether a name means the same to all. */
static int check_name(const struct record *r, struct err *e)
{
    if (!name_is_safe(r->name))
        return refuse(e, r, "is not a safe name");
    if (r->renamed)
        return refuse(e, r, "has a second name (the extra field 0x7075)");
    if (is_ascii(r->name))
        return 0;
    if (!(r->flags & FLAG_UTF8))
        return refuse(e, r, "is not ASCII, and no flag says that it is UTF-8");
    return utf8_valid(r->name) == r->name.len ? 0 : refuse(e, r, "is not UTF-8");
}

static int check_record(const struct record *r, struct err *e)
{
    uint32_t kind = r->attributes >> 16 & 0170000; /* S_IFMT of the Unix mode */
    bool folder = str_ends(r->name, STR("/"));

    if (check_name(r, e) < 0)
        return -1;
    if (r->needs > VERSION)
        return refuse(e, r, "needs a later version of zip than 6.3");
    if (r->flags & (FLAG_ENCRYPTED | FLAG_PATCH | FLAG_STRONG | FLAG_MASKED))
        return refuse(e, r, "is encrypted, or a patch");
    if (r->method != METHOD_STORED && r->method != METHOD_DEFLATE)
        return refuse(e, r, "is compressed in a way that wheels do not use");
    if (r->method == METHOD_STORED && r->packed != r->size)
        return refuse(e, r, "is stored with two sizes");
    if (kind && kind != 0100000 && kind != 0040000)
        return refuse(e, r, "is neither file nor folder");
    if (!folder && (kind == 0040000 || r->attributes & DOS_FOLDER))
        return refuse(e, r, "is a file by its name and a folder by its attributes");
    if (folder && r->size)
        return refuse(e, r, "is a folder with content");
    return 0;
}

struct records VEC_OF(struct record);

/* All of them; none is there twice. */
static int read_records(struct records *out, const struct zip_directory *d, struct str bytes,
                        struct err *e)
{
    CLEANUP(map_clear) struct map names = {0};

    for (uint64_t i = 0; i < d->entries; i++) {
        struct record *r = vec_push(out);
        struct str name;

        if (next_record(r, &bytes, e) < 0 || check_record(r, e) < 0)
            return -1;
        name = r->name;
        str_drop(&name, STR("/"));
        if (map_set(&names, name, out))
            return refuse(e, r, "is there twice");
    }
    return bytes.len ? bad(e, "its directory is longer than its count") : 0;
}

static bool is_below_top(struct str name, struct str suffix)
{
    return str_ends(name, suffix) &&
           str_find(name, '/') == name.len - suffix.len + str_find(suffix, '/');
}

static int find_record(const struct record **out, const struct records *records, struct str suffix,
                       struct err *e)
{
    const struct record *r;

    *out = NULL;
    vec_each(r, records) {
        if (!is_below_top(r->name, suffix))
            continue;
        if (*out)
            return err_set(e, ERR_INPUT, "more than one *" STR_FMT " in it", STR_ARG(suffix));
        *out = r;
    }
    return *out ? 0 : err_set(e, ERR_INPUT, "no *" STR_FMT " in it", STR_ARG(suffix));
}

int zip_find_member(struct zip_member *out, const struct zip_directory *d, struct str bytes,
                    struct str suffix, struct err *e)
{
    struct records records = {0};
    const struct record *r;
    int result = read_records(&records, d, bytes, e);

    if (result == 0)
        result = find_record(&r, &records, suffix, e);
    if (result == 0)
        *out =
            (struct zip_member){r->offset, r->packed, r->size, r->crc, r->method == METHOD_DEFLATE};
    vec_clear(&records);
    return result;
}

/* ---- local headers ---- */

/* Reads small pieces that lie close together in order, with few calls. */
struct window {
    const struct input *input;
    char bytes[WINDOW];
    uint64_t at;
    size_t len;
};

static int window_get(struct window *w, uint64_t at, size_t len, const char **out, struct err *e)
{
    if (at > w->input->size || w->input->size - at < len || len > WINDOW)
        return bad(e, "an entry reaches beyond its end");
    if (at < w->at || at + len > w->at + w->len) {
        w->at = at;
        w->len = w->input->size - at < WINDOW ? (size_t)(w->input->size - at) : WINDOW;
        if (len <= LOCAL_SIZE + 512 && w->len > 4096)
            w->len = 4096; /* a big file is likely to follow: do not read into it */
        if (w->len < len)
            w->len = len;
        if (fd_pread_all(w->input->fd.n, w->bytes, w->len, at, w->input->name, e) < 0)
            return -1;
    }
    *out = w->bytes + (at - w->at);
    return 0;
}

/* The local header must say what the directory says; *data is where the content begins. */
static int check_local(struct window *w, const struct record *r, uint64_t *data, struct err *e)
{
    bool later = r->flags & FLAG_DESCRIPTOR;
    struct record local;
    size_t name, extra;
    const char *p;

    if (window_get(w, r->offset, LOCAL_SIZE, &p, e) < 0)
        return -1;
    name = le16(p + 26);
    extra = le16(p + 28);
    if (le32(p) != LOCAL_SIG || name != r->name.len)
        return refuse(e, r, "has another local header");
    if (window_get(w, r->offset, LOCAL_SIZE + name + extra, &p, e) < 0)
        return -1;
    local = (struct record){.flags = le16(p + 6),
                            .method = le16(p + 8),
                            .crc = le32(p + 14),
                            .packed = le32(p + 18),
                            .size = le32(p + 22)};
    if (!str_eq((struct str){p + LOCAL_SIZE, name}, r->name) || local.method != r->method ||
        local.flags != r->flags || !apply_extra(&local, (struct str){p + LOCAL_SIZE + name, extra}))
        return refuse(e, r, "has another local header");
    if (!(later && !local.crc && !local.packed && !local.size) &&
        (local.crc != r->crc || local.packed != r->packed || local.size != r->size))
        return refuse(e, r, "has other sizes or another CRC in its local header");
    if (local.renamed)
        return refuse(e, r, "has a second name (the extra field 0x7075)");
    *data = r->offset + LOCAL_SIZE + name + extra;
    return 0;
}

/* Bytes of the data descriptor behind the content: with or without signature, 32 or 64 bits. */
static int descriptor_size(struct window *w, const struct record *r, uint64_t at, uint64_t gap,
                           struct err *e)
{
    const char *p;
    size_t head;

    if ((gap != 12 && gap != 16 && gap != 20 && gap != 24) || window_get(w, at, gap, &p, e) < 0)
        return refuse(e, r, "is not followed by its descriptor");
    head = gap == 16 || gap == 24 ? 4 : 0;
    if ((head && le32(p) != DESCRIPTOR_SIG) || le32(p + head) != r->crc ||
        (gap < 20 ? le32(p + head + 4) != r->packed || le32(p + head + 8) != r->size
                  : le64(p + head + 4) != r->packed || le64(p + head + 12) != r->size))
        return refuse(e, r, "is followed by another descriptor");
    return 0;
}

/* ---- putting it together ---- */

static int64_t dos_to_unix(uint32_t t)
{
    struct date d = {.year = 1980 + (t >> 25),
                     .month = t >> 21 & 15,
                     .day = t >> 16 & 31,
                     .hour = t >> 11 & 31,
                     .minute = t >> 5 & 63,
                     .second = (t & 31) * 2};

    d.month = d.month ? d.month : 1;
    d.day = d.day ? d.day : 1;
    return date_seconds(&d);
}

struct position {
    uint64_t offset;
    size_t record;
};

static int position_compare(const void *a, const void *b)
{
    const struct position *x = a, *y = b;

    return (x->offset > y->offset) - (x->offset < y->offset);
}

static void add_entry(struct zip *zip, const struct record *r, const struct input *input)
{
    struct zip_entry *entry = vec_push(&zip->entries);

    entry->name = arena_str(&zip->arena, r->name);
    entry->directory = str_ends(r->name, STR("/"));
    entry->executable = r->attributes >> 16 & 0111;
    entry->mtime = dos_to_unix(r->dos_time);
    entry->content =
        (struct content){.kind = r->method == METHOD_DEFLATE ? CONTENT_DEFLATE : CONTENT_RANGE,
                         .size = r->size,
                         .input = input,
                         .packed = r->packed,
                         .crc = r->crc,
                         .has_crc = true};
}

/* Entries in order of place must cover everything up to the directory, without overlap or gap. */
static int check_cover(struct zip *zip, const struct records *records,
                       const struct zip_directory *d, const struct input *input, struct err *e)
{
    CLEANUP(free_clear) struct position *order = xcalloc(records->n, sizeof *order);
    CLEANUP(free_clear) struct window *w = xmalloc(sizeof *w);
    uint64_t at = 0;

    w->input = input;
    w->at = w->len = 0;
    for (size_t i = 0; i < records->n; i++)
        order[i] = (struct position){records->v[i].offset, i};
    qsort(order, records->n, sizeof *order, position_compare);
    for (size_t i = 0; i < records->n; i++) {
        const struct record *r = &records->v[order[i].record];
        uint64_t next = i + 1 < records->n ? order[i + 1].offset : d->offset, data = 0;

        if (r->offset != at)
            return refuse(e, r, "overlaps another entry, or follows a gap");
        if (check_local(w, r, &data, e) < 0)
            return -1;
        if (data > next || next - data < r->packed)
            return refuse(e, r, "overlaps another entry");
        zip->entries.v[order[i].record].content.offset = data;
        if (r->flags & FLAG_DESCRIPTOR &&
            descriptor_size(w, r, data + r->packed, next - data - r->packed, e) < 0)
            return -1;
        at = r->flags & FLAG_DESCRIPTOR ? next : data + r->packed;
    }
    return at == d->offset ? 0 : bad(e, "there is a gap before its directory");
}

int zip_open(struct zip *out, const struct input *input, struct err *e)
{
    CLEANUP(zip_clear) struct zip zip = {0};
    CLEANUP(buf_clear) struct buf bytes = {0};
    struct records records = {0};
    uint64_t tail = input->size < WINDOW * 2 ? input->size : WINDOW * 2;
    struct zip_directory d = {0};
    const struct record *r;
    int result;

    if (fd_pread_all(input->fd.n, buf_room(&bytes, tail), tail, input->size - tail, input->name,
                     e) < 0)
        return -1;
    bytes.len = tail;
    if (zip_locate(&d, buf_view(&bytes), input->size, e) != 0)
        return err_is_set(e) ? err_wrap(e, "%s", input->name)
                             : bad(e, "its end record is too far from its end");
    buf_reset(&bytes);
    if (fd_pread_all(input->fd.n, buf_room(&bytes, d.size), d.size, d.offset, input->name, e) < 0)
        return -1;
    bytes.len = d.size;
    result = read_records(&records, &d, buf_view(&bytes), e);
    if (result == 0) {
        vec_each(r, &records)
            add_entry(&zip, r, input);
        result = check_cover(&zip, &records, &d, input, e);
    }
    vec_clear(&records);
    if (result < 0)
        return err_wrap(e, "%s", input->name);
    MOVE(out, &zip);
    return 0;
}

void zip_clear(struct zip *zip)
{
    vec_clear(&zip->entries);
    arena_clear(&zip->arena);
    *zip = (struct zip){0};
}

const struct zip_entry *zip_find(const struct zip *zip, struct str name)
{
    for (size_t i = 0; i < zip->entries.n; i++)
        if (str_eq(zip->entries.v[i].name, name))
            return &zip->entries.v[i];
    return NULL;
}
