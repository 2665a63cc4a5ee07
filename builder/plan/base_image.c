/* SPDX-License-Identifier: Apache-2.0 */
#include "base_image.h"

#include "../base/dotted.h"
#include "../base/path.h"

enum { TEXT_MAX = 64 * 1024 * 1024, SCAN = 64 * 1024, SCAN_OVERLAP = 256 };

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- what is kept of a file ---- */

/* "3.11" of "python3.11"; empty when the name is another. */
static struct str python_of(struct str name)
{
    struct str minor;
    uint32_t n;

    if (!str_skip(&name, STR("python")))
        return (struct str){0};
    minor = name;
    return str_skip(&minor, STR("3.")) && str_u32(minor, &n) ? name : (struct str){0};
}

/* "3.11" of "libpython3.11.so.1.0". */
static struct str libpython_of(struct str name)
{
    struct str version = name;

    if (!str_skip(&version, STR("libpython")) || !str_cut(&version, STR(".so"), &name))
        return (struct str){0};
    version = name;
    return str_skip(&name, STR("3.")) && name.len && c_digit(name.p[0]) ? version : (struct str){0};
}

/* A text between two NULs that is a release of Python `minor`: what Py_GetVersion() begins with. */
static void find_release(struct str bytes, struct str minor, struct buf *text)
{
    CLEANUP(buf_clear) struct buf needle = {0};
    struct str head, value;

    buf_putc(&needle, '\0');
    buf_fmt(&needle, STR_FMT ".", STR_ARG(minor));
    while (!text->len && str_cut(&bytes, buf_view(&needle), &head)) {
        size_t n = 0;

        value = bytes;
        while (n < value.len && c_digit(value.p[n]))
            n++;
        if (!n)
            continue;
        while (n < value.len && (c_alnum(value.p[n]) || value.p[n] == '+'))
            n++;
        if (n < value.len && !value.p[n])
            buf_fmt(text, STR_FMT "." STR_FMT, STR_ARG(minor), STR_ARG(str_sub(value, 0, n)));
    }
}

/* "2.36" of "GNU C Library (...) stable release version 2.36.". */
static void find_glibc(struct str bytes, struct str unused, struct buf *text)
{
    struct str head, line;

    if (text->len || !str_cut(&bytes, STR("GNU C Library "), &head) || !str_line(&bytes, &line) ||
        !str_cut(&line, STR("release version "), &head))
        return;
    buf_str(text, dotted_prefix(line));
}

/* Let `find` see all bytes, each piece with the end of the one before in front. */
static int scan(struct source *data, void (*find)(struct str bytes, struct str what, struct buf *),
                struct str what, struct buf *text, struct err *e)
{
    CLEANUP(free_clear) char *window = xmalloc(SCAN + SCAN_OVERLAP);
    size_t have = 0, got;

    do {
        size_t keep = have < SCAN_OVERLAP ? have : SCAN_OVERLAP;

        memmove(window, window + have - keep, keep);
        have = keep;
        do {
            if (source_read(data, window + have, SCAN + SCAN_OVERLAP - have, &got, e) < 0)
                return -1;
            have += got;
        } while (got && have < SCAN + SCAN_OVERLAP);
        find((struct str){window, have}, what, text);
    } while (got && !text->len);
    return 0;
}

static bool wanted_whole(struct str path)
{
    return str_is(path, "etc/os-release") || str_is(path, "usr/lib/os-release") ||
           str_is(path, "var/lib/dpkg/status") || str_is(path_base(path), "patchlevel.h");
}

int base_image_keep(void *ctx, struct str path, uint64_t size, struct source *data,
                    struct buf *text, struct err *e)
{
    struct str name = path_base(path), minor = python_of(name);

    if (!minor.len)
        minor = libpython_of(name);
    if (minor.len)
        return scan(data, find_release, minor, text, e);
    if (str_is(name, "libc.so.6") ||
        (str_starts(name, STR("libc-2.")) && str_ends(name, STR(".so"))))
        return scan(data, find_glibc, STR(""), text, e);
    return wanted_whole(path) ? source_read_all(data, text, TEXT_MAX, e) : 0;
}

/* ---- system and C library ---- */

static struct str text_at(const struct rootfs *fs, const char *path)
{
    const struct rootfs_node *n = rootfs_follow(fs, str_of(path));

