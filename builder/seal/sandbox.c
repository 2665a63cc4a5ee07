/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../base/path.h"
#include "../base/walk.h"
#include "../io/program.h"
#include "lay.h"
#include "memory.h"
#include "probe.h"

enum {
    LINE_MAX_SHOWN = 200,
    STATUS_MAX = 16 * 1024,
    SAY_MS = 200,
    PROCESSES_MS = 250,
    DISK_MS = 1000,
    DISK_PART = 10, /* looking takes at most one part in so many of the time */
    END_MS = 60000, /* until the kernel has ended all processes */
    STATUS_FD = 3,  /* the child's */
    BLOCK_FD = 4,
};

static const uint64_t memory_spare = (uint64_t)128
                                     << 20; /* bytes that stay free of the machine's */

void sandbox_mounts_add(struct sandbox_mounts *mounts, const char *from, const char *to)
{
    vec_add(mounts, ((struct sandbox_mount){xstrdup(from), xstrdup(to)}));
}

void sandbox_mounts_clear(struct sandbox_mounts *mounts)
{
    struct sandbox_mount *m;

    vec_each(m, mounts) {
        free(m->from);
        free(m->to);
    }
    vec_clear(mounts);
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- what it writes ---- */

struct log {
    struct sink sink;
    struct fd fd;
    const char *path;
    uint64_t size;
    char last[LINE_MAX_SHOWN],
        next[LINE_MAX_SHOWN]; /* lines: the last whole one, the one at hand */
    size_t last_len, next_len;
};

static void take_line(struct log *l)
{
    if (!l->next_len)
        return;
    memcpy(l->last, l->next, l->next_len);
    l->last_len = l->next_len;
    l->next_len = 0;
}

static int log_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    static const char more[] = "\n... the rest is left out, for it is too long\n";
    struct log *l = (struct log *)self;
    const char *p = bytes;
    size_t room = l->size < SANDBOX_LOG_MAX ? (size_t)(SANDBOX_LOG_MAX - l->size) : 0;

    for (size_t i = 0; i < len; i++)
        if (p[i] == '\n' || p[i] == '\r')
            take_line(l);
        else if (l->next_len < sizeof l->next && (l->next_len || p[i] != ' '))
            l->next[l->next_len++] = p[i];
    if (room && fd_write_all(l->fd.n, p, len < room ? len : room, l->path, e) < 0)
        return -1;
    if (room && len >= room && fd_write_all(l->fd.n, more, sizeof more - 1, l->path, e) < 0)
        return -1;
    l->size += len;
    return 0;
}

/* ---- watching ---- */

struct watch {
    const struct sandbox_how *how;
    struct sandbox_end *out;
    struct log log;
    struct fd status, block; /* our ends */
    struct buf said;         /* by bwrap, on `status` */
    pid_t init;              /* the first process in there, as we number it; 0: not known yet */
    struct fd init_fd;       /* the same, as a descriptor */
    uint64_t started, told, next_processes, next_disk;
};

/* The number behind `"key":` of the documents that bwrap writes; false when it is not there. */
static bool status_number(const struct watch *w, const char *key, uint32_t *out)
{
    struct str rest = buf_view(&w->said);
    size_t at = str_find_str(rest, str_of(key)), n = 0;

    rest = str_sub(rest, at, rest.len);
    if (!str_skip(&rest, str_of(key)))
        return false;
    rest = str_trim_left(rest);
    if (!str_skip(&rest, STR(":")))
        return false;
    rest = str_trim_left(rest);
    while (n < rest.len && c_digit(rest.p[n]))
        n++;
    return n < rest.len && str_u32(str_sub(rest, 0, n), out);
}

static void read_status(struct watch *w)
{
    ssize_t n = 1;

    while (n > 0 && w->status.open && w->said.len < STATUS_MAX) {
        n = read(w->status.n, buf_room(&w->said, 1024), 1024);
        if (n > 0)
            w->said.len += (size_t)n;
        if (n == 0)
            fd_clear(&w->status);
    }
}

