/* SPDX-License-Identifier: Apache-2.0 */
#include "tar_read_parts.h"

#include "../base/path.h"

int tar_bad(const struct tar_reader *t, const char *why, struct err *e)
{
    return err_set(e, ERR_INPUT, "%s is not a valid tar: %s, at byte %llu", t->in->name, why,
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

int tar_take(struct tar_reader *t, void *to, size_t len, size_t *got, struct err *e)
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

bool tar_number(const unsigned char *field, size_t len, int64_t *out)
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

/* The data of a header that speaks of the next. */
static int read_extra(struct tar_reader *t, struct buf *to, const unsigned char *h, struct err *e)
{
    int64_t size;
    size_t got;
    uint64_t missing;

    buf_reset(to);
    if (!tar_number(h + AT_SIZE, 12, &size) || size < 0)
        return tar_bad(t, "a broken header", e);
    if (size > EXTRA_MAX)
        return tar_bad(t, "a pax header or a long name of more than 1 MiB", e);
    if (tar_take(t, buf_room(to, (size_t)size), (size_t)size, &got, e) < 0 ||
        pass(t, tar_padding((uint64_t)size), &missing, e) < 0)
        return -1;
    if (got < (size_t)size || missing)
        return tar_bad(t, "it ends early", e);
    to->len += got;
    to->p[to->len] = '\0';
    return 0;
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

    if (!tar_number(h + AT_MODE, 8, &mode) || !tar_number(h + AT_UID, 8, &uid) ||
        !tar_number(h + AT_GID, 8, &gid) || !tar_number(h + AT_SIZE, 12, &size) ||
        !tar_number(h + AT_MTIME, 12, &mtime))
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
        return tar_bad(t, "holes in what is not a file", e);
    if (sparse && t->kind != TAR_LAYER)
        return err_set(e, ERR_INPUT, "%s: \"" STR_FMT "\" is a file with holes, which no %s holds",
                       t->in->name, STR_ARG(raw),
                       t->kind == TAR_ARCHIVE ? "archive of an image" : "package");
    if (pax && tar_sparse_pax(t, e) < 0)
        return -1;
    if (!pax && sparse && tar_sparse_gnu(t, h, e) < 0)
        return -1;
    if (__builtin_add_overflow(t->total, t->entry.entry.content.size, &t->total) ||
        t->total > INT64_MAX)
        return tar_bad(t, "files of more bytes than can be", e);
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
    if (t->kind == TAR_LAYER && out->type == ENTRY_FILE)
        out->caps = t->extra.caps;
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
                   : tar_pax_read(t, h[AT_TYPE] == 'g', e);
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

    if (tar_take(t, h, TAR_BLOCK, &got, e) < 0)
        return -1;
    if (got && got < TAR_BLOCK)
        return tar_bad(t, "it ends early", e);
    t->ended = !got;
    if (t->ended || !is_zero(h))
        return 0;
    t->ended = true;
    if (tar_take(t, h, TAR_BLOCK, &got, e) < 0)
        return -1;
    return got == TAR_BLOCK && !is_zero(h) ? tar_bad(t, "something follows its end", e) : 0;
}

static int leave_entry(struct tar_reader *t, struct err *e)
{
    uint64_t missing;

    if (pass(t, t->left, &missing, e) < 0)
        return -1;
    if (missing)
        return tar_bad(t, "it ends early", e);
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
            return tar_bad(t, "no header stands where one belongs", e);
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
        return tar_bad(t, "it ends early", e);
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
        return tar_bad(t, "it ends early", e);
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
