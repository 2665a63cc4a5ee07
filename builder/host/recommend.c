/* SPDX-License-Identifier: Apache-2.0 */
#include "recommend.h"

#include "../base/dotted.h"
#include "../model/tag.h"

/* ---- what there is to take ---- */

/* Nothing is advised that is not known to run. */
static bool known_for_gpus(const struct catalog_build *b)
{
    return b->archs.len && !b->archs_unconfirmed;
}

static void offer_build(struct recommendation *r, const struct catalog *c, struct str pytorch,
                        struct str cuda, bool gpus)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct catalog_build b;
    struct offer *o;
    struct tag t;

    if (!catalog_build(c, pytorch, cuda, &b))
        return;
    tag_of_build(&t, pytorch, &b);
    tag_print(&text, &t);
    if (gpus && !known_for_gpus(&b)) {
        vec_add(&r->unconfirmed,
                ((struct passed){arena_str(&r->arena, buf_view(&text)), r->offers.n}));
        return;
    }
    if (r->offers.n == OFFERS_MAX)
        return;
    o = vec_push(&r->offers);
    o->tag = arena_str(&r->arena, buf_view(&text));
    facts_of_build(&o->facts, c, pytorch, &b);
}

/* The newest PyTorch first; of one the build that is on PyPI, then the newest CUDA. */
static void list_offers(struct recommendation *r, const struct catalog *c, bool gpus)
{
    struct strs releases = {0}, builds = {0};

    catalog_releases(c, &releases);
    for (size_t i = releases.n; i-- > 0;) {
        vec_clear(&builds);
        catalog_builds_best_first(c, releases.v[i], &builds);
        for (size_t k = 0; k < builds.n; k++)
            offer_build(r, c, releases.v[i], builds.v[k], gpus);
    }
    vec_clear(&builds);
    vec_clear(&releases);
}

/* ---- machines alike ---- */

static bool same_gpus(const struct host *a, const struct host *b)
{
    if (a->gpus.n != b->gpus.n || a->unknown.n != b->unknown.n)
        return false;
    for (size_t i = 0; i < a->gpus.n; i++)
        if (!str_eq(a->gpus.v[i].cc, b->gpus.v[i].cc) ||
            !str_eq(a->gpus.v[i].name, b->gpus.v[i].name))
            return false;
    for (size_t i = 0; i < a->unknown.n; i++)
        if (!str_eq(a->unknown.v[i], b->unknown.v[i]))
            return false;
    return true;
}

static void take_machine(struct recommendation *r, const struct recommend_machine *m, size_t at)
{
    struct recommend_kind *k;

    r->count += m->count;
    vec_each(k, &r->kinds)
        if (k->host->has_driver == m->host->has_driver && k->host->asked == m->host->asked &&
            k->host->hidden == m->host->hidden && str_eq(k->host->driver, m->host->driver) &&
            str_eq(host_arch(k->host), host_arch(m->host)) && same_gpus(k->host, m->host))
            break;
    if (!k || k == r->kinds.v + r->kinds.n) {
        k = vec_push(&r->kinds);
        k->host = m->host;
    }
    vec_add(&k->machines, at);
    k->count += m->count;
}

/* ---- who takes what ---- */

struct taking {
    struct offers runs, limits; /* with all that PyTorch itself does, and without some of it */
};

/* What all machines would take, and how good that is. */
struct outcome {
    struct offers chosen;
    uint64_t idle, limited; /* machines on which nothing runs, or with limits only */
    size_t images;
    uint64_t age; /* how far what each machine takes is from the newest, summed up */
};

/* With limits only what does not run without. */
static const struct offers *acceptable(const struct taking *t)
{
    return offers_any(&t->runs) ? &t->runs : &t->limits;
}

static struct taking judge_all(const struct recommendation *r, const struct host *h,
                               const struct catalog *c)
{
    struct taking t = {0};

    if (host_unseen(h))
        return t; /* nothing is advised for what nobody knows */
    for (size_t i = 0; i < r->offers.n; i++) {
        CLEANUP(judgement_clear) struct judgement j = {0};

        judge(&j, &r->offers.v[i].facts, h, c);
        if (judgement_whole(&j))
            offers_add(&t.runs, i);
        else if (j.verdict == VERDICT_LIMITS)
            offers_add(&t.limits, i);
    }
    return t;
}

