/* SPDX-License-Identifier: Apache-2.0 */
#include "requirements.h"

#include "../base/fs.h"
#include "../base/path.h"
#include "../doc/toml.h"
#include "../io/crypto.h"
#include "../pkg/pypi/git_ref.h"
#include "pypi/torch_index.h"
#include "services.h"

#define RECIPE STR("recipe")

void requirements_clear(struct requirements *a)
{
    for (size_t i = 0; i < a->requirements.n; i++)
        requirement_clear(a->requirements.v[i]);
    vec_clear(&a->requirements);
    vec_clear(&a->roots);
    vec_clear(&a->constraints);
    vec_clear(&a->places);
    vec_clear(&a->constraint_places);
    vec_clear(&a->allowed);
    vec_clear(&a->may_lack);
    for (size_t i = 0; i < a->locks.n; i++)
        tool_lock_clear(&a->locks.v[i].lock);
    vec_clear(&a->locks);
    tool_lock_picks_clear(&a->locked);
    own_project_clear(&a->project);
    reqfile_clear(&a->files);
    arena_clear(&a->arena);
}

static bool is_path(struct str url)
{
    return str_starts(url, STR(".")) || str_starts(url, STR("/"));
}

/* A wheel beside the recipe must be there. */
static void check_local(const struct requirements *a, struct str url, const struct pos *pos,
                        const char *key, struct err *e)
{
    CLEANUP(free_clear) char *name = str_dup(str_sub(url, 0, str_find(url, '#')));
    CLEANUP(free_clear) char *path = path_join(a->dir, name);

    uint64_t size;

    if (is_path(url) && !fs_file_size(path, &size))
        err_at(e, pos, "%sthere is no file \"%s\"", key, name);
}

static void check_folders(const struct requirements *a, const struct recipe *r, struct err *e)
{
    for (size_t i = 0; i < r->find_links.n; i++) {
        const struct value *v = &r->find_links.v[i];
        CLEANUP(free_clear) char *name = str_dup(v->text);
        CLEANUP(free_clear) char *path = path_join(a->dir, name);
        CLEANUP(names_clear) struct names names = {0};
        CLEANUP(err_clear) struct err fault = {0};

        if (fs_list(&names, path, &fault) < 0)
            err_at(e, &v->pos, "find_links: %s", fault.msg);
    }
}

/* A line that is no requirement: is it a folder, an archive of sources, a repository? */
static bool is_source(struct str text)
{
    struct str word = {0};

    (void)str_word(&text, &word);
    return str_starts(word, STR(".")) || str_starts(word, STR("/")) ||
           str_find_str(word, STR("://")) < word.len;
}

/* "hg+https://...", or a path of no wheel. */
static bool is_other(struct str url)
{
    size_t scheme = str_find_str(url, STR("://"));

    return (!git_ref_is(url) && scheme < url.len && str_find(url, '+') < scheme) ||
           (is_path(url) && !str_ends(str_sub(url, 0, str_find(url, '#')), STR(".whl")));
}

/* "requirements.txt" is a name that a stranger's project may have: where such a file stands beside
 * the recipe, that is meant. */
static bool names_file(const struct requirements *a, struct str text)
{
    CLEANUP(free_clear) char *name = str_dup(text);
    CLEANUP(free_clear) char *path = path_join(a->dir, name);
    uint64_t size;

    return fs_file_size(path, &size);
}

static int refuse_file(struct str text, const struct pos *pos, const char *key, struct err *e)
{
    const char *instead = reqfile_instead(text);

    if (instead)
        return err_at(e, pos, "%s\"" STR_FMT "\" is a file, and not a requirements file; %s", key,
                      STR_ARG(text), instead);
    return err_at(e, pos,
                  "%s\"" STR_FMT "\" is a file here, not the name of a package; write "
                  "%s" STR_FMT "%s",
                  key, STR_ARG(text), *key ? "{requirements: " : "-r ", STR_ARG(text),
                  *key ? "}" : "");
}

