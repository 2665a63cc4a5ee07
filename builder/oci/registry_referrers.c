/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"
#include "registry_parts.h"

enum {
    WRITERS_TRIES = 100, /* others may write the same tag at the same time; each try, one is done */
    PAGES_MAX = 100,
};

/* distribution-spec, "Referrers Tag Schema". */
static void fallback_tag(struct buf *out, const struct digest *subject)
{
    char hex[DIGEST_HEX + 1];

    digest_hex(subject, hex);
    buf_fmt(out, "sha256-%s", hex);
}

static int read_fallback(struct buf *out, char **etag, struct registry *r,
                         const struct digest *subject, struct err *e)
{
    CLEANUP(buf_clear) struct buf tag = {0};
    struct digest digest;
    bool found;

    fallback_tag(&tag, subject);
    if (registry_manifest_etag(&found, out, &digest, etag, r, buf_view(&tag), e) < 0)
        return -1;
    if (found && !image_is_index(buf_view(out)))
        return err_set(e, ERR_NET, "%s: the tag %s is no index of referrers", r->name, tag.p);
    return 0;
}

/* Where the next page is, of `<...>; rel="next"`; empty: this was the last. */
static struct str next_link(const char *link)
{
    struct str rest = str_of(link ? link : ""), url;

    if (!str_skip(&rest, STR("<")) || !str_cut(&rest, STR(">"), &url) ||
        str_find_str(rest, STR("next")) == rest.len)
        return (struct str){0};
    return url;
}

struct pages VEC_OF(struct image_index);

static void pages_clear(struct pages *pages)
{
    for (size_t i = 0; i < pages->n; i++)
        image_index_clear(&pages->v[i]);
    vec_clear(pages);
}

/* All pages as one index. */
static void join(struct buf *out, const struct pages *pages)
{
    struct image_index all = {0};
    const struct image_index *page;
    const struct descriptor *d;

    vec_each(page, pages)
        vec_each(d, &page->manifests)
            vec_add(&all.manifests, *d);
    image_index_write(&all, out);
    vec_clear(&all.manifests); /* what they hold is the pages' */
}

/* What knows no such list may have a page for people in its place. */
static bool is_list(const struct call_whole *w)
{
    const char *type = w->answer.content_type;

    return w->status != 404 && w->status != 405 &&
           !(type && str_starts(str_of(type), STR("text/")));
}

/* The page at `url`, which becomes the address of the next one, or empty. *has: false where the
 * registry has no such list at all. */
static int read_page(bool *has, struct pages *pages, struct buf *url, struct registry *r,
                     const char *what, struct err *e)
{
    CLEANUP(call_whole_clear) struct call_whole w = {.limit = IMAGE_DOC_MAX};
    CLEANUP(buf_clear) struct buf link = {0}, next = {0};
    const char *bad;

    w.ask = (struct call_ask){.method = "GET", .url = buf_view(url)};
    if (registry_run(r, &w, RIGHT_PULL, (struct str){0}, e) < 0)
        return -1;
    *has = pages->n || is_list(&w);
    if (!*has)
        return 0;
    if (w.status != 200)
        return registry_fault(r, what, w.status, buf_view(&w.body), e);
    if (image_index_parse(vec_push(pages), buf_view(&w.body), NULL, "referrers", e) < 0)
        return err_wrap(e, "%s", r->name);
    buf_str(&link, next_link(w.answer.link));
    bad = link.len ? call_location(&next, buf_view(url), link.p) : NULL;
    if (bad)
        return err_set(e, ERR_NET, "%s: %s: the next page: %s", r->name, what, bad);
    MOVE(url, &next);
    return 0;
}

int registry_referrers(struct buf *out, struct registry *r, const struct digest *subject,
                       struct err *e)
{
    CLEANUP(pages_clear) struct pages pages = {0};
    CLEANUP(buf_clear) struct buf url = {0}, path = {0};
    char text[DIGEST_TEXT + 1];
    bool has = true;

    digest_text(subject, text);
    buf_fmt(&path, "referrers/%s", text);
    if (registry_url(&url, r, path.p, e) < 0)
        return -1;
    while (has && url.len) {
        if (pages.n == PAGES_MAX)
            return err_set(e, ERR_NET, "%s: %s: the registry's list does not end after %d pages",
                           r->name, path.p, PAGES_MAX);
        if (read_page(&has, &pages, &url, r, path.p, e) < 0)
            return -1;
    }
    if (!pages.n)
        return read_fallback(out, NULL, r, subject, e);
    join(out, &pages);
    return 0;
}

static bool is_listed(const struct image_index *index, const struct digest *digest)
{
    const struct descriptor *d;

    vec_each(d, &index->manifests)
        if (digest_eq(&d->digest, digest))
            return true;
    return false;
}

/* One reading and, if it is not listed yet, one writing. *listed: nothing was left to do. */
static int add_once(bool *listed, struct registry *r, const struct digest *subject,
                    const struct descriptor *d, struct err *e)
{
    CLEANUP(image_index_clear) struct image_index index = {0};
    CLEANUP(buf_clear) struct buf before = {0}, after = {0}, tag = {0}, condition = {0};
    CLEANUP(free_clear) char *etag = NULL;

    if (read_fallback(&before, &etag, r, subject, e) < 0 ||
        (before.len && image_index_parse(&index, buf_view(&before), NULL, "referrers", e) < 0))
        return -1;
    *listed = is_listed(&index, &d->digest);
    if (*listed)
        return 0;
    vec_add(&index.manifests, *d);
    image_index_write(&index, &after);
    index.manifests.n--; /* its annotations are the caller's */
    fallback_tag(&tag, subject);
    if (!before.len)
        buf_puts(&condition, "If-None-Match: *");
    else if (etag)
        buf_fmt(&condition, "If-Match: %s", etag);
    return registry_put_if(r, buf_view(&tag), STR(MEDIA_INDEX), buf_view(&after),
                           condition.len ? condition.p : NULL, e);
}

/* Until it is seen there: another writer may have put an index without it. */
int registry_add_referrer(struct registry *r, const struct digest *subject,
                          const struct descriptor *d, struct err *e)
{
    bool listed = false;

    for (unsigned tries = 0; tries < WRITERS_TRIES && !listed; tries++)
        if (add_once(&listed, r, subject, d, e) < 0)
            return -1;
    return listed
               ? 0
               : err_set(e, ERR_NET,
                         "%s: others write the list of referrers all the time; try again", r->name);
}
