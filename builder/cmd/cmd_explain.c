/* SPDX-License-Identifier: Apache-2.0 */
#include "../look/report.h"
#include "../model/explain.h"
#include "../model/finding.h"
#include "asked_lock.h"
#include "output.h"
#include "stored_facts.h"

static void tell(struct session *s, const struct lock *lock, bool findings)
{
    CLEANUP(doc_clear) struct doc d = {0};
    CLEANUP(buf_clear) struct buf text = {0};

    progress_pause(s->progress);
    if (s->json) {
        struct node *root = node_new_map(&d);

        node_put_u64(&d, root, "envbuild_output", 1);
        if (!findings)
            explain_put(&d, root, lock);
        findings_put(&d, root, lock);
        session_json(s, &d, root);
        return;
    }
    if (findings)
        findings_print(&text, lock);
    else
        explain_print(&text, lock);
    output_text(buf_view(&text));
}

/* An image has no lock in it; its files tell what it holds. */
static int explain_image(struct session *s, const char *operand, struct err *e)
{
    CLEANUP(catalog_clear) struct catalog catalog = {0};
    CLEANUP(looked_clear) struct looked image = {0};
    CLEANUP(doc_clear) struct doc d = {0};
    CLEANUP(buf_clear) struct buf text = {0};

    if (catalog_open(&catalog, s->catalog_dir, e) < 0 ||
        looked_open(&image, s, operand, &catalog, e) < 0)
        return -1;
    progress_pause(s->progress);
    if (s->json) {
        struct node *root = node_new_map(&d);

        node_put_u64(&d, root, "envbuild_output", 1);
        report_explain_put(&d, root, &image.found);
        session_json(s, &d, root);
        return 0;
    }
    report_explain(&text, &image.found);
    output_text(buf_view(&text));
    return 0;
}

int cmd_explain(struct session *s, int argc, char **argv, struct err *e)
{
    CLEANUP(asked_lock_clear) struct asked_lock asked = {0};
    const char *index = NULL;
    bool findings = false;
    struct opt own[ASKED_OPTS + 1];

    own[0] = (struct opt){0,        "findings",
                          NULL,     "list what the first build found out about loading libraries",
                          opt_flag, &findings};
    asked_opts(own + 1, s, &index);
    if (session_begin(s, "explain", own, ARRAY_LEN(own), &argc, argv, 1, 1, e) < 0)
        return -1;
    if (s->help)
        return 0;
    if (stored_is_image(str_of(argv[0]), "."))
        return findings ? err_set(e, ERR_USAGE,
                                  "%s is an image, and --findings is what a lock tells; `envbuild "
                                  "inspect %s` finds out the same of an image",
                                  argv[0], argv[0])
                        : explain_image(s, argv[0], e);
    if (asked_lock_open(&asked, s, argv[0], index, e) < 0)
        return -1;
    tell(s, &asked.lock, findings);
    return 0;
}
