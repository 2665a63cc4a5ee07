/* SPDX-License-Identifier: Apache-2.0 */
#include "wheel_paths.h"

#include "../../base/buf.h"
#include "../../io/crypto.h"

static uint64_t print_of(const struct entry *file)
{
    const struct content *c = &file->content;
    CLEANUP(buf_clear) struct buf text = {0};
    struct digest digest;
    uint64_t print;

    buf_fmt(&text, "%o %llu ", file->mode, (unsigned long long)c->size);
    if (c->kind == CONTENT_BYTES) {
        hash_bytes(&digest, c->bytes, c->size);
        buf_str(&text, (struct str){(const char *)digest.bytes, sizeof digest.bytes});
    } else if (c->hash.len) {
        buf_str(&text, c->hash);
    } else {
        buf_fmt(&text, "%08x", c->crc);
    }
    hash_bytes(&digest, text.p, text.len);
    memcpy(&print, digest.bytes, sizeof print);
    return print;
}

void wheel_paths_add(struct wheel_paths *p, const struct entry *file)
{
    vec_add(&p->list, ((struct wheel_path){arena_str(&p->arena, file->path), print_of(file)}));
}

void wheel_paths_clear(struct wheel_paths *p)
{
    vec_clear(&p->list);
    arena_clear(&p->arena);
}
