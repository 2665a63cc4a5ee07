/* assemble/system/venv.h - the skeleton of a Python environment, as `python3.N -m venv --without-
 * pip` makes it: PEP 405, and the activate scripts from the templates that the base's own Python
 * ships.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../layer/tree.h"

struct venv {
    struct str python, python_full; /* "3.11", "3.11.2" */
    struct str prefix;              /* "opt/venv" */
    struct str home;                /* where Python is: "usr", "usr/local" */
    bool bare;                      /* a Python that ships no templates gets no activate scripts */
};

/* `t` holds the base's Python; what is added carries the date of its newest template. */
int venv_add(struct tree *t, const struct venv *how, struct err *e) MUST_CHECK;
/* Its folders, links and the names of its files alone: what wheels find there. */
int venv_outline(struct tree *out, const struct venv *how, struct err *e) MUST_CHECK;
