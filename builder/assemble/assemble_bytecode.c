/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/path.h"
#include "../io/crypto.h"
#include "assemble_parts.h"
#include "layer/layer_key.h"

/* What the compiler is given, and what it gives. */
struct compiling {
    struct tree wheels; /* of the layers below */
    struct input *inputs;
    size_t opened;
    struct modules modules; /* of `wheels` */
    struct spool spool;
    struct tree made;
};

static void compiling_clear(struct compiling *c)
{
    tree_clear(&c->made);
    spool_clear(&c->spool);
    vec_clear(&c->modules);
    tree_clear(&c->wheels);
    for (size_t i = 0; i < c->opened; i++)
        cas_input_clear(&c->inputs[i]);
    free(c->inputs);
}

/* As they are in the image: what loses to a wheel of another layer is left out. */
static int import_below(struct compiling *c, struct making *m, struct err *e)
{
    CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();
    const struct lock *lock = m->all->lock;

    c->inputs = xcalloc(lock->artifacts.n + 1, sizeof *c->inputs);
    for (size_t i = 0; i < m->index; i++) {
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

static void find_modules(struct compiling *c, const struct lock *lock)
{
    CLEANUP(buf_clear) struct buf site = {0};
    const struct entry *entry;

    buf_fmt(&site, LAYER_PREFIX "/lib/python" STR_FMT "/site-packages/", STR_ARG(lock->python));
    vec_each(entry, &c->wheels.entries)
        if (entry->type == ENTRY_FILE && str_starts(entry->path, buf_view(&site)) &&
            str_ends(entry->path, STR(".py")))
            vec_add(&c->modules, entry);
}

/* Its folders are those of the module, and __pycache__. */
static int take(void *ctx, const struct entry *module, struct str path, struct str bytes,
                struct err *e)
{
    struct compiling *c = ctx;
    struct entry entry = {.path = path, .mode = 0644, .mtime = module->mtime};
    CLEANUP(source_clear) struct source *from = source_bytes(bytes, "bytecode");

    return spool_put(&entry.content, &c->spool, from, bytes.len, e) < 0 ||
                   tree_parents_of(&c->made, &c->wheels, module->path, e) < 0 ||
                   tree_parents(&c->made, path, module->mtime, e) < 0
               ? -1
               : tree_add(&c->made, &entry, true, e);
}

int making_bytecode(struct making *m, struct err *e)
{
    const struct assembly *in = m->all->in;
    CLEANUP(compiling_clear) struct compiling c = {.wheels = {.below = &m->all->venv}};
    struct event step = {.kind = EVENT_STEP, .name = "compile to bytecode"};
    struct digest key;

    events_emit(in->events, &step);
    spool_open(&c.spool, in->scratch_dir);
    hash_bytes(&key, m->key.p, m->key.len);
    if (import_below(&c, m, e) < 0) {
        making_throw_out(in->cas, c.inputs, c.opened, e);
        return -1;
    }
    find_modules(&c, m->all->lock);
    if (in->compiler.compile(in->compiler.ctx, m->all->lock, &key, &c.modules, take, &c, e) < 0)
        return err_wrap(e, "layer %s", m->layer->name.p);
    tree_sort(&c.made);
    return making_write(m, &c.made, e);
}
