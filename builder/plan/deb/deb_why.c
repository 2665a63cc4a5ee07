/* plan/deb/deb_why.c - why debs cannot be installed, as a short chain in the user's words. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "deb_why.h"

/* So much of a chain, of a list of versions and of alternatives is told. */
enum { CHAIN_MAX = 64, LINKS = 3, VERSIONS = 4, ALTERNATIVES = 3 };

/* From what was asked for down to a package. */
struct chain {
    const struct deb_mark *v[CHAIN_MAX];
    size_t n;
};

static void follow(struct chain *c, const struct deb_mark *m)
{
    const struct deb_mark *up[CHAIN_MAX];
    size_t n = 0;

    for (; m && n < CHAIN_MAX; m = m->requested ? NULL : m->because)
        up[n++] = m;
    for (c->n = 0; n--;)
        c->v[c->n++] = up[n];
}

static struct str name_of(const struct deb_mark *m)
{
    return m->candidate->name;
}

static bool is_earlier(const struct deb_scene *s, const struct deb_mark *m)
{
    return m->taken && m->group != s->group;
}

/* In the user's own words, when it is in them. */
static struct str words_of(const struct deb_mark *m)
{
    return m->requested && m->asked.len ? m->asked : name_of(m);
}

static void put_relation(struct buf *b, const struct relation *r)
{
    static const char *const ops[] = {"", "<<", "<=", "=", ">=", ">>"};

    buf_str(b, r->name);
    if (r->arch.len)
        buf_fmt(b, ":" STR_FMT, STR_ARG(r->arch));
    if (r->op != DEBVER_ANY)
        buf_fmt(b, " (%s " STR_FMT ")", ops[r->op], STR_ARG(r->version));
}

void deb_why_versions(struct buf *b, const struct deb_package *p)
{
    size_t n = 0, more = 0;

    for (; p; p = p->next_version)
        if (n < VERSIONS)
            buf_fmt(b, "%s" STR_FMT, n++ ? ", " : "", STR_ARG(p->version));
        else
            more++;
    if (more)
        buf_fmt(b, " and %zu more", more);
}

/* "libx", or "libx (foo needs a, a needs libx)": the ends of a long chain. */
static void put_member(struct buf *b, const struct deb_scene *s, const struct chain *c)
{
    const struct deb_mark *last = c->v[c->n - 1];

    buf_str(b, name_of(last));
    if (is_earlier(s, last))
        buf_fmt(b, " (in the image already, group \"%s\")", last->group);
    if (is_earlier(s, last) || c->n < 2)
        return;
    buf_puts(b, " (");
    for (size_t i = 0; i + 1 < c->n; i++) {
        if (c->n - 1 > LINKS && i == 1) {
            buf_puts(b, ", ...");
            i = c->n - 3;
            continue;
        }
        buf_fmt(b, "%s" STR_FMT " needs " STR_FMT, i ? ", " : "", STR_ARG(name_of(c->v[i])),
                STR_ARG(name_of(c->v[i + 1])));
    }
    buf_putc(b, ')');
}

/* Who is told to be at fault alone is "it" from then on. */
static void put_subject(struct buf *b, const struct deb_scene *s, const struct chain *c, bool alone)
{
    if (alone && c->n == 1 && !is_earlier(s, c->v[0]))
        buf_puts(b, "it");
    else
        put_member(b, s, c);
}

static void put_alone(struct buf *b, const struct deb_mark *root)
{
    buf_fmt(b, "\"" STR_FMT "\" cannot be installed: ", STR_ARG(words_of(root)));
}

static void put_object(struct buf *b, const struct deb_scene *s, const struct relation *against,
                       const struct chain *other)
{
    const struct deb_mark *hit = other->v[other->n - 1];
    bool real = str_eq(against->name, name_of(hit));

    if (real && against->op == DEBVER_ANY) {
        put_member(b, s, other);
        return;
    }
    put_relation(b, against);
    buf_puts(b, real ? ", and " : ", which ");
    put_member(b, s, other);
    if (real)
        buf_fmt(b, " is " STR_FMT, STR_ARG(hit->candidate->version));
    else
        buf_puts(b, " provides");
}

