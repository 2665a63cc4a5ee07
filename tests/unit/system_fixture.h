/* What tests of a system share: debs, and what becomes of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "mkdeb.h"
#include "assemble/system/system.h"

enum { PACKAGES = 8 };

/* Debs that a test makes a system of. */
struct world {
    struct spool spool;
    struct debpkg packages[PACKAGES];
    const struct debpkg *v[PACKAGES];
    struct debpkg compiled; /* locales-all, beside them */
    size_t n;
    struct tree tree;
    struct names uncovered;
    unsigned format; /* 0: the newest that has rules of its own */
    bool apart;
    const struct system_locales *locales;
    struct err e;
};

static void world_open(struct world *w)
{
    *w = (struct world){0};
    spool_open(&w->spool, "/tmp");
}

static void world_clear(struct world *w)
{
    tree_clear(&w->tree);
    for (size_t i = 0; i < w->n; i++)
        debpkg_clear(&w->packages[i]);
    debpkg_clear(&w->compiled);
    names_clear(&w->uncovered);
    spool_clear(&w->spool);
    err_clear(&w->e);
}

/* Add a package; `fields` follow "Package: name", scripts may be NULL. */
static int try_add_scripts(struct world *w, const char *name, const char *fields,
                           const char *preinst, const char *postinst, const struct mk *files)
{
    CLEANUP(buf_clear) struct buf control = {0};
    CLEANUP(buf_clear) struct buf deb = {0};
    struct input in;

    buf_fmt(&control, "Package: %s\n%s", name, fields);
    const struct mk members[] = {
        MK_FILE("./control", 0644, control.p),
        MK_FILE(postinst  ? "./postinst"
                : preinst ? "./preinst"
                          : NULL,
                0755, postinst ? postinst : preinst),
        MK_FILE(postinst && preinst ? "./preinst" : NULL, 0755, preinst),
        MK_END,
    };
    mk_deb(&deb, members, files);
    mk_input(&in, name, buf_view(&deb));
    int rc = import_deb(&w->packages[w->n], &w->spool, &in, &w->e);
    fd_clear(&in.fd);
    if (rc == 0) {
        w->v[w->n] = &w->packages[w->n];
        w->n++;
    }
    return rc;
}

static int try_add(struct world *w, const char *name, const char *fields, const char *postinst,
                   const struct mk *files)
{
    return try_add_scripts(w, name, fields, NULL, postinst, files);
}

static const char plain_fields[] = "Version: 1.0\nArchitecture: all\nDescription: d\n";
static const struct mk no_files[] = {MK_END};

static void add(struct world *w, const char *name, const char *fields, const char *postinst,
                const struct mk *files)
{
    assert_int_equal(try_add(w, name, fields, postinst, files), 0);
}

static int build(struct world *w)
{
    const struct system_input in = {.format = w->format ? w->format : 2,
                                    .apart = w->apart,
                                    .locales = w->locales,
                                    .arch = STR("amd64"),
                                    .sources = STR("Types: deb\n"),
                                    .sources_path = STR("/etc/apt/sources.list.d/debian.sources")};

    return system_build(&w->tree, w->v, w->n, &in, &w->uncovered, &w->e);
}

static void expect(const struct world *w, const char *path, const char *text)
{
    const struct entry *entry = tree_get(&w->tree, str_of(path));

    assert_non_null(entry);
    assert_int_equal(entry->type, ENTRY_FILE);
    assert_int_equal(entry->content.kind, CONTENT_BYTES);
    struct str got = {entry->content.bytes, (size_t)entry->content.size};
    CLEANUP(free_clear) char *copy = str_dup(got);
    assert_string_equal(copy, text);
}

static void expect_link(const struct world *w, const char *path, const char *target)
{
    const struct entry *entry = tree_get(&w->tree, str_of(path));

    assert_non_null(entry);
    assert_int_equal(entry->type, ENTRY_SYMLINK);
    assert_true(str_is(entry->link, target));
}
