/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include "../base/fs.h"
#include "../model/driver.h"
#include "../model/recipe.h"

void machine_opts(struct opt *out, struct machine_args *a)
{
    out[0] = (struct opt){0,         "driver",
                          "VERSION", "judge this driver, such as 550.54.15 (this machine's)",
                          opt_str,   &a->driver};
    out[1] = (struct opt){
        0,       "gpu",
        "NAME",  "judge this GPU: \"RTX 4090\", sm_89 or 8.9; may be given again (this machine's)",
        opt_add, &a->gpus};
    out[2] = (struct opt){
        0,       "root",
        "DIR",   "judge the machine whose root folder is DIR, as a container may see it (/)",
        opt_str, &a->root};
    out[3] = (struct opt){0,
                          "arch",
                          "amd64|arm64",
                          "judge a machine with this processor (what driver and GPU tell)",
                          opt_str,
                          &a->arch};
}

static int take_gpus(struct machine *m, const struct catalog *c, const struct strs *names,
                     struct err *e)
{
    for (size_t i = 0; i < names->n; i++) {
        struct catalog_gpu gpu;

        if (catalog_gpu(c, names->v[i], &gpu))
            vec_add(&m->host.gpus, gpu);
        else
            catalog_gpu_unknown(c, names->v[i], e);
    }
    return err_is_set(e) ? -1 : 0;
}

static const char *variable(const struct session *s, struct str name)
{
    for (char **line = s->environment; line && *line; line++) {
        struct str rest = str_of(*line);

        if (str_skip(&rest, name) && str_skip(&rest, STR("=")))
            return rest.p;
    }
    return NULL;
}

static void ask(struct machine *m, const struct catalog *c, const char *root, const char *path)
{
    const struct probe_gpu *g;

    probe_host(&m->probe, root, NULL);
    container_setup_check(&m->plumbing, &m->probe, root, path);
    m->probed = m->host.asked = true;
    m->host.has_driver = true;
    m->host.driver = m->probe.driver;
    m->host.hidden = m->probe.hidden;
    m->host.arch = m->probe.arch;
    vec_each(g, &m->probe.gpus) {
        struct catalog_gpu gpu;

        if (host_gpu(&gpu, c, g->name, g->cc))
            vec_add(&m->host.gpus, gpu);
        else
            vec_add(&m->host.unknown, g->name.len ? g->name : g->cc);
    }
}

void machine_releases(struct machine_releases *out, const struct catalog *c,
                      const struct machine_args *a)
{
    struct str branch, ends[MACHINE_RELEASES];

    out->args[0] = *a;
    out->n = 1;
    if (!a->driver || !driver_branch(&branch, str_of(a->driver)) ||
        !catalog_branch_ends(c, branch, &ends[0], &ends[1]))
        return;
    for (size_t i = 0; i < MACHINE_RELEASES; i++) {
        out->args[i] = *a;
        out->args[i].driver = arena_fmt(&out->arena, STR_FMT, STR_ARG(ends[i]));
        out->names[i] = arena_fmt(&out->arena, "R" STR_FMT ", %s release of the catalog",
                                  STR_ARG(branch), i ? "newest" : "oldest");
    }
    out->n = MACHINE_RELEASES;
}

void machine_releases_clear(struct machine_releases *r)
{
    arena_clear(&r->arena);
}

int machine_find(struct machine *m, const struct session *s, const struct catalog *c,
                 const struct machine_args *a, struct err *e)
{
    CLEANUP(buf_clear) struct buf words = {0};
    struct driver driver = {0};

    if (a->driver && !driver_read(&driver, str_of(a->driver))) {
        driver_words(&words, str_of(a->driver));
        return err_set(e, ERR_USAGE, "--driver: %s", words.p);
    }
    if (a->arch)
        driver.arch = driver_arch(str_of(a->arch));
    if (a->arch && !driver.arch.len)
        return err_set(e, ERR_USAGE, "--arch: \"%s\" is neither amd64 nor arm64", a->arch);
    if (a->root && (a->driver || a->gpus.n || a->arch))
        return err_set(e, ERR_USAGE,
                       "--root is a machine to ask; --driver, --gpu and --arch name another");
    if (a->root && !fs_exists(a->root))
        return err_set(e, ERR_USAGE, "--root: there is no folder %s", a->root);
    if (a->driver || a->gpus.n || a->arch) {
        m->host.has_driver = a->driver != NULL;
        m->host.driver = driver.version;
        m->host.arch = driver.arch;
        return take_gpus(m, c, &a->gpus, e);
    }
    if (a->root)
        ask(m, c, a->root, NULL);
    else
        ask(m, c, "", variable(s, STR("PATH")));
    return 0;
}

void machine_clear(struct machine *m)
{
    vec_clear(&m->host.gpus);
    vec_clear(&m->host.unknown);
    container_setup_clear(&m->plumbing);
    probe_clear(&m->probe);
}

void machine_put_reasons(struct doc *d, struct node *map, const struct judgement *j)
{
    struct node *list = node_put(d, map, "reasons", node_new_list(d)), *n;
    const struct reason *r;

    vec_each(r, &j->reasons) {
        n = node_add(d, list, node_new_map(d));
        node_put_str(d, n, "code", str_of(r->code));
        node_put_str(d, n, "verdict", str_of(verdict_name(r->verdict)));
        node_put_str(d, n, "rule", str_of(r->rule));
        node_put_str(d, n, "sentence", r->sentence);
    }
}

void machine_put(struct doc *d, struct node *host, const struct machine *m)
{
    const struct missing *missing;
    struct node *list, *n;

    if (m->host.has_driver && !m->host.hidden)
        node_put_str(d, host, "driver", m->host.driver);
    if (host_arch(&m->host).len)
        node_put_str(d, host, "arch", host_arch(&m->host));
    list = node_put(d, host, "gpus", node_new_list(d));
    for (size_t i = 0; i < m->host.gpus.n; i++)
        node_add_str(d, list, m->host.gpus.v[i].cc);
    if (!m->probed)
        return;
    list = node_put(d, host, "not_judged", node_new_list(d));
    for (size_t i = 0; i < m->host.unknown.n; i++)
        node_add_str(d, list, m->host.unknown.v[i]);
    list = node_put(d, host, "missing", node_new_list(d));
    vec_each(missing, &m->plumbing.missing) {
        n = node_add(d, list, node_new_map(d));
        node_put_str(d, n, "code", str_of(missing->code));
        node_put_str(d, n, "sentence", missing->sentence);
        node_put_str(d, n, "remedy", str_of(missing->remedy));
    }
}
