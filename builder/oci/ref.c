/* SPDX-License-Identifier: Apache-2.0 */
#include "ref.h"

#include "../base/path.h"

static bool lower_alnum(char c)
{
    return c_digit(c) || (c >= 'a' && c <= 'z');
}

/* The separator at the front of `s` may be ".", "_", "__" or any number of "-"; its length, or 0.
 */
static size_t path_separator(struct str s)
{
    size_t n = 0;

    if (s.len && s.p[0] == '.')
        return 1;
    if (s.len && s.p[0] == '_')
        return s.len > 1 && s.p[1] == '_' ? 2 : 1;
    while (n < s.len && s.p[n] == '-')
        n++;
    return n;
}

static bool path_component_ok(struct str s)
{
    while (s.len && lower_alnum(s.p[0])) {
        size_t n = 1;

        while (n < s.len && lower_alnum(s.p[n]))
            n++;
        s = str_sub(s, n, s.len);
        if (!s.len)
            return true;
        n = path_separator(s);
        if (!n)
            return false;
        s = str_sub(s, n, s.len);
    }
    return false;
}

bool ref_path_ok(struct str path)
{
    struct str head;

    if (path.len > REF_NAME_MAX)
        return false;
    while (str_cut(&path, STR("/"), &head))
        if (!path_component_ok(head))
            return false;
    return path_component_ok(path);
}

bool ref_tag_ok(struct str tag)
{
    if (!tag.len || tag.len > REF_TAG_MAX || tag.p[0] == '.' || tag.p[0] == '-')
        return false;
    for (size_t i = 0; i < tag.len; i++)
        if (!c_alnum(tag.p[i]) && tag.p[i] != '_' && tag.p[i] != '.' && tag.p[i] != '-')
            return false;
    return true;
}

static bool port_ok(struct str port)
{
    uint32_t n;

    return port.len <= 5 && str_u32(port, &n) && n >= 1 && n <= 65535;
}

/* Labels of letters, digits and inner dashes. */
static bool host_name_ok(struct str name)
{
    struct str label;
    bool more = true;

    while (more) {
        more = str_cut(&name, STR("."), &label);
        if (!more)
            label = name;
        if (!label.len || label.p[0] == '-' || label.p[label.len - 1] == '-')
            return false;
        for (size_t i = 0; i < label.len; i++)
            if (!c_alnum(label.p[i]) && label.p[i] != '-')
                return false;
    }
    return true;
}

/* "[::1]" without a look at the order of its groups: whoever connects finds out. */
static bool host_ipv6_ok(struct str s)
{
    if (s.len < 4 || s.p[0] != '[' || s.p[s.len - 1] != ']')
        return false;
    for (size_t i = 1; i + 1 < s.len; i++)
        if (!c_digit(s.p[i]) && s.p[i] != ':' &&
            !(c_lower(s.p[i]) >= 'a' && c_lower(s.p[i]) <= 'f'))
            return false;
    return true;
}

bool ref_host_ok(struct str host)
{
    struct str name = host, port;
    bool ipv6 = host.len && host.p[0] == '[';

    if (host.len > REF_NAME_MAX)
        return false;
    if (!(ipv6 && str_ends(host, STR("]"))) && str_cut_last(&name, STR(":"), &port) &&
        !port_ok(port))
        return false;
    return ipv6 ? host_ipv6_ok(name) : host_name_ok(name);
}

static bool ref_name_separator(char c)
{
    return c == '-' || c == '.' || c == '_' || c == ':' || c == '@' || c == '+';
}

/* image-spec, annotations.md: letters and digits joined by one of "-._:@+" or by "--". */
bool ref_name_ok(struct str name)
{
    bool joint = true; /* a letter or digit must follow */

    if (name.len > REF_NAME_MAX + 1 + REF_TAG_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.p[i];

        if (c_alnum(c)) {
            joint = false;
            continue;
        }
        if (joint || (c != '/' && !ref_name_separator(c)))
            return false;
        if (c == '-' && i + 1 < name.len && name.p[i + 1] == '-')
            i++;
        joint = true;
    }
    return !joint;
}

