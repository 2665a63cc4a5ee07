/* tests/unit/test_seal_root.c - layers as files, and roots made of them; hostile layers too. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "oci_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/walk.h"
#include "mktar.h"
#include "seal/root.h"
#include "store/gc.h"

struct item {
    unsigned layer; /* from 0 */
    const char *path;
    char type; /* as mktar() has it */
    const char *link, *text;
};

enum { LAYERS_MAX = 4 };

struct world {
    struct buf tars[LAYERS_MAX];
    struct seal_layers layers;
};

static int open_tar(struct source **out, void *ctx, struct err *e)
{
    struct buf *tar = ctx;

    *out = source_bytes(buf_view(tar), "a layer");
    return 0;
}

static int open_never(struct source **out, void *ctx, struct err *e)
{
    fail_msg("a layer is read that is unpacked already");
    return -1;
}

static void make_world(struct world *w, const struct item *items)
{
    unsigned n = 0;

    for (; items->path; items++) {
        mktar(&w->tars[items->layer], items->path, items->type, items->link ? items->link : "",
              items->text ? items->text : "", items->text ? strlen(items->text) : 0);
        n = items->layer + 1;
    }
    for (unsigned i = 0; i < n; i++) {
        struct seal_layer *l = vec_push(&w->layers);

        tar_end(&w->tars[i]);
        hash_bytes(&l->diff_id, w->tars[i].p, w->tars[i].len);
        l->name = "a layer";
        l->size = w->tars[i].len;
        l->open = open_tar;
        l->ctx = &w->tars[i];
    }
}

static void world_clear(struct world *w)
{
    for (size_t i = 0; i < LAYERS_MAX; i++)
        buf_clear(&w->tars[i]);
    vec_clear(&w->layers);
}

static int add_line(void *ctx, const struct walk_item *item, struct err *e)
{
    struct buf *out = ctx;
    char target[256];
    ssize_t n;

    if (!item->path.len || (S_ISDIR(item->st->st_mode) && item->st->st_nlink > 2))
        return 0;
    if (S_ISDIR(item->st->st_mode)) { /* one without folders in it */
        CLEANUP(names_clear) struct names names = {0};
        int fd = openat(item->dir, item->name, O_RDONLY | O_DIRECTORY);
        int rc = fs_list_at(&names, fd, "it", e);

        close(fd);
        if (rc < 0 || names.n)
            return rc;
        buf_fmt(out, STR_FMT "/\n", STR_ARG(item->path));
        return 0;
    }
    n = readlinkat(item->dir, item->name, target, sizeof target);
    buf_fmt(out, STR_FMT, STR_ARG(item->path));
    if (n >= 0)
        buf_fmt(out, " -> %.*s", (int)n, target);
    else
        buf_fmt(out, " %o %d", (unsigned)item->st->st_mode & 07777, (int)item->st->st_size);
    buf_putc(out, '\n');
    return 0;
}

/* The empty folders that each root has are left out. */
static void list(struct buf *out, const char *dir)
{
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf all = {0};
    struct str rest, line;

    assert_ok(walk(dir, add_line, &all, &e), &e);
    rest = buf_view(&all);
    while (str_line(&rest, &line))
        if (!str_is(line, "dev/") && !str_is(line, "proc/") && !str_is(line, "seal/") &&
            !str_is(line, "tmp/") && !str_is(line, "var/tmp/")) {
            buf_str(out, line);
            buf_putc(out, '\n');
        }
}

static int open_root(struct seal_root *root, const char *store, struct world *w, struct err *e)
{
    CLEANUP(cas_clear) struct cas *cas = NULL;

    assert_ok(cas_open(&cas, store, NULL, e), e);
    return seal_root_open(root, cas, &w->layers, 3, NULL, e);
}

