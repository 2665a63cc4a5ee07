/* SPDX-License-Identifier: Apache-2.0 */
#include "cas.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/path.h"

struct sights { /* of this handle */
    pthread_mutex_t lock;
    struct VEC_OF(struct seen) list;
};

struct cas {
    char *dir, *blobs, *partial; /* folders; owned */
    struct sights *sights;       /* owned */
    struct fd use;               /* the lock */
};

char *cas_lock_path(const char *dir)
{
    return path_join(dir, ".lock");
}

/* The lock first: what is removed while we wait for it is not there for us. */
static int open_folders(struct cas *cas, const struct events *events, struct err *e)
{
    CLEANUP(free_clear) char *lock = cas_lock_path(cas->dir);

    return fs_mkdirs(cas->dir, e) < 0 || fs_lock_shared(&cas->use, lock, events, e) < 0 ||
                   fs_mkdirs_where_writable(cas->blobs, e) < 0 ||
                   fs_mkdirs_where_writable(cas->partial, e) < 0
               ? -1
               : 0;
}

int cas_open(struct cas **out, const char *dir, const struct events *events, struct err *e)
{
    struct cas *cas = xcalloc(1, sizeof *cas);

    cas->dir = xstrdup(dir);
    cas->blobs = path_join(dir, "blobs/sha256");
    cas->partial = path_join(dir, "partial");
    cas->sights = xcalloc(1, sizeof *cas->sights);
    pthread_mutex_init(&cas->sights->lock, NULL);
    if (open_folders(cas, events, e) < 0) {
        cas_clear(&cas);
        return err_wrap(e, "the store %s", dir);
    }
    *out = cas;
    return 0;
}

void cas_clear(struct cas **cas)
{
    if (!*cas)
        return;
    fd_clear(&(*cas)->use);
    free((*cas)->dir);
    free((*cas)->blobs);
    free((*cas)->partial);
    vec_clear(&(*cas)->sights->list);
    pthread_mutex_destroy(&(*cas)->sights->lock);
    free((*cas)->sights);
    free_clear(cas);
}

bool cas_is_read_only(const struct cas *cas)
{
    return access(cas->blobs, W_OK) < 0;
}

const char *cas_dir(const struct cas *cas)
{
    return cas->dir;
}

static char *path_in(const char *dir, const struct digest *digest)
{
    char hex[DIGEST_HEX + 1];

    digest_hex(digest, hex);
    return path_join(dir, hex);
}

char *cas_path(const struct cas *cas, const struct digest *digest)
{
    return path_in(cas->blobs, digest);
}

bool cas_has(const struct cas *cas, const struct digest *digest, uint64_t size)
{
    CLEANUP(free_clear) char *path = cas_path(cas, digest);
    uint64_t found;

    return fs_file_size(path, &found) && (!size || size == found);
}

int cas_input(struct input *out, const struct cas *cas, const struct digest *digest,
              const char *name, struct err *e)
{
    CLEANUP(free_clear) char *path = cas_path(cas, digest);
    CLEANUP(cas_input_clear) struct input input = {.digest = *digest, .name = name};

    if (fd_open(&input.fd, path, O_RDONLY, 0, e) < 0 ||
        fd_size(input.fd.n, &input.size, name, e) < 0)
        return err_wrap(e, "%s", name);
    MOVE(out, &input);
    return 0;
}

void cas_input_clear(struct input *input)
{
    fd_clear(&input->fd);
    *input = (struct input){0};
}

/* ---- what was seen ---- */

static void saw(const struct cas *cas, const struct seen *seen)
{
    pthread_mutex_lock(&cas->sights->lock);
    vec_add(&cas->sights->list, *seen);
    pthread_mutex_unlock(&cas->sights->lock);
}

bool cas_saw(const struct cas *cas, const struct digest *digest, struct seen *out)
{
    const struct seen *s;
    bool found = false;

    pthread_mutex_lock(&cas->sights->lock);
    vec_each(s, &cas->sights->list)
        if (!found && (found = digest_eq(seen_digest(s), digest)))
            *out = *s;
    pthread_mutex_unlock(&cas->sights->lock);
    return found;
}

