/* SPDX-License-Identifier: Apache-2.0 */
#include "tar_read.h"

#include "../base/path.h"
#include "../base/vec.h"
#include "tar.h"

enum {
    CHUNK = 256 * 1024,
    ENTRIES_MAX = 5000000,
    EXTRA_MAX = 1 << 20,  /* bytes of a pax header or a long name */
    XATTR_MAX = 64 << 10, /* bytes of one attribute */
    PIECES_MAX = 1 << 20, /* of a file with holes */
    LINK_MAX = 4096,
    NUMBER_MAX = 20, /* decimal digits */
};

/* Where things stand in a header block. */
enum {
    AT_NAME = 0,
    AT_MODE = 100,
    AT_UID = 108,
    AT_GID = 116,
    AT_SIZE = 124,
    AT_MTIME = 136,
    AT_SUM = 148,
    AT_TYPE = 156,
    AT_LINK = 157,
    AT_MAGIC = 257,
    AT_UNAME = 265,
    AT_GNAME = 297,
    AT_PREFIX = 345,
    AT_STAR = 508, /* "tar" here: star's, whose prefix is shorter */
    AT_GNU_PIECES = 386,
    AT_GNU_MORE = 482,
    AT_GNU_REAL = 483,
    AT_GNU_MORE_NEXT = 504, /* in the blocks that follow */
};

/* A stretch of a file with holes that is in the tar. */
struct piece {
    uint64_t at, len;
};

/* What the headers before an entry say of it. Texts lie in the reader's `records` and `long_…`. */
struct extra {
    bool pax, has_path, has_link, has_size, has_uid, has_gid, has_mtime;
    struct str path, link;
    uint64_t size;
    int64_t uid, gid, mtime;
    bool sparse, map_in_data; /* pax forms 0.0 and 0.1; 1.0 */
    bool has_real;
    uint64_t real;
};

struct tar_reader {
    struct source *in;  /* owned */
    struct source data; /* of the entry at hand; its `below` is `in` */
    enum tar_kind kind;
    struct tar_entry entry;
    unsigned char *chunk; /* owned: bytes read ahead */
    size_t room, at, have;
    uint64_t offset;  /* of the next byte of the tar */
    uint64_t left;    /* bytes of the entry that are still to come */
    uint64_t padding; /* bytes behind them, up to the next header */
    uint64_t total;   /* sizes of all files */
    size_t entries;
    bool ended;
    struct extra extra;
    struct buf raw, path, name, link, records, long_path, long_link, uname, gname;
    bool sparse;
    struct VEC_OF(struct piece) pieces;
    size_t piece; /* the one at or after `pos` */
    uint64_t pos; /* in the file with its holes */
};

static int bad(const struct tar_reader *t, const char *why, struct err *e)
{
    return err_set(e, ERR_INPUT, "%s is not a sound tar: %s, at byte %llu", t->in->name, why,
                   (unsigned long long)t->offset);
}

/* ---- bytes ---- */

/* Up to `len` bytes; none at the end. What is large is read past the chunk. */
static int take_some(struct tar_reader *t, void *to, size_t len, size_t *got, struct err *e)
{
    if (t->at == t->have) {
        if (len >= t->room) {
            if (source_read(t->in, to, len, got, e) < 0)
                return -1;
            t->offset += *got;
            return 0;
        }
        t->at = 0;
        if (source_read(t->in, t->chunk, t->room, &t->have, e) < 0)
            return -1;
    }
    *got = t->have - t->at < len ? t->have - t->at : len;
    memcpy(to, t->chunk + t->at, *got);
    t->at += *got;
    t->offset += *got;
    return 0;
}

static int take(struct tar_reader *t, void *to, size_t len, size_t *got, struct err *e)
{
    size_t n = 1;

    for (*got = 0; n && *got < len; *got += n)
        if (take_some(t, (char *)to + *got, len - *got, &n, e) < 0)
            return -1;
    return 0;
}

