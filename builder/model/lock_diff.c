/* SPDX-License-Identifier: Apache-2.0 */
#include "lock_diff.h"

#include "lock_compare.h"
#include "recipe_form.h"

/* ---- artifacts ---- */

static int compare(const struct artifact *a, const struct artifact *b)
{
    return a->eco != b->eco ? (int)a->eco - (int)b->eco : str_cmp(a->name, b->name);
}

static bool is_security(const struct artifact *a)
{
    return a->eco == ECO_DEB && str_find_str(a->from, STR("-security/")) < a->from.len;
}

static void add(struct lock_changes *out, const struct artifact *old, const struct artifact *now)
{
    if (old && now && str_eq(old->version, now->version) && artifact_is_same(old, now))
        return;
    vec_add(out, ((struct lock_change){old, now, now && is_security(now)}));
}

void lock_changes(struct lock_changes *out, const struct lock *old, const struct lock *now)
{
    size_t i = 0, j = 0;

    while (i < old->artifacts.n || j < now->artifacts.n) {
        const struct artifact *a = i < old->artifacts.n ? &old->artifacts.v[i] : NULL;
        const struct artifact *b = j < now->artifacts.n ? &now->artifacts.v[j] : NULL;
        int order = !a ? 1 : !b ? -1 : compare(a, b);

        add(out, order <= 0 ? a : NULL, order >= 0 ? b : NULL);
        i += order <= 0;
        j += order >= 0;
    }
}

void lock_change_print(struct buf *out, const struct lock_change *c)
{
    const struct artifact *any = c->now ? c->now : c->old;

    buf_fmt(out, "%s " STR_FMT " " STR_FMT, ecosystem_name(any->eco), STR_ARG(any->name),
            STR_ARG(c->old ? c->old->version : c->now->version));
    if (!c->now)
        buf_puts(out, " is gone");
    else if (!c->old)
        buf_fmt(out, " is new%s", c->now->source ? ", built from source" : "");
    else if (str_eq(c->old->version, c->now->version))
        buf_puts(out, " is another file now");
    else
        buf_fmt(out, " becomes " STR_FMT "%s", STR_ARG(c->now->version),
                c->now->source ? ", built from source" : "");
    if (c->security && c->old)
        buf_puts(out, " (security)");
}

/* ---- the recipe and its files ---- */

static const struct lock_file *find_file(const struct lock_copy *c, struct str path)
{
    for (size_t i = 0; i < c->files.n; i++)
        if (str_eq(c->files.v[i].path, path))
            return &c->files.v[i];
    return NULL;
}

static bool same_file(const struct lock_file *a, const struct lock_file *b)
{
    return a->folder == b->folder && a->executable == b->executable && str_eq(a->link, b->link) &&
           a->size == b->size && digest_eq(&a->digest, &b->digest);
}

static void say(struct buf *words, const struct lock_copy *c, const struct lock_file *f,
                const char *what)
{
    struct str from = c->from;

    str_drop(&from, STR("/"));
    buf_fmt(words, "%s" STR_FMT "%s" STR_FMT " %s", words->len ? "; " : "", STR_ARG(from),
            f->path.len ? "/" : "", STR_ARG(f->path), what);
}

static void copy_changes(struct buf *words, const struct lock_copy *old,
                         const struct lock_copy *now)
{
    for (size_t i = 0; i < now->files.n; i++) {
        const struct lock_file *was = find_file(old, now->files.v[i].path);

        if (!was)
            say(words, now, &now->files.v[i], "is new");
        else if (!same_file(was, &now->files.v[i]))
            say(words, now, &now->files.v[i], "changed");
    }
    for (size_t i = 0; i < old->files.n; i++)
        if (!find_file(now, old->files.v[i].path))
            say(words, old, &old->files.v[i], "is gone");
}

