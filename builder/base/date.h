/* base/date.h - dates to seconds since 1970 and back, without clock, time zone or locale.
 *
 * The calendar is the proleptic Gregorian one. All times are UTC; a day has 86400 seconds, and a
 * leap second (second 60) counts as the first second of the next minute.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "buf.h"

struct date {
    int64_t year;
    unsigned month, day; /* from 1 */
    unsigned hour, minute, second;
};

/* Whether the calendar has this day and the day this time. */
bool date_is_valid(const struct date *d);
/* A day behind the end of its month is counted on: 31 April is 1 May. */
int64_t date_seconds(const struct date *d);
struct date date_of(int64_t seconds);

/* "2025-01-29T17:03:05Z" as RFC 3339; years 0 to 9999. */
void date_print(struct buf *out, int64_t seconds);
/* RFC 3339 with any offset; fractions are dropped. False on anything else. */
bool date_parse(int64_t *seconds, struct str text);
/* "Sat, 07 Jun 2025 09:21:34 GMT" of HTTP (RFC 9110), mail (RFC 5322) and apt, from 1970 to 9999.
 * The zone must be UTC; the name of the day is not compared with the date. False on anything else.
 */
bool date_parse_mail(int64_t *seconds, struct str text);
