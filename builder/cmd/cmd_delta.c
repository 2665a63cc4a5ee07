/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/fs.h"
#include "../base/path.h"
#include "../out/delta_make.h"
#include "output.h"
#include "session.h"
#include "stored_facts.h"

static void tell(struct session *s, const char *path, const struct delta_made *made)
{
    CLEANUP(buf_clear) struct buf size = {0}, changed = {0};
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root;

    progress_pause(s->progress);
    if (s->json) {
        root = node_new_map(&d);
        node_put_u64(&d, root, "envbuild_output", 1);
        node_put_str(&d, root, "file", str_of(path));
        node_put_u64(&d, root, "size", made->size);
        node_put_u64(&d, root, "layers", made->layers);
        node_put_u64(&d, root, "changed_layers", made->layers_changed);
        node_put_u64(&d, root, "changed_size", made->changed);
        session_json(s, &d, root);
        return;
    }
    output_print("%s\n", path);
    progress_size(&size, made->size);
    progress_size(&changed, made->changed);
    if (!s->quiet)
        output_message("envbuild: %s for whoever has the old image; %zu of %zu layers are new, "
                       "with %s",
                       size.p, made->layers_changed, made->layers, changed.p);
}

static int delta(struct session *s, const char *path, char **operands, struct err *e)
{
    CLEANUP(stored_clear) struct stored old = {0}, new = {0};
    CLEANUP(fs_temp_clear) struct fs_temp file = {0};
    CLEANUP(free_clear) char *scratch = NULL, *dir = NULL;
    struct delta_made made;

    if (session_scratch(&scratch, s, e) < 0 || stored_facts_image(&old, s, operands[0], e) < 0 ||
        stored_facts_image(&new, s, operands[1], e) < 0)
        return -1;
    events_emit(s->events, &(struct event){.kind = EVENT_STEP, .name = "compare the layers"});
    dir = path_dir(path);
    if (fs_mkdirs_for(path, e) < 0 || fs_temp_open(&file, dir, e) < 0 ||
        delta_make(&made, file.fd.n, path,
                   &(struct delta_making){
                       .old = &old, .new = &new, .scratch = scratch, .events = s->events},
                   e) < 0 ||
        fs_temp_publish(&file, path, true, e) < 0 || fs_sync_dir(dir, e) < 0)
        return -1;
    if (made.changed && made.size > made.changed)
        events_warn(s->events,
                    "the delta is larger than the layers that are new: their bytes cannot be made "
                    "from the old ones; a pull costs less");
    tell(s, path, &made);
    return 0;
}

int cmd_delta(struct session *s, int argc, char **argv, struct err *e)
{
    const char *path = "image.delta";
    const struct opt own[] = {
        {'o', "output", "FILE", "the file that is written (image.delta)", opt_str, &path},
    };

    if (session_begin(s, "delta", own, ARRAY_LEN(own), &argc, argv, 2, 2, e) < 0)
        return -1;
    return s->help ? 0 : delta(s, path, argv, e);
}
