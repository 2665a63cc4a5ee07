/* oci/registry_place.h - a repository of a registry as a place: blobs are sent as they are made,
 * many at once, and a blob that the registry has in this or another repository is not sent.
 *
 * Manifests go by their digest, then tags, each by one PUT. A tag that is the same already stays
 * alone. Abandoned blobs are ended at the registry too.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "place.h"
#include "registry.h"

/* Another repository of the same registry that may have blobs of ours. */
struct registry_mount {
    struct str repository;
    const struct descriptors *blobs; /* those that it is known to have; NULL: it is asked for all */
};
struct registry_mounts VEC_OF(struct registry_mount);

/* All is borrowed until the place is freed. `events` are told of the bytes of named blobs. */
void registry_place_open(struct place **out, struct registry *r,
                         const struct registry_mounts *mounts, const struct events *events);
