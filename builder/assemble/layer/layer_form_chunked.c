/* SPDX-License-Identifier: Apache-2.0 */
#include "layer_form_parts.h"

#include "../../base/date.h"
#include "../../base/utf8.h"
#include "../../doc/emit.h"
#include "../../io/crc64.h"
#include "../../io/crypto.h"
#include "../../io/zstd.h"

/* ---- a text that becomes a frame ---- */

struct packed_text {
    struct sink sink;  /* what the frame's bytes come to */
    struct buf packed; /* the frame */
    struct zstd_sink *zstd;
    uint64_t size; /* plain bytes so far */
};

static int packed_text_take(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    buf_add(&((struct packed_text *)self)->packed, bytes, len);
    return 0;
}

static int packed_text_open(struct packed_text *t, struct err *e)
{
    t->sink.write = packed_text_take;
    return zstd_sink_open(&t->zstd, &t->sink, 0, e);
}

/* Empties `text`. */
static int packed_text_add(struct packed_text *t, struct buf *text, struct err *e)
{
    int result = sink_write(zstd_sink_of(t->zstd), text->p, text->len, e);

    t->size += text->len;
    buf_reset(text);
    return result;
}

static int packed_text_end(struct packed_text *t, struct err *e)
{
    return sink_finish(zstd_sink_of(t->zstd), e);
}

static void packed_text_clear(struct packed_text *t)
{
    zstd_sink_clear(&t->zstd);
    buf_clear(&t->packed);
}

/* ---- the layer ---- */

/* What the table says of an entry; its pieces are those from `first` to before `end`. */
struct row {
    const struct entry *entry; /* the tree's */
    struct digest digest;      /* of its bytes, where it has any */
    size_t first, end;
};

struct chunked_form {
    struct layer_form form;
    struct sink *to;
    struct packers *packers;
    struct VEC_OF(struct row) rows;
    struct row *file;         /* whose bytes come; NULL: headers and padding do */
    struct hash hash;         /* of its bytes, where no one says what that is */
    struct crc64 crc;         /* of its bytes */
    struct buf between;       /* headers and padding since the last file's bytes */
    struct packed_text split; /* tar-split's record */
    uint64_t split_lines;
    struct buf line;
};

/* ---- tar-split: {"type":2,"payload":BASE64,"position":N} is a segment of the tar, and
 * {"type":1,"name":...,"size":N,"payload":CRC64,"position":N} stands for a file's bytes ---- */

static int split_line_end(struct chunked_form *c, struct err *e)
{
    buf_fmt(&c->line, ",\"position\":%llu}\n", (unsigned long long)c->split_lines++);
    return packed_text_add(&c->split, &c->line, e);
}

static void put_base64(struct buf *out, const void *bytes, size_t len)
{
    buf_putc(out, '"');
    base64_encode(out, bytes, len, false);
    buf_putc(out, '"');
}

static int split_segment(struct chunked_form *c, struct err *e)
{
    if (!c->between.len)
        return 0;
    buf_puts(&c->line, "{\"type\":2,\"payload\":");
    put_base64(&c->line, c->between.p, c->between.len);
    buf_reset(&c->between);
    return split_line_end(c, e);
}

/* As the tar has it: a folder's ends in "/". */
static void put_name(struct buf *out, const struct entry *entry)
{
    CLEANUP(buf_clear) struct buf name = {0};

    buf_str(&name, entry->path);
    if (entry->type == ENTRY_DIR)
        buf_putc(&name, '/');
    emit_json_string(out, buf_view(&name));
}

static int split_file(struct chunked_form *c, const struct entry *entry, struct err *e)
{
    uint64_t size = entry->type == ENTRY_FILE ? entry->content.size : 0;
    unsigned char crc[8];

    for (int i = 0; i < 8; i++)
        crc[i] = (unsigned char)(c->crc.value >> (56 - 8 * i));
    buf_puts(&c->line, "{\"type\":1,\"name\":");
    put_name(&c->line, entry);
    if (size)
        buf_fmt(&c->line, ",\"size\":%llu", (unsigned long long)size);
    buf_puts(&c->line, ",\"payload\":");
    if (size)
        put_base64(&c->line, crc, sizeof crc);
    else
        buf_puts(&c->line, "null");
    return split_line_end(c, e);
}

