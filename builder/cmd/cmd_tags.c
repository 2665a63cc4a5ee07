/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/date.h"
#include "../model/lock_diff.h"
#include "../out/published.h"
#include "output.h"
#include "session.h"

static void put_digest(struct doc *d, struct node *map, const char *key,
                       const struct digest *digest)
{
    char text[DIGEST_TEXT + 1];

    digest_text(digest, text);
    node_put_str(d, map, key, str_of(text));
}

/* ---- for people ---- */

static void print_changes(struct buf *out, const struct lock *old, const struct lock *now)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct str rest, line;

    lock_diff_print(&text, old, now);
    for (rest = buf_view(&text); str_line(&rest, &line);)
        buf_fmt(out, "    " STR_FMT "\n", STR_ARG(line));
}

static void print_version(struct buf *out, const struct published_list *list,
                          const struct published *v)
{
    const struct published *before = published_find(list, v->of, &v->before);
    CLEANUP(buf_clear) struct buf date = {0};
    char digest[DIGEST_TEXT + 1];

    digest_text(&v->image, digest);
    date_print(&date, v->lock.created);
    buf_fmt(out, "  " STR_FMT "  %s  %.10s%s\n", STR_ARG(v->tag), digest, date.p,
            v->now ? "  now" : "");
    if (before)
        print_changes(out, &before->lock, &v->lock);
}

/* A tag, and under it all that was published under it. */
static void print_tag(struct buf *out, const struct published_list *list, struct str tag)
{
    const struct published_tag *t = published_tag(list, tag);
    const struct published *v;
    char digest[DIGEST_TEXT + 1] = "no such tag now";

    if (t)
        digest_text(&t->image, digest);
    buf_fmt(out, STR_FMT "  %s\n", STR_ARG(tag), digest);
    vec_each(v, &list->versions)
        if (str_eq(v->of, tag))
            print_version(out, list, v);
}

/* ---- for machines ---- */

static void put_version(struct doc *d, struct node *versions, const struct published_list *list,
                        const struct published *v)
{
    const struct published *before = published_find(list, v->of, &v->before);
    struct node *n = node_add(d, versions, node_new_map(d));
    CLEANUP(buf_clear) struct buf date = {0};
    struct digest lock;

    lock_digest(&lock, &v->lock);
    date_print(&date, v->lock.created);
    node_put_str(d, n, "tag", v->tag);
    put_digest(d, n, "digest", &v->image);
    put_digest(d, n, "lock", &lock);
    node_put_str(d, n, "date", arena_str(&d->arena, buf_view(&date)));
    node_put_bool(d, n, "now", v->now);
    if (digest_is_set(&v->before))
        put_digest(d, n, "before", &v->before);
    if (before)
        lock_diff_put(d, node_put(d, n, "changes", node_new_map(d)), &before->lock, &v->lock);
}

static void put_tag(struct doc *d, struct node *tags, const struct published_list *list,
                    struct str tag)
{
    const struct published_tag *t = published_tag(list, tag);
    struct node *n = node_add(d, tags, node_new_map(d)), *versions;
    const struct published *v;

    node_put_str(d, n, "tag", tag);
    if (t)
        put_digest(d, n, "digest", &t->image);
    versions = node_put(d, n, "versions", node_new_list(d));
    vec_each(v, &list->versions)
        if (str_eq(v->of, tag))
            put_version(d, versions, list, v);
}

/* ---- the command ---- */

/* "1-gzip-0123456789ab" beside the version "1-0123456789ab" of "1", which is told. */
static bool is_form(const struct published_list *list, struct str tag)
{
    const struct published *v;

    vec_each(v, &list->versions) {
        struct str end = v->tag;

        if (str_skip(&end, v->of) && str_starts(tag, v->of) && str_ends(tag, end))
            return true;
    }
    return false;
}

/* Tags that are there, and those that were published and are gone. */
static void list_names(struct strs *out, const struct published_list *list, struct str only)
{
    const struct published_tag *t;
    const struct published *v;

    vec_each(t, &list->tags)
        if (only.len ? str_eq(t->tag, only) : !is_form(list, t->tag))
            strs_add_once(out, t->tag);
    vec_each(v, &list->versions)
        if (!only.len || str_eq(v->of, only))
            strs_add_once(out, v->of);
    vec_sort(out, str_compare);
}

static void print_list(struct session *s, const char *place, const struct published_list *list,
                       const struct strs *names)
{
    CLEANUP(doc_clear) struct doc d = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    struct node *root = node_new_map(&d), *tags;
    const struct str *tag;

    progress_pause(s->progress);
    node_put_u64(&d, root, "envbuild_output", 1);
    node_put_str(&d, root, "place", str_of(place));
    tags = node_put(&d, root, "tags", node_new_list(&d));
    vec_each(tag, names) {
        put_tag(&d, tags, list, *tag);
        print_tag(&text, list, *tag);
    }
    if (s->json)
        session_json(s, &d, root);
    else
        output_text(buf_view(&text));
}

static int list_tags(struct session *s, const char *place, struct err *e)
{
    CLEANUP(published_clear) struct published_list list = {0};
    CLEANUP(dest_clear) struct dest dest = {0};
    const struct stored_scratch how = session_ways(s, NULL);
    struct str only;
    struct strs names = {0};

    if (dest_parse(&dest, place, e) < 0 || published_read(&list, &dest, &how, e) < 0)
        return -1;
    only = str_of(dest.layout_tag ? dest.layout_tag : dest.tag);
    list_names(&names, &list, only);
    if (only.len && !names.n)
        return err_set(e, ERR_INPUT, "%s: there is no tag \"" STR_FMT "\"", place, STR_ARG(only));
    print_list(s, place, &list, &names);
    vec_clear(&names);
    return 0;
}

int cmd_tags(struct session *s, int argc, char **argv, struct err *e)
{
    int result = session_begin(s, "tags", NULL, 0, &argc, argv, 1, 1, e);

    return result == 0 && !s->help ? list_tags(s, argv[0], e) : result;
}
