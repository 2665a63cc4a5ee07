/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe_reading.h"

#include "../base/fs.h"
#include "../base/path.h"
#include "../doc/yaml.h"
#include "../oci/ref.h"
#include "matrix.h"

static const char *const keys[] = {
    "envbuild",        "name",      "pytorch",     "cuda",       "cudnn",       "variant",
    "toolkit",         "base",      "python",      "platforms",  "apt",         "apt_archives",
    "ca_certificates", "pip",       "constraints", "indexes",    "find_links",  "context",
    "files",           "downloads", "user",        "env",        "workdir",     "folders",
    "volumes",         "ports",     "healthcheck", "entrypoint", "cmd",         "startup_check",
    "services",        "labels",    "tag",         "slim",       "wheels_only", "build",
    "project",         "bytecode",  "compression", "matrix",     NULL};

/* ---- for all parts ---- */

void reading_value(struct reading *in, const char *key, struct value *out)
{
    const struct node *n = node_get(in->f.map, key);

    if (!field_str(&in->f, key, &out->text))
        return;
    out->pos = n->pos;
    if (!out->text.len)
        err_at(in->e, &n->pos, "%s: nothing stands here; leave the key out or give it a value",
               key);
}

bool reading_text(struct reading *in, const struct node *n, const char *key, struct value *out)
{
    if (!node_is_scalar(n) || !n->text.len) {
        err_at(in->e, &n->pos, "%s: text is wanted here, not %s", key,
               node_is_scalar(n) ? "an empty one" : node_kind_name(n));
        return false;
    }
    *out = (struct value){n->text, n->pos};
    return true;
}

void reading_texts(struct reading *in, const char *key, struct values *out)
{
    const struct node *n;
    struct value v;

    node_each(n, field_list(&in->f, key))
        if (reading_text(in, n, key, &v))
            vec_add(out, v);
}

bool reading_all_of(struct str s, const char *others)
{
    for (size_t i = 0; i < s.len; i++)
        if (!c_alnum(s.p[i]) && !str_has(str_of(others), s.p[i]))
            return false;
    return s.len > 0;
}

bool reading_absolute(struct str s)
{
    CLEANUP(buf_clear) struct buf clean = {0};

    return str_starts(s, STR("/")) && !str_has(s, '\0') && path_clean(&clean, s);
}

int reading_no_tag(struct err *e, const struct pos *pos, struct str tag)
{
    return err_at(e, pos,
                  "tag: \"" STR_FMT
                  "\" is not a tag: letters, digits, \".\", \"_\" and \"-\", at most "
                  "128, and no \".\" or \"-\" first",
                  STR_ARG(tag));
}

/* ---- all of it ---- */

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