/* It waits for us, and has not begun the command. */
static int let_go(struct watch *w, struct err *e)
{
    const struct sandbox_limits *l = w->how->limits;
    const struct rlimit none = {0, 0}, processes = {l->processes, l->processes},
                        file = {l->disk, l->disk};
    char path[64];
    int fd;

    w->init_fd.n = (int)syscall(SYS_pidfd_open, w->init, 0);
    w->init_fd.open = w->init_fd.n >= 0;
    if (!w->init_fd.open)
        return err_errno(e, "cannot watch the build of %s", w->how->name);
    /* What exceeds them is seen all the same. */
    if (l->processes)
        (void)!prlimit(w->init, RLIMIT_NPROC, &processes, NULL);
    if (l->disk)
        (void)!prlimit(w->init, RLIMIT_FSIZE, &file, NULL);
    (void)!prlimit(w->init, RLIMIT_CORE, &none, NULL);
    snprintf(path, sizeof path, "/proc/%ld/oom_score_adj", (long)w->init);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, "1000", 4); /* only a preference */
        close(fd);
    }
    return fd_write_all(w->block.n, "\n", 1, "bwrap", e);
}

static int stop(struct watch *w, enum sandbox_stop why, struct err *e)
{
    w->out->stop = why;
    return err_set(e, ERR_SYSTEM, "ended");
}

static int look_at_processes(struct watch *w, uint64_t now, struct err *e)
{
    const struct sandbox_limits *l = w->how->limits;
    struct memory_use use;

    if (now < w->next_processes)
        return 0;
    memory_of(&use, w->init);
    if (use.bytes > w->out->memory)
        w->out->memory = use.bytes;
    w->next_processes = now_ms() + PROCESSES_MS;
    if (l->processes && use.processes > l->processes)
        return stop(w, SANDBOX_PROCESSES, e);
    return (l->memory && use.bytes > l->memory) || memory_free() < memory_spare
               ? stop(w, SANDBOX_MEMORY, e)
               : 0;
}

static int add_use(void *ctx, const struct walk_item *item, struct err *e)
{
    walk_count(ctx, item->st);
    return 0;
}

static int look_at_disk(struct watch *w, uint64_t now, struct err *e)
{
    CLEANUP(err_clear)
    struct err unseen = {0}; /* folders that it shut: the disk itself is watched */
    const struct sandbox_limits *l = w->how->limits;
    struct walk_use use = {0};

    if (now < w->next_disk)
        return 0;
    if (l->disk)
        (void)!walk(w->how->folder, add_use, &use, &unseen);
    w->next_disk = now_ms();
    w->next_disk += DISK_MS + (w->next_disk - now) * DISK_PART;
    if (l->disk && use.real > l->disk)
        return stop(w, SANDBOX_DISK, e);
    return lay_disk_is_full(w->how->folder) ? stop(w, SANDBOX_DISK, e) : 0;
}

static void say(struct watch *w, uint64_t now)
{
    char line[LINE_MAX_SHOWN + 1];

    if (now - w->told < SAY_MS || !w->log.last_len)
        return;
    w->told = now;
    memcpy(line, w->log.last, w->log.last_len);
    line[w->log.last_len] = '\0';
    events_emit(w->how->events, &(struct event){.kind = EVENT_SAID,
                                                .task = w->how->name,
                                                .name = line,
                                                .done = now - w->started});
}

static int turn(void *ctx, struct err *e)
{
    struct watch *w = ctx;
    uint64_t now = now_ms();
    uint32_t pid;

    read_status(w);
    if (!w->init) {
        if (!status_number(w, "\"child-pid\"", &pid))
            return 0;
        w->init = (pid_t)pid;
        if (let_go(w, e) < 0)
            return -1;
    }
    say(w, now);
    if (w->how->limits->seconds && now - w->started > (uint64_t)w->how->limits->seconds * 1000)
        return stop(w, SANDBOX_TIME, e);
    return look_at_processes(w, now, e) < 0 ? -1 : look_at_disk(w, now, e);
}

/* Nothing of it writes any more: with the first process all others have ended. */
static int wait_for_all(struct watch *w, struct err *e)
{
    struct pollfd fd = {w->init_fd.n, POLLIN, 0};
    int n = 0;

    if (!w->init_fd.open)
        return 0;
    (void)!syscall(SYS_pidfd_send_signal, w->init_fd.n, SIGKILL, NULL, 0);
    do
        n = poll(&fd, 1, END_MS);
    while (n < 0 && errno == EINTR);
    return n > 0 ? 0
                 : err_set(e, ERR_SYSTEM, "the build of %s does not end; see process %ld",
                           w->how->name, (long)w->init);
}

