/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy.h"

#include "../base/dotted.h"
#include "../base/path.h"
#include "../oci/ref.h"

enum { VERSION_MAX = 64, ARCHS_MAX = 256, NAME_MAX_LEN = 50 };

/* ---- what an image says of itself ---- */

static bool holds_only(struct str s, const char *more, size_t most)
{
    for (size_t i = 0; i < s.len; i++)
        if (!c_alnum(s.p[i]) && !strchr(more, s.p[i]))
            return false;
    return s.len <= most && !memchr(s.p ? s.p : "", '\0', s.len);
}

/* "9.0", "9.0a", "12.0+PTX". */
static bool is_arch(struct str word)
{
    str_drop(&word, STR("+PTX"));
    if (!str_drop(&word, STR("a")))
        str_drop(&word, STR("f"));
    return dotted_is(word, 2, 2) && node_selector_takes(word);
}

static bool are_archs(struct str archs)
{
    struct str word;

    if (archs.len > ARCHS_MAX || memchr(archs.p ? archs.p : "", '\n', archs.len))
        return false;
    while (str_word(&archs, &word))
        if (!is_arch(word))
            return false;
    return true;
}

static int check_said(const struct deploy_image *image, struct err *e)
{
    const struct facts *f = image->facts;
    const struct {
        const char *what;
        struct str text;
    } versions[] = {{"version of PyTorch", f->pytorch},
                    {"version of CUDA", f->cuda},
                    {"version of cuDNN", f->cudnn}};

    for (size_t i = 0; i < ARRAY_LEN(versions); i++)
        if (!holds_only(versions[i].text, ".+-_!", VERSION_MAX))
            err_set(e, ERR_INPUT, "what the image says is its %s is none", versions[i].what);
    if (f->driver_min.len && !node_selector_takes(f->driver_min))
        err_set(e, ERR_INPUT, "the label of the image for its oldest driver is not a version");
    if (f->compat.len && !node_selector_takes(f->compat))
        err_set(e, ERR_INPUT,
                "the label of the image for the driver that it brings is not a version");
    if (!are_archs(f->archs))
        err_set(e, ERR_INPUT,
                "the label of the image for GPU architectures is not a list "
                "such as \"8.0 9.0+PTX\"");
    if (!image->architecture.len || !holds_only(image->architecture, "", VERSION_MAX))
        err_set(e, ERR_INPUT, "what the image says is its processor's architecture is none");
    return err_is_set(e) ? -1 : 0;
}

static int count_gpus(struct deploy *d, const uint32_t *gpus, struct err *e)
{
    const struct facts *f = d->image->facts;

    if (!gpus && !f->cuda.len && !f->pytorch.len)
        return err_set(e, ERR_INPUT,
                       "the image has neither PyTorch nor CUDA, and what it needs of a machine is "
                       "not known; --gpus 0 asks for no GPU");
    if (gpus && *gpus && !f->cuda.len)
        return err_set(e, ERR_USAGE,
                       "--gpus %u: the image has no CUDA, and can do nothing with a GPU; leave "
                       "--gpus out",
                       *gpus);
    d->all_gpus = !gpus;
    d->gpus = gpus ? *gpus : f->cuda.len ? 1 : 0;
    return 0;
}

/* ---- words ---- */

/* The last part of the repository. */
static const char *name_of(struct arena *a, struct str repository)
{
    struct str rest = repository, head;
    char *name;
    size_t n;

    while (str_cut(&rest, STR("/"), &head))
        ;
    name = arena_cstr(a, str_sub(rest, 0, NAME_MAX_LEN));
    for (n = 0; name[n]; n++)
        if (!c_alnum(name[n]))
            name[n] = '-';
    while (n && name[n - 1] == '-')
        name[--n] = '\0';
    return name;
}