static const struct lock_input *find_input(const struct lock *lock, struct str path)
{
    for (size_t i = 0; i < lock->inputs.n; i++)
        if (str_eq(lock->inputs.v[i].path, path))
            return &lock->inputs.v[i];
    return NULL;
}

static void input_changes(struct buf *words, const struct lock *old, const struct lock *now)
{
    for (size_t i = 0; i < now->inputs.n; i++) {
        const struct lock_input *input = &now->inputs.v[i], *was = find_input(old, input->path);

        if (!was || !digest_eq(&was->digest, &input->digest))
            buf_fmt(words, "%s" STR_FMT " %s", words->len ? "; " : "", STR_ARG(input->path),
                    was ? "changed" : "is new");
    }
    for (size_t i = 0; i < old->inputs.n; i++)
        if (!find_input(now, old->inputs.v[i].path))
            buf_fmt(words, "%s" STR_FMT " is not named any more", words->len ? "; " : "",
                    STR_ARG(old->inputs.v[i].path));
}

void lock_wheel_changes(struct buf *words, const struct lock *old, const struct lock *now)
{
    const struct artifact *a;

    vec_each(a, &now->artifacts) {
        const struct artifact *was = lock_find(old, ECO_WHEEL, a->name);
        struct str file = a->url;
        char locked[DIGEST_TEXT + 1], found[DIGEST_TEXT + 1];

        if (artifact_is_project(a)) {
            buf_fmt(words, "%sthe project " STR_FMT " changed", words->len ? "; " : "",
                    STR_ARG(a->name));
            continue;
        }
        str_skip(&file, STR("./"));
        digest_text(&was->digest, locked);
        digest_text(&a->digest, found);
        buf_fmt(words, "%s" STR_FMT " changed: it is %s, and the lock has %s",
                words->len ? "; " : "", STR_ARG(file), found, locked);
    }
}

void lock_recipe_changes(struct buf *words, const struct lock *old, const struct lock *now)
{
    if (!digest_eq(&old->recipe_digest, &now->recipe_digest))
        recipe_diff(words, old->recipe, now->recipe);
    if (old->schema != 1) /* which did not know them */
        input_changes(words, old, now);
    if (digest_eq(&old->recipe_digest, &now->recipe_digest))
        for (size_t i = 0; i < now->copies.n && i < old->copies.n; i++)
            /* Else it is told already: texts are made of recipe and inputs. */
            if (!now->copies.v[i].text.len && !find_input(now, now->copies.v[i].from))
                copy_changes(words, &old->copies.v[i], &now->copies.v[i]);
}

/* ---- sizes ---- */

/* Bytes of the artifacts of `lock` that `other` (may be NULL) does not have. */
static uint64_t bytes_of(const struct lock *lock, const struct lock *other)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < lock->artifacts.n; i++) {
        const struct artifact *a = &lock->artifacts.v[i];
        const struct artifact *same = other ? lock_find(other, a->eco, a->name) : NULL;

        if (!same || !artifact_is_same(same, a))
            sum += artifact_download(a);
    }
    return sum;
}

static bool same_slimming(const struct lock *old, const struct lock *now, struct str wheel)
{
    const struct slim_rule *rule;

    for (size_t i = 0; (rule = slim_rule_at(i)); i++)
        if (slim_concerns(rule, wheel) && lock_slims(old, rule) != lock_slims(now, rule))
            return false;
    return true;
}

static bool is_of_system(const struct artifact *a)
{
    return a->eco == ECO_DEB || a->eco == ECO_REDIST;
}

static bool same_system(const struct lock *old, const struct lock *now)
{
    size_t before = 0, after = 0;

    for (size_t i = 0; i < old->artifacts.n; i++)
        before += is_of_system(&old->artifacts.v[i]);
    for (size_t i = 0; i < now->artifacts.n; i++) {
        const struct artifact *a = &now->artifacts.v[i], *same = lock_find(old, a->eco, a->name);

        if (is_of_system(a) && (!same || !artifact_is_same(same, a)))
            return false;
        after += is_of_system(a);
    }
    return before == after;
}

