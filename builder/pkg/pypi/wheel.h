/* pkg/pypi/wheel.h - what stands in a wheel: PyPA binary-distribution-format,
 * recording-installed-packages and entry-points.
 *
 * Everything that decides where files go is read and checked here; placing them is assemble's.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/map.h"
#include "../../io/inflate.h"
#include "../../io/zip.h"

enum wheel_scheme {
    SCHEME_SITE,    /* purelib and platlib: one folder for us */
    SCHEME_SCRIPTS, /* bin; `#!python` lines are rewritten */
    SCHEME_HEADERS,
    SCHEME_DATA, /* the prefix itself */
};

struct wheel_file {
    const struct zip_entry *entry;
    enum wheel_scheme scheme;
    struct str path;         /* within the scheme */
    struct str hash, length; /* of its line in RECORD, e.g. "sha256=…"; empty for RECORD itself */
    struct content content;  /* of the entry, with the bytes that `hash` stands for */
};

struct wheel_script { /* of [console_scripts] and [gui_scripts] */
    struct str name, module, function;
};

struct wheel {
    struct zip zip;
    struct str dist_info;                   /* "torch-2.6.0.dist-info" */
    struct VEC_OF(struct wheel_file) files; /* folders left out; in the order of the zip */
    struct VEC_OF(struct wheel_script) scripts;
    struct arena arena;
    struct VEC_OF(char *) texts; /* owned: RECORD, entry_points.txt, METADATA */
};

/* Open a wheel of project `name` (normalised), version `version`. ERR_INPUT when it is another
 * project's, not a wheel of major version 1, or RECORD does not name every file with a hash:
 * SHA-256, -384 or -512. Signatures and RECORD itself have none. Whether a file hashes so is judged
 * by who reads it. */
int wheel_open(struct wheel *out, const struct input *input, struct str name, struct str version,
               struct inflater *inflater, struct err *e) MUST_CHECK;
/* Its METADATA; lives as long as the wheel. */
int wheel_metadata(struct str *out, struct wheel *w, struct inflater *inflater,
                   struct err *e) MUST_CHECK;
void wheel_clear(struct wheel *w);
