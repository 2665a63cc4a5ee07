/* SPDX-License-Identifier: Apache-2.0 */
#include "unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include "../base/path.h"

enum {
    CHUNK = 64 * 1024,
    FREE_PLAIN = 64 * 1024 * 1024, /* a tar may inflate this far whatever its packed size, */
    RATIO_MAX = 1000,              /* and beyond it to this many times its packed size */
    LINK_MAX = 4096,
};

/* What libarchive pulls its bytes from. An error of the source is kept aside by way of `e`. */
struct feed {
    struct archive *archive; /* owned */
    struct source *in;       /* borrowed */
    struct err *e;           /* of the call that is running */
    const char *what;
    char chunk[CHUNK];
};

static la_ssize_t feed_read(struct archive *a, void *ctx, const void **bytes)
{
    struct feed *f = ctx;
    size_t got;

    if (source_read(f->in, f->chunk, sizeof f->chunk, &got, f->e) < 0) {
        archive_set_error(a, -1, "the source failed");
        return -1;
    }
    *bytes = f->chunk;
    return (la_ssize_t)got;
}

/* The source's own fault, when there was one, says more than libarchive can. */
static int feed_error(const struct feed *f, struct err *e)
{
    const char *why = archive_error_string(f->archive);

    if (err_is_set(e))
        return -1;
    return err_set(e, ERR_INPUT, "%s: not a valid archive: %s", f->what,
                   why ? why : "no reason given");
}

static int feed_open(struct feed *f, struct source *in, const char *what, struct err *e)
{
    *f = (struct feed){.archive = archive_read_new(), .in = in, .e = e, .what = what};
    if (!f->archive)
        return err_set(e, ERR_SYSTEM, "libarchive cannot start");
    /* Anything but ARCHIVE_OK means that libarchive would start a program for it. */
    if (archive_read_support_filter_gzip(f->archive) != ARCHIVE_OK ||
        archive_read_support_filter_xz(f->archive) != ARCHIVE_OK ||
        archive_read_support_filter_zstd(f->archive) != ARCHIVE_OK)
        return err_set(e, ERR_SYSTEM, "this libarchive was built without gzip, xz or zstd");
    return 0;
}

static int feed_start(struct feed *f, struct err *e)
{
    if (archive_read_open(f->archive, f, NULL, feed_read, NULL) != ARCHIVE_OK)
        return feed_error(f, e);
    return 0;
}

static void feed_clear(struct feed *f)
{
    if (f->archive)
        archive_read_free(f->archive);
    f->archive = NULL;
}

struct decompressor {
    struct source source; /* first: a source is a decompressor */
    struct feed feed;
    uint64_t left;
    uint64_t limit;
    bool ended;
};

static int decompress_read(struct source *self, void *to, size_t len, size_t *got, struct err *e)
{
    struct decompressor *d = (struct decompressor *)self;

    *got = 0;
    if (d->ended)
        return 0;
    d->feed.e = e;
    la_ssize_t n = archive_read_data(d->feed.archive, to, len);
    if (n < 0)
        return feed_error(&d->feed, e);
    if ((uint64_t)n > d->left)
        return err_set(e, ERR_INPUT, "%s unpacks to more than %llu bytes, the most allowed",
                       d->feed.what, (unsigned long long)d->limit);
    d->left -= (uint64_t)n;
    d->ended = n == 0;
    *got = (size_t)n;
    return 0;
}

int decompress_open(struct decompressor **out, struct source *in, uint64_t limit, const char *what,
                    struct err *e)
{
    CLEANUP(decompress_clear) struct decompressor *d = xcalloc(1, sizeof *d);
    struct archive_entry *entry;

    d->source.read = decompress_read;
    d->limit = d->left = limit;
    if (feed_open(&d->feed, in, what, e) < 0)
        return -1;
    archive_read_support_format_raw(d->feed.archive);
    archive_read_support_format_empty(d->feed.archive);
    if (feed_start(&d->feed, e) < 0)
        return -1;
    int rc = archive_read_next_header(d->feed.archive, &entry);
    if (rc != ARCHIVE_OK && rc != ARCHIVE_EOF)
        return feed_error(&d->feed, e);
    d->ended = rc == ARCHIVE_EOF;
    MOVE(out, &d);
    return 0;
}

struct source *decompress_source(struct decompressor *d)
{
    return &d->source;
}

void decompress_clear(struct decompressor **d)
{
    if (*d)
        feed_clear(&(*d)->feed);
    free(*d);
    *d = NULL;
}

struct untar {
    struct source source; /* first: the data of the entry at hand */
    struct feed feed;
};

static int check_ratio(const struct feed *f, struct err *e)
{
    uint64_t packed = (uint64_t)archive_filter_bytes(f->archive, -1);
    uint64_t plain = (uint64_t)archive_filter_bytes(f->archive, 0);

    if (plain > FREE_PLAIN && plain / RATIO_MAX > packed)
        return err_set(e, ERR_INPUT, "%s: unpacks to more than %d times its size", f->what,
                       RATIO_MAX);
    return 0;
}

static int untar_read(struct source *self, void *to, size_t len, size_t *got, struct err *e)
{
    struct untar *u = (struct untar *)self;

    u->feed.e = e;
    la_ssize_t n = archive_read_data(u->feed.archive, to, len);
    if (n < 0)
        return feed_error(&u->feed, e);
    *got = (size_t)n;
    return check_ratio(&u->feed, e);
}

