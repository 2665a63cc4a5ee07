/* SPDX-License-Identifier: Apache-2.0 */
#include "venv.h"

#include "../../base/buf.h"
#include "../../base/path.h"
#include "../../io/inflate.h"

enum { TEMPLATE_MAX = 1024 * 1024 };

struct maker {
    struct tree *tree;
    const struct venv *how;
    int64_t date;
    struct buf path;
    bool bare_prompt; /* since Python 3.13 the templates put the parentheses themselves */
    bool gitignore;   /* since 3.13 too */
};

/* "<prefix>/<tail>", until the next call. */
static const char *at(struct maker *m, const char *fmt, ...) PRINTF(2, 3);
static const char *at(struct maker *m, const char *fmt, ...)
{
    va_list args;

    buf_reset(&m->path);
    buf_fmt(&m->path, STR_FMT "/", STR_ARG(m->how->prefix));
    va_start(args, fmt);
    buf_vfmt(&m->path, fmt, args);
    va_end(args);
    return m->path.p;
}

static void replace_all(struct buf *text, const char *from, const char *to)
{
    struct buf out = {0};
    struct str rest = buf_view(text), head;

    while (str_cut(&rest, str_of(from), &head)) {
        buf_str(&out, head);
        buf_puts(&out, to);
    }
    buf_str(&out, rest);
    buf_clear(text);
    *text = out;
}

/* ---- adding ---- */

static int add(struct maker *m, struct entry *entry, const char *path, struct err *e)
{
    entry->path = str_of(path);
    entry->mtime = m->date;
    return tree_add(m->tree, entry, true, e);
}

static int add_folder(struct maker *m, const char *path, struct err *e)
{
    return add(m, &(struct entry){.type = ENTRY_DIR, .mode = 0755}, path, e);
}

static int add_link(struct maker *m, const char *path, const char *target, struct err *e)
{
    return add(m, &(struct entry){.type = ENTRY_SYMLINK, .mode = 0777, .link = str_of(target)},
               path, e);
}

static int add_file(struct maker *m, const char *path, struct str bytes, struct err *e)
{
    struct entry entry = {.type = ENTRY_FILE,
                          .mode = 0644,
                          .content = {CONTENT_BYTES, .size = bytes.len, .bytes = bytes.p}};

    return add(m, &entry, path, e);
}

/* ---- templates ---- */

/* The values as shell words. Python quotes them since gh-124651; older templates, which somebody's
 * image may hold, put the place into quotes of their own. */
static void fill_in(struct buf *text, const struct maker *m)
{
    CLEANUP(buf_clear) struct buf dir = {0}, prompt = {0};
    struct str name = path_base(m->how->prefix);
    bool quoted = str_find_str(buf_view(text), STR("\"__VENV_DIR__\"")) < text->len;

    buf_fmt(&dir, "/" STR_FMT, STR_ARG(m->how->prefix));
    buf_fmt(&prompt,
            m->bare_prompt ? STR_FMT
            : quoted       ? "(" STR_FMT ") "
                           : "'(" STR_FMT ") '",
            STR_ARG(name));
    replace_all(text, "__VENV_DIR__", dir.p);
    replace_all(text, "__VENV_PROMPT__", prompt.p);
    replace_all(text, "__VENV_BIN_NAME__", "bin");
}

/* A file of the venv module: "scripts/common/activate". NULL when it has none. */
static const struct entry *find(const struct maker *m, const char *name)
{
    CLEANUP(buf_clear) struct buf path = {0};
    const struct entry *entry;

    buf_fmt(&path, STR_FMT "/lib/python" STR_FMT "/venv/%s", STR_ARG(m->how->home),
            STR_ARG(m->how->python), name);
    entry = tree_get(m->tree, buf_view(&path));
    return entry && entry->type == ENTRY_FILE ? entry : NULL;
}

static int read_entry(const struct entry *from, struct buf *out, const char *name, struct err *e)
{
    struct inflater *inflater = inflater_open();
    int result = content_read(inflater, &from->content, out, TEMPLATE_MAX, name, e);

    inflater_clear(&inflater);
    return result;
}

/* What this release of the module does is asked of its own text. */
static int ask_module(struct maker *m, struct err *e)
{
    const struct entry *module = find(m, "__init__.py");
    CLEANUP(buf_clear) struct buf text = {0};

    if (!module)
        return 0;
    if (read_entry(module, &text, "venv", e) < 0)
        return -1;
    m->bare_prompt = str_find_str(buf_view(&text), STR("'(%s) ' % prompt")) == text.len;
    m->gitignore = str_find_str(buf_view(&text), STR("def create_git_ignore_file")) < text.len;
    return 0;
}

