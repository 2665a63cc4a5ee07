/* SPDX-License-Identifier: Apache-2.0 */
#include "ldcache.h"

#include "../../io/bits.h"

enum {
    HEAD = 48,
    RECORD = 24,
    FLAGS_X86_64_LIBC6 = 0x303,
    FLAGS_AARCH64_LIBC6 = 0xa03,
    LITTLE_ENDIAN_FLAG = 2,
    ISA_MASK = 1023,     /* ten bits of the capabilities */
    TEXT_MAX = 4096,     /* bytes of a name or path that anybody could open */
    TEXTS_MAX = 4 << 20, /* bytes of all of them together; large systems have 100 KiB */
};
static const uint32_t extension_magic = 0xEAA42174u;
#define MAGIC "glibc-ld.so.cache1.1"

/* A string of the cache and where it will lie. */
struct text {
    struct str s;
    uint32_t offset;
};

struct cache {
    struct VEC_OF(const struct ldcache_lib *) libs;
    struct strs used; /* the variants that hold libraries: the cache numbers them */
    struct VEC_OF(struct text) texts;
};

static void cache_clear(struct cache *c)
{
    vec_clear(&c->libs);
    vec_clear(&c->used);
    vec_clear(&c->texts);
}

/* ---- writing ---- */

static uint64_t take_number(struct str *s)
{
    uint64_t n = 0;

    for (; s->len && c_digit(*s->p); s->p++, s->len--)
        n = n * 10 + (uint64_t)(*s->p - '0');
    return n;
}

/* The loader's own order of library names: its binary search depends on it. */
static int compare_names(struct str a, struct str b)
{
    while (a.len && b.len) {
        bool da = c_digit(*a.p), db = c_digit(*b.p);
        if (da && db) {
            uint64_t x = take_number(&a), y = take_number(&b);
            if (x != y)
                return x < y ? -1 : 1;
        } else if (da != db) {
            return da ? 1 : -1;
        } else {
            if (*a.p != *b.p)
                return *a.p - *b.p;
            a = str_sub(a, 1, a.len);
            b = str_sub(b, 1, b.len);
        }
    }
    return (a.len != 0) - (b.len != 0);
}

/* Among equals, those for some processors come first: the loader stops at the first other one. */
static int compare_libs(const void *a, const void *b)
{
    const struct ldcache_lib *x = *(const struct ldcache_lib *const *)a;
    const struct ldcache_lib *y = *(const struct ldcache_lib *const *)b;
    int order = compare_names(y->soname, x->soname);

    if (!order)
        order = !x->variant.len - !y->variant.len;
    if (!order)
        order = str_cmp(x->variant, y->variant);
    return order ? order : (x > y) - (x < y); /* all stand in one array */
}

/* By the reversed string, descending, the longer first: tails follow what they can share. */
static int compare_texts(const void *a, const void *b)
{
    struct str x = ((const struct text *)a)->s, y = ((const struct text *)b)->s;

    while (x.len && y.len) {
        int order = (unsigned char)y.p[--y.len] - (unsigned char)x.p[--x.len];
        if (order)
            return order;
    }
    return (x.len < y.len) - (x.len > y.len);
}

static void number_variants(struct cache *c)
{
    struct strs *used = &c->used;
    size_t kept = 0;

    for (size_t i = 0; i < c->libs.n; i++)
        if (c->libs.v[i]->variant.len)
            vec_add(used, c->libs.v[i]->variant);
    vec_sort(used, str_compare);
    for (size_t i = 0; i < used->n; i++)
        if (!kept || !str_eq(used->v[kept - 1], used->v[i]))
            used->v[kept++] = used->v[i];
    used->n = kept;
}

static void add_text(struct cache *c, struct str s)
{
    vec_add(&c->texts, ((struct text){.s = s}));
}

/* Give every string its place after `start`; returns the size of the string table. */
static uint32_t place_texts(struct cache *c, const struct strs *variants, uint32_t start)
{
    size_t kept = 0;

    for (size_t i = 0; i < c->libs.n; i++) {
        add_text(c, c->libs.v[i]->soname);
        add_text(c, c->libs.v[i]->path);
    }
    for (size_t i = 0; i < variants->n; i++)
        add_text(c, variants->v[i]);
    vec_sort(&c->texts, compare_texts);
    uint32_t next = start;
    for (size_t i = 0; i < c->texts.n; i++) {
        struct text *t = &c->texts.v[kept], *last = kept ? t - 1 : NULL;
        *t = c->texts.v[i];
        if (last && str_eq(last->s, t->s))
            continue;
        if (last && str_ends(last->s, t->s))
            t->offset = last->offset + (uint32_t)(last->s.len - t->s.len);
        else
            t->offset = next;
        next = t->offset + (uint32_t)t->s.len + 1;
        kept++;
    }
    c->texts.n = kept;
    return next - start;
}

static uint32_t place_of(const struct cache *c, struct str s)
{
    struct text key = {.s = s};
    const struct text *found = bsearch(&key, c->texts.v, c->texts.n, sizeof key, compare_texts);

    return found->offset;
}

static void put_u32(struct buf *out, uint32_t n)
{
    buf_number(out, n, sizeof n);
}

static void put_zeros(struct buf *out, size_t n)
{
    while (n--)
        buf_putc(out, '\0');
}

