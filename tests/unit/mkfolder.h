/* mkfolder.h - a folder of small files, made for one test and removed with it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/path.h"

struct mkfolder_item {
    const char *path, *text, *link; /* without text and link: a folder */
};

struct mkfolder {
    char path[32];
    int fd; /* O_PATH */
};

/* The list ends with a path that is NULL; folders above a path are made. */
static inline void mkfolder(struct mkfolder *f, const struct mkfolder_item *items)
{
    struct err e = {0};

    snprintf(f->path, sizeof f->path, "/tmp/envbuild-test-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    f->fd = open(f->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(f->fd >= 0);
    for (; items->path; items++) {
        CLEANUP(free_clear) char *path = path_join(f->path, items->path);

        assert_int_equal(fs_mkdirs_for(path, &e), 0);
        if (items->link)
            assert_int_equal(symlink(items->link, path), 0);
        else if (items->text)
            assert_int_equal(fs_write(path, str_of(items->text), &e), 0);
        else
            assert_int_equal(fs_mkdirs(path, &e), 0);
    }
}

static inline int mkfolder_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
    return remove(path);
}

static inline void mkfolder_clear(struct mkfolder *f)
{
    if (f->path[0]) {
        nftw(f->path, mkfolder_remove, 8, FTW_DEPTH | FTW_PHYS);
        close(f->fd);
    }
}
