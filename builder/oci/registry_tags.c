/* SPDX-License-Identifier: Apache-2.0 */
#include "../doc/json.h"
#include "image.h"
#include "registry_parts.h"

enum { PAGES_MAX = 1000, PAGE_MAX = 16 << 20 };

static int take_page(struct names *out, struct registry *r, struct str body, struct err *e)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    const struct node *n, *list;

    if (json_parse(&doc, body, PAGE_MAX, "list of tags", e) < 0)
        return err_wrap(e, "%s", r->name);
    list = node_get(doc.root, "tags"); /* null: there is none */
    node_each(n, list) {
        CLEANUP(free_clear) char *tag = str_dup(n->text);

        names_add(out, tag);
    }
    return 0;
}

/* `</v2/name/tags/list?last=x>; rel="next"`: the address of the next page goes to *url. */
static bool next_page(struct buf *url, const char *link)
{
    CLEANUP(buf_clear) struct buf next = {0};
    CLEANUP(free_clear) char *target = NULL;
    struct str rest = str_of(link), before, address;

    if (!str_cut(&rest, STR("<"), &before) || !str_cut(&rest, STR(">"), &address) ||
        str_find_str(rest, STR("next")) == rest.len)
        return false;
    target = str_dup(address);
    if (call_location(&next, buf_view(url), target))
        return false;
    buf_reset(url);
    buf_str(url, buf_view(&next));
    return true;
}

int registry_tags(struct names *out, struct registry *r, struct err *e)
{
    CLEANUP(buf_clear) struct buf url = {0};

    if (registry_url(&url, r, "tags/list?n=1000", e) < 0)
        return -1;
    for (unsigned pages = 0; pages < PAGES_MAX; pages++) {
        CLEANUP(call_whole_clear) struct call_whole w = {.limit = PAGE_MAX};
        CLEANUP(buf_clear) struct buf here = {0};

        buf_str(&here, buf_view(&url));
        w.ask = (struct call_ask){.method = "GET", .url = buf_view(&here)};
        if (registry_run(r, &w, RIGHT_PULL, (struct str){0}, e) < 0)
            return -1;
        if (w.status != 200)
            return registry_fault(r, "list of tags", w.status, buf_view(&w.body), e);
        if (take_page(out, r, buf_view(&w.body), e) < 0)
            return -1;
        if (!w.answer.link || !next_page(&url, w.answer.link))
            return 0;
    }
    return err_set(e, ERR_NET, "%s: the list of tags has no end", r->name);
}
