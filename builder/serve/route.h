/* serve/route.h - what a path asks for. Pure. The registry's paths are those of distribution-spec
 * 1.1, "Endpoints"; what only writes there is no path of ours. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/digest.h"

enum route_kind {
    ROUTE_NONE,
    ROUTE_PING,      /* /v2/ */
    ROUTE_CATALOG,   /* /v2/_catalog */
    ROUTE_MANIFEST,  /* /v2/NAME/manifests/TAG|DIGEST */
    ROUTE_BLOB,      /* /v2/NAME/blobs/DIGEST */
    ROUTE_TAGS,      /* /v2/NAME/tags/list */
    ROUTE_REFERRERS, /* /v2/NAME/referrers/DIGEST */
};

struct route {
    enum route_kind kind;
    struct str name;      /* of the repository; borrowed from the path */
    struct str tag;       /* of a manifest; empty: it is named by its digest */
    struct digest digest; /* all-zero with a tag */
    const char *fault; /* ROUTE_NONE: the code of the registry's error, "NAME_INVALID"; or NULL */
};

/* `path` is decoded, and has no query. */
struct route route_parse(struct str path);
/* Is it one of the registry's? Then errors are told in its form. */
bool route_is_registry(struct str path);
