/* tests/torture/hooks.c - stands between envbuild and libc (LD_PRELOAD): makes one call fail, or
 * writes down what changes on the disk. faults.py and crashes.py use it.
 *
 * HOOKS_COUNTS=FILE: how often each kind of call was made, as one uint64_t a kind, in the order of
 * `kinds`; the file is as long as they are.
 *
 * HOOKS_FAIL=KIND:N:ERRNO:HOW: the N-th call of that kind (from 0) fails; HOW is "once" or "on".
 *
 * HOOKS_LOG=FILE: every change as a line, in order; the bytes of a write stand behind its line.
 * Files are named by device (shifted by 40 bits) plus inode, paths are absolute. Lines: "new INO",
 * "name INO PATH", "write INO OFFSET LEN", "size INO SIZE", "sync INO", "link INO PATH", "rename
 * OLD" and "to NEW", "unlink PATH", "mkdir INO PATH".
 *
 * Calls that libc makes inside itself are not seen; what is written to standard error is left
 * alone.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum kind {
    OPEN,
    READ,
    WRITE,
    PREAD,
    PWRITE,
    FSYNC,
    FDATASYNC,
    FTRUNCATE,
    LINKAT,
    RENAME,
    UNLINK,
    MKDIR,
    MKDTEMP,
    FLOCK,
    FSTAT,
    STAT,
    LSTAT,
    OPENDIR,
    REALPATH,
    READLINK,
    PIPE2,
    SPAWN,
    MMAP,
    THREAD,
    SOCKET,
    SEND,
    RECV,
    KINDS
};
static const char *const kinds[KINDS] = {
    "open",         "read",   "write",          "pread",   "pwrite",   "fsync",    "fdatasync",
    "ftruncate",    "linkat", "rename",         "unlink",  "mkdir",    "mkdtemp",  "flock",
    "fstat",        "stat",   "lstat",          "opendir", "realpath", "readlink", "pipe2",
    "posix_spawnp", "mmap",   "pthread_create", "socket",  "send",     "recv"};

static uint64_t own[KINDS]; /* also of what libraries call while they are loaded */

