/* An address that is taken gives git no option, no program and no password, and is taken again when
 * it is put together anew. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/path.h"
#include "pkg/pypi/git_ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check(const struct git_ref *r)
{
    struct buf again = {0};
    struct git_ref second;
    struct err e = {0};
    struct str host = str_sub(r->url, str_find_str(r->url, STR("://")) + 3, r->url.len);

    require(git_ref_may_fetch(r->url, true));
    require(!host.len || host.p[0] != '-');
    require(!str_has(r->url, ' ') && !str_has(r->url, '\n'));
    require(!r->ref.len || (r->ref.p[0] != '-' && git_ref_is_name(r->ref)));
    require(!r->folder.len || path_is_safe(r->folder));
    buf_fmt(&again, "git+" STR_FMT, STR_ARG(r->url));
    if (r->ref.len)
        buf_fmt(&again, "@" STR_FMT, STR_ARG(r->ref));
    if (r->folder.len)
        buf_fmt(&again, "#subdirectory=" STR_FMT, STR_ARG(r->folder));
    require(git_ref_parse(&second, buf_view(&again), &e) == 0);
    require(str_eq(second.url, r->url) && str_eq(second.ref, r->ref));
    require(str_eq(second.folder, r->folder));
    err_clear(&e);
    buf_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct git_ref r;
    struct err e = {0};

    if (git_ref_parse(&r, text, &e) == 0)
        check(&r);
    else
        require(e.kind == ERR_INPUT);
    err_clear(&e);
    return 0;
}
