/* SPDX-License-Identifier: Apache-2.0 */
#include "work.h"

#include "../base/path.h"
#include "../base/version.h"
#include "../model/lock_diff.h"
#include "../model/lock_files.h"
#include "../pkg/pypi/pep440.h"
#include "../plan/resolve.h"
#include "../plan/pypi/torch_index.h"
#include "credentials.h"
#include "output.h"
#include "pick.h"
#include "sealed.h"

/* "x.yaml" and "x.yml" give "x.lock"; any other name gets ".lock" behind it. */
static char *lock_path(const char *recipe, struct str cell)
{
    struct str stem = str_of(recipe);
    struct buf out = {0};

    if (!str_drop(&stem, STR(".yaml")))
        str_drop(&stem, STR(".yml"));
    buf_str(&out, stem);
    if (cell.len)
        buf_fmt(&out, ".d/" STR_FMT, STR_ARG(cell));
    buf_puts(&out, ".lock");
    return buf_take(&out);
}

static bool is_lock_of(const struct strs *cells, struct str name)
{
    str_drop(&name, STR(".lock"));
    for (size_t i = 0; i < cells->n; i++)
        if (str_eq(cells->v[i], name))
            return true;
    return false;
}

int work_tell_stale(struct session *s, const char *recipe, struct err *e)
{
    CLEANUP(arena_clear) struct arena arena = {0};
    CLEANUP(names_clear) struct names names = {0};
    CLEANUP(free_clear) char *any = lock_path(recipe, STR("x"));
    CLEANUP(free_clear) char *dir = path_dir(any);
    struct strs cells = {0}, stale = {0};
    int result = fs_exists(dir) ? fs_list(&names, dir, e) : 0;

    if (result == 0 && names.n)
        result = recipe_cells(&cells, &arena, recipe, STR(""), e);
    for (size_t i = 0; result == 0 && i < names.n; i++) {
        struct str name = str_of(names.v[i]);

        if (str_ends(name, STR(".lock")) && str_has(name, '=') && !is_lock_of(&cells, name))
            vec_add(&stale, name);
    }
    if (stale.n && !s->quiet && !s->json) {
        progress_pause(s->progress);
        output_message("%s: %zu lock%s of no cell of %s, such as " STR_FMT
                       "; remove what you no longer need",
                       dir, stale.n, stale.n == 1 ? " is" : "s are", recipe, STR_ARG(stale.v[0]));
    }
    vec_clear(&stale);
    vec_clear(&cells);
    return result;
}

static int many_cells(const struct session *s, const char *recipe, const struct strs *cells,
                      struct err *e)
{
    CLEANUP(free_clear) char *lock = lock_path(recipe, cells->v[0]);
    CLEANUP(buf_clear) struct buf how = {0};

    if (s->cells)
        buf_fmt(&how, "it with `--cell " STR_FMT "`", STR_ARG(cells->v[0]));
    else
        buf_fmt(&how, "its lock, %s, which `envbuild lock %s` writes", lock, recipe);
    return err_set(e, ERR_USAGE,
                   "%s has a matrix of %zu recipes, and this command takes one; name %s", recipe,
                   cells->n, how.p);
}

/* The one cell that is meant; empty for a recipe without `matrix`. */
static int find_cell(struct str *out, struct arena *arena, const struct session *s,
                     const char *recipe, const char *of, struct err *e)
{
    struct strs cells = {0};
    int result = recipe_cells(&cells, arena, recipe, str_of(of), e);

    if (result == 0 && cells.n > 1)
        result = many_cells(s, recipe, &cells, e);
    if (result == 0)
        *out = cells.v[0];
    vec_clear(&cells);
    return result;
}

/* What "latest" would be, only a machine can tell. */
static int check_release(const struct recipe *r, const struct session *s, struct err *e)
{
    CLEANUP(pick_clear) struct pick p = {0};
    CLEANUP(buf_clear) struct buf words = {0};

    if (!str_is(r->pytorch.text, RECIPE_LATEST))
        return 0;
    if (pick_latest(&p, s, e) < 0)
        return -1;
    pick_words(&words, &p);
    return err_at(e, &r->pytorch.pos,
                  "pytorch: \"" RECIPE_LATEST "\" is no release; %s: write pytorch: \"" STR_FMT
                  "\" and cuda: \"" STR_FMT "\"",
                  words.p, STR_ARG(p.tag.pytorch), STR_ARG(p.tag.cuda));
}

