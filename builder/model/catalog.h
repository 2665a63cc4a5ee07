/* model/catalog.h - what is known of PyTorch, CUDA and drivers: reviewed data that explains, checks
 * early and advises. Package metadata is the truth; a release that stands not here is resolved all
 * the same.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/vec.h"
#include "../doc/node.h"
#include "recipe.h"

#define CATALOG_ARCH "amd64" /* what its builds are for */

struct catalog {
    struct doc pytorch, cuda, gpu, toolkit;
};

/* The built-in tables, or those in `dir`, which may lack that of toolkits. */
int catalog_open(struct catalog *out, const char *dir, struct err *e) MUST_CHECK;
void catalog_clear(struct catalog *c);

/* One CUDA build of a release; empty texts where the catalog does not know. */
struct catalog_build {
    struct str cuda, toolkit, cudnn, nccl, archs;
    struct str triton; /* a version, or what the wheel asks for: "~=3.8.0" */
    bool pypi;         /* the wheel on PyPI is this build */
    /* Rest on one secondary source: */
    bool toolkit_unconfirmed, cudnn_unconfirmed, nccl_unconfirmed, archs_unconfirmed;
};

/* Does the catalog know the release? */
bool catalog_has(const struct catalog *c, struct str pytorch);
/* Releases, builds ("12.4") and Python versions, oldest first; adds to `out` texts that live as
 * long as the catalog. */
void catalog_releases(const struct catalog *c, struct strs *out);
void catalog_builds(const struct catalog *c, struct str pytorch, struct strs *out);
void catalog_pythons(const struct catalog *c, struct str pytorch, struct strs *out);
/* Builds in the order in which one would take them: PyPI's, then from the newest on. */
void catalog_builds_best_first(const struct catalog *c, struct str pytorch, struct strs *out);
/* The build of a release for CUDA `cuda` ("12.4"); with `cuda` empty PyPI's. False when there is
 * none. */
bool catalog_build(const struct catalog *c, struct str pytorch, struct str cuda,
                   struct catalog_build *out);

/* "9.1" is of "9.1.0.70": equal, or equal up to a dot. */
bool catalog_is_of(struct str part, struct str whole);

/* Driver that a toolkit release ("12.4.1") shipped with; empty when not known or not confirmed. */
struct str catalog_driver(const struct catalog *c, struct str toolkit);
/* Oldest driver that runs the family of "12.4": "525.60.13". */
struct str catalog_family_driver(const struct catalog *c, struct str cuda);
/* All drivers that the two above may give, oldest first; adds to `out` texts that live as long as
 * the catalog. */
void catalog_drivers(const struct catalog *c, struct strs *out);

/* The oldest and the newest of them of a branch ("550"); false when there are none. */
bool catalog_branch_ends(const struct catalog *c, struct str branch, struct str *oldest,
                         struct str *newest);

/* The newest CUDA that a driver knows, as nvidia-smi's header says it: "12.4"; empty before 450.
 * (It is that of the branch: 550.40 knows what 550.54.14 does. There is no toolkit 12.7, so 565 has
 * "12.6" here and 12.7 in the header.) */
struct str catalog_cuda_of_driver(const struct catalog *c, struct str driver);
/* The driver branches ("550") from which on that answer is another; adds to `out` texts that live
 * as long as the catalog. */
void catalog_branches(const struct catalog *c, struct strs *out);

/* May a driver run CUDA `cuda` ("13.0") by the forward-compatibility package in an image? */
enum catalog_forward {
    FORWARD_UNKNOWN,  /* not told by the vendor for this package, driver or class */
    FORWARD_NEEDLESS, /* the driver itself is new enough */
    FORWARD_NO,       /* not on this class of GPU */
    FORWARD_SELECTED, /* on selected GPUs of the class */
    FORWARD_YES,
};
enum catalog_forward catalog_forward(const struct catalog *c, struct str cuda, struct str driver,
                                     struct str class);

/* ---- GPUs: model/catalog_gpu.c ---- */

/* A GPU as somebody names it; `class` and `name` are the catalog's. */
struct catalog_gpu {
    struct str name;  /* "GeForce RTX 4090"; "sm_89" was named as that: empty */
    struct str class; /* geforce, titan, workstation, datacenter or jetson; empty with the name */
    struct str cc;    /* compute capability, "8.9" */
    uint32_t major, minor;
    struct str arch;  /* "Ada" */
    bool arm64;       /* it is sold with an arm64 processor alone */
    bool unconfirmed; /* the compute capability rests on one secondary source */
};

