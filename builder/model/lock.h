/* model/lock.h - the lock: everything that was chosen, so that nothing below it has to choose.
 *
 * `x.lock` beside `x.yaml`, canonical JSON. The first part is what `lock` writes:
 * the recipe in its normal form, archives, artifacts with their hashes, facts, the layer plan and
 * the image's settings. `built` is what the first build fills in: digests of layers, config and
 * manifest. The lock's own digest is taken over the first part alone, so that an image can name it.
 * Nothing of the host, no secret and no time but the archives' own stands in it.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/digest.h"
#include "../base/vec.h"
#include "../doc/node.h"
#include "../oci/chunked.h"
#include "../oci/image.h"
#include "../pkg/artifact.h"
#include "compression.h"
#include "slim.h"

/* Where sources stand when neither base nor lock says otherwise. */
#define LOCK_SOURCES_PATH "/etc/apt/sources.list.d/debian.sources"

/* Where the recipe's certificates are, as update-ca-certificates(8) takes them, and the one file
 * that has them and the system's. */
#define LOCK_CERTIFICATES "/usr/local/share/ca-certificates/"
#define LOCK_CERTIFICATE_BUNDLE "/etc/ssl/certs/ca-certificates.crt"

/* The first step of the entrypoint, where the lock has a start-up check (plan/startup.h). */
#define LOCK_STARTUP_CHECK "/usr/local/bin/envbuild-startup-check"

/* What starts the recipe's services (plan/services.h). */
#define LOCK_SERVICES "/usr/local/bin/envbuild-services"

/* LOCK_SCHEMA is the newest that this envbuild reads, and writes; it reads all older ones. 2 added
 * the recipe's inputs, 3 the toolkit and slim images, 4 what each wheel needs and its turn, which
 * every lock of format 2 has. LOCK_FORMAT is the newest layer format: in 1 the place of a wheel in
 * the layers decides which of two files of one path stays, in 2 the order in which pip would
 * install. 3 plans layers for updates (plan/layering.h), and what all packages of the system decide
 * together is a layer of its own, LOCK_STATE. */
enum { LOCK_SCHEMA = 4, LOCK_FORMAT = 3, LOCK_SIZE_MAX = 16 * 1024 * 1024 };

enum lock_layer_kind {
    LOCK_SYSTEM, /* debs: what this group adds to the groups before it, in lock_group's order */
    LOCK_WHEELS,
    LOCK_BYTECODE, /* what the image's Python compiles the wheels of the layers below to, as far as
                      no other such layer does; no artifact */
    LOCK_FILES,    /* the recipe's files, its user and work folder */
    LOCK_DOWNLOAD, /* one file by its address, or what is in it */
    LOCK_IMAGE,    /* a layer of the image that is the base, taken over as it is */
};

/* Which packages a LOCK_SYSTEM layer is made of: the artifacts of that group. It is the layer's
 * name as well, but a layer is found by its group: a wheel may be called "python". */
enum lock_group {
    LOCK_NO_GROUP, /* of layers that are not LOCK_SYSTEM */
    LOCK_BASE,
    LOCK_PYTHON,  /* and the skeleton of the Python environment */
    LOCK_APT,     /* what the recipe's `apt` asks for */
    LOCK_LOCALES, /* the locales that `env` asks for, of the deb locales-all, which is not installed
                   */
    LOCK_COMPILE,
    LOCK_TOOLKIT, /* debs or archives of the CUDA toolkit, or links to wheels alone */
    LOCK_STATE,   /* since format 3: what no group has by itself, such as dpkg's status, accounts
                     and ld.so.cache; no artifact */
};

struct lock_layer {
    struct str name; /* for people; only a LOCK_SYSTEM layer's means something */
    enum lock_layer_kind kind;
    enum lock_group group;
    struct VEC_OF(size_t) artifacts; /* positions in lock.artifacts */
    struct str media_type;           /* LOCK_IMAGE only; the others' hangs on the recipe */
    /* Filled in by the first build, all-zero before; of LOCK_IMAGE always there. */
    struct digest digest, diff_id;
    uint64_t size;     /* compressed bytes */
    uint64_t unpacked; /* of its tar; 0 when not known, as of LOCK_IMAGE and in older locks */
    struct chunked chunked;
};

struct lock_archive {
    struct str uri, suite, codename;
    int64_t date;         /* of its InRelease, seconds since 1970 */
    struct strs signers;  /* fingerprints */
    struct digest digest; /* of its InRelease */
};

struct lock_file {
    struct str path; /* below `from`; empty when `from` is a file itself */
    bool folder, executable;
    struct str link; /* target, when it is a symbolic link */
    uint64_t size;
    struct digest digest;
};

