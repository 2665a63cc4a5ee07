/* SPDX-License-Identifier: Apache-2.0 */
#include "own_project.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/beneath.h"
#include "../base/fs.h"
#include "../base/path.h"
#include "../doc/toml.h"
#include "../fetch/git_tree.h"
#include "../io/crypto.h"
#include "../io/source.h"
#include "../io/tar.h"
#include "../pkg/pypi/pep508.h"
#include "ignore.h"

enum {
    FILES_MAX = 200000,
    LINK_MAX = 4096,
    SCRIPT_MAX = 16 << 20,
    HEAD = 64,         /* bytes of a file that tell our locks */
    EPOCH = 315532800, /* 1980: zips know no time before it */
};

/* ---- which files ---- */

static const char *const never[] = {
    "**/.git",        "**/.hg",         "**/.svn",         "**/.venv",
    "**/venv",        "**/__pycache__", "**/*.pyc",        "**/*.egg-info",
    "**/.tox",        "**/.nox",        "**/.mypy_cache",  "**/.pytest_cache",
    "**/.ruff_cache", "**/.eggs",       "**/node_modules", "build",
    "dist",
};

static int add_never(struct ignore *g, struct err *e)
{
    ignore_add_built_in(g);
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        if (ignore_add(g, str_of(never[i]), e) < 0)
            return -1;
    return 0;
}

static int walk(struct names *out, const struct ignore *g, const char *dir, const char *inside,
                struct err *e)
{
    CLEANUP(names_clear) struct names names = {0};
    int result = fs_list(&names, dir, e);

    for (size_t i = 0; i < names.n && result == 0; i++) {
        CLEANUP(free_clear) char *disk = path_join(dir, names.v[i]);
        CLEANUP(free_clear) char *path = path_join(inside, names.v[i]);
        enum ignored why = ignore_find(g, str_of(path));
        struct stat st;

        if (why == IGNORE_OWN || why == IGNORE_BUILT_IN)
            continue;
        if (lstat(disk, &st) < 0)
            return err_errno(e, "cannot read %s", disk);
        if (S_ISDIR(st.st_mode))
            result = walk(out, g, disk, path, e);
        else
            names_add(out, path);
        if (out->n > FILES_MAX)
            return err_set(e, ERR_INPUT, "it has more than %d files", FILES_MAX);
    }
    return result;
}

/* What a repository further up ignores as a whole is no project of git's. */
static int list(struct names *out, const struct own_project *p, const struct events *events,
                struct err *e)
{
    CLEANUP(ignore_clear) struct ignore g = {0};

    if (git_tree_is(p->dir) && git_tree_list(out, p->dir, events, e) < 0)
        return -1;
    if (out->n)
        return 0;
    if (add_never(&g, e) < 0 || walk(out, &g, p->dir, "", e) < 0)
        return -1;
    vec_sort(out, strp_compare);
    return 0;
}

/* What envbuild itself puts into folders. */
struct ours {
    struct strs layouts; /* borrowed from the list of files */
    struct buf wheels;   /* the folder beside the recipe; empty: it is not in the project */
    struct buf recipe;   /* itself; the same */
};

static void ours_clear(struct ours *o)
{
    vec_clear(&o->layouts);
    buf_clear(&o->wheels);
    buf_clear(&o->recipe);
}

static int find_ours(struct ours *out, const struct own_project *p, const struct names *names,
                     struct err *e)
{
    CLEANUP(free_clear) char *top = NULL, *recipe = NULL;
    struct str below;

    if (fs_absolute(&top, p->dir, e) < 0 || fs_absolute(&recipe, p->recipe_dir, e) < 0)
        return -1;
    below = str_of(recipe);
    if (str_skip(&below, str_of(top)) && (!below.len || str_skip(&below, STR("/")))) {
        struct str file = path_base(str_of(p->recipe->doc.file));

        buf_fmt(&out->wheels, STR_FMT "%swheels", STR_ARG(below), below.len ? "/" : "");
        buf_fmt(&out->recipe, STR_FMT "%s" STR_FMT, STR_ARG(below), below.len ? "/" : "",
                STR_ARG(file));
    }
    for (size_t i = 0; i < names->n; i++) {
        struct str folder = str_of(names->v[i]);

        if (str_drop(&folder, STR("/oci-layout")))
            vec_add(&out->layouts, folder);
    }
    return 0;
}

