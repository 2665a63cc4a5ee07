/* look/needs.h - would the loader find everything? A proof on paper: nothing runs, nothing is read
 * but what elf_read() said of each file.
 *
 * The rules are those of glibc's ld.so(8) for one program, or one library that somebody opens:
 * a name that is loaded already is taken as it is; then RPATH of who asks and of who loaded that
 * (only while who asks has no RUNPATH), LD_LIBRARY_PATH, RUNPATH of who asks, /etc/ld.so.cache, the
 * default directories. Versions are checked as the loader does: a library without
 * version definitions satisfies any, a weak need any library. Of a file's tokens $ORIGIN is
 * expanded; a directory with another one is passed over. Not looked at: glibc-hwcaps directories,
 * single symbols, what dlopen() asks for later.
 *
 * Paths are absolute in the tree that is judged, and links are followed in it, never outside.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/map.h"
#include "../pkg/elf/elf.h"

/* The tree; all-zero is empty. Texts and files are borrowed and must outlive it. */
struct needs {
    struct map files, links; /* by path */
    struct arena arena;
    struct map cache;         /* of /etc/ld.so.cache: name to path */
    struct strs library_path; /* of LD_LIBRARY_PATH, in order */
    struct map sonames;       /* name to the first path that has it */
};
void needs_add_file(struct needs *n, struct str path, const struct elf *elf);
void needs_add_link(struct needs *n, struct str path, struct str target);
/* An entry of /etc/ld.so.cache; the first of a name counts. */
void needs_add_cached(struct needs *n, struct str name, struct str path);
void needs_clear(struct needs *n);

enum needs_kind {
    NEEDS_MISSING,     /* `name` is nowhere where the loader looks */
    NEEDS_VERSION,     /* `found` does not define `version`, which `file` wants of `name` */
    NEEDS_INTERPRETER, /* the program's loader `name` is not there */
    NEEDS_DRIVER,      /* `name` belongs to the driver, which the host brings */
};

struct needs_finding {
    enum needs_kind kind;
    struct str file;    /* who asks */
    struct str name;    /* for what */
    struct str version; /* NEEDS_VERSION */
    struct str found;   /* NEEDS_VERSION: where `name` is; NEEDS_MISSING: a place in the tree where
                         * the loader does not look but a file of that name lies, or empty */
};

struct needs_loaded {
    struct str name; /* as it was asked for */
    struct str path; /* the file, links followed */
};

struct needs_findings {
    struct arena arena;
    struct VEC_OF(struct needs_finding) v;     /* in the order of loading */
    struct VEC_OF(struct needs_loaded) loaded; /* files, the root first */
};
void needs_findings_clear(struct needs_findings *f);

/* Load `root` and all that it needs. ERR_INPUT when `root` is no file of the tree. Files of another
 * machine or class than root are passed over, as the loader does. */
int needs_check(struct needs_findings *out, const struct needs *n, struct str root,
                struct err *e) MUST_CHECK;

/* Does a library of this name come with NVIDIA's driver, so that no image has to hold it? Then that
 * of NVIDIA_DRIVER_CAPABILITIES with which NVIDIA's container tools bring it: "video"; else empty.
 */
struct str needs_driver_capability(struct str name);
