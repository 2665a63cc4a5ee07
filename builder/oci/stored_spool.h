/* oci/stored_spool.h - archives that cannot be read in place, put into a scratch file once: what is
 * compressed as a whole, and what an engine's own `save` writes.
 *
 * The file has no name and goes with its descriptor. It is as large as the plain archive; the
 * disk's end is ERR_SYSTEM.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/event.h"
#include "../base/fd.h"

struct registries;
/* What opening an image may need. */
struct stored_scratch {
    const char *dir; /* made when it is needed; borrowed, as all here */
    const struct events *events;
    struct registries *registries; /* NULL: no registry is asked. Must stay as long as the image */
};

/* Are these the first bytes of a tar, of at least one block? */
bool stored_spool_is_tar(const void *head);
/* What decompress.h undoes, and has a tar in it: else *out stays empty. `path` is for messages. */
int stored_spool_unpack(struct fd *out, int packed, const char *path,
                        const struct stored_scratch *scratch, struct err *e) MUST_CHECK;
/* `engine` is "docker" or "podman". ERR_SYSTEM tells its own words. */
int stored_spool_save(struct fd *out, const char *engine, const char *image,
                      const struct stored_scratch *scratch, struct err *e) MUST_CHECK;
