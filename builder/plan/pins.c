/* SPDX-License-Identifier: Apache-2.0 */
#include "pins.h"

#include "../doc/emit.h"
#include "services.h"

/* ---- what is to be upgraded ---- */

static bool names(struct str word, const struct artifact *a)
{
    struct str rest = word, type;

    if (str_cut(&rest, STR(":"), &type))
        return str_is(type, ecosystem_name(a->eco)) && str_eq(rest, a->name);
    return str_eq(word, a->name);
}

bool pins_has(const struct pins *k, const struct artifact *a)
{
    if (!k->old || k->upgrade_all)
        return false;
    for (size_t i = 0; k->upgrade && i < k->upgrade->n; i++)
        if (names(k->upgrade->v[i], a))
            return false;
    return true;
}

static int unknown(const struct pins *k, struct str word, struct err *e)
{
    struct str nearest = {0}, plain = word, type;
    unsigned best = 3;

    str_cut(&plain, STR(":"), &type);
    for (size_t i = 0; i < k->old->artifacts.n; i++) {
        unsigned d = str_distance(plain, k->old->artifacts.v[i].name, best);

        if (d < best) {
            best = d;
            nearest = k->old->artifacts.v[i].name;
        }
    }
    if (nearest.len)
        return err_set(e, ERR_USAGE,
                       "\"" STR_FMT "\" is not in the lock (did you mean \"" STR_FMT "\"?)",
                       STR_ARG(word), STR_ARG(nearest));
    return err_set(e, ERR_USAGE,
                   "\"" STR_FMT
                   "\" is not in the lock; --upgrade takes names of its packages, such "
                   "as numpy or deb:git",
                   STR_ARG(word));
}

int pins_check(const struct pins *k, struct err *e)
{
    for (size_t i = 0; k->old && k->upgrade && i < k->upgrade->n; i++) {
        bool found = false;

        for (size_t j = 0; j < k->old->artifacts.n && !found; j++)
            found = names(k->upgrade->v[i], &k->old->artifacts.v[j]);
        if (!found)
            unknown(k, k->upgrade->v[i], e);
    }
    return err_is_set(e) ? -1 : 0;
}

/* ---- taking over as a whole ---- */

static bool same_value(const struct node *old, const struct node *now, const char *key)
{
    const struct node *a = node_get(old, key), *b = node_get(now, key);
    CLEANUP(buf_clear) struct buf x = {0}, y = {0};

    if (!a || !b)
        return !a && !b;
    emit_json(&x, a, EMIT_COMPACT);
    emit_json(&y, b, EMIT_COMPACT);
    return str_eq(buf_view(&x), buf_view(&y));
}

/* Has `other` all files beside the recipe that `lock` has? Wheels depend on every one, debs not on
 * requirement files, which `pip` tells; keys for services decide about neither. */
static bool covers(const struct lock *lock, const struct lock *other, bool pip)
{
    for (size_t i = 0; i < lock->inputs.n; i++) {
        const struct lock_input *input = &lock->inputs.v[i];
        bool found = (!pip && (str_is(input->use, "pip") || str_is(input->use, "project"))) ||
                     str_is(input->use, "services");

        for (size_t j = 0; j < other->inputs.n && !found; j++)
            found = str_eq(input->path, other->inputs.v[j].path) &&
                    digest_eq(&input->digest, &other->inputs.v[j].digest);
        if (!found)
            return false;
    }
    return true;
}

static bool keeps_all(const struct pins *k, enum ecosystem eco, const struct lock *now,
                      const char *const *keys)
{
    bool pip = eco == ECO_WHEEL;

    if (!k->old || k->upgrade_all || !covers(k->old, now, pip) || !covers(now, k->old, pip))
        return false;
    for (size_t i = 0; i < k->old->artifacts.n; i++)
        if (k->old->artifacts.v[i].eco == eco && !pins_has(k, &k->old->artifacts.v[i]))
            return false;
    for (; *keys; keys++)
        if (!same_value(k->old->recipe, now->recipe, *keys))
            return false;
    return services_same(k->old->recipe, now->recipe);
}

bool pins_all_debs(const struct pins *k, const struct lock *now)
{
    static const char *const keys[] = {"base",         "python",  "variant", "apt",
                                       "apt_archives", "toolkit", NULL};
    static const char *const of_toolkit[] = {"pytorch", "cuda", "cudnn", NULL};

    return keeps_all(k, ECO_DEB, now, keys) &&
           (!str_is(now->variant, "devel") || keeps_all(k, ECO_DEB, now, of_toolkit));
}

bool pins_all_wheels(const struct pins *k, const struct lock *now)
{
    static const char *const keys[] = {"pytorch", "cuda",    "base",        "python",  "variant",
                                       "toolkit", "pip",     "constraints", "indexes", "find_links",
                                       "build",   "project", NULL};

    return keeps_all(k, ECO_WHEEL, now, keys) && str_eq(k->old->python_full, now->python_full) &&
           k->old->format >= 2; /* those before do not say what needs what */
}

bool pins_all_archives(const struct pins *k, const struct lock *now)
{
    static const char *const keys[] = {"pytorch", "cuda", "cudnn", "variant", "toolkit", NULL};

    return keeps_all(k, ECO_REDIST, now, keys) &&
           str_eq(k->old->toolkit.version, now->toolkit.version) &&
           str_eq(k->old->toolkit.from, now->toolkit.from);
}

/* ---- debs one by one ---- */

static void prefer(const struct pins *k, const struct artifact *a, struct debindex *index,
                   struct pins_moved *moved)
{
    const struct deb_package *highest = debindex_find(index, a->name);

    if (a->eco == ECO_DEB && highest && pins_has(k, a) &&
        debindex_prefer(index, a->name, a->version))
        vec_add(moved, highest);
}

void pins_prefer_debs(const struct pins *k, struct debindex *index, struct pins_moved *moved)
{
    const struct artifact *a;

    if (!k->old)
        return;
    vec_each(a, &k->old->artifacts)
        prefer(k, a, index, moved);
    vec_each(a, &k->old->tools)
        prefer(k, a, index, moved);
}

/* Names are words of their own in messages: "git" is not named by "gitk". */
static bool is_named(struct str text, struct str name)
{
    for (size_t at = 0; at + name.len <= text.len; at++) {
        struct str rest = str_sub(text, at, text.len);
        bool begins = !at || !(c_alnum(text.p[at - 1]) || str_has(STR("+-."), text.p[at - 1]));
        bool ends = rest.len == name.len ||
                    !(c_alnum(rest.p[name.len]) || str_has(STR("+-"), rest.p[name.len]));

        if (begins && ends && str_starts(rest, name))
            return true;
    }
    return false;
}

bool pins_yield(struct debindex *index, struct pins_moved *moved, const struct err *fault)
{
    size_t kept = 0, before = moved->n;

    for (size_t i = 0; i < before; i++)
        if (is_named(str_of(fault->msg), moved->v[i]->name))
            (void)debindex_prefer(index, moved->v[i]->name, moved->v[i]->version);
        else
            moved->v[kept++] = moved->v[i];
    if (kept == before)
        for (; kept; kept--)
            (void)debindex_prefer(index, moved->v[kept - 1]->name, moved->v[kept - 1]->version);
    moved->n = kept;
    return before > 0;
}
