/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"

#include <stdlib.h>

/* Days since 1970 of a day of the Gregorian calendar; month counts from 1. */
static int64_t days_since_1970(uint32_t year, uint32_t month, uint32_t day)
{
    static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int64_t y = year - 1;

    return 365 * (int64_t)(year - 1970) + (y / 4 - y / 100 + y / 400) - 477 + before[month - 1] +
           (leap && month > 2) + day - 1;
}

static uint32_t month_number(struct str name)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (uint32_t i = 0; i < 12; i++)
        if (str_eq(name, (struct str){names + 3 * i, 3}))
            return i + 1;
    return 0;
}

bool http_date(struct str text, int64_t *seconds)
{
    struct str word, part;
    uint32_t day, month, year, clock[3];

    if (!str_word(&text, &word) || !str_word(&text, &word) || !str_u32(word, &day))
        return false;
    if (!str_word(&text, &word) || !(month = month_number(word)))
        return false;
    if (!str_word(&text, &word) || !str_u32(word, &year) || year < 1970 || year > 9999)
        return false;
    if (!str_word(&text, &word))
        return false;
    for (size_t i = 0; i < 3; i++)
        if (!str_item(&word, ':', &part) || part.len != 2 || !str_u32(part, &clock[i]))
            return false;
    if (word.p || !str_word(&text, &word) || !str_is(word, "GMT") || str_word(&text, &word))
        return false;
    if (day < 1 || day > 31 || clock[0] > 23 || clock[1] > 59 || clock[2] > 60)
        return false;
    *seconds = days_since_1970(year, month, day) * 86400 + (int64_t)clock[0] * 3600 +
               (int64_t)clock[1] * 60 + clock[2];
    return true;
}

static void retry_after(struct answer *a, struct str value, int64_t now)
{
    int64_t when;
    uint32_t seconds;

    if (str_u32(value, &seconds))
        a->retry_after_s = seconds;
    else if (http_date(value, &when) && when > now)
        a->retry_after_s = when - now > UINT32_MAX ? UINT32_MAX : (uint32_t)(when - now);
}

/* "bytes 0-99/1234", or with a star for the size. */
static void content_range(struct answer *a, struct str value)
{
    struct str unit, first, last;
    uint64_t from, to, total = 0;

    if (!str_cut(&value, STR(" "), &unit) || !str_eq_nocase(unit, STR("bytes")))
        return;
    if (!str_cut(&value, STR("-"), &first) || !str_cut(&value, STR("/"), &last))
        return;
    if (!str_u64(first, &from) || !str_u64(last, &to) || to < from || to == UINT64_MAX)
        return;
    if (!str_is(value, "*") && (!str_u64(value, &total) || total <= to))
        return;
    a->has_range = true;
    a->first = from;
    a->last = to;
    a->total = total;
}

static void content_encoding(struct answer *a, struct str value)
{
    if (str_eq_nocase(value, STR("gzip")) || str_eq_nocase(value, STR("x-gzip")))
        a->gzipped = true;
    else if (value.len && !str_eq_nocase(value, STR("identity")))
        a->encoded = true;
}

static void keep(char **slot, struct str value)
{
    if (!*slot && value.len)
        *slot = str_dup(value);
}

void answer_line(struct answer *a, struct str line, int64_t now)
{
    struct str name, value = str_trim(line);

    if (!str_cut(&value, STR(":"), &name))
        return;
    value = str_trim(value);
    if (str_eq_nocase(name, STR("location")))
        keep(&a->location, value);
    else if (str_eq_nocase(name, STR("content-type")))
        keep(&a->content_type, value);
    else if (str_eq_nocase(name, STR("etag")))
        keep(&a->etag, value);
    else if (str_eq_nocase(name, STR("last-modified")))
        keep(&a->last_modified, value);
    else if (str_eq_nocase(name, STR("content-length")) && !a->has_length)
        a->has_length = str_u64(value, &a->length);
    else if (str_eq_nocase(name, STR("content-range")) && !a->has_range)
        content_range(a, value);
    else if (str_eq_nocase(name, STR("content-encoding")))
        content_encoding(a, value);
    else if (str_eq_nocase(name, STR("retry-after")) && !a->retry_after_s)
        retry_after(a, value, now);
}

void answer_clear(struct answer *a)
{
    free(a->location);
    free(a->content_type);
    free(a->etag);
    free(a->last_modified);
    *a = (struct answer){0};
}
