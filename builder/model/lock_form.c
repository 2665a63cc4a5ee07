/* SPDX-License-Identifier: Apache-2.0 */
#include "lock_form.h"

#include "lock_record.h"

static struct lock_form *find(struct lock *lock, enum compression how)
{
    struct lock_form *f;

    vec_each(f, &lock->forms)
        if (f->as == how)
            return f;
    return NULL;
}

static struct lock_form *add(struct lock *lock, enum compression how)
{
    struct lock_form *f = vec_push(&lock->forms);
    const struct lock_layer *l;

    f->as = how;
    vec_each(l, &lock->layers) {
        struct lock_packed *p = vec_push(&f->layers);

        if (l->kind == LOCK_IMAGE) /* taken over as it is */
            *p = (struct lock_packed){.digest = l->digest, .size = l->size};
    }
    return f;
}

#define SWAP(a, b)                    \
    do {                              \
        __typeof__(a) swap_was = (a); \
        (a) = (b);                    \
        (b) = swap_was;               \
    } while (0)

void lock_take_form(struct lock *lock, enum compression how)
{
    enum compression now = lock_compression(lock);
    bool settled = lock_is_settled(lock);
    struct lock_form *f;

    if (now == how)
        return;
    f = find(lock, how);
    if (!f)
        f = add(lock, how);
    for (size_t i = 0; i < lock->layers.n; i++) {
        SWAP(lock->layers.v[i].digest, f->layers.v[i].digest);
        SWAP(lock->layers.v[i].size, f->layers.v[i].size);
        SWAP(lock->layers.v[i].chunked, f->layers.v[i].chunked);
    }
    SWAP(lock->encoder, f->encoder);
    SWAP(lock->manifest, f->manifest);
    SWAP(lock->built, f->built);
    lock->settled = settled && !lock->built;
    f->as = now;
    lock->form = how;
    lock->other_form = how != lock_compressions(lock).v[0];
}

void lock_take_own_form(struct lock *lock)
{
    lock_take_form(lock, lock_compressions(lock).v[0]);
}

size_t lock_forms_built(const struct lock *lock)
{
    const struct lock_form *f;
    size_t n = lock->built;

    vec_each(f, &lock->forms)
        n += f->built;
    return n;
}

bool lock_is_of(const struct lock *lock, const struct digest *manifest)
{
    const struct lock_form *f;
    bool is = !lock_forms_built(lock) || (lock->built && digest_eq(&lock->manifest, manifest));

    vec_each(f, &lock->forms)
        is |= f->built && digest_eq(&f->manifest, manifest);
    return is;
}

void lock_forms_forget(struct lock *lock)
{
    struct lock_form *f;

    vec_each(f, &lock->forms) {
        f->built = false;
        f->manifest = (struct digest){0};
        for (size_t i = 0; i < lock->layers.n; i++)
            if (lock->layers.v[i].kind == LOCK_FILES)
                f->layers.v[i] = (struct lock_packed){0};
    }
}

void lock_forms_clear(struct lock *lock)
{
    struct lock_form *f;

    vec_each(f, &lock->forms)
        vec_clear(&f->layers);
    vec_clear(&lock->forms);
}

/* ---- in the file ---- */

static bool is_recorded(const struct lock *lock, size_t layer)
{
    return !lock->settled || !lock_layer_is_own(lock, layer);
}

/* Is all there that the file has of one? */
static bool is_whole(const struct lock *lock, const struct lock_form *f)
{
    for (size_t i = 0; i < lock->layers.n; i++)
        if (is_recorded(lock, i) && !digest_is_set(&f->layers.v[i].digest))
            return false;
    return f->built || lock->settled;
}

static void put_form(struct doc *d, struct node *list, const struct lock *lock,
                     const struct lock_form *f)
{
    struct node *n = node_add(d, list, node_new_map(d)), *layers;

    node_put_str(d, n, "compression", str_of(compression_name(f->as)));
    node_put_str(d, n, "encoder", f->encoder);
    layers = node_put(d, n, "layers", node_new_list(d));
    for (size_t i = 0; i < lock->layers.n; i++) {
        const struct lock_packed *p = &f->layers.v[i];
        struct node *m;

        if (!is_recorded(lock, i))
            continue;
        m = node_add(d, layers, node_new_map(d));
        node_put_str(d, m, "name", lock->layers.v[i].name);
        node_put_u64(d, m, "size", p->size);
        lock_put_digest(d, m, "digest", &p->digest);
        lock_put_chunked(d, m, &p->chunked);
    }
    if (!lock->settled)
        lock_put_digest(d, n, "manifest", &f->manifest);
}

void lock_forms_put(struct doc *d, struct node *map, const struct lock *lock)
{
    static const char *const names[] = {COMPRESSION_NAMES}; /* their order is the file's */
    const struct lock_form *f;
    struct node *list = NULL;

    if (lock->schema && lock->schema < 4) /* who reads those knows no forms */
        return;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        vec_each(f, &lock->forms)
            if (f->as == (enum compression)i && is_whole(lock, f)) {
                list = list ? list : node_put(d, map, "forms", node_new_list(d));
                put_form(d, list, lock, f);
            }
}

static void get_layers(struct lock *lock, struct lock_form *f, const struct fields *form)
{
    const struct node *list = field_need_list(form, "layers"), *n = list ? list->child : NULL;

    for (size_t i = 0; i < lock->layers.n && list; i++) {
        struct fields g;
        struct str name = {0};

        if (!is_recorded(lock, i))
            continue;
        g = fields_of(n, "lock", form->e);
        if (n)
            field_need_str(&g, "name", &name);
        if (!n || !str_eq(name, lock->layers.v[i].name)) {
            err_at(form->e, n ? &n->pos : &list->pos,
                   "forms: layer \"" STR_FMT "\" is planned here", STR_ARG(lock->layers.v[i].name));
            return;
        }
        field_need_u64(&g, "size", &f->layers.v[i].size, UINT64_MAX / 2);
        lock_need_digest(&g, "digest", &f->layers.v[i].digest);
        lock_get_chunked(&f->layers.v[i].chunked, &g);
        n = n->next;
    }
    if (n)
        err_at(form->e, &n->pos, "forms: more layers than are planned");
}

void lock_forms_get(struct lock *lock, const struct fields *recorded)
{
    const struct node *n;

    node_each(n, field_list(recorded, "forms")) {
        static const char *const known[] = {"compression", "encoder", "layers", "manifest", NULL};
        struct fields f = fields_of(n, "lock", recorded->e);
        struct str name = {0};
        enum compression how;
        struct lock_form *form;

        fields_only(&f, known);
        field_need_str(&f, "compression", &name);
        if (!compression_is(&how, name) || how == lock_compression(lock) || find(lock, how)) {
            err_at(recorded->e, &n->pos,
                   "forms: \"" STR_FMT "\" is no compression, or stands here twice", STR_ARG(name));
            return;
        }
        form = add(lock, how);
        field_need_str(&f, "encoder", &form->encoder);
        get_layers(lock, form, &f);
        if (lock->settled)
            continue;
        lock_need_digest(&f, "manifest", &form->manifest);
        form->built = true;
    }
}
