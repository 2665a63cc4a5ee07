/* SPDX-License-Identifier: Apache-2.0 */
#include "lock_check.h"

#include "../base/dotted.h"
#include "../base/map.h"
#include "../base/path.h"
#include "../doc/emit.h"
#include "../io/crypto.h"
#include "../oci/ref.h"
#include "../pkg/deb/debver.h"
#include "../pkg/pypi/git_ref.h"
#include "lock_words.h"
#include "recipe.h"

struct check {
    const struct lock *lock;
    struct err *e;
};

/* ---- where a fault stands ---- */

/* Item `i` of the list `key`, or the list itself; NULL in a lock that was not read. */
static const struct node *item_of(const struct node *map, const char *key, size_t i)
{
    const struct node *list = node_get(map, key), *n = list ? list->child : NULL;

    while (n && i--)
        n = n->next;
    return n ? n : list;
}

static void fault(const struct check *c, const struct node *at, const char *fmt, ...) PRINTF(3, 4);
static void fault(const struct check *c, const struct node *at, const char *fmt, ...)
{
    CLEANUP(buf_clear) struct buf words = {0};
    const struct node *root = c->lock->doc.root;
    va_list args;

    va_start(args, fmt);
    buf_vfmt(&words, fmt, args);
    va_end(args);
    if (!at)
        at = root;
    if (at)
        err_at(c->e, &at->pos, "%s", words.p);
    else
        err_set(c->e, ERR_INPUT, "%s", words.p);
}

/* ---- kinds of text ---- */

bool lock_is_line(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return false;
    return s.len > 0;
}

bool lock_is_path(struct str s)
{
    return str_skip(&s, STR("/")) && path_is_safe(s) && lock_is_line(s);
}

static bool is_root_or_path(struct str s)
{
    return str_is(s, "/") || lock_is_path(s);
}

/* What a file is copied to, as recipes may write it: absolute, and inside the image. */
static bool is_target(struct str s)
{
    CLEANUP(buf_clear) struct buf clean = {0};

    return str_starts(s, STR("/")) && lock_is_line(s) && s.len <= 4096 && path_clean(&clean, s);
}

static bool has_only(struct str s, const char *others)
{
    for (size_t i = 0; i < s.len; i++)
        if (!c_alnum(s.p[i]) && !str_has(str_of(others), s.p[i]))
            return false;
    return s.len > 0 && c_alnum(s.p[0]);
}

static bool is_file_name(struct str s)
{
    return lock_is_line(s) && path_is_safe(s) && !str_has(s, '/');
}

/* A package's file is on a server, or a wheel beside the recipe. */
static bool is_address(struct str s)
{
    static const char *const begins[] = {"https://", "http://", "file:///", "./", "../", "/"};

    for (size_t i = 0; i < ARRAY_LEN(begins); i++)
        if (str_starts(s, str_of(begins[i])))
            return lock_is_line(s) && s.len <= 8192;
    return false;
}

static bool is_one_of(struct str s, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(s, words[i]))
            return true;
    return false;
}

/* ---- the head ---- */

static void check_head(const struct check *c)
{
    static const char *const variants[] = {"runtime", "compile", "devel"};
    const struct lock *l = c->lock;
    const struct node *root = l->doc.root, *base = node_get(root, "base");

    if (!has_only(l->writer, ".+-~"))
        fault(c, node_get(root, "envbuild"), "envbuild: \"" STR_FMT "\" is not a version",
              STR_ARG(l->writer));
    if (!ref_path_ok(l->name))
        fault(c, node_get(root, "name"), "name: \"" STR_FMT "\" is not an image name",
              STR_ARG(l->name));
    if (!ref_tag_ok(l->tag))
        fault(c, node_get(root, "tag"), "tag: \"" STR_FMT "\" is not a tag", STR_ARG(l->tag));
    if (!is_one_of(l->variant, variants, ARRAY_LEN(variants)))
        fault(c, node_get(base, "variant"),
              "variant: \"" STR_FMT "\" is not known; variants: runtime, compile, devel",
              STR_ARG(l->variant));
    if (!has_only(l->base, "._-"))
        fault(c, node_get(base, "name"), "base: \"" STR_FMT "\" is not a name of a base layer",
              STR_ARG(l->base));
    if (!dotted_is(l->python, 2, 2))
        fault(c, node_get(base, "python"),
              "python: \"" STR_FMT "\" is not a version such as \"3.11\"", STR_ARG(l->python));
    if (!has_only(l->python_full, ".+~-"))
        fault(c, node_get(base, "python_full"),
              "python_full: \"" STR_FMT "\" is not a version such as \"3.11.2\"",
              STR_ARG(l->python_full));
    if (l->apt_sources_path.len && !lock_is_path(l->apt_sources_path))
        fault(c, node_get(base, "apt_sources_path"),
              "apt_sources_path: \"" STR_FMT "\" is not an absolute path without \"..\"",
              STR_ARG(l->apt_sources_path));
    if (!l->image.ref.len)
        return;
    if (!path_is_safe(l->image.python) || !lock_is_line(l->image.python))
        fault(c, node_get(base, "image"), "base image: python \"" STR_FMT "\" is not a path in it",
              STR_ARG(l->image.python));
    if (!dotted_is(l->image.glibc, 2, 3))
        fault(c, node_get(base, "image"), "base image: glibc \"" STR_FMT "\" is not a version",
              STR_ARG(l->image.glibc));
}

