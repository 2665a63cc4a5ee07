/* SPDX-License-Identifier: Apache-2.0 */
#include "memory.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "../base/fs.h"

enum { FILE_MAX = 64 * 1024 };

static bool read_file(struct buf *out, const char *path)
{
    CLEANUP(err_clear)
    struct err ignored = {0}; /* a kernel without it, or a process that is gone */

    buf_reset(out);
    return fs_read(out, path, FILE_MAX, &ignored) == 0;
}

/* ---- what is left ---- */

/* kB behind "MemAvailable:". */
static uint64_t available(void)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct str rest, line, word;
    uint64_t kib;

    if (!read_file(&text, "/proc/meminfo"))
        return UINT64_MAX;
    rest = buf_view(&text);
    while (str_line(&rest, &line))
        if (str_skip(&line, STR("MemAvailable:")) && str_word(&line, &word) && str_u64(word, &kib))
            return kib * 1024;
    return UINT64_MAX;
}

/* What a control group has left; as a container sees its own. "max" and the like are no limit. */
static uint64_t left_in_group(const char *limit, const char *used)
{
    CLEANUP(buf_clear) struct buf a = {0}, b = {0};
    uint64_t most, now;

    if (!read_file(&a, limit) || !read_file(&b, used) || !str_u64(str_trim(buf_view(&a)), &most) ||
        !str_u64(str_trim(buf_view(&b)), &now))
        return UINT64_MAX;
    return most > now ? most - now : 0;
}

uint64_t memory_free(void)
{
    const uint64_t left[] = {
        available(), left_in_group("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        left_in_group("/sys/fs/cgroup/memory/memory.limit_in_bytes",
                      "/sys/fs/cgroup/memory/memory.usage_in_bytes")};
    uint64_t least = UINT64_MAX;

    for (size_t i = 0; i < ARRAY_LEN(left); i++)
        least = left[i] < least ? left[i] : least;
    return least;
}

/* ---- what is used ---- */

struct process {
    uint32_t pid, parent, threads;
    bool below;
};
struct processes VEC_OF(struct process);

/* proc(5), stat: the command's name stands in parentheses and may hold any. */
static bool read_process(struct process *p, const char *name, struct buf *text)
{
    struct str rest, word, fields;
    char path[64];

    if (!str_u32(str_of(name), &p->pid) ||
        snprintf(path, sizeof path, "/proc/%s/stat", name) >= (int)sizeof path ||
        !read_file(text, path))
        return false;
    rest = buf_view(text);
    if (!str_cut_last(&rest, STR(")"), &fields))
        return false;
    for (unsigned i = 3; i <= 20; i++) { /* fields as proc(5) counts them */
        if (!str_word(&fields, &word))
            return false;
        if ((i == 4 && !str_u32(word, &p->parent)) || (i == 20 && !str_u32(word, &p->threads)))
            return false;
    }
    return true;
}

static void list_processes(struct processes *out)
{
    CLEANUP(buf_clear) struct buf text = {0};
    DIR *d = opendir("/proc");
    struct dirent *item;

    if (!d)
        return;
    while ((item = readdir(d))) {
        struct process p = {0};

        if (c_digit(item->d_name[0]) && read_process(&p, item->d_name, &text))
            vec_add(out, p);
    }
    closedir(d);
}

static int by_pid(const void *a, const void *b)
{
    const struct process *x = a, *y = b;

    return (x->pid > y->pid) - (x->pid < y->pid);
}

/* A child may have a lower number than its parent. */
static void mark_below(struct processes *list, uint32_t top)
{
    bool more = true;
    struct process *p;

    vec_sort(list, by_pid);
    while (more) {
        more = false;
        vec_each(p, list) {
            const struct process key = {.pid = p->parent}, *parent;

            if (p->below)
                continue;
            parent = bsearch(&key, list->v, list->n, sizeof key, by_pid);
            p->below = p->pid == top || (parent && parent->below);
            more = more || p->below;
        }
    }
}

/* statm: size, resident, shared with files, in pages. */
static uint64_t resident(uint32_t pid, struct buf *text)
{
    uint64_t pages[3] = {0};
    struct str rest, word;
    char path[64];

    snprintf(path, sizeof path, "/proc/%u/statm", (unsigned)pid);
    if (!read_file(text, path))
        return 0;
    rest = buf_view(text);
    for (size_t i = 0; i < ARRAY_LEN(pages); i++)
        if (!str_word(&rest, &word) || !str_u64(word, &pages[i]))
            return 0;
    return pages[1] > pages[2] ? (pages[1] - pages[2]) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

void memory_of(struct memory_use *out, pid_t top)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct processes list = {0};
    struct process *p;

    *out = (struct memory_use){0};
    list_processes(&list);
    mark_below(&list, (uint32_t)top);
    vec_each(p, &list)
        if (p->below) {
            out->bytes += resident(p->pid, &text);
            out->processes += p->threads;
        }
    vec_clear(&list);
}
