/* SPDX-License-Identifier: Apache-2.0 */
#include "vec.h"

void names_clear(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->v[i]);
    vec_clear(names);
}

void names_add(struct names *names, const char *s)
{
    vec_add(names, xstrdup(s));
}
