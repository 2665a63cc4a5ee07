/* Whatever an index page holds: names of files are plain, addresses parse and have no fragment, and
 * a page of what was read, printed as HTML, reads back the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "net/url.h"
#include "pkg/pypi/simple.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct str base = STR_INIT("https://i.test/simple/a/");

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_file(const struct simple_file *f)
{
    struct err e = {0};
    struct url u;

    require(f->name.len && !str_has(f->name, '/') && !str_is(f->name, ".."));
    require(url_parse(&u, f->url, &e) == 0 && !u.fragment.p);
}

/* Addresses hold no quote, sign of markup or "&" that means more here: only those are printed. */
static bool prints(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (strchr("\"<>&'", s.p[i]))
            return false;
    return true;
}

static void check_back(const struct simple_page *page)
{
    struct simple_page back = {0};
    const struct simple_file *f;
    struct buf text = {0};
    struct err e = {0};
    size_t n = 0;

    vec_each(f, &page->files)
        if (prints(f->url))
            buf_fmt(&text, "<a href=\"" STR_FMT "\">x</a>", STR_ARG(f->url));
    require(simple_parse(&back, buf_view(&text), STR("text/html"), base, &e) == 0);
    vec_each(f, &page->files) {
        CLEANUP(buf_clear) struct buf name = {0};

        if (!prints(f->url) || url_file_name(&name, f->url, &e) < 0) {
            err_clear(&e);
            continue;
        }
        require(n < back.files.n && str_eq(back.files.v[n].url, f->url));
        n++;
    }
    require(n == back.files.n);
    simple_clear(&back);
    buf_clear(&text);
}

static void check(struct str body, const char *type)
{
    struct simple_page page = {0};
    struct err e = {0};
    const struct simple_file *f;

    if (simple_parse(&page, body, str_of(type), base, &e) == 0) {
        vec_each(f, &page.files)
            check_file(f);
        check_back(&page);
    } else {
        require(err_is_set(&e) && !page.files.n);
    }
    err_clear(&e);
    simple_clear(&page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str body = {(const char *)data, size};

    check(body, "application/vnd.pypi.simple.v1+json");
    check(body, "text/html");
    return 0;
}
