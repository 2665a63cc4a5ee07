/* SPDX-License-Identifier: Apache-2.0 */
#include "route.h"

#include "../oci/ref.h"

bool route_is_registry(struct str path)
{
    return str_is(path, "/v2") || str_starts(path, STR("/v2/"));
}

static struct route wrong(const char *fault)
{
    return (struct route){.fault = fault};
}

/* NAME/VERB/WHAT; NAME has slashes of its own. */
static struct route in_repository(struct str rest)
{
    static const struct {
        const char *verb;
        enum route_kind kind;
    } verbs[] = {{"manifests", ROUTE_MANIFEST},
                 {"blobs", ROUTE_BLOB},
                 {"tags", ROUTE_TAGS},
                 {"referrers", ROUTE_REFERRERS}};
    struct route r = {0};
    struct str what, verb;

    if (!str_cut_last(&rest, STR("/"), &what) || !str_cut_last(&rest, STR("/"), &verb))
        return r;
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (str_is(verb, verbs[i].verb))
            r.kind = verbs[i].kind;
    if (r.kind == ROUTE_NONE || (r.kind == ROUTE_TAGS && !str_is(what, "list")))
        return (struct route){0};
    if (!ref_path_ok(rest))
        return wrong("NAME_INVALID");
    r.name = rest;
    if (r.kind == ROUTE_MANIFEST && ref_tag_ok(what))
        r.tag = what;
    else if (r.kind != ROUTE_TAGS && !digest_from_text(&r.digest, what))
        return wrong("DIGEST_INVALID");
    return r;
}

struct route route_parse(struct str path)
{
    if (str_is(path, "/v2/") || str_is(path, "/v2"))
        return (struct route){.kind = ROUTE_PING};
    if (str_is(path, "/v2/_catalog"))
        return (struct route){.kind = ROUTE_CATALOG};
    return str_skip(&path, STR("/v2/")) ? in_repository(path) : (struct route){0};
}