/* ---- starting ---- */

static void add(struct names *to, const char *const *words)
{
    for (; *words; words++)
        names_add(to, *words);
}

#define ADD(to, ...) add(to, (const char *const[]){__VA_ARGS__, NULL})

static void add_bind(struct names *to, const char *folder, const char *name, const char *where)
{
    CLEANUP(free_clear) char *from = path_join(folder, name);

    ADD(to, "--bind", from, where);
}

static void make_argv(struct names *to, const struct sandbox_how *how)
{
    const struct sandbox_mount *m;

    ADD(to, "bwrap", "--unshare-all", "--unshare-user", "--uid", "1000", "--gid", "1000",
        "--cap-drop", "ALL", "--die-with-parent", "--new-session", "--hostname", "sealed",
        "--json-status-fd", "3", "--block-fd", "4");
    ADD(to, "--ro-bind", how->root, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", SEAL_TOP,
        "--dir", SANDBOX_IN, "--bind", how->folder, SANDBOX_BUILD);
    add_bind(to, how->folder, "tmp", "/tmp");
    add_bind(to, how->folder, "tmp", "/var/tmp");
    add_bind(to, how->folder, "shm", "/dev/shm");
    if (how->mounts)
        vec_each(m, how->mounts) {
            CLEANUP(free_clear) char *where = path_join(SANDBOX_IN, m->to);

            ADD(to, "--ro-bind", m->from, where);
        }
    /* Of root's /proc even a command without capabilities may write what the kernel obeys. */
    ADD(to, "--remount-ro", "/proc", "--remount-ro", "/dev", "--remount-ro", SEAL_TOP, "--chdir",
        SANDBOX_BUILD, "--", "/bin/sh", "-c", "umask 022; exec \"$@\"", "sh");
    add(to, how->argv);
    *vec_push(to) = NULL;
}

static void put_env(struct names *to, struct str line)
{
    struct str name = str_sub(line, 0, str_find(line, '=') + 1);
    char **old;

    vec_each(old, to)
        if (str_starts(str_of(*old), name)) {
            free(*old);
            *old = str_dup(line);
            return;
        }
    *vec_push(to) = str_dup(line);
}

static void make_env(struct names *to, const struct sandbox_how *how)
{
    static const char *const fixed[] = {"HOME=" SANDBOX_BUILD "/home", "LC_ALL=C.UTF-8", "TZ=UTC",
                                        "USER=sealed", "PATH=/usr/local/bin:/usr/bin:/bin"};
    const struct str *line;

    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        put_env(to, str_of(fixed[i]));
    vec_each(line, how->env)
        put_env(to, *line);
    *vec_push(to) = NULL;
}

static int make_folders(const struct sandbox_how *how, struct err *e)
{
    static const char *const names[] = {"home", "tmp", "shm"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(free_clear) char *path = path_join(how->folder, names[i]);

        if (fs_mkdirs(path, e) < 0)
            return -1;
    }
    return 0;
}

static int make_pipe(struct fd *reads, struct fd *writes, struct err *e)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_errno(e, "cannot make a pipe");
    *reads = (struct fd){ends[0], true};
    *writes = (struct fd){ends[1], true};
    return 0;
}

static void watch_clear(struct watch *w)
{
    fd_clear(&w->log.fd);
    fd_clear(&w->status);
    fd_clear(&w->block);
    fd_clear(&w->init_fd);
    buf_clear(&w->said);
}

static int run(struct watch *w, const struct names *argv, const struct names *env,
               struct program_end *end, struct program **program, struct err *e)
{
    struct fd more[2] = {0};
    int result;

