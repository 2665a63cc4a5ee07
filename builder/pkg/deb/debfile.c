/* SPDX-License-Identifier: Apache-2.0 */
#include "debfile.h"

#include "../../io/decompress.h"

enum {
    AR_MAGIC = 8,
    AR_HEAD = 60,
    CONTROL_PACKED_MAX = 64 * 1024 * 1024,
    CONTROL_MAX = 64 * 1024 * 1024, /* all members together */
    CONTROL_MEMBERS = 1000,
};

struct ar_member {
    struct str name; /* views into `head` */
    uint64_t offset, size;
    char head[AR_HEAD];
};

/* The member whose header stands at *at; *at moves to the next one. */
static int ar_next(struct ar_member *m, const struct input *in, uint64_t *at, struct err *e)
{
    if (*at > in->size || in->size - *at < AR_HEAD)
        return err_set(e, ERR_INPUT, "%s: not a deb: it ends before its data part", in->name);
    if (fd_pread_all(in->fd.n, m->head, AR_HEAD, *at, in->name, e) < 0)
        return -1;
    m->name = str_trim_right((struct str){m->head, 16});
    str_drop(&m->name, STR("/"));
    m->offset = *at + AR_HEAD;
    if (memcmp(m->head + 58, "`\n", 2) != 0 ||
        !str_u64(str_trim_right((struct str){m->head + 48, 10}), &m->size) ||
        m->size > in->size - m->offset)
        return err_set(e, ERR_INPUT, "%s: not a deb: a broken ar header at byte %llu", in->name,
                       (unsigned long long)*at);
    *at = m->offset + m->size + m->size % 2;
    return 0;
}

static int check_version(const struct input *in, const struct ar_member *m, struct err *e)
{
    char text[4];

    if (!str_is(m->name, "debian-binary") || m->size < sizeof text)
        return err_set(e, ERR_INPUT, "%s: not a deb: it does not begin with debian-binary",
                       in->name);
    if (fd_pread_all(in->fd.n, text, sizeof text, m->offset, in->name, e) < 0)
        return -1;
    if (memcmp(text, "2.", 2) != 0)
        return err_set(e, ERR_INPUT, "%s: deb format \"%.*s\" is not known; 2.0 is", in->name, 3,
                       text);
    return 0;
}

/* "control.tar" alone or with the suffix of a compression that decompress() can undo. */
static int check_name(const struct input *in, const struct ar_member *m, const char *part,
                      struct err *e)
{
    struct str rest = m->name;

    if (!str_skip(&rest, str_of(part)))
        return err_set(e, ERR_INPUT, "%s: not a deb: \"" STR_FMT "\" stands where %s belongs",
                       in->name, STR_ARG(m->name), part);
    if (rest.len && !str_is(rest, ".xz") && !str_is(rest, ".gz") && !str_is(rest, ".zst"))
        return err_set(e, ERR_INPUT,
                       "%s: \"" STR_FMT "\" is compressed in a way that is not supported; "
                       "supported: .xz, .gz, .zst",
                       in->name, STR_ARG(m->name));
    return 0;
}

struct members {
    struct debfile *deb;
    const char *what;
    uint64_t left;
};

static int take_member(void *ctx, const struct tar_entry *u, struct source *data, struct err *e)
{
    struct members *m = ctx;
    CLEANUP(buf_clear) struct buf bytes = {0};
    struct str path = u->entry.path;

    if (u->entry.type == ENTRY_DIR && !path.len)
        return 0;
    if (u->entry.type != ENTRY_FILE || str_has(path, '/') || !path.len)
        return err_set(e, ERR_INPUT, "%s: \"" STR_FMT "\" does not belong into a control part",
                       m->what, STR_ARG(path));
    if (m->deb->members.n == CONTROL_MEMBERS || u->entry.content.size > m->left)
        return err_set(e, ERR_INPUT, "%s: the control part is larger than allowed", m->what);
    for (size_t i = 0; i < m->deb->members.n; i++)
        if (str_eq(m->deb->members.v[i].name, path))
            return err_set(e, ERR_INPUT, "%s: two members \"" STR_FMT "\"", m->what, STR_ARG(path));
    m->left -= u->entry.content.size;
    if (source_read_all(data, &bytes, u->entry.content.size, e) < 0)
        return -1;
    struct deb_member *member = vec_push(&m->deb->members);
    member->name = arena_str(&m->deb->arena, path);
    member->bytes = arena_str(&m->deb->arena, buf_view(&bytes));
    member->mtime = u->entry.mtime;
    return 0;
}

