/* pkg/artifact.h - one file that goes into an image: what it is, where it comes from, how it is
 * known. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/digest.h"

enum ecosystem { ECO_DEB, ECO_WHEEL };

struct artifact {
    enum ecosystem eco;
    struct str name;      /* normalised: PEP 503 for wheels, the package name for debs */
    struct str version;   /* as its index writes it */
    struct str arch;      /* debs: "amd64" or "all"; wheels: empty */
    struct str file;      /* file name */
    struct str url;       /* absolute, https or http or file */
    struct str from;      /* the index or suite that named it, e.g. "bookworm-security/main" */
    struct str group;     /* debs: "base", "python", "compile", "apt"; wheels: "pip" */
    bool requested;       /* named by the recipe or the base layer, not only by a dependency */
    uint64_t size;        /* bytes */
    struct digest digest; /* SHA-256 of the file */
};
