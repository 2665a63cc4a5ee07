/* oci/stored_text.h - how a stored image is written: its place, a tag, a digest. See stored.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/digest.h"
#include "../base/err.h"

enum stored_form {
    STORED_BARE,     /* no prefix says what it is */
    STORED_LAYOUT,   /* oci: */
    STORED_ARCHIVE,  /* oci-archive:, docker-archive: */
    STORED_FOLDER,   /* dir: */
    STORED_REGISTRY, /* docker://, and `path` is a reference */
    STORED_DOCKER,   /* docker:, and `path` is the image's name */
    STORED_PODMAN,
};

struct stored_text {
    enum stored_form form;
    bool any; /* to look into: less is asked of it */
    struct str path, tag;
    struct digest digest; /* all-zero when left out */
};

/* Takes the prefix off. */
enum stored_form stored_text_form(struct str *text, bool any);
/* Views into `text`. Without `any` only "oci:", "oci-archive:", "dir:" and "docker://" will
 * do. ERR_INPUT. */
int stored_text_parse(struct stored_text *out, struct str text, bool any, struct err *e) MUST_CHECK;
