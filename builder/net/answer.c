/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"

#include <stdlib.h>

#include "../base/date.h"

static void retry_after(struct answer *a, struct str value, int64_t now)
{
    size_t digits = 0;
    int64_t when;

    while (digits < value.len && c_digit(value.p[digits]))
        digits++;
    if (value.len && digits == value.len)
        a->retry_after_s = str_u32(value, &a->retry_after_s) ? a->retry_after_s : UINT32_MAX;
    else if (date_parse_mail(&when, value) && when > now)
        a->retry_after_s = when - now > UINT32_MAX ? UINT32_MAX : (uint32_t)(when - now);
}

/* "bytes 0-99/1234", or with a star for the size. */
static void content_range(struct answer *a, struct str value)
{
    struct str unit, first, last;
    uint64_t from, to, total = 0;

    if (!str_cut(&value, STR(" "), &unit) || !str_eq_nocase(unit, STR("bytes")))
        return;
    if (!str_cut(&value, STR("-"), &first) || !str_cut(&value, STR("/"), &last))
        return;
    if (!str_u64(first, &from) || !str_u64(last, &to) || to < from || to == UINT64_MAX)
        return;
    if (!str_is(value, "*") && (!str_u64(value, &total) || total <= to))
        return;
    a->has_range = true;
    a->first = from;
    a->last = to;
    a->total = total;
}

static void content_encoding(struct answer *a, struct str value)
{
    if (str_eq_nocase(value, STR("gzip")) || str_eq_nocase(value, STR("x-gzip")))
        a->gzipped = true;
    else if (value.len && !str_eq_nocase(value, STR("identity")))
        a->encoded = true;
}

static void keep(char **slot, struct str value)
{
    if (!*slot && value.len)
        *slot = str_dup(value);
}

static void add_challenge(struct answer *a, struct str value)
{
    struct buf all = {0};

    if (a->challenges)
        buf_fmt(&all, "%s, ", a->challenges);
    buf_str(&all, value);
    free(a->challenges);
    a->challenges = buf_take(&all);
}

/* What registries alone say. */
static void registry_line(struct answer *a, struct str name, struct str value)
{
    if (str_eq_nocase(name, STR("www-authenticate")) && value.len)
        add_challenge(a, value);
    else if (str_eq_nocase(name, STR("docker-content-digest")))
        keep(&a->digest, value);
    else if (str_eq_nocase(name, STR("oci-subject")))
        keep(&a->subject, value);
    else if (str_eq_nocase(name, STR("range")))
        keep(&a->range, value);
    else if (str_eq_nocase(name, STR("link")))
        keep(&a->link, value);
    else if (str_eq_nocase(name, STR("oci-chunk-min-length")) && !a->chunk_min &&
             !str_u64(value, &a->chunk_min))
        a->chunk_min = 0;
}

void answer_line(struct answer *a, struct str line, int64_t now)
{
    struct str name, value = str_trim(line);

    if (!str_cut(&value, STR(":"), &name))
        return;
    value = str_trim(value);
    if (str_eq_nocase(name, STR("location")))
        keep(&a->location, value);
    else if (str_eq_nocase(name, STR("content-type")))
        keep(&a->content_type, value);
    else if (str_eq_nocase(name, STR("etag")))
        keep(&a->etag, value);
    else if (str_eq_nocase(name, STR("last-modified")))
        keep(&a->last_modified, value);
    else if (str_eq_nocase(name, STR("content-length")) && !a->has_length)
        a->has_length = str_u64(value, &a->length);
    else if (str_eq_nocase(name, STR("content-range")) && !a->has_range)
        content_range(a, value);
    else if (str_eq_nocase(name, STR("content-encoding")))
        content_encoding(a, value);
    else if (str_eq_nocase(name, STR("retry-after")) && !a->retry_after_s)
        retry_after(a, value, now);
    else
        registry_line(a, name, value);
}

void answer_clear(struct answer *a)
{
    free(a->location);
    free(a->content_type);
    free(a->etag);
    free(a->last_modified);
    free(a->challenges);
    free(a->digest);
    free(a->subject);
    free(a->range);
    free(a->link);
    *a = (struct answer){0};
}