static void check_with_wheels_only(struct reading *in)
{
    const struct node *n = node_get(in->f.map, "build");

    if (in->r->build_all && in->r->wheels_only)
        err_at(in->e, &n->pos,
               "build: \"all\" builds what has no wheel, and `wheels_only: true` passes it over; "
               "remove one of the two");
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

/* What other tools' files say, and what people try first. */
static const struct field_hint instead[] = {
    {"run", "nothing runs at a build; name packages under `apt` and `pip`, and copy with `files`"},
    {"requirements", "write pip: [{requirements: requirements.txt}]"},
    {"requirments", "write pip: [{requirements: requirements.txt}]"},
    {"packages", "name them under `apt` or `pip`"},
    {"dependencies", "name them under `apt` or `pip`"},
    {"image", "an image to build on is base: {image: \"oci:DIR@sha256:...\"}"},
    {"from", "an image to build on is base: {image: \"oci:DIR@sha256:...\"}"},
    {"copy", "files: [{from: PATH, to: /PATH}] copies"},
    {"add", "downloads: [{url: \"https://...\", to: /PATH}] takes a file by its address"},
    {"datasets", "downloads: [{url: \"https://...\", to: /PATH}] takes a file by its address"},
    {"expose", "write ports: [8888]"},
    {"mounts", "what of the host a container sees is for who runs it; `envbuild run` mounts the "
               "recipe's folder, and volumes: [/data] keeps data"},
    {"certificates", "write ca_certificates: [corp.pem]"},
    {NULL, NULL},
};

/* Of a recipe with `matrix` the cell. */
static int take_cell(struct doc *doc, struct str cell, struct err *e)
{
    CLEANUP(arena_clear) struct arena arena = {0};
    struct strs cells = {0};
    int result;

    if (!matrix_is(doc))
        return 0;
    result = matrix_cells(&cells, &arena, doc, cell, e);
    if (result == 0 && !(cells.n == 1 && str_eq(cells.v[0], cell)))
        result = err_set(e, ERR_INPUT,
                         "%s has a `matrix`, so it stands for several recipes; one is wanted here",
                         doc->file);
    vec_clear(&cells);
    if (result == 0)
        matrix_take(doc, cell);
    return result;
}

static int read_all(struct recipe *r, struct str cell, struct err *e)
{
    struct err fault = {0};
    struct reading in = {r, {0}, &fault};

    if (take_cell(&r->doc, cell, e) < 0)
        return -1;
    in.f = fields_of(r->doc.root, "recipe", &fault);
    fields_only_or(&in.f, keys, instead);
    check_schema(&in);
    recipe_read_values(&in);
    recipe_read_lists(&in);
    recipe_read_container(&in);
    recipe_read_services(&in);
    recipe_read_downloads(&in);
    recipe_read_build(&in);
    recipe_read_project(&in);
    field_bool(&in.f, "slim", &r->slim);
    field_bool(&in.f, "wheels_only", &r->wheels_only);
    field_bool(&in.f, "bytecode", &r->bytecode);
    check_with_image(&in);
    check_with_wheels_only(&in);
    return err_is_set(&fault) ? err_join(e, &fault) : 0;
}

int recipe_parse(struct recipe *out, struct str text, const char *file, struct err *e)
{
    CLEANUP(recipe_clear) struct recipe r = {0};

    if (yaml_parse(&r.doc, text, file, e) < 0 || read_all(&r, STR(""), e) < 0)
        return -1;
    MOVE(out, &r);
    return 0;
}

static int read_yaml(struct doc *doc, const char *path, struct err *e)
{
    if (!fs_exists(path))
        return err_set(
            e, ERR_INPUT,
            "%s is not there; a recipe is a file, and `envbuild init TAG` writes one for "
            "a tag such as 2.6.0-cuda12.4-cudnn9-runtime",
            path);
    return yaml_read(doc, path, e);
}

int recipe_read(struct recipe *out, const char *path, struct str cell, struct err *e)
{
    CLEANUP(recipe_clear) struct recipe r = {0};

    if (read_yaml(&r.doc, path, e) < 0 || read_all(&r, cell, e) < 0)
        return -1;
    MOVE(out, &r);
    return 0;
}

int recipe_cells(struct strs *out, struct arena *arena, const char *path, struct str of,
                 struct err *e)
{
    CLEANUP(doc_clear) struct doc doc = {0};

    if (read_yaml(&doc, path, e) < 0)
        return -1;
    if (matrix_is(&doc))
        return matrix_cells(out, arena, &doc, of, e);
    if (of.len)
        return err_set(e, ERR_USAGE,
                       "%s has no `matrix`, so it has no cell \"" STR_FMT "\"; leave out --cell",
                       path, STR_ARG(of));
    vec_add(out, STR(""));
    return 0;
}

void recipe_clear(struct recipe *r)
{
    struct recipe_build *b;

    vec_each(b, &r->builds)
        recipe_build_clear(b);
    vec_clear(&r->builds);
    vec_clear(&r->project.extras);
    vec_clear(&r->project.groups);
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
    for (size_t i = 0; i < r->files.n; i++)
        vec_clear(&r->files.v[i].exclude);
    vec_clear(&r->files);
    vec_clear(&r->downloads);
    vec_clear(&r->folders);
    vec_clear(&r->volumes);
    vec_clear(&r->ports);
    vec_clear(&r->health.command);
    vec_clear(&r->ssh.authorized_keys);
    vec_clear(&r->certificates);
    vec_clear(&r->env);
    vec_clear(&r->entrypoint);
    vec_clear(&r->cmd);
    vec_clear(&r->compression);
    doc_clear(&r->doc);
    *r = (struct recipe){0};
}

bool recipe_is_name(struct str path)
{
    return str_ends(path, STR(".yaml")) || str_ends(path, STR(".yml"));
}

char *recipe_context(const struct recipe *r, const char *dir)
{
    CLEANUP(free_clear) char *context = str_dup(r->context.text);

    return context[0] ? path_join(dir, context) : xstrdup(dir);
}

/* ---- tag ---- */

int recipe_expand_tag(struct buf *out, const struct recipe *r, const struct recipe_tag *with,
                      struct err *e)
{
    const struct {
        const char *key;
        struct str value;
    } words[] = {
        {"pytorch", with->pytorch},        {"cuda", with->cuda},     {"cudnn", with->cudnn},
        {"variant", with->variant},        {"python", with->python}, {"base", with->base},
        {"compression", with->compression}};
    struct str rest = r->tag.text, part, key;

    while (str_cut(&rest, STR("{"), &part)) {
        buf_str(out, part);
        str_cut(&rest, STR("}"), &key);
        for (size_t i = 0; i < ARRAY_LEN(words); i++)
            if (str_is(key, words[i].key))
                buf_str(out, words[i].value);
    }
    buf_str(out, rest);
    return ref_tag_ok(buf_view(out)) ? 0 : reading_no_tag(e, &r->tag.pos, buf_view(out));
}
