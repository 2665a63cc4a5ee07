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

struct baselayer {
    struct doc doc; /* owns every text below */
    struct str name, arch;
    struct str sources, sources_path; /* what the image's apt asks, and the file that says so */
    unsigned glibc_major, glibc_minor;
    struct VEC_OF(struct base_archive) archives;
    struct str keyring; /* OpenPGP keys, binary; in the doc's arena */
    struct strs fingerprints;
    struct strs base, python, compile; /* package groups */
    struct str python_version;         /* "3.11" */
    struct str python_package;         /* whose version is the full one: "python3.11" */
};

/* Does a recipe's `base` name a file of the user's own? */
bool baselayer_is_path(struct str name);
/* `name` is one of the built-in bases or, with a "/" or ending in ".yaml", a path relative to
 * `dir`. `pos` is where the recipe names it; an unknown name lists those there are. */
int baselayer_open(struct baselayer *out, struct str name, const char *dir, const struct pos *pos,
                   struct err *e) MUST_CHECK;
void baselayer_clear(struct baselayer *b);

/* Append "; base: ubuntu-24.04 has it", or which Pythons the built-in bases have. */
void baselayer_offer_python(struct buf *words, struct str python);
