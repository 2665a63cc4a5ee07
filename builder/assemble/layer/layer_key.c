/* SPDX-License-Identifier: Apache-2.0 */
#include "layer_key.h"

#include "../../base/path.h"
#include "../../io/crypto.h"
#include "../../io/deflate.h"
#include "../../model/embedded.h"
#include "../../model/locale.h"
#include "layer_form.h"
#include "layer_order.h"

static void add_digest(struct buf *out, const struct digest *d)
{
    char hex[DIGEST_HEX + 1];

    digest_hex(d, hex);
    buf_fmt(out, " %s", hex);
}

/* What the toolkit is, besides the artifacts of its layer. */
static void add_toolkit(struct buf *out, const struct lock *lock)
{
    const struct lock_toolkit *t = &lock->toolkit;

    buf_fmt(out, "toolkit " STR_FMT " gcc " STR_FMT " sources %zu " STR_FMT "\n", STR_ARG(t->root),
            STR_ARG(t->gcc), t->sources.len, STR_ARG(t->sources));
    for (size_t i = 0; i < t->stand_ins.n; i++) {
        const struct lock_stand_in *s = &t->stand_ins.v[i];

        buf_fmt(out, "stand-in " STR_FMT " " STR_FMT " " STR_FMT "\n", STR_ARG(s->name),
                STR_ARG(s->version), STR_ARG(s->summary));
        for (size_t j = 0; j < s->provides.n; j++)
            buf_fmt(out, "provides " STR_FMT "\n", STR_ARG(s->provides.v[j]));
        for (size_t j = 0; j < s->links.n; j++)
            buf_fmt(out, "link " STR_FMT " " STR_FMT "\n", STR_ARG(s->links.v[j].path),
                    STR_ARG(s->links.v[j].target));
    }
    for (size_t i = 0; i < lock->artifacts.n; i++)
        if (lock->artifacts.v[i].eco == ECO_WHEEL &&
            layer_order_needs(lock, &lock->artifacts.v[i])) {
            add_digest(out, &lock->artifacts.v[i].digest);
            buf_putc(out, '\n');
        }
}

/* The variables that ask for locales. */
static void add_locales(struct buf *out, const struct lock *lock)
{
    for (size_t i = 0; i < lock->env.n; i++)
        if (locale_asked(lock->env.v[i]).len)
            buf_fmt(out, STR_FMT "\n", STR_ARG(lock->env.v[i]));
}

/* The files of a wheel that another one's replace, which is in another layer. */
static void add_left_out(struct buf *out, const struct lock *lock, const struct artifact *a)
{
    struct strs paths = {0};

    lock_left_out(&paths, lock, a->name);
    for (size_t i = 0; i < paths.n; i++)
        buf_fmt(out, " less %zu " STR_FMT, paths.v[i].len, STR_ARG(paths.v[i]));
    vec_clear(&paths);
}

static void add_artifacts(struct buf *out, const struct lock *lock, const struct lock_layer *l)
{
    for (size_t i = 0; i < l->artifacts.n; i++) {
        const struct artifact *a = &lock->artifacts.v[l->artifacts.v[i]];

        add_digest(out, &a->digest);
        if (a->eco == ECO_WHEEL && a->requested)
            buf_puts(out, " requested");
        for (size_t j = 0; a->eco == ECO_WHEEL && j < lock->slim.n; j++)
            if (slim_concerns(lock->slim.v[j].rule, a->name))
                buf_fmt(out, " without %s", lock->slim.v[j].rule->name);
        if (a->eco == ECO_WHEEL)
            add_left_out(out, lock, a);
        buf_putc(out, '\n');
    }
}

