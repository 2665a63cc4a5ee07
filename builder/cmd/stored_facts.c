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

/* Owned. */
static char *scratch_of(const struct session *s)
{
    return path_join(s->store_dir, "scratch");
}

int stored_facts_image(struct stored *out, struct session *s, const char *operand, struct err *e)
{
    CLEANUP(free_clear) char *dir = scratch_of(s);
    const struct stored_scratch scratch = session_ways(s, dir);

    return stored_open_any(out, str_of(operand), ".", &scratch, e);
}

int stored_facts_look(struct inspection *out, struct session *s, const struct stored *image,
                      const struct catalog *catalog, struct err *e)
{
    CLEANUP(free_clear) char *scratch = scratch_of(s);

    events_emit(s->events, &(struct event){.kind = EVENT_STEP, .name = "read the image"});
    return fs_mkdirs(scratch, e) < 0 ? -1 : inspect(out, image, catalog, scratch, s->jobs, e);
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
