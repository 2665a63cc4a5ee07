/* assemble/layer/file_hashes.h - the hash of a layer's tar, and each file in it against the hash
 * that its wheel's RECORD has, as the bytes pass.
 *
 * The writer tells where a file's bytes will stand before it writes them; another thread may be the
 * one that sees the bytes. So no file is read or inflated a second time.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../io/hash_pair.h"
#include "tree.h"

struct file_hashes {
    struct sink sink; /* takes the tar's bytes; ERR_INTEGRITY names the first file that differs */
    struct file_due *due;
    _Atomic size_t told; /* of `due`, set by the writer */
    size_t at;           /* of `due`, the one that comes next */
    uint64_t passed;     /* bytes so far */
    bool open;           /* due[at] has begun */
    struct hash_pair hashes;
};

/* For the files of `tree`, which must outlive it. */
void file_hashes_open(struct file_hashes *f, const struct tree *tree);
/* The bytes of `entry`, a file, begin at byte `start` of the tar. */
void file_hashes_tell(struct file_hashes *f, const struct entry *entry, uint64_t start);
/* The SHA-256 of all that passed. */
void file_hashes_finish(struct file_hashes *f, struct seen *out);
void file_hashes_clear(struct file_hashes *f);