/* The groups of the system up to and with `last`; each is a difference to those before it. */
static void add_system(struct buf *out, const struct lock *lock, enum lock_group last)
{
    buf_fmt(out, "arch " STR_FMT "\npython " STR_FMT "\nsources %zu " STR_FMT "\n",
            STR_ARG(lock->arch), STR_ARG(lock->python_full), lock->apt_sources.len,
            STR_ARG(lock->apt_sources));
    buf_fmt(out, "at " STR_FMT "\n", STR_ARG(lock->apt_sources_path));
    if (lock->image.ref.len) {
        buf_fmt(out, "interpreter " STR_FMT " of image", STR_ARG(lock->image.python));
        add_digest(out, &lock->image.manifest);
        buf_fmt(out, " date %lld\n", (long long)lock->created);
    }
    for (enum lock_group group = LOCK_BASE; group <= last; group++) {
        const struct lock_layer *l = lock_layer_of(lock, group);

        if (!l)
            continue;
        buf_fmt(out, "group " STR_FMT "\n", STR_ARG(l->name));
        add_artifacts(out, lock, l);
        if (group == LOCK_TOOLKIT)
            add_toolkit(out, lock);
        if (group == LOCK_LOCALES)
            add_locales(out, lock);
    }
}

/* The state is what the other layers lack when one is laid on the other. */
static void add_order(struct buf *out, const struct lock *lock)
{
    for (size_t i = 0; i < lock->layers.n; i++)
        if (lock->layers.v[i].kind == LOCK_SYSTEM)
            buf_fmt(out, "laid " STR_FMT "\n", STR_ARG(lock->layers.v[i].name));
}

/* Python, by the system that it is part of; what compiles; and what is compiled. */
static void add_bytecode(struct buf *out, const struct lock *lock, size_t layer)
{
    struct digest digest;
    struct str script = {0};

    (void)embedded_get(&script, STR("seal-bytecode.py"));
    hash_bytes(&digest, script.p, script.len);
    buf_puts(out, "by");
    add_digest(out, &digest);
    buf_putc(out, '\n');
    add_system(out, lock, LOCK_PYTHON);
    for (size_t i = lock_bytecode_from(lock, layer); i < layer; i++)
        if (lock->layers.v[i].kind == LOCK_WHEELS)
            add_artifacts(out, lock, &lock->layers.v[i]);
}

static void add_folders(struct buf *out, const struct lock *lock)
{
    for (size_t i = 0; i < lock->folders.n; i++)
        buf_fmt(out, "folder " STR_FMT " %u\n", STR_ARG(lock->folders.v[i].path),
                lock->folders.v[i].uid);
}

static void add_places(struct buf *out, const struct lock *lock, const struct lock_layer *l)
{
    for (size_t i = 0; i < l->artifacts.n; i++) {
        const struct artifact *a = &lock->artifacts.v[l->artifacts.v[i]];
        const struct artifact_place *p = a->place;

        buf_fmt(out, "download %zu " STR_FMT " %zu " STR_FMT " %d %u %u %o", a->file.len,
                STR_ARG(a->file), p->to.len, STR_ARG(p->to), p->unpack, p->uid, p->gid, p->mode);
        add_digest(out, &a->digest);
        buf_putc(out, '\n');
    }
}

static void add_files(struct buf *out, const struct lock *lock)
{
    buf_fmt(out, "date %lld\nworkdir " STR_FMT "\nuser " STR_FMT " %u %u\n",
            (long long)lock->created, STR_ARG(lock->workdir), STR_ARG(lock->user.name),
            lock->user.uid, lock->user.gid);
    for (size_t i = 0; i < lock->copies.n; i++) {
        const struct lock_copy *c = &lock->copies.v[i];

        buf_fmt(out, "copy %zu " STR_FMT " %zu " STR_FMT " %u %u\n", c->from.len, STR_ARG(c->from),
                c->to.len, STR_ARG(c->to), c->uid, c->gid);
        if (c->mode)
            buf_fmt(out, "mode %o\n", c->mode);
        for (size_t j = 0; j < c->files.n; j++) {
            const struct lock_file *f = &c->files.v[j];

            buf_fmt(out, "%d%d %zu " STR_FMT " %zu " STR_FMT, f->folder, f->executable, f->path.len,
                    STR_ARG(f->path), f->link.len, STR_ARG(f->link));
            add_digest(out, &f->digest);
            buf_putc(out, '\n');
        }
    }
    add_folders(out, lock);
    for (size_t i = 0; i < lock->layers.n; i++)
        if (lock->layers.v[i].kind == LOCK_DOWNLOAD)
            add_places(out, lock, &lock->layers.v[i]);
}

