/* SPDX-License-Identifier: Apache-2.0 */
#include "wheel.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "../base/beneath.h"
#include "../base/path.h"
#include "../base/walk.h"
#include "../model/embedded.h"
#include "../pkg/pypi/pep440.h"
#include "../pkg/pypi/pep508.h"
#include "../pkg/pypi/wheel_write.h"
#include "../pkg/pypi/wheeltag.h"
#include "../store/unpacked.h"
#include "hint.h"
#include "memory.h"
#include "source_lay.h"

enum {
    DISK_GIB = 64,
    PROCESSES = 8192,
    TEXT_MAX = 4 << 20, /* bytes of METADATA, or of requirements */
    SPARE_PART = 8,     /* one part in so many of the free memory is left free */
};

static const uint64_t job_memory = (uint64_t)1 << 30, /* of a C++ compiler */
    cuda_job_memory = (uint64_t)4 << 30;              /* of nvcc and what it starts */
static const uint64_t wheel_max = (uint64_t)4 << 30;  /* bytes */

/* A change of what is done in a root that has another result is a new number. */
#define RULES "1"

enum step { STEP_STATIC, STEP_ENVIRONMENT, STEP_REQUIRES, STEP_METADATA, STEP_WHEEL };

static const char *const steps[] = {[STEP_STATIC] = "static",
                                    [STEP_ENVIRONMENT] = "environment",
                                    [STEP_REQUIRES] = "requires",
                                    [STEP_METADATA] = "metadata",
                                    [STEP_WHEEL] = "wheel"};

/* ---- the environment, and the key ---- */

/* How many compilers run at once is said in as many ways as there are build systems. */
static const char *const parallel[][2] = {{"MAX_JOBS=", ""},
                                          {"CMAKE_BUILD_PARALLEL_LEVEL=", ""},
                                          {"CARGO_BUILD_JOBS=", ""},
                                          {"MAKEFLAGS=", "-j"}};

/* Settings of packages that else fetch a wheel made elsewhere. */
static const char *const force[] = {"FLASH_ATTENTION_FORCE_BUILD=TRUE",
                                    "CAUSAL_CONV1D_FORCE_BUILD=TRUE", "MAMBA_FORCE_BUILD=TRUE"};

/* Settings of packages that else want nvcc to tell what they need. */
static const char *const skip[] = {"FLASH_ATTENTION_SKIP_CUDA_BUILD=TRUE",
                                   "CAUSAL_CONV1D_SKIP_CUDA_BUILD=TRUE",
                                   "MAMBA_SKIP_CUDA_BUILD=TRUE"};

static bool is_parallel(struct str line)
{
    for (size_t i = 0; i < ARRAY_LEN(parallel); i++)
        if (str_starts(line, str_of(parallel[i][0])))
            return true;
    return false;
}

/* Of a file's path in the root: its folder. */
static struct str folder_of(struct str path)
{
    struct str base = path_base(path);

    return str_sub(path, 0, path.len > base.len ? path.len - base.len - 1 : 0);
}

