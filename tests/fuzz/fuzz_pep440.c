/* A version that parses prints to one that is equal and prints the same; the order of two versions
 * is one; a specifier set that parses prints to one that matches the same. The input is two
 * versions and a set, apart by line ends. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pkg/pypi/pep440.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_version(const struct pep440 *v)
{
    struct buf text = {0}, again = {0};
    struct pep440 back;

    pep440_print(&text, v);
    require(pep440_parse(&back, buf_view(&text)));
    require(pep440_cmp(v, &back) == 0 && pep440_is_pre(v) == pep440_is_pre(&back));
    pep440_print(&again, &back);
    require(str_eq(buf_view(&text), buf_view(&again)));
    buf_clear(&text);
    buf_clear(&again);
}

static void check_set(struct str text, const struct pep440 *v)
{
    struct specifiers set = {0}, back = {0};
    struct buf printed = {0};
    struct str bad = {0};

    if (!specifiers_parse(&set, text, &bad)) {
        require(bad.len && !set.n);
        return;
    }
    specifiers_print(&printed, &set);
    require(specifiers_parse(&back, buf_view(&printed), &bad) && back.n == set.n);
    require(specifiers_match(&set, v) == specifiers_match(&back, v));
    require(specifiers_want_pre(&set) == specifiers_want_pre(&back));
    specifiers_clear(&set);
    specifiers_clear(&back);
    buf_clear(&printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size}, first = {0}, second = {0};
    struct pep440 a, b;
    bool one, two;

    str_line(&text, &first);
    str_line(&text, &second);
    one = pep440_parse(&a, first);
    two = pep440_parse(&b, second);
    if (one)
        check_version(&a);
    if (one && two)
        require((pep440_cmp(&a, &b) < 0) == (pep440_cmp(&b, &a) > 0));
    if (one)
        check_set(text, &a);
    return 0;
}