/* The newest that a machine gets of what is chosen. */
static size_t newest_of(const struct offers *wish, const struct offers *chosen)
{
    struct offers both = offers_both(wish, chosen);

    return offers_first(&both);
}

static struct offers choose(const struct recommendation *r, const struct taking *takes)
{
    struct VEC_OF(struct offers) wishes = {0};
    struct offers chosen;

    for (size_t i = 0; i < r->kinds.n; i++) {
        bool known = false;

        for (size_t k = 0; k < wishes.n && !known; k++)
            known = offers_equal(&wishes.v[k], acceptable(&takes[i]));
        if (!known)
            vec_add(&wishes, *acceptable(&takes[i]));
    }
    chosen = set_cover(wishes.v, wishes.n);
    vec_clear(&wishes);
    return chosen;
}

static struct outcome outcome_of(const struct recommendation *r, const struct taking *takes)
{
    struct outcome out = {.chosen = choose(r, takes)};

    out.images = offers_count(&out.chosen);
    for (size_t i = 0; i < r->kinds.n; i++) {
        const struct offers *wish = acceptable(&takes[i]);
        uint64_t count = r->kinds.v[i].count;

        if (!offers_any(wish))
            out.idle += count;
        else
            out.age += count * newest_of(wish, &out.chosen);
        if (wish == &takes[i].limits && offers_any(wish))
            out.limited += count;
    }
    return out;
}

/* Negative: `a` is better. */
static int outcome_compare(const struct outcome *a, const struct outcome *b)
{
    if (a->idle != b->idle)
        return a->idle < b->idle ? -1 : 1;
    if (a->limited != b->limited)
        return a->limited < b->limited ? -1 : 1;
    if (a->images != b->images)
        return a->images < b->images ? -1 : 1;
    return a->age == b->age ? 0 : a->age < b->age ? -1 : 1;
}

/* Of what does not run: that against which the least is to be said, and of those the newest. */
static size_t nearest(const struct recommendation *r, const struct host *h, const struct catalog *c)
{
    size_t best = 0, fewest = SIZE_MAX;

    for (size_t i = 0; i < r->offers.n; i++) {
        CLEANUP(judgement_clear) struct judgement j = {0};
        const struct reason *why;
        size_t n = 0;

        judge(&j, &r->offers.v[i].facts, h, c);
        vec_each(why, &j.reasons)
            n += why->verdict == VERDICT_NO;
        if (n < fewest) {
            fewest = n;
            best = i;
        }
    }
    return best;
}

static void add_against(const struct recommendation *r, struct recommend_kind *k, size_t offer,
                        const struct catalog *c)
{
    struct judgement j = {0};

    judge(&j, &r->offers.v[offer].facts, k->host, c);
    if (offer == k->offer || j.verdict == VERDICT_RUNS ||
        (k->served && j.verdict <= k->judgement.verdict)) {
        judgement_clear(&j);
        return;
    }
    vec_add(&k->against, ((struct against){offer, j}));
}

/* Where what it takes has a limit of some kind: the newest that has none. */
static void find_free(const struct recommendation *r, struct recommend_kind *k,
                      const struct catalog *c)
{
    for (size_t i = 0; i < r->offers.n && k->judgement.verdict != VERDICT_RUNS && !k->has_free;
         i++) {
        CLEANUP(judgement_clear) struct judgement j = {0};

        judge(&j, &r->offers.v[i].facts, k->host, c);
        k->has_free = j.verdict == VERDICT_RUNS;
        k->free = i;
    }
}