    return n && n->type == ENTRY_FILE ? n->text : (struct str){0};
}

/* A value of os-release, without its quotes. */
static struct str os_value(struct str text, const char *key)
{
    struct str line;

    while (str_line(&text, &line)) {
        struct str name;

        if (!str_cut(&line, STR("="), &name) || !str_is(name, key))
            continue;
        if (line.len >= 2 && (line.p[0] == '"' || line.p[0] == '\'') &&
            line.p[line.len - 1] == line.p[0])
            line = str_sub(line, 1, line.len - 2);
        return line;
    }
    return (struct str){0};
}

/* Part of a tag: what it must not hold becomes "-". */
static struct str tag_word(struct arena *a, struct str s)
{
    struct str copy = arena_str(a, s);
    char *text = arena_alloc(a, copy.len + 1);

    for (size_t i = 0; i < s.len; i++)
        text[i] = c_alnum(s.p[i]) || s.p[i] == '.' ? c_lower(s.p[i]) : '-';
    return (struct str){text, s.len};
}

static void find_os(struct base_image *b, const struct rootfs *fs)
{
    struct str text = text_at(fs, "etc/os-release"), id, version;

    if (!text.len)
        text = text_at(fs, "usr/lib/os-release");
    id = os_value(text, "ID");
    version = os_value(text, "VERSION_ID");
    b->os = id.len ? tag_word(&b->arena, id) : STR("image");
    if (id.len && version.len)
        b->os = str_of(arena_fmt(&b->arena, STR_FMT "-" STR_FMT, STR_ARG(b->os),
                                 STR_ARG(tag_word(&b->arena, version))));
}

static bool has_musl(const struct rootfs *fs)
{
    for (size_t i = 0; i < fs->nodes.n; i++)
        if (!fs->nodes.v[i]->gone &&
            str_starts(path_base(fs->nodes.v[i]->path), STR("ld-musl-x86_64")))
            return true;
    return false;
}

static int find_libc(struct base_image *b, const struct rootfs *fs, struct err *e)
{
    static const char *const places[] = {"lib/x86_64-linux-gnu/libc.so.6",
                                         "usr/lib/x86_64-linux-gnu/libc.so.6",
                                         "lib64/libc.so.6",
                                         "usr/lib64/libc.so.6",
                                         "lib/libc.so.6",
                                         "usr/lib/libc.so.6"};

    for (size_t i = 0; i < ARRAY_LEN(places) && !b->glibc.len; i++)
        b->glibc = arena_str(&b->arena, text_at(fs, places[i]));
    if (b->glibc.len)
        return 0;
    if (has_musl(fs))
        return err_set(e, ERR_INPUT,
                       "the image's C library is musl (" STR_FMT "), and PyTorch's wheels are made "
                       "for glibc; take an image of Debian, Ubuntu, Fedora or the like",
                       STR_ARG(b->os));
    return err_set(e, ERR_INPUT,
                   "the image has no glibc (libc.so.6) for x86-64, which PyTorch's wheels need");
}

/* ---- Python ---- */

struct candidate {
    const struct rootfs_node *node; /* the interpreter, no link */
    struct str minor;               /* "3.11" */
};
struct candidates VEC_OF(struct candidate);

static const struct rootfs_node *program(const struct rootfs *fs, struct str dir, struct str name)
{
    CLEANUP(buf_clear) struct buf path = {0};
    const struct rootfs_node *n;

    buf_fmt(&path, STR_FMT "/" STR_FMT, STR_ARG(dir), STR_ARG(name));
    n = rootfs_follow(fs, buf_view(&path));
    return n && n->type == ENTRY_FILE && !n->special && n->mode & 0111 ? n : NULL;
}

static void add_candidate(struct candidates *list, const struct rootfs_node *n)
{
    struct str minor = n ? python_of(path_base(n->path)) : (struct str){0};

    if (!minor.len)
        return;
    for (size_t i = 0; i < list->n; i++)
        if (list->v[i].node == n)
            return;
    vec_add(list, ((struct candidate){n, minor}));
}

/* In the order of PATH: first what "python3" is, then every python3.N that stands in a folder of
 * it. */