/* What drives a compute capability, and what makes code for it; empty texts where nothing is known
 * or there is no end. Branches are the first number of driver versions. */
struct catalog_arch {
    struct str cc, name;
    struct str toolkit_first, toolkit_last; /* CUDA that makes code for it: "11.8" */
    struct str driver;                      /* documented as driving it from this version on */
    struct str branch_first, branch_last;   /* driver branches that know it */
    bool driver_unconfirmed, branches_unconfirmed;
};

/* A product's name as nvidia-smi prints it or as people write it, or a compute capability: "NVIDIA
 * A100-SXM4-80GB", "rtx4090", "3090 Ti", "sm_89", "8.9", "89". A virtual GPU ("GRID T4-16Q"), a MIG
 * device ("NVIDIA H100 80GB HBM3 MIG 1g.10gb"), a label of gpu-feature-discovery
 * ("NVIDIA-L40S-SHARED") and a line of `nvidia-smi -L` mean the GPU that is behind. False when it
 * is not known, and when it means GPUs of several capabilities ("RTX 6000"). */
bool catalog_gpu(const struct catalog *c, struct str name, struct catalog_gpu *out);
/* Products of its generation whose names are nearest to it, those that it may mean first, at most
 * `most`; adds to
 * `out` texts that live as long as the catalog. */
void catalog_gpu_nearest(const struct catalog *c, struct str name, size_t most, struct strs *out);
/* Says of a name that catalog_gpu() does not take what would do: `"RTX 9090" is no GPU that the
 * catalog knows; do you mean "GeForce RTX 4090"?` */
void catalog_gpu_words(struct buf *out, const struct catalog *c, struct str name);
/* ERR_UNSAT with these words, of the option --gpu. */
int catalog_gpu_unknown(const struct catalog *c, struct str name, struct err *e);
/* Which code of a list ("8.0 8.6 12.0+PTX") a GPU runs, if any. Machine code runs on its own minor
 * version and later ones of the same major, with suffix a ("9.0a") on that capability only, with f
 * inside its family, taken to be the major; PTX is compiled by a driver as new as the toolkit, for
 * its own capability and all later ones. Machine code is preferred, then the nearest. */
enum catalog_code { CODE_NONE, CODE_PTX, CODE_MACHINE };
enum catalog_code catalog_code(struct str archs, const struct catalog_gpu *gpu, struct str *by);
/* Does that version of a library ("cudnn") have no code for the GPU? Then *from is the first such
 * version and *cc the oldest capability that it has code for. */
bool catalog_library_lacks(const struct catalog *c, const char *library, struct str version,
                           const struct catalog_gpu *gpu, struct str *from, struct str *cc);
/* Has all of the CUDA libraries that PyTorch loads machine code for the GPU, so that none hands PTX
 * to the driver? False where nobody has read them. `cuda`: "12.6". */
bool catalog_libraries_have_code(const struct catalog *c, struct str cuda,
                                 const struct catalog_gpu *gpu);
/* What is known of a compute capability "8.9". */
bool catalog_arch(const struct catalog *c, struct str cc, struct catalog_arch *out);
/* All of them; adds to `out` texts that live as long as the catalog. */
void catalog_archs(const struct catalog *c, struct strs *out);

/* ---- toolkits of devel images: model/catalog_toolkit.c ---- */

/* Where the toolkit of CUDA "12.4" comes from when nobody says: "pypi" or "nvidia"; empty when not
 * known. */
struct str catalog_toolkit_from(const struct catalog *c, struct str cuda);
/* The newest major of gcc that its nvcc takes, that of the toolkit before it where it is not known;
 * 0 when there is none. */
uint32_t catalog_toolkit_gcc(const struct catalog *c, struct str cuda);
/* What a toolkit is made of: "nvcc", "cublas", ...; adds to `out` texts that live as long as the
 * catalog. */
void catalog_toolkit_parts(const struct catalog *c, struct strs *out);
/* The extras (of "pypi") or archives (of "nvidia") of a part; "[x]" is one that not every release
 * has. */
void catalog_toolkit_items(const struct catalog *c, struct str part, const char *from,
                           struct strs *out);

/* Refuse what cannot be, before anything is asked of the network: a CUDA, cuDNN or Python that this
 * release has no build for; all faults at once (ERR_UNSAT). `python` is the base's version. */
int catalog_check(const struct catalog *c, const struct recipe *r, struct str python,
                  struct err *e) MUST_CHECK;
