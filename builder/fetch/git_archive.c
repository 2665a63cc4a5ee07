/* SPDX-License-Identifier: Apache-2.0 */
#include "git_parts.h"

#include "../base/path.h"
#include "../io/program.h"
#include "../io/tar.h"

enum {
    DEPTH_MAX = 8, /* of submodules in submodules */
    MODULES_MAX = 1000,
    STORED_MAX = 65535, /* bytes of a stored block */
    HEAD_MAX = 128,     /* of what git says before an object */
    OBJECT_MAX = 1 << 30,
};

/* An object that goes into the archive. */
struct item {
    struct str path; /* in the archive */
    struct str oid;
    enum item_form { ITEM_FILE, ITEM_PROGRAM, ITEM_LINK, ITEM_OBJECT } form;
};

struct archive {
    struct sink *out;
    struct arena arena;
    const char *dir; /* for repositories of submodules */
    struct str name;
    int64_t mtime;
    unsigned modules; /* so far */
    struct buf chunk; /* a header, or what is made for an entry */
};

static void archive_clear(struct archive *x)
{
    buf_clear(&x->chunk);
    arena_clear(&x->arena);
}

/* ---- entries ---- */

static int put(struct archive *x, struct entry *entry, struct str bytes, struct err *e)
{
    static const char zeros[TAR_BLOCK];
    CLEANUP(buf_clear) struct buf head = {0};

    entry->mtime = x->mtime;
    entry->content.size = bytes.len;
    if (tar_header(&head, entry, e) < 0)
        return -1;
    return sink_write(x->out, head.p, head.len, e) < 0 ||
                   sink_write(x->out, bytes.p, bytes.len, e) < 0
               ? -1
               : sink_write(x->out, zeros, tar_padding(bytes.len), e);
}

static int put_text(struct archive *x, const char *path, struct str text, struct err *e)
{
    struct entry entry = {
        .path = str_of(arena_fmt(&x->arena, STR_FMT "/.git/%s", STR_ARG(x->name), path)),
        .mode = 0644};

    return put(x, &entry, text, e);
}

static int put_folder(struct archive *x, const char *path, struct err *e)
{
    struct entry entry = {
        .path = str_of(arena_fmt(&x->arena, STR_FMT "/.git/%s", STR_ARG(x->name), path)),
        .type = ENTRY_DIR,
        .mode = 0755};

    return put(x, &entry, STR(""), e);
}