int cas_check(const struct cas *cas, const struct digest *digest, bool *right, struct err *e)
{
    CLEANUP(free_clear) char *path = cas_path(cas, digest);
    CLEANUP(fd_clear) struct fd fd = {0};
    struct seen seen;
    uint64_t size;

    *right = false;
    if (!fs_exists(path))
        return 0;
    if (fd_open(&fd, path, O_RDONLY, 0, e) < 0 || seen_fd(&seen, &size, fd.n, path, e) < 0)
        return -1;
    *right = digest_eq(seen_digest(&seen), digest);
    if (!*right)
        return fs_remove(path, e);
    saw(cas, &seen);
    return 0;
}

/* ---- putting ---- */

static int wrong_digest(const struct digest *expect, const struct digest *got, struct err *e)
{
    char want[DIGEST_TEXT + 1], have[DIGEST_TEXT + 1];

    digest_text(expect, want);
    digest_text(got, have);
    return err_set(e, ERR_INTEGRITY, "expected %s, got %s", want, have);
}

static int put_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct cas_put *put = (struct cas_put *)self;

    if (len > put->limit - put->size)
        return err_set(e, ERR_INPUT, "larger than %llu bytes, the most allowed",
                       (unsigned long long)put->limit);
    hash_add(&put->hash, bytes, len);
    put->size += len;
    return fd_write_all(put->temp.fd.n, bytes, len, put->cas->blobs, e);
}

static int put_finish(struct sink *self, struct err *e)
{
    struct cas_put *put = (struct cas_put *)self;
    CLEANUP(free_clear) char *path = NULL;

    hash_seen(&put->hash, &put->seen);
    put->digest = *seen_digest(&put->seen);
    if (digest_is_set(&put->expect) && !digest_eq(&put->digest, &put->expect))
        return wrong_digest(&put->expect, &put->digest, e);
    path = cas_path(put->cas, &put->digest);
    saw(put->cas, &put->seen);
    fs_make_read_only(put->temp.fd.n);
    if (fstat(put->temp.fd.n, &put->written) < 0)
        return err_errno(e, "cannot write %s", path);
    return fs_temp_publish(&put->temp, path, true, e);
}

int cas_put_open(struct cas_put *put, const struct cas *cas, const struct digest *expect,
                 uint64_t limit, struct err *e)
{
    CLEANUP(fs_temp_clear) struct fs_temp temp = {0};

    if (fs_temp_open(&temp, cas->blobs, e) < 0)
        return -1;
    *put = (struct cas_put){.sink = {put_write, put_finish}, .cas = cas, .limit = limit};
    if (expect)
        put->expect = *expect;
    hash_open(&put->hash);
    MOVE(&put->temp, &temp);
    return 0;
}

void cas_put_clear(struct cas_put *put)
{
    hash_clear(&put->hash);
    fs_temp_clear(&put->temp);
    *put = (struct cas_put){
        .size = put->size, .digest = put->digest, .seen = put->seen, .written = put->written};
}

int cas_put_bytes(const struct cas *cas, struct str bytes, struct digest *out, struct err *e)
{
    CLEANUP(cas_put_clear) struct cas_put put = {0};

    if (cas_put_open(&put, cas, NULL, bytes.len, e) < 0 ||
        sink_write(&put.sink, bytes.p, bytes.len, e) < 0 || sink_finish(&put.sink, e) < 0)
        return -1;
    if (out)
        *out = put.digest;
    return 0;
}

/* ---- downloads ---- */

/* Does `path` still name the file that is open as `fd`? Else somebody published or removed it
 * between our opening and our locking. */
static int is_same_file(bool *same, int fd, const char *path, struct err *e)
{
    struct stat open_one, named;

    *same = false;
    if (stat(path, &named) < 0)
        return errno == ENOENT ? 0 : err_errno(e, "cannot read %s", path);
    if (fstat(fd, &open_one) < 0)
        return err_errno(e, "cannot read %s", path);
    *same = open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
    return 0;
}

static int hash_at_hand(struct cas_partial *p, struct err *e)
{
    enum { CHUNK = 256 * 1024 };
    CLEANUP(free_clear) char *chunk = xmalloc(CHUNK);

    hash_open(&p->hash);
    for (uint64_t at = 0; at < p->size;) {
        size_t n = p->size - at < CHUNK ? (size_t)(p->size - at) : CHUNK;

        if (fd_pread_all(p->fd.n, chunk, n, at, p->path, e) < 0)
            return -1;
        hash_add(&p->hash, chunk, n);
        at += n;
    }
    return 0;
}