/* `key` says in messages what the text is: "pip", or nothing for a line of a file. */
static struct requirement *parse(struct requirements *a, struct str text, const struct pos *pos,
                                 const char *key, struct err *e)
{
    struct requirement *r = arena_alloc(&a->arena, sizeof *r);
    CLEANUP(err_clear) struct err fault = {0};
    CLEANUP(err_clear) struct err unfit = {0};
    struct str meant = reqfile_wheel(&a->arena, text);
    struct git_ref ref;
    bool whole;

    if (meant.p == text.p && names_file(a, text)) {
        (void)!refuse_file(text, pos, key, e);
        return NULL;
    }
    whole = requirement_parse(r, &a->arena, meant, &fault) == 0;

    if (whole)
        vec_add(&a->requirements, r);
    if (!whole && git_ref_is(text))
        err_at(e, pos, "%s\"" STR_FMT "\" does not say what is in it; write name @ " STR_FMT, key,
               STR_ARG(text), STR_ARG(text));
    else if (whole ? is_other(r->url) : is_source(text))
        err_at(
            e, pos,
            "%s\"" STR_FMT "\" is not a wheel, and of sources only sdists and git repositories "
            "are built, as in `name @ ./name-1.0.tar.gz` and `name @ git+https://host/name.git`; "
            "build a wheel and name its file or its address",
            key, STR_ARG(text));
    else if (!whole)
        err_at(e, pos, "%s%s", key, fault.msg);
    else if (!git_ref_is(r->url))
        check_local(a, r->url, pos, key, e);
    else if (git_ref_parse(&ref, r->url, &unfit) < 0)
        err_at(e, pos, "%s%s", key, unfit.msg);
    return whole ? r : NULL;
}

static void ask(struct requirements *a, struct str text, const struct pos *pos, struct err *e)
{
    struct requirement *r = parse(a, text, pos, "pip: ", e);

    if (!r)
        return;
    vec_add(&a->roots, ((struct pypi_root){r, RECIPE}));
    vec_add(&a->places, *pos);
}

static void constrain(struct requirements *a, struct str text, const struct pos *pos,
                      const char *key, struct str label, struct err *e)
{
    struct requirement *r = parse(a, text, pos, key, e);

    if (r && r->extras.n) {
        err_at(e, pos, "%sa constraint has no extras: \"" STR_FMT "\"", key, STR_ARG(text));
    } else if (r) {
        vec_add(&a->constraints, ((struct pypi_root){r, label}));
        vec_add(&a->constraint_places, *pos);
    }
}

/* Lines `from` and on of what was read. */
static void ask_lines(struct requirements *a, size_t from, struct err *e)
{
    for (size_t i = from; i < a->files.lines.n; i++) {
        const struct req_line *line = &a->files.lines.v[i];
        struct str label = str_of(line->pos.file);
        struct requirement *r;

        if (line->constraint) {
            constrain(a, line->text, &line->pos, "", label, e);
        } else if ((r = parse(a, line->text, &line->pos, "", e))) {
            vec_add(&a->roots, ((struct pypi_root){r, label}));
            vec_add(&a->places, line->pos);
        }
    }
}

static void ask_file(struct requirements *a, const struct recipe_ask *item, const char *dir,
                     bool constraint, struct err *e)
{
    size_t from = a->files.lines.n;
    struct err fault = {0};

    if (reqfile_read(&a->files, dir, item->value.text, constraint, &fault) == 0) {
        ask_lines(a, from, e);
        return;
    }
    if (!fault.file) { /* the file itself cannot be read */
        err_at(e, &item->value.pos, "%s: %s", constraint ? "constraints" : "pip", fault.msg);
        err_clear(&fault);
        return;
    }
    err_join(e, &fault);
}

/* ---- the recipe's own project ---- */

