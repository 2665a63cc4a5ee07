/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe_reading.h"

#include "../base/dotted.h"
#include "../base/path.h"
#include "../oci/ref.h"
#include "../oci/stored.h"
#include "compression.h"

#define DEFAULT_TAG "{pytorch}-cuda{cuda}-cudnn{cudnn}-{variant}"
#define DEFAULT_CPU_TAG "{pytorch}-{cuda}-{variant}"
#define DEFAULT_NONE_TAG "python{python}-{variant}"

/* An image without PyTorch would be called after it. */
static void check_none(struct reading *in)
{
    if (!node_get(in->f.map, "name"))
        err_at(in->e, &in->r->pytorch.pos,
               "pytorch: an image that has none needs a name of its own, as in `name: tools`");
}

static void check_pytorch(struct reading *in)
{
    struct value *v = &in->r->pytorch;

    if (!node_get(in->f.map, "pytorch") && in->f.map) {
        err_at(in->e, &in->f.map->pos,
               "\"pytorch\" is missing: name a release, as in `pytorch: \"2.6.0\"`; an image "
               "without it is `pytorch: none`");
        return;
    }
    reading_value(in, "pytorch", v);
    if (!v->text.len)
        return;
    if (str_is(v->text, RECIPE_NONE))
        check_none(in);
    else if (dotted_is(v->text, 2, 2))
        err_at(in->e, &v->pos,
               "pytorch: \"" STR_FMT "\" is not a whole release number; write \"" STR_FMT ".0\"",
               STR_ARG(v->text), STR_ARG(v->text));
    else if (!dotted_is(v->text, 3, 3) && !str_is(v->text, RECIPE_LATEST))
        err_at(in->e, &v->pos, "pytorch: \"" STR_FMT "\" is not a release number such as \"2.6.0\"",
               STR_ARG(v->text));
}

struct str recipe_cuda(struct str text, struct arena *a)
{
    struct str s = text;

    if (str_is(s, RECIPE_CPU))
        return s;
    if (str_skip(&s, STR("cuda")) || str_skip(&s, STR("cu")))
        if (reading_all_of(s, "") && s.len >= 3 && !str_has(s, '.'))
            s = str_of(arena_fmt(a, STR_FMT "." STR_FMT, (int)s.len - 1, s.p, 1, s.p + s.len - 1));
    return dotted_is(s, 2, 3) ? s : (struct str){0};
}

static void check_cuda(struct reading *in)
{
    struct value *v = &in->r->cuda;
    struct str s;

    reading_value(in, "cuda", v);
    if (!v->text.len && str_is(in->r->pytorch.text, RECIPE_NONE))
        *v = (struct value){STR(RECIPE_CPU), in->r->pytorch.pos};
    if (!v->text.len)
        return;
    s = recipe_cuda(v->text, &in->r->doc.arena);
    if (s.len && !str_is(s, RECIPE_CPU) && str_is(in->r->pytorch.text, RECIPE_NONE))
        err_at(in->e, &v->pos,
               "cuda: it comes with PyTorch, and `pytorch: none` has none; leave it out");
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

    reading_value(in, "cudnn", v);
    if (v->text.len && str_is(in->r->cuda.text, RECIPE_CPU))
        err_at(in->e, &v->pos, "cudnn: a build for the CPU has none; leave it out");
    else if (v->text.len && !dotted_is(v->text, 1, 4))
        err_at(in->e, &v->pos,
               "cudnn: \"" STR_FMT "\" is not a cuDNN version such as \"9\" or \"9.1.0.70\"",
               STR_ARG(v->text));
}

