/* SPDX-License-Identifier: Apache-2.0 */
#include "redist_choose.h"

#include "../../base/path.h"
#include "../../model/lock.h"

enum { RELEASE_MAX = 32 };

struct choosing {
    struct arena *a;
    struct redist redist;
    struct str product, release, variant;
    const char *folder, *url; /* of the product, and of the manifest; in `a` */
};

/* As NVIDIA writes it. */
static struct str shown(struct str product)
{
    static const char *const names[] = {"CUDA", "cuDNN", "cuSPARSELt"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq_nocase(product, str_of(names[i])))
            return str_of(names[i]);
    return product;
}

/* Numbers and dots: nothing else may come into an address. */
static bool is_release(struct str s)
{
    if (!s.len || s.len > RELEASE_MAX || !c_digit(s.p[0]) || !c_digit(s.p[s.len - 1]))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!c_digit(s.p[i]) && s.p[i] != '.')
            return false;
    return true;
}

/* ---- the manifest ---- */

static int no_release(const struct choosing *c, struct err *e)
{
    return err_set(e, ERR_UNSAT,
                   "NVIDIA publishes no redistributable " STR_FMT " " STR_FMT
                   "; its releases, three numbers such as 12.4.1, are listed at %s",
                   STR_ARG(shown(c->product)), STR_ARG(c->release), c->folder);
}

/* Older manifests do not say whose they are. */
static int check_says(const struct choosing *c, struct str says, struct str want, struct err *e)
{
    if (!says.len || str_eq(says, want))
        return 0;
    return err_set(e, ERR_INPUT,
                   "%s: the manifest is of \"" STR_FMT "\", not of \"" STR_FMT
                   "\" as its address says",
                   c->url, STR_ARG(says), STR_ARG(want));
}

static int read_manifest(struct choosing *c, struct pages *pages, struct err *e)
{
    CLEANUP(page_clear) struct page page = {0};

    if (pages_get(pages, c->url, NULL, REDIST_TEXT_MAX, &page, e) < 0)
        return -1;
    if (page.missing)
        return no_release(c, e);
    if (redist_parse(&c->redist, buf_view(&page.body), c->url, e) < 0)
        return -1;
    if (check_says(c, c->redist.product, c->product, e) < 0)
        return -1;
    return check_says(c, c->redist.label, c->release, e);
}

/* ---- its archives ---- */

static void add_names(struct buf *out, const struct strs *names)
{
    for (size_t i = 0; i < names->n; i++)
        buf_fmt(out, " " STR_FMT, STR_ARG(names->v[i]));
    if (!names->n)
        buf_puts(out, " nothing");
}

/* The release has no such component, or has it for other CUDAs only. */
static int no_component(const struct choosing *c, const struct redist_want *want, struct err *e)
{
    CLEANUP(buf_clear) struct buf there = {0};
    struct strs names = {0};
    struct str of = {0};

    redist_variants(&names, &c->redist, want->component, STR(REDIST_PLATFORM));
    if (names.n)
        of = c->variant.len ? c->variant : STR("no CUDA in particular");
    else
        redist_list(&names, &c->redist, STR(REDIST_PLATFORM));
    add_names(&there, &names);
    vec_clear(&names);
    return err_at_kind(e, ERR_UNSAT, &want->pos,
                       STR_FMT " " STR_FMT " has no redistributable " STR_FMT "%s" STR_FMT
                               " for " REDIST_PLATFORM "; it has:%s",
                       STR_ARG(shown(c->product)), STR_ARG(c->release), STR_ARG(want->component),
                       of.len ? " of " : "", STR_ARG(of), there.p);
}

static int add_archive(struct artifacts *out, const struct choosing *c,
                       const struct redist_want *want, struct err *e)
{
    struct redist_file f;
    bool found;

    if (redist_find(&f, &c->redist, want->component, STR(REDIST_PLATFORM), c->variant, &found, e) <
        0)
        return -1;
    if (!found)
        return want->optional ? 0 : no_component(c, want, e);
    vec_add(out, ((struct artifact){
                     .eco = ECO_REDIST,
                     .name = arena_str(c->a, f.component),
                     .version = arena_str(c->a, f.version),
                     .file = arena_str(c->a, path_base(f.path)),
                     .url = str_of(arena_fmt(c->a, "%s" STR_FMT, c->folder, STR_ARG(f.path))),
                     .from = str_of(c->url),
                     .group = str_of(lock_group_name(LOCK_TOOLKIT)),
                     .size = f.size,
                     .digest = f.digest}));
    return 0;
}

static void choosing_clear(struct choosing *c)
{
    redist_clear(&c->redist);
}

int redist_choose(struct artifacts *out, struct arena *a, struct pages *pages, struct str product,
                  struct str release, struct str variant, const struct redist_want *wants, size_t n,
                  struct err *e)
{
    CLEANUP(choosing_clear)
    struct choosing c = {.a = a, .product = product, .release = release, .variant = variant};
    struct artifacts made = {0};
    struct err faults = {0};
    struct artifact *artifact;

    if (!is_release(release))
        return err_set(e, ERR_INPUT,
                       "\"" STR_FMT "\" is not a release of " STR_FMT
                       "; one is numbers and dots, such as 12.4.1",
                       STR_ARG(release), STR_ARG(shown(product)));
    c.folder = arena_fmt(a, REDIST_URL STR_FMT "/redist/", STR_ARG(product));
    c.url = arena_fmt(a, "%sredistrib_" STR_FMT ".json", c.folder, STR_ARG(release));
    if (read_manifest(&c, pages, e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct err fault = {0};

        if (add_archive(&made, &c, &wants[i], &fault) < 0)
            err_join(&faults, &fault);
    }
    vec_each(artifact, &made)
        if (!err_is_set(&faults))
            vec_add(out, *artifact);
    vec_clear(&made);
    return err_is_set(&faults) ? err_join(e, &faults) : 0;
}
