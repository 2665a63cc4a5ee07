/* SPDX-License-Identifier: Apache-2.0 */
#include "date.h"

enum { DAY_S = 86400, CYCLE_DAYS = 146097, EPOCH_DAY = 719468 };

/* Days since 1970-01-01. Years begin in March here, so that the leap day is the last of its year;
 * a cycle of the calendar has 400 years. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = year - (month <= 2), cycle = (y >= 0 ? y : y - 399) / 400,
            of_cycle = y - cycle * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return cycle * CYCLE_DAYS + of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + of_year -
           EPOCH_DAY;
}

int64_t date_seconds(const struct date *d)
{
    return days_of(d->year, d->month, d->day) * DAY_S + (int64_t)d->hour * 3600 +
           (int64_t)d->minute * 60 + d->second;
}

struct date date_of(int64_t seconds)
{
    int64_t left = (seconds % DAY_S + DAY_S) % DAY_S, z = (seconds - left) / DAY_S + EPOCH_DAY;
    int64_t cycle = (z >= 0 ? z : z - CYCLE_DAYS + 1) / CYCLE_DAYS, d = z - cycle * CYCLE_DAYS;
    int64_t y = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    int64_t of_year = d - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
    struct date out = {.day = (unsigned)(of_year - (153 * m + 2) / 5 + 1),
                       .month = (unsigned)(m < 10 ? m + 3 : m - 9),
                       .hour = (unsigned)(left / 3600),
                       .minute = (unsigned)(left / 60 % 60),
                       .second = (unsigned)(left % 60)};

    out.year = y + cycle * 400 + (out.month <= 2);
    return out;
}

bool date_is_valid(const struct date *d)
{
    struct date day = {.year = d->year, .month = d->month, .day = d->day}, same;

    if (d->month < 1 || d->month > 12 || d->day < 1 || d->day > 31 || d->hour > 23 ||
        d->minute > 59 || d->second > 60)
        return false;
    same = date_of(date_seconds(&day));
    return same.month == d->month;
}

void date_print(struct buf *out, int64_t seconds)
{
    struct date d = date_of(seconds);

    buf_fmt(out, "%04d-%02u-%02uT%02u:%02u:%02uZ", (int)d.year, d.month, d.day, d.hour, d.minute,
            d.second);
}

/* Take `digits` digits and then `after` (0: nothing). */
static bool take(struct str *s, size_t digits, char after, unsigned *out)
{
    uint32_t n;

    if (s->len < digits + (after ? 1 : 0) || !str_u32(str_sub(*s, 0, digits), &n) ||
        (after && s->p[digits] != after && c_lower(s->p[digits]) != after))
        return false;
    *out = n;
    *s = str_sub(*s, digits + (after ? 1 : 0), s->len);
    return true;
}

static bool take_offset(struct str s, int64_t *seconds)
{
    int64_t sign = s.len && s.p[0] == '-' ? -1 : 1;
    unsigned hours, minutes;

    *seconds = 0;
    if (str_eq_nocase(s, STR("Z")))
        return true;
    if (!str_skip(&s, STR("+")) && !str_skip(&s, STR("-")))
        return false;
    if (!take(&s, 2, ':', &hours) || !take(&s, 2, 0, &minutes) || s.len || hours > 23 ||
        minutes > 59)
        return false;
    *seconds = sign * ((int64_t)hours * 3600 + (int64_t)minutes * 60);
    return true;
}

bool date_parse(int64_t *seconds, struct str s)
{
    struct date d;
    unsigned year;
    int64_t offset;

    if (!take(&s, 4, '-', &year) || !take(&s, 2, '-', &d.month) || !take(&s, 2, 't', &d.day) ||
        !take(&s, 2, ':', &d.hour) || !take(&s, 2, ':', &d.minute) || !take(&s, 2, 0, &d.second))
        return false;
    d.year = year;
    if (!date_is_valid(&d))
        return false;
    if (str_skip(&s, STR("."))) {
        if (!s.len || !c_digit(s.p[0]))
            return false;
        while (s.len && c_digit(s.p[0]))
            s = str_sub(s, 1, s.len);
    }
    if (!take_offset(s, &offset))
        return false;
    *seconds = date_seconds(&d) - offset;
    return true;
}

static bool month_of(struct str name, unsigned *month)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (*month = 1; *month <= 12; ++*month)
        if (str_eq_nocase(name, (struct str){names + (*month - 1) * 3, 3}))
            return true;
    return false;
}

static bool clock_of(struct str s, struct date *d)
{
    unsigned *const fields[] = {&d->hour, &d->minute, &d->second};
    struct str part;

    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (!str_item(&s, ':', &part) || part.len > 2 || !str_u32(part, fields[i]))
            return false;
    return !s.p;
}

static bool is_utc(struct str s)
{
    return str_is(s, "UTC") || str_is(s, "GMT") || str_is(s, "Z") || str_is(s, "+0000");
}

bool date_parse_mail(int64_t *seconds, struct str text)
{
    struct str word[6] = {0};
    struct date d;
    uint32_t year;
    size_t n = 0;

    while (n < ARRAY_LEN(word) && str_word(&text, &word[n]))
        n++;
    if (n != ARRAY_LEN(word) || str_trim(text).len || word[0].len != 4 || word[0].p[3] != ',')
        return false;
    if (!str_u32(word[1], &d.day) || !month_of(word[2], &d.month) || !str_u32(word[3], &year) ||
        !clock_of(word[4], &d) || !is_utc(word[5]))
        return false;
    d.year = year;
    if (year < 1970 || year > 9999 || !date_is_valid(&d))
        return false;
    *seconds = date_seconds(&d);
    return true;
}
