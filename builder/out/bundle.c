/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle.h"

#include <fcntl.h>
#include <unistd.h>

#include "../base/fs.h"
#include "../base/map.h"
#include "../base/path.h"
#include "../model/embedded.h"
#include "../oci/tarball.h"
#include "copy.h"

#define SUMS "SHA256SUMS"
#define README "README.html"
#define IMAGE "image.tar"

static const struct {
    const char *name, *from; /* its template */
} own_files[] = {{README, "out-bundle.html"},
                 {"load.sh", "out-bundle.sh"},
                 {"load.ps1", "out-bundle.ps1"},
                 {"load.cmd", "out-bundle.cmd"}};

void bundling_clear(struct bundling *b)
{
    vec_clear(&b->images);
    vec_clear(&b->texts);
}

static void add_sum(struct buf *sums, const struct digest *digest, const char *name)
{
    char hex[DIGEST_HEX + 1];

    digest_hex(digest, hex);
    buf_fmt(sums, "%s  %s\n", hex, name);
}

/* ---- a file in parts ---- */

struct parts {
    struct sink sink;
    const char *dir;
    uint64_t limit; /* bytes of each */
    uint64_t size;  /* of the one that is open */
    unsigned n;
    struct fd fd;
    char *path; /* owned */
    struct hash hash;
    struct buf sums;
};

static void parts_clear(struct parts *p)
{
    fd_clear(&p->fd);
    free(p->path);
    hash_clear(&p->hash);
    buf_clear(&p->sums);
}

static int part_open(struct parts *p, struct err *e)
{
    CLEANUP(buf_clear) struct buf name = {0};

    buf_fmt(&name, IMAGE ".%03u", ++p->n);
    free(p->path);
    p->path = path_join(p->dir, name.p);
    p->size = 0;
    hash_open(&p->hash);
    return fd_open(&p->fd, p->path, O_WRONLY | O_CREAT | O_TRUNC, 0666, e);
}

/* A stick is pulled out when the program ends, so the bytes are on it before. */
static int part_close(struct parts *p, struct err *e)
{
    struct digest digest;

    if (fdatasync(p->fd.n) < 0)
        return err_errno(e, "cannot write %s", p->path);
    fd_clear(&p->fd);
    hash_finish(&p->hash, &digest);
    add_sum(&p->sums, &digest, path_base(str_of(p->path)).p);
    return 0;
}

static int parts_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct parts *p = (struct parts *)self;

    for (const char *at = bytes; len;) {
        size_t n;

        if (p->fd.open && p->size == p->limit && part_close(p, e) < 0)
            return -1;
        if (!p->fd.open && part_open(p, e) < 0)
            return -1;
        n = len < p->limit - p->size ? len : (size_t)(p->limit - p->size);
        if (fd_pwrite_all(p->fd.n, at, n, p->size, p->path, e) < 0)
            return -1;
        hash_add(&p->hash, at, n);
        p->size += n;
        at += n;
        len -= n;
    }
    return 0;
}

/* One part alone is the whole. */
static int parts_finish(struct sink *self, struct err *e)
{
    struct parts *p = (struct parts *)self;
    CLEANUP(free_clear) char *whole = path_join(p->dir, IMAGE);

    if (part_close(p, e) < 0)
        return -1;
    if (p->n > 1)
        return 0;
    if (rename(p->path, whole) < 0)
        return err_errno(e, "cannot write %s", whole);
    p->sums.len -= strlen(".001\n");
    p->sums.p[p->sums.len] = '\0';
    buf_putc(&p->sums, '\n');
    return 0;
}

/* ---- texts ---- */

static void put_hex(struct buf *out, const struct digest *digest)
{
    char hex[DIGEST_HEX + 1];

    digest_hex(digest, hex);
    buf_puts(out, hex);
}

static int put_file(struct buf *sums, const char *dir, const char *name, struct str text,
                    struct err *e)
{
    CLEANUP(free_clear) char *path = path_join(dir, name);
    struct digest digest;

    hash_bytes(&digest, text.p, text.len);
    add_sum(sums, &digest, name);
    return fs_write(path, text, e);
}

/* "course:1", a line each; with the digests of config and manifest for scripts. */
static void put_names(struct buf *out, const struct bundling *b, bool digests)
{
    const struct bundle_image *i;

    vec_each(i, &b->images) {
        buf_fmt(out, "%s" STR_FMT ":" STR_FMT, i == b->images.v ? "" : "\n",
                STR_ARG(i->name.repository), STR_ARG(i->name.tag));
        if (!digests)
            continue;
        buf_putc(out, ' ');
        put_hex(out, &i->from->manifest.config.digest);
        buf_putc(out, ' ');
        put_hex(out, &i->from->digest);
    }
}

/* Names and digests hold no character that a shell, PowerShell or HTML would take for its own; a
 * folder's name may. */
