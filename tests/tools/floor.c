/* tests/tools/floor.c - the floor that assembling is measured against (make bench): the same bytes
 * read, hashed, inflated and written by the same libraries on the same cores, with no product
 * between.
 *
 * For each wheel: read and hash the file, inflate and hash every member, write and hash a file of
 * the same size. For each deb: read and hash the file, decompress and hash its data, write and hash
 * a file of the same size. usage: floor THREADS SCRATCH_DIR FILE...
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/pool.h"
#include "io/crypto.h"
#include "io/inflate.h"
#include "io/zip.h"
#include "pkg/deb/debfile.h"

enum { CHUNK = 256 * 1024 };

struct job {
    const char *path, *scratch;
};

/* Copy the file's bytes to a scratch file, hashing what is read and what is written. */
static int copy(const struct input *in, const char *scratch, struct err *e)
{
    CLEANUP(fs_temp_clear) struct fs_temp out = {0};
    CLEANUP(free_clear) char *chunk = xmalloc(CHUNK);
    CLEANUP(hash_clear) struct hash read = {0}, written = {0};
    struct digest digest;
    uint64_t at = 0;

    if (fs_temp_open(&out, scratch, e) < 0)
        return -1;
    hash_open(&read);
    hash_open(&written);
    while (at < in->size) {
        size_t n = in->size - at < CHUNK ? (size_t)(in->size - at) : CHUNK;

        if (fd_pread_all(in->fd.n, chunk, n, at, in->name, e) < 0)
            return -1;
        hash_add(&read, chunk, n);
        hash_add(&written, chunk, n);
        if (fd_write_all(out.fd.n, chunk, n, scratch, e) < 0)
            return -1;
        at += n;
    }
    hash_finish(&read, &digest);
    hash_finish(&written, &digest);
    return 0;
}

static int inflate_wheel(const struct input *in, struct err *e)
{
    CLEANUP(zip_clear) struct zip zip = {0};
    CLEANUP(hash_sink_clear) struct hash_sink hash = {0};
    CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();

    if (zip_open(&zip, in, e) < 0)
        return -1;
    hash_sink_open(&hash, NULL);
    for (size_t i = 0; i < zip.entries.n; i++)
        if (!zip.entries.v[i].directory &&
            content_copy(inflater, &zip.entries.v[i].content, &hash.sink, in->name, e) < 0)
            return -1;
    return 0;
}

static int each(void *ctx, const struct tar_entry *entry, struct source *data, struct err *e)
{
    return source_copy(data, ctx, NULL, e);
}

static int unpack_deb(const struct input *in, struct err *e)
{
    CLEANUP(debfile_clear) struct debfile deb = {0};
    CLEANUP(hash_sink_clear) struct hash_sink hash = {0};

    hash_sink_open(&hash, NULL);
    return debfile_open(&deb, in, e) < 0 ? -1 : debfile_walk(&deb, in, each, &hash.sink, e);
}

static int run(void *ctx, struct err *e)
{
    const struct job *job = ctx;
    struct input in = {.name = job->path};
    int result = fd_open(&in.fd, job->path, O_RDONLY, 0, e);

    if (result == 0)
        result = fd_size(in.fd.n, &in.size, job->path, e);
    if (result == 0)
        result = copy(&in, job->scratch, e);
    if (result == 0)
        result = strstr(job->path, ".deb") ? unpack_deb(&in, e) : inflate_wheel(&in, e);
    fd_clear(&in.fd);
    return result;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    uint32_t threads;
    int result;

    if (argc < 4 || !str_u32(str_of(argv[1]), &threads) || !threads) {
        fprintf(stderr, "usage: floor THREADS SCRATCH_DIR FILE...\n");
        return 2;
    }
    CLEANUP(pool_clear) struct pool *pool = pool_open(threads);
    CLEANUP(free_clear) struct job *jobs = xcalloc((size_t)argc, sizeof *jobs);

    for (int i = 3; i < argc; i++) {
        uint64_t size = 0;

        fs_file_size(argv[i], &size);
        jobs[i] = (struct job){argv[i], argv[2]};
        pool_add(pool, size, 0, run, &jobs[i]);
    }
    result = pool_wait(pool, &e);
    if (result < 0)
        fprintf(stderr, "floor: %s\n", e.msg);
    err_clear(&e);
    return result < 0;
}
