/* SPDX-License-Identifier: Apache-2.0 */
#include "blob_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "../base/fs.h"
#include "../base/path.h"

enum { CHUNK = 256 * 1024 };

/* What no other content of the same file has. */
static void identity(struct buf *out, const struct stat *st, const struct digest *digest)
{
    char hex[DIGEST_HEX + 1];

    digest_hex(digest, hex);
    buf_fmt(out, "file 1 %s\n%llu %llu %llu %lld.%09ld %lld.%09ld", hex,
            (unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
            (unsigned long long)st->st_size, (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
            (long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
}

static bool is_remembered(const struct blob_files *how, const struct stat *st,
                          const struct digest *digest)
{
    CLEANUP(buf_clear) struct buf key = {0}, empty = {0};
    CLEANUP(err_clear) struct err unused = {0}; /* then the file is read */
    bool found = false;

    if (!how->memo || how->again)
        return false;
    identity(&key, st, digest);
    return memo_get(how->memo, buf_view(&key), digest, &empty, &found, &unused) == 0 && found;
}

/* ---- where such files are ---- */

enum { PLACES = 4 };

static void key_of_places(struct buf *out, const struct digest *digest)
{
    char hex[DIGEST_HEX + 1];

    digest_hex(digest, hex);
    buf_fmt(out, "places 1 %s", hex);
}

/* Absolute paths, each ended by NUL, the last that was found first. */
static void read_places(struct buf *out, const struct memo *memo, const struct digest *digest)
{
    CLEANUP(buf_clear) struct buf key = {0};
    CLEANUP(err_clear) struct err unused = {0};
    bool found;

    key_of_places(&key, digest);
    (void)!memo_get(memo, buf_view(&key), NULL, out, &found, &unused);
}

static void remember_place(const struct memo *memo, const char *path, const struct digest *digest)
{
    CLEANUP(buf_clear) struct buf key = {0}, old = {0}, text = {0};
    CLEANUP(err_clear) struct err unused = {0}; /* then it is written once more */
    CLEANUP(free_clear) char *whole = realpath(path, NULL);
    struct str rest, place;

    if (!whole)
        return;
    read_places(&old, memo, digest);
    rest = buf_view(&old);
    buf_add(&text, whole, strlen(whole) + 1);
    for (size_t n = 1; n < PLACES && str_cut(&rest, STR("\0"), &place);)
        if (!str_is(place, whole)) {
            buf_add(&text, place.p, place.len + 1);
            n++;
        }
    key_of_places(&key, digest);
    if (!str_eq(buf_view(&old), buf_view(&text)))
        (void)!memo_put_text(memo, buf_view(&key), buf_view(&text), &unused);
}

static void remember(const struct blob_files *how, const char *path, const struct stat *st,
                     const struct seen *seen)
{
    CLEANUP(buf_clear) struct buf key = {0};
    CLEANUP(err_clear) struct err unused = {0}; /* what is not remembered is read again */

    if (!how->memo || st->st_size <= BLOB_FILE_SMALL)
        return;
    identity(&key, st, seen_digest(seen));
    (void)!memo_put(how->memo, buf_view(&key), seen, STR(""), &unused);
    remember_place(how->memo, path, seen_digest(seen));
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int read_all(struct seen *out, const struct blob_files *how, int fd, const char *path,
                    uint64_t size, struct err *e)
{
    CLEANUP(free_clear) char *chunk = xmalloc(CHUNK);
    CLEANUP(hash_clear) struct hash h = {0};
    const struct events *tell = size > BLOB_FILE_SMALL ? how->events : NULL;
    struct event ev = {EVENT_BEGIN, "check", path, 0, size};
    uint64_t at = 0;
    size_t got = 1;

    hash_open(&h);
    events_emit(tell, &ev);
    while (got) {
        if (events_cancelled(how->events))
            return err_set(e, ERR_INTERRUPTED, "interrupted");
        if (fd_pread_some(fd, chunk, CHUNK, at, &got, path, e) < 0)
            return -1;
        hash_add(&h, chunk, got);
        at += got;
        if (at % (16 * 1024 * 1024) == 0)
            events_emit(tell, &(struct event){EVENT_ADVANCE, "check", path, at, size});
    }
    ev.kind = EVENT_END;
    events_emit(tell, &ev);
    hash_seen(&h, out);
    return 0;
}

/* Read the file; what was seen counts for it if it stayed as it is the while. */
static int look(bool *right, const struct blob_files *how, const char *path,
                const struct digest *digest, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    struct stat before, after;
    struct seen seen;

    if (fd_open(&fd, path, O_RDONLY | O_NONBLOCK, 0, e) < 0)
        return -1;
    if (fstat(fd.n, &before) < 0)
        return err_errno(e, "cannot read %s", path);
    if (read_all(&seen, how, fd.n, path, (uint64_t)before.st_size, e) < 0)
        return -1;
    *right = digest_eq(seen_digest(&seen), digest);
    if (*right && fstat(fd.n, &after) == 0 && is_same(&before, &after))
        remember(how, path, &after, &seen);
    return 0;
}

int blob_file_check(enum blob_file *out, const struct blob_files *how, const char *path,
                    const struct digest *digest, uint64_t size, struct err *e)
{
    bool right = false;
    struct stat st;

    *out = BLOB_ABSENT;
    if (stat(path, &st) < 0)
        return errno == ENOENT ? 0 : err_errno(e, "cannot read %s", path);
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size == size) {
        right = size > BLOB_FILE_SMALL && is_remembered(how, &st, digest);
        if (!right && look(&right, how, path, digest, e) < 0)
            return -1;
    }
    *out = right ? BLOB_RIGHT : BLOB_WRONG;
    return 0;
}

bool blob_file_known(const struct blob_files *how, const char *path, const struct digest *digest,
                     uint64_t size)
{
    CLEANUP(err_clear) struct err unused = {0}; /* then it is not known */
    enum blob_file state = BLOB_ABSENT;
    struct stat st;

    if (size > BLOB_FILE_SMALL)
        return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == size &&
               is_remembered(how, &st, digest);
    return blob_file_check(&state, how, path, digest, size, &unused) == 0 && state == BLOB_RIGHT;
}

void blob_file_remember(const struct blob_files *how, const char *path, const struct stat *written,
                        const struct seen *seen)
{
    struct stat st;

    if (stat(path, &st) == 0 && is_same(written, &st))
        remember(how, path, &st, seen);
}

/* ---- sharing ---- */

/* The file `path`, which is open as `fd`, is what was known as `before`. */
static void carry_over(const struct blob_files *how, const char *path, int fd,
                       const struct stat *before, const struct digest *digest)
{
    CLEANUP(buf_clear) struct buf from = {0}, to = {0};
    CLEANUP(err_clear) struct err unused = {0}; /* then it is read again */
    struct stat open_one, named;

    if (fstat(fd, &open_one) < 0 || stat(path, &named) < 0 || named.st_dev != open_one.st_dev ||
        named.st_ino != open_one.st_ino)
        return;
    identity(&from, before, digest);
    identity(&to, &named, digest);
    if (memo_copy(how->memo, buf_view(&from), buf_view(&to), digest, &unused) == 0)
        remember_place(how->memo, path, digest);
}

/* A link is the same file: only its time of change is another now, and that is the link's. */
static bool link_to(const struct blob_files *how, const char *path, int fd,
                    const struct stat *before, const struct digest *digest)
{
    struct stat after;

    if (stat(path, &after) == 0 && after.st_dev == before->st_dev && after.st_ino == before->st_ino)
        return true;
    if (before->st_mode & 0222 || !fs_link(fd, path))
        return false;
    if (fstat(fd, &after) == 0 && is_same(before, &after))
        carry_over(how, path, fd, before, digest);
    return true;
}

static int clone_of(bool *done, const struct blob_files *how, const char *path, int fd,
                    const struct stat *before, const struct digest *digest, struct err *e)
{
    CLEANUP(fs_temp_clear) struct fs_temp temp = {0};
    CLEANUP(free_clear) char *dir = path_dir(path);
    CLEANUP(fd_clear) struct fd own = {0};
    struct stat after;

    if (fs_temp_open(&temp, dir, e) < 0)
        return -1;
    if (!fs_temp_clone(&temp, fd))
        return 0;
    fs_make_read_only(temp.fd.n);
    own.n = dup(temp.fd.n);
    own.open = own.n >= 0;
    if (fs_temp_publish(&temp, path, true, e) < 0)
        return -1;
    *done = true;
    if (own.open && fstat(fd, &after) == 0 && is_same(before, &after))
        carry_over(how, path, own.n, before, digest);
    return 0;
}

int blob_file_share(bool *shared, const struct blob_files *how, const char *path,
                    const struct digest *digest, uint64_t size, struct err *e)
{
    CLEANUP(buf_clear) struct buf places = {0};
    struct str rest, place;

    *shared = false;
    if (!how->memo || how->again || size <= BLOB_FILE_SMALL)
        return 0;
    read_places(&places, how->memo, digest);
    rest = buf_view(&places);
    while (!*shared && str_cut(&rest, STR("\0"), &place)) {
        CLEANUP(fd_clear) struct fd fd = {0};
        int n = open(place.p, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        struct stat st;

        fd = (struct fd){n, n >= 0};
        if (n < 0 || fstat(n, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != size ||
            !is_remembered(how, &st, digest))
            continue;
        if (clone_of(shared, how, path, n, &st, digest, e) < 0)
            return -1;
        if (!*shared)
            *shared = link_to(how, path, n, &st, digest);
    }
    return 0;
}