struct lock_copy {   /* one item of the recipe's `files`, or made for the image */
    struct str from; /* relative to the recipe's folder */
    struct str text; /* what a file made for the image holds, which has no `from` */
    struct str to;   /* absolute; a trailing "/" means "into" */
    uint32_t uid, gid;
    uint32_t mode;                         /* of its files; 0: 0755 with the x bit, else 0644 */
    struct VEC_OF(struct lock_file) files; /* sorted by path */
};

struct lock_folder { /* the user's own; group 0 may write there too, so that any uid may */
    struct str path; /* absolute */
    uint32_t uid;
};

struct facts { /* what the image is and needs; empty where not known */
    struct str pytorch, cuda, cuda_toolkit, cudnn, nccl, python;
    struct str driver_min;  /* family minimum */
    struct str driver_full; /* driver of that toolkit release */
    struct str archs;       /* "5.0 6.0 ... 9.0" */
    struct str require;     /* NVIDIA_REQUIRE_CUDA */
    struct str compat;      /* driver whose user-space part the image brings (cuda-compat) */
    struct str arch; /* processor, "amd64"; stands not among a lock's facts but in its base */
    bool archs_read; /* archs were read from the device code itself; no lock says so */
};

struct lock_input {  /* a file beside the recipe that the choice was made by */
    struct str path; /* as the recipe, or the file that brings it in, names it */
    struct str use; /* what it decides about: "pip", "base", "apt", "ca_certificates", "services" */
    struct digest digest;
};

struct lock_user {
    struct str name; /* empty: root */
    uint32_t uid, gid;
};

struct lock_link { /* a symbolic link */
    struct str path, target;
};

/* A package of ours in the image's dpkg database: it provides what others ask for and the image has
 * by other ways, or gets from the host. */
struct lock_stand_in {
    struct str name, version, summary;
    struct strs provides;                  /* "libcuda1 (= 550.54.15)" */
    struct VEC_OF(struct lock_link) links; /* its only files; absolute */
};

#define LOCK_TOOLKIT_ROOT "/usr/local/cuda-" /* and its CUDA, as NVIDIA's own have it */

/* The CUDA toolkit of a devel image; `from` is empty when there is none. */
struct lock_toolkit {
    struct str from;    /* "pypi", "nvidia" or "apt" */
    struct str version; /* "12.4.1" */
    struct str root;    /* "/usr/local/cuda-12.4" */
    struct str gcc;     /* "13": the compiler that gcc and g++ mean; empty: the base's own */
    struct str sources; /* of "apt": what the image's apt asks besides */
    struct VEC_OF(struct lock_stand_in) stand_ins;
    uint64_t saved; /* by the build: bytes of libraries that the wheels have and it links to */
};

/* The image that is the base; `ref` is empty when it is none but Debian packages. */
struct lock_image {
    struct str ref;         /* as the recipe names it */
    struct str name;        /* full name in its place's index, or empty */
    struct digest manifest; /* of the one for this platform */
    struct str python;      /* path of the interpreter, without the leading "/" */
    struct str glibc;       /* "2.36" */
};

/* Two wheels with files of the same path that differ; pip would install the winner later. */
struct lock_overlap {
    struct str winner, loser; /* names of wheels */
    struct strs paths;        /* of the image, sorted, at least one */
};
struct overlaps VEC_OF(struct lock_overlap);

/* The layers compressed otherwise: see lock_form.h. */
struct lock_packed {
    struct digest digest; /* all-zero: not known */
    uint64_t size;        /* bytes */
    struct chunked chunked;
};

struct lock_form {
    enum compression as;
    bool built; /* `manifest` is known */
    struct str encoder;
    struct digest manifest;
    struct VEC_OF(struct lock_packed) layers; /* as many as the lock has */
};

struct lock {
    struct doc doc; /* owns every text and node below */

    const struct node *recipe; /* in its normal form */
    struct digest recipe_digest;
    struct VEC_OF(struct lock_input) inputs; /* sorted by path: requirements, a base of one's own */

    struct str name, tag; /* of the reference */
    struct str variant;
    struct str writer;   /* version of the envbuild that chose */
    struct str os, arch; /* "linux", "amd64" */
    struct str base;     /* name of the base layer; of an image its system's */
    struct lock_image image;
    struct str python, python_full; /* "3.11", "3.11.2" */
    struct str apt_sources;         /* text of the image's sources list */
    struct str apt_sources_path;    /* the file that holds it */
    int64_t created;                /* newest date of the archives: the image's only time */
    unsigned schema;                /* as it was read; 0: LOCK_SCHEMA */
    unsigned format;                /* of the layers: every choice that decides bytes */

