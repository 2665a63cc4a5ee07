/* look/inspect.h - what is in an image, whoever made it, read from its layers alone.
 *
 * Each layer passes once, several at a time; files that a later layer deletes or replaces do not
 * count. What an image's labels say is not asked here: this is what is found.
 *
 * A registry is asked for whole layers and not for ranges of them: nobody can begin in the middle
 * of a gzip or zstd stream, and libraries, whose bytes are looked at, are most of a layer. Where
 * labels will do nothing is read but manifest and config: `envbuild check` of an image of ours of
 * 10 MB reads 5 kB.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/event.h"
#include "../model/catalog.h"
#include "../model/lock.h"
#include "layer_scan.h"
#include "packages.h"
#include "proof.h"
#include "scan_memo.h"

struct inspect_layer {
    struct digest digest; /* of the blob; of the plain tar where the place keeps no other */
    struct str made_by;   /* its line of the history */
    uint64_t size;        /* bytes of the blob */
    uint64_t plain;       /* bytes of its files */
    size_t files;         /* regular ones */
};

/* A library with device code. */
struct inspect_code {
    struct str path;
    uint64_t size;
    const struct package *package; /* NULL: nobody's */
    const struct fatbin_list *list;
    struct str machine; /* "8.0 8.6 9.0": what it was compiled for */
    struct str whole;   /* those of them that have at least half of the most entries */
    struct str some;    /* "9.0a": only single kernels, by a twentieth of the most entries */
    struct str ptx;     /* "9.0" */
};

/* A library of NVIDIA's, as a file. */
struct inspect_library {
    struct str name; /* "libcudart" */
    struct str path, soname;
    struct str version; /* of its package, of its name, or empty */
    uint64_t size;
    const struct package *package;
};

/* A Python interpreter, or a compiler. */
struct inspect_program {
    struct str path, version;
};

/* A PyTorch; `version` and `cuda` are what torch.__version__ and torch.version.cuda say. */
struct inspect_torch {
    struct str where; /* its site-packages folder */
    struct str version, cuda, hip;
};

struct inspection {
    const struct stored *image; /* borrowed */
    struct layer_scan *scans;   /* owned; one a layer */
    size_t scans_n;
    struct rootfs fs;
    struct packages packages;
    struct arena arena;

    struct str system; /* "Debian GNU/Linux 12 (bookworm)"; empty: it does not say */
    struct str glibc;  /* "2.36"; empty: it has none */
    struct VEC_OF(struct inspect_program) pythons; /* the first is what PATH finds */
    struct VEC_OF(struct inspect_program) nvccs;
    struct VEC_OF(struct inspect_torch) torches;     /* the first is of the first Python */
    struct VEC_OF(struct inspect_library) libraries; /* sorted: name, path */
    struct VEC_OF(struct inspect_code) codes;        /* the largest first */
    struct VEC_OF(struct inspect_layer) layers;      /* bottom first */
    struct strs drivers;  /* libraries of the driver that are in the image */
    uint64_t size, plain; /* of all layers; of all files that are left */
    size_t files;
    uint64_t unowned; /* bytes of files of no package */

    struct facts facts; /* what it needs, derived from what was found */
};

/* `image` must outlive the result. A layer that is a file of its own, known to be what its name
 * says, is not read again where `memory` has what it tells. `scratch_dir`: where scratch files may
 * stand, a few MiB for each job. Blobs are held against their digests: ERR_INTEGRITY. */
int inspect(struct inspection *out, const struct stored *image, const struct catalog *catalog,
            const struct scan_memory *memory, const char *scratch_dir, unsigned jobs,
            struct err *e) MUST_CHECK;
void inspection_clear(struct inspection *i);
/* Would everything in it load? */
int inspection_prove(struct proof *out, const struct inspection *in, struct err *e) MUST_CHECK;
