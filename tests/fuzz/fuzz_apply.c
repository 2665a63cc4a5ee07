/* A delta file as `apply` reads it, on an image that a layout has and on the same as an engine
 * saves it: it is refused, or each layer is NEW's by its digest, and so is the image.
 *
 * An input is the file without its sum, or, as nobody mutates what is packed: four bytes that say
 * how long the head is, the head, and the body. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/bits.h"
#include "io/crypto.h"
#include "io/zstd.h"
#include "mktar.h"
#include "oci/layout.h"
#include "out/delta_apply.h"
#include "out/delta_pack.h"

enum { CUT = 1024, TARS = 3 };

static const char end_of_tar[2 * TAR_BLOCK];

/* ---- OLD: the same bytes with any library ---- */

/* Words and bytes that repeat nowhere. */
static void make_tar(struct buf *tar, unsigned seed)
{
    for (unsigned i = 0; i < 3; i++) {
        CLEANUP(buf_clear) struct buf body = {0};
        char name[16];

        for (unsigned j = 0; j < 40; j++)
            buf_fmt(&body, "%u %08x\n", i + seed, (i + 1) * (j + seed) * 2654435761u);
        snprintf(name, sizeof name, "%u/%u", seed, i);
        mktar(tar, name, '0', "", body.p, body.len);
    }
    buf_add(tar, end_of_tar, sizeof end_of_tar);
}

static void pack_members(struct buf *out, struct str tar)
{
    CLEANUP(deflater_clear) struct deflater *d = deflater_open();

    for (size_t at = 0; at < tar.len; at += CUT)
        delta_member(out, at / CUT % 2 ? DELTA_FIXED1 : DELTA_DEFLATE1, d, str_sub(tar, at, CUT));
}

/* One raw block each. */
static void pack_frames(struct buf *out, struct str tar)
{
    for (size_t at = 0; at < tar.len; at += CUT) {
        struct str part = str_sub(tar, at, CUT);

        buf_number(out, 0xfd2fb528, 4);
        buf_putc(out, (char)0xa0); /* its size in four bytes, which is its window */
        buf_number(out, part.len, 4);
        buf_number(out, part.len << 3 | 1, 3);
        buf_str(out, part);
    }
}

static void pack_not(struct buf *out, struct str tar)
{
    buf_str(out, tar);
}

static void (*const packs[TARS])(struct buf *out, struct str tar) = {pack_members, pack_frames,
                                                                     pack_not};

static void add_blob(struct buf *archive, struct digest *digest, struct str bytes)
{
    char hex[DIGEST_HEX + 1], name[100];

    hash_bytes(digest, bytes.p, bytes.len);
    digest_hex(digest, hex);
    snprintf(name, sizeof name, "blobs/sha256/%s", hex);
    mktar(archive, name, '0', "", bytes.p, bytes.len);
}

static void add_text(struct buf *archive, const char *name, struct str text)
{
    mktar(archive, name, '0', "", text.p, text.len);
}

static void make_config(struct buf *out, const struct buf *tars)
{
    CLEANUP(image_config_clear) struct image_config config = {0};

    config.platform = (struct platform){STR("linux"), STR("amd64"), {0}};
    for (unsigned i = 0; i < TARS; i++)
        hash_bytes(vec_push(&config.diff_ids), tars[i].p, tars[i].len);
    image_config_write(&config, out);
}

/* What `docker save` writes: tars. */
static void make_saved(struct buf *out, const struct buf *tars)
{
    CLEANUP(buf_clear) struct buf config = {0};

    make_config(&config, tars);
    add_text(out, "c.json", buf_view(&config));
    add_text(out, "0.tar", buf_view(&tars[0]));
    add_text(out, "1.tar", buf_view(&tars[1]));
    add_text(out, "2.tar", buf_view(&tars[2]));
    add_text(out, "manifest.json",
             STR("[{\"Config\":\"c.json\",\"RepoTags\":[\"a:b\"],"
                 "\"Layers\":[\"0.tar\",\"1.tar\",\"2.tar\"]}]"));
}

static void make_oci(struct buf *out, const struct buf *tars)
{
    static const char *const types[] = {MEDIA_LAYER_GZIP, MEDIA_LAYER_ZSTD, MEDIA_LAYER};
    CLEANUP(image_manifest_clear) struct image_manifest manifest = {0};
    CLEANUP(image_index_clear) struct image_index index = {0};
    CLEANUP(buf_clear) struct buf config = {0}, json = {0}, top = {0};
    struct descriptor *d = vec_push(&index.manifests);

    for (unsigned i = 0; i < TARS; i++) {
        CLEANUP(buf_clear) struct buf blob = {0};
        struct descriptor *l = vec_push(&manifest.layers);

        packs[i](&blob, buf_view(&tars[i]));
        *l = (struct descriptor){.media_type = str_of(types[i]), .size = blob.len};
        add_blob(out, &l->digest, buf_view(&blob));
    }
    make_config(&config, tars);
    manifest.config = (struct descriptor){.media_type = STR(MEDIA_CONFIG), .size = config.len};
    add_blob(out, &manifest.config.digest, buf_view(&config));
    image_manifest_write(&manifest, &json);
    *d = (struct descriptor){.media_type = STR(MEDIA_MANIFEST), .size = json.len};
    add_blob(out, &d->digest, buf_view(&json));
    image_index_write(&index, &top);
    add_text(out, "index.json", buf_view(&top));
    add_text(out, "oci-layout", STR("{\"imageLayoutVersion\":\"1.0.0\"}"));
}