static int open_memo(struct memo **out, const struct session *s, const char *kind, struct err *e)
{
    CLEANUP(free_clear) char *dir = path_join(s->store_dir, kind);

    return memo_open(out, dir, e);
}

static int open_store(struct work *w, const struct session *s, struct err *e)
{
    if (w->lender)
        return 0;
    return cas_open(&w->cas, s->store_dir, s->events, e) < 0 ||
                   open_memo(&w->layers, s, "layers", e) < 0 ||
                   open_memo(&w->linkage, s, "linkage", e) < 0 ||
                   open_memo(&w->page_memo, s, "pages", e) < 0 ||
                   open_memo(&w->metadata, s, "metadata", e) < 0 ||
                   open_memo(&w->outputs, s, "outputs", e) < 0
               ? -1
               : 0;
}

bool work_is_recipe(const char *operand)
{
    return recipe_is_name(str_of(operand)) || fs_exists(operand);
}

int work_open_lender(struct work *w, struct session *s, struct err *e)
{
    return open_store(w, s, e);
}

int work_open_lock(struct work *w, struct session *s, const char *path, struct err *e)
{
    w->operand = xstrdup(path);
    w->recipe_path = xstrdup(path);
    w->lock_path = xstrdup(path);
    w->dir = path_dir(path);
    w->has_lock = true;
    return lock_read(&w->lock, path, e) < 0 || fs_absolute(&w->root, w->dir, e) < 0 ||
                   open_store(w, s, e) < 0
               ? -1
               : work_connect(w, s, NULL, e);
}

void work_borrow(struct work *w, struct work *lender)
{
    w->lender = lender;
    w->cas = lender->cas;
    w->layers = lender->layers;
    w->linkage = lender->linkage;
    w->page_memo = lender->page_memo;
    w->metadata = lender->metadata;
    w->outputs = lender->outputs;
}

int work_open(struct work *w, struct session *s, const char *recipe, const char *cell,
              struct err *e)
{
    CLEANUP(arena_clear) struct arena arena = {0};
    CLEANUP(buf_clear) struct buf operand = {0};
    struct str name;