/* Why not what others take; and for those that take the newest of it, why not the newest of all. */
static void assign(struct recommendation *r, struct recommend_kind *k, const struct offers *wish,
                   const struct offers *chosen, const struct catalog *c)
{
    struct host nobody = {.has_driver = k->host->hidden,
                          .hidden = k->host->hidden,
                          .asked = true,
                          .unknown = k->host->unknown};

    k->served = offers_any(wish);
    if (host_unseen(&nobody)) { /* all else that could be said is not what keeps an image away */
        judge(&k->judgement, &r->offers.v[0].facts, &nobody, c);
        return;
    }
    k->offer = k->served ? newest_of(wish, chosen) : nearest(r, k->host, c);
    judge(&k->judgement, &r->offers.v[k->offer].facts, k->host, c);
    if (!k->served)
        return;
    k->newest = offers_first(wish);
    find_free(r, k, c);
    r->served += k->count;
    for (size_t i = 0; i < r->offers.n; i++)
        if (offers_have(chosen, i) || (i == 0 && k->offer == offers_first(chosen)))
            add_against(r, k, i, c);
}

/* ---- what an upgrade would buy ---- */

/* A driver may follow the one that is there when it is newer and documented for all the GPUs; that
 * it may be too new for them is for judge() to say. */
static bool may_follow(const struct host *h, struct str driver, const struct catalog *c)
{
    struct catalog_arch arch;

    if (!h->has_driver || dotted_compare(driver, h->driver) <= 0)
        return false;
    for (size_t i = 0; i < h->gpus.n; i++)
        if (catalog_arch(c, h->gpus.v[i].cc, &arch) && arch.driver.len &&
            dotted_compare(driver, arch.driver) < 0)
            return false;
    return true;
}

/* Which machines one upgrade means: those of one kind, all with one driver, or all. */
enum scope { SCOPE_KIND, SCOPE_DRIVER, SCOPE_ALL };

static bool in_scope(const struct recommendation *r, enum scope scope, size_t of, size_t i)
{
    switch (scope) {
    case SCOPE_KIND:
        return i == of;
    case SCOPE_DRIVER:
        return str_eq(r->kinds.v[i].host->driver, r->kinds.v[of].host->driver);
    case SCOPE_ALL:
        return true;
    }
    return false;
}

/* The takings with that driver on all machines of the scope that may have it and are none the
 * worse for it. False when there are none. */
static bool upgraded(const struct recommendation *r, const struct taking *now, struct taking *then,
                     enum scope scope, size_t of, struct str driver, const struct catalog *c)
{
    bool any = false;

    for (size_t i = 0; i < r->kinds.n; i++) {
        struct host h = *r->kinds.v[i].host;

        then[i] = now[i];
        if (!in_scope(r, scope, of, i) || !may_follow(&h, driver, c))
            continue;
        h.driver = driver;
        then[i] = judge_all(r, &h, c);
        if (!offers_any(acceptable(&then[i])) ||
            (!offers_any(&then[i].runs) && offers_any(&now[i].runs)))
            then[i] = now[i];
        else
            any = true;
    }
    return any;
}

struct best {
    struct outcome outcome;
    struct taking *takes;
    uint64_t count; /* machines to upgrade */
    struct str driver;
};

static uint64_t changed(const struct recommendation *r, const struct taking *now,
                        const struct taking *then, struct recommend_upgrade *u)
{
    uint64_t n = 0;

    for (size_t i = 0; i < r->kinds.n; i++)
        if (!offers_equal(&now[i].runs, &then[i].runs) ||
            !offers_equal(&now[i].limits, &then[i].limits)) {
            n += r->kinds.v[i].count;
            if (u)
                vec_add(&u->kinds, i);
        }
    return n;
}

/* The better outcome; for the same one fewer machines to upgrade, then the older driver. */
static void try_upgrade(const struct recommendation *r, const struct taking *now, struct best *best,
                        enum scope scope, size_t of, struct str driver, const struct catalog *c)
{
    struct taking *then = xcalloc(r->kinds.n, sizeof *then);
    struct outcome outcome;
    uint64_t count;
    int order;

    if (!upgraded(r, now, then, scope, of, driver, c)) {
        free(then);
        return;
    }
    outcome = outcome_of(r, then);
    count = changed(r, now, then, NULL);
    order = outcome_compare(&outcome, &best->outcome);
    if (order < 0 || (order == 0 && best->takes &&
                      (count < best->count ||
                       (count == best->count && dotted_compare(driver, best->driver) < 0)))) {
        free(best->takes);
        *best = (struct best){outcome, then, count, driver};
    } else {
        free(then);
    }
}

