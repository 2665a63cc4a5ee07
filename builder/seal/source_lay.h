/* seal/source_lay.h - the source of a build as files, in a folder that it may write to. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "wheel.h"

/* Into the empty folder `to`. An sdist is held against its digest before anything of it is read
 * (ERR_INTEGRITY), and its files keep their times; those of a folder get `epoch`. ERR_INPUT when it
 * is none. */
int source_lay(const char *to, const struct seal_source *source, int64_t epoch,
               const struct events *events, struct err *e) MUST_CHECK;
