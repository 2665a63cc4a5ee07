/* An address that parses joins with itself and with "" to one that parses to the same parts; what
 * is joined or shown is printable; a file name never climbs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "net/answer.h"
#include "net/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_printable(const struct buf *b)
{
    for (size_t i = 0; i < b->len; i++)
        require(b->p[i] > ' ' && b->p[i] <= '~');
}

static void check_join(struct str base, struct str ref)
{
    struct buf joined = {0}, again = {0};
    struct err e = {0};
    struct url u;

    if (url_join(&joined, base, ref, &e) == 0) {
        check_printable(&joined);
        require(url_parse(&u, buf_view(&joined), &e) == 0);
        require(url_join(&again, base, buf_view(&joined), &e) == 0);
        require(str_eq(buf_view(&joined), buf_view(&again)));
    } else {
        require(!joined.len && err_is_set(&e));
    }
    err_clear(&e);
    buf_clear(&joined);
    buf_clear(&again);
}

static void check_one(struct str text)
{
    struct buf shown = {0}, name = {0};
    struct answer answer = {0};
    struct err e = {0};
    struct url u, v;

    url_show(&shown, text);
    check_printable(&shown);
    if (url_parse(&u, text, &e) == 0) {
        require(url_same_origin(&u, &u));
        require(url_parse(&v, buf_view(&shown), &e) == 0 && url_same_origin(&u, &v));
        require(!v.userinfo.len && !v.fragment.p);
    }
    if (url_file_name(&name, text, &e) == 0)
        require(name.len && !strchr(name.p, '/') && strcmp(name.p, "..") != 0);
    answer_line(&answer, text, 0);
    require(!answer.has_range || answer.first <= answer.last);
    answer_clear(&answer);
    err_clear(&e);
    buf_clear(&shown);
    buf_clear(&name);
}

/* The input is a base and a reference, apart by a line end. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size}, base;

    check_one(text);
    if (str_cut(&text, STR("\n"), &base)) {
        check_one(base);
        check_join(base, text);
    }
    return 0;
}
