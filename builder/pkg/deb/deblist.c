/* pkg/deb/deblist.c - one Packages file condensed to what a choice asks of it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "deblist.h"

#include "../../base/map.h"
#include "control.h"
#include "debindex.h"

enum { PARAGRAPH_MAX = 1 << 20, CHUNK = 256 << 10 };

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
    uint32_t packages, provides, names, text;
};

struct package {
    struct str name, version; /* views into the text, once it stands still */
    struct deblist_package record;
};
struct provide {
    struct str name;
    struct deblist_provide record;
};

struct maker {
    struct str arch;
    const char *from;
    struct buf text;
    struct VEC_OF(struct package) packages; /* in the file's order until they are sorted */
    struct VEC_OF(struct provide) provides;
    struct strs names; /* in the order of being mentioned */
    struct map known;  /* the same names */
    struct arena arena;
};

static void maker_clear(struct maker *m)
{
    buf_clear(&m->text);
    vec_clear(&m->packages);
    vec_clear(&m->provides);
    vec_clear(&m->names);
    map_clear(&m->known);
    arena_clear(&m->arena);
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

static void mention(struct maker *m, struct str name)
{
    if (!name.len || map_has(&m->known, name))
        return;
    name = arena_str(&m->arena, name);
    map_set(&m->known, name, m);
    vec_add(&m->names, name);
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

/* Where a view into `value` lies in the text, to whose place `at` the value was copied. */
static uint32_t place(struct str part, struct str value, uint32_t at)
{
    return part.len ? at + (uint32_t)(part.p - value.p) : 0;
}

static int add_provides(struct maker *m, struct str value, uint32_t at, struct str name,
                        struct err *e)
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
        vec_add(&m->provides, ((struct provide){.record = {.package = (uint32_t)m->packages.n - 1,
                                                           .name_at = place(r->name, value, at),
                                                           .version_at = place(version, value, at),
                                                           .name_len = (uint16_t)r->name.len,
                                                           .version_len = (uint16_t)version.len}}));
    }
    return 0;
}

static int add_package(struct maker *m, const struct str values[FIELDS], struct err *e)
{
    uint32_t at[FIELDS] = {0}, order = (uint32_t)m->packages.n;
    size_t start = m->text.len;

    if (!str_eq(values[ARCHITECTURE], m->arch) && !str_is(values[ARCHITECTURE], "all"))
        return 0;
    mention(m, values[PACKAGE]);
    for (size_t i = PRE_DEPENDS; i < FIELDS; i++)
        mention_all(m, values[i]);
    for (size_t i = 0; i < FIELDS; i++) {
        if (!fields[i].kept || !values[i].len)
            continue;
        at[i] = (uint32_t)(m->text.len + fields[i].name.len + 2);
        buf_str(&m->text, fields[i].name);
        buf_add(&m->text, ": ", 2);
        buf_str(&m->text, values[i]);
        buf_putc(&m->text, '\n');
    }
    *vec_push(&m->packages) =
        (struct package){.record = {.at = (uint32_t)start,
                                    .len = (uint32_t)(m->text.len - start),
                                    .order = order,
                                    .name_at = at[PACKAGE],
                                    .version_at = at[VERSION],
                                    .arch_at = at[ARCHITECTURE],
                                    .name_len = (uint16_t)values[PACKAGE].len,
                                    .version_len = (uint16_t)values[VERSION].len,
                                    .arch_len = (uint16_t)values[ARCHITECTURE].len,
                                    .flags = flags_of(values),
                                    .priority = priority_of(values[PRIORITY])}};
    return values[PROVIDES].len
               ? add_provides(m, values[PROVIDES], at[PROVIDES], values[PACKAGE], e)
               : 0;
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
    return 0;
}

/* ---- writing ---- */

static int package_compare(const void *a, const void *b)
{
    const struct package *x = a, *y = b;
    int c = str_cmp(x->name, y->name);

    if (!c)
        c = debver_cmp(y->version, x->version);
    return c ? c : (x->record.order > y->record.order) - (x->record.order < y->record.order);
}

