/* Trees: whatever is added, what was accepted stands in folders, can be written as a tar, and is
 * read back from there the same. A line is one entry: "f", "d", "l" or "h" (file, folder, link,
 * hard link), its path, and after a tab where a link leads; its folders are made. "/" makes a tree
 * of what came before the one below. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "assemble/layer/tree.h"
#include "io/tar.h"
#include "io/tar_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void add_line(struct tree *t, struct str line)
{
    static const char kinds[] = "fdlh"; /* as enum entry_type */
    struct entry entry = {.mode = 0755, .mtime = 1};
    struct err e = {0};
    const char *kind;

    if (!line.len || !line.p[0] || !(kind = strchr(kinds, line.p[0])))
        return;
    entry.type = (enum entry_type)(kind - kinds);
    line = str_sub(line, 1, line.len);
    if (!str_cut(&line, STR("\t"), &entry.path))
        entry.path = line;
    else
        entry.link = line;
    if (entry.type == ENTRY_FILE)
        entry.content = (struct content){CONTENT_BYTES, .size = 1, .bytes = "x"};
    if (tree_parents(t, entry.path, 1, &e) < 0 || tree_add(t, &entry, entry.path.len % 2, &e) < 0)
        require(e.kind == ERR_INPUT);
    err_clear(&e);
}

struct reading {
    const struct tree *t;
    size_t at;
};

static int compare(void *ctx, const struct tar_entry *u, struct source *data, struct err *e)
{
    struct reading *r = ctx;
    const struct entry *want = &r->t->entries.v[r->at++];

    require(r->at <= r->t->entries.n);
    require(want->type == u->entry.type && str_eq(want->path, u->entry.path));
    require(want->mode == u->entry.mode && want->content.size == u->entry.content.size);
    if (want->type == ENTRY_SYMLINK || want->type == ENTRY_HARDLINK)
        require(str_eq(want->link, u->entry.link));
    return 0;
}

static void check(const struct tree *t)
{
    CLEANUP(buf_clear) struct buf tar = {0};
    struct reading r = {t, 0};
    struct tar_reader *in;
    struct err e = {0};
    const struct entry *entry;

    vec_each(entry, &t->entries) {
        struct str folder = entry->path, name;

        if (str_cut_last(&folder, STR("/"), &name))
            require(tree_get(t, folder) && tree_get(t, folder)->type == ENTRY_DIR);
        require(tar_header(&tar, entry, &e) == 0);
        if (entry->type == ENTRY_FILE) {
            buf_putc(&tar, 'x');
            for (size_t i = tar_padding(1); i; i--)
                buf_putc(&tar, '\0');
        }
    }
    tar_end(&tar);
    in = tar_open(source_bytes(buf_view(&tar), "tree"), TAR_PACKAGE);
    require(tar_walk(in, compare, &r, &e) == 0);
    tar_clear(&in);
    require(r.at == t->entries.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(tree_clear) struct tree below = {0}, t = {0};
    struct str text = {(const char *)data, size}, line;

    while (str_line(&text, &line))
        if (!str_is(line, "/")) {
            add_line(&t, line);
        } else if (!t.below) {
            MOVE(&below, &t);
            t.below = &below;
        }
    tree_sort(&t);
    check(&t);
    tree_clear(&t);
    if (below.entries.n) {
        tree_sort(&below);
        check(&below);
    }
    return 0;
}
