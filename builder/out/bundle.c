/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle.h"

#include "../base/map.h"
#include "../model/embedded.h"
#include "../oci/tarball.h"
#include "bundle_box.h"
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
    struct box *box;
    uint64_t limit; /* bytes of each */
    bool open;
    unsigned n;
    struct hash hash;
    struct buf sums;
};

static void parts_clear(struct parts *p)
{
    hash_clear(&p->hash);
    buf_clear(&p->sums);
}

static int part_open(struct parts *p, struct err *e)
{
    CLEANUP(buf_clear) struct buf name = {0};

    buf_fmt(&name, IMAGE ".%03u", ++p->n);
    hash_open(&p->hash);
    p->open = true;
    return box_begin(p->box, name.p, e);
}

/* One part alone is the whole. */
static int part_close(struct parts *p, bool last, struct err *e)
{
    CLEANUP(buf_clear) struct buf name = {0};
    struct digest digest;

    buf_puts(&name, IMAGE);
    if (p->n > 1 || !last)
        buf_fmt(&name, ".%03u", p->n);
    p->open = false;
    hash_finish(&p->hash, &digest);
    add_sum(&p->sums, &digest, name.p);
    return box_end(p->box, name.p, e);
}

static int parts_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct parts *p = (struct parts *)self;

    for (const char *at = bytes; len;) {
        uint64_t room;
        size_t n;

        if (p->open && p->box->size == p->limit && part_close(p, false, e) < 0)
            return -1;
        if (!p->open && part_open(p, e) < 0)
            return -1;
        room = p->limit - p->box->size;
        n = len < room ? len : (size_t)room;
        if (box_write(p->box, at, n, e) < 0)
            return -1;
        hash_add(&p->hash, at, n);
        at += n;
        len -= n;
    }
    return 0;
}

static int parts_finish(struct sink *self, struct err *e)
{
    return part_close((struct parts *)self, true, e);
}

/* ---- texts ---- */

static void put_hex(struct buf *out, const struct digest *digest)
{
    char hex[DIGEST_HEX + 1];

    digest_hex(digest, hex);
    buf_puts(out, hex);
}

static int put_file(struct buf *sums, struct box *box, const char *name, struct str text,
                    struct err *e)
{
    struct digest digest;

    hash_bytes(&digest, text.p, text.len);
    add_sum(sums, &digest, name);
    return box_put(box, name, text, e);
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

/* Names and digests hold no character that a shell, PowerShell or HTML would take for its own. */
struct telling {
    const struct bundling *bundling;
    const struct box *box;
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
        buf_str(out, buf_view(&t->box->folder));
    else
        return false;
    return true;
}

static int put_texts(struct buf *sums, struct box *box, const struct bundling *b, struct err *e)
{
    const struct telling telling = {b, box};
    int result = 0;

    for (size_t k = 0; k < ARRAY_LEN(own_files) && result == 0; k++) {
        CLEANUP(buf_clear) struct buf text = {0};

        embedded_fill(&text, own_files[k].from, value_of, &telling);
        result = put_file(sums, box, own_files[k].name, buf_view(&text), e);
    }
    for (size_t k = 0; k < b->texts.n && result == 0; k++)
        result = put_file(sums, box, b->texts.v[k].name, b->texts.v[k].text, e);
    return result;
}

/* ---- images ---- */

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
    CLEANUP(place_clear) struct place *place = NULL;
    const struct bundle_image *i;
    struct digest digest;

    if (tarball_stream(&place, &parts->sink, NULL, TARBALL_DOCKER, parts->box->mtime, e) < 0)
        return -1;
    vec_each(i, &b->images)
        if (copy_image(place,
                       &(struct copying){.from = i->from, .jobs = b->jobs, .events = b->events},
                       &i->name, 1, &digest, e) < 0)
            return -1;
    return place_close(place, e);
}

int bundle_write(const char *path, const struct bundling *b, struct err *e)
{
    const struct image_config *first = &b->images.v[0].from->config;
    CLEANUP(box_clear) struct box box = {0};
    CLEANUP(parts_clear)
    struct parts parts = {.sink = {parts_write, parts_finish}, .box = &box, .limit = b->part};

    /* The texts first: by them a folder is known again that was not written to its end. */
    if (box_open(&box, path, first->dated && first->created > 0 ? first->created : 0, SUMS, IMAGE,
                 e) < 0 ||
        put_texts(&parts.sums, &box, b, e) < 0 || put_images(&parts, b, e) < 0)
        return -1;
    return box_close(&box, SUMS, buf_view(&parts.sums), e);
}