static const char *what_of(struct arena *a, const struct facts *f)
{
    CLEANUP(buf_clear) struct buf out = {0};

    if (f->pytorch.len)
        buf_fmt(&out, "PyTorch " STR_FMT ", ", STR_ARG(f->pytorch));
    if (f->cuda.len)
        buf_fmt(&out, "CUDA " STR_FMT, STR_ARG(f->cuda));
    else
        buf_puts(&out, f->pytorch.len ? "without CUDA" : "neither PyTorch nor CUDA");
    if (f->cuda.len && f->cudnn.len)
        buf_fmt(&out, ", cuDNN " STR_FMT, STR_ARG(f->cudnn));
    return arena_cstr(a, buf_view(&out));
}

/* Does such a command do nothing by itself, or end at once when nobody types? */
static bool is_idle(const struct strs *cmd)
{
    static const char *const names[] = {"sh", "bash", "dash", "python", "python3"};
    struct str last = cmd->n ? cmd->v[0] : (struct str){0}, head;

    while (str_cut(&last, STR("/"), &head))
        ;
    for (size_t i = 0; cmd->n == 1 && i < ARRAY_LEN(names); i++)
        if (str_is(last, names[i]))
            return true;
    return !cmd->n;
}

static const char *try_of(const struct deploy *d)
{
    if (!d->image->facts->pytorch.len || !is_idle(d->image->cmd))
        return NULL;
    return d->gpus ? "import torch; print(torch.__version__, torch.cuda.get_device_name())"
                   : "import torch; print(torch.__version__)";
}

void deploy_comment(struct buf *out, const struct deploy *d)
{
    const struct facts *f = d->image->facts;

    buf_fmt(out, "# %s", d->what);
    if (ref_tag_ok(d->image->tag))
        buf_fmt(out, " (" STR_FMT ")", STR_ARG(d->image->tag));
    buf_puts(out, "\n");
    if (!f->cuda.len)
        buf_puts(out, "# It asks nothing of a GPU.\n");
    else if (!d->gpus)
        buf_puts(out, "# No GPU is asked for: it runs on the CPU alone.\n");
    else if (f->driver_min.len)
        buf_fmt(out, "# It needs NVIDIA driver " STR_FMT " or newer.\n", STR_ARG(f->driver_min));
    else
        buf_fmt(out, "# Which NVIDIA driver CUDA " STR_FMT " needs is not known.\n",
                STR_ARG(f->cuda));
    if (d->gpus && f->archs.len)
        buf_fmt(out, "# It has code for GPUs of compute capability " STR_FMT ".\n",
                STR_ARG(f->archs));
    else if (d->gpus)
        buf_puts(out, "# For which GPUs it has code is not known.\n");
    if (d->gpus && f->compat.len)
        buf_fmt(out,
                "# It brings NVIDIA's forward-compatibility package (of driver " STR_FMT
                "), which lets data-center GPUs\n# do with an older driver; that is not counted "
                "on here.\n",
                STR_ARG(f->compat));
    if (d->image->local.len) {
        buf_puts(out,
                 "# The image is one that the engine of this machine has, by its name there; a "
                 "machine that pulls it needs\n# --as with the repository.\n");
        return;
    }
    buf_puts(out, "# The digest holds where the image was copied byte for byte: `skopeo copy "
                  "--preserve-digests` does that,\n# `docker push` does not always.\n");
}

/* ---- what it offers ---- */

bool deploy_is_plain(struct str s)
{
    return s.len && holds_only(s, "/._-", VERSION_MAX * 4);
}

static int port_compare(const void *x, const void *y)
{
    const struct image_port *a = x, *b = y;

    return a->number != b->number ? (a->number < b->number ? -1 : 1)
                                  : strcmp(a->protocol, b->protocol);
}

static int volume_compare(const void *x, const void *y)
{
    const struct deploy_volume *a = x, *b = y;

    return strcmp(a->path, b->path);
}

/* What is no port is left out. */
static void take_ports(struct deploy *d)
{
    for (size_t i = 0; i < d->image->ports->n; i++) {
        struct image_port port;
        bool twice = false;

        if (!image_port_parse(&port, d->image->ports->v[i]))
            continue;
        for (size_t j = 0; j < d->ports.n; j++)
            twice |= d->ports.v[j].number == port.number && d->ports.v[j].protocol == port.protocol;
        if (!twice)
            vec_add(&d->ports, port);
    }
    vec_sort(&d->ports, port_compare);
}