/* Pass over `len` bytes; *missing is how many the tar is too short by. */
static int pass(struct tar_reader *t, uint64_t len, uint64_t *missing, struct err *e)
{
    while (len) {
        uint64_t n = t->have - t->at;

        if (!n && source_skip(t->in, len, &n)) {
            t->offset += n;
            len -= n;
            break;
        }
        if (!n) {
            t->at = 0;
            if (source_read(t->in, t->chunk, t->room, &t->have, e) < 0)
                return -1;
            n = t->have;
            if (!n)
                break;
        }
        n = n < len ? n : len;
        t->at += (size_t)n;
        t->offset += n;
        len -= n;
    }
    *missing = len;
    return 0;
}

/* ---- numbers and texts of a header ---- */

static bool octal(const unsigned char *field, size_t len, uint64_t *out)
{
    struct str s = {(const char *)field, len};

    *out = 0;
    while (s.len && (s.p[0] == ' ' || !s.p[0]))
        s = str_sub(s, 1, s.len);
    while (s.len && (s.p[s.len - 1] == ' ' || !s.p[s.len - 1]))
        s.len--;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '7' || *out >> 60)
            return false;
        *out = *out << 3 | (unsigned)(s.p[i] - '0');
    }
    return true;
}

/* Octal, or where the first bit is set the bits behind it, as a signed number of many bytes. */
static bool number(const unsigned char *field, size_t len, int64_t *out)
{
    uint64_t n, sign = field[0] & 0x40 ? UINT64_MAX : 0;

    if (!(field[0] & 0x80)) {
        bool ok = octal(field, len, &n);

        *out = (int64_t)n;
        return ok && n <= INT64_MAX;
    }
    n = sign << 6 | (field[0] & 0x3f);
    for (size_t i = 1; i < len; i++) {
        if ((int64_t)n >> 55 != (int64_t)sign)
            return false;
        n = n << 8 | field[i];
    }
    *out = (int64_t)n;
    return true;
}

static struct str field_text(const unsigned char *field, size_t len)
{
    const unsigned char *end = memchr(field, 0, len);

    return (struct str){(const char *)field, end ? (size_t)(end - field) : len};
}

static bool sum_is_right(const unsigned char *h)
{
    uint64_t want;
    int64_t as_unsigned = 0, as_signed = 0;

    for (size_t i = 0; i < TAR_BLOCK; i++) {
        unsigned char c = i >= AT_SUM && i < AT_TYPE ? ' ' : h[i];

        as_unsigned += c;
        as_signed += (signed char)c; /* as some old writers did it */
    }
    return octal(h + AT_SUM, AT_TYPE - AT_SUM, &want) &&
           ((int64_t)want == as_unsigned || (int64_t)want == as_signed);
}

static bool is_zero(const unsigned char *h)
{
    return !h[0] && memcmp(h, h + 1, TAR_BLOCK - 1) == 0;
}

/* ---- pax ---- */

/* "12", "-3"; with a fraction where `fraction`, which is dropped. */
static bool pax_number(struct str s, bool fraction, int64_t *out)
{
    bool minus = str_skip(&s, STR("-"));
    struct str rest = s, whole = s;
    uint64_t n;

    if (fraction && str_cut(&rest, STR("."), &whole))
        for (size_t i = 0; i < rest.len; i++)
            if (!c_digit(rest.p[i]))
                return false;
    if (!str_u64(whole, &n) || n > INT64_MAX)
        return false;
    *out = minus ? -(int64_t)n : (int64_t)n;
    return true;
}

static bool add_piece(struct tar_reader *t, uint64_t at)
{
    if (t->pieces.n == PIECES_MAX)
        return false;
    vec_add(&t->pieces, ((struct piece){.at = at}));
    return true;
}

/* "0,512,4096,100": the map of pax form 0.1. */
static bool map_text(struct tar_reader *t, struct str map)
{
    struct str word;
    uint64_t n;

    t->pieces.n = 0;
    while (str_item(&map, ',', &word)) {
        if (!str_u64(word, &n) || !add_piece(t, n) || !str_item(&map, ',', &word) ||
            !str_u64(word, &n))
            return false;
        t->pieces.v[t->pieces.n - 1].len = n;
    }
    return true;
}

