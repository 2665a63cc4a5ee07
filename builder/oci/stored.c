/* SPDX-License-Identifier: Apache-2.0 */
#include "stored.h"

#include "../base/fs.h"
#include "../base/path.h"
#include "../io/crypto.h"
#include "stored_bundle.h"
#include "stored_registry.h"
#include "stored_saved.h"

enum { INDEX_DEPTH = 4 };

int stored_check(struct str text, struct err *e)
{
    struct stored_text place;

    return stored_text_parse(&place, text, false, e);
}

/* ---- blobs ---- */

int stored_blob(struct source **out, const struct stored *s, const struct descriptor *d,
                struct err *e)
{
    CLEANUP(source_clear) struct source *blob = NULL;
    char text[DIGEST_TEXT + 1];
    uint64_t size = d->size;

    if (s->files.registry) {
        blob = registry_blob(s->files.registry, &d->digest, size);
        blob->name = s->files.path;
    } else if (stored_files_blob(&blob, &size, &s->files, &d->digest, e) < 0) {
        return -1;
    }
    if (size != d->size) {
        digest_text(&d->digest, text);
        return err_set(e, ERR_INTEGRITY, "%s: blob %s has %llu bytes where %llu belong",
                       s->files.path, text, (unsigned long long)size, (unsigned long long)d->size);
    }
    blob->events = s->events;
    MOVE(out, &blob);
    return 0;
}

int stored_manifest(struct buf *out, const struct stored *s, const struct digest *digest,
                    struct err *e)
{
    struct stored_files files = s->files; /* borrows all but its arena */
    struct str text;
    int result;

    files.arena = (struct arena){0};
    result = stored_files_manifest(&text, &files, digest, e);
    if (result == 0)
        buf_str(out, text);
    arena_clear(&files.arena);
    return result;
}

/* True when there is such a blob. */
static bool has_blob(const struct stored *s, const struct digest *digest)
{
    CLEANUP(source_clear) struct source *blob = NULL;
    CLEANUP(err_clear) struct err ignored = {0}; /* worded anew by who asks */
    uint64_t size;

    return stored_files_blob(&blob, &size, &s->files, digest, &ignored) == 0;
}

/* ---- which manifest ---- */

static const struct str *tag_of(const struct descriptor *d)
{
    return pairs_get(&d->annotations, ANNOTATION_REF_NAME);
}

static bool has_tag(const struct descriptor *d, struct str tag)
{
    const struct str *own = tag_of(d);

    return own && str_eq(*own, tag);
}

/* "sha256:… (trixie), sha256:…": what index.json names. */
static void list_images(struct buf *out, const struct image_index *index, struct str tag)
{
    const struct descriptor *d;
    char text[DIGEST_TEXT + 1];

    vec_each(d, &index->manifests) {
        if (tag.len && !has_tag(d, tag))
            continue;
        digest_text(&d->digest, text);
        buf_fmt(out, "%s%s", out->len ? ", " : "", text);
        if (tag_of(d))
            buf_fmt(out, " (" STR_FMT ")", STR_ARG(*tag_of(d)));
    }
}

static int no_digest(struct str text, const struct stored_text *place,
                     const struct image_index *index, struct err *e)
{
    CLEANUP(buf_clear) struct buf list = {0};
    char digest[DIGEST_TEXT + 1];
    const struct descriptor *d, *only = NULL;
    size_t n = 0;

    vec_each(d, &index->manifests)
        if (!place->tag.len || has_tag(d, place->tag)) {
            only = d;
            n++;
        }
    if (n == 1) {
        digest_text(&only->digest, digest);
        return err_set(e, ERR_INPUT,
                       "\"" STR_FMT
                       "\" can change, and names no digest; what stands there now is \"" STR_FMT
                       "@%s\"",
                       STR_ARG(text), STR_ARG(text), digest);
    }
    list_images(&list, index, place->tag);
    if (!n)
        return err_set(e, ERR_INPUT, "\"" STR_FMT "\" holds no such image", STR_ARG(text));
    return err_set(e, ERR_INPUT, "\"" STR_FMT "\" names no digest; write @ and one of %s behind it",
                   STR_ARG(text), list.p);
}