/* Releases of Python keep a template in either of two folders. */
static int add_template(struct maker *m, const char *name, struct err *e)
{
    static const char *const folders[] = {"common", "posix"};
    const struct entry *from = NULL;
    CLEANUP(buf_clear) struct buf text = {0};

    for (size_t i = 0; i < ARRAY_LEN(folders) && !from; i++) {
        char path[64];
        snprintf(path, sizeof path, "scripts/%s/%s", folders[i], name);
        from = find(m, path);
    }
    if (!from && m->how->bare)
        return 0;
    if (!from)
        return err_set(e, ERR_INPUT,
                       "the base's Python has no %s in /" STR_FMT "/lib/python" STR_FMT
                       "/venv/scripts, so no environment can be made",
                       name, STR_ARG(m->how->home), STR_ARG(m->how->python));
    if (from->mtime > m->date)
        m->date = from->mtime;
    if (read_entry(from, &text, name, e) < 0)
        return -1;
    fill_in(&text, m);
    return add_file(m, at(m, "bin/%s", name), buf_view(&text), e);
}

static int add_config(struct maker *m, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct str python = m->how->python, home = m->how->home;

    buf_fmt(&text,
            "home = /" STR_FMT "/bin\ninclude-system-site-packages = false\nversion = " STR_FMT
            "\n",
            STR_ARG(home), STR_ARG(m->how->python_full));
    if (!str_is(python, "3.9") && !str_is(python, "3.10")) /* new in Python 3.11's venv */
        buf_fmt(&text,
                "executable = /" STR_FMT "/bin/python" STR_FMT "\ncommand = /" STR_FMT
                "/bin/python" STR_FMT " -m venv --without-pip /" STR_FMT "\n",
                STR_ARG(home), STR_ARG(python), STR_ARG(home), STR_ARG(python),
                STR_ARG(m->how->prefix));
    if (add_file(m, at(m, "pyvenv.cfg"), buf_view(&text), e) < 0)
        return -1;
    return m->gitignore
               ? add_file(
                     m, at(m, ".gitignore"),
                     STR("# Created by venv; see https://docs.python.org/3/library/venv.html\n*\n"),
                     e)
               : 0;
}

static int add_folders(struct maker *m, struct err *e)
{
    struct str python = m->how->python;
    CLEANUP(buf_clear) struct buf target = {0};
    char name[32];

    snprintf(name, sizeof name, "python" STR_FMT, STR_ARG(python));
    buf_fmt(&target, "/" STR_FMT "/bin/%s", STR_ARG(m->how->home), name);
    return tree_parents(m->tree, str_of(at(m, "bin/%s", name)), m->date, e) < 0 ||
                   add_folder(m, at(m, "include"), e) < 0 ||
                   add_folder(m, at(m, "include/%s", name), e) < 0 ||
                   add_folder(m, at(m, "lib"), e) < 0 ||
                   add_folder(m, at(m, "lib/%s", name), e) < 0 ||
                   add_folder(m, at(m, "lib/%s/site-packages", name), e) < 0 ||
                   add_link(m, at(m, "lib64"), "lib", e) < 0 ||
                   add_link(m, at(m, "bin/%s", name), target.p, e) < 0 ||
                   add_link(m, at(m, "bin/python3"), name, e) < 0 ||
                   add_link(m, at(m, "bin/python"), name, e) < 0
               ? -1
               : 0;
}

static const char *const templates[] = {"Activate.ps1", "activate", "activate.csh",
                                        "activate.fish"};

int venv_add(struct tree *t, const struct venv *how, struct err *e)
{
    struct maker m = {.tree = t, .how = how};
    int result = ask_module(&m, e);

    for (size_t i = 0; i < ARRAY_LEN(templates) && result == 0; i++)
        result = add_template(&m, templates[i], e);
    if (result == 0)
        result = add_folders(&m, e) < 0 || add_config(&m, e) < 0 ? -1 : 0;
    buf_clear(&m.path);
    return result;
}

int venv_outline(struct tree *out, const struct venv *how, struct err *e)
{
    CLEANUP(tree_clear) struct tree t = {0};
    struct maker m = {.tree = &t, .how = how};
    int result = add_folders(&m, e);

    for (size_t i = 0; i < ARRAY_LEN(templates) && result == 0; i++)
        result = add_file(&m, at(&m, "bin/%s", templates[i]), STR(""), e);
    if (result == 0)
        result = add_file(&m, at(&m, "pyvenv.cfg"), STR(""), e);
    buf_clear(&m.path);
    if (result < 0)
        return -1;
    MOVE(out, &t);
    return 0;
}