/* GNU's records of files with holes. */
static bool sparse_record(struct tar_reader *t, struct str key, struct str value)
{
    struct extra *x = &t->extra;
    uint64_t n = 0;

    if (str_is(key, "name")) {
        x->path = value;
        return x->has_path = true;
    }
    if (str_is(key, "map"))
        return map_text(t, value);
    if (!str_u64(value, &n))
        return false;
    if (str_is(key, "offset"))
        return add_piece(t, n);
    if (str_is(key, "numbytes")) {
        if (!t->pieces.n)
            return false;
        t->pieces.v[t->pieces.n - 1].len = n;
    } else if (str_is(key, "size") || str_is(key, "realsize")) {
        x->real = n;
        x->sparse = x->has_real = true;
    } else if (str_is(key, "major")) {
        x->map_in_data = n == 1;
        return n <= 1;
    }
    return true;
}

static bool signed_record(bool *has, int64_t *out, struct str value, bool fraction)
{
    *has = true;
    return pax_number(value, fraction, out);
}

static bool pax_record(struct tar_reader *t, struct str key, struct str value)
{
    struct extra *x = &t->extra;
    int64_t n;

    if (str_skip(&key, STR("GNU.sparse.")))
        return !str_has(value, '\0') && sparse_record(t, key, value);
    if (str_starts(key, STR("SCHILY.xattr.")))
        return value.len <= XATTR_MAX;
    if (!value.len) /* takes back what is said otherwise; nothing is */
        return true;
    if (str_is(key, "path") || str_is(key, "linkpath")) {
        bool link = key.p[0] == 'l';

        *(link ? &x->link : &x->path) = value;
        return *(link ? &x->has_link : &x->has_path) = !str_has(value, '\0');
    }
    if (str_is(key, "uid"))
        return signed_record(&x->has_uid, &x->uid, value, false);
    if (str_is(key, "gid"))
        return signed_record(&x->has_gid, &x->gid, value, false);
    if (str_is(key, "mtime"))
        return signed_record(&x->has_mtime, &x->mtime, value, true);
    if (!str_is(key, "size"))
        return true;
    x->has_size = true;
    if (!pax_number(value, false, &n) || n < 0)
        return false;
    x->size = (uint64_t)n;
    return true;
}

/* The next "LEN key=value\n" of *rest, where LEN counts itself. */
static bool next_record(struct str *rest, struct str *key, struct str *value)
{
    size_t space = str_find(*rest, ' ');
    uint64_t len;

    if (space > NUMBER_MAX || !str_u64(str_sub(*rest, 0, space), &len) || len > rest->len ||
        len < space + 2 || rest->p[len - 1] != '\n')
        return false;
    *value = str_sub(*rest, space + 1, (size_t)len - space - 2);
    *rest = str_sub(*rest, (size_t)len, rest->len);
    return str_cut(value, STR("="), key) && key->len;
}

static int read_pax(struct tar_reader *t, bool global, struct err *e)
{
    struct str rest = buf_view(&t->records), key, value;

    if (!global) {
        t->extra = (struct extra){.pax = true};
        t->pieces.n = 0;
    }
    while (rest.len) {
        if (!next_record(&rest, &key, &value))
            return bad(t, "a broken pax header", e);
        if (global && !str_is(key, "comment"))
            return bad(t, "a global pax header that says more than a comment", e);
        if (!global && !pax_record(t, key, value))
            return err_set(e, ERR_INPUT,
                           "%s is not a sound tar: a pax header with a \"" STR_FMT
                           "\" that cannot be, at byte %llu",
                           t->in->name, STR_ARG(key), (unsigned long long)t->offset);
    }
    return 0;
}

