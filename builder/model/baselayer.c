/* SPDX-License-Identifier: Apache-2.0 */
#include "baselayer.h"

#include "../base/dotted.h"
#include "../base/fs.h"
#include "../base/path.h"
#include "../doc/field.h"
#include "../doc/yaml.h"
#include "embedded.h"
#include "lock.h"

enum { KEYRING_MAX = 4 * 1024 * 1024 };

/* A list that holds something: without suites or signers a base would be nobody's. */
static const struct node *need_items(const struct fields *f, const char *key)
{
    const struct node *list = field_need_list(f, key);

    if (list && !list->count)
        err_at(f->e, &list->pos, "%s: the list is empty", key);
    return list;
}

static void need_list(const struct fields *f, const char *key, struct strs *out)
{
    const struct node *n, *list = need_items(f, key);

    node_each(n, list) {
        if (node_is_scalar(n) && n->text.len)
            vec_add(out, n->text);
        else
            err_at(f->e, &n->pos, "%s: text is wanted here, not %s", key, node_kind_name(n));
    }
}

static void read_archives(struct baselayer *b, const struct fields *root)
{
    static const char *const known[] = {"uri", "suites", "components", NULL};
    const struct node *n, *list = need_items(root, "archives");

    node_each(n, list) {
        struct fields f = fields_of(n, "archive", root->e);
        struct base_archive *a = vec_push(&b->archives);

        fields_only(&f, known);
        field_need_str(&f, "uri", &a->uri);
        need_list(&f, "suites", &a->suites);
        need_list(&f, "components", &a->components);
    }
}

static void read_packages(struct baselayer *b, const struct fields *root)
{
    static const char *const known[] = {"base", "python", "compile", "devel", NULL};
    struct fields f = {field_need_map(root, "packages"), "packages", root->e};

    fields_only(&f, known);
    need_list(&f, "base", &b->base);
    need_list(&f, "python", &b->python);
    need_list(&f, "compile", &b->compile);
    if (node_get(f.map, "devel"))
        need_list(&f, "devel", &b->devel);
}

static void read_gcc(struct baselayer *b, const struct fields *root)
{
    const struct node *n;
    uint32_t major;

    if (!node_get(root->map, "gcc"))
        return;
    need_list(root, "gcc", &b->gcc);
    node_each(n, node_get(root->map, "gcc"))
        if (!str_u32(n->text, &major))
            err_at(root->e, &n->pos, "gcc: \"" STR_FMT "\" is not a major version such as \"12\"",
                   STR_ARG(n->text));
}

static void read_toolkit(struct baselayer *b, const struct fields *root)
{
    static const char *const known[] = {"cuda",      "components", "packages", "driver",
                                        "libraries", "sources",    NULL};
    const struct node *n;
    struct fields f = {field_map(root, "toolkit"), "toolkit", root->e};

    if (!f.map)
        return;
    fields_only(&f, known);
    field_need_str(&f, "cuda", &b->toolkit.cuda);
    need_list(&f, "components", &b->toolkit.components);
    need_list(&f, "packages", &b->toolkit.packages);
    need_list(&f, "driver", &b->toolkit.driver);
    field_need_str(&f, "sources", &b->toolkit.sources);
    node_each(n, field_map(&f, "libraries")) {
        struct fields g = fields_of(n, "toolkit", root->e);
        struct base_library *l = vec_push(&b->toolkit.libraries);

        l->package = n->key;
        field_need_str(&g, "wheel", &l->wheel);
        field_need_str(&g, "file", &l->file);
    }
}

static void read_python(struct baselayer *b, const struct fields *root)
{
    static const char *const known[] = {"version", "package", NULL};
    struct fields f = {field_need_map(root, "python"), "python", root->e};

    fields_only(&f, known);
    field_need_str(&f, "version", &b->python_version);
    field_need_str(&f, "package", &b->python_package);
}

static void read_glibc(struct baselayer *b, const struct fields *root)
{
    struct str glibc;
    uint32_t n[2];

    if (!field_need_str(root, "glibc", &glibc))
        return;
    if (dotted_numbers(n, 2, glibc) != 2) {
        err_at(root->e, &node_get(root->map, "glibc")->pos, "glibc: a version such as \"2.36\"");
        return;
    }
    b->glibc_major = n[0];
    b->glibc_minor = n[1];
}

static bool fingerprint_ok(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!c_digit(s.p[i]) && !(s.p[i] >= 'A' && s.p[i] <= 'F'))
            return false;
    return s.len == 40;
}

static void read_fingerprints(struct baselayer *b, const struct fields *root)
{
    need_list(root, "fingerprints", &b->fingerprints);
    for (size_t i = 0; i < b->fingerprints.n; i++)
        if (!fingerprint_ok(b->fingerprints.v[i]))
            err_at(root->e, &node_get(root->map, "fingerprints")->pos,
                   "fingerprints: \"" STR_FMT "\" is not 40 upper-case hex digits",
                   STR_ARG(b->fingerprints.v[i]));
}

