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
        note(f, entry->path, &(struct spot){.offset = t->offset, .size = entry->content.size});
    else if (map_has(&f->names, entry->path))
        map_set(&f->names, entry->path, NULL);
}

static int no_archive(const struct stored_files *f, const unsigned char *head, bool any,
                      struct err *e)
{
    if (any && head[0] == 0x1f && head[1] == 0x8b)
        return err_set(
            e, ERR_INPUT,
            "%s is compressed as a whole, so nothing in it can be found; `gunzip` it first",
            f->path);
    return err_set(
        e, ERR_INPUT,
        any ? "%s is not an image: neither a layout's folder nor a tar, not compressed, as "
              "`docker save` and `skopeo copy` write it"
            : "%s is not an oci-archive: a tar, not compressed, that holds a layout",
        f->path);
}

static int walk(struct stored_files *f, uint64_t size, struct err *e)
{
    CLEANUP(tar_clear)
    struct tar_reader *tar = tar_open(source_file(f->fd.n, 0, size, f->path), TAR_ARCHIVE);
    const struct tar_entry *entry;

    for (size_t n = 0;; n++) {
        if (tar_next(tar, &entry, e) < 0)
            return -1;
        if (!entry)
            return 0;
        if (n == FILES_MAX)
            return err_set(e, ERR_INPUT, "%s holds more than %d files", f->path, FILES_MAX);
        note_entry(f, entry);
    }
}

static int scan(struct stored_files *f, bool any, struct err *e)
{
    unsigned char head[TAR_BLOCK] = {0};
    uint64_t size;
    size_t got;

    if (fd_open(&f->fd, f->path, O_RDONLY, 0, e) < 0 || fd_size(f->fd.n, &size, f->path, e) < 0 ||
        fd_pread_some(f->fd.n, head, sizeof head, 0, &got, f->path, e) < 0)
        return -1;
    if (memcmp(head + 257, "ustar", 5) != 0)
        return no_archive(f, head, any, e);
    return walk(f, size, e);
}

int stored_files_open(struct stored_files *out, const char *path, bool archive, bool any,
                      struct err *e)
{
    CLEANUP(stored_files_clear) struct stored_files f = {.archive = archive};

    f.path = xstrdup(path);
    if (archive && scan(&f, any, e) < 0)
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

static int open_file(struct source **out, uint64_t *size, const char *path, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};

    if (fd_open(&fd, path, O_RDONLY, 0, e) < 0 || fd_size(fd.n, size, path, e) < 0)
        return -1;
    *out = source_file_take(&fd, 0, *size, NULL);
    return 0;
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
    else
        path = layout_blob_path(f->path, digest);
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

int stored_files_doc(struct str *out, struct stored_files *f, const struct digest *digest,
                     struct err *e)
{
    CLEANUP(source_clear) struct source *from = NULL;
    struct digest found;
    char name[DIGEST_TEXT + 1];
    uint64_t size;

    digest_text(digest, name);
    if (stored_files_blob(&from, &size, f, digest, e) < 0)
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
