/* model/recipe_reading.h - what the files recipe*.c share; nobody else includes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../doc/field.h"
#include "recipe.h"

/* A recipe being read: the fields and where faults go. */
struct reading {
    struct recipe *r;
    struct fields f;
    struct err *e;
};

/* recipe.c: the text of a key; an empty one is a fault. */
void reading_value(struct reading *in, const char *key, struct value *out);
/* An item of the list `key`: a text that is not empty. */
bool reading_text(struct reading *in, const struct node *n, const char *key, struct value *out);
/* Letters, digits and those of `others` alone, and at least one? */
bool reading_all_of(struct str s, const char *others);
/* An absolute path without holes? */
bool reading_absolute(struct str s);
/* recipe_lists.c: `mode` of files and of downloads; `key` names it in messages. */
void reading_mode(struct reading *in, const char *key, const struct value *mode);
/* The fault of a tag that is none. */
int reading_no_tag(struct err *e, const struct pos *pos, struct str tag);

/* recipe_values.c: what is one value each. */
void recipe_read_values(struct reading *in);
/* A list of texts. */
void reading_texts(struct reading *in, const char *key, struct values *out);

/* recipe_downloads.c: files by their addresses. */
void recipe_read_downloads(struct reading *in);

/* recipe_build.c: what may be built from source, and how. */
void recipe_read_build(struct reading *in);
void recipe_read_project(struct reading *in);
void recipe_build_clear(struct recipe_build *b);
/* recipe_lists.c: a map of variables as "NAME=value"; `key` names it in messages. */
void reading_env(struct reading *in, const char *key, struct values *out);

/* recipe_container.c: how containers of the image run and what they offer. */
void recipe_read_container(struct reading *in);
/* recipe_services.c: what containers start by themselves, the user being known. */
void recipe_read_services(struct reading *in);
/* recipe_lists.c: what is a list or a map, the variant being known. */
void recipe_read_lists(struct reading *in);
