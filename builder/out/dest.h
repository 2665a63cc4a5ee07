/* out/dest.h - what `-o` means.
 *
 *     oci:DIR[:[NAME:]TAG]              a layout, shared by many images
 *     oci-archive:FILE[:[NAME:]TAG]     a layout in a tar
 *     dir:DIR                           a folder as skopeo has it, for one image
 *     docker-archive:FILE[:NAME[:TAG]]  the same, and what `docker load` reads; FILE "-" is
 *                                       standard output
 *     docker://[HOST/]NAME[:TAG]        push to a registry
 *     docker:[NAME[:TAG]]               load into Docker
 *     podman:[NAME[:TAG]]               load into Podman
 *     -                                 docker-archive:-
 *
 * Behind any of them ",compression=WORD" asks for another compression of the layers than the
 * recipe's (model/compression.h). What is behind the first colon means what it means to skopeo. An
 * image that was given no name in a layout is called NAME:TAG of its recipe, so that recipes share
 * a layout.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../model/lock.h"
#include "../oci/layer_cache.h"
#include "../oci/registries.h"
#include "../oci/registry_place.h"
#include "../oci/stored.h"
#include "../store/blob_file.h"

enum dest_kind {
    DEST_LAYOUT,
    DEST_OCI_ARCHIVE,
    DEST_FOLDER,
    DEST_DOCKER_ARCHIVE,
    DEST_REGISTRY,
    DEST_DOCKER,
    DEST_PODMAN,
};

struct dest {
    enum dest_kind kind;
    char *path;      /* owned; folder or file, NULL for standard output, registries and loads */
    char *name;      /* owned; repository that the user named, else NULL */
    char *tag;       /* owned; tag that the user named, else NULL */
    bool compressed; /* the user asked for a compression, which is: */
    enum compression compression;
    char *layout_tag; /* owned; "name:tag" in a layout where that is not `tag`, else NULL */
    struct registry_mounts mounts; /* filled in by dest_open() */
};

/* What places need to be opened. All is borrowed until the place is freed. */
struct dest_ways {
    int64_t mtime;                  /* for the headers of archives */
    const struct blob_files *files; /* how what a layout holds already is checked, and who is told
                                       of it all */
    struct registries *registries;  /* NULL: none is asked */
    const struct strs *mount_from;  /* repositories of the registry that may have our blobs */
    const struct stored *base;      /* an image that we share layers with; NULL: none */
    const struct layer_caches *caches; /* those of the same registry may have ours; NULL: none */
};

/* ERR_USAGE names the forms there are. */
int dest_parse(struct dest *out, const char *text, struct err *e) MUST_CHECK;
void dest_clear(struct dest *d);
/* The forms of the image that go there: what the user asked for, else the recipe's, of which some
 * places hold the first alone. */
struct compressions dest_forms(const struct dest *d, const struct lock *lock);
/* Is standard output taken by the image? */
bool dest_is_stdout(const struct dest *d);

/* The place, which is freed before `d` is. */
int dest_open(struct place **out, struct dest *d, const struct dest_ways *ways,
              struct err *e) MUST_CHECK;
/* Layers of the lock that the engine has, because an image of that name there has them too, are not
 * loaded again. Only those from the bottom up, as layers are found there. */
void dest_leave_out(const struct dest *d, struct place *place, const struct image_name *name,
                    const struct lock *lock, const struct events *events);
/* What the image is called there: what the user wrote, else the recipe's `repository` and `tag`.
 * Borrowed from its arguments. */
struct image_name dest_image_name(struct dest *d, struct str repository, struct str tag);
/* Before anything is made: may the image get that name there? See layout_check_name(). */
int dest_check_name(const struct dest *d, const struct image_name *name, struct err *e) MUST_CHECK;
/* As stored.h and other tools take it: "oci:images:pytorch:2.6.0-…", "docker-archive:x.tar",
 * "docker://HOST/NAME:TAG", "pytorch:2.6.0-…". */
void dest_print(const struct dest *d, const struct image_name *name, struct buf *out);
/* The same of an image that was put there; of a registry its reference by digest,
 * "HOST/NAME@sha256:…". */
void dest_print_put(const struct dest *d, const struct image_name *name,
                    const struct digest *digest, struct buf *out);