/* What the build sees, but for how much runs at once. The later of two lines counts. */
static void put_env(struct names *to, const struct seal_build *b)
{
    struct buf line = {0};
    const struct str *own;

    for (size_t i = 0; i < ARRAY_LEN(force); i++)
        names_add(to, force[i]);
    names_add(to, "PYTHONHASHSEED=0");
    names_add(to, "PYTHONDONTWRITEBYTECODE=1");
    names_add(to, "PYTHONNOUSERSITE=1");
    buf_fmt(&line, "SOURCE_DATE_EPOCH=%lld", (long long)b->epoch);
    names_add(to, line.p);
    buf_reset(&line);
    buf_fmt(&line, "PATH=" SANDBOX_BUILD "/env/bin:" STR_FMT "%s" STR_FMT "%s%s" STR_FMT,
            STR_ARG(folder_of(b->python)), b->cuda_home.len ? ":" : "", STR_ARG(b->cuda_home),
            b->cuda_home.len ? "/bin" : "", b->path.len ? ":" : "", STR_ARG(b->path));
    names_add(to, line.p);
    if (b->cuda_home.len) {
        names_add(to, "FORCE_CUDA=1");
        buf_reset(&line);
        buf_fmt(&line, "CUDA_HOME=" STR_FMT, STR_ARG(b->cuda_home));
        names_add(to, line.p);
        buf_reset(&line);
        buf_fmt(&line, "LIBRARY_PATH=" STR_FMT "/lib64:" STR_FMT "/lib64/stubs",
                STR_ARG(b->cuda_home), STR_ARG(b->cuda_home));
        names_add(to, line.p);
    }
    if (b->archs.len) {
        buf_reset(&line);
        buf_fmt(&line, "TORCH_CUDA_ARCH_LIST=" STR_FMT, STR_ARG(b->archs));
        names_add(to, line.p);
    }
    vec_each(own, &b->env)
        if (!is_parallel(*own))
            *vec_push(to) = str_dup(*own);
    buf_clear(&line);
}

static void put_field(struct buf *out, const char *name, struct str value)
{
    buf_fmt(out, "%s %zu ", name, value.len); /* so that no value reads as another field */
    buf_str(out, value);
    buf_putc(out, '\n');
}

static void put_digest(struct buf *out, const char *name, const struct digest *digest)
{
    char text[DIGEST_TEXT + 1];

    digest_text(digest, text);
    put_field(out, name, str_of(text));
}

static int by_name(const void *a, const void *b)
{
    const struct seal_file *const *x = a, *const *y = b;

    return str_cmp((*x)->name, (*y)->name);
}

/* In the order of their names, which is how they are seen. */
static void put_files(struct buf *out, const char *name, const struct seal_files *files)
{
    struct VEC_OF(const struct seal_file *) order = {0};
    const struct seal_file *f, **at;

    vec_each(f, files)
        vec_add(&order, f);
    vec_sort(&order, by_name);
    vec_each(at, &order) {
        put_field(out, name, (*at)->name);
        put_digest(out, name, &(*at)->digest);
    }
    vec_clear(&order);
}

static void put_driver(struct buf *out)
{
    struct str driver = {0};
    struct digest digest;

    (void)embedded_get(&driver, STR("seal-driver.py"));
    hash_bytes(&digest, driver.p, driver.len);
    put_digest(out, "driver", &digest);
}

/* Of the folder that the wheels of b->requires are installed in: builds share it. */
static void environment_key(struct digest *out, const struct seal_build *b)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct digest root;

    seal_root_key(&root, &b->layers);
    put_field(&text, "environment", STR(RULES));
    put_driver(&text);
    put_digest(&text, "root", &root);
    put_field(&text, "python", b->python);
    put_field(&text, "shared", b->shared ? STR("yes") : STR("no"));
    put_files(&text, "requires", &b->requires);
    hash_bytes(out, text.p, text.len);
}

void seal_key(struct digest *out, const struct seal_build *b)
{
    CLEANUP(names_clear) struct names env = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    const struct str *setting;
    struct digest root;
    char **line;

    seal_root_key(&root, &b->layers);
    put_env(&env, b);
    put_field(&text, "sealed", STR(RULES));
    put_driver(&text);
    put_field(&text, "name", b->name);
    put_field(&text, "version", b->version);
    put_field(&text, "kind", b->source.sdist ? STR("sdist") : STR("folder"));
    put_digest(&text, "source", &b->source.digest);
    put_field(&text, "subfolder", b->source.subfolder);
    put_digest(&text, "root", &root);
    put_field(&text, "python", b->python);
    put_field(&text, "shared", b->shared ? STR("yes") : STR("no"));
    put_files(&text, "requires", &b->requires);
    put_files(&text, "input", &b->inputs);
    vec_each(setting, &b->settings)
        put_field(&text, "setting", *setting);
    vec_each(line, &env)
        put_field(&text, "env", str_of(*line));
    hash_bytes(out, text.p, text.len);
}