/* The recipe's digest is that of its normal form, whatever stands beside it. */
static void check_recipe(const struct check *c)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct digest found;

    emit_json(&text, c->lock->recipe, EMIT_COMPACT);
    hash_bytes(&found, text.p, text.len);
    if (!digest_eq(&found, &c->lock->recipe_digest))
        fault(c, node_get(c->lock->doc.root, "recipe"),
              "recipe: \"normal\" has another sha256 than \"digest\"; the lock was edited");
}

/* They become variables and labels of the image. */
static void check_facts(const struct check *c)
{
    const struct node *map = node_get(c->lock->doc.root, "facts");
    const struct facts *f = &c->lock->facts;
    const struct {
        const char *key;
        struct str text;
        const char *others; /* characters besides letters and digits */
    } rows[] = {{"pytorch", f->pytorch, ".+!-_"},
                {"python", f->python, "."},
                {"cuda", f->cuda, "."},
                {"cuda_toolkit", f->cuda_toolkit, "."},
                {"cudnn", f->cudnn, ".+-"},
                {"nccl", f->nccl, ".+-"},
                {"driver_min", f->driver_min, "."},
                {"driver_full", f->driver_full, "."},
                {"archs", f->archs, ". +"},
                {"compat", f->compat, "."},
                {"require", f->require, " ,.=<>-_"}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].text.len && !has_only(rows[i].text, rows[i].others))
            fault(c, node_get(map, rows[i].key), "%s: \"" STR_FMT "\" is not what a lock has there",
                  rows[i].key, STR_ARG(rows[i].text));
}

/* ---- the image's settings ---- */

static void check_words(const struct check *c, const char *key, const struct strs *list)
{
    const struct node *image = node_get(c->lock->doc.root, "image");

    for (size_t i = 0; i < list->n; i++)
        if (str_has(list->v[i], '\0'))
            fault(c, item_of(image, key, i), "%s: a NUL byte in \"" STR_FMT "\"", key,
                  STR_ARG(list->v[i]));
}

static void check_env(const struct check *c)
{
    const struct node *image = node_get(c->lock->doc.root, "image");
    const struct strs *env = &c->lock->env;
    CLEANUP(map_clear) struct map names = {0};

    check_words(c, "env", env);
    for (size_t i = 0; i < env->n; i++) {
        struct str rest = env->v[i], name;

        if (!str_cut(&rest, STR("="), &name) || !lock_is_line(name))
            fault(c, item_of(image, "env", i), "env: \"" STR_FMT "\" is not NAME=value",
                  STR_ARG(env->v[i]));
        else if (map_set(&names, name, &names))
            fault(c, item_of(image, "env", i), "env: " STR_FMT " stands there twice",
                  STR_ARG(name));
    }
}

static void check_labels(const struct check *c)
{
    const struct node *n;

    node_each(n, c->lock->labels)
        if (!node_is_scalar(n) || !lock_is_line(n->key))
            fault(c, n, "labels: \"" STR_FMT "\" is not text under a name", STR_ARG(n->key));
}

static void check_offers(const struct check *c)
{
    const struct node *image = node_get(c->lock->doc.root, "image");
    const struct lock *l = c->lock;
    struct image_port port;

    for (size_t i = 0; i < l->ports.n; i++)
        if (!image_port_parse(&port, l->ports.v[i]) || !str_has(l->ports.v[i], '/'))
            fault(c, item_of(image, "ports", i),
                  "ports: \"" STR_FMT "\" is not one such as 8888/tcp", STR_ARG(l->ports.v[i]));
    for (size_t i = 0; i < l->volumes.n; i++)
        if (!lock_is_path(l->volumes.v[i]))
            fault(c, item_of(image, "volumes", i),
                  "volumes: \"" STR_FMT "\" is not an absolute path without \"..\"",
                  STR_ARG(l->volumes.v[i]));
    for (size_t i = 0; i < l->health.command.n; i++)
        if (str_has(l->health.command.v[i], '\0') || (!i && !l->health.command.v[i].len))
            fault(c, node_get(image, "healthcheck"),
                  "healthcheck: \"" STR_FMT "\" is not a command", STR_ARG(l->health.command.v[i]));
}

