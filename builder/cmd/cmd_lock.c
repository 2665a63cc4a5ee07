/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/fs.h"
#include "../model/lock_diff.h"
#include "../out/published.h"
#include "output.h"
#include "stored_facts.h"
#include "work.h"

static void say(struct session *s, const char *fmt, ...) PRINTF(2, 3);
static void say(struct session *s, const char *fmt, ...)
{
    CLEANUP(buf_clear) struct buf text = {0};
    va_list args;

    if (s->quiet)
        return;
    progress_pause(s->progress);
    va_start(args, fmt);
    buf_vfmt(&text, fmt, args);
    va_end(args);
    output_message("%s", text.p);
}

/* Bytes that a first build of this lock downloads. */
static uint64_t download_size(const struct lock *lock)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < lock->artifacts.n; i++)
        sum += artifact_download(&lock->artifacts.v[i]);
    return sum;
}

static void put_requested(struct doc *d, struct node *root, const struct choices *choices)
{
    struct node *list = node_put(d, root, "requested", node_new_list(d));
    const struct choice *c;

    vec_each(c, &choices->list) {
        struct node *n = node_add(d, list, node_new_map(d));

        node_put_str(d, n, "name", c->name);
        node_put_str(d, n, "version", c->version);
        if (c->newest.len) {
            node_put_str(d, n, "newest", c->newest);
            node_put_str(d, n, "why", c->why);
        }
    }
}

static void put_lock(struct doc *d, struct node *map, const struct work *w, bool changed)
{
    char digest[DIGEST_TEXT + 1];
    struct digest own;

    lock_digest(&own, &w->lock);
    digest_text(&own, digest);
    node_put_str(d, map, "lock", str_of(w->lock_path));
    node_put_str(d, map, "digest", str_of(digest));
    node_put_bool(d, map, "changed", changed);
    node_put_u64(d, map, "artifacts", w->lock.artifacts.n);
    node_put_u64(d, map, "bytes", download_size(&w->lock));
    if (changed)
        put_requested(d, map, &w->choices);
}

struct lock_args {
    const char *recipe, *cell, *index, *from, *output;
    bool upgrade, check;
    struct strs names; /* to upgrade; none: all */
};

/* ---- lock ---- */

/* Tell what moved, one line each; a first lock would be a list of everything. */
static void tell_changes(struct session *s, const struct lock *old, const struct lock *now)
{
    struct lock_changes changes = {0};
    const struct lock_change *c;

    lock_changes(&changes, old, now);
    vec_each(c, &changes) {
        CLEANUP(buf_clear) struct buf line = {0};

        lock_change_print(&line, c);
        say(s, "  %s", line.p);
    }
    vec_clear(&changes);
}

static int choose(struct work *w, struct session *s, const struct lock_args *a, struct err *e)
{
    CLEANUP(lock_clear) struct lock lock = {0};
    struct pins pins = {.old = w->has_lock ? &w->lock : NULL,
                        .upgrade_all = a->upgrade && !a->names.n,
                        .upgrade = &a->names};

    if (work_connect(w, s, a->index, e) < 0 || work_resolve(w, s, &pins, &lock, e) < 0)
        return -1;
    if (w->has_lock)
        tell_changes(s, &w->lock, &lock);
    work_take_lock(w, &lock);
    return work_write_lock(w, e);
}

/* What a lock that is its recipe's says otherwise than the recipe gives. Where the envbuild that
 * wrote it derived otherwise these are no edits: they are told, and such a lock stays as it is. */
static int find_edits(struct work *w, struct session *s, struct lock_differences *edits,
                      struct err *e)
{
    CLEANUP(lock_differences_clear) struct lock_differences found = {0};

    if (work_compare(w, s, &found, e) < 0)
        return -1;
    if (work_derives_alike(w))
        MOVE(edits, &found);
    else
        work_warn_older(w, s, &found);
    return 0;
}

