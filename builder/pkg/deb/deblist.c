/* pkg/deb/deblist.c - one Packages file condensed to what a choice asks of it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "deblist.h"

#include "../../base/map.h"
#include "../../io/zstd.h"
#include "control.h"
#include "debindex.h"

enum {
    PARAGRAPH_MAX = 1 << 20,
    CHUNK = 256 << 10,
    BLOCK = 16 << 10, /* bytes of paragraphs that are packed together; the last may be longer */
    BLOCK_MAX = 2 * PARAGRAPH_MAX,
};

/* Relation fields come in the order in which apt reads them: it numbers names so. */
enum field {
    PACKAGE,
    VERSION,
    ARCHITECTURE,
    MULTI_ARCH,
    PRIORITY,
    ESSENTIAL,
    IMPORTANT,
    PROTECTED,
    FILENAME,
    SIZE,
    SHA256,
    PRE_DEPENDS, /* from here on relations */
    DEPENDS,
    CONFLICTS,
    BREAKS,
    RECOMMENDS,
    SUGGESTS,
    REPLACES,
    ENHANCES,
    PROVIDES,
    FIELDS
};

static const struct {
    struct str name;
    bool kept; /* in the short paragraph */
} fields[FIELDS] = {
    [PACKAGE] = {STR_INIT("Package"), true},
    [VERSION] = {STR_INIT("Version"), true},
    [ARCHITECTURE] = {STR_INIT("Architecture"), true},
    [MULTI_ARCH] = {STR_INIT("Multi-Arch"), false},
    [PRIORITY] = {STR_INIT("Priority"), false},
    [ESSENTIAL] = {STR_INIT("Essential"), false},
    [IMPORTANT] = {STR_INIT("Important"), false},
    [PROTECTED] = {STR_INIT("Protected"), false},
    [FILENAME] = {STR_INIT("Filename"), true},
    [SIZE] = {STR_INIT("Size"), true},
    [SHA256] = {STR_INIT("SHA256"), true},
    [PRE_DEPENDS] = {STR_INIT("Pre-Depends"), true},
    [DEPENDS] = {STR_INIT("Depends"), true},
    [CONFLICTS] = {STR_INIT("Conflicts"), true},
    [BREAKS] = {STR_INIT("Breaks"), true},
    [RECOMMENDS] = {STR_INIT("Recommends"), true},
    [SUGGESTS] = {STR_INIT("Suggests"), true},
    [REPLACES] = {STR_INIT("Replaces"), false},
    [ENHANCES] = {STR_INIT("Enhances"), false},
    [PROVIDES] = {STR_INIT("Provides"), true},
};

struct head {
    char magic[8];
    uint32_t packages, provides, names, blocks, text, packed;
};

struct maker {
    struct str arch;
    const char *from;
    struct buf text;
    uint32_t arch_at[2];                            /* in it: of `arch`, of "all" */
    struct VEC_OF(struct deblist_package) packages; /* in the file's order until they are sorted */
    struct VEC_OF(struct deblist_provide) provides;
    struct VEC_OF(struct deblist_block) blocks;
    struct buf block;  /* paragraphs that are not packed yet */
    struct buf packed; /* behind room for the head */
    struct zstd_packer *packer;
    struct VEC_OF(struct deblist_name) names; /* in the order of being mentioned, until sorted */
    struct map known;                         /* where in the text a name is, and one more */
    struct arena arena;                       /* its keys */
};

static void maker_clear(struct maker *m)
{
    buf_clear(&m->text);
    vec_clear(&m->packages);
    vec_clear(&m->provides);
    vec_clear(&m->blocks);
    buf_clear(&m->block);
    buf_clear(&m->packed);
    zstd_packer_free(m->packer);
    vec_clear(&m->names);
    map_clear(&m->known);
    arena_clear(&m->arena);
}

static uint32_t add_text(struct maker *m, struct str s)
{
    buf_str(&m->text, s);
    return (uint32_t)(m->text.len - s.len);
}

/* ---- reading ---- */

static struct str *field_value(struct str values[FIELDS], struct str line)
{
    for (size_t i = 0; i < FIELDS; i++) {
        struct str name = fields[i].name;

        if (line.len <= name.len || line.p[name.len] != ':' ||
            c_lower(line.p[0]) != c_lower(*name.p) ||
            !str_eq_nocase(str_sub(line, 0, name.len), name))
            continue;
        values[i] = str_trim(str_sub(line, name.len + 1, line.len));
        return i >= PRE_DEPENDS ? &values[i] : NULL;
    }
    return NULL;
}

