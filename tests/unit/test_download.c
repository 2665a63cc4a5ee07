/* tests/unit/test_download.c - the layer of a download: what lies where, and whose it is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assemble/download.h"
#include "mkdeb.h"
#include "mktree.h"

static const struct mk archive[] = {
    MK_DIR("set", 0700),     MK_FILE("set/a", 0600, "a"),  MK_FILE("set/run", 04755, "x"),
    MK_LINK("set/now", "a"), MK_HARD("set/same", "set/a"), MK_END,
};

static void system_make(struct tree *t)
{
    mktree_dir(t, "opt", 0755, 1);
    mktree_dir(t, "tmp", 01777, 1);
    mktree_dir(t, "usr", 0755, 1);
    mktree_dir(t, "usr/lib", 0755, 1);
    mktree_link(t, "lib", "usr/lib", 1);
    tree_sort(t);
}

static void list(struct buf *out, const struct tree *t)
{
    const struct entry *entry;

    vec_each(entry, &t->entries)
        buf_fmt(out, "%c %o %u:%u " STR_FMT "%s" STR_FMT "\n", "fdlh"[entry->type], entry -> mode,
                entry -> uid, entry -> gid, STR_ARG(entry->path), entry -> link.len ? " -> " : "",
                STR_ARG(entry->link));
}

static int make(struct buf *out, struct artifact_place place, struct err *e)
{
    CLEANUP(tree_clear) struct tree skeleton = {0}, t = {0};
    CLEANUP(buf_clear) struct buf tar = {0};
    CLEANUP(spool_clear) struct spool spool;
    CLEANUP(lock_clear) struct lock lock = {.user = {STR("student"), 1000, 1000}};
    struct artifact download = {.eco = ECO_DOWNLOAD, .file = STR("x.tar"), .place = &place};
    struct input in;
    int result;

    vec_add(&lock.folders, ((struct lock_folder){STR("/home"), 1000}));
    vec_add(&lock.artifacts, download);
    spool_open(&spool, "/tmp");
    for (const struct mk *m = archive; m->path; m++)
        mk_tar(&tar, m);
    mk_tar_end(&tar);
    mk_input(&in, "x.tar", buf_view(&tar));
    system_make(&skeleton);
    result = download_build(&t, &lock, &download, &in, &spool, &skeleton, e);
    if (result == 0)
        list(out, &t);
    fd_clear(&in.fd);
    return result;
}

static void it_lies_where_the_recipe_says(void **state)
{
    static const struct {
        const char *what, *entries;
        struct artifact_place place;
    } rows[] = {
        {"a file under a name of its own",
         "d 755 0:0 opt\nf 644 0:0 opt/m\n",
         {STR_INIT("/opt/m"), .uid = 0}},
        {"a file in a folder, which is its owner's",
         "d 755 5:6 data\nf 640 5:6 data/x.tar\n",
         {STR_INIT("/data/"), .uid = 5, .gid = 6, .mode = 0640}},
        {"a folder of the system stays as it is",
         "d 1777 0:0 tmp\nf 644 5:0 tmp/x.tar\n",
         {STR_INIT("/tmp/"), .uid = 5}},
        {"in the user's folders group 0 may write, too",
         "d 775 1000:0 home\nd 775 1000:0 home/in\nf 664 1000:0 home/in/x.tar\n",
         {STR_INIT("/home/in/"), .uid = 1000}},
        {"through links of the system",
         "d 755 0:0 usr\nd 755 0:0 usr/lib\nf 644 0:0 usr/lib/m\n",
         {STR_INIT("/lib/m"), .uid = 0}},
        {"what is in it, with plain modes",
         "d 755 5:0 data\nd 755 5:0 data/set\nf 644 5:0 data/set/a\nl 777 5:0 data/set/now -> a\n"
         "f 755 5:0 data/set/run\nh 644 5:0 data/set/same -> data/set/a\n",
         {STR_INIT("/data"), .unpack = true, .uid = 5}},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf out = {0};
        struct err e = {0};

        if (make(&out, rows[i].place, &e) < 0)
            fail_msg("%s: %s", rows[i].what, e.msg);
        if (strcmp(out.p, rows[i].entries) != 0)
            fail_msg("%s:\n%s", rows[i].what, out.p);
    }
}

static void a_folder_is_no_file(void **state)
{
    CLEANUP(buf_clear) struct buf out = {0};
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(make(&out, (struct artifact_place){.to = STR("/opt")}, &e), -1);
    assert_string_equal(e.msg,
                        "/opt would be a file and is a folder already; leave one of the two out");
}

/* ---- keys ---- */

