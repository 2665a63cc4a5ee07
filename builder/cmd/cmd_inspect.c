/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/fs.h"
#include "../base/path.h"
#include "../doc/emit.h"
#include "../look/report.h"
#include "session.h"

struct inspecting {
    struct catalog catalog;
    struct stored image;
    struct inspection found;
    struct proof proof;
};

static void inspecting_clear(struct inspecting *i)
{
    proof_clear(&i->proof);
    inspection_clear(&i->found);
    stored_clear(&i->image);
    catalog_clear(&i->catalog);
}

static int inspect_image(struct session *s, const char *operand, struct err *e)
{
    CLEANUP(inspecting_clear) struct inspecting in = {0};
    CLEANUP(free_clear) char *scratch = path_join(s->store_dir, "scratch");
    CLEANUP(doc_clear) struct doc d = {0};
    CLEANUP(buf_clear) struct buf text = {0};

    if (catalog_open(&in.catalog, s->catalog_dir, e) < 0 || fs_mkdirs(scratch, e) < 0 ||
        stored_open(&in.image, str_of(operand), ".", e) < 0 ||
        inspect(&in.found, &in.image, &in.catalog, scratch, s->jobs, s->events, e) < 0 ||
        inspection_prove(&in.proof, &in.found, e) < 0)
        return -1;
    progress_pause(s->progress);
    if (s->json) {
        struct node *root = node_new_map(&d);

        node_put_u64(&d, root, "envbuild_output", 1);
        report_put(&d, root, &in.found, &in.proof);
        emit_json(&text, root, EMIT_LINES);
    } else {
        report_print(&text, &in.found, &in.proof);
    }
    fwrite(text.p, 1, text.len, stdout);
    return 0;
}

int cmd_inspect(struct session *s, int argc, char **argv, struct err *e)
{
    if (session_begin(s, "inspect", NULL, 0, &argc, argv, 1, 1, e) < 0)
        return -1;
    return s->help ? 0 : inspect_image(s, argv[0], e);
}
