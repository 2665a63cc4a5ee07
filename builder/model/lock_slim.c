/* SPDX-License-Identifier: Apache-2.0 */
#include "lock_slim.h"

#include "../base/version.h"

void lock_slim_put(struct doc *d, struct node *root, const struct slim_counts *slim)
{
    struct node *list = slim->n ? node_put(d, root, "slim", node_new_list(d)) : NULL;

    for (size_t i = 0; i < slim->n; i++)
        node_add_str(d, list, str_of(slim->v[i].rule->name));
}

void lock_slim_get(struct lock *lock, const struct fields *root)
{
    const struct node *n;

    node_each(n, field_list(root, "slim")) {
        const struct slim_rule *rule = slim_rule_named(n->text);

        if (rule)
            vec_push(&lock->slim)->rule = rule;
        else
            err_at(root->e, &n->pos,
                   "slim: rule \"" STR_FMT "\" is not known to this envbuild, " ENVBUILD_VERSION
                   "; the lock is from envbuild " STR_FMT,
                   STR_ARG(n->text), STR_ARG(lock->writer));
    }
}

void lock_slim_put_built(struct doc *d, struct node *built, const struct slim_counts *slim)
{
    struct node *list = slim->n ? node_put(d, built, "slim", node_new_list(d)) : NULL;

    for (size_t i = 0; i < slim->n; i++) {
        struct node *n = node_add(d, list, node_new_map(d));

        node_put_str(d, n, "rule", str_of(slim->v[i].rule->name));
        node_put_u64(d, n, "files", slim->v[i].files);
        node_put_u64(d, n, "bytes", slim->v[i].bytes);
        node_put_u64(d, n, "packed", slim->v[i].packed);
    }
}

void lock_slim_get_built(struct slim_counts *slim, const struct fields *built)
{
    const struct node *n;

    node_each(n, field_list(built, "slim")) {
        struct fields f = fields_of(n, "lock", built->e);
        struct slim_count one = {0};
        struct str name = {0};

        field_need_str(&f, "rule", &name);
        field_need_u64(&f, "files", &one.files, UINT32_MAX);
        field_need_u64(&f, "bytes", &one.bytes, UINT64_MAX / 2);
        field_need_u64(&f, "packed", &one.packed, UINT64_MAX / 2);
        one.rule = slim_rule_named(name); /* which the first part names, or it counts nowhere */
        slim_add(slim, &(struct slim_counts){.v = &one, .n = 1});
    }
}
