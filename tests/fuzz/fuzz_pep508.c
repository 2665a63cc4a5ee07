/* A requirement that parses prints to one that parses and prints the same, and its marker, where it
 * can be evaluated, says the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pkg/pypi/pep508.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct marker_env env = {STR_INIT("3.11.2"), STR_INIT("x86_64")};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static int judge(const struct marker *m, const char *extra)
{
    struct err e = {0};
    bool yes;
    int rc = marker_eval(m, &env, str_of(extra), &yes, &e);

    require((rc < 0) == err_is_set(&e));
    err_clear(&e);
    return rc < 0 ? -1 : yes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    struct requirement r = {0}, back = {0};
    struct buf text = {0}, again = {0};
    struct err e = {0};

    if (requirement_parse(&r, &a, (struct str){(const char *)data, size}, &e) == 0) {
        requirement_print(&text, &r, true);
        require(requirement_parse(&back, &a, buf_view(&text), &e) == 0);
        requirement_print(&again, &back, true);
        require(str_eq(buf_view(&text), buf_view(&again)));
        require(str_eq(r.name, back.name) && r.extras.n == back.extras.n);
        require(judge(r.marker, "") == judge(back.marker, ""));
        require(judge(r.marker, "x") == judge(back.marker, "x"));
    } else {
        require(err_is_set(&e));
    }
    err_clear(&e);
    requirement_clear(&r);
    requirement_clear(&back);
    buf_clear(&text);
    buf_clear(&again);
    arena_clear(&a);
    return 0;
}
