/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe.h"

#include "../base/path.h"
#include "../doc/field.h"
#include "../doc/yaml.h"
#include "../oci/ref.h"
#include "../oci/stored.h"
#include "../pkg/deb/debver.h"

#define DEFAULT_TAG "{pytorch}-cuda{cuda}-cudnn{cudnn}-{variant}"

static const char *const keys[] = {"envbuild",   "name",  "pytorch", "cuda",      "cudnn",
                                   "variant",    "base",  "python",  "platforms", "apt",
                                   "pip",        "files", "user",    "env",       "workdir",
                                   "entrypoint", "cmd",   "labels",  "tag",       NULL};
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

static bool digits_and_dots(struct str s, unsigned parts_min, unsigned parts_max)
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
    if (digits_and_dots(v->text, 2, 2))
        err_at(in->e, &v->pos,
               "pytorch: \"" STR_FMT "\" is not a whole release number; write \"" STR_FMT ".0\"",
               STR_ARG(v->text), STR_ARG(v->text));
    else if (!digits_and_dots(v->text, 3, 3))
        err_at(in->e, &v->pos, "pytorch: \"" STR_FMT "\" is no release number such as \"2.6.0\"",
               STR_ARG(v->text));
}

/* "12.4", "12.4.1", "cu124" and "cuda124" mean the same. */
static void check_cuda(struct reading *in)
{
    struct value *v = &in->r->cuda;
    struct str s;

    get_value(in, "cuda", v);
    s = v->text;
    if (!s.len)
        return;
    if (str_skip(&s, STR("cuda")) || str_skip(&s, STR("cu")))
        if (all_of(s, "") && s.len >= 3 && !str_has(s, '.'))
            s = str_of(arena_fmt(&in->r->doc.arena, STR_FMT "." STR_FMT, (int)s.len - 1, s.p, 1,
                                 s.p + s.len - 1));
    if (str_is(v->text, "cpu")) {
        err_at(in->e, &v->pos, "cuda: CPU-only images come later; name a CUDA version");
        return;
    }
    if (!digits_and_dots(s, 2, 3)) {
        err_at(in->e, &v->pos,
               "cuda: \"" STR_FMT "\" is no CUDA version such as \"12.4\", \"12.4.1\" or \"cu124\"",
               STR_ARG(v->text));
        return;
    }
    v->text = s;
}

static void check_cudnn(struct reading *in)
{
    struct value *v = &in->r->cudnn;

    get_value(in, "cudnn", v);
    if (v->text.len && !digits_and_dots(v->text, 1, 4))
        err_at(in->e, &v->pos,
               "cudnn: \"" STR_FMT "\" is no cuDNN version such as \"9\" or \"9.1.0.70\"",
               STR_ARG(v->text));
}

static void check_variant(struct reading *in)
{
    struct value *v = &in->r->variant;

    v->text = STR("runtime");
    get_value(in, "variant", v);
    if (str_is(v->text, "devel"))
        err_at(in->e, &v->pos,
               "variant: devel comes later; runtime and compile (which adds gcc) are there");
    else if (!str_is(v->text, "runtime") && !str_is(v->text, "compile")) {
        static const char *const known[] = {"runtime", "compile", NULL};
        CLEANUP(buf_clear) struct buf hint = {0};

        fields_suggest(&hint, v->text, known);
        err_at(in->e, &v->pos,
               "variant: \"" STR_FMT "\" is not known%s; variants: runtime, compile",
               STR_ARG(v->text), hint.p ? hint.p : "");
    }
}