static bool is_ours(const struct own_project *p, const char *path, const struct ours *ours)
{
    CLEANUP(err_clear) struct err none = {0}; /* who takes it tells */
    CLEANUP(free_clear) char *disk = path_join(p->dir, path);
    CLEANUP(fd_clear) struct fd fd = {0};
    struct str name = str_of(path);
    char head[HEAD];
    size_t got = 0;

    for (size_t i = 0; i < ours->layouts.n; i++)
        if (path_is_in(name, ours->layouts.v[i]))
            return true;
    if (str_eq(name, buf_view(&ours->recipe)))
        return true;
    if (str_ends(name, STR(".whl")))
        return ours->wheels.len && path_is_in(name, buf_view(&ours->wheels));
    if (!str_ends(name, STR(".lock")))
        return false;
    return fd_open(&fd, disk, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &none) == 0 &&
           fd_pread_some(fd.n, head, sizeof head, 0, &got, disk, &none) == 0 &&
           str_find_str((struct str){head, got}, STR("\"envbuild_lock\"")) < got;
}

/* ---- the tar ---- */

struct packing {
    const struct own_project *project;
    struct sink *out;
    struct fd root;
    const struct events *events;
};

static int put_head(const struct packing *x, const char *path, struct entry *entry, struct err *e)
{
    CLEANUP(buf_clear) struct buf name = {0}, head = {0};

    buf_fmt(&name, "project/%s", path);
    entry->path = buf_view(&name);
    entry->mtime = EPOCH;
    return tar_header(&head, entry, e) < 0 ? -1 : sink_write(x->out, head.p, head.len, e);
}

static int put_link(const struct packing *x, const char *path, struct err *e)
{
    CLEANUP(buf_clear) struct buf real = {0};
    struct entry entry = {.type = ENTRY_SYMLINK, .mode = 0777};
    char target[LINK_MAX];
    ssize_t n = readlinkat(x->root.n, path, target, sizeof target);

    if (n < 0 || n == sizeof target)
        return err_set(e, ERR_INPUT, "cannot read the link \"%s\"", path);
    entry.link = (struct str){target, (size_t)n};
    if (!beneath_resolve(&real, x->root.n, str_of(path), true))
        return err_set(e, ERR_INPUT,
                       "\"%s\" is a link to \"" STR_FMT "\", which leads out of the project; "
                       "replace it by what it leads to, or let git ignore it",
                       path, STR_ARG(entry.link));
    return put_head(x, path, &entry, e);
}

static int put_file(const struct packing *x, const char *path, const struct stat *st, struct err *e)
{
    static const char zeros[TAR_BLOCK];
    struct entry entry = {.mode = st->st_mode & 0111 ? 0755 : 0644,
                          .content.size = (uint64_t)st->st_size};
    CLEANUP(source_clear) struct source *data = NULL;
    CLEANUP(fd_clear) struct fd fd = {0};

    if (beneath_open(&fd, x->root.n, str_of(path), O_RDONLY | O_NONBLOCK, path, e) < 0 ||
        put_head(x, path, &entry, e) < 0)
        return -1;
    data = source_file_take(&fd, 0, entry.content.size, path);
    data->events = x->events;
    return source_copy(data, x->out, NULL, e) < 0
               ? -1
               : sink_write(x->out, zeros, tar_padding(entry.content.size), e);
}

