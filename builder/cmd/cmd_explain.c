/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/fs.h"
#include "../model/explain.h"
#include "../model/finding.h"
#include "../model/tag.h"
#include "output.h"
#include "work.h"

struct explain_args {
    const char *index;
    bool offline, findings;
};

static void tell(struct session *s, const struct explain_args *a, const struct lock *lock)
{
    CLEANUP(doc_clear) struct doc d = {0};
    CLEANUP(buf_clear) struct buf text = {0};

    progress_pause(s->progress);
    if (s->json) {
        struct node *root = node_new_map(&d);

        node_put_u64(&d, root, "envbuild_output", 1);
        if (!a->findings)
            explain_put(&d, root, lock);
        findings_put(&d, root, lock);
        session_json(s, &d, root);
    } else {
        if (a->findings)
            findings_print(&text, lock);
        else
            explain_print(&text, lock);
        output_text(buf_view(&text));
    }
}

/* By its lock where that is still the recipe's, else by what would be chosen now; nothing is
 * written.
 */
static int explain_recipe(struct session *s, const char *recipe, const struct explain_args *a,
                          struct err *e)
{
    CLEANUP(work_clear) struct work w = {0};
    CLEANUP(buf_clear) struct buf words = {0};
    CLEANUP(lock_clear) struct lock lock = {0};
    struct pins pins = {0};

    if (work_open(&w, s, recipe, e) < 0 || (w.has_lock && work_changes(&w, &words, e) < 0))
        return -1;
    if (w.has_lock && !words.len) {
        tell(s, a, &w.lock);
        return 0;
    }
    pins.old = w.has_lock ? &w.lock : NULL;
    if (work_connect(&w, s, a->index, a->offline, e) < 0 ||
        work_resolve(&w, s, &pins, &lock, e) < 0)
        return -1;
    tell(s, a, &lock);
    return 0;
}

/* What a recipe for it would choose now. */
static int explain_tag(struct session *s, const char *text, const struct explain_args *a,
                       struct err *e)
{
    CLEANUP(catalog_clear) struct catalog catalog = {0};
    CLEANUP(arena_clear) struct arena arena = {0};
    CLEANUP(buf_clear) struct buf recipe = {0};
    CLEANUP(work_clear) struct work w = {0};
    CLEANUP(lock_clear) struct lock lock = {0};
    struct catalog_build build = {0};
    struct tag tag;

    if (tag_parse(&tag, &arena, str_of(text), e) < 0 ||
        catalog_open(&catalog, s->catalog_dir, e) < 0 || tag_check(&tag, &catalog, e) < 0)
        return -1;
    catalog_build(&catalog, tag.pytorch, tag.cuda, &build);
    tag_recipe(&recipe, &tag, &build);
    if (work_open_text(&w, s, buf_view(&recipe), text, e) < 0 ||
        work_connect(&w, s, a->index, a->offline, e) < 0 ||
        work_resolve(&w, s, &(struct pins){0}, &lock, e) < 0)
        return -1;
    tell(s, a, &lock);
    return 0;
}

static int explain_lock(struct session *s, const char *path, const struct explain_args *a,
                        struct err *e)
{
    CLEANUP(lock_clear) struct lock lock = {0};

    if (lock_read(&lock, path, e) < 0)
        return -1;
    tell(s, a, &lock);
    return 0;
}

static bool is_recipe(const char *operand)
{
    struct str name = str_of(operand);

    return str_ends(name, STR(".yaml")) || str_ends(name, STR(".yml")) || fs_exists(operand);
}

int cmd_explain(struct session *s, int argc, char **argv, struct err *e)
{
    struct explain_args a = {0};
    const struct opt own[] = {
        {0, "index", "URL", "simple index to ask (https://pypi.org/simple/)", opt_str, &a.index},
        {0, "findings", NULL, "list what the first build found out about loading libraries",
         opt_flag, &a.findings},
        {0, "offline", NULL, "use only what the store has", opt_flag, &a.offline},
    };

    if (session_begin(s, "explain", own, ARRAY_LEN(own), &argc, argv, 1, 1, e) < 0)
        return -1;
    if (s->help)
        return 0;
    if (str_ends(str_of(argv[0]), STR(".lock")))
        return explain_lock(s, argv[0], &a, e);
    return is_recipe(argv[0]) ? explain_recipe(s, argv[0], &a, e) : explain_tag(s, argv[0], &a, e);
}
