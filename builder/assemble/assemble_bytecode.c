/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/path.h"
#include "../io/crypto.h"
#include "assemble_parts.h"
#include "layer/layer_key.h"

/* One layer: the wheels that are compiled, and what becomes of them. */
struct compiled {
    struct making *making;
    struct tree wheels, made;
    struct input *inputs;
    size_t opened;
};

/* One run of the compiler, for all layers. */
struct compiling {
    struct VEC_OF(struct compiled) layers;
    struct modules modules; /* of their wheels, each path once */
    struct spool spool;
};

static void compiling_clear(struct compiling *c)
{
    struct compiled *l;

    vec_each(l, &c->layers) {
        tree_clear(&l->made);
        tree_clear(&l->wheels);
        for (size_t i = 0; i < l->opened; i++)
            cas_input_clear(&l->inputs[i]);
        free(l->inputs);
    }
    vec_clear(&c->layers);
    vec_clear(&c->modules);
    spool_clear(&c->spool);
}

bool making_is_compiled(const struct making *m)
{
    return m->how == HOW_MAKE && m->layer->kind == LOCK_BYTECODE;
}

/* As they are in the image: what loses to a wheel of another layer is left out. */
static int import_wheels(struct compiled *c, struct err *e)
{
    CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();
    const struct making *m = c->making;
    const struct lock *lock = m->all->lock;

    c->wheels.below = &m->all->venv;
    c->inputs = xcalloc(lock->artifacts.n + 1, sizeof *c->inputs);
    for (size_t i = lock_bytecode_from(lock, m->index); i < m->index; i++) {
        const struct lock_layer *l = &lock->layers.v[i];
        struct slim_counts slim = {0}; /* that layer's own making counts */
        int result = 0;

        making_rules(&slim, lock, l);
        for (size_t j = 0; l->kind == LOCK_WHEELS && j < l->artifacts.n && result == 0; j++)
            result = making_import(&c->wheels, m->all, l->artifacts.v[j], &c->inputs[c->opened++],
                                   &slim, inflater, e);
        vec_clear(&slim);
        if (result < 0)
            return -1;
    }
    tree_sort(&c->wheels);
    return 0;
}

/* The layers before it may have the same file. */
static bool is_found(const struct compiling *c, const struct compiled *layer, struct str path)
{
    for (const struct compiled *l = c->layers.v; l < layer; l++)
        if (tree_get(&l->wheels, path))
            return true;
    return false;
}

bool bytecode_is_of(const struct lock *lock, struct str path)
{
    return str_skip(&path, STR(LAYER_PREFIX "/lib/python")) && str_skip(&path, lock->python) &&
           str_starts(path, STR("/site-packages/")) && str_ends(path, STR(".py"));
}

static void find_modules(struct compiling *c, const struct compiled *layer)
{
    const struct entry *entry;

    vec_each(entry, &layer->wheels.entries)
        if (entry->type == ENTRY_FILE && bytecode_is_of(layer->making->all->lock, entry->path) &&
            !is_found(c, layer, entry->path))
            vec_add(&c->modules, entry);
}

/* Its folders are those of the module, and __pycache__. */
static int add_made(struct compiled *c, const struct entry *module, const struct entry *made,
                    struct err *e)
{
    return tree_parents_of(&c->made, &c->wheels, module->path, e) < 0 ||
                   tree_parents(&c->made, made->path, module->mtime, e) < 0
               ? -1
               : tree_add(&c->made, made, true, e);
}

static int take(void *ctx, const struct entry *module, struct str path, struct str bytes,
                struct err *e)
{
    struct compiling *c = ctx;
    struct entry made = {.path = path, .mode = 0644};
    CLEANUP(source_clear) struct source *from = source_bytes(bytes, "bytecode");
    struct compiled *l;

    if (spool_put(&made.content, &c->spool, from, bytes.len, e) < 0)
        return -1;
    vec_each(l, &c->layers) {
        const struct entry *own = tree_get(&l->wheels, module->path);

        made.mtime = own ? own->mtime : 0;
        if (own && add_made(l, own, &made, e) < 0)
            return -1;
    }
    return 0;
}

static int compile(struct compiling *c, struct assembler *a, struct err *e)
{
    const struct compiler *by = &a->in->compiler;
    CLEANUP(buf_clear) struct buf keys = {0};
    const struct compiled *l;
    struct digest key;

    vec_each(l, &c->layers) {
        find_modules(c, l);
        buf_str(&keys, buf_view(&l->making->key));
    }
    hash_bytes(&key, keys.p, keys.len);
    return by->compile(by->ctx, a->lock, &key, &c->modules, take, c, e);
}

int bytecode_make(struct assembler *a, struct err *e)
{
    CLEANUP(compiling_clear) struct compiling c = {0};
    struct event step = {.kind = EVENT_STEP, .name = "compile to bytecode"};
    struct compiled *l;

    for (size_t i = 0; i < a->lock->layers.n; i++)
        if (making_is_compiled(&a->makings[i]))
            vec_add(&c.layers, ((struct compiled){.making = &a->makings[i]}));
    if (!c.layers.n)
        return 0;
    events_emit(a->in->events, &step);
    spool_open(&c.spool, a->in->scratch_dir);
    vec_each(l, &c.layers)
        if (import_wheels(l, e) < 0) {
            making_throw_out(a->in->cas, l->inputs, l->opened, e);
            return -1;
        }
    if (compile(&c, a, e) < 0)
        return err_wrap(e, "compile to bytecode");
    vec_each(l, &c.layers) {
        tree_sort(&l->made);
        if (making_write(l->making, &l->made, e) < 0)
            return -1;
    }
    return 0;
}
