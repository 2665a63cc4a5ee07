/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_memo.h"

#include "../base/version.h"

/* A change of what layer_scan.c notes, or how, is a new one. */
#define VERSION ENVBUILD_VERSION "/1"

/* Numbers are 8 bytes, the lowest first; a text is its length and its bytes, a list its length and
 * its items. */

/* ---- to text ---- */

static void put_text(struct buf *out, struct str s)
{
    buf_number(out, s.len, 8);
    buf_str(out, s);
}

static void put_texts(struct buf *out, const struct strs *list)
{
    buf_number(out, list->n, 8);
    for (size_t i = 0; i < list->n; i++)
        put_text(out, list->v[i]);
}

static void put_elf(struct buf *out, const struct elf *elf)
{
    const struct elf_need *need;

    buf_number(out, elf->bits, 8);
    buf_number(out, elf->little, 8);
    buf_number(out, elf->type, 8);
    buf_number(out, elf->machine, 8);
    buf_number(out, elf->dynamic, 8);
    put_text(out, elf->interpreter);
    put_text(out, elf->soname);
    put_text(out, elf->rpath);
    put_text(out, elf->runpath);
    put_texts(out, &elf->needed);
    buf_number(out, elf->needs.n, 8);
    vec_each(need, &elf->needs) {
        put_text(out, need->library);
        put_text(out, need->version);
        buf_number(out, need->weak, 8);
    }
    put_texts(out, &elf->defines);
}

static void put_code(struct buf *out, const struct fatbin_list *list)
{
    const struct fatbin_code *code;

    buf_number(out, list->fatbins, 8);
    buf_number(out, list->broken, 8);
    buf_number(out, list->stray, 8);
    buf_number(out, list->codes.n, 8);
    vec_each(code, &list->codes) {
        buf_number(out, code->place, 8);
        buf_number(out, code->kind, 8);
        buf_number(out, code->sm, 8);
        buf_number(out, (unsigned char)code->suffix, 8);
        buf_number(out, code->entries, 8);
        buf_number(out, code->compressed, 8);
        buf_number(out, code->bytes, 8);
    }
}

static void put_entry(struct buf *out, const struct layer_scan_entry *own)
{
    const struct entry *entry = &own->entry;

    put_text(out, entry->path);
    buf_number(out, entry->type, 8);
    buf_number(out, entry->mode, 8);
    buf_number(out, entry->uid, 8);
    buf_number(out, entry->gid, 8);
    buf_number(out, (uint64_t)entry->mtime, 8);
    put_text(out, entry->link);
    buf_number(out, entry->content.size, 8);
    buf_number(out, own->special, 8);
    put_text(out, own->text);
    buf_number(out, own->elf != NULL, 8);
    if (!own->elf)
        return;
    put_text(out, own->elf->fault);
    put_elf(out, &own->elf->elf);
    put_code(out, &own->elf->code);
}

void scan_print(struct buf *out, const struct layer_scan *layer)
{
    const struct layer_scan_entry *entry;

    buf_number(out, layer->entries.n, 8);
    vec_each(entry, &layer->entries)
        put_entry(out, entry);
}

/* ---- from text ---- */

struct reading {
    struct str rest;
    bool bad; /* it ended early, or says what cannot be */
};

static uint64_t number(struct reading *r)
{
    uint64_t n = 0;

    r->bad |= r->rest.len < 8;
    if (r->bad)
        return 0;
    for (size_t i = 0; i < 8; i++)
        n |= (uint64_t)(unsigned char)r->rest.p[i] << 8 * i;
    r->rest = str_sub(r->rest, 8, r->rest.len);
    return n;
}

static uint64_t number_to(struct reading *r, uint64_t max)
{
    uint64_t n = number(r);

    r->bad |= n > max;
    return r->bad ? 0 : n;
}

static struct str text(struct reading *r, struct arena *arena)
{
    size_t len = (size_t)number_to(r, r->rest.len);
    struct str s = {0};

    r->bad |= len > r->rest.len;
    if (r->bad || !len)
        return s;
    s = arena_str(arena, str_sub(r->rest, 0, len));
    r->rest = str_sub(r->rest, len, r->rest.len);
    return s;
}

/* Each item of a list takes 8 bytes at least. */
static size_t count(struct reading *r)
{
    return (size_t)number_to(r, r->rest.len / 8);
}

static void read_texts(struct strs *out, struct reading *r, struct arena *arena)
{
    for (size_t n = count(r); n && !r->bad; n--)
        vec_add(out, text(r, arena));
}

