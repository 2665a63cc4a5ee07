/* pkg/pypi/cargo_lock.h - the crates that a Cargo.lock names, where an sdist of Rust has one.
 *
 * Those of crates.io, each with its SHA-256, as the lock has them since its version 2; what comes
 * from elsewhere is passed over. https://doc.rust-lang.org/cargo/reference/resolver.html
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/arena.h"
#include "../../base/digest.h"
#include "../../base/err.h"
#include "../../base/vec.h"

struct crate {
    struct str name, version;
    struct digest digest;
};
struct crates VEC_OF(struct crate);

/* In the lock's order; texts go into `arena`. ERR_INPUT for what is no Cargo.lock. */
int cargo_lock_parse(struct crates *out, struct arena *arena, struct str text,
                     struct err *e) MUST_CHECK;
