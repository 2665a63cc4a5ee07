/* SPDX-License-Identifier: Apache-2.0 */
#include "stored.h"

#include <fcntl.h>

#include "../base/fs.h"
#include "../base/path.h"
#include "../doc/json.h"
#include "../io/crypto.h"
#include "../io/tar.h"
#include "layout.h"
#include "ref.h"

enum { INDEX_DEPTH = 4, ARCHIVE_FILES_MAX = 100000, LINKS_MAX = 8 };

/* ---- the text ---- */

struct place_text {
    bool archive;
    bool any;  /* to look into: less is asked of it */
    bool bare; /* no prefix says what it is */
    struct str path, tag;
    struct digest digest; /* all-zero when left out */
};

static int bad_form(struct str text, struct err *e)
{
    return err_set(e, ERR_INPUT,
                   "\"" STR_FMT "\" is no stored image; write oci:DIR@sha256:… for a layout or "
                   "oci-archive:FILE@sha256:… for an archive",
                   STR_ARG(text));
}

static bool parse_prefix(struct place_text *out, struct str *rest)
{
    if (str_skip(rest, STR("oci-archive:")) || (out->any && str_skip(rest, STR("docker-archive:"))))
        out->archive = true;
    else if (!str_skip(rest, STR("oci:")))
        out->bare = true;
    return !out->bare || out->any;
}

static int parse_text(struct place_text *out, struct str text, bool any, struct err *e)
{
    struct str rest = text, place, tag;

    *out = (struct place_text){.any = any};
    if (!parse_prefix(out, &rest))
        return bad_form(text, e);
    if (str_cut(&rest, STR("@"), &place)) {
        if (!digest_from_text(&out->digest, rest))
            return err_set(e, ERR_INPUT,
                           "\"" STR_FMT "\" is no digest; a digest is sha256: and 64 hex digits",
                           STR_ARG(rest));
        rest = place;
    }
    out->path = rest;
    if (str_cut(&out->path, STR(":"), &place)) {
        tag = out->path;
        out->path = place;
        if (!ref_tag_ok(tag) && !ref_name_ok(tag))
            return err_set(e, ERR_INPUT, "\"" STR_FMT "\" is no tag", STR_ARG(tag));
        out->tag = tag;
    }
    return out->path.len && !str_has(out->path, '\0') ? 0 : bad_form(text, e);
}

int stored_check(struct str text, struct err *e)
{
    struct place_text place;

    return parse_text(&place, text, false, e);
}

/* ---- an archive: where its blobs stand ---- */

/* A number of a tar header: octal, or binary where the first bit is set. */
static bool tar_number(const unsigned char *field, size_t len, uint64_t *out)
{
    uint64_t n = 0;

    if (field[0] & 0x80) {
        for (size_t i = 1; i < len; i++) {
            if (n >> 55)
                return false;
            n = n << 8 | field[i];
        }
        *out = n;
        return field[0] == 0x80;
    }
    for (size_t i = 0; i < len && field[i] && field[i] != ' '; i++) {
        if (field[i] < '0' || field[i] > '7')
            return false;
        n = n << 3 | (unsigned)(field[i] - '0');
    }
    *out = n;
    return true;
}

static struct str header_text(const unsigned char *field)
{
    size_t len = 0;

    while (len < 100 && field[len])
        len++;
    return (struct str){(const char *)field, len};
}

static struct str header_name(const unsigned char *block)
{
    struct str name = header_text(block);

    str_skip(&name, STR("./"));
    return name;
}

/* "a/layer.tar", a link to "../b/layer.tar", as old engines name a layer that two images have. */
static void note_link(struct stored *s, struct str name, struct str target)
{
    CLEANUP(buf_clear) struct buf whole = {0}, clean = {0};
    struct str base = path_base(name);

    buf_fmt(&whole, STR_FMT STR_FMT, STR_ARG(str_sub(name, 0, name.len - base.len)),
            STR_ARG(target));
    if (!path_clean(&clean, buf_view(&whole)))
        return; /* then nobody finds it */
    vec_add(&s->names, ((struct stored_name){.name = arena_str(&s->arena, name),
                                             .link = arena_str(&s->arena, buf_view(&clean))}));
}

