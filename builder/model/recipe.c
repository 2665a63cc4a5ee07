/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe.h"

#include "../base/path.h"
#include "../doc/field.h"
#include "../doc/yaml.h"
#include "../net/url.h"
#include "../oci/ref.h"
#include "../oci/stored.h"
#include "../pkg/deb/debver.h"

#define DEFAULT_TAG "{pytorch}-cuda{cuda}-cudnn{cudnn}-{variant}"
#define DEFAULT_CPU_TAG "{pytorch}-{cuda}-{variant}"

static const char *const keys[] = {
    "envbuild", "name",          "pytorch",   "cuda", "cudnn",        "variant", "toolkit",
    "base",     "python",        "platforms", "apt",  "apt_archives", "pip",     "constraints",
    "indexes",  "find_links",    "files",     "user", "env",          "workdir", "entrypoint",
    "cmd",      "startup_check", "labels",    "tag",  "slim",         NULL};
static const char *const later_keys[] = {"services", "matrix", NULL};

/* A recipe being read: the fields and where faults go. */
struct reading {
    struct recipe *r;
    struct fields f;
    struct err *e;
};

static void get_value(struct reading *in, const char *key, struct value *out)
{
    const struct node *n = node_get(in->f.map, key);

    if (!field_str(&in->f, key, &out->text))
        return;
    out->pos = n->pos;
    if (!out->text.len)
        err_at(in->e, &n->pos, "%s: nothing stands here; leave the key out or give it a value",
               key);
}

/* ---- single values ---- */

static bool all_of(struct str s, const char *others)
{
    for (size_t i = 0; i < s.len; i++)
        if (!c_alnum(s.p[i]) && !str_has(str_of(others), s.p[i]))
            return false;
    return s.len > 0;
}

bool recipe_is_version(struct str s, unsigned parts_min, unsigned parts_max)
{
    struct str part;
    unsigned parts = 0;
    uint32_t n;

    while (str_item(&s, '.', &part)) {
        if (!str_u32(part, &n))
            return false;
        parts++;
    }
    return parts >= parts_min && parts <= parts_max;
}

static void check_pytorch(struct reading *in)
{
    struct value *v = &in->r->pytorch;

    if (!node_get(in->f.map, "pytorch") && in->f.map) {
        err_at(in->e, &in->f.map->pos,
               "\"pytorch\" is missing: name a release, as in `pytorch: \"2.6.0\"`");
        return;
    }
    get_value(in, "pytorch", v);
    if (!v->text.len)
        return;
    if (recipe_is_version(v->text, 2, 2))
        err_at(in->e, &v->pos,
               "pytorch: \"" STR_FMT "\" is not a whole release number; write \"" STR_FMT ".0\"",
               STR_ARG(v->text), STR_ARG(v->text));
    else if (!recipe_is_version(v->text, 3, 3))
        err_at(in->e, &v->pos, "pytorch: \"" STR_FMT "\" is no release number such as \"2.6.0\"",
               STR_ARG(v->text));
}

struct str recipe_cuda(struct str text, struct arena *a)
{
    struct str s = text;

    if (str_is(s, RECIPE_CPU))
        return s;
    if (str_skip(&s, STR("cuda")) || str_skip(&s, STR("cu")))
        if (all_of(s, "") && s.len >= 3 && !str_has(s, '.'))
            s = str_of(arena_fmt(a, STR_FMT "." STR_FMT, (int)s.len - 1, s.p, 1, s.p + s.len - 1));
    return recipe_is_version(s, 2, 3) ? s : (struct str){0};
}

static void check_cuda(struct reading *in)
{
    struct value *v = &in->r->cuda;
    struct str s;

    get_value(in, "cuda", v);
    if (!v->text.len)
        return;
    s = recipe_cuda(v->text, &in->r->doc.arena);
    if (!s.len) {
        err_at(in->e, &v->pos,
               "cuda: \"" STR_FMT "\" is neither cpu nor a CUDA version such as \"12.4\", "
               "\"12.4.1\" or \"cu124\"",
               STR_ARG(v->text));
        return;
    }
    v->text = s;
}

