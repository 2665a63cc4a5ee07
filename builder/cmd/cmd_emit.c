/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/fs.h"
#include "../base/random.h"
#include "../doc/field.h"
#include "../host/deploy.h"
#include "../oci/ref.h"
#include "../serve/listen.h"
#include "engine.h"
#include "output.h"
#include "stored_facts.h"
#include "work.h"

struct gpus_wanted {
    bool given;
    uint32_t n;
};

struct emit_args {
    const char *as;
    struct gpus_wanted gpus;
    bool monitoring;
    uint32_t seats; /* 0: nobody asked */
    const char *sheet, *host;
};

struct emitting {
    struct catalog catalog;
    struct lock lock;
    struct work work; /* of a recipe */
    struct stored_facts stored;
    struct buf user, name, local;
    struct ref ref;
    struct buf repository;
    struct deploy_image image;
    struct arena arena; /* hosts and tokens */
    struct strs tokens;
    struct deploy_seats seats;
    struct deploy deploy;
};

static void emitting_clear(struct emitting *m)
{
    deploy_clear(&m->deploy);
    vec_clear(&m->tokens);
    arena_clear(&m->arena);
    buf_clear(&m->repository);
    ref_clear(&m->ref);
    buf_clear(&m->local);
    buf_clear(&m->name);
    buf_clear(&m->user);
    stored_facts_clear(&m->stored);
    work_clear(&m->work);
    lock_clear(&m->lock);
    catalog_clear(&m->catalog);
}

/* ---- what is written ---- */

struct manifest_kind {
    const char *name;
    bool here;   /* may run it on this machine, by the name that the engine has */
    bool strict; /* asks for a GPU or for none: it is fatal where there is none */
    bool many;   /* takes other containers beside the image's */
    void (*print)(struct buf *out, const struct deploy *d);
};
static const struct manifest_kind kinds[] = {
    {"k8s", false, false, true, deploy_k8s},
    {"compose", true, true, true, deploy_compose},
    {"slurm", false, false, false, deploy_slurm},
    {"devcontainer", true, false, false, deploy_devcontainer},
};

static const struct manifest_kind *find_kind(const char *word, struct err *e)
{
    static const char *const names[] = {"k8s", "compose", "slurm", "devcontainer", NULL};
    CLEANUP(buf_clear) struct buf nearest = {0};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].name, word) == 0)
            return &kinds[i];
    if (strcmp(word, "kubernetes") == 0)
        buf_puts(&nearest, " (did you mean \"k8s\"?)");
    else
        fields_suggest(&nearest, str_of(word), names);
    err_set(e, ERR_USAGE,
            "\"%s\" is not a kind that emit writes%s; the kinds are k8s, compose, slurm and "
            "devcontainer",
            word, nearest.p ? nearest.p : "");
    return NULL;
}

/* ---- the image ---- */

static int no_digest(const char *operand, const struct stored *image, struct err *e)
{
    CLEANUP(buf_clear) struct buf from = {0};
    struct str name = str_of(operand);

    if (image->files.tree)
        return err_set(e, ERR_INPUT,
                       "%s holds the files of a container and no image, so there is no digest; "
                       "`docker import %s NAME` makes an image of them",
                       operand, image->files.path);
    if (str_skip(&name, STR("docker:")))
        buf_fmt(&from, "docker-daemon:" STR_FMT, STR_ARG(name));
    else if (str_skip(&name, STR("podman:")))
        buf_fmt(&from, "containers-storage:" STR_FMT, STR_ARG(name));
    else
        buf_fmt(&from, "docker-archive:%s", image->files.path);
    return err_set(e, ERR_INPUT,
                   "%s does not tell the digest of its image, as older `docker save` writes it; "
                   "`skopeo copy %s oci:images:TAG` gives it one, and `emit` then takes "
                   "oci:images:TAG",
                   operand, from.p);
}

/* Of an index the one for linux/amd64 whose layers every client reads is named. */
static void tell_chosen(struct session *s, const char *operand, const struct stored *image)
{
    const struct descriptors *layers = &image->manifest.layers;
    const struct platform *p = &image->config.platform;
    char digest[DIGEST_TEXT + 1];

    if (s->quiet || s->json || digest_eq(&image->root, &image->digest) ||
        !digest_is_set(&image->root))
        return;
    digest_text(&image->digest, digest);
    progress_pause(s->progress);
    output_message("%s is an index; of its images the one for " STR_FMT "/" STR_FMT
                   " with %s layers is named, %s",
                   operand, STR_ARG(p->os), STR_ARG(p->architecture),
                   layers->n && str_ends(layers->v[0].media_type, STR("zstd")) ? "zstd" : "gzip",
                   digest);
}

