/* SPDX-License-Identifier: Apache-2.0 */
#include "dest.h"

#include <assert.h>
#include <unistd.h>

#include "../doc/field.h"
#include "../oci/folder.h"
#include "../oci/layout.h"
#include "../oci/ref.h"
#include "../oci/tarball.h"
#include "load.h"

static const char forms[] =
    "oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE, dir:DIR, "
    "docker://HOST/NAME[:TAG], docker:, podman: and - (a docker-archive on standard output)";

struct scheme {
    const char *name;
    enum dest_kind kind;
};

static const struct scheme schemes[] = {
    {"oci", DEST_LAYOUT},         {"oci-archive", DEST_OCI_ARCHIVE},
    {"dir", DEST_FOLDER},         {"docker-archive", DEST_DOCKER_ARCHIVE},
    {"docker", DEST_DOCKER},      {"podman", DEST_PODMAN},
    {"docker://", DEST_REGISTRY}, /* no scheme of its own: parse_load() */
};

static const char *scheme_name(enum dest_kind kind)
{
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (schemes[i].kind == kind)
            return schemes[i].name;
    return "";
}

/* "[NAME:]TAG" behind a layout's folder or file. */
static int parse_layout_tag(struct dest *d, struct str text, struct err *e)
{
    CLEANUP(ref_clear) struct ref ref = {0};

    if (ref_tag_ok(text)) {
        d->tag = str_dup(text);
        return 0;
    }
    if (ref_parse(&ref, text, e) < 0 || !ref.tag || digest_is_set(&ref.digest)) {
        err_clear(e);
        return err_set(e, ERR_USAGE,
                       "\"" STR_FMT
                       "\" is neither a tag nor name:tag; a tag holds A-Z, a-z, 0-9, _, .,"
                       " and -, at most %d characters",
                       STR_ARG(text), REF_TAG_MAX);
    }
    d->name = ref_repository(&ref);
    MOVE(&d->tag, &ref.tag);
    d->layout_tag = str_dup(text);
    return 0;
}

static int parse_layout(struct dest *d, struct str rest, struct err *e)
{
    struct str dir = rest, tag = rest;

    if (str_cut(&tag, STR(":"), &dir) && parse_layout_tag(d, tag, e) < 0)
        return -1;
    if (!dir.len)
        return err_set(e, ERR_USAGE, "oci: names no folder; write oci:DIR or oci:DIR:TAG");
    d->path = str_dup(dir);
    return 0;
}

static int parse_name(struct dest *d, struct str text, struct err *e)
{
    CLEANUP(ref_clear) struct ref ref = {0};
    CLEANUP(err_clear) struct err why = {0};

    if ((d->kind == DEST_REGISTRY ? ref_parse_stored : ref_parse)(&ref, text, &why) < 0)
        return err_set(e, ERR_USAGE, "%s: %s", scheme_name(d->kind), why.msg);
    if (digest_is_set(&ref.digest))
        return err_set(e, ERR_USAGE, "%s: a digest cannot be chosen; write name:tag",
                       scheme_name(d->kind));
    d->name = ref_repository(&ref);
    MOVE(&d->tag, &ref.tag);
    return 0;
}

static int parse_file(struct dest *d, struct str rest, struct err *e)
{
    struct str file = rest, name = rest;

    if (str_cut(&name, STR(":"), &file) &&
        (d->kind == DEST_OCI_ARCHIVE ? parse_layout_tag(d, name, e) : parse_name(d, name, e)) < 0)
        return -1;
    if (!file.len)
        return err_set(e, ERR_USAGE, "%s: names no file", scheme_name(d->kind));
    if (!str_is(file, "-")) {
        d->path = str_dup(file);
        return 0;
    }
    if (d->kind == DEST_OCI_ARCHIVE)
        return err_set(e, ERR_USAGE,
                       "an oci-archive needs a file; only docker-archive:- can be a"
                       " stream");
    return 0;
}

static int parse_load(struct dest *d, struct str rest, struct err *e)
{
    if (!rest.len)
        return 0;
    if (d->kind == DEST_DOCKER && str_skip(&rest, STR("//")))
        d->kind = DEST_REGISTRY;
    return parse_name(d, rest, e);
}

static int parse_rest(struct dest *d, struct str rest, struct err *e)
{
    switch (d->kind) {
    case DEST_LAYOUT:
        return parse_layout(d, rest, e);
    case DEST_FOLDER:
        if (!rest.len)
            return err_set(e, ERR_USAGE, "dir: names no folder; write dir:DIR");
        d->path = str_dup(rest);
        return 0;
    case DEST_OCI_ARCHIVE:
    case DEST_DOCKER_ARCHIVE:
        return parse_file(d, rest, e);
    case DEST_REGISTRY:
    case DEST_DOCKER:
    case DEST_PODMAN:
        return parse_load(d, rest, e);
    }
    return -1;
}