/* The data of a header that speaks of the next. */
static int read_extra(struct tar_reader *t, struct buf *to, const unsigned char *h, struct err *e)
{
    int64_t size;
    size_t got;
    uint64_t missing;

    buf_reset(to);
    if (!number(h + AT_SIZE, 12, &size) || size < 0)
        return bad(t, "a broken header", e);
    if (size > EXTRA_MAX)
        return bad(t, "a pax header or a long name of more than 1 MiB", e);
    if (take(t, buf_room(to, (size_t)size), (size_t)size, &got, e) < 0 ||
        pass(t, tar_padding((uint64_t)size), &missing, e) < 0)
        return -1;
    if (got < (size_t)size || missing)
        return bad(t, "it ends early", e);
    to->len += got;
    to->p[to->len] = '\0';
    return 0;
}

/* ---- files with holes ---- */

static int check_pieces(struct tar_reader *t, uint64_t real, struct err *e)
{
    const struct piece *p;
    uint64_t end = 0, sum = 0;

    vec_each(p, &t->pieces) {
        if (p->at < end || __builtin_add_overflow(p->at, p->len, &end) || end > real)
            return bad(t, "a file with holes whose pieces overlap or lie outside", e);
        sum += p->len;
    }
    if (real > INT64_MAX || sum != t->left)
        return bad(t, "a file with holes and more or less data than its pieces need", e);
    t->entry.entry.content.size = real;
    t->sparse = true;
    return 0;
}

/* *more: another block of them follows. */
static int gnu_pieces(struct tar_reader *t, const unsigned char *at, size_t n, struct err *e)
{
    for (size_t i = 0; i < n && at[i * 24]; i++) {
        int64_t from, len;

        if (!number(at + i * 24, 12, &from) || !number(at + i * 24 + 12, 12, &len) || from < 0 ||
            len < 0 || !add_piece(t, (uint64_t)from))
            return bad(t, "a file with a broken or too long list of pieces", e);
        t->pieces.v[t->pieces.n - 1].len = (uint64_t)len;
    }
    return 0;
}

/* GNU's own form: pieces in the header, and in blocks behind it that its size does not count. */
static int gnu_sparse(struct tar_reader *t, const unsigned char *h, struct err *e)
{
    unsigned char next[TAR_BLOCK];
    bool more = h[AT_GNU_MORE] != 0;
    int64_t real;
    size_t got;

    t->pieces.n = 0;
    if (!number(h + AT_GNU_REAL, 12, &real) || real < 0)
        return bad(t, "a broken header", e);
    if (gnu_pieces(t, h + AT_GNU_PIECES, 4, e) < 0)
        return -1;
    while (more) {
        if (take(t, next, sizeof next, &got, e) < 0)
            return -1;
        if (got < sizeof next)
            return bad(t, "it ends early", e);
        if (gnu_pieces(t, next, 21, e) < 0)
            return -1;
        more = next[AT_GNU_MORE_NEXT] != 0;
    }
    t->entry.offset = t->offset;
    return check_pieces(t, (uint64_t)real, e);
}

/* One line of the map that stands before the data; blocks are taken as needed. */
static int map_line(struct tar_reader *t, unsigned char *block, size_t *at, uint64_t *out,
                    struct err *e)
{
    char digits[NUMBER_MAX + 1];
    size_t n = 0, got;

    for (;;) {
        if (*at == TAR_BLOCK) {
            if (t->left < TAR_BLOCK)
                return bad(t, "a file with holes without its list of pieces", e);
            if (take(t, block, TAR_BLOCK, &got, e) < 0)
                return -1;
            if (got < TAR_BLOCK)
                return bad(t, "it ends early", e);
            t->left -= TAR_BLOCK;
            *at = 0;
        }
        char c = (char)block[(*at)++];
        if (c == '\n')
            break;
        if (n == NUMBER_MAX)
            return bad(t, "a file with a broken or too long list of pieces", e);
        digits[n++] = c;
    }
    if (!str_u64((struct str){digits, n}, out))
        return bad(t, "a file with a broken or too long list of pieces", e);
    return 0;
}