static void later_layers_win(void **state)
{
    static const struct {
        struct item items[10];
        const char *files;
    } cases[] = {
        {{{0, "a/", '5', .text = ""},
          {0, "a/f", '0', .text = "one"},
          {1, "a/f", '0', .text = "three"}},
         "a/f 755 5\n"},
        /* whiteouts: of a file, of a folder, of what is not there */
        {{{0, "a/f", '0', .text = "1"},
          {0, "b/g", '0', .text = "2"},
          {0, "c", '0', .text = "3"},
          {1, "a/.wh.f", '0', .text = ""},
          {1, ".wh.b", '0', .text = ""},
          {1, ".wh.z", '0', .text = ""}},
         "a/\nc 755 1\n"},
        /* opaque: what lower layers have goes, what this one has stays, whatever comes first */
        {{{0, "a/f", '0', .text = "1"},
          {0, "a/d/g", '0', .text = "2"},
          {1, "a/h", '0', .text = "3"},
          {1, "a/.wh..wh..opq", '0', .text = ""}},
         "a/h 755 1\n"},
        /* a whiteout is of lower layers, also where the same layer makes it anew */
        {{{0, "a/f", '0', .text = "1"},
          {1, "a/f", '0', .text = "22"},
          {1, "a/.wh.f", '0', .text = ""}},
         "a/f 755 2\n"},
        /* aufs's own names, and those that would lead out, mean nothing */
        {{{0, "f", '0', .text = "1"},
          {1, ".wh..wh.aufs", '0', .text = ""},
          {1, ".wh..wh.plnk/1.2", '0', .text = "x"},
          {1, ".wh...", '0', .text = ""},
          {1, ".wh..", '0', .text = ""},
          {1, ".wh.", '0', .text = ""}},
         "f 755 1\n"},
        /* links are kept as they are, wherever they lead, and are never followed */
        {{{0, "etc", '2', .link = "/etc"},
          {0, "up", '2', .link = "../../../.."},
          {0, "etc/passwd", '0', .text = "mine"},
          {1, "up/f", '0', .text = "f"}},
         "etc/passwd 755 4\nup/f 755 1\n"},
        {{{0, "lib", '2', .link = "usr/lib"}, {1, "lib", '2', .link = "/nowhere"}},
         "lib -> /nowhere\n"},
        /* a file where a folder was, and the other way */
        {{{0, "a/b/c", '0', .text = "1"},
          {0, "d", '0', .text = "1"},
          {1, "a", '0', .text = "22"},
          {1, "d/e", '0', .text = "333"}},
         "a 755 2\nd/e 755 3\n"},
        /* the same within one layer */
        {{{0, "a/b", '0', .text = "1"}, {0, "a", '0', .text = "22"}, {0, "a/c", '0', .text = "3"}},
         "a/c 755 1\n"},
        /* the way out is none */
        {{{0, "../../x", '0', .text = "1"}, {0, "/abs/../y", '0', .text = "2"}},
         "x 755 1\ny 755 1\n"},
        /* hard links; devices are left out; what mounts need is a folder */
        {{{0, "a/f", '0', .text = "four"},
          {0, "b/g", '1', .link = "a/f"},
          {0, "dev", '2', .link = "/dev"},
          {0, "null", '3', .text = ""},
          {0, "tmp", '0', .text = "no folder"}},
         "a/f 755 4\nb/g 755 4\n"},
        /* hard links to files of lower layers, by the root's links; and to such a link */
        {{{0, "usr/f", '0', .text = "four"},
          {0, "lib", '2', .link = "usr"},
          {1, "g", '1', .link = "usr/f"},
          {1, "a/h", '1', .link = "lib/f"},
          {1, "a/i", '1', .link = "a/h"},
          {1, ".wh..wh.link.x", '0', .text = "usr/f"}},
         "a/h 755 4\na/i 755 4\ng 755 4\nlib -> usr\nusr/f 755 4\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(world_clear) struct world w = {0};
        CLEANUP(seal_root_clear) struct seal_root root = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf got = {0};

        make_world(&w, cases[i].items);
        assert_ok(open_root(&root, *state, &w, &e), &e);
        list(&got, root.path);
        if (strcmp(got.p ? got.p : "", cases[i].files) != 0)
            fail_msg("case %zu: %s", i, got.p);
    }
}

static void what_is_no_layer_is_refused(void **state)
{
    static const struct {
        struct item items[4];
        const char *error;
        enum err_kind kind;
    } cases[] = {
        {{{0, "f", '0', .text = "1"}, {1, "g", '1', .link = "h"}},
         "\"g\" is a hard link to \"h\", which is no file of its layer or of one below",
         ERR_INPUT},
        {{{0, "f", '2', .link = "/etc"}, {0, "g", '1', .link = "f/passwd"}},
         "\"g\" is a hard link to \"f/passwd\", which is no file of its layer or of one below",
         ERR_INPUT},
        {{{0, "d/f", '0', .text = "1"}, {1, "g", '1', .link = "d"}},
         "\"g\" is a hard link to \"d\", which is no file of its layer or of one below",
         ERR_INPUT},
        {{{0, ".wh.f", '0', .text = ""}, {0, "g", '1', .link = ".wh.f"}},
         "unpack layer a layer: \"g\" is a hard link to \".wh.f\", which is not a file that "
         "stands before it",
         ERR_INPUT},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(world_clear) struct world w = {0};
        CLEANUP(seal_root_clear) struct seal_root root = {0};
        CLEANUP(err_clear) struct err e = {0};

        make_world(&w, cases[i].items);
        assert_int_equal(open_root(&root, *state, &w, &e), -1);
        assert_string_equal(e.msg, cases[i].error);
        assert_int_equal(e.kind, cases[i].kind);
    }
}

static void a_layer_that_is_another_is_damaged(void **state)
{
    static const struct item items[] = {{0, "f", '0', .text = "1"}, {0}};
    CLEANUP(world_clear) struct world w = {0};
    CLEANUP(seal_root_clear) struct seal_root root = {0};
    CLEANUP(err_clear) struct err e = {0};

    make_world(&w, items);
    w.layers.v[0].diff_id.bytes[0] ^= 1;
    assert_int_equal(open_root(&root, *state, &w, &e), -1);
    assert_int_equal(e.kind, ERR_INTEGRITY);
    /* nothing of it is taken for whole the next time */
    err_clear(&e);
    assert_int_equal(open_root(&root, *state, &w, &e), -1);
    assert_int_equal(e.kind, ERR_INTEGRITY);
}

static void files_are_shared_and_unpacked_once(void **state)
{
    static const struct item items[] = {
        {0, "a", '0', .text = "1"}, {1, "b", '0', .text = "2"}, {2, "c", '0', .text = "3"}, {0}};
    CLEANUP(world_clear) struct world w = {0};
    CLEANUP(seal_root_clear) struct seal_root root = {0}, again = {0}, less = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(free_clear) char *one = NULL, *two = NULL;
    struct seal_layer twice;
    struct stat x, y;

    make_world(&w, items);
    twice = w.layers.v[0]; /* which is fine */
    vec_add(&w.layers, twice);
    assert_ok(open_root(&root, *state, &w, &e), &e);
    for (size_t i = 0; i < w.layers.n; i++)
        w.layers.v[i].open = open_never;
    assert_ok(open_root(&again, *state, &w, &e), &e);
    assert_string_equal(root.path, again.path);
    w.layers.n = 2;
    assert_ok(open_root(&less, *state, &w, &e), &e);
    assert_string_not_equal(root.path, less.path);
    one = path_join(root.path, "a");
    two = path_join(less.path, "a");
    assert_int_equal(stat(one, &x), 0);
    assert_int_equal(stat(two, &y), 0);
    assert_int_equal(x.st_ino, y.st_ino);
}

/* A run that was killed while it unpacked, or prune while it removed. */
static void what_is_not_whole_is_made_anew(void **state)
{
    static const struct item items[] = {{0, "a", '0', .text = "1"}, {0}};
    CLEANUP(world_clear) struct world w = {0};
    CLEANUP(seal_root_clear) struct seal_root root = {0}, again = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf got = {0};
    CLEANUP(free_clear) char *done = NULL, *junk = NULL;

    make_world(&w, items);
    assert_ok(open_root(&root, *state, &w, &e), &e);
    done = path_join(root.path, "../done");
    junk = path_join(root.path, "junk/deep");
    assert_ok(fs_remove(done, &e), &e);
    assert_ok(fs_mkdirs(junk, &e), &e);
    assert_ok(open_root(&again, *state, &w, &e), &e);
    list(&got, again.path);
    assert_string_equal(got.p, "a 755 1\n");
}

static void prune_removes_them_whole(void **state)
{
    static const struct item items[] = {
        {0, "a/b", '0', .text = "1"}, {0, "l", '2', .link = "/etc"}, {0}};
    const struct timespec old[] = {{50, 0}, {50, 0}};
    struct gc_rules rules = {.remove = true, .before = 40};
    CLEANUP(world_clear) struct world w = {0};
    CLEANUP(seal_root_clear) struct seal_root root = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(free_clear) char *done = NULL, *store = path_join(*state, "pruned");
    struct gc_result result;

    make_world(&w, items);
    assert_ok(open_root(&root, store, &w, &e), &e);
    done = path_join(root.path, "../done");
    assert_int_equal(utimensat(AT_FDCWD, done, old, 0), 0);
    assert_ok(gc_store(&result, store, &rules, &e), &e);
    assert_true(fs_exists(root.path));
    assert_int_equal(result.kinds[GC_UNPACKED].files, 8); /* done, lock, b and l, twice */
    rules.before = 60;
    rules.remove = false;
    assert_ok(gc_store(&result, store, &rules, &e), &e);
    assert_int_equal(result.unneeded.files, 4);
    assert_true(fs_exists(root.path));
    rules.remove = true;
    assert_ok(gc_store(&result, store, &rules, &e), &e);
    assert_int_equal(result.unneeded.files, 4);
    assert_false(fs_exists(root.path));
    rules.before = 0; /* the layer, too */
    assert_ok(gc_store(&result, store, &rules, &e), &e);
    assert_ok(gc_store(&result, store, &rules, &e), &e);
    assert_int_equal(result.kinds[GC_UNPACKED].files, 0);
}

/* As a foreign program may leave it: deeper than any path is long, and with folders that nobody may
 * enter. */
static void any_folder_can_be_removed(void **state)
{
    CLEANUP(free_clear) char *top = path_join(*state, "deep"), *out = path_join(*state, "out");
    CLEANUP(err_clear) struct err e = {0};
    int dir;

    assert_ok(fs_mkdirs(top, &e), &e);
    assert_ok(fs_write(out, STR("stays"), &e), &e);
    dir = open(top, O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < 2000; i++) {
        int next;

        assert_int_equal(mkdirat(dir, "d", 0700), 0);
        assert_int_equal(symlinkat("/", dir, "l"), 0);
        assert_int_equal(linkat(AT_FDCWD, out, dir, "f", 0), 0);
        next = openat(dir, "d", O_RDONLY | O_DIRECTORY);
        if (i % 100 == 0)
            assert_int_equal(fchmod(next, 0700), 0);
        close(dir);
        dir = next;
    }
    assert_int_equal(mkdirat(dir, "shut", 0000), 0);
    close(dir);
    assert_ok(walk_remove(top, &e), &e);
    assert_false(fs_exists(top));
    assert_true(fs_exists(out));
    assert_ok(walk_remove(top, &e), &e); /* a missing one is fine */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(later_layers_win),
        cmocka_unit_test(what_is_no_layer_is_refused),
        cmocka_unit_test(a_layer_that_is_another_is_damaged),
        cmocka_unit_test(files_are_shared_and_unpacked_once),
        cmocka_unit_test(what_is_not_whole_is_made_anew),
        cmocka_unit_test(prune_removes_them_whole),
        cmocka_unit_test(any_folder_can_be_removed),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