static void check_cudnn(struct reading *in)
{
    struct value *v = &in->r->cudnn;

    get_value(in, "cudnn", v);
    if (v->text.len && str_is(in->r->cuda.text, RECIPE_CPU))
        err_at(in->e, &v->pos, "cudnn: a build for the CPU has none; leave it out");
    else if (v->text.len && !recipe_is_version(v->text, 1, 4))
        err_at(in->e, &v->pos,
               "cudnn: \"" STR_FMT "\" is no cuDNN version such as \"9\" or \"9.1.0.70\"",
               STR_ARG(v->text));
}

static void check_variant(struct reading *in)
{
    struct value *v = &in->r->variant;

    v->text = STR("runtime");
    get_value(in, "variant", v);
    if (!str_is(v->text, "runtime") && !str_is(v->text, "compile") && !str_is(v->text, "devel")) {
        static const char *const known[] = {"runtime", "compile", "devel", NULL};
        CLEANUP(buf_clear) struct buf hint = {0};

        fields_suggest(&hint, v->text, known);
        err_at(in->e, &v->pos,
               "variant: \"" STR_FMT "\" is not known%s; variants: runtime, compile, devel",
               STR_ARG(v->text), hint.p ? hint.p : "");
    }
    if (str_is(v->text, "devel") && str_is(in->r->cuda.text, RECIPE_CPU))
        err_at(in->e, &v->pos,
               "variant: devel adds a CUDA toolkit, and cpu has none; variant: compile has gcc and "
               "g++");
}

static void check_python(struct reading *in)
{
    struct value *v = &in->r->python;

    get_value(in, "python", v);
    if (v->text.len && !recipe_is_version(v->text, 2, 2))
        err_at(in->e, &v->pos, "python: \"" STR_FMT "\" is no version such as \"3.11\"",
               STR_ARG(v->text));
}

/* `base: {image: oci:DIR@sha256:…}`. That the digest is there is judged by who opens the image and
 * can say which one it has. */
static void check_base_image(struct reading *in, const struct node *map)
{
    static const char *const known[] = {"image", NULL};
    struct fields f = fields_of(map, "base", in->e);
    struct reading sub = {in->r, f, in->e};
    struct value *v = &in->r->image;
    CLEANUP(err_clear) struct err why = {0};

    fields_only(&f, known);
    if (!field_need_str(&f, "image", &v->text))
        return;
    get_value(&sub, "image", v);
    if (v->text.len && stored_check(v->text, &why) < 0)
        err_at(in->e, &v->pos, "base: %s", why.msg);
}

static void check_base(struct reading *in)
{
    const struct node *n = node_get(in->f.map, "base");
    struct value *v = &in->r->base;

    if (n && n->kind == NODE_MAP) {
        check_base_image(in, n);
        return;
    }
    v->text = STR("debian-12");
    get_value(in, "base", v);
}

/* What only envbuild's own bases can give. */
static void check_with_image(struct reading *in)
{
    const struct recipe *r = in->r;

    if (r->image.text.len && r->apt.n)
        err_at(in->e, &r->apt.v[0].pos,
               "apt: packages cannot be added to an image that is named as the base; put them into "
               "that image, or name a base such as debian-12");
    if (r->image.text.len && str_is(r->variant.text, "devel"))
        err_at(in->e, &r->variant.pos,
               "variant: devel needs a base of packages such as debian-12; an image that is named "
               "as the base brings its own compiler and toolkit");
}

static void check_name(struct reading *in)
{
    struct value *v = &in->r->name;

    v->text = STR("pytorch");
    get_value(in, "name", v);
    if (v->text.len && !ref_path_ok(v->text))
        err_at(in->e, &v->pos,
               "name: \"" STR_FMT "\" is no image name: lower-case letters and digits, joined by "
               "\".\", \"_\", \"__\" or dashes, parts joined by \"/\"",
               STR_ARG(v->text));
}

static bool env_name_ok(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!c_alnum(s.p[i]) && s.p[i] != '_')
            return false;
    return s.len && !c_digit(s.p[0]);
}

static bool absolute_ok(struct str s)
{
    CLEANUP(buf_clear) struct buf clean = {0};

    return str_starts(s, STR("/")) && !str_has(s, '\0') && path_clean(&clean, s);
}

