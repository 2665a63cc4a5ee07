/* SPDX-License-Identifier: Apache-2.0 */
#include "roots.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "../base/fs.h"
#include "../base/path.h"
#include "../io/crypto.h"

enum { ROOT_MAX = 64 * 1024 }; /* bytes of a path */

static char *folder_of(const char *store)
{
    return path_join(store, "locks");
}

static char *file_of(const char *store, struct str path)
{
    CLEANUP(free_clear) char *folder = folder_of(store);
    char hex[DIGEST_HEX + 1];
    struct digest digest;

    hash_bytes(&digest, path.p, path.len);
    digest_hex(&digest, hex);
    return path_join(folder, hex);
}

int roots_note(const char *store, const char *path, struct err *e)
{
    CLEANUP(free_clear) char *folder = folder_of(store), *file = file_of(store, str_of(path));
    uint64_t size;

    if (fs_file_size(file, &size) && size == strlen(path) &&
        utimensat(AT_FDCWD, file, NULL, 0) == 0)
        return 0;
    return fs_mkdirs(folder, e) < 0 ? -1 : fs_write(file, str_of(path), e);
}

static int compare(const void *a, const void *b)
{
    const struct root *x = a, *y = b;

    return strcmp(x->path, y->path);
}

/* One whose bytes are not what its name says was torn by a power cut, or is somebody else's. */
static void add(struct roots *out, const char *store, const char *file)
{
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(err_clear) struct err ignored = {0};
    CLEANUP(free_clear) char *right = NULL;
    struct stat st;

    if (fs_read(&text, file, ROOT_MAX, &ignored) < 0 || stat(file, &st) < 0)
        return;
    right = file_of(store, buf_view(&text));
    if (strcmp(right, file) == 0)
        vec_add(out, ((struct root){str_dup(buf_view(&text)), st.st_mtime}));
}

int roots_list(struct roots *out, const char *store, struct err *e)
{
    CLEANUP(free_clear) char *folder = folder_of(store);
    CLEANUP(names_clear) struct names names = {0};
    char **name;

    if (!fs_exists(folder))
        return 0;
    if (fs_list(&names, folder, e) < 0)
        return -1;
    vec_each(name, &names) {
        CLEANUP(free_clear) char *file = path_join(folder, *name);

        add(out, store, file);
    }
    vec_sort(out, compare);
    return 0;
}

int roots_forget(const char *store, const char *path, struct err *e)
{
    CLEANUP(free_clear) char *file = file_of(store, str_of(path));

    return fs_remove(file, e);
}

void roots_clear(struct roots *roots)
{
    struct root *r;

    vec_each(r, roots)
        free(r->path);
    vec_clear(roots);
}
