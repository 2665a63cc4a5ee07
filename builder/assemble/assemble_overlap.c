/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/map.h"
#include "assemble_parts.h"

/* A file of one wheel. */
struct owned {
    const struct wheel_path *file;
    size_t artifact;
};

struct finder {
    const struct assembler *all;
    struct VEC_OF(size_t) wheels; /* in the order in which pip would install them */
    struct VEC_OF(struct owned) files;
    struct map last; /* path to the position + 1 in `files` of the one that stays */
    struct overlaps found;
};

static void finder_clear(struct finder *f)
{
    vec_clear(&f->wheels);
    vec_clear(&f->files);
    map_clear(&f->last);
    overlaps_clear(&f->found);
}

static const struct artifact *artifact_at(const struct finder *f, size_t i)
{
    return &f->all->lock->artifacts.v[i];
}

static int wheel_compare(const void *x, const void *y, void *artifacts)
{
    const struct artifact *all = artifacts;
    const struct artifact *a = &all[*(const size_t *)x], *b = &all[*(const size_t *)y];

    return lock_installs_before(a, b) ? -1 : lock_installs_before(b, a);
}

static void list_files(struct finder *f)
{
    const struct assembler *a = f->all;
    const size_t *wheel;
    const struct wheel_path *file;

    for (size_t i = 0; i < a->lock->artifacts.n; i++)
        if (a->lock->artifacts.v[i].eco == ECO_WHEEL)
            vec_add(&f->wheels, i);
    if (f->wheels.n > 1)
        qsort_r(f->wheels.v, f->wheels.n, sizeof f->wheels.v[0], wheel_compare,
                a->lock->artifacts.v);
    vec_each(wheel, &f->wheels)
        vec_each(file, &a->paths[*wheel].list) {
            vec_add(&f->files, ((struct owned){file, *wheel}));
            map_set(&f->last, file->path, (void *)(uintptr_t)f->files.n);
        }
}

static const struct owned *last_of(const struct finder *f, struct str path)
{
    uintptr_t at = (uintptr_t)map_get(&f->last, path);

    return at ? &f->files.v[at - 1] : NULL;
}

static struct lock_overlap *pair_of(struct finder *f, struct str winner, struct str loser)
{
    struct lock_overlap *o;

    vec_each(o, &f->found)
        if (str_eq(o->winner, winner) && str_eq(o->loser, loser))
            return o;
    o = vec_push(&f->found);
    o->winner = winner;
    o->loser = loser;
    return o;
}

/* No folder above a file may be a file of another wheel. Wheels list a folder's files one after
 * the other, so that only what the file before does not share is looked up. */
static int check_folders(const struct finder *f, const struct owned *file, struct str before,
                         struct err *e)
{
    struct str path = file->file->path;
    size_t same = 0;

    while (same < path.len && same < before.len && path.p[same] == before.p[same])
        same++;
    for (size_t i = same; i < path.len; i++) {
        const struct owned *other = path.p[i] == '/' ? last_of(f, str_sub(path, 0, i)) : NULL;

        if (other)
            return err_set(e, ERR_INPUT,
                           "/" STR_FMT " is a file of " STR_FMT " and a folder of " STR_FMT
                           "; leave one of the two packages out",
                           STR_ARG(other->file->path),
                           STR_ARG(artifact_at(f, other->artifact)->file),
                           STR_ARG(artifact_at(f, file->artifact)->file));
    }
    return 0;
}

/* The layers below the project do not change with each edit: so what they were compiled to stays,
 * and Python would run it instead of the project's module. */
static int check_hidden(const struct finder *f, const struct owned *below, const struct owned *own,
                        struct err *e)
{
    if (!lock_has_bytecode(f->all->lock) || !bytecode_is_of(f->all->lock, own->file->path))
        return 0;
    return err_set(e, ERR_INPUT,
                   "/" STR_FMT " is a file of the project and of " STR_FMT
                   ", whose bytecode Python would run; leave the file out of the project, or "
                   "`bytecode` out of the recipe",
                   STR_ARG(own->file->path), STR_ARG(artifact_at(f, below->artifact)->file));
}

/* Where a file of the recipe lands and would be compiled, were it a wheel's; else false. */
static bool copy_is_module(struct buf *out, const struct lock *lock, const struct lock_copy *c,
                           const struct lock_file *file)
{
    struct str path;

    if (!lock_copy_place(out, c, file)) /* whoever makes the layer says so */
        return false;
    path = buf_view(out);
    return str_skip(&path, STR("/")) && bytecode_is_of(lock, path);
}

/* As a project's, but even the same bytes: nobody means to. */
static int check_copy(const struct finder *f, const struct lock_copy *c,
                      const struct lock_file *copied, struct err *e)
{
    CLEANUP(buf_clear) struct buf path = {0};
    const struct owned *file;

    if (!copy_is_module(&path, f->all->lock, c, copied))
        return 0;
    file = last_of(f, str_of(path.p + 1)); /* a project's hides no wheel's, as was checked before */
    if (!file || artifact_is_project(artifact_at(f, file->artifact)))
        return 0;
    return err_set(e, ERR_INPUT,
                   "%s is a file of `files` and of " STR_FMT
                   ", whose bytecode Python would run; leave it out of `files`, or `bytecode` out "
                   "of the recipe",
                   path.p, STR_ARG(artifact_at(f, file->artifact)->file));
}