/* Take the next paragraph's fields; only relations may run over several lines. */
static bool take_paragraph(struct str *text, struct str values[FIELDS])
{
    struct str line, *last = NULL;
    bool begun = false;

    memset(values, 0, FIELDS * sizeof *values);
    while (str_line(text, &line)) {
        if (!line.len && begun)
            break;
        if (!line.len)
            continue;
        begun = true;
        if (line.p[0] != ' ' && line.p[0] != '\t')
            last = field_value(values, line);
        else if (last)
            last->len = (size_t)(line.p + line.len - last->p);
    }
    return begun;
}

/* Where a name that was mentioned is in the text; else it is put there. */
static uint32_t place_of(struct maker *m, struct str name)
{
    uintptr_t at = (uintptr_t)map_get(&m->known, name);

    return at ? (uint32_t)(at - 1) : add_text(m, name);
}

static void mention(struct maker *m, struct str name)
{
    uint32_t rank = (uint32_t)m->names.n, at;

    if (!name.len || map_has(&m->known, name))
        return;
    at = add_text(m, name);
    map_set(&m->known, arena_str(&m->arena, name), (void *)((uintptr_t)at + 1));
    vec_add(&m->names, ((struct deblist_name){at, (uint32_t)name.len, rank}));
}

/* All names in a relation field; versions are passed over, and so is "name:any", which apt numbers
 * apart. */
static void mention_all(struct maker *m, struct str relations)
{
    struct str item, alternative;

    while (str_item(&relations, ',', &item))
        while (str_item(&item, '|', &alternative)) {
            size_t n = 0;
            alternative = str_trim_left(alternative);
            while (n < alternative.len && !c_space(alternative.p[n]) && alternative.p[n] != '(')
                n++;
            if (!str_has(str_sub(alternative, 0, n), ':'))
                mention(m, str_sub(alternative, 0, n));
        }
}

static bool is_yes(struct str s)
{
    return str_eq_nocase(s, STR("yes"));
}

static uint8_t priority_of(struct str word)
{
    static const char *const words[] = {"required", "important", "standard", "optional", "extra"};

    for (unsigned i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq_nocase(word, str_of(words[i])))
            return (uint8_t)(DEB_REQUIRED + i);
    return DEB_UNRANKED;
}

static uint8_t flags_of(const struct str values[FIELDS])
{
    unsigned flags = 0;

    flags |= is_yes(values[ESSENTIAL]) ? DEBLIST_ESSENTIAL : 0;
    flags |= is_yes(values[IMPORTANT]) || is_yes(values[PROTECTED]) ? DEBLIST_IMPORTANT : 0;
    flags |= str_eq_nocase(values[MULTI_ARCH], STR("allowed")) ? DEBLIST_ANY : 0;
    return (uint8_t)flags;
}

static int add_provides(struct maker *m, struct str value, struct str name, struct err *e)
{
    CLEANUP(relations_clear) struct relations list = {0};
    CLEANUP(arena_clear) struct arena scratch = {0};

    if (relations_parse(&list, &scratch, value, m->arch, e) < 0)
        return err_wrap(e, "%s: Provides of " STR_FMT, m->from, STR_ARG(name));
    for (size_t i = 0; i < list.n; i++) {
        const struct relation *r = &list.v[i].v[0];
        struct str version = r->op == DEBVER_EQ ? r->version : (struct str){0};
        if (r->name.len > UINT16_MAX || version.len > UINT16_MAX)
            return err_set(e, ERR_INPUT, "%s: Provides of " STR_FMT ": a name is too long", m->from,
                           STR_ARG(name));
        *vec_push(&m->provides) = (struct deblist_provide){.package = (uint32_t)m->packages.n - 1,
                                                           .name_at = place_of(m, r->name),
                                                           .version_at = add_text(m, version),
                                                           .name_len = (uint16_t)r->name.len,
                                                           .version_len = (uint16_t)version.len};
    }
    return 0;
}

