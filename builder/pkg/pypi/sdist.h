/* pkg/pypi/sdist.h - what an sdist says of itself without being built.
 *
 * A .tar.gz or .zip of one folder (PEP 625), whose PKG-INFO is core metadata and whose
 * pyproject.toml names the build backend; one of Rust may have a Cargo.lock. Or a .tar of one, as a
 * commit of git is kept (fetch/git.h). Read with the readers of io, so nothing is unpacked.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/buf.h"
#include "../../io/entry.h"

struct sdist { /* texts; empty where there is no such file */
    struct buf pkg_info, pyproject;
    struct buf cargo_lock; /* the one that stands highest; only looked for where pyproject speaks of
                              Rust's builders */
};

/* `in` is named by its file name, and has the digest that it was asked for. `folder`: in its own,
 * where the project stands; empty: at its top. ERR_INPUT for what is none. */
int sdist_read(struct sdist *out, const struct input *in, struct str folder,
               struct err *e) MUST_CHECK;
void sdist_clear(struct sdist *s);
