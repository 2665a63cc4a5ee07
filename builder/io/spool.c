/* SPDX-License-Identifier: Apache-2.0 */
#include "spool.h"

enum {
    CHUNK = 64 * 1024,
    TINY = 256, /* contents up to this many bytes stay in memory: cheaper than a range to read */
};

void spool_open(struct spool *s, const char *dir)
{
    *s = (struct spool){.input.name = "the scratch file", .dir = xstrdup(dir)};
    pthread_mutex_init(&s->lock, NULL);
}

static int make_file(struct spool *s, struct err *e)
{
    int result = 0;

    pthread_mutex_lock(&s->lock);
    if (!s->temp.fd.open) {
        result = fs_temp_open(&s->temp, s->dir, e);
        s->input.fd = s->temp.fd;
    }
    pthread_mutex_unlock(&s->lock);
    return result;
}

void spool_clear(struct spool *s)
{
    fs_temp_clear(&s->temp);
    pthread_mutex_destroy(&s->lock);
    free(s->dir);
    *s = (struct spool){0};
}

int spool_put(struct content *out, struct spool *s, struct source *from, uint64_t size,
              struct err *e)
{
    CLEANUP(free_clear) char *chunk = xmalloc(CHUNK);
    uint64_t start = __atomic_fetch_add(&s->used, size, __ATOMIC_RELAXED), done = 0;

    if (make_file(s, e) < 0)
        return -1;
    while (done < size) {
        uint64_t left = size - done;
        size_t got;
        if (source_read(from, chunk, left < CHUNK ? (size_t)left : CHUNK, &got, e) < 0)
            return -1;
        if (!got)
            return err_set(e, ERR_INPUT, "%s ends early", from->name);
        if (fd_pwrite_all(s->input.fd.n, chunk, got, start + done, s->input.name, e) < 0)
            return -1;
        done += got;
    }
    *out =
        (struct content){.kind = CONTENT_RANGE, .size = size, .input = &s->input, .offset = start};
    return 0;
}

int spool_keep(struct content *out, struct spool *s, struct arena *a, struct source *from,
               uint64_t size, struct err *e)
{
    CLEANUP(buf_clear) struct buf bytes = {0};

    if (size > TINY)
        return spool_put(out, s, from, size, e);
    if (source_read_all(from, &bytes, size, e) < 0)
        return -1;
    if (bytes.len != size)
        return err_set(e, ERR_INPUT, "%s ends early", from->name);
    *out = (struct content){.kind = CONTENT_BYTES, .size = size};
    out->bytes = arena_str(a, buf_view(&bytes)).p;
    return 0;
}
