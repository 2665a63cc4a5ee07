/* out/bundle.h - images in a folder for those without a network: a USB stick; or in a tar of one.
 *
 * README.html, load.sh, load.ps1 with load.cmd, the archive that docker, podman and containerd load
 * (oci/tarball.h) as image.tar, or in parts image.tar.001 and so on where it is larger than a file
 * of that disk may be, recipes and locks. SHA256SUMS, which names all of them, is written last: a
 * folder without it is incomplete.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../oci/place.h"
#include "../oci/stored.h"

#define BUNDLE_PART_MAX UINT64_C(4294967295) /* of FAT32: bytes */

struct bundle_image {
    const struct stored *from; /* borrowed */
    struct image_name name;
};

struct bundle_text { /* a file beside the images */
    const char *name;
    struct str text;
};

struct bundling {
    struct VEC_OF(struct bundle_image) images; /* at least one; the folder goes by the first */
    struct VEC_OF(struct bundle_text) texts;
    uint64_t part; /* bytes of a file, at most */
    unsigned jobs; /* layers at once */
    const struct events *events;
};

void bundling_clear(struct bundling *b);
/* Bytes of all layers and configs, those that images share once. */
uint64_t bundle_size(const struct bundling *b);
/* A folder, which is made, or one that an earlier bundle is in; or with ".tar" at its end a file,
 * which is there when it is whole. ERR_INPUT where a folder holds other things. */
int bundle_write(const char *path, const struct bundling *b, struct err *e) MUST_CHECK;
