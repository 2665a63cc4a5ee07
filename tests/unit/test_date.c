/* base/date.c: the calendar at its edges, and the two ways in which a date is written. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <cmocka.h>

#include "base/date.h"

static const struct {
    int64_t seconds;
    const char *text;
} both_ways[] = {
    {0, "1970-01-01T00:00:00Z"},
    {-1, "1969-12-31T23:59:59Z"},
    {951782400, "2000-02-29T00:00:00Z"},
    {1709251199, "2024-02-29T23:59:59Z"},
    {1709251200, "2024-03-01T00:00:00Z"},
    {1738169985, "2025-01-29T16:59:45Z"},
    {4107542399, "2100-02-28T23:59:59Z"},
    {4107542400, "2100-03-01T00:00:00Z"},
    {253402300799, "9999-12-31T23:59:59Z"},
    {-62167219200, "0000-01-01T00:00:00Z"},
    {-62162035201, "0000-02-29T23:59:59Z"},
};

static void dates_print_and_parse(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(both_ways); i++) {
        CLEANUP(buf_clear) struct buf text = {0};
        int64_t seconds;

        date_print(&text, both_ways[i].seconds);
        assert_string_equal(text.p, both_ways[i].text);
        assert_true(date_parse(&seconds, str_of(both_ways[i].text)));
        assert_int_equal(seconds, both_ways[i].seconds);
    }
}

/* The C library's calendar is the judge. */
static void every_day_is_the_c_librarys(void **state)
{
    for (int64_t day = -719528; day <= 2932896; day += day > -60000 && day < 90000 ? 1 : 89) {
        time_t t = (time_t)(day * 86400 + 45296);
        struct tm tm;
        struct date d = date_of(t);

        gmtime_r(&t, &tm);
        if (d.year != tm.tm_year + 1900 || d.month != (unsigned)tm.tm_mon + 1 ||
            d.day != (unsigned)tm.tm_mday || d.hour != 12 || d.minute != 34 || d.second != 56)
            fail_msg("day %lld is %lld-%u-%u", (long long)day, (long long)d.year, d.month, d.day);
        assert_int_equal(date_seconds(&d), t);
        assert_true(date_is_valid(&d));
    }
}

static void days_that_the_calendar_lacks_are_refused(void **state)
{
    static const struct date cases[] = {
        {.year = 2025, .month = 2, .day = 29},
        {.year = 2100, .month = 2, .day = 29},
        {.year = 2000, .month = 2, .day = 30},
        {.year = 2025, .month = 4, .day = 31},
        {.year = 2025, .month = 0, .day = 1},
        {.year = 2025, .month = 13, .day = 1},
        {.year = 2025, .month = 1, .day = 0},
        {.year = 2025, .month = 12, .day = 32},
        {.year = 2025, .month = 1, .day = 1, .hour = 24},
        {.year = 2025, .month = 1, .day = 1, .minute = 60},
        {.year = 2025, .month = 1, .day = 1, .second = 61},
        {.year = 2025, .month = 1, .day = UINT32_MAX},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (date_is_valid(&cases[i]))
            fail_msg("case %zu is valid", i);
}

/* Zip archives carry such days, and layers keep the time that came of them. */
static void days_behind_a_months_end_are_counted_on(void **state)
{
    struct date april = {.year = 2025, .month = 4, .day = 31},
                may = {.year = 2025, .month = 5, .day = 1};

    assert_int_equal(date_seconds(&april), date_seconds(&may));
}

static void offsets_and_fractions_are_read(void **state)
{
    static const char *const same[] = {"2025-01-29T16:59:45Z",
                                       "2025-01-29t18:59:45.123456789+02:00",
                                       "2025-01-29T11:59:45-05:00", "2025-01-29T16:58:105Z"};
    int64_t seconds;

    for (size_t i = 0; i < 3; i++) {
        assert_true(date_parse(&seconds, str_of(same[i])));
        assert_int_equal(seconds, 1738169985);
    }
    assert_false(date_parse(&seconds, str_of(same[3])));
    assert_true(date_parse(&seconds, STR("2016-12-31T23:59:60Z")));
    assert_int_equal(seconds, 1483228800);
}

static void what_is_no_date_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "2025-01-29",
        "2025-02-29T00:00:00Z",
        "2025-13-01T00:00:00Z",
        "2025-00-01T00:00:00Z",
        "2025-01-29T24:00:00Z",
        "2025-01-29T00:00:00",
        "2025-01-29 00:00:00Z",
        "2025-01-29T00:00:00.Z",
        "2025-01-29T00:00:00+24:00",
        "2025-01-29T00:00:00Zx",
        "+025-01-29T00:00:00Z",
    };
    int64_t seconds;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(date_parse(&seconds, str_of(bad[i])));
}

static void dates_of_http_and_apt_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds; /* by `date -u -d`; -1: no date */
    } cases[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Thu, 01 Jan 1970 00:00:00 UTC", 0},
        {"Sat, 07 Jun 2025 09:21:34 UTC", 1749288094},
        {"Sat, 7 Jun 2025 09:21:34 +0000", 1749288094},
        {"Thu, 29 Feb 2024 23:59:59 GMT", 1709251199},
        {"Fri, 01 Mar 2024 00:00:00 UTC", 1709251200},
        {"Sun, 28 Feb 2100 23:59:59 UTC", 4107542399},
        {"Mon, 01 Mar 2100 00:00:00 UTC", 4107542400},
        {"Tue, 31 Dec 2100 00:00:00 GMT", 4133894400},
        {"Fri, 31 Dec 9999 23:59:59 UTC", 253402300799},
        {"", -1},
        {"Sat, 07 Jun 2025 09:21:34", -1},
        {"Sat, 07 Jun 2025 09:21:34 CET", -1},
        {"Sat, 07 Jun 2025 09:21:34 +0200", -1},
        {"Sat, 07 Jun 2025 24:21:34 UTC", -1},
        {"Sat, 07 Jun 2025 09:60:34 UTC", -1},
        {"Sat, 07 Jun 2025 09:21 UTC", -1},
        {"Sat, 07 Jum 2025 09:21:34 UTC", -1},
        {"Sat, 07 JunJul 2025 09:21:34 UTC", -1},
        {"Sat, 00 Jun 2025 09:21:34 UTC", -1},
        {"Sat, 31 Jun 2025 09:21:34 UTC", -1},
        {"Sat, 29 Feb 2025 09:21:34 UTC", -1},
        {"Sat, 07 Jun 1969 09:21:34 UTC", -1},
        {"Sat, 07 Jun 10000 09:21:34 UTC", -1},
        {"07 Jun 2025 09:21:34 UTC", -1},
        {"Sat, 07 Jun 2025 09:21:34 UTC x", -1},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t t = -1;

        assert_int_equal(date_parse_mail(&t, str_of(cases[i].text)), cases[i].seconds >= 0);
        if (t != cases[i].seconds)
            fail_msg("%s is %lld", cases[i].text, (long long)t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_print_and_parse),
        cmocka_unit_test(every_day_is_the_c_librarys),
        cmocka_unit_test(days_that_the_calendar_lacks_are_refused),
        cmocka_unit_test(days_behind_a_months_end_are_counted_on),
        cmocka_unit_test(offsets_and_fractions_are_read),
        cmocka_unit_test(what_is_no_date_is_refused),
        cmocka_unit_test(dates_of_http_and_apt_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
