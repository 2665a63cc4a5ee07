/* assemble/system/system.h - a Debian system from a set of packages, as dpkg and apt would have
 * left it, without running a line of any package's code.
 *
 * The tree is the packages' files, the dpkg database, and what their maintainer scripts would have
 * made on a fresh install, redone by rule. A script is covered when its text is known to do nothing
 * here, when it is made of known steps only (alternatives, debhelper's snippets), or when a rule
 * stands for the very text (by SHA-256). The result is a pure function of the packages and the
 * input: neither their order nor the clock changes a byte. What a rule makes carries the date of
 * the package it belongs to, so two trees that share packages share those entries too.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../import/import_deb.h"
#include "../import/import_redist.h"
#include "../toolkit/toolkit_wheel.h"
#include "../layer/tree.h"

/* The CUDA toolkit of the system; everything is borrowed. */
struct toolkit {
    struct str root;    /* "/usr/local/cuda-12.4" */
    struct str site;    /* where wheels are: "opt/venv/lib/python3.11/site-packages" */
    struct str gcc;     /* "11": the compiler that gcc and g++ mean; empty: the base's own */
    struct str sources; /* what apt asks for it; may be empty */
    const struct toolkit_wheel *const *wheels; /* those of NVIDIA's, by name */
    size_t wheels_n;
    const struct redist_pkg *const *archives; /* NVIDIA's own, by name */
    size_t archives_n;
    int64_t date;    /* of what is made */
    uint64_t *saved; /* gets the bytes of libraries that a wheel has and the toolkit links to */
};

/* Locales that the system is to have; everything is borrowed. */
struct system_locales {
    const struct debpkg *from; /* locales-all, which is no package of the system */
    struct strs names;         /* "en_US.UTF-8" */
    struct str lang;           /* the default one; may be empty */
};

struct system_input {
    unsigned format;                      /* of the layers: capabilities came with 2 */
    bool apart;                           /* only what hangs on one group's packages alone */
    struct str arch;                      /* "amd64" */
    struct str sources;                   /* what apt asks */
    struct str sources_path;              /* the file with that text; empty: none */
    const struct toolkit *toolkit;        /* NULL: none */
    const struct system_locales *locales; /* NULL: none but glibc's own */
};

/* The tree of exactly these packages, sorted. Contents refer to the packages' spool and to the
 * packages' memory: both must outlive `out`. `uncovered` gets "name version script" for each script
 * that no rule covers, sorted. ERR_INPUT when two packages hold one path without Replaces or a
 * diversion, or when what a rule needs is missing. */
int system_build(struct tree *out, const struct debpkg *const *packages, size_t n,
                 const struct system_input *in, struct names *uncovered, struct err *e) MUST_CHECK;

/* SHA-256 of what a script does of its own: the key under which system_scripts_*.inc know it.
 * All-zero when nothing is left once comments and the idle sections of debhelper are gone. */
void system_script_digest(struct digest *out, struct str script);
