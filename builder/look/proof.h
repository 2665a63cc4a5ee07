/* look/proof.h - would everything in an image load? The rules of look/needs.h for each program and
 * library of it, and what Python adds to them:
 *
 * - A process that runs `import torch` loads the libraries of torch/lib and of nvidia/.../lib by
 *   their path before anything asks for them by name, so a module or library below the same
 *   site-packages finds them although the loader alone would not.
 * - A library without a path of its own (RPATH) may rest on that of the module that loads it. So
 * what programs and modules load is judged in their context, the rest on its own.
 * - All modules of one site-packages may meet in one process. There a name must always mean the
 *   same file: which of two is taken would hang on the order of imports.
 *
 * Libraries of the driver are the host's, and come into the container as far as the image's
 * NVIDIA_DRIVER_CAPABILITIES ask for them. Stubs, which are linked against and
 * never run, and files for other processors are passed over.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "layer_scan.h"
#include "needs.h"
#include "packages.h"

enum proof_kind {
    PROOF_MISSING,     /* `file` needs `name`, which is nowhere where it would be found */
    PROOF_VERSION,     /* `file` needs `version` of `name`, which `found` does not define */
    PROOF_INTERPRETER, /* the program's loader `name` is not there */
    PROOF_CAPABILITY,  /* `name` is the driver's, and the image's NVIDIA_DRIVER_CAPABILITIES,
                        * `found`,  do not bring it; `version` is what does */
    PROOF_TWO_FILES,   /* `name` is `found` for some modules, and `other` for `file` */
};
const char *proof_kind_name(enum proof_kind k); /* "missing-library" */

struct proof_finding {
    enum proof_kind kind;
    bool reached; /* `file` is a program or a Python module, or loaded by one; else a plug-in that
                   * something may ask for while it runs */
    struct str file, owner; /* who asks; whose package it is, or empty */
    struct str name, version, found, other;
};

struct proof_root {
    struct str path, owner; /* absolute */
    const struct elf *elf;
};

/* An image on paper; all-zero is empty. Texts and elfs are borrowed; paths as in a tar. */
struct proof {
    struct needs needs;
    struct arena arena;
    struct VEC_OF(struct proof_root) roots;
    struct str capabilities; /* of the driver; empty: what the tools bring without being asked */
    uint16_t machine;        /* of its programs; 0: not said, and all are looked at */
    struct map reached;      /* path to root */
    struct map owners;       /* path to root */
    struct map told;         /* findings, each once */
    struct VEC_OF(struct proof_finding) findings; /* sorted: reached first, kind, name, file */
    size_t checked;                               /* programs and libraries */
};

void proof_add_file(struct proof *p, struct str path, const struct elf *elf, struct str owner);
void proof_add_link(struct proof *p, struct str path, struct str target);
void proof_cached(struct proof *p, struct str name, struct str path);
/* The bytes of /etc/ld.so.cache. */
void proof_cache(struct proof *p, struct str bytes);
/* All of an image: files whose note is a struct scanned, and links; `packages` (may be NULL) knows
 * owners that no note tells. `env`: LD_LIBRARY_PATH and NVIDIA_DRIVER_CAPABILITIES count.
 * `architecture`: "amd64". */
void proof_image(struct proof *p, const struct rootfs *fs, const struct packages *packages,
                 const struct strs *env, struct str architecture);

int proof_run(struct proof *p, struct err *e) MUST_CHECK;
void proof_clear(struct proof *p);

/* "usr/bin/x (package y) needs libz.so.1, which is not in the image". */
void proof_words(struct buf *out, const struct proof_finding *f);
