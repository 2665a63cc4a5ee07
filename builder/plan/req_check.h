/* plan/req_check.h - what requirement lines and locks of other tools say besides of torch's build
 * and of indexes, held against the recipe, which decides both.
 *
 * A line that says the same is taken; one that says otherwise is told with both places.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "choices.h"
#include "pypi/torch_index.h"
#include "requirements.h"

/* `python` is "3.11". ERR_UNSAT for a version of torch, or a build of it or of a project that is
 * bound to its build, that is not the recipe's; ERR_INPUT for an index or a folder that the recipe
 * does not name. What locks have is that of requirements_lock(). */
int req_check(const struct requirements *a, const struct recipe *r, const struct torch_index *torch,
              struct str python, struct err *e) MUST_CHECK;
/* One note names all options that were taken. */
void req_note(const struct requirements *a, struct choices *out);
