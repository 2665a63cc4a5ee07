/* SPDX-License-Identifier: Apache-2.0 */
#include "stored_spool.h"

#include "../base/fs.h"
#include "../io/decompress.h"
#include "../io/program.h"
#include "../io/tar.h"

enum {
    CHUNK = 256 * 1024,
    SAID_MAX = 2000, /* bytes of a program's output that an error repeats */
};

bool stored_spool_is_tar(const void *head)
{
    return memcmp((const char *)head + 257, "ustar", 5) == 0;
}

static int make_file(struct fs_temp *t, const struct stored_scratch *scratch, struct err *e)
{
    return fs_mkdirs(scratch->dir, e) < 0 ? -1 : fs_temp_open(t, scratch->dir, e);
}

int stored_spool_unpack(struct fd *out, int packed, const char *path,
                        const struct stored_scratch *scratch, struct err *e)
{
    CLEANUP(fs_temp_clear) struct fs_temp temp = {0};
    CLEANUP(free_clear) char *chunk = xcalloc(1, CHUNK);
    CLEANUP(source_clear) struct source *plain = NULL;
    struct source *from;
    uint64_t size;
    size_t got;

    if (fd_size(packed, &size, path, e) < 0)
        return -1;
    from = source_file(packed, 0, size, path);
    from->events = scratch->events;
    plain = decompress(from);
    if (source_read_full(plain, chunk, CHUNK, &got, e) < 0)
        return -1;
    if (!stored_spool_is_tar(chunk))
        return 0;
    events_emit(scratch->events, &(struct event){.kind = EVENT_STEP, .name = "unpack the archive"});
    if (make_file(&temp, scratch, e) < 0)
        return -1;
    while (got)
        if (fd_write_all(temp.fd.n, chunk, got, "the scratch file", e) < 0 ||
            source_read(plain, chunk, CHUNK, &got, e) < 0)
            return -1;
    MOVE(out, &temp.fd);
    return 0;
}

/* ---- what an engine has ---- */

static int wait_for(const struct program_how *how, struct err *e)
{
    CLEANUP(program_clear) struct program *program = NULL;
    struct program_end end;

    if (program_open(&program, how, e) < 0 || program_wait(program, &end, e) < 0)
        return -1;
    return program_judge(&end, how->name, NULL, e);
}

int stored_spool_save(struct fd *out, const char *engine, const char *image,
                      const struct stored_scratch *scratch, struct err *e)
{
    CLEANUP(fs_temp_clear) struct fs_temp temp = {0};
    CLEANUP(buf_clear) struct buf missing = {0}, name = {0};
    char *const argv[] = {(char *)(uintptr_t)engine, (char[]){"save"}, (char *)(uintptr_t)image,
                          NULL};

    buf_fmt(&missing,
            "%s is not installed here; save the image where it is, and name the file that it is "
            "saved in",
            engine);
    buf_fmt(&name, "%s save", engine);
    events_emit(scratch->events, &(struct event){.kind = EVENT_STEP, .name = name.p});
    if (make_file(&temp, scratch, e) < 0 ||
        wait_for(&(struct program_how){.name = name.p,
                                       .argv = argv,
                                       .missing = missing.p,
                                       .errors = PROGRAM_ERRORS_OUTPUT,
                                       .file = &temp.fd,
                                       .output_max = SAID_MAX,
                                       .keep_end = true,
                                       .events = scratch->events},
                 e) < 0)
        return -1;
    MOVE(out, &temp.fd);
    return 0;
}