static int put(const struct packing *x, const char *path, struct err *e)
{
    struct stat st;

    if (!path_is_safe(str_of(path)))
        return err_set(e, ERR_INPUT, "\"%s\": a file of this name cannot be taken", path);
    if (fstatat(x->root.n, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT || errno == ENOTDIR /* removed, and git was not told */
                   ? 0
                   : err_errno(e, "cannot read \"%s\"", path);
    if (S_ISLNK(st.st_mode))
        return put_link(x, path, e);
    if (S_ISREG(st.st_mode))
        return put_file(x, path, &st, e);
    return S_ISDIR(st.st_mode) /* a submodule that was never fetched */
               ? 0
               : err_set(e, ERR_INPUT, "\"%s\" is neither file nor link", path);
}

static int pack(struct packing *x, struct err *e)
{
    CLEANUP(names_clear) struct names names = {0};
    CLEANUP(ours_clear) struct ours ours = {0};
    CLEANUP(buf_clear) struct buf end = {0};
    int result = fd_open(&x->root, x->project->dir, O_PATH | O_DIRECTORY, 0, e);

    if (result == 0)
        result = list(&names, x->project, x->events, e);
    if (result == 0)
        result = find_ours(&ours, x->project, &names, e);
    for (size_t i = 0; i < names.n && result == 0; i++)
        if (!is_ours(x->project, names.v[i], &ours))
            result = put(x, names.v[i], e);
    tar_end(&end);
    return result < 0 ? -1 : sink_write(x->out, end.p, end.len, e);
}

int own_project_pack(const struct own_project *p, struct sink *out, const struct events *events,
                     struct err *e)
{
    struct packing x = {.project = p, .out = out, .events = events};
    struct err fault = {0};
    int result = pack(&x, &fault);

    fd_clear(&x.root);
    if (result < 0 && fault.kind == ERR_INPUT)
        err_at(e, &p->recipe->project.path.pos, "project: %s", fault.msg);
    else if (result < 0)
        return err_join(e, &fault);
    err_clear(&fault);
    return result;
}

int own_project_hash(struct digest *digest, uint64_t *size, const struct own_project *p,
                     const struct events *events, struct err *e)
{
    CLEANUP(hash_sink_clear) struct hash_sink hash = {0};

    hash_sink_open(&hash, NULL);
    if (own_project_pack(p, &hash.sink, events, e) < 0 || sink_finish(&hash.sink, e) < 0)
        return -1;
    *digest = hash.digest;
    *size = hash.size;
    return 0;
}

/* ---- what it says ---- */

static char *file_of(const struct own_project *p, const char *name)
{
    CLEANUP(free_clear) char *path = path_join(p->dir, name);
    struct buf clean = {0};

    (void)path_clean(&clean, str_of(path));
    return buf_take(&clean);
}

static void add_input(struct own_project *p, const char *name, struct str text)
{
    CLEANUP(free_clear) char *folder = str_dup(p->recipe->project.path.text);
    CLEANUP(free_clear) char *path = path_join(folder, name);
    struct own_input *in = vec_push(&p->inputs);
    CLEANUP(buf_clear) struct buf clean = {0};

    in->path =
        arena_str(&p->arena, path_clean(&clean, str_of(path)) ? buf_view(&clean) : str_of(path));
    hash_bytes(&in->digest, text.p, text.len);
}

static void put_needs(struct buf *out, const char *what, struct str name,
                      const struct pyproject_needs *needs)
{
    const struct pyproject_need *n;

    buf_fmt(out, "%s " STR_FMT "\n", what, STR_ARG(name));
    vec_each(n, needs)
        buf_fmt(out, "  " STR_FMT "\n", STR_ARG(n->text));
}

/* What of it decides about packages, in words; false where the backend tells some of that. Its
 * version is none of it. */
static bool put_decisive(struct buf *out, const struct own_project *p)
{
    const struct pyproject *t = &p->toml;
    struct pyproject unversioned = *t;

    unversioned.version = STR("0");
    if (!p->has_toml || !pyproject_metadata(out, &unversioned, STR("0")))
        return false;
    put_needs(out, "build", t->build_backend, &t->build_requires);
    for (size_t i = 0; i < t->backend_path.n; i++)
        buf_fmt(out, "backend-path " STR_FMT "\n", STR_ARG(t->backend_path.v[i]));
    for (size_t i = 0; i < p->recipe->project.groups.n; i++) {
        struct str name = p->recipe->project.groups.v[i].text;

        put_needs(out, "group", name, &pyproject_find(&t->groups, name)->needs);
    }
    return true;
}

static int take_scripts(struct own_project *p, struct err *e)
{
    static const char *const names[] = {"pyproject.toml", "setup.cfg", "setup.py"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(free_clear) char *path = file_of(p, names[i]);
        CLEANUP(buf_clear) struct buf text = {0};

        if (!fs_exists(path))
            continue;
        if (fs_read(&text, path, SCRIPT_MAX, e) < 0)
            return -1;
        add_input(p, names[i], buf_view(&text));
    }
    return 0;
}

static void check_groups(const struct own_project *p, struct err *e)
{
    const struct values *groups = &p->recipe->project.groups;
    const struct pyproject_set *s;

    for (size_t i = 0; i < groups->n; i++) {
        CLEANUP(buf_clear) struct buf have = {0};

        if (pyproject_find(&p->toml.groups, groups->v[i].text))
            continue;
        vec_each(s, &p->toml.groups)
            buf_fmt(&have, "%s" STR_FMT, have.len ? ", " : "", STR_ARG(s->name));
        err_at(e, &groups->v[i].pos, "project: it has no group \"" STR_FMT "\"; %s%s",
               STR_ARG(groups->v[i].text), have.len ? "there is " : "there is none",
               have.len ? have.p : "");
    }
}

static int read_project(struct own_project *p, struct err *e)
{
    const struct value *path = &p->recipe->project.path;
    CLEANUP(free_clear) char *toml = file_of(p, "pyproject.toml"), *setup = file_of(p, "setup.py");
    CLEANUP(buf_clear) struct buf decisive = {0};
    struct err fault = {0};

    p->has_toml = fs_exists(toml);
    if (!p->has_toml && !fs_exists(setup))
        return err_at(e, &path->pos,
                      "project: \"" STR_FMT "\" has neither pyproject.toml nor setup.py",
                      STR_ARG(path->text));
    if (p->has_toml && pyproject_read(&p->toml, toml, e) < 0)
        return -1;
    check_groups(p, &fault);
    if (err_is_set(&fault))
        return err_join(e, &fault);
    if (!put_decisive(&decisive, p))
        return take_scripts(p, e);
    add_input(p, "pyproject.toml", buf_view(&decisive));
    return 0;
}

int own_project_open(struct own_project *out, const struct recipe *r, const char *dir,
                     struct err *e)
{
    CLEANUP(own_project_clear) struct own_project p = {.recipe = r, .recipe_dir = dir};
    CLEANUP(free_clear) char *folder = str_dup(r->project.path.text);

    p.dir = path_join(dir, folder);
    if (read_project(&p, e) < 0)
        return -1;
    MOVE(out, &p);
    return 0;
}

void own_project_clear(struct own_project *p)
{
    free(p->dir);
    pyproject_clear(&p->toml);
    vec_clear(&p->inputs);
    arena_clear(&p->arena);
    *p = (struct own_project){0};
}

struct str own_project_url(struct arena *a, const struct recipe *r)
{
    CLEANUP(buf_clear) struct buf clean = {0};
    struct str path = r->project.path.text;

    if (path_clean(&clean, path))
        path = buf_view(&clean);
    return str_of(arena_fmt(a, "./" STR_FMT "%s", STR_ARG(path), path.len ? "/" : ""));
}

/* ---- its version ---- */

/* Who asks git, and what it takes instead. */
static const struct {
    const char *requirement, *variable;
} scm[] = {
    {"setuptools-scm", "SETUPTOOLS_SCM_PRETEND_VERSION"},
    {"hatch-vcs", "SETUPTOOLS_SCM_PRETEND_VERSION"},
    {"flit-scm", "SETUPTOOLS_SCM_PRETEND_VERSION"},
    {"vcs-versioning", "SETUPTOOLS_SCM_PRETEND_VERSION"},
    {"pdm-backend", "PDM_BUILD_SCM_VERSION"},
    {"pbr", "PBR_VERSION"},
    {"versioneer", "VERSIONEER_PRETEND_VERSION"}, /* by seal/driver.py */
};

static size_t scm_of(const struct str name)
{
    size_t i = 0;

    while (i < ARRAY_LEN(scm) && !str_is(name, scm[i].requirement))
        i++;
    return i;
}

/* Of setup.py and setup.cfg, whose requirements only the backend knows. */
static bool scripts_have(const struct own_project *p, const char *word)
{
    static const char *const names[] = {"setup.py", "setup.cfg"};
    bool found = false;

    for (size_t i = 0; i < ARRAY_LEN(names) && !found; i++) {
        CLEANUP(err_clear) struct err none = {0}; /* such a file says nothing */
        CLEANUP(free_clear) char *path = file_of(p, names[i]);
        CLEANUP(buf_clear) struct buf text = {0};

        found = fs_exists(path) && fs_read(&text, path, SCRIPT_MAX, &none) == 0 &&
                str_find_str(buf_view(&text), str_of(word)) < text.len;
    }
    return found;
}

/* Its place in `scm`; ARRAY_LEN(scm): none is asked. */
static size_t find_scm(const struct own_project *p)
{
    const struct pyproject *t = &p->toml;
    const struct pyproject_need *n;
    size_t found = ARRAY_LEN(scm);

    if (t->named && !strs_has(&t->dynamic, STR("version")))
        return found;
    vec_each(n, &t->build_requires) {
        CLEANUP(requirement_clear) struct requirement r = {0};
        CLEANUP(arena_clear) struct arena arena = {0};
        CLEANUP(err_clear) struct err unused = {0}; /* every requirement parses */

        if (found == ARRAY_LEN(scm) && requirement_parse(&r, &arena, n->text, &unused) == 0)
            found = scm_of(r.name);
    }
    if (found == ARRAY_LEN(scm) &&
        (scripts_have(p, "setuptools_scm") || scripts_have(p, "setuptools-scm")))
        found = scm_of(STR("setuptools-scm"));
    return found == ARRAY_LEN(scm) && scripts_have(p, "versioneer") ? scm_of(STR("versioneer"))
                                                                    : found;
}

static bool recipe_says(const struct recipe *r, const char *variable)
{
    const struct recipe_build *b;
    const struct value *v;

    vec_each(b, &r->builds)
        vec_each(v, &b->env)
            if (str_starts(v->text, str_of(variable)))
                return true;
    return false;
}

/* What `variable` becomes. */
static void put_version(struct buf *out, size_t i, const struct own_project *p,
                        const struct events *events)
{
    buf_fmt(out, "%s=", scm[i].variable);
    if (git_tree_is(p->dir) && git_tree_version(out, p->dir, events))
        return;
    buf_puts(out, "0+unknown");
    events_warn(events,
                "project: %s asks git for the version, and git knows none here; it becomes "
                "0+unknown",
                scm[i].requirement);
}

struct strs own_project_env(struct arena *a, const struct strs *env, const struct own_project *p,
                            const struct events *events)
{
    struct strs out = {.v = arena_alloc(a, (env->n + 1) * sizeof *out.v)};
    CLEANUP(buf_clear) struct buf line = {0};
    size_t i = find_scm(p);

    if (i < ARRAY_LEN(scm) && !recipe_says(p->recipe, scm[i].variable))
        put_version(&line, i, p, events);
    for (size_t k = 0; k < env->n; k++)
        if (!line.len || !str_starts(env->v[k], str_of(scm[i].variable)))
            out.v[out.n++] = env->v[k];
    if (line.len)
        out.v[out.n++] = arena_str(a, buf_view(&line));
    return out;
}
