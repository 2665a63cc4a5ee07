/* SPDX-License-Identifier: Apache-2.0 */
#include "stored_files.h"

#include <fcntl.h>

#include "../base/fs.h"
#include "../base/path.h"
#include "../io/crypto.h"
#include "../io/tar.h"
#include "../io/tar_read.h"
#include "image.h"
#include "layout.h"
#include "stored_bundle.h"

enum { FILES_MAX = 100000, LINKS_MAX = 8 };

struct spot {        /* where a file stands in a tar */
    struct str link; /* the name that it is another one of, or empty */
    uint64_t offset, size;
};

/* ---- what is in a tar ---- */

static void note(struct stored_files *f, struct str name, const struct spot *spot)
{
    struct spot *own = arena_alloc(&f->arena, sizeof *own);

    *own = *spot;
    own->link = arena_str(&f->arena, spot->link);
    map_set(&f->names, arena_str(&f->arena, name), own);
}

/* "a/layer.tar", a link to "../b/layer.tar", as old engines name a layer that two images have. */
static void note_link(struct stored_files *f, const struct entry *entry)
{
    CLEANUP(buf_clear) struct buf whole = {0}, clean = {0};
    struct str base = path_base(entry->path), link;

    if (entry->type == ENTRY_SYMLINK && !str_starts(entry->link, STR("/")))
        buf_str(&whole, str_sub(entry->path, 0, entry->path.len - base.len));
    buf_str(&whole, entry->link);
    if (!path_clean(&clean, buf_view(&whole)))
        return; /* then nobody finds it */
    link = buf_view(&clean);
    str_skip(&link, STR("/"));
    note(f, entry->path, &(struct spot){.link = link});
}

static void note_entry(struct stored_files *f, const struct tar_entry *t)
{
    const struct entry *entry = &t->entry;

    if (entry->type == ENTRY_SYMLINK || entry->type == ENTRY_HARDLINK)
        note_link(f, entry);
    else if (entry->type == ENTRY_FILE && !t->special)
        note(f, entry->path,
             &(struct spot){.offset = f->base + t->offset, .size = entry->content.size});
    else if (map_has(&f->names, entry->path))
        map_set(&f->names, entry->path, NULL);
}

static int no_archive(const struct stored_files *f, bool any, struct err *e)
{
    return err_set(
        e, ERR_INPUT,
        any ? "%s is not an image: neither a layout's folder nor a tar as `docker save`, `docker "
              "export` and `skopeo copy` write it"
            : "%s is not an oci-archive: a tar, not compressed, that holds a layout",
        f->path);
}

/* No archive of images has such files; every system has them. */
static void note_tree(struct stored_files *f, struct str path)
{
    static const struct {
        const char *loader, *arch;
    } loaders[] = {
        {"ld-linux-x86-64.so.2", "amd64"},
        {"ld-musl-x86_64.so.1", "amd64"},
        {"ld-linux-aarch64.so.1", "arm64"},
        {"ld-musl-aarch64.so.1", "arm64"},
    };

    f->tree |= str_starts(path, STR("etc/")) || str_starts(path, STR("usr/"));
    for (size_t i = 0; i < ARRAY_LEN(loaders); i++)
        if (str_is(path_base(path), loaders[i].loader))
            f->arch = str_of(loaders[i].arch);
}

static int walk(struct stored_files *f, struct bundle_parts *bundle, const struct events *events,
                struct err *e)
{
    struct source *from = source_file(f->fd.n, f->base, f->size, f->path);
    CLEANUP(tar_clear) struct tar_reader *tar = tar_open(from, TAR_ARCHIVE);
    const struct tar_entry *entry;

    from->events = events;

    for (size_t n = 0;; n++) {
        if (tar_next(tar, &entry, e) < 0)
            return -1;
        if (!entry)
            return 0;
        note_tree(f, entry->entry.path);
        if (entry->entry.type == ENTRY_FILE && !f->tree)
            bundle_parts_note(bundle, entry->entry.path, entry->offset, entry->entry.content.size);
        if (n < FILES_MAX)
            note_entry(f, entry);
        else if (!f->tree)
            return err_set(e, ERR_INPUT, "%s holds more than %d files", f->path, FILES_MAX);
    }
}

/* *is: f->fd is a tar, the one that was in it if need be. */
static int unpack(bool *is, struct stored_files *f, const struct stored_scratch *scratch,
                  struct err *e)
{
    CLEANUP(fd_clear) struct fd plain = {0};
    unsigned char head[TAR_BLOCK] = {0};
    size_t got;

    if (fd_pread_some(f->fd.n, head, sizeof head, 0, &got, f->path, e) < 0)
        return -1;
    *is = stored_spool_is_tar(head);
    if (*is || !scratch)
        return 0;
    if (stored_spool_unpack(&plain, f->fd.n, f->path, scratch, e) < 0)
        return -1;
    if (!plain.open)
        return 0;
    fd_clear(&f->fd);
    MOVE(&f->fd, &plain);
    *is = true;
    return 0;
}