/* ---- one run in the root ---- */

struct run {
    const struct seal_build *build;
    const struct seal_means *means;
    enum step step;
    struct seal_root root;
    struct unpacked place, environment;
    struct sandbox_limits limits;
    uint32_t jobs;
    char *log, *driver;
    struct sandbox_mounts mounts;
    struct sandbox_end end;
};

static void run_clear(struct run *r)
{
    CLEANUP(err_clear) struct err left = {0}; /* the next build here, or prune, removes it */

    if (r->place.files)
        (void)!unpacked_drop(&r->place, &left);
    if (r->driver)
        (void)!fs_remove(r->driver, &left);
    seal_root_clear(&r->root);
    unpacked_clear(&r->place);
    unpacked_clear(&r->environment);
    free(r->log);
    free(r->driver);
    sandbox_mounts_clear(&r->mounts);
    sandbox_end_clear(&r->end);
    *r = (struct run){0};
}

/* "docopt 0.6.2", for messages and, with "-", for a file. */
static void put_name(struct buf *out, const struct seal_build *b, char between)
{
    struct str name = b->name.len ? b->name : STR("project");

    for (size_t i = 0; i < name.len; i++)
        buf_putc(out, c_alnum(name.p[i]) || strchr("-_.", name.p[i]) ? name.p[i] : '_');
    if (b->version.len)
        buf_putc(out, between);
    for (size_t i = 0; i < b->version.len; i++)
        buf_putc(out, c_alnum(b->version.p[i]) || strchr("-_.+!", b->version.p[i]) ? b->version.p[i]
                                                                                   : '_');
}

static int make_log(struct run *r, struct err *e)
{
    CLEANUP(buf_clear) struct buf name = {0};

    put_name(&name, r->build, '-');
    if (r->step != STEP_WHEEL)
        buf_fmt(&name, ".%s", steps[r->step]);
    buf_puts(&name, ".log");
    r->log = path_join(r->means->logs, name.p);
    return fs_mkdirs(r->means->logs, e);
}

static void choose_limits(struct run *r)
{
    const struct seal_means *m = r->means;
    uint64_t left = memory_free(), by_memory;
    const struct str *line;
    uint32_t asked = 0;

    left -= left / SPARE_PART;
    r->limits = m->limits;
    if (!r->limits.memory && left < UINT64_MAX / 2)
        r->limits.memory = left;
    if (!r->limits.disk)
        r->limits.disk = (uint64_t)DISK_GIB << 30;
    if (!r->limits.processes)
        r->limits.processes = PROCESSES;
    vec_each(line, &r->build->env) {
        struct str value = *line;

        if (str_skip(&value, STR("MAX_JOBS=")))
            (void)!str_u32(value, &asked);
    }
    if (r->limits.memory && r->limits.memory < left)
        left = r->limits.memory;
    by_memory = left / (r->build->cuda_home.len ? cuda_job_memory : job_memory);
    r->jobs = m->jobs ? m->jobs : asked ? asked : m->threads;
    if (!m->jobs && !asked && by_memory < r->jobs)
        r->jobs = (uint32_t)by_memory;
    r->jobs = r->jobs ? r->jobs : 1;
}

static int add_files(struct run *r, const char *folder, const struct seal_files *files,
                     struct err *e)
{
    const struct seal_file *f;

