/* model/baselayer.h - a base: archives with their keys, package groups, and its Python.
 *
 * `base-layers/<name>.yaml`, built into the program; or a file of the user's own, named by a path.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/vec.h"
#include "../doc/node.h"

struct base_archive {
    struct str uri;
    struct strs suites, components;
};

struct base_library { /* a package whose library is in a wheel as well */
    struct str package, wheel;
    struct str file; /* in the wheel; its name is the library's soname */
};

struct base_toolkit {
    struct str cuda;        /* the release: "12.4.1" */
    struct strs components; /* of the base's archives, besides those that it asks anyway */
    struct strs packages;
    struct strs driver; /* packages that are of the host's driver */
    struct str sources; /* what the image's apt asks besides */
    struct VEC_OF(struct base_library) libraries;
};

struct baselayer {
    struct doc doc; /* owns every text below */
    struct str name, arch;
    struct str sources, sources_path; /* what the image's apt asks, and the file that says so */
    unsigned glibc_major, glibc_minor;
    struct VEC_OF(struct base_archive) archives;
    struct str keyring; /* a file that is built in, or its path: see baselayer_keyring() */
    struct strs fingerprints;
    struct strs base, python, compile, devel; /* package groups; `devel` may be empty */
    struct strs gcc;                          /* majors, the one of its package gcc first */
    struct base_toolkit toolkit;              /* its own CUDA toolkit; `cuda` is empty without */
    struct str python_version;                /* "3.11" */
    struct str python_package;                /* whose version is the full one: "python3.11" */
};

/* Is that file a base? */
bool baselayer_is_file(const char *path);
/* Does a recipe's `base` name a file of the user's own? */
bool baselayer_is_path(struct str name);
/* `name` is one of the built-in bases or, with a "/" or ending in ".yaml", a path relative to
 * `dir`. `pos` is where the recipe names it; an unknown name lists those there are. */
int baselayer_open(struct baselayer *out, struct str name, const char *dir, const struct pos *pos,
                   struct err *e) MUST_CHECK;
void baselayer_clear(struct baselayer *b);
/* Append the OpenPGP keys, binary, that sign its archives. A build from a lock needs none, so only
 * who asks an archive reads them. */
int baselayer_keyring(struct buf *out, const struct baselayer *b, struct err *e) MUST_CHECK;

/* Append "; base: ubuntu-24.04 has it", or which Pythons the built-in bases have. */
void baselayer_offer_python(struct buf *words, struct str python);
/* Append "; base: debian-12 or ubuntu-22.04 has one" of those with a gcc up to that major; nothing
 * when none has. */
void baselayer_offer_gcc(struct buf *words, uint32_t most);
/* Append "; base: debian-13 has that of CUDA 12.4.1" for the base whose own toolkit is of that
 * CUDA, all of them for an empty one; nothing when none is. */
void baselayer_offer_toolkit(struct buf *words, struct str cuda);
/* The built-in base whose own toolkit is of that CUDA; false when there is none. */
bool baselayer_with_toolkit(struct str *name, struct str cuda);
