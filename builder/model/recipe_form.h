/* model/recipe_form.h - a recipe in its normal form, as a lock keeps it, and what changed between
 * two.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "recipe.h"

/* The normal form: keys in one order, defaults that never change left out. Texts are copied. */
struct node *recipe_to_node(const struct recipe *r, struct doc *doc);
/* What differs between two normal forms, in words: `cuda: "12.4" became "12.6"; pip: "numpy<2" is
 * new`. Nothing when they are the same. */
void recipe_diff(struct buf *words, const struct node *old, const struct node *now);
