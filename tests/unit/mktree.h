/* mktree.h - entries of a tree in a line each; all owned by root. They replace what is there. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "assemble/layer/tree.h"

static inline void mktree_add(struct tree *t, const struct entry *entry)
{
    struct err e = {0};

    if (tree_add(t, entry, true, &e) < 0)
        fail_msg("%s", e.msg);
}

static inline void mktree_dir(struct tree *t, const char *path, uint32_t mode, int64_t mtime)
{
    mktree_add(
        t, &(struct entry){.path = str_of(path), .type = ENTRY_DIR, .mode = mode, .mtime = mtime});
}

static inline void mktree_file(struct tree *t, const char *path, uint32_t mode, int64_t mtime,
                               struct str bytes)
{
    mktree_add(t, &(struct entry){.path = str_of(path),
                                  .type = ENTRY_FILE,
                                  .mode = mode,
                                  .mtime = mtime,
                                  .content = {CONTENT_BYTES, .size = bytes.len, .bytes = bytes.p}});
}

static inline void mktree_link(struct tree *t, const char *path, const char *target, int64_t mtime)
{
    mktree_add(t, &(struct entry){.path = str_of(path),
                                  .type = ENTRY_SYMLINK,
                                  .mode = 0777,
                                  .mtime = mtime,
                                  .link = str_of(target)});
}

static inline void mktree_parents(struct tree *t, const char *path, int64_t mtime)
{
    struct err e = {0};

    if (tree_parents(t, str_of(path), mtime, &e) < 0)
        fail_msg("%s", e.msg);
}
