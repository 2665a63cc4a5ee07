/* SPDX-License-Identifier: Apache-2.0 */
#include "toolkit_wheel.h"

#include "../../base/path.h"
#include "../../pkg/pypi/wheel.h"
#include "stub_names.h"

/* Headers that declare what the driver's libraries have. */
static bool is_driver_header(struct str path)
{
    static const char *const names[] = {"cuda.h",         "cudaEGL.h",   "cudaGL.h",
                                        "cudaProfiler.h", "cudaVDPAU.h", "nvml.h"};
    struct str name = path_base(path);

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_is(name, names[i]))
            return str_find_str(path, STR("/include/")) + STR("/include/").len + name.len ==
                   path.len;
    return false;
}

static int take_header(struct toolkit_wheel *w, const struct wheel_file *f,
                       struct inflater *inflater, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};

    if (content_read(inflater, &f->entry->content, &text, STUB_HEADER_MAX, f->path.p, e) < 0)
        return -1;
    vec_add(&w->headers, ((struct toolkit_header){arena_str(&w->arena, path_base(f->path)),
                                                  arena_str(&w->arena, buf_view(&text))}));
    return 0;
}

static int take_file(struct toolkit_wheel *w, const struct wheel_file *f, struct inflater *inflater,
                     struct err *e)
{
    struct toolkit_file file = {.size = f->entry->content.size};

    if (f->entry->mtime > w->newest)
        w->newest = f->entry->mtime;
    if (f->scheme != SCHEME_SITE || !str_starts(f->path, STR("nvidia/")))
        return 0;
    if (is_driver_header(f->path) && take_header(w, f, inflater, e) < 0)
        return -1;
    /* One with another kind of hash is one that no digest is equal to. */
    if (f->content.hash.len == sizeof file.digest.bytes)
        memcpy(file.digest.bytes, f->content.hash.p, f->content.hash.len);
    file.path = arena_str(&w->arena, f->path);
    vec_add(&w->files, file);
    return 0;
}

static int compare(const void *x, const void *y)
{
    const struct toolkit_file *a = x, *b = y;

    return str_cmp(a->path, b->path);
}

static int take_files(struct toolkit_wheel *w, const struct input *input, struct str name,
                      struct str version, struct inflater *inflater, struct err *e)
{
    CLEANUP(wheel_clear) struct wheel wheel = {0};

    if (wheel_open(&wheel, input, name, version, inflater, e) < 0)
        return -1;
    for (size_t i = 0; i < wheel.files.n; i++)
        if (take_file(w, &wheel.files.v[i], inflater, e) < 0)
            return -1;
    vec_sort(&w->files, compare);
    return 0;
}

int toolkit_wheel_read(struct toolkit_wheel *out, const struct input *input, struct str name,
                       struct str version, struct err *e)
{
    CLEANUP(toolkit_wheel_clear) struct toolkit_wheel w = {0};
    struct inflater *inflater = inflater_open();
    int result = take_files(&w, input, name, version, inflater, e);

    inflater_clear(&inflater);
    if (result < 0)
        return -1;
    MOVE(out, &w);
    return 0;
}

void toolkit_wheel_clear(struct toolkit_wheel *w)
{
    vec_clear(&w->files);
    vec_clear(&w->headers);
    arena_clear(&w->arena);
    *w = (struct toolkit_wheel){0};
}
