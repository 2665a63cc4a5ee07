/* SPDX-License-Identifier: Apache-2.0 */
#include <libxml/HTMLparser.h>
#include "../../base/path.h"
#include "../../doc/json.h"
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
    struct str major = str_sub(version, 0, str_find(version, '.'));
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

static bool text_of(const struct node *map, const char *key, struct str *out)
{
    const struct node *n = node_get(map, key);

    if (!n || n->kind != NODE_STRING)
        return false;
    *out = n->text;
    return true;
}

/* true, false, or a map of hashes. */
static void read_metadata_member(struct simple_file *f, const struct node *n)
{
    struct str hex;

    f->has_metadata = n->kind == NODE_MAP || (n->kind == NODE_BOOL && n->boolean);
    if (text_of(n, "sha256", &hex))
        digest_from_hex(&f->metadata_digest, hex);
}

static void read_yanked(const struct reading *r, struct simple_file *f, const struct node *n)
{
    f->yanked = n->kind == NODE_STRING || (n->kind == NODE_BOOL && n->boolean);
    if (n->kind == NODE_STRING)
        f->yanked_reason = arena_str(&r->page->arena, n->text);
}

static void read_file(const struct reading *r, const struct node *n)
{
    const struct node *metadata = node_get(n, "core-metadata");
    const struct node *yanked = node_get(n, "yanked"), *size = node_get(n, "size");
    struct simple_file f = {0};
    struct str name, url, text;

    if (!text_of(n, "filename", &name) || !is_plain_name(name) || !text_of(n, "url", &url))
        return;
    if (text_of(node_get(n, "hashes"), "sha256", &text))
        digest_from_hex(&f.digest, text);
    if (!set_url(r, &f, url))
        return;
    f.name = arena_str(&r->page->arena, name);
    if (text_of(n, "requires-python", &text))
        f.requires_python = arena_str(&r->page->arena, text);
    if (!metadata)
        metadata = node_get(n, "dist-info-metadata");
    if (metadata)
        read_metadata_member(&f, metadata);
    if (yanked)
        read_yanked(r, &f, yanked);
    if (size && (size->kind != NODE_NUMBER || !str_u64(size->text, &f.size)))
        f.size = 0;
    vec_add(&r->page->files, f);
}

static int read_json(const struct reading *r, struct str body)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    const struct node *files, *n;
    struct str version;

    if (json_parse(&doc, body, body.len, "index page", r->e) < 0)
        return -1;
    if (text_of(node_get(doc.root, "meta"), "api-version", &version) && check_api(r, version) < 0)
        return -1;
    files = node_get(doc.root, "files");
    if (!files || files->kind != NODE_LIST)
        return err_set(r->e, ERR_INPUT, "the index page has no list of files");
    node_each(n, files)
        read_file(r, n);
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

int simple_parse(struct simple_page *out, struct str body, struct str content_type, struct str url,
                 struct err *e)
{
    CLEANUP(simple_clear) struct simple_page page = {0};
    struct reading r = {.page = &page, .base = url, .e = e};
    bool json;

    if (is_json(&r, content_type, body, &json) < 0 ||
        (json ? read_json(&r, body) : read_html(&r, body)) < 0)
        return -1;
    MOVE(out, &page);
    return 0;
}

void simple_clear(struct simple_page *page)
{
    vec_clear(&page->files);
    arena_clear(&page->arena);
}