static int from_stored(struct emitting *m, struct session *s, const char *operand, struct err *e)
{
    const struct stored *image = &m->stored.image;

    if (stored_facts_open(&m->stored, s, operand, &m->catalog, e) < 0)
        return -1;
    if (!digest_is_set(&image->digest) && !m->image.local.len)
        return no_digest(operand, image, e);
    tell_chosen(s, operand, image);
    buf_str(&m->name, image->name);
    m->image = (struct deploy_image){.local = m->image.local,
                                     .digest = image->digest,
                                     .architecture = image->config.platform.architecture,
                                     .facts = &m->stored.facts,
                                     .user = image->config.user,
                                     .workdir = image->config.workdir,
                                     .entrypoint = &image->config.entrypoint,
                                     .cmd = &image->config.cmd,
                                     .ports = &image->config.ports,
                                     .volumes = &image->config.volumes,
                                     .health = &image->config.health};
    return 0;
}

/* As the image's config will have it: see assemble/image.c. `recipe` is what to build. */
static int from_lock(struct emitting *m, const struct lock *lock, const char *recipe, struct err *e)
{
    if (!lock->built)
        return err_set(
            e, ERR_INPUT,
            "the image is not built yet, so its digest is not known; run `envbuild build "
            "%s` first",
            recipe);
    if (lock->user.name.len)
        buf_fmt(&m->user, "%u:%u", lock->user.uid, lock->user.gid);
    buf_fmt(&m->name, STR_FMT ":" STR_FMT, STR_ARG(lock->name), STR_ARG(lock->tag));
    m->image = (struct deploy_image){.digest = lock->manifest,
                                     .architecture = lock->arch,
                                     .facts = &lock->facts,
                                     .user = buf_view(&m->user),
                                     .workdir = lock->workdir,
                                     .entrypoint = &lock->entrypoint,
                                     .cmd = &lock->cmd,
                                     .ports = &lock->ports,
                                     .volumes = &lock->volumes,
                                     .health = &lock->health};
    return 0;
}

static int from_recipe(struct emitting *m, struct session *s, const char *path, struct err *e)
{
    CLEANUP(buf_clear) struct buf words = {0};
    struct work *w = &m->work;
    bool fits;

    if (work_open(w, s, path, NULL, e) < 0 || work_fits(w, &fits, &words, e) < 0)
        return -1;
    if (!w->has_lock)
        return err_set(
            e, ERR_INPUT,
            "%s has no lock, so the digest of its image is not known; run `envbuild build "
            "%s` first",
            path, path);
    if (!fits)
        return err_set(e, ERR_INPUT,
                       "%s changed since its lock was written, so the digest of its image is not "
                       "known; run `envbuild lock %s` and `envbuild build %s` first",
                       path, path, path);
    if (words.len)
        return err_set(e, ERR_INPUT,
                       "%s, so the digest of its image is not known; run `envbuild build %s` first",
                       words.p, path);
    return from_lock(m, &w->lock, path, e);
}

/* "docker:NAME" of what a build that loads its image prints, NAME; else nothing. */
static void find_loaded(struct buf *out, const struct session *s, const char *operand)
{
    static const char *const engines[] = {"docker", "podman"};
    CLEANUP(ref_clear) struct ref ref = {0};
    CLEANUP(err_clear) struct err ignored = {0};

    if (fs_exists(operand) || stored_is_image(str_of(operand), ".") ||
        ref_parse(&ref, str_of(operand), &ignored) < 0 || !ref.tag)
        return;
    for (size_t i = 0; i < ARRAY_LEN(engines) && !out->len; i++) {
        char *const argv[] = {(char *)(uintptr_t)engines[i], (char[]){"image"}, (char[]){"inspect"},
                              (char *)(uintptr_t)operand, NULL};

        if (engine_agrees(argv, s->events))
            buf_fmt(out, "%s:%s", engines[i], operand);
    }
}

/* `here`: the image may be named as the engine of this machine names it. */
static int find_image(struct emitting *m, struct session *s, const char *operand, bool here,
                      struct err *e)
{
    CLEANUP(buf_clear) struct buf loaded = {0};
    struct str name = str_of(operand);

