/* SPDX-License-Identifier: Apache-2.0 */
#include "fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "path.h"

int fs_sync_dir(const char *dir, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    int n = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    fd = (struct fd){n, n >= 0};
    if (n < 0 && errno == EACCES)
        return 0; /* it may be written and not read */
    if (n < 0 || (fsync(n) < 0 && errno != EINVAL && errno != ENOTSUP))
        return err_errno(e, "cannot write folder %s", dir);
    return 0;
}

static int make_dirs(const char *path, bool synced, struct err *e)
{
    CLEANUP(free_clear) char *parent = path_dir(path);
    struct stat st;

    if (mkdir(path, 0777) == 0)
        return synced ? fs_sync_dir(parent, e) : 0;
    if (errno == EEXIST) {
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            return 0;
        return err_set(e, ERR_SYSTEM,
                       "cannot make folder %s: something that is not a folder is there", path);
    }
    if (errno != ENOENT)
        return err_errno(e, "cannot make folder %s", path);
    if (make_dirs(parent, synced, e) < 0)
        return -1;
    if (mkdir(path, 0777) < 0 && errno != EEXIST)
        return err_errno(e, "cannot make folder %s", path);
    return synced ? fs_sync_dir(parent, e) : 0;
}

int fs_mkdirs(const char *path, struct err *e)
{
    return make_dirs(path, false, e);
}

int fs_mkdirs_synced(const char *path, struct err *e)
{
    return make_dirs(path, true, e);
}

int fs_mkdirs_where_writable(const char *path, struct err *e)
{
    CLEANUP(free_clear) char *parent = path_dir(path);

    if (!fs_exists(path) && access(parent, F_OK) == 0 && access(parent, W_OK) < 0)
        return 0;
    return fs_mkdirs(path, e);
}

int fs_mkdirs_for(const char *path, struct err *e)
{
    CLEANUP(free_clear) char *dir = path_dir(path);

    return fs_mkdirs(dir, e);
}

int fs_absolute(char **out, const char *path, struct err *e)
{
    char *found = realpath(path, NULL);

    if (!found)
        return err_errno(e, "cannot find %s", path);
    *out = found;
    return 0;
}

bool fs_exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR && errno != EACCES);
}

void fs_room(struct fs_room *out, const char *path)
{
    CLEANUP(free_clear) char *at = xstrdup(path);
    struct statvfs v;
    struct stat st;

    *out = (struct fs_room){0};
    while (stat(at, &st) < 0) {
        char *above = path_dir(at);
        bool end = strcmp(above, at) == 0;

        free(at);
        at = above;
        if (end)
            return;
    }
    if (statvfs(at, &v) == 0)
        *out = (struct fs_room){true, st.st_dev, (uint64_t)v.f_bavail * v.f_frsize};
}

bool fs_file_size(const char *path, uint64_t *size)
{
    struct stat st;

    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    *size = (uint64_t)st.st_size;
    return true;
}

int fs_read(struct buf *out, const char *path, uint64_t limit, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    struct stat st;

    if (fd_open(&fd, path, O_RDONLY | O_NOCTTY, 0, e) < 0) {
        for (struct err *last = e; last; last = last->next)
            if (!last->next)
                last->kind = ERR_INPUT;
        return -1;
    }
    if (fstat(fd.n, &st) < 0)
        return err_errno(e, "cannot read %s", path);
    if (S_ISDIR(st.st_mode))
        return err_set(e, ERR_INPUT, "%s is a folder, not a file", path);
    for (;;) {
        size_t got;

        if (fd_read_some(fd.n, buf_room(out, 64 * 1024), 64 * 1024, &got, path, e) < 0)
            return -1;
        out->len += got;
        if (!got)
            break;
        if (out->len > limit)
            return err_set(e, ERR_INPUT, "%s is larger than %llu bytes, the most allowed here",
                           path, (unsigned long long)limit);
    }
    out->p[out->len] = '\0';
    return 0;
}

int fs_write(const char *path, struct str text, struct err *e)
{
    CLEANUP(fs_temp_clear) struct fs_temp t = {0};
    CLEANUP(free_clear) char *dir = path_dir(path);

    if (fs_temp_open(&t, dir, e) < 0 || fd_write_all(t.fd.n, text.p, text.len, path, e) < 0)
        return -1;
    return fs_temp_publish(&t, path, true, e) < 0 ? -1 : fs_sync_dir(dir, e);
}

/* A name that no other file in `dir` has: process, time and a counter. It never reaches an output.
 */
static char *temp_name(const char *dir)
{
    static _Atomic unsigned counter;
    struct buf b = {0};
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    buf_fmt(&b, "%s/.envbuild-%ld-%lx%lx-%u", dir, (long)getpid(), (long)now.tv_sec, now.tv_nsec,
            counter++);
    return buf_take(&b);
}

/* A file without a name gets one by way of /proc, which a bare chroot may lack. */
static int open_nameless(const char *dir)
{
    if (access("/proc/self/fd", F_OK) == 0)
        return open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    errno = EOPNOTSUPP;
    return -1;
}

int fs_temp_open(struct fs_temp *t, const char *dir, struct err *e)
{
    int n = open_nameless(dir);
    CLEANUP(free_clear) char *name = NULL;
    struct fd fd = {n, true};

    if (n < 0 && errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL)
        return err_errno(e, "cannot write in %s", dir);
    if (n < 0) {
        name = temp_name(dir);
        if (fd_open(&fd, name, O_RDWR | O_CREAT | O_EXCL, 0666, e) < 0)
            return -1;
    }
    *t = (struct fs_temp){fd, xstrdup(dir), name};
    name = NULL;
    return 0;
}

