/* SPDX-License-Identifier: Apache-2.0 */
#include "../io/inflate.h"
#include "../seal/bytecode.h"
#include "sealed_parts.h"

#define CODE_MAX ((uint64_t)256 << 20) /* bytes of a module */

static int add_modules(struct seal_bytecode *b, const struct modules *modules, struct err *e)
{
    CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();
    const struct entry *const *at;

    vec_each(at, modules) {
        CLEANUP(free_clear) char *name = str_dup((*at)->path);
        CLEANUP(buf_clear) struct buf text = {0};

        if (content_read(inflater, &(*at)->content, &text, CODE_MAX, name, e) < 0 ||
            seal_bytecode_add(b, (*at)->path, buf_view(&text), e) < 0)
            return -1;
    }
    return 0;
}

static int compile_begin(void *ctx, struct err *e)
{
    return sealed_begin(ctx, e);
}

static int compile(void *ctx, const struct lock *lock, const struct digest *key,
                   const struct modules *modules,
                   int (*each)(void *ctx, const struct entry *module, struct str path,
                               struct str bytes, struct err *e),
                   void *each_ctx, struct err *e)
{
    struct sealed *x = ctx;
    struct str groups[] = {str_of(lock_group_name(LOCK_BASE)),
                           str_of(lock_group_name(LOCK_PYTHON))};
    const struct artifact_source python = {.root = {groups, ARRAY_LEN(groups), ARRAY_LEN(groups)}};
    const struct seal_means means = sealed_means(x, NULL);
    CLEANUP(seal_bytecode_clear) struct seal_bytecode b = {0};
    CLEANUP(buf_clear) struct buf tag = {0};
    const struct entry *const *at;
    struct sealed_root *root;

    buf_puts(&tag, "cpython-");
    for (size_t i = 0; i < lock->python.len; i++)
        if (lock->python.p[i] != '.')
            buf_putc(&tag, lock->python.p[i]);
    if (sealed_begin(x, e) < 0 || sealed_find_root(x, &python, lock, NULL, &root, e) < 0 ||
        seal_bytecode_open(&b, &root->layers, key, buf_view(&tag), &means, e) < 0 ||
        add_modules(&b, modules, e) < 0 || seal_bytecode_run(&b, SEALED_PYTHON, e) < 0)
        return -1;
    vec_each(at, modules) {
        CLEANUP(buf_clear) struct buf bytes = {0}, path = {0};
        bool found;

        if (seal_bytecode_read(&bytes, &path, &found, &b, (*at)->path, e) < 0 ||
            (found && each(each_ctx, *at, buf_view(&path), buf_view(&bytes), e) < 0))
            return -1;
    }
    return 0;
}

struct compiler sealed_compiler(struct sealed *x)
{
    return (struct compiler){compile_begin, compile, x};
}