static void check_workdir(struct reading *in)
{
    struct value *v = &in->r->workdir;
    CLEANUP(buf_clear) struct buf clean = {0};

    v->text = STR("/workspace");
    get_value(in, "workdir", v);
    if (!v->text.len)
        return;
    if (!absolute_ok(v->text)) {
        err_at(in->e, &v->pos, "workdir: \"" STR_FMT "\" is no absolute path", STR_ARG(v->text));
        return;
    }
    path_clean(&clean, v->text);
    v->text = arena_str(&in->r->doc.arena, buf_view(&clean));
    if (str_is(v->text, "/proc") || str_starts(v->text, STR("/proc/")))
        err_at(in->e, &v->pos, "workdir: nothing can be worked on in /proc");
}

static int no_tag(struct err *e, const struct pos *pos, struct str tag)
{
    return err_at(e, pos,
                  "tag: \"" STR_FMT
                  "\" is no tag: letters, digits, \".\", \"_\" and \"-\", at most "
                  "128, and no \".\" or \"-\" first",
                  STR_ARG(tag));
}

static void check_tag(struct reading *in)
{
    static const char *const known[] = {"pytorch", "cuda", "cudnn", "variant",
                                        "python",  "base", NULL};
    struct value *v = &in->r->tag;
    struct str rest, before, word;
    CLEANUP(buf_clear) struct buf sample = {0};

    v->text = str_is(in->r->cuda.text, RECIPE_CPU) ? STR(DEFAULT_CPU_TAG) : STR(DEFAULT_TAG);
    get_value(in, "tag", v);
    if (!v->text.len)
        return;
    for (rest = v->text; str_cut(&rest, STR("{"), &before);) {
        bool found = false;
        CLEANUP(buf_clear) struct buf hint = {0};

        if (!str_cut(&rest, STR("}"), &word)) {
            err_at(in->e, &v->pos, "tag: a \"{\" without its \"}\"");
            return;
        }
        buf_str(&sample, before);
        buf_putc(&sample, '0'); /* what the word becomes is known later */
        for (const char *const *k = known; *k; k++)
            found |= str_is(word, *k);
        if (found)
            continue;
        fields_suggest(&hint, word, known);
        err_at(in->e, &v->pos,
               "tag: {" STR_FMT "} is not known%s; there are {pytorch} {cuda} {cudnn} {variant} "
               "{python} {base}",
               STR_ARG(word), hint.p ? hint.p : "");
    }
    buf_str(&sample, rest);
    if (!ref_tag_ok(buf_view(&sample)))
        no_tag(in->e, &v->pos, v->text);
}

/* ---- lists and maps ---- */

static bool text_item(struct reading *in, const struct node *n, const char *key, struct value *out)
{
    if (!node_is_scalar(n) || !n->text.len) {
        err_at(in->e, &n->pos, "%s: text is wanted here, not %s", key,
               node_is_scalar(n) ? "an empty one" : node_kind_name(n));
        return false;
    }
    *out = (struct value){n->text, n->pos};
    return true;
}

static void get_parts(struct reading *in, const struct node *list)
{
    const struct node *n;
    struct value v;

    if (list && !list->count)
        err_at(in->e, &list->pos, "toolkit: the list is empty; leave it out for all parts");
    node_each(n, list)
        if (text_item(in, n, "toolkit", &v))
            vec_add(&in->r->toolkit.parts, v);
}

static void check_toolkit_from(struct reading *in)
{
    static const char *const known[] = {"pypi", "nvidia", "apt", NULL};
    struct value *v = &in->r->toolkit.from;
    CLEANUP(buf_clear) struct buf hint = {0};

    get_value(in, "from", v);
    for (size_t i = 0; known[i]; i++)
        if (!v->text.len || str_is(v->text, known[i]))
            return;
    fields_suggest(&hint, v->text, known);
    err_at(in->e, &v->pos,
           "toolkit: \"" STR_FMT "\" is no place that it comes from%s; there are pypi, nvidia "
           "(its redistributable archives) and apt (the base's own packages)",
           STR_ARG(v->text), hint.p ? hint.p : "");
}

