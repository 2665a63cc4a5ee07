/* tests/unit/test_recommend.c - what fleets should take: a table, and every choice held against
 * trying all of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/dotted.h"
#include "host/recommend.h"
#include "model/tag.h"
#include "catalog_fixture.h"
#include "table.h"

static uint32_t draw(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525 + 1013904223;
    return (*seed >> 8) % below;
}

/* ---- the cover ---- */

__extension__ typedef unsigned __int128 set; /* of offers; there are some eighty */
enum { SET_MAX = 128 };

static set one(size_t i)
{
    assert_true(i < SET_MAX);
    return (set)1 << i;
}

static bool covers(const set *masks, size_t n, set chosen)
{
    for (size_t i = 0; i < n; i++)
        if (masks[i] && !(masks[i] & chosen))
            return false;
    return true;
}

/* Of two sets of one size: the one with the lower offers, compared from the lowest on. */
static bool newer(set a, set b)
{
    set first = (a ^ b) & -(a ^ b);

    return a & first;
}

enum { OFFERS = 10, MASKS = 9 };

static unsigned size_of(set s)
{
    unsigned n = 0;

    for (; s; s &= s - 1)
        n++;
    return n;
}

/* By set_cover(), where bit i stands for the offer at[i]. */
static set cover_of(const set *masks, size_t n, const size_t *at)
{
    struct offers wishes[MASKS] = {0}, got;
    set chosen = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t bit = 0; bit < OFFERS; bit++)
            if (masks[i] >> bit & 1)
                offers_add(&wishes[i], at[bit]);
    got = set_cover(wishes, n);
    for (size_t bit = 0; bit < OFFERS; bit++)
        if (offers_have(&got, at[bit]))
            chosen |= one(bit);
    assert_int_equal(offers_count(&got), size_of(chosen));
    return chosen;
}

static void no_smaller_and_no_newer_set_covers(void **state)
{
    static const size_t near[OFFERS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    static const size_t far[OFFERS] = {0, 1, 63, 64, 65, 127, 128, 200, 254, 255};
    uint32_t seed = 1;

    for (int round = 0; round < 3000; round++) {
        set masks[MASKS], best = 0, got;
        size_t n = draw(&seed, MASKS + 1);
        uint32_t density = 1 + draw(&seed, 5);
        unsigned fewest = OFFERS + 1;

        for (size_t i = 0; i < n; i++) {
            masks[i] = 0;
            for (unsigned bit = 0; bit < OFFERS; bit++)
                if (draw(&seed, 6) < density)
                    masks[i] |= one(bit);
        }
        for (set tried = 0; tried < one(OFFERS); tried++) {
            unsigned size = size_of(tried);

            if (covers(masks, n, tried) &&
                (size < fewest || (size == fewest && newer(tried, best)))) {
                best = tried;
                fewest = size;
            }
        }
        got = cover_of(masks, n, near);
        if (got != best)
            fail_msg("round %d: %llx, not %llx", round, (unsigned long long)got,
                     (unsigned long long)best);
        assert_true(cover_of(masks, n, far) == best);
    }
}

/* ---- fleets ---- */

struct fleet_of {
    struct VEC_OF(struct host) hosts;
    struct VEC_OF(struct recommend_machine) machines;
};

static void fleet_clear_all(struct fleet_of *f)
{
    for (size_t i = 0; i < f->hosts.n; i++)
        vec_clear(&f->hosts.v[i].gpus);
    vec_clear(&f->hosts);
    vec_clear(&f->machines);
}

/* "2x 535.104.05 RTX 4090+A100; none T4": machines, called a, b, c. */
static void fleet_make(struct fleet_of *f, struct str text)
{
    static const char names[] = "abcdefgh";
    struct str item, gpu;

    while (str_item(&text, ';', &item)) {
        struct host *h = vec_push(&f->hosts);
        uint32_t count = 1;
        struct str word, rest = str_trim(item), number;

        assert_true(str_word(&rest, &word));
        number = word;
        if (str_drop(&number, STR("x")) && str_u32(number, &count))
            assert_true(str_word(&rest, &word));
        h->has_driver = true;
        h->driver = str_is(word, "none") ? STR("") : word;
        rest = str_trim(rest);
        while (str_item(&rest, '+', &gpu)) {
            struct catalog_gpu g;

            if (!catalog_gpu(&catalog, gpu, &g))
                fail_msg("\"" STR_FMT "\" is not a GPU", STR_ARG(gpu));
            vec_add(&h->gpus, g);
        }
        vec_add(&f->machines, ((struct recommend_machine){.count = count}));
    }
    for (size_t i = 0; i < f->hosts.n; i++) {
        f->machines.v[i].name = str_sub(str_of(names), i, 1);
        f->machines.v[i].host = &f->hosts.v[i];
    }
}

static const struct recommend_kind *kind_of(const struct recommendation *r, size_t machine)
{
    const struct recommend_kind *k;

    vec_each(k, &r->kinds)
        for (size_t i = 0; i < k->machines.n; i++)
            if (k->machines.v[i] == machine)
                return k;
    return NULL;
}

/* "2.13.0/13.0": PyTorch and CUDA */
static void say_offer(struct buf *out, const struct recommendation *r, size_t offer)
{
    const struct facts *f = &r->offers.v[offer].facts;

    buf_fmt(out, STR_FMT "/" STR_FMT, STR_ARG(f->pytorch), STR_ARG(f->cuda));
}

static void say_images(struct buf *out, const struct recommendation *r, const size_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, i ? " " : "");
        say_offer(out, r, v[i]);
    }
    if (!n)
        buf_puts(out, "-");
}

