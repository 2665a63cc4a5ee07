/* pkg/deb/debindex.c - the packages of several suites as one universe for the solver. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "debindex.h"

int deb_provider_cmp(const struct deb_package *a, const struct deb_package *b)
{
    if (a->essential != b->essential)
        return a->essential ? -1 : 1;
    if (a->important != b->important)
        return a->important ? -1 : 1;
    return (a->priority > b->priority) - (a->priority < b->priority);
}

static void load_packages(struct debindex *index, struct debindex_list *l,
                          const struct deb_origin *origin)
{
    l->packages = arena_alloc(&index->arena, (l->list.packages_n + 1) * sizeof *l->packages);
    for (size_t i = 0; i < l->list.packages_n; i++) {
        const struct deblist_package *from = &l->list.packages[i];
        struct deb_package *p = &l->packages[i];

        p->origin = origin;
        p->list = l;
        p->pin = origin->pin;
        p->name = deblist_str(&l->list, from->name_at, from->name_len);
        p->version = deblist_str(&l->list, from->version_at, from->version_len);
        p->arch = deblist_str(&l->list, from->arch_at, from->arch_len);
        p->essential = from->flags & DEBLIST_ESSENTIAL;
        p->important = from->flags & DEBLIST_IMPORTANT;
        p->any = from->flags & DEBLIST_ANY;
        p->priority = (enum deb_priority)from->priority;
        p->order = (uint32_t)index->added + from->order;
    }
    index->added += l->list.packages_n;
}

int debindex_add_list(struct debindex *index, struct buf *bytes, const struct deb_origin *origin,
                      struct err *e)
{
    struct deb_origin *o = arena_alloc(&index->arena, sizeof *o);
    struct debindex_list *l = arena_alloc(&index->arena, sizeof *l);
    size_t len = bytes->len;

    vec_add(&index->lists, l);
    *o = (struct deb_origin){.from = arena_str(&index->arena, origin->from),
                             .base_url = arena_str(&index->arena, origin->base_url),
                             .suite = arena_str(&index->arena, origin->suite),
                             .codename = arena_str(&index->arena, origin->codename),
                             .pin = origin->pin};
    str_drop(&o->base_url, STR("/"));
    l->bytes = buf_take(bytes);
    if (!deblist_view(&l->list, (struct str){l->bytes, len}))
        return err_set(e, ERR_INPUT, STR_FMT ": this is not a condensed list of packages",
                       STR_ARG(o->from));
    load_packages(index, l, o);
    return 0;
}

int debindex_add(struct debindex *index, char *text, size_t len, const char *from,
                 const char *base_url, struct err *e)
{
    CLEANUP(free_clear) char *owned = text;
    CLEANUP(buf_clear) struct buf bytes = {0};
    struct str rest = str_of(from), suite = {0};
    CLEANUP(source_clear)
    struct source *source = source_bytes((struct str){owned, len}, from);

    if (deblist_condense(&bytes, source, len, index->arch, from, e) < 0)
        return -1;
    str_item(&rest, '/', &suite);
    return debindex_add_list(
        index, &bytes,
        &(struct deb_origin){str_of(from), str_of(base_url), suite, {0}, DEB_PIN_USUAL}, e);
}

static int package_cmp(const struct deb_package *x, const struct deb_package *y)
{
    int c = str_cmp(x->name, y->name);

    if (!c)
        c = debver_cmp(y->version, x->version);
    return c ? c : (x->order > y->order) - (x->order < y->order);
}

/* Merge a sorted list into the sorted whole. */
static void merge_packages(struct debindex *index, const struct debindex_list *l)
{
    size_t n = l->list.packages_n, kept = index->packages.n, at = kept + n;

    for (size_t i = 0; i < n; i++)
        vec_add(&index->packages, NULL);
    while (n) {
        struct deb_package *next = &l->packages[n - 1];
        bool mine = kept && package_cmp(index->packages.v[kept - 1], next) > 0;
        index->packages.v[--at] = mine ? index->packages.v[--kept] : &l->packages[--n];
    }
}

/* Of the versions behind `first`, sorted, the one with the highest pin goes to the front. */
static struct deb_package *put_best_first(struct deb_package *first)
{
    struct deb_package *best = first, **at = &first->next_version;