    vec_each(f, files) {
        CLEANUP(free_clear) char *blob = cas_path(r->means->cas, &f->digest), *from = NULL;
        CLEANUP(buf_clear) struct buf to = {0};

        if (!path_is_safe(f->name) || str_has(f->name, '/'))
            return err_set(e, ERR_INPUT, "\"" STR_FMT "\" is no name for a file", STR_ARG(f->name));
        if (fs_absolute(&from, blob, e) < 0)
            return err_wrap(e, "take " STR_FMT " from the store", STR_ARG(f->name));
        buf_fmt(&to, "%s/" STR_FMT, folder, STR_ARG(f->name));
        sandbox_mounts_add(&r->mounts, from, to.p);
    }
    return 0;
}

/* All that the command needs and is not made by a try that failed. */
static int prepare(struct run *r, struct err *e)
{
    const struct seal_means *m = r->means;
    struct str driver = {0};
    char *own;

    if (seal_root_open(&r->root, m->cas, &r->build->layers, m->threads, m->events, e) < 0 ||
        make_log(r, e) < 0)
        return -1;
    (void)embedded_get(&driver, STR("seal-driver.py"));
    own = path_join(r->place.folder, "driver.py");
    if (fs_write(own, driver, e) < 0 || fs_absolute(&r->driver, own, e) < 0) {
        free(own);
        return -1;
    }
    free(own);
    sandbox_mounts_add(&r->mounts, r->driver, "driver.py");
    if (add_files(r, "wheels", &r->build->requires, e) < 0 ||
        add_files(r, "files", &r->build->inputs, e) < 0)
        return -1;
    choose_limits(r);
    return 0;
}

static int lay_source(struct run *r, struct err *e)
{
    CLEANUP(free_clear) char *src = path_join(r->place.files, "src");

    return walk_remove(r->place.files, e) < 0 || fs_mkdirs(src, e) < 0
               ? -1
               : source_lay(src, &r->build->source, r->build->epoch, r->means->events, e);
}

static void add_arg(struct names *argv, struct str arg)
{
    *vec_push(argv) = str_dup(arg);
}

static void make_argv(struct names *argv, const struct run *r, enum step step)
{
    const struct seal_build *b = r->build;
    const struct str *setting;

    add_arg(argv, b->python);
    names_add(argv, "-X");
    names_add(argv, "pycache_prefix=" SANDBOX_BUILD "/env/bytecode");
    names_add(argv, SANDBOX_IN "/driver.py");
    names_add(argv, steps[step]);
    names_add(argv, b->shared ? "no" : "yes");
    names_add(argv, b->source.sdist ? "sdist" : "folder");
    add_arg(argv, b->source.subfolder);
    vec_each(setting, &b->settings)
        add_arg(argv, *setting);
    *vec_push(argv) = NULL;
}

/* `again`: what the recipe says of jobs was too much. */
static void make_env(struct names *env, const struct run *r, bool again)
{
    const struct str *own;

    for (size_t i = 0; i < ARRAY_LEN(parallel); i++) {
        struct buf line = {0};

        buf_fmt(&line, "%s%s%u", parallel[i][0], parallel[i][1], (unsigned)r->jobs);
        vec_add(env, buf_take(&line));
    }
    for (size_t i = 0; r->step != STEP_WHEEL && i < ARRAY_LEN(skip); i++)
        names_add(env, skip[i]);
    put_env(env, r->build);
    vec_each(own, &r->build->env)
        if (!again && is_parallel(*own))
            add_arg(env, *own);
}

static int run_in(struct run *r, enum step step, const char *place, const char *name, bool again,
                  struct err *e)
{
    CLEANUP(names_clear) struct names argv = {0}, env = {0};
    CLEANUP(free_clear) char *folder = NULL;
    struct strs lines = {0};
    char **line;
    int result;

    if (fs_absolute(&folder, place, e) < 0)
        return -1;
    make_argv(&argv, r, step);
    make_env(&env, r, again);
    vec_each(line, &env)
        vec_add(&lines, str_of(*line));
    sandbox_end_clear(&r->end);
    r->end = (struct sandbox_end){0};
    result = sandbox_run(&r->end,
                         &(struct sandbox_how){.name = name,
                                               .root = r->root.path,
                                               .folder = folder,
                                               .mounts = &r->mounts,
                                               .argv = (const char *const *)argv.v,
                                               .env = &lines,
                                               .limits = &r->limits,
                                               .log = r->log,
                                               .events = r->means->events},
                         e);
    vec_clear(&lines);
    return result;
}

