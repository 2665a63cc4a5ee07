/* SPDX-License-Identifier: Apache-2.0 */
#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/beneath.h"
#include "../base/path.h"
#include "../base/pool.h"
#include "../oci/layer_read.h"
#include "../store/unpacked.h"
#include "lay.h"

static const uint64_t room_spare = (uint64_t)1 << 30; /* bytes of the disk that stay free */

/* What bwrap mounts over; real folders, so that no link of a layer leads it elsewhere. */
static const char *const mount_points[] = {"proc", "dev", "tmp", "var", "var/tmp", SEAL_TOP};

struct layer_job {
    const struct seal_layer *layer;
    const struct cas *cas;
    const struct events *events;
    const struct layer_job *same; /* the one that has its files; NULL: it has its own */
    struct unpacked to;
};

static int put_entry(void *ctx, const struct tar_entry *t, struct source *data, struct err *e)
{
    return t->special ? 0 : lay_put(ctx, &t->entry, data, e);
}

static int unpack(struct lay *l, const struct layer_job *job, struct err *e)
{
    struct source *packed;

    if (job->layer->open(&packed, job->layer->ctx, e) < 0)
        return -1;
    packed->events = job->events;
    return layer_read_bytes(packed, &job->layer->diff_id, put_entry, l, e);
}

static int run_job(void *ctx, struct err *e)
{
    struct layer_job *job = ctx;
    CLEANUP(lay_clear) struct lay l = {0};
    struct event ev = {EVENT_BEGIN, "unpack", job->layer->name, 0, job->layer->size};
    int result;

    events_emit(job->events, &ev);
    result = lay_open(&l, job->to.files, true, e) < 0 ? -1 : unpack(&l, job, e);
    ev.kind = EVENT_END;
    events_emit(job->events, &ev);
    if (result == 0)
        result = unpacked_publish(&job->to, e);
    return result < 0 ? err_wrap(e, "unpack layer %s", job->layer->name) : 0;
}

/* ---- layers to a root ---- */

struct merging {
    const char *top; /* of the root */
    int fd;          /* the same, open */
    const struct events *events;
};

static int merge(const struct merging *m, int from, int to, struct err *e);

/* What lower layers have there and this one deletes. */
static int apply_whiteouts(const struct merging *m, const struct names *names, int to,
                           struct err *e)
{
    CLEANUP(names_clear) struct names old = {0};
    char **name, **gone;