    for (struct deb_package *p = first; p; p = p->next_version)
        best = p->pin > best->pin ? p : best;
    if (best == first)
        return first;
    while (*at != best)
        at = &(*at)->next_version;
    *at = best->next_version;
    best->next_version = first;
    return best;
}

/* Chain the versions of each name behind the first and keep only that one in the list. */
static void link_versions(struct debindex *index)
{
    struct deb_package *last = NULL;
    size_t kept = 0;

    for (size_t i = 0; i < index->packages.n; i++) {
        struct deb_package *p = index->packages.v[i], *twin = last;
        p->next_version = p->twin = NULL;
        if (!last || !str_eq(last->name, p->name)) {
            index->packages.v[kept++] = p;
        } else if (debver_cmp(last->version, p->version) == 0) {
            while (twin->twin)
                twin = twin->twin;
            twin->twin = p;
            last->pin = p->pin > last->pin ? p->pin : last->pin;
            continue;
        } else {
            last->next_version = p;
        }
        p->listed = true;
        last = p;
    }
    index->packages.n = kept;
    for (size_t i = 0; i < kept; i++)
        index->packages.v[i] = put_best_first(index->packages.v[i]);
}

static void merge_provides(struct debindex *index, const struct debindex_list *l)
{
    const struct deblist *list = &l->list;
    size_t n = list->provides_n, kept = index->provides.n, at = kept + n;
    struct deb_provider *all = arena_alloc(&index->arena, (n + 1) * sizeof *all);

    for (size_t i = 0; i < n; i++) {
        const struct deblist_provide *v = &list->provides[i];
        all[i] = (struct deb_provider){
            .name = deblist_str(list, v->name_at, v->name_len),
            .package = &l->packages[v->package],
            .version = v->version_len ? deblist_str(list, v->version_at, v->version_len)
                                      : (struct str){0}};
        vec_add(&index->provides, NULL);
    }
    while (n) {
        bool mine = kept && str_cmp(index->provides.v[kept - 1]->name, all[n - 1].name) > 0;
        index->provides.v[--at] = mine ? index->provides.v[--kept] : &all[--n];
    }
}

static int provider_compare(const void *a, const void *b)
{
    const struct deb_provider *x = *(struct deb_provider *const *)a;
    const struct deb_provider *y = *(struct deb_provider *const *)b;
    int c = deb_provider_cmp(x->package, y->package);

    if (!c)
        c = package_cmp(x->package, y->package);
    return c ? c : (x->version.p > y->version.p) - (x->version.p < y->version.p);
}

/* Chain the providers of each name behind the first and keep only that one in the list. */
static void link_providers(struct debindex *index)
{
    struct deb_provider **v = index->provides.v;
    size_t kept = 0, listed = 0;

    for (size_t i = 0; i < index->provides.n; i++)
        if (v[i]->package->listed)
            v[listed++] = v[i];
    for (size_t from = 0, to; from < listed; from = to) {
        for (to = from + 1; to < listed && str_eq(v[from]->name, v[to]->name);)
            to++;
        if (to - from > 1)
            qsort(v + from, to - from, sizeof(struct deb_provider *), provider_compare);
        for (size_t i = from; i < to; i++)
            v[i]->next = i + 1 < to ? v[i + 1] : NULL;
        v[kept++] = v[from];
    }
    index->provides.n = kept;
}