void deb_why_clash(struct buf *b, const struct deb_scene *s, const struct deb_refusal *r,
                   const struct deb_mark *other)
{
    struct chain owner, hit;

    follow(&owner, r->owner);
    follow(&hit, other);
    const struct deb_mark *blamed = is_earlier(s, r->owner) ? hit.v[0] : owner.v[0];
    bool alone = owner.v[0] == hit.v[0] || is_earlier(s, r->owner) || is_earlier(s, other);
    if (alone)
        put_alone(b, blamed);
    else
        buf_fmt(b, "\"" STR_FMT "\" and \"" STR_FMT "\" cannot be installed together: ",
                STR_ARG(words_of(owner.v[0])), STR_ARG(words_of(hit.v[0])));
    put_subject(b, s, &owner, alone);
    buf_puts(b, r->breaks ? " breaks " : " conflicts with ");
    put_object(b, s, r->against, &hit);
    if (alone)
        buf_fmt(b, "; drop \"" STR_FMT "\"", STR_ARG(words_of(blamed)));
    else
        buf_puts(b, "; drop one of them");
}

/* The version that would satisfy `r`, were it chosen; NULL when there is none. */
static const struct deb_package *fitting(const struct deb_scene *s, const struct relation *r)
{
    const struct deb_package *p = debindex_find(s->index, r->name);

    while (p && !debver_satisfies(p->version, r->op, r->version))
        p = p->next_version;
    return p;
}

static void put_group(struct buf *b, const struct relation_group *g)
{
    for (size_t i = 0; i < g->n && i < ALTERNATIVES; i++) {
        buf_puts(b, i ? " | " : "");
        put_relation(b, &g->v[i]);
    }
    if (g->n > ALTERNATIVES)
        buf_fmt(b, " | %zu more", g->n - ALTERNATIVES);
}

/* Why the version that fits is not the one that stands, and what helps. */
static void put_other_version(struct buf *b, const struct deb_scene *s, const struct deb_mark *root,
                              const struct deb_package *fits)
{
    const struct deb_mark *m = map_get(s->marks, fits->name);

    if (!m || !m->candidate || m->candidate == fits) /* its version would do */
        buf_fmt(b, ", which " STR_FMT " cannot be: it is not Multi-Arch: allowed",
                STR_ARG(fits->name));
    else if (is_earlier(s, m))
        buf_fmt(b, ", and the image has " STR_FMT " already (group \"%s\"); drop %s\"" STR_FMT "\"",
                STR_ARG(m->candidate->version), m->group,
                str_has(words_of(root), '=') ? "the version of " : "", STR_ARG(name_of(root)));
    else if (m->requested)
        buf_fmt(b, ", and \"" STR_FMT "\" asks for " STR_FMT "; drop one of them",
                STR_ARG(words_of(m)), STR_ARG(m->candidate->version));
    else
        buf_fmt(b, ", and " STR_FMT " would be chosen; add \"" STR_FMT "=" STR_FMT "\"",
                STR_ARG(m->candidate->version), STR_ARG(fits->name), STR_ARG(fits->version));
}

void deb_why_unmet(struct buf *b, const struct deb_scene *s, const struct deb_mark *who,
                   const struct relation_group *g)
{
    const struct deb_package *p = debindex_find(s->index, g->v[0].name), *fits;
    struct chain chain;

    follow(&chain, who);
    put_alone(b, chain.v[0]);
    put_subject(b, s, &chain, true);
    buf_puts(b, " needs ");
    put_group(b, g);
    fits = fitting(s, &g->v[0]);
    if (fits) {
        put_other_version(b, s, chain.v[0], fits);
    } else if (p) {
        buf_fmt(b, ", and %s has " STR_FMT " only as ", s->universe, STR_ARG(p->name));
        deb_why_versions(b, p);
    } else {
        buf_fmt(b, ", which no package of %s provides", s->universe);
    }
}
