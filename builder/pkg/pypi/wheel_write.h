/* pkg/pypi/wheel_write.h - a wheel in our normal form, so that the same files give the same bytes
 * wherever they were packed.
 *
 * Entries by the bytes of their paths, those of .dist-info behind all others, RECORD last and
 * written anew with SHA-256 and size of each file; no folders; signatures of the old RECORD are
 * left out. Each is packed as io/zip_write.h says. Contents of files are not touched.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "wheel.h"

/* `w` as read by wheel_open(), so each file's hash is held against its RECORD on the way:
 * ERR_INTEGRITY. */
int wheel_write(struct sink *to, const struct wheel *w, struct inflater *inflater,
                struct err *e) MUST_CHECK;
