/* tests/unit/oci_fixture.h - a folder to write in, and an image of one tiny layer. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/path.h"
#include "oci/layout.h"

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static inline int make_folder(void **state)
{
    char path[] = "/tmp/envbuild-oci-XXXXXX";

    *state = xstrdup(mkdtemp(path));
    return 0;
}

static inline int remove_folder(void **state)
{
    int rc = nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);

    free(*state);
    return rc;
}

/* Blobs named by `layer` and by the config; returns the manifest's JSON in `json`. */
static inline int put_blobs(struct place *p, struct str layer, struct buf *json, struct err *e)
{
    CLEANUP(image_config_clear) struct image_config config = {0};
    CLEANUP(image_manifest_clear) struct image_manifest manifest = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    struct descriptor *d = vec_push(&manifest.layers);

    config.platform = (struct platform){STR("linux"), STR("amd64"), {0}};
    hash_bytes(vec_push(&config.diff_ids), layer.p, layer.len);
    image_config_write(&config, &text);
    manifest.config.media_type = STR(MEDIA_CONFIG);
    manifest.config.size = text.len;
    d->media_type = STR(MEDIA_LAYER);
    d->size = layer.len;
    if (place_put_bytes(p, layer, &d->digest, e) < 0 ||
        place_put_bytes(p, buf_view(&text), &manifest.config.digest, e) < 0)
        return -1;
    image_manifest_write(&manifest, json);
    return 0;
}

static inline int put_tagged(struct place *p, struct str layer, const char *tag,
                             struct digest *digest, struct err *e)
{
    CLEANUP(buf_clear) struct buf json = {0};
    struct image_name name = {.repository = STR("mini"), .tag = str_of(tag)};

    if (put_blobs(p, layer, &json, e) < 0)
        return -1;
    return place_put_image(p, buf_view(&json), &name, NULL, digest, e);
}

static inline void assert_ok(int rc, const struct err *e)
{
    if (rc < 0)
        fail_msg("%s", e->msg);
}

static inline char *read_text(const char *dir, const char *name)
{
    CLEANUP(free_clear) char *path = path_join(dir, name);
    CLEANUP(err_clear) struct err e = {0};
    struct buf text = {0};

    assert_ok(fs_read(&text, path, 64 << 20, &e), &e);
    return buf_take(&text);
}