/* Only the contents of the recipe's files changed: nothing is chosen, and nobody asked. */
static int take_files(struct session *s, struct work *w, struct err *e)
{
    if (work_write_lock(w, e) < 0)
        return -1;
    say(s, "wrote %s: what is built stays, but for the layer of these files", w->lock_path);
    return 0;
}

/* The lock of `w`, which is open. */
static int lock_recipe(struct session *s, struct work *w, const struct lock_args *a, bool *changed,
                       struct err *e)
{
    CLEANUP(buf_clear) struct buf words = {0};
    CLEANUP(lock_differences_clear) struct lock_differences edits = {0};
    const struct lock_difference *d;
    bool fits;

    if (work_fits(w, &fits, &words, e) < 0 || (fits && find_edits(w, s, &edits, e) < 0))
        return -1;
    *changed = !fits || words.len || edits.list.n || a->upgrade;
    if (!*changed) {
        say(s, "%s is up to date with %s", w->lock_path, w->recipe_path);
        return 0;
    }
    if (words.len)
        say(s, "%s changed: %s", w->operand, words.p);
    if (fits && !edits.list.n && !a->upgrade)
        return take_files(s, w, e);
    vec_each(d, &edits.list) {
        CLEANUP(buf_clear) struct buf line = {0};

        work_say_difference(&line, d);
        say(s, "%s was edited: %s; taken back", w->lock_path, line.p);
    }
    if (choose(w, s, a, e) < 0)
        return -1;
    say(s, "wrote %s: %zu artifacts, %.1f MiB", w->lock_path, w->lock.artifacts.n,
        (double)download_size(&w->lock) / (1024 * 1024));
    work_tell_choices(w, s);
    return 0;
}

/* ---- lock --check ---- */

static void put_edits(struct doc *d, struct node *root, const struct lock_differences *edits)
{
    struct node *list = node_put(d, root, "edits", node_new_list(d));
    const struct lock_difference *e;

    vec_each(e, &edits->list) {
        struct node *n = node_add(d, list, node_new_map(d));

        node_put_str(d, n, "what", e->what);
        node_put_str(d, n, "recipe", e->old);
        node_put_str(d, n, "lock", e->now);
    }
}

static void put_check(struct doc *d, struct node *map, const struct work *w,
                      const struct lock *newest, const char *words,
                      const struct lock_differences *edits)
{
    node_put_str(d, map, "lock", str_of(w->lock_path));
    node_put_str(d, map, "recipe_changes", str_of(words));
    put_edits(d, map, edits);
    lock_diff_put(d, map, &w->lock, newest);
}

static size_t count_security(const struct lock_changes *changes)
{
    const struct lock_change *c;
    size_t n = 0;

    vec_each(c, changes)
        n += c->security;
    return n;
}

static void tell_check(struct session *s, const struct work *w, const struct lock_changes *changes,
                       const char *words, const struct lock_differences *edits, int no)
{
    const struct lock_change *c;
    const struct lock_difference *d;

    progress_pause(s->progress);
    if (words)
        output_print("%s changed: %s\n", w->operand, words);
    vec_each(d, &edits->list) {
        CLEANUP(buf_clear) struct buf line = {0};

        work_say_difference(&line, d);
        output_print("%s was edited: %s\n", w->lock_path, line.p);
    }
    vec_each(c, changes) {
        CLEANUP(buf_clear) struct buf line = {0};

        lock_change_print(&line, c);
        output_print("%s\n", line.p);
    }
    if (!no)
        say(s, "%s is up to date with %s, its indexes and archives", w->lock_path, w->recipe_path);
    else
        say(s,
            "%s: %zu package%s changed, %zu of them for security; run `envbuild lock %s%s` to "
            "accept",
            w->lock_path, changes->n, changes->n == 1 ? "" : "s", count_security(changes),
            words || edits->list.n ? "" : "--upgrade ", w->operand);
}