/* The very artifacts, at least one. */
static bool same_members(const struct lock *old, const struct lock_layer *a, const struct lock *now,
                         const struct lock_layer *b)
{
    if (a->kind != b->kind || a->artifacts.n != b->artifacts.n || !a->artifacts.n)
        return false;
    for (size_t i = 0; i < a->artifacts.n; i++)
        if (!artifact_is_same(&old->artifacts.v[a->artifacts.v[i]],
                              &now->artifacts.v[b->artifacts.v[i]]) ||
            !same_slimming(old, now, now->artifacts.v[b->artifacts.v[i]].name))
            return false;
    return true;
}

static bool same_group(const struct lock *old, const struct lock *now, enum lock_group group)
{
    const struct lock_layer *a = lock_layer_of(old, group), *b = lock_layer_of(now, group);

    return a && b ? same_members(old, a, now, b) : !a && !b;
}

/* Of the same wheels, by the same Python. */
static bool same_bytecode(const struct lock *old, size_t a, const struct lock *now, size_t b)
{
    size_t i = lock_bytecode_from(old, a), j = lock_bytecode_from(now, b);

    if (!same_group(old, now, LOCK_BASE) || !same_group(old, now, LOCK_PYTHON))
        return false;
    for (;; i++, j++) {
        while (i < a && old->layers.v[i].kind != LOCK_WHEELS)
            i++;
        while (j < b && now->layers.v[j].kind != LOCK_WHEELS)
            j++;
        if (i == a || j == b)
            return i == a && j == b;
        if (!same_members(old, &old->layers.v[i], now, &now->layers.v[j]))
            return false;
    }
}

static bool same_layer(const struct lock *old, size_t i, const struct lock *now, size_t j)
{
    const struct lock_layer *a = &old->layers.v[i], *b = &now->layers.v[j];

    if (a->group == LOCK_STATE && b->group == LOCK_STATE)
        return same_system(old, now);
    if (a->kind == LOCK_BYTECODE && b->kind == LOCK_BYTECODE)
        return same_bytecode(old, i, now, j);
    return same_members(old, a, now, b);
}

/* Layers of `now` that are one of `old`. */
static size_t same_layers(const struct lock *old, const struct lock *now)
{
    size_t n = 0;

    for (size_t i = 0; i < now->layers.n; i++)
        for (size_t j = 0; j < old->layers.n; j++)
            if (same_layer(old, j, now, i)) {
                n++;
                break;
            }
    return n;
}

/* ---- the rest ---- */

static struct str or_none(struct str s)
{
    return s.len ? s : STR("nothing");
}

static void print_differences(struct buf *out, const struct lock *old, const struct lock *now)
{
    CLEANUP(lock_differences_clear) struct lock_differences found = {0};
    const struct lock_difference *d;

    lock_compare(&found, old, now);
    vec_each(d, &found.list)
        buf_fmt(out, STR_FMT ": " STR_FMT " becomes " STR_FMT "\n", STR_ARG(d->what),
                STR_ARG(or_none(d->old)), STR_ARG(or_none(d->now)));
}

static void print_bytes(struct buf *out, uint64_t bytes)
{
    buf_fmt(out, "%.1f MiB", (double)bytes / (1024 * 1024));
}

void lock_diff_print(struct buf *out, const struct lock *old, const struct lock *now)
{
    struct lock_changes changes = {0};
    CLEANUP(buf_clear) struct buf recipe = {0};
    const struct lock_change *c;
    struct digest a, b;

    lock_digest(&a, old);
    lock_digest(&b, now);
    if (digest_eq(&a, &b)) { /* one choice; two builds may have recorded different things */
        print_differences(out, old, now);
        return;
    }
    lock_recipe_changes(&recipe, old, now);
    if (recipe.len)
        buf_fmt(out, "recipe: %s\n", recipe.p);
    print_differences(out, old, now);
    lock_changes(&changes, old, now);
    vec_each(c, &changes) {
        lock_change_print(out, c);
        buf_putc(out, '\n');
    }
    vec_clear(&changes);
    buf_puts(out, "download: ");
    print_bytes(out, bytes_of(old, NULL));
    buf_puts(out, " becomes ");
    print_bytes(out, bytes_of(now, NULL));
    buf_puts(out, ", of it ");
    print_bytes(out, bytes_of(now, old));
    buf_fmt(out, " new\nlayers: %zu of %zu stay the same\n", same_layers(old, now), now->layers.n);
}