/* The archive that a bundle has. */
static int enter(struct stored_files *f, struct bundle_parts *bundle, const struct fd *tar,
                 const struct stored_scratch *scratch, struct err *e)
{
    CLEANUP(bundle_parts_clear) struct bundle_parts none = {0};
    CLEANUP(fd_clear) struct fd own = {0};

    if (bundle_parts_open(&own, &f->base, &f->size, bundle, tar, f->path, scratch, e) < 0)
        return -1;
    fd_clear(&f->fd);
    MOVE(&f->fd, &own);
    map_clear(&f->names);
    f->archive = true;
    return walk(f, &none, scratch->events, e);
}

static int scan(struct stored_files *f, const struct stored_scratch *scratch, struct err *e)
{
    CLEANUP(bundle_parts_clear) struct bundle_parts bundle = {0};
    bool is;

    f->archive = true;
    if (unpack(&is, f, scratch, e) < 0)
        return -1;
    if (!is)
        return no_archive(f, scratch, e);
    if (fd_size(f->fd.n, &f->size, f->path, e) < 0 ||
        walk(f, &bundle, scratch ? scratch->events : NULL, e) < 0)
        return -1;
    return scratch && bundle.parts.n && !f->tree && !map_has(&f->names, STR("index.json")) &&
                   !map_has(&f->names, STR("manifest.json"))
               ? enter(f, &bundle, &f->fd, scratch, e)
               : 0;
}

int stored_files_folder(struct stored_files *out, const char *path, bool flat,
                        const struct events *events, struct err *e)
{
    CLEANUP(stored_files_clear) struct stored_files f = {.path = xstrdup(path), .flat = flat};
    CLEANUP(free_clear) char *header = path_join(path, "oci-layout");

    if (!flat && fs_exists(header) && layout_use(&f.fd, path, events, e) < 0)
        return -1;
    MOVE(out, &f);
    return 0;
}

int stored_files_tar(struct stored_files *out, const char *path,
                     const struct stored_scratch *scratch, struct err *e)
{
    CLEANUP(stored_files_clear) struct stored_files f = {.path = xstrdup(path)};

    if (fd_open(&f.fd, path, O_RDONLY, 0, e) < 0 || scan(&f, scratch, e) < 0)
        return -1;
    MOVE(out, &f);
    return 0;
}

int stored_files_bundle(struct stored_files *out, const char *path,
                        const struct stored_scratch *scratch, struct err *e)
{
    CLEANUP(stored_files_clear) struct stored_files f = {.path = xstrdup(path)};
    CLEANUP(bundle_parts_clear) struct bundle_parts bundle = {0};

    if (bundle_parts_list(&bundle, path, e) < 0 || enter(&f, &bundle, NULL, scratch, e) < 0)
        return -1;
    MOVE(out, &f);
    return 0;
}

int stored_files_saved(struct stored_files *out, const char *engine, struct str image,
                       const struct stored_scratch *scratch, struct err *e)
{
    CLEANUP(stored_files_clear) struct stored_files f = {0};
    CLEANUP(free_clear) char *name = str_dup(image);
    struct buf path = {0};

    buf_fmt(&path, "%s:%s", engine, name);
    f.path = buf_take(&path);
    if (stored_spool_save(&f.fd, engine, name, scratch, e) < 0 || scan(&f, scratch, e) < 0)
        return -1;
    MOVE(out, &f);
    return 0;
}

void stored_files_clear(struct stored_files *f)
{
    free(f->path);
    fd_clear(&f->fd);
    map_clear(&f->names);
    arena_clear(&f->arena);
    *f = (struct stored_files){0};
}

/* ---- finding ---- */

static const struct spot *find(const struct stored_files *f, struct str name)
{
    const struct spot *p = NULL;

    for (unsigned links = 0; links < LINKS_MAX; links++) {
        p = map_get(&f->names, name);
        if (!p || !p->link.len)
            return p;
        name = p->link;
    }
    return NULL;
}

bool stored_files_has(const struct stored_files *f, struct str name, uint64_t *size)
{
    const struct spot *p = find(f, name);

    if (p)
        *size = p->size;
    return p != NULL;
}

static void blob_name(char out[128], const struct digest *digest)
{
    char hex[DIGEST_HEX + 1];

    digest_hex(digest, hex);
    snprintf(out, 128, "blobs/sha256/%s", hex);
}

void stored_files_alias(struct stored_files *f, const struct digest *digest, struct str name)
{
    const struct spot *p = find(f, name);
    char blob[128];

    blob_name(blob, digest);
    if (p)
        note(f, str_of(blob), p);
}

void stored_files_alias_all(struct stored_files *f, const struct digest *digest)
{
    char blob[128];

    blob_name(blob, digest);
    note(f, str_of(blob), &(struct spot){.size = f->size});
}

