/* look/packages.h - what package managers say is installed in an image, and which files are theirs.
 *
 * pip: *.dist-info (PyPA, "Recording installed projects") and egg-info in a site-packages or
 * dist-packages folder. conda: conda-meta/NAME-VERSION-BUILD.json. dpkg: status, status.d and
 * info/NAME.list. apk: lib/apk/db/installed. A file that two of them claim belongs to the first in
 * this order. A database that is damaged tells less, and is no error: the image may run all the
 * same.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../oci/rootfs.h"

enum package_manager { PACKAGE_PIP, PACKAGE_CONDA, PACKAGE_DPKG, PACKAGE_APK };

struct package {
    enum package_manager manager;
    struct str name, version; /* as written */
    struct str key;           /* the name, normalised (PEP 503) */
    struct str where;         /* pip: its site-packages folder; conda: its prefix; else empty */
    size_t files;             /* regular files that are in the image */
    uint64_t size;            /* bytes of them */
};

struct packages {
    struct VEC_OF(struct package *) list; /* sorted: manager, where, key */
    struct map owners;                    /* path to package */
    struct arena arena;
};

/* Texts live as long as `fs`. */
void packages_find(struct packages *out, const struct rootfs *fs);
void packages_clear(struct packages *p);

const char *package_manager_name(enum package_manager m); /* "pip", "dpkg" */
/* Whose file is it? NULL when nobody's. */
const struct package *packages_owner(const struct packages *p, struct str path);
/* The first package with that key, or, where `family`, one with "-cu11", "-cu12" ... behind it.
 * NULL when there is none. */
const struct package *packages_get(const struct packages *p, const char *key, bool family);
