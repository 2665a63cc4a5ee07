/* model/recipe.h - what people write: a recipe, checked and in its normal form.
 *
 * Everything but `pytorch` may be left out, and the name where that is RECIPE_NONE may not. All
 * faults of a recipe are told at once, each with its place and what would work. Values that depend
 * on the catalog or the base (is there such a build?) are not judged here.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/vec.h"
#include "../doc/node.h"

enum { RECIPE_SCHEMA = 1 };

struct value { /* a text and where it stands; empty when left out */
    struct str text;
    struct pos pos;
};
struct values VEC_OF(struct value);

/* An item of `pip` or `constraints`: a requirement (PEP 508), a wheel's path or address, a file in
 * pip's requirements format, or another tool's lock file and what of it is meant. */
struct recipe_ask {
    struct value value;
    bool file, lock;
    const struct node *extras, *groups; /* of a lock: lists of texts; NULL when left out */
};
struct recipe_asks VEC_OF(struct recipe_ask);

struct recipe_index {   /* a simple index; the first that has a name is the only one asked for it */
    struct value name;  /* for credentials; may be empty */
    struct value url;   /* may hold a user, never a password */
    struct values only; /* the only projects it is asked for; empty: all */
};

struct recipe_archive { /* an apt archive besides the base's */
    struct value uri;
    struct values suites;       /* "stable"; ending in "/": a flat archive */
    struct values components;   /* empty for a flat one */
    struct value keyring;       /* a file of OpenPGP keys, binary or armoured */
    struct values fingerprints; /* of keys that may sign, 40 hex digits; empty: all in the file */
};

struct recipe_file {
    struct value from, to;
    struct value owner;    /* "student", "root", "1000" or "1000:1000"; empty: root, and the user in
                              folders of the user's own */
    struct value mode;     /* of its files, "0755"; empty: by their x bit */
    struct values exclude; /* patterns as a .dockerignore has them, below `from` */
};

struct recipe_download { /* a file by its address, a layer of its own */
    struct value url;    /* names no user, and no secret in its query */
    struct value name;   /* for people and credentials; when left out made of the address */
    struct value sha256; /* 64 hex digits; empty: what it has when it is first seen */
    struct value to;
    bool unpack;
    struct value owner, mode; /* as of recipe_file */
};

struct recipe_user {
    struct value name; /* empty: root */
    uint32_t uid, gid;
};

struct recipe_health {     /* times in seconds, 0: Docker's own */
    struct values command; /* empty: the base image's is taken away */
    uint32_t interval, timeout, start_period, retries;
};

#define RECIPE_CPU "cpu"       /* as `cuda`: the build that has none */
#define RECIPE_LATEST "latest" /* as `pytorch`: no release; who reads a recipe says which it is */
#define RECIPE_NONE "none"     /* as `pytorch`: an image without it, whose `cuda` is RECIPE_CPU */

struct recipe_input { /* a file that a build gets to read */
    struct value url, sha256;
};

struct recipe_build {  /* how one package is built from source */
    struct value name; /* normalised */
    bool isolated;     /* sees no package of the image; false: also those that `requires` names, in
                          the image's versions */
    struct values env; /* "NAME=value" */
    struct values requires, constraints; /* PEP 508; besides what the package itself says */
    struct values archs;                 /* of CUDA: "8.0", "9.0+PTX"; empty: the image's */
    struct values settings;              /* `config_settings`: "name=value" */
    struct values expect;                /* modules that the wheel must have */
    struct VEC_OF(struct recipe_input) fetch;
};

/* The recipe's own project, which is built from source; an empty path: none. */
struct recipe_project {
    struct value path;            /* its folder, from the recipe's: "." */
    struct values extras, groups; /* of it, besides what it needs anyway */
};

struct recipe_toolkit {  /* empty: what the catalog says */
    struct value from;   /* "pypi", "nvidia" or "apt" */
    struct values parts; /* "nvcc", "cublas", ...: see the catalog */
};

struct recipe_jupyter {
    bool on;
    uint32_t port;
    struct value notebooks;     /* folder of the image, absolute; may be empty */
    struct value password_hash; /* "argon2:$argon2id$..."; empty: a token */
};

struct recipe_ssh {
    bool on;
    uint32_t port;
    struct values authorized_keys; /* files of public keys, from the recipe's folder */
};