/* "./usr/bin/" as "usr/bin", "./" as "". */
static struct str tar_path(const char *raw)
{
    struct str path = str_of(raw);

    str_skip(&path, STR("./"));
    str_drop(&path, STR("/"));
    return str_is(path, ".") ? STR("") : path;
}

static int entry_type(struct unpacked *u, struct archive_entry *from, bool lenient, struct err *e)
{
    struct entry *out = &u->entry;

    if (archive_entry_hardlink(from)) {
        out->type = ENTRY_HARDLINK;
        out->link = tar_path(archive_entry_hardlink(from));
        if (!path_is_safe(out->link))
            return err_set(e, ERR_INPUT, "a hard link to \"" STR_FMT "\" leads outside",
                           STR_ARG(out->link));
        return 0;
    }
    switch (archive_entry_filetype(from)) {
    case AE_IFREG:
        out->type = ENTRY_FILE;
        return 0;
    case AE_IFDIR:
        out->type = ENTRY_DIR;
        return 0;
    case AE_IFLNK:
        out->type = ENTRY_SYMLINK;
        out->link = str_of(archive_entry_symlink(from));
        if (!out->link.len || out->link.len > LINK_MAX)
            return err_set(e, ERR_INPUT, "a symbolic link without a usable target");
        return 0;
    }
    if (!lenient)
        return err_set(e, ERR_INPUT,
                       "neither file, folder nor link; only these may enter an image");
    out->type = ENTRY_FILE;
    u->special = true;
    return 0;
}

static int entry_ids(struct entry *out, struct archive_entry *from, struct err *e)
{
    la_int64_t uid = archive_entry_uid(from), gid = archive_entry_gid(from);

    if (uid < 0 || uid > INT32_MAX || gid < 0 || gid > INT32_MAX)
        return err_set(e, ERR_INPUT, "owner %lld:%lld is out of range", (long long)uid,
                       (long long)gid);
    out->uid = (uint32_t)uid;
    out->gid = (uint32_t)gid;
    return 0;
}

static int entry_convert(struct unpacked *out, struct archive_entry *from, bool lenient,
                         struct err *e)
{
    const char *raw = archive_entry_pathname(from);
    la_int64_t size = archive_entry_size(from), mtime = archive_entry_mtime(from);
    struct entry *entry = &out->entry;

    if (!raw)
        return err_set(e, ERR_INPUT, "an entry without a readable name");
    entry->path = tar_path(raw);
    if (entry->path.len && !path_is_safe(entry->path))
        return err_set(e, ERR_INPUT, "\"%s\" is not a safe path", raw);
    if (entry_type(out, from, lenient, e) < 0 || entry_ids(entry, from, e) < 0)
        return err_wrap(e, "\"%s\"", raw);
    if (!entry->path.len && entry->type != ENTRY_DIR)
        return err_set(e, ERR_INPUT, "the root is not a folder");
    if (size < 0 || (entry->type != ENTRY_FILE && size > 0))
        return err_set(e, ERR_INPUT, "\"%s\" has a size it cannot have", raw);
    if (!lenient && archive_entry_sparse_count(from))
        return err_set(e, ERR_INPUT, "\"%s\" is a sparse file, which no layer holds", raw);
    entry->mode = (uint32_t)archive_entry_perm(from) & 07777;
    entry->mtime = mtime > 0 ? mtime : 0;
    entry->content.size = (uint64_t)size;
    out->uname = str_of(archive_entry_uname(from));
    out->gname = str_of(archive_entry_gname(from));
    return 0;
}

static void untar_free(struct untar **u)
{
    feed_clear(&(*u)->feed);
    free(*u);
}

typedef int (*untar_each)(void *ctx, const struct unpacked *entry, struct source *data,
                          struct err *e);

static int walk(struct source *in, const char *what, bool lenient, untar_each each, void *ctx,
                struct err *e)
{
    CLEANUP(untar_free) struct untar *u = xcalloc(1, sizeof *u);
    struct archive_entry *found;
    int rc;

    u->source.read = untar_read;
    if (feed_open(&u->feed, in, what, e) < 0)
        return -1;
    archive_read_support_format_tar(u->feed.archive);
    if (feed_start(&u->feed, e) < 0)
        return -1;
    /* A warning is about a name that this locale cannot show; its bytes are there all the same. */
    while ((rc = archive_read_next_header(u->feed.archive, &found)) == ARCHIVE_OK ||
           (lenient && rc == ARCHIVE_WARN)) {
        struct unpacked entry = {.pax = archive_format(u->feed.archive) ==
                                        ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE};
        if (check_ratio(&u->feed, e) < 0)
            return -1;
        if (entry_convert(&entry, found, lenient, e) < 0)
            return err_wrap(e, "%s", what);
        if (each(ctx, &entry, &u->source, e) < 0)
            return -1;
        u->feed.e = e; /* a data source may have been given another */
    }
    return rc == ARCHIVE_EOF ? 0 : feed_error(&u->feed, e);
}

int untar(struct source *in, const char *what,
          int (*each)(void *ctx, const struct unpacked *entry, struct source *data, struct err *e),
          void *ctx, struct err *e)
{
    return walk(in, what, false, each, ctx, e);
}

int untar_layer(struct source *in, const char *what,
                int (*each)(void *ctx, const struct unpacked *entry, struct source *data,
                            struct err *e),
                void *ctx, struct err *e)
{
    return walk(in, what, true, each, ctx, e);
}
