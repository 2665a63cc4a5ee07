/* SPDX-License-Identifier: Apache-2.0 */
#include "tool_lock_parts.h"

#include "../../base/path.h"
#include "../../doc/toml.h"
#include "pep508.h"

static bool is_pylock(struct str name) /* PEP 751: no other dots */
{
    return str_is(name, "pylock.toml") ||
           (str_skip(&name, STR("pylock.")) && str_drop(&name, STR(".toml")) && name.len &&
            !str_has(name, '.'));
}

bool tool_lock_is_name(struct str path)
{
    struct str name = path_base(path);

    return is_pylock(name) || str_is(name, "uv.lock") || str_is(name, "poetry.lock");
}

int tool_lock_parse(struct tool_lock *out, struct str text, struct str file, struct err *e)
{
    CLEANUP(tool_lock_clear) struct tool_lock lock = {0};
    CLEANUP(free_clear) char *name = str_dup(file);
    CLEANUP(free_clear) char *folder = path_dir(name);

    if (toml_parse(&lock.doc, text, name, e) < 0)
        return -1;
    lock.folder = arena_str(&lock.doc.arena, str_of(folder));
    MOVE(out, &lock);
    return 0;
}

void tool_lock_clear(struct tool_lock *lock)
{
    doc_clear(&lock->doc);
    *lock = (struct tool_lock){0};
}

struct str tool_lock_version(const struct tool_lock *lock, struct str name)
{
    const struct node *list = node_get(lock->doc.root, "packages"), *n;
    struct str found = {0};

    node_each(n, list ? list : node_get(lock->doc.root, "package")) {
        struct str version = node_text_of(n, "version");

        if (!str_eq(node_text_of(n, "name"), name))
            continue;
        version = str_sub(version, 0, str_find(version, '+'));
        if (found.len && !str_eq(found, version))
            return (struct str){0};
        found = version;
    }
    return found;
}

/* ---- extras and groups ---- */

void add_names(struct choosing *in, struct strs *out, const struct node *from)
{
    const struct node *n;

    node_each(n, from)
        strs_add_once(out, pep503_name(in->arena, from->kind == NODE_MAP ? n->key : n->text));
}

static void list_names(struct buf *out, const struct strs *names)
{
    for (size_t i = 0; i < names->n; i++)
        buf_fmt(out, "%s" STR_FMT, i ? ", " : "", STR_ARG(names->v[i]));
}

void choose_names(struct choosing *in, const char *key, const struct node *asked,
                  const struct strs *known, struct strs *out)
{
    const struct node *n;

    node_each(n, asked) {
        struct str name = pep503_name(in->arena, n->text);
        CLEANUP(buf_clear) struct buf list = {0};

        strs_add_once(out, name);
        if (strs_has(known, name))
            continue;
        list_names(&list, known);
        err_at(in->e, &n->pos, "%s: %s has no \"" STR_FMT "\"%s%s", key, in->root->pos.file,
               STR_ARG(n->text), known->n ? "; it has " : ", nor any other",
               known->n ? list.p : "");
    }
}

void tell_ambiguous(struct choosing *in, const char *key, const struct strs *names)
{
    CLEANUP(buf_clear) struct buf list = {0};

    list_names(&list, names);
    err_at(in->e, &in->choice->pos,
           "%s has %s of which the choice differs: %s; name those that are meant, as in %s: "
           "[" STR_FMT "], or write %s: [] for none",
           in->root->pos.file, key, list.p, key, STR_ARG(names->v[names->n - 1]), key);
}

/* ---- markers and Python ---- */

static bool read_marker(struct choosing *in, const struct node *n, const struct marker **out)
{
    CLEANUP(err_clear) struct err fault = {0};
    struct reader r = {.rest = n->text, .whole = n->text, .arena = in->arena, .e = &fault};

    if (marker_read(&r, out) == 0 && !r.rest.len)
        return true;
    err_at(in->e, &n->pos, "\"" STR_FMT "\" is no marker", STR_ARG(n->text));
    return false;
}

