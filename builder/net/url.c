/* SPDX-License-Identifier: Apache-2.0 */
#include "url.h"

static int bad(struct str text, struct err *e, const char *why)
{
    CLEANUP(buf_clear) struct buf shown = {0};

    url_show(&shown, text);
    return err_set(e, ERR_INPUT, "\"%s\" is not a usable address: %s", shown.p ? shown.p : "", why);
}

static bool is_plain(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] <= ' ' || text.p[i] > '~')
            return false;
    return true;
}

static struct str rest_of(struct str text, size_t from)
{
    return str_sub(text, from, text.len - from);
}

/* Cut text at the first `sep`; what is behind it goes to *tail, whose p stays NULL without one. */
static struct str cut_tail(struct str text, char sep, struct str *tail)
{
    size_t at = str_find(text, sep);

    *tail = (struct str){0};
    if (at < text.len)
        *tail = rest_of(text, at + 1);
    return str_sub(text, 0, at);
}

/* Length of the scheme in front of ":", 0 when there is none. */
static size_t scheme_len(struct str text)
{
    size_t i = 0;

    if (!text.len || !c_alpha(text.p[0]))
        return 0;
    while (i < text.len && (c_alnum(text.p[i]) || (text.p[i] && strchr("+-.", text.p[i]))))
        i++;
    return i < text.len && text.p[i] == ':' ? i : 0;
}

static bool host_is_good(struct str host)
{
    if (host.len > 2 && host.p[0] == '[') {
        for (size_t i = 1; i < host.len - 1; i++)
            if (!c_alnum(host.p[i]) && host.p[i] != ':' && host.p[i] != '.')
                return false;
        return host.p[host.len - 1] == ']';
    }
    for (size_t i = 0; i < host.len; i++)
        if (!c_alnum(host.p[i]) && !strchr("-._", host.p[i]))
            return false;
    return host.len > 0 && host.len <= 255;
}

/* "host", "host:port", "[::1]:port" */
static bool split_port(struct url *u, struct str authority)
{
    struct str port = {0};
    size_t end = authority.len && authority.p[0] == '[' ? str_find(authority, ']') : 0;
    size_t colon = end + str_find(rest_of(authority, end), ':');
    uint32_t number;

    u->host = str_sub(authority, 0, colon);
    if (colon < authority.len)
        port = rest_of(authority, colon + 1);
    if (!port.len)
        return true;
    if (port.len > 5 || !str_u32(port, &number) || number == 0 || number > 65535)
        return false;
    u->port = (uint16_t)number;
    return true;
}

static int parse_authority(struct url *u, struct str text, struct str authority, struct err *e)
{
    size_t at = authority.len;

    while (at && authority.p[at - 1] != '@')
        at--;
    if (at) {
        u->userinfo = str_sub(authority, 0, at - 1);
        authority = rest_of(authority, at);
    }
    if (!split_port(u, authority))
        return bad(text, e, "its port is not a number from 1 to 65535");
    if (url_is_file(u)) {
        if (u->userinfo.p || (u->host.len && !str_eq_nocase(u->host, STR("localhost"))))
            return bad(text, e, "a file address names no host");
        u->host = (struct str){0};
        u->port = 0;
        return 0;
    }
    if (!host_is_good(u->host))
        return bad(text, e, "it has no proper host name");
    return 0;
}

int url_parse(struct url *out, struct str text, struct err *e)
{
    struct url u = {0};
    struct str rest;
    size_t slash;

    if (text.len > URL_MAX)
        return bad(str_sub(text, 0, 80), e, "it is longer than 8192 bytes");
    if (!is_plain(text))
        return bad(text, e, "it has spaces, control characters or bytes that are not ASCII");
    u.scheme = str_sub(text, 0, scheme_len(text));
    u.port = url_is_https(&u) ? 443 : 80;
    if (!url_is_https(&u) && !url_is_file(&u) && !str_eq_nocase(u.scheme, STR("http")))
        return bad(text, e, "it begins with none of https://, http://, file://");
    rest = cut_tail(rest_of(text, u.scheme.len + 1), '#', &u.fragment);
    rest = cut_tail(rest, '?', &u.query);
    if (!str_skip(&rest, STR("//")))
        return bad(text, e, "\"//\" must follow the scheme");
    slash = str_find(rest, '/');
    u.path = rest_of(rest, slash);
    if (parse_authority(&u, text, str_sub(rest, 0, slash), e) < 0)
        return -1;
    *out = u;
    return 0;
}

bool url_is_https(const struct url *u)
{
    return str_eq_nocase(u->scheme, STR("https"));
}

bool url_is_file(const struct url *u)
{
    return str_eq_nocase(u->scheme, STR("file"));
}

bool url_host_is_loopback(struct str host)
{
    struct str part;
    uint32_t number;

    if (str_eq_nocase(host, STR("localhost")) || str_is(host, "[::1]"))
        return true;
    if (!str_starts(host, STR("127.")))
        return false;
    for (unsigned i = 0; i < 4; i++)
        if (!str_item(&host, '.', &part) || !str_u32(part, &number) || number > 255)
            return false;
    return !host.len;
}

bool url_same_origin(const struct url *a, const struct url *b)
{
    return str_eq_nocase(a->scheme, b->scheme) && str_eq_nocase(a->host, b->host) &&
           a->port == b->port;
}

/* RFC 3986, 5.2.4, appended. `path` is empty or begins with "/"; the result always does. */
static void remove_dots(struct buf *out, struct str path)
{
    size_t start = out->len;
    struct str part, rest = path;
    bool folder = true; /* the last part was a dot segment, so the path ends in "/" */

    str_skip(&rest, STR("/"));
    while (str_item(&rest, '/', &part)) {
        folder = str_is(part, ".") || str_is(part, "..");
        if (str_is(part, "..")) {
            while (out->len > start && out->p[--out->len] != '/')
                ;
        } else if (!folder) {
            buf_putc(out, '/');
            buf_str(out, part);
        }
    }
    if (folder)
        buf_putc(out, '/');
    if (out->p)
        out->p[out->len] = '\0';
}

