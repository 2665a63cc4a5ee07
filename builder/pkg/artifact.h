/* pkg/artifact.h - one file that goes into an image: what it is, where it comes from, how it is
 * known. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/digest.h"
#include "../base/vec.h"

enum ecosystem { ECO_DEB, ECO_WHEEL, ECO_REDIST };

struct artifact_extra { /* what one more name in brackets brings */
    struct str name;    /* "http", or "a,b" where one asks for both */
    struct strs needs;  /* as the artifact's own */
};

struct artifact {
    enum ecosystem eco;
    struct str name;      /* normalised: PEP 503 for wheels, the package name for debs, the
                             component for NVIDIA's redistributable archives */
    struct str version;   /* as its index writes it */
    struct str arch;      /* debs: "amd64" or "all"; others: empty */
    struct str file;      /* file name */
    struct str url;       /* absolute, https or http or file */
    struct str from;      /* the index, suite or manifest that named it, e.g.
                             "bookworm-security/main" */
    struct str group;     /* debs: "base", "python", "apt", "locales", "compile", "toolkit"; wheels:
                             "pip"; redist:     "toolkit" */
    bool requested;       /* named by the recipe or the base layer, not only by a dependency */
    uint64_t size;        /* bytes */
    struct digest digest; /* SHA-256 of the file */
    /* Of wheels, all-zero in locks of schema 3 and older; these arrays are in the arena of who has
     * the artifact. */
    struct strs needs; /* what it needs, sorted: "numpy", "fsspec[http]" */
    struct VEC_OF(struct artifact_extra) extras; /* sorted; those that bring something */
    uint32_t turn; /* in which pip would install it: from 1, and what it needs before it; wheels of
                      one turn by name, the last first */
};
struct artifacts VEC_OF(struct artifact);
