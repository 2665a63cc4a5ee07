/* SPDX-License-Identifier: Apache-2.0 */
#include "fatbin.h"

enum {
    FATBIN_HEAD = 16,
    ENTRY_HEAD = 48, /* as much of it as is read here; the shortest one seen has 64 */
    ENTRY_HEAD_MAX = 1 << 20,
    KIND_MAX = 1024,
    SM_MAX = 9999,
    CODES_MAX = 4096,
    SPOTS_MAX = 1 << 20,
    STEP = 4096, /* bytes read at once between payloads */
};

#define FLAG_LZ4 UINT64_C(0x2000)
#define FLAG_ZSTD UINT64_C(0x8000)
#define FLAG_EXACT UINT64_C(0x100000)
#define FLAG_FAMILY UINT64_C(0x200000)

static const unsigned char magic[4] = {0x50, 0xED, 0x55, 0xBA};

void fatbin_list_clear(struct fatbin_list *list)
{
    vec_clear(&list->codes);
    *list = (struct fatbin_list){0};
}

static uint64_t number(const unsigned char *p, unsigned bytes)
{
    uint64_t n = 0;

    while (bytes--)
        n = n << 8 | p[bytes];
    return n;
}

struct fatbin_entry {
    uint16_t kind;
    uint32_t head, sm;
    uint64_t payload, flags;
};

/* `p` has ENTRY_HEAD bytes. False for what cannot be an entry within `left` bytes. */
static bool entry_read(struct fatbin_entry *out, const unsigned char *p, uint64_t left)
{
    *out = (struct fatbin_entry){
        .kind = (uint16_t)number(p, 2),
        .head = (uint32_t)number(p + 4, 4),
        .payload = number(p + 8, 8),
        .sm = (uint32_t)number(p + 28, 4),
        .flags = number(p + 40, 8),
    };
    return out->kind && out->kind <= KIND_MAX && out->head >= ENTRY_HEAD &&
           out->head <= ENTRY_HEAD_MAX && out->head <= left && out->payload <= left - out->head &&
           out->sm && out->sm <= SM_MAX;
}

static char entry_suffix(const struct fatbin_entry *entry)
{
    return entry->flags & FLAG_EXACT ? 'a' : entry->flags & FLAG_FAMILY ? 'f' : 0;
}

static int code_compare(const struct fatbin_code *a, const struct fatbin_code *b)
{
    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->sm != b->sm)
        return a->sm < b->sm ? -1 : 1;
    return (a->suffix > b->suffix) - (a->suffix < b->suffix);
}

/* The line for this key, made at its place in the order if need be; NULL when there are too many.
 */
static struct fatbin_code *code_find(struct fatbin_list *list, const struct fatbin_code *key)
{
    size_t at = 0;

    while (at < list->codes.n && code_compare(&list->codes.v[at], key) < 0)
        at++;
    if (at < list->codes.n && code_compare(&list->codes.v[at], key) == 0)
        return &list->codes.v[at];
    if (list->codes.n >= CODES_MAX)
        return NULL;
    (void)vec_push(&list->codes);
    memmove(&list->codes.v[at + 1], &list->codes.v[at],
            (list->codes.n - 1 - at) * sizeof *list->codes.v);
    list->codes.v[at] = *key;
    return &list->codes.v[at];
}

/* False when there are too many kinds of code. */
static bool code_add(struct fatbin_list *list, const struct fatbin_spot *spot,
                     enum fatbin_place place)
{
    struct fatbin_code *code = code_find(
        list, &(struct fatbin_code){
                  .place = place, .kind = spot->kind, .sm = spot->sm, .suffix = spot->suffix});

    if (!code)
        return false;
    code->entries++;
    code->compressed += spot->compressed;
    code->bytes += spot->bytes;
    return true;
}