static int pax_sparse(struct tar_reader *t, struct err *e)
{
    unsigned char block[TAR_BLOCK];
    size_t at = TAR_BLOCK;
    uint64_t n = 0, from, len;

    if (!t->extra.has_real)
        return bad(t, "a file with holes that does not tell its size", e);
    if (t->extra.map_in_data) {
        t->pieces.n = 0;
        if (map_line(t, block, &at, &n, e) < 0)
            return -1;
        for (; n; n--) {
            if (map_line(t, block, &at, &from, e) < 0 || map_line(t, block, &at, &len, e) < 0)
                return -1;
            if (!add_piece(t, from))
                return bad(t, "a file with a broken or too long list of pieces", e);
            t->pieces.v[t->pieces.n - 1].len = len;
        }
    }
    t->entry.offset = t->offset;
    return check_pieces(t, t->extra.real, e);
}

/* ---- an entry ---- */

static bool is_lenient(const struct tar_reader *t)
{
    return t->kind == TAR_LAYER || t->kind == TAR_ARCHIVE;
}

static void drop_last(struct buf *path)
{
    struct str base = path_base(buf_view(path));

    path->len -= base.len + (path->len > base.len);
    path->p[path->len] = '\0';
}

/* "/a//b/./c/" as "a/b/c". With `up`, ".." leads up in the text and not above the root, as umoci
 * has it; else false. */
static bool clean(struct buf *out, struct str raw, bool up)
{
    struct str part;

    buf_reset(out);
    buf_puts(out, "");
    while (str_item(&raw, '/', &part)) {
        if (!part.len || str_is(part, "."))
            continue;
        if (str_is(part, "..") && !up)
            return false;
        if (str_is(part, "..")) {
            drop_last(out);
            continue;
        }
        if (out->len)
            buf_putc(out, '/');
        buf_str(out, part);
    }
    return true;
}

/* "./usr/bin/" as "usr/bin", "./" as "". */
static void strip(struct buf *out, struct str raw)
{
    str_skip(&raw, STR("./"));
    str_drop(&raw, STR("/"));
    buf_reset(out);
    buf_str(out, str_is(raw, ".") ? STR("") : raw);
}

static bool tar_path(const struct tar_reader *t, struct buf *out, struct str raw, bool root)
{
    if (!is_lenient(t))
        strip(out, raw);
    else if (!raw.len || !clean(out, raw, t->kind == TAR_LAYER))
        return false;
    return (root && !out->len) || path_is_safe(buf_view(out));
}

static int take_link(struct tar_reader *t, struct str raw, struct err *e)
{
    struct entry *out = &t->entry.entry;

    if (out->type == ENTRY_HARDLINK) {
        if (!tar_path(t, &t->link, raw, false))
            return err_set(e, ERR_INPUT, "a hard link to \"" STR_FMT "\" leads outside",
                           STR_ARG(raw));
    } else {
        if (!raw.len || raw.len > LINK_MAX)
            return err_set(e, ERR_INPUT, "a symbolic link without a usable target");
        buf_reset(&t->link);
        buf_str(&t->link, raw);
    }
    out->link = buf_view(&t->link);
    return 0;
}

static int take_type(struct tar_reader *t, char type, struct str raw, struct err *e)
{
    struct entry *out = &t->entry.entry;

    switch (type) {
    case '\0': /* before POSIX folders had no type */
        out->type = str_ends(raw, STR("/")) ? ENTRY_DIR : ENTRY_FILE;
        return 0;
    case '0':
    case '7':
    case 'S':
        out->type = ENTRY_FILE;
        return 0;
    case '1':
        out->type = ENTRY_HARDLINK;
        return 0;
    case '2':
        out->type = ENTRY_SYMLINK;
        return 0;
    case '5':
        out->type = ENTRY_DIR;
        return 0;
    case '3':
    case '4':
    case '6':
        if (!is_lenient(t))
            break;
        out->type = ENTRY_FILE;
        t->entry.special = true;
        return 0;
    default:
        if (is_lenient(t))
            return err_set(e, ERR_INPUT, "an entry of unknown type %d", (unsigned char)type);
    }
    return err_set(e, ERR_INPUT, "neither file, folder nor link; only these may enter an image");
}