static int run_once(struct run *r, const char *name, bool again, struct err *e)
{
    return lay_source(r, e) < 0 ? -1 : run_in(r, r->step, r->place.files, name, again, e);
}

/* Wheels are installed once for all builds that want the same, by pip of the root alone: nothing of
 * a package runs, and its build may only read them. r->end tells how it went. */
static int have_environment(struct run *r, const char *name, struct err *e)
{
    CLEANUP(free_clear) char *folder = NULL, *whole = NULL;
    struct digest key;

    environment_key(&key, r->build);
    if (unpacked_open(&r->environment, r->means->cas, UNPACKED_ROOT, &key, r->means->events, e) < 0)
        return -1;
    if (!r->environment.here) {
        if (run_in(r, STEP_ENVIRONMENT, r->environment.files, name, false, e) < 0)
            return -1;
        if (r->end.stop != SANDBOX_ENDED || r->end.code)
            return 0;
        if (unpacked_publish(&r->environment, e) < 0)
            return -1;
    }
    folder = path_join(r->environment.files, "env");
    if (fs_absolute(&whole, folder, e) < 0)
        return -1;
    sandbox_mounts_add(&r->mounts, whole, SANDBOX_BUILD "/env");
    return 0;
}

static bool was_short_of_memory(const struct sandbox_end *end)
{
    return end->stop == SANDBOX_MEMORY ||
           (end->stop == SANDBOX_ENDED && end->code &&
            (end->code == 137 || hint_is_memory(buf_view(&end->last))));
}

/* ---- what went wrong ---- */

static void put_reason(struct buf *out, const struct run *r)
{
    const struct sandbox_limits *l = &r->limits;

    switch (r->end.stop) {
    case SANDBOX_ENDED:
        if (was_short_of_memory(&r->end))
            buf_fmt(out, "it was ended for want of memory, with %u job%s at once",
                    (unsigned)r->jobs, r->jobs == 1 ? "" : "s");
        else
            buf_fmt(out, "it ended with exit code %d", r->end.code);
        return;
    case SANDBOX_TIME:
        buf_fmt(out, "it ran for more than %u s, the most allowed", (unsigned)l->seconds);
        return;
    case SANDBOX_MEMORY:
        buf_fmt(out, "it used %llu MiB of memory, more than there is for it, with %u job%s at once",
                (unsigned long long)(r->end.memory >> 20), (unsigned)r->jobs,
                r->jobs == 1 ? "" : "s");
        return;
    case SANDBOX_DISK:
        buf_fmt(out, "it used more than %llu MiB of the disk, or all of it",
                (unsigned long long)(l->disk >> 20));
        return;
    case SANDBOX_PROCESSES:
        buf_fmt(out, "it started more than %u processes, the most allowed", (unsigned)l->processes);
        return;
    }
}

/* Words, and not only the frame around some. */
static bool says_something(struct str line)
{
    for (size_t i = 0; i < line.len; i++)
        if (c_alnum(line.p[i]))
            return true;
    return false;
}

/* The last line that says something. */
static struct str last_line(struct str text)
{
    struct str line, last = {0};

    while (str_line(&text, &line))
        if (says_something(line))
            last = str_trim(line);
    return str_sub(last, 0, 300);
}

