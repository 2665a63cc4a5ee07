/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/fs.h"
#include "../doc/toml.h"
#include "../model/recipe.h"
#include "../pkg/pypi/pyproject.h"
#include "../pkg/pypi/tool_lock.h"
#include "output.h"
#include "pick.h"

enum { REQUIREMENTS_MAX = 4 << 20 };

/* ---- from a tag ---- */

/* A recipe gives the same image tomorrow, so it has no word for what is newest. */
static int name_latest(const struct session *s, struct err *e)
{
    CLEANUP(pick_clear) struct pick p = {0};
    CLEANUP(buf_clear) struct buf words = {0};

    if (pick_latest(&p, s, e) < 0)
        return -1;
    pick_words(&words, &p);
    buf_puts(&words, ": envbuild init ");
    tag_print(&words, &p.tag);
    return err_set(e, ERR_USAGE, "\"" RECIPE_LATEST "\" is no tag; %s", words.p);
}

static int write_recipe(struct session *s, const struct catalog *catalog, const struct tag *tag,
                        struct str head, struct str more, const char *path, struct err *e)
{
    CLEANUP(buf_clear) struct buf recipe = {0}, name = {0};
    struct catalog_build build = {0};

    catalog_build(catalog, tag->pytorch, tag->cuda, &build);
    if (!path) {
        buf_puts(&name, "pytorch-");
        tag_print(&name, tag);
        buf_puts(&name, ".yaml");
        path = name.p;
    }
    if (fs_exists(path))
        return err_set(e, ERR_INPUT, "%s exists already; choose another name with -o FILE", path);
    buf_str(&recipe, head);
    tag_recipe(&recipe, tag, &build);
    buf_str(&recipe, more);
    if (fs_write(path, buf_view(&recipe), e) < 0)
        return -1;
    progress_pause(s->progress);
    if (s->json) {
        CLEANUP(doc_clear) struct doc d = {0};
        struct node *root = node_new_map(&d);

        node_put_u64(&d, root, "envbuild_output", 1);
        node_put_str(&d, root, "recipe", str_of(path));
        session_json(s, &d, root);
        return 0;
    }
    output_print("%s\n", path);
    return 0;
}

static int init(struct session *s, const char *text, const char *path, struct err *e)
{
    CLEANUP(catalog_clear) struct catalog catalog = {0};
    CLEANUP(arena_clear) struct arena arena = {0};
    struct tag tag;

    if (strcmp(text, RECIPE_LATEST) == 0)
        return name_latest(s, e);
    if (tag_parse(&tag, &arena, str_of(text), e) < 0 ||
        catalog_open(&catalog, s->catalog_dir, e) < 0 || tag_check(&tag, &catalog, e) < 0)
        return -1;
    return write_recipe(s, &catalog, &tag, (struct str){0}, (struct str){0}, path, e);
}

/* ---- from the folder and the machine ---- */

/* What is in the folder. */
struct found {
    bool requirements, pyproject;
    const char *lock; /* of another tool; in `names` */
    const char *pins; /* the file that pins torch */
    struct str torch; /* its version, or empty; in what follows */
    struct buf text;  /* of requirements.txt */
    struct tool_lock locked;
    struct pyproject project;
    size_t notebooks;
    struct names names;
};

static void found_clear(struct found *f)
{
    buf_clear(&f->text);
    tool_lock_clear(&f->locked);
    pyproject_clear(&f->project);
    names_clear(&f->names);
}

/* "2.6.0" of "torch==2.6.0+cu124 ; marker", if the line is such. */
static struct str pinned_torch(struct str line)
{
    struct str rest = line;
    size_t n = 0;

    if (!str_skip(&rest, STR("torch==")))
        return (struct str){0};
    while (n < rest.len && (c_alnum(rest.p[n]) || rest.p[n] == '.'))
        n++;
    return str_sub(rest, 0, n);
}

static int look_into_requirements(struct found *f, struct err *e)
{
    struct str rest, line;

    if (fs_read(&f->text, "requirements.txt", REQUIREMENTS_MAX, e) < 0)
        return -1;
    for (rest = buf_view(&f->text); str_line(&rest, &line) && !f->torch.len;)
        f->torch = pinned_torch(line);
    f->pins = "requirements.txt";
    return 0;
}

/* What is wrong with the next two is told when they are used. */

static void look_into_lock(struct found *f)
{
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(err_clear) struct err unused = {0};

    f->pins = f->lock;
    if (fs_read(&text, f->lock, TOML_MAX, &unused) == 0 &&
        tool_lock_parse(&f->locked, buf_view(&text), str_of(f->lock), &unused) == 0)
        f->torch = tool_lock_version(&f->locked, STR("torch"));
}