int fs_temp_publish(struct fs_temp *t, const char *path, bool replace, struct err *e)
{
    if (fdatasync(t->fd.n) < 0)
        return err_errno(e, "cannot write %s", path);
    return fs_temp_publish_unsynced(t, path, replace, e);
}

int fs_temp_publish_unsynced(struct fs_temp *t, const char *path, bool replace, struct err *e)
{
    if (!t->name) {
        char self[64];

        snprintf(self, sizeof self, "/proc/self/fd/%d", t->fd.n);
        if (linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0) {
            fs_temp_clear(t);
            return 0;
        }
        if (errno == EEXIST && !replace) {
            fs_temp_clear(t);
            return 0;
        }
        if (errno != EEXIST)
            return err_errno(e, "cannot write %s", path);
        t->name = temp_name(t->dir); /* link cannot replace: give it a name, then rename */
        if (linkat(AT_FDCWD, self, AT_FDCWD, t->name, AT_SYMLINK_FOLLOW) < 0) {
            free_clear(&t->name);
            return err_errno(e, "cannot write %s", path);
        }
    }
    if (!replace && fs_exists(path)) {
        fs_temp_clear(t);
        return 0;
    }
    if (rename(t->name, path) < 0)
        return err_errno(e, "cannot write %s", path);
    free_clear(&t->name);
    fs_temp_clear(t);
    return 0;
}

void fs_make_read_only(int fd)
{
    struct stat st;

    if (fstat(fd, &st) == 0)
        (void)!fchmod(fd, st.st_mode & 0444);
}

bool fs_link(int fd, const char *path)
{
    CLEANUP(free_clear) char *dir = path_dir(path), *name = temp_name(dir);
    char self[64];
    bool done;

    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0)
        return true;
    if (errno != EEXIST || linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) < 0)
        return false;
    done = rename(name, path) == 0;
    unlink(name); /* it stays where both are one file already */
    return done;
}

bool fs_temp_clone(struct fs_temp *t, int from)
{
    return ioctl(t->fd.n, FICLONE, from) == 0;
}

void fs_temp_clear(struct fs_temp *t)
{
    if (t->name)
        unlink(t->name); /* best effort: a leftover has a name that nothing reads */
    fd_clear(&t->fd);
    free(t->dir);
    free(t->name);
    *t = (struct fs_temp){0};
}

bool fs_temp_is_abandoned(const char *path)
{
    enum { HOUR = 3600 };
    struct str name = path_base(str_of(path)), pid;
    uint32_t number;
    struct stat st;

    if (!str_skip(&name, STR(".envbuild-")) || !str_cut(&name, STR("-"), &pid) ||
        !str_u32(pid, &number) || number > INT32_MAX)
        return false;
    if (kill((pid_t)number, 0) == 0 || errno != ESRCH)
        return false;
    return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && time(NULL) - st.st_mtime > HOUR;
}

/* *held is false when there are no locks. */
static int take_lock(int fd, int how, bool *held, const char *path, const struct events *events,
                     struct err *e)
{
    struct wait wait = {.events = events};

    *held = true;
    while (flock(fd, how | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            *held = false;
            return 0;
        }
        if (wait_nap(&wait, e, "waiting for the lock %s, which another process holds", path) < 0)
            return -1;
    }
    return 0;
}

int fs_lock(struct fd *out, const char *path, const struct events *events, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    bool held;

    if (fd_open(&fd, path, O_RDWR | O_CREAT, 0666, e) < 0 ||
        take_lock(fd.n, LOCK_EX, &held, path, events, e) < 0)
        return -1;
    if (!held)
        return err_errno(e, "cannot lock %s", path);
    MOVE(out, &fd);
    return 0;
}

int fs_lock_shared(struct fd *out, const char *path, const struct events *events, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    bool held;
    int n = open(path, O_RDONLY | O_CLOEXEC);

    if (n < 0 && errno == ENOENT)
        n = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0666);
    fd = (struct fd){n, n >= 0};
    if (n < 0 && (errno == EROFS || errno == EACCES))
        return 0;
    if (n < 0)
        return err_errno(e, "cannot open %s", path);
    if (take_lock(n, LOCK_SH, &held, path, events, e) < 0)
        return -1;
    if (held)
        MOVE(out, &fd);
    return 0;
}

int fs_list_at(struct names *out, int dir, const char *what, struct err *e)
{
    struct dirent *item;
    int own = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = own < 0 ? NULL : fdopendir(own);

    if (!d) {
        err_errno(e, "cannot read folder %s", what);
        if (own >= 0)
            close(own);
        return -1;
    }
    for (errno = 0; (item = readdir(d)); errno = 0)
        if (strcmp(item->d_name, ".") && strcmp(item->d_name, ".."))
            names_add(out, item->d_name);
    if (errno) {
        err_errno(e, "cannot read folder %s", what);
        closedir(d);
        return -1;
    }
    closedir(d);
    vec_sort(out, strp_compare);
    return 0;
}

int fs_list(struct names *out, const char *dir, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    int n = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    fd = (struct fd){n, n >= 0};
    return n < 0 ? err_errno(e, "cannot read folder %s", dir) : fs_list_at(out, n, dir, e);
}

int fs_remove(const char *path, struct err *e)
{
    if (unlink(path) < 0 && errno != ENOENT)
        return err_errno(e, "cannot remove %s", path);
    return 0;
}