static void find_pythons(struct candidates *list, const struct rootfs *fs, struct str path_env)
{
    struct str rest = path_env, dir;

    while (str_item(&rest, ':', &dir))
        add_candidate(list, program(fs, dir, STR("python3")));
    for (rest = path_env; str_item(&rest, ':', &dir);) {
        const struct rootfs_node *folder = rootfs_follow(fs, dir);

        for (size_t i = 0; folder && i < fs->nodes.n; i++) {
            const struct rootfs_node *n = fs->nodes.v[i];
            struct str name = path_base(n->path), above = n->path;

            if (n->gone || !python_of(name).len)
                continue;
            str_drop(&above, name);
            str_drop(&above, STR("/"));
            if (str_eq(above, folder->path))
                add_candidate(list, program(fs, folder->path, name));
        }
    }
}

static void list_pythons(struct buf *out, const struct candidates *list)
{
    const struct candidate *c;

    vec_each(c, list)
        buf_fmt(out, "%s/" STR_FMT, out->len ? ", " : "", STR_ARG(c->node->path));
}

static int choose_python(struct candidate *out, const struct candidates *list, struct str want,
                         struct err *e)
{
    CLEANUP(buf_clear) struct buf names = {0};
    const struct candidate *c;

    vec_each(c, list)
        if (!want.len || str_eq(c->minor, want)) {
            *out = *c;
            return 0;
        }
    list_pythons(&names, list);
    if (list->n)
        return err_set(e, ERR_INPUT, "the image has no Python " STR_FMT " on its PATH; it has %s",
                       STR_ARG(want), names.p);
    return err_set(e, ERR_INPUT,
                   "the image has no Python: neither python3 nor python3.N stands in a folder of "
                   "its PATH; put one in (Debian's package python3 is enough), or name a base such "
                   "as debian-12, which brings its own");
}

/* Upstream's part of a Debian version: "3.11.2" of "3.11.2-6+deb12u9". */
static struct str upstream(struct str version)
{
    struct str epoch, revision;

    str_cut(&version, STR(":"), &epoch);
    str_cut_last(&version, STR("-"), &revision);
    return str_sub(version, 0, str_find(version, '+'));
}

/* The version of a package that dpkg has installed; empty when there is none. */
static struct str dpkg_version(struct str status, const char *name)
{
    CLEANUP(buf_clear) struct buf head = {0};
    struct str before, line;

    buf_fmt(&head, "Package: %s\n", name);
    if (!str_starts(status, buf_view(&head)) && !str_cut(&status, buf_view(&head), &before))
        return (struct str){0};
    while (str_line(&status, &line) && line.len)
        if (str_skip(&line, STR("Version: ")))
            return line;
    return (struct str){0};
}

/* #define PY_VERSION "3.11.2" */
static struct str header_version(struct str text)
{
    struct str line;

    while (str_line(&text, &line))
        if (str_skip(&line, STR("#define PY_VERSION "))) {
            line = str_trim(line);
            return line.len > 2 && line.p[0] == '"' ? str_sub(line, 1, line.len - 2)
                                                    : (struct str){0};
        }
    return (struct str){0};
}

/* The program says it, or the library that it is made of, or its header, or dpkg. */
static struct str full_version(const struct rootfs *fs, const struct candidate *c,
                               struct str prefix, struct arena *a)
{
    struct str minor = c->minor, found = c->node->text;
    static const char *const places[] = {"lib/libpython%.*s.so.1.0", "lib/libpython%.*s.so",
                                         "lib64/libpython%.*s.so.1.0",
                                         "lib/x86_64-linux-gnu/libpython%.*s.so.1.0"};

    for (size_t i = 0; i < ARRAY_LEN(places) && !found.len; i++) {
        char name[64];
        const char *at = places[i];
        struct str head = str_of(at), tail = head;

        str_cut(&tail, STR("%.*s"), &head);
        snprintf(name, sizeof name, STR_FMT STR_FMT STR_FMT, STR_ARG(head), STR_ARG(minor),
                 STR_ARG(tail));
        found = text_at(fs, arena_fmt(a, STR_FMT "/%s", STR_ARG(prefix), name));
    }
    if (!found.len)
        found = header_version(
            text_at(fs, arena_fmt(a, STR_FMT "/include/python" STR_FMT "/patchlevel.h",
                                  STR_ARG(prefix), STR_ARG(minor))));
    if (!found.len && str_is(prefix, "usr"))
        found = upstream(dpkg_version(text_at(fs, "var/lib/dpkg/status"),
                                      arena_fmt(a, "python" STR_FMT, STR_ARG(minor))));
    str_drop(&found, STR("+")); /* built between two releases; the number is the last one's */
    return arena_str(a, found);
}