/* False when the entry, at `offset`, could not be noted. */
static bool entry_note(struct fatbin_scan *s, const struct fatbin_entry *entry, uint64_t offset)
{
    struct fatbin_spot spot = {
        .offset = offset,
        .bytes = entry->payload,
        .sm = entry->sm,
        .kind = entry->kind,
        .suffix = entry_suffix(entry),
        .compressed = entry->flags & (FLAG_LZ4 | FLAG_ZSTD),
    };

    if (!s->spots)
        return code_add(s->list, &spot, s->place);
    if (s->spots->n >= SPOTS_MAX)
        return false;
    vec_add(s->spots, spot);
    return true;
}

/* Is it a fatbin with a first entry? Chance puts the magic number into code that works on fatbins,
 * such as the CUDA compiler's. `p` has both headers. */
static bool fatbin_begins(const unsigned char *p, uint64_t *size)
{
    struct fatbin_entry first;

    *size = number(p + 8, 8);
    return number(p + 4, 2) == 1 && number(p + 6, 2) == FATBIN_HEAD &&
           entry_read(&first, p + FATBIN_HEAD, *size);
}

static void count_stray(struct fatbin_scan *s, const unsigned char *p, size_t len)
{
    if (s->place == FATBIN_EMBEDDED)
        return; /* there, everything else is */
    for (size_t i = 0; i < len; i++)
        s->list->stray += p[i] != 0;
}

/* Between fatbins: go to the next one; returns how many bytes are done with. `last`: no more come.
 */
static size_t search(struct fatbin_scan *s, const unsigned char *p, size_t len, bool last)
{
    const unsigned char *found = memmem(p, len, magic, sizeof magic);
    size_t before = found ? (size_t)(found - p) : len;
    uint64_t size;

    if (!found && !last) /* its first bytes may be the last ones here */
        before = len < sizeof magic - 1 ? 0 : len - (sizeof magic - 1);
    count_stray(s, p, before);
    if (!found)
        return before;
    if (len - before < FATBIN_HEAD + ENTRY_HEAD) {
        if (!last)
            return before;
    } else if (fatbin_begins(found, &size)) {
        s->list->fatbins++;
        s->inside = true;
        s->left = size;
        return before + FATBIN_HEAD;
    }
    if (s->place != FATBIN_EMBEDDED)
        s->list->broken++;
    count_stray(s, found, 1);
    return before + 1;
}

/* At an entry, or at the end of the fatbin. */
static size_t take_entry(struct fatbin_scan *s, const unsigned char *p, size_t len)
{
    struct fatbin_entry entry;
    uint64_t whole;

    if (!s->left) {
        s->inside = false;
        return 0;
    }
    if (s->left >= ENTRY_HEAD && len < ENTRY_HEAD)
        return 0;
    if (s->left < ENTRY_HEAD || !entry_read(&entry, p, s->left) ||
        !entry_note(s, &entry, s->passed + (uint64_t)(p - s->window))) {
        s->list->broken++;
        s->inside = false;
        return 0;
    }
    whole = entry.head + entry.payload;
    s->left -= whole;
    if (whole <= len)
        return (size_t)whole;
    s->skip = whole - len;
    return len;
}

/* Work through what is held; keep what needs more bytes behind it. */
static void work(struct fatbin_scan *s, bool last)
{
    size_t at = 0;

    for (;;) {
        bool was_inside = s->inside;
        size_t n = was_inside ? take_entry(s, s->window + at, s->held - at)
                              : search(s, s->window + at, s->held - at, last);

        at += n;
        if (!n && s->inside == was_inside)
            break;
    }
    s->passed += at;
    s->held -= at;
    memmove(s->window, s->window + at, s->held);
}

static int scan_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct fatbin_scan *s = (struct fatbin_scan *)self;
    const unsigned char *p = bytes;

    while (len) {
        size_t n;

        if (s->skip) { /* then nothing is held */
            n = s->skip < len ? (size_t)s->skip : len;
            s->skip -= n;
            s->passed += n;
        } else {
            n = sizeof s->window - s->held < len ? sizeof s->window - s->held : len;
            memcpy(s->window + s->held, p, n);
            s->held += n;
            work(s, false);
        }
        p += n;
        len -= n;
    }
    return 0;
}