    if (str_ends(name, STR(".lock")))
        return lock_read(&m->lock, operand, e) < 0 ? -1 : from_lock(m, &m->lock, "RECIPE", e);
    find_loaded(&loaded, s, operand);
    if (loaded.len)
        operand = loaded.p;
    name = str_of(operand);
    if (here && (str_skip(&name, STR("docker:")) || str_skip(&name, STR("podman:")))) {
        buf_str(&m->local, name);
        m->image.local = buf_view(&m->local);
    }
    if (stored_is_image(str_of(operand), "."))
        return from_stored(m, s, operand, e);
    if (work_is_recipe(operand))
        return from_recipe(m, s, operand, e);
    return err_set(
        e, ERR_USAGE,
        "\"%s\" is not a stored image (oci:DIR:TAG, oci-archive:FILE, docker-archive:FILE, "
        "docker:NAME), recipe or lock; a tag alone has no digest",
        operand);
}

/* ---- where it lies ---- */

static int repository_named(struct emitting *m, const char *as, struct err *e)
{
    CLEANUP(ref_clear) struct ref named = {0};

    if (ref_parse(&named, str_of(as), e) < 0) {
        e->kind = ERR_USAGE;
        return err_wrap(e, "--as");
    }
    if (named.tag || strchr(as, '@'))
        return err_set(e, ERR_USAGE,
                       "--as: \"%s\" has a %s; give the repository alone, because the image is "
                       "named by its digest",
                       as, named.tag ? "tag" : "digest");
    buf_puts(&m->repository, as);
    return 0;
}

/* By its own name; one without a registry means docker.io, to Kubernetes as to Docker. */
static int repository_own(struct emitting *m, struct session *s, struct err *e)
{
    CLEANUP(buf_clear) struct buf full = {0};
    struct str name;

    if (!m->ref.path && !m->image.local.len)
        return err_set(e, ERR_INPUT,
                       "the image has no name; say where it is pulled from, with --as "
                       "registry.example.org/team/pytorch");
    if (m->image.local.len) {
        name = m->image.local;
        name.len = str_find(name, ':');
        buf_str(&m->repository, name);
        return 0;
    }
    ref_print_full(&m->ref, &full);
    name = buf_view(&full);
    name.len = str_find(name, '@');
    if (m->ref.tag)
        name.len -= strlen(m->ref.tag) + 1;
    else
        str_drop(&name, STR(":latest"));
    buf_str(&m->repository, name);
    if (!m->ref.host || str_starts(name, STR("docker.io/library/")))
        events_warn(s->events,
                    "the image's name has no registry, so it means " STR_FMT
                    "; say where it is pulled from, with --as registry.example.org/team/pytorch",
                    STR_ARG(name));
    return 0;
}

static int find_place(struct emitting *m, struct session *s, const char *as, struct err *e)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* such a name is as good as none */

    if (m->name.len && ref_parse(&m->ref, buf_view(&m->name), &ignored) == 0)
        m->image.tag = str_of(m->ref.tag);
    if ((as ? repository_named(m, as, e) : repository_own(m, s, e)) < 0)
        return -1;
    m->image.repository = buf_view(&m->repository);
    return 0;
}

/* ---- what stands beside it ---- */

static int check_asked(const struct emit_args *a, const struct manifest_kind *kind, struct err *e)
{
    if (a->monitoring && !kind->many)
        return err_set(e, ERR_USAGE, "--monitoring goes with k8s and compose, not with %s",
                       kind->name);
    if (a->seats && kind->print != deploy_compose)
        return err_set(e, ERR_USAGE, "--seats goes with compose, not with %s", kind->name);
    if (a->sheet && !a->seats)
        return err_set(e, ERR_USAGE, "--sheet goes with --seats");
    if (a->host && !a->sheet)
        return err_set(e, ERR_USAGE, "--host goes with --sheet, where it is written");
    return 0;
}

/* "7k3m-x9qd-0ebt-5vhz". */
static int make_token(struct str *out, struct arena *a, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};

    if (random_code(&text, 4, e) < 0)
        return -1;
    *out = arena_str(a, buf_view(&text));
    return 0;
}

/* By what others reach this machine, if it is the one. */
static int find_host(struct emitting *m, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    CLEANUP(names_clear) struct names hosts = {0};
    struct str host, port;
    uint16_t any;

    if (listen_open(&fd, &any, STR(":0"), e) < 0 || listen_hosts(&hosts, &fd, e) < 0)
        return -1;
    host = str_of(hosts.v[0]);
    str_cut_last(&host, STR(":"), &port);
    m->seats.host = arena_str(&m->arena, host);
    return 0;
}

