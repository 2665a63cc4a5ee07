/* pkg/artifact.h - one file that goes into an image: what it is, where it comes from, how it is
 * known. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/digest.h"
#include "../base/vec.h"

/* Group of a wheel that a build requires and finds in its root, in a layer of its own: torch and
 * what that needs. The others are installed for the build. */
#define ARTIFACT_OF_ROOT "root"

/* Group of the wheel of the recipe's own project, whose layer stands above all other wheels. */
#define ARTIFACT_OF_PROJECT "project"

enum { ARTIFACT_SHORT = 12 }; /* hex digits */

enum ecosystem { ECO_DEB, ECO_WHEEL, ECO_REDIST, ECO_DOWNLOAD };

struct artifact_extra { /* what one more name in brackets brings */
    struct str name;    /* "http", or "a,b" where one asks for both */
    struct strs needs;  /* as the artifact's own */
};

/* A file that a build reads. */
struct artifact_file {
    struct str file, url; /* as an artifact's */
    uint64_t size;
    struct digest digest;
};

/* What a wheel is made from, and how. All arrays are in the arena of who has the artifact. */
struct artifact_source {
    struct artifact_file sdist;
    /* Of a git repository, else empty: its `url` is "git+...", its bytes what fetch/git.h makes. */
    struct str commit; /* 40 hexadecimal digits */
    struct strs tags;  /* that the build sees, sorted */
    struct str folder; /* in it, where the project stands; empty: the top */
    struct strs root;  /* groups of the system that it is built in, as lock_group has them; first
                          of all the digest of the image that is the base, if one is */
    struct artifact *requires; /* wheels that the build needs: all, by name */
    size_t requires_n;
    bool isolated;        /* false: as the recipe says, with packages of the image among them */
    struct strs env;      /* "NAME=value", of the recipe */
    struct strs settings; /* "name=value", for the backend */
    struct strs archs;    /* of the GPU: "8.0", "9.0+PTX" */
    struct strs expect;   /* modules that the wheel must have */
    struct str abi; /* of one that was built with torch: "torch2.6.0cxx11abiFALSE"; the folder below
                       "wheels" that it has when it is handed on. Empty: none, or not built */
    struct strs made; /* files of the wheel that was built, in cmd/rebuilt.h's form; mostly there */
    struct artifact_file *files;
    size_t files_n;
};

/* Where a download goes in the image. */
struct artifact_place {
    struct str to; /* absolute; a trailing "/" means "into" */
    bool unpack;   /* it is an archive, and `to` the folder for what is in it */
    uint32_t uid, gid;
    uint32_t mode; /* of its files; 0: 0755 where it has an x bit, else 0644 */
};

struct artifact {
    enum ecosystem eco;
    struct str name;      /* normalised: PEP 503 for wheels, the package name for debs, the
                             component for NVIDIA's redistributable archives, what the
                             recipe calls a download */
    struct str version;   /* as its index writes it; of a download ARTIFACT_SHORT hex digits of
                             its digest */
    struct str arch;      /* debs: "amd64" or "all"; others: empty */
    struct str file;      /* file name */
    struct str url;       /* absolute, https or http or file */
    struct str from;      /* the index, suite or manifest that named it, e.g.
                             "bookworm-security/main" */
    struct str group;     /* debs: "base", "python", "apt", "locales", "compile", "toolkit"; wheels:
                             "pip"; redist: "toolkit"; of what a build requires:
                             ARTIFACT_OF_ROOT or empty */
    bool requested;       /* named by the recipe or the base layer, not only by a dependency */
    uint64_t size;        /* bytes */
    struct digest digest; /* SHA-256 of the file */
    /* Of wheels, all-zero in locks of schema 3 and older; these arrays are in the arena of who has
     * the artifact. */
    struct strs needs; /* what it needs, sorted: "numpy", "fsspec[http]" */
    struct VEC_OF(struct artifact_extra) extras; /* sorted; those that bring something */
    uint32_t turn; /* in which pip would install it: from 1, and what it needs before it; wheels of
                      one turn by name, the last first */
    /* Of a wheel that is made from source, else NULL: `url` is empty, and so are `file`, `size` and
     * `digest` until it was built. */
    const struct artifact_source *source;
    const struct artifact_place *place; /* of a download, else NULL; in the same arena */
};
struct artifacts VEC_OF(struct artifact);

/* Bytes that have to be fetched for it. */
static inline uint64_t artifact_download(const struct artifact *a)
{
    return a->source ? a->source->sdist.size : a->size;
}

static inline bool artifact_is_project(const struct artifact *a)
{
    return a->eco == ECO_WHEEL && a->source && str_is(a->group, ARTIFACT_OF_PROJECT);
}

/* The same file, or made from the same one. */
static inline bool artifact_is_same(const struct artifact *a, const struct artifact *b)
{
    if (a->source && b->source)
        return digest_eq(&a->source->sdist.digest, &b->source->sdist.digest);
    return !a->source && !b->source && digest_eq(&a->digest, &b->digest);
}