static int failed(struct run *r, const char *name, struct err *e)
{
    CLEANUP(buf_clear) struct buf why = {0}, hint = {0};
    struct seal_failure *f = r->means->failure;

    put_reason(&why, r);
    if (r->end.stop == SANDBOX_ENDED && !was_short_of_memory(&r->end))
        hint_of(&hint, buf_view(&r->end.last), r->build->name,
                r->step != STEP_WHEEL && r->build->cuda_home.len, r->build->on_image);
    if (hint.len)
        buf_fmt(&why, ": %s", hint.p);
    else if (r->end.tail.len)
        buf_fmt(&why, ": " STR_FMT, STR_ARG(last_line(buf_view(&r->end.tail))));
    if (f) {
        seal_failure_clear(f);
        f->log = xstrdup(r->log);
        f->hint = hint.len ? xstrdup(hint.p) : NULL;
        f->code = r->end.code;
        buf_str(&f->tail, buf_view(&r->end.tail));
    }
    return err_set(e, ERR_INPUT, "build %s from source: %s; all it said is in %s", name, why.p,
                   r->log);
}

void seal_failure_clear(struct seal_failure *f)
{
    free(f->log);
    free(f->hint);
    buf_clear(&f->tail);
    *f = (struct seal_failure){0};
}

/* Until it ends well. What it leaves is in the place's folder "result". */
static int run_step(struct run *r, struct err *e)
{
    CLEANUP(buf_clear) struct buf name = {0};
    int result;

    put_name(&name, r->build, ' ');
    if (prepare(r, e) < 0 || (r->step != STEP_STATIC && have_environment(r, name.p, e) < 0))
        return err_wrap(e, "build %s from source", name.p);
    if (r->end.stop != SANDBOX_ENDED || r->end.code)
        return failed(r, name.p, e);
    result = run_once(r, name.p, false, e);
    if (result == 0 && was_short_of_memory(&r->end) && r->jobs > 1) {
        r->jobs /= 2;
        events_warn(r->means->events,
                    "the build of %s was ended for want of memory; it is tried once more, with %u "
                    "job%s at once",
                    name.p, (unsigned)r->jobs, r->jobs == 1 ? "" : "s");
        result = run_once(r, name.p, true, e);
    }
    if (result < 0)
        return err_wrap(e, "build %s from source", name.p);
    return r->end.stop != SANDBOX_ENDED || r->end.code ? failed(r, name.p, e) : 0;
}

/* ---- what came out ---- */

/* Of what the build left; its folder was the build's, so nothing there is believed. */
static int open_made(struct fd *out, const struct run *r, struct str path, int flags, struct err *e)
{
    CLEANUP(fd_clear) struct fd top = {0};
    CLEANUP(err_clear) struct err fault = {0};

    if (fd_open(&top, r->place.files, O_RDONLY | O_DIRECTORY, 0, e) < 0)
        return -1;
    return beneath_open(out, top.n, path, flags, "what the build made", &fault) < 0
               ? err_set(e, ERR_INPUT, "%s", fault.msg)
               : 0;
}

static int open_result(struct fd *out, const struct run *r, struct str path, struct err *e)
{
    struct stat st;

    if (open_made(out, r, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, e) < 0)
        return -1;
    if (fstat(out->n, &st) == 0 && S_ISREG(st.st_mode))
        return 0;
    fd_clear(out);
    return err_set(e, ERR_INPUT, "what the build made is no file");
}

static int read_result(struct buf *out, const struct run *r, const char *name, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    CLEANUP(buf_clear) struct buf path = {0};
    uint64_t size;

    buf_fmt(&path, "result/%s", name);
    if (open_result(&fd, r, buf_view(&path), e) < 0 || fd_size(fd.n, &size, path.p, e) < 0)
        return -1;
    if (size > TEXT_MAX)
        return err_set(e, ERR_INPUT, "the build says more than %d MiB", TEXT_MAX >> 20);
    if (fd_pread_all(fd.n, buf_room(out, (size_t)size + 1), (size_t)size, 0, path.p, e) < 0)
        return -1;
    out->len += (size_t)size;
    out->p[out->len] = '\0';
    return 0;
}