/* `[nvcc, cudart]`, or `{from: apt, parts: [nvcc]}`. */
static void check_toolkit(struct reading *in)
{
    static const char *const known[] = {"from", "parts", NULL};
    const struct node *n = node_get(in->f.map, "toolkit");

    if (!n)
        return;
    if (n->kind == NODE_LIST) {
        get_parts(in, n);
    } else {
        struct reading sub = {in->r, fields_of(n, "toolkit", in->e), in->e};

        fields_only(&sub.f, known);
        check_toolkit_from(&sub);
        get_parts(in, field_list(&sub.f, "parts"));
    }
    if (!str_is(in->r->variant.text, "devel"))
        err_at(in->e, &n->pos, "toolkit: only variant: devel has one; this is " STR_FMT,
               STR_ARG(in->r->variant.text));
}

static bool lower_or_digit(char c)
{
    return c_digit(c) || (c >= 'a' && c <= 'z');
}

/* Debian policy 5.6.1: at least two of a-z, 0-9, "+", "-" and ".", a letter or digit first; behind
 * a colon an architecture. */
static bool package_ok(struct str s)
{
    struct str name;

    if (str_cut(&s, STR(":"), &name)) {
        if (!all_of(s, "-"))
            return false;
        s = name;
    }
    for (size_t i = 0; i < s.len; i++)
        if (!lower_or_digit(s.p[i]) && !str_has(STR("+-."), s.p[i]))
            return false;
    return s.len >= 2 && lower_or_digit(s.p[0]);
}

/* A version, or a glob for versions. */
static bool version_ok(struct str s)
{
    CLEANUP(buf_clear) struct buf plain = {0};

    for (size_t i = 0; i < s.len; i++)
        buf_putc(&plain, str_has(STR("*?[]"), s.p[i]) ? '0' : s.p[i]);
    return debver_valid(buf_view(&plain));
}

static void check_apt(struct reading *in)
{
    const struct node *n;

    node_each(n, field_list(&in->f, "apt")) {
        struct value v;
        struct str version, suite, name;
        bool pinned, picked;

        if (!text_item(in, n, "apt", &v))
            continue;
        version = suite = v.text;
        pinned = str_cut(&version, STR("="), &name);
        picked = !pinned && str_cut(&suite, STR("/"), &name);
        if (!package_ok(pinned || picked ? name : v.text) || (pinned && !version_ok(version)) ||
            (picked && !all_of(suite, "-._+")))
            err_at(in->e, &v.pos,
                   "apt: \"" STR_FMT "\" is no package; write name, name=version or name/suite",
                   STR_ARG(v.text));
        else
            vec_add(&in->r->apt, v);
    }
}

/* A path of the user's: relative to the recipe's folder, or absolute. */
static void take_texts(struct reading *in, const char *key, struct values *out)
{
    const struct node *n;
    struct value v;

    node_each(n, field_list(&in->f, key))
        if (text_item(in, n, key, &v))
            vec_add(out, v);
}

static void check_archive_uri(struct reading *in, const struct value *v)
{
    CLEANUP(err_clear) struct err fault = {0};
    struct url u;

    if (url_parse(&u, v->text, &fault) < 0)
        err_at(in->e, &v->pos, "apt_archives: %s", fault.msg);
    else if (u.userinfo.len || u.query.p || u.fragment.p)
        err_at(in->e, &v->pos, "apt_archives: \"" STR_FMT "\" must be host and path alone",
               STR_ARG(v->text));
}

static void check_archive_suites(struct reading *in, const struct recipe_archive *a,
                                 const struct node *n)
{
    if (!a->suites.n || !a->uri.text.len || !a->keyring.text.len) {
        err_at(in->e, &n->pos, "apt_archives: an archive needs uri, suites and keyring");
        return;
    }
    for (size_t i = 0; i < a->suites.n; i++) {
        const struct value *suite = &a->suites.v[i];

        if (str_find_str(suite->text, STR("..")) < suite->text.len || str_has(suite->text, ' '))
            err_at(in->e, &suite->pos, "apt_archives: \"" STR_FMT "\" is no suite",
                   STR_ARG(suite->text));
        else if (str_ends(suite->text, STR("/")) != !a->components.n)
            err_at(
                in->e, &suite->pos, "apt_archives: suite \"" STR_FMT "\" %s", STR_ARG(suite->text),
                a->components.n ? "is a flat archive and has no components"
                                : "needs components, as in [main]; a flat archive's ends in \"/\"");
    }
}

