/* SPDX-License-Identifier: Apache-2.0 */
#include "lock_compare.h"

#include "../base/map.h"
#include "lock_words.h"
#include "compression.h"

struct comparison {
    struct lock_differences *out;
    const struct lock *old, *now;
};

static struct str keep(struct comparison *c, struct str text)
{
    if (text.len <= LOCK_DIFFERENCE_MAX)
        return arena_str(&c->out->arena, text);
    return str_of(arena_fmt(&c->out->arena, "%.*s...", LOCK_DIFFERENCE_MAX - 3, text.p));
}

static void differ(struct comparison *c, struct str what, struct str old, struct str now)
{
    if (!str_eq(old, now))
        vec_add(&c->out->list, ((struct lock_difference){arena_str(&c->out->arena, what), NULL,
                                                         keep(c, old), keep(c, now)}));
}

/* Texts of many lines: the first line that is not the same in both. */
static void differ_lines(struct comparison *c, struct str what, struct str old, struct str now)
{
    struct str a = {0}, b = {0};
    bool more_a = true, more_b = true;

    if (str_eq(old, now))
        return;
    while ((more_a || more_b) && str_eq(a, b)) {
        more_a = str_line(&old, &a);
        more_b = str_line(&now, &b);
        a = more_a ? a : (struct str){0};
        b = more_b ? b : (struct str){0};
    }
    vec_add(&c->out->list, ((struct lock_difference){arena_str(&c->out->arena, what), NULL,
                                                     a.len    ? keep(c, a)
                                                     : more_a ? STR("an empty line")
                                                              : STR(""),
                                                     b.len    ? keep(c, b)
                                                     : more_b ? STR("an empty line")
                                                              : STR("")}));
}

/* ---- facts ---- */

static const struct fact {
    const char *key, *name;
    size_t at;
} fact_rows[] = {
    {"pytorch", "PyTorch", offsetof(struct facts, pytorch)},
    {"python", "Python", offsetof(struct facts, python)},
    {"cuda", "CUDA", offsetof(struct facts, cuda)},
    {"cuda_toolkit", "CUDA toolkit", offsetof(struct facts, cuda_toolkit)},
    {"cudnn", "cuDNN", offsetof(struct facts, cudnn)},
    {"nccl", "NCCL", offsetof(struct facts, nccl)},
    {"driver_min", "oldest driver", offsetof(struct facts, driver_min)},
    {"driver_full", "driver of that toolkit", offsetof(struct facts, driver_full)},
    {"archs", "GPU architectures", offsetof(struct facts, archs)},
    {"compat", "driver of the compatibility package", offsetof(struct facts, compat)},
    {"require", "NVIDIA_REQUIRE_CUDA", offsetof(struct facts, require)},
};

static struct str fact(const struct lock *lock, const struct fact *row)
{
    return *(const struct str *)(const void *)((const char *)&lock->facts + row->at);
}

static void compare_facts(struct comparison *c)
{
    for (size_t i = 0; i < ARRAY_LEN(fact_rows); i++) {
        size_t before = c->out->list.n;

        differ(c, str_of(fact_rows[i].name), fact(c->old, &fact_rows[i]),
               fact(c->now, &fact_rows[i]));
        if (c->out->list.n > before)
            c->out->list.v[before].fact = fact_rows[i].key;
    }
}

/* ---- settings ---- */

static struct str user_words(struct comparison *c, const struct lock *l)
{
    if (!l->user.name.len)
        return STR("root");
    return str_of(arena_fmt(&c->out->arena, STR_FMT " (%u:%u)", STR_ARG(l->user.name), l->user.uid,
                            l->user.gid));
}

/* The numbers of root are no part of a lock. */
static void compare_user(struct comparison *c)
{
    const struct lock_user *a = &c->old->user, *b = &c->now->user;

    if (!str_eq(a->name, b->name) || (a->name.len && (a->uid != b->uid || a->gid != b->gid)))
        differ(c, STR("user"), user_words(c, c->old), user_words(c, c->now));
}

static void words_of(struct buf *out, const struct strs *list)
{
    for (size_t i = 0; i < list->n; i++)
        buf_fmt(out, "%s" STR_FMT, i ? " " : "", STR_ARG(list->v[i]));
}

static void health_words(struct buf *out, const struct image_health *h)
{
    words_of(out, &h->command);
    if (h->command.n)
        buf_fmt(out, " (interval %u, timeout %u, start_period %u, retries %u)", h->interval,
                h->timeout, h->start_period, h->retries);
}

