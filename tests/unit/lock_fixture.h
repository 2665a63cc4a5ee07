/* What tests of locks share: a lock of a few artifacts, and how damage to its text is told. Behind
 * cmocka.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <unistd.h>

#include "base/fs.h"
#include "io/crypto.h"
#include "model/lock_check.h"
#include "plan/layering.h"

static void digest_of(struct digest *d, unsigned char fill)
{
    memset(d->bytes, fill, sizeof d->bytes);
}

static void artifact_add(struct lock *l, enum ecosystem eco, const char *name, const char *group,
                         uint64_t size)
{
    struct artifact *a = vec_push(&l->artifacts);

    *a = (struct artifact){.eco = eco,
                           .name = str_of(name),
                           .version = STR("1.0"),
                           .file = STR("file"),
                           .url = STR("https://example.org/file"),
                           .from = STR("somewhere"),
                           .group = str_of(group),
                           .requested = eco == ECO_WHEEL,
                           .size = size};
    digest_of(&a->digest, (unsigned char)(l->artifacts.n + 1));
}

static int artifact_compare(const void *x, const void *y)
{
    const struct artifact *a = x, *b = y;

    return a->eco != b->eco ? (int)a->eco - (int)b->eco : str_cmp(a->name, b->name);
}

/* Artifacts in order, and the layers that are made of them. */
static void lock_plan(struct lock *l)
{
    for (size_t i = 0; i < l->layers.n; i++)
        vec_clear(&l->layers.v[i].artifacts);
    l->layers.n = 0;
    vec_sort(&l->artifacts, artifact_compare);
    layering(l, NULL);
}

static void lock_make(struct lock *l)
{
    struct lock_archive *archive = vec_push(&l->archives);
    struct lock_copy *copy = vec_push(&l->copies);
    struct lock_file *file;

    l->recipe = node_new_map(&l->doc);
    hash_bytes(&l->recipe_digest, "{}", 2);
    l->format = 1;
    l->writer = STR("0.1.0");
    l->name = STR("pytorch");
    l->tag = STR("1");
    l->variant = STR("runtime");
    l->os = STR("linux");
    l->arch = STR("amd64");
    l->base = STR("debian-12");
    l->python = STR("3.11");
    l->python_full = STR("3.11.2");
    l->apt_sources = STR("Types: deb\n\"quoted\" \\ text\n");
    l->created = 1700000000;
    l->workdir = STR("/workspace");
    l->user = (struct lock_user){STR_INIT("student"), 1000, 1000};
    vec_add(&l->env, STR("A=b c"));
    vec_add(&l->cmd, STR("/bin/bash"));
    *archive = (struct lock_archive){.uri = STR_INIT("https://example.org/debian"),
                                     .suite = STR_INIT("x"),
                                     .codename = STR_INIT("x"),
                                     .date = 1600000000};
    digest_of(&archive->digest, 9);
    vec_add(&archive->signers, STR("B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8"));
    copy->from = STR("notebooks/");
    copy->to = STR("/workspace/");
    copy->uid = copy->gid = 1000;
    file = vec_push(&copy->files);
    *file = (struct lock_file){.path = STR_INIT("a.ipynb"), .size = 3};
    digest_of(&file->digest, 4);
    l->facts.cuda = STR("12.4");
    artifact_add(l, ECO_DEB, "libc6", "base", 100);
    artifact_add(l, ECO_DEB, "python3", "python", 100);
    artifact_add(l, ECO_DEB, "git", "apt", 100);
    artifact_add(l, ECO_WHEEL, "nvidia-cudnn-cu12", "", 600u << 20);
    artifact_add(l, ECO_WHEEL, "nvidia-nvtx-cu12", "", 100);
    artifact_add(l, ECO_WHEEL, "numpy", "", 18u << 20);
    artifact_add(l, ECO_WHEEL, "sympy", "", 100);
    artifact_add(l, ECO_WHEEL, "torch", "", 700u << 20);
    lock_plan(l);
}

static int read_text(struct lock *out, struct str text, struct err *e)
{
    char path[] = "/tmp/envbuild-lock.XXXXXX";
    int fd = mkstemp(path), result;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text.p, text.len), (ssize_t)text.len);
    close(fd);
    result = lock_read(out, path, e);
    unlink(path);
    return result;
}

/* Locks of images without one keep their bytes. */
/* The arrays are in the lock's arena. */
static struct strs words_in(struct lock *l, const char *text)
{
    struct strs out = {.v = arena_alloc(&l->doc.arena, 9 * sizeof *out.v)};
    struct str rest = str_of(text), word;

    while (str_word(&rest, &word))
        out.v[out.n++] = word;
    return out;
}

static void needs_make(struct lock *l)
{
    struct artifact *a;

    lock_make(l);
    l->format = 2;
    vec_each(a, &l->artifacts)
        a->turn = a->eco == ECO_WHEEL;
    a = &l->artifacts.v[l->artifacts.n - 1];
    a->needs = words_in(l, "nvidia-cudnn-cu12 sympy");
    a->extras.v = arena_alloc(&l->doc.arena, sizeof *a->extras.v);
    a->extras.v[a->extras.n++] =
        (struct artifact_extra){STR_INIT("opt,x"), words_in(l, "numpy[fast] torch[y]")};
    a->turn = 7;
}

struct damage {
    const char *from, *to, *says;
};

/* Change one word of a good lock; the fault is told, nothing crashes. */
static void expect_told(const struct lock *good, const struct damage *d)
{
    CLEANUP(lock_clear) struct lock again = {0};
    CLEANUP(buf_clear) struct buf text = {0}, bad = {0}, said = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct str rest, head;

    lock_print(&text, good);
    rest = buf_view(&text);
    if (!str_cut(&rest, str_of(d->from), &head))
        fail_msg("no %s in a good lock", d->from);
    buf_str(&bad, head);
    buf_puts(&bad, d->to);
    buf_str(&bad, rest);
    assert_int_equal(read_text(&again, buf_view(&bad), &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    for (const struct err *one = &e; one; one = one->next)
        buf_fmt(&said, "%s\n", one->msg);
    if (!strstr(said.p, d->says))
        fail_msg("%s: %s", d->to, said.p);
}