void debindex_finish(struct debindex *index)
{
    for (size_t i = 0; i < index->lists.n; i++) {
        merge_packages(index, index->lists.v[i]);
        merge_provides(index, index->lists.v[i]);
    }
    link_versions(index);
    link_providers(index);
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

void debindex_clear(struct debindex *index)
{
    for (size_t i = 0; i < index->lists.n; i++) {
        deblist_texts_clear(&index->lists.v[i]->texts);
        free(index->lists.v[i]->bytes);
    }
    vec_clear(&index->lists);
    vec_clear(&index->packages);
    vec_clear(&index->provides);
    arena_clear(&index->arena);
}

static int by_package_name(const void *key, const void *item)
{
    return str_cmp(*(const struct str *)key, (*(struct deb_package *const *)item)->name);
}

static int by_provided_name(const void *key, const void *item)
{
    return str_cmp(*(const struct str *)key, (*(struct deb_provider *const *)item)->name);
}

const struct deb_package *debindex_find(const struct debindex *index, struct str name)
{
    struct deb_package **found = NULL;

    if (index->packages.n)
        found =
            bsearch(&name, index->packages.v, index->packages.n, sizeof *found, by_package_name);
    return found ? *found : NULL;
}

bool debindex_prefer(struct debindex *index, struct str name, struct str version)
{
    struct deb_package *first, *p, **at;

    if (!debindex_find(index, name))
        return false;
    first = p = *slot_of(index, name);
    while (p && !str_eq(p->version, version))
        p = p->next_version;
    if (!p || p == first)
        return false;
    for (at = &first->next_version; *at != p;)
        at = &(*at)->next_version;
    *at = p->next_version;
    /* The one that was preferred goes back to its place among the others. */
    p->next_version = first->next_version;
    for (at = &p->next_version; *at && debver_cmp((*at)->version, first->version) > 0;)
        at = &(*at)->next_version;
    first->next_version = *at;
    *at = first;
    *slot_of(index, name) = p;
    first->preferred = false;
    p->preferred = true;
    return true;
}

bool deb_package_in(const struct deb_package *p, struct str suite)
{
    for (; p; p = p->twin)
        if (str_eq(p->origin->suite, suite) || str_eq(p->origin->codename, suite))
            return true;
    return false;
}

const struct deb_provider *debindex_providers(const struct debindex *index, struct str name)
{
    struct deb_provider **found = NULL;

    if (index->provides.n)
        found =
            bsearch(&name, index->provides.v, index->provides.n, sizeof *found, by_provided_name);
    return found ? *found : NULL;
}

uint64_t debindex_mention(const struct debindex *index, const struct deb_package *p)
{
    uint32_t rank = 0;
    size_t i = 0;

    while (i < index->lists.n && !deblist_rank(&index->lists.v[i]->list, p->name, &rank))
        i++;
    return (uint64_t)i << 32 | rank;
}

/* If `line` begins the field `name`, set *value (a view from there on) and say so. */
static bool field_starts(struct str line, struct str name, struct str *value)
{
    if (line.len <= name.len || line.p[name.len] != ':' ||
        !str_eq_nocase(str_sub(line, 0, name.len), name))
        return false;
    *value = str_trim(str_sub(line, name.len + 1, line.len));
    return true;
}

int deb_package_field(struct str *out, const struct deb_package *p, const char *field,
                      struct err *e)
{
    struct debindex_list *l = p->list;
    struct str text, line, value = {0};
    bool found = false;

    if (deblist_paragraph(&text, &l->texts, &l->list, (size_t)(p - l->packages), e) < 0)
        return err_wrap(e, STR_FMT, STR_ARG(p->origin->from));

    while (str_line(&text, &line)) {
        bool more = line.len && (line.p[0] == ' ' || line.p[0] == '\t');
        if (found && !more)
            break;
        if (found)
            value.len = (size_t)(line.p + line.len - value.p);
        else
            found = !more && field_starts(line, str_of(field), &value);
    }
    *out = value;
    return 0;
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
    struct str path, size, sha256, file, dir;
    struct deb_file f = {0};

    if (deb_package_field(&path, p, "Filename", e) < 0 ||
        deb_package_field(&size, p, "Size", e) < 0 ||
        deb_package_field(&sha256, p, "SHA256", e) < 0)
        return -1;
    while (str_skip(&path, STR("./"))) /* as flat archives write it */
        ;
    file = path;
    if (!is_archive_path(path))
        return err_set(e, ERR_INPUT, "%.*s: " STR_FMT " has no usable Filename: \"" STR_FMT "\"",
                       STR_ARG(p->origin->from), STR_ARG(p->name), STR_ARG(path));
    if (!str_u64(size, &f.size) || !digest_from_hex(&f.digest, sha256))
        return err_set(e, ERR_INPUT, "%.*s: " STR_FMT " lacks a Size or SHA256 field",
                       STR_ARG(p->origin->from), STR_ARG(p->name));
    if (str_cut_last(&file, STR("/"), &dir))
        file = dir;
    f.file = arena_str(a, file);
    f.url = str_of(arena_fmt(a, STR_FMT "/" STR_FMT, STR_ARG(p->origin->base_url), STR_ARG(path)));
    *out = f;
    return 0;
}
