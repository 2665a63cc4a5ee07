/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/fd.h"
#include "../oci/tarball.h"

enum { SAID_MAX = 2000 }; /* bytes of a program's output that an error repeats */

/* write(2) without SIGPIPE, and without a change of what the process does about signals: it is held
 * back in this thread, and taken off again if this write raised it. */
static ssize_t write_unsignalled(int fd, const void *bytes, size_t len)
{
    const struct timespec now = {0};
    sigset_t sigpipe, before;
    ssize_t n;
    int error;

    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
    n = write(fd, bytes, len);
    error = errno;
    /* Also after a short write: the reader may have left in the middle of it. */
    if (!sigismember(&before, SIGPIPE))
        sigtimedwait(&sigpipe, NULL, &now);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return n;
}

/* 0, or -1 with errno. */
static int write_all(int fd, const char *p, size_t len)
{
    while (len) {
        ssize_t n = write_unsignalled(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

/* ---- a descriptor of the caller ---- */

struct stream {
    struct sink sink;
    int fd;           /* borrowed */
    const char *what; /* borrowed */
};

static int stream_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct stream *s = (struct stream *)self;

    if (write_all(s->fd, bytes, len) == 0)
        return 0;
    if (errno == EPIPE)
        return err_set(e, ERR_SYSTEM, "%s: whoever read it went away before the end", s->what);
    return err_errno(e, "cannot write %s", s->what);
}

static void stream_release(struct sink *self)
{
    free(self);
}

int load_stream(struct place **out, int fd, const char *what, int64_t mtime, struct err *e)
{
    struct stream *s = xcalloc(1, sizeof *s);

    *s = (struct stream){{stream_write, NULL}, fd, what};
    return tarball_stream(out, &s->sink, stream_release, TARBALL_DOCKER, mtime, e);
}

/* ---- a program that loads ---- */

struct load {
    struct sink sink;
    char *program;  /* owned */
    struct fd pipe; /* its standard input */
    struct fd said; /* its output, in memory */
    pid_t pid;      /* 0: not running */
};

/* The program's words on one line: the end of them, where the reason stands. */
static void add_said(const struct load *l, struct buf *out)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* the words are a help, not the result */
    char text[SAID_MAX];
    struct str rest = {text, 0}, line;
    uint64_t size = 0;
    bool first = true;

    if (fd_size(l->said.n, &size, "output", &ignored) < 0)
        return;
    rest.len = size < SAID_MAX ? (size_t)size : SAID_MAX;
    if (fd_pread_all(l->said.n, text, rest.len, size - rest.len, "output", &ignored) < 0)
        return;
    while (str_line(&rest, &line)) {
        line = str_trim(line);
        if (!line.len)
            continue;
        buf_puts(out, first ? ": " : "; ");
        buf_str(out, line);
        first = false;
    }
}

/* Close its input and wait. */
static int reap(struct load *l, int *status, struct err *e)
{
    pid_t pid = l->pid;

    fd_clear(&l->pipe);
    l->pid = 0;
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            return err_errno(e, "cannot wait for %s", l->program);
    return 0;
}

static int load_failed(struct load *l, const char *how, int status, struct err *e)
{
    CLEANUP(buf_clear) struct buf said = {0};

    add_said(l, &said);
    if (WIFSIGNALED(status))
        return err_set(e, ERR_SYSTEM, "\"%s load\" was ended by signal %d%s", l->program,
                       WTERMSIG(status), said.len ? said.p : "");
    return err_set(e, ERR_SYSTEM, "\"%s load\" %s (exit %d)%s", l->program, how,
                   WEXITSTATUS(status), said.len ? said.p : "");
}

static int load_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct load *l = (struct load *)self;
    int status;

    if (!l->pid)
        return err_set(e, ERR_SYSTEM, "\"%s load\" has ended", l->program);
    if (write_all(l->pipe.n, bytes, len) == 0)
        return 0;
    if (errno != EPIPE)
        return err_errno(e, "cannot write to \"%s load\"", l->program);
    if (reap(l, &status, e) < 0)
        return -1;
    return load_failed(l, "stopped reading", status, e);
}

static int load_finish(struct sink *self, struct err *e)
{
    struct load *l = (struct load *)self;
    int status;

    if (reap(l, &status, e) < 0)
        return -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : load_failed(l, "failed", status, e);
}

static void load_release(struct sink *self)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* it is being abandoned */
    struct load *l = (struct load *)self;
    int status;

    if (l->pid) {
        kill(l->pid, SIGTERM);
        if (reap(l, &status, &ignored) < 0)
            status = 0;
    }
    fd_clear(&l->pipe);
    fd_clear(&l->said);
    free(l->program);
    free(l);
}

/* A child starts with no signal held back and all at their defaults. */
static int spawn(struct load *l, int input)
{
    char *argv[] = {l->program, (char[]){"load"}, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    int rc;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, l->said.n, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, l->said.n, STDERR_FILENO);
    rc = posix_spawnp(&l->pid, l->program, &files, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    if (rc)
        l->pid = 0;
    return rc;
}

static int start(struct load *l, struct err *e)
{
    CLEANUP(fd_clear) struct fd input = {0};
    int ends[2], said, rc;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(e, "cannot make a pipe");
    input = (struct fd){ends[0], true};
    l->pipe = (struct fd){ends[1], true};
    said = memfd_create("output", MFD_CLOEXEC);
    if (said < 0)
        return err_errno(e, "cannot keep the output of %s", l->program);
    l->said = (struct fd){said, true};
    rc = spawn(l, input.n);
    if (rc == ENOENT)
        return err_set(e, ERR_SYSTEM,
                       "%s is not installed here; install it, or write docker-archive:FILE and load"
                       " that where it is",
                       l->program);
    errno = rc;
    return rc ? err_errno(e, "cannot start %s", l->program) : 0;
}

int load_open(struct place **out, const char *program, int64_t mtime, struct err *e)
{
    struct load *l = xcalloc(1, sizeof *l);

    l->sink = (struct sink){load_write, load_finish};
    l->program = xstrdup(program);
    if (start(l, e) < 0) {
        load_release(&l->sink);
        return -1;
    }
    return tarball_stream(out, &l->sink, load_release, TARBALL_DOCKER, mtime, e);
}
