/* plan/deb/deb_want.c - what is asked for by name, to the package that is meant. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "deb_want.h"

#include <fnmatch.h>

#include "deb_why.h"

enum { NEAREST = 3, PROVIDERS = 8 };

struct asking {
    const struct debindex *index;
    const char *universe, *group;
};

struct near {
    struct str name;
    unsigned distance;
};

static void keep_nearest(struct near best[NEAREST], struct str name, unsigned distance)
{
    struct near next = {name, distance};

    for (size_t i = 0; i < NEAREST; i++)
        if (!best[i].name.len || next.distance < best[i].distance) {
            struct near old = best[i];
            best[i] = next;
            next = old;
        }
}

/* Edits from `name` to `other`, two swapped neighbours counting as one; at most `cap`, else more.
 */
static unsigned typo_distance(struct str name, struct str other, unsigned cap)
{
    size_t i = 0;

    while (i < name.len && i < other.len && name.p[i] == other.p[i])
        i++;
    if (name.len == other.len && i + 1 < name.len && name.p[i] == other.p[i + 1] &&
        name.p[i + 1] == other.p[i] &&
        str_eq(str_sub(name, i + 2, name.len), str_sub(other, i + 2, other.len)))
        return 1;
    /* A swap is the likelier slip, so a plain edit comes behind it. */
    return str_distance(name, other, cap) + 1;
}

static int unknown(const struct asking *s, const struct deb_want *want, struct str name,
                   struct err *e)
{
    CLEANUP(buf_clear) struct buf hint = {0};
    struct near best[NEAREST] = {0};
    unsigned cap = name.len < 4 ? 1 : 2; /* two edits make any short name out of any other */

    for (size_t i = 0; i < s->index->packages.n; i++) {
        struct str other = s->index->packages.v[i]->name;
        unsigned d = typo_distance(name, other, cap);
        if (d <= cap + 1)
            keep_nearest(best, other, d);
    }
    bool hinted = best[0].name.len > 0;
    for (size_t i = 0; i < s->index->packages.n && name.len >= 4 && !hinted; i++) {
        struct str other = s->index->packages.v[i]->name; /* "mysql-server": default-mysql-server */
        if (str_find_str(other, name) < other.len)
            keep_nearest(best, other, (unsigned)(other.len - name.len));
    }
    for (size_t i = 0; i < NEAREST && best[i].name.len; i++)
        buf_fmt(&hint, "%s\"" STR_FMT "\"", i ? " or " : "; did you mean ", STR_ARG(best[i].name));
    return err_at_kind(e, ERR_UNSAT, &want->pos, "%s: \"" STR_FMT "\" is in no suite of %s%s%s",
                       s->group, STR_ARG(want->text), s->universe, hint.len ? hint.p : "",
                       hint.len ? "?" : "");
}

/* A virtual name means its provider when there is just one. */
static int resolve_virtual(const struct asking *s, const struct deb_package **out,
                           const struct deb_want *want, struct str name, struct err *e)
{
    CLEANUP(buf_clear) struct buf list = {0};
    const struct deb_package *only = NULL;
    size_t n = 0;

    for (const struct deb_provider *v = debindex_providers(s->index, name); v; v = v->next) {
        if (debindex_find(s->index, v->package->name) != v->package || v->package == only)
            continue;
        only = v->package;
        if (n++ < PROVIDERS)
            buf_fmt(&list, "%s\"" STR_FMT "\"", n > 1 ? ", " : "", STR_ARG(only->name));
    }
    if (n > PROVIDERS)
        buf_fmt(&list, " and %zu more", n - PROVIDERS);
    if (!n)
        return unknown(s, want, name, e);
    if (n > 1)
        return err_at_kind(e, ERR_UNSAT, &want->pos,
                           "%s: \"" STR_FMT "\" is virtual; ask for one that provides it: %s",
                           s->group, STR_ARG(want->text), list.p);
    *out = only;
    return 0;
}