    vec_each(name, names) {
        if (strcmp(*name, ".wh..wh..opq") == 0) {
            if (fs_list_at(&old, to, m->top, e) < 0)
                return -1;
            vec_each(gone, &old)
                if (lay_clear_name(to, *gone, m->top, e) < 0)
                    return -1;
        } else if (lay_is_whiteout(*name) && !lay_is_whiteout(*name + 4) && (*name)[4] &&
                   strcmp(*name + 4, ".") != 0 && strcmp(*name + 4, "..") != 0 &&
                   lay_clear_name(to, *name + 4, m->top, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int merge_folder(const struct merging *m, int from, int to, const char *name, uint32_t mode,
                        struct err *e)
{
    CLEANUP(fd_clear) struct fd source = {0}, target = {0};
    int n = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (n < 0)
        return err_errno(e, "cannot read %s of a layer of %s", name, m->top);
    source = (struct fd){n, true};
    if (lay_enter(&target, to, name, m->top, e) < 0)
        return -1;
    if (fchmod(target.n, mode & 0777) < 0)
        return err_errno(e, "cannot set the mode of %s in %s", name, m->top);
    return merge(m, source.n, target.n, e);
}

enum { LINK_MAX_LEN = 4096 };

/* A hard link to a file of a lower layer, by the links of the root and never out of it. */
static int link_lower(const struct merging *m, int from, int to, const char *mark, struct err *e)
{
    const char *name = mark + sizeof LAY_LINK - 1;
    CLEANUP(fd_clear) struct fd fd = {0};
    CLEANUP(buf_clear) struct buf real = {0};
    char text[LINK_MAX_LEN];
    size_t got = 0;
    int n = openat(from, mark, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    if (n < 0)
        return err_errno(e, "cannot read %s of a layer of %s", mark, m->top);
    fd = (struct fd){n, true};
    if (fd_pread_some(n, text, sizeof text, 0, &got, mark, e) < 0)
        return -1;
    if (!got) /* a name of the layer's own, which means nothing */
        return 0;
    if (beneath_resolve(&real, m->fd, (struct str){text, got}, false) && real.len &&
        lay_clear_name(to, name, m->top, e) == 0 && linkat(m->fd, real.p, to, name, 0) == 0)
        return 0;
    return err_is_set(e) ? -1
                         : err_set(e, ERR_INPUT,
                                   "\"%s\" is a hard link to \"%.*s\", which is no file of its "
                                   "layer or of one below",
                                   name, (int)got, text);
}

static int merge(const struct merging *m, int from, int to, struct err *e)
{
    CLEANUP(names_clear) struct names names = {0};
    char **name;

    if (events_cancelled(m->events))
        return err_set(e, ERR_INTERRUPTED, "interrupted");
    if (fs_list_at(&names, from, m->top, e) < 0 || apply_whiteouts(m, &names, to, e) < 0)
        return -1;
    vec_each(name, &names) {
        struct stat st;

        if (str_starts(str_of(*name), STR(LAY_LINK)) && link_lower(m, from, to, *name, e) < 0)
            return -1;
        if (lay_is_whiteout(*name))
            continue;
        if (fstatat(from, *name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return err_errno(e, "cannot read %s of a layer of %s", *name, m->top);
        if (S_ISDIR(st.st_mode)) {
            if (merge_folder(m, from, to, *name, st.st_mode, e) < 0)
                return -1;
        } else if (linkat(from, *name, to, *name, 0) < 0 &&
                   (errno != EEXIST || lay_clear_name(to, *name, m->top, e) < 0 ||
                    linkat(from, *name, to, *name, 0) < 0)) {
            return err_is_set(e) ? -1 : err_errno(e, "cannot link %s into %s", *name, m->top);
        }
    }
    return 0;
}

static int make_mount_points(const char *top, int fd, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(mount_points); i++) {
        CLEANUP(fd_clear) struct fd folder = {0}, made = {0};
        CLEANUP(free_clear) char *name = NULL;
        struct str path = str_of(mount_points[i]);

        str_skip(&path, STR("/"));
        if (lay_enter_parents(&folder, &name, fd, path, top, e) < 0 ||
            lay_enter(&made, folder.n, name, top, e) < 0)
            return -1;
    }
    return 0;
}

static int make_root(struct unpacked *root, const struct layer_job *jobs, size_t n,
                     const struct events *events, struct err *e)
{
    struct merging m = {.top = root->files, .events = events};
    CLEANUP(fd_clear) struct fd to = {0};

    if (fd_open(&to, root->files, O_RDONLY | O_DIRECTORY, 0, e) < 0)
        return -1;
    m.fd = to.n;
    for (size_t i = 0; i < n; i++) {
        CLEANUP(fd_clear) struct fd from = {0};
        const struct layer_job *j = jobs[i].same ? jobs[i].same : &jobs[i];

        if (fd_open(&from, j->to.files, O_RDONLY | O_DIRECTORY, 0, e) < 0 ||
            merge(&m, from.n, to.n, e) < 0)
            return -1;
    }
    return make_mount_points(root->files, to.n, e) < 0 ? -1 : unpacked_publish(root, e);
}

/* ---- all of it ---- */

void seal_root_key(struct digest *out, const struct seal_layers *layers)
{
    CLEANUP(buf_clear) struct buf text = {0};
    const struct seal_layer *l;

    buf_puts(&text, "root 1\n");
    vec_each(l, layers) {
        char diff_id[DIGEST_TEXT + 1];

        digest_text(&l->diff_id, diff_id);
        buf_fmt(&text, "%s\n", diff_id);
    }
    hash_bytes(out, text.p, text.len);
}

/* A tar's bytes are about what its files take. */
static int check_room(const struct cas *cas, uint64_t need, struct err *e)
{
    struct fs_room room;

    fs_room(&room, cas_dir(cas));
    if (!room.known || room.free / 2 >= need / 2 + room_spare / 2)
        return 0;
    return err_set(e, ERR_SYSTEM,
                   "the root of a sealed build takes %llu MiB and 1 GiB to spare in %s, where %llu "
                   "MiB are free; make room, or name another store with --store DIR",
                   (unsigned long long)(need >> 20), cas_dir(cas),
                   (unsigned long long)(room.free >> 20));
}

/* The order in which they are opened, and so locked, is that of their diff_ids for everybody. */
static int by_diff_id(const void *a, const void *b)
{
    const struct layer_job *const *x = a, *const *y = b;

    return digest_cmp(&(*x)->layer->diff_id, &(*y)->layer->diff_id);
}

static int open_layers(struct layer_job **jobs, size_t n, struct err *e)
{
    uint64_t need = 0;

    qsort(jobs, n, sizeof *jobs, by_diff_id);
    for (size_t i = 0; i < n; i++) {
        struct layer_job *j = jobs[i];

        if (i && digest_eq(&j->layer->diff_id, &jobs[i - 1]->layer->diff_id)) {
            j->same = jobs[i - 1]->same ? jobs[i - 1]->same : jobs[i - 1];
            continue;
        }
        if (unpacked_open(&j->to, j->cas, UNPACKED_LAYER, &j->layer->diff_id, j->events, e) < 0)
            return -1;
        need += j->to.here ? 0 : j->layer->size;
    }
    return n ? check_room(jobs[0]->cas, need, e) : 0;
}

static int unpack_layers(struct layer_job *jobs, size_t n, unsigned threads, struct err *e)
{
    CLEANUP(pool_clear) struct pool *pool = pool_open(threads);

    for (size_t i = 0; i < n; i++)
        if (!jobs[i].same && !jobs[i].to.here)
            pool_add(pool, jobs[i].layer->size, (unsigned)i, run_job, &jobs[i]);
    return pool_wait(pool, e);
}

int seal_root_open(struct seal_root *out, const struct cas *cas, const struct seal_layers *layers,
                   unsigned threads, const struct events *events, struct err *e)
{
    CLEANUP(unpacked_clear) struct unpacked root = {0};
    CLEANUP(seal_root_clear) struct seal_root r = {0};
    struct layer_job *jobs, **order;
    int result = 0;

    seal_root_key(&r.key, layers);
    if (unpacked_open(&root, cas, UNPACKED_ROOT, &r.key, events, e) < 0)
        return -1;
    if (!root.here) {
        jobs = xcalloc(layers->n, sizeof *jobs);
        order = xcalloc(layers->n, sizeof *order);
        for (size_t i = 0; i < layers->n; i++) {
            jobs[i] = (struct layer_job){.layer = &layers->v[i], .cas = cas, .events = events};
            order[i] = &jobs[i];
        }
        if (open_layers(order, layers->n, e) < 0 ||
            unpack_layers(jobs, layers->n, threads, e) < 0 ||
            make_root(&root, jobs, layers->n, events, e) < 0)
            result = -1;
        for (size_t i = 0; i < layers->n; i++)
            unpacked_clear(&jobs[i].to);
        free(jobs);
        free(order);
    }
    if (result < 0)
        return -1;
    if (fs_absolute(&r.path, root.files, e) < 0)
        return -1;
    MOVE(out, &r);
    return 0;
}

void seal_root_clear(struct seal_root *r)
{
    free(r->path);
    *r = (struct seal_root){0};
}