/* The one wheel in the folder. */
static int find_wheel(char **name, const struct run *r, struct err *e)
{
    CLEANUP(names_clear) struct names names = {0};
    CLEANUP(fd_clear) struct fd folder = {0};

    if (open_made(&folder, r, STR("result"), O_RDONLY | O_DIRECTORY, e) < 0 ||
        fs_list_at(&names, folder.n, "what the build made", e) < 0)
        return -1;
    if (names.n != 1)
        return err_set(e, ERR_INPUT, "the build made %zu files instead of one wheel", names.n);
    *name = xstrdup(names.v[0]);
    return 0;
}

/* The file's name must say what is asked for, as its .dist-info must. */
static int check_name(struct str *version, const struct seal_build *b, const char *file,
                      struct err *e)
{
    CLEANUP(arena_clear) struct arena arena = {0};
    struct pep440 want, have;
    struct wheel_name n;

    *version = b->version;
    if (!wheel_name_parse(&n, str_of(file)) || !path_is_safe(str_of(file)))
        return err_set(e, ERR_INPUT, "\"%s\" is no name of a wheel", file);
    if (!str_eq(pep503_name(&arena, n.dist), b->name) || !pep440_parse(&have, n.version) ||
        (b->version.len && (!pep440_parse(&want, b->version) || pep440_cmp(&want, &have) != 0)))
        return err_set(e, ERR_INPUT, "the build made %s, which is not of " STR_FMT " " STR_FMT,
                       file, STR_ARG(b->name), STR_ARG(b->version));
    if (!version->len)
        *version = n.version;
    return 0;
}

static int store_wheel(struct seal_wheel *out, struct seen *seen, const struct run *r,
                       struct str version, struct err *e)
{
    CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();
    CLEANUP(cas_put_clear) struct cas_put put = {0};
    CLEANUP(wheel_clear) struct wheel w = {0};
    CLEANUP(buf_clear) struct buf path = {0};
    CLEANUP(fd_clear) struct fd fd = {0};
    struct input in = {.name = out->file, .events = r->means->events};

    buf_fmt(&path, "result/%s", out->file);
    if (open_result(&fd, r, buf_view(&path), e) < 0 || fd_size(fd.n, &in.size, out->file, e) < 0)
        return -1;
    in.fd = fd;
    if (wheel_open(&w, &in, r->build->name, version, inflater, e) < 0 ||
        cas_put_open(&put, r->means->cas, NULL, wheel_max, e) < 0 ||
        wheel_write(&put.sink, &w, inflater, r->place.folder, r->means->threads, e) < 0 ||
        sink_finish(&put.sink, e) < 0)
        return -1;
    out->digest = put.digest;
    out->size = put.size;
    *seen = put.seen;
    return 0;
}

static int take_wheel(struct seal_wheel *out, struct seen *seen, const struct run *r, struct err *e)
{
    struct str version;

    out->built = true;
    out->ms = r->end.ms;
    if (find_wheel(&out->file, r, e) < 0 || check_name(&version, r->build, out->file, e) < 0 ||
        store_wheel(out, seen, r, version, e) < 0)
        return err_wrap(e, "build " STR_FMT " from source", STR_ARG(r->build->name));
    return 0;
}

/* ---- what is remembered ---- */

/* The key of a step, as a digest and as a memo's key. */
static void step_key(struct digest *out, struct buf *text, const struct seal_build *b,
                     enum step step)
{
    CLEANUP(buf_clear) struct buf all = {0};
    char hex[DIGEST_TEXT + 1];

    seal_key(out, b);
    digest_text(out, hex);
    buf_fmt(&all, "%s %s", steps[step], hex);
    hash_bytes(out, all.p, all.len);
    buf_fmt(text, "sealed %s", all.p);
}

/* "SIZE FILE", of a blob that is still there. */
static int recall_wheel(struct seal_wheel *out, bool *found, const struct seal_means *m,
                        struct str key, struct err *e)
{
    CLEANUP(buf_clear) struct buf value = {0};
    struct str rest, digest, size;