static void check_image(const struct check *c)
{
    const struct lock *l = c->lock;
    const struct node *image = node_get(l->doc.root, "image");

    if (!str_is(l->os, "linux") || !str_is(l->arch, "amd64"))
        fault(c, image,
              "image: " STR_FMT "/" STR_FMT " is not a platform of this envbuild: linux/amd64",
              STR_ARG(l->os), STR_ARG(l->arch));
    check_env(c);
    check_words(c, "entrypoint", &l->entrypoint);
    check_words(c, "cmd", &l->cmd);
    check_labels(c);
    check_offers(c);
    if (!is_root_or_path(l->workdir) || str_is(l->workdir, "/proc") ||
        str_starts(l->workdir, STR("/proc/")))
        fault(c, node_get(image, "workdir"),
              "workdir: \"" STR_FMT "\" is not an absolute path outside /proc without \"..\"",
              STR_ARG(l->workdir));
    if (l->user.name.len && !recipe_is_user(l->user.name))
        fault(c, node_get(image, "user"), "user: \"" STR_FMT "\" is not a name of a user",
              STR_ARG(l->user.name));
}

/* ---- artifacts ---- */

/* `required`: by a build. */
static bool group_is_known(const struct artifact *a, bool required)
{
    switch (a->eco) {
    case ECO_DEB:
        return a->group.len && is_one_of(a->group, groups, ARRAY_LEN(groups));
    case ECO_WHEEL:
        if (required)
            return !a->group.len || (str_is(a->group, ARTIFACT_OF_ROOT) && !a->source);
        return !a->group.len || str_is(a->group, "pip") || str_is(a->group, "variant") ||
               artifact_is_project(a);
    case ECO_REDIST:
        return str_is(a->group, groups[LOCK_TOOLKIT]);
    case ECO_DOWNLOAD:
        return !a->group.len;
    }
    return false;
}

/* "numpy" or "fsspec[http,s3]": the name is of a wheel of the lock. */
static bool is_need(const struct lock *lock, struct str text)
{
    struct str name = text, extras = {0};

    if (str_find(text, '[') < text.len) {
        name = str_sub(text, 0, str_find(text, '['));
        extras = str_sub(text, name.len, text.len);
        if (!str_drop(&extras, STR("]")) || !str_skip(&extras, STR("[")) ||
            !has_only(extras, "-,._"))
            return false;
    }
    return has_only(name, "-") && lock_find(lock, ECO_WHEEL, name);
}

static void check_need_list(const struct check *c, const struct node *n, const struct artifact *a,
                            const struct strs *needs)
{
    for (size_t i = 0; i < needs->n; i++)
        if (!is_need(c->lock, needs->v[i]) || (i && str_cmp(needs->v[i - 1], needs->v[i]) >= 0))
            fault(c, n,
                  "wheel \"" STR_FMT "\": needs \"" STR_FMT
                  "\", which is not a wheel of the lock, is there twice, or is not in order",
                  STR_ARG(a->name), STR_ARG(needs->v[i]));
}

static void check_needs(const struct check *c, const struct node *n, const struct artifact *a)
{
    check_need_list(c, n, a, &a->needs);
    for (size_t i = 0; i < a->extras.n; i++) {
        if (!has_only(a->extras.v[i].name, "-,._"))
            fault(c, n, "wheel \"" STR_FMT "\": \"" STR_FMT "\" is not a name of an extra",
                  STR_ARG(a->name), STR_ARG(a->extras.v[i].name));
        check_need_list(c, n, a, &a->extras.v[i].needs);
    }
}

static void check_artifact(const struct check *c, const struct node *n, const struct artifact *a,
                           bool required);

static void check_input(const struct check *c, const struct node *n, const struct artifact *a,
                        const struct artifact_file *f)
{
    if (!is_file_name(f->file) || !is_address(f->url))
        fault(c, n, "wheel \"" STR_FMT "\": \"" STR_FMT "\" of \"" STR_FMT "\" is not a file",
              STR_ARG(a->name), STR_ARG(f->file), STR_ARG(f->url));
}

