/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"
#include "registry_parts.h"

enum { WRITERS_TRIES = 10 }; /* others may write the same tag at the same time */

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

int registry_referrers(struct buf *out, struct registry *r, const struct digest *subject,
                       struct err *e)
{
    CLEANUP(call_whole_clear) struct call_whole w = {.limit = IMAGE_DOC_MAX};
    CLEANUP(buf_clear) struct buf url = {0}, path = {0};
    char text[DIGEST_TEXT + 1];

    digest_text(subject, text);
    buf_fmt(&path, "referrers/%s", text);
    if (registry_url(&url, r, path.p, e) < 0)
        return -1;
    w.ask = (struct call_ask){.method = "GET", .url = buf_view(&url)};
    if (registry_run(r, &w, RIGHT_PULL, (struct str){0}, e) < 0)
        return -1;
    if (w.status == 200) {
        buf_str(out, buf_view(&w.body));
        return 0;
    }
    if (w.status == 404 || w.status == 405)
        return read_fallback(out, NULL, r, subject, e);
    return registry_fault(r, path.p, w.status, buf_view(&w.body), e);
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
    CLEANUP(buf_clear) struct buf before = {0}, after = {0}, tag = {0};
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
    return registry_put_if(r, buf_view(&tag), STR(MEDIA_INDEX), buf_view(&after), etag, e);
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
