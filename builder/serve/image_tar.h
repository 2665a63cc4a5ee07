/* serve/image_tar.h - an image as the docker-archive that oci/tarball.h would write, without
 * writing it: pieces of text, and between them the layers' own files. So its length is known, and
 * any range of it can be had. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "httpd.h"
#include "shelf.h"

/* `have` are an image's layers, lowest first, each by its digest or diff_id. As many as this one
 * begins with are left out: Docker's classic store finds a layer again by itself and all below it,
 * in their order. *size is of the whole. */
int image_tar_answer(struct httpd_answer *out, uint64_t *size, const struct shelf *shelf,
                     struct str name, const struct shelf_tag *tag, const struct strs *have,
                     struct err *e) MUST_CHECK;
/* Bytes of the whole archive, with all layers. */
int image_tar_size(uint64_t *size, const struct shelf *shelf, struct str name,
                   const struct shelf_tag *tag, struct err *e) MUST_CHECK;
/* Of what it is put together: "1536 4096@<hex> 2048", bytes, and of a layer its digest. */
int image_tar_pieces(struct buf *out, const struct shelf *shelf, struct str name,
                     const struct shelf_tag *tag, struct err *e) MUST_CHECK;
