/* tests/tools/look_elf.c - what look/ finds in each file, for
 * tests/real/device-code-vs-cuobjdump.sh and tests/real/elf-vs-readelf.py to hold against cuobjdump and readelf.
 *
 * usage: look_elf code|elf FILE...
 *   code: "PLACE KIND sm_NN ENTRIES COMPRESSED" a line, and "broken N" or "stray N" where there are
 *         any.
 *   elf:  "soname", "needed", "version LIBRARY VERSION" and so on, one a line.
 * Each file is read twice, in place and in one forward pass, and both must agree.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>

#include "base/fs.h"
#include "io/source.h"
#include "look/fatbin.h"
#include "pkg/elf/elf_pass.h"

static const char *kind_name(uint16_t kind, char number[16])
{
    if (kind == FATBIN_PTX)
        return "ptx";
    if (kind == FATBIN_CUBIN)
        return "cubin";
    snprintf(number, 16, "kind%u", kind);
    return number;
}

static void print_code(FILE *to, const struct fatbin_list *list)
{
    static const char *const places[] = {"linked", "relocatable", "embedded"};
    const struct fatbin_code *c;

    vec_each(c, &list->codes) {
        char number[16];

        fprintf(to, "%s %s sm_%u%s %zu %zu\n", places[c->place], kind_name(c->kind, number), c->sm,
                c->suffix == 'a'   ? "a"
                : c->suffix == 'f' ? "f"
                                   : "",
                c->entries, c->compressed);
    }
    if (list->broken)
        fprintf(to, "broken %zu\n", list->broken);
}

static void print_line(FILE *to, const char *label, struct str s)
{
    if (s.len)
        fprintf(to, "%s " STR_FMT "\n", label, STR_ARG(s));
}

static void print_elf(FILE *to, const struct elf *elf)
{
    const struct elf_section *section;
    const struct elf_need *need;
    const struct str *s;

    fprintf(to, "elf%u machine %u type %u\n", elf->bits, elf->machine, elf->type);
    print_line(to, "interpreter", elf->interpreter);
    print_line(to, "soname", elf->soname);
    print_line(to, "rpath", elf->rpath);
    print_line(to, "runpath", elf->runpath);
    vec_each(s, &elf->needed)
        print_line(to, "needed", *s);
    vec_each(need, &elf->needs)
        fprintf(to, "version " STR_FMT " " STR_FMT "%s\n", STR_ARG(need->library),
                STR_ARG(need->version), need->weak ? " weak" : "");
    vec_each(s, &elf->defines)
        print_line(to, "defines", *s);
    vec_each(section, &elf->sections)
        fprintf(to, "section " STR_FMT " %llx %llx\n", STR_ARG(section->name),
                (unsigned long long)section->offset, (unsigned long long)section->size);
}

/* All that is said of a file, as text. */
static char *words(const struct elf *elf, const struct fatbin_list *list, bool code)
{
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);

    if (!to)
        abort();
    if (code)
        print_code(to, list);
    else
        print_elf(to, elf);
    fclose(to);
    return text;
}

static int pass_elf(struct elf *elf, int fd, uint64_t size, const char *path, struct err *e)
{
    CLEANUP(elf_pass_clear) struct elf_pass pass = {0};
    CLEANUP(fs_temp_clear) struct fs_temp scratch = {0};
    CLEANUP(source_clear) struct source *file = NULL;

    if (fs_temp_open(&scratch, "/tmp", e) < 0)
        return -1;
    elf_pass_begin(&pass, scratch.fd.n, size, path);
    file = source_file(fd, 0, size, path);
    return source_copy(file, &pass.sink, NULL, e) < 0 ? -1 : elf_pass_end(&pass, elf, e);
}

static int pass_code(struct fatbin_list *list, const struct elf *elf, int fd, uint64_t size,
                     const char *path, struct err *e)
{
    static struct fatbin_scan scan;
    struct fatbin_spots spots = {0};
    CLEANUP(source_clear) struct source *file = source_file(fd, 0, size, path);
    int rc;

    fatbin_scan_init(&scan, list, FATBIN_EMBEDDED);
    scan.spots = &spots;
    rc = source_copy(file, &scan.sink, NULL, e) < 0 ? -1 : sink_finish(&scan.sink, e);
    fatbin_settle(list, &spots, elf);
    vec_clear(&spots);
    return rc;
}

static int look(const char *path, bool code, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    CLEANUP(elf_clear) struct elf elf = {0};
    CLEANUP(fatbin_list_clear) struct fatbin_list list = {0};
    CLEANUP(elf_clear) struct elf passed = {0};
    CLEANUP(fatbin_list_clear) struct fatbin_list passed_list = {0};
    CLEANUP(free_clear) char *text = NULL;
    CLEANUP(free_clear) char *again = NULL;
    struct blob_reader_file blob;
    uint64_t size;
    size_t stray;

    if (fd_open(&fd, path, O_RDONLY, 0, e) < 0 || fd_size(fd.n, &size, path, e) < 0)
        return -1;
    blob_reader_file_init(&blob, fd.n, 0, size, path);
    if (elf_read(&elf, &blob.reader, e) < 0)
        return -1;
    if (fatbin_read(&list, &blob.reader, &elf, e) < 0 ||
        pass_elf(&passed, fd.n, size, path, e) < 0 ||
        pass_code(&passed_list, &passed, fd.n, size, path, e) < 0)
        return -1;
    stray = list.stray;
    list.stray = 0; /* of which one pass can say nothing */
    text = words(&elf, &list, code);
    again = words(&passed, &passed_list, code);
    if (strcmp(text, again) != 0)
        return err_set(e, ERR_NO, "%s: in place\n%s\nin one pass\n%s", path, text, again);
    fputs(text, stdout);
    if (code && stray)
        printf("stray %zu\n", stray);
    return 0;
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
