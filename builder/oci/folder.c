/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"

#include "../base/fs.h"
#include "../base/path.h"
#include "blob_temp.h"

static const char version_text[] = "Directory Transport Version: 1.1\n";

struct folder {
    struct place place;
    char *dir;           /* owned */
    struct buf manifest; /* of the image that has a name, until close */
};

/* Owned. */
static char *path_of(const struct folder *f, const struct digest *digest, const char *end)
{
    struct buf path = {0};
    char hex[DIGEST_HEX + 1];

    digest_hex(digest, hex);
    buf_fmt(&path, "%s/%s%s", f->dir, hex, end);
    return buf_take(&path);
}

/* ---- blobs ---- */

static int has_blob(bool *has, struct place *p, const struct digest *digest, uint64_t size,
                    struct err *e)
{
    CLEANUP(free_clear) char *path = path_of((struct folder *)p, digest, "");
    CLEANUP(fd_clear) struct fd fd = {0};
    struct digest seen;
    uint64_t there;

    *has = false;
    if (!fs_file_size(path, &there) || there != size)
        return 0;
    if (fd_open(&fd, path, 0, 0, e) < 0 || hash_fd(&seen, &there, fd.n, path, e) < 0)
        return -1;
    *has = digest_eq(&seen, digest);
    return 0;
}

static int blob_open(struct place *p, struct place_blob *b, struct err *e)
{
    return blob_temp_open(b, ((struct folder *)p)->dir, e);
}

static int blob_finish(struct place_blob *b, struct err *e)
{
    CLEANUP(free_clear) char *path = path_of((struct folder *)b->place, &b->digest, "");

    return fs_temp_publish(b->state, path, true, e);
}

/* ---- images ---- */

static int has_manifest(bool *has, struct place *p, const struct digest *digest, struct err *e)
{
    CLEANUP(free_clear) char *path = path_of((struct folder *)p, digest, ".manifest.json");

    *has = fs_exists(path);
    return 0;
}

static int put_image(struct place *p, struct str json, const struct descriptor *d,
                     const struct image_manifest *manifest, const struct image_name *name,
                     struct err *e)
{
    struct folder *f = (struct folder *)p;
    CLEANUP(free_clear) char *path = path_of(f, &d->digest, ".manifest.json");

    if (!name->tag.len)
        return fs_write(path, json, e);
    buf_reset(&f->manifest);
    buf_str(&f->manifest, json);
    return 0;
}

static int close_folder(struct place *p, struct err *e)
{
    struct folder *f = (struct folder *)p;
    CLEANUP(free_clear) char *manifest = path_join(f->dir, "manifest.json");

    return fs_write(manifest, buf_view(&f->manifest), e);
}

static void free_folder(struct place *p)
{
    struct folder *f = (struct folder *)p;

    free(f->dir);
    buf_clear(&f->manifest);
    free(f);
}

static const struct place_ops folder_ops = {
    .has_blob = has_blob,
    .blob_open = blob_open,
    .blob_write = blob_temp_write,
    .blob_finish = blob_finish,
    .blob_clear = blob_temp_clear,
    .put_image = put_image,
    .close = close_folder,
    .free = free_folder,
    .has_manifest = has_manifest,
};

int folder_open(struct place **out, const char *dir, struct err *e)
{
    CLEANUP(free_clear) char *version = path_join(dir, "version");
    CLEANUP(names_clear) struct names names = {0};
    struct folder *f;

    if (fs_mkdirs_synced(dir, e) < 0 || fs_list(&names, dir, e) < 0)
        return -1;
    if (names.n && !fs_exists(version))
        return err_set(e, ERR_INPUT,
                       "%s is no folder of dir: and holds other things (\"%s\"); name an empty or "
                       "a new folder",
                       dir, names.v[0]);
    if (fs_write(version, str_of(version_text), e) < 0)
        return -1;
    f = xcalloc(1, sizeof *f);
    f->place = (struct place){.ops = &folder_ops, .manifests_apart = true, .task = "write"};
    f->dir = xstrdup(dir);
    *out = &f->place;
    return 0;
}
