/* SPDX-License-Identifier: Apache-2.0 */
#include "toolkit.h"

#include "../../base/dotted.h"
#include "../../doc/field.h"

struct planning {
    struct toolkit_plan *p;
    struct arena *arena;
    const struct recipe *r;
    const struct catalog *c;
    const struct baselayer *base;
    struct err *e;
};

/* ---- which release ---- */

/* The build that the recipe means, as far as the catalog knows it. */
static bool known_build(const struct planning *in, struct catalog_build *out)
{
    struct str cuda = in->r->cuda.text;

    return catalog_build(in->c, in->r->pytorch.text, cuda.len ? dotted_first(cuda, 2) : STR(""),
                         out);
}

/* Three numbers name a toolkit, two a family of them. */
static bool is_release(struct str cuda)
{
    return dotted_is(cuda, 3, 3);
}

static void choose_release(struct planning *in)
{
    const struct recipe *r = in->r;
    struct catalog_build build = {0};

    if (known_build(in, &build) && build.toolkit.len) {
        in->p->cuda = build.cuda;
        in->p->release = build.toolkit;
    } else if (is_release(r->cuda.text)) {
        in->p->cuda = dotted_first(r->cuda.text, 2);
        in->p->release = r->cuda.text;
    } else {
        err_at_kind(in->e, ERR_UNSAT, &r->variant.pos,
                    "variant: with which CUDA toolkit PyTorch " STR_FMT
                    " was made is not in the catalog; name it in full, as in cuda: \"13.2.1\"",
                    STR_ARG(r->pytorch.text));
    }
}

/* ---- where from ---- */

/* The distribution's own toolkit, when it is of that CUDA. */
static void check_apt(struct planning *in)
{
    const struct base_toolkit *own = &in->base->toolkit;
    const struct pos *pos = &in->r->toolkit.from.pos;
    CLEANUP(buf_clear) struct buf offer = {0};

    if (!own->cuda.len) {
        baselayer_offer_toolkit(&offer, STR(""));
        err_at_kind(in->e, ERR_UNSAT, pos, "toolkit: " STR_FMT " has no CUDA toolkit of its own%s",
                    STR_ARG(in->base->name), offer.p ? offer.p : "");
    } else if (!str_eq(dotted_first(own->cuda, 2), in->p->cuda)) {
        baselayer_offer_toolkit(&offer, in->p->cuda);
        err_at_kind(in->e, ERR_UNSAT, pos,
                    "toolkit: " STR_FMT " has the toolkit of CUDA " STR_FMT
                    ", and this PyTorch is built for " STR_FMT "%s",
                    STR_ARG(in->base->name), STR_ARG(own->cuda), STR_ARG(in->p->cuda),
                    offer.p ? offer.p : "; leave `from` out, or take a build for that CUDA");
    } else {
        in->p->release = own->cuda;
    }
    if (own->cuda.len && in->r->toolkit.parts.n)
        err_at_kind(in->e, ERR_UNSAT, &in->r->toolkit.parts.v[0].pos,
                    "toolkit: " STR_FMT
                    "'s package of the toolkit is a whole; parts can be chosen from pypi and "
                    "nvidia",
                    STR_ARG(in->base->name));
}

static void choose_from(struct planning *in)
{
    struct str known = catalog_toolkit_from(in->c, in->p->cuda);
    const struct value *asked = &in->r->toolkit.from;

    in->p->from = asked->text.len ? asked->text : known;
    if (!in->p->from.len)
        err_at_kind(in->e, ERR_UNSAT, &in->r->variant.pos,
                    "variant: where the toolkit of CUDA " STR_FMT
                    " comes from is not in the catalog; say it, as in toolkit: {from: nvidia}",
                    STR_ARG(in->p->cuda));
    else if (str_is(in->p->from, "apt"))
        check_apt(in);
    else if (str_is(in->p->from, "pypi") && !str_is(known, "pypi"))
        err_at_kind(in->e, ERR_UNSAT, &asked->pos,
                    "toolkit: the wheels of CUDA " STR_FMT
                    " have no nvcc, those since CUDA 13 do; from: nvidia%s has it",
                    STR_ARG(in->p->cuda),
                    str_eq(dotted_first(in->base->toolkit.cuda, 2), in->p->cuda) ? " or apt" : "");
}