    if (str_has(str_of(recipe), ':') && !fs_exists(recipe))
        return err_set(e, ERR_INPUT,
                       "there is no file \"%s\", and an image is no recipe; `envbuild init TAG` "
                       "writes the recipe of a tag such as 2.6.0-cuda12.4-cudnn9-runtime",
                       recipe);
    if (find_cell(&name, &arena, s, recipe, cell, e) < 0)
        return -1;
    buf_fmt(&operand, "%s%s" STR_FMT, recipe, name.len ? " --cell " : "", STR_ARG(name));
    w->operand = buf_take(&operand);
    w->recipe_path = xstrdup(recipe);
    w->lock_path = lock_path(recipe, name);
    w->dir = path_dir(recipe);
    if (recipe_read(&w->recipe, recipe, name, e) < 0 || fs_absolute(&w->root, w->dir, e) < 0 ||
        check_release(&w->recipe, s, e) < 0)
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

static int open_network(struct work *w, const struct session *s, struct err *e)
{
    struct http_options how = {.ca_file = s->ca_file,
                               .ca_dir = s->ca_dir,
                               .user_agent = "envbuild/" ENVBUILD_VERSION,
                               .local_only = s->offline,
                               .auth = &w->auth,
                               .rules = &w->config.rules,
                               .events = s->events};
    struct pages_options options = {
        .offline = s->offline, .bucket = STR(TORCH_INDEX_URL), .events = s->events};

    if (http_open(&w->http, &how, e) < 0)
        return -1;
    w->pages = pages_open(w->http, w->page_memo, w->cas, &options);
    return 0;
}

int work_connect(struct work *w, struct session *s, const char *index, struct err *e)
{
    struct work *owner = w->lender ? w->lender : w;
    CLEANUP(buf_clear) struct buf plain = {0};

    if (!owner->http && config_read(&owner->config, s->config_path, e) < 0)
        return -1;
    if (!s->offline && credentials_of(&owner->auth, &w->recipe, index, &owner->config, s, e) < 0)
        return -1;
    url_without_userinfo(&plain, str_of(index));
    w->index = index ? buf_take(&plain) : NULL;
    if (!owner->http && open_network(owner, s, e) < 0)
        return -1;
    w->http = owner->http;
    w->pages = owner->pages;
    return 0;
}

const struct config *work_config(const struct work *w)
{
    return w->lender ? &w->lender->config : &w->config;
}

void work_clear(struct work *w)
{
    if (!w->lender) {
        pages_clear(&w->pages);
        http_clear(&w->http);
        memo_clear(&w->layers);
        memo_clear(&w->linkage);
        memo_clear(&w->page_memo);
        memo_clear(&w->metadata);
        memo_clear(&w->outputs);
        cas_clear(&w->cas);
    }
    lock_clear(&w->now);
    lock_clear(&w->lock);
    recipe_clear(&w->recipe);
    free(w->recipe_path);
    free(w->lock_path);
    free(w->operand);
    free(w->dir);
    free(w->root);
    free(w->index);
    auth_clear(&w->auth);
    config_clear(&w->config);
    choices_clear(&w->choices);
    *w = (struct work){0};
}

int work_changes(struct work *w, struct buf *words, struct err *e)
{
    lock_clear(&w->now);
    if (resolve_recipe(&w->now, &w->recipe, w->dir, &w->lock, e) < 0)
        return -1;
    lock_recipe_changes(words, &w->lock, &w->now);
    lock_wheel_changes(words, &w->lock, &w->now);
    return 0;
}

int work_fits(struct work *w, bool *fits, struct buf *words, struct err *e)
{
    *fits = false;
    if (!w->has_lock)
        return 0;
    if (work_changes(w, words, e) < 0)
        return -1;
    *fits = !words->len || lock_take_files(&w->lock, &w->now);
    return 0;
}

/* What resolving needs of recipe, catalog and base. */
struct resolving {
    struct catalog catalog;
    struct baselayer base;
    struct base_image image;
    struct resolve_input in;
};

static void resolving_clear(struct resolving *r)
{
    catalog_clear(&r->catalog);
    baselayer_clear(&r->base);
    base_image_clear(&r->image);
}

/* `recall`: of an image that is the base, take what an older lock found in its files. */
static int resolving_open(struct resolving *out, const struct work *w, struct session *s,
                          const struct lock *recall, struct err *e)
{
    const struct recipe *r = &w->recipe;
    const struct stored_scratch how = session_ways(s, NULL);

    out->in = (struct resolve_input){.recipe = r,
                                     .catalog = &out->catalog,
                                     .base = &out->base,
                                     .image = r->image.text.len ? &out->image : NULL,
                                     .dir = w->dir,
                                     .root = w->root};
    if (catalog_open(&out->catalog, s->catalog_dir, e) < 0)
        return -1;
    if (!r->image.text.len)
        return baselayer_open(&out->base, r->base.text, w->dir, &r->base.pos, e);
    if (recall)
        return base_image_recall(&out->image, r, recall, w->dir, &how, e) < 0
                   ? -1
                   : base_image_as_base(&out->base, &out->image, e);
    events_emit(s->events, &(struct event){.kind = EVENT_STEP, .name = "read the base image"});
    return base_image_open(&out->image, r, w->dir, &how, e) < 0
               ? -1
               : base_image_as_base(&out->base, &out->image, e);
}

int work_resolve(struct work *w, struct session *s, const struct pins *pins, struct lock *out,
                 struct err *e)
{
    const struct sealed_how how = {.jobs = s->jobs};
    CLEANUP(sealed_clear) struct sealed *sealed = sealed_open(w, s, &how);
    const struct source_backend backend = sealed_backend(sealed);
    CLEANUP(resolving_clear) struct resolving r = {0};