static void check_archive(struct reading *in, const struct node *n)
{
    static const char *const known[] = {"uri",     "suites",       "components",
                                        "keyring", "fingerprints", NULL};
    struct fields f = fields_of(n, "apt_archives", in->e);
    struct reading sub = {in->r, f, in->e};
    struct recipe_archive *a = vec_push(&in->r->archives);

    fields_only(&f, known);
    get_value(&sub, "uri", &a->uri);
    get_value(&sub, "keyring", &a->keyring);
    take_texts(&sub, "suites", &a->suites);
    take_texts(&sub, "components", &a->components);
    take_texts(&sub, "fingerprints", &a->fingerprints);
    if (f.map)
        check_archive_suites(in, a, n);
    if (a->uri.text.len)
        check_archive_uri(in, &a->uri);
    if (str_starts(a->keyring.text, STR("/")))
        err_at(in->e, &a->keyring.pos,
               "apt_archives: \"" STR_FMT "\" must be relative to the recipe's folder",
               STR_ARG(a->keyring.text));
    for (size_t i = 0; i < a->fingerprints.n; i++)
        if (a->fingerprints.v[i].text.len != 40 || !all_of(a->fingerprints.v[i].text, ""))
            err_at(in->e, &a->fingerprints.v[i].pos,
                   "apt_archives: \"" STR_FMT "\" is no fingerprint: 40 hex digits, no blanks",
                   STR_ARG(a->fingerprints.v[i].text));
}

static void check_archives(struct reading *in)
{
    const struct node *n;

    node_each(n, field_list(&in->f, "apt_archives"))
        check_archive(in, n);
}

static bool is_file_name(struct str s)
{
    return str_has(s, '/') || str_ends(s, STR(".txt")) || str_ends(s, STR(".in"));
}

/* {requirements: FILE} */
static void check_pip_file(struct reading *in, const struct node *n)
{
    static const char *const known[] = {"requirements", NULL};
    struct fields f = fields_of(n, "pip", in->e);
    struct reading sub = {in->r, f, in->e};
    struct recipe_ask ask = {.file = true};

    fields_only(&f, known);
    if (field_need_str(&f, "requirements", &ask.value.text)) {
        get_value(&sub, "requirements", &ask.value);
        vec_add(&in->r->pip, ask);
    }
}

static void check_pip(struct reading *in)
{
    const struct node *n;

    node_each(n, field_list(&in->f, "pip")) {
        struct recipe_ask ask = {0};

        if (n->kind == NODE_MAP)
            check_pip_file(in, n);
        else if (text_item(in, n, "pip", &ask.value))
            vec_add(&in->r->pip, ask);
    }
    node_each(n, field_list(&in->f, "constraints")) {
        struct recipe_ask ask = {0};

        if (!text_item(in, n, "constraints", &ask.value))
            continue;
        ask.file = is_file_name(ask.value.text);
        vec_add(&in->r->constraints, ask);
    }
}

static void check_index_url(struct reading *in, const struct value *v)
{
    CLEANUP(err_clear) struct err fault = {0};
    struct url u;

    if (url_parse(&u, v->text, &fault) < 0)
        err_at(in->e, &v->pos, "indexes: %s", fault.msg);
    else if (str_has(u.userinfo, ':'))
        err_at(in->e, &v->pos,
               "indexes: a password in a recipe is everybody's; keep it in ~/.netrc, in a keyring, "
               "or give the index a name and set ENVBUILD_INDEX_<NAME>_PASSWORD");
    else if (u.query.p || u.fragment.p)
        err_at(in->e, &v->pos, "indexes: \"" STR_FMT "\" must end with the path, as in %s",
               STR_ARG(v->text), "https://pypi.org/simple/");
}

static bool index_name_ok(struct str s)
{
    return all_of(s, "-_") && !str_starts(s, STR("-"));
}