static void join_path(struct buf *out, const struct url *base, struct str path)
{
    CLEANUP(buf_clear) struct buf merged = {0};
    size_t keep = base->path.len;

    if (path.p[0] != '/') {
        while (keep && base->path.p[keep - 1] != '/')
            keep--;
        buf_str(&merged, str_sub(base->path, 0, keep));
        if (!keep)
            buf_putc(&merged, '/');
    }
    buf_str(&merged, path);
    remove_dots(out, buf_view(&merged));
}

static int join_relative(struct buf *out, struct str base, struct str ref, struct err *e)
{
    struct url b;
    struct str path, query, fragment;

    if (url_parse(&b, base, e) < 0)
        return -1;
    path = cut_tail(ref, '#', &fragment);
    path = cut_tail(path, '?', &query);
    buf_str(out, b.scheme);
    if (str_skip(&path, STR("//"))) {
        buf_puts(out, "://");
        buf_str(out, path);
    } else {
        buf_str(out, str_sub(base, b.scheme.len, (size_t)(b.path.p - base.p) - b.scheme.len));
        if (path.len)
            join_path(out, &b, path);
        else
            buf_str(out, b.path);
        if (!path.len && !query.p)
            query = b.query;
    }
    if (query.p) {
        buf_putc(out, '?');
        buf_str(out, query);
    }
    if (fragment.p) {
        buf_putc(out, '#');
        buf_str(out, fragment);
    }
    return 0;
}

int url_join(struct buf *out, struct str base, struct str ref, struct err *e)
{
    CLEANUP(buf_clear) struct buf joined = {0};
    struct url u;

    ref = str_trim(ref);
    if (!is_plain(ref))
        return bad(ref, e, "it has spaces, control characters or bytes that are not ASCII");
    if (scheme_len(ref))
        buf_str(&joined, ref);
    else if (join_relative(&joined, base, ref, e) < 0)
        return -1;
    if (url_parse(&u, buf_view(&joined), e) < 0)
        return -1;
    buf_str(out, buf_view(&joined));
    return 0;
}

static int hex_value(char c)
{
    if (c_digit(c))
        return c - '0';
    c = c_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int url_decode(struct buf *out, struct str text, struct err *e)
{
    for (size_t i = 0; i < text.len; i++) {
        int high, low;

        if (text.p[i] != '%') {
            buf_putc(out, text.p[i]);
            continue;
        }
        high = i + 2 < text.len ? hex_value(text.p[i + 1]) : -1;
        low = i + 2 < text.len ? hex_value(text.p[i + 2]) : -1;
        if (high < 0 || low < 0 || (high == 0 && low == 0))
            return bad(text, e, "it has a broken percent escape");
        buf_putc(out, (char)(high << 4 | low));
        i += 2;
    }
    return 0;
}

int url_file_name(struct buf *out, struct str url, struct err *e)
{
    CLEANUP(buf_clear) struct buf name = {0};
    struct str last, path;
    struct url u;

    if (url_parse(&u, url, e) < 0)
        return -1;
    path = u.path;
    if (!str_cut_last(&path, STR("/"), &last) || url_decode(&name, last, e) < 0)
        return err_is_set(e) ? -1 : bad(url, e, "it names no file");
    last = buf_view(&name);
    if (!last.len || str_is(last, ".") || str_is(last, ".."))
        return bad(url, e, "it names no file");
    for (size_t i = 0; i < last.len; i++)
        if ((unsigned char)last.p[i] < ' ' || last.p[i] == 0x7f || last.p[i] == '/' ||
            last.p[i] == '\\')
            return bad(url, e, "its file name has a slash, backslash or control character");
    buf_str(out, last);
    return 0;
}

void url_show(struct buf *out, struct str url)
{
    struct str shown = url, tail, authority;
    size_t begin = str_find_str(url, STR("://")), at;
    bool query;

    shown = cut_tail(shown, '#', &tail);
    shown = cut_tail(shown, '?', &tail);
    query = tail.p;
    begin = begin < shown.len ? begin + 3 : 0;
    authority = rest_of(shown, begin);
    at = str_find(authority, '/');
    while (at && authority.p[at - 1] != '@')
        at--;
    for (size_t i = 0; i < shown.len; i++) {
        if (i >= begin && i < begin + at)
            continue;
        buf_putc(out, shown.p[i] > ' ' && shown.p[i] <= '~' ? shown.p[i] : '?');
    }
    if (query)
        buf_puts(out, "?...");
}

void url_of_path(struct buf *out, struct str path)
{
    buf_puts(out, "file://");
    for (size_t i = 0; i < path.len; i++)
        if (c_alnum(path.p[i]) || str_has(STR("/-._~+@:,=!$&'()*"), path.p[i]))
            buf_putc(out, path.p[i]);
        else
            buf_fmt(out, "%%%02X", (unsigned)(unsigned char)path.p[i]);
}

void url_without_userinfo(struct buf *out, struct str url)
{
    CLEANUP(err_clear) struct err unused = {0}; /* an odd address is used as it is */
    struct url parts;
    size_t at;

    if (url_parse(&parts, url, &unused) < 0 || !parts.userinfo.len) {
        buf_str(out, url);
        return;
    }
    at = (size_t)(parts.userinfo.p - url.p);
    buf_add(out, url.p, at);
    buf_str(out, str_sub(url, at + parts.userinfo.len + 1, url.len));
}
