/* pkg/pypi/reqfile.h - pip's requirements format: what a requirements or constraints file asks for.
 *
 * One requirement a line; "#" begins a comment; a "\" at the end joins lines; `-r` and `-c` bring
 * in other files, relative to the one that names them; `--hash=sha256:...` behind a requirement
 * says which files will do. Options that say where to look, or that change nothing here, are kept
 * for who knows the recipe. Those that build from source are refused with what stands in for them
 * here, and so are variables of the environment: what a file asks for depends on nothing but its
 * text. The text is UTF-8, or UTF-16 where a byte
 * order mark says so.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/arena.h"
#include "../../base/digest.h"
#include "../../base/err.h"
#include "../../base/vec.h"

enum { REQFILE_MAX = 4 << 20, REQFILE_DEPTH = 32 };

struct req_line {
    struct str text; /* the requirement, without options */
    struct pos pos;
    struct VEC_OF(struct digest) hashes; /* empty: any file */
    bool constraint;                     /* binds only what something else asks for */
};

struct req_option {   /* of a line of its own */
    const char *name; /* the long form: "--index-url" */
    struct str value; /* empty for those that have none */
    struct pos pos;
    const char *instead; /* of those that name a place: what would work; NULL: it changes nothing */
};

struct req_source { /* a file that was read */
    struct str path;
    struct digest digest;
};

struct reqfile {
    struct arena arena; /* owns every text below */
    struct VEC_OF(struct req_line) lines;
    struct VEC_OF(struct req_source) sources; /* in the order of reading */
    struct VEC_OF(struct req_option) options;
    bool pre; /* --pre */
};

/* Append what the file `path`, relative to `dir`, asks for, and all that it names. Paths keep the
 * form they were written in, joined to that of the file that names them. All faults are told. */
int reqfile_read(struct reqfile *out, const char *dir, struct str path, bool constraint,
                 struct err *e) MUST_CHECK;
void reqfile_clear(struct reqfile *r);

/* What stands in for a file of another tool, such as uv.lock or pyproject.toml, by its name; NULL
 * for any other name. reqfile_read() refuses such files. */
const char *reqfile_instead(struct str path);

/* "./wheels/a-1.0-py3-none-any.whl[x]" as the requirement "a[x] @ ./wheels/a-1.0-py3-none-any.whl",
 * and a wheel's address ("https://h.test/a-1.0-py3-none-any.whl ; marker") in the same way; any
 * other text as it is. In `a`. */
struct str reqfile_wheel(struct arena *a, struct str text);
