/* pkg/deb/debindex.c - the packages of several suites as one universe for the solver. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "debindex.h"

enum { PARAGRAPH_MAX = 1 << 20 };

/* The few fields that every package is asked for, found in one pass over its paragraph. */
struct brief {
    struct str name, version, arch, multi_arch, priority, essential, important, protected, provides;
};

/* If `line` begins the field `name`, set *value (a view from there on) and say so. */
static bool field_starts(struct str line, struct str name, struct str *value)
{
    if (line.len <= name.len || line.p[name.len] != ':' ||
        !str_eq_nocase(str_sub(line, 0, name.len), name))
        return false;
    *value = str_trim(str_sub(line, name.len + 1, line.len));
    return true;
}

static void brief_line(struct brief *b, struct str line)
{
    switch (line.p[0] | 0x20) {
    case 'p':
        if (!field_starts(line, STR("Package"), &b->name) &&
            !field_starts(line, STR("Provides"), &b->provides) &&
            !field_starts(line, STR("Priority"), &b->priority))
            field_starts(line, STR("Protected"), &b->protected);
        break;
    case 'v':
        field_starts(line, STR("Version"), &b->version);
        break;
    case 'a':
        field_starts(line, STR("Architecture"), &b->arch);
        break;
    case 'm':
        field_starts(line, STR("Multi-Arch"), &b->multi_arch);
        break;
    case 'e':
        field_starts(line, STR("Essential"), &b->essential);
        break;
    case 'i':
        field_starts(line, STR("Important"), &b->important);
        break;
    }
}

/* Take the next paragraph; *brief gets its fields. Provides may run over several lines. */
static bool take_paragraph(struct str *text, struct str *paragraph, struct brief *brief)
{
    const char *start = NULL;
    struct str line, provides = {0};

    while (str_line(text, &line)) {
        if (!line.len && start)
            break;
        if (!line.len)
            continue;
        start = start ? start : line.p;
        *paragraph = (struct str){start, (size_t)(line.p + line.len - start)};
        if (line.p[0] != ' ' && line.p[0] != '\t') {
            provides = brief->provides;
            brief_line(brief, line);
            provides = brief->provides.p == provides.p ? (struct str){0} : brief->provides;
        } else if (provides.p) {
            brief->provides.len = (size_t)(line.p + line.len - brief->provides.p);
        }
    }
    return start != NULL;
}

static enum deb_priority priority_of(struct str word)
{
    static const char *const words[] = {"required", "important", "standard", "optional", "extra"};

    for (unsigned i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq_nocase(word, str_of(words[i])))
            return (enum deb_priority)(DEB_REQUIRED + i);
    return DEB_UNRANKED;
}

static bool is_yes(struct str s)
{
    return str_eq_nocase(s, STR("yes"));
}

static int add_provides(struct debindex *index, struct deb_package *p, struct str text,
                        struct err *e)
{
    CLEANUP(relations_clear) struct relations list = {0};
    CLEANUP(arena_clear) struct arena scratch = {0};

    if (relations_parse(&list, &scratch, text, index->arch, e) < 0)
        return err_wrap(e, "%s: Provides of " STR_FMT, p->from.p, STR_ARG(p->name));
    for (size_t i = 0; i < list.n; i++) {
        const struct relation *r = &list.v[i].v[0];
        struct deb_provider *v = arena_alloc(&index->arena, sizeof *v);
        v->package = p;
        v->version = r->op == DEBVER_EQ ? r->version : (struct str){0};
        v->next = map_set(&index->provides, r->name, v);
    }
    return 0;
}

static int add_package(struct debindex *index, const struct brief *b, struct str paragraph,
                       const struct deb_package *origin, struct err *e)
{
    if (!b->name.len || !b->version.len || !b->arch.len)
        return err_set(e, ERR_INPUT,
                       "%s: a paragraph lacks Package, Version or Architecture: \"" STR_FMT "\"",
                       origin->from.p, STR_ARG(str_sub(paragraph, 0, 60)));
    if (!str_eq(b->arch, index->arch) && !str_is(b->arch, "all"))
        return 0;
    struct deb_package *p = arena_alloc(&index->arena, sizeof *p);
    *p = *origin;
    p->name = b->name;
    p->version = b->version;
    p->arch = b->arch;
    p->paragraph = paragraph;
    p->essential = is_yes(b->essential);
    p->important = is_yes(b->important) || is_yes(b->protected);
    p->any = str_eq_nocase(b->multi_arch, STR("allowed"));
    p->priority = priority_of(b->priority);
    p->order = (uint32_t)index->added++;
    vec_add(&index->packages, p);
    return b->provides.len ? add_provides(index, p, b->provides, e) : 0;
}