    if (resolving_open(&r, w, s, NULL, e) < 0)
        return -1;
    r.in.pins = *pins;
    r.in.pages = w->pages;
    r.in.http = w->http;
    r.in.memo = w->metadata;
    r.in.index = str_of(w->index);
    r.in.now = s->now;
    r.in.events = s->events;
    r.in.backend = &backend;
    choices_clear(&w->choices);
    r.in.choices = &w->choices;
    if (resolve(out, &r.in, e) == 0)
        return 0;
    if (e->kind == ERR_SYSTEM && cas_is_read_only(w->cas))
        err_wrap(e,
                 "the store %s may only be read, and choosing writes there what it learns; name "
                 "another with --store DIR",
                 cas_dir(w->cas));
    return -1;
}

int work_compare(struct work *w, struct session *s, struct lock_differences *out, struct err *e)
{
    CLEANUP(resolving_clear) struct resolving r = {0};
    CLEANUP(lock_clear) struct lock again = {0};

    if (resolving_open(&r, w, s, &w->lock, e) < 0)
        return -1;
    r.in.pins.old = &w->lock;
    if (resolve_again(&again, &r.in, e) < 0)
        return -1;
    lock_compare(out, &again, &w->lock);
    return 0;
}

void work_say_difference(struct buf *out, const struct lock_difference *d)
{
    if (!d->now.len)
        buf_fmt(out, STR_FMT " is missing: \"" STR_FMT "\"", STR_ARG(d->what), STR_ARG(d->old));
    else if (!d->old.len)
        buf_fmt(out, STR_FMT " is \"" STR_FMT "\" and should not be there", STR_ARG(d->what),
                STR_ARG(d->now));
    else
        buf_fmt(out, STR_FMT " is \"" STR_FMT "\" and not \"" STR_FMT "\"", STR_ARG(d->what),
                STR_ARG(d->now), STR_ARG(d->old));
}

void work_say_differences(struct buf *out, const struct lock_differences *all)
{
    const struct lock_difference *d;

    vec_each(d, &all->list) {
        buf_puts(out, out->len ? "; " : "");
        work_say_difference(out, d);
    }
}

void work_warn_older(const struct work *w, struct session *s, const struct lock_differences *all)
{
    CLEANUP(buf_clear) struct buf words = {0};

    work_say_differences(&words, all);
    if (words.len)
        events_warn(s->events,
                    "%s is from envbuild " STR_FMT
                    ", which decided otherwise, or it was edited: %s",
                    w->lock_path, STR_ARG(w->lock.writer), words.p);
}

bool work_derives_alike(const struct work *w)
{
    struct pep440 writer, oldest, newest;

    return pep440_parse(&writer, w->lock.writer) &&
           pep440_parse(&oldest, STR(RESOLVE_DERIVES_AS)) &&
           pep440_parse(&newest, STR(ENVBUILD_VERSION)) && pep440_cmp(&writer, &oldest) >= 0 &&
           pep440_cmp(&writer, &newest) <= 0;
}

void work_take_lock(struct work *w, struct lock *lock)
{
    lock_clear(&w->lock);
    MOVE(&w->lock, lock);
    w->has_lock = true;
}

int work_write_lock(struct work *w, struct err *e)
{
    CLEANUP(free_clear) char *dir = path_dir(w->lock_path); /* of cells it is made here */
    CLEANUP(buf_clear) struct buf text = {0};

    lock_print(&text, &w->lock);
    return fs_mkdirs(dir, e) < 0 ? -1 : fs_write(w->lock_path, buf_view(&text), e);
}

/* "vllm 0.8.5 (newest 0.33.0 needs torch==2.14.0)" */
static void print_choice(const struct choice *c)
{
    if (c->newest.len)
        output_message("  " STR_FMT " " STR_FMT " (newest " STR_FMT " " STR_FMT ")",
                       STR_ARG(c->name), STR_ARG(c->version), STR_ARG(c->newest), STR_ARG(c->why));
    else
        output_message("  " STR_FMT " " STR_FMT, STR_ARG(c->name), STR_ARG(c->version));
}

/* Also those that only others need. */
static void tell_built(const struct lock *lock)
{
    CLEANUP(buf_clear) struct buf line = {0};
    const struct artifact *a;

    vec_each(a, &lock->artifacts)
        if (a->source)
            buf_fmt(&line, "%s" STR_FMT " " STR_FMT, line.len ? ", " : "", STR_ARG(a->name),
                    STR_ARG(a->version));
    if (line.len)
        output_message("  built from source: %s", line.p);
}

void work_tell_choices(const struct work *w, struct session *s)
{
    enum { LINES_MAX = 20 }; /* a file that pins everything would be a wall */
    const struct choice *c;
    size_t shown = 0;

    if (s->quiet)
        return;
    progress_pause(s->progress);
    if (w->choices.options.len)
        output_message(STR_FMT, STR_ARG(w->choices.options));
    vec_each(c, &w->choices.list)
        if (w->choices.list.n <= LINES_MAX || (c->newest.len && shown < LINES_MAX)) {
            print_choice(c);
            shown++;
        }
    if (shown < w->choices.list.n)
        output_message("  and %zu more", w->choices.list.n - shown);
    tell_built(&w->lock);
}
