/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MORE_MAX = 8, TURN_MS = 50, GRACE_MS = 500, READ_SIZE = 64 * 1024, LEFTOVER_READS = 16 };

struct program {
    struct program_how how;
    struct fd input, output; /* our ends of its pipes, not blocking */
    struct buf said;
    struct wait wait;
    pid_t pid;   /* 0: not running */
    bool shared; /* it is in our process group */
};

/* ---- start ---- */

/* A descriptor above the standard ones, which posix_spawn is going to replace in the child. */
static int lift(struct fd *fd, int n)
{
    *fd = (struct fd){n, true};
    if (n > STDERR_FILENO)
        return 0;
    n = fcntl(fd->n, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    fd_clear(fd);
    *fd = (struct fd){n, n >= 0};
    return n < 0 ? -1 : 0;
}

/* Another descriptor of the file, above all that the child is given. */
static int copy(struct fd *out, const struct fd *file)
{
    int n = fcntl(file->n, F_DUPFD_CLOEXEC, STDERR_FILENO + 1 + MORE_MAX);

    *out = (struct fd){n, n >= 0};
    return n < 0 ? -1 : 0;
}

/* The end that stays here does not block; the program's does. */
static int make_pipe(struct fd *reads, struct fd *writes, struct fd *ours, struct err *e)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(e, "cannot make a pipe");
    if (lift(reads, ends[0]) | lift(writes, ends[1]))
        return err_errno(e, "cannot make a pipe");
    return fcntl(ours->n, F_SETFL, O_NONBLOCK) < 0 ? err_errno(e, "cannot make a pipe") : 0;
}

/* Our ends, which become the child's. */
struct ends {
    struct fd input, output,
        file; /* `file` is where its output goes, `output` where what is kept */
    struct fd more[MORE_MAX];
};

static void ends_clear(struct ends *ends)
{
    fd_clear(&ends->input);
    fd_clear(&ends->output);
    fd_clear(&ends->file);
    for (size_t i = 0; i < MORE_MAX; i++)
        fd_clear(&ends->more[i]);
}

