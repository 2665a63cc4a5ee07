/* SPDX-License-Identifier: Apache-2.0 */
#include "asked_lock.h"

#include "../base/fs.h"
#include "../model/tag.h"

void asked_opts(struct opt *out, struct session *s, const char **index)
{
    const struct opt opts[ASKED_OPTS] = {
        {0, "index", "URL", "simple index to ask (https://pypi.org/simple/)", opt_str, index},
        {0, "offline", NULL, "use only what the store has", opt_flag, &s->offline},
    };

    memcpy(out, opts, sizeof opts);
}

static int of_recipe(struct asked_lock *out, struct session *s, const char *recipe,
                     const char *index, struct err *e)
{
    CLEANUP(buf_clear) struct buf words = {0};
    struct work *w = &out->work;
    struct pins pins = {0};
    bool fits;

    if (work_open(w, s, recipe, NULL, e) < 0 || work_fits(w, &fits, &words, e) < 0)
        return -1;
    if (fits) {
        MOVE(&out->lock, &w->lock);
        return 0;
    }
    pins.old = w->has_lock ? &w->lock : NULL;
    if (work_connect(w, s, index, e) < 0)
        return -1;
    return work_resolve(w, s, &pins, &out->lock, e);
}

/* What a recipe for it would choose now. */
static int of_tag(struct asked_lock *out, struct session *s, const char *text, const char *index,
                  struct err *e)
{
    CLEANUP(catalog_clear) struct catalog catalog = {0};
    CLEANUP(arena_clear) struct arena arena = {0};
    CLEANUP(buf_clear) struct buf recipe = {0};
    struct catalog_build build = {0};
    struct tag tag;

    if (tag_parse(&tag, &arena, str_of(text), e) < 0 ||
        catalog_open(&catalog, s->catalog_dir, e) < 0 || tag_check(&tag, &catalog, e) < 0)
        return -1;
    catalog_build(&catalog, tag.pytorch, tag.cuda, &build);
    tag_recipe(&recipe, &tag, &build);
    if (work_open_text(&out->work, s, buf_view(&recipe), text, e) < 0 ||
        work_connect(&out->work, s, index, e) < 0)
        return -1;
    return work_resolve(&out->work, s, &(struct pins){0}, &out->lock, e);
}

int asked_lock_open(struct asked_lock *out, struct session *s, const char *operand,
                    const char *index, struct err *e)
{
    if (str_ends(str_of(operand), STR(".lock")))
        return lock_read(&out->lock, operand, e);
    return work_is_recipe(operand) ? of_recipe(out, s, operand, index, e)
                                   : of_tag(out, s, operand, index, e);
}

void asked_lock_clear(struct asked_lock *l)
{
    lock_clear(&l->lock);
    work_clear(&l->work);
}