/* A walk over the tar in a member. */
static int walk(const struct input *in, uint64_t offset, uint64_t size, tar_each each, void *ctx,
                struct err *e)
{
    CLEANUP(tar_clear)
    struct tar_reader *t = tar_open(decompress(source_input(in, offset, size)), TAR_DEB);

    return tar_walk(t, each, ctx, e);
}

static int compare_members(const void *a, const void *b)
{
    const struct deb_member *x = a, *y = b;

    return str_cmp(x->name, y->name);
}

static int read_control(struct debfile *d, const char *what, struct err *e)
{
    struct str text = debfile_member(d, "control");
    bool more;

    if (!text.len)
        return err_set(e, ERR_INPUT, "%s: not a deb: no control file", what);
    if (control_next(&d->control, &text, &more, what, e) < 0)
        return -1;
    if (!more || !control_get(&d->control, "Package").len ||
        !control_get(&d->control, "Version").len || !control_get(&d->control, "Architecture").len)
        return err_set(e, ERR_INPUT, "%s: control names no package, version and architecture",
                       what);
    return 0;
}

int debfile_open(struct debfile *out, const struct input *input, struct err *e)
{
    CLEANUP(debfile_clear) struct debfile d = {0};
    struct members ctx = {&d, input->name, CONTROL_MAX};
    struct ar_member version, control, data;
    uint64_t at = AR_MAGIC;
    char magic[AR_MAGIC];

    if (input->size < AR_MAGIC)
        return err_set(e, ERR_INPUT, "%s: not a deb: too short", input->name);
    if (fd_pread_all(input->fd.n, magic, sizeof magic, 0, input->name, e) < 0)
        return -1;
    if (memcmp(magic, "!<arch>\n", AR_MAGIC) != 0)
        return err_set(e, ERR_INPUT, "%s: not a deb: not an ar archive", input->name);
    if (ar_next(&version, input, &at, e) < 0 || check_version(input, &version, e) < 0 ||
        ar_next(&control, input, &at, e) < 0 || check_name(input, &control, "control.tar", e) < 0 ||
        ar_next(&data, input, &at, e) < 0 || check_name(input, &data, "data.tar", e) < 0)
        return -1;
    if (control.size > CONTROL_PACKED_MAX)
        return err_set(e, ERR_INPUT, "%s: the control part is larger than allowed", input->name);
    if (walk(input, control.offset, control.size, take_member, &ctx, e) < 0)
        return -1;
    vec_sort(&d.members, compare_members);
    if (read_control(&d, input->name, e) < 0)
        return -1;
    d.data_offset = data.offset;
    d.data_size = data.size;
    MOVE(out, &d);
    return 0;
}

void debfile_clear(struct debfile *d)
{
    control_clear(&d->control);
    vec_clear(&d->members);
    arena_clear(&d->arena);
    *d = (struct debfile){0};
}

struct str debfile_member(const struct debfile *d, const char *name)
{
    const struct deb_member *m;

    vec_each(m, &d->members)
        if (str_is(m->name, name))
            return m->bytes;
    return STR("");
}

int debfile_walk(const struct debfile *d, const struct input *input, tar_each each, void *ctx,
                 struct err *e)
{
    return walk(input, d->data_offset, d->data_size, each, ctx, e);
}
