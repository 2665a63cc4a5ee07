/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "../base/fs.h"
#include "../oci/layout.h"
#include "../oci/layout_gc.h"
#include "../store/cas.h"
#include "../store/gc.h"
#include "store_needs.h"
#include "output.h"
#include "session.h"

struct prune_args {
    uint32_t keep;
    int64_t older; /* seconds; 0: not given */
    bool dry_run;
};

struct pruned {
    const char *place;
    struct layout_content content; /* of a layout */
    struct walk_use all, gone;
};

/* ---- the store ---- */

/* Locks that are gone, and those that were not built for so long. */
static int forget_locks(const char *store, const struct store_needs *needs, struct err *e)
{
    const struct need_lock *lock;

    vec_each(lock, &needs->locks)
        if (!lock->counts && roots_forget(store, lock->root->path, e) < 0)
            return -1;
    return 0;
}

/* A store that an older envbuild filled knows no lock, and all of it would go. */
static int check_roots(const struct session *s, const struct store_needs *needs,
                       const struct gc_rules *rules, struct err *e)
{
    struct gc_rules look = *rules;
    struct gc_result result;

    look.remove = false;
    if (needs->roots.n || rules->before)
        return 0;
    if (gc_store(&result, s->store_dir, &look, e) < 0)
        return -1;
    return !result.unneeded.files ? 0
                                  : err_set(e, ERR_INPUT,
                                            "the store %s knows no lock that was built from it, so "
                                            "all of it would go; build once, or name an age: "
                                            "`envbuild prune --older 30d`",
                                            s->store_dir);
}

static int prune_store(struct pruned *out, const struct session *s, const struct prune_args *a,
                       struct err *e)
{
    CLEANUP(store_needs_clear) struct store_needs needs = {0};
    CLEANUP(free_clear) char *path = cas_lock_path(s->store_dir);
    CLEANUP(fd_clear) struct fd alone = {0};
    struct gc_result result = {0};
    struct gc_rules rules = {
        .before = a->older ? s->now - a->older : 0, .remove = !a->dry_run, .events = s->events};

    out->place = s->store_dir;
    if (!fs_exists(s->store_dir))
        return 0;
    if (rules.remove && access(s->store_dir, W_OK) < 0)
        return err_set(e, ERR_SYSTEM,
                       "the store %s may only be read here, so nothing can be removed from it",
                       s->store_dir);
    if ((rules.remove && fs_lock(&alone, path, s->events, e) < 0) ||
        store_needs_read(&needs, s->store_dir, rules.before, e) < 0)
        return -1;
    rules.needed = needs.blobs.v;
    rules.needed_n = needs.blobs.n;
    if ((rules.remove && check_roots(s, &needs, &rules, e) < 0) ||
        gc_store(&result, s->store_dir, &rules, e) < 0)
        return -1;
    out->all = result.all;
    out->gone = result.unneeded;
    return rules.remove ? forget_locks(s->store_dir, &needs, e) : 0;
}

/* ---- a layout ---- */

static int prune_layout(struct pruned *out, const struct session *s, const char *dir,
                        const struct prune_args *a, struct err *e)
{
    const struct layout_rules rules = {a->keep, a->older ? s->now - a->older : 0};

    out->place = dir;
    if (a->dry_run ? layout_survey(&out->content, dir, &rules, e) < 0
                   : layout_prune(&out->content, dir, &rules, s->events, e) < 0)
        return -1;
    out->all = out->content.all;
    out->gone = out->content.unneeded;
    return 0;
}

/* ---- telling ---- */

static void print_json(struct session *s, const struct pruned *p, bool dry_run)
{
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = node_new_map(&d), *list;
    const struct layout_image *i;

    node_put_u64(&d, root, "envbuild_output", 1);
    node_put_str(&d, root, "place", str_of(p->place));
    node_put_bool(&d, root, "dry_run", dry_run);
    list = node_put(&d, root, "images", node_new_list(&d));
    vec_each(i, &p->content.images) {
        char digest[DIGEST_TEXT + 1];
        struct node *n;

        if (!i->goes)
            continue;
        n = node_add(&d, list, node_new_map(&d));
        digest_text(&i->digest, digest);
        if (i->tag)
            node_put_str(&d, n, "tag", str_of(i->tag));
        node_put_str(&d, n, "digest", arena_str(&d.arena, str_of(digest)));
    }
    node_put_u64(&d, root, "files", p->gone.files);
    node_put_u64(&d, root, "bytes", p->gone.bytes);
    node_put_u64(&d, root, "freed", p->gone.real);
    node_put_u64(&d, root, "left", p->all.bytes - p->gone.bytes);
    session_json(s, &d, root);
}

static void print_text(const struct pruned *p, bool dry_run)
{
    CLEANUP(buf_clear) struct buf gone = {0}, left = {0};
    const char *removed = dry_run ? "would remove" : "removed";
    const struct layout_image *i;

    vec_each(i, &p->content.images)
        if (i->goes)
            output_print("%s %s\n", removed, i->tag ? i->tag : "an image without a tag");
    progress_size(&gone, p->gone.bytes);
    progress_size(&left, p->all.bytes - p->gone.bytes);
    output_print("%s: %s %llu file%s, %s; %s %s\n", p->place, removed,
                 (unsigned long long)p->gone.files, p->gone.files == 1 ? "" : "s", gone.p, left.p,
                 dry_run ? "would stay" : "stay");
}

int cmd_prune(struct session *s, int argc, char **argv, struct err *e)
{
    struct prune_args a = {0};
    struct pruned p = {0};
    const struct opt own[] = {
        {0, "keep", "N", "in a layout, of each name's images only the newest N stay (all)", opt_u32,
         &a.keep},
        {0, "older", "AGE",
         "only what is older: 12h, 30d, 4w; in the store also what no build used for so long (any "
         "age)",
         opt_age, &a.older},
        {0, "dry-run", NULL, "remove nothing, and tell what would go", opt_flag, &a.dry_run},
    };
    const char *dir;
    int result;

    if (session_begin(s, "prune", own, ARRAY_LEN(own), &argc, argv, 0, 1, e) < 0)
        return -1;
    if (s->help)
        return 0;
    if (!argc && a.keep)
        return err_set(e, ERR_USAGE,
                       "--keep is for images, and without a layout the store is pruned; write "
                       "`envbuild prune images --keep %u`",
                       a.keep);
    dir = argc ? layout_dir(argv[0]) : NULL;
    result = dir ? prune_layout(&p, s, dir, &a, e) : prune_store(&p, s, &a, e);
    progress_pause(s->progress);
    if (result == 0 && s->json)
        print_json(s, &p, a.dry_run);
    else if (result == 0)
        print_text(&p, a.dry_run);
    layout_content_clear(&p.content);
    return result;
}