static void check_variant(struct reading *in)
{
    struct value *v = &in->r->variant;

    v->text = STR("runtime");
    reading_value(in, "variant", v);
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

    reading_value(in, "python", v);
    if (v->text.len && !dotted_is(v->text, 2, 2))
        err_at(in->e, &v->pos, "python: \"" STR_FMT "\" is not a version such as \"3.11\"",
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
    reading_value(&sub, "image", v);
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
    reading_value(in, "base", v);
}

static void check_name(struct reading *in)
{
    struct value *v = &in->r->name;

    v->text = STR("pytorch");
    reading_value(in, "name", v);
    if (v->text.len && !ref_path_ok(v->text))
        err_at(in->e, &v->pos,
               "name: \"" STR_FMT
               "\" is not an image name: lower-case letters and digits, joined by "
               "\".\", \"_\", \"__\" or dashes, parts joined by \"/\"",
               STR_ARG(v->text));
}

static void check_workdir(struct reading *in)
{
    struct value *v = &in->r->workdir;
    CLEANUP(buf_clear) struct buf clean = {0};

    v->text = STR("/workspace");
    reading_value(in, "workdir", v);
    if (!v->text.len)
        return;
    if (!reading_absolute(v->text)) {
        err_at(in->e, &v->pos, "workdir: \"" STR_FMT "\" is not an absolute path",
               STR_ARG(v->text));
        return;
    }
    path_clean(&clean, v->text);
    v->text = arena_str(&in->r->doc.arena, buf_view(&clean));
    if (str_is(v->text, "/proc") || str_starts(v->text, STR("/proc/")))
        err_at(in->e, &v->pos, "workdir: nothing can be worked on in /proc");
}

static void check_tag(struct reading *in)
{
    static const char *const known[] = {"pytorch", "cuda", "cudnn",       "variant",
                                        "python",  "base", "compression", NULL};
    struct value *v = &in->r->tag;
    struct str rest, before, word;
    CLEANUP(buf_clear) struct buf sample = {0};

    v->text = str_is(in->r->pytorch.text, RECIPE_NONE) ? STR(DEFAULT_NONE_TAG)
              : str_is(in->r->cuda.text, RECIPE_CPU)   ? STR(DEFAULT_CPU_TAG)
                                                       : STR(DEFAULT_TAG);
    reading_value(in, "tag", v);
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
               "{python} {base} {compression}",
               STR_ARG(word), hint.p ? hint.p : "");
    }
    buf_str(&sample, rest);
    if (!ref_tag_ok(buf_view(&sample)))
        reading_no_tag(in->e, &v->pos, v->text);
}

static void check_startup(struct reading *in)
{
    static const char *const known[] = {"warn", "fail", "off", NULL};
    struct value *v = &in->r->startup_check;
    CLEANUP(buf_clear) struct buf hint = {0};

    reading_value(in, "startup_check", v);
    for (size_t i = 0; known[i]; i++)
        if (!v->text.len || str_is(v->text, known[i]))
            return;
    fields_suggest(&hint, v->text, known);
    err_at(in->e, &v->pos,
           "startup_check: \"" STR_FMT "\" is not known%s; warn says that the host's driver is too "
           "old, fail ends the container then, off checks nothing",
           STR_ARG(v->text), hint.p ? hint.p : "");
}

static void read_compression(struct reading *in, const struct node *n)
{
    static const char *const known[] = {COMPRESSION_NAMES, NULL};
    struct values *list = &in->r->compression;
    CLEANUP(buf_clear) struct buf hint = {0};
    enum compression how;
    struct value v;

    if (!reading_text(in, n, "compression", &v))
        return;
    if (compression_is(&how, v.text)) {
        vec_add(list, v);
        return;
    }
    fields_suggest(&hint, v.text, known);
    err_at(in->e, &v.pos,
           "compression: \"" STR_FMT
           "\" is not known%s; gzip is read by all, gzip,single by those too that stop after "
           "one gzip member, zstd and zstd:chunked by podman, containerd and Docker from 23 "
           "on",
           STR_ARG(v.text), hint.p ? hint.p : "");
}

static bool is_zstd(const struct value *v)
{
    enum compression how = COMPRESSION_GZIP;

    return compression_is(&how, v->text) && compression_is_zstd(how);
}

/* Of a list each client takes what it can, and the first where it can both. */
static void check_compression(struct reading *in)
{
    const struct node *n, *own = node_get(in->f.map, "compression");
    struct values *list = &in->r->compression;

    if (!own)
        return;
    if (own->kind != NODE_LIST)
        read_compression(in, own);
    else
        node_each(n, own)
            read_compression(in, n);
    if (own->kind == NODE_LIST &&
        (own->count != 2 || (list->n == 2 && is_zstd(&list->v[0]) == is_zstd(&list->v[1]))))
        err_at(in->e, &own->pos,
               "compression: a list is one kind of gzip and one of zstd, as in [gzip, zstd]: an "
               "index of both, from which each client takes what it reads");
    if (list->n == 2 && is_zstd(&list->v[0])) {
        struct value first = list->v[0];

        list->v[0] = list->v[1];
        list->v[1] = first;
    }
    if (list->n == 1 && str_is(list->v[0].text, "gzip"))
        list->n = 0; /* it is what no word means */
}

static void check_context(struct reading *in)
{
    struct value *v = &in->r->context;

    reading_value(in, "context", v);
    if (str_starts(v->text, STR("/")) || str_has(v->text, '\0'))
        err_at(in->e, &v->pos,
               "context: \"" STR_FMT "\" must be relative to the recipe's folder, as in `context: "
               "..`",
               STR_ARG(v->text));
}

void recipe_read_values(struct reading *in)
{
    check_name(in);
    check_pytorch(in);
    check_cuda(in);
    check_cudnn(in);
    check_variant(in);
    check_base(in);
    check_python(in);
    check_workdir(in);
    check_context(in);
    check_startup(in);
    check_compression(in);
    check_tag(in);
}
