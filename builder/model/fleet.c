/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet.h"

#include "../doc/field.h"
#include "../doc/yaml.h"
#include "driver.h"

static void take_gpu(struct fleet_machine *m, const struct node *n, const char *key,
                     const struct catalog *c, struct err *e)
{
    CLEANUP(buf_clear) struct buf words = {0};
    struct catalog_gpu gpu;

    if (!node_is_scalar(n) || !n->text.len) {
        err_at(e, &n->pos, "%s: the name of a GPU is wanted here, not %s", key, node_kind_name(n));
    } else if (catalog_gpu(c, n->text, &gpu)) {
        vec_add(&m->gpus, gpu);
    } else {
        catalog_gpu_words(&words, c, n->text);
        err_at(e, &n->pos, "%s: %s", key, words.p);
    }
}

static void read_gpus(struct fleet_machine *m, const struct fields *f, const struct catalog *c)
{
    const struct node *one = node_get(f->map, "gpu"), *list = field_list(f, "gpus"), *n;

    if (one && node_get(f->map, "gpus"))
        err_at(f->e, &one->key_pos, "gpu: stands beside gpus; one of the two is enough");
    else if (one)
        take_gpu(m, one, "gpu", c, f->e);
    else if (f->map && !node_get(f->map, "gpus"))
        err_at(f->e, &f->map->pos, "machine: neither \"gpu\" nor \"gpus\" is there");
    if (list && !list->count)
        err_at(f->e, &list->pos, "gpus: the list is empty");
    node_each(n, list)
        take_gpu(m, n, "gpus", c, f->e);
}

static void read_driver(struct fleet_machine *m, const struct fields *f, const struct catalog *c)
{
    CLEANUP(buf_clear) struct buf words = {0};
    struct driver d = {0};
    struct str text, branch, oldest, newest;

    if (!field_need_str(f, "driver", &text))
        return;
    if (!driver_read(&d, text)) {
        driver_words(&words, text);
        if (driver_branch(&branch, text) && catalog_branch_ends(c, branch, &oldest, &newest))
            buf_fmt(&words,
                    ", or the oldest of the branch, \"" STR_FMT
                    "\": what runs on that runs on all of it",
                    STR_ARG(oldest));
        err_at(f->e, &node_get(f->map, "driver")->pos, "driver: %s", words.p);
    }
    m->driver = d.version;
    m->arch = d.arch;
}

static void read_arch(struct fleet_machine *m, const struct fields *f)
{
    struct str text;

    if (!field_str(f, "arch", &text))
        return;
    m->arch = driver_arch(text);
    if (!m->arch.len)
        err_at(f->e, &node_get(f->map, "arch")->pos,
               "arch: \"" STR_FMT "\" is neither amd64 nor arm64", STR_ARG(text));
}

static void read_count(struct fleet_machine *m, const struct fields *f)
{
    uint64_t count = 1;

    if (field_u64(f, "count", &count, FLEET_COUNT_MAX) && !count)
        err_at(f->e, &node_get(f->map, "count")->pos,
               "count: 0 machines; leave the machine out, or say how many there are");
    m->count = (uint32_t)count;
}

static void read_name(struct fleet *fleet, struct fleet_machine *m, const struct fields *f)
{
    const struct node *n = node_get(f->map, "name");

    if (!field_str(f, "name", &m->name))
        m->name = str_of(
            arena_fmt(&fleet->doc.arena, "machine %zu", (size_t)(m - fleet->machines.v) + 1));
    else if (!m->name.len)
        err_at(f->e, &n->pos, "name: is empty");
    for (const struct fleet_machine *other = fleet->machines.v; other < m; other++)
        if (n && str_eq(other->name, m->name))
            err_at(f->e, &n->pos, "name: \"" STR_FMT "\" is the name of another machine already",
                   STR_ARG(m->name));
}

static void read_machine(struct fleet *fleet, const struct node *n, const struct catalog *c,
                         struct err *e)
{
    static const char *const known[] = {"name", "driver", "arch", "gpu", "gpus", "count", NULL};
    struct fields f = fields_of(n, "machine", e);
    struct fleet_machine *m = vec_push(&fleet->machines);

    fields_only(&f, known);
    read_name(fleet, m, &f);
    read_driver(m, &f, c);
    read_arch(m, &f);
    read_gpus(m, &f, c);
    read_count(m, &f);
}

static void read_all(struct fleet *fleet, const struct catalog *c, struct err *e)
{
    static const char *const known[] = {"envbuild_fleet", "machines", NULL};
    struct fields f = fields_of(fleet->doc.root, "fleet", e);
    const struct node *list, *n;
    uint64_t schema = 0;

    fields_only(&f, known);
    if (field_need_u64(&f, "envbuild_fleet", &schema, UINT32_MAX) && schema != 1)
        err_at(e, &node_get(f.map, "envbuild_fleet")->pos,
               "fleet schema %llu is not known; this envbuild reads 1", (unsigned long long)schema);
    list = field_need_list(&f, "machines");
    if (list && !list->count)
        err_at(e, &list->pos, "machines: the list is empty");
    if (list && list->count > FLEET_MACHINES_MAX) {
        err_at(e, &list->pos, "machines: %zu are more than %d; equal ones are one with a count",
               list->count, FLEET_MACHINES_MAX);
        return;
    }
    node_each(n, list)
        read_machine(fleet, n, c, e);
}

/* Takes over `doc`. */
static int from_doc(struct fleet *out, struct doc *doc, const struct catalog *c, struct err *e)
{
    CLEANUP(fleet_clear) struct fleet fleet = {0};
    struct err fault = {0};

    MOVE(&fleet.doc, doc);
    read_all(&fleet, c, &fault);
    if (err_is_set(&fault))
        return err_join(e, &fault);
    MOVE(out, &fleet);
    return 0;
}

int fleet_read(struct fleet *out, const char *path, const struct catalog *c, struct err *e)
{
    CLEANUP(doc_clear) struct doc doc = {0};

    return yaml_read(&doc, path, e) < 0 ? -1 : from_doc(out, &doc, c, e);
}

int fleet_parse(struct fleet *out, struct str text, const char *file, const struct catalog *c,
                struct err *e)
{
    CLEANUP(doc_clear) struct doc doc = {0};

    return yaml_parse(&doc, text, file, e) < 0 ? -1 : from_doc(out, &doc, c, e);
}

void fleet_clear(struct fleet *f)
{
    struct fleet_machine *m;

    vec_each(m, &f->machines)
        vec_clear(&m->gpus);
    vec_clear(&f->machines);
    doc_clear(&f->doc);
}
