/* pkg/pypi/marker.h - environment markers of requirements (PyPA dependency-specifiers, PEP 508). */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/vec.h"
#include "reader.h"

/* The target a marker is evaluated for; never the build host. */
struct marker_env {
    struct str python_full_version; /* "3.11.2"; python_version is derived */
    struct str platform_machine;    /* "x86_64" */
};

struct marker; /* opaque, in an arena */

/* Read one from the cursor up to what cannot belong to it; it lives in the reader's arena. */
int marker_read(struct reader *r, const struct marker **out) MUST_CHECK;
void marker_print(struct buf *out, const struct marker *m);

/* Evaluate for `env` with one `extra` asked for (normalised; empty: none). An unknown field or an
 * impossible comparison is ERR_INPUT. */
int marker_eval(const struct marker *m, const struct marker_env *env, struct str extra, bool *out,
                struct err *e) MUST_CHECK;
/* What of a lock file of another tool was chosen: names in their normal form. */
struct marker_choice {
    const struct strs *extras, *groups;
};
/* The same for a marker of such a file (PEP 751): `extra == "x"`, `"x" in extras` and `"x" in
 * dependency_groups` ask whether it was chosen. */
int marker_eval_chosen(const struct marker *m, const struct marker_env *env,
                       const struct marker_choice *choice, bool *out, struct err *e) MUST_CHECK;
/* True when the marker mentions `extra`, `extras` or `dependency_groups`. */
bool marker_has_extra(const struct marker *m);
