/* SPDX-License-Identifier: Apache-2.0 */
#include <libxml/HTMLparser.h>
#include "../../base/dotted.h"
#include "../../base/path.h"
#include "../../doc/pull.h"
#include "../../net/url.h"
#include "simple.h"

/* The version of the API that is understood (PyPA simple-repository-api). */
enum { API_MAJOR = 1 };

struct reading {
    struct simple_page *page;
    struct str base; /* what relative links are joined to */
    struct err *e;
};

static bool is_plain_name(struct str name)
{
    return path_is_safe(name) && !str_has(name, '/') && !str_has(name, '\\');
}

static int check_api(const struct reading *r, struct str version)
{
    struct str major = dotted_first(version, 1);
    uint64_t n;

    if (!str_u64(str_trim(major), &n) || n > API_MAJOR)
        return err_set(r->e, ERR_INPUT,
                       "the index speaks version \"" STR_FMT "\" of its interface; known is %d",
                       STR_ARG(version), API_MAJOR);
    return 0;
}

/* Set the address from a link; its fragment may hold the hash. False when it is no address. */
static bool set_url(const struct reading *r, struct simple_file *f, struct str link)
{
    CLEANUP(buf_clear) struct buf joined = {0};
    CLEANUP(err_clear) struct err unused = {0}; /* one bad link does not spoil a page */
    struct str url, fragment;

    if (url_join(&joined, r->base, link, &unused) < 0)
        return false;
    fragment = buf_view(&joined);
    if (!str_cut(&fragment, STR("#"), &url)) {
        url = fragment;
        fragment = (struct str){0};
    }
    if (!digest_is_set(&f->digest) && str_skip(&fragment, STR("sha256=")))
        digest_from_hex(&f->digest, str_sub(fragment, 0, str_find(fragment, '&')));
    f->url = arena_str(&r->page->arena, url);
    return true;
}

/* ---- PEP 691 ---- */

/* What a page says of one file, before it is judged. */
struct member {
    struct str name, url, hash, requires_python, yanked_reason, size, metadata_hash, uploaded;
    bool yanked, has_metadata, told_metadata;
};

/* {"sha256": "..."} among other algorithms. */
static void read_hash(struct pull *p, struct str *sha256)
{
    struct str key, value;

    while (pull_key(p, &key))
        if (pull_text(p, &value) && str_is(key, "sha256"))
            *sha256 = value;
}

/* true, false, or a map of hashes. "core-metadata" counts more than its older name. */
static void read_metadata_member(struct pull *p, struct member *m, bool older)
{
    bool yes = false;

    if (older && m->told_metadata) {
        pull_skip(p);
        return;
    }
    m->metadata_hash = (struct str){0};
    m->told_metadata |= !older;
    m->has_metadata = pull_map(p);
    if (m->has_metadata)
        read_hash(p, &m->metadata_hash);
    else if (pull_bool(p, &yes))
        m->has_metadata = yes;
}

static void read_yanked(struct pull *p, struct member *m)
{
    if (pull_kind(p) == NODE_STRING)
        m->yanked = pull_text(p, &m->yanked_reason);
    else if (!pull_bool(p, &m->yanked))
        m->yanked = false;
}

static void read_member(struct pull *p, struct member *m, struct str key)
{
    if (str_is(key, "filename"))
        (void)pull_text(p, &m->name);
    else if (str_is(key, "url"))
        (void)pull_text(p, &m->url);
    else if (str_is(key, "hashes") && pull_map(p))
        read_hash(p, &m->hash);
    else if (str_is(key, "requires-python"))
        (void)pull_text(p, &m->requires_python);
    else if (str_is(key, "core-metadata"))
        read_metadata_member(p, m, false);
    else if (str_is(key, "dist-info-metadata"))
        read_metadata_member(p, m, true);
    else if (str_is(key, "yanked"))
        read_yanked(p, m);
    else if (str_is(key, "upload-time")) /* PEP 700 */
        (void)pull_text(p, &m->uploaded);
    else if (str_is(key, "size"))
        (void)pull_number(p, &m->size);
    else
        pull_skip(p);
}

