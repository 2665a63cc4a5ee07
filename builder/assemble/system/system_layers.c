/* SPDX-License-Identifier: Apache-2.0 */
#include "system_layers.h"

#include "../../model/locale.h"
#include "../layer/layer_key.h"
#include "../layer/layer_order.h"
#include "../import/stand_in.h"
#include "image_layers.h"
#include "venv.h"

void system_layers_open(struct system_layers *s, const struct lock *lock, const char *scratch_dir)
{
    spool_open(&s->spool, scratch_dir);
    s->packages_n = lock->artifacts.n;
    s->packages = xcalloc(s->packages_n, sizeof *s->packages);
    s->archives = xcalloc(s->packages_n, sizeof *s->archives);
    s->wheels = xcalloc(s->packages_n, sizeof *s->wheels);
    s->trees_n = lock->layers.n;
    s->trees = xcalloc(s->trees_n, sizeof *s->trees);
}

void system_layers_clear(struct system_layers *s)
{
    for (size_t i = 0; i < s->trees_n; i++)
        tree_clear(&s->trees[i]);
    for (size_t i = 0; i < s->packages_n; i++) {
        debpkg_clear(&s->packages[i]);
        redist_pkg_clear(&s->archives[i]);
        toolkit_wheel_clear(&s->wheels[i]);
    }
    free(s->trees);
    free(s->packages);
    free(s->archives);
    free(s->wheels);
    tree_clear(&s->below);
    tree_clear(&s->skeleton);
    names_clear(&s->uncovered);
    spool_clear(&s->spool);
    *s = (struct system_layers){0};
}

int system_layers_import(struct system_layers *s, const struct lock *lock, size_t artifact,
                         const struct input *input, struct err *e)
{
    const struct artifact *a = &lock->artifacts.v[artifact];

    switch (a->eco) {
    case ECO_DEB:
        return import_deb(&s->packages[artifact], &s->spool, input, e);
    case ECO_REDIST:
        return import_redist(&s->archives[artifact], &s->spool, input, a->name, a->version, e);
    case ECO_WHEEL:
        return toolkit_wheel_read(&s->wheels[artifact], input, a->name, a->version, e);
    case ECO_DOWNLOAD: /* no part of the system */
        break;
    }
    return 0;
}

/* What goes into a whole tree. */
struct whole {
    struct VEC_OF(const struct debpkg *) packages;
    struct VEC_OF(const struct redist_pkg *) archives;
    struct VEC_OF(const struct toolkit_wheel *) wheels;
    struct VEC_OF(struct debpkg) stand_ins; /* owned */
    struct buf site_text;
    struct toolkit toolkit;
    struct system_locales locales;
    bool python, has_toolkit;
};

static void whole_clear(struct whole *w)
{
    for (size_t i = 0; i < w->stand_ins.n; i++)
        debpkg_clear(&w->stand_ins.v[i]);
    vec_clear(&w->stand_ins);
    vec_clear(&w->packages);
    vec_clear(&w->archives);
    vec_clear(&w->wheels);
    vec_clear(&w->locales.names);
    buf_clear(&w->site_text);
}

static void gather(struct whole *w, struct system_layers *s, const struct lock *lock,
                   enum lock_group last)
{
    for (enum lock_group group = LOCK_BASE; group <= last; group++) {
        const struct lock_layer *l = lock_layer_of(lock, group);

        if (!l)
            continue;
        w->python |= l->group == LOCK_PYTHON;
        w->has_toolkit |= lock->toolkit.from.len && l->group == LOCK_TOOLKIT;
        for (size_t j = 0; j < l->artifacts.n; j++) {
            size_t at = l->artifacts.v[j];

            if (l->group == LOCK_LOCALES)
                w->locales.from = &s->packages[at];
            else if (lock->artifacts.v[at].eco == ECO_DEB)
                vec_add(&w->packages, &s->packages[at]);
            else
                vec_add(&w->archives, &s->archives[at]);
        }
    }
}

/* The newest date of what the toolkit is made of: the date of what is made for it. */
static int64_t toolkit_date(const struct whole *w, const struct system_layers *s,
                            const struct lock *lock)
{
    const struct lock_layer *l = lock_layer_of(lock, LOCK_TOOLKIT);
    int64_t newest = 0;

    for (size_t i = 0; i < l->artifacts.n; i++) {
        int64_t deb = s->packages[l->artifacts.v[i]].newest;
        int64_t archive = s->archives[l->artifacts.v[i]].newest;

        newest = deb > newest ? deb : newest;
        newest = archive > newest ? archive : newest;
    }
    for (size_t i = 0; i < w->wheels.n; i++)
        newest = w->wheels.v[i]->newest > newest ? w->wheels.v[i]->newest : newest;
    return newest;
}