    struct VEC_OF(struct lock_archive) archives;
    struct artifacts artifacts; /* sorted: ecosystem, name */
    struct artifacts tools; /* debs of group "compile" that only builds from source see; by name */
    struct VEC_OF(struct lock_copy) copies;
    struct VEC_OF(struct lock_folder) folders; /* none before format 2 */
    struct facts facts;
    struct lock_toolkit toolkit;
    struct slim_counts slim; /* the rules of a slim image, and by the build what they left out */
    struct VEC_OF(struct lock_layer) layers; /* bottom first */

    struct lock_user user;
    struct strs env; /* "NAME=value", in the image's order */
    struct strs entrypoint, cmd;
    struct str workdir;
    struct strs ports, volumes; /* "8888/tcp", absolute paths; the recipe's and the base image's */
    struct image_health health;
    const struct node *labels; /* the recipe's own; a map of texts, may be NULL */

    /* Filled in by the first build. */
    bool built;
    bool settled; /* not built, but was but for the contents of the recipe's files and project: all
                   * below holds but config and manifest, and so do the digests of all layers but
                   * those of lock_layer_is_own() */
    struct str encoder;       /* of what was compressed anew, as "deflate/1" or "zstd/1.5.4/3" */
    struct strs uncovered;    /* packages with a script that no rule covers */
    struct overlaps overlaps; /* sorted by loser, then winner; of format 1 none is recorded */
    struct strs findings;     /* what the load proof found, in words; see look/proof.h */
    struct digest config, manifest;
    bool other_form; /* `form` is at hand, and not the recipe's first compression */
    enum compression form;
    struct VEC_OF(struct lock_form) forms; /* those that are not at hand, in no order */
};

/* Was it built, but for the contents of the recipe's files and project? Then what its wheels, debs
 * and layers gave is recorded. */
static inline bool lock_is_settled(const struct lock *lock)
{
    return lock->built || lock->settled;
}

int lock_read(struct lock *out, const char *path, struct err *e) MUST_CHECK;
/* The same of a text; `name` is for messages. */
int lock_parse(struct lock *out, struct str text, const char *name, struct err *e) MUST_CHECK;
/* Canonical text; the same lock gives the same bytes. */
void lock_print(struct buf *out, const struct lock *lock);
/* Digest of the part that `lock` writes. */
void lock_digest(struct digest *out, const struct lock *lock);
void lock_clear(struct lock *lock);
void overlaps_clear(struct overlaps *list);
void lock_drop_stand_ins(struct lock_toolkit *t);

/* The artifact of that ecosystem and normalised name, or NULL. */
const struct artifact *lock_find(const struct lock *lock, enum ecosystem eco, struct str name);
/* The wheel of the recipe's own project, or NULL. */
const struct artifact *lock_project(const struct lock *lock);
/* Does that layer hold what is the recipe's own, its files or its project? A settled lock does not
 * record it. */
bool lock_layer_is_own(const struct lock *lock, size_t layer);
/* Would pip install wheel `a` before wheel `b`? Both have turns. */
bool lock_installs_before(const struct artifact *a, const struct artifact *b);
/* The paths of a wheel that are left out of its layer, sorted, for a winner in another layer has
 * them too; in one layer the winner's are laid over them. */
void lock_left_out(struct strs *out, const struct lock *lock, struct str wheel);
/* The folder of the user's own that is `path` (absolute), or above it; or NULL. */
const struct lock_folder *lock_folder_of(const struct lock *lock, struct str path);
/* Append where a file of `copy` lands in the image: below `to`, or at `to` itself when `from` is a
 * file and `to` does not end in "/". False for what is no place for a file. */
bool lock_copy_place(struct buf *out, const struct lock_copy *copy, const struct lock_file *file);
/* Is it one of the recipe's certificates? */
bool lock_copy_is_certificate(const struct lock_copy *copy);
bool lock_has_certificates(const struct lock *lock);
/* Does the recipe ask for a layer of bytecode? */
bool lock_has_bytecode(const struct lock *lock);
/* The wheels of which layers are compiled to that layer of bytecode: from this one on, to itself.
 */
size_t lock_bytecode_from(const struct lock *lock, size_t layer);
/* The download whose folder is `path` (absolute) or above it, the nearest of several; or NULL. Of
 * one that is not unpacked it is the folder that `to` names with its "/". */
const struct artifact_place *lock_place_of(const struct lock *lock, struct str path);
/* The layer of that group, or NULL. */
const struct lock_layer *lock_layer_of(const struct lock *lock, enum lock_group group);
const char *lock_group_name(enum lock_group group); /* "base", ...: as artifacts have it */
/* Is it of a slim image that follows this rule? */
bool lock_slims(const struct lock *lock, const struct slim_rule *rule);
/* What its image does at its start: "warn", "fail" or "off". */
const char *lock_startup_check(const struct lock *lock);
const char *ecosystem_name(enum ecosystem eco); /* "deb", "wheel", "redist", "download" */