static void add_file(const struct reading *r, const struct member *m)
{
    struct arena *a = &r->page->arena;
    struct simple_file f = {.yanked = m->yanked, .has_metadata = m->has_metadata};

    if (!is_plain_name(m->name) || !m->url.p)
        return;
    digest_from_hex(&f.digest, m->hash);
    digest_from_hex(&f.metadata_digest, m->metadata_hash);
    if (!set_url(r, &f, m->url))
        return;
    if (!str_u64(m->size, &f.size))
        f.size = 0;
    f.name = arena_str(a, m->name);
    f.requires_python = arena_str(a, m->requires_python);
    f.yanked_reason = arena_str(a, m->yanked_reason);
    f.uploaded = arena_str(a, m->uploaded);
    vec_add(&r->page->files, f);
}

static void read_files(const struct reading *r, struct pull *p)
{
    while (pull_item(p)) {
        struct member m = {0};
        struct str key;

        if (!pull_map(p)) {
            pull_skip(p);
            continue;
        }
        while (pull_key(p, &key))
            read_member(p, &m, key);
        if (!p->fault)
            add_file(r, &m);
    }
}

static void read_meta(struct pull *p, struct str *version)
{
    struct str key, value;

    while (pull_key(p, &key))
        if (pull_text(p, &value) && str_is(key, "api-version"))
            *version = value;
}

static int read_json(const struct reading *r, struct str body)
{
    CLEANUP(arena_clear) struct arena scratch = {0};
    struct str key, version = {0};
    bool has_files = false;
    struct pull p;

    pull_open(&p, body, &scratch);
    if (!pull_map(&p))
        pull_skip(&p);
    else
        while (pull_key(&p, &key)) {
            if (str_is(key, "files") && pull_list(&p)) {
                has_files = true;
                read_files(r, &p);
            } else if (str_is(key, "meta") && pull_map(&p)) {
                read_meta(&p, &version);
            } else {
                pull_skip(&p);
            }
        }
    if (pull_end(&p, "index page", r->e) < 0)
        return -1;
    if (version.p && check_api(r, version) < 0)
        return -1;
    if (!has_files)
        return err_set(r->e, ERR_INPUT, "the index page has no list of files");
    return 0;
}

/* ---- PEP 503 ---- */

/* The text of an attribute, until the document is freed; empty p when there is none. */
static struct str attribute(const xmlNode *n, const char *name)
{
    for (const xmlAttr *a = n->properties; a; a = a->next)
        if (!strcmp((const char *)a->name, name))
            return a->children && a->children->content ? str_of((const char *)a->children->content)
                                                       : STR("");
    return (struct str){0};
}

static void read_metadata_attribute(struct simple_file *f, struct str text)
{
    f->has_metadata = text.p && !str_is(text, "false");
    if (str_skip(&text, STR("sha256=")))
        digest_from_hex(&f->metadata_digest, text);
}

static void read_anchor(const struct reading *r, const xmlNode *n)
{
    CLEANUP(buf_clear) struct buf name = {0};
    CLEANUP(err_clear) struct err unused = {0}; /* a link to something else than a file */
    struct str metadata = attribute(n, "data-core-metadata"), link = attribute(n, "href");
    struct str yanked = attribute(n, "data-yanked");
    struct simple_file f = {0};

    if (!link.p || !set_url(r, &f, str_trim(link)) || url_file_name(&name, f.url, &unused) < 0 ||
        !is_plain_name(buf_view(&name)))
        return;
    f.name = arena_str(&r->page->arena, buf_view(&name));
    f.requires_python = arena_str(&r->page->arena, str_trim(attribute(n, "data-requires-python")));
    read_metadata_attribute(&f, metadata.p ? metadata : attribute(n, "data-dist-info-metadata"));
    f.yanked = yanked.p != NULL;
    f.yanked_reason = arena_str(&r->page->arena, yanked);
    vec_add(&r->page->files, f);
}