static uint32_t adler32(struct str s)
{
    uint32_t a = 1, b = 0;

    for (size_t i = 0; i < s.len; i++) {
        a = (a + (unsigned char)s.p[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

static void put_be32(struct buf *out, uint32_t n)
{
    for (unsigned shift = 32; shift; shift -= 8)
        buf_putc(out, (char)(n >> (shift - 8)));
}

/* A zlib stream (RFC 1950) whose bytes depend on no compressor. */
static void store(struct buf *out, struct str s)
{
    uint32_t sum = adler32(s);

    buf_add(out, "\x78\x01", 2);
    do {
        size_t n = s.len < STORED_MAX ? s.len : STORED_MAX;

        buf_putc(out, n == s.len);
        buf_number(out, n, 2);
        buf_number(out, ~n & 0xffff, 2);
        buf_str(out, str_sub(s, 0, n));
        s = str_sub(s, n, s.len);
    } while (s.len);
    put_be32(out, sum);
}

/* `head` is "TYPE SIZE", as before the bytes that the name is a hash of. */
static int put_item(struct archive *x, const struct item *item, struct str head, struct str bytes,
                    struct err *e)
{
    struct entry entry = {.path = item->path, .mode = item->form == ITEM_PROGRAM ? 0755 : 0644};
    CLEANUP(buf_clear) struct buf plain = {0};

    if (item->form == ITEM_LINK) {
        entry.type = ENTRY_SYMLINK;
        entry.mode = 0777;
        entry.link = bytes;
        bytes = STR("");
    } else if (item->form == ITEM_OBJECT) {
        buf_str(&plain, head);
        buf_putc(&plain, '\0');
        buf_str(&plain, bytes);
        buf_reset(&x->chunk);
        store(&x->chunk, buf_view(&plain));
        bytes = buf_view(&x->chunk);
    }
    return put(x, &entry, bytes, e);
}

/* ---- objects, as `git cat-file --batch` prints them ---- */

struct items VEC_OF(struct item);

/* "OID TYPE SIZE\n", the bytes, "\n"; in the order that they were asked for. */
struct batch {
    struct sink sink;
    struct archive *to;
    const struct items *items;
    size_t at;
    struct buf head, bytes;
    uint64_t size;
    bool inside; /* an object; its head is whole */
};

static int take_head(struct batch *b, struct err *e)
{
    const struct item *item = &b->items->v[b->at];
    struct str rest = buf_view(&b->head), oid, type;

    if (!str_cut(&rest, STR(" "), &oid) || !str_eq(oid, item->oid) ||
        !str_cut(&rest, STR(" "), &type) || !str_u64(rest, &b->size))
        return err_set(e, ERR_INPUT, "git has no object " STR_FMT " for " STR_FMT,
                       STR_ARG(item->oid), STR_ARG(item->path));
    if (b->size > OBJECT_MAX)
        return err_set(e, ERR_INPUT, STR_FMT " has more than 1 GiB", STR_ARG(item->path));
    b->inside = true;
    return 0;
}

static int take_object(struct batch *b, struct err *e)
{
    const struct item *item = &b->items->v[b->at++];
    struct str head = buf_view(&b->head);

    head = str_sub(head, str_find(head, ' ') + 1, head.len);
    if (put_item(b->to, item, head, str_sub(buf_view(&b->bytes), 0, b->size), e) < 0)
        return -1;
    buf_reset(&b->head);
    buf_reset(&b->bytes);
    b->inside = false;
    return 0;
}

static int batch_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct batch *b = (struct batch *)self;
    struct str rest = {bytes, len}, line;

    while (rest.len) {
        if (b->at == b->items->n || b->head.len > HEAD_MAX)
            return err_set(e, ERR_INPUT, "git says more than it was asked");
        if (!b->inside) {
            bool whole = str_has(rest, '\n');

            line = str_sub(rest, 0, str_find(rest, '\n'));
            rest = str_sub(rest, line.len + whole, rest.len);
            buf_str(&b->head, line);
            if (whole && take_head(b, e) < 0)
                return -1;
            continue;
        }
        line = str_sub(rest, 0, b->size + 1 - b->bytes.len);
        rest = str_sub(rest, line.len, rest.len);
        buf_str(&b->bytes, line);
        if (b->bytes.len > b->size && take_object(b, e) < 0)
            return -1;
    }
    return 0;
}

static int put_items(struct archive *x, const struct git_repo *r, const struct items *items,
                     struct err *e)
{
    struct batch b = {.sink = {batch_write, NULL}, .to = x, .items = items};
    CLEANUP(names_clear) struct names argv = {0}, env = {0};
    CLEANUP(program_clear) struct program *program = NULL;
    CLEANUP(buf_clear) struct buf asks = {0};
    const struct item *item;
    struct program_end end;
    bool reads;
    int result;

    if (!items->n)
        return 0;
    vec_each(item, items)
        buf_fmt(&asks, STR_FMT "\n", STR_ARG(item->oid));
    git_arguments(&argv, r);
    names_add(&argv, "cat-file");
    names_add(&argv, "--batch");
    vec_add(&argv, NULL);
    git_environment(&env, r);
    const struct program_how how = {.name = "git cat-file",
                                    .argv = argv.v,
                                    .env = env.v,
                                    .missing = GIT_MISSING,
                                    .input = PROGRAM_READS_PIPE,
                                    .errors = PROGRAM_ERRORS_DROPPED,
                                    .keep_end = true,
                                    .to = &b.sink,
                                    .events = r->means->events};

    result = program_open(&program, &how, e) < 0 ||
                     program_write(program, asks.p, asks.len, &reads, e) < 0 ||
                     program_wait(program, &end, e) < 0 ||
                     program_judge(&end, how.name, NULL, e) < 0
                 ? -1
                 : 0;
    buf_clear(&b.head);
    buf_clear(&b.bytes);
    if (result == 0 && b.at < items->n)
        return err_set(e, ERR_INPUT, "git ended before it gave all objects");
    return result;
}

/* ---- the files of a commit ---- */

struct module {
    struct str path, oid; /* path in its repository */
};

struct tree {
    struct items files, objects; /* objects: trees and files, for .git */
    struct VEC_OF(struct module) modules;
    struct buf index; /* entries of .git/index */
    uint32_t index_n;
    bool has_modules; /* .gitmodules */
};

static void tree_clear(struct tree *t)
{
    vec_clear(&t->files);
    vec_clear(&t->objects);
    vec_clear(&t->modules);
    buf_clear(&t->index);
}

/* git refuses to make such a commit, and another program may have made it. */
static int check_path(struct str path, struct err *e)
{
    struct str rest = path, part;
    bool good = path_is_safe(path);

    while (str_item(&rest, '/', &part))
        good &= !str_eq_nocase(part, STR(".git"));
    return good ? 0
                : err_set(e, ERR_INPUT, "\"" STR_FMT "\" is no path for a file of a repository",
                          STR_ARG(path));
}

static unsigned hex_value(char c)
{
    return (unsigned)(c_digit(c) ? c - '0' : c - 'a' + 10);
}

static void put_oid(struct buf *out, struct str oid)
{
    for (size_t i = 0; i + 1 < oid.len; i += 2)
        buf_putc(out, (char)(hex_value(oid.p[i]) << 4 | hex_value(oid.p[i + 1])));
}

/* gitformat-index, version 2. Without times and size git compares bytes where it is asked. */
static void index_add(struct tree *t, uint32_t mode, struct str oid, struct str path)
{
    enum { TIMES_TO_INODE = 24, OWNER_TO_SIZE = 12, FIXED = 62, LEN_MAX = 0xfff };
    uint32_t flags = path.len < LEN_MAX ? (uint32_t)path.len : LEN_MAX;
    size_t pad = 8 - (FIXED + path.len) % 8;

    buf_add(&t->index, (const char[TIMES_TO_INODE]){0}, TIMES_TO_INODE);
    put_be32(&t->index, mode);
    buf_add(&t->index, (const char[OWNER_TO_SIZE]){0}, OWNER_TO_SIZE);
    put_oid(&t->index, oid);
    buf_putc(&t->index, (char)(flags >> 8));
    buf_putc(&t->index, (char)flags);
    buf_str(&t->index, path);
    buf_add(&t->index, (const char[8]){0}, pad);
    t->index_n++;
}

static void add_object(struct archive *x, struct tree *t, struct str oid)
{
    struct str path =
        str_of(arena_fmt(&x->arena, STR_FMT "/.git/objects/" STR_FMT "/" STR_FMT, STR_ARG(x->name),
                         STR_ARG(str_sub(oid, 0, 2)), STR_ARG(str_sub(oid, 2, oid.len))));

    vec_add(&t->objects, ((struct item){path, oid, ITEM_OBJECT}));
}

/* "100644 blob OID\tPATH" */
static int add_line(struct archive *x, struct tree *t, struct str folder, struct str line,
                    struct err *e)
{
    struct str mode, type, oid, path = line;
    uint32_t bits;

    if (!str_cut(&path, STR("\t"), &line) || !str_cut(&line, STR(" "), &mode) ||
        !str_cut(&line, STR(" "), &type) || !git_ref_is_commit(line) || !str_octal(mode, &bits))
        return err_set(e, ERR_INPUT, "git ls-tree says \"" STR_FMT "\"", STR_ARG(line));
    oid = arena_str(&x->arena, line);
    if (check_path(path, e) < 0)
        return -1;
    path = arena_str(&x->arena, path);
    if (str_is(type, "commit")) {
        vec_add(&t->modules, ((struct module){path, oid}));
    } else {
        add_object(x, t, oid);
        if (str_is(type, "tree"))
            return 0;
        vec_add(&t->files, ((struct item){str_of(arena_fmt(&x->arena, STR_FMT "/" STR_FMT,
                                                           STR_ARG(folder), STR_ARG(path))),
                                          oid,
                                          bits == 0120000 ? ITEM_LINK
                                          : bits & 0100   ? ITEM_PROGRAM
                                                          : ITEM_FILE}));
    }
    t->has_modules |= str_is(path, ".gitmodules");
    index_add(t, bits, oid, path);
    return 0;
}

static int list(struct archive *x, struct tree *t, const struct git_repo *r, struct str folder,
                const char *commit, struct err *e)
{
    CLEANUP(buf_clear) struct buf said = {0};
    struct str rest, line;

    if (git_run(&said, r, false,
                (const char *const[]){"ls-tree", "-r", "-t", "-z", "--full-tree", commit, NULL},
                e) < 0)
        return -1;
    rest = buf_view(&said);
    while (str_item(&rest, '\0', &line))
        if (line.len && add_line(x, t, folder, line, e) < 0)
            return -1;
    return 0;
}

/* ---- submodules ---- */

/* The value of `key` ("url") of the submodule at `path`. `said`: "submodule.NAME.KEY\nVALUE\0". */
static struct str module_value(struct str said, struct str path, const char *key)
{
    struct str rest = said, one, name, value, found = {0};
    CLEANUP(buf_clear) struct buf want = {0};

    while (str_item(&rest, '\0', &one))
        if (str_cut(&one, STR("\n"), &name) && str_drop(&name, STR(".path")) && str_eq(one, path)) {
            buf_reset(&want);
            buf_fmt(&want, STR_FMT ".%s", STR_ARG(name), key);
        }
    rest = said;
    while (want.len && str_item(&rest, '\0', &one))
        if (str_cut(&one, STR("\n"), &value) && str_eq(value, buf_view(&want)))
            found = one;
    return found;
}

/* "../x.git" is beside the repository it stands in, "git@host:x" is ssh's. */
static struct str module_url(struct archive *x, const struct git_repo *r, struct str url)
{
    struct str base = r->url, host, rest, last;

    if (str_starts(url, STR("./")) || str_starts(url, STR("../"))) {
        str_drop(&base, STR("/"));
        for (;;) {
            if (str_skip(&url, STR("./")))
                continue;
            if (!str_skip(&url, STR("../")) || !str_cut_last(&base, STR("/"), &last))
                break;
        }
        return str_of(arena_fmt(&x->arena, STR_FMT "/" STR_FMT, STR_ARG(base), STR_ARG(url)));
    }
    rest = url;
    if (str_find_str(url, STR("://")) == url.len && str_cut(&rest, STR(":"), &host) &&
        str_has(host, '@') && !str_has(host, '/') && !str_starts(rest, STR(":")))
        return str_of(
            arena_fmt(&x->arena, "ssh://" STR_FMT "/" STR_FMT, STR_ARG(host), STR_ARG(rest)));
    return arena_str(&x->arena, url);
}

static int put_commit(struct archive *x, struct tree *t, const struct git_repo *r,
                      struct str folder, struct str commit, unsigned depth, struct err *e);

static int put_module(struct archive *x, const struct git_repo *r, const struct module *m,
                      struct str url, struct str folder, unsigned depth, struct err *e)
{
    CLEANUP(git_repo_clear) struct git_repo own = {0};
    CLEANUP(tree_clear) struct tree t = {0};
    const char *dir = arena_fmt(&x->arena, "%s/%u", x->dir, ++x->modules);
    struct str at =
        str_of(arena_fmt(&x->arena, STR_FMT "/" STR_FMT, STR_ARG(folder), STR_ARG(m->path)));

    url = module_url(x, r, url);
    if (!git_ref_may_fetch(url, false))
        return err_set(e, ERR_INPUT,
                       "it is at \"" STR_FMT
                       "\", and submodules are fetched by https, http, ssh and git alone",
                       STR_ARG(url));
    if (depth == DEPTH_MAX || x->modules > MODULES_MAX)
        return err_set(e, ERR_INPUT, "there are too many submodules, or they lie too deep");
    events_note(r->means->events, "git fetches " STR_FMT, STR_ARG(url));
    return git_repo_open(&own, r->means, dir, url, false, e) < 0 ||
                   git_fetch_commit(&own, m->oid, true, e) < 0
               ? -1
               : put_commit(x, &t, &own, at, m->oid, depth + 1, e);
}

static int put_modules(struct archive *x, const struct tree *t, const struct git_repo *r,
                       struct str folder, const char *commit, unsigned depth, struct err *e)
{
    CLEANUP(buf_clear) struct buf said = {0};
    const char *blob = arena_fmt(&x->arena, "%s:.gitmodules", commit);
    const struct module *m;

    if (!t->modules.n || !t->has_modules)
        return 0;
    if (git_run(&said, r, false,
                (const char *const[]){"config", "-z", "--blob", blob, "--get-regexp",
                                      "^submodule\\..*\\.(path|url|update)$", NULL},
                e) < 0)
        return err_wrap(e, ".gitmodules");
    vec_each(m, &t->modules) {
        struct str url = module_value(buf_view(&said), m->path, "url");

        if (str_is(module_value(buf_view(&said), m->path, "update"), "none"))
            continue;
        if (!url.len)
            return err_set(e, ERR_INPUT,
                           "submodule " STR_FMT ": .gitmodules does not say where it is",
                           STR_ARG(m->path));
        if (put_module(x, r, m, url, folder, depth, e) < 0)
            return err_wrap(e, "submodule " STR_FMT, STR_ARG(m->path));
    }
    return 0;
}

/* Its files, and those of its submodules. `t` becomes what it has. */
static int put_commit(struct archive *x, struct tree *t, const struct git_repo *r,
                      struct str folder, struct str commit, unsigned depth, struct err *e)
{
    CLEANUP(free_clear) char *at = str_dup(commit);

    return list(x, t, r, folder, at, e) < 0 || put_items(x, r, &t->files, e) < 0
               ? -1
               : put_modules(x, t, r, folder, at, depth, e);
}

/* ---- .git ---- */

static int by_oid(const void *pa, const void *pb)
{
    const struct item *a = pa, *b = pb;

    return str_cmp(a->oid, b->oid);
}

static void unique(struct items *items)
{
    size_t n = 0;

    vec_sort(items, by_oid);
    for (size_t i = 0; i < items->n; i++)
        if (!n || !str_eq(items->v[n - 1].oid, items->v[i].oid))
            items->v[n++] = items->v[i];
    items->n = n;
}

static int add_lines(struct archive *x, struct tree *t, const struct git_repo *r,
                     const char *const *args, struct err *e)
{
    CLEANUP(buf_clear) struct buf said = {0};
    struct str rest, line;

    if (git_run(&said, r, false, args, e) < 0)
        return -1;
    rest = arena_str(&x->arena, buf_view(&said));
    while (str_line(&rest, &line))
        if (git_ref_is_commit(line))
            add_object(x, t, line);
    return 0;
}

static int put_index(struct archive *x, const struct tree *t, struct err *e)
{
    CLEANUP(buf_clear) struct buf index = {0};
    unsigned char sum[SHA1_LEN];

    buf_puts(&index, "DIRC");
    put_be32(&index, 2);
    put_be32(&index, t->index_n);
    buf_str(&index, buf_view(&t->index));
    sha1_bytes(sum, index.p, index.len);
    buf_add(&index, sum, sizeof sum);
    return put_text(x, "index", buf_view(&index), e);
}

/* A tag is an object of its own, or only a name of the commit. */
static int put_tags(struct archive *x, struct tree *t, const struct git_repo *r,
                    const struct strs *tags, struct err *e)
{
    CLEANUP(buf_clear) struct buf refs = {0};

    for (size_t i = 0; i < tags->n; i++) {
        CLEANUP(buf_clear) struct buf said = {0}, name = {0};
        struct str oid;

        buf_fmt(&name, "refs/tags/" STR_FMT, STR_ARG(tags->v[i]));
        if (git_run(&said, r, false,
                    (const char *const[]){"rev-parse", "-q", "--verify", "--end-of-options", name.p,
                                          NULL},
                    e) < 0)
            return -1;
        oid = arena_str(&x->arena, str_trim(buf_view(&said)));
        add_object(x, t, oid);
        buf_fmt(&refs, STR_FMT " %s\n", STR_ARG(oid), name.p);
    }
    return put_text(x, "packed-refs", buf_view(&refs), e);
}

static int put_git(struct archive *x, struct tree *t, const struct git_repo *r, const char *commit,
                   const struct strs *tags, struct err *e)
{
    const char *root = arena_fmt(&x->arena, "%s^{tree}", commit);
    const char *head = arena_fmt(&x->arena, "%s\n", commit);

    if (put_folder(x, "objects", e) < 0 || put_folder(x, "refs", e) < 0 ||
        put_text(x, "HEAD", str_of(head), e) < 0 ||
        put_text(x, "config",
                 STR("[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n"),
                 e) < 0 ||
        put_index(x, t, e) < 0 || put_tags(x, t, r, tags, e) < 0 ||
        add_lines(x, t, r, (const char *const[]){"rev-list", commit, NULL}, e) < 0 ||
        add_lines(x, t, r, (const char *const[]){"rev-parse", "--verify", root, NULL}, e) < 0)
        return -1;
    unique(&t->objects);
    return put_items(x, r, &t->objects, e);
}

static int commit_time(int64_t *out, const struct git_repo *r, const char *commit, struct err *e)
{
    CLEANUP(buf_clear) struct buf said = {0};
    uint64_t seconds = 0;

    if (git_run(&said, r, false, (const char *const[]){"log", "-1", "--format=%ct", commit, NULL},
                e) < 0)
        return -1;
    if (str_u64(str_trim(buf_view(&said)), &seconds) && seconds <= UINT32_MAX)
        *out = (int64_t)seconds;
    return 0;
}

int git_archive(struct sink *out, const struct git_repo *r, const char *dir, struct str name,
                struct str commit, const struct strs *tags, struct err *e)
{
    CLEANUP(archive_clear) struct archive x = {.out = out, .dir = dir, .name = name};
    CLEANUP(tree_clear) struct tree t = {0};
    CLEANUP(free_clear) char *at = str_dup(commit);
    CLEANUP(buf_clear) struct buf end = {0};

    if (commit_time(&x.mtime, r, at, e) < 0 || put_commit(&x, &t, r, name, commit, 0, e) < 0 ||
        put_git(&x, &t, r, at, tags, e) < 0)
        return -1;
    tar_end(&end);
    return sink_write(out, end.p, end.len, e);
}
