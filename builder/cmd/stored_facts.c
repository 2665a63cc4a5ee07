/* SPDX-License-Identifier: Apache-2.0 */
#include "stored_facts.h"

#include "../base/fs.h"
#include "../base/path.h"
#include "../model/labels.h"
#include "../model/require.h"

bool stored_facts_labelled(struct facts *out, const struct image_config *config)
{
    const struct image_history *h, *last = NULL;

    vec_each(h, &config->history)
        if (!h->empty_layer)
            last = h;
    return last && str_starts(last->created_by, STR("envbuild ")) &&
           labels_read(out, &config->labels);
}

int stored_facts_image(struct stored *out, struct session *s, const char *operand, struct err *e)
{
    CLEANUP(free_clear) char *dir = NULL;
    struct stored_scratch scratch = session_ways(s, NULL);

    if (session_scratch(&dir, s, e) < 0)
        return -1;
    scratch.dir = dir;
    return stored_open_any(out, str_of(operand), ".", &scratch, e);
}

struct remembering {
    struct memo *scans, *outputs;
    struct scan_memory memory; /* of them */
};

static int remembering_open(struct remembering *m, const struct session *s, struct err *e)
{
    CLEANUP(free_clear)
    char *scans = path_join(s->store_dir, "scans"), *outputs = path_join(s->store_dir, "outputs");

    if (memo_open(&m->scans, scans, e) < 0 || memo_open(&m->outputs, outputs, e) < 0)
        return -1;
    m->memory = (struct scan_memory){m->scans, {.memo = m->outputs, .events = s->events}};
    return 0;
}

static void remembering_clear(struct remembering *m)
{
    memo_clear(&m->scans);
    memo_clear(&m->outputs);
}

int stored_facts_look(struct inspection *out, struct session *s, const struct stored *image,
                      const struct catalog *catalog, struct err *e)
{
    CLEANUP(remembering_clear) struct remembering m = {0};
    CLEANUP(free_clear) char *scratch = NULL;

    events_emit(s->events, &(struct event){.kind = EVENT_STEP, .name = "read the image"});
    if (session_scratch(&scratch, s, e) < 0 || remembering_open(&m, s, e) < 0)
        return -1;
    return inspect(out, image, catalog, &m.memory, scratch, s->jobs, e);
}

int stored_facts_open(struct stored_facts *out, struct session *s, const char *operand,
                      const struct catalog *catalog, struct err *e)
{
    if (stored_facts_image(&out->image, s, operand, e) < 0)
        return -1;
    if (stored_facts_labelled(&out->facts, &out->image.config)) {
        out->facts.require = require_of_env(&out->found.arena, &out->image.config.env);
    } else {
        if (stored_facts_look(&out->found, s, &out->image, catalog, e) < 0)
            return -1;
        out->facts = out->found.facts;
    }
    out->facts.arch = out->image.config.platform.architecture;
    return 0;
}

void stored_facts_clear(struct stored_facts *f)
{
    inspection_clear(&f->found);
    stored_clear(&f->image);
    *f = (struct stored_facts){0};
}

int looked_open(struct looked *out, struct session *s, const char *operand,
                const struct catalog *catalog, struct err *e)
{
    return stored_facts_image(&out->image, s, operand, e) < 0
               ? -1
               : stored_facts_look(&out->found, s, &out->image, catalog, e);
}

void looked_clear(struct looked *l)
{
    inspection_clear(&l->found);
    stored_clear(&l->image);
}
