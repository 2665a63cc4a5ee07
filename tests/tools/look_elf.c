/* tests/tools/look_elf.c - what look/ finds in each file, for tests/real/device-code.sh and
 * tests/real/elf-vs-readelf.py to hold against cuobjdump and readelf.
 *
 * usage: look_elf code|elf FILE...
 *   code: "PLACE KIND sm_NN ENTRIES COMPRESSED" a line, and "broken N" or "stray N" where there are
 *         any. Each file is read twice, in place and in one forward pass, and both must agree.
 *   elf:  "soname", "needed", "version LIBRARY VERSION" and so on, one a line.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "io/source.h"
#include "look/fatbin.h"

static const char *kind_name(uint16_t kind, char number[16])
{
    if (kind == FATBIN_PTX)
        return "ptx";
    if (kind == FATBIN_CUBIN)
        return "cubin";
    snprintf(number, 16, "kind%u", kind);
    return number;
}

static void print_code(const struct fatbin_list *list)
{
    static const char *const places[] = {"linked", "relocatable", "embedded"};
    const struct fatbin_code *c;

    vec_each(c, &list->codes) {
        char number[16];

        printf("%s %s sm_%u%s %zu %zu\n", places[c->place], kind_name(c->kind, number), c->sm,
               c->suffix == 'a'   ? "a"
               : c->suffix == 'f' ? "f"
                                  : "",
               c->entries, c->compressed);
    }
    if (list->broken)
        printf("broken %zu\n", list->broken);
    if (list->stray)
        printf("stray %zu\n", list->stray);
}

/* Entries of all places together. */
static size_t entries(const struct fatbin_list *list, const struct fatbin_code *like)
{
    const struct fatbin_code *c;
    size_t n = 0;

    vec_each(c, &list->codes)
        if (c->kind == like->kind && c->sm == like->sm && c->suffix == like->suffix)
            n += c->entries;
    return n;
}

static int check_forward(const struct fatbin_list *in_place, int fd, uint64_t size,
                         const char *path, struct err *e)
{
    CLEANUP(fatbin_list_clear) struct fatbin_list list = {0};
    CLEANUP(free_clear) struct fatbin_scan *scan = xmalloc(sizeof *scan);
    struct source_file file;
    const struct fatbin_code *c;

    fatbin_scan_init(scan, &list, FATBIN_EMBEDDED);
    source_file_init(&file, fd, 0, size, path);
    if (source_copy(&file.source, &scan->sink, NULL, e) < 0 || sink_finish(&scan->sink, e) < 0)
        return -1;
    if (list.fatbins != in_place->fatbins || list.broken != in_place->broken)
        return err_set(e, ERR_NO, "%s: %zu fatbins (%zu broken) in place, %zu (%zu) in one pass",
                       path, in_place->fatbins, in_place->broken, list.fatbins, list.broken);
    vec_each(c, &list.codes)
        if (entries(in_place, c) != c->entries)
            return err_set(e, ERR_NO, "%s: sm_%u: %zu in one pass, %zu in place", path, c->sm,
                           c->entries, entries(in_place, c));
    vec_each(c, &in_place->codes)
        if (!entries(&list, c))
            return err_set(e, ERR_NO, "%s: sm_%u: none in one pass", path, c->sm);
    return 0;
}

static void print_line(const char *label, struct str s)
{
    if (s.len)
        printf("%s " STR_FMT "\n", label, STR_ARG(s));
}

static void print_elf(const struct elf *elf)
{
    const struct elf_section *section;
    const struct elf_need *need;
    const struct str *s;

    printf("elf%u machine %u type %u\n", elf->bits, elf->machine, elf->type);
    print_line("interpreter", elf->interpreter);
    print_line("soname", elf->soname);
    print_line("rpath", elf->rpath);
    print_line("runpath", elf->runpath);
    vec_each(s, &elf->needed)
        print_line("needed", *s);
    vec_each(need, &elf->needs)
        printf("version " STR_FMT " " STR_FMT "%s\n", STR_ARG(need->library),
               STR_ARG(need->version), need->weak ? " weak" : "");
    vec_each(s, &elf->defines)
        print_line("defines", *s);
    vec_each(section, &elf->sections)
        printf("section " STR_FMT " %llx %llx\n", STR_ARG(section->name),
               (unsigned long long)section->offset, (unsigned long long)section->size);
}

static int look(const char *path, bool code, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    CLEANUP(elf_clear) struct elf elf = {0};
    CLEANUP(fatbin_list_clear) struct fatbin_list list = {0};
    struct view_file view;
    uint64_t size;

    if (fd_open(&fd, path, O_RDONLY, 0, e) < 0 || fd_size(fd.n, &size, path, e) < 0)
        return -1;
    view_file_init(&view, fd.n, 0, size, path);
    if (elf_read(&elf, &view.view, e) < 0)
        return -1;
    if (!code) {
        print_elf(&elf);
        return 0;
    }
    if (fatbin_read(&list, &view.view, &elf, e) < 0)
        return -1;
    print_code(&list);
    return check_forward(&list, fd.n, size, path, e);
}

int main(int argc, char **argv)
{
    int status = 0;

    if (argc < 3 || (strcmp(argv[1], "code") != 0 && strcmp(argv[1], "elf") != 0)) {
        fprintf(stderr, "usage: look_elf code|elf FILE...\n");
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        struct err e = {0};

        if (look(argv[i], argv[1][0] == 'c', &e) < 0) {
            fflush(stdout);
            fprintf(stderr, "%s\n", e.msg);
            err_clear(&e);
            status = 1;
        }
    }
    return status;
}
