/* SPDX-License-Identifier: Apache-2.0 */
#include "gc.h"

#include <errno.h>
#include <unistd.h>

#include "../base/fs.h"
#include "../base/path.h"
#include "unpacked.h"

/* Folders of memos, as cmd/ names them. */
static const char *const memories[] = {"layers",  "linkage", "pages",      "metadata",
                                       "outputs", "scans",   "registries", "sealed"};

struct collecting {
    const char *store;
    const struct gc_rules *rules;
    struct gc_result *out;
    struct names folders; /* of those unpacked: what goes, below the store */
};

static bool is_hex(struct str s, size_t len)
{
    for (size_t i = 0; i < s.len; i++)
        if (!strchr("0123456789abcdef", s.p[i]) || !s.p[i])
            return false;
    return s.len == len;
}

/* "<2 hex>/<62 hex>" in one of the folders. */
static bool is_memory(struct str path)
{
    struct str kind, head;

    if (!str_cut(&path, STR("/"), &kind))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(memories); i++)
        if (str_is(kind, memories[i]))
            return str_cut(&path, STR("/"), &head) && is_hex(head, 2) &&
                   is_hex(path, DIGEST_HEX - 2);
    return false;
}

static enum gc_kind kind_of(struct str path, const struct stat *st)
{
    struct str rest = path;

    if (unpacked_is_in(path))
        return GC_UNPACKED;
    if (!S_ISREG(st->st_mode))
        return GC_OTHER;
    if (str_starts(path_base(path), STR(".envbuild-")))
        return GC_TEMPORARY;
    if (is_memory(path) || str_starts(path, STR("logs/"))) /* of builds from source */
        return GC_MEMORY;
    if (str_skip(&rest, STR("blobs/sha256/")))
        return is_hex(rest, DIGEST_HEX) ? GC_BLOBS : GC_OTHER;
    if (str_skip(&rest, STR("partial/")))
        return is_hex(rest, DIGEST_HEX) ? GC_PARTIAL : GC_OTHER;
    if (str_skip(&rest, STR("locks/")))
        return is_hex(rest, DIGEST_HEX) ? GC_LOCKS : GC_OTHER;
    return GC_OTHER;
}

/* One that is not whole is what a killed run left: nobody has the store open. */
static void judge_unpacked(struct collecting *c, struct str path)
{
    CLEANUP(free_clear)
    char *folder = path_join(c->store, path.p), *done = path_join(folder, "done");
    struct stat st;

    if (lstat(done, &st) < 0 || !c->rules->before || st.st_mtime < c->rules->before)
        names_add(&c->folders, path.p);
}

/* Is it below the last that was judged so? */
static bool unpacked_goes(const struct collecting *c, struct str path)
{
    return c->folders.n && path_is_in(path, str_of(c->folders.v[c->folders.n - 1]));
}

static bool is_needed(const struct gc_rules *r, struct str name)
{
    struct digest digest;

    return digest_from_hex(&digest, name) && r->needed_n &&
           bsearch(&digest, r->needed, r->needed_n, sizeof digest, digest_order);
}

static bool goes(const struct collecting *c, const struct walk_item *item, enum gc_kind kind)
{
    const struct gc_rules *r = c->rules;
    CLEANUP(free_clear) char *path = NULL;
    bool old = item->st->st_mtime < r->before;

    switch (kind) {
    case GC_BLOBS:
    case GC_PARTIAL:
        return (!r->before || old) && !is_needed(r, path_base(item->path));
    case GC_MEMORY:
        return old;
    case GC_TEMPORARY:
        path = path_join(c->store, item->path.p);
        return fs_temp_is_abandoned(path);
    case GC_UNPACKED:
        return unpacked_goes(c, item->path);
    case GC_LOCKS:
    case GC_OTHER:
    case GC_KINDS:
        return false;
    }
    return false;
}

static int take(void *ctx, const struct walk_item *item, struct err *e)
{
    struct collecting *c = ctx;
    enum gc_kind kind = kind_of(item->path, item->st);
    struct stat freed = *item->st;

    if (events_cancelled(c->rules->events))
        return err_set(e, ERR_INTERRUPTED, "interrupted");
    if (unpacked_is_one(item->path))
        judge_unpacked(c, item->path);
    walk_count(&c->out->all, item->st);
    walk_count(&c->out->kinds[kind], item->st);
    if (!goes(c, item, kind))
        return 0;
    if (c->rules->remove && kind != GC_UNPACKED && unlinkat(item->dir, item->name, 0) < 0 &&
        errno != ENOENT)
        return err_errno(e, "cannot remove %s/" STR_FMT, c->store, STR_ARG(item->path));
    if (freed.st_nlink > 1) /* a layout has it, too */
        freed.st_blocks = 0;
    walk_count(&c->out->unneeded, &freed);
    return 0;
}

int gc_store(struct gc_result *out, const char *store, const struct gc_rules *rules, struct err *e)
{
    struct collecting c = {store, rules, out, {0}};
    int result;

    *out = (struct gc_result){0};
    result = walk(store, take, &c, e);
    for (size_t i = 0; result == 0 && rules->remove && i < c.folders.n; i++) {
        CLEANUP(free_clear) char *folder = path_join(store, c.folders.v[i]);

        result = unpacked_remove(folder, e);
    }
    names_clear(&c.folders);
    return result;
}
