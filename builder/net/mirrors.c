/* SPDX-License-Identifier: Apache-2.0 */
#include "http_parts.h"

/* The rule of the longest prefix, or NULL. */
static const struct http_mirrors *rule_of(const struct http *http, struct str url)
{
    const struct http_mirrors *rule, *best = NULL;

    if (http->o.rules)
        vec_each(rule, http->o.rules)
            if (str_starts(url, rule->prefix) && (!best || rule->prefix.len > best->prefix.len))
                best = rule;
    return best;
}

unsigned http_places(const struct http *http, struct str url)
{
    const struct http_mirrors *rule = rule_of(http, url);

    return rule ? (unsigned)rule->mirrors.n + 1 : 1;
}

static bool is_down(const struct http *http, struct str mirror)
{
    for (size_t i = 0; i < http->down.n; i++)
        if (http->down.v[i].p == mirror.p)
            return true;
    return false;
}

bool at_mirror(const struct exchange *x)
{
    return x->place + 1 < http_places(x->http, x->r->url);
}

void go_to_place(struct exchange *x)
{
    const struct http_mirrors *rule = rule_of(x->http, x->r->url);
    struct str rest = x->r->url;
    struct buf url = {0};

    while (at_mirror(x) && is_down(x->http, rule->mirrors.v[x->place]))
        x->place++;
    if (at_mirror(x)) {
        str_skip(&rest, rule->prefix);
        buf_str(&url, rule->mirrors.v[x->place]);
    }
    buf_str(&url, rest);
    free(x->url);
    x->url = buf_take(&url);
    x->hops = 0;
}

void mirror_is_down(struct exchange *x)
{
    vec_add(&x->http->down, rule_of(x->http, x->r->url)->mirrors.v[x->place]);
}