static void compare_words(struct comparison *c, const char *what, const struct strs *old,
                          const struct strs *now)
{
    CLEANUP(buf_clear) struct buf a = {0}, b = {0};
    bool same = old->n == now->n;

    for (size_t i = 0; i < old->n && same; i++)
        same = str_eq(old->v[i], now->v[i]);
    if (same)
        return;
    words_of(&a, old);
    words_of(&b, now);
    differ(c, str_of(what), buf_view(&a), buf_view(&b));
}

static struct str folder_words(struct comparison *c, const struct lock *l)
{
    CLEANUP(buf_clear) struct buf out = {0};

    for (size_t i = 0; i < l->folders.n; i++)
        buf_fmt(&out, "%s" STR_FMT " (%u)", i ? ", " : "", STR_ARG(l->folders.v[i].path),
                l->folders.v[i].uid);
    return arena_str(&c->out->arena, buf_view(&out));
}

static struct str compression_words(struct comparison *c, const struct lock *l)
{
    const struct compressions list = lock_compressions(l);
    CLEANUP(buf_clear) struct buf out = {0};

    compressions_print(&out, &list);
    return arena_str(&c->out->arena, buf_view(&out));
}

static void compare_head(struct comparison *c)
{
    const struct lock *a = c->old, *b = c->now;

    differ(c, STR("image"), a->name, b->name);
    differ(c, STR("tag"), a->tag, b->tag);
    differ(c, STR("base"), a->base, b->base);
    differ(c, STR("variant"), a->variant, b->variant);
    differ(c, STR("release of Python"), a->python_full, b->python_full);
    differ(c, STR("work folder"), a->workdir, b->workdir);
    differ(c, STR("folders of the user"), folder_words(c, a), folder_words(c, b));
    compare_user(c);
    differ(c, STR("start-up check"), str_of(lock_startup_check(a)), str_of(lock_startup_check(b)));
    differ(c, STR("compression"), compression_words(c, a), compression_words(c, b));
    differ(c, STR("file of apt sources"), a->apt_sources_path, b->apt_sources_path);
    differ_lines(c, STR("apt sources"), a->apt_sources, b->apt_sources);
}

static void compare_offers(struct comparison *c)
{
    CLEANUP(buf_clear) struct buf a = {0}, b = {0};

    compare_words(c, "ports", &c->old->ports, &c->now->ports);
    compare_words(c, "volumes", &c->old->volumes, &c->now->volumes);
    health_words(&a, &c->old->health);
    health_words(&b, &c->now->health);
    differ(c, STR("healthcheck"), buf_view(&a), buf_view(&b));
}

static struct str env_name(struct str line)
{
    return str_sub(line, 0, str_find(line, '='));
}

static struct str env_value(const struct strs *env, struct str name)
{
    for (size_t i = 0; i < env->n; i++) {
        struct str rest = env->v[i];

        if (str_skip(&rest, name) && str_skip(&rest, STR("=")))
            return rest.len ? rest : STR("nothing");
    }
    return (struct str){0};
}

static void differ_named(struct comparison *c, const char *what, struct str name, struct str old,
                         struct str now)
{
    if (!str_eq(old, now))
        differ(c, str_of(arena_fmt(&c->out->arena, "%s " STR_FMT, what, STR_ARG(name))), old, now);
}

static void compare_env(struct comparison *c)
{
    const struct strs *a = &c->old->env, *b = &c->now->env;
    size_t before = c->out->list.n;

    for (size_t i = 0; i < a->n; i++)
        differ_named(c, "env", env_name(a->v[i]), env_value(a, env_name(a->v[i])),
                     env_value(b, env_name(a->v[i])));
    for (size_t i = 0; i < b->n; i++)
        if (!env_value(a, env_name(b->v[i])).p)
            differ_named(c, "env", env_name(b->v[i]), (struct str){0},
                         env_value(b, env_name(b->v[i])));
    if (c->out->list.n == before)
        compare_words(c, "order of env", a, b);
}

static void compare_labels(struct comparison *c)
{
    const struct node *n;

    node_each(n, c->old->labels) {
        const struct node *other = node_get_str(c->now->labels, n->key);

        differ_named(c, "label", n->key, n->text, other ? other->text : (struct str){0});
    }
    node_each(n, c->now->labels)
        if (!node_get_str(c->old->labels, n->key))
            differ_named(c, "label", n->key, (struct str){0}, n->text);
}

/* ---- files ---- */

static const struct lock_copy *copy_like(const struct lock *lock, const struct lock_copy *copy)
{
    for (size_t i = 0; i < lock->copies.n; i++)
        if (str_eq(lock->copies.v[i].to, copy->to) && str_eq(lock->copies.v[i].from, copy->from))
            return &lock->copies.v[i];
    return NULL;
}