/* No scheme that we know: is it a registry's host/name:tag? */
static int refuse(const char *text, struct err *e)
{
    CLEANUP(ref_clear) struct ref ref = {0};
    CLEANUP(err_clear) struct err ignored = {0}; /* then it is no reference */

    if (ref_parse(&ref, str_of(text), &ignored) == 0 && ref.host)
        return err_set(
            e, ERR_USAGE,
            "\"%s\" does not say what kind of place it is; if it is a registry, write docker://%s",
            text, text);
    return err_set(e, ERR_USAGE, "\"%s\" is not a place that envbuild knows; the places are %s",
                   text, forms);
}

/* ",compression=WORD" at the end, which is cut off. */
static int parse_compression(struct dest *d, struct str *text, struct err *e)
{
    static const char *const names[] = {COMPRESSION_NAMES, NULL};
    CLEANUP(buf_clear) struct buf hint = {0};
    struct str word = *text, place;

    if (!str_cut(&word, STR(",compression="), &place))
        return 0;
    if (!compression_is(&d->compression, word)) {
        fields_suggest(&hint, word, names);
        return err_set(e, ERR_USAGE,
                       "compression=" STR_FMT " is not known%s; there are gzip, gzip,single, zstd "
                       "and zstd:chunked",
                       STR_ARG(word), hint.p ? hint.p : "");
    }
    d->compressed = true;
    *text = place;
    return 0;
}

int dest_parse(struct dest *out, const char *whole, struct err *e)
{
    CLEANUP(dest_clear) struct dest d = {0};
    struct str rest = str_of(whole), scheme;
    CLEANUP(free_clear) char *text = NULL;
    bool known = false;

    if (parse_compression(&d, &rest, e) < 0)
        return -1;
    text = str_dup(rest);
    rest = str_of(text);
    if (!strcmp(text, "-"))
        rest = STR("docker-archive:-");
    if (!str_cut(&rest, STR(":"), &scheme))
        return refuse(text, e);
    for (size_t i = 0; i < ARRAY_LEN(schemes) && !known; i++) {
        known = str_is(scheme, schemes[i].name);
        d.kind = schemes[i].kind;
    }
    if (!known)
        return refuse(text, e);
    if (parse_rest(&d, rest, e) < 0)
        return -1;
    MOVE(out, &d);
    return 0;
}

void dest_clear(struct dest *d)
{
    free(d->path);
    free(d->name);
    free(d->tag);
    free(d->layout_tag);
    vec_clear(&d->mounts);
    *d = (struct dest){0};
}

struct compressions dest_forms(const struct dest *d, const struct lock *lock)
{
    struct compressions list = lock_compressions(lock);

    if (d->compressed)
        return (struct compressions){{d->compression}, 1};
    if (d->kind != DEST_LAYOUT && d->kind != DEST_OCI_ARCHIVE && d->kind != DEST_REGISTRY)
        list.n = 1;
    return list;
}

bool dest_is_stdout(const struct dest *d)
{
    return d->kind == DEST_DOCKER_ARCHIVE && !d->path;
}

/* What the registry has of ours in other repositories. */
static int add_mounts(struct dest *d, const struct registry *r, const struct dest_ways *ways,
                      struct err *e)
{
    const struct registry *base = ways->base ? ways->base->files.registry : NULL;

    if (base && base != r && str_eq(registry_host(base), registry_host(r)))
        vec_add(&d->mounts,
                ((struct registry_mount){registry_repository(base), &ways->base->manifest.layers}));
    for (size_t i = 0; ways->caches && i < ways->caches->n; i++) {
        const struct registry *cache = ways->caches->v[i].registry;

        if (cache != r && str_eq(registry_host(cache), registry_host(r)))
            vec_add(&d->mounts, ((struct registry_mount){registry_repository(cache), NULL}));
    }
    for (size_t i = 0; ways->mount_from && i < ways->mount_from->n; i++) {
        struct str name = ways->mount_from->v[i];

        if (str_skip(&name, registry_host(r)) && !str_skip(&name, STR("/")))
            name = ways->mount_from->v[i];
        if (!ref_path_ok(name))
            return err_set(e, ERR_USAGE,
                           "\"" STR_FMT "\" is not a repository of %s to mount layers from",
                           STR_ARG(ways->mount_from->v[i]), registry_name(r));
        vec_add(&d->mounts, ((struct registry_mount){name, NULL}));
    }
    return 0;
}

