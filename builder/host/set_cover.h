/* host/set_cover.h - sets of offers, and the fewest offers that serve everybody.
 *
 * Offers are numbered from the best, 0, on. All-zero is the empty set.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/mem.h"

enum { OFFERS_MAX = 256 };

struct offers {
    uint64_t word[OFFERS_MAX / 64];
};

void offers_add(struct offers *set, size_t offer);
bool offers_have(const struct offers *set, size_t offer);
bool offers_any(const struct offers *set);
bool offers_equal(const struct offers *a, const struct offers *b);
size_t offers_count(const struct offers *set);
struct offers offers_both(const struct offers *a, const struct offers *b);
/* The lowest and the highest of a set that is not empty. */
size_t offers_first(const struct offers *set);
size_t offers_last(const struct offers *set);

/* The fewest offers of which each of `n` wishes has one; a wish that is empty asks for nothing. Of
 * several such sets the one whose lowest offer is lowest, then the second lowest, and so on. */
struct offers set_cover(const struct offers *wishes, size_t n);