static void check_index(struct reading *in, const struct node *n)
{
    static const char *const known[] = {"url", "name", "only", NULL};
    struct recipe_index *x = vec_push(&in->r->indexes);
    const struct node *name;

    if (n->kind == NODE_MAP) {
        struct fields f = fields_of(n, "indexes", in->e);
        struct reading sub = {in->r, f, in->e};

        fields_only(&f, known);
        if (field_need_str(&f, "url", &x->url.text))
            get_value(&sub, "url", &x->url);
        get_value(&sub, "name", &x->name);
        node_each(name, field_list(&f, "only")) {
            struct value v;

            if (text_item(in, name, "only", &v))
                vec_add(&x->only, v);
        }
        if (x->name.text.len && !index_name_ok(x->name.text))
            err_at(in->e, &x->name.pos,
                   "indexes: \"" STR_FMT "\" is no name: letters, digits, \"-\" and \"_\"",
                   STR_ARG(x->name.text));
    } else if (!text_item(in, n, "indexes", &x->url)) {
        return;
    }
    if (x->url.text.len)
        check_index_url(in, &x->url);
}

static void check_indexes(struct reading *in)
{
    const struct node *n, *list = field_list(&in->f, "indexes");
    struct value v;

    node_each(n, list)
        check_index(in, n);
    if (list && !list->count)
        err_at(in->e, &list->pos, "indexes: the list is empty; leave the key out to ask PyPI");
    node_each(n, field_list(&in->f, "find_links"))
        if (text_item(in, n, "find_links", &v)) {
            if (str_find_str(v.text, STR("://")) < v.text.len)
                err_at(in->e, &v.pos,
                       "find_links: \"" STR_FMT
                       "\" is no folder; an index on the web goes under `indexes`",
                       STR_ARG(v.text));
            vec_add(&in->r->find_links, v);
        }
}

static void check_files(struct reading *in)
{
    static const char *const known[] = {"from", "to", "owner", NULL};
    const struct node *n;

    node_each(n, field_list(&in->f, "files")) {
        struct fields f = fields_of(n, "files", in->e);
        struct reading sub = {in->r, f, in->e};
        struct recipe_file *file = vec_push(&in->r->files);

        fields_only(&f, known);
        if (field_need_str(&f, "from", &file->from.text))
            get_value(&sub, "from", &file->from);
        if (field_need_str(&f, "to", &file->to.text))
            get_value(&sub, "to", &file->to);
        get_value(&sub, "owner", &file->owner);
        if (str_starts(file->from.text, STR("/")))
            err_at(in->e, &file->from.pos,
                   "files: \"" STR_FMT "\" must be relative to the recipe's folder",
                   STR_ARG(file->from.text));
        if (file->to.text.len && !absolute_ok(file->to.text))
            err_at(in->e, &file->to.pos, "files: \"" STR_FMT "\" is no absolute path",
                   STR_ARG(file->to.text));
    }
}

static bool user_name_ok(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!c_digit(s.p[i]) && !(s.p[i] >= 'a' && s.p[i] <= 'z') && s.p[i] != '_' && s.p[i] != '-')
            return false;
    return s.len && s.len <= 32 && !c_digit(s.p[0]) && s.p[0] != '-';
}

static void check_user(struct reading *in)
{
    static const char *const known[] = {"name", "uid", "gid", NULL};
    const struct node *n = field_map(&in->f, "user");
    struct fields f = {n, "user", in->e};
    struct reading sub = {in->r, f, in->e};
    struct recipe_user *u = &in->r->user;
    uint64_t uid = 1000, gid;

    if (!n)
        return;
    fields_only(&f, known);
    if (field_need_str(&f, "name", &u->name.text))
        get_value(&sub, "name", &u->name);
    if (str_is(u->name.text, "root"))
        err_at(in->e, &u->name.pos, "user: leave `user` out to be root");
    else if (u->name.text.len && !user_name_ok(u->name.text))
        err_at(in->e, &u->name.pos,
               "user: \"" STR_FMT "\" is no user name: lower-case letters, digits, \"_\" and \"-\"",
               STR_ARG(u->name.text));
    field_u64(&f, "uid", &uid, INT32_MAX);
    gid = uid;
    field_u64(&f, "gid", &gid, INT32_MAX);
    if (!uid && u->name.text.len)
        err_at(in->e, &n->pos, "user: uid 0 is root; leave `user` out to be root");
    u->uid = (uint32_t)uid;
    u->gid = (uint32_t)gid;
}