static int pack_block(struct maker *m, struct err *e)
{
    struct deblist_block block = {.at = (uint32_t)(m->packed.len - sizeof(struct head)),
                                  .len = (uint32_t)m->block.len};

    if (!m->block.len)
        return 0;
    if (!m->packer)
        m->packer = zstd_packer_open();
    if (zstd_pack(m->packer, &m->packed, buf_view(&m->block), e) < 0)
        return -1;
    block.packed = (uint32_t)(m->packed.len - sizeof(struct head)) - block.at;
    vec_add(&m->blocks, block);
    buf_reset(&m->block);
    return 0;
}

static int add_package(struct maker *m, const struct str values[FIELDS], struct err *e)
{
    bool all = str_is(values[ARCHITECTURE], "all");
    uint32_t order = (uint32_t)m->packages.n;
    size_t start = m->block.len;

    if (!all && !str_eq(values[ARCHITECTURE], m->arch))
        return 0;
    mention(m, values[PACKAGE]);
    for (size_t i = PRE_DEPENDS; i < FIELDS; i++)
        mention_all(m, values[i]);
    for (size_t i = 0; i < FIELDS; i++) {
        if (!fields[i].kept || !values[i].len)
            continue;
        buf_str(&m->block, fields[i].name);
        buf_add(&m->block, ": ", 2);
        buf_str(&m->block, values[i]);
        buf_putc(&m->block, '\n');
    }
    *vec_push(&m->packages) =
        (struct deblist_package){.block = (uint32_t)m->blocks.n,
                                 .at = (uint32_t)start,
                                 .len = (uint32_t)(m->block.len - start),
                                 .order = order,
                                 .name_at = place_of(m, values[PACKAGE]),
                                 .version_at = add_text(m, values[VERSION]),
                                 .arch_at = m->arch_at[all],
                                 .name_len = (uint16_t)values[PACKAGE].len,
                                 .version_len = (uint16_t)values[VERSION].len,
                                 .arch_len = (uint16_t)values[ARCHITECTURE].len,
                                 .flags = flags_of(values),
                                 .priority = priority_of(values[PRIORITY])};
    if (m->block.len >= BLOCK && pack_block(m, e) < 0)
        return -1;
    return values[PROVIDES].len ? add_provides(m, values[PROVIDES], values[PACKAGE], e) : 0;
}

static int add_paragraphs(struct maker *m, struct str text, struct err *e)
{
    struct str values[FIELDS];

    for (struct str before = text; take_paragraph(&text, values); before = text) {
        if (before.len - text.len > PARAGRAPH_MAX)
            return err_set(e, ERR_INPUT, "%s: a paragraph is larger than 1 MiB", m->from);
        if (!values[PACKAGE].len || !values[VERSION].len || !values[ARCHITECTURE].len)
            return err_set(e, ERR_INPUT,
                           "%s: a paragraph lacks Package, Version or Architecture: \"" STR_FMT
                           "\"",
                           m->from, STR_ARG(str_sub(str_trim(before), 0, 60)));
        if (values[PACKAGE].len > UINT16_MAX || values[VERSION].len > UINT16_MAX)
            return err_set(e, ERR_INPUT, "%s: a name or version is too long", m->from);
        if (add_package(m, values, e) < 0)
            return -1;
    }
    return 0;
}

/* What of `b` ends in an empty line; 0 when nothing does. */
static size_t whole_paragraphs(const struct buf *b)
{
    for (size_t n = b->len; n >= 2; n--)
        if (b->p[n - 1] == '\n' && b->p[n - 2] == '\n')
            return n;
    return 0;
}

static int read_all(struct maker *m, struct source *in, uint64_t limit, struct err *e)
{
    CLEANUP(buf_clear) struct buf part = {0};
    uint64_t total = 0;

    buf_add(&m->packed, &(struct head){0}, sizeof(struct head)); /* filled in by write_all() */
    m->arch_at[0] = add_text(m, m->arch);
    m->arch_at[1] = add_text(m, STR("all"));
    for (size_t got = 1; got;) {
        if (source_read(in, buf_room(&part, CHUNK), CHUNK, &got, e) < 0)
            return -1;
        part.len += got;
        total += got;
        if (total > limit)
            return err_set(e, ERR_INPUT, "%s: larger than %llu bytes", m->from,
                           (unsigned long long)limit);
        size_t whole = got ? whole_paragraphs(&part) : part.len;
        if (!whole && part.len > PARAGRAPH_MAX)
            return err_set(e, ERR_INPUT, "%s: a paragraph is larger than 1 MiB", m->from);
        if (!whole)
            continue;
        if (add_paragraphs(m, str_sub((struct str){part.p, part.len}, 0, whole), e) < 0)
            return -1;
        part.len -= whole;
        memmove(part.p, part.p + whole, part.len);
    }
    return pack_block(m, e);
}