static void check_lines(const struct check *c, const struct node *n, const struct artifact *a,
                        const struct strs *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (!lock_is_line(list->v[i]))
            fault(c, n, "wheel \"" STR_FMT "\": build: \"" STR_FMT "\" is not a line of text",
                  STR_ARG(a->name), STR_ARG(list->v[i]));
}

/* git gets to see them, where it is fetched again. */
static void check_git(const struct check *c, const struct node *n, const struct artifact *a)
{
    const struct artifact_source *s = a->source;

    if (!is_file_name(s->sdist.file) || !git_ref_is_commit(s->commit))
        fault(c, n, "wheel \"" STR_FMT "\": \"" STR_FMT "\" is not a commit", STR_ARG(a->name),
              STR_ARG(s->commit));
    for (size_t i = 0; i < s->tags.n; i++)
        if (!git_ref_is_name(s->tags.v[i]))
            fault(c, n, "wheel \"" STR_FMT "\": \"" STR_FMT "\" is not a tag", STR_ARG(a->name),
                  STR_ARG(s->tags.v[i]));
}

static void check_source(const struct check *c, const struct node *n, const struct artifact *a)
{
    char image[DIGEST_TEXT + 1];
    const struct artifact_source *s = a->source;
    const struct node *build = node_get(n, "build"), *at = item_of(build, "requires", 0);

    if (a->url.len || (a->file.len && !str_ends(a->file, STR(".whl"))))
        fault(c, n, "wheel \"" STR_FMT "\" is built, so it has no url, and its file is a wheel",
              STR_ARG(a->name));
    if (artifact_is_project(a) &&
        (s->commit.len || !str_starts(s->sdist.url, STR("./")) || lock_project(c->lock) != a))
        fault(c, node_get(n, "source"),
              "wheel \"" STR_FMT
              "\" is of group \"project\", of which there is one, and its source a folder",
              STR_ARG(a->name));
    if (s->commit.len)
        check_git(c, node_get(n, "source"), a);
    else
        check_input(c, node_get(n, "source"), a, &s->sdist);
    for (size_t i = 0; i < s->files_n; i++)
        check_input(c, build, a, &s->files[i]);
    digest_text(&c->lock->image.manifest, image);
    for (size_t i = 0; i < s->root.n; i++)
        if (!s->root.v[i].len ||
            (!is_one_of(s->root.v[i], groups, ARRAY_LEN(groups)) &&
             !(i == 0 && c->lock->image.ref.len && str_is(s->root.v[i], image))))
            fault(c, build, "wheel \"" STR_FMT "\": build: \"" STR_FMT "\" is not a group",
                  STR_ARG(a->name), STR_ARG(s->root.v[i]));
    check_lines(c, build, a, &s->env);
    check_lines(c, build, a, &s->settings);
    check_lines(c, build, a, &s->archs);
    check_lines(c, build, a, &s->expect);
    check_lines(c, build, a, &s->made);
    if (s->abi.len && (!str_starts(s->abi, STR("torch")) || !has_only(s->abi, ".+!-_")))
        fault(c, build,
              "wheel \"" STR_FMT "\": build: abi \"" STR_FMT "\" is not what a lock has there",
              STR_ARG(a->name), STR_ARG(s->abi));
    for (size_t i = 0; i < s->requires_n; i++, at = at ? at->next : NULL) {
        check_artifact(c, at, &s->requires[i], true);
        if (i && str_cmp(s->requires[i - 1].name, s->requires[i].name) >= 0)
            fault(c, at,
                  "wheel \"" STR_FMT "\": build: \"" STR_FMT
                  "\" stands there twice, or not in order",
                  STR_ARG(a->name), STR_ARG(s->requires[i].name));
    }
}

/* A download is fetched from a server, and lies in the image where its place says. */
static void check_place(const struct check *c, const struct node *n, const struct artifact *a)
{
    char hex[DIGEST_HEX + 1];

    digest_hex(&a->digest, hex);
    hex[ARTIFACT_SHORT] = '\0';
    if (!is_target(a->place->to) || (a->place->unpack && str_is(a->place->to, "/")))
        fault(c, n, "download \"" STR_FMT "\": to \"" STR_FMT "\" is not a path of the image",
              STR_ARG(a->name), STR_ARG(a->place->to));
    if (!str_starts(a->url, STR("https://")) && !str_starts(a->url, STR("http://")))
        fault(c, n, "download \"" STR_FMT "\": url \"" STR_FMT "\" is not one of a server",
              STR_ARG(a->name), STR_ARG(a->url));
    if (!str_is(a->version, hex))
        fault(c, n, "download \"" STR_FMT "\": version \"" STR_FMT "\" is not its digest's",
              STR_ARG(a->name), STR_ARG(a->version));
}

