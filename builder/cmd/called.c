/* SPDX-License-Identifier: Apache-2.0 */
#include "called.h"

#include "../oci/ref.h"

void called_clear(struct called *c)
{
    free(c->repository);
    free(c->tag);
    *c = (struct called){0};
}

void called_find(struct called *out, struct str name)
{
    CLEANUP(ref_clear) struct ref ref = {0};
    CLEANUP(err_clear) struct err ignored = {0}; /* then it has no name */

    if (!name.len || ref_parse(&ref, name, &ignored) < 0) {
        out->tag = xstrdup("latest");
        return;
    }
    out->repository = ref_repository(&ref);
    out->tag = xstrdup(ref.tag ? ref.tag : "latest");
}