static void check_python(struct reading *in)
{
    struct value *v = &in->r->python;

    get_value(in, "python", v);
    if (v->text.len && !digits_and_dots(v->text, 2, 2))
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

    v->text = STR(DEFAULT_TAG);
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

static void check_apt(struct reading *in)
{
    const struct node *n;

    node_each(n, field_list(&in->f, "apt")) {
        struct value v;
        struct str version, name;
        bool pinned;

        if (!text_item(in, n, "apt", &v))
            continue;
        version = v.text;
        pinned = str_cut(&version, STR("="), &name);
        if (!package_ok(pinned ? name : v.text) || (pinned && !debver_valid(version)))
            err_at(in->e, &v.pos, "apt: \"" STR_FMT "\" is no package; write name or name=version",
                   STR_ARG(v.text));
        else
            vec_add(&in->r->apt, v);
    }
}

static void check_pip(struct reading *in)
{
    const struct node *n;

    node_each(n, field_list(&in->f, "pip")) {
        struct value v;

        if (n->kind == NODE_MAP)
            err_at(in->e, &n->pos,
                   "pip: requirement files come later; list the requirements themselves");
        else if (text_item(in, n, "pip", &v))
            vec_add(&in->r->pip, v);
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
    check_base(&in);
    check_python(&in);
    check_platforms(&in);
    check_apt(&in);
    check_pip(&in);
    check_files(&in);
    check_user(&in);
    check_env(&in);
    check_workdir(&in);
    check_command(&in, "entrypoint", &r->has_entrypoint, &r->entrypoint);
    check_command(&in, "cmd", &r->has_cmd, &r->cmd);
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
    vec_clear(&r->pip);
    vec_clear(&r->files);
    vec_clear(&r->env);
    vec_clear(&r->entrypoint);
    vec_clear(&r->cmd);
    doc_clear(&r->doc);
    *r = (struct recipe){0};
}

/* ---- the normal form ---- */

static void put(struct doc *doc, struct node *map, const char *key, const struct value *v)
{
    if (v->text.len)
        node_put_str(doc, map, key, v->text);
}

static void put_list(struct doc *doc, struct node *map, const char *key, const struct values *v)
{
    struct node *list;

    if (!v->n)
        return;
    list = node_put(doc, map, key, node_new_list(doc));
    for (size_t i = 0; i < v->n; i++)
        node_add_str(doc, list, v->v[i].text);
}

/* An empty command differs from none: it takes the default away. */
static void put_command(struct doc *doc, struct node *map, const char *key, bool has,
                        const struct values *v)
{
    if (has && !v->n)
        node_put(doc, map, key, node_new_list(doc));
    put_list(doc, map, key, v);
}

struct node *recipe_to_node(const struct recipe *r, struct doc *doc)
{
    struct node *root = node_new_map(doc), *list, *n;

    node_put_u64(doc, root, "envbuild", RECIPE_SCHEMA);
    put(doc, root, "name", &r->name);
    put(doc, root, "pytorch", &r->pytorch);
    put(doc, root, "cuda", &r->cuda);
    put(doc, root, "cudnn", &r->cudnn);
    put(doc, root, "variant", &r->variant);
    put(doc, root, "base", &r->base);
    if (r->image.text.len)
        put(doc, node_put(doc, root, "base", node_new_map(doc)), "image", &r->image);
    put(doc, root, "python", &r->python);
    put_list(doc, root, "apt", &r->apt);
    put_list(doc, root, "pip", &r->pip);
    list = r->files.n ? node_put(doc, root, "files", node_new_list(doc)) : NULL;
    for (size_t i = 0; i < r->files.n; i++) {
        n = node_add(doc, list, node_new_map(doc));
        put(doc, n, "from", &r->files.v[i].from);
        put(doc, n, "to", &r->files.v[i].to);
        put(doc, n, "owner", &r->files.v[i].owner);
    }
    if (r->user.name.text.len) {
        n = node_put(doc, root, "user", node_new_map(doc));
        put(doc, n, "name", &r->user.name);
        node_put_u64(doc, n, "uid", r->user.uid);
        node_put_u64(doc, n, "gid", r->user.gid);
    }
    put_list(doc, root, "env", &r->env);
    put(doc, root, "workdir", &r->workdir);
    put_command(doc, root, "entrypoint", r->has_entrypoint, &r->entrypoint);
    put_command(doc, root, "cmd", r->has_cmd, &r->cmd);
    if (r->labels && r->labels->count)
        node_put(doc, root, "labels", node_copy(doc, r->labels));
    put(doc, root, "tag", &r->tag);
    return root;
}

/* ---- differences in words ---- */

static void word(struct buf *out, const char *fmt, ...) PRINTF(2, 3);
static void word(struct buf *out, const char *fmt, ...)
{
    va_list args;

    if (out->len)
        buf_puts(out, "; ");
    va_start(args, fmt);
    buf_vfmt(out, fmt, args);
    va_end(args);
}

static bool same(const struct node *a, const struct node *b)
{
    const struct node *x = a->child, *y = b->child;

    if (a->kind != b->kind || !str_eq(a->text, b->text) || a->count != b->count)
        return false;
    for (; x; x = x->next, y = y->next)
        if (!str_eq(x->key, y->key) || !same(x, y))
            return false;
    return true;
}

static bool list_has(const struct node *list, const struct node *item)
{
    const struct node *n;

    node_each(n, list)
        if (same(n, item))
            return true;
    return false;
}

static void diff_lists(struct buf *words, struct str key, const struct node *old,
                       const struct node *now)
{
    const struct node *n;
    size_t before = words->len;

    node_each(n, now)
        if (node_is_scalar(n) && !list_has(old, n))
            word(words, STR_FMT ": \"" STR_FMT "\" is new", STR_ARG(key), STR_ARG(n->text));
    node_each(n, old)
        if (node_is_scalar(n) && !list_has(now, n))
            word(words, STR_FMT ": \"" STR_FMT "\" is gone", STR_ARG(key), STR_ARG(n->text));
    if (words->len == before)
        word(words, STR_FMT " changed", STR_ARG(key));
}

void recipe_diff(struct buf *words, const struct node *old, const struct node *now)
{
    const struct node *n;

    node_each(n, now) {
        const struct node *was = node_get_str(old, n->key);

        if (!was && node_is_scalar(n))
            word(words, STR_FMT ": \"" STR_FMT "\" is new", STR_ARG(n->key), STR_ARG(n->text));
        else if (!was)
            word(words, STR_FMT " is new", STR_ARG(n->key));
        else if (same(was, n))
            continue;
        else if (node_is_scalar(n) && node_is_scalar(was))
            word(words, STR_FMT ": \"" STR_FMT "\" became \"" STR_FMT "\"", STR_ARG(n->key),
                 STR_ARG(was->text), STR_ARG(n->text));
        else if (n->kind == NODE_LIST && was->kind == NODE_LIST)
            diff_lists(words, n->key, was, n);
        else
            word(words, STR_FMT " changed", STR_ARG(n->key));
    }
    node_each(n, old)
        if (!node_get_str(now, n->key))
            word(words, STR_FMT " is gone", STR_ARG(n->key));
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
