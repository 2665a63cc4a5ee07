/* SONAME PREFIX RESULT OUT HEADER...: writes a stub of what the headers declare, as images get it.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "assemble/toolkit/stub_library.h"
#include "assemble/toolkit/stub_names.h"
#include "base/fs.h"

static int make(char **argv, struct err *e)
{
    CLEANUP(stub_names_clear) struct stub_names names = {0};
    CLEANUP(arena_clear) struct arena texts = {0};
    CLEANUP(buf_clear) struct buf out = {0};
    struct strs headers = {0};
    uint32_t result = 0;

    for (char **path = argv + 5; *path; path++) {
        CLEANUP(buf_clear) struct buf text = {0};
        if (fs_read(&text, *path, STUB_HEADER_MAX, e) < 0)
            return -1;
        vec_add(&headers, arena_str(&texts, buf_view(&text)));
    }
    if (!str_u32(str_of(argv[3]), &result))
        return err_set(e, ERR_USAGE, "\"%s\" is not a number", argv[3]);
    int rc = stub_names_read(&names, str_of(argv[2]), &headers, e);
    vec_clear(&headers);
    if (rc < 0 ||
        stub_library(&out, str_of(argv[1]), &names.names, &names.texts, (int32_t)result, e) < 0)
        return -1;
    return fs_write(argv[4], buf_view(&out), e);
}

int main(int argc, char **argv)
{
    struct err e = {0};

    if (argc < 6) {
        fprintf(stderr, "usage: stub SONAME PREFIX RESULT OUT HEADER...\n");
        return 2;
    }
    if (make(argv, &e) < 0) {
        fprintf(stderr, "%s\n", e.msg);
        return (int)e.kind;
    }
    return 0;
}
