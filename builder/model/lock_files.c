/* SPDX-License-Identifier: Apache-2.0 */
#include "lock_files.h"

#include "lock_form.h"

static bool same_inputs(const struct lock *a, const struct lock *b)
{
    bool same = a->inputs.n == b->inputs.n;

    for (size_t i = 0; i < a->inputs.n && same; i++)
        same = str_eq(a->inputs.v[i].path, b->inputs.v[i].path) &&
               digest_eq(&a->inputs.v[i].digest, &b->inputs.v[i].digest);
    return same;
}

/* The recipe's own copies come first; files that are made for the image follow. */
static bool same_copies(const struct lock *lock, const struct lock *now)
{
    bool same = lock->copies.n >= now->copies.n;

    for (size_t i = 0; i < now->copies.n && same; i++)
        same = str_eq(lock->copies.v[i].from, now->copies.v[i].from) &&
               str_eq(lock->copies.v[i].to, now->copies.v[i].to);
    return same;
}

static void take_copy(struct lock_copy *to, const struct lock_copy *from, struct arena *arena)
{
    const struct lock_file *f;

    to->files.n = 0;
    vec_each(f, &from->files) {
        struct lock_file *own = vec_push(&to->files);

        *own = *f;
        own->path = arena_str(arena, f->path);
        own->link = arena_str(arena, f->link);
    }
}

/* Its wheel is built anew; what it is called then, and which version it has, the build tells. */
static void take_project(struct lock *lock, const struct artifact *now)
{
    struct arena *arena = &lock->doc.arena;
    struct artifact_source *s = arena_alloc(arena, sizeof *s);
    struct artifact *a;

    vec_each(a, &lock->artifacts) {
        if (!artifact_is_project(a))
            continue;
        *s = *a->source;
        s->sdist.digest = now->source->sdist.digest;
        s->sdist.size = now->source->sdist.size;
        s->env =
            (struct strs){arena_alloc(arena, (now->source->env.n + 1) * sizeof *s->env.v), 0, 0};
        for (size_t i = 0; i < now->source->env.n; i++)
            s->env.v[s->env.n++] = arena_str(arena, now->source->env.v[i]);
        a->source = s;
        a->file = STR("");
        a->size = 0;
        a->digest = (struct digest){0};
    }
}

static void forget_digests(struct lock *lock, bool project)
{
    for (size_t i = 0; i < lock->layers.n; i++) {
        struct lock_layer *l = &lock->layers.v[i];

        if (!lock_layer_is_own(lock, i) || (l->kind == LOCK_WHEELS && !project))
            continue;
        l->digest = l->diff_id = (struct digest){0};
        l->size = l->unpacked = 0;
        l->chunked = (struct chunked){0};
    }
    lock_forms_forget(lock);
    lock->config = lock->manifest = (struct digest){0};
    lock->settled |= lock->built;
    lock->built = false;
}

bool lock_take_files(struct lock *lock, const struct lock *now)
{
    const struct artifact *a;

    /* The oldest locks did not know their inputs. */
    if (lock->schema == 1 || !digest_eq(&lock->recipe_digest, &now->recipe_digest) ||
        !same_inputs(lock, now) || !same_copies(lock, now))
        return false;
    vec_each(a, &now->artifacts)
        if (!artifact_is_project(a))
            return false;
    vec_each(a, &now->artifacts)
        take_project(lock, a);
    for (size_t i = 0; i < now->copies.n; i++)
        if (!now->copies.v[i].text.len) /* what is made for the image stays as it was chosen */
            take_copy(&lock->copies.v[i], &now->copies.v[i], &lock->doc.arena);
    forget_digests(lock, now->artifacts.n);
    return true;
}