static void look_into_project(struct found *f)
{
    CLEANUP(err_clear) struct err unused = {0};
    const struct pyproject_need *n;

    f->pins = "pyproject.toml";
    if (pyproject_read(&f->project, f->pins, &unused) < 0)
        return;
    vec_each(n, &f->project.dependencies)
        if (!f->torch.len)
            f->torch = pinned_torch(n->text);
}

static int look(struct found *f, struct err *e)
{
    if (fs_list(&f->names, ".", e) < 0)
        return -1;
    for (size_t i = 0; i < f->names.n; i++) {
        struct str name = str_of(f->names.v[i]);

        f->requirements |= str_is(name, "requirements.txt");
        f->pyproject |= str_is(name, "pyproject.toml");
        f->notebooks += str_ends(name, STR(".ipynb"));
        if (tool_lock_is_name(name))
            f->lock = f->names.v[i]; /* the last: uv.lock, before it pylock.toml, poetry.lock */
    }
    if (f->requirements) {
        f->lock = NULL; /* somebody wrote what to install */
        return look_into_requirements(f, e);
    }
    if (f->lock)
        look_into_lock(f);
    else if (f->pyproject)
        look_into_project(f);
    return 0;
}

static void add_head(struct buf *out, const struct found *f, const struct host *host,
                     enum verdict verdict)
{
    if (f->torch.len)
        buf_fmt(out, "# %s pins torch " STR_FMT ".\n", f->pins, STR_ARG(f->torch));
    if (verdict == VERDICT_RUNS)
        buf_puts(out, "# The newest image that runs on this machine: "
                      "`envbuild recommend` says why.\n");
    else if (!host->driver.len)
        buf_puts(out, "# This machine has no NVIDIA driver, so the newest is taken. What another "
                      "runs: `envbuild recommend --driver VERSION --gpu NAME`.\n");
    else if (verdict == VERDICT_LIMITS)
        buf_puts(out, "# It runs on this machine with limits: `envbuild check THIS-FILE` says "
                      "which.\n");
    else
        buf_puts(out, "# It does not run on this machine: `envbuild check THIS-FILE` says why.\n");
}

static void add_found(struct buf *out, const struct found *f)
{
    if (f->pyproject && !f->requirements && !f->lock)
        buf_puts(out,
                 "\n# What pyproject.toml needs is locked with `uv lock` or `poetry lock`, and "
                 "then: pip: [{lock: uv.lock}]\n");
    if (!f->requirements && !f->notebooks && !f->lock)
        return;
    buf_puts(out, "\npip:\n");
    if (f->lock)
        buf_fmt(out, "  - {lock: %s}\n", f->lock);
    if (f->requirements)
        buf_puts(out, "  - {requirements: requirements.txt}\n");
    if (!f->notebooks)
        return;
    buf_fmt(out, "  - jupyterlab            # for the notebook%s that %s here\n",
            f->notebooks == 1 ? "" : "s", f->notebooks == 1 ? "is" : "are");
    buf_puts(out, "user: {name: student, uid: 1000}\n"
                  "cmd: [jupyter, lab, --ip=0.0.0.0, --no-browser]\n");
}

static int init_here(struct session *s, const struct machine_args *args, const char *path,
                     struct err *e)
{
    CLEANUP(found_clear) struct found found = {0};
    CLEANUP(pick_clear) struct pick p = {0};
    CLEANUP(buf_clear) struct buf head = {0}, more = {0};

    if (look(&found, e) < 0 || pick(&p, s, args, found.torch, e) < 0)
        return -1;
    if (!p.found && found.torch.len)
        return err_set(
            e, ERR_UNSAT,
            "%s pins torch " STR_FMT
            ", and the catalog has no build of it to choose; name one: envbuild init TAG",
            found.pins, STR_ARG(found.torch));
    if (!p.found)
        return err_set(e, ERR_UNSAT, "the catalog has no build that could be taken");
    add_head(&head, &found, &p.machine.host, p.verdict);
    add_found(&more, &found);
    return write_recipe(s, &p.catalog, &p.tag, buf_view(&head), buf_view(&more), path, e);
}

int cmd_init(struct session *s, int argc, char **argv, struct err *e)
{
    const char *path = NULL;
    struct machine_args a = {0};
    struct opt own[MACHINE_OPTS + 1];
    int result;

    machine_opts(own, &a);
    own[MACHINE_OPTS] = (struct opt){
        'o', "output", "FILE", "the recipe to write (pytorch-TAG.yaml)", opt_str, &path};
    result = session_begin(s, "init", own, ARRAY_LEN(own), &argc, argv, 0, 1, e);
    if (result == 0 && argc && (a.driver || a.root || a.arch || a.gpus.n))
        result = err_set(e, ERR_USAGE, "a tag is taken as it is; leave out what names a machine");
    if (result == 0 && !s->help)
        result = argc ? init(s, argv[0], path, e) : init_here(s, &a, path, e);
    vec_clear(&a.gpus);
    return result;
}