static int open_registry(struct place **out, struct dest *d, const struct dest_ways *ways,
                         struct err *e)
{
    struct registry *r;

    assert(ways->registries);
    if (registries_get(&r, ways->registries, str_of(d->name), e) < 0 ||
        add_mounts(d, r, ways, e) < 0)
        return -1;
    registry_place_open(out, r, &d->mounts, ways->files->events);
    return 0;
}

int dest_open(struct place **out, struct dest *d, const struct dest_ways *ways, struct err *e)
{
    const struct events *events = ways->files->events;

    switch (d->kind) {
    case DEST_LAYOUT:
        return layout_open(out, d->path, ways->files, e);
    case DEST_OCI_ARCHIVE:
        return tarball_create(out, d->path, TARBALL_OCI, ways->mtime, e);
    case DEST_FOLDER:
        return folder_open(out, d->path, e);
    case DEST_DOCKER_ARCHIVE:
        if (dest_is_stdout(d))
            return load_stream(out, STDOUT_FILENO, "standard output", ways->mtime, events, e);
        return tarball_create(out, d->path, TARBALL_DOCKER, ways->mtime, e);
    case DEST_REGISTRY:
        return open_registry(out, d, ways, e);
    case DEST_DOCKER:
    case DEST_PODMAN:
        return load_open(out, scheme_name(d->kind), ways->mtime, events, e);
    }
    return -1;
}

struct image_name dest_image_name(struct dest *d, struct str repository, struct str tag)
{
    if ((d->kind == DEST_LAYOUT || d->kind == DEST_OCI_ARCHIVE) && !d->tag && repository.len) {
        struct buf both = {0};

        buf_fmt(&both, STR_FMT ":" STR_FMT, STR_ARG(repository), STR_ARG(tag));
        free(d->layout_tag);
        d->layout_tag = buf_take(&both);
    }
    return (struct image_name){
        .repository = d->name ? str_of(d->name) : repository,
        .tag = d->tag ? str_of(d->tag) : tag,
        .layout_tag = str_of(d->layout_tag),
    };
}

void dest_leave_out(const struct dest *d, struct place *place, const struct image_name *name,
                    const struct lock *lock, const struct events *events)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct digests known = {0};

    if (d->kind != DEST_DOCKER)
        return;
    dest_print(d, name, &text);
    load_known(&known, scheme_name(d->kind), text.p, events);
    for (size_t i = 0; i < lock->layers.n && i < known.n; i++) {
        if (!digest_is_set(&lock->layers.v[i].digest) ||
            !digest_eq(&lock->layers.v[i].diff_id, &known.v[i]))
            break;
        tarball_leave_out(place, &lock->layers.v[i].digest);
    }
    vec_clear(&known);
}

int dest_check_name(const struct dest *d, const struct image_name *name, struct err *e)
{
    return d->kind == DEST_LAYOUT ? layout_check_name(d->path, name, e) : 0;
}

void dest_print(const struct dest *d, const struct image_name *name, struct buf *out)
{
    switch (d->kind) {
    case DEST_LAYOUT:
    case DEST_OCI_ARCHIVE:
        buf_fmt(out, "%s:%s:" STR_FMT, scheme_name(d->kind), d->path,
                STR_ARG(name->layout_tag.len ? name->layout_tag : name->tag));
        return;
    case DEST_FOLDER:
    case DEST_DOCKER_ARCHIVE:
        buf_fmt(out, "%s:%s", scheme_name(d->kind), d->path ? d->path : "-");
        return;
    case DEST_REGISTRY:
        buf_puts(out, scheme_name(d->kind));
        buf_fmt(out, STR_FMT ":" STR_FMT, STR_ARG(name->repository), STR_ARG(name->tag));
        return;
    case DEST_DOCKER:
    case DEST_PODMAN:
        buf_fmt(out, STR_FMT ":" STR_FMT, STR_ARG(name->repository), STR_ARG(name->tag));
        return;
    }
}

void dest_print_put(const struct dest *d, const struct image_name *name,
                    const struct digest *digest, struct buf *out)
{
    char text[DIGEST_TEXT + 1];

    if (d->kind != DEST_REGISTRY) {
        dest_print(d, name, out);
        return;
    }
    digest_text(digest, text);
    buf_fmt(out, STR_FMT "@%s", STR_ARG(name->repository), text);
}