/* What its groups name; what it needs itself its metadata say. */
static void ask_groups(struct requirements *a, const struct recipe *r, struct err *e)
{
    const struct value *group;
    const struct pyproject_need *n;

    vec_each(group, &r->project.groups) {
        const struct pyproject_set *set = pyproject_find(&a->project.toml.groups, group->text);

        vec_each(n, &set->needs) {
            struct requirement *need = parse(a, n->text, &n->pos, "", e);

            if (!need)
                continue;
            vec_add(&a->roots, ((struct pypi_root){need, str_of(n->pos.file)}));
            vec_add(&a->places, n->pos);
        }
    }
}

static void ask_project(struct requirements *a, const struct recipe *r, const char *dir,
                        struct err *e)
{
    struct err fault = {0};

    if (!r->project.path.text.len)
        return;
    if (own_project_open(&a->project, r, dir, &fault) == 0)
        ask_groups(a, r, e);
    else
        err_join(e, &fault);
}

void requirements_project(struct requirements *a, struct str name)
{
    const struct recipe *r = a->project.recipe;
    struct requirement *need = arena_alloc(&a->arena, sizeof *need);
    struct strs *extras = &need->extras;
    size_t at = a->locked_from;

    need->name = need->name_written = need->text = arena_str(&a->arena, name);
    need->url = own_project_url(&a->arena, r);
    for (size_t i = 0; i < r->project.extras.n; i++)
        strs_add_once(extras, r->project.extras.v[i].text);
    vec_sort(extras, str_compare);
    vec_add(&a->requirements, need);
    vec_push(&a->roots);
    vec_push(&a->places);
    memmove(a->roots.v + at + 1, a->roots.v + at, (a->roots.n - 1 - at) * sizeof *a->roots.v);
    memmove(a->places.v + at + 1, a->places.v + at, (a->places.n - 1 - at) * sizeof *a->places.v);
    a->roots.v[at] = (struct pypi_root){need, RECIPE};
    a->places.v[at] = r->project.path.pos;
    a->locked_from++;
    a->own++;
}

/* ---- locks of other tools ---- */

static int read_lock(struct requirements *a, const struct recipe_ask *ask, const char *dir,
                     struct err *e)
{
    CLEANUP(free_clear) char *name = str_dup(ask->value.text);
    CLEANUP(free_clear) char *path = path_join(dir, name);
    CLEANUP(buf_clear) struct buf text = {0};
    struct named_lock *x;
    struct digest digest;

    if (fs_read(&text, path, TOML_MAX, e) < 0)
        return -1;
    hash_bytes(&digest, text.p, text.len);
    vec_add(&a->files.sources,
            ((struct req_source){arena_str(&a->files.arena, ask->value.text), digest}));
    x = vec_push(&a->locks);
    x->ask = ask;
    return tool_lock_parse(&x->lock, buf_view(&text), ask->value.text, e);
}

static void ask_lock(struct requirements *a, const struct recipe_ask *ask, const char *dir,
                     struct err *e)
{
    CLEANUP(err_clear) struct err fault = {0};

    if (read_lock(a, ask, dir, &fault) == 0)
        return;
    if (fault.file)
        err_join(e, &fault);
    else
        err_at(e, &ask->value.pos, "pip: lock: %s", fault.msg);
}

/* PyTorch's index has copies of what torch brings, in files of their own. */
static bool is_copy(const struct tool_lock_pick *p)
{
    return str_starts(p->index, STR(TORCH_INDEX_URL)) &&
           (str_starts(p->name, STR("nvidia-")) || str_is(p->name, "triton"));
}