/* "lab (8 machines, 535.104.05)". */
static void name_kind(struct buf *out, const struct recommend_kind *k,
                      const struct recommend_machine *machines)
{
    for (size_t i = 0; i < k->machines.n; i++)
        buf_fmt(out, "%s" STR_FMT,
                i == 0                  ? ""
                : i + 1 < k->machines.n ? ", "
                                        : " and ",
                STR_ARG(machines[k->machines.v[i]].name));
    buf_puts(out, " (");
    if (k->count > 1)
        buf_fmt(out, "%llu machines, ", (unsigned long long)k->count);
    buf_fmt(out, STR_FMT ")", STR_ARG(k->host->driver));
}

static void list_tags(struct buf *out, const struct recommendation *r, const struct offers *set)
{
    size_t n = offers_count(set), at = 0;

    for (size_t i = 0; i < r->offers.n; i++)
        if (offers_have(set, i)) {
            at++;
            buf_fmt(out, "%s" STR_FMT,
                    at == 1  ? ""
                    : at < n ? ", "
                             : " or ",
                    STR_ARG(r->offers.v[i].tag));
        }
}

/* Machines that are not upgraded and take something newer all the same. */
static uint64_t others_gain(const struct recommendation *r, const struct best *best)
{
    const struct recommend_upgrade *u = &r->upgrade;
    uint64_t n = 0;
    size_t at = 0;

    for (size_t i = 0; i < r->kinds.n; i++) {
        const struct offers *wish = acceptable(&best->takes[i]);

        if (at < u->kinds.n && u->kinds.v[at] == i)
            at++;
        else if (offers_any(wish) && newest_of(wish, &best->outcome.chosen) < r->kinds.v[i].offer)
            n += r->kinds.v[i].count;
    }
    return n;
}

static void say_gain(struct buf *out, const struct recommendation *r, const struct best *best,
                     const struct outcome *now)
{
    uint64_t others = others_gain(r, best);
    struct offers theirs = {0};
    bool all = best->outcome.images == 1 && !best->outcome.idle && !best->outcome.limited;

    for (size_t i = 0; i < r->upgrade.kinds.n; i++)
        offers_add(&theirs, newest_of(acceptable(&best->takes[r->upgrade.kinds.v[i]]),
                                      &best->outcome.chosen));
    if (all && r->count > 1)
        buf_fmt(out, "all %llu machines", (unsigned long long)r->count);
    else
        buf_puts(out, best->count == 1 ? "it" : "them");
    buf_puts(out, " run ");
    list_tags(out, r, &theirs);
    if (best->outcome.idle == now->idle && best->outcome.limited < now->limited)
        buf_puts(out, " without limits");
    if (all)
        return;
    if (best->outcome.images < now->images)
        buf_fmt(out, ", and %zu image%s would do for all", best->outcome.images,
                best->outcome.images == 1 ? "" : "s");
    if (others)
        buf_fmt(out, ", and %llu other%s could take a newer image", (unsigned long long)others,
                others == 1 ? "" : "s");
}

/* "upgrading the driver of lab (8 machines, 535.104.05) to 550.54.14 or newer". */
static void say_what(struct buf *out, const struct recommendation *r,
                     const struct recommend_machine *machines)
{
    const struct recommend_upgrade *u = &r->upgrade;
    struct str first = r->kinds.v[u->kinds.v[0]].host->driver;
    bool named = machines[0].name.len > 0;

    buf_puts(out, first.len ? "upgrading the driver" : "installing driver ");
    for (size_t i = 0; named && i < u->kinds.n; i++) {
        buf_puts(out, i == 0 ? " of " : i + 1 < u->kinds.n ? ", " : " and ");
        name_kind(out, &r->kinds.v[u->kinds.v[i]], machines);
    }
    if (first.len && !named)
        buf_fmt(out, " from " STR_FMT, STR_ARG(first));
    buf_fmt(out, "%s" STR_FMT " or newer", first.len ? " to " : "", STR_ARG(u->driver));
}

