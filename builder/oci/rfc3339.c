/* SPDX-License-Identifier: Apache-2.0 */
#include "rfc3339.h"

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar; `month` from 1. Years begin
 * in March here, so that the leap day is the last of its year. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400, of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* The inverse of days_of. */
static void date_of(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, d = z - era * 146097;
    int64_t y = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    int64_t of_year = d - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

    *day = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = y + era * 400 + (*month <= 2);
}

void rfc3339_print(struct buf *out, int64_t seconds)
{
    int64_t days = seconds / 86400, left = seconds % 86400, year, month, day;

    if (left < 0) {
        left += 86400;
        days--;
    }
    date_of(days, &year, &month, &day);
    buf_fmt(out, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)year, (int)month, (int)day,
            (int)(left / 3600), (int)(left / 60 % 60), (int)(left % 60));
}

/* Take `digits` digits and then `after` (0: nothing). */
static bool take(struct str *s, size_t digits, char after, int64_t *out)
{
    uint64_t n;

    if (s->len < digits + (after ? 1 : 0) || !str_u64(str_sub(*s, 0, digits), &n) ||
        (after && s->p[digits] != after && c_lower(s->p[digits]) != after))
        return false;
    *out = (int64_t)n;
    *s = str_sub(*s, digits + (after ? 1 : 0), s->len);
    return true;
}

static bool take_offset(struct str s, int64_t *seconds)
{
    int64_t hours, minutes, sign = s.len && s.p[0] == '-' ? -1 : 1;

    *seconds = 0;
    if (str_eq_nocase(s, STR("Z")))
        return true;
    if (!str_skip(&s, STR("+")) && !str_skip(&s, STR("-")))
        return false;
    if (!take(&s, 2, ':', &hours) || !take(&s, 2, 0, &minutes) || s.len || hours > 23 ||
        minutes > 59)
        return false;
    *seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool rfc3339_parse(struct str s, int64_t *seconds)
{
    int64_t year, month, day, hour, minute, second, offset, y, m, d;

    if (!take(&s, 4, '-', &year) || !take(&s, 2, '-', &month) || !take(&s, 2, 't', &day) ||
        !take(&s, 2, ':', &hour) || !take(&s, 2, ':', &minute) || !take(&s, 2, 0, &second))
        return false;
    if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 60)
        return false;
    date_of(days_of(year, month, day), &y, &m, &d);
    if (y != year || m != month || d != day) /* the 31st of a short month came out as another day */
        return false;
    if (str_skip(&s, STR("."))) {
        if (!s.len || !c_digit(s.p[0]))
            return false;
        while (s.len && c_digit(s.p[0]))
            s = str_sub(s, 1, s.len);
    }
    if (!take_offset(s, &offset))
        return false;
    *seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
    return true;
}