static struct {
    uint64_t *counts;
    int fail; /* the kind; -1: none */
    uint64_t at;
    int error;
    bool on;
    int log; /* -1: none */
    pthread_mutex_t lock;
} hooks = {.counts = own, .fail = -1, .log = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

static void __attribute__((constructor)) begin(void)
{
    const char *counts = getenv("HOOKS_COUNTS"), *fail = getenv("HOOKS_FAIL"),
               *log = getenv("HOOKS_LOG");
    char name[32], how[8];
    long fd;

    if (counts) {
        fd = syscall(SYS_openat, AT_FDCWD, counts, O_RDWR | O_CLOEXEC, 0);
        hooks.counts =
            (void *)syscall(SYS_mmap, NULL, sizeof own, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        syscall(SYS_close, fd);
    }
    if (fail && sscanf(fail, "%31[^:]:%lu:%d:%7s", name, &hooks.at, &hooks.error, how) == 4) {
        hooks.on = strcmp(how, "on") == 0;
        for (int i = 0; i < KINDS; i++)
            if (strcmp(kinds[i], name) == 0)
                hooks.fail = i;
    }
    if (log) {
        fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        hooks.log = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 700);
        syscall(SYS_close, fd);
    }
}

/* Count the call; true (with errno) when it shall fail. */
static bool fails(enum kind k)
{
    uint64_t n = __atomic_fetch_add(&hooks.counts[k], 1, __ATOMIC_RELAXED);

    if (hooks.fail != (int)k || (hooks.on ? n < hooks.at : n != hooks.at))
        return false;
    errno = hooks.error;
    return true;
}

#define REAL(name, ...) ((__typeof__(&name))real(#name))(__VA_ARGS__)

static void (*real(const char *name))(void)
{
    void *found = dlsym(RTLD_NEXT, name);
    void (*f)(void);

    if (!found)
        abort();
    memcpy(&f, &found, sizeof f); /* ISO C has no cast for this */
    return f;
}

/* ---- the log: a change and its line are one step ---- */

static void begin_change(void)
{
    if (hooks.log >= 0)
        pthread_mutex_lock(&hooks.lock);
}

static void end_change(void)
{
    int error = errno;

    if (hooks.log >= 0)
        pthread_mutex_unlock(&hooks.lock);
    errno = error;
}

static void __attribute__((format(printf, 1, 2))) put(const char *fmt, ...)
{
    int error = errno;
    char line[2 * PATH_MAX + 64];
    va_list args;

    if (hooks.log < 0)
        return;
    va_start(args, fmt);
    syscall(SYS_write, hooks.log, line, vsnprintf(line, sizeof line, fmt, args));
    va_end(args);
    errno = error;
}

static void absolute(char out[PATH_MAX], const char *path)
{
    out[0] = '\0';
    if (path[0] != '/' && syscall(SYS_getcwd, out, PATH_MAX) > 0)
        strcat(out, "/");
    strncat(out, path, PATH_MAX - strlen(out) - 1);
}

static unsigned long id_of(const struct stat *st)
{
    return ((unsigned long)st->st_dev << 40) + st->st_ino;
}

static unsigned long ino_of(int fd)
{
    struct stat st = {0};

    syscall(SYS_fstat, fd, &st);
    return id_of(&st);
}

static bool is_file(int fd)
{
    struct stat st = {0};

    return hooks.log >= 0 && syscall(SYS_fstat, fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* ---- files ---- */

int open(const char *path, int flags, ...)
{
    char at[PATH_MAX];
    struct stat st;
    mode_t mode = 0;
    va_list args;
    bool old;
    int fd;

    if (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) {
        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    if (fails(OPEN))
        return -1;
    begin_change();
    old = hooks.log >= 0 && syscall(SYS_newfstatat, AT_FDCWD, path, &st, 0) == 0;
    fd = REAL(open, path, flags, mode);
    if (fd >= 0 && (flags & O_TMPFILE) == O_TMPFILE) {
        put("new %lu\n", ino_of(fd));
    } else if (fd >= 0 && flags & O_CREAT && !old) {
        absolute(at, path);
        put("new %lu\nname %lu %s\n", ino_of(fd), ino_of(fd), at);
    } else if (fd >= 0 && flags & O_TRUNC) {
        put("size %lu 0\n", ino_of(fd));
    }
    end_change();
    return fd;
}

static void put_bytes(int fd, const void *bytes, ssize_t n, off_t offset)
{
    if (n <= 0 || !is_file(fd))
        return;
    put("write %lu %ld %zd\n", ino_of(fd), (long)offset, n);
    syscall(SYS_write, hooks.log, bytes, n);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    ssize_t n;

    if (fd != STDERR_FILENO && fails(WRITE))
        return -1;
    begin_change();
    n = REAL(write, fd, bytes, len);
    if (n > 0 && is_file(fd))
        put_bytes(fd, bytes, n, lseek(fd, 0, SEEK_CUR) - n);
    end_change();
    return n;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    ssize_t n;

    if (fails(PWRITE))
        return -1;
    begin_change();
    n = REAL(pwrite, fd, bytes, len, offset);
    put_bytes(fd, bytes, n, offset);
    end_change();
    return n;
}

ssize_t read(int fd, void *bytes, size_t len)
{
    return fails(READ) ? -1 : REAL(read, fd, bytes, len);
}

ssize_t pread(int fd, void *bytes, size_t len, off_t offset)
{
    return fails(PREAD) ? -1 : REAL(pread, fd, bytes, len, offset);
}

int fsync(int fd)
{
    int result;

    if (fails(FSYNC))
        return -1;
    begin_change();
    result = REAL(fsync, fd);
    if (result == 0)
        put("sync %lu\n", ino_of(fd));
    end_change();
    return result;
}

int fdatasync(int fd)
{
    int result;

    if (fails(FDATASYNC))
        return -1;
    begin_change();
    result = REAL(fdatasync, fd);
    if (result == 0)
        put("sync %lu\n", ino_of(fd));
    end_change();
    return result;
}

int ftruncate(int fd, off_t size)
{
    int result;

    if (fails(FTRUNCATE))
        return -1;
    begin_change();
    result = REAL(ftruncate, fd, size);
    if (result == 0 && is_file(fd))
        put("size %lu %ld\n", ino_of(fd), (long)size);
    end_change();
    return result;
}

int linkat(int old_dir, const char *old, int new_dir, const char *path, int flags)
{
    char at[PATH_MAX];
    struct stat st;
    int result;

    if (fails(LINKAT))
        return -1;
    begin_change();
    result = REAL(linkat, old_dir, old, new_dir, path, flags);
    absolute(at, path);
    if (result == 0 && hooks.log >= 0 && syscall(SYS_newfstatat, AT_FDCWD, path, &st, 0) == 0)
        put("link %lu %s\n", id_of(&st), at);
    end_change();
    return result;
}

int rename(const char *old, const char *path)
{
    char from[PATH_MAX], at[PATH_MAX];
    int result;

    if (fails(RENAME))
        return -1;
    begin_change();
    result = REAL(rename, old, path);
    absolute(from, old);
    absolute(at, path);
    if (result == 0)
        put("rename %s\nto %s\n", from, at);
    end_change();
    return result;
}

int unlink(const char *path)
{
    char at[PATH_MAX];
    int result;

    if (fails(UNLINK))
        return -1;
    begin_change();
    result = REAL(unlink, path);
    absolute(at, path);
    if (result == 0)
        put("unlink %s\n", at);
    end_change();
    return result;
}

int unlinkat(int dir, const char *name, int flags)
{
    char self[64], at[PATH_MAX];
    ssize_t len;
    int result;

    if (fails(UNLINK))
        return -1;
    begin_change();
    result = REAL(unlinkat, dir, name, flags);
    snprintf(self, sizeof self, "/proc/self/fd/%d", dir);
    len = syscall(SYS_readlinkat, AT_FDCWD, self, at, sizeof at);
    if (result == 0 && len > 0)
        put("unlink %.*s/%s\n", (int)len, at, name);
    end_change();
    return result;
}

int mkdir(const char *path, mode_t mode)
{
    char at[PATH_MAX];
    struct stat st;
    int result;

    if (fails(MKDIR))
        return -1;
    begin_change();
    result = REAL(mkdir, path, mode);
    absolute(at, path);
    if (result == 0 && hooks.log >= 0 && syscall(SYS_newfstatat, AT_FDCWD, path, &st, 0) == 0)
        put("mkdir %lu %s\n", id_of(&st), at);
    end_change();
    return result;
}

/* A clone is no write that the log has, so no disk here can. */
int ioctl(int fd, unsigned long what, ...)
{
    void *to;
    va_list args;

    if (what == FICLONE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    va_start(args, what);
    to = va_arg(args, void *);
    va_end(args);
    return REAL(ioctl, fd, what, to);
}

/* ---- what only fails ---- */

char *mkdtemp(char *path)
{
    return fails(MKDTEMP) ? NULL : REAL(mkdtemp, path);
}

int flock(int fd, int how)
{
    return fails(FLOCK) ? -1 : REAL(flock, fd, how);
}

int fstat(int fd, struct stat *st)
{
    return fails(FSTAT) ? -1 : REAL(fstat, fd, st);
}

int stat(const char *path, struct stat *st)
{
    return fails(STAT) ? -1 : REAL(stat, path, st);
}

int lstat(const char *path, struct stat *st)
{
    return fails(LSTAT) ? -1 : REAL(lstat, path, st);
}

DIR *opendir(const char *path)
{
    return fails(OPENDIR) ? NULL : REAL(opendir, path);
}

char *realpath(const char *path, char *to)
{
    return fails(REALPATH) ? NULL : REAL(realpath, path, to);
}

ssize_t readlink(const char *path, char *to, size_t size)
{
    return fails(READLINK) ? -1 : REAL(readlink, path, to, size);
}

int pipe2(int ends[2], int flags)
{
    return fails(PIPE2) ? -1 : REAL(pipe2, ends, flags);
}

int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
    return fails(SPAWN) ? hooks.error : REAL(posix_spawnp, pid, file, actions, attr, argv, envp);
}

void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
    return fails(MMAP) ? MAP_FAILED : REAL(mmap, at, len, protection, flags, fd, offset);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    return fails(THREAD) ? hooks.error : REAL(pthread_create, thread, attr, run, arg);
}

int socket(int domain, int type, int protocol)
{
    return fails(SOCKET) ? -1 : REAL(socket, domain, type, protocol);
}

ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
    return fails(SEND) ? -1 : REAL(send, fd, bytes, len, flags);
}

ssize_t recv(int fd, void *bytes, size_t len, int flags)
{
    return fails(RECV) ? -1 : REAL(recv, fd, bytes, len, flags);
}