/* A tree, whatever its layer is compressed by. */
static void add_head(struct buf *out, const char *kind, unsigned format)
{
    buf_fmt(out, "%s format %u %s\n", kind, format, DEFLATE_ENCODER);
}

/* Format 3 writes a layer of wheels as 2 does. */
static void add_layer_head(struct buf *out, const struct lock *lock, const char *kind)
{
    enum compression how = lock_compression(lock);
    bool as_2 = lock->format > 2 && str_starts(str_of(kind), STR("wheel "));

    add_head(out, kind, as_2 ? 2 : lock->format);
    if (how == COMPRESSION_GZIP)
        return;
    buf_fmt(out, "as %s by ", compression_name(how));
    layer_encoder(out, how);
    buf_putc(out, '\n');
}

void system_key(struct buf *out, const struct lock *lock)
{
    add_head(out, "whole system", lock->format);
    add_system(out, lock, LOCK_STATE);
}

/* Other downloads in its folder have folders of their own there. */
static void add_places_inside(struct buf *out, const struct lock *lock, struct str folder)
{
    CLEANUP(buf_clear) struct buf clean = {0};
    const struct artifact *a;

    (void)path_clean(&clean, folder); /* what is no path fails when it is made */
    vec_each(a, &lock->artifacts) {
        CLEANUP(buf_clear) struct buf to = {0};

        if (a->place && path_clean(&to, a->place->to) &&
            path_is_in(buf_view(&to), buf_view(&clean)))
            buf_fmt(out, "in it %zu " STR_FMT " %d\n", a->place->to.len, STR_ARG(a->place->to),
                    a->place->unpack);
    }
}

static void add_download(struct buf *out, const struct lock *lock, const struct lock_layer *l)
{
    add_places(out, lock, l);
    add_places_inside(out, lock, lock->artifacts.v[l->artifacts.v[0]].place->to);
    add_folders(out, lock);
    if (lock->folders.n)
        buf_fmt(out, "user " STR_FMT " %u\n", STR_ARG(lock->user.name), lock->user.uid);
}

void layer_key_alone(struct buf *out, const struct lock *lock, size_t layer)
{
    add_layer_head(out, lock, "download layer alone");
    add_download(out, lock, &lock->layers.v[layer]);
}

void layer_key_of_second(struct buf *out, const struct lock *lock, size_t layer)
{
    buf_puts(out, "second key of ");
    layer_key_alone(out, lock, layer);
}

void layer_key(struct buf *out, const struct lock *lock, size_t layer)
{
    const struct lock_layer *l = &lock->layers.v[layer];

    switch (l->kind) {
    case LOCK_SYSTEM:
        add_layer_head(out, lock, "system layer");
        add_system(out, lock, l->group);
        if (l->group == LOCK_STATE)
            add_order(out, lock);
        break;
    case LOCK_WHEELS:
        add_layer_head(out, lock, "wheel layer");
        buf_fmt(out, "python " STR_FMT " prefix " LAYER_PREFIX "\n", STR_ARG(lock->python));
        add_artifacts(out, lock, l);
        break;
    case LOCK_BYTECODE:
        add_layer_head(out, lock, "bytecode layer");
        buf_fmt(out, "python " STR_FMT " prefix " LAYER_PREFIX "\n", STR_ARG(lock->python));
        add_bytecode(out, lock, layer);
        break;
    case LOCK_DOWNLOAD:
        add_layer_head(out, lock, "download layer");
        system_key(out, lock);
        add_download(out, lock, l);
        break;
    case LOCK_FILES:
        add_layer_head(out, lock, "files layer");
        system_key(out, lock);
        add_files(out, lock);
        break;
    case LOCK_IMAGE: /* never made, so never remembered */
        break;
    }
}