static void check_artifact(const struct check *c, const struct node *n, const struct artifact *a,
                           bool required)
{
    bool named = !a->source || digest_is_set(&a->digest);
    const struct {
        const char *key;
        struct str text;
        bool good;
    } rows[] = {
        {"name", a->name, has_only(a->name, "+-._")},
        {"version", a->version,
         a->eco == ECO_DEB ? debver_valid(a->version) : has_only(a->version, ".+!-_*~")},
        {"arch", a->arch, !a->arch.len || str_is(a->arch, "amd64") || str_is(a->arch, "all")},
        {"group", a->group, group_is_known(a, required)},
        {"file", a->file, named ? is_file_name(a->file) : !a->file.len},
        {"url", a->url, a->source || is_address(a->url)},
        {"from", a->from, lock_is_line(a->from)},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (!rows[i].good)
            fault(c, node_get(n, rows[i].key) ? node_get(n, rows[i].key) : n,
                  "%s \"" STR_FMT "\": %s \"" STR_FMT "\" is not what a lock has there",
                  ecosystems[a->eco], STR_ARG(a->name), rows[i].key, STR_ARG(rows[i].text));
    if (a->source)
        check_source(c, n, a);
    if (a->place)
        check_place(c, n, a);
}

/* They are nobody's but the builds'. */
static void check_tools(const struct check *c)
{
    const struct lock *l = c->lock;
    const struct node *n = item_of(l->doc.root, "tools", 0);

    for (size_t i = 0; i < l->tools.n; i++, n = n ? n->next : NULL) {
        const struct artifact *a = &l->tools.v[i];

        check_artifact(c, n, a, false);
        if (a->eco != ECO_DEB || !str_is(a->group, groups[LOCK_COMPILE]) ||
            lock_find(l, ECO_DEB, a->name) || (i && str_cmp(l->tools.v[i - 1].name, a->name) >= 0))
            fault(c, n,
                  "tools: \"" STR_FMT "\" is no deb of group \"compile\", the image has it too, or "
                  "it is not in order",
                  STR_ARG(a->name));
    }
    if (l->tools.n && lock_layer_of(l, LOCK_COMPILE))
        fault(c, item_of(l->doc.root, "tools", 0), "tools: the image has a compiler of its own");
}

static void check_artifacts(const struct check *c)
{
    const struct lock *l = c->lock;
    const struct node *n = item_of(l->doc.root, "artifacts", 0);

    if (l->artifacts.n > LOCK_ARTIFACTS_MAX)
        fault(c, NULL, "artifacts: %zu are more than the %d that a lock may have", l->artifacts.n,
              LOCK_ARTIFACTS_MAX);
    for (size_t i = 0; i < l->artifacts.n; i++, n = n ? n->next : NULL) {
        check_artifact(c, n, &l->artifacts.v[i], false);
        check_needs(c, n, &l->artifacts.v[i]);
    }
    check_tools(c);
}

/* ---- files ---- */

static void check_file(const struct check *c, const struct node *n, const struct lock_copy *copy,
                       size_t i)
{
    const struct lock_file *f = &copy->files.v[i];

    if (f->path.len && (!path_is_safe(f->path) || str_has(f->path, '\0')))
        fault(c, n, "files: \"" STR_FMT "\" is not a path below \"" STR_FMT "\"", STR_ARG(f->path),
              STR_ARG(copy->from));
    if (i && str_cmp(copy->files.v[i - 1].path, f->path) >= 0)
        fault(c, n, "files: \"" STR_FMT "\" does not stand in order, or twice", STR_ARG(f->path));
    if (str_has(f->link, '\0') || f->link.len > 4095)
        fault(c, n, "files: \"" STR_FMT "\" leads where no link can", STR_ARG(f->path));
}

/* A file made for the image is what its text is, whatever digest stands beside it. */
static void check_text(const struct check *c, const struct node *n, const struct lock_copy *copy)
{
    struct digest found;

    if (copy->files.n != 1 || copy->files.v[0].path.len || copy->files.v[0].folder ||
        copy->files.v[0].link.len || copy->text.len > LOCK_TEXT_MAX) {
        fault(c, n, "files: \"" STR_FMT "\" is made for the image and must be one file",
              STR_ARG(copy->to));
        return;
    }
    hash_bytes(&found, copy->text.p, copy->text.len);
    if (copy->files.v[0].size != copy->text.len || !digest_eq(&copy->files.v[0].digest, &found))
        fault(c, n,
              "files: the text of \"" STR_FMT
              "\" has another size or sha256 than stands beside it; the lock was edited",
              STR_ARG(copy->to));
}

static void check_copies(const struct check *c)
{
    const struct lock *l = c->lock;
    const struct node *n = item_of(l->doc.root, "files", 0), *m;

    for (size_t i = 0; i < l->copies.n; i++, n = n ? n->next : NULL) {
        const struct lock_copy *copy = &l->copies.v[i];

        if (!is_target(copy->to))
            fault(c, n, "files: to \"" STR_FMT "\" is not an absolute path of the image",
                  STR_ARG(copy->to));
        if (copy->text.len)
            check_text(c, n, copy);
        else if (!copy->from.len || copy->from.p[0] == '/' || str_has(copy->from, '\0'))
            fault(c, n, "files: from \"" STR_FMT "\" is not a path beside the recipe",
                  STR_ARG(copy->from));
        m = item_of(n, "content", 0);
        for (size_t j = 0; j < copy->files.n; j++, m = m ? m->next : NULL)
            check_file(c, m, copy, j);
    }
}

static void check_folders(const struct check *c)
{
    const struct lock *l = c->lock;

    for (size_t i = 0; i < l->folders.n; i++)
        if (!lock_is_path(l->folders.v[i].path))
            fault(c, item_of(l->doc.root, "folders", i),
                  "folders: \"" STR_FMT "\" is not an absolute path without \"..\"",
                  STR_ARG(l->folders.v[i].path));
}

/* ---- layers ---- */

enum { BYTECODE_HEIGHT = 96 };

/* Image layers first, then groups in their order; bytecode, downloads, the project and files last.
 * Wheels come above Python. Of formats 1 and 2. */
static unsigned height(const struct lock *lock, const struct lock_layer *l)
{
    switch (l->kind) {
    case LOCK_IMAGE:
        return 0;
    case LOCK_SYSTEM:
        return l->group <= LOCK_PYTHON ? (unsigned)l->group : 3 + (unsigned)l->group;
    case LOCK_WHEELS:
        return lock_layer_is_own(lock, (size_t)(l - lock->layers.v)) ? BYTECODE_HEIGHT + 2 : 3;
    case LOCK_BYTECODE:
        return BYTECODE_HEIGHT;
    case LOCK_DOWNLOAD:
        return BYTECODE_HEIGHT + 1;
    case LOCK_FILES:
        return BYTECODE_HEIGHT + 3;
    }
    return 0;
}

/* Wheels of the variant stand among the groups above Python. */
static bool in_order(const struct lock *lock, const struct lock_layer *below,
                     const struct lock_layer *l)
{
    unsigned low = height(lock, below), high = height(lock, l);

    if (l->kind == LOCK_WHEELS && high < BYTECODE_HEIGHT)
        return low >= 2 && low < BYTECODE_HEIGHT;
    if (below->kind == LOCK_WHEELS || below->kind == LOCK_IMAGE || below->kind == LOCK_DOWNLOAD)
        return high >= low;
    return high > low;
}

/* Since format 3 wheels, their bytecode and the toolkit, which many images share, stand anywhere
 * above an image's layers and below the project; downloads stand above the system that they are
 * laid on. */
static bool in_order_3(const struct lock *lock, const struct lock_layer *l, unsigned *highest)
{
    bool own = lock_layer_is_own(lock, (size_t)(l - lock->layers.v)), first;
    unsigned is = 1;

    if (l->kind == LOCK_DOWNLOAD)
        is = BYTECODE_HEIGHT - 1;
    else if (l->kind == LOCK_SYSTEM && l->group != LOCK_TOOLKIT)
        is = 1 + (unsigned)l->group;
    else if (l->kind == LOCK_IMAGE || l->kind == LOCK_FILES || own)
        is = height(lock, l);
    first = is > *highest;
    if (first)
        *highest = is;
    if (is == 1) /* its place is free */
        return *highest < BYTECODE_HEIGHT;
    return first || (is == *highest && (l->kind == LOCK_IMAGE || l->kind == LOCK_DOWNLOAD));
}

/* May a layer of that kind be made of it? */
static bool takes(enum lock_layer_kind kind, enum ecosystem eco)
{
    switch (eco) {
    case ECO_DEB:
    case ECO_REDIST:
        return kind == LOCK_SYSTEM;
    case ECO_WHEEL:
        return kind == LOCK_WHEELS;
    case ECO_DOWNLOAD:
        return kind == LOCK_DOWNLOAD;
    }
    return false;
}

static void check_members(const struct check *c, const struct node *n, const struct lock_layer *l,
                          bool *used)
{
    const struct node *at = item_of(n, "artifacts", 0);

    for (size_t i = 0; i < l->artifacts.n; i++, at = at ? at->next : NULL) {
        const struct artifact *a = &c->lock->artifacts.v[l->artifacts.v[i]];

        if (used[l->artifacts.v[i]])
            fault(c, at, "layer \"" STR_FMT "\": %s \"" STR_FMT "\" is in a layer already",
                  STR_ARG(l->name), ecosystems[a->eco], STR_ARG(a->name));
        used[l->artifacts.v[i]] = true;
        if (!takes(l->kind, a->eco))
            fault(c, at, "layer \"" STR_FMT "\" is of kind \"%s\", which has no %s \"" STR_FMT "\"",
                  STR_ARG(l->name), kinds[l->kind], ecosystems[a->eco], STR_ARG(a->name));
        else if (l->kind == LOCK_SYSTEM && !str_is(a->group, groups[l->group]))
            fault(c, at, "layer \"" STR_FMT "\": %s \"" STR_FMT "\" is of group \"" STR_FMT "\"",
                  STR_ARG(l->name), ecosystems[a->eco], STR_ARG(a->name), STR_ARG(a->group));
    }
}

/* May a layer be without artifacts? */
static bool may_be_empty(const struct lock *lock, const struct lock_layer *l)
{
    return l->kind == LOCK_IMAGE || l->kind == LOCK_FILES || l->kind == LOCK_BYTECODE ||
           (l->group == LOCK_PYTHON && lock->image.ref.len) || l->group == LOCK_STATE ||
           (l->group == LOCK_TOOLKIT && lock->toolkit.from.len);
}

static void check_layer(const struct check *c, const struct node *n, size_t i, bool *used,
                        unsigned *highest)
{
    const struct lock *lock = c->lock;
    const struct lock_layer *l = &lock->layers.v[i];

    if (!lock_is_line(l->name))
        fault(c, n, "layer %zu: \"" STR_FMT "\" is not a name", i + 1, STR_ARG(l->name));
    if (!l->artifacts.n && !may_be_empty(lock, l))
        fault(c, n, "layer \"" STR_FMT "\" has no artifact", STR_ARG(l->name));
    if (l->kind == LOCK_DOWNLOAD && l->artifacts.n > 1)
        fault(c, n, "layer \"" STR_FMT "\" is of more than one download", STR_ARG(l->name));
    if (l->kind == LOCK_IMAGE && !lock->image.ref.len)
        fault(c, n, "layer \"" STR_FMT "\" is of an image, and the lock has no base image",
              STR_ARG(l->name));
    if (l->group == LOCK_TOOLKIT && !lock->toolkit.from.len)
        fault(c, n, "layer \"" STR_FMT "\" is of a toolkit, and the lock has none",
              STR_ARG(l->name));
    if (l->group == LOCK_STATE && (lock->format < 3 || lock->image.ref.len || l->artifacts.n))
        fault(c, n,
              "layer \"" STR_FMT "\" is of no artifact, in locks of format 3 without a base "
              "image",
              STR_ARG(l->name));
    if (lock->format >= 3 ? !in_order_3(lock, l, highest) : i && !in_order(lock, l - 1, l))
        fault(c, n, "layer \"" STR_FMT "\" does not stand in order above \"" STR_FMT "\"",
              STR_ARG(l->name), STR_ARG(l[-1].name));
    check_members(c, n, l, used);
}

/* Where there is bytecode, it is of all wheels but the project's, and none is of nothing. */
static void check_bytecode(const struct check *c, const struct node *list)
{
    const struct lock *l = c->lock;
    const struct node *n = list ? list->child : NULL;
    bool compiled = false, wheels = false; /* since the last bytecode */

    for (size_t i = 0; i < l->layers.n; i++, n = n ? n->next : NULL) {
        const struct lock_layer *layer = &l->layers.v[i];

        if (layer->kind == LOCK_BYTECODE && compiled && !wheels)
            fault(c, n, "layer \"" STR_FMT "\" has no wheels below that are not compiled",
                  STR_ARG(layer->name));
        compiled |= layer->kind == LOCK_BYTECODE;
        wheels = layer->kind == LOCK_BYTECODE
                     ? false
                     : wheels || (layer->kind == LOCK_WHEELS && !lock_layer_is_own(l, i));
    }
    if (compiled && wheels)
        fault(c, list, "layers: the lock has bytecode, and not of all wheels");
}

static void check_layers(const struct check *c)
{
    const struct lock *l = c->lock;
    const struct node *list = node_get(l->doc.root, "layers"), *n = list ? list->child : NULL;
    CLEANUP(free_clear) bool *used = xcalloc(l->artifacts.n + 1, sizeof *used);
    bool seen[ARRAY_LEN(groups)] = {false};
    unsigned highest = 0;

    if (l->layers.n > LOCK_LAYERS_MAX)
        fault(c, list, "layers: %zu are more than the %d that engines take", l->layers.n,
              LOCK_LAYERS_MAX);
    for (size_t i = 0; i < l->layers.n; i++, n = n ? n->next : NULL) {
        enum lock_group group = l->layers.v[i].group;

        check_layer(c, n, i, used, &highest);
        if (group && seen[group])
            fault(c, n, "layers: two are \"%s\" of kind \"system\"", groups[group]);
        seen[group] = true;
    }
    if (!l->layers.n || l->layers.v[l->layers.n - 1].kind != LOCK_FILES)
        fault(c, list, "layers: the last one must be of kind \"files\"");
    if (!lock_layer_of(l, LOCK_PYTHON))
        fault(c, list, "layers: none is \"python\" of kind \"system\"");
    if (l->format >= 3 && !l->image.ref.len && !lock_layer_of(l, LOCK_STATE))
        fault(c, list, "layers: none is \"state\" of kind \"system\"");
    if (l->image.ref.len && l->layers.n && l->layers.v[0].kind != LOCK_IMAGE)
        fault(c, list, "layers: the lock has a base image, and no layer of it");
    if (l->toolkit.from.len && !lock_layer_of(l, LOCK_TOOLKIT))
        fault(c, list,
              "layers: the lock has a toolkit, and no layer \"toolkit\" of kind \"system\"");
    check_bytecode(c, list);
    for (size_t i = 0; i < l->artifacts.n; i++)
        if (!used[i])
            fault(c, list, "layers: none has %s \"" STR_FMT "\"", ecosystems[l->artifacts.v[i].eco],
                  STR_ARG(l->artifacts.v[i].name));
}

/* ---- archives ---- */

static void check_archives(const struct check *c)
{
    const struct node *n = item_of(c->lock->doc.root, "archives", 0);

    for (size_t i = 0; i < c->lock->archives.n; i++, n = n ? n->next : NULL) {
        const struct lock_archive *a = &c->lock->archives.v[i];

        if (!lock_is_line(a->uri) || !lock_is_line(a->suite) ||
            (a->codename.len && !lock_is_line(a->codename)))
            fault(c, n, "archives: \"" STR_FMT " " STR_FMT "\" is not an archive", STR_ARG(a->uri),
                  STR_ARG(a->suite));
        for (size_t j = 0; j < a->signers.n; j++)
            if (!has_only(a->signers.v[j], ""))
                fault(c, n, "archives: \"" STR_FMT "\" is not a fingerprint",
                      STR_ARG(a->signers.v[j]));
    }
}

/* ---- what the build recorded ---- */

static void check_overlaps(const struct check *c)
{
    const struct lock *l = c->lock;
    const struct node *built = node_get(l->doc.root, "built");

    for (size_t i = 0; i < l->overlaps.n; i++) {
        const struct lock_overlap *o = &l->overlaps.v[i];
        const struct node *n = item_of(built, "overlaps", i);

        if (l->format < 2 || !lock_find(l, ECO_WHEEL, o->winner) ||
            !lock_find(l, ECO_WHEEL, o->loser) || str_eq(o->winner, o->loser) || !o->paths.n)
            fault(c, n,
                  "overlaps: \"" STR_FMT "\" and \"" STR_FMT "\" are not two wheels of the "
                  "lock that share paths",
                  STR_ARG(o->winner), STR_ARG(o->loser));
        for (size_t j = 0; j < o->paths.n; j++)
            if (!path_is_safe(o->paths.v[j]) || !o->paths.v[j].len ||
                (j && str_cmp(o->paths.v[j - 1], o->paths.v[j]) >= 0))
                fault(c, n, "overlaps: \"" STR_FMT "\" is not a path, or not in order",
                      STR_ARG(o->paths.v[j]));
    }
}

int lock_check(const struct lock *lock, struct err *e)
{
    struct check c = {lock, e};

    check_head(&c);
    check_recipe(&c);
    check_facts(&c);
    check_image(&c);
    check_archives(&c);
    check_artifacts(&c);
    check_copies(&c);
    check_folders(&c);
    check_layers(&c);
    check_overlaps(&c);
    return err_is_set(e) ? -1 : 0;
}