/* ---- for machines ---- */

static void put_change(struct doc *doc, struct node *list, const struct lock_change *c)
{
    const struct artifact *any = c->now ? c->now : c->old;
    struct node *n = node_add(doc, list, node_new_map(doc));

    node_put_str(doc, n, "type", str_of(ecosystem_name(any->eco)));
    node_put_str(doc, n, "name", any->name);
    if (c->old)
        node_put_str(doc, n, "old", c->old->version);
    if (c->now)
        node_put_str(doc, n, "new", c->now->version);
    node_put_bool(doc, n, "security", c->security);
}

/* The rules that one of them follows. */
static void put_slim(struct doc *doc, struct node *n, const char *key, const struct lock *lock)
{
    struct node *list = node_put(doc, n, key, node_new_list(doc));

    for (size_t i = 0; i < lock->slim.n; i++)
        node_add_str(doc, list, str_of(lock->slim.v[i].rule->name));
}

static bool same_rules(const struct lock *old, const struct lock *now)
{
    bool same = old->slim.n == now->slim.n;

    for (size_t i = 0; i < now->slim.n; i++)
        same &= lock_slims(old, now->slim.v[i].rule);
    return same;
}

void lock_diff_put(struct doc *doc, struct node *root, const struct lock *old,
                   const struct lock *now)
{
    struct node *facts = node_put(doc, root, "facts", node_new_map(doc)), *list, *n;
    struct node *settings = node_put(doc, root, "settings", node_new_list(doc));
    CLEANUP(lock_differences_clear) struct lock_differences found = {0};
    struct lock_changes changes = {0};
    const struct lock_change *c;
    const struct lock_difference *d;

    lock_compare(&found, old, now);
    vec_each(d, &found.list) {
        n = d->fact ? node_put(doc, facts, d->fact, node_new_map(doc))
                    : node_add(doc, settings, node_new_map(doc));
        if (!d->fact)
            node_put_str(doc, n, "what", arena_str(&doc->arena, d->what));
        node_put_str(doc, n, "old", arena_str(&doc->arena, d->old));
        node_put_str(doc, n, "new", arena_str(&doc->arena, d->now));
    }
    if (strcmp(lock_startup_check(old), lock_startup_check(now)) != 0) {
        n = node_put(doc, root, "startup_check", node_new_map(doc));
        node_put_str(doc, n, "old", str_of(lock_startup_check(old)));
        node_put_str(doc, n, "new", str_of(lock_startup_check(now)));
    }
    if (!same_rules(old, now)) {
        n = node_put(doc, root, "slim", node_new_map(doc));
        put_slim(doc, n, "old", old);
        put_slim(doc, n, "new", now);
    }
    list = node_put(doc, root, "packages", node_new_list(doc));
    lock_changes(&changes, old, now);
    vec_each(c, &changes)
        put_change(doc, list, c);
    vec_clear(&changes);
    n = node_put(doc, root, "download", node_new_map(doc));
    node_put_u64(doc, n, "old", bytes_of(old, NULL));
    node_put_u64(doc, n, "new", bytes_of(now, NULL));
    node_put_u64(doc, n, "missing", bytes_of(now, old));
    n = node_put(doc, root, "layers", node_new_map(doc));
    node_put_u64(doc, n, "new", now->layers.n);
    node_put_u64(doc, n, "same", same_layers(old, now));
}
