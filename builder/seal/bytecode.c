/* SPDX-License-Identifier: Apache-2.0 */
#include "bytecode.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "../base/beneath.h"
#include "../base/path.h"
#include "../base/walk.h"
#include "../model/embedded.h"
#include "memory.h"

enum { PYC_MAX = 64 << 20 /* bytes of one */ };

static const uint64_t disk_max = (uint64_t)8 << 30; /* bytes: modules, and what becomes of them */

int seal_bytecode_open(struct seal_bytecode *b, const struct seal_layers *layers,
                       const struct digest *key, struct str tag, const struct seal_means *m,
                       struct err *e)
{
    CLEANUP(free_clear) char *result = NULL;

    b->means = m;
    b->tag = tag;
    if (seal_root_open(&b->root, m->cas, layers, m->threads, m->events, e) < 0 ||
        unpacked_open(&b->place, m->cas, UNPACKED_BUILD, key, m->events, e) < 0)
        return -1;
    b->src = path_join(b->place.files, "src");
    result = path_join(b->place.files, "result");
    return walk_remove(b->place.files, e) < 0 || fs_mkdirs(b->src, e) < 0 ||
                   fs_mkdirs(result, e) < 0
               ? -1
               : lay_open(&b->lay, b->src, false, e);
}

int seal_bytecode_add(struct seal_bytecode *b, struct str path, struct str text, struct err *e)
{
    struct entry entry = {.path = path, .mode = 0644, .content = {.size = text.len}};
    CLEANUP(source_clear) struct source *data = source_bytes(text, "a module");

    return lay_put(&b->lay, &entry, data, e);
}

/* The script, the log and the folder as the sandbox wants them. */
struct paths {
    char *script, *folder, *log;
    struct sandbox_mounts mounts;
};

static void paths_clear(struct paths *p)
{
    CLEANUP(err_clear) struct err left = {0}; /* the next one here, or prune, removes it */

    if (p->script)
        (void)!fs_remove(p->script, &left);
    free(p->script);
    free(p->folder);
    free(p->log);
    sandbox_mounts_clear(&p->mounts);
}

static int paths_open(struct paths *p, const struct seal_bytecode *b, struct err *e)
{
    CLEANUP(free_clear) char *script = path_join(b->place.folder, "bytecode.py");
    struct str text = {0};

    (void)embedded_get(&text, STR("seal-bytecode.py"));
    if (fs_write(script, text, e) < 0 || fs_absolute(&p->script, script, e) < 0 ||
        fs_absolute(&p->folder, b->place.files, e) < 0 || fs_mkdirs(b->means->logs, e) < 0)
        return -1;
    p->log = path_join(b->means->logs, "bytecode.log");
    sandbox_mounts_add(&p->mounts, p->script, "bytecode.py");
    return 0;
}

int seal_bytecode_run(struct seal_bytecode *b, const char *python, struct err *e)
{
    CLEANUP(sandbox_end_clear) struct sandbox_end end = {0};
    CLEANUP(paths_clear) struct paths p = {0};
    CLEANUP(buf_clear) struct buf jobs = {0};
    struct str line[] = {STR("PYTHONHASHSEED=0")};
    const struct strs env = {line, ARRAY_LEN(line), ARRAY_LEN(line)};
    struct sandbox_limits limits = b->means->limits;

    if (paths_open(&p, b, e) < 0)
        return -1;
    buf_fmt(&jobs, "%u", b->means->threads ? b->means->threads : 1);
    if (!limits.disk)
        limits.disk = disk_max;
    const char *argv[] = {python, "-s", "-S", "-B", SANDBOX_IN "/bytecode.py", jobs.p, NULL};
    const struct sandbox_how how = {.name = "bytecode",
                                    .root = b->root.path,
                                    .folder = p.folder,
                                    .mounts = &p.mounts,
                                    .argv = argv,
                                    .env = &env,
                                    .limits = &limits,
                                    .log = p.log,
                                    .events = b->means->events};

    lay_clear(&b->lay);
    if (sandbox_run(&end, &how, e) < 0)
        return -1;
    return end.stop == SANDBOX_ENDED && end.code == 0
               ? 0
               : err_set(e, ERR_INPUT, "the compiler ended with exit code %d; all it said is in %s",
                         end.code, p.log);
}

/* "a/b.py" is "a/__pycache__/b.cpython-311.pyc" (PEP 3147). */
static void cache_path(struct buf *out, const struct seal_bytecode *b, struct str path)
{
    struct str base = path_base(path);
    struct str folder = str_sub(path, 0, path.len - base.len), stem = base;

    str_drop(&stem, STR(".py"));
    buf_fmt(out, STR_FMT "__pycache__/" STR_FMT "." STR_FMT ".pyc", STR_ARG(folder), STR_ARG(stem),
            STR_ARG(b->tag));
}

/* The sandbox's folder: what lies there is foreign. */
static int open_made(struct fd *out, bool *found, const struct seal_bytecode *b, struct str path,
                     struct err *e)
{
    CLEANUP(fd_clear) struct fd top = {0};
    CLEANUP(err_clear) struct err missing = {0};
    struct stat st;

    if (fd_open(&top, b->place.files, O_RDONLY | O_DIRECTORY, 0, e) < 0)
        return -1;
    *found = beneath_open(out, top.n, path, O_RDONLY | O_NONBLOCK | O_NOCTTY,
                          "what the compiler made", &missing) == 0 &&
             fstat(out->n, &st) == 0 && S_ISREG(st.st_mode);
    return 0;
}

int seal_bytecode_read(struct buf *out, struct buf *made, bool *found,
                       const struct seal_bytecode *b, struct str path, struct err *e)
{
    CLEANUP(source_clear) struct source *from = NULL;
    CLEANUP(buf_clear) struct buf at = {0};
    CLEANUP(fd_clear) struct fd fd = {0};
    uint64_t size;

    cache_path(made, b, path);
    buf_fmt(&at, "result/%s", made->p);
    if (open_made(&fd, found, b, buf_view(&at), e) < 0 ||
        (*found && fd_size(fd.n, &size, made->p, e) < 0))
        return -1;
    if (!*found)
        return 0;
    from = source_file_take(&fd, 0, size, made->p);
    return source_read_all(from, out, PYC_MAX, e);
}

void seal_bytecode_clear(struct seal_bytecode *b)
{
    CLEANUP(err_clear) struct err left = {0}; /* the next one here, or prune, removes it */

    lay_clear(&b->lay);
    free(b->src);
    if (b->place.files)
        (void)!unpacked_drop(&b->place, &left);
    unpacked_clear(&b->place);
    seal_root_clear(&b->root);
    *b = (struct seal_bytecode){0};
}