/* Hardware capabilities: none; or that this is a variant, which ISA it asks for, and its number. */
static void put_capabilities(const struct cache *c, struct buf *out, const struct ldcache_lib *lib)
{
    static const uint32_t is_variant = 1u << 30;
    const struct str *number = NULL;

    if (lib->variant.len)
        number = bsearch(&lib->variant, c->used.v, c->used.n, sizeof *number, str_compare);
    put_u32(out, number ? (uint32_t)(number - c->used.v) : 0);
    put_u32(out, number ? is_variant | (lib->isa & ISA_MASK) : 0);
}

static void put_records(const struct cache *c, struct buf *out)
{
    for (size_t i = 0; i < c->libs.n; i++) {
        const struct ldcache_lib *lib = c->libs.v[i];

        put_u32(out, FLAGS_X86_64_LIBC6);
        put_u32(out, place_of(c, lib->soname));
        put_u32(out, place_of(c, lib->path));
        put_u32(out, lib->os_version);
        put_capabilities(c, out, lib);
    }
}

static void put_texts(const struct cache *c, struct buf *out, size_t size)
{
    const struct text *t;
    size_t start = out->len;

    put_zeros(out, size);
    vec_each(t, &c->texts)
        memcpy(out->p + (t->offset - start) + start, t->s.p, t->s.len);
}

static void put_section(struct buf *out, uint32_t tag, uint32_t start, uint32_t size)
{
    put_u32(out, tag);
    put_u32(out, 0); /* flags */
    put_u32(out, start);
    put_u32(out, size);
}

/* The extension at `start`: heads of its sections, then the names of variants, then the generator.
 */
static void put_extension(const struct cache *c, struct buf *out, uint32_t start,
                          struct str generator)
{
    enum { GENERATOR, VARIANTS };
    uint32_t sections = c->used.n ? 2 : 1, names = (uint32_t)c->used.n * 4;
    uint32_t data = start + 8 + 16 * sections;

    put_u32(out, extension_magic);
    put_u32(out, sections);
    put_section(out, GENERATOR, data + names, (uint32_t)generator.len);
    if (names)
        put_section(out, VARIANTS, data, names);
    for (size_t i = 0; i < c->used.n; i++)
        put_u32(out, place_of(c, c->used.v[i]));
    buf_str(out, generator);
}

/* More than any honest tree has, and less than a place can say. */
static int check_size(const struct ldcache_libs *libs, const struct strs *variants, struct err *e)
{
    uint64_t size = HEAD + (uint64_t)libs->n * RECORD;
    const struct ldcache_lib *lib;
    const struct str *variant;

    vec_each(lib, libs)
        size += lib->soname.len + lib->path.len + 2;
    vec_each(variant, variants)
        size += variant->len + 1;
    return size <= INT32_MAX
               ? 0
               : err_set(e, ERR_INPUT, "the %zu libraries are too many for ld.so.cache", libs->n);
}

int ldcache_write(struct buf *out, const struct ldcache_libs *libs, const struct strs *variants,
                  struct str generator, struct err *e)
{
    CLEANUP(cache_clear) struct cache c = {0};
    const struct ldcache_lib *lib;
    uint32_t records, size, extension;

    if (check_size(libs, variants, e) < 0)
        return -1;
    vec_each(lib, libs)
        vec_add(&c.libs, lib);
    vec_sort(&c.libs, compare_libs);
    number_variants(&c);
    records = (uint32_t)(c.libs.n * RECORD);
    size = place_texts(&c, variants, HEAD + records);
    extension = (HEAD + records + size + 3) / 4 * 4;
    buf_reset(out);
    buf_puts(out, MAGIC);
    put_u32(out, (uint32_t)c.libs.n);
    put_u32(out, size);
    put_u32(out, LITTLE_ENDIAN_FLAG);
    put_u32(out, extension);
    put_zeros(out, 12);
    put_records(&c, out);
    put_texts(&c, out, size);
    put_zeros(out, extension - out->len);
    put_extension(&c, out, extension, generator);
    return 0;
}

/* ---- reading ---- */

static bool text_at(struct str *out, struct str bytes, uint32_t at)
{
    struct str rest = str_sub(bytes, at, TEXT_MAX);

    *out = str_sub(rest, 0, str_find(rest, '\0'));
    return out->len < rest.len;
}

bool ldcache_read(struct ldcache_libs *out, struct str bytes)
{
    struct ldcache_libs libs = {0};
    uint64_t texts = 0;

    /* Behind an older format, where there is one. */
    bytes = str_sub(bytes, str_find_str(bytes, STR(MAGIC)), bytes.len);
    if (bytes.len < HEAD)
        return false;
    const uint8_t *p = (const uint8_t *)bytes.p;
    uint32_t count = load_le32(p + sizeof MAGIC - 1);
    if (count > (bytes.len - HEAD) / RECORD)
        return false;
    p += HEAD;
    for (uint32_t i = 0; i < count; i++, p += RECORD) {
        struct ldcache_lib lib = {.os_version = load_le32(p + 12)};
        uint32_t flags = load_le32(p);

        if ((flags != FLAGS_X86_64_LIBC6 && flags != FLAGS_AARCH64_LIBC6) || load_le64(p + 16) ||
            !text_at(&lib.soname, bytes, load_le32(p + 4)) ||
            !text_at(&lib.path, bytes, load_le32(p + 8)))
            continue;
        texts += lib.soname.len + lib.path.len;
        if (texts > TEXTS_MAX) { /* many may point at one long text */
            vec_clear(&libs);
            return false;
        }
        vec_add(&libs, lib);
    }
    vec_clear(out);
    *out = libs;
    return true;
}
