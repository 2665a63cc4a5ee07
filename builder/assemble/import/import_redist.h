/* assemble/import/import_redist.h - one of NVIDIA's redistributable archives, unpacked into a
 * scratch file and a list of what it puts into a toolkit's folder.
 *
 * An archive is a tar.xz with one folder at its top, <component>-<platform>-<version>[_<variant>]-
 * archive. What is in it goes where /usr/local/cuda has it: rules[] in the source says which parts
 * move and which, being documentation and samples, stay behind. All is root's; files are 0644 or,
 * where anybody may execute them, 0755, folders 0755; times are the archive's.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/arena.h"
#include "../../base/vec.h"
#include "../../io/spool.h"

/* Smaller ones are not worth a link in their place. */
#define REDIST_LIB_MIN (UINT64_C(1) << 20)

/* A shared library, lib*.so*, of at least REDIST_LIB_MIN bytes; not a link to one. */
struct redist_lib {
    struct str path; /* of its entry */
    uint64_t size;
    struct digest digest; /* SHA-256 of the file */
};

struct redist_pkg {
    struct str name, version; /* "cuda_cudart", "12.4.127" */
    /* Sorted as by tree_sort(), every folder before what is in it; paths relative to the toolkit's
     * folder, which has no entry itself. */
    struct VEC_OF(struct entry) entries;
    struct VEC_OF(struct redist_lib) libs; /* in the order of entries */
    int64_t newest;                        /* of all entries; 0 when there are none */
    struct arena arena;                    /* all texts and small contents */
};

/* ERR_INPUT for what is no such archive: see tar_read.h; other things at its top, links that lead out
 * of it, two files that would stand at one path. `archive` may be closed afterwards, `component`
 * and `version` freed; `spool` must outlive the record. Safe to call from several threads on one
 * spool. */
int import_redist(struct redist_pkg *out, struct spool *spool, const struct input *archive,
                  struct str component, struct str version, struct err *e) MUST_CHECK;
void redist_pkg_clear(struct redist_pkg *p);
