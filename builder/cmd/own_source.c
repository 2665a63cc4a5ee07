/* SPDX-License-Identifier: Apache-2.0 */
#include "own_source.h"

#include "../pkg/pypi/metadata.h"
#include "../pkg/pypi/wheel.h"
#include "../pkg/pypi/wheeltag.h"
#include "../plan/own_project.h"

static const uint64_t tar_max = (uint64_t)16 << 30; /* bytes */

bool own_source_is(const struct work *w, const struct artifact *wheel)
{
    CLEANUP(arena_clear) struct arena arena = {0};

    return w->recipe.project.path.text.len && !wheel->source->commit.len &&
           str_eq(wheel->source->sdist.url, own_project_url(&arena, &w->recipe));
}

int own_source_put(const struct work *w, const struct artifact *wheel, const struct events *events,
                   struct err *e)
{
    const struct artifact_file *f = &wheel->source->sdist;
    CLEANUP(own_project_clear) struct own_project p = {0};
    CLEANUP(cas_put_clear) struct cas_put put = {0};
    struct err fault = {0};

    if (cas_has(w->cas, &f->digest, f->size))
        return 0;
    if (own_project_open(&p, &w->recipe, w->dir, e) < 0 ||
        cas_put_open(&put, w->cas, &f->digest, tar_max, e) < 0 ||
        own_project_pack(&p, &put.sink, events, e) < 0)
        return -1;
    if (sink_finish(&put.sink, &fault) == 0)
        return 0;
    if (fault.kind != ERR_INTEGRITY)
        return err_join(e, &fault);
    err_clear(&fault);
    return err_set(e, ERR_INPUT,
                   "the project's files are not those of the lock, and those are not in the store; "
                   "where they changed while this ran, run it again");
}

/* ---- what it needs ---- */

static void put_missing(struct buf *out, const struct requirement *r, const struct artifact *have)
{
    buf_puts(out, out->len ? "; " : "");
    requirement_print(out, r, false);
    if (have)
        buf_fmt(out, ", and the lock has " STR_FMT " " STR_FMT, STR_ARG(have->name),
                STR_ARG(have->version));
    else
        buf_puts(out, ", which the lock does not have");
}

/* By itself, or with one of the extras that the recipe names. */
static int is_needed(bool *out, const struct requirement *r, const struct work *w, struct err *e)
{
    const struct marker_env env = {w->lock.python_full, STR("x86_64")};
    const struct values *extras = &w->recipe.project.extras;

    if (marker_eval(r->marker, &env, STR(""), out, e) < 0)
        return -1;
    for (size_t i = 0; i < extras->n && !*out; i++)
        if (marker_eval(r->marker, &env, extras->v[i].text, out, e) < 0)
            return -1;
    return 0;
}

static int check_needs(const struct metadata *m, const struct work *w, struct err *e)
{
    CLEANUP(buf_clear) struct buf missing = {0};
    const struct requirement *r;

    vec_each(r, &m->requires) {
        const struct artifact *have = lock_find(&w->lock, ECO_WHEEL, r->name);
        struct pep440 version;
        bool needed;

        if (is_needed(&needed, r, w, e) < 0)
            return -1;
        if (needed && (!have || (!r->url.len && pep440_parse(&version, have->version) &&
                                 !specifiers_match(&r->specifiers, &version))))
            put_missing(&missing, r, have);
    }
    if (!missing.len)
        return 0;
    return err_set(e, ERR_INPUT, "it needs %s; run `envbuild lock %s` to choose anew", missing.p,
                   w->operand);
}

int own_source_take(struct work *w, struct artifact *wheel, struct err *e)
{
    CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();
    CLEANUP(cas_input_clear) struct input input = {0};
    CLEANUP(wheel_clear) struct wheel made = {0};
    CLEANUP(metadata_clear) struct metadata metadata = {0};
    struct wheel_name name;
    struct str text;

    if (!wheel_name_parse(&name, wheel->file))
        return err_set(e, ERR_INPUT, "\"" STR_FMT "\" is no name of a wheel", STR_ARG(wheel->file));
    wheel->version = name.version;
    return cas_input(&input, w->cas, &wheel->digest, wheel->file.p, e) < 0 ||
                   wheel_open(&made, &input, wheel->name, wheel->version, inflater, e) < 0 ||
                   wheel_metadata(&text, &made, inflater, e) < 0 ||
                   metadata_parse(&metadata, text, wheel->file.p, e) < 0
               ? -1
               : check_needs(&metadata, w, e);
}
