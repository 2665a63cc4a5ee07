/* seal/hint.h - what is usually missing when a build fails, told by the end of its output. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/buf.h"

/* Append a clause that says what is missing and what to write in the recipe for the package `name`;
 * nothing when the output is not known. `early`: it was only asked what it needs, before there was
 * the CUDA toolkit that it is built with. `on_image`: the system is an image that is the base,
 * which no package can be added to. */
void hint_of(struct buf *out, struct str output, struct str name, bool early, bool on_image);
/* Was a process ended for want of memory? */
bool hint_is_memory(struct str output);
