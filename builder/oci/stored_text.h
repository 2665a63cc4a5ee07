/* oci/stored_text.h - how a stored image is written: its place, a tag, a digest. See stored.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/digest.h"
#include "../base/err.h"

struct stored_text {
    bool archive; /* says the prefix */
    bool any;     /* to look into: less is asked of it */
    bool bare;    /* no prefix says what it is */
    struct str path, tag;
    struct digest digest; /* all-zero when left out */
};

/* Views into `text`. Without `any` only "oci:" and "oci-archive:" will do. ERR_INPUT. */
int stored_text_parse(struct stored_text *out, struct str text, bool any, struct err *e) MUST_CHECK;