static int take_seats(struct emitting *m, const struct emit_args *a, struct err *e)
{
    m->seats.host = str_of(a->host);
    m->seats.tokens = &m->tokens;
    if (a->sheet && !a->host && find_host(m, e) < 0)
        return -1;
    for (uint32_t i = 0; i < a->seats; i++)
        if (make_token(vec_push(&m->tokens), &m->arena, e) < 0)
            return -1;
    return deploy_take_seats(&m->deploy, &m->seats, e);
}

static int write_sheet(const struct emitting *m, const char *path, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};

    deploy_sheet(&text, &m->deploy);
    return fs_write(path, buf_view(&text), e);
}

/* ---- printing ---- */

static void print_json(struct session *s, const struct emitting *m, const char *kind,
                       struct str text)
{
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = node_new_map(&d);

    node_put_u64(&d, root, "envbuild_output", 1);
    node_put_str(&d, root, "kind", str_of(kind));
    node_put_str(&d, root, "image", str_of(m->deploy.ref));
    node_put_u64(&d, root, "gpus", m->deploy.gpus);
    node_put_str(&d, root, "text", text);
    session_json(s, &d, root);
}

/* How many GPUs to ask for where nobody said; NULL: as the image is. */
static const uint32_t *usual_gpus(const struct manifest_kind *kind, const struct emitting *m,
                                  struct session *s)
{
    static const uint32_t none = 0;

    if (!kind->strict || !m->image.facts->cuda.len || engine_has_gpus())
        return NULL;
    if (!s->quiet && !s->json) {
        progress_pause(s->progress);
        output_message("this machine has no GPU, so none is asked for; --gpus N asks for N");
    }
    return &none;
}

static int emit(struct session *s, const char *word, const char *operand, const struct emit_args *a,
                struct err *e)
{
    CLEANUP(emitting_clear) struct emitting m = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    const struct manifest_kind *kind = find_kind(word, e);

    if (!kind || check_asked(a, kind, e) < 0 || catalog_open(&m.catalog, s->catalog_dir, e) < 0 ||
        find_image(&m, s, operand, kind->here && !a->as, e) < 0 ||
        find_place(&m, s, a->as, e) < 0 ||
        deploy_open(&m.deploy, &m.image, a->gpus.given ? &a->gpus.n : usual_gpus(kind, &m, s),
                    &m.catalog, e) < 0 ||
        (a->seats && take_seats(&m, a, e) < 0) ||
        (a->monitoring && deploy_watch(&m.deploy, e) < 0) ||
        (a->sheet && write_sheet(&m, a->sheet, e) < 0))
        return -1;
    kind->print(&text, &m.deploy);
    progress_pause(s->progress);
    if (s->json)
        print_json(s, &m, kind->name, buf_view(&text));
    else
        output_text(buf_view(&text));
    return 0;
}

static int opt_gpus(void *value, const char *arg, struct err *e)
{
    struct gpus_wanted *g = value;

    if (!str_u32(str_of(arg), &g->n) || g->n > 1024)
        return err_set(e, ERR_USAGE, "\"%s\" is not a number from 0 to 1024", arg);
    g->given = true;
    return 0;
}

static int opt_seats(void *value, const char *arg, struct err *e)
{
    uint32_t *n = value;

    if (!str_u32(str_of(arg), n) || !*n || *n > SEATS_MAX)
        return err_set(e, ERR_USAGE, "\"%s\" is not a number from 1 to %d", arg, SEATS_MAX);
    return 0;
}

int cmd_emit(struct session *s, int argc, char **argv, struct err *e)
{
    struct emit_args a = {0};
    const struct opt own[] = {
        {0, "as", "REPOSITORY",
         "where it is pulled from: registry.example.org/team/pytorch (the image's name)", opt_str,
         &a.as},
        {0, "gpus", "N",
         "GPUs to ask for (1; none without CUDA, or in Compose's file on a machine that has none)",
         opt_gpus, &a.gpus},
        {0, "monitoring", NULL, "and what watches the GPUs; for k8s and compose", opt_flag,
         &a.monitoring},
        {0, "seats", "N",
         "a container a student, each with a port and a token; for compose (one container)",
         opt_seats, &a.seats},
        {0, "sheet", "FILE", "write the seats' addresses and tokens, as HTML to print (none)",
         opt_str, &a.sheet},
        {0, "host", "HOST", "by which students reach the machine of the seats (this machine's)",
         opt_str, &a.host},
    };

    if (session_begin(s, "emit", own, ARRAY_LEN(own), &argc, argv, 2, 2, e) < 0)
        return -1;
    return s->help ? 0 : emit(s, argv[0], argv[1], &a, e);
}