static int add_toolkit(struct whole *w, struct system_layers *s, const struct lock *lock,
                       struct err *e)
{
    const struct lock_toolkit *t = &lock->toolkit;
    int64_t date;

    for (size_t i = 0; i < lock->artifacts.n; i++)
        if (lock->artifacts.v[i].eco == ECO_WHEEL && layer_order_needs(lock, &lock->artifacts.v[i]))
            vec_add(&w->wheels, &s->wheels[i]);
    date = toolkit_date(w, s, lock);
    for (size_t i = 0; i < t->stand_ins.n; i++)
        if (stand_in_package(vec_push(&w->stand_ins), &t->stand_ins.v[i], date, e) < 0)
            return -1;
    for (size_t i = 0; i < w->stand_ins.n; i++)
        vec_add(&w->packages, &w->stand_ins.v[i]);
    buf_fmt(&w->site_text, LAYER_PREFIX "/lib/python" STR_FMT "/site-packages",
            STR_ARG(lock->python));
    w->toolkit = (struct toolkit){.root = t->root,
                                  .site = buf_view(&w->site_text),
                                  .gcc = t->gcc,
                                  .sources = t->sources,
                                  .wheels = w->wheels.v,
                                  .wheels_n = w->wheels.n,
                                  .archives = w->archives.v,
                                  .archives_n = w->archives.n,
                                  .date = date,
                                  .saved = &s->saved};
    return 0;
}

static void add_locales(struct system_locales *out, const struct strs *env)
{
    locale_list(&out->names, env);
    for (size_t i = 0; i < env->n; i++)
        if (str_starts(env->v[i], STR("LANG=")))
            out->lang = locale_asked(env->v[i]);
}

/* The system of all groups up to `last`, as a whole tree. */
static int whole_tree(struct tree *out, struct system_layers *s, const struct lock *lock,
                      enum lock_group last, struct err *e)
{
    CLEANUP(whole_clear) struct whole w = {0};
    struct system_input in = {.format = lock->format,
                              .apart = lock->format >= 3 && last != LOCK_STATE,
                              .arch = lock->arch,
                              .sources = lock->apt_sources,
                              .sources_path = lock->apt_sources_path};
    int result;

    gather(&w, s, lock, last);
    if (w.has_toolkit && add_toolkit(&w, s, lock, e) < 0)
        return -1;
    in.toolkit = w.has_toolkit ? &w.toolkit : NULL;
    if (w.locales.from) {
        add_locales(&w.locales, &lock->env);
        in.locales = &w.locales;
    }
    names_clear(&s->uncovered); /* the last tree, which has all packages, decides */
    result = system_build(out, w.packages.v, w.packages.n, &in, &s->uncovered, e);
    if (result == 0 && w.python) {
        struct venv how = {.python = lock->python,
                           .python_full = lock->python_full,
                           .prefix = STR(LAYER_PREFIX),
                           .home = STR("usr")};

        result = venv_add(out, &how, e);
        tree_sort(out);
    }
    return result;
}

/* What the layers of all groups give, one laid on the other. */
static int lay_groups(struct tree *out, const struct system_layers *s, const struct lock *lock,
                      struct err *e)
{
    for (size_t i = 0; i < lock->layers.n; i++)
        if (lock->layers.v[i].kind == LOCK_SYSTEM && tree_lay(out, &s->trees[i], e) < 0)
            return -1;
    tree_sort(out);
    return 0;
}

/* What the group adds to those before it; the last one, which is of all, to what their layers give.
 */
static int build_layer(struct system_layers *s, const struct lock *lock, const struct lock_layer *l,
                       struct err *e)
{
    CLEANUP(tree_clear) struct tree whole = {0}, laid = {0};
    struct tree *out = &s->trees[l - lock->layers.v];
    int result = whole_tree(&whole, s, lock, l->group, e);

    if (result == 0 && l->group == LOCK_STATE)
        result = lay_groups(&laid, s, lock, e) < 0 ? -1 : tree_diff(out, &laid, &whole, e);
    else if (result == 0)
        result = lock->format >= 3 ? tree_diff_undated(out, &s->below, &whole, e)
                                   : tree_diff(out, &s->below, &whole, e);
    if (result < 0)
        return -1;
    tree_clear(&s->below);
    MOVE(&s->below, &whole);
    return 0;
}

static int build_layers(struct system_layers *s, const struct lock *lock, bool late, struct err *e)
{
    for (enum lock_group group = LOCK_BASE; group <= LOCK_STATE; group++) {
        const struct lock_layer *l = lock_layer_of(lock, group);

        if (l && layer_order_is_late(group) == late && build_layer(s, lock, l, e) < 0)
            return -1;
    }
    return 0;
}