static int take_numbers(struct tar_reader *t, const unsigned char *h, struct err *e)
{
    const struct extra *x = &t->extra;
    struct entry *out = &t->entry.entry;
    int64_t mode, uid, gid, size, mtime;

    if (!number(h + AT_MODE, 8, &mode) || !number(h + AT_UID, 8, &uid) ||
        !number(h + AT_GID, 8, &gid) || !number(h + AT_SIZE, 12, &size) ||
        !number(h + AT_MTIME, 12, &mtime))
        return err_set(e, ERR_INPUT, "a broken header");
    uid = x->has_uid ? x->uid : uid;
    gid = x->has_gid ? x->gid : gid;
    mtime = x->has_mtime ? x->mtime : mtime;
    if (x->has_size)
        size = (int64_t)x->size;
    if (uid < 0 || uid > INT32_MAX || gid < 0 || gid > INT32_MAX)
        return err_set(e, ERR_INPUT, "owner %lld:%lld is out of range", (long long)uid,
                       (long long)gid);
    if (size < 0 || (size && (out->type != ENTRY_FILE || t->entry.special)))
        return err_set(e, ERR_INPUT, "a size it cannot have");
    out->mode = (uint32_t)mode & 07777;
    out->uid = (uint32_t)uid;
    out->gid = (uint32_t)gid;
    out->mtime = mtime > 0 ? mtime : 0;
    out->content.size = t->left = (uint64_t)size;
    t->padding = tar_padding(t->left);
    return 0;
}

static void take_owners(struct tar_reader *t, const unsigned char *h)
{
    buf_reset(&t->uname);
    buf_reset(&t->gname);
    if (memcmp(h + AT_MAGIC, "ustar", 5) == 0) {
        buf_str(&t->uname, field_text(h + AT_UNAME, 32));
        buf_str(&t->gname, field_text(h + AT_GNAME, 32));
    }
    t->entry.uname = buf_view(&t->uname);
    t->entry.gname = buf_view(&t->gname);
}

/* The name as it stands there, of whichever header that counts. */
static struct str raw_path(struct tar_reader *t, const unsigned char *h)
{
    struct str name = field_text(h + AT_NAME, AT_MODE - AT_NAME), prefix = {0};

    if (t->long_path.len)
        return field_text((const unsigned char *)t->long_path.p, t->long_path.len);
    if (t->extra.has_path)
        return t->extra.path;
    if (memcmp(h + AT_MAGIC, "ustar", 6) == 0) /* not GNU's, which ends in a space */
        prefix = field_text(h + AT_PREFIX, memcmp(h + AT_STAR, "tar", 4) == 0 ? 131 : 155);
    if (!prefix.len)
        return name;
    buf_reset(&t->raw);
    buf_fmt(&t->raw, STR_FMT "/" STR_FMT, STR_ARG(prefix), STR_ARG(name));
    return buf_view(&t->raw);
}

static struct str raw_link(const struct tar_reader *t, const unsigned char *h)
{
    if (t->long_link.len)
        return field_text((const unsigned char *)t->long_link.p, t->long_link.len);
    return t->extra.has_link ? t->extra.link : field_text(h + AT_LINK, AT_MAGIC - AT_LINK);
}

static int take_size(struct tar_reader *t, const unsigned char *h, struct str raw, struct err *e)
{
    bool pax = t->extra.sparse || t->extra.map_in_data, sparse = pax || h[AT_TYPE] == 'S';

    if (sparse && t->entry.entry.type != ENTRY_FILE)
        return bad(t, "holes in what is not a file", e);
    if (sparse && t->kind != TAR_LAYER)
        return err_set(e, ERR_INPUT, "%s: \"" STR_FMT "\" is a file with holes, which no %s holds",
                       t->in->name, STR_ARG(raw),
                       t->kind == TAR_ARCHIVE ? "archive of an image" : "package");
    if (pax && pax_sparse(t, e) < 0)
        return -1;
    if (!pax && sparse && gnu_sparse(t, h, e) < 0)
        return -1;
    if (__builtin_add_overflow(t->total, t->entry.entry.content.size, &t->total) ||
        t->total > INT64_MAX)
        return bad(t, "files of more bytes than can be", e);
    return 0;
}

