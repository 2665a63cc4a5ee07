/* METADATA that parses, printed again from what was read, parses to the same; file names of wheels
 * are taken apart without loss. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include "pkg/pypi/metadata.h"
#include "pkg/pypi/wheeltag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void print(struct buf *out, const struct metadata *m)
{
    const struct requirement *r;

    buf_fmt(out, "Name: " STR_FMT "\nVersion: " STR_FMT "\n", STR_ARG(m->name),
            STR_ARG(m->version));
    if (m->requires_python.len)
        buf_fmt(out, "Requires-Python: " STR_FMT "\n", STR_ARG(m->requires_python));
    for (size_t i = 0; i < m->extras.n; i++)
        buf_fmt(out, "Provides-Extra: " STR_FMT "\n", STR_ARG(m->extras.v[i]));
    vec_each(r, &m->requires) {
        buf_puts(out, "Requires-Dist: ");
        requirement_print(out, r, true);
        buf_putc(out, '\n');
    }
}

static void check_wheel_name(struct str file)
{
    const struct wheel_target target = {3, 11, 2, 36, STR("x86_64")};
    struct wheel_name w;

    if (!wheel_name_parse(&w, file))
        return;
    require(w.dist.len + w.version.len + w.build.len + w.python.len + w.abi.len + w.platform.len +
                (w.build.len ? 5 : 4) + 4 ==
            file.len);
    require(wheel_rank(&w, &target) == UINT_MAX || wheel_rank(&w, &target) < 4000);
    require(wheel_build_cmp(w.build, w.build) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct metadata m = {0}, back = {0};
    struct buf printed = {0}, again = {0};
    struct err e = {0};

    check_wheel_name(text);
    if (!memchr(text.len ? text.p : "", '\0', text.len) && metadata_parse(&m, text, "x", &e) == 0) {
        print(&printed, &m);
        require(metadata_parse(&back, buf_view(&printed), "x", &e) == 0);
        print(&again, &back);
        require(str_eq(buf_view(&printed), buf_view(&again)));
    }
    err_clear(&e);
    metadata_clear(&m);
    metadata_clear(&back);
    buf_clear(&printed);
    buf_clear(&again);
    return 0;
}