uint64_t cas_partial_size(const struct cas *cas, const struct digest *digest)
{
    CLEANUP(free_clear) char *path = path_in(cas->partial, digest);
    uint64_t size = 0;

    return fs_file_size(path, &size) ? size : 0;
}

int cas_partial_open(struct cas_partial *out, enum cas_claim *claim, const struct cas *cas,
                     const struct digest *digest, struct err *e)
{
    for (;;) {
        CLEANUP(cas_partial_clear)
        struct cas_partial p = {
            .cas = cas, .digest = *digest, .path = path_in(cas->partial, digest)};
        bool same;

        if (cas_has(cas, digest, 0)) {
            *claim = CAS_HERE;
            return 0;
        }
        if (fd_open(&p.fd, p.path, O_RDWR | O_CREAT, 0666, e) < 0)
            return -1;
        if (flock(p.fd.n, LOCK_EX | LOCK_NB) < 0) {
            if (errno != EWOULDBLOCK)
                return err_errno(e, "cannot lock %s", p.path);
            *claim = CAS_BUSY;
            return 0;
        }
        if (is_same_file(&same, p.fd.n, p.path, e) < 0)
            return -1;
        if (!same)
            continue;
        if (fd_size(p.fd.n, &p.size, p.path, e) < 0 || hash_at_hand(&p, e) < 0)
            return -1;
        *claim = CAS_MINE;
        MOVE(out, &p);
        return 0;
    }
}

int cas_partial_write(struct cas_partial *p, const void *bytes, size_t len, struct err *e)
{
    if (fd_pwrite_all(p->fd.n, bytes, len, p->size, p->path, e) < 0)
        return -1;
    hash_add(&p->hash, bytes, len);
    p->size += len;
    return 0;
}

int cas_partial_cut(struct cas_partial *p, uint64_t size, struct err *e)
{
    if (size == p->size)
        return 0;
    if (ftruncate(p->fd.n, (off_t)size) < 0)
        return err_errno(e, "cannot write %s", p->path);
    p->size = size;
    return hash_at_hand(p, e);
}

static int publish(struct cas_partial *p, const struct seen *seen, struct err *e)
{
    CLEANUP(free_clear) char *path = cas_path(p->cas, seen_digest(seen));

    if (fdatasync(p->fd.n) < 0 || rename(p->path, path) < 0)
        return err_errno(e, "cannot write %s", path);
    fs_make_read_only(p->fd.n); /* not before: what is partial is written to by the next run */
    saw(p->cas, seen);
    cas_partial_clear(p);
    return 0;
}

int cas_partial_keep(struct cas_partial *p, struct digest *got, struct err *e)
{
    struct seen seen;

    hash_seen(&p->hash, &seen);
    *got = *seen_digest(&seen);
    return publish(p, &seen, e);
}

int cas_partial_finish(struct cas_partial *p, struct digest *got, struct err *e)
{
    struct digest found;
    struct seen seen;

    hash_seen(&p->hash, &seen);
    found = *seen_digest(&seen);
    if (got)
        *got = found;
    if (!digest_eq(&found, &p->digest)) {
        wrong_digest(&p->digest, &found, e);
        if (p->size == 0)
            hash_open(&p->hash);
        else
            (void)!cas_partial_cut(p, 0, e); /* its error joins the other */
        return -1;
    }
    return publish(p, &seen, e);
}

void cas_partial_clear(struct cas_partial *p)
{
    hash_clear(&p->hash);
    fd_clear(&p->fd);
    free_clear(&p->path);
    *p = (struct cas_partial){0};
}

/* ---- sweeping ---- */

static int sweep_folder(const char *dir, size_t *removed, struct err *e)
{
    CLEANUP(names_clear) struct names names = {0};
    char **name;

    if (fs_list(&names, dir, e) < 0)
        return -1;
    vec_each(name, &names) {
        CLEANUP(free_clear) char *path = path_join(dir, *name);
        CLEANUP(err_clear) struct err ignored = {0}; /* a leftover does no harm */

        if (fs_temp_is_abandoned(path) && fs_remove(path, &ignored) == 0)
            ++*removed;
    }
    return 0;
}

int cas_sweep(const struct cas *cas, size_t *removed, struct err *e)
{
    size_t count = 0;

    if (cas_is_read_only(cas))
        return 0;
    if (sweep_folder(cas->blobs, &count, e) < 0 || sweep_folder(cas->partial, &count, e) < 0)
        return -1;
    if (removed)
        *removed = count;
    return 0;
}