/* Beside the base's own file; `dir` is NULL for the built-in ones. */
static struct str keyring_of(struct baselayer *b, struct str name, const char *dir)
{
    CLEANUP(free_clear) char *file = str_dup(name);
    CLEANUP(free_clear) char *path = dir ? path_join(dir, file) : xstrdup(file);

    return arena_str(&b->doc.arena, str_of(path));
}

static int read_all(struct baselayer *b, const char *dir, struct err *e)
{
    static const char *const known[] = {
        "envbuild_base", "name",   "arch",    "glibc",        "archives", "keyring", "fingerprints",
        "packages",      "python", "sources", "sources_path", "gcc",      "toolkit", NULL};
    struct err fault = {0};
    struct fields f = fields_of(b->doc.root, "base layer", &fault);
    struct str keyring = {0};
    uint64_t schema = 0;

    fields_only(&f, known);
    if (field_need_u64(&f, "envbuild_base", &schema, UINT32_MAX) && schema != 1)
        err_at(&fault, &b->doc.root->pos, "base schema %llu is not known; this envbuild reads 1",
               (unsigned long long)schema);
    field_need_str(&f, "name", &b->name);
    if (field_need_str(&f, "arch", &b->arch) && !str_is(b->arch, "amd64"))
        err_at(&fault, &node_get(f.map, "arch")->pos,
               "arch: \"" STR_FMT "\" comes later; amd64 is there", STR_ARG(b->arch));
    field_need_str(&f, "sources", &b->sources);
    b->sources_path = STR(LOCK_SOURCES_PATH);
    field_str(&f, "sources_path", &b->sources_path);
    if (!str_starts(b->sources_path, STR("/etc/apt/")))
        err_at(&fault, &node_get(f.map, "sources_path")->pos,
               "sources_path: \"" STR_FMT "\" is not below /etc/apt/", STR_ARG(b->sources_path));
    field_need_str(&f, "keyring", &keyring);
    read_glibc(b, &f);
    read_archives(b, &f);
    read_fingerprints(b, &f);
    read_packages(b, &f);
    read_python(b, &f);
    read_gcc(b, &f);
    read_toolkit(b, &f);
    if (err_is_set(&fault))
        return err_join(e, &fault);
    b->keyring = keyring_of(b, keyring, dir);
    return 0;
}

bool baselayer_is_file(const char *path)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err ignored = {0}; /* then it is something else */

    return yaml_read(&doc, path, &ignored) == 0 && node_get(doc.root, "envbuild_base");
}

bool baselayer_is_path(struct str name)
{
    return str_has(name, '/') || str_ends(name, STR(".yaml"));
}

/* The next built-in base; *at begins at 0. */
static bool next_base(size_t *at, struct str *name, struct str *text)
{
    while (embedded_next(at, ".yaml", name))
        if (embedded_get(text, *name) && str_find_str(*text, STR("envbuild_base:")) < text->len) {
            str_drop(name, STR(".yaml"));
            return true;
        }
    return false;
}

void baselayer_offer_python(struct buf *words, struct str python)
{
    CLEANUP(buf_clear) struct buf all = {0};
    struct str name, text;

    for (size_t at = 0; next_base(&at, &name, &text);) {
        CLEANUP(err_clear) struct err ignored = {0}; /* the built-in ones are whole */
        CLEANUP(doc_clear) struct doc doc = {0};
        const struct node *version;

        if (yaml_parse(&doc, text, "base", &ignored) < 0 ||
            !(version = node_get(node_get(doc.root, "python"), "version")))
            continue;
        if (str_eq(version->text, python)) {
            buf_fmt(words, "; base: " STR_FMT " has it", STR_ARG(name));
            return;
        }
        buf_fmt(&all, "%s" STR_FMT " (" STR_FMT ")", all.len ? ", " : "", STR_ARG(version->text),
                STR_ARG(name));
    }
    buf_fmt(words, "; there are %s", all.p ? all.p : "none");
}

static bool has_gcc(const struct node *base, uint32_t most)
{
    const struct node *n;
    uint32_t major;

    node_each(n, node_get(base, "gcc"))
        if (str_u32(n->text, &major) && major <= most)
            return true;
    return false;
}

void baselayer_offer_gcc(struct buf *words, uint32_t most)
{
    struct str name, text;
    bool any = false;

    for (size_t at = 0; next_base(&at, &name, &text);) {
        CLEANUP(err_clear) struct err ignored = {0}; /* the built-in ones are whole */
        CLEANUP(doc_clear) struct doc doc = {0};

        if (yaml_parse(&doc, text, "base", &ignored) < 0 || !has_gcc(doc.root, most))
            continue;
        buf_fmt(words, "%s" STR_FMT, any ? " or " : "; base: ", STR_ARG(name));
        any = true;
    }
    buf_puts(words, any ? " has one" : "");
}