/* ---- what of it ---- */

static void unknown_part(struct planning *in, const struct value *v, const struct strs *parts)
{
    CLEANUP(free_clear) const char **names = xcalloc(parts->n + 1, sizeof *names);
    CLEANUP(buf_clear) struct buf hint = {0}, list = {0};

    for (size_t i = 0; i < parts->n; i++) {
        names[i] = arena_str(in->arena, parts->v[i]).p;
        buf_fmt(&list, "%s" STR_FMT, i ? ", " : "", STR_ARG(parts->v[i]));
    }
    fields_suggest(&hint, v->text, names);
    err_at(in->e, &v->pos, "toolkit: \"" STR_FMT "\" is not a part%s; parts: %s", STR_ARG(v->text),
           hint.p ? hint.p : "", list.p);
}

/* The items of one part, those once that are there already: a list may name a part twice. */
static void add_items(struct planning *in, struct str part)
{
    const char *from = str_is(in->p->from, "pypi") ? "pypi" : "nvidia";
    struct strs items = {0};

    catalog_toolkit_items(in->c, part, from, &items);
    for (size_t i = 0; i < items.n; i++)
        strs_add_once(&in->p->items, items.v[i]);
    vec_clear(&items);
}

static void choose_items(struct planning *in)
{
    const struct values *asked = &in->r->toolkit.parts;
    struct strs parts = {0};

    catalog_toolkit_parts(in->c, &parts);
    for (size_t i = 0; i < asked->n; i++)
        if (!strs_has(&parts, asked->v[i].text))
            unknown_part(in, &asked->v[i], &parts);
        else
            add_items(in, asked->v[i].text);
    for (size_t i = 0; i < parts.n && !asked->n; i++)
        add_items(in, parts.v[i]);
    vec_clear(&parts);
}

/* ---- the compiler ---- */

static void choose_gcc(struct planning *in)
{
    const struct strs *there = &in->base->gcc;
    uint32_t most = catalog_toolkit_gcc(in->c, in->p->cuda), major, best = 0;
    CLEANUP(buf_clear) struct buf list = {0}, offer = {0};

    for (size_t i = 0; i < there->n; i++) {
        buf_fmt(&list, "%s" STR_FMT, i ? ", " : "", STR_ARG(there->v[i]));
        if (!str_u32(there->v[i], &major) || major > most)
            continue;
        if (i == 0)
            return; /* the base's own will do */
        if (major > best)
            best = major;
    }
    in->p->gcc = best;
    if (best)
        return;
    if (!most) {
        err_at_kind(in->e, ERR_UNSAT, &in->r->variant.pos,
                    "variant: which gcc nvcc of CUDA " STR_FMT " takes is not in the catalog",
                    STR_ARG(in->p->cuda));
        return;
    }
    baselayer_offer_gcc(&offer, most);
    err_at_kind(in->e, ERR_UNSAT, &in->r->variant.pos,
                "variant: nvcc of CUDA " STR_FMT " takes gcc up to %u, and " STR_FMT " has %s%s",
                STR_ARG(in->p->cuda), most, STR_ARG(in->base->name),
                list.p ? list.p : "none that it names under `gcc`", offer.p ? offer.p : "");
}

int toolkit_plan_open(struct toolkit_plan *out, struct arena *a, const struct recipe *r,
                      const struct catalog *c, const struct baselayer *base, struct err *e)
{
    CLEANUP(toolkit_plan_clear) struct toolkit_plan p = {0};
    struct err fault = {0};
    struct planning in = {&p, a, r, c, base, &fault};

    p.wanted = str_is(r->variant.text, "devel");
    if (p.wanted)
        choose_release(&in);
    if (p.release.len) {
        choose_from(&in);
        choose_items(&in);
        choose_gcc(&in);
    }
    if (err_is_set(&fault))
        return err_join(e, &fault);
    MOVE(out, &p);
    return 0;
}

void toolkit_plan_clear(struct toolkit_plan *p)
{
    vec_clear(&p->items);
    *p = (struct toolkit_plan){0};
}

struct str toolkit_root(struct arena *a, struct str release)
{
    return str_of(arena_fmt(a, LOCK_TOOLKIT_ROOT STR_FMT, STR_ARG(dotted_first(release, 2))));
}