static bool is_element(const xmlNode *n, const char *name)
{
    return n->type == XML_ELEMENT_NODE && !strcmp((const char *)n->name, name);
}

static int read_element(struct reading *r, const xmlNode *n)
{
    if (is_element(n, "a")) {
        read_anchor(r, n);
    } else if (is_element(n, "base")) {
        CLEANUP(buf_clear) struct buf joined = {0};
        CLEANUP(err_clear) struct err unused = {0}; /* a bad base leaves the page's own address */

        if (url_join(&joined, r->base, attribute(n, "href"), &unused) == 0)
            r->base = arena_str(&r->page->arena, buf_view(&joined));
    } else if (is_element(n, "meta") && str_is(attribute(n, "name"), "pypi:repository-version")) {
        return check_api(r, attribute(n, "content"));
    }
    return 0;
}

/* The next node in the order of the text; pages nest as deep as they like, so no recursion. */
static const xmlNode *next_node(const xmlNode *n)
{
    if (n->children && n->type == XML_ELEMENT_NODE)
        return n->children;
    while (n && !n->next)
        n = n->parent;
    return n ? n->next : NULL;
}

static void free_html(htmlDocPtr *doc)
{
    if (*doc)
        xmlFreeDoc(*doc);
}

static int read_html(struct reading *r, struct str body)
{
    const int how = HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                    HTML_PARSE_NONET | HTML_PARSE_COMPACT;
    CLEANUP(free_html) htmlDocPtr doc = NULL;

    if (!str_trim(body).len)
        return 0;
    if (body.len <= INT32_MAX)
        doc = htmlReadMemory(body.p, (int)body.len, NULL, "UTF-8", how);
    if (!doc)
        return err_set(r->e, ERR_INPUT, "the index page cannot be read as HTML");
    for (const xmlNode *n = doc->children; n; n = next_node(n))
        if (read_element(r, n) < 0)
            return -1;
    return 0;
}

/* JSON, HTML, or neither; an index on a disk has no Content-Type, so its first byte tells. */
static int is_json(const struct reading *r, struct str type, struct str body, bool *out)
{
    struct str known[] = {STR("application/vnd.pypi.simple.v1+json"), STR("application/json"),
                          STR("application/vnd.pypi.simple.v1+html"), STR("text/html")};

    type = str_trim(str_sub(type, 0, str_find(type, ';')));
    body = str_trim_left(body);
    *out = !type.len && body.len && body.p[0] == '{';
    if (!type.len)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        *out = i < 2;
        if (str_eq_nocase(type, known[i]))
            return 0;
    }
    return err_set(r->e, ERR_INPUT,
                   "the index answers in \"" STR_FMT "\"; known are the JSON and HTML of the "
                   "simple API, version 1",
                   STR_ARG(type));
}

static bool is_local(struct str url)
{
    return str_eq_nocase(str_sub(url, 0, 5), STR("file:"));
}

/* What a server says must not make us read files of this machine. */
static int refuse_local(const struct simple_page *page, struct err *e)
{
    const struct simple_file *f;

    vec_each(f, &page->files)
        if (is_local(f->url))
            return err_set(e, ERR_INPUT,
                           "the index page links \"" STR_FMT
                           "\" to a file of this machine; only an "
                           "index that is itself a folder here may do that",
                           STR_ARG(f->name));
    return 0;
}

int simple_parse(struct simple_page *out, struct str body, struct str content_type, struct str url,
                 struct err *e)
{
    CLEANUP(simple_clear) struct simple_page page = {0};
    struct reading r = {.page = &page, .base = url, .e = e};
    bool json;

    if (is_json(&r, content_type, body, &json) < 0 ||
        (json ? read_json(&r, body) : read_html(&r, body)) < 0 ||
        (!is_local(url) && refuse_local(&page, e) < 0))
        return -1;
    MOVE(out, &page);
    return 0;
}

void simple_clear(struct simple_page *page)
{
    vec_clear(&page->files);
    arena_clear(&page->arena);
}
