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

struct word {
    const char *key;
    struct buf value;
};

/* What is no word of ours between "{{" and "}}" is an engine's. */
static void fill(struct buf *out, const char *name, const struct word *words, size_t n)
{
    struct str text, before, key;

    if (!embedded_get(&text, str_of(name)))
        return;
    while (str_cut(&text, STR("{{"), &before)) {
        size_t i = 0;

        buf_str(out, before);
        str_cut(&text, STR("}}"), &key);
        while (i < n && !str_is(key, words[i].key))
            i++;
        if (i < n)
            buf_str(out, buf_view(&words[i].value));
        else
            buf_fmt(out, "{{" STR_FMT "}}", STR_ARG(key));
    }
    buf_str(out, text);
}

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

/* Names and digests hold no character that a shell, PowerShell or HTML would take for its own; a
 * folder's name may. */
static int put_texts(struct buf *sums, const char *dir, const struct bundling *b, struct err *e)
{
    enum { IMAGES, TITLE, LIST, SIZE, MIB, FOLDER, WORDS };
    struct word words[WORDS] = {{"images", {0}}, {"title", {0}}, {"list", {0}},
                                {"size", {0}},   {"mib", {0}},   {"folder", {0}}};
    const struct bundle_image *i;
    struct str base = path_base(str_of(dir));
    int result = 0;

    vec_each(i, &b->images) {
        const char *between = i == b->images.v ? "" : "\n";

        buf_fmt(&words[LIST].value, "%s" STR_FMT ":" STR_FMT, between, STR_ARG(i->name.repository),
                STR_ARG(i->name.tag));
        buf_fmt(&words[IMAGES].value, "%s" STR_FMT ":" STR_FMT " ", between,
                STR_ARG(i->name.repository), STR_ARG(i->name.tag));
        put_hex(&words[IMAGES].value, &i->from->manifest.config.digest);
        buf_putc(&words[IMAGES].value, ' ');
        put_hex(&words[IMAGES].value, &i->from->digest);
    }
    buf_str(&words[TITLE].value, b->images.v[0].name.repository);
    buf_fmt(&words[SIZE].value, "%llu", (unsigned long long)bundle_size(b));
    buf_fmt(&words[MIB].value, "%llu", (unsigned long long)(bundle_size(b) >> 20) + 1);
    for (size_t k = 0; k < base.len; k++)
        buf_putc(&words[FOLDER].value,
                 c_alnum(base.p[k]) || str_has(STR("-._"), base.p[k]) ? base.p[k] : '?');
    for (size_t k = 0; k < ARRAY_LEN(own_files) && result == 0; k++) {
        CLEANUP(buf_clear) struct buf text = {0};

        fill(&text, own_files[k].from, words, WORDS);
        result = put_file(sums, dir, own_files[k].name, buf_view(&text), e);
    }
    for (size_t k = 0; k < b->texts.n && result == 0; k++)
        result = put_file(sums, dir, b->texts.v[k].name, b->texts.v[k].text, e);
    for (size_t k = 0; k < WORDS; k++)
        buf_clear(&words[k].value);
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

    if (make_room(dir, e) < 0 || put_images(&parts, b, e) < 0 ||
        put_texts(&parts.sums, dir, b, e) < 0 || fs_sync_dir(dir, e) < 0)
        return -1;
    return fs_write(sums, buf_view(&parts.sums), e);
}
