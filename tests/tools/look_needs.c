/* tests/tools/look_needs.c - what look/needs.h says of each program or library of this machine, for
 * tests/real/needs-vs-ldd.py.
 *
 * usage: look_needs CACHE FOLDERS FILE...
 *   CACHE is an ld.so.cache; FOLDERS are separated by ":", and every ELF file and link below one is
 * in the tree. A line each: "FILE loaded N", then "missing NAME", "version LIBRARY VERSION" and so
 * on.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/path.h"
#include "look/needs.h"
#include "pkg/elf/ldcache.h"

struct machine {
    struct needs needs;
    struct arena arena;
};

static int add_file(struct machine *m, const char *path, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    struct elf *elf = arena_alloc(&m->arena, sizeof *elf); /* lives as long as the program */
    struct blob_reader_file blob;
    char head[4];
    uint64_t size;
    size_t got;

    if (fd_open(&fd, path, O_RDONLY, 0, e) < 0 || fd_size(fd.n, &size, path, e) < 0 ||
        fd_pread_some(fd.n, head, sizeof head, 0, &got, path, e) < 0)
        return -1;
    if (!elf_is((struct str){head, got}))
        return 0;
    blob_reader_file_init(&blob, fd.n, 0, size, path);
    if (elf_read(elf, &blob.reader, e) < 0)
        return -1;
    needs_add_file(&m->needs, arena_str(&m->arena, str_of(path)), elf);
    return 0;
}

static int add_folder(struct machine *m, const char *folder, struct err *e)
{
    CLEANUP(names_clear) struct names names = {0};

    if (fs_list(&names, folder, e) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        CLEANUP(free_clear) char *path = path_join(folder, names.v[i]);
        struct stat st;
        char target[4096];
        ssize_t len;

        if (lstat(path, &st) < 0)
            continue; /* gone meanwhile */
        if (S_ISLNK(st.st_mode)) {
            len = readlink(path, target, sizeof target);
            if (len > 0)
                needs_add_link(&m->needs, arena_str(&m->arena, str_of(path)),
                               arena_str(&m->arena, (struct str){target, (size_t)len}));
        } else if (S_ISDIR(st.st_mode)) {
            if (add_folder(m, path, e) < 0)
                return -1;
        } else if (S_ISREG(st.st_mode) && add_file(m, path, e) < 0) {
            return -1;
        }
    }
    return 0;
}

static int judge(const struct machine *m, const char *path, struct err *e)
{
    static const char *const kinds[] = {"missing", "version", "interpreter", "driver"};
    CLEANUP(needs_findings_clear) struct needs_findings findings = {0};
    const struct needs_finding *f;

    if (needs_check(&findings, &m->needs, str_of(path), e) < 0)
        return -1;
    printf("%s loaded %zu\n", path, findings.loaded.n);
    vec_each(f, &findings.v)
        printf("%s " STR_FMT "%s" STR_FMT "\n", kinds[f->kind], STR_ARG(f->name),
               f->version.len ? " " : "", STR_ARG(f->version));
    return 0;
}

int main(int argc, char **argv)
{
    struct machine m = {0};
    struct err e = {0};
    struct str list, item;
    struct buf cache = {0};
    struct ldcache_libs entries = {0};
    const struct ldcache_lib *entry;

    if (argc < 3) {
        fprintf(stderr, "usage: look_needs CACHE FOLDERS FILE...\n");
        return 2;
    }
    if (fs_read(&cache, argv[1], 4 << 20, &e) < 0 || !ldcache_read(&entries, buf_view(&cache))) {
        fprintf(stderr, "%s: no cache\n", argv[1]);
        return 1;
    }
    vec_each(entry, &entries)
        needs_add_cached(&m.needs, entry->soname, entry->path);
    vec_clear(&entries);
    needs_add_link(&m.needs, STR("/bin"), STR("usr/bin"));
    needs_add_link(&m.needs, STR("/sbin"), STR("usr/sbin"));
    needs_add_link(&m.needs, STR("/lib"), STR("usr/lib"));
    needs_add_link(&m.needs, STR("/lib64"), STR("usr/lib64"));
    for (list = str_of(argv[2]); str_item(&list, ':', &item);) {
        CLEANUP(free_clear) char *folder = str_dup(item);

        if (add_folder(&m, folder, &e) < 0) {
            fprintf(stderr, "%s\n", e.msg);
            return 1;
        }
    }
    for (int i = 3; i < argc; i++) {
        if (judge(&m, argv[i], &e) < 0) {
            fprintf(stderr, "%s\n", e.msg);
            return 1;
        }
    }
    needs_clear(&m.needs);
    buf_clear(&cache);
    return 0;
}
