/* model/recipe.h - what people write: a recipe, checked and in its normal form.
 *
 * Everything but `pytorch` may be left out. All faults of a recipe are told at once, each with its
 * place and what would work. Values that depend on the catalog or the base (is there such a build?)
 * are not judged here.
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

struct recipe_file {
    struct value from, to;
    struct value owner; /* "student", "1000" or "1000:1000"; empty: root */
};

struct recipe_user {
    struct value name; /* empty: root */
    uint32_t uid, gid;
};

struct recipe {
    struct doc doc; /* owns every text below */
    struct value name, pytorch, base, tag, workdir;
    struct value image;   /* the base is this stored image, and `base` is empty; see oci/stored.h */
    struct value cuda;    /* "12.4" or "12.4.1": cu124 and cuda124 are turned into that */
    struct value cudnn;   /* "9" or "9.1.0.70" */
    struct value variant; /* "runtime" or "compile" */
    struct value python;  /* "3.11"; empty: what the base has */
    struct values apt;    /* "name" or "name=version" */
    struct values pip;    /* PEP 508 */
    struct VEC_OF(struct recipe_file) files;
    struct recipe_user user;
    struct values env;            /* "NAME=value" */
    bool has_entrypoint, has_cmd; /* also when the list is empty, which takes the default away */
    struct values entrypoint, cmd;
    const struct node *labels; /* map of strings, may be NULL */
};

int recipe_read(struct recipe *out, const char *path, struct err *e) MUST_CHECK;
int recipe_parse(struct recipe *out, struct str text, const char *file, struct err *e) MUST_CHECK;
void recipe_clear(struct recipe *r);

/* The normal form: keys in one order, defaults that never change left out. Texts are copied. */
struct node *recipe_to_node(const struct recipe *r, struct doc *doc);
/* What differs between two normal forms, in words: `cuda: "12.4" became "12.6"; pip: "numpy<2" is
 * new`. Nothing when they are the same. */
void recipe_diff(struct buf *words, const struct node *old, const struct node *now);

/* The tag by the recipe's template. ERR_INPUT when what comes out is no OCI tag. */
struct recipe_tag {
    struct str pytorch, cuda, cudnn, variant, python, base;
};
int recipe_expand_tag(struct buf *out, const struct recipe *r, const struct recipe_tag *with,
                      struct err *e) MUST_CHECK;