/* ---- writing ---- */

static struct str text_at(const struct maker *m, uint32_t at, uint32_t len)
{
    return (struct str){m->text.p + at, len};
}

static int package_compare(const void *a, const void *b, void *maker)
{
    const struct deblist_package *x = a, *y = b;
    const struct maker *m = maker;
    int c = str_cmp(text_at(m, x->name_at, x->name_len), text_at(m, y->name_at, y->name_len));

    if (!c)
        c = debver_cmp(text_at(m, y->version_at, y->version_len),
                       text_at(m, x->version_at, x->version_len));
    return c ? c : (x->order > y->order) - (x->order < y->order);
}

static int provide_compare(const void *a, const void *b, void *maker)
{
    const struct deblist_provide *x = a, *y = b;
    const struct maker *m = maker;
    int c = str_cmp(text_at(m, x->name_at, x->name_len), text_at(m, y->name_at, y->name_len));

    if (!c)
        c = (x->package > y->package) - (x->package < y->package);
    if (!c) /* one package provides it twice */
        c = (x->version_at > y->version_at) - (x->version_at < y->version_at);
    return c ? c : (x->version_len > y->version_len) - (x->version_len < y->version_len);
}

static int name_compare(const void *a, const void *b, void *maker)
{
    const struct deblist_name *x = a, *y = b;

    return str_cmp(text_at(maker, x->at, x->len), text_at(maker, y->at, y->len));
}

static void sort(void *items, size_t n, size_t size,
                 int (*compare)(const void *a, const void *b, void *maker), struct maker *m)
{
    if (n > 1)
        qsort_r(items, n, size, compare, m);
}

static void sort_packages(struct maker *m)
{
    CLEANUP(free_clear) uint32_t *now_at = xcalloc(m->packages.n + 1, sizeof *now_at);
    struct deblist_provide *v;

    sort(m->packages.v, m->packages.n, sizeof *m->packages.v, package_compare, m);
    for (size_t i = 0; i < m->packages.n; i++)
        now_at[m->packages.v[i].order] = (uint32_t)i;
    vec_each(v, &m->provides)
        v->package = now_at[v->package];
    sort(m->provides.v, m->provides.n, sizeof *m->provides.v, provide_compare, m);
}

/* What is packed is most of it, so it is not copied: the tables are put behind it where it is. */
static void write_all(struct buf *out, struct maker *m)
{
    struct head head = {.packages = (uint32_t)m->packages.n,
                        .provides = (uint32_t)m->provides.n,
                        .names = (uint32_t)m->names.n,
                        .blocks = (uint32_t)m->blocks.n};
    struct buf *b = &m->packed;

    map_clear(&m->known);
    arena_clear(&m->arena);
    sort_packages(m);
    sort(m->names.v, m->names.n, sizeof *m->names.v, name_compare, m);
    while (b->len % sizeof(uint32_t))
        buf_putc(b, 0);
    head.packed = (uint32_t)(b->len - sizeof head);
    buf_add(b, m->packages.v, m->packages.n * sizeof *m->packages.v);
    buf_add(b, m->provides.v, m->provides.n * sizeof *m->provides.v);
    buf_add(b, m->names.v, m->names.n * sizeof *m->names.v);
    buf_add(b, m->blocks.v, m->blocks.n * sizeof *m->blocks.v);
    head.text = (uint32_t)m->text.len;
    memcpy(head.magic, DEBLIST_MAGIC, sizeof head.magic);
    memcpy(b->p, &head, sizeof head);
    buf_str(b, buf_view(&m->text));
    MOVE(out, b);
}

int deblist_condense(struct buf *out, struct source *packages, uint64_t limit, struct str arch,
                     const char *from, struct err *e)
{
    CLEANUP(maker_clear) struct maker m = {.arch = arch, .from = from};

    if (read_all(&m, packages, limit < UINT32_MAX / 2 ? limit : UINT32_MAX / 2, e) < 0)
        return -1;
    write_all(out, &m);
    return 0;
}