static void read_elf(struct elf *elf, struct reading *r)
{
    elf->bits = (unsigned)number_to(r, 64);
    elf->little = number_to(r, 1);
    elf->type = (uint16_t)number_to(r, UINT16_MAX);
    elf->machine = (uint16_t)number_to(r, UINT16_MAX);
    elf->dynamic = number_to(r, 1);
    elf->interpreter = text(r, &elf->arena);
    elf->soname = text(r, &elf->arena);
    elf->rpath = text(r, &elf->arena);
    elf->runpath = text(r, &elf->arena);
    read_texts(&elf->needed, r, &elf->arena);
    for (size_t n = count(r); n && !r->bad; n--) {
        struct elf_need *need = vec_push(&elf->needs);

        need->library = text(r, &elf->arena);
        need->version = text(r, &elf->arena);
        need->weak = number_to(r, 1);
    }
    read_texts(&elf->defines, r, &elf->arena);
}

static void read_code(struct fatbin_list *list, struct reading *r)
{
    list->fatbins = (size_t)number(r);
    list->broken = (size_t)number(r);
    list->stray = (size_t)number(r);
    for (size_t n = count(r); n && !r->bad; n--) {
        struct fatbin_code *code = vec_push(&list->codes);

        code->place = (enum fatbin_place)number_to(r, FATBIN_EMBEDDED);
        code->kind = (uint16_t)number_to(r, UINT16_MAX);
        code->sm = (uint32_t)number_to(r, UINT32_MAX);
        code->suffix = (char)number_to(r, 127);
        code->entries = (size_t)number(r);
        code->compressed = (size_t)number(r);
        code->bytes = number(r);
    }
}

static void read_entry(struct layer_scan *out, struct reading *r)
{
    struct layer_scan_entry *own = vec_push(&out->entries);
    struct entry *entry = &own->entry;

    entry->path = text(r, &out->arena);
    entry->type = (enum entry_type)number_to(r, ENTRY_HARDLINK);
    entry->mode = (uint32_t)number_to(r, UINT32_MAX);
    entry->uid = (uint32_t)number_to(r, UINT32_MAX);
    entry->gid = (uint32_t)number_to(r, UINT32_MAX);
    entry->mtime = (int64_t)number(r);
    entry->link = text(r, &out->arena);
    entry->content.size = number(r);
    own->special = number_to(r, 1);
    own->text = text(r, &out->arena);
    if (!number_to(r, 1))
        return;
    own->elf = arena_alloc(&out->elf_arena, sizeof *own->elf);
    vec_add(&out->elfs, own->elf);
    own->elf->fault = text(r, &out->elf_arena);
    read_elf(&own->elf->elf, r);
    read_code(&own->elf->code, r);
}

int scan_parse(struct layer_scan *out, struct str from, struct err *e)
{
    struct reading r = {.rest = from};

    for (size_t n = count(&r); n && !r.bad; n--)
        read_entry(out, &r);
    if (r.bad || r.rest.len)
        return err_set(e, ERR_INPUT, "this is not what was noted of a layer");
    return 0;
}

/* ---- what is remembered ---- */

static void key_of(struct buf *key, const struct digest *layer)
{
    char digest[DIGEST_TEXT + 1];

    digest_text(layer, digest);
    buf_fmt(key, "scan " VERSION " %s", digest);
}

int scan_recall(struct layer_scan *out, bool *found, const struct scan_memory *memory,
                const struct digest *layer, struct err *e)
{
    CLEANUP(buf_clear) struct buf key = {0}, from = {0};
    CLEANUP(err_clear) struct err damaged = {0}; /* as good as none */

    *found = false;
    key_of(&key, layer);
    if (!memory->memo)
        return 0;
    if (memo_get(memory->memo, buf_view(&key), layer, &from, found, e) < 0)
        return -1;
    if (*found && scan_parse(out, buf_view(&from), &damaged) < 0) {
        const int scratch = out->scratch;
        const bool code = out->scan != NULL;

        layer_scan_clear(out);
        layer_scan_open(out, scratch, code);
        *found = false;
    }
    return 0;
}

void scan_remember(const struct scan_memory *memory, const struct layer_scan *layer,
                   const struct seen *digest)
{
    CLEANUP(buf_clear) struct buf key = {0}, to = {0};
    CLEANUP(err_clear) struct err unused = {0};

    if (!memory->memo)
        return;
    key_of(&key, seen_digest(digest));
    scan_print(&to, layer);
    if (to.len <= MEMO_MAX)
        (void)!memo_put(memory->memo, buf_view(&key), digest, buf_view(&to), &unused);
}

void scan_keep(const struct memo *memo, const struct digest *layer)
{
    CLEANUP(buf_clear) struct buf key = {0};

    key_of(&key, layer);
    memo_keep(memo, buf_view(&key));
}
