/* What a client of `serve` sends: a path leads to a name and a digest of the grammar or nowhere, a
 * range lies in what there is, a host that is written into a page has nothing that would end a word
 * of a shell or a tag, a password is all that was said behind a user. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "io/crypto.h"
#include "oci/ref.h"
#include "serve/gate.h"
#include "serve/page.h"
#include "serve/range.h"
#include "serve/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_route(struct str path)
{
    struct route r = route_parse(path);

    switch (r.kind) {
    case ROUTE_NONE:
    case ROUTE_PING:
    case ROUTE_CATALOG:
        assert(!r.name.len && !r.tag.len && !digest_is_set(&r.digest));
        break;
    case ROUTE_MANIFEST:
        assert(r.tag.len ? ref_tag_ok(r.tag) : str_has(path, ':'));
        assert(ref_path_ok(r.name));
        break;
    case ROUTE_BLOB:
    case ROUTE_REFERRERS:
    case ROUTE_TAGS:
        assert(ref_path_ok(r.name) && !r.tag.len);
        break;
    }
    assert(r.kind == ROUTE_NONE || route_is_registry(path));
}

static void check_range(struct str header, uint64_t size)
{
    uint64_t from, len;

    switch (range_parse(header, size, &from, &len)) {
    case RANGE_ALL:
        assert(from == 0 && len == size);
        break;
    case RANGE_PART:
        assert(len > 0 && from < size && len <= size - from);
        break;
    case RANGE_OUTSIDE:
        break;
    }
}

static void check_password(struct str header)
{
    CLEANUP(buf_clear) struct buf said = {0}, both = {0}, again = {0}, same = {0};

    if (!gate_password(&said, header)) {
        assert(!said.len);
        return;
    }
    buf_fmt(&both, ":");
    buf_str(&both, buf_view(&said));
    buf_puts(&again, "Basic ");
    base64_encode(&again, both.p, both.len, false);
    assert(gate_password(&same, buf_view(&again)) && str_eq(buf_view(&same), buf_view(&said)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t sizes[] = {0, 1, 1000, 5ull << 30, UINT64_MAX};
    const struct str text = {(const char *)data, size};
    const struct str own = STR("192.168.1.7:5000"), host = page_host(text, own);

    check_route(text);
    check_password(text);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        check_range(text, sizes[i]);
    for (size_t i = 0; i < host.len; i++)
        assert(!str_has(STR("<>&\"' $`\\;|()\n\r"), host.p[i]));
    (void)page_wants_chinese(text);
    return 0;
}