static void say_upgrade(struct recommendation *r, const struct recommend_machine *machines,
                        const struct best *best, const struct outcome *now)
{
    struct recommend_upgrade *u = &r->upgrade;
    CLEANUP(buf_clear) struct buf text = {0};

    say_what(&text, r, machines);
    if (u->last.len)
        buf_fmt(&text, ", up to branch " STR_FMT ",", STR_ARG(u->last));
    buf_puts(&text, " would let ");
    say_gain(&text, r, best, now);
    u->sentence = arena_str(&r->arena, buf_view(&text));
}

/* The first of the last branches that drive the GPUs of what is upgraded. */
static struct str last_branch(const struct recommendation *r, const struct catalog *c)
{
    struct str last = {0};

    for (size_t i = 0; i < r->upgrade.kinds.n; i++) {
        const struct host *h = r->kinds.v[r->upgrade.kinds.v[i]].host;
        struct catalog_arch arch;

        for (size_t g = 0; g < h->gpus.n; g++)
            if (catalog_arch(c, h->gpus.v[g].cc, &arch) && arch.branch_last.len &&
                (!last.len || dotted_compare(arch.branch_last, last) < 0))
                last = arch.branch_last;
    }
    return last;
}

static void find_upgrade(struct recommendation *r, const struct recommend_machine *machines,
                         const struct taking *now, const struct outcome *outcome,
                         const struct catalog *c)
{
    struct best best = {.outcome = *outcome};
    struct strs drivers = {0};

    catalog_drivers(c, &drivers);
    for (enum scope scope = SCOPE_KIND; scope <= SCOPE_ALL && !best.takes; scope++)
        for (size_t of = 0; of < (scope == SCOPE_ALL ? 1 : r->kinds.n); of++)
            for (size_t d = 0; d < drivers.n; d++)
                try_upgrade(r, now, &best, scope, of, drivers.v[d], c);
    vec_clear(&drivers);
    if (!best.takes)
        return;
    r->upgrade.found = true;
    r->upgrade.driver = best.driver;
    r->upgrade.count = changed(r, now, best.takes, &r->upgrade);
    r->upgrade.last = last_branch(r, c);
    for (size_t i = 0; i < r->offers.n; i++)
        if (offers_have(&best.outcome.chosen, i))
            vec_add(&r->upgrade.offers, i);
    say_upgrade(r, machines, &best, outcome);
    free(best.takes);
}

/* ---- all of it ---- */

void recommend(struct recommendation *r, const struct recommend_machine *machines, size_t n,
               const struct catalog *c)
{
    struct taking *takes;
    struct outcome outcome;
    bool gpus = false;

    for (size_t i = 0; i < n; i++) {
        take_machine(r, &machines[i], i);
        gpus |= machines[i].host->gpus.n > 0;
    }
    list_offers(r, c, gpus);
    takes = xcalloc(r->kinds.n, sizeof *takes);
    for (size_t i = 0; i < r->kinds.n; i++)
        takes[i] = judge_all(r, r->kinds.v[i].host, c);
    outcome = outcome_of(r, takes);
    for (size_t i = 0; i < r->offers.n; i++)
        if (offers_have(&outcome.chosen, i))
            vec_add(&r->images, i);
    for (size_t i = 0; i < r->kinds.n && r->offers.n; i++)
        assign(r, &r->kinds.v[i], acceptable(&takes[i]), &outcome.chosen, c);
    while (r->unconfirmed.n && r->images.n &&
           r->unconfirmed.v[r->unconfirmed.n - 1].before > r->images.v[0])
        r->unconfirmed.n--;
    find_upgrade(r, machines, takes, &outcome, c);
    free(takes);
}

void recommendation_clear(struct recommendation *r)
{
    struct recommend_kind *k;
    struct against *a;

    vec_each(k, &r->kinds) {
        vec_each(a, &k->against)
            judgement_clear(&a->why);
        vec_clear(&k->against);
        vec_clear(&k->machines);
        judgement_clear(&k->judgement);
    }
    vec_clear(&r->kinds);
    vec_clear(&r->offers);
    vec_clear(&r->images);
    vec_clear(&r->unconfirmed);
    vec_clear(&r->upgrade.kinds);
    vec_clear(&r->upgrade.offers);
    arena_clear(&r->arena);
    *r = (struct recommendation){0};
}