static struct str copy_words(struct comparison *c, const struct lock_copy *copy)
{
    struct str from = copy->from.len ? copy->from : STR("a text of its own");

    if (copy->mode)
        from =
            str_of(arena_fmt(&c->out->arena, STR_FMT " (mode 0%03o)", STR_ARG(from), copy->mode));
    if (!copy->uid && !copy->gid)
        return from;
    return str_of(
        arena_fmt(&c->out->arena, STR_FMT " (owner %u:%u)", STR_ARG(from), copy->uid, copy->gid));
}

static void compare_copies(struct comparison *c)
{
    const struct lock *a = c->old, *b = c->now;

    for (size_t i = 0; i < a->copies.n; i++) {
        const struct lock_copy *copy = &a->copies.v[i], *other = copy_like(b, copy);
        struct str what = str_of(arena_fmt(&c->out->arena, "file " STR_FMT, STR_ARG(copy->to)));

        differ(c, what, copy_words(c, copy), other ? copy_words(c, other) : STR(""));
        if (other)
            differ_lines(c, what, copy->text, other->text);
    }
    for (size_t i = 0; i < b->copies.n; i++)
        if (!copy_like(a, &b->copies.v[i]))
            differ_named(c, "file", b->copies.v[i].to, STR(""), copy_words(c, &b->copies.v[i]));
    for (size_t i = 0; i < a->copies.n && a->copies.n == b->copies.n; i++)
        if (!str_eq(a->copies.v[i].to, b->copies.v[i].to) && copy_like(b, &a->copies.v[i])) {
            differ(c, STR("order of files"), a->copies.v[i].to, b->copies.v[i].to);
            break;
        }
}

static const struct artifact *download_like(const struct lock *lock, const struct artifact *a)
{
    return a->place ? lock_find(lock, ECO_DOWNLOAD, a->name) : NULL;
}

static struct str download_words(struct comparison *c, const struct artifact *a)
{
    const struct artifact_place *p = a->place;
    CLEANUP(buf_clear) struct buf out = {0};
    char digest[DIGEST_TEXT + 1];

    digest_text(&a->digest, digest);
    buf_fmt(&out, STR_FMT " of %s %s " STR_FMT " (owner %u:%u)", STR_ARG(a->url), digest,
            p->unpack ? "unpacked in" : "as", STR_ARG(p->to), p->uid, p->gid);
    if (p->mode)
        buf_fmt(&out, " (mode 0%03o)", p->mode);
    return arena_str(&c->out->arena, buf_view(&out));
}

static void compare_downloads(struct comparison *c)
{
    const struct artifact *a, *other;

    vec_each(a, &c->old->artifacts) {
        if (!a->place)
            continue;
        other = download_like(c->now, a);
        differ_named(c, "download", a->name, download_words(c, a),
                     other ? download_words(c, other) : STR(""));
    }
    vec_each(a, &c->now->artifacts)
        if (a->place && !download_like(c->old, a))
            differ_named(c, "download", a->name, STR(""), download_words(c, a));
}

/* ---- the toolkit and what slim images leave out ---- */

static void stand_in_words(struct buf *out, const struct lock_toolkit *t)
{
    for (size_t i = 0; i < t->stand_ins.n; i++) {
        const struct lock_stand_in *s = &t->stand_ins.v[i];

        buf_fmt(out, STR_FMT " " STR_FMT ": " STR_FMT "\n", STR_ARG(s->name), STR_ARG(s->version),
                STR_ARG(s->summary));
        for (size_t j = 0; j < s->provides.n; j++)
            buf_fmt(out, "provides " STR_FMT "\n", STR_ARG(s->provides.v[j]));
        for (size_t j = 0; j < s->links.n; j++)
            buf_fmt(out, STR_FMT " -> " STR_FMT "\n", STR_ARG(s->links.v[j].path),
                    STR_ARG(s->links.v[j].target));
    }
}

static void compare_toolkit(struct comparison *c)
{
    const struct lock_toolkit *a = &c->old->toolkit, *b = &c->now->toolkit;
    CLEANUP(buf_clear) struct buf x = {0}, y = {0};

    differ(c, STR("toolkit"), a->from, b->from);
    differ(c, STR("release of the toolkit"), a->version, b->version);
    differ(c, STR("folder of the toolkit"), a->root, b->root);
    differ(c, STR("gcc of the toolkit"), a->gcc, b->gcc);
    differ_lines(c, STR("apt sources of the toolkit"), a->sources, b->sources);
    stand_in_words(&x, a);
    stand_in_words(&y, b);
    differ_lines(c, STR("packages that stand in"), buf_view(&x), buf_view(&y));
}

