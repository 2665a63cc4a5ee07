/* SPDX-License-Identifier: Apache-2.0 */
#include "../out/published.h"
#include "output.h"
#include "session.h"

/* What is asked for: a tag, and where it is. */
struct asked {
    struct dest dest;
    struct published_list list;
    struct str tag;
    const struct published_tag *now; /* NULL: there is no such tag */
};

static void asked_clear(struct asked *a)
{
    published_clear(&a->list);
    dest_clear(&a->dest);
}

static int read_asked(struct asked *out, struct session *s, const char *ref, struct err *e)
{
    const struct stored_scratch how = session_ways(s, NULL);

    if (dest_parse(&out->dest, ref, e) < 0)
        return -1;
    out->tag = str_of(out->dest.layout_tag ? out->dest.layout_tag : out->dest.tag);
    if (!out->tag.len)
        return err_set(e, ERR_USAGE, "\"%s\" names no tag; write %s:TAG", ref, ref);
    if (published_read(&out->list, &out->dest, &how, e) < 0)
        return -1;
    out->now = published_tag(&out->list, out->tag);
    return out->now || published_has(&out->list, out->tag)
               ? 0
               : err_set(e, ERR_INPUT, "%s: there is no such tag", ref);
}

/* ---- which image ---- */

/* "2.6.0-0123456789ab, 2.6.0-ba9876543210" */
static void list_versions(struct buf *out, const struct asked *a)
{
    const struct published *v;

    vec_each(v, &a->list.versions)
        if (str_eq(v->of, a->tag) && !v->now)
            buf_fmt(out, "%s" STR_FMT, out->len ? ", " : "", STR_ARG(v->tag));
}

static int nothing_before(const char *ref, const struct asked *a, struct err *e)
{
    CLEANUP(buf_clear) struct buf list = {0};

    list_versions(&list, a);
    if (!list.len)
        return err_set(e, ERR_INPUT, "%s: nothing else was published under it", ref);
    return err_set(e, ERR_INPUT, "%s: nobody noted what was before it; name one behind it: %s", ref,
                   list.p);
}

static int unknown(const char *ref, const char *to, const struct asked *a, struct err *e)
{
    CLEANUP(buf_clear) struct buf list = {0};

    list_versions(&list, a);
    return err_set(e, ERR_INPUT, "%s: \"%s\" is neither a digest nor a tag of this repository%s%s",
                   ref, to, list.len ? "; what was published under the tag: " : "",
                   list.len ? list.p : "");
}

/* A digest, a tag, or the end of one: the first digits of a lock's digest. */
static int find_target(struct digest *out, const char *ref, const char *to, const struct asked *a,
                       struct err *e)
{
    const struct published_tag *tag = published_tag(&a->list, str_of(to));
    CLEANUP(buf_clear) struct buf whole = {0};
    const struct published *v;

    if (digest_from_text(out, str_of(to)))
        return 0;
    if (tag) {
        *out = tag->image;
        return 0;
    }
    buf_fmt(&whole, STR_FMT "-%s", STR_ARG(a->tag), to);
    vec_each(v, &a->list.versions)
        if (str_is(v->tag, to) || str_eq(v->tag, buf_view(&whole))) {
            *out = v->image;
            return 0;
        }
    return unknown(ref, to, a, e);
}

static int find_before(struct digest *out, const char *ref, const struct asked *a, struct err *e)
{
    const struct published *v = a->now ? published_find(&a->list, a->tag, &a->now->image) : NULL;

    if (!v || !digest_is_set(&v->before))
        return nothing_before(ref, a, e);
    *out = v->before;
    return 0;
}

/* ---- pointing there ---- */

static int point(struct session *s, struct asked *a, const struct digest *to, struct err *e)
{
    const struct published *v = published_find(&a->list, a->tag, to);
    const struct stored_scratch how = session_ways(s, NULL);
    const struct blob_files files = {.events = s->events};
    const struct dest_ways ways = {.files = &files, .registries = reach_registries(s->reach)};
    CLEANUP(place_clear) struct place *place = NULL;
    CLEANUP(buf_clear) struct buf json = {0};
    struct image_name name = dest_image_name(&a->dest, (struct str){0}, a->tag);
    struct platform platform = {0};
    struct digest digest;

    if (v)
        platform = (struct platform){.os = v->lock.os, .architecture = v->lock.arch};
    if (published_manifest(&json, &a->dest, to, &how, e) < 0 ||
        dest_open(&place, &a->dest, &ways, e) < 0 ||
        place_put_image(place, buf_view(&json), &name, v ? &platform : NULL, &digest, e) < 0)
        return -1;
    return place_close(place, e);
}

static void tell(struct session *s, struct asked *a, const struct digest *to)
{
    const struct image_name name = dest_image_name(&a->dest, (struct str){0}, a->tag);
    const struct published *v = published_find(&a->list, a->tag, to);
    CLEANUP(buf_clear) struct buf reference = {0};
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = node_new_map(&d);
    char is[DIGEST_TEXT + 1], was[DIGEST_TEXT + 1] = "";

    digest_text(to, is);
    if (a->now)
        digest_text(&a->now->image, was);
    dest_print_put(&a->dest, &name, to, &reference);
    progress_pause(s->progress);
    if (s->json) {
        node_put_u64(&d, root, "envbuild_output", 1);
        node_put_str(&d, root, "reference", buf_view(&reference));
        node_put_str(&d, root, "tag", a->tag);
        node_put_str(&d, root, "digest", str_of(is));
        node_put_str(&d, root, "was", str_of(was));
        session_json(s, &d, root);
        return;
    }
    output_print("%s\n", reference.p);
    if (!s->quiet)
        output_message("  " STR_FMT " is %s%s" STR_FMT "%s; it was %s", STR_ARG(a->tag), is,
                       v ? " (" : "", STR_ARG(v ? v->tag : STR("")), v ? ")" : "",
                       strcmp(was, is) == 0 ? "that before"
                       : was[0]             ? was
                                            : "nothing");
}

static int roll_back(struct session *s, const char *ref, const char *to, struct err *e)
{
    CLEANUP(asked_clear) struct asked a = {0};
    struct digest target;

    if (read_asked(&a, s, ref, e) < 0 ||
        (to ? find_target(&target, ref, to, &a, e) : find_before(&target, ref, &a, e)) < 0 ||
        point(s, &a, &target, e) < 0)
        return -1;
    tell(s, &a, &target);
    return 0;
}

int cmd_rollback(struct session *s, int argc, char **argv, struct err *e)
{
    int result = session_begin(s, "rollback", NULL, 0, &argc, argv, 1, 2, e);

    if (result < 0 || s->help)
        return result;
    return roll_back(s, argv[0], argc > 1 ? argv[1] : NULL, e);
}