static int parse_digest(struct digest *out, struct str text, struct err *e)
{
    if (digest_from_text(out, text) &&
        digest_is_set(out)) /* all zeros would name none, see ref.h */
        return 0;
    return err_set(e, ERR_INPUT,
                   "\"" STR_FMT "\" is not a digest; it reads sha256: and 64 lower-case hex digits",
                   STR_ARG(text));
}

static int parse_name(struct ref *ref, struct str name, struct err *e)
{
    struct str path = name, host = {0};

    if (str_cut(&path, STR("/"), &host) &&
        (str_has(host, '.') || str_has(host, ':') || str_is(host, "localhost"))) {
        if (!ref_host_ok(host))
            return err_set(e, ERR_INPUT, "\"" STR_FMT "\" is not a host name with an optional port",
                           STR_ARG(host));
        ref->host = str_dup(host);
    } else {
        path = name;
    }
    if (!ref_path_ok(path) || name.len > REF_NAME_MAX)
        return err_set(e, ERR_INPUT,
                       "\"" STR_FMT
                       "\" is not an image name; it holds a-z, 0-9, single . and _, and -"
                       " between them, parts joined by /, at most %d characters",
                       STR_ARG(path), REF_NAME_MAX);
    ref->path = str_dup(path);
    return 0;
}

int ref_parse(struct ref *out, struct str text, struct err *e)
{
    CLEANUP(ref_clear) struct ref ref = {0};
    struct str name, rest = text, tag = {0}, last = text;

    if (str_cut(&rest, STR("@"), &name)) {
        if (parse_digest(&ref.digest, rest, e) < 0)
            return -1;
    } else {
        name = text;
    }
    last = name;
    while (str_cut(&last, STR("/"), &rest))
        ;
    if (str_cut(&last, STR(":"), &rest)) {
        tag = last;
        name.len -= tag.len + 1;
        if (!ref_tag_ok(tag))
            return err_set(e, ERR_INPUT,
                           "\"" STR_FMT
                           "\" is not a tag; it holds A-Z, a-z, 0-9, _, . and -, at most"
                           " %d characters, and starts with no . or -",
                           STR_ARG(tag), REF_TAG_MAX);
        ref.tag = str_dup(tag);
    }
    if (parse_name(&ref, name, e) < 0)
        return -1;
    MOVE(out, &ref);
    return 0;
}

int ref_parse_stored(struct ref *out, struct str text, struct err *e)
{
    CLEANUP(ref_clear) struct ref ref = {0};
    struct str path;

    if (ref_parse(&ref, text, e) < 0)
        return -1;
    path = str_of(ref.path);
    if (!ref.host && !str_has(path, '/') && (str_has(path, '.') || str_is(path, "localhost")))
        return err_set(e, ERR_INPUT,
                       "\"" STR_FMT "\" is a registry without an image; write HOST/NAME or "
                       "HOST/NAME:TAG",
                       STR_ARG(text));
    MOVE(out, &ref);
    return 0;
}

static void print_digest(const struct ref *ref, struct buf *out)
{
    char text[DIGEST_TEXT + 1];

    if (!digest_is_set(&ref->digest))
        return;
    digest_text(&ref->digest, text);
    buf_fmt(out, "@%s", text);
}

char *ref_repository(const struct ref *ref)
{
    return ref->host ? path_join(ref->host, ref->path) : xstrdup(ref->path);
}

void ref_print_full(const struct ref *ref, struct buf *out)
{
    buf_fmt(out, "%s/", ref->host ? ref->host : "docker.io");
    if (!ref->host && !str_has(str_of(ref->path), '/'))
        buf_puts(out, "library/");
    buf_puts(out, ref->path);
    if (ref->tag)
        buf_fmt(out, ":%s", ref->tag);
    else if (!digest_is_set(&ref->digest))
        buf_puts(out, ":latest");
    print_digest(ref, out);
}

void ref_clear(struct ref *ref)
{
    free(ref->host);
    free(ref->path);
    free(ref->tag);
    *ref = (struct ref){0};
}