int debindex_add(struct debindex *index, char *text, size_t len, const char *from,
                 const char *base_url, struct err *e)
{
    struct deb_package origin = {.from = str_of(arena_strdup(&index->arena, from)),
                                 .base_url = str_of(arena_strdup(&index->arena, base_url))};
    struct str rest = {text, len}, paragraph = {0};
    struct brief brief = {0};

    vec_add(&index->texts, rest);
    str_drop(&origin.base_url, STR("/"));
    for (; take_paragraph(&rest, &paragraph, &brief); brief = (struct brief){0}) {
        if (paragraph.len > PARAGRAPH_MAX)
            return err_set(e, ERR_INPUT, "%s: a paragraph is larger than 1 MiB", from);
        if (add_package(index, &brief, paragraph, &origin, e) < 0)
            return -1;
    }
    return 0;
}

static int package_compare(const void *a, const void *b)
{
    const struct deb_package *x = *(struct deb_package *const *)a;
    const struct deb_package *y = *(struct deb_package *const *)b;
    int c = str_cmp(x->name, y->name);

    if (!c)
        c = debver_cmp(y->version, x->version);
    return c ? c : (x->order > y->order) - (x->order < y->order);
}

/* Chain the versions of each name behind the highest and keep only that one in the list. */
static void link_versions(struct debindex *index)
{
    struct deb_package *last = NULL;
    size_t kept = 0;

    vec_sort(&index->packages, package_compare);
    for (size_t i = 0; i < index->packages.n; i++) {
        struct deb_package *p = index->packages.v[i];
        p->next_version = NULL;
        if (last && str_eq(last->name, p->name)) {
            if (debver_cmp(last->version, p->version) == 0)
                continue; /* the same version from a later suite */
            last->next_version = p;
        } else {
            index->packages.v[kept++] = p;
            map_set(&index->by_name, p->name, p);
        }
        last = p;
    }
    index->packages.n = kept;
}

static bool is_listed(const struct debindex *index, const struct deb_package *p)
{
    const struct deb_package *v = debindex_find(index, p->name);

    while (v && v != p)
        v = v->next_version;
    return v != NULL;
}

int deb_provider_cmp(const struct deb_package *a, const struct deb_package *b)
{
    if (a->essential != b->essential)
        return a->essential ? -1 : 1;
    if (a->important != b->important)
        return a->important ? -1 : 1;
    return (a->priority > b->priority) - (a->priority < b->priority);
}

static int provider_compare(const void *a, const void *b)
{
    const struct deb_package *x = (*(struct deb_provider *const *)a)->package;
    const struct deb_package *y = (*(struct deb_provider *const *)b)->package;
    int c = deb_provider_cmp(x, y);

    return c ? c : package_compare(&x, &y);
}

static struct deb_provider *sort_providers(const struct debindex *index, struct deb_provider *first)
{
    struct VEC_OF(struct deb_provider *) list = {0};

    for (; first; first = first->next)
        if (is_listed(index, first->package))
            vec_add(&list, first);
    vec_sort(&list, provider_compare);
    for (size_t i = list.n; i-- > 0;) {
        list.v[i]->next = first;
        first = list.v[i];
    }
    vec_clear(&list);
    return first;
}

static void sort_provides_of(struct debindex *index, const struct deb_package *p, struct map *done)
{
    CLEANUP(relations_clear) struct relations list = {0};
    CLEANUP(arena_clear) struct arena scratch = {0};
    CLEANUP(err_clear) struct err ignored = {0};
    struct str text = deb_package_field(p, "Provides");

    /* It parsed when the package was added. */
    if (relations_parse(&list, &scratch, text, index->arch, &ignored) < 0)
        return;
    for (size_t i = 0; i < list.n; i++) {
        struct str name = list.v[i].v[0].name;
        if (!map_set(done, name, index))
            map_set(&index->provides, name, sort_providers(index, map_get(&index->provides, name)));
    }
}

void debindex_finish(struct debindex *index)
{
    CLEANUP(map_clear) struct map done = {0};

    link_versions(index);
    for (size_t i = 0; i < index->packages.n; i++)
        for (const struct deb_package *p = index->packages.v[i]; p; p = p->next_version)
            sort_provides_of(index, p, &done);
}

