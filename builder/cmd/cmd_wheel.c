/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "../base/path.h"
#include "build_job.h"
#include "output.h"

enum { CHUNK = 1 << 20 };

static int copy_bytes(const struct input *from, int to, const char *path, struct err *e)
{
    CLEANUP(buf_clear) struct buf chunk = {0};
    uint64_t at = 0;
    size_t got;

    buf_room(&chunk, CHUNK);
    do {
        if (fd_pread_some(from->fd.n, chunk.p, CHUNK, at, &got, path, e) < 0 ||
            fd_write_all(to, chunk.p, got, path, e) < 0)
            return -1;
        at += got;
    } while (got);
    return 0;
}

/* One wheel of the store under its name in `dir`. */
static int export_wheel(const struct work *w, const struct artifact *a, const char *dir,
                        const char *path, struct err *e)
{
    CLEANUP(cas_input_clear) struct input from = {0};
    CLEANUP(fs_temp_clear) struct fs_temp temp = {0};

    if (cas_input(&from, w->cas, &a->digest, path, e) < 0 || fs_temp_open(&temp, dir, e) < 0)
        return -1;
    if (!fs_temp_clone(&temp, from.fd.n) && copy_bytes(&from, temp.fd.n, path, e) < 0)
        return -1;
    return fs_temp_publish(&temp, path, true, e);
}

static int export_all(struct session *s, const struct work *w, const char *dir, struct err *e)
{
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = node_new_map(&d), *list;
    const struct artifact *a;

    node_put_u64(&d, root, "envbuild_output", 1);
    list = node_put(&d, root, "wheels", node_new_list(&d));
    if (fs_mkdirs(dir, e) < 0)
        return -1;
    progress_pause(s->progress);
    vec_each(a, &w->lock.artifacts) {
        CLEANUP(free_clear) char *folder = NULL, *name = NULL, *path = NULL;

        if (!a->source)
            continue;
        name = str_dup(a->file);
        folder = sealed_folder(dir, a);
        path = path_join(folder, name);
        if (fs_mkdirs(folder, e) < 0 || export_wheel(w, a, folder, path, e) < 0 ||
            fs_sync_dir(folder, e) < 0)
            return -1;
        node_add_str(&d, list, str_of(arena_strdup(&d.arena, path)));
        if (!s->json)
            output_print("%s\n", path);
    }
    if (s->json)
        session_json(s, &d, root);
    else if (!list->count && !s->quiet)
        output_message("%s: all of its wheels are files of an index", w->operand);
    return fs_sync_dir(dir, e);
}

int cmd_wheel(struct session *s, int argc, char **argv, struct err *e)
{
    struct build_args a = {0};
    CLEANUP(work_clear) struct work w = {0};
    CLEANUP(build_job_clear) struct build_job job = {.work = &w};
    CLEANUP(sealed_clear) struct sealed *sealed = NULL;
    CLEANUP(free_clear) char *beside = NULL;
    const char *output = NULL;
    const struct opt own[] = {
        {'o', "output", "DIR", "folder for the wheels (wheels beside the recipe)", opt_str,
         &output},
        {0, "cell", "CELL",
         "the one of a matrix that has these values: variant=devel (needed where there are "
         "several)",
         opt_cell, &a.cell},
        {'j', "jobs", "N", "threads (one a core)", opt_u32, &a.jobs},
        {0, "index", "URL", "simple index to ask for a first lock (https://pypi.org/simple/)",
         opt_str, &a.index},
        {0, "locked", NULL, "fail rather than change the lock", opt_flag, &a.locked},
        {0, "rebuild-ok", NULL,
         "where a wheel is built again and is another one, take it into the lock", opt_flag,
         &a.rebuild_ok},
        {0, "offline", NULL, "use only what the store has", opt_flag, &s->offline},
    };

    if (session_begin(s, "wheel", own, ARRAY_LEN(own), &argc, argv, 1, 1, e) < 0)
        return -1;
    if (s->help)
        return 0;
    if (work_open(&w, s, argv[0], a.cell, e) < 0 || build_job_lock(&job, s, &a, e) < 0)
        return -1;
    sealed = build_job_sealed(&w, s, &a);
    if (sealed_have(sealed, w.lock.artifacts.v, w.lock.artifacts.n, e) < 0)
        return -1;
    beside = path_join(w.dir, "wheels");
    return export_all(s, &w, output ? output : beside, e);
}