int system_layers_build(struct system_layers *s, const struct lock *lock, struct err *e)
{
    return build_layers(s, lock, false, e);
}

int system_layers_finish(struct system_layers *s, const struct lock *lock, struct err *e)
{
    struct inflater *inflater;
    int result;

    if (build_layers(s, lock, true, e) < 0)
        return -1;
    inflater = inflater_open();
    result = skeleton_of(&s->skeleton, &s->below, lock_has_certificates(lock), inflater, e);
    inflater_clear(&inflater);
    tree_clear(&s->below);
    return result;
}

int system_layers_from_image(struct system_layers *s, const struct lock *lock,
                             const struct stored *image, struct err *e)
{
    for (size_t i = 0; i < lock->layers.n; i++)
        if (lock->layers.v[i].kind == LOCK_SYSTEM)
            return image_layers_build(&s->skeleton, &s->trees[i], lock, image, e);
    return err_set(e, ERR_INPUT, "the lock plans no layer for the Python environment");
}

const struct tree *system_layers_tree(const struct system_layers *s, size_t layer)
{
    return &s->trees[layer];
}

static void memo_key(struct buf *out, const struct lock *lock, const char *what)
{
    buf_fmt(out, "%s of ", what);
    system_key(out, lock);
}

static const char *skeleton_word(const struct lock *lock)
{
    return lock_has_certificates(lock) ? "skeleton with certificates" : "skeleton";
}

int system_layers_remember(const struct system_layers *s, const struct lock *lock,
                           const struct memo *memo, struct err *e)
{
    CLEANUP(buf_clear) struct buf key = {0}, text = {0}, names = {0}, names_key = {0};

    memo_key(&names_key, lock, "uncovered scripts and savings");
    buf_fmt(&names, "%llu\n", (unsigned long long)s->saved);
    for (size_t i = 0; i < s->uncovered.n; i++)
        buf_fmt(&names, "%s\n", s->uncovered.v[i]);
    memo_key(&key, lock, skeleton_word(lock));
    skeleton_print(&text, &s->skeleton);
    return memo_put_text(memo, buf_view(&names_key), buf_view(&names), e) < 0
               ? -1
               : memo_put_text(memo, buf_view(&key), buf_view(&text), e);
}

bool system_layers_recall(struct system_layers *s, const struct lock *lock, const struct memo *memo)
{
    CLEANUP(buf_clear) struct buf key = {0}, text = {0}, names = {0}, names_key = {0};
    struct err none = {0};
    bool found = false, named = false;
    struct str rest, line;

    memo_key(&names_key, lock, "uncovered scripts and savings");
    memo_key(&key, lock, skeleton_word(lock));
    if (memo_get(memo, buf_view(&key), NULL, &text, &found, &none) < 0 || !found ||
        memo_get(memo, buf_view(&names_key), NULL, &names, &named, &none) < 0 || !named ||
        skeleton_parse(&s->skeleton, buf_view(&text), &none) < 0) {
        err_clear(&none); /* as good as not remembered: the system is built again */
        return false;
    }
    rest = buf_view(&names);
    if (!str_line(&rest, &line) || !str_u64(line, &s->saved))
        return false;
    while (str_line(&rest, &line)) {
        CLEANUP(free_clear) char *name = str_dup(line);

        names_add(&s->uncovered, name);
    }
    return true;
}

/* The layer of an image; NULL when it has none of that digest. */
static const struct descriptor *find_layer(const struct stored *image, const struct digest *digest,
                                           size_t *at)
{
    const struct descriptor *d;

    vec_each(d, &image->manifest.layers)
        if (digest_eq(&d->digest, digest)) {
            *at = (size_t)(d - image->manifest.layers.v);
            return *at < image->config.diff_ids.n ? d : NULL;
        }
    return NULL;
}

bool system_layers_beside(struct system_layers *s, const struct lock *lock,
                          const struct stored *image)
{
    struct stored part = *image; /* borrows all but its two lists */
    CLEANUP(err_clear) struct err ignored = {0};
    const struct lock_layer *l;
    bool found = true;
    size_t at = 0;

    part.manifest.layers = (struct descriptors){0};
    part.config.diff_ids = (struct digests){0};
    vec_each(l, &lock->layers)
        if (l->kind == LOCK_SYSTEM) {
            const struct descriptor *d = find_layer(image, &l->digest, &at);

            found = found && d && digest_eq(&image->config.diff_ids.v[at], &l->diff_id);
            if (!found)
                break;
            vec_add(&part.manifest.layers, *d);
            vec_add(&part.config.diff_ids, l->diff_id);
        }
    found = found &&
            image_layers_skeleton(&s->skeleton, &part, lock_has_certificates(lock), &ignored) == 0;
    vec_clear(&part.manifest.layers);
    vec_clear(&part.config.diff_ids);
    return found;
}
