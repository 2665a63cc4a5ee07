/* store/cas.h - blobs kept by digest, shared by all runs on this machine.
 *
 * On disk: blobs/sha256/<64 hex>, as in OCI image-spec v1.1, image-layout.md, and partial/<64 hex>
 * for downloads that are under way or were cut. A blob appears under its name only when whole and
 * checked, so nobody ever sees half of one: its bytes are on the disk before the name is given. The
 * name itself may be lost by a power cut; then the blob is fetched or made again. Safe for many
 * threads and processes at once.
 *
 * Whoever has the store open uses it: by a shared lock on the file ".lock" nothing that he found
 * there is removed by store/gc.h until he closes it. A store that may only be read is fine for
 * whoever finds all in it.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <sys/stat.h>

#include "../base/digest.h"
#include "../base/fs.h"
#include "../io/crypto.h"
#include "../io/entry.h"
#include "../io/sink.h"

struct cas; /* opaque; cas_open to cas_clear; may be shared by threads */

/* Makes the folder `dir` and what belongs in it. Waits for who removes things there; `events` (may
 * be NULL) are told so. */
int cas_open(struct cas **out, const char *dir, const struct events *events,
             struct err *e) MUST_CHECK;
/* The file that is locked. Owned by the caller. */
char *cas_lock_path(const char *dir);
void cas_clear(struct cas **cas);

/* Is it on a disk, or of an owner, where this process may only read? What is here can be used all
 * the same. */
bool cas_is_read_only(const struct cas *cas);
/* Borrowed; the folder that was opened. */
const char *cas_dir(const struct cas *cas);

/* Is the blob here? `size` 0: of any size; else one of another size counts as absent. */
bool cas_has(const struct cas *cas, const struct digest *digest, uint64_t size);
/* Where the blob is or would be. Owned by the caller. */
char *cas_path(const struct cas *cas, const struct digest *digest);
/* Open a blob for reading; `name` is for messages, borrowed by `out`. Absent: ERR_SYSTEM. */
int cas_input(struct input *out, const struct cas *cas, const struct digest *digest,
              const char *name, struct err *e) MUST_CHECK;
void cas_input_clear(struct input *input);

/* Read a blob that is here, all of it. One with other bytes than its name says, by a fault of the
 * disk, is removed, so that it is fetched or made again: *right is false, as when it is absent. */
int cas_check(const struct cas *cas, const struct digest *digest, bool *right,
              struct err *e) MUST_CHECK;
/* Did this handle see the bytes of the blob, by putting, finishing or checking it? Then *out is the
 * evidence. */
bool cas_saw(const struct cas *cas, const struct digest *digest, struct seen *out);

/* A blob being written. */
struct cas_put {
    struct sink sink;      /* write here; sink_finish() publishes the blob, instead of one there */
    struct digest digest;  /* SHA-256 of what was written; valid after finish */
    struct seen seen;      /* the same as evidence */
    struct stat written;   /* the file, before it got its name; valid after finish */
    uint64_t size;         /* bytes; valid after finish */
    const struct cas *cas; /* borrowed */
    struct digest expect;  /* all-zero: any */
    uint64_t limit;
    struct hash hash;
    struct fs_temp temp;
};

/* Begin a blob of at most `limit` bytes. Without sink_finish() nothing stays on disk. If `expect`
 * is not NULL, finish fails with ERR_INTEGRITY on any other digest. Do not move the struct. */
int cas_put_open(struct cas_put *put, const struct cas *cas, const struct digest *expect,
                 uint64_t limit, struct err *e) MUST_CHECK;
void cas_put_clear(struct cas_put *put);
/* A blob at hand, in memory. `out` (may be NULL) becomes its digest. */
int cas_put_bytes(const struct cas *cas, struct str bytes, struct digest *out,
                  struct err *e) MUST_CHECK;

/* Bytes at hand of a download that was cut, or is under way. */
uint64_t cas_partial_size(const struct cas *cas, const struct digest *digest);
/* A download that survives being killed. One process at a time holds it, by a lock on the file. */
struct cas_partial {
    const struct cas *cas; /* borrowed */
    struct digest digest;  /* what it shall become */
    struct fd fd;          /* holds the lock */
    char *path;            /* owned */
    uint64_t size;         /* bytes at hand */
    struct hash hash;      /* over these bytes */
};

enum cas_claim {
    CAS_MINE, /* opened and locked; the bytes at hand are hashed */
    CAS_HERE, /* nothing to do: the blob is whole in the store */
    CAS_BUSY, /* another process is fetching it: ask again later */
};

/* *out is set only for CAS_MINE. Never waits for another process. */
int cas_partial_open(struct cas_partial *out, enum cas_claim *claim, const struct cas *cas,
                     const struct digest *digest, struct err *e) MUST_CHECK;
int cas_partial_write(struct cas_partial *p, const void *bytes, size_t len,
                      struct err *e) MUST_CHECK;
/* Keep the first `size` bytes; hashes them anew unless size is 0 or all. */
int cas_partial_cut(struct cas_partial *p, uint64_t size, struct err *e) MUST_CHECK;
/* Everything is there: publish when the digest is right; else ERR_INTEGRITY, the bytes are dropped
 * (size 0) and the lock is kept for another try. `got` (may be NULL) is the digest found. */
int cas_partial_finish(struct cas_partial *p, struct digest *got, struct err *e) MUST_CHECK;
/* Everything is there, and nobody said what it shall be: publish it under the digest that it has,
 * which `got` becomes. */
int cas_partial_keep(struct cas_partial *p, struct digest *got, struct err *e) MUST_CHECK;
/* Lets go; the bytes stay for the next run. */
void cas_partial_clear(struct cas_partial *p);

/* Remove temporary files that a killed run left: their process is gone and they are over an hour
 * old (the process may live where we cannot see it). What cannot be removed stays. *removed may be
 * NULL. */
int cas_sweep(const struct cas *cas, size_t *removed, struct err *e) MUST_CHECK;
