/* SPDX-License-Identifier: Apache-2.0 */
#include "registries.h"

#include "../net/pace.h"
#include "ref.h"

struct host {
    char *name; /* owned; as references have it */
    struct registry_ways ways;
};

struct registries {
    registries_find find;
    void *ctx;
    struct VEC_OF(struct registry *) list;
    struct VEC_OF(struct host *) hosts;
};

void registries_open(struct registries **out, registries_find find, void *ctx)
{
    struct registries *all = xcalloc(1, sizeof *all);

    all->find = find;
    all->ctx = ctx;
    *out = all;
}

/* As Docker's short names mean it. */
static void full_path(struct buf *out, const struct ref *ref)
{
    bool hub = !ref->host || strcmp(ref->host, "docker.io") == 0 ||
               strcmp(ref->host, "index.docker.io") == 0;

    buf_fmt(out, "%s%s", hub && !strchr(ref->path, '/') ? "library/" : "", ref->path);
}

static struct registry_ways *ways_of(struct registries *all, struct str name)
{
    struct host **h, *host;

    vec_each(h, &all->hosts)
        if (str_eq_nocase(str_of((*h)->name), name))
            return &(*h)->ways;
    host = xcalloc(1, sizeof *host);
    host->name = str_dup(name);
    host->ways.pace = pace_open();
    vec_add(&all->hosts, host);
    return &host->ways;
}

int registries_get(struct registry **out, struct registries *all, struct str reference,
                   struct err *e)
{
    CLEANUP(ref_clear) struct ref ref = {0};
    CLEANUP(buf_clear) struct buf path = {0}, name = {0};
    struct registry_how how = {0};
    struct registry **r, *found = NULL;

    if (ref_parse_stored(&ref, reference, e) < 0)
        return -1;
    full_path(&path, &ref);
    how.host = ref.host ? str_of(ref.host) : STR("docker.io");
    how.repository = buf_view(&path);
    buf_fmt(&name, STR_FMT "/%s", STR_ARG(how.host), path.p);
    vec_each(r, &all->list)
        if (strcmp(registry_name(*r), name.p) == 0) {
            *out = *r;
            return 0;
        }
    how.ways = ways_of(all, how.host);
    if (all->find(all->ctx, &how, e) < 0 || registry_open(&found, &how, e) < 0)
        return -1;
    vec_add(&all->list, found);
    *out = found;
    return 0;
}

void registries_clear(struct registries **all)
{
    if (!*all)
        return;
    for (size_t i = 0; i < (*all)->list.n; i++)
        registry_clear(&(*all)->list.v[i]);
    vec_clear(&(*all)->list);
    for (size_t i = 0; i < (*all)->hosts.n; i++) {
        pace_clear(&(*all)->hosts.v[i]->ways.pace);
        free((*all)->hosts.v[i]->name);
        free((*all)->hosts.v[i]);
    }
    vec_clear(&(*all)->hosts);
    free_clear(all);
}
