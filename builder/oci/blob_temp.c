/* SPDX-License-Identifier: Apache-2.0 */
#include "blob_temp.h"

#include "../base/fs.h"

int blob_temp_open(struct place_blob *b, const char *dir, struct err *e)
{
    struct fs_temp *temp = xcalloc(1, sizeof *temp);

    if (fs_temp_open(temp, dir, e) < 0) {
        fs_temp_clear(temp);
        free(temp);
        return -1;
    }
    b->state = temp;
    return 0;
}

int blob_temp_write(struct place_blob *b, const void *bytes, size_t len, struct err *e)
{
    struct fs_temp *temp = b->state;

    return fd_write_all(temp->fd.n, bytes, len, temp->dir, e);
}

void blob_temp_clear(struct place_blob *b)
{
    fs_temp_clear(b->state);
    free(b->state);
}