static void put_folder(struct buf *out, const char *dir)
{
    struct str base = path_base(str_of(dir));

    for (size_t k = 0; k < base.len; k++)
        buf_putc(out, c_alnum(base.p[k]) || str_has(STR("-._"), base.p[k]) ? base.p[k] : '?');
}

struct telling {
    const struct bundling *bundling;
    const char *dir;
};

static bool value_of(struct buf *out, const void *ctx, struct str key)
{
    const struct telling *t = ctx;
    const struct bundling *b = t->bundling;

    if (str_is(key, "images") || str_is(key, "list"))
        put_names(out, b, str_is(key, "images"));
    else if (str_is(key, "title"))
        buf_str(out, b->images.v[0].name.repository);
    else if (str_is(key, "size"))
        buf_fmt(out, "%llu", (unsigned long long)bundle_size(b));
    else if (str_is(key, "mib"))
        buf_fmt(out, "%llu", (unsigned long long)(bundle_size(b) >> 20) + 1);
    else if (str_is(key, "folder"))
        put_folder(out, t->dir);
    else
        return false;
    return true;
}

static int put_texts(struct buf *sums, const char *dir, const struct bundling *b, struct err *e)
{
    const struct telling telling = {b, dir};
    int result = 0;

    for (size_t k = 0; k < ARRAY_LEN(own_files) && result == 0; k++) {
        CLEANUP(buf_clear) struct buf text = {0};

        embedded_fill(&text, own_files[k].from, value_of, &telling);
        result = put_file(sums, dir, own_files[k].name, buf_view(&text), e);
    }
    for (size_t k = 0; k < b->texts.n && result == 0; k++)
        result = put_file(sums, dir, b->texts.v[k].name, b->texts.v[k].text, e);
    return result;
}

/* ---- the folder ---- */

static bool has(const struct names *names, const char *name)
{
    char **each;

    vec_each(each, names)
        if (strcmp(*each, name) == 0)
            return true;
    return false;
}

/* Of an earlier bundle first goes what says that it is whole. */
static int make_room(const char *dir, struct err *e)
{
    CLEANUP(names_clear) struct names names = {0};
    CLEANUP(free_clear) char *sums = path_join(dir, SUMS);
    char **name;

    if (fs_mkdirs(dir, e) < 0 || fs_list(&names, dir, e) < 0)
        return -1;
    if (names.n && !(has(&names, README) && has(&names, "load.sh")))
        return err_set(e, ERR_INPUT,
                       "%s holds other things; name a folder of its own, which is made", dir);
    if (has(&names, SUMS) && (fs_remove(sums, e) < 0 || fs_sync_dir(dir, e) < 0))
        return -1;
    vec_each(name, &names) {
        CLEANUP(free_clear) char *path = path_join(dir, *name);

        if (str_starts(str_of(*name), STR(IMAGE)) && fs_remove(path, e) < 0)
            return -1;
    }
    return 0;
}

uint64_t bundle_size(const struct bundling *b)
{
    CLEANUP(map_clear) struct map seen = {0};
    CLEANUP(arena_clear) struct arena arena = {0};
    const struct bundle_image *i;
    const struct descriptor *d;
    uint64_t sum = 0;

    vec_each(i, &b->images) {
        sum += i->from->manifest.config.size;
        vec_each(d, &i->from->manifest.layers) {
            char hex[DIGEST_HEX + 1];

            digest_hex(&d->digest, hex);
            if (!map_has(&seen, str_of(hex)))
                sum += d->size;
            map_set(&seen, arena_str(&arena, str_of(hex)), &seen);
        }
    }
    return sum;
}

static int put_images(struct parts *parts, const struct bundling *b, struct err *e)
{
    const struct image_config *first = &b->images.v[0].from->config;
    int64_t mtime = first->dated && first->created > 0 ? first->created : 0;
    CLEANUP(place_clear) struct place *place = NULL;
    const struct bundle_image *i;
    struct digest digest;

    if (tarball_stream(&place, &parts->sink, NULL, TARBALL_DOCKER, mtime, e) < 0)
        return -1;
    vec_each(i, &b->images)
        if (copy_image(place,
                       &(struct copying){.from = i->from, .jobs = b->jobs, .events = b->events},
                       &i->name, 1, &digest, e) < 0)
            return -1;
    return place_close(place, e);
}

int bundle_write(const char *dir, const struct bundling *b, struct err *e)
{
    CLEANUP(parts_clear)
    struct parts parts = {.sink = {parts_write, parts_finish}, .dir = dir, .limit = b->part};
    CLEANUP(free_clear) char *sums = path_join(dir, SUMS);

    /* The texts first: by them a folder is known again that was not written to its end. */
    if (make_room(dir, e) < 0 || put_texts(&parts.sums, dir, b, e) < 0 ||
        put_images(&parts, b, e) < 0 || fs_sync_dir(dir, e) < 0)
        return -1;
    return fs_write(sums, buf_view(&parts.sums), e);
}
