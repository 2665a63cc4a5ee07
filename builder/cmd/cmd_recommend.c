/* SPDX-License-Identifier: Apache-2.0 */
#include "../host/recommend.h"
#include "../model/fleet.h"
#include "machine.h"
#include "output.h"

struct asking {
    struct catalog catalog;
    struct machine_releases releases;
    struct machine found[MACHINE_RELEASES];
    struct fleet fleet;
    bool many; /* a fleet is meant, or a branch of drivers, not one machine */
    struct VEC_OF(struct host) hosts;
    struct VEC_OF(struct recommend_machine) machines;
    struct recommendation r;
};

static void asking_clear(struct asking *a)
{
    recommendation_clear(&a->r);
    vec_clear(&a->machines);
    for (size_t i = 0; i < a->hosts.n; i++)
        vec_clear(&a->hosts.v[i].gpus);
    vec_clear(&a->hosts);
    fleet_clear(&a->fleet);
    for (size_t i = 0; i < MACHINE_RELEASES; i++)
        machine_clear(&a->found[i]);
    machine_releases_clear(&a->releases);
    catalog_clear(&a->catalog);
}

/* ---- the machines ---- */

static int read_fleet(struct asking *a, const char *path, struct err *e)
{
    const struct fleet_machine *m;

    if (fleet_read(&a->fleet, path, &a->catalog, e) < 0)
        return -1;
    vec_each(m, &a->fleet.machines) {
        struct host *h = vec_push(&a->hosts);

        h->has_driver = true;
        h->driver = m->driver;
        h->arch = m->arch;
        for (size_t i = 0; i < m->gpus.n; i++)
            vec_add(&h->gpus, m->gpus.v[i]);
    }
    for (size_t i = 0; i < a->hosts.n; i++) {
        m = &a->fleet.machines.v[i];
        vec_add(&a->machines, ((struct recommend_machine){m->name, &a->hosts.v[i], m->count}));
    }
    return 0;
}

static int find_machines(struct asking *a, const struct session *s, const char *fleet,
                         const struct machine_args *args, struct err *e)
{
    if (fleet && (args->driver || args->root || args->gpus.n || args->arch))
        return err_set(e, ERR_USAGE,
                       "--fleet names machines; --driver, --gpu, --arch and --root name another");
    a->many = fleet != NULL;
    if (fleet)
        return read_fleet(a, fleet, e);
    machine_releases(&a->releases, &a->catalog, args);
    a->many = a->releases.n > 1;
    for (size_t i = 0; i < a->releases.n; i++) {
        if (machine_find(&a->found[i], s, &a->catalog, &a->releases.args[i], e) < 0)
            return -1;
        vec_add(&a->machines,
                ((struct recommend_machine){str_of(a->releases.names[i]), &a->found[i].host, 1}));
    }
    return 0;
}

/* ---- as text ---- */

static struct str tag_of(const struct asking *a, size_t offer)
{
    return a->r.offers.v[offer].tag;
}

static size_t equal_gpus(const struct host *h, size_t from)
{
    size_t n = 1;

    while (from + n < h->gpus.n && str_eq(h->gpus.v[from].cc, h->gpus.v[from + n].cc) &&
           str_eq(h->gpus.v[from].name, h->gpus.v[from + n].name))
        n++;
    return n;
}

/* "driver 535.104.05, 2 x A100". */
static void print_host(const struct host *h)
{
    const char *comma = "";
    size_t n;

    if (h->has_driver && h->driver.len)
        output_print("driver " STR_FMT, STR_ARG(h->driver));
    else if (h->has_driver)
        output_print("%s", h->hidden ? "a driver that cannot be read" : "no driver");
    comma = h->has_driver ? ", " : "";
    for (size_t i = 0; i < h->gpus.n; i += n, comma = ", ") {
        const struct catalog_gpu *g = &h->gpus.v[i];

        n = equal_gpus(h, i);
        output_print("%s", comma);
        if (n > 1)
            output_print("%zu x ", n);
        output_print("%s" STR_FMT, g->name.len ? "" : "compute capability ",
                     STR_ARG(g->name.len ? g->name : g->cc));
    }
    for (size_t i = 0; i < h->unknown.n; i++, comma = ", ")
        output_print("%s\"" STR_FMT "\"", comma, STR_ARG(h->unknown.v[i]));
}

/* The gravest alone: what else there is decides nothing. */
static void print_reasons(const char *intro, struct str tag, const struct judgement *j,
                          const char *indent)
{
    const struct reason *r;
    bool first = true;

    vec_each(r, &j->reasons) {
        if (r->verdict != j->verdict || j->verdict == VERDICT_RUNS)
            continue;
        if (first)
            output_print("%s%s" STR_FMT ": ", indent, intro, STR_ARG(tag));
        output_print("%s" STR_FMT " [%s]", first ? "" : "; ", STR_ARG(r->sentence), r->code);
        first = false;
    }
    if (!first)
        output_print("\n");
}