static int scan_finish(struct sink *self, struct err *e)
{
    struct fatbin_scan *s = (struct fatbin_scan *)self;

    work(s, true);
    if (s->inside || s->skip) /* it says that more follows, or that the last payload does */
        s->list->broken++;
    s->inside = false;
    s->left = s->skip = 0;
    s->held = 0;
    return 0;
}

void fatbin_scan_init(struct fatbin_scan *s, struct fatbin_list *list, enum fatbin_place place)
{
    s->sink = (struct sink){scan_write, scan_finish};
    s->list = list;
    s->spots = NULL;
    s->place = place;
    s->inside = false;
    s->left = s->skip = s->passed = 0;
    s->held = 0;
}

/* Scan a range of the file, stepping over payloads without reading them. */
static int scan_range(struct fatbin_scan *s, struct blob_reader *in, uint64_t from, uint64_t to,
                      enum fatbin_place place, struct err *e)
{
    unsigned char bytes[STEP];

    fatbin_scan_init(s, s->list, place);
    while (from < to) {
        uint64_t left = to - from;

        if (s->skip) {
            uint64_t n = s->skip < left ? s->skip : left;

            s->skip -= n;
            from += n;
        } else {
            size_t n = left < sizeof bytes ? (size_t)left : sizeof bytes;

            if (blob_reader_read(in, bytes, n, from, e) < 0 ||
                sink_write(&s->sink, bytes, n, e) < 0)
                return -1;
            from += n;
        }
    }
    return sink_finish(&s->sink, e);
}

struct range {
    uint64_t from, to;
    enum fatbin_place place;
};

static int range_compare(const void *a, const void *b)
{
    const struct range *x = a, *y = b;

    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return x->to < y->to ? -1 : x->to > y->to;
}

struct ranges VEC_OF(struct range);

static void ranges_clear(struct ranges *r)
{
    vec_clear(r);
}

static void device_sections(struct ranges *out, const struct elf *elf)
{
    const struct elf_section *s;

    vec_each(s, &elf->sections) {
        bool relocatable = str_is(s->name, "__nv_relfatbin");

        if (!s->empty && s->size && (relocatable || str_is(s->name, ".nv_fatbin")))
            vec_add(out, ((struct range){s->offset, s->offset + s->size,
                                         relocatable ? FATBIN_RELOCATABLE : FATBIN_LINKED}));
    }
    vec_sort(out, range_compare);
}

void fatbin_settle(struct fatbin_list *list, const struct fatbin_spots *spots,
                   const struct elf *elf)
{
    CLEANUP(ranges_clear) struct ranges ranges = {0};
    const struct fatbin_spot *spot;
    size_t at = 0;

    device_sections(&ranges, elf);
    vec_each(spot, spots) {
        while (at < ranges.n && ranges.v[at].to <= spot->offset)
            at++;
        if (!code_add(list, spot,
                      at < ranges.n && ranges.v[at].from <= spot->offset ? ranges.v[at].place
                                                                         : FATBIN_EMBEDDED))
            list->broken++;
    }
}

int fatbin_read(struct fatbin_list *out, struct blob_reader *in, const struct elf *elf,
                struct err *e)
{
    CLEANUP(fatbin_list_clear) struct fatbin_list list = {0};
    CLEANUP(ranges_clear) struct ranges ranges = {0};
    CLEANUP(free_clear) struct fatbin_scan *s = xmalloc(sizeof *s);
    const struct range *r;
    uint64_t done = 0;

    s->list = &list;
    if (elf)
        device_sections(&ranges, elf);
    vec_each(r, &ranges) {
        uint64_t from = r->from > done ? r->from : done; /* sections may overlap */

        if (r->to <= done)
            continue;
        if (scan_range(s, in, done, from, FATBIN_EMBEDDED, e) < 0 ||
            scan_range(s, in, from, r->to, r->place, e) < 0)
            return -1;
        done = r->to;
    }
    if (scan_range(s, in, done, in->size, FATBIN_EMBEDDED, e) < 0)
        return -1;
    MOVE(out, &list);
    return 0;
}
