/* SPDX-License-Identifier: Apache-2.0 */
#include "vec.h"

bool strs_has(const struct strs *list, struct str s)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_eq(list->v[i], s))
            return true;
    return false;
}

bool strs_add_once(struct strs *list, struct str s)
{
    if (strs_has(list, s))
        return false;
    vec_add(list, s);
    return true;
}

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