/* "12.4.1" is of CUDA 12.4. */
static bool is_of_cuda(struct str release, struct str cuda)
{
    return !cuda.len || (str_skip(&release, cuda) && str_starts(release, STR(".")));
}

/* The next built-in base with a toolkit of that CUDA, of any for an empty one; *at begins at 0. */
static bool next_toolkit(size_t *at, struct str cuda, struct str *name, struct buf *release)
{
    struct str text;

    while (next_base(at, name, &text)) {
        CLEANUP(err_clear) struct err ignored = {0}; /* the built-in ones are whole */
        CLEANUP(doc_clear) struct doc doc = {0};
        const struct node *own;

        if (yaml_parse(&doc, text, "base", &ignored) < 0 ||
            !(own = node_get(node_get(doc.root, "toolkit"), "cuda")) ||
            !is_of_cuda(own->text, cuda))
            continue;
        buf_reset(release);
        buf_str(release, own->text);
        return true;
    }
    return false;
}

bool baselayer_with_toolkit(struct str *name, struct str cuda)
{
    CLEANUP(buf_clear) struct buf release = {0};
    size_t at = 0;

    return cuda.len && next_toolkit(&at, cuda, name, &release);
}

void baselayer_offer_toolkit(struct buf *words, struct str cuda)
{
    CLEANUP(buf_clear) struct buf release = {0};
    struct str name;
    bool any = false;

    for (size_t at = 0; next_toolkit(&at, cuda, &name, &release); any = true)
        buf_fmt(words, "%s" STR_FMT " has that of CUDA %s", any ? ", " : "; base: ", STR_ARG(name),
                release.p);
}

static int unknown(struct str name, const struct pos *pos, struct err *e)
{
    CLEANUP(buf_clear) struct buf names = {0};
    struct str base, text;

    for (size_t at = 0; next_base(&at, &base, &text);)
        buf_fmt(&names, "%s" STR_FMT, names.len ? ", " : "", STR_ARG(base));
    return err_at(e, pos,
                  "base: \"" STR_FMT "\" is not known; bases: %s (or the path of a base file)",
                  STR_ARG(name), names.p);
}

static int open_file(struct baselayer *b, struct str name, const char *dir, const struct pos *pos,
                     struct err *e)
{
    CLEANUP(free_clear) char *file = NULL;

    while (str_skip(&name, STR("./")))
        ;
    file = str_dup(name);
    CLEANUP(free_clear) char *path = path_join(dir, file);
    CLEANUP(free_clear) char *beside = path_dir(path);
    CLEANUP(err_clear) struct err fault = {0};

    if (!fs_exists(path))
        return err_at(e, pos, "base: there is no file %s", path);
    if (yaml_read(&b->doc, path, &fault) == 0)
        return read_all(b, beside, e);
    if (fault.file)
        return err_join(e, &fault); /* it has its own place */
    return err_at_kind(e, fault.kind, pos, "base: %s", fault.msg);
}

int baselayer_open(struct baselayer *out, struct str name, const char *dir, const struct pos *pos,
                   struct err *e)
{
    CLEANUP(baselayer_clear) struct baselayer b = {0};
    CLEANUP(buf_clear) struct buf file = {0};
    struct str text;

    buf_fmt(&file, STR_FMT ".yaml", STR_ARG(name));
    if (baselayer_is_path(name)) {
        if (open_file(&b, name, dir, pos, e) < 0)
            return -1;
    } else {
        if (!embedded_get(&text, buf_view(&file)) ||
            str_find_str(text, STR("envbuild_base:")) == text.len)
            return unknown(name, pos, e);
        if (yaml_parse(&b.doc, text, file.p, e) < 0 || read_all(&b, NULL, e) < 0)
            return -1;
    }
    MOVE(out, &b);
    return 0;
}

int baselayer_keyring(struct buf *out, const struct baselayer *b, struct err *e)
{
    CLEANUP(free_clear) char *path = str_dup(b->keyring);
    struct str built_in;

    if (embedded_get(&built_in, b->keyring)) {
        buf_str(out, built_in);
        return 0;
    }
    return fs_read(out, path, KEYRING_MAX, e) < 0 ? err_wrap(e, "keyring") : 0;
}

void baselayer_clear(struct baselayer *b)
{
    for (size_t i = 0; i < b->archives.n; i++) {
        vec_clear(&b->archives.v[i].suites);
        vec_clear(&b->archives.v[i].components);
    }
    vec_clear(&b->archives);
    vec_clear(&b->fingerprints);
    vec_clear(&b->base);
    vec_clear(&b->python);
    vec_clear(&b->compile);
    vec_clear(&b->devel);
    vec_clear(&b->gcc);
    vec_clear(&b->toolkit.components);
    vec_clear(&b->toolkit.packages);
    vec_clear(&b->toolkit.driver);
    vec_clear(&b->toolkit.libraries);
    doc_clear(&b->doc);
    *b = (struct baselayer){0};
}