/* The tables' fields: images; what each machine takes, behind it "~" with limits and "'" with such
 * as PyTorch itself does not meet; the upgrade. */
static void say(struct buf *out, const struct fleet_of *f, const struct recommendation *r)
{
    say_images(out, r, r->images.v, r->images.n);
    buf_putc(out, '\t');
    for (size_t i = 0; i < f->machines.n; i++) {
        const struct recommend_kind *k = kind_of(r, i);

        assert_non_null(k);
        buf_puts(out, i ? " " : "");
        if (k->served)
            say_offer(out, r, k->offer);
        else
            buf_putc(out, '-');
        if (k->served && k->judgement.verdict == VERDICT_LIMITS)
            buf_putc(out, judgement_whole(&k->judgement) ? '\'' : '~');
        assert_true(!k->has_free ||
                    (k->judgement.verdict == VERDICT_LIMITS && k->free != k->offer));
    }
    buf_putc(out, '\t');
    if (!r->upgrade.found) {
        buf_puts(out, "-");
        return;
    }
    for (size_t i = 0; i < r->upgrade.kinds.n; i++) {
        const struct recommend_kind *k = &r->kinds.v[r->upgrade.kinds.v[i]];

        for (size_t m = 0; m < k->machines.n; m++)
            buf_str(out, f->machines.v[k->machines.v[m]].name);
    }
    buf_fmt(out, " " STR_FMT " ", STR_ARG(r->upgrade.driver));
    say_images(out, r, r->upgrade.offers.v, r->upgrade.offers.n);
}

static void fleets_and_what_they_take(void **state)
{
    struct table t;
    unsigned rows = 0, wrong = 0;

    table_open(&t, "tests/unit/data/fleets.txt");
    while (table_next(&t)) {
        CLEANUP(recommendation_clear) struct recommendation r = {0};
        CLEANUP(buf_clear) struct buf got = {0}, want = {0};
        struct fleet_of f = {0};

        assert_int_equal(t.n, 4);
        fleet_make(&f, t.field[0]);
        recommend(&r, f.machines.v, f.machines.n, &catalog);
        say(&got, &f, &r);
        buf_fmt(&want, STR_FMT "\t" STR_FMT "\t" STR_FMT, STR_ARG(t.field[1]), STR_ARG(t.field[2]),
                STR_ARG(t.field[3]));
        if (!str_eq(buf_view(&got), buf_view(&want)))
            print_error("line %u: " STR_FMT "\t%s\nnot %s\n", t.line, STR_ARG(t.field[0]), got.p,
                        want.p),
                wrong++;
        rows++;
        fleet_clear_all(&f);
    }
    table_clear(&t);
    assert_int_equal(wrong, 0);
    assert_true(rows >= 30);
}

/* ---- against trying all ---- */

static const char *const drivers[] = {"450.80.02",  "470.82.01", "515.65.01",  "525.60.13",
                                      "535.104.05", "550.54.15", "570.124.06", "580.65.06",
                                      "590.44.01",  "595.58.03", "610.43.02"};
