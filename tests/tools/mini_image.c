/* mini_image DEST BUSYBOX [NAME TAG]: a small image that can run, put where -o DEST says.
 *
 * One layer: a static busybox, the names it is called by, a text that says hello. For the tests
 * that let other programs read what builder/oci writes.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <zlib.h>

#include "base/fs.h"
#include "io/tar.h"
#include "out/dest.h"

enum { EPOCH = 1700000000, BUSYBOX_MAX = 16 << 20 };

static int add_entry(struct buf *tar, struct entry entry, struct str data, struct err *e)
{
    entry.mtime = EPOCH;
    entry.content = (struct content){.kind = CONTENT_BYTES, .size = data.len, .bytes = data.p};
    if (tar_header(tar, &entry, e) < 0)
        return -1;
    buf_str(tar, data);
    memset(buf_room(tar, TAR_BLOCK), 0, TAR_BLOCK);
    tar->len += tar_padding(data.len);
    return 0;
}

static int make_tar(struct buf *tar, const char *busybox, struct err *e)
{
    static const char *const dirs[] = {"bin", "dev", "etc", "proc", "sys", "tmp"};
    static const char *const names[] = {"bin/cat", "bin/id", "bin/ls", "bin/sh"};
    CLEANUP(buf_clear) struct buf program = {0};

    if (fs_read(&program, busybox, BUSYBOX_MAX, e) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
        if (add_entry(tar, (struct entry){.path = str_of(dirs[i]), .type = ENTRY_DIR, .mode = 0755},
                      STR(""), e) < 0)
            return -1;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (add_entry(tar,
                      (struct entry){.path = str_of(names[i]),
                                     .type = ENTRY_SYMLINK,
                                     .mode = 0777,
                                     .link = STR("busybox")},
                      STR(""), e) < 0)
            return -1;
    if (add_entry(tar, (struct entry){.path = STR("bin/busybox"), .mode = 0755}, buf_view(&program),
                  e) < 0 ||
        add_entry(tar, (struct entry){.path = STR("etc/hello"), .mode = 0644},
                  STR("hello from a small image\n"), e) < 0)
        return -1;
    tar_end(tar);
    return 0;
}

static void gzip(struct buf *out, const struct buf *in)
{
    z_stream z = {.next_in = (unsigned char *)in->p, .avail_in = (unsigned)in->len};
    size_t room;

    deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
    room = deflateBound(&z, in->len);
    z.next_out = (unsigned char *)buf_room(out, room);
    z.avail_out = (unsigned)room;
    deflate(&z, Z_FINISH);
    out->len += z.total_out;
    deflateEnd(&z);
}

static void fill_config(struct image_config *c, const struct digest *diff_id)
{
    c->platform = (struct platform){.os = STR("linux"), .architecture = STR("amd64")};
    c->dated = true;
    c->created = EPOCH;
    c->workdir = STR("/tmp");
    vec_add(&c->env, STR("PATH=/bin"));
    vec_add(&c->env, STR("GREETING=hello"));
    vec_add(&c->cmd, STR("/bin/cat"));
    vec_add(&c->cmd, STR("/etc/hello"));
    pairs_add(&c->labels, STR("io.envbuild.test"), STR("yes"));
    vec_add(&c->diff_ids, *diff_id);
    vec_add(&c->history,
            ((struct image_history){
                .dated = true, .created = EPOCH, .created_by = STR("mini_image: busybox")}));
}

static int put_config(struct place *p, struct descriptor *d, const struct digest *diff_id,
                      struct err *e)
{
    CLEANUP(image_config_clear) struct image_config config = {0};
    CLEANUP(buf_clear) struct buf json = {0};

    fill_config(&config, diff_id);
    image_config_write(&config, &json);
    d->media_type = STR(MEDIA_CONFIG);
    d->size = json.len;
    return place_put_bytes(p, buf_view(&json), &d->digest, e);
}

static int put_all(struct place *p, const struct image_name *name, const char *busybox,
                   struct err *e)
{
    const struct platform platform = {.os = STR("linux"), .architecture = STR("amd64")};
    CLEANUP(image_manifest_clear) struct image_manifest manifest = {0};
    CLEANUP(buf_clear) struct buf tar = {0}, packed = {0}, json = {0};
    struct descriptor *layer = vec_push(&manifest.layers);
    struct digest diff_id, digest;

    if (make_tar(&tar, busybox, e) < 0)
        return -1;
    gzip(&packed, &tar);
    hash_bytes(&diff_id, tar.p, tar.len);
    layer->media_type = STR(MEDIA_LAYER_GZIP);
    layer->size = packed.len;
    if (place_put_bytes(p, buf_view(&packed), &layer->digest, e) < 0 ||
        put_config(p, &manifest.config, &diff_id, e) < 0)
        return -1;
    image_manifest_write(&manifest, &json);
    if (place_put_image(p, buf_view(&json), name, &platform, &digest, e) < 0)
        return -1;
    return place_close(p, e);
}

int main(int argc, char **argv)
{
    CLEANUP(dest_clear) struct dest dest = {0};
    CLEANUP(place_clear) struct place *place = NULL;
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    const struct blob_files files = {0};
    const struct dest_ways ways = {.mtime = EPOCH, .files = &files};
    struct image_name name;

    if (argc != 3 && argc != 5) {
        fputs("usage: mini_image DEST BUSYBOX [NAME TAG]\n", stderr);
        return ERR_USAGE;
    }
    if (dest_parse(&dest, argv[1], &e) == 0 && dest_open(&place, &dest, &ways, &e) == 0) {
        name = dest_image_name(&dest, str_of(argc == 5 ? argv[3] : "mini"),
                               str_of(argc == 5 ? argv[4] : "1.0"));
        if (put_all(place, &name, argv[2], &e) == 0) {
            dest_print(&dest, &name, &text);
            fprintf(stderr, "%s\n", text.p);
            return 0;
        }
    }
    err_format(&e, &text);
    fprintf(stderr, "mini_image: %s\n", text.p);
    return (int)e.kind;
}