struct recipe {
    struct doc doc; /* owns every text below */
    struct value name, pytorch, base, tag, workdir;
    struct value image;   /* the base is this stored image, and `base` is empty; see oci/stored.h */
    struct value cuda;    /* "12.4", "12.4.1" or RECIPE_CPU: cu124 and cuda124 become the first */
    struct value cudnn;   /* "9" or "9.1.0.70" */
    struct value variant; /* "runtime", "compile" or "devel" */
    struct recipe_toolkit toolkit; /* of "devel" */
    bool slim;                     /* see model/slim.h */
    bool wheels_only; /* take the newest that has a wheel where a newer one is source only */
    bool build_all;   /* `build: all`: whatever has no wheel */
    bool bytecode;    /* layers of what Python else compiles when it imports */
    struct VEC_OF(struct recipe_build) builds; /* `build`: what may be built from source */
    struct recipe_project project;
    struct value python;                           /* "3.11"; empty: what the base has */
    struct values apt;                             /* "name", "name=version" or "name/suite" */
    struct VEC_OF(struct recipe_archive) archives; /* `apt_archives` */
    struct recipe_asks pip, constraints;
    struct VEC_OF(struct recipe_index) indexes; /* by priority; empty: PyPI */
    struct values find_links;                   /* folders of wheels, asked before the indexes */
    struct value context; /* the folder of `files`, from the recipe's; empty: that itself */
    struct VEC_OF(struct recipe_file) files;
    struct VEC_OF(struct recipe_download) downloads;
    struct recipe_user user;
    struct values folders; /* absolute; the user's own, besides home and work folder */
    struct values volumes; /* the same, and their contents outlive a container */
    struct values ports;   /* "8888/tcp" */
    bool has_healthcheck;  /* also when it is "off" */
    struct recipe_health health;
    struct pos services; /* where that key's value stands */
    struct recipe_jupyter jupyter;
    struct recipe_ssh ssh;
    struct values certificates;   /* `ca_certificates`: files of PEM, from the recipe's folder */
    struct values env;            /* "NAME=value" */
    bool has_entrypoint, has_cmd; /* also when the list is empty, which takes the default away */
    struct values entrypoint, cmd;
    struct values compression;  /* see model/compression.h; none: gzip */
    struct value startup_check; /* "warn", "fail" or "off"; empty: warn, where it can be */
    const struct node *labels;  /* map of strings, may be NULL */
};

/* `cell` names one of a recipe with `matrix` ("pytorch=2.6.0,variant=devel"), and is empty where
 * there is none. ERR_INPUT where it is empty and there is one. */
int recipe_read(struct recipe *out, const char *path, struct str cell, struct err *e) MUST_CHECK;
/* Adds the names of the cells that have all of `of`, see model/matrix.h; without `matrix` there is
 * one, with an empty name. */
int recipe_cells(struct strs *out, struct arena *arena, const char *path, struct str of,
                 struct err *e) MUST_CHECK;
int recipe_parse(struct recipe *out, struct str text, const char *file, struct err *e) MUST_CHECK;
void recipe_clear(struct recipe *r);

/* The folder that `files` are taken from, `dir` being the recipe's. Owned. */
char *recipe_context(const struct recipe *r, const char *dir);
/* "12.4", "12.4.1", "cu124" and "cuda124" as "12.4" or "12.4.1", and "cpu"; empty when it is none
 * of them. */
struct str recipe_cuda(struct str text, struct arena *a);

/* Is anything built from source, as far as the recipe alone tells? */
bool recipe_builds(const struct recipe *r);
/* May the project (normalised) be built from source, by `build`? */
bool recipe_may_build(const struct recipe *r, struct str project);
/* How; NULL where it says nothing of it. */
const struct recipe_build *recipe_build_of(const struct recipe *r, struct str project);

bool recipe_is_name(struct str path); /* "x.yaml", "x.yml" */
bool recipe_is_user(struct str s);    /* a name that useradd takes, and not root's */

/* The tag by the recipe's template. ERR_INPUT when what comes out is no OCI tag. */
struct recipe_tag {
    struct str pytorch, cuda, cudnn, variant, python, base, compression;
};
int recipe_expand_tag(struct buf *out, const struct recipe *r, const struct recipe_tag *with,
                      struct err *e) MUST_CHECK;
