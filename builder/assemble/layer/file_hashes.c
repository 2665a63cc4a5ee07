/* SPDX-License-Identifier: Apache-2.0 */
#include "file_hashes.h"

struct file_due {
    const struct entry *entry;
    uint64_t start;
};

static int differs(const struct entry *entry, struct err *e)
{
    return err_set(e, ERR_INTEGRITY,
                   "%s: its file /" STR_FMT
                   " is not what its RECORD says: the wheel was changed after it was made, or made "
                   "wrongly; ask its publisher, or take another version",
                   entry->content.input->name, STR_ARG(entry->path));
}

/* Take what of these bytes belongs to the file that is due. */
static int take(struct file_hashes *f, const struct file_due *due, struct str bytes, size_t *taken,
                struct err *e)
{
    const struct content *c = &due->entry->content;
    uint64_t left = due->start + c->size - f->passed;

    if (!f->open)
        hash_pair_begin(&f->hashes, c->hash.len);
    f->open = true;
    *taken = left < bytes.len ? (size_t)left : bytes.len;
    hash_pair_add(&f->hashes, bytes.p, *taken);
    if (*taken < left)
        return 0;
    f->open = false;
    f->at++;
    return hash_pair_end(&f->hashes, c->hash) ? 0 : differs(due->entry, e);
}

static int file_hashes_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct file_hashes *f = (struct file_hashes *)self;
    struct str rest = {bytes, len};

    while (rest.len) {
        const struct file_due *due = f->at < f->told ? &f->due[f->at] : NULL;
        size_t n = rest.len;

        if (due && due->start <= f->passed) {
            if (take(f, due, rest, &n, e) < 0)
                return -1;
        } else {
            if (due && due->start - f->passed < n)
                n = (size_t)(due->start - f->passed);
            hash_pair_add(&f->hashes, rest.p, n);
        }
        rest = str_sub(rest, n, rest.len);
        f->passed += n;
    }
    return 0;
}

void file_hashes_open(struct file_hashes *f, const struct tree *tree)
{
    *f = (struct file_hashes){.sink = {file_hashes_write, NULL}};
    hash_pair_open(&f->hashes, false);
    f->due = xcalloc(tree->entries.n, sizeof *f->due);
}

void file_hashes_tell(struct file_hashes *f, const struct entry *entry, uint64_t start)
{
    if (!entry->content.hash.len)
        return;
    f->due[f->told] = (struct file_due){entry, start};
    f->told++;
}

void file_hashes_finish(struct file_hashes *f, struct seen *out)
{
    hash_pair_finish(&f->hashes, out);
}

void file_hashes_clear(struct file_hashes *f)
{
    hash_pair_clear(&f->hashes);
    free(f->due);
    *f = (struct file_hashes){0};
}
