/* seal/wheel.h - one wheel from source, sealed: PEP 517 in a root, and what comes out in our normal
 * form (pkg/pypi/wheel_write.h).
 *
 * The source is laid at SANDBOX_BUILD "/src". With isolation what the build requires is installed,
 * by the root's own pip from wheels that are given and from no index, into an environment at
 * SANDBOX_BUILD "/env" that sees no other package; without it that environment also sees the
 * packages of the root's Python. Hooks of the backend are then called as pip calls them, by
 * seal/driver.py in the root. `pip wheel` itself is not asked: its folders have random names, which
 * compilers write into what they make.
 *
 * What is found out is a function of seal_key(): how many jobs ran at once, memory, time and place
 * are not in it. Steps for a package that nobody knows yet:
 *     seal_requires()  which wheels the backend asks for, beside [build-system] requires
 *     seal_metadata()  name, version and dependencies
 *     seal_wheel()     the wheel, into the store
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../store/memo.h"
#include "probe.h"
#include "root.h"
#include "sandbox.h"

/* The source: an sdist, or a folder. */
struct seal_source {
    const char
        *sdist; /* a .tar.gz or .zip of one folder, named in messages; NULL: it is a folder */
    const char *folder;   /* its files are copied; what it must not take is not there */
    struct str subfolder; /* of either, where pyproject.toml or setup.py is; empty: the top */
    struct digest digest; /* SHA-256 of the sdist, checked; of a folder what its owner computed */
};

/* A wheel, or another file of the store, that the build gets to read. */
struct seal_file {
    struct str name;      /* its file name */
    struct digest digest; /* of a blob in the store */
};

struct seal_setting { /* config_settings; the same name again makes a list */
    struct str name, value;
};

struct seal_build {
    struct str name;    /* normalised; what the wheel must be */
    struct str version; /* the same; empty: whatever it is */
    struct seal_source source;
    struct seal_layers layers; /* of the root, bottom first */
    struct str python;         /* in the root, with pip and venv: "/opt/venv/bin/python" */
    bool isolated;
    struct VEC_OF(struct seal_file) requires; /* wheels, all that are installed for the build */
    struct VEC_OF(struct seal_file) inputs;   /* read-only at SANDBOX_IN "/files" */
    struct VEC_OF(struct seal_setting) settings;
    struct strs env; /* "NAME=value": the recipe's, over the image's */
    struct str path; /* the image's PATH */
    /* For CUDA: "/usr/local/cuda" and "8.0;9.0+PTX"; empty: no CUDA_HOME, no FORCE_CUDA. */
    struct str cuda_home, archs;
    int64_t epoch; /* SOURCE_DATE_EPOCH */
};

/* What does not decide the wheel. */
struct seal_means {
    const struct cas *cas;
    const struct memo *memo; /* of key to wheel: the store's folder "sealed"; may be NULL */
    struct sandbox_limits limits;
    uint32_t jobs;    /* compilers at once; 0: by free memory and cores */
    unsigned threads; /* for unpacking */
    const char *logs; /* folder for logs; made */
    const struct events *events;
};

/* Of all that decides: names, source, wheels, diff_ids, environment, settings, archs, and the
 * version of the rules here. Jobs (MAX_JOBS and its like in `env`) are left out. */
void seal_key(struct digest *out, const struct seal_build *b);

struct seal_wheel {
    char *file;           /* owned: "docopt-0.6.2-py2.py3-none-any.whl" */
    struct digest digest; /* of the blob in the store */
    uint64_t size;
    struct digest key;
    bool built; /* false: it was in the store */
    char *log;  /* owned: file; NULL where nothing ran */
    uint64_t ms;
};

/* Take the wheel of this key from the store, or build it. A build that was ended for memory is
 * tried once more with half of the jobs. ERR_INPUT when the build fails: exit code, what is usually
 * missing, the last lines, the log. */
int seal_wheel(struct seal_wheel *out, const struct seal_build *b, const struct seal_means *m,
               struct err *e) MUST_CHECK;
void seal_wheel_clear(struct seal_wheel *w);

/* Requirements that the backend has beside b->requires' (get_requires_for_build_wheel), PEP 508,
 * one each; owned. `static_too`: with those of [build-system], or PEP 517's for want of it; then
 * b->requires is not installed and no backend is asked. */
int seal_requires(struct names *out, const struct seal_build *b, bool static_too,
                  const struct seal_means *m, struct err *e) MUST_CHECK;
/* Append the METADATA of the wheel that would come out; by prepare_metadata_for_build_wheel, or by
 * building it where the backend has no such hook. b->name is not checked when it is empty. */
int seal_metadata(struct buf *out, const struct seal_build *b, const struct seal_means *m,
                  struct err *e) MUST_CHECK;
