/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe_reading.h"

#include "../net/url.h"
#include "../oci/ref.h"
#include "../pkg/deb/debver.h"
#include "../pkg/pypi/tool_lock.h"

static bool env_name_ok(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!c_alnum(s.p[i]) && s.p[i] != '_')
            return false;
    return s.len && !c_digit(s.p[0]);
}

static void get_parts(struct reading *in, const struct node *list)
{
    const struct node *n;
    struct value v;

    if (list && !list->count)
        err_at(in->e, &list->pos, "toolkit: the list is empty; leave it out for all parts");
    node_each(n, list)
        if (reading_text(in, n, "toolkit", &v))
            vec_add(&in->r->toolkit.parts, v);
}

static void check_toolkit_from(struct reading *in)
{
    static const char *const known[] = {"pypi", "nvidia", "apt", NULL};
    struct value *v = &in->r->toolkit.from;
    CLEANUP(buf_clear) struct buf hint = {0};

    reading_value(in, "from", v);
    for (size_t i = 0; known[i]; i++)
        if (!v->text.len || str_is(v->text, known[i]))
            return;
    fields_suggest(&hint, v->text, known);
    err_at(in->e, &v->pos,
           "toolkit: \"" STR_FMT "\" is not a place that it comes from%s; there are pypi, nvidia "
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

/* From the recipe's folder, which apt's keyrings are taken from too. */
static void check_certificates(struct reading *in)
{
    const struct values *list = &in->r->certificates;

    reading_texts(in, "ca_certificates", &in->r->certificates);
    for (size_t i = 0; i < list->n; i++) {
        if (str_starts(list->v[i].text, STR("/")))
            err_at(in->e, &list->v[i].pos,
                   "ca_certificates: \"" STR_FMT "\" must be relative to the recipe's folder",
                   STR_ARG(list->v[i].text));
        for (size_t j = 0; j < i; j++)
            if (str_eq(list->v[i].text, list->v[j].text))
                err_at(in->e, &list->v[i].pos,
                       "ca_certificates: \"" STR_FMT "\" stands there twice",
                       STR_ARG(list->v[i].text));
    }
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
        if (!reading_all_of(s, "-"))
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

        if (!reading_text(in, n, "apt", &v))
            continue;
        version = suite = v.text;
        pinned = str_cut(&version, STR("="), &name);
        picked = !pinned && str_cut(&suite, STR("/"), &name);
        if (!package_ok(pinned || picked ? name : v.text) || (pinned && !version_ok(version)) ||
            (picked && !reading_all_of(suite, "-._+")))
            err_at(in->e, &v.pos,
                   "apt: \"" STR_FMT "\" is not a package; write name, name=version or name/suite",
                   STR_ARG(v.text));
        else
            vec_add(&in->r->apt, v);
    }
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
            err_at(in->e, &suite->pos, "apt_archives: \"" STR_FMT "\" is not a suite",
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
    reading_value(&sub, "uri", &a->uri);
    reading_value(&sub, "keyring", &a->keyring);
    reading_texts(&sub, "suites", &a->suites);
    reading_texts(&sub, "components", &a->components);
    reading_texts(&sub, "fingerprints", &a->fingerprints);
    if (f.map)
        check_archive_suites(in, a, n);
    if (a->uri.text.len)
        check_archive_uri(in, &a->uri);
    if (str_starts(a->keyring.text, STR("/")))
        err_at(in->e, &a->keyring.pos,
               "apt_archives: \"" STR_FMT "\" must be relative to the recipe's folder",
               STR_ARG(a->keyring.text));
    for (size_t i = 0; i < a->fingerprints.n; i++)
        if (a->fingerprints.v[i].text.len != 40 || !reading_all_of(a->fingerprints.v[i].text, ""))
            err_at(in->e, &a->fingerprints.v[i].pos,
                   "apt_archives: \"" STR_FMT "\" is not a fingerprint: 40 hex digits, no blanks",
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

/* A list of names, or NULL. */
static const struct node *get_names(struct reading *in, const char *key)
{
    const struct node *list = field_list(&in->f, key), *n;
    struct value unused;

    node_each(n, list)
        if (!reading_text(in, n, key, &unused))
            return NULL;
    return list;
}

/* {requirements: FILE}, or {lock: FILE} with `extras` and `groups`. */
static void check_pip_file(struct reading *in, const struct node *n)
{
    static const char *const plain[] = {"requirements", "lock", NULL};
    static const char *const known[] = {"lock", "extras", "groups", NULL};
    bool lock = node_get(n, "lock") != NULL;
    const char *key = lock ? "lock" : "requirements";
    struct fields f = fields_of(n, "pip", in->e);
    struct reading sub = {in->r, f, in->e};
    struct recipe_ask ask = {.file = !lock, .lock = lock};

    fields_only(&f, lock ? known : plain);
    if (!field_need_str(&f, key, &ask.value.text))
        return;
    reading_value(&sub, key, &ask.value);
    if (lock && !tool_lock_is_name(ask.value.text))
        err_at(in->e, &ask.value.pos,
               "pip: lock: \"" STR_FMT "\" is not the name of a lock that is read: pylock.toml, "
               "pylock.NAME.toml, uv.lock, poetry.lock",
               STR_ARG(ask.value.text));
    if (lock) {
        ask.extras = get_names(&sub, "extras");
        ask.groups = get_names(&sub, "groups");
    }
    vec_add(&in->r->pip, ask);
}

static void check_pip(struct reading *in)
{
    const struct node *n;

    node_each(n, field_list(&in->f, "pip")) {
        struct recipe_ask ask = {0};

        if (n->kind == NODE_MAP)
            check_pip_file(in, n);
        else if (reading_text(in, n, "pip", &ask.value))
            vec_add(&in->r->pip, ask);
    }
    node_each(n, field_list(&in->f, "constraints")) {
        struct recipe_ask ask = {0};

        if (!reading_text(in, n, "constraints", &ask.value))
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
    return reading_all_of(s, "-_") && !str_starts(s, STR("-"));
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
            reading_value(&sub, "url", &x->url);
        reading_value(&sub, "name", &x->name);
        node_each(name, field_list(&f, "only")) {
            struct value v;

            if (reading_text(in, name, "only", &v))
                vec_add(&x->only, v);
        }
        if (x->name.text.len && !index_name_ok(x->name.text))
            err_at(in->e, &x->name.pos,
                   "indexes: \"" STR_FMT "\" is not a name: letters, digits, \"-\" and \"_\"",
                   STR_ARG(x->name.text));
    } else if (!reading_text(in, n, "indexes", &x->url)) {
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
        if (reading_text(in, n, "find_links", &v)) {
            if (str_find_str(v.text, STR("://")) < v.text.len)
                err_at(in->e, &v.pos,
                       "find_links: \"" STR_FMT
                       "\" is not a folder; an index on the web goes under `indexes`",
                       STR_ARG(v.text));
            vec_add(&in->r->find_links, v);
        }
}

void reading_mode(struct reading *in, const char *key, const struct value *mode)
{
    uint32_t bits;

    if (mode->text.len && (mode->text.len < 3 || !str_octal(mode->text, &bits) || bits > 0777))
        err_at(in->e, &mode->pos,
               "%s: mode \"" STR_FMT "\" is not three octal digits such as \"0755\"", key,
               STR_ARG(mode->text));
}

static void check_exclude(struct reading *in, const struct fields *f, struct values *out)
{
    const struct node *n;
    struct value v;

    node_each(n, field_list(f, "exclude"))
        if (reading_text(in, n, "exclude", &v))
            vec_add(out, v);
}

static void check_files(struct reading *in)
{
    static const char *const known[] = {"from", "to", "owner", "mode", "exclude", NULL};
    const struct node *n;

    node_each(n, field_list(&in->f, "files")) {
        struct fields f = fields_of(n, "files", in->e);
        struct reading sub = {in->r, f, in->e};
        struct recipe_file *file = vec_push(&in->r->files);

        fields_only(&f, known);
        if (field_need_str(&f, "from", &file->from.text))
            reading_value(&sub, "from", &file->from);
        if (field_need_str(&f, "to", &file->to.text))
            reading_value(&sub, "to", &file->to);
        reading_value(&sub, "owner", &file->owner);
        reading_value(&sub, "mode", &file->mode);
        reading_mode(in, "files", &file->mode);
        check_exclude(in, &f, &file->exclude);
        if (str_starts(file->from.text, STR("/")))
            err_at(in->e, &file->from.pos,
                   "files: \"" STR_FMT "\" must be relative to the recipe's folder, or its context",
                   STR_ARG(file->from.text));
        if (file->to.text.len && !reading_absolute(file->to.text))
            err_at(in->e, &file->to.pos, "files: \"" STR_FMT "\" is not an absolute path",
                   STR_ARG(file->to.text));
    }
}

bool recipe_is_user(struct str s)
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
        reading_value(&sub, "name", &u->name);
    if (str_is(u->name.text, "root"))
        err_at(in->e, &u->name.pos, "user: leave `user` out to be root");
    else if (u->name.text.len && !recipe_is_user(u->name.text))
        err_at(in->e, &u->name.pos,
               "user: \"" STR_FMT
               "\" is not a user name: lower-case letters, digits, \"_\" and \"-\"",
               STR_ARG(u->name.text));
    field_u64(&f, "uid", &uid, INT32_MAX);
    gid = uid;
    field_u64(&f, "gid", &gid, INT32_MAX);
    if (!uid && u->name.text.len)
        err_at(in->e, &n->pos, "user: uid 0 is root; leave `user` out to be root");
    u->uid = (uint32_t)uid;
    u->gid = (uint32_t)gid;
}

void reading_env(struct reading *in, const char *key, struct values *out)
{
    const struct node *n;

    node_each(n, field_map(&in->f, "env")) {
        struct value v;

        if (!env_name_ok(n->key))
            err_at(in->e, &n->key_pos,
                   "%s: \"" STR_FMT "\" is not a variable name: letters, digits and \"_\"", key,
                   STR_ARG(n->key));
        if (!node_is_scalar(n)) {
            err_at(in->e, &n->pos, "%s: text is wanted here, not %s", key, node_kind_name(n));
            continue;
        }
        v.text = str_of(
            arena_fmt(&in->r->doc.arena, STR_FMT "=" STR_FMT, STR_ARG(n->key), STR_ARG(n->text)));
        v.pos = n->pos;
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

        if (reading_text(in, n, "platforms", &v) && !str_is(v.text, "linux/amd64"))
            err_at(in->e, &v.pos, "platforms: \"" STR_FMT "\" %s; linux/amd64 is there",
                   STR_ARG(v.text), str_is(v.text, "linux/arm64") ? "comes later" : "is not known");
    }
    if (list && !list->count)
        err_at(in->e, &list->pos, "platforms: the list is empty; write [linux/amd64]");
}

void recipe_read_lists(struct reading *in)
{
    check_toolkit(in);
    check_platforms(in);
    check_apt(in);
    check_archives(in);
    check_certificates(in);
    check_pip(in);
    check_indexes(in);
    check_files(in);
    check_user(in);
    reading_env(in, "env", &in->r->env);
    check_labels(in);
}