    if (make_pipe(&w->status, &more[STATUS_FD - 3], e) < 0)
        return -1;
    if (make_pipe(&more[BLOCK_FD - 3], &w->block, e) < 0) {
        fd_clear(&more[0]);
        return -1;
    }
    result = fcntl(w->status.n, F_SETFL, O_NONBLOCK) < 0
                 ? err_errno(e, "cannot make a pipe")
                 : program_open(program,
                                &(struct program_how){.name = "bwrap",
                                                      .argv = argv->v,
                                                      .env = env->v,
                                                      .missing = SEAL_MISSING,
                                                      .errors = PROGRAM_ERRORS_OUTPUT,
                                                      .output_max = SANDBOX_LAST,
                                                      .keep_end = true,
                                                      .to = &w->log.sink,
                                                      .more = more,
                                                      .more_n = ARRAY_LEN(more),
                                                      .turn = turn,
                                                      .turn_ctx = w,
                                                      .events = w->how->events},
                                e);
    fd_clear(&more[0]);
    fd_clear(&more[1]);
    w->started = now_ms();
    return result < 0 ? -1 : program_wait(*program, end, e);
}

/* And its last lines, without what is behind the last line's end. */
static void keep_last(struct sandbox_end *end, struct str text)
{
    size_t lines = 0, at;

    buf_str(&end->last, text);
    text = str_trim_right(text);
    for (at = text.len; at; at--)
        if (text.p[at - 1] == '\n' && ++lines == SANDBOX_TAIL_LINES)
            break;
    buf_str(&end->tail, str_sub(text, at, text.len));
}

/* The same of one that was ended; what it wrote last is in the log, unless that was full. */
static void keep_last_of_log(struct sandbox_end *end, const struct log *l)
{
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(err_clear) struct err unread = {0}; /* then there is nothing */
    uint64_t size, from;

    if (fd_size(l->fd.n, &size, l->path, &unread) < 0)
        return;
    from = size > SANDBOX_LAST ? size - SANDBOX_LAST : 0;
    if (fd_pread_all(l->fd.n, buf_room(&text, SANDBOX_LAST), (size_t)(size - from), from, l->path,
                     &unread) < 0)
        return;
    text.len += (size_t)(size - from);
    keep_last(end, buf_view(&text));
}

/* bwrap itself failed: it did not get as far as the command. */
static int judge_start(struct str said, struct err *e)
{
    CLEANUP(seal_probe_clear) struct seal_probe p = {0};

    if (str_starts(said, STR("bwrap: execvp /bin/sh")))
        return err_set(e, ERR_INPUT,
                       "the system to build in has no /bin/sh that runs, which a sealed build "
                       "begins with; take a base that has one");
    seal_probe_judge(&p, said, "/proc");
    return seal_probe_need(&p, e);
}

int sandbox_run(struct sandbox_end *out, const struct sandbox_how *how, struct err *e)
{
    CLEANUP(names_clear) struct names argv = {0}, env = {0};
    CLEANUP(program_clear) struct program *program = NULL;
    CLEANUP(watch_clear) struct watch w = {.how = how, .log = {.sink.write = log_write}};
    CLEANUP(sandbox_end_clear) struct sandbox_end end = {0};
    CLEANUP(err_clear) struct err fault = {0};
    struct program_end how_it_ended = {0};
    uint32_t code = 0;
    int result;

    w.out = &end;
    w.log.path = how->log;
    if (make_folders(how, e) < 0 ||
        fd_open(&w.log.fd, how->log, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0666, e) < 0)
        return -1;
    make_argv(&argv, how);
    make_env(&env, how);
    result = run(&w, &argv, &env, &how_it_ended, &program, &fault);
    end.ms = now_ms() - w.started;
    if (result == 0)
        keep_last(&end, how_it_ended.output);
    else
        program_clear(&program);
    if (result < 0)
        keep_last_of_log(&end, &w.log);
    events_emit(how->events, &(struct event){.kind = EVENT_SAID, .task = how->name, .name = ""});
    if (wait_for_all(&w, e) < 0)
        return -1;
    if (result < 0 && end.stop == SANDBOX_ENDED)
        return err_join(e, &fault);
    read_status(&w);
    if (result == 0 && !status_number(&w, "\"exit-code\"", &code))
        return judge_start(buf_view(&end.tail), e);
    end.code = (int)code;
    MOVE(out, &end);
    return 0;
}

void sandbox_end_clear(struct sandbox_end *end)
{
    buf_clear(&end->last);
    buf_clear(&end->tail);
}