/* ---- the tar's bytes ---- */

static bool is_told(const struct entry *entry)
{
    return entry->content.hash.len == sizeof((struct digest *)0)->bytes;
}

static int chunked_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct chunked_form *c = (struct chunked_form *)self;

    if (!c->file) {
        buf_add(&c->between, bytes, len);
    } else {
        crc64_add(&c->crc, bytes, len);
        if (!is_told(c->file->entry))
            hash_add(&c->hash, bytes, len);
    }
    return form_add(c->packers, bytes, len, FORM_FRAME, e);
}

static void note_text(struct chunked_form *c, struct str text)
{
    if (utf8_valid(text) != text.len)
        c->form.no_toc = "a name in it is not UTF-8";
}

static int file_begin(struct chunked_form *c, struct row *row, struct err *e)
{
    if (packers_cut(c->packers, e) < 0)
        return -1;
    row->first = packers_count(c->packers);
    c->file = row;
    c->crc.value = 0;
    hash_open(&c->hash);
    return 0;
}

static int file_end(struct chunked_form *c, struct err *e)
{
    struct row *row = c->file;

    if (packers_cut(c->packers, e) < 0)
        return -1;
    row->end = packers_count(c->packers);
    /* What a wheel's RECORD says is checked where the tar is hashed. */
    if (is_told(row->entry))
        memcpy(row->digest.bytes, row->entry->content.hash.p, sizeof row->digest.bytes);
    else
        hash_finish(&c->hash, &row->digest);
    c->file = NULL;
    return split_file(c, row->entry, e);
}

static int chunked_mark(struct layer_form *self, const struct entry *entry, struct err *e)
{
    struct chunked_form *c = (struct chunked_form *)self;
    struct row *row;

    if (!entry)
        return c->file ? file_end(c, e) : 0;
    note_text(c, entry->path);
    note_text(c, entry->link);
    row = vec_push(&c->rows);
    row->entry = entry;
    if (split_segment(c, e) < 0)
        return -1;
    if (entry->type == ENTRY_FILE && entry->content.size)
        return file_begin(c, row, e);
    return split_file(c, entry, e);
}

/* ---- the table ---- */

static const char *type_word(enum entry_type type)
{
    switch (type) {
    case ENTRY_FILE:
        return "reg";
    case ENTRY_DIR:
        return "dir";
    case ENTRY_SYMLINK:
        return "symlink";
    case ENTRY_HARDLINK:
        return "hardlink";
    }
    abort();
}

static void put_u64(struct buf *out, const char *key, uint64_t value)
{
    if (value)
        buf_fmt(out, ",\"%s\":%llu", key, (unsigned long long)value);
}

static void put_row(struct buf *out, const struct chunked_form *c, const struct row *row)
{
    const struct entry *entry = row->entry;
    char digest[DIGEST_TEXT + 1];

    buf_fmt(out, "{\"type\":\"%s\",\"name\":", type_word(entry->type));
    put_name(out, entry);
    if (entry->link.len) {
        buf_puts(out, ",\"linkName\":");
        emit_json_string(out, entry->link);
    }
    put_u64(out, "mode", entry->mode);
    if (entry->type == ENTRY_FILE)
        put_u64(out, "size", entry->content.size);
    put_u64(out, "uid", entry->uid);
    put_u64(out, "gid", entry->gid);
    if (entry->mtime) {
        buf_puts(out, ",\"modtime\":\"");
        date_print(out, entry->mtime);
        buf_putc(out, '"');
    }
    if (row->end > row->first) { /* a header stands before it, so `first` is not 0 */
        digest_text(&row->digest, digest);
        buf_fmt(out, ",\"digest\":\"%s\"", digest);
        put_u64(out, "offset", packers_end(c->packers, row->first - 1));
        put_u64(out, "endOffset", packers_end(c->packers, row->end - 1));
    }
    buf_putc(out, '}');
}

