/* model/matrix.h - `matrix` of a recipe: one file that stands for several recipes.
 *
 *     matrix:
 *       pytorch: ["2.6.0", "2.7.1"]
 *       variant: [runtime, devel]
 *       exclude: [{pytorch: "2.6.0", variant: devel}]
 *
 * Each combination of values that nothing excludes is a cell, called by all of them in the order of
 * the file: "pytorch=2.6.0,variant=runtime". A cell is the recipe without `matrix` and with its
 * values; its lock is that of such a recipe.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/vec.h"
#include "../doc/node.h"

enum { MATRIX_CELLS_MAX = 256 };

/* Has the recipe a matrix? */
bool matrix_is(const struct doc *recipe);
/* Adds the names of its cells that have all that `of` names ("variant=devel"; empty: all), with the
 * first axis slowest; the texts go into `arena`. ERR_INPUT for a matrix that is none, with all its
 * faults, and where no cell is like `of`. */
int matrix_cells(struct strs *out, struct arena *arena, const struct doc *recipe, struct str of,
                 struct err *e) MUST_CHECK;
/* The recipe becomes this cell, which matrix_cells() named. */
void matrix_take(struct doc *recipe, struct str cell);
