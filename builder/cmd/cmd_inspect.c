/* SPDX-License-Identifier: Apache-2.0 */
#include "../look/report.h"
#include "output.h"
#include "stored_facts.h"

struct inspecting {
    struct catalog catalog;
    struct looked image;
    struct proof proof;
};

static void inspecting_clear(struct inspecting *i)
{
    proof_clear(&i->proof);
    looked_clear(&i->image);
    catalog_clear(&i->catalog);
}

static int inspect_image(struct session *s, const char *operand, struct err *e)
{
    CLEANUP(inspecting_clear) struct inspecting in = {0};
    CLEANUP(doc_clear) struct doc d = {0};
    CLEANUP(buf_clear) struct buf text = {0};

    if (catalog_open(&in.catalog, s->catalog_dir, e) < 0 ||
        looked_open(&in.image, s, operand, &in.catalog, e) < 0 ||
        inspection_prove(&in.proof, &in.image.found, e) < 0)
        return -1;
    progress_pause(s->progress);
    if (s->json) {
        struct node *root = node_new_map(&d);

        node_put_u64(&d, root, "envbuild_output", 1);
        report_put(&d, root, &in.image.found, &in.proof);
        session_json(s, &d, root);
    } else {
        report_print(&text, &in.image.found, &in.proof);
        output_text(buf_view(&text));
    }
    return 0;
}

int cmd_inspect(struct session *s, int argc, char **argv, struct err *e)
{
    if (session_begin(s, "inspect", NULL, 0, &argc, argv, 1, 1, e) < 0)
        return -1;
    return s->help ? 0 : inspect_image(s, argv[0], e);
}