static int take_entry(struct tar_reader *t, const unsigned char *h, struct err *e)
{
    struct str raw = raw_path(t, h);
    struct entry *out = &t->entry.entry;

    if (t->entries++ == ENTRIES_MAX)
        return err_set(e, ERR_INPUT, "%s holds more than %d entries", t->in->name, ENTRIES_MAX);
    t->entry = (struct tar_entry){.offset = t->offset};
    if (!tar_path(t, &t->path, raw, true))
        return err_set(e, ERR_INPUT, "%s: \"" STR_FMT "\" is not a safe path", t->in->name,
                       STR_ARG(raw));
    out->path = buf_view(&t->path);
    if (take_type(t, (char)h[AT_TYPE], raw, e) < 0 || take_numbers(t, h, e) < 0)
        return err_wrap(e, "%s: \"" STR_FMT "\"", t->in->name, STR_ARG(raw));
    if ((out->type == ENTRY_SYMLINK || out->type == ENTRY_HARDLINK) &&
        take_link(t, raw_link(t, h), e) < 0)
        return err_wrap(e, "%s: \"" STR_FMT "\"", t->in->name, STR_ARG(raw));
    if (!out->path.len && out->type != ENTRY_DIR)
        return err_set(e, ERR_INPUT, "%s: the root is not a folder", t->in->name);
    take_owners(t, h);
    return take_size(t, h, raw, e);
}

/* ---- from entry to entry ---- */

static int refuse_pax(const struct tar_reader *t, struct err *e)
{
    if (t->kind == TAR_DEB)
        return err_set(e, ERR_INPUT, "%s: a tar in pax form, which no deb may hold", t->in->name);
    return 0;
}

/* A header of its own, or what speaks of the next: then *found stays false. */
static int take_header(struct tar_reader *t, const unsigned char *h, bool *found, struct err *e)
{
    switch (h[AT_TYPE]) {
    case 'x':
    case 'g':
        return refuse_pax(t, e) < 0 || read_extra(t, &t->records, h, e) < 0
                   ? -1
                   : read_pax(t, h[AT_TYPE] == 'g', e);
    case 'L':
        return read_extra(t, &t->long_path, h, e);
    case 'K':
        return read_extra(t, &t->long_link, h, e);
    }
    *found = true;
    return take_entry(t, h, e);
}

/* One block; t->ended where there is none, or the two zero ones that end a tar. Some writers leave
 * those out. */
static int take_block(struct tar_reader *t, unsigned char h[TAR_BLOCK], struct err *e)
{
    size_t got;

    if (take(t, h, TAR_BLOCK, &got, e) < 0)
        return -1;
    if (got && got < TAR_BLOCK)
        return bad(t, "it ends early", e);
    t->ended = !got;
    if (t->ended || !is_zero(h))
        return 0;
    t->ended = true;
    if (take(t, h, TAR_BLOCK, &got, e) < 0)
        return -1;
    return got == TAR_BLOCK && !is_zero(h) ? bad(t, "something follows its end", e) : 0;
}

static int leave_entry(struct tar_reader *t, struct err *e)
{
    uint64_t missing;

    if (pass(t, t->left, &missing, e) < 0)
        return -1;
    if (missing)
        return bad(t, "it ends early", e);
    t->left = 0;
    if (pass(t, t->padding, &missing, e) < 0)
        return -1;
    t->ended = missing > 0;
    t->padding = 0;
    return 0;
}

