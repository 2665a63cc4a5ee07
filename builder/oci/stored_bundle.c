/* SPDX-License-Identifier: Apache-2.0 */
#include "stored_bundle.h"

#include <fcntl.h>

#include "../base/fs.h"
#include "../base/path.h"
#include "../io/source.h"

#define IMAGE "image.tar"
#define SUMS "SHA256SUMS"

enum { PART_DIGITS = 3, PARTS_MAX = 1000, CHUNK = 256 * 1024 };

static bool has_in(const char *dir, const char *name)
{
    CLEANUP(free_clear) char *path = path_join(dir, name);

    return fs_exists(path);
}

bool bundle_parts_are_in(const char *dir)
{
    return (has_in(dir, IMAGE) || has_in(dir, IMAGE ".001")) && has_in(dir, "load.sh") &&
           !has_in(dir, "index.json");
}

/* "image.tar", "image.tar.012". */
static bool parse_part(unsigned *turn, struct str name)
{
    uint32_t n = 0;

    if (!str_skip(&name, STR(IMAGE)))
        return false;
    if (name.len && (!str_skip(&name, STR(".")) || name.len < PART_DIGITS || !str_u32(name, &n) ||
                     !n || n > PARTS_MAX))
        return false;
    *turn = n;
    return true;
}

int bundle_parts_list(struct bundle_parts *out, const char *dir, struct err *e)
{
    CLEANUP(names_clear) struct names names = {0};
    char **name;
    unsigned turn;

    if (fs_list(&names, dir, e) < 0)
        return -1;
    out->sums = has_in(dir, SUMS);
    vec_each(name, &names) {
        CLEANUP(free_clear) char *path = path_join(dir, *name);
        struct bundle_part *p;

        if (!parse_part(&turn, str_of(*name)))
            continue;
        p = vec_push(&out->parts);
        p->turn = turn;
        if (fd_open(&p->fd, path, O_RDONLY, 0, e) < 0 || fd_size(p->fd.n, &p->size, path, e) < 0)
            return -1;
    }
    return 0;
}

void bundle_parts_note(struct bundle_parts *out, struct str path, uint64_t offset, uint64_t size)
{
    struct str base = path_base(path), above = str_sub(path, 0, path.len - base.len);
    unsigned turn;

    str_drop(&above, STR("/"));
    if (str_has(above, '/'))
        return;
    out->sums |= str_is(base, SUMS);
    if (parse_part(&turn, base))
        vec_add(&out->parts, ((struct bundle_part){.turn = turn, .offset = offset, .size = size}));
}

static int compare(const void *a, const void *b)
{
    const struct bundle_part *x = a, *y = b;

    return (x->turn > y->turn) - (x->turn < y->turn);
}

static int check_all_there(const struct bundle_parts *b, const char *path, struct err *e)
{
    unsigned first = b->parts.v[0].turn;

    if (!b->sums)
        return err_set(e, ERR_INPUT,
                       "%s is not whole: " SUMS " is missing, which is written last; copy it again",
                       path);
    for (size_t i = 0; i < b->parts.n; i++)
        if (b->parts.v[i].turn != (first ? i + 1 : 0) || (!first && i))
            return err_set(e, ERR_INPUT, "%s is not whole: it has not all parts of " IMAGE, path);
    return 0;
}

static int append(struct fs_temp *to, struct bundle_part *p, const struct fd *tar, const char *path,
                  const struct stored_scratch *scratch, struct err *e)
{
    CLEANUP(source_clear)
    struct source *from = source_file(p->fd.open ? p->fd.n : tar->n, p->offset, p->size, path);
    CLEANUP(free_clear) char *chunk = xmalloc(CHUNK);
    size_t got;

    from->events = scratch->events;
    do {
        if (source_read(from, chunk, CHUNK, &got, e) < 0 ||
            fd_write_all(to->fd.n, chunk, got, "the scratch file", e) < 0)
            return -1;
    } while (got);
    return 0;
}

static int join(struct fd *out, uint64_t *size, struct bundle_parts *b, const struct fd *tar,
                const char *path, const struct stored_scratch *scratch, struct err *e)
{
    CLEANUP(fs_temp_clear) struct fs_temp temp = {0};
    struct bundle_part *p;

    events_emit(scratch->events,
                &(struct event){.kind = EVENT_STEP, .name = "put the parts together"});
    if (fs_mkdirs(scratch->dir, e) < 0 || fs_temp_open(&temp, scratch->dir, e) < 0)
        return -1;
    *size = 0;
    vec_each(p, &b->parts) {
        if (append(&temp, p, tar, path, scratch, e) < 0)
            return -1;
        *size += p->size;
    }
    MOVE(out, &temp.fd);
    return 0;
}

int bundle_parts_open(struct fd *out, uint64_t *offset, uint64_t *size, struct bundle_parts *parts,
                      const struct fd *tar, const char *path, const struct stored_scratch *scratch,
                      struct err *e)
{
    struct bundle_part *only;

    vec_sort(&parts->parts, compare);
    if (check_all_there(parts, path, e) < 0)
        return -1;
    *offset = 0;
    if (parts->parts.n > 1)
        return join(out, size, parts, tar, path, scratch, e);
    only = parts->parts.v;
    *offset = only->offset;
    *size = only->size;
    if (only->fd.open) {
        MOVE(out, &only->fd);
        return 0;
    }
    out->n = fcntl(tar->n, F_DUPFD_CLOEXEC, 0);
    out->open = out->n >= 0;
    return out->open ? 0 : err_errno(e, "cannot read %s", path);
}

void bundle_parts_clear(struct bundle_parts *b)
{
    struct bundle_part *p;

    vec_each(p, &b->parts)
        fd_clear(&p->fd);
    vec_clear(&b->parts);
}
