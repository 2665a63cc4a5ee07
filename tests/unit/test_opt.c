/* cmd/opt.c: every form of an option, and every mistake. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cmd/opt.h"

enum { WORDS_MAX = 8 };

struct values {
    bool all, long_only;
    const char *output;
    struct strs gpus;
    uint32_t jobs;
    int64_t age;
};

static const struct opt *table(struct opt out[7], struct values *v)
{
    const struct opt opts[] = {
        {'a', "all", NULL, "everything", opt_flag, &v->all},
        {0, "long-only", NULL, "has no letter", opt_flag, &v->long_only},
        {'o', "output", "DEST", "where it goes", opt_str, &v->output},
        {'g', "gpu", "NAME", "one of several", opt_add, &v->gpus},
        {'j', "jobs", "N", "at once", opt_u32, &v->jobs},
        {0, "older", "AGE", "than that", opt_age, &v->age},
        {0},
    };

    memcpy(out, opts, sizeof opts);
    return out;
}

/* Parse `line`, whose words stand between blanks; the operands that are left as text. */
static int parse(struct values *v, const char *line, struct buf *left, struct err *e)
{
    char text[256], *argv[WORDS_MAX + 1] = {0};
    struct str rest = str_of(line), word;
    struct opt opts[7];
    int argc = 0;
    size_t at = 0;

    while (str_word(&rest, &word)) {
        argv[argc++] = text + at;
        memcpy(text + at, word.p, word.len);
        text[at + word.len] = '\0';
        at += word.len + 1;
    }
    if (opt_parse(table(opts, v), &argc, argv, e) < 0)
        return -1;
    buf_puts(left, "");
    for (int i = 0; i < argc; i++)
        buf_fmt(left, "%s%s", i ? " " : "", argv[i]);
    return 0;
}

static void options_stand_wherever_they_like(void **state)
{
    static const struct {
        const char *line, *left, *output;
        uint32_t jobs;
        bool all, long_only;
    } cases[] = {
        {"x -a y", "x y", NULL, 0, true, false},
        {"--all --long-only x", "x", NULL, 0, true, true},
        {"x -o 1 -j 2", "x", "1", 2, false, false},
        {"-o1 -j2 x", "x", "1", 2, false, false},
        {"-aj2 x", "x", NULL, 2, true, false},
        {"-aoj2 x", "x", "j2", 0, true, false},
        {"--output=1 --jobs=2", "", "1", 2, false, false},
        {"--output --all", "", "--all", 0, false, false}, /* a value may look like an option */
        {"--output=a=b", "", "a=b", 0, false, false},
        {"--output 1 --output 2", "", "2", 0, false, false}, /* the last counts */
        {"-a -- -o --", "-o --", NULL, 0, true, false},
        {"-", "-", NULL, 0, false, false}, /* an operand */
        {"", "", NULL, 0, false, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf left = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct values v = {0};

        if (parse(&v, cases[i].line, &left, &e) < 0)
            fail_msg("\"%s\": %s", cases[i].line, e.msg);
        assert_string_equal(left.p, cases[i].left);
        assert_string_equal(v.output ? v.output : "none",
                            cases[i].output ? cases[i].output : "none");
        assert_int_equal(v.jobs, cases[i].jobs);
        assert_int_equal(v.all, cases[i].all);
        assert_int_equal(v.long_only, cases[i].long_only);
    }
}

static void an_option_of_a_list_comes_again(void **state)
{
    CLEANUP(buf_clear) struct buf left = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct values v = {0};

    assert_int_equal(parse(&v, "-g A --gpu=B -gC", &left, &e), 0);
    assert_int_equal(v.gpus.n, 3);
    vec_clear(&v.gpus);
}

static void mistakes_are_told(void **state)
{
    static const char *const cases[][2] = {
        {"--outptu x", "--outptu is not an option here; did you mean --output?"},
        {"--zzzzzz", "--zzzzzz is not an option here; --help lists them"},
        {"-z", "-z is not an option here; --help lists them"},
        {"-az", "-z is not an option here; --help lists them"},
        {"--all=yes", "--all takes no value"},
        {"--output", "--output needs a value: DEST"},
        {"-o", "-o needs a value: DEST"},
        {"-ao", "-o needs a value: DEST"},
        {"--output=", "--output: is empty"},
        {"-j 0", "-j: \"0\" is not a number from 1 to 1024"},
        {"--jobs=1025", "--jobs: \"1025\" is not a number from 1 to 1024"},
        {"--jobs=-1", "--jobs: \"-1\" is not a number from 1 to 1024"},
        {"--jobs=2x", "--jobs: \"2x\" is not a number from 1 to 1024"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf left = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct values v = {0};

        assert_int_equal(parse(&v, cases[i][0], &left, &e), -1);
        assert_int_equal(e.kind, ERR_USAGE);
        assert_string_equal(e.msg, cases[i][1]);
        assert_null(e.next);
    }
}

static void help_is_made_from_the_table(void **state)
{
    CLEANUP(buf_clear) struct buf out = {0};
    struct values v = {0};
    struct opt opts[7];

    opt_help(table(opts, &v), &out);
    assert_string_equal(out.p, "  -a, --all                everything\n"
                               "      --long-only          has no letter\n"
                               "  -o, --output DEST        where it goes\n"
                               "  -g, --gpu NAME           one of several\n"
                               "  -j, --jobs N             at once\n"
                               "      --older AGE          than that\n");
}

static void ages_have_a_unit(void **state)
{
    static const struct {
        const char *line;
        int64_t seconds; /* 0: refused */
    } cases[] = {
        {"--older 12h", 12 * 3600}, {"--older 30d", 30 * 86400},
        {"--older=4w", 28 * 86400}, {"--older 30", 0},
        {"--older d", 0},           {"--older 0d", 0},
        {"--older 1.5d", 0},        {"--older -1d", 0},
        {"--older 10001w", 0},      {"--older 30 d", 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf left = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct values v = {0};

        assert_int_equal(parse(&v, cases[i].line, &left, &e), cases[i].seconds ? 0 : -1);
        assert_int_equal(v.age, cases[i].seconds);
        assert_int_equal(e.kind, cases[i].seconds ? ERR_NONE : ERR_USAGE);
    }
}

static void long_help_is_broken_before_column_80(void **state)
{
    CLEANUP(buf_clear) struct buf out = {0};
    const struct opt opts[] = {
        {0, "check", NULL,
         "write nothing and list what is newer in words that need two lines, at least", opt_flag,
         NULL},
        {0, "a-name-as-long-as-this-one", "VALUE", "x", opt_str, NULL},
        {0},
    };
    struct str rest, line;

    opt_help(opts, &out);
    rest = buf_view(&out);
    while (str_line(&rest, &line))
        assert_true(line.len <= 80);
    assert_string_equal(
        out.p, "      --check              write nothing and list what is newer in words that\n"
               "                           need two lines, at least\n"
               "      --a-name-as-long-as-this-one VALUE x\n");
    buf_reset(&out);
    opt_wrap(&out, STR(""), 4);
    assert_string_equal(out.p, "\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ages_have_a_unit),
        cmocka_unit_test(options_stand_wherever_they_like),
        cmocka_unit_test(an_option_of_a_list_comes_again),
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(help_is_made_from_the_table),
        cmocka_unit_test(long_help_is_broken_before_column_80),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