/* Where the list holds the name. */
static struct deb_package **slot_of(struct debindex *index, struct str name)
{
    size_t low = 0, high = index->packages.n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (str_cmp(index->packages.v[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return &index->packages.v[low];
}

bool debindex_prefer(struct debindex *index, struct str name, struct str version)
{
    struct deb_package *first = map_get(&index->by_name, name), *before = first, *p;

    if (!first || str_eq(first->version, version))
        return false;
    for (; (p = before->next_version) && !str_eq(p->version, version); before = p)
        ;
    if (!p)
        return false;
    before->next_version = p->next_version;
    p->next_version = first;
    *slot_of(index, name) = p;
    map_set(&index->by_name, p->name, p);
    return true;
}

void debindex_clear(struct debindex *index)
{
    for (size_t i = 0; i < index->texts.n; i++)
        free((void *)(uintptr_t)index->texts.v[i].p);
    vec_clear(&index->texts);
    vec_clear(&index->packages);
    map_clear(&index->by_name);
    map_clear(&index->provides);
    arena_clear(&index->arena);
}

const struct deb_package *debindex_find(const struct debindex *index, struct str name)
{
    return map_get(&index->by_name, name);
}

const struct deb_provider *debindex_providers(const struct debindex *index, struct str name)
{
    return map_get(&index->provides, name);
}

/* The fields whose names apt numbers, in the order in which it reads them. */
static const struct str mention_fields[] = {
    STR_INIT("Package"),  STR_INIT("Pre-Depends"), STR_INIT("Depends"),  STR_INIT("Conflicts"),
    STR_INIT("Breaks"),   STR_INIT("Recommends"),  STR_INIT("Suggests"), STR_INIT("Replaces"),
    STR_INIT("Enhances"), STR_INIT("Provides"),
};

struct mentions {
    const struct debindex *index;
    uint32_t *first; /* 0: not yet */
    uint32_t count;
};

/* All names in a relation field; versions and architectures are passed over. */
static void mention_names(struct mentions *m, struct str relations)
{
    struct str item, alternative;

    while (str_item(&relations, ',', &item))
        while (str_item(&item, '|', &alternative)) {
            size_t n = 0;
            alternative = str_trim_left(alternative);
            while (n < alternative.len && !c_space(alternative.p[n]) && alternative.p[n] != '(')
                n++;
            const struct deb_package *p =
                debindex_find(m->index, str_sub(alternative, 0, n)); /* "x:any" is none */
            if (p && !m->first[p->order])
                m->first[p->order] = ++m->count;
        }
}

static void mention_paragraph(struct mentions *m, struct str paragraph)
{
    struct str values[ARRAY_LEN(mention_fields)] = {0}, line, *last = NULL;

    while (str_line(&paragraph, &line)) {
        if (line.len && (line.p[0] == ' ' || line.p[0] == '\t')) {
            if (last)
                last->len = (size_t)(line.p + line.len - last->p);
            continue;
        }
        last = NULL;
        for (size_t i = 0; line.len && i < ARRAY_LEN(values) && !last; i++)
            if (field_starts(line, mention_fields[i], &values[i]))
                last = &values[i];
    }
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        mention_names(m, values[i]);
}

uint32_t *debindex_mentions(const struct debindex *index)
{
    struct mentions m = {.index = index, .first = xcalloc(index->added + 1, sizeof *m.first)};
    struct str paragraph = {0};

    for (size_t i = 0; i < index->texts.n; i++) {
        struct str rest = index->texts.v[i];
        struct brief brief = {0};
        while (take_paragraph(&rest, &paragraph, &brief)) {
            if (str_eq(brief.arch, index->arch) || str_is(brief.arch, "all"))
                mention_paragraph(&m, paragraph);
            brief = (struct brief){0};
        }
    }
    return m.first;
}

struct str deb_package_field(const struct deb_package *p, const char *field)
{
    struct str text = p->paragraph, line, value = {0};
    bool found = false;

    while (str_line(&text, &line)) {
        bool more = line.len && (line.p[0] == ' ' || line.p[0] == '\t');
        if (found && !more)
            break;
        if (found)
            value.len = (size_t)(line.p + line.len - value.p);
        else
            found = !more && field_starts(line, str_of(field), &value);
    }
    return value;
}

/* The archive's Filename must stay inside the archive. */
static bool is_archive_path(struct str s)
{
    return s.len && s.p[0] != '/' && !str_starts(s, STR("../")) &&
           str_find_str(s, STR("/../")) == s.len && !str_has(s, '\0');
}

int deb_package_file(struct deb_file *out, struct arena *a, const struct deb_package *p,
                     struct err *e)
{
    struct str path = deb_package_field(p, "Filename"), file = path, dir;
    struct deb_file f = {0};

    if (!is_archive_path(path))
        return err_set(e, ERR_INPUT, "%.*s: " STR_FMT " has no usable Filename: \"" STR_FMT "\"",
                       STR_ARG(p->from), STR_ARG(p->name), STR_ARG(path));
    if (!str_u64(deb_package_field(p, "Size"), &f.size) ||
        !digest_from_hex(&f.digest, deb_package_field(p, "SHA256")))
        return err_set(e, ERR_INPUT, "%.*s: " STR_FMT " lacks a Size or SHA256 field",
                       STR_ARG(p->from), STR_ARG(p->name));
    if (str_cut_last(&file, STR("/"), &dir))
        file = dir;
    f.file = arena_str(a, file);
    f.url = str_of(arena_fmt(a, STR_FMT "/" STR_FMT, STR_ARG(p->base_url), STR_ARG(path)));
    *out = f;
    return 0;
}
