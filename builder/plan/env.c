/* SPDX-License-Identifier: Apache-2.0 */
#include "env.h"

bool env_get(struct str *value, const struct strs *env, struct str name)
{
    for (size_t i = 0; i < env->n; i++) {
        struct str rest = env->v[i];

        if (str_skip(&rest, name) && str_skip(&rest, STR("="))) {
            *value = rest;
            return true;
        }
    }
    return false;
}

void env_set(struct strs *env, struct arena *a, struct str line)
{
    struct str name = str_sub(line, 0, str_find(line, '=') + 1);

    for (size_t i = 0; i < env->n; i++)
        if (str_starts(env->v[i], name)) {
            env->v[i] = arena_str(a, line);
            return;
        }
    vec_add(env, arena_str(a, line));
}

static int not_there(const struct strs *env, struct str name, struct err *e)
{
    CLEANUP(buf_clear) struct buf known = {0};

    for (size_t i = 0; i < env->n; i++)
        buf_fmt(&known, "%s" STR_FMT, i ? ", " : "",
                STR_ARG(str_sub(env->v[i], 0, str_find(env->v[i], '='))));
    return err_set(e, ERR_INPUT,
                   "the image has no variable \"$" STR_FMT "\"; it has %s; write \"$$\" for a "
                   "dollar",
                   STR_ARG(name), known.len ? known.p : "none");
}

/* `rest` stands behind a "$": take the name from it; empty when there is none. */
static bool take_name(struct str *name, struct str *rest)
{
    bool braces = str_skip(rest, STR("{"));
    size_t n = 0;

    while (n < rest->len && (c_alnum(rest->p[n]) || rest->p[n] == '_') &&
           (n || !c_digit(rest->p[0])))
        n++;
    *name = str_sub(*rest, 0, n);
    *rest = str_sub(*rest, n, rest->len);
    return !braces || (n && str_skip(rest, STR("}")));
}

int env_expand(struct buf *out, struct str value, const struct strs *env, struct err *e)
{
    struct str rest = value, before, name, found;

    while (str_cut(&rest, STR("$"), &before)) {
        buf_str(out, before);
        if (str_skip(&rest, STR("$"))) {
            buf_putc(out, '$');
            continue;
        }
        if (!take_name(&name, &rest))
            return err_set(e, ERR_INPUT,
                           "\"" STR_FMT "\" has a \"${\" that is not \"${NAME}\"; write \"$$\" "
                           "for a dollar",
                           STR_ARG(value));
        if (!name.len)
            buf_putc(out, '$');
        else if (!env_get(&found, env, name))
            return not_there(env, name, e);
        else
            buf_str(out, found);
    }
    buf_str(out, rest);
    return 0;
}
