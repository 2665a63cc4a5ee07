/* C headers: whatever comes in, the names are sorted ones that a stub can be made of, and a header
 * that declares them and no more reads as the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include "assemble/toolkit/stub_library.h"
#include "assemble/toolkit/stub_names.h"

static bool read_names(struct stub_names *out, struct str header)
{
    CLEANUP(err_clear) struct err e = {0};
    struct strs headers = {&header, 1, 1};

    if (stub_names_read(out, STR("cu"), &headers, &e) == 0)
        return true;
    assert(err_is_set(&e) && e.kind == ERR_INPUT && !out->names.n && !out->texts.n);
    return false;
}

static bool is_text(const struct stub_names *names, struct str name)
{
    return names->texts.n &&
           bsearch(&name, names->texts.v, names->texts.n, sizeof name, str_compare);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(stub_names_clear) struct stub_names names = {0}, again = {0};
    CLEANUP(buf_clear) struct buf printed = {0}, library = {0};
    CLEANUP(err_clear) struct err e = {0};

    if (!read_names(&names, (struct str){(const char *)data, size}))
        return 0;
    assert(stub_library(&library, STR("libcuda.so.1"), &names.names, &names.texts, 34, &e) == 0);
    for (size_t i = 0; i < names.names.n; i++)
        buf_fmt(&printed, "%s " STR_FMT "(void);\n",
                is_text(&names, names.names.v[i]) ? "char *" : "int", STR_ARG(names.names.v[i]));
    assert(read_names(&again, buf_view(&printed)));
    assert(again.names.n == names.names.n && again.texts.n == names.texts.n);
    for (size_t i = 0; i < names.names.n; i++)
        assert(str_eq(again.names.v[i], names.names.v[i]));
    return 0;
}
