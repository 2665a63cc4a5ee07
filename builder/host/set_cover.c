/* SPDX-License-Identifier: Apache-2.0 */
#include "set_cover.h"

enum { WORDS = OFFERS_MAX / 64 };

/* ---- sets ---- */

void offers_add(struct offers *set, size_t offer)
{
    set->word[offer / 64] |= (uint64_t)1 << offer % 64;
}

bool offers_have(const struct offers *set, size_t offer)
{
    return set->word[offer / 64] >> offer % 64 & 1;
}

bool offers_any(const struct offers *set)
{
    for (size_t i = 0; i < WORDS; i++)
        if (set->word[i])
            return true;
    return false;
}

bool offers_equal(const struct offers *a, const struct offers *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

size_t offers_count(const struct offers *set)
{
    size_t n = 0;

    for (size_t i = 0; i < WORDS; i++)
        n += (size_t)__builtin_popcountll(set->word[i]);
    return n;
}

struct offers offers_both(const struct offers *a, const struct offers *b)
{
    struct offers both;

    for (size_t i = 0; i < WORDS; i++)
        both.word[i] = a->word[i] & b->word[i];
    return both;
}

size_t offers_first(const struct offers *set)
{
    size_t i = 0;

    while (i + 1 < WORDS && !set->word[i])
        i++;
    return i * 64 + (size_t)__builtin_ctzll(set->word[i]);
}

size_t offers_last(const struct offers *set)
{
    size_t i = WORDS - 1;

    while (i > 0 && !set->word[i])
        i--;
    return i * 64 + 63 - (size_t)__builtin_clzll(set->word[i]);
}

/* ---- the fewest ---- */

struct search {
    const struct offers *wishes;
    size_t n;
};

static bool meet(const struct offers *a, const struct offers *b)
{
    for (size_t i = 0; i < WORDS; i++)
        if (a->word[i] & b->word[i])
            return true;
    return false;
}

static bool is_open(const struct offers *wish, const struct offers *chosen)
{
    return offers_any(wish) && !meet(wish, chosen);
}

/* No fewer will do than there are open wishes that have nothing in common. */
static size_t at_least(const struct search *s, const struct offers *chosen)
{
    struct offers seen = {0};
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++) {
        const struct offers *wish = &s->wishes[i];

        if (!is_open(wish, chosen) || meet(wish, &seen))
            continue;
        for (size_t k = 0; k < WORDS; k++)
            seen.word[k] |= wish->word[k];
        n++;
    }
    return n;
}

/* Add at most `most` offers, from `first` on, the lowest first. */
static bool search(const struct search *s, struct offers *chosen, size_t first, size_t most)
{
    size_t last = OFFERS_MAX, need = at_least(s, chosen);

    if (!need)
        return true;
    if (need > most)
        return false;
    for (size_t i = 0; i < s->n; i++) /* an open wish's last offer must not be passed by */
        if (is_open(&s->wishes[i], chosen) && offers_last(&s->wishes[i]) < last)
            last = offers_last(&s->wishes[i]);
    for (size_t i = first; i <= last; i++) {
        struct offers with = *chosen;

        offers_add(&with, i);
        if (search(s, &with, i + 1, most - 1)) {
            *chosen = with;
            return true;
        }
    }
    return false;
}

struct offers set_cover(const struct offers *wishes, size_t n)
{
    struct search s = {wishes, n};
    struct offers chosen = {0};

    for (size_t most = 1; !search(&s, &chosen, 0, most); most++)
        chosen = (struct offers){0};
    return chosen;
}