/* apt: a final "*" means a beginning, else it is a glob. */
static bool version_means(struct str pattern, struct str version)
{
    CLEANUP(free_clear) char *glob = NULL, *text = NULL;

    if (str_find(pattern, '*') == pattern.len && str_find(pattern, '?') == pattern.len &&
        str_find(pattern, '[') == pattern.len)
        return str_eq(pattern, version);
    if (str_find(pattern, '*') == pattern.len - 1)
        return str_starts(version, str_sub(pattern, 0, pattern.len - 1));
    glob = str_dup(pattern);
    text = str_dup(version);
    return fnmatch(glob, text, 0) == 0;
}

static int find_version(const struct asking *s, const struct deb_package **p,
                        const struct deb_want *want, struct str version, struct err *e)
{
    CLEANUP(buf_clear) struct buf have = {0};
    const struct deb_package *best = NULL;

    for (const struct deb_package *v = *p; v; v = v->next_version)
        if (version_means(version, v->version) &&
            (!best || (!best->preferred && debver_cmp(v->version, best->version) > 0)))
            best = v;
    if (best) {
        *p = best;
        return 0;
    }
    deb_why_versions(&have, *p);
    return err_at_kind(e, ERR_UNSAT, &want->pos,
                       "%s: \"" STR_FMT "\": %s has no such version of " STR_FMT "; there is %s",
                       s->group, STR_ARG(want->text), s->universe, STR_ARG((*p)->name), have.p);
}

/* The highest version in that suite. */
static int find_in_suite(const struct asking *s, const struct deb_package **p,
                         const struct deb_want *want, struct str suite, struct err *e)
{
    CLEANUP(buf_clear) struct buf have = {0};
    const struct deb_package *best = NULL;

    for (const struct deb_package *v = *p; v; v = v->next_version)
        if (deb_package_in(v, suite) && (!best || debver_cmp(v->version, best->version) > 0))
            best = v;
    if (best) {
        *p = best;
        return 0;
    }
    for (const struct deb_package *v = *p; v; v = v->next_version)
        for (const struct deb_package *twin = v; twin; twin = twin->twin)
            if (str_find_str(buf_view(&have), twin->origin->suite) == have.len)
                buf_fmt(&have, "%s" STR_FMT, have.len ? ", " : "", STR_ARG(twin->origin->suite));
    return err_at_kind(e, ERR_UNSAT, &want->pos,
                       "%s: \"" STR_FMT "\": " STR_FMT " is not in that suite of %s; it is in %s",
                       s->group, STR_ARG(want->text), STR_ARG((*p)->name), s->universe, have.p);
}

/* The words for the architecture that everything is for. */
static bool arch_is_ours(const struct asking *s, struct str arch)
{
    return str_eq(arch, s->index->arch) || str_is(arch, "any") || str_is(arch, "all") ||
           str_is(arch, "native");
}

int deb_want_find(const struct deb_package **out, struct str *suite, const struct debindex *index,
                  const char *universe, const char *group, const struct deb_want *want,
                  struct err *e)
{
    const struct asking asking = {index, universe, group}, *s = &asking;
    struct str version = want->text, name, arch = {0};
    bool pinned = str_cut(&version, STR("="), &name);

    *suite = (struct str){0};
    if (!pinned)
        name = want->text;
    if (!pinned && str_cut(&name, STR("/"), &arch)) {
        *suite = name;
        name = arch;
        arch = (struct str){0};
    }
    str_cut_last(&name, STR(":"), &arch);
    if (arch.len && !arch_is_ours(s, arch))
        return err_at_kind(e, ERR_UNSAT, &want->pos,
                           "%s: \"" STR_FMT "\": only packages for " STR_FMT " can be had",
                           s->group, STR_ARG(want->text), STR_ARG(s->index->arch));
    *out = debindex_find(s->index, name);
    if (!*out && resolve_virtual(s, out, want, name, e) < 0)
        return -1;
    if (suite->len)
        return find_in_suite(s, out, want, *suite, e);
    return pinned ? find_version(s, out, want, version, e) : 0;
}