static int check_tag(const struct stored_text *place, const struct stored *s,
                     const struct image_index *index, struct err *e)
{
    CLEANUP(buf_clear) struct buf list = {0};
    const struct descriptor *d;
    char text[DIGEST_TEXT + 1];

    digest_text(&place->digest, text);
    if (!place->tag.len)
        return 0;
    vec_each(d, &index->manifests)
        if (has_tag(d, place->tag) && digest_eq(&d->digest, &place->digest))
            return 0;
    list_images(&list, index, place->tag);
    return err_set(e, ERR_INPUT, "%s: the tag \"" STR_FMT "\" is not %s; %s%s", s->files.path,
                   STR_ARG(place->tag), text, list.len ? "it is " : "there is no such tag",
                   list.len ? list.p : "");
}

static bool is_ours(const struct platform *p)
{
    return str_is(p->os, "linux") && str_is(p->architecture, "amd64");
}

static int choose(struct digest *out, const struct stored *s, const struct image_index *index,
                  bool any, struct err *e)
{
    CLEANUP(buf_clear) struct buf list = {0};
    const struct descriptor *d;

    const struct descriptor *only = NULL;
    size_t n = 0;

    vec_each(d, &index->manifests) {
        if (is_ours(&d->platform)) {
            *out = d->digest;
            return 0;
        }
        if (!str_is(d->platform.os, "unknown")) { /* BuildKit's attestations are */
            only = d;
            n++;
        }
        if (d->platform.os.len)
            buf_fmt(&list, "%s" STR_FMT "/" STR_FMT, list.len ? ", " : "", STR_ARG(d->platform.os),
                    STR_ARG(d->platform.architecture));
    }
    if (any && n == 1) {
        *out = only->digest;
        return 0;
    }
    return err_set(e, ERR_INPUT, "%s: the index has no image for linux/amd64; it has %s",
                   s->files.path, list.len ? list.p : "none that names its platform");
}

/* From the digest that the user wrote, through indexes, to a manifest. */
static int descend(struct stored *s, const struct digest *from, bool any, struct err *e)
{
    struct digest at = *from;

    s->root = *from;
    for (unsigned depth = 0; depth < INDEX_DEPTH; depth++) {
        CLEANUP(image_index_clear) struct image_index index = {0};
        struct str text;

        if (stored_files_manifest(&text, &s->files, &at, e) < 0)
            return -1;
        if (!image_is_index(text)) {
            s->digest = at;
            s->manifest_text = text;
            return image_manifest_parse(&s->manifest, text, NULL, "manifest", e) < 0
                       ? err_wrap(e, "%s", s->files.path)
                       : 0;
        }
        if (image_index_parse(&index, text, NULL, "index", e) < 0)
            return err_wrap(e, "%s", s->files.path);
        if (choose(&at, s, &index, any, e) < 0)
            return -1;
    }
    return err_set(e, ERR_INPUT, "%s: indexes within indexes, more than %d deep", s->files.path,
                   INDEX_DEPTH);
}

/* To look into, all that was ever written; to build on, what may be handed on. */
static bool layer_type_ok(struct str type, bool any)
{
    static const char *const common[] = {
        MEDIA_LAYER,        MEDIA_LAYER_GZIP,         MEDIA_LAYER_ZSTD,
        MEDIA_DOCKER_LAYER, MEDIA_DOCKER_LAYER_PLAIN, MEDIA_DOCKER_LAYER_ZSTD};

    for (size_t i = 0; i < ARRAY_LEN(common); i++)
        if (str_is(type, common[i]))
            return true;
    return any && media_type_is_foreign(type);
}

