/* SPDX-License-Identifier: Apache-2.0 */
#include "device_code.h"

#include "../base/path.h"
#include "../io/inflate.h"
#include "../look/fatbin.h"

/* "libx.so", "libx.so.1" */
static bool is_library(const struct zip_entry *entry)
{
    struct str name = path_base(entry->name);

    return !entry->directory &&
           (str_ends(name, STR(".so")) || str_find_str(name, STR(".so.")) < name.len);
}

/* Of all libraries together: a package may have one for each GPU. */
static int read_code(struct fatbin_list *out, size_t *libraries, const struct zip *zip,
                     const char *file, struct err *e)
{
    CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();
    CLEANUP(free_clear) struct fatbin_scan *scan = xcalloc(1, sizeof *scan);
    const struct zip_entry *entry;

    vec_each(entry, &zip->entries) {
        if (!is_library(entry))
            continue;
        ++*libraries;
        fatbin_scan_init(scan, out, FATBIN_EMBEDDED);
        if (content_copy(inflater, &entry->content, &scan->sink, file, e) < 0 ||
            sink_finish(&scan->sink, e) < 0)
            return -1;
    }
    return 0;
}

struct arch {
    uint32_t sm; /* 90 of "9.0" */
    char suffix; /* 'a', 'f' or 0 */
    bool ptx;
};

static bool arch_of(struct arch *out, struct str text)
{
    struct str major;
    uint32_t numbers[2];

    *out = (struct arch){.ptx = str_drop(&text, STR("+PTX"))};
    if (str_drop(&text, STR("a")))
        out->suffix = 'a';
    else if (str_drop(&text, STR("f")))
        out->suffix = 'f';
    if (!str_cut(&text, STR("."), &major) || !str_u32(major, &numbers[0]) ||
        !str_u32(text, &numbers[1]))
        return false;
    out->sm = numbers[0] * 10 + numbers[1];
    return true;
}

static bool runs_on(const struct fatbin_code *c, const struct arch *a)
{
    if (a->suffix || c->suffix == 'a')
        return c->sm == a->sm && c->suffix == a->suffix;
    return c->sm / 10 == a->sm / 10 && c->sm <= a->sm;
}

static bool has_code(const struct fatbin_list *list, const struct arch *a)
{
    const struct fatbin_code *c;
    bool machine = false, ptx = false;

    vec_each(c, &list->codes) {
        machine |= c->kind == FATBIN_CUBIN && runs_on(c, a);
        ptx |= c->kind == FATBIN_PTX && c->sm == a->sm && c->suffix == a->suffix;
    }
    return machine && (ptx || !a->ptx);
}

/* "8.0 9.0+PTX": what there is. */
static void put_codes(struct buf *out, const struct fatbin_list *list)
{
    const struct fatbin_code *c;

    vec_each(c, &list->codes)
        if (c->kind == FATBIN_CUBIN || c->kind == FATBIN_PTX) {
            buf_fmt(out, "%s%s%u.%u", out->len ? ", " : "", c->kind == FATBIN_PTX ? "PTX of " : "",
                    (unsigned)(c->sm / 10), (unsigned)(c->sm % 10));
            if (c->suffix)
                buf_putc(out, c->suffix);
        }
}

int device_code_check(const struct zip *zip, const struct strs *archs, bool asked,
                      const struct artifact *wheel, const struct events *events, struct err *e)
{
    CLEANUP(fatbin_list_clear) struct fatbin_list list = {0};
    CLEANUP(buf_clear) struct buf missing = {0}, there = {0};
    size_t libraries = 0;

    if (read_code(&list, &libraries, zip, wheel->file.p, e) < 0)
        return -1;
    put_codes(&there, &list);
    if (!there.len && !asked) {
        if (libraries)
            events_warn(events,
                        "%s has no code for GPUs; where it should, `build: {" STR_FMT
                        ": {archs: [...]}}` makes that an error",
                        wheel->file.p, STR_ARG(wheel->name));
        return 0;
    }
    for (size_t i = 0; i < archs->n; i++) {
        struct arch a;

        if (!arch_of(&a, archs->v[i]) || !has_code(&list, &a))
            buf_fmt(&missing, "%s" STR_FMT, missing.len ? ", " : "", STR_ARG(archs->v[i]));
    }
    if (!missing.len)
        return 0;
    return err_set(e, ERR_INPUT,
                   "%s has no code for GPUs of %s, only for %s; %s `build: {" STR_FMT
                   ": {archs: [...]}}`",
                   wheel->file.p, missing.p, there.len ? there.p : "the CPU",
                   asked ? "its setup.py may need a switch under `env`, or correct"
                         : "where that is all that it supports, name it:",
                   STR_ARG(wheel->name));
}