static void check_env(struct reading *in)
{
    const struct node *n;

    node_each(n, field_map(&in->f, "env")) {
        struct value v;

        if (!env_name_ok(n->key))
            err_at(in->e, &n->key_pos,
                   "env: \"" STR_FMT "\" is no variable name: letters, digits and \"_\"",
                   STR_ARG(n->key));
        if (!node_is_scalar(n)) {
            err_at(in->e, &n->pos, "env: text is wanted here, not %s", node_kind_name(n));
            continue;
        }
        v.text = str_of(
            arena_fmt(&in->r->doc.arena, STR_FMT "=" STR_FMT, STR_ARG(n->key), STR_ARG(n->text)));
        v.pos = n->pos;
        vec_add(&in->r->env, v);
    }
}

/* A list is taken as it is, and all but the program may be empty; a text is run by the shell. */
static void check_command(struct reading *in, const char *key, bool *has, struct values *out)
{
    const struct node *n, *value = node_get(in->f.map, key);
    struct value v;

    *has = value != NULL;
    if (!value)
        return;
    if (value->kind == NODE_LIST) {
        node_each(n, value)
            if (n->kind == NODE_STRING && n != value->child)
                vec_add(out, ((struct value){n->text, n->pos}));
            else if (text_item(in, n, key, &v))
                vec_add(out, v);
    } else if (text_item(in, value, key, &v)) {
        vec_add(out, ((struct value){STR("/bin/sh"), v.pos}));
        vec_add(out, ((struct value){STR("-c"), v.pos}));
        vec_add(out, v);
    }
}

/* Kept as texts: 007 and 1.10 are numbers in YAML, and would be others in the lock's JSON. */
static void check_labels(struct reading *in)
{
    const struct node *n, *labels = field_map(&in->f, "labels");
    struct node *texts = node_new_map(&in->r->doc);

    in->r->labels = labels ? texts : NULL;
    node_each(n, labels) {
        CLEANUP(free_clear) char *key = str_dup(n->key);

        if (node_is_scalar(n))
            node_put_str(&in->r->doc, texts, key, n->text);
        else
            err_at(in->e, &n->pos, "labels: text is wanted here, not %s", node_kind_name(n));
        if (!n->key.len)
            err_at(in->e, &n->key_pos, "labels: a label needs a name");
        if (str_starts(n->key, STR("io.envbuild.")))
            err_at(in->e, &n->key_pos, "labels: names under io.envbuild. are envbuild's own");
    }
}

static void check_startup(struct reading *in)
{
    static const char *const known[] = {"warn", "fail", "off", NULL};
    struct value *v = &in->r->startup_check;
    CLEANUP(buf_clear) struct buf hint = {0};

    get_value(in, "startup_check", v);
    for (size_t i = 0; known[i]; i++)
        if (!v->text.len || str_is(v->text, known[i]))
            return;
    fields_suggest(&hint, v->text, known);
    err_at(in->e, &v->pos,
           "startup_check: \"" STR_FMT "\" is not known%s; warn says that the host's driver is too "
           "old, fail ends the container then, off checks nothing",
           STR_ARG(v->text), hint.p ? hint.p : "");
}

static void check_platforms(struct reading *in)
{
    const struct node *list = field_list(&in->f, "platforms"), *n;

    node_each(n, list) {
        struct value v;

        if (text_item(in, n, "platforms", &v) && !str_is(v.text, "linux/amd64"))
            err_at(in->e, &v.pos, "platforms: \"" STR_FMT "\" %s; linux/amd64 is there",
                   STR_ARG(v.text), str_is(v.text, "linux/arm64") ? "comes later" : "is not known");
    }
    if (list && !list->count)
        err_at(in->e, &list->pos, "platforms: the list is empty; write [linux/amd64]");
}

static void check_schema(struct reading *in)
{
    const struct node *n = node_get(in->f.map, "envbuild");

    if (n && !str_is(n->text, "1"))
        err_at(in->e, &n->pos,
               "envbuild: recipe schema \"" STR_FMT
               "\" is not known to this envbuild, which reads 1",
               STR_ARG(n->text));
}