/* What a machine without a driver of its own in sight must have. */
static void print_driver(const struct asking *a, const struct recommend_kind *k, const char *indent)
{
    const struct facts *f = &a->r.offers.v[k->offer].facts;

    if (k->host->has_driver || !f->driver_min.len)
        return;
    output_print("%sneeds driver " STR_FMT " or newer", indent, STR_ARG(f->driver_min));
    if (f->driver_full.len)
        output_print("; for all that its toolkit can do, such as PTX, " STR_FMT " or newer",
                     STR_ARG(f->driver_full));
    output_print("\n");
}

static void print_kind(const struct asking *a, const struct recommend_kind *k, const char *indent)
{
    const struct against *other;
    const struct reason *note;

    if (k->served)
        print_driver(a, k, indent);
    vec_each(note, &k->judgement.reasons)
        if (k->served && note->verdict == VERDICT_RUNS)
            output_print("%s" STR_FMT " [%s]\n", indent, STR_ARG(note->sentence), note->code);
    print_reasons(k->served              ? "with limits"
                  : host_unseen(k->host) ? "no image is recommended"
                                         : "not ",
                  k->served || host_unseen(k->host) ? STR("") : tag_of(a, k->offer), &k->judgement,
                  indent);
    if (k->has_free)
        output_print("%swithout any limit: " STR_FMT "\n", indent, STR_ARG(tag_of(a, k->free)));
    if (k->served && k->newest < k->offer)
        output_print("%salone %s could take " STR_FMT "\n", indent, k->count == 1 ? "it" : "they",
                     STR_ARG(tag_of(a, k->newest)));
    vec_each(other, &k->against)
        print_reasons(other->why.verdict == VERDICT_NO ? "not " : "with limits, ",
                      tag_of(a, other->offer), &other->why, indent);
}

static void print_names(const struct asking *a, const struct recommend_kind *k)
{
    for (size_t i = 0; i < k->machines.n; i++)
        output_print("%s" STR_FMT, i == 0 ? "" : ", ",
                     STR_ARG(a->machines.v[k->machines.v[i]].name));
    if (k->count > 1)
        output_print(" (%llu machines)", (unsigned long long)k->count);
}

static void print_kinds(const struct asking *a, bool served, size_t offer)
{
    const struct recommend_kind *k;

    vec_each(k, &a->r.kinds) {
        if (k->served != served || (served && k->offer != offer))
            continue;
        output_print("  ");
        if (a->many) {
            print_names(a, k);
            output_print(": ");
        }
        print_host(k->host);
        output_print("\n");
        print_kind(a, k, a->many ? "    " : "  ");
    }
}

static uint64_t takers(const struct asking *a, size_t offer)
{
    const struct recommend_kind *k;
    uint64_t n = 0;

    vec_each(k, &a->r.kinds)
        n += k->served && k->offer == offer ? k->count : 0;
    return n;
}

static void print_text(const struct asking *a)
{
    const struct recommendation *r = &a->r;

    for (size_t i = 0; i < r->images.n; i++) {
        output_print(STR_FMT, STR_ARG(tag_of(a, r->images.v[i])));
        if (a->many)
            output_print(": %llu of %llu machines", (unsigned long long)takers(a, r->images.v[i]),
                         (unsigned long long)r->count);
        output_print("\n");
        print_kinds(a, true, r->images.v[i]);
    }
    if (r->served < r->count) {
        if (a->many)
            output_print("nothing runs on %llu of %llu machines\n",
                         (unsigned long long)(r->count - r->served), (unsigned long long)r->count);
        else if (!host_unseen(&a->found[0].host))
            output_print("nothing runs there\n");
        print_kinds(a, false, 0);
    }
    for (size_t i = 0; r->images.n && i < r->unconfirmed.n; i++)
        output_print("%s" STR_FMT "%s",
                     i ? ", " : "newer, but for which GPUs they have code is not confirmed: ",
                     STR_ARG(r->unconfirmed.v[i].tag), i + 1 < r->unconfirmed.n ? "" : "\n");
    if (r->upgrade.found)
        output_print(STR_FMT "\n", STR_ARG(r->upgrade.sentence));
    for (size_t i = 0; i < r->images.n; i++)
        output_print("envbuild init " STR_FMT "\n", STR_ARG(tag_of(a, r->images.v[i])));
}

/* ---- as JSON ---- */

static void put_host(struct doc *d, struct node *n, const struct host *h)
{
    struct node *list;

    if (h->has_driver && !h->hidden)
        node_put_str(d, n, "driver", h->driver);
    if (host_arch(h).len)
        node_put_str(d, n, "arch", host_arch(h));
    list = node_put(d, n, "gpus", node_new_list(d));
    for (size_t i = 0; i < h->gpus.n; i++)
        node_add_str(d, list, h->gpus.v[i].cc);
}