static const char *const gpus[] = {"sm_37",     "GeForce GTX 980",
                                   "P100",      "GeForce GTX 1080",
                                   "V100",      "TITAN V",
                                   "T4",        "RTX 2080 Ti",
                                   "A100",      "RTX 3090",
                                   "RTX A5000", "RTX 4090",
                                   "L40S",      "H100",
                                   "B200",      "RTX 5090"};

static void fleet_draw(struct fleet_of *f, uint32_t *seed, size_t most)
{
    CLEANUP(buf_clear) struct buf text = {0};
    size_t n = 1 + draw(seed, (uint32_t)most);

    for (size_t i = 0; i < n; i++) {
        buf_fmt(&text, "%s%ux %s %s", i ? ";" : "", 1 + draw(seed, 9),
                drivers[draw(seed, ARRAY_LEN(drivers))], gpus[draw(seed, ARRAY_LEN(gpus))]);
        if (draw(seed, 6) == 0)
            buf_fmt(&text, "+%s", gpus[draw(seed, ARRAY_LEN(gpus))]);
    }
    /* hosts borrow the driver's text, which must outlive the buffer */
    fleet_make(f, buf_view(&text));
    for (size_t i = 0; i < f->hosts.n; i++)
        for (size_t d = 0; d < ARRAY_LEN(drivers); d++)
            if (str_is(f->hosts.v[i].driver, drivers[d])) {
                f->hosts.v[i].driver = str_of(drivers[d]);
                break;
            }
}

static enum verdict verdict_on(const struct facts *f, const struct host *h)
{
    CLEANUP(judgement_clear) struct judgement j = {0};

    judge(&j, f, h, &catalog);
    return judgement_whole(&j) ? VERDICT_RUNS : j.verdict;
}

/* What a machine may take, as bits of the offers: those with the best verdict there is. */
static set takes(const struct recommendation *r, const struct host *h)
{
    set by[3] = {0};

    for (size_t i = 0; i < r->offers.n; i++)
        by[verdict_on(&r->offers.v[i].facts, h)] |= one(i);
    return by[VERDICT_RUNS] ? by[VERDICT_RUNS] : by[VERDICT_LIMITS];
}

/* Is there a set of `size` offers from `from` on that serves all that can be served? */
static bool some_set(const set *masks, size_t n, size_t offers, size_t from, size_t size,
                     set chosen)
{
    if (covers(masks, n, chosen))
        return true;
    for (size_t i = from; size && i < offers; i++)
        if (some_set(masks, n, offers, i + 1, size - 1, chosen | one(i)))
            return true;
    return false;
}

static void check_choice(const struct fleet_of *f, const struct recommendation *r)
{
    set masks[16], chosen = 0;

    for (size_t i = 0; i < r->images.n; i++) {
        chosen |= one(r->images.v[i]);
        assert_true(i == 0 || r->images.v[i - 1] < r->images.v[i]);
    }
    for (size_t i = 0; i < f->machines.n; i++) {
        const struct recommend_kind *k = kind_of(r, i);

        masks[i] = takes(r, &f->hosts.v[i]);
        assert_int_equal(k->served, masks[i] != 0);
        if (!k->served) {
            assert_int_equal(k->judgement.verdict, VERDICT_NO);
            continue;
        }
        assert_true(masks[i] >> k->offer & 1 && chosen >> k->offer & 1);
        assert_true(masks[i] & one(k->newest) && !(masks[i] & (one(k->newest) - 1)));
        assert_false(masks[i] & chosen & (one(k->offer) - 1)); /* none newer */
        for (size_t a = 0; a < k->against.n; a++)
            assert_true(k->against.v[a].why.verdict > k->judgement.verdict &&
                        k->against.v[a].why.reasons.n);
    }
    assert_true(covers(masks, f->machines.n, chosen));
    if (r->images.n)
        assert_false(some_set(masks, f->machines.n, r->offers.n, 0, r->images.n - 1, 0));
}

/* One machine: what check would name as the newest. */
static void check_newest(const struct fleet_of *f, const struct recommendation *r)
{
    struct facts newest;

    if (f->machines.n > 1)
        return;
    assert_int_equal(newest_that_runs(&newest, &f->hosts.v[0], &catalog), r->images.n == 1);
    if (r->images.n)
        assert_true(str_eq(newest.pytorch, r->offers.v[r->images.v[0]].facts.pytorch) &&
                    str_eq(newest.cuda, r->offers.v[r->images.v[0]].facts.cuda));
}