/* Keys that are not there yet say so instead of being called unknown. */
static void check_keys(struct reading *in)
{
    const char *known[ARRAY_LEN(keys) + ARRAY_LEN(later_keys)];
    size_t n = 0;

    for (size_t i = 0; keys[i]; i++)
        known[n++] = keys[i];
    for (size_t i = 0; later_keys[i]; i++) {
        const struct node *later = node_get(in->f.map, later_keys[i]);

        known[n++] = later_keys[i];
        if (later)
            err_at(in->e, &later->key_pos, "\"%s\" comes later; this envbuild does not know it yet",
                   later_keys[i]);
    }
    known[n] = NULL;
    fields_only(&in->f, known);
}

static int read_all(struct recipe *r, struct err *e)
{
    struct err fault = {0};
    struct reading in = {r, {0}, &fault};

    in.f = fields_of(r->doc.root, "recipe", &fault);
    check_keys(&in);
    check_schema(&in);
    check_name(&in);
    check_pytorch(&in);
    check_cuda(&in);
    check_cudnn(&in);
    check_variant(&in);
    check_toolkit(&in);
    field_bool(&in.f, "slim", &r->slim);
    check_base(&in);
    check_python(&in);
    check_platforms(&in);
    check_apt(&in);
    check_archives(&in);
    check_pip(&in);
    check_indexes(&in);
    check_files(&in);
    check_user(&in);
    check_env(&in);
    check_workdir(&in);
    check_command(&in, "entrypoint", &r->has_entrypoint, &r->entrypoint);
    check_command(&in, "cmd", &r->has_cmd, &r->cmd);
    check_startup(&in);
    check_labels(&in);
    check_tag(&in);
    check_with_image(&in);
    return err_is_set(&fault) ? err_join(e, &fault) : 0;
}

int recipe_parse(struct recipe *out, struct str text, const char *file, struct err *e)
{
    CLEANUP(recipe_clear) struct recipe r = {0};

    if (yaml_parse(&r.doc, text, file, e) < 0 || read_all(&r, e) < 0)
        return -1;
    MOVE(out, &r);
    return 0;
}

int recipe_read(struct recipe *out, const char *path, struct err *e)
{
    CLEANUP(recipe_clear) struct recipe r = {0};

    if (yaml_read(&r.doc, path, e) < 0 || read_all(&r, e) < 0)
        return -1;
    MOVE(out, &r);
    return 0;
}

void recipe_clear(struct recipe *r)
{
    vec_clear(&r->apt);
    vec_clear(&r->toolkit.parts);
    for (size_t i = 0; i < r->archives.n; i++) {
        vec_clear(&r->archives.v[i].suites);
        vec_clear(&r->archives.v[i].components);
        vec_clear(&r->archives.v[i].fingerprints);
    }
    vec_clear(&r->archives);
    vec_clear(&r->pip);
    vec_clear(&r->constraints);
    for (size_t i = 0; i < r->indexes.n; i++)
        vec_clear(&r->indexes.v[i].only);
    vec_clear(&r->indexes);
    vec_clear(&r->find_links);
    vec_clear(&r->files);
    vec_clear(&r->env);
    vec_clear(&r->entrypoint);
    vec_clear(&r->cmd);
    doc_clear(&r->doc);
    *r = (struct recipe){0};
}

/* ---- tag ---- */

int recipe_expand_tag(struct buf *out, const struct recipe *r, const struct recipe_tag *with,
                      struct err *e)
{
    const struct {
        const char *key;
        struct str value;
    } words[] = {{"pytorch", with->pytorch}, {"cuda", with->cuda},     {"cudnn", with->cudnn},
                 {"variant", with->variant}, {"python", with->python}, {"base", with->base}};
    struct str rest = r->tag.text, part, key;

    while (str_cut(&rest, STR("{"), &part)) {
        buf_str(out, part);
        str_cut(&rest, STR("}"), &key);
        for (size_t i = 0; i < ARRAY_LEN(words); i++)
            if (str_is(key, words[i].key))
                buf_str(out, words[i].value);
    }
    buf_str(out, rest);
    return ref_tag_ok(buf_view(out)) ? 0 : no_tag(e, &r->tag.pos, buf_view(out));
}