static void put_names(struct doc *d, struct node *list, const struct asking *a,
                      const struct recommend_kind *k)
{
    for (size_t i = 0; i < k->machines.n; i++)
        node_add_str(d, list, a->machines.v[k->machines.v[i]].name);
}

static void put_kind(struct doc *d, struct node *n, const struct asking *a,
                     const struct recommend_kind *k)
{
    struct node *list, *m;
    const struct against *other;

    if (a->many)
        put_names(d, node_put(d, n, "names", node_new_list(d)), a, k);
    node_put_u64(d, n, "count", k->count);
    put_host(d, n, k->host);
    if (!host_unseen(k->host))
        node_put_str(d, n, k->served ? "image" : "nearest", tag_of(a, k->offer));
    if (k->served)
        node_put_str(d, n, "newest_alone", tag_of(a, k->newest));
    if (k->has_free)
        node_put_str(d, n, "without_limits", tag_of(a, k->free));
    node_put_str(d, n, "verdict",
                 str_of(verdict_name(k->served ? k->judgement.verdict : VERDICT_NO)));
    machine_put_reasons(d, n, &k->judgement);
    list = node_put(d, n, "against", node_new_list(d));
    vec_each(other, &k->against) {
        m = node_add(d, list, node_new_map(d));
        node_put_str(d, m, "tag", tag_of(a, other->offer));
        node_put_str(d, m, "verdict", str_of(verdict_name(other->why.verdict)));
        machine_put_reasons(d, m, &other->why);
    }
}

static void put_upgrade(struct doc *d, struct node *n, const struct asking *a)
{
    const struct recommend_upgrade *u = &a->r.upgrade;
    struct node *list = a->many ? node_put(d, n, "names", node_new_list(d)) : NULL;

    for (size_t i = 0; a->many && i < u->kinds.n; i++)
        put_names(d, list, a, &a->r.kinds.v[u->kinds.v[i]]);
    node_put_u64(d, n, "count", u->count);
    node_put_str(d, n, "driver", u->driver);
    if (u->last.len)
        node_put_str(d, n, "last_branch", u->last);
    list = node_put(d, n, "images", node_new_list(d));
    for (size_t i = 0; i < u->offers.n; i++)
        node_add_str(d, list, tag_of(a, u->offers.v[i]));
    node_put_str(d, n, "sentence", u->sentence);
}

static void print_json(struct session *s, const struct asking *a)
{
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = node_new_map(&d), *list, *n;
    const struct recommendation *r = &a->r;
    const struct recommend_kind *k;

    node_put_u64(&d, root, "envbuild_output", 1);
    node_put_u64(&d, root, "count", r->count);
    node_put_u64(&d, root, "served", r->served);
    list = node_put(&d, root, "images", node_new_list(&d));
    for (size_t i = 0; i < r->images.n; i++) {
        n = node_add(&d, list, node_new_map(&d));
        node_put_str(&d, n, "tag", tag_of(a, r->images.v[i]));
        node_put_u64(&d, n, "count", takers(a, r->images.v[i]));
    }
    list = node_put(&d, root, "machines", node_new_list(&d));
    vec_each(k, &r->kinds)
        put_kind(&d, node_add(&d, list, node_new_map(&d)), a, k);
    list = node_put(&d, root, "not_confirmed", node_new_list(&d));
    for (size_t i = 0; i < r->unconfirmed.n; i++)
        node_add_str(&d, list, r->unconfirmed.v[i].tag);
    if (r->upgrade.found)
        put_upgrade(&d, node_put(&d, root, "upgrade", node_new_map(&d)), a);
    session_json(s, &d, root);
}

static int answer(struct session *s, const char *fleet, const struct machine_args *args,
                  struct err *e)
{
    CLEANUP(asking_clear) struct asking a = {0};

    if (catalog_open(&a.catalog, s->catalog_dir, e) < 0 || find_machines(&a, s, fleet, args, e) < 0)
        return -1;
    recommend(&a.r, a.machines.v, a.machines.n, &a.catalog);
    if (!a.r.offers.n)
        return err_set(e, ERR_UNSAT, "the catalog has no build that could be taken");
    s->no = a.r.served < a.r.count;
    progress_pause(s->progress);
    if (s->json)
        print_json(s, &a);
    else
        print_text(&a);
    return 0;
}

int cmd_recommend(struct session *s, int argc, char **argv, struct err *e)
{
    struct machine_args a = {0};
    const char *fleet = NULL;
    struct opt own[MACHINE_OPTS + 1];
    int result;

    machine_opts(own, &a);
    own[MACHINE_OPTS] = (struct opt){
        0,       "fleet", "FILE", "judge all machines that a YAML file lists (one machine)",
        opt_str, &fleet};
    result = session_begin(s, "recommend", own, ARRAY_LEN(own), &argc, argv, 0, 0, e);
    if (result == 0 && !s->help)
        result = answer(s, fleet, &a, e);
    vec_clear(&a.gpus);
    return result;
}