static void compare_slim(struct comparison *c)
{
    const struct slim_rule *rule;

    for (size_t i = 0; (rule = slim_rule_at(i)); i++)
        differ_named(c, "slim", str_of(rule->name),
                     lock_slims(c->old, rule) ? STR("left out") : STR("kept"),
                     lock_slims(c->now, rule) ? STR("left out") : STR("kept"));
}

/* ---- the plan ---- */

static bool same_artifacts(const struct lock *a, const struct lock *b)
{
    if (a->artifacts.n != b->artifacts.n)
        return false;
    for (size_t i = 0; i < a->artifacts.n; i++)
        if (!artifact_is_same(&a->artifacts.v[i], &b->artifacts.v[i]))
            return false;
    return true;
}

static void plan_words(struct buf *out, const struct lock *lock)
{
    for (size_t i = 0; i < lock->layers.n; i++) {
        const struct lock_layer *l = &lock->layers.v[i];

        buf_fmt(out, STR_FMT " (%s):", STR_ARG(l->name), kinds[l->kind]);
        for (size_t j = 0; j < l->artifacts.n; j++)
            buf_fmt(out, " " STR_FMT, STR_ARG(lock->artifacts.v[l->artifacts.v[j]].name));
        if (l->kind == LOCK_IMAGE) {
            char digest[DIGEST_TEXT + 1], diff_id[DIGEST_TEXT + 1];

            digest_text(&l->digest, digest);
            digest_text(&l->diff_id, diff_id);
            buf_fmt(out, " " STR_FMT " %s %s %llu", STR_ARG(l->media_type), digest, diff_id,
                    (unsigned long long)l->size);
        }
        buf_putc(out, '\n');
    }
}

/* Of other artifacts another plan is made. */
static void compare_plan(struct comparison *c)
{
    CLEANUP(buf_clear) struct buf a = {0}, b = {0};

    if (!same_artifacts(c->old, c->now))
        return;
    plan_words(&a, c->old);
    plan_words(&b, c->now);
    differ_lines(c, STR("plan of the layers"), buf_view(&a), buf_view(&b));
    for (size_t i = 0; i < c->old->artifacts.n; i++)
        differ_named(c, "asked for by name:", c->old->artifacts.v[i].name,
                     c->old->artifacts.v[i].requested ? STR("yes") : STR("no"),
                     c->now->artifacts.v[i].requested ? STR("yes") : STR("no"));
}

static void differ_digest(struct comparison *c, struct str what, const struct digest *old,
                          const struct digest *now)
{
    char a[DIGEST_TEXT + 1], b[DIGEST_TEXT + 1];

    digest_text(old, a);
    digest_text(now, b);
    differ(c, what, str_of(a), str_of(b));
}

/* What builds recorded of the same plan. */
static void compare_built(struct comparison *c)
{
    const struct lock *a = c->old, *b = c->now;

    if (!a->built || !b->built || !same_artifacts(a, b) || a->layers.n != b->layers.n)
        return;
    for (size_t i = 0; i < a->layers.n; i++) {
        const struct lock_layer *x = &a->layers.v[i], *y = &b->layers.v[i];
        struct arena *m = &c->out->arena;

        differ_digest(c, str_of(arena_fmt(m, "digest of layer " STR_FMT, STR_ARG(x->name))),
                      &x->digest, &y->digest);
        differ_digest(c, str_of(arena_fmt(m, "diff_id of layer " STR_FMT, STR_ARG(x->name))),
                      &x->diff_id, &y->diff_id);
    }
    differ_digest(c, STR("config"), &a->config, &b->config);
    differ_digest(c, STR("manifest"), &a->manifest, &b->manifest);
}

void lock_compare(struct lock_differences *out, const struct lock *old, const struct lock *now)
{
    struct comparison c = {out, old, now};

    compare_head(&c);
    compare_facts(&c);
    compare_env(&c);
    compare_words(&c, "entrypoint", &old->entrypoint, &now->entrypoint);
    compare_words(&c, "cmd", &old->cmd, &now->cmd);
    compare_offers(&c);
    compare_labels(&c);
    compare_copies(&c);
    compare_downloads(&c);
    compare_toolkit(&c);
    compare_slim(&c);
    compare_plan(&c);
    compare_built(&c);
}

void lock_differences_clear(struct lock_differences *d)
{
    vec_clear(&d->list);
    arena_clear(&d->arena);
}
