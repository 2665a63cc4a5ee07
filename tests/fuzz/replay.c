/* tests/fuzz/replay.c - run a fuzz target over files, for where there is no libFuzzer: each
 * argument is a file, or a folder whose files are all tried. A target that finds a fault aborts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/fs.h"
#include "base/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path, struct err *e)
{
    CLEANUP(buf_clear) struct buf bytes = {0};

    if (fs_read(&bytes, path, UINT64_C(64) << 20, e) < 0)
        return -1;
    LLVMFuzzerTestOneInput((const uint8_t *)(bytes.p ? bytes.p : ""), bytes.len);
    return 1;
}

static int replay(const char *path, struct err *e)
{
    CLEANUP(names_clear) struct names names = {0};
    struct err none = {0};
    int count = 0;

    if (fs_list(&names, path, &none) < 0) {
        err_clear(&none); /* no folder: a file */
        return replay_file(path, e);
    }
    for (size_t i = 0; i < names.n; i++) {
        CLEANUP(free_clear) char *below = path_join(path, names.v[i]);
        int n = replay_file(below, e);

        if (n < 0)
            return -1;
        count += n;
    }
    return count;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    int count = 0;

    for (int i = 1; i < argc; i++) {
        int n = replay(argv[i], &e);

        if (n < 0) {
            fprintf(stderr, "%s\n", e.msg);
            return 1;
        }
        count += n;
    }
    printf("%s: %d inputs replayed\n", argv[0], count);
    return count ? 0 : 1; /* an empty corpus tests nothing */
}