/* Compare with what would be chosen today; nothing is written. */
static int check_lock(struct session *s, struct work *w, const struct lock_args *a, struct doc *d,
                      struct node *map, struct err *e)
{
    CLEANUP(buf_clear) struct buf words = {0};
    CLEANUP(lock_clear) struct lock newest = {0};
    CLEANUP(lock_differences_clear) struct lock_differences edits = {0};
    struct lock_changes changes = {0};
    struct pins pins = {.upgrade_all = true};
    int no;

    if (!w->has_lock)
        return err_set(e, ERR_INPUT, "%s is not there; run `envbuild lock %s` to write it",
                       w->lock_path, w->operand);
    if (work_changes(w, &words, e) < 0 || (!words.len && find_edits(w, s, &edits, e) < 0) ||
        work_connect(w, s, a->index, e) < 0 || work_resolve(w, s, &pins, &newest, e) < 0)
        return -1;
    lock_changes(&changes, &w->lock, &newest);
    no = words.len || edits.list.n  ? EXIT_CHANGED
         : count_security(&changes) ? EXIT_SECURITY
         : changes.n                ? ERR_NO
                                    : 0;
    if (s->json)
        put_check(d, map, w, &newest, words.p, &edits);
    else
        tell_check(s, w, &changes, words.p, &edits, no);
    s->no = no > s->no ? no : s->no; /* of several the worst */
    vec_clear(&changes);
    return 0;
}

/* ---- the recipe, or each of its cells ---- */

static int do_cell(struct session *s, struct work *lender, const struct lock_args *a,
                   const char *cell, struct doc *d, struct node *map, struct err *e)
{
    CLEANUP(work_clear) struct work w = {0};
    bool changed = false;

    work_borrow(&w, lender);
    if (work_open(&w, s, a->recipe, cell, e) < 0)
        return -1;
    if (a->check)
        return check_lock(s, &w, a, d, map, e);
    if (lock_recipe(s, &w, a, &changed, e) < 0)
        return -1;
    put_lock(d, map, &w, changed);
    return 0;
}

/* One that cannot be satisfied is told with all others. */
static int do_cells(struct session *s, const struct lock_args *a, struct err *e)
{
    CLEANUP(work_clear) struct work lender = {0};
    CLEANUP(arena_clear) struct arena arena = {0};
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = node_new_map(&d), *list = NULL;
    struct strs cells = {0};

    node_put_u64(&d, root, "envbuild_output", 1);
    if (work_open_lender(&lender, s, e) < 0 ||
        recipe_cells(&cells, &arena, a->recipe, str_of(a->cell), e) < 0 ||
        work_tell_stale(s, a->recipe, e) < 0)
        return -1;
    if (cells.v[0].len)
        list = node_put(&d, root, "cells", node_new_list(&d));
    for (size_t i = 0; i < cells.n && !events_cancelled(s->events); i++) {
        struct err fault = {0};

        if (list)
            say(s, STR_FMT, STR_ARG(cells.v[i]));
        if (do_cell(s, &lender, a, cells.v[i].p, &d,
                    list ? node_add(&d, list, node_new_map(&d)) : root, &fault) < 0) {
            if (list)
                err_wrap(&fault, STR_FMT, STR_ARG(cells.v[i]));
            err_join(e, &fault);
        }
    }
    vec_clear(&cells);
    if (err_is_set(e))
        return -1;
    if (s->json)
        session_json(s, &d, root);
    return 0;
}

/* ---- lock diff ---- */

/* A recipe is no JSON, and what the reader says of it helps nobody. */
static int check_is_lock(const char *path, struct err *e)
{
    if (!recipe_is_name(str_of(path)))
        return 0;
    return err_set(
        e, ERR_USAGE,
        "lock diff takes two locks, and %s is a recipe; `envbuild diff` compares recipes "
        "as well",
        path);
}