/* "srv-cache" of "/srv/cache". */
static char *volume_word(struct arena *a, struct str path)
{
    char *name = arena_cstr(a, str_sub(path, 1, path.len < NAME_MAX_LEN ? path.len : NAME_MAX_LEN));
    size_t n;

    for (n = 0; name[n]; n++)
        name[n] = c_alnum(name[n]) ? c_lower(name[n]) : '-';
    while (n && name[n - 1] == '-')
        name[--n] = '\0';
    while (*name == '-')
        name++;
    return name;
}

static bool name_is_taken(const struct deploy *d, size_t before, const char *name)
{
    for (size_t i = 0; i < before; i++)
        if (strcmp(d->volumes.v[i].name, name) == 0)
            return true;
    return !name[0] || strcmp(name, "shm") == 0; /* which a Job has */
}

static void name_volume(struct deploy *d, size_t i)
{
    struct deploy_volume *v = &d->volumes.v[i];
    const char *word = volume_word(&d->arena, str_of(v->path));

    v->name = word;
    for (unsigned n = 2; name_is_taken(d, i, v->name); n++)
        v->name = arena_fmt(&d->arena, "%s-%u", word[0] ? word : "volume", n);
}

/* A path that is anything but plain is left out, and so is a file system of the kernel's. */
static void take_volumes(struct deploy *d)
{
    for (size_t i = 0; i < d->image->volumes->n; i++) {
        CLEANUP(buf_clear) struct buf clean = {0};
        struct str path = d->image->volumes->v[i];
        bool good = deploy_is_plain(path) && path.p[0] == '/' && path_clean(&clean, path) &&
                    clean.len > 1 && !path_is_kernels(buf_view(&clean));

        for (size_t j = 0; j < d->volumes.n; j++)
            good = good && strcmp(d->volumes.v[j].path, clean.p) != 0;
        if (good)
            vec_push(&d->volumes)->path = arena_cstr(&d->arena, buf_view(&clean));
    }
    vec_sort(&d->volumes, volume_compare);
    for (size_t i = 0; i < d->volumes.n; i++)
        name_volume(d, i);
}

/* ---- opening ---- */

int deploy_open(struct deploy *out, const struct deploy_image *image, const uint32_t *gpus,
                const struct catalog *c, struct err *e)
{
    CLEANUP(deploy_clear) struct deploy d = {.image = image};
    const struct facts *f = image->facts;
    char digest[DIGEST_TEXT + 1];

    if (check_said(image, e) < 0 || count_gpus(&d, gpus, e) < 0)
        return -1;
    digest_text(&image->digest, digest);
    d.ref = image->local.len
                ? arena_fmt(&d.arena, STR_FMT, STR_ARG(image->local))
                : arena_fmt(&d.arena, STR_FMT "@%s", STR_ARG(image->repository), digest);
    d.name = name_of(&d.arena, image->repository);
    d.what = what_of(&d.arena, f);
    d.try = try_of(&d);
    take_ports(&d);
    take_volumes(&d);
    d.health = image->health->command.n ? image->health : NULL;
    d.checks = image->entrypoint->n && str_is(image->entrypoint->v[0], LOCK_STARTUP_CHECK);
    d.idle = image->entrypoint->n == d.checks && is_idle(image->cmd);
    if (d.gpus) {
        node_selector_for(&d.wanted, f, c);
        if (f->driver_min.len)
            node_selector_for_driver(&d.drivers, f->driver_min);
        if (!d.wanted.terms.n)
            return err_set(e, ERR_UNSAT,
                           "%s: there is no driver and GPU that the catalog knows to run it; it "
                           "has code for \"" STR_FMT "\"",
                           d.what, STR_ARG(f->archs));
    }
    MOVE(out, &d);
    return 0;
}

void deploy_clear(struct deploy *d)
{
    vec_clear(&d->ports);
    vec_clear(&d->volumes);
    node_selector_clear(&d->wanted);
    node_selector_clear(&d->drivers);
    arena_clear(&d->arena);
    *d = (struct deploy){0};
}