static int take_config(struct stored *s, struct str text, bool any, struct err *e)
{
    const struct descriptor *d;

    if (image_config_parse(&s->config, text, "config", e) < 0)
        return err_wrap(e, "%s", s->files.path);
    if (!any && !is_ours(&s->config.platform))
        return err_set(e, ERR_INPUT,
                       "%s: the image is for " STR_FMT "/" STR_FMT
                       "; only linux/amd64 can be built "
                       "on",
                       s->files.path, STR_ARG(s->config.platform.os),
                       STR_ARG(s->config.platform.architecture));
    if (s->config.diff_ids.n != s->manifest.layers.n)
        return err_set(e, ERR_INPUT, "%s: the image has %zu layers and %zu diff_ids", s->files.path,
                       s->manifest.layers.n, s->config.diff_ids.n);
    vec_each(d, &s->manifest.layers)
        if (!layer_type_ok(d->media_type, any))
            return err_set(e, ERR_INPUT, "%s: a layer of type \"" STR_FMT "\" cannot be read",
                           s->files.path, STR_ARG(d->media_type));
    return 0;
}

static int read_config(struct stored *s, bool any, struct err *e)
{
    const struct descriptor *d = &s->manifest.config;

    if (stored_files_doc(&s->config_text, &s->files, &d->digest, d->size, e) < 0)
        return -1;
    return take_config(s, s->config_text, any, e);
}

static void take_name(struct stored *s, const struct stored_text *place,
                      const struct image_index *index)
{
    const struct descriptor *d;

    vec_each(d, &index->manifests) {
        const struct str *name = pairs_get(&d->annotations, ANNOTATION_CONTAINERD_NAME);

        if (name && digest_eq(&d->digest, &place->digest))
            s->name = arena_str(&s->files.arena, *name);
    }
}

static bool has_in(const char *folder, const char *name)
{
    CLEANUP(free_clear) char *path = path_join(folder, name);

    return fs_exists(path);
}

/* skopeo's "dir:", told by what is there. */
static bool is_flat(const char *folder)
{
    return !has_in(folder, "index.json") && has_in(folder, "manifest.json") &&
           has_in(folder, "version");
}

static int open_place(struct stored *s, const struct stored_text *place, const char *dir,
                      const struct stored_scratch *scratch, struct err *e)
{
    CLEANUP(free_clear) char *name = str_dup(place->path), *path = path_join(dir, name);
    enum stored_form form = place->form;

    if (form == STORED_DOCKER || form == STORED_PODMAN)
        return stored_files_saved(&s->files, form == STORED_DOCKER ? "docker" : "podman",
                                  place->path, scratch, e);
    if (!fs_exists(path))
        return err_set(e, ERR_INPUT, "%s is not there%s", path,
                       form == STORED_BARE
                           ? "; an image is a path, or oci:DIR[:TAG], dir:DIR, oci-archive:FILE, "
                             "docker-archive:FILE, docker:NAME, podman:NAME or "
                             "docker://HOST/NAME:TAG"
                           : "");
    if (scratch && (form == STORED_BARE || form == STORED_ARCHIVE) && bundle_parts_are_in(path))
        return stored_files_bundle(&s->files, path, scratch, e);
    if (form == STORED_ARCHIVE || (form == STORED_BARE && !has_in(path, ".")))
        return stored_files_tar(&s->files, path, scratch, e);
    return stored_files_folder(&s->files, path,
                               form == STORED_FOLDER || (form == STORED_BARE && is_flat(path)),
                               s->events, e);
}

static bool has_index(const struct stored *s)
{
    uint64_t size;

    return !s->files.archive || stored_files_has(&s->files, STR("index.json"), &size);
}

/* What "manifest.json" is, is all that such a folder has. */
static int index_of_flat(struct image_index *index, struct stored *s, struct err *e)
{
    struct str text;

    if (stored_files_text(&text, &s->files, STR("manifest.json"), e) < 0)
        return -1;
    hash_bytes(&s->files.top, text.p, text.len);
    vec_push(&index->manifests)->digest = s->files.top;
    return 0;
}

static int read_index(struct image_index *index, struct stored *s, struct err *e)
{
    struct str text;

    if (s->files.flat)
        return index_of_flat(index, s, e);
    if (!has_index(s))
        return err_set(e, ERR_INPUT, "%s is not an oci-archive: it holds no index.json",
                       s->files.path);
    if (stored_files_text(&text, &s->files, STR("index.json"), e) < 0)
        return -1;
    if (image_index_parse(index, text, MEDIA_INDEX, "index.json", e) < 0)
        return err_wrap(e, "%s", s->files.path);
    return 0;
}