struct score {
    uint64_t idle, limited, images, age;
};

static struct score score_of(const struct recommendation *r)
{
    struct score s = {.images = r->images.n};
    const struct recommend_kind *k;

    vec_each(k, &r->kinds) {
        s.idle += k->served ? 0 : k->count;
        s.limited += k->served && !judgement_whole(&k->judgement) ? k->count : 0;
        s.age += k->served ? k->count * k->offer : 0;
    }
    return s;
}

static bool better(struct score a, struct score b)
{
    if (a.idle != b.idle)
        return a.idle < b.idle;
    if (a.limited != b.limited)
        return a.limited < b.limited;
    return a.images != b.images ? a.images < b.images : a.age < b.age;
}

/* With that driver on these machines. */
static struct score score_with(struct fleet_of *f, const struct recommendation *r,
                               const struct recommend_upgrade *u, struct buf *images)
{
    CLEANUP(recommendation_clear) struct recommendation then = {0};
    struct str old[16];
    struct score s;

    for (size_t i = 0; i < f->hosts.n; i++)
        old[i] = f->hosts.v[i].driver;
    for (size_t i = 0; i < u->kinds.n; i++)
        for (size_t m = 0; m < r->kinds.v[u->kinds.v[i]].machines.n; m++)
            f->hosts.v[r->kinds.v[u->kinds.v[i]].machines.v[m]].driver = u->driver;
    recommend(&then, f->machines.v, f->machines.n, &catalog);
    s = score_of(&then);
    if (images)
        say_images(images, &then, then.images.v, then.images.n);
    for (size_t i = 0; i < f->hosts.n; i++)
        f->hosts.v[i].driver = old[i];
    return s;
}

/* What is promised comes true. */
static void check_upgrade(struct fleet_of *f, const struct recommendation *r)
{
    CLEANUP(buf_clear) struct buf said = {0}, got = {0};
    uint64_t count = 0;

    if (!r->upgrade.found)
        return;
    for (size_t i = 0; i < r->upgrade.kinds.n; i++) {
        const struct recommend_kind *k = &r->kinds.v[r->upgrade.kinds.v[i]];

        assert_true(dotted_compare(r->upgrade.driver, k->host->driver) > 0);
        count += k->count;
    }
    assert_true(count == r->upgrade.count);
    say_images(&said, r, r->upgrade.offers.v, r->upgrade.offers.n);
    assert_true(better(score_with(f, r, &r->upgrade, &got), score_of(r)));
    assert_string_equal(got.p, said.p);
    assert_true(str_find_str(r->upgrade.sentence, r->upgrade.driver) < r->upgrade.sentence.len);
}

static void choices_stand_against_all_others(void **state)
{
    uint32_t seed = 7;

    for (int round = 0; round < 250; round++) {
        CLEANUP(recommendation_clear) struct recommendation r = {0};
        struct fleet_of f = {0};

        fleet_draw(&f, &seed, 5);
        recommend(&r, f.machines.v, f.machines.n, &catalog);
        check_choice(&f, &r);
        check_newest(&f, &r);
        check_upgrade(&f, &r);
        fleet_clear_all(&f);
    }
}

/* Every kind with every driver: none does better than what is told. */
static void no_other_upgrade_is_better(void **state)
{
    struct strs all = {0};
    uint32_t seed = 11;

    catalog_drivers(&catalog, &all);
    assert_true(all.n > 20);
    for (int round = 0; round < 8; round++) {
        CLEANUP(recommendation_clear) struct recommendation r = {0};
        struct fleet_of f = {0};
        struct score told;

        fleet_draw(&f, &seed, 3);
        recommend(&r, f.machines.v, f.machines.n, &catalog);
        told = r.upgrade.found ? score_with(&f, &r, &r.upgrade, NULL) : score_of(&r);
        for (size_t k = 0; k < r.kinds.n; k++)
            for (size_t d = 0; d < all.n; d++) {
                struct recommend_upgrade u = {.driver = all.v[d]};

                if (dotted_compare(all.v[d], r.kinds.v[k].host->driver) <= 0)
                    continue;
                vec_add(&u.kinds, k);
                assert_false(better(score_with(&f, &r, &u, NULL), told));
                vec_clear(&u.kinds);
            }
        fleet_clear_all(&f);
    }
    vec_clear(&all);
}