/* A lock of two downloads, each a layer, and the system below. */
struct keyed {
    struct lock lock;
    struct artifact_place place[2];
    struct tree skeleton;
};

static void keyed_make(struct keyed *k)
{
    *k = (struct keyed){.place = {{STR_INIT("/lib/data/"), .unpack = true, .uid = 5},
                                  {STR_INIT("/srv/x"), .uid = 0}}};
    for (size_t i = 0; i < 2; i++) {
        struct artifact a = {.eco = ECO_DOWNLOAD, .file = STR("x.tar"), .place = &k->place[i]};
        struct lock_layer l = {.kind = LOCK_DOWNLOAD};

        vec_add(&k->lock.artifacts, a);
        vec_add(&l.artifacts, i);
        vec_add(&k->lock.layers, l);
    }
    k->lock.user = (struct lock_user){STR("student"), 1000, 1000};
    system_make(&k->skeleton);
}

static void keyed_clear(struct keyed *k)
{
    for (size_t i = 0; i < 2; i++)
        vec_clear(&k->lock.layers.v[i].artifacts);
    vec_clear(&k->lock.artifacts);
    vec_clear(&k->lock.layers);
    tree_clear(&k->skeleton);
}

static void other_folder(struct keyed *k)
{
    mktree_dir(&k->skeleton, "opt/tool", 0750, 1);
}

static void other_link(struct keyed *k)
{
    mktree_link(&k->skeleton, "sbin", "usr/lib", 1);
}

static void other_owner(struct keyed *k)
{
    k->place[1].uid = 9;
}

static void user_without_folders(struct keyed *k)
{
    k->lock.user.uid = 7;
}

static void folder_on_the_way(struct keyed *k)
{
    mktree_dir(&k->skeleton, "usr/lib", 0775, 1);
}

static void link_on_the_way(struct keyed *k)
{
    mktree_link(&k->skeleton, "lib", "opt", 1);
}

static void it_is_there(struct keyed *k)
{
    mktree_dir(&k->skeleton, "usr/lib/data", 0755, 1);
}

static void inside_it(struct keyed *k)
{
    mktree_dir(&k->skeleton, "usr/lib/data", 0755, 1);
    mktree_dir(&k->skeleton, "usr/lib/data/set", 0750, 1);
}

static void a_download_inside(struct keyed *k)
{
    k->place[1].to = STR("/lib/data/set/");
}

static void its_owner(struct keyed *k)
{
    k->place[0].uid = 6;
}

/* Most edits of a system leave a download's layer what it is, and keys must not say otherwise. */
static void a_key_has_what_decides(void **state)
{
    static const struct {
        const char *what;
        void (*change)(struct keyed *k);
        bool same;
    } rows[] = {
        {"another folder of the system", other_folder, true},
        {"another link of the system", other_link, true},
        {"the owner of another download", other_owner, true},
        {"the user, where no folder is his", user_without_folders, true},
        {"a folder on the way", folder_on_the_way, false},
        {"a link on the way", link_on_the_way, false},
        {"its folder is the system's", it_is_there, false},
        {"the system's folder in it", inside_it, false},
        {"another download in its folder", a_download_inside, false},
        {"its owner", its_owner, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf before = {0}, after = {0};
        struct keyed k;

        keyed_make(&k);
        download_key(&before, &k.lock, 0, &k.skeleton);
        rows[i].change(&k);
        download_key(&after, &k.lock, 0, &k.skeleton);
        if (str_eq(buf_view(&before), buf_view(&after)) != rows[i].same)
            fail_msg("%s:\n%s\n%s", rows[i].what, before.p, after.p);
        keyed_clear(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_lies_where_the_recipe_says),
        cmocka_unit_test(a_folder_is_no_file),
        cmocka_unit_test(a_key_has_what_decides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