/* What refers to images stands in an index.json, too, and is none. */
static int read_images(struct image_index *index, struct stored *s, struct err *e)
{
    size_t kept = 0;

    if (read_index(index, s, e) < 0)
        return -1;
    for (size_t i = 0; i < index->manifests.n; i++) {
        struct descriptor d = index->manifests.v[i];

        if (d.artifact_type.len)
            descriptor_clear(&d);
        else
            index->manifests.v[kept++] = d;
    }
    index->manifests.n = kept;
    return 0;
}

/* Does the manifest that `d` points at refer to `subject`? */
static int refers(bool *yes, const struct stored *s, const struct descriptor *d,
                  const struct digest *subject, struct err *e)
{
    CLEANUP(image_manifest_clear) struct image_manifest m = {0};
    CLEANUP(buf_clear) struct buf json = {0};

    if (stored_manifest(&json, s, &d->digest, e) < 0 ||
        image_manifest_parse(&m, buf_view(&json), NULL, "manifest", e) < 0)
        return -1;
    *yes = m.has_subject && digest_eq(&m.subject.digest, subject);
    return 0;
}

/* Those that index.json names. */
static int list_referrers(struct buf *out, struct stored *s, const struct digest *subject,
                          struct err *e)
{
    CLEANUP(image_index_clear) struct image_index all = {0};
    struct image_index found = {0};
    const struct descriptor *d;
    int result = read_index(&all, s, e);
    bool yes;

    vec_each(d, &all.manifests) {
        if (result < 0 || !d->artifact_type.len || !media_type_is_manifest(d->media_type))
            continue;
        result = refers(&yes, s, d, subject, e);
        if (result == 0 && yes)
            vec_add(&found.manifests, *d); /* its annotations stay those of `all` */
    }
    if (result == 0)
        image_index_write(&found, out);
    vec_clear(&found.manifests);
    return result;
}

int stored_referrers(struct buf *out, const struct stored *s, const struct digest *subject,
                     struct err *e)
{
    struct stored files = {.files = s->files}; /* borrows all but its arena */
    int result;

    if (s->files.registry)
        return registry_referrers(out, s->files.registry, subject, e);
    if (s->files.flat || !has_index(s))
        return 0;
    files.files.arena = (struct arena){0};
    result = list_referrers(out, &files, subject, e);
    arena_clear(&files.files.arena);
    return result;
}

/* Not being there at all is told with what is there instead. */
static int need_digest(const struct stored *s, const struct stored_text *place,
                       const struct image_index *index, struct err *e)
{
    CLEANUP(buf_clear) struct buf list = {0};
    char text[DIGEST_TEXT + 1];

    if (has_blob(s, &place->digest))
        return 0;
    digest_text(&place->digest, text);
    list_images(&list, index, STR(""));
    return err_set(e, ERR_INPUT, "%s has no image %s; it has %s", s->files.path, text,
                   list.len ? list.p : "none");
}

static int open_registry(struct stored *s, const struct stored_text *place, struct str text,
                         bool any, const struct stored_scratch *how, struct err *e)
{
    struct digest digest;

    if (stored_registry_open(s, &digest, place, text, any, how->registries, e) < 0 ||
        descend(s, &digest, any, e) < 0)
        return -1;
    return read_config(s, any, e);
}

static int open_built_on(struct stored *s, const struct stored_text *place, struct str text,
                         const char *dir, struct err *e)
{
    CLEANUP(image_index_clear) struct image_index index = {0};

    if (open_place(s, place, dir, NULL, e) < 0 || read_images(&index, s, e) < 0)
        return -1;
    if (!digest_is_set(&place->digest))
        return no_digest(text, place, &index, e);
    if (need_digest(s, place, &index, e) < 0 || check_tag(place, s, &index, e) < 0 ||
        descend(s, &place->digest, false, e) < 0 || read_config(s, false, e) < 0)
        return -1;
    take_name(s, place, &index);
    return 0;
}