static int choose_locked(struct requirements *a, struct tool_lock_picks *out,
                         const struct marker_env *env, bool guess, struct err *e)
{
    const struct named_lock *x;

    vec_each(x, &a->locks) {
        const struct tool_lock_choice choice = {.env = env,
                                                .guess = guess,
                                                .extras = x->ask->extras,
                                                .groups = x->ask->groups,
                                                .pos = x->ask->value.pos};
        struct tool_lock_picks picks = {0};

        if (tool_lock_choose(&picks, &a->arena, &x->lock, &choice, e) < 0)
            return -1;
        for (size_t i = 0; i < picks.n; i++) {
            if (is_copy(&picks.v[i]))
                vec_clear(&picks.v[i].hashes);
            vec_add(out, picks.v[i]);
        }
        vec_clear(&picks);
    }
    return 0;
}

/* Room for the roots of `n` picks where those of others stood. */
static void make_room(struct requirements *a, size_t n)
{
    size_t from = a->locked_from, old = a->locked.n, tail = a->roots.n - from - old;

    for (size_t i = old; i < n; i++) {
        vec_push(&a->roots);
        vec_push(&a->places);
    }
    memmove(a->roots.v + from + n, a->roots.v + from + old, tail * sizeof *a->roots.v);
    memmove(a->places.v + from + n, a->places.v + from + old, tail * sizeof *a->places.v);
    a->roots.n = a->places.n = from + n + tail;
    a->own = a->own - old + n;
}

int requirements_lock(struct requirements *a, const struct marker_env *env, bool guess,
                      struct err *e)
{
    CLEANUP(tool_lock_picks_clear) struct tool_lock_picks picks = {0};
    struct err fault = {0};
    struct VEC_OF(const struct requirement *) asked = {0};

    if (choose_locked(a, &picks, env, guess, e) < 0)
        return -1;
    for (size_t i = 0; i < picks.n; i++)
        vec_add(&asked, parse(a, picks.v[i].text, &picks.v[i].pos, "", &fault));
    if (!err_is_set(&fault)) {
        make_room(a, picks.n);
        for (size_t i = 0; i < picks.n; i++) {
            a->roots.v[a->locked_from + i] =
                (struct pypi_root){asked.v[i], str_of(picks.v[i].pos.file)};
            a->places.v[a->locked_from + i] = picks.v[i].pos;
        }
        tool_lock_picks_clear(&a->locked);
        MOVE(&a->locked, &picks);
    }
    vec_clear(&asked);
    return err_is_set(&fault) ? err_join(e, &fault) : 0;
}

const struct tool_lock_pick *requirements_locked(const struct requirements *a, struct str name)
{
    const struct tool_lock_pick *p;

    vec_each(p, &a->locked)
        if (str_eq(p->name, name))
            return p;
    return NULL;
}

int requirements_allowed(struct requirements *a, const struct marker_env *env, struct err *e)
{
    const struct tool_lock_pick *p;

    a->allowed.n = 0;
    vec_each(p, &a->locked)
        if (p->hashes.n)
            vec_add(&a->allowed, ((struct pypi_allowed){.name = p->name,
                                                        .where = str_of(p->pos.file),
                                                        .digests = p->hashes.v,
                                                        .n = p->hashes.n}));
    for (size_t i = 0; i < a->files.lines.n; i++) {
        const struct req_line *line = &a->files.lines.v[i];
        CLEANUP(requirement_clear) struct requirement r = {0};
        bool holds;

        if (!line->hashes.n)
            continue;
        if (requirement_parse(&r, &a->arena, line->text, e) < 0 ||
            marker_eval(r.marker, env, STR(""), &holds, e) < 0)
            return -1;
        if (holds)
            vec_add(&a->allowed, ((struct pypi_allowed){.name = r.name,
                                                        .where = str_of(line->pos.file),
                                                        .digests = line->hashes.v,
                                                        .n = line->hashes.n}));
    }
    return 0;
}

/* Unless the recipe names it. */
static void ask_services(struct requirements *a, const struct recipe *r, struct err *e)
{
    struct str name = STR(SERVICES_JUPYTER);

    name = str_sub(name, 0, str_find(name, '>'));
    for (size_t i = 0; i < a->roots.n && r->jupyter.on; i++)
        if (str_eq(a->roots.v[i].requirement->name, name))
            return;
    if (r->jupyter.on)
        ask(a, STR(SERVICES_JUPYTER), &r->services, e);
}

