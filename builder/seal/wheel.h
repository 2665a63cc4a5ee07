/* seal/wheel.h - one wheel from source, sealed: PEP 517 in a root, and what comes out in our normal
 * form (pkg/pypi/wheel_write.h).
 *
 * The source is laid at SANDBOX_BUILD "/src". The root's own pip installs the wheels that are
 * given, and asks no index, into an environment at SANDBOX_BUILD "/env": once for all builds that
 * want the same wheels in the same root, in a run of its own in which nothing of a package runs;
 * builds may only read it. Isolated, that sees no other package; else also those of the root's
 * Python. With it goes bytecode of Python's own modules and of the environment's, which the root
 * lacks, for the process that calls the hooks. Then seal/driver.py calls the backend's hooks as pip
 * does. `pip wheel` itself is not asked: its folders have random names, which
 * compilers write into what they make.
 *
 * The result is a function of what seal_key() covers. How many jobs ran at once, limits, time and
 * place are not in it. Of a package that nobody knows yet:
 *     seal_requires(static)   what [build-system] requires
 *     seal_requires()         what the backend asks for besides, once that is in b->requires
 *     seal_metadata()         name, version and dependencies
 *     seal_wheel()            the wheel, into the store
 * What was found out is remembered under the key, and the wheel is a blob of the store as others.
 * Nothing else of a build gets there.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../store/memo.h"
#include "sandbox.h"

/* An sdist, or a folder. Paths are borrowed. */
struct seal_source {
    const char *sdist;  /* a tar, packed as decompress.h undoes, or a .zip; NULL: it is a folder */
    const char *folder; /* all its files and links are copied */
    struct str subfolder; /* of either, where pyproject.toml or setup.py stands; empty: the top */
    struct digest digest; /* of an sdist its SHA-256, which is checked; of a folder what the caller
                             computed over all that decides */
};

/* A blob of the store that the build gets to read under this name. */
struct seal_file {
    struct str name;
    struct digest digest;
};
struct seal_files VEC_OF(struct seal_file);

struct seal_build {
    struct str name; /* normalised; what the wheel must be. Empty for seal_metadata(): not known */
    struct str version; /* the same; empty: whatever it is */
    struct seal_source source;
    struct seal_layers layers;  /* of the root, bottom first */
    struct str python;          /* in the root, with pip and venv: "/opt/venv/bin/python" */
    struct str path;            /* the image's PATH */
    bool on_image;              /* they begin with those of an image: decides no bytes */
    bool shared;                /* not isolated: the packages of the root's Python are seen, too */
    struct seal_files requires; /* wheels, under their file names: all that are installed */
    struct seal_files inputs;   /* read-only at SANDBOX_IN "/files" */
    struct strs settings;       /* config_settings, "NAME=value"; a name again makes a list */
    struct strs env;            /* "NAME=value": the recipe's, over all that is set here */
    /* With CUDA: "/usr/local/cuda" and "8.0;9.0+PTX". Empty: neither CUDA_HOME nor FORCE_CUDA,
     * no TORCH_CUDA_ARCH_LIST. */
    struct str cuda_home, archs;
    int64_t epoch; /* SOURCE_DATE_EPOCH */
};

/* Why a build failed, for people. */
struct seal_failure {
    char *log;       /* owned: the file */
    char *hint;      /* owned: what is usually missing, and what to write; NULL: not known */
    struct buf tail; /* the last lines: foreign bytes */
    int code;        /* exit code */
};
void seal_failure_clear(struct seal_failure *f);

/* What decides nothing about the wheel. All borrowed. */
struct seal_means {
    const struct cas *cas;
    const struct memo *memo; /* the store's folder "sealed" */
    struct sandbox_limits
        limits;       /* 0: memory that is free, 64 GiB of disk, 8192 processes, no end */
    unsigned threads; /* cores that we may use */
    uint32_t jobs;    /* compilers at once; 0: by cores and memory */
    const char *logs; /* folder; made */
    const struct events *events;
    struct seal_failure *failure; /* filled where the build itself fails; may be NULL */
};

void seal_key(struct digest *out, const struct seal_build *b);

struct seal_wheel {
    char *file;           /* owned: "docopt-0.6.2-py2.py3-none-any.whl" */
    struct digest digest; /* of the blob in the store */
    uint64_t size;        /* bytes */
    bool built;           /* else it was in the store */
    uint64_t ms;          /* that the build took */
};

/* A build that was ended for memory is tried once more with half of its jobs. ERR_INPUT when the
 * build fails, or gives no wheel or another than b->name and b->version; the message has exit code,
 * hint and log. ERR_SYSTEM when it cannot be run, ERR_INTERRUPTED. */
int seal_wheel(struct seal_wheel *out, const struct seal_build *b, const struct seal_means *m,
               struct err *e) MUST_CHECK;
void seal_wheel_clear(struct seal_wheel *w);

/* Requirements (PEP 508), as they are written. `is_static`: those of [build-system], or what PEP
 * 517 says for want of it; then nothing is installed and no backend runs. Else what its hook
 * get_requires_for_build_wheel gives. The same errors. */
int seal_requires(struct names *out, const struct seal_build *b, bool is_static,
                  const struct seal_means *m, struct err *e) MUST_CHECK;
/* Append the METADATA that the wheel would have: by prepare_metadata_for_build_wheel, or by
 * building it where the backend has no such hook. The same errors. */
int seal_metadata(struct buf *out, const struct seal_build *b, const struct seal_means *m,
                  struct err *e) MUST_CHECK;
