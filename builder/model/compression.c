/* SPDX-License-Identifier: Apache-2.0 */
#include "compression.h"

static const char *const names[] = {COMPRESSION_NAMES};

const char *compression_name(enum compression c)
{
    return names[c];
}

bool compression_is(enum compression *out, struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_is(name, names[i])) {
            *out = (enum compression)i;
            return true;
        }
    return false;
}

enum compression lock_compression(const struct lock *lock)
{
    const struct node *asked = node_get(lock->recipe, "compression");
    enum compression c = COMPRESSION_GZIP;

    if (asked)
        (void)compression_is(&c, asked->text);
    return c;
}

bool compression_is_zstd(enum compression c)
{
    return c == COMPRESSION_ZSTD || c == COMPRESSION_CHUNKED;
}