static void forget(struct tar_reader *t)
{
    t->extra = (struct extra){0};
    buf_reset(&t->records);
    buf_reset(&t->long_path);
    buf_reset(&t->long_link);
    t->pieces.n = t->piece = 0;
    t->pos = 0;
    t->sparse = false;
}

int tar_next(struct tar_reader *t, const struct tar_entry **out, struct err *e)
{
    unsigned char h[TAR_BLOCK];
    bool found = false;

    *out = NULL;
    if (!t->ended && leave_entry(t, e) < 0)
        return -1;
    forget(t);
    while (!found && !t->ended) {
        if (take_block(t, h, e) < 0)
            return -1;
        if (t->ended)
            break;
        if (!sum_is_right(h))
            return bad(t, "no header stands where one belongs", e);
        if (take_header(t, h, &found, e) < 0)
            return -1;
    }
    if (found) {
        buf_reset(&t->name);
        buf_fmt(&t->name, "%s: %s", t->in->name, t->path.p ? t->path.p : "");
        t->data.name = t->name.p;
        t->data.ended = false;
        *out = &t->entry;
    } else if (t->extra.pax || t->long_path.len || t->long_link.len) {
        return bad(t, "it ends early", e);
    }
    return 0;
}

/* ---- data ---- */

static int take_data(struct tar_reader *t, void *to, uint64_t len, size_t *got, struct err *e)
{
    if (!len)
        return 0;
    if (take_some(t, to, (size_t)len, got, e) < 0)
        return -1;
    if (!*got)
        return bad(t, "it ends early", e);
    t->left -= *got;
    return 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static int data_read(struct source *self, void *to, size_t len, size_t *got, struct err *e)
{
    struct tar_reader *t = (struct tar_reader *)((char *)self - offsetof(struct tar_reader, data));
    uint64_t size = t->entry.entry.content.size;
    const struct piece *p;

    *got = 0;
    if (!t->sparse)
        return take_data(t, to, least(len, t->left), got, e);
    while (t->piece < t->pieces.n && t->pos >= t->pieces.v[t->piece].at + t->pieces.v[t->piece].len)
        t->piece++;
    p = t->piece < t->pieces.n ? &t->pieces.v[t->piece] : NULL;
    if (p && t->pos >= p->at) {
        if (take_data(t, to, least(len, p->at + p->len - t->pos), got, e) < 0)
            return -1;
    } else {
        *got = (size_t)least(len, (p ? p->at : size) - t->pos);
        memset(to, 0, *got);
    }
    t->pos += *got;
    return 0;
}

struct source *tar_data(struct tar_reader *t)
{
    return &t->data;
}

/* ---- open and close ---- */

struct tar_reader *tar_open(struct source *in, enum tar_kind kind)
{
    struct tar_reader *t = xcalloc(1, sizeof *t);

    t->in = in;
    t->kind = kind;
    source_init(&t->data, data_read, NULL, in);
    t->data.unpacks = true;
    t->room = in->skip ? TAR_BLOCK : CHUNK; /* nothing is read ahead that can be passed over */
    t->chunk = xmalloc(t->room);
    return t;
}

void tar_clear(struct tar_reader **t)
{
    struct tar_reader *r = *t;

    if (!r)
        return;
    source_free(r->in);
    err_clear(&r->data.fault);
    vec_clear(&r->pieces);
    buf_clear(&r->raw);
    buf_clear(&r->path);
    buf_clear(&r->name);
    buf_clear(&r->link);
    buf_clear(&r->records);
    buf_clear(&r->long_path);
    buf_clear(&r->long_link);
    buf_clear(&r->uname);
    buf_clear(&r->gname);
    free(r->chunk);
    free(r);
    *t = NULL;
}

int tar_walk(struct tar_reader *t, tar_each each, void *ctx, struct err *e)
{
    const struct tar_entry *entry;

    do {
        if (tar_next(t, &entry, e) < 0 || (entry && each(ctx, entry, tar_data(t), e) < 0))
            return -1;
    } while (entry);
    return 0;
}