/* "usr" of "usr/bin/python3.11"; empty when it stands in no folder bin. */
static struct str prefix_of(struct str python)
{
    struct str name = path_base(python);

    str_drop(&python, name);
    return str_drop(&python, STR("/bin/")) ? python : (struct str){0};
}

static int find_python(struct base_image *b, const struct rootfs *fs, struct str path_env,
                       struct str want, struct err *e)
{
    struct candidates list = {0};
    struct candidate c = {0};
    struct str prefix;
    int result;

    find_pythons(&list, fs, path_env);
    result = choose_python(&c, &list, want, e);
    vec_clear(&list);
    if (result < 0)
        return -1;
    b->python = arena_str(&b->arena, c.node->path);
    prefix = prefix_of(b->python);
    if (!prefix.len ||
        !rootfs_follow(fs, str_of(arena_fmt(&b->arena, STR_FMT "/lib/python" STR_FMT "/os.py",
                                            STR_ARG(prefix), STR_ARG(c.minor)))))
        return err_set(e, ERR_INPUT,
                       "the image's Python is /" STR_FMT ", but its library lib/python" STR_FMT
                       " does not stand beside that",
                       STR_ARG(b->python), STR_ARG(c.minor));
    b->python_full = full_version(fs, &c, prefix, &b->arena);
    if (!b->python_full.len)
        return err_set(e, ERR_INPUT,
                       "the image's Python is /" STR_FMT ", but neither the program, nor its "
                       "library, nor patchlevel.h, nor dpkg tells its full version",
                       STR_ARG(b->python));
    b->compiles =
        rootfs_follow(fs, str_of(arena_fmt(&b->arena, STR_FMT "/include/python" STR_FMT "/Python.h",
                                           STR_ARG(prefix), STR_ARG(c.minor)))) &&
        (program(fs, STR("usr/bin"), STR("gcc")) || program(fs, STR("usr/local/bin"), STR("gcc")));
    return 0;
}

static int check_opt(const struct rootfs *fs, struct err *e)
{
    const struct rootfs_node *opt = rootfs_get(fs, STR("opt"));

    if (rootfs_get(fs, STR("opt/venv")))
        return err_set(e, ERR_INPUT,
                       "the image has an /opt/venv already, where this one's Python packages would "
                       "go; take the image that it was built on");
    if (opt && opt->type != ENTRY_DIR)
        return err_set(e, ERR_INPUT,
                       "the image's /opt is not a folder, and its Python packages go to /opt/venv");
    return 0;
}

int base_image_inspect(struct base_image *b, const struct rootfs *fs, struct str path_env,
                       struct str want_python, struct err *e)
{
    find_os(b, fs);
    if (check_opt(fs, e) < 0 || find_libc(b, fs, e) < 0)
        return -1;
    b->shell = program(fs, STR("bin"), STR("bash")) ? STR("/bin/bash")
               : program(fs, STR("bin"), STR("sh")) ? STR("/bin/sh")
                                                    : STR("");
    return find_python(b, fs, path_env, want_python, e);
}

/* ---- all of it ---- */

static struct str env_value(const struct image_config *c, struct str name)
{
    for (size_t i = 0; i < c->env.n; i++) {
        struct str value = c->env.v[i];

        if (str_skip(&value, name) && str_skip(&value, STR("=")))
            return value;
    }
    return (struct str){0};
}

static struct str path_of(const struct base_image *b)
{
    struct str path = env_value(&b->stored.config, STR("PATH"));

    return path.len ? path : STR(DEFAULT_PATH);
}

static int open_all(struct base_image *b, const struct recipe *r, const char *dir,
                    const struct stored_scratch *how, struct err *e)
{
    CLEANUP(rootfs_clear) struct rootfs fs = {0};

    if (stored_open(&b->stored, r->image.text, dir, how, e) < 0 ||
        rootfs_read(&fs, &b->stored, base_image_keep, NULL, e) < 0)
        return -1;
    return base_image_inspect(b, &fs, path_of(b), r->python.text, e);
}

