/* assemble/toolkit/toolkit_wheel.h - what a wheel of NVIDIA's holds, as far as a CUDA toolkit is
 * made of it: the list of its files under nvidia/, and the headers that stub libraries are made
 * from.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/arena.h"
#include "../../base/vec.h"
#include "../../io/inflate.h"

struct toolkit_file {
    struct str path; /* in site-packages: "nvidia/cu13/lib/libcudart.so.13" */
    uint64_t size;
    struct digest digest; /* SHA-256, as RECORD has it */
};

struct toolkit_header {
    struct str name, text; /* "cuda.h" */
};

struct toolkit_wheel {
    struct VEC_OF(struct toolkit_file) files; /* sorted by path */
    struct VEC_OF(struct toolkit_header) headers;
    int64_t newest; /* of all files */
    struct arena arena;
};

/* `name` and `version` are those of the lock. `input` may be closed afterwards. */
int toolkit_wheel_read(struct toolkit_wheel *out, const struct input *input, struct str name,
                       struct str version, struct err *e) MUST_CHECK;
void toolkit_wheel_clear(struct toolkit_wheel *w);
