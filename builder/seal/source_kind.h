/* seal/source_kind.h - is anything of a source compiled? By what it requires and by the names of
 * its files, so that the answer is the same everywhere. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../pkg/artifact.h"

/* `sdist` is the file of `s`, as seal_source has it. True where nobody can tell. */
bool source_compiles(const struct artifact_source *s, const char *sdist);