int stored_open(struct stored *out, struct str text, const char *dir,
                const struct stored_scratch *how, struct err *e)
{
    CLEANUP(stored_clear) struct stored s = {.events = how->events};
    struct stored_text place;

    if (stored_text_parse(&place, text, false, e) < 0)
        return -1;
    if (place.form == STORED_REGISTRY ? open_registry(&s, &place, text, false, how, e) < 0
                                      : open_built_on(&s, &place, text, dir, e) < 0)
        return -1;
    MOVE(out, &s);
    return 0;
}

/* ---- to look into: by an index ---- */

static bool is_meant(const struct descriptor *d, const struct stored_text *place)
{
    const struct str *name = pairs_get(&d->annotations, ANNOTATION_CONTAINERD_NAME);

    if (digest_is_set(&place->digest) && !digest_eq(&place->digest, &d->digest))
        return false;
    return !place->tag.len || has_tag(d, place->tag) ||
           (name && stored_saved_is_called(*name, place->tag));
}

/* The image's digest goes to place->digest. */
static int pick(struct stored_text *place, const struct stored *s, const struct image_index *index,
                struct str text, struct err *e)
{
    CLEANUP(buf_clear) struct buf list = {0};
    const struct descriptor *d, *found = NULL;
    bool several = false;

    vec_each(d, &index->manifests)
        if (is_meant(d, place)) {
            several |= found && !digest_eq(&found->digest, &d->digest);
            found = d;
        }
    if (found && !several) {
        place->digest = found->digest;
        return 0;
    }
    /* One that an index of the place names, and not the place's own. */
    if (!found && !place->tag.len && digest_is_set(&place->digest) && has_blob(s, &place->digest))
        return 0;
    list_images(&list, index, STR(""));
    return err_set(e, ERR_INPUT, "\"" STR_FMT "\" %s; there is %s", STR_ARG(text),
                   several ? "holds several images: name one by its tag or digest"
                           : "holds no such image",
                   list.len ? list.p : "none");
}

int stored_open_any(struct stored *out, struct str text, const char *dir,
                    const struct stored_scratch *scratch, struct err *e)
{
    CLEANUP(stored_clear) struct stored s = {.events = scratch->events};
    CLEANUP(image_index_clear) struct image_index index = {0};
    struct stored_text place;

    if (stored_text_parse(&place, text, true, e) < 0)
        return -1;
    if (place.form == STORED_REGISTRY) {
        if (open_registry(&s, &place, text, true, scratch, e) < 0)
            return -1;
        MOVE(out, &s);
        return 0;
    }
    if (open_place(&s, &place, dir, scratch, e) < 0)
        return -1;
    if (!has_index(&s)) {
        if (stored_saved_open(&s, &place, e) < 0)
            return -1;
        MOVE(out, &s);
        return 0;
    }
    if (read_images(&index, &s, e) < 0 || pick(&place, &s, &index, text, e) < 0 ||
        descend(&s, &place.digest, true, e) < 0 || read_config(&s, true, e) < 0)
        return -1;
    take_name(&s, &place, &index);
    MOVE(out, &s);
    return 0;
}

bool stored_is_image(struct str text, const char *dir)
{
    static const char *const ends[] = {".tar",     ".tar.gz", ".tgz",
                                       ".tar.zst", ".tar.xz", ".tar.bz2"};
    struct str bare = str_sub(text, 0, str_find(text, ':'));
    CLEANUP(free_clear) char *name = str_dup(bare);
    CLEANUP(free_clear) char *path = path_join(dir, name);

    if (stored_text_form(&text, true) != STORED_BARE || has_in(path, "oci-layout") || is_flat(path) ||
        bundle_parts_are_in(path))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (str_ends(bare, str_of(ends[i])) && fs_exists(path))
            return true;
    return false;
}

void stored_clear(struct stored *s)
{
    image_manifest_clear(&s->manifest);
    image_config_clear(&s->config);
    stored_files_clear(&s->files);
    *s = (struct stored){0};
}