    if (memo_get(m->memo, key, NULL, &value, found, e) < 0)
        return -1;
    if (!*found)
        return 0;
    rest = buf_view(&value);
    *found = str_cut(&rest, STR(" "), &digest) && digest_from_text(&out->digest, digest) &&
             str_cut(&rest, STR(" "), &size) && str_u64(size, &out->size) &&
             cas_has(m->cas, &out->digest, out->size);
    if (*found)
        out->file = str_dup(rest);
    return 0;
}

static int remember_wheel(const struct seal_wheel *w, const struct seen *seen,
                          const struct seal_means *m, struct str key, struct err *e)
{
    CLEANUP(buf_clear) struct buf value = {0};
    char digest[DIGEST_TEXT + 1];

    digest_text(&w->digest, digest);
    buf_fmt(&value, "%s %llu %s", digest, (unsigned long long)w->size, w->file);
    return memo_put(m->memo, key, seen, buf_view(&value), e);
}

int seal_wheel(struct seal_wheel *out, const struct seal_build *b, const struct seal_means *m,
               struct err *e)
{
    CLEANUP(seal_wheel_clear) struct seal_wheel w = {0};
    CLEANUP(run_clear) struct run r = {.build = b, .means = m, .step = STEP_WHEEL};
    CLEANUP(buf_clear) struct buf text = {0};
    struct digest key;
    struct seen seen;
    bool found = false;

    step_key(&key, &text, b, STEP_WHEEL);
    if (recall_wheel(&w, &found, m, buf_view(&text), e) < 0)
        return -1;
    /* Who waits for another that builds the same takes what that has made. */
    if (!found && (unpacked_open(&r.place, m->cas, UNPACKED_BUILD, &key, m->events, e) < 0 ||
                   recall_wheel(&w, &found, m, buf_view(&text), e) < 0))
        return -1;
    if (!found && (run_step(&r, e) < 0 || take_wheel(&w, &seen, &r, e) < 0 ||
                   remember_wheel(&w, &seen, m, buf_view(&text), e) < 0))
        return -1;
    MOVE(out, &w);
    return 0;
}

void seal_wheel_clear(struct seal_wheel *w)
{
    free(w->file);
    *w = (struct seal_wheel){0};
}

/* What a step says in one file of its result. */
static int said(struct buf *out, const struct seal_build *b, enum step step, const char *file,
                const struct seal_means *m, struct err *e)
{
    CLEANUP(run_clear) struct run r = {.build = b, .means = m, .step = step};
    CLEANUP(buf_clear) struct buf key_text = {0}, got = {0};
    struct digest key;
    bool found = false;

    step_key(&key, &key_text, b, step);
    if (memo_get(m->memo, buf_view(&key_text), NULL, &got, &found, e) < 0)
        return -1;
    if (!found && (unpacked_open(&r.place, m->cas, UNPACKED_BUILD, &key, m->events, e) < 0 ||
                   run_step(&r, e) < 0 || read_result(&got, &r, file, e) < 0 ||
                   memo_put_text(m->memo, buf_view(&key_text), buf_view(&got), e) < 0))
        return -1;
    buf_str(out, buf_view(&got));
    return 0;
}

int seal_requires(struct names *out, const struct seal_build *b, bool is_static,
                  const struct seal_means *m, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct str rest, line;

    if (said(&text, b, is_static ? STEP_STATIC : STEP_REQUIRES, "requires", m, e) < 0)
        return -1;
    rest = buf_view(&text);
    while (str_line(&rest, &line))
        if (str_trim(line).len)
            *vec_push(out) = str_dup(str_trim(line));
    return 0;
}

int seal_metadata(struct buf *out, const struct seal_build *b, const struct seal_means *m,
                  struct err *e)
{
    return said(out, b, STEP_METADATA, "METADATA", m, e);
}
