/* base/dotted.h - versions that are numbers between dots: CUDA's "12.4.1", a driver's "550.54.15".
 *
 * What Python's and Debian's versions have besides is in pkg/pypi/pep440.h and pkg/deb/debver.h.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "str.h"

/* The first `n` numbers: "12.4" of "12.4.1"; all of it where there are fewer. */
struct str dotted_first(struct str version, unsigned n);
/* What of such a version stands at the front: "2.6.0" of "2.6.0+cu124", empty where no digit does. */
struct str dotted_prefix(struct str text);
/* Its numbers into `out`, 0 where it has fewer than `most`. How many it has; 0 when it is no such
 * version, or one of more numbers. */
unsigned dotted_numbers(uint32_t *out, unsigned most, struct str version);
/* Whether it is a version of that many numbers; `most` is at most 4. */
bool dotted_is(struct str version, unsigned least, unsigned most);
/* Number by number: "535.247.01" is before "550.54.14", and "12" is "12.0". What is no number counts
 * as 0. */
int dotted_compare(struct str a, struct str b);