/* ---- looking ---- */

static const void *take_table(struct str *rest, size_t n, size_t size)
{
    const void *table = rest->p;

    if (n > rest->len / size)
        return NULL;
    *rest = str_sub(*rest, n * size, rest->len);
    return table;
}

static bool inside(const struct deblist *l, uint64_t at, uint64_t len)
{
    return at + len <= l->text.len;
}

static bool is_sound(const struct deblist *l)
{
    for (size_t i = 0; i < l->packages_n; i++) {
        const struct deblist_package *p = &l->packages[i];
        if (p->block >= l->blocks_n || (uint64_t)p->at + p->len > l->blocks[p->block].len ||
            !inside(l, p->name_at, p->name_len) || !inside(l, p->version_at, p->version_len) ||
            !inside(l, p->arch_at, p->arch_len))
            return false;
    }
    for (size_t i = 0; i < l->provides_n; i++) {
        const struct deblist_provide *v = &l->provides[i];
        if (v->package >= l->packages_n || !inside(l, v->name_at, v->name_len) ||
            !inside(l, v->version_at, v->version_len))
            return false;
    }
    for (size_t i = 0; i < l->names_n; i++)
        if (!inside(l, l->names[i].at, l->names[i].len))
            return false;
    for (size_t i = 0; i < l->blocks_n; i++)
        if ((uint64_t)l->blocks[i].at + l->blocks[i].packed > l->packed.len ||
            l->blocks[i].len > BLOCK_MAX)
            return false;
    return true;
}

bool deblist_view(struct deblist *out, struct str bytes)
{
    struct head head;
    struct deblist l = {0};

    if (bytes.len < sizeof head)
        return false;
    memcpy(&head, bytes.p, sizeof head);
    bytes = str_sub(bytes, sizeof head, bytes.len);
    l.packages_n = head.packages;
    l.provides_n = head.provides;
    l.names_n = head.names;
    l.blocks_n = head.blocks;
    l.packed = str_sub(bytes, 0, head.packed);
    if (memcmp(head.magic, DEBLIST_MAGIC, sizeof head.magic) != 0 || head.packed > bytes.len ||
        head.packed % sizeof(uint32_t))
        return false;
    bytes = str_sub(bytes, head.packed, bytes.len);
    if (!(l.packages = take_table(&bytes, head.packages, sizeof *l.packages)) ||
        !(l.provides = take_table(&bytes, head.provides, sizeof *l.provides)) ||
        !(l.names = take_table(&bytes, head.names, sizeof *l.names)) ||
        !(l.blocks = take_table(&bytes, head.blocks, sizeof *l.blocks)) || head.text != bytes.len)
        return false;
    l.text = bytes;
    if (!is_sound(&l))
        return false;
    *out = l;
    return true;
}

struct str deblist_str(const struct deblist *l, uint32_t at, uint32_t len)
{
    return (struct str){l->text.p + at, len};
}

int deblist_paragraph(struct str *out, struct deblist_texts *texts, const struct deblist *l,
                      size_t package, struct err *e)
{
    const struct deblist_package *p = &l->packages[package];
    const struct deblist_block *block = &l->blocks[p->block];

    if (!texts->blocks)
        texts->blocks = arena_alloc(&texts->arena, l->blocks_n * sizeof *texts->blocks);
    if (!texts->blocks[p->block]) {
        char *text = arena_alloc(&texts->arena, block->len);

        if (zstd_unpack(text, block->len, str_sub(l->packed, block->at, block->packed), e) < 0)
            return -1;
        texts->blocks[p->block] = text;
    }
    *out = (struct str){texts->blocks[p->block] + p->at, p->len};
    return 0;
}

void deblist_texts_clear(struct deblist_texts *texts)
{
    arena_clear(&texts->arena);
    texts->blocks = NULL;
}

bool deblist_rank(const struct deblist *l, struct str name, uint32_t *rank)
{
    size_t from = 0, to = l->names_n;

    while (from < to) {
        size_t mid = from + (to - from) / 2;
        int c = str_cmp(deblist_str(l, l->names[mid].at, l->names[mid].len), name);
        if (c == 0) {
            *rank = l->names[mid].rank;
            return true;
        }
        if (c < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return false;
}
