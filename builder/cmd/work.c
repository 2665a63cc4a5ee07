/* SPDX-License-Identifier: Apache-2.0 */
#include "work.h"

#include "../base/path.h"
#include "../base/version.h"
#include "../model/lock_diff.h"
#include "../plan/resolve.h"
#include "../plan/pypi/torch_index.h"
#include "credentials.h"

/* "x.yaml" and "x.yml" give "x.lock"; any other name gets ".lock" behind it. */
static char *lock_path(const char *recipe)
{
    struct str stem = str_of(recipe);
    struct buf out = {0};

    if (!str_drop(&stem, STR(".yaml")))
        str_drop(&stem, STR(".yml"));
    buf_fmt(&out, STR_FMT ".lock", STR_ARG(stem));
    return buf_take(&out);
}

static int open_memo(struct memo **out, const struct session *s, const char *kind, struct err *e)
{
    CLEANUP(free_clear) char *dir = path_join(s->store_dir, kind);

    return memo_open(out, dir, e);
}

static int open_store(struct work *w, const struct session *s, struct err *e)
{
    return cas_open(&w->cas, s->store_dir, e) < 0 || open_memo(&w->layers, s, "layers", e) < 0 ||
                   open_memo(&w->linkage, s, "linkage", e) < 0 ||
                   open_memo(&w->page_memo, s, "pages", e) < 0 ||
                   open_memo(&w->metadata, s, "metadata", e) < 0
               ? -1
               : 0;
}

int work_open(struct work *w, struct session *s, const char *recipe, struct err *e)
{
    w->recipe_path = xstrdup(recipe);
    w->lock_path = lock_path(recipe);
    w->dir = path_dir(recipe);
    if (recipe_read(&w->recipe, recipe, e) < 0 || fs_absolute(&w->root, w->dir, e) < 0)
        return -1;
    w->has_lock = fs_exists(w->lock_path);
    if (w->has_lock && lock_read(&w->lock, w->lock_path, e) < 0)
        return -1;
    return open_store(w, s, e);
}

int work_open_text(struct work *w, struct session *s, struct str recipe, const char *name,
                   struct err *e)
{
    w->dir = xstrdup(".");
    if (recipe_parse(&w->recipe, recipe, name, e) < 0 || fs_absolute(&w->root, w->dir, e) < 0)
        return -1;
    return open_store(w, s, e);
}

int work_connect(struct work *w, struct session *s, const char *index, bool offline, struct err *e)
{
    struct http_options how = {.ca_file = s->ca_file,
                               .ca_dir = s->ca_dir,
                               .user_agent = "envbuild/" ENVBUILD_VERSION,
                               .local_only = offline,
                               .auth = &w->auth,
                               .rules = &w->config.rules,
                               .events = s->events};
    struct pages_options options = {
        .offline = offline, .bucket = STR(TORCH_INDEX_URL), .events = s->events};
    CLEANUP(buf_clear) struct buf plain = {0};

    if (config_read(&w->config, s->config_path, e) < 0 ||
        (!offline && credentials_of(&w->auth, &w->recipe, index, &w->config, s, e) < 0))
        return -1;
    url_without_userinfo(&plain, str_of(index));
    w->index = index ? buf_take(&plain) : NULL;
    if (http_open(&w->http, &how, e) < 0)
        return -1;
    w->pages = pages_open(w->http, w->page_memo, w->cas, &options);
    return 0;
}

void work_clear(struct work *w)
{
    pages_clear(&w->pages);
    http_clear(&w->http);
    memo_clear(&w->layers);
    memo_clear(&w->linkage);
    memo_clear(&w->page_memo);
    memo_clear(&w->metadata);
    cas_clear(&w->cas);
    lock_clear(&w->lock);
    recipe_clear(&w->recipe);
    free(w->recipe_path);
    free(w->lock_path);
    free(w->dir);
    free(w->root);
    free(w->index);
    auth_clear(&w->auth);
    config_clear(&w->config);
    *w = (struct work){0};
}

int work_changes(struct work *w, struct buf *words, struct err *e)
{
    CLEANUP(lock_clear) struct lock now = {0};

    if (resolve_recipe(&now, &w->recipe, w->dir, e) < 0)
        return -1;
    lock_recipe_changes(words, &w->lock, &now);
    return 0;
}

/* What the recipe's `base` names: packages, or an image. */
static int open_base(struct baselayer *base, struct base_image *image, const struct work *w,
                     struct session *s, struct err *e)
{
    const struct recipe *r = &w->recipe;

    if (!r->image.text.len)
        return baselayer_open(base, r->base.text, w->dir, &r->base.pos, e);
    events_emit(s->events, &(struct event){.kind = EVENT_STEP, .name = "read the base image"});
    return base_image_open(image, r, w->dir, e) < 0 ? -1 : base_image_as_base(base, image, e);
}

int work_resolve(struct work *w, struct session *s, const struct pins *pins, struct lock *out,
                 struct err *e)
{
    CLEANUP(catalog_clear) struct catalog catalog = {0};
    CLEANUP(baselayer_clear) struct baselayer base = {0};
    CLEANUP(base_image_clear) struct base_image image = {0};
    struct resolve_input in = {.recipe = &w->recipe,
                               .catalog = &catalog,
                               .base = &base,
                               .pins = *pins,
                               .dir = w->dir,
                               .root = w->root,
                               .pages = w->pages,
                               .http = w->http,
                               .memo = w->metadata,
                               .index = str_of(w->index),
                               .now = s->now,
                               .events = s->events};

    if (w->recipe.image.text.len)
        in.image = &image;
    if (catalog_open(&catalog, s->catalog_dir, e) < 0 || open_base(&base, &image, w, s, e) < 0)
        return -1;
    return resolve(out, &in, e);
}

void work_take_lock(struct work *w, struct lock *lock)
{
    lock_clear(&w->lock);
    MOVE(&w->lock, lock);
    w->has_lock = true;
}

int work_write_lock(struct work *w, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};

    lock_print(&text, &w->lock);
    return fs_write(w->lock_path, buf_view(&text), e);
}
