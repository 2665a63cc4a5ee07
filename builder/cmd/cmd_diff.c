/* SPDX-License-Identifier: Apache-2.0 */
#include "../look/image_diff.h"
#include "../model/lock_diff.h"
#include "asked_lock.h"
#include "output.h"
#include "stored_facts.h"

static int diff_locks(struct session *s, char *const *operands, const char *index, struct err *e)
{
    CLEANUP(asked_lock_clear) struct asked_lock old = {0};
    CLEANUP(asked_lock_clear) struct asked_lock now = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = node_new_map(&d);

    if (asked_lock_open(&old, s, operands[0], index, e) < 0 ||
        asked_lock_open(&now, s, operands[1], index, e) < 0)
        return -1;
    progress_pause(s->progress);
    if (s->json) {
        node_put_u64(&d, root, "envbuild_output", 1);
        lock_diff_put(&d, root, &old.lock, &now.lock);
        session_json(s, &d, root);
        return 0;
    }
    lock_diff_print(&text, &old.lock, &now.lock);
    output_text(buf_view(&text));
    return 0;
}

static int diff_images(struct session *s, char *const *operands, struct err *e)
{
    CLEANUP(catalog_clear) struct catalog catalog = {0};
    CLEANUP(looked_clear) struct looked old = {0};
    CLEANUP(looked_clear) struct looked now = {0};
    CLEANUP(image_diff_clear) struct image_diff diff = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = node_new_map(&d);

    if (catalog_open(&catalog, s->catalog_dir, e) < 0 ||
        looked_open(&old, s, operands[0], &catalog, e) < 0 ||
        looked_open(&now, s, operands[1], &catalog, e) < 0)
        return -1;
    image_diff(&diff, &old.found, &now.found);
    progress_pause(s->progress);
    if (s->json) {
        node_put_u64(&d, root, "envbuild_output", 1);
        image_diff_put(&d, root, &diff);
        session_json(s, &d, root);
        return 0;
    }
    image_diff_print(&text, &diff);
    output_text(buf_view(&text));
    return 0;
}

int cmd_diff(struct session *s, int argc, char **argv, struct err *e)
{
    const char *index = NULL;
    struct opt own[ASKED_OPTS];
    bool images[2];

    asked_opts(own, s, &index);
    if (session_begin(s, "diff", own, ARRAY_LEN(own), &argc, argv, 2, 2, e) < 0)
        return -1;
    if (s->help)
        return 0;
    for (int i = 0; i < 2; i++)
        images[i] = stored_is_image(str_of(argv[i]), ".");
    if (images[0] != images[1])
        return err_set(e, ERR_USAGE,
                       "%s is an image, and %s is not; diff takes two images, or two of recipe, "
                       "lock and tag",
                       argv[images[1]], argv[images[0]]);
    return images[0] ? diff_images(s, argv, e) : diff_locks(s, argv, index, e);
}