static int read_index_text(struct stored *s, uint64_t offset, uint64_t size, struct err *e)
{
    char *text;

    if (size > IMAGE_DOC_MAX)
        return err_set(e, ERR_INPUT, "%s: its index.json is too large", s->path);
    text = arena_alloc(&s->arena, (size_t)size + 1);
    if (fd_pread_all(s->fd.n, text, (size_t)size, offset, s->path, e) < 0)
        return -1;
    s->index = (struct str){text, (size_t)size};
    return 0;
}

static int note_file(struct stored *s, struct str name, uint64_t offset, uint64_t size,
                     struct err *e)
{
    struct digest digest;

    if (str_is(name, "index.json"))
        return read_index_text(s, offset, size, e);
    vec_add(&s->names, ((struct stored_name){
                           .name = arena_str(&s->arena, name), .offset = offset, .size = size}));
    if (str_skip(&name, STR("blobs/sha256/")) && digest_from_hex(&digest, name))
        vec_add(&s->blobs, ((struct stored_blob){digest, offset, size}));
    return 0;
}

static int no_archive(const struct stored *s, const unsigned char *block, bool any, struct err *e)
{
    if (any && block[0] == 0x1f && block[1] == 0x8b)
        return err_set(
            e, ERR_INPUT,
            "%s is compressed as a whole, so nothing in it can be found; `gunzip` it first",
            s->path);
    return err_set(e, ERR_INPUT,
                   any ? "%s is no image: neither a layout's folder nor a tar, not compressed, as "
                         "`docker save` and `skopeo copy` write it"
                       : "%s is no oci-archive: a tar, not compressed, that holds a layout",
                   s->path);
}

static int scan_archive(struct stored *s, bool any, struct err *e)
{
    unsigned char block[TAR_BLOCK] = {0};
    uint64_t offset = 0, end, size;

    if (fd_size(s->fd.n, &end, s->path, e) < 0)
        return -1;
    for (size_t n = 0; offset + TAR_BLOCK <= end && n < ARCHIVE_FILES_MAX; n++) {
        if (fd_pread_all(s->fd.n, block, sizeof block, offset, s->path, e) < 0)
            return -1;
        if (!block[0])
            break;
        if (memcmp(block + 257, "ustar", 5) != 0 || !tar_number(block + 124, 12, &size) ||
            size > end - offset - TAR_BLOCK)
            return no_archive(s, block, any, e);
        offset += TAR_BLOCK;
        if ((block[156] == '0' || !block[156]) &&
            note_file(s, header_name(block), offset, size, e) < 0)
            return -1;
        if (block[156] == '2')
            note_link(s, header_name(block), header_text(block + 157));
        offset += size + tar_padding(size);
    }
    if (!s->index.p && !any)
        return err_set(e, ERR_INPUT, "%s is no oci-archive: it holds no index.json", s->path);
    return offset ? 0 : no_archive(s, block, any, e);
}

/* ---- blobs ---- */

static int missing(const struct stored *s, const struct digest *digest, struct err *e)
{
    char text[DIGEST_TEXT + 1];

    digest_text(digest, text);
    return err_set(e, ERR_INPUT, "%s lacks the blob %s", s->path, text);
}

static int find_any(struct stored_range *out, const struct stored *s, const struct digest *digest,
                    struct err *e)
{
    const struct stored_blob *b;

    if (!s->archive) {
        CLEANUP(free_clear) char *path = layout_blob_path(s->path, digest);

        if (!fs_exists(path))
            return missing(s, digest, e);
        *out = (struct stored_range){0};
        return fd_open(&out->fd, path, O_RDONLY, 0, e) < 0
                   ? -1
                   : fd_size(out->fd.n, &out->size, path, e);
    }
    vec_each(b, &s->blobs)
        if (digest_eq(&b->digest, digest)) {
            *out = (struct stored_range){.offset = b->offset, .size = b->size};
            return fd_open(&out->fd, s->path, O_RDONLY, 0, e);
        }
    return missing(s, digest, e);
}