bool marker_holds(struct choosing *in, const struct node *n)
{
    const struct marker_choice chosen = {&in->extras, &in->groups};
    CLEANUP(err_clear) struct err fault = {0};
    const struct marker *m;
    bool holds = true;

    if (!n || !n->text.len)
        return true;
    if (!read_marker(in, n, &m))
        return false;
    if (marker_eval_chosen(m, in->choice->env, &chosen, &holds, &fault) == 0)
        return holds;
    err_at(in->e, &n->pos, "%s", fault.msg);
    return false;
}

bool marker_hangs(struct choosing *in, const struct node *n)
{
    const struct marker *m;

    return n && n->text.len && read_marker(in, n, &m) && marker_has_extra(m);
}

void check_python(struct choosing *in, const char *key, const struct node *n)
{
    CLEANUP(specifiers_clear) struct specifiers set = {0};
    struct str python = in->choice->env->python_full_version, bad;
    struct pep440 version;

    if (!n || in->choice->guess || !specifiers_parse(&set, n->text, &bad) ||
        !pep440_parse(&version, python) || specifiers_match(&set, &version))
        return;
    err_at(in->e, &n->pos,
           "%s: \"" STR_FMT "\" does not fit the image's Python " STR_FMT
           "; write another `python` or lock again for this one",
           key, STR_ARG(n->text), STR_ARG(python));
}

void check_environments(struct choosing *in, const char *key)
{
    const struct node *list = node_get(in->root, key), *n;

    if (!list || !list->count || in->choice->guess)
        return;
    node_each(n, list)
        if (marker_holds(in, n))
            return;
    err_at(in->e, &list->pos, "%s: none is the image's, Python " STR_FMT " on Linux and x86_64",
           key, STR_ARG(in->choice->env->python_full_version));
}

/* ---- picks ---- */

static bool is_project_name(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!c_alnum(s.p[i]) && !str_has(STR("-_."), s.p[i]))
            return false;
    return s.len && c_alnum(s.p[0]) && c_alnum(s.p[s.len - 1]);
}

struct tool_lock_pick *add_pick(struct choosing *in, const struct node *package)
{
    struct fields f = fields_of(package, "package", in->e);
    const struct node *version = node_get(package, "version");
    struct tool_lock_pick *p;
    struct pep440 parsed;
    struct str name = {0};

    if (!field_need_str(&f, "name", &name))
        return NULL;
    if (!is_project_name(name)) {
        err_at(in->e, &package->pos, "\"" STR_FMT "\" is not the name of a package", STR_ARG(name));
        return NULL;
    }
    p = vec_push(in->out);
    p->name = pep503_name(in->arena, name);
    p->pos = version ? version->pos : package->pos;
    if (version && !pep440_parse(&parsed, version->text))
        err_at(in->e, &version->pos, "\"" STR_FMT "\" is not a version", STR_ARG(version->text));
    if (version)
        p->version = arena_str(in->arena, version->text);
    return p;
}

void pick_version(struct choosing *in, struct tool_lock_pick *p, struct str index)
{
    p->index = arena_str(in->arena, index);
    p->text =
        str_of(arena_fmt(in->arena, STR_FMT "==" STR_FMT, STR_ARG(p->name), STR_ARG(p->version)));
    if (!p->version.len)
        err_at(in->e, &p->pos, STR_FMT " has no version", STR_ARG(p->name));
}

void pick_address(struct choosing *in, struct tool_lock_pick *p, struct str address)
{
    p->version = (struct str){0};
    p->text =
        str_of(arena_fmt(in->arena, STR_FMT " @ " STR_FMT, STR_ARG(p->name), STR_ARG(address)));
}

