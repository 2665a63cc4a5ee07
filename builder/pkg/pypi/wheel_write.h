/* pkg/pypi/wheel_write.h - a wheel in our normal form, so that the same files give the same bytes
 * wherever they were packed.
 *
 * Entries by the bytes of their paths, those of .dist-info behind all others, RECORD last and
 * written anew: path, SHA-256 and size of each file, in that order. No folders; signatures of the
 * old RECORD are left out. Each entry is written as io/zip_write.h says. No other file is changed.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../io/zip_write.h"
#include "wheel.h"

/* To `to`, which is not finished. `scratch` and `threads` as zip_writer_open() takes them. */
int wheel_write(struct sink *to, const struct wheel *w, struct inflater *inflater,
                const char *scratch, unsigned threads, struct err *e) MUST_CHECK;