/* Owned. */
static char *blob_path(const struct stored_files *f, const struct digest *digest)
{
    struct buf path = {0};
    char hex[DIGEST_HEX + 1];

    if (!f->flat)
        return layout_blob_path(f->path, digest);
    if (digest_eq(digest, &f->top))
        return path_join(f->path, "manifest.json");
    digest_hex(digest, hex);
    buf_fmt(&path, "%s/%s", f->path, hex);
    if (!fs_exists(path.p))
        buf_puts(&path, ".manifest.json"); /* of an image that is one of several */
    return buf_take(&path);
}

static int open_file(struct source **out, uint64_t *size, const char *path, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};

    if (fd_open(&fd, path, O_RDONLY, 0, e) < 0 || fd_size(fd.n, size, path, e) < 0)
        return -1;
    *out = source_file_take(&fd, 0, *size, NULL);
    return 0;
}

char *stored_files_blob_path(const struct stored_files *f, const struct digest *digest)
{
    return f->archive || f->registry ? NULL : blob_path(f, digest);
}

int stored_files_blob(struct source **out, uint64_t *size, const struct stored_files *f,
                      const struct digest *digest, struct err *e)
{
    CLEANUP(free_clear) char *path = NULL;
    const struct spot *p = NULL;
    char name[128], text[DIGEST_TEXT + 1];

    blob_name(name, digest);
    if (f->archive)
        p = find(f, str_of(name));
    path = stored_files_blob_path(f, digest);
    if (path ? !fs_exists(path) : !p) {
        digest_text(digest, text);
        return err_set(e, ERR_INPUT, "%s lacks the blob %s", f->path, text);
    }
    if (path) {
        if (open_file(out, size, path, e) < 0)
            return -1;
    } else {
        *size = p->size;
        *out = source_file(f->fd.n, p->offset, p->size, NULL);
    }
    (*out)->name = f->path;
    return 0;
}

/* ---- documents ---- */

static int read_text(struct str *out, struct stored_files *f, struct source *from, uint64_t size,
                     struct err *e)
{
    char *text = arena_alloc(&f->arena, (size_t)size + 1);
    size_t got;

    if (source_read_full(from, text, (size_t)size, &got, e) < 0)
        return -1;
    *out = (struct str){text, got};
    return 0;
}

int stored_files_text(struct str *out, struct stored_files *f, struct str name, struct err *e)
{
    const struct spot *p = find(f, name);
    CLEANUP(source_clear) struct source *from = NULL;

    if (!f->archive) {
        CLEANUP(free_clear) char *file = str_dup(name), *path = path_join(f->path, file);
        CLEANUP(buf_clear) struct buf text = {0};

        if (fs_read(&text, path, IMAGE_DOC_MAX, e) < 0)
            return -1;
        *out = arena_str(&f->arena, buf_view(&text));
        return 0;
    }
    if (!p)
        return err_set(e, ERR_INPUT, "%s lacks \"" STR_FMT "\"", f->path, STR_ARG(name));
    if (p->size > IMAGE_DOC_MAX)
        return err_set(e, ERR_INPUT, "%s: its \"" STR_FMT "\" is too large", f->path,
                       STR_ARG(name));
    from = source_file(f->fd.n, p->offset, p->size, f->path);
    return read_text(out, f, from, p->size, e);
}

int stored_files_manifest(struct str *out, struct stored_files *f, const struct digest *digest,
                          struct err *e)
{
    CLEANUP(buf_clear) struct buf json = {0};
    struct digest seen;
    char text[DIGEST_TEXT + 1];
    bool found;

    if (!f->registry)
        return stored_files_doc(out, f, digest, 0, e);
    if (digest_eq(digest, &f->top)) {
        *out = f->top_text;
        return 0;
    }
    digest_text(digest, text);
    if (registry_manifest(&found, &json, &seen, f->registry, str_of(text), e) < 0)
        return -1;
    if (!found)
        return err_set(e, ERR_INPUT, "%s lacks the manifest %s", f->path, text);
    *out = arena_str(&f->arena, buf_view(&json));
    return 0;
}

int stored_files_doc(struct str *out, struct stored_files *f, const struct digest *digest,
                     uint64_t size, struct err *e)
{
    CLEANUP(source_clear) struct source *from = NULL;
    struct digest found;
    char name[DIGEST_TEXT + 1];

    digest_text(digest, name);
    if (f->registry)
        from = registry_blob(f->registry, digest, size);
    else if (stored_files_blob(&from, &size, f, digest, e) < 0)
        return -1;
    if (size > IMAGE_DOC_MAX)
        return err_set(e, ERR_INPUT, "%s: %s is a blob too large for a manifest", f->path, name);
    if (read_text(out, f, from, size, e) < 0)
        return -1;
    hash_bytes(&found, out->p, out->len);
    if (!digest_eq(&found, digest))
        return err_set(e, ERR_INTEGRITY, "%s: blob %s holds bytes of another digest", f->path,
                       name);
    return 0;
}