static void offers_are_what_init_takes(void **state)
{
    CLEANUP(recommendation_clear) struct recommendation r = {0};
    CLEANUP(arena_clear) struct arena a = {0};
    struct fleet_of f = {0};
    struct err e = {0};

    fleet_make(&f, STR("595.58.03 RTX 4090"));
    recommend(&r, f.machines.v, f.machines.n, &catalog);
    assert_true(r.offers.n > 20);
    for (size_t i = 0; i < r.offers.n; i++) {
        struct tag t;

        assert_int_equal(tag_parse(&t, &a, r.offers.v[i].tag, &e), 0);
        assert_int_equal(tag_check(&t, &catalog, &e), 0);
        assert_true(str_eq(t.cuda, r.offers.v[i].facts.cuda) && t.cudnn.len);
    }
    fleet_clear_all(&f);
}

static void nothing_is_advised_for_a_gpu_that_nobody_knows(void **state)
{
    CLEANUP(recommendation_clear) struct recommendation r = {0};
    struct host h = {.has_driver = true, .driver = STR("580.65.06"), .asked = true};
    struct recommend_machine m = {.host = &h, .count = 1};

    vec_add(&h.unknown, STR("NVIDIA Of Tomorrow"));
    recommend(&r, &m, 1, &catalog);
    assert_int_equal(r.images.n, 0);
    assert_false(r.kinds.v[0].served || r.upgrade.found);
    assert_string_equal(r.kinds.v[0].judgement.reasons.v[0].code, "gpu-not-known");
    vec_clear(&h.unknown);
}

static void nothing_is_advised_for_a_driver_that_cannot_be_read(void **state)
{
    CLEANUP(recommendation_clear) struct recommendation r = {0};
    struct host h = {.has_driver = true, .hidden = true, .asked = true};
    struct recommend_machine m = {.host = &h, .count = 1};

    recommend(&r, &m, 1, &catalog);
    assert_int_equal(r.images.n, 0);
    assert_false(r.kinds.v[0].served || r.upgrade.found);
    assert_string_equal(r.kinds.v[0].judgement.reasons.v[0].code, "driver-not-readable");
}

static void machines_of_another_processor_are_another_kind(void **state)
{
    CLEANUP(recommendation_clear) struct recommendation r = {0};
    struct host pc = {.has_driver = true, .driver = STR("580.65.06")}, arm = pc;
    struct recommend_machine m[] = {{.host = &pc, .count = 1}, {.host = &arm, .count = 1}};

    arm.arch = STR("arm64");
    recommend(&r, m, 2, &catalog);
    assert_int_equal(r.kinds.n, 2);
    assert_int_equal(r.served, 1);
    assert_true(kind_of(&r, 0)->served);
    assert_string_equal(kind_of(&r, 1)->judgement.reasons.v[0].code, "other-architecture");
}

static void sentences_of_upgrades(void **state)
{
    static const char *const cases[][2] = {
        {"4x 580.65.06 RTX 4090; 3x 535.104.05 L40S; 2x 580.65.06 H100",
         "upgrading the driver of b (3 machines, 535.104.05) to 580.65.06 or newer would let all 9 "
         "machines run 2.15.0-cuda13.2-cudnn9-runtime"},
        {"580.65.06 V100; 440.33 V100",
         "upgrading the driver of b (440.33) to 525.60.13 or newer, up to branch 580, would let "
         "all 2 machines run 2.13.0-cuda12.6-cudnn9-runtime"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(recommendation_clear) struct recommendation r = {0};
        struct fleet_of f = {0};

        fleet_make(&f, str_of(cases[i][0]));
        recommend(&r, f.machines.v, f.machines.n, &catalog);
        assert_true(r.upgrade.found);
        if (!str_is(r.upgrade.sentence, cases[i][1]))
            fail_msg(STR_FMT, STR_ARG(r.upgrade.sentence));
        fleet_clear_all(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_smaller_and_no_newer_set_covers),
        cmocka_unit_test(fleets_and_what_they_take),
        cmocka_unit_test(choices_stand_against_all_others),
        cmocka_unit_test(no_other_upgrade_is_better),
        cmocka_unit_test(offers_are_what_init_takes),
        cmocka_unit_test(nothing_is_advised_for_a_gpu_that_nobody_knows),
        cmocka_unit_test(nothing_is_advised_for_a_driver_that_cannot_be_read),
        cmocka_unit_test(machines_of_another_processor_are_another_kind),
        cmocka_unit_test(sentences_of_upgrades),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
