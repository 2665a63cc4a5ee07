/* seal/bytecode.h - modules compiled by the Python of a root, sealed: seal/bytecode.py.
 *
 * The bytes are a function of that Python, of the module and of its path alone: each is compiled in
 * a process of its own, its hashes are seeded with 0, and a .pyc is unchecked (PEP 552), so no time
 * is in it. Nothing of a module runs.
 *     seal_bytecode_open()   an empty place
 *     seal_bytecode_add()    each module
 *     seal_bytecode_run()
 *     seal_bytecode_read()   what came of each
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../store/unpacked.h"
#include "lay.h"
#include "wheel.h"

struct seal_bytecode {
    const struct seal_means *means; /* borrowed; `memo` is not used */
    struct seal_root root;
    struct unpacked place;
    char *src; /* owned: the folder of the modules */
    struct lay lay;
    struct str tag; /* of the folder __pycache__'s files: "cpython-311" */
};

/* `key` names what is compiled: who does the same waits. `layers` are the root's. */
int seal_bytecode_open(struct seal_bytecode *b, const struct seal_layers *layers,
                       const struct digest *key, struct str tag, const struct seal_means *m,
                       struct err *e) MUST_CHECK;
/* `path` of the image, as "opt/venv/lib/python3.11/site-packages/torch/version.py". */
int seal_bytecode_add(struct seal_bytecode *b, struct str path, struct str text,
                      struct err *e) MUST_CHECK;
/* `python` in the root: "/opt/venv/bin/python". ERR_INPUT when it fails, ERR_SYSTEM when it cannot
 * be run, ERR_INTERRUPTED. */
int seal_bytecode_run(struct seal_bytecode *b, const char *python, struct err *e) MUST_CHECK;
/* What a module became, and `made`: its path in the image. Not found: it does not compile. */
int seal_bytecode_read(struct buf *out, struct buf *made, bool *found,
                       const struct seal_bytecode *b, struct str path, struct err *e) MUST_CHECK;
void seal_bytecode_clear(struct seal_bytecode *b);