int base_image_open(struct base_image *out, const struct recipe *r, const char *dir,
                    const struct stored_scratch *how, struct err *e)
{
    CLEANUP(base_image_clear) struct base_image b = {0};
    CLEANUP(err_clear) struct err fault = {0};

    if (open_all(&b, r, dir, how, &fault) < 0)
        return err_at_kind(e, fault.kind, &r->image.pos, "base: %s", fault.msg);
    if (str_is(r->variant.text, "compile") && !b.compiles)
        return err_at(e, &r->variant.pos,
                      "variant: compile needs gcc and Python's headers in the image that is the "
                      "base, which has not both; put them in (Debian: gcc, libc6-dev, "
                      "python3-dev), or name runtime");
    MOVE(out, &b);
    return 0;
}

/* The shell that the start-up check of a lock is written for. */
static struct str shell_of_check(const struct lock *lock)
{
    for (size_t i = 0; i < lock->copies.n; i++) {
        struct str text = lock->copies.v[i].text;

        if (str_is(lock->copies.v[i].to, LOCK_STARTUP_CHECK) && str_skip(&text, STR("#!")))
            return str_starts(text, STR("/bin/bash")) ? STR("/bin/bash") : STR("/bin/sh");
    }
    return (struct str){0};
}

int base_image_recall(struct base_image *out, const struct recipe *r, const struct lock *lock,
                      const char *dir, const struct stored_scratch *how, struct err *e)
{
    CLEANUP(base_image_clear) struct base_image b = {0};

    if (stored_open(&b.stored, r->image.text, dir, how, e) < 0)
        return err_wrap(e, "base");
    b.os = arena_str(&b.arena, lock->base);
    b.glibc = arena_str(&b.arena, lock->image.glibc);
    b.python = arena_str(&b.arena, lock->image.python);
    b.python_full = arena_str(&b.arena, lock->python_full);
    b.shell = shell_of_check(lock);
    MOVE(out, &b);
    return 0;
}

void base_image_clear(struct base_image *b)
{
    stored_clear(&b->stored);
    arena_clear(&b->arena);
    *b = (struct base_image){0};
}

/* ---- for the rest of the choosing ---- */

int base_image_as_base(struct baselayer *out, const struct base_image *b, struct err *e)
{
    uint32_t glibc[2];

    *out = (struct baselayer){
        .name = b->os, .arch = STR("amd64"), .python_version = python_of(path_base(b->python))};
    if (dotted_numbers(glibc, 2, dotted_first(b->glibc, 2)) != 2)
        return err_set(e, ERR_INPUT, "base: glibc \"" STR_FMT "\" is not a version",
                       STR_ARG(b->glibc));
    out->glibc_major = glibc[0];
    out->glibc_minor = glibc[1];
    return 0;
}

/* In a manifest of OCI's, as ours is, umoci and others know OCI's types alone; of Docker's, that of
 * gzip is kept as it always was. */
static struct str type_in_lock(struct str type)
{
    return str_is(type, MEDIA_DOCKER_LAYER_PLAIN)  ? STR(MEDIA_LAYER)
           : str_is(type, MEDIA_DOCKER_LAYER_ZSTD) ? STR(MEDIA_LAYER_ZSTD)
                                                   : type;
}

void base_image_lock(struct lock *lock, const struct base_image *b, const struct recipe *r)
{
    struct arena *a = &lock->doc.arena;
    const struct image_config *c = &b->stored.config;

    lock->image = (struct lock_image){.ref = arena_str(a, r->image.text),
                                      .name = arena_str(a, b->stored.name),
                                      .manifest = b->stored.digest,
                                      .python = arena_str(a, b->python),
                                      .glibc = arena_str(a, b->glibc)};
    lock->python = arena_str(a, python_of(path_base(b->python)));
    lock->python_full = arena_str(a, b->python_full);
    lock->created = c->dated && c->created > 0 ? c->created : 0;
    for (size_t i = 0; i < b->stored.manifest.layers.n; i++) {
        const struct descriptor *d = &b->stored.manifest.layers.v[i];
        struct lock_layer *l = vec_push(&lock->layers);

        l->name = str_of(arena_fmt(a, "image-%zu", i + 1));
        l->kind = LOCK_IMAGE;
        l->media_type = arena_str(a, type_in_lock(d->media_type));
        l->digest = d->digest;
        l->size = d->size;
        l->diff_id = c->diff_ids.v[i];
    }
}