/* ---- files in memory ---- */

/* What it has now is `bytes`; returns its path. */
static const char *put_file(int *fd, char path[32], struct str bytes)
{
    if (!*fd)
        *fd = memfd_create("fuzz", MFD_CLOEXEC);
    assert(*fd > 0 && ftruncate(*fd, 0) == 0 &&
           pwrite(*fd, bytes.p, bytes.len, 0) == (ssize_t)bytes.len);
    snprintf(path, 32, "/proc/self/fd/%d", *fd);
    return path;
}

static void open_old(struct stored *out, const struct buf *tars, bool engine)
{
    CLEANUP(buf_clear) struct buf archive = {0}, name = {0};
    CLEANUP(err_clear) struct err e = {0};
    char path[32];
    int fd = 0;

    engine ? make_saved(&archive, tars) : make_oci(&archive, tars);
    buf_add(&archive, end_of_tar, sizeof end_of_tar);
    buf_fmt(&name, "%s:%s", engine ? "docker-archive" : "oci-archive",
            put_file(&fd, path, buf_view(&archive)));
    assert(stored_open_any(out, buf_view(&name), ".", &(struct stored_scratch){.dir = "/tmp"},
                           &e) == 0);
    close(fd); /* it has its own */
}

/* ---- a place that keeps names alone ---- */

struct kept {
    struct place place;
    struct digests blobs;
};

static int has_blob(bool *has, struct place *p, const struct digest *digest, uint64_t size,
                    struct err *e)
{
    const struct digest *d;

    *has = false;
    vec_each(d, &((struct kept *)p)->blobs)
        *has |= digest_eq(d, digest);
    return 0;
}

static int blob_open(struct place *p, struct place_blob *b, struct err *e)
{
    return 0;
}

static int blob_write(struct place_blob *b, const void *bytes, size_t len, struct err *e)
{
    return 0;
}

static int blob_finish(struct place_blob *b, struct err *e)
{
    vec_add(&((struct kept *)b->place)->blobs, b->digest);
    return 0;
}

static void blob_clear(struct place_blob *b)
{
}

static int put_image(struct place *p, struct str json, const struct descriptor *d,
                     const struct image_manifest *manifest, const struct image_name *name,
                     struct err *e)
{
    return 0;
}

static int tagged(struct tagged *out, struct place *p, const struct image_name *name, struct err *e)
{
    return 0;
}

static const struct place_ops ops = {.has_blob = has_blob,
                                     .blob_open = blob_open,
                                     .blob_write = blob_write,
                                     .blob_finish = blob_finish,
                                     .blob_clear = blob_clear,
                                     .put_image = put_image,
                                     .tagged = tagged};

/* ---- all of it ---- */

static void apply(const struct delta *d, const struct stored *old, bool engine)
{
    const struct image_name name = {.repository = STR("x"), .tag = STR("y")};
    const struct delta_applying how = {
        .delta = d, .from = old, .engine = engine, .name = &name, .jobs = 1, .scratch = "/tmp"};
    struct kept kept = {.place = {.ops = &ops, .task = "write"}};
    CLEANUP(err_clear) struct err e = {0};
    struct delta_applied made;

    if (delta_apply(&made, &kept.place, &how, &e) < 0)
        /* The last: another libzstd than the delta names. */
        assert(e.kind == ERR_INPUT || e.kind == ERR_INTEGRITY || e.kind == ERR_SYSTEM);
    else
        assert(engine || digest_eq(&made.digest, &d->manifest));
    vec_clear(&kept.blobs);
}

static void make_file(struct buf *out, struct str in)
{
    struct zstd_packer *z = zstd_packer_open();
    CLEANUP(buf_clear) struct buf frame = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct digest sum;

    if (str_starts(in, STR("envbuild delta "))) {
        buf_str(out, in);
    } else {
        size_t len = in.len < 4 ? 0 : load_le32((const uint8_t *)in.p);
        struct str head = str_sub(in, 4, len), body = str_sub(in, 4 + len, in.len);

        assert(zstd_pack(z, &frame, head, &e) == 0);
        buf_puts(out, "envbuild delta 1\n");
        buf_number(out, frame.len, 4);
        buf_number(out, head.len, 4);
        buf_str(out, buf_view(&frame));
        buf_str(out, body);
    }
    hash_bytes(&sum, out->p, out->len);
    buf_add(out, sum.bytes, sizeof sum.bytes);
    zstd_packer_free(z);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct stored olds[2];
    static int fd;
    CLEANUP(buf_clear) struct buf file = {0};
    CLEANUP(delta_clear) struct delta d = {0};
    CLEANUP(err_clear) struct err e = {0};
    char path[32];

    for (unsigned i = 0; !fd && i < 2; i++) {
        struct buf tars[TARS] = {0};

        for (unsigned j = 0; j < TARS; j++)
            make_tar(&tars[j], j);
        open_old(&olds[i], tars, i);
        for (unsigned j = 0; j < TARS; j++)
            buf_clear(&tars[j]);
    }
    make_file(&file, (struct str){(const char *)bytes, len});
    if (delta_open(&d, put_file(&fd, path, buf_view(&file)), &e) < 0) {
        assert(e.kind == ERR_INPUT || e.kind == ERR_INTEGRITY);
        return 0;
    }
    for (unsigned i = 0; i < 2; i++)
        apply(&d, &olds[i], i);
    return 0;
}