int stored_find(struct stored_range *out, const struct stored *s, const struct descriptor *d,
                struct err *e)
{
    char text[DIGEST_TEXT + 1];

    if (find_any(out, s, &d->digest, e) < 0)
        return -1;
    if (out->size == d->size)
        return 0;
    digest_text(&d->digest, text);
    err_set(e, ERR_INTEGRITY, "%s: blob %s has %llu bytes where %llu belong", s->path, text,
            (unsigned long long)out->size, (unsigned long long)d->size);
    fd_clear(&out->fd);
    return -1;
}

/* A document, checked by its digest; the text lives in the arena. */
static int read_doc(struct str *out, struct stored *s, const struct digest *digest, struct err *e)
{
    struct stored_range range = {0};
    struct digest found;
    char name[DIGEST_TEXT + 1], *text;
    int result;

    digest_text(digest, name);
    if (find_any(&range, s, digest, e) < 0)
        return -1;
    if (range.size > IMAGE_DOC_MAX) {
        fd_clear(&range.fd);
        return err_set(e, ERR_INPUT, "%s: %s is a blob too large for a manifest", s->path, name);
    }
    text = arena_alloc(&s->arena, (size_t)range.size + 1);
    result = fd_pread_all(range.fd.n, text, (size_t)range.size, range.offset, s->path, e);
    fd_clear(&range.fd);
    if (result < 0)
        return -1;
    hash_bytes(&found, text, (size_t)range.size);
    if (!digest_eq(&found, digest))
        return err_set(e, ERR_INTEGRITY, "%s: blob %s holds bytes of another digest", s->path,
                       name);
    *out = (struct str){text, (size_t)range.size};
    return 0;
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

static int no_digest(struct str text, const struct place_text *place,
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

static int check_tag(const struct place_text *place, const struct stored *s,
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
    return err_set(e, ERR_INPUT, "%s: the tag \"" STR_FMT "\" is not %s; %s%s", s->path,
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
    return err_set(e, ERR_INPUT, "%s: the index has no image for linux/amd64; it has %s", s->path,
                   list.len ? list.p : "none that names its platform");
}

/* From the digest that the user wrote, through indexes, to a manifest. */
static int descend(struct stored *s, const struct digest *from, bool any, struct err *e)
{
    struct digest at = *from;

    for (unsigned depth = 0; depth < INDEX_DEPTH; depth++) {
        CLEANUP(image_index_clear) struct image_index index = {0};
        struct str text;

        if (read_doc(&text, s, &at, e) < 0)
            return -1;
        if (!image_is_index(text)) {
            s->digest = at;
            return image_manifest_parse(&s->manifest, text, NULL, "manifest", e);
        }
        if (image_index_parse(&index, text, NULL, "index", e) < 0 ||
            choose(&at, s, &index, any, e) < 0)
            return -1;
    }
    return err_set(e, ERR_INPUT, "%s: indexes within indexes, more than %d deep", s->path,
                   INDEX_DEPTH);
}

static bool layer_type_ok(struct str type)
{
    return str_is(type, MEDIA_LAYER) || str_is(type, MEDIA_LAYER_GZIP) ||
           str_is(type, MEDIA_LAYER_ZSTD) || str_is(type, MEDIA_DOCKER_LAYER);
}

static int take_config(struct stored *s, struct str text, bool any, struct err *e)
{
    const struct descriptor *d;

    if (image_config_parse(&s->config, text, "config", e) < 0)
        return err_wrap(e, "%s", s->path);
    if (!any && !is_ours(&s->config.platform))
        return err_set(
            e, ERR_INPUT,
            "%s: the image is for " STR_FMT "/" STR_FMT "; only linux/amd64 can be built "
            "on",
            s->path, STR_ARG(s->config.platform.os), STR_ARG(s->config.platform.architecture));
    if (s->config.diff_ids.n != s->manifest.layers.n)
        return err_set(e, ERR_INPUT, "%s: the image has %zu layers and %zu diff_ids", s->path,
                       s->manifest.layers.n, s->config.diff_ids.n);
    vec_each(d, &s->manifest.layers)
        if (!layer_type_ok(d->media_type))
            return err_set(e, ERR_INPUT, "%s: a layer of type \"" STR_FMT "\" cannot be read",
                           s->path, STR_ARG(d->media_type));
    return 0;
}

static int read_config(struct stored *s, bool any, struct err *e)
{
    struct str text;

    if (read_doc(&text, s, &s->manifest.config.digest, e) < 0)
        return -1;
    return take_config(s, text, any, e);
}

static void take_name(struct stored *s, const struct place_text *place,
                      const struct image_index *index)
{
    const struct descriptor *d;

    vec_each(d, &index->manifests) {
        const struct str *name = pairs_get(&d->annotations, ANNOTATION_CONTAINERD_NAME);

        if (name && digest_eq(&d->digest, &place->digest))
            s->name = arena_str(&s->arena, *name);
    }
}

static int open_place(struct stored *s, const struct place_text *place, const char *dir,
                      struct err *e)
{
    CLEANUP(free_clear) char *path = str_dup(place->path);
    CLEANUP(free_clear) char *index = NULL;
    CLEANUP(buf_clear) struct buf text = {0};

    s->archive = place->archive;
    s->path = path_join(dir, path);
    if (!fs_exists(s->path))
        return err_set(e, ERR_INPUT, "%s is not there", s->path);
    if (place->bare) {
        CLEANUP(free_clear) char *inside = path_join(s->path, ".");

        s->archive = !fs_exists(inside);
    }
    if (s->archive)
        return fd_open(&s->fd, s->path, O_RDONLY, 0, e) < 0 ? -1 : scan_archive(s, place->any, e);
    index = path_join(s->path, "index.json");
    if (fs_read(&text, index, IMAGE_DOC_MAX, e) < 0)
        return -1;
    s->index = arena_str(&s->arena, buf_view(&text));
    return 0;
}

/* Not being there at all is told with what is there instead. */
static int need_digest(const struct stored *s, const struct place_text *place,
                       const struct image_index *index, struct err *e)
{
    CLEANUP(buf_clear) struct buf list = {0};
    CLEANUP(err_clear) struct err ignored = {0}; /* worded anew */
    struct stored_range range = {0};
    char text[DIGEST_TEXT + 1];

    if (find_any(&range, s, &place->digest, &ignored) == 0) {
        fd_clear(&range.fd);
        return 0;
    }
    digest_text(&place->digest, text);
    list_images(&list, index, STR(""));
    return err_set(e, ERR_INPUT, "%s has no image %s; it has %s", s->path, text,
                   list.len ? list.p : "none");
}

int stored_open(struct stored *out, struct str text, const char *dir, struct err *e)
{
    CLEANUP(stored_clear) struct stored s = {0};
    CLEANUP(image_index_clear) struct image_index index = {0};
    struct place_text place;

    if (parse_text(&place, text, false, e) < 0 || open_place(&s, &place, dir, e) < 0)
        return -1;
    if (image_index_parse(&index, s.index, MEDIA_INDEX, "index.json", e) < 0)
        return err_wrap(e, "%s", s.path);
    if (!digest_is_set(&place.digest))
        return no_digest(text, &place, &index, e);
    if (need_digest(&s, &place, &index, e) < 0 || check_tag(&place, &s, &index, e) < 0 ||
        descend(&s, &place.digest, false, e) < 0 || read_config(&s, false, e) < 0)
        return -1;
    take_name(&s, &place, &index);
    MOVE(out, &s);
    return 0;
}

/* ---- to look into: images without a manifest ---- */

static const struct stored_name *find_name(const struct stored *s, struct str name)
{
    for (unsigned links = 0; links < LINKS_MAX; links++) {
        const struct stored_name *n, *found = NULL;

        vec_each(n, &s->names)
            if (str_eq(n->name, name))
                found = n;
        if (!found || !found->link.len)
            return found;
        name = found->link;
    }
    return NULL;
}

static int read_name(struct str *out, struct stored *s, struct str name, struct err *e)
{
    const struct stored_name *n = find_name(s, name);
    char *text;

    if (!n)
        return err_set(e, ERR_INPUT, "%s lacks \"" STR_FMT "\"", s->path, STR_ARG(name));
    if (n->size > IMAGE_DOC_MAX)
        return err_set(e, ERR_INPUT, "%s: its \"" STR_FMT "\" is too large", s->path,
                       STR_ARG(name));
    text = arena_alloc(&s->arena, (size_t)n->size + 1);
    *out = (struct str){text, (size_t)n->size};
    return fd_pread_all(s->fd.n, text, (size_t)n->size, n->offset, s->path, e);
}

/* "Layers" of manifest.json become the manifest's, by their diff_ids. */
static int take_layers(struct stored *s, const struct node *names, struct err *e)
{
    const struct node *n;

    node_each(n, names) {
        const struct stored_name *file = find_name(s, n->text);
        size_t i = s->manifest.layers.n;
        struct descriptor *d;

        if (!file)
            return err_set(e, ERR_INPUT, "%s lacks its layer \"" STR_FMT "\"", s->path,
                           STR_ARG(n->text));
        if (i >= s->config.diff_ids.n)
            return err_set(e, ERR_INPUT, "%s: the image has more layers than diff_ids", s->path);
        d = vec_push(&s->manifest.layers);
        d->media_type = STR(MEDIA_LAYER);
        d->digest = s->config.diff_ids.v[i];
        d->size = file->size;
        vec_add(&s->blobs, ((struct stored_blob){d->digest, file->offset, file->size}));
    }
    return s->manifest.layers.n == s->config.diff_ids.n
               ? 0
               : err_set(e, ERR_INPUT, "%s: the image has fewer layers than diff_ids", s->path);
}

/* "pytorch:2.6" is also what "docker.io/library/pytorch:2.6" is called. */
static bool is_called(struct str name, struct str asked)
{
    struct str rest = name;

    return str_eq(name, asked) ||
           (str_ends(name, asked) && name.len > asked.len &&
            (name.p[name.len - asked.len - 1] == '/' || name.p[name.len - asked.len - 1] == ':')) ||
           (str_skip(&rest, STR("docker.io/library/")) && str_eq(rest, asked));
}

/* The item of manifest.json that is meant. */
static const struct node *pick_saved(const struct stored *s, const struct node *list,
                                     struct str asked, struct err *e)
{
    CLEANUP(buf_clear) struct buf names = {0};
    const struct node *item, *tag, *found = NULL;
    size_t n = 0;

    node_each(item, list) {
        const struct node *tags = node_get(item, "RepoTags");
        bool is = !asked.len;

        node_each(tag, tags) {
            buf_fmt(&names, "%s" STR_FMT, names.len ? ", " : "", STR_ARG(tag->text));
            is |= is_called(tag->text, asked);
        }
        if (is) {
            found = item;
            n++;
        }
    }
    if (n == 1)
        return found;
    err_set(e, ERR_INPUT, "%s %s; it has %s", s->path,
            n ? "holds several images: name one behind a \":\"" : "holds no such image",
            names.len ? names.p : "images without a name");
    return NULL;
}

static int open_saved(struct stored *s, const struct place_text *place, struct err *e)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    const struct node *item, *tags;
    struct str text, config;

    if (!find_name(s, STR("manifest.json")))
        return err_set(e, ERR_INPUT,
                       "%s is no image: it holds neither an index.json nor a manifest.json",
                       s->path);
    if (read_name(&text, s, STR("manifest.json"), e) < 0 ||
        json_parse(&doc, text, IMAGE_DOC_MAX, "manifest.json", e) < 0)
        return -1;
    item = pick_saved(s, doc.root, place->tag, e);
    if (!item)
        return -1;
    config = node_text_of(item, "Config");
    tags = node_get(item, "RepoTags");
    if (tags && tags->child)
        s->name = arena_str(&s->arena, tags->child->text);
    s->no_digests = true;
    if (read_name(&text, s, config, e) < 0)
        return -1;
    if (image_config_parse(&s->config, text, "config", e) < 0)
        return err_wrap(e, "%s", s->path);
    return take_layers(s, node_get(item, "Layers"), e);
}

/* ---- to look into: by an index ---- */

static bool is_meant(const struct descriptor *d, const struct place_text *place)
{
    const struct str *name = pairs_get(&d->annotations, ANNOTATION_CONTAINERD_NAME);

    if (digest_is_set(&place->digest) && !digest_eq(&place->digest, &d->digest))
        return false;
    return !place->tag.len || has_tag(d, place->tag) || (name && is_called(*name, place->tag));
}

/* The image's digest goes to place->digest. */
static int pick(struct place_text *place, const struct stored *s, const struct image_index *index,
                struct str text, struct err *e)
{
    CLEANUP(buf_clear) struct buf list = {0};
    CLEANUP(err_clear) struct err ignored = {0}; /* worded anew */
    struct stored_range range = {0};
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
    if (!found && !place->tag.len && digest_is_set(&place->digest) &&
        find_any(&range, s, &place->digest, &ignored) == 0) {
        fd_clear(&range.fd);
        return 0;
    }
    list_images(&list, index, STR(""));
    return err_set(e, ERR_INPUT, "\"" STR_FMT "\" %s; there is %s", STR_ARG(text),
                   several ? "holds several images: name one by its tag or digest"
                           : "holds no such image",
                   list.len ? list.p : "none");
}

int stored_open_any(struct stored *out, struct str text, const char *dir, struct err *e)
{
    CLEANUP(stored_clear) struct stored s = {0};
    CLEANUP(image_index_clear) struct image_index index = {0};
    struct place_text place;

    if (parse_text(&place, text, true, e) < 0 || open_place(&s, &place, dir, e) < 0)
        return -1;
    if (!s.index.p) {
        if (open_saved(&s, &place, e) < 0)
            return -1;
        MOVE(out, &s);
        return 0;
    }
    if (image_index_parse(&index, s.index, MEDIA_INDEX, "index.json", e) < 0)
        return err_wrap(e, "%s", s.path);
    if (pick(&place, &s, &index, text, e) < 0 || descend(&s, &place.digest, true, e) < 0 ||
        read_config(&s, true, e) < 0)
        return -1;
    take_name(&s, &place, &index);
    MOVE(out, &s);
    return 0;
}

bool stored_is_image(struct str text, const char *dir)
{
    static const char *const prefixes[] = {"oci:", "oci-archive:", "docker-archive:"};
    struct str bare = str_sub(text, 0, str_find(text, ':'));
    CLEANUP(free_clear) char *name = str_dup(bare);
    CLEANUP(free_clear) char *path = path_join(dir, name);
    CLEANUP(free_clear) char *layout = path_join(path, "oci-layout");

    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (str_starts(text, str_of(prefixes[i])))
            return true;
    return fs_exists(layout) || (str_ends(bare, STR(".tar")) && fs_exists(path));
}

void stored_clear(struct stored *s)
{
    free(s->path);
    fd_clear(&s->fd);
    vec_clear(&s->blobs);
    vec_clear(&s->names);
    image_manifest_clear(&s->manifest);
    image_config_clear(&s->config);
    arena_clear(&s->arena);
    *s = (struct stored){0};
}
