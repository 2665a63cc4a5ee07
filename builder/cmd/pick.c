/* SPDX-License-Identifier: Apache-2.0 */
#include "pick.h"

static const struct offer *choose(struct pick *p, struct str release)
{
    const struct offer *best = NULL, *o;

    vec_each(o, &p->all.offers) {
        CLEANUP(judgement_clear) struct judgement j = {0};

        if (release.len && !str_eq(o->facts.pytorch, release))
            continue;
        judge(&j, &o->facts, &p->machine.host, &p->catalog);
        if (best && (j.verdict != VERDICT_RUNS || p->verdict == VERDICT_RUNS) &&
            (j.verdict != VERDICT_LIMITS || p->verdict != VERDICT_NO))
            continue;
        best = o;
        p->verdict = j.verdict;
    }
    return best;
}

int pick(struct pick *p, const struct session *s, const struct machine_args *args,
         struct str release, struct err *e)
{
    struct recommend_machine one = {.host = &p->machine.host, .count = 1};
    const struct offer *offer;

    if (catalog_open(&p->catalog, s->catalog_dir, e) < 0 ||
        machine_find(&p->machine, s, &p->catalog, args, e) < 0)
        return -1;
    recommend(&p->all, &one, 1, &p->catalog);
    offer = choose(p, release);
    p->found = offer != NULL;
    return offer ? tag_parse(&p->tag, &p->arena, offer->tag, e) : 0;
}

int pick_latest(struct pick *p, const struct session *s, struct err *e)
{
    if (pick(p, s, &(struct machine_args){0}, STR(""), e) < 0)
        return -1;
    return p->found ? 0 : err_set(e, ERR_UNSAT, "the catalog has no build that could be taken");
}

void pick_words(struct buf *out, const struct pick *p)
{
    buf_fmt(out, "the newest %sis ",
            p->verdict == VERDICT_RUNS && p->machine.host.driver.len ? "that runs on this machine "
                                                                     : "");
    tag_print(out, &p->tag);
}

void pick_clear(struct pick *p)
{
    recommendation_clear(&p->all);
    machine_clear(&p->machine);
    catalog_clear(&p->catalog);
    arena_clear(&p->arena);
}