static int check_copies(const struct finder *f, struct err *e)
{
    const struct lock *lock = f->all->lock;
    const struct lock_copy *c;
    const struct lock_file *file;

    if (!lock_has_bytecode(lock))
        return 0;
    vec_each(c, &lock->copies)
        vec_each(file, &c->files)
            if (check_copy(f, c, file, e) < 0)
                return -1;
    return 0;
}

static int look_at(struct finder *f, size_t at, struct err *e)
{
    const struct owned *file = &f->files.v[at], *stays = last_of(f, file->file->path);
    struct str before = at ? f->files.v[at - 1].file->path : (struct str){0};
    bool lost = stays->artifact != file->artifact && stays->file->print != file->file->print;

    if (lost && artifact_is_project(artifact_at(f, stays->artifact))) {
        if (check_hidden(f, file, stays, e) < 0)
            return -1;
    } else if (lost && !artifact_is_project(artifact_at(f, file->artifact)))
        strs_add_once(
            &pair_of(f, artifact_at(f, stays->artifact)->name, artifact_at(f, file->artifact)->name)
                 ->paths,
            file->file->path);
    return check_folders(f, file, before, e);
}

static int overlap_compare(const void *x, const void *y)
{
    const struct lock_overlap *a = x, *b = y;
    int order = str_cmp(a->loser, b->loser);

    return order ? order : str_cmp(a->winner, b->winner);
}

static int find(struct finder *f, struct err *e)
{
    struct lock_overlap *o;

    list_files(f);
    for (size_t i = 0; i < f->files.n; i++)
        if (look_at(f, i, e) < 0)
            return -1;
    if (check_copies(f, e) < 0)
        return -1;
    vec_sort(&f->found, overlap_compare);
    vec_each(o, &f->found) {
        vec_sort(&o->paths, str_compare);
        for (size_t i = 0; i < o->paths.n; i++)
            o->paths.v[i] = arena_str(&f->all->lock->doc.arena, o->paths.v[i]);
    }
    return 0;
}

static bool same(const struct overlaps *a, const struct overlaps *b)
{
    bool result = a->n == b->n;

    for (size_t i = 0; i < a->n && result; i++) {
        const struct lock_overlap *x = &a->v[i], *y = &b->v[i];

        result =
            str_eq(x->winner, y->winner) && str_eq(x->loser, y->loser) && x->paths.n == y->paths.n;
        for (size_t j = 0; j < x->paths.n && result; j++)
            result = str_eq(x->paths.v[j], y->paths.v[j]);
    }
    return result;
}

static bool has_modules(const struct lock *lock)
{
    const struct lock_copy *c;
    const struct lock_file *file;

    vec_each(c, &lock->copies)
        vec_each(file, &c->files) {
            CLEANUP(buf_clear) struct buf path = {0};

            if (copy_is_module(&path, lock, c, file))
                return true;
        }
    return false;
}

bool overlap_may_hide(const struct assembler *a)
{
    const struct lock *lock = a->lock;

    for (size_t i = 0; i < lock->layers.n && lock->settled && lock_has_bytecode(lock); i++)
        if (a->makings[i].how == HOW_MAKE && lock_layer_is_own(lock, i) &&
            (lock->layers.v[i].kind == LOCK_WHEELS || has_modules(lock)))
            return true;
    return false;
}

int overlap_find(struct assembler *a, struct err *e)
{
    CLEANUP(finder_clear) struct finder f = {.all = a};

    if (find(&f, e) < 0)
        return -1;
    if (a->only_stored)
        return 0;
    if (lock_is_settled(a->lock) && !same(&a->lock->overlaps, &f.found))
        return err_set(
            e, ERR_INTEGRITY,
            "the wheels share other paths than the lock's \"overlaps\" say; the lock was "
            "edited: `envbuild lock` makes it anew");
    if (!lock_is_settled(a->lock)) {
        overlaps_clear(&a->lock->overlaps);
        MOVE(&a->lock->overlaps, &f.found);
    }
    return 0;
}

void overlap_warn(const struct lock *lock, const struct events *events)
{
    const struct lock_overlap *o;

    vec_each(o, &lock->overlaps)
        events_warn(events,
                    STR_FMT " and " STR_FMT
                            " both bring %zu file%s with different content; the first is /" STR_FMT
                            "; the image has what " STR_FMT " brings, as after pip install",
                    STR_ARG(o->loser), STR_ARG(o->winner), o->paths.n, o->paths.n == 1 ? "" : "s",
                    STR_ARG(o->paths.v[0]), STR_ARG(o->winner));
}