/* What the variant has besides: torch.compile and torch.utils.cpp_extension import setuptools,
 * which torch does not ask for. */
static void ask_variant(struct requirements *a, const struct recipe *r,
                        const struct toolkit_plan *toolkit, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};

    if (!str_is(r->variant.text, "runtime"))
        ask(a, STR("setuptools"), &r->variant.pos, e);
    if (!toolkit || !str_is(toolkit->from, "pypi"))
        return;
    for (size_t i = 0; i < toolkit->items.n; i++) {
        struct str extra = toolkit->items.v[i];

        if (str_skip(&extra, STR("[")) && str_drop(&extra, STR("]")))
            vec_add(&a->may_lack, extra);
        buf_fmt(&text, "%s" STR_FMT, i ? "," : "", STR_ARG(extra));
    }
    /* The wheel may have a fourth number of its own. */
    ask(a,
        str_of(arena_fmt(&a->arena, "cuda-toolkit[%s]==" STR_FMT ".*", text.p ? text.p : "",
                         STR_ARG(toolkit->release))),
        &r->variant.pos, e);
}

int requirements_open(struct requirements *out, const struct recipe *r, struct str local,
                      const struct toolkit_plan *toolkit, const char *dir, struct err *e)
{
    CLEANUP(requirements_clear) struct requirements a = {.dir = dir};
    bool torch = !str_is(r->pytorch.text, RECIPE_NONE);
    struct err fault = {0};

    check_folders(&a, r, &fault);
    if (torch)
        ask(&a,
            str_of(arena_fmt(&a.arena, "torch==" STR_FMT "%s" STR_FMT, STR_ARG(r->pytorch.text),
                             local.len ? "+" : "", STR_ARG(local))),
            &r->pytorch.pos, &fault);
    else
        ask(&a, STR("pip"), &r->pytorch.pos, &fault);
    for (size_t i = 0; i < r->pip.n; i++)
        if (r->pip.v[i].lock)
            ask_lock(&a, &r->pip.v[i], dir, &fault);
        else if (r->pip.v[i].file)
            ask_file(&a, &r->pip.v[i], dir, false, &fault);
        else
            ask(&a, r->pip.v[i].value.text, &r->pip.v[i].value.pos, &fault);
    ask_project(&a, r, dir, &fault);
    ask_services(&a, r, &fault);
    a.locked_from = a.roots.n;
    if (torch)
        ask(&a, STR("pip"), &r->pytorch.pos, &fault); /* for the people inside */
    a.own = a.roots.n;
    ask_variant(&a, r, toolkit, &fault);
    for (size_t i = 0; i < r->constraints.n; i++)
        if (r->constraints.v[i].file)
            ask_file(&a, &r->constraints.v[i], dir, true, &fault);
        else
            constrain(&a, r->constraints.v[i].value.text, &r->constraints.v[i].value.pos,
                      "constraints: ", RECIPE, &fault);
    if (err_is_set(&fault))
        return err_join(e, &fault);
    MOVE(out, &a);
    return 0;
}

void requirements_place(const struct requirements *a, struct err *fault)
{
    const struct pos *pos = &a->places.v[0]; /* of `pytorch` */

    if (fault->file || (fault->kind != ERR_UNSAT && fault->kind != ERR_INPUT))
        return;
    for (size_t i = 1; i < a->roots.n; i++) {
        struct str name = a->roots.v[i].requirement->name;

        if (str_find_str(str_of(fault->msg), name) < strlen(fault->msg)) {
            pos = &a->places.v[i];
            break;
        }
    }
    fault->file = xstrdup(pos->file);
    fault->line = pos->line;
    fault->col = pos->col;
}
