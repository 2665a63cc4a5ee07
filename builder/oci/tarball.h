/* oci/tarball.h - images in one tar that is both an OCI layout and what `docker load` reads.
 *
 * In order: oci-layout, blobs/sha256/..., index.json, and (for Docker) manifest.json with the path
 * of the config, "name:tag" and the paths of the layers, which stay compressed. Headers carry one
 * time for all and no owner, so equal images give equal archives as long as blobs come in the same
 * order. Written beside its place under a temporary name, and renamed when whole.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "place.h"

enum tarball_kind {
    TARBALL_OCI,    /* oci-archive */
    TARBALL_DOCKER, /* docker-archive: manifest.json too; an image must have a name and a tag */
};

/* `mtime` (seconds since 1970) is written into every header. */
int tarball_create(struct place **out, const char *path, enum tarball_kind kind, int64_t mtime,
                   struct err *e) MUST_CHECK;
/* The same as a stream into `to`; sink_finish(to) is called at close. `release`, if not NULL, is
 * called when the place is freed, and by a failure here. */
int tarball_stream(struct place **out, struct sink *to, void (*release)(struct sink *to),
                   enum tarball_kind kind, int64_t mtime, struct err *e) MUST_CHECK;
/* Whoever reads the archive has this blob: it is left out, and as good as there. */
void tarball_leave_out(struct place *p, const struct digest *digest);
/* What stands before such a blob in an archive; behind it, tar_padding() of its size. For who puts
 * it there himself, having left it out here: then the archive need not be written to be known. */
int tarball_blob_head(struct buf *out, const struct digest *digest, uint64_t size, int64_t mtime,
                      struct err *e) MUST_CHECK;