void pick_path(struct choosing *in, struct tool_lock_pick *p, struct str path)
{
    CLEANUP(free_clear) char *name = str_dup(path);
    CLEANUP(free_clear) char *folder = str_dup(in->lock->folder);
    CLEANUP(free_clear) char *whole = path_join(str_is(in->lock->folder, ".") ? "" : folder, name);
    CLEANUP(buf_clear) struct buf clean = {0}, relative = {0};

    if (!path_clean(&clean, str_of(whole)))
        buf_puts(&relative, whole); /* "../x", which is no folder of the recipe's */
    else
        buf_fmt(&relative, "%s%s", clean.len && clean.p[0] == '/' ? "" : "./",
                clean.p ? clean.p : "");
    pick_address(in, p, buf_view(&relative));
}

void pick_git(struct choosing *in, struct tool_lock_pick *p, struct str address, struct str commit,
              struct str folder)
{
    CLEANUP(buf_clear) struct buf b = {0};

    buf_fmt(&b, "git+" STR_FMT "@" STR_FMT, STR_ARG(address), STR_ARG(commit));
    if (folder.len)
        buf_fmt(&b, "#subdirectory=" STR_FMT, STR_ARG(folder));
    pick_address(in, p, buf_view(&b));
}

void pick_hash(struct choosing *in, struct tool_lock_pick *p, const struct node *file,
               struct str text)
{
    struct digest digest = {0};

    if (text.len && !digest_from_text(&digest, text))
        err_at(in->e, &file->pos,
               STR_FMT ": \"" STR_FMT "\" is no sha256, and only those are compared",
               STR_ARG(p->name), STR_ARG(text));
    vec_add(&p->hashes, digest);
}

/* Where one file has no hash, those of the others would keep it out. */
static void settle_hashes(struct tool_lock_pick *p)
{
    struct digest *d;

    vec_each(d, &p->hashes)
        if (!digest_is_set(d)) {
            vec_clear(&p->hashes);
            return;
        }
}

static int pick_order(const void *x, const void *y)
{
    const struct tool_lock_pick *const *a = x, *const *b = y;
    int c = str_cmp((*a)->name, (*b)->name);

    return c ? c : (*a > *b) - (*a < *b);
}

/* Of one name only one can be installed. */
static void check_twice(struct choosing *in)
{
    struct VEC_OF(const struct tool_lock_pick *) sorted = {0};

    for (size_t i = 0; i < in->out->n; i++)
        vec_add(&sorted, &in->out->v[i]);
    vec_sort(&sorted, pick_order);
    for (size_t i = 1; i < sorted.n; i++) {
        const struct tool_lock_pick *first = sorted.v[i - 1], *p = sorted.v[i];

        if (str_eq(first->name, p->name))
            err_at(in->e, &p->pos,
                   "\"" STR_FMT "\" is for the same image as \"" STR_FMT "\" at %s:%u:%u; name "
                   "extras or groups that leave one",
                   STR_ARG(p->text), STR_ARG(first->text), first->pos.file, first->pos.line,
                   first->pos.col);
    }
    vec_clear(&sorted);
}

int tool_lock_choose(struct tool_lock_picks *out, struct arena *a, const struct tool_lock *lock,
                     const struct tool_lock_choice *choice, struct err *e)
{
    CLEANUP(tool_lock_picks_clear) struct tool_lock_picks made = {0};
    struct err fault = {0};
    struct choosing in = {.lock = lock,
                          .root = lock->doc.root,
                          .choice = choice,
                          .arena = a,
                          .out = &made,
                          .e = &fault};
    struct str name = path_base(str_of(lock->doc.file));

    if (str_is(name, "uv.lock"))
        tool_lock_uv(&in);
    else if (str_is(name, "poetry.lock"))
        tool_lock_poetry(&in);
    else
        tool_lock_pylock(&in);
    if (!err_is_set(&fault))
        check_twice(&in);
    for (size_t i = 0; i < made.n; i++)
        settle_hashes(&made.v[i]);
    vec_clear(&in.extras);
    vec_clear(&in.groups);
    if (err_is_set(&fault))
        return err_join(e, &fault);
    MOVE(out, &made);
    return 0;
}

void tool_lock_picks_clear(struct tool_lock_picks *picks)
{
    struct tool_lock_pick *p;

    vec_each(p, picks)
        vec_clear(&p->hashes);
    vec_clear(picks);
}