static void arrange(posix_spawn_file_actions_t *files, const struct program_how *how,
                    const struct ends *ends)
{
    const int output = ends->output.n;

    posix_spawn_file_actions_init(files);
    if (how->input == PROGRAM_READS_NOTHING)
        posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    else if (how->input == PROGRAM_READS_PIPE)
        posix_spawn_file_actions_adddup2(files, ends->input.n, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(files, ends->file.open ? ends->file.n : output, STDOUT_FILENO);
    if (how->errors == PROGRAM_ERRORS_DROPPED)
        posix_spawn_file_actions_addopen(files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    else if (how->errors == PROGRAM_ERRORS_OUTPUT)
        posix_spawn_file_actions_adddup2(files, output, STDERR_FILENO);
    for (size_t i = 0; i < how->more_n; i++)
        posix_spawn_file_actions_adddup2(files, ends->more[i].n, STDERR_FILENO + 1 + (int)i);
    /* Those that whoever started us left open, too. */
    posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1 + (int)how->more_n);
}

static int spawn(struct program *p, const struct ends *ends)
{
    const short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    const struct program_how *how = &p->how;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    int rc;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, p->shared ? flags : (short)(flags | POSIX_SPAWN_SETPGROUP));
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    arrange(&files, how, ends);
    rc = posix_spawnp(&p->pid, how->argv[0], &files, &attr, how->argv,
                      how->env ? how->env : environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    if (rc)
        p->pid = 0;
    return rc;
}

static int start(struct program *p, struct err *e)
{
    CLEANUP(ends_clear) struct ends ends = {0};
    struct fd raw = {0};
    int rc;

    if (p->how.input == PROGRAM_READS_PIPE && make_pipe(&ends.input, &p->input, &p->input, e) < 0)
        return -1;
    if (make_pipe(&p->output, &raw, &p->output, e) < 0)
        return -1;
    /* Above 3, 4, ..., which are replaced before it is. */
    rc = copy(&ends.output, &raw);
    fd_clear(&raw);
    if (rc < 0 || (p->how.file && copy(&ends.file, p->how.file) < 0))
        return err_errno(e, "cannot start %s", p->how.name);
    assert(p->how.more_n <= MORE_MAX);
    for (size_t i = 0; i < p->how.more_n; i++)
        if (copy(&ends.more[i], &p->how.more[i]) < 0)
            return err_errno(e, "cannot start %s", p->how.name);
    rc = spawn(p, &ends);
    if (rc == ENOENT && p->how.missing)
        return err_set(e, ERR_SYSTEM, "%s", p->how.missing);
    errno = rc;
    return rc ? err_errno(e, "cannot start %s", p->how.name) : 0;
}

int program_open(struct program **out, const struct program_how *how, struct err *e)
{
    struct program *p = xcalloc(1, sizeof *p);

    p->how = *how;
    p->wait.events = how->events;
    /* A program of another group than the terminal's cannot ask there. */
    p->shared = how->input == PROGRAM_READS_OURS;
    if (start(p, e) < 0) {
        program_free(p);
        return -1;
    }
    *out = p;
    return 0;
}

/* ---- while it runs ---- */

/* Take what it has written; *more tells whether anything was there. */
static int take_output(struct program *p, bool *more, struct err *e)
{
    size_t max = p->how.output_max;
    ssize_t n;

    *more = false;
    if (!p->output.open)
        return 0;
    n = read(p->output.n, buf_room(&p->said, READ_SIZE), READ_SIZE);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0
                                                 : err_errno(e, "cannot read from %s", p->how.name);
    if (n == 0)
        fd_clear(&p->output);
    *more = n > 0;
    if (p->how.to && sink_write(p->how.to, p->said.p + p->said.len, (size_t)n, e) < 0)
        return -1;
    p->said.len += (size_t)n;
    if (p->said.len <= max)
        return 0;
    if (!p->how.keep_end)
        return err_set(e, ERR_SYSTEM, "%s printed more than %zu bytes, and was ended", p->how.name,
                       max);
    memmove(p->said.p, p->said.p + p->said.len - max, max);
    p->said.len = max;
    return 0;
}

/* What else is to be done while it runs. */
static int turn(struct program *p, struct err *e)
{
    if (events_cancelled(p->how.events))
        return err_set(e, ERR_INTERRUPTED, "interrupted");
    if (p->how.turn)
        return p->how.turn(p->how.turn_ctx, e);
    wait_tell(&p->wait, "waiting for %s", p->how.name);
    return 0;
}

/* Wait a moment until it reads or writes. */
static int take_turn(struct program *p, struct err *e)
{
    struct pollfd fds[] = {{p->input.open ? p->input.n : -1, POLLOUT, 0},
                           {p->output.open ? p->output.n : -1, POLLIN, 0}};
    bool more;

    if (poll(fds, ARRAY_LEN(fds), TURN_MS) < 0 && errno != EINTR)
        return err_errno(e, "cannot wait for %s", p->how.name);
    return turn(p, e) < 0 ? -1 : take_output(p, &more, e);
}

int program_write(struct program *p, const void *bytes, size_t len, bool *reads, struct err *e)
{
    const char *from = bytes;

    *reads = true;
    while (len) {
        ssize_t n = fd_write_unsignalled(p->input.n, from, len);

        if (n >= 0) {
            from += n;
            len -= (size_t)n;
            p->wait.since_ms = 0;
            continue;
        }
        if (errno == EPIPE) {
            *reads = false;
            return 0;
        }
        if (errno != EAGAIN && errno != EINTR)
            return err_errno(e, "cannot write to %s", p->how.name);
        if (take_turn(p, e) < 0)
            return -1;
    }
    return 0;
}

/* ---- the end ---- */

/* What it wrote before it ended. A child of its own may hold the pipe open and write on. */
static int take_leftover(struct program *p, struct err *e)
{
    bool more = true;

    for (unsigned i = 0; more && i < LEFTOVER_READS; i++)
        if (take_output(p, &more, e) < 0)
            return -1;
    return 0;
}

int program_wait(struct program *p, struct program_end *end, struct err *e)
{
    int status;
    pid_t pid;

    fd_clear(&p->input);
    for (;;) {
        pid = waitpid(p->pid, &status, WNOHANG);
        if (pid == p->pid)
            break;
        if (pid < 0 && errno != EINTR)
            return err_errno(e, "cannot wait for %s", p->how.name);
        if ((p->output.open || p->how.turn
                 ? take_turn(p, e)
                 : wait_nap(&p->wait, e, "waiting for %s", p->how.name)) < 0)
            return -1;
    }
    p->pid = 0;
    if (take_leftover(p, e) < 0)
        return -1;
    *end = (struct program_end){.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                                .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                                .output = buf_view(&p->said)};
    return 0;
}

/* The program's words on one line: the end of them, where the reason stands. */
static void add_said(struct buf *out, struct str rest)
{
    struct str line;

    while (str_line(&rest, &line)) {
        line = str_trim(line);
        if (!line.len)
            continue;
        buf_puts(out, out->len ? "; " : ": ");
        buf_str(out, line);
    }
}

int program_judge(const struct program_end *end, const char *name, const char *how, struct err *e)
{
    CLEANUP(buf_clear) struct buf said = {0};

    add_said(&said, end->output);
    if (end->signal)
        return err_set(e, ERR_SYSTEM, "\"%s\" was ended by signal %d%s", name, end->signal,
                       said.len ? said.p : "");
    if (!how && !end->code)
        return 0;
    return err_set(e, ERR_SYSTEM, "\"%s\" %s (exit %d)%s", name, how ? how : "failed", end->code,
                   said.len ? said.p : "");
}

/* Its group too, where that is its own; the group's name stays taken until waitpid(). */
static void stop(struct program *p)
{
    pid_t target = p->shared ? p->pid : -p->pid;
    siginfo_t info = {0};

    kill(target, SIGTERM);
    for (unsigned waited = 0; waited < GRACE_MS; waited += 10) {
        if (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000000}, NULL);
    }
    kill(target, SIGKILL);
    while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    p->pid = 0;
}

void program_free(struct program *p)
{
    if (!p)
        return;
    if (p->pid)
        stop(p);
    fd_clear(&p->input);
    fd_clear(&p->output);
    buf_clear(&p->said);
    free(p);
}

void program_clear(struct program **p)
{
    program_free(*p);
    *p = NULL;
}

int program_become(char *const *argv, struct err *e)
{
    sigset_t none;

    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL); /* what has a handler gets its default by itself */
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(argv[0], argv);
    return err_errno(e, "cannot start %s", argv[0]);
}