static int diff_locks(struct session *s, const char *old_path, const char *new_path, struct err *e)
{
    CLEANUP(lock_clear) struct lock old = {0}, now = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(doc_clear) struct doc d = {0};

    if (check_is_lock(old_path, e) < 0 || check_is_lock(new_path, e) < 0 ||
        lock_read(&old, old_path, e) < 0 || lock_read(&now, new_path, e) < 0)
        return -1;
    progress_pause(s->progress);
    if (s->json) {
        struct node *root = node_new_map(&d);

        node_put_u64(&d, root, "envbuild_output", 1);
        lock_diff_put(&d, root, &old, &now);
        session_json(s, &d, root);
    } else {
        lock_diff_print(&text, &old, &now);
        output_text(buf_view(&text));
    }
    return 0;
}

/* ---- lock --from ---- */

/* The lock that travels with an image, as it was written. */
static int take_out(struct session *s, const struct lock_args *a, struct err *e)
{
    CLEANUP(stored_clear) struct stored image = {0};
    CLEANUP(lock_clear) struct lock lock = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = node_new_map(&d);

    if (stored_facts_image(&image, s, a->from, e) < 0 ||
        published_lock(&lock, &text, &image, e) < 0)
        return -1;
    progress_pause(s->progress);
    if (!a->output) {
        output_text(buf_view(&text));
        return 0;
    }
    if (fs_write(a->output, buf_view(&text), e) < 0)
        return -1;
    say(s, "wrote %s", a->output);
    if (s->json) {
        node_put_u64(&d, root, "envbuild_output", 1);
        node_put_str(&d, root, "lock", str_of(a->output));
        session_json(s, &d, root);
    }
    return 0;
}

static int begin(struct session *s, struct lock_args *a, int argc, char **argv, struct err *e)
{
    const struct opt own[] = {
        {0, "upgrade", NULL, "take the newest of the packages named behind the recipe, or of all",
         opt_flag, &a->upgrade},
        {0, "check", NULL, "write nothing; list what is newer, and tell it by the exit code",
         opt_flag, &a->check},
        {0, "cell", "CELL", "of a matrix, only the recipes with these values: variant=devel (all)",
         opt_cell, &a->cell},
        {0, "from", "IMAGE",
         "write the lock that travels with an image of a registry or a layout (none)", opt_str,
         &a->from},
        {'o', "output", "FILE", "with --from: where to (standard output)", opt_str, &a->output},
        {0, "index", "URL", "simple index to ask (https://pypi.org/simple/)", opt_str, &a->index},
        {0, "offline", NULL, "use only what the store has", opt_flag, &s->offline},
    };

    if (session_begin(s, "lock", own, ARRAY_LEN(own), &argc, argv, 0, argc, e) < 0)
        return -1;
    if (s->help)
        return 0;
    if (a->from && (argc || a->check || a->upgrade))
        return err_set(e, ERR_USAGE, "lock --from takes an image, and no recipe");
    if (a->from)
        return take_out(s, a, e);
    if (a->output)
        return err_set(e, ERR_USAGE, "-o is for --from; a recipe's lock stands beside it");
    if (!argc)
        return err_set(e, ERR_USAGE,
                       "lock takes a recipe, not 0 operands; envbuild lock --help tells more");
    if (strcmp(argv[0], "diff") == 0) {
        if (argc != 3 || a->check || a->upgrade)
            return err_set(e, ERR_USAGE, "lock diff takes two locks: envbuild lock diff OLD NEW");
        return diff_locks(s, argv[1], argv[2], e);
    }
    a->recipe = argv[0];
    for (int i = 1; i < argc; i++)
        vec_add(&a->names, str_of(argv[i]));
    if (a->names.n && !a->upgrade)
        return err_set(e, ERR_USAGE,
                       "lock takes 1 operand (RECIPE), not %d; names of packages need --upgrade",
                       argc);
    if (a->check && a->upgrade)
        return err_set(e, ERR_USAGE, "--check writes nothing, --upgrade does: one of the two");
    return do_cells(s, a, e);
}

int cmd_lock(struct session *s, int argc, char **argv, struct err *e)
{
    struct lock_args a = {0};
    int result = begin(s, &a, argc, argv, e);

    vec_clear(&a.names);
    return result;
}