static int put_table(struct packed_text *table, const struct chunked_form *c, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    char digest[DIGEST_TEXT + 1];
    struct digest split;

    hash_bytes(&split, c->split.packed.p, c->split.packed.len);
    digest_text(&split, digest);
    buf_puts(&text, "{\"version\":1,\"entries\":[");
    for (size_t i = 0; i < c->rows.n && table->size <= FORM_TOC_MAX; i++) {
        if (i)
            buf_putc(&text, ',');
        put_row(&text, c, &c->rows.v[i]);
        if (packed_text_add(table, &text, e) < 0)
            return -1;
    }
    buf_fmt(&text, "],\"tarSplitDigest\":\"%s\"}", digest);
    return packed_text_add(table, &text, e) < 0 ? -1 : packed_text_end(table, e);
}

/* Both texts and the footer, behind the tar's `end` bytes. */
static int put_behind(struct chunked_form *c, uint64_t end, const struct packed_text *table,
                      struct err *e)
{
    CLEANUP(buf_clear) struct buf frames = {0}, footer = {0};
    struct chunked *k = &c->form.chunked;

    hash_bytes(&k->toc, table->packed.p, table->packed.len);
    zstd_skippable(&frames, buf_view(&table->packed));
    k->offset = end + frames.len - table->packed.len;
    k->size = table->packed.len;
    k->unpacked = table->size;
    zstd_skippable(&frames, buf_view(&c->split.packed));
    k->split_offset = end + frames.len - c->split.packed.len;
    k->split_size = c->split.packed.len;
    k->split_unpacked = c->split.size;
    chunked_footer(&footer, k);
    zstd_skippable(&frames, buf_view(&footer));
    return sink_write(c->to, frames.p, frames.len, e);
}

static int chunked_finish(struct sink *self, struct err *e)
{
    struct chunked_form *c = (struct chunked_form *)self;
    CLEANUP(packed_text_clear) struct packed_text table = {0};

    if (packers_cut(c->packers, e) < 0 || packers_finish(c->packers, e) < 0 ||
        split_segment(c, e) < 0 || packed_text_end(&c->split, e) < 0)
        return -1;
    if (c->form.no_toc)
        return 0;
    if (packed_text_open(&table, e) < 0 || put_table(&table, c, e) < 0)
        return -1;
    if (table.size > FORM_TOC_MAX) {
        c->form.no_toc = "it has too many files: the table would be larger than 50 MiB";
        return 0;
    }
    return put_behind(c, packers_end(c->packers, packers_count(c->packers) - 1), &table, e);
}

static void chunked_free(struct layer_form *self)
{
    struct chunked_form *c = (struct chunked_form *)self;

    packers_clear(&c->packers);
    packed_text_clear(&c->split);
    vec_clear(&c->rows);
    hash_clear(&c->hash);
    buf_clear(&c->between);
    buf_clear(&c->line);
}

static void *zstd_tool(void)
{
    return zstd_packer_open();
}

static int zstd_tool_pack(void *tool, struct buf *out, struct str piece, struct err *e)
{
    return zstd_pack(tool, out, piece, e);
}

static void zstd_tool_free(void *tool)
{
    zstd_packer_free(tool);
}

static const struct packing packing = {zstd_tool, zstd_tool_pack, zstd_tool_free};

int form_chunked_open(struct layer_form **out, struct sink *to, unsigned threads, struct err *e)
{
    struct chunked_form *c = xcalloc(1, sizeof *c);

    c->form = (struct layer_form){
        .sink = {chunked_write, chunked_finish}, .mark = chunked_mark, .free = chunked_free};
    c->to = to;
    c->packers = packers_open(&packing, threads, to);
    crc64_open(&c->crc);
    *out = &c->form;
    return packed_text_open(&c->split, e);
}
