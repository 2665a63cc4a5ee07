/* SPDX-License-Identifier: Apache-2.0 */
#include "../model/needed_by.h"
#include "asked_lock.h"
#include "output.h"

/* An older lock knows no edges; a tree without any would be a lie. */
static int check_known(const struct lock *lock, const char *operand, struct err *e)
{
    return needed_by_known(lock)
               ? 0
               : err_set(e, ERR_INPUT,
                         "%s: its lock is of an envbuild before 0.4.0 and does not say what wheels "
                         "need; `envbuild lock --upgrade RECIPE` writes one that does",
                         operand);
}

static int why(struct session *s, const struct lock *lock, const char *operand, const char *name,
               struct err *e)
{
    const struct artifact *a = needed_by_find(lock, str_of(name));
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = node_new_map(&d);

    if (!a)
        return err_set(e, ERR_INPUT,
                       "%s has no package \"%s\"; `envbuild explain %s` lists what it has", operand,
                       name, operand);
    if (a->eco == ECO_WHEEL && check_known(lock, operand, e) < 0)
        return -1;
    progress_pause(s->progress);
    if (s->json) {
        node_put_u64(&d, root, "envbuild_output", 1);
        needed_by_put(&d, root, lock, a);
        session_json(s, &d, root);
        return 0;
    }
    needed_by_print(&text, lock, a);
    output_text(buf_view(&text));
    return 0;
}

int cmd_why(struct session *s, int argc, char **argv, struct err *e)
{
    CLEANUP(asked_lock_clear) struct asked_lock asked = {0};
    const char *index = NULL;
    struct opt own[ASKED_OPTS];

    asked_opts(own, s, &index);
    if (session_begin(s, "why", own, ARRAY_LEN(own), &argc, argv, 2, 2, e) < 0)
        return -1;
    if (s->help)
        return 0;
    if (asked_lock_open(&asked, s, argv[0], index, e) < 0)
        return -1;
    return why(s, &asked.lock, argv[0], argv[1], e);
}

int cmd_tree(struct session *s, int argc, char **argv, struct err *e)
{
    CLEANUP(asked_lock_clear) struct asked_lock asked = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = node_new_map(&d);
    const char *index = NULL;
    struct opt own[ASKED_OPTS];

    asked_opts(own, s, &index);
    if (session_begin(s, "tree", own, ARRAY_LEN(own), &argc, argv, 1, 1, e) < 0)
        return -1;
    if (s->help)
        return 0;
    if (asked_lock_open(&asked, s, argv[0], index, e) < 0 ||
        check_known(&asked.lock, argv[0], e) < 0)
        return -1;
    progress_pause(s->progress);
    if (s->json) {
        node_put_u64(&d, root, "envbuild_output", 1);
        needed_by_tree_put(&d, root, &asked.lock);
        session_json(s, &d, root);
        return 0;
    }
    needed_by_tree(&text, &asked.lock);
    output_text(buf_view(&text));
    return 0;
}