static int provide_compare(const void *a, const void *b)
{
    const struct provide *x = a, *y = b;
    int c = str_cmp(x->name, y->name);

    if (!c)
        c = (x->record.package > y->record.package) - (x->record.package < y->record.package);
    return c ? c
             : (x->record.name_at > y->record.name_at) - (x->record.name_at < y->record.name_at);
}

struct named {
    struct str name;
    uint32_t rank;
};

static int named_compare(const void *a, const void *b)
{
    const struct named *x = a, *y = b;

    return str_cmp(x->name, y->name);
}

static void sort_packages(struct maker *m)
{
    CLEANUP(free_clear) uint32_t *now_at = xcalloc(m->packages.n + 1, sizeof *now_at);
    struct package *p;
    struct provide *v;

    vec_each(p, &m->packages) {
        p->name = (struct str){m->text.p + p->record.name_at, p->record.name_len};
        p->version = (struct str){m->text.p + p->record.version_at, p->record.version_len};
    }
    vec_sort(&m->packages, package_compare);
    for (size_t i = 0; i < m->packages.n; i++)
        now_at[m->packages.v[i].record.order] = (uint32_t)i;
    vec_each(v, &m->provides) {
        v->name = (struct str){m->text.p + v->record.name_at, v->record.name_len};
        v->record.package = now_at[v->record.package];
    }
    vec_sort(&m->provides, provide_compare);
}

static void put_names(struct buf *out, struct maker *m)
{
    struct VEC_OF(struct named) list = {0};

    for (size_t i = 0; i < m->names.n; i++)
        vec_add(&list, ((struct named){m->names.v[i], (uint32_t)i}));
    vec_sort(&list, named_compare);
    for (size_t i = 0; i < list.n; i++) {
        struct deblist_name record = {(uint32_t)m->text.len, (uint32_t)list.v[i].name.len,
                                      list.v[i].rank};
        buf_add(out, &record, sizeof record);
        buf_str(&m->text, list.v[i].name);
    }
    vec_clear(&list);
}

/* The text is most of it, so it is not copied: the tables are put before it where it is. */
static void write_all(struct buf *out, struct maker *m)
{
    CLEANUP(buf_clear) struct buf tables = {0};
    struct head head = {.packages = (uint32_t)m->packages.n,
                        .provides = (uint32_t)m->provides.n,
                        .names = (uint32_t)m->names.n};
    struct package *p;
    struct provide *v;

    sort_packages(m);
    buf_add(&tables, &head, sizeof head);
    vec_each(p, &m->packages) {
        buf_add(&tables, &p->record, sizeof p->record);
    }
    vec_each(v, &m->provides) {
        buf_add(&tables, &v->record, sizeof v->record);
    }
    put_names(&tables, m);
    head.text = (uint32_t)m->text.len;
    memcpy(head.magic, DEBLIST_MAGIC, sizeof head.magic);
    memcpy(tables.p, &head, sizeof head);
    buf_str(&m->text, buf_view(&tables)); /* makes the room */
    memmove(m->text.p + tables.len, m->text.p, head.text);
    memcpy(m->text.p, tables.p, tables.len);
    MOVE(out, &m->text);
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
        if (!inside(l, p->at, p->len) || !inside(l, p->name_at, p->name_len) ||
            !inside(l, p->version_at, p->version_len) || !inside(l, p->arch_at, p->arch_len))
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
    if (memcmp(head.magic, DEBLIST_MAGIC, sizeof head.magic) != 0 ||
        !(l.packages = take_table(&bytes, head.packages, sizeof *l.packages)) ||
        !(l.provides = take_table(&bytes, head.provides, sizeof *l.provides)) ||
        !(l.names = take_table(&bytes, head.names, sizeof *l.names)) || head.text != bytes.len)
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
