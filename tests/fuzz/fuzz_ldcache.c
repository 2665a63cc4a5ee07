/* ld.so.cache: whatever is read of one can be written, and what is written reads back: the same
 * libraries, and the same bytes again. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include "pkg/elf/ldcache.h"

static bool has(const struct ldcache_libs *all, const struct ldcache_lib *lib)
{
    const struct ldcache_lib *l;

    vec_each(l, all)
        if (str_eq(l->soname, lib->soname) && str_eq(l->path, lib->path) &&
            l->os_version == lib->os_version)
            return true;
    return false;
}

static void write_cache(struct buf *out, const struct ldcache_libs *libs)
{
    CLEANUP(err_clear) struct err e = {0};

    assert(ldcache_write(out, libs, &(struct strs){0}, STR("fuzz"), &e) == 0); /* not too much */
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP(buf_clear) struct buf first = {0}, second = {0};
    struct ldcache_libs libs = {0}, again = {0};
    const struct ldcache_lib *lib;

    if (!ldcache_read(&libs, (struct str){(const char *)bytes, len})) {
        assert(!libs.n);
        return 0;
    }
    write_cache(&first, &libs);
    assert(ldcache_read(&again, buf_view(&first)) && again.n == libs.n);
    vec_each(lib, &libs)
        assert(has(&again, lib));
    write_cache(&second, &again);
    assert(str_eq(buf_view(&first), buf_view(&second)));
    vec_clear(&libs);
    vec_clear(&again);
    return 0;
}
