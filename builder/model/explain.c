/* SPDX-License-Identifier: Apache-2.0 */
#include "explain.h"

#include "../base/path.h"
#include "compression.h"

enum { NAME_WIDTH = 26 };

/* What one layer brings. */
struct part {
    struct str name;
    size_t files;
    uint64_t download; /* bytes of its artifacts */
    uint64_t size;     /* compressed bytes in the image; 0 before the first build */
    uint64_t unpacked; /* 0 where that is not known */
};

static struct part part_of(const struct lock *lock, const struct lock_layer *l)
{
    struct part p = {
        .name = l->name, .files = l->artifacts.n, .size = l->size, .unpacked = l->unpacked};

    for (size_t i = 0; i < l->artifacts.n; i++)
        p.download += artifact_download(&lock->artifacts.v[l->artifacts.v[i]]);
    return p;
}

/* Unpacked bytes of all are told where all are known. */
static struct part whole(const struct lock *lock)
{
    struct part all = {.name = STR("in all")};
    bool known = true;

    for (size_t i = 0; i < lock->layers.n; i++) {
        struct part p = part_of(lock, &lock->layers.v[i]);

        all.files += p.files;
        all.download += p.download;
        all.size += p.size;
        all.unpacked += p.unpacked;
        known &= p.unpacked > 0;
    }
    if (!known)
        all.unpacked = 0;
    return all;
}

/* ---- in words ---- */

static void add_word(struct buf *out, const char *name, struct str value)
{
    if (value.len)
        buf_fmt(out, ", %s " STR_FMT, name, STR_ARG(value));
}

static void print_head(struct buf *out, const struct lock *lock)
{
    const struct facts *f = &lock->facts;

    buf_fmt(out, STR_FMT ":" STR_FMT "\n  %s" STR_FMT, STR_ARG(lock->name), STR_ARG(lock->tag),
            f->pytorch.len ? "PyTorch " : "without PyTorch", STR_ARG(f->pytorch));
    add_word(out, "CUDA", f->cuda);
    if (f->cuda_toolkit.len)
        buf_fmt(out, " (toolkit " STR_FMT ")", STR_ARG(f->cuda_toolkit));
    add_word(out, "cuDNN", f->cudnn);
    add_word(out, "NCCL", f->nccl);
    buf_fmt(out, "\n  Python " STR_FMT " on " STR_FMT ", variant " STR_FMT "\n",
            STR_ARG(lock->python_full), STR_ARG(lock->base), STR_ARG(lock->variant));
}

/* "libcuda1, libnvidia-ml1" of "libcuda1 (= 550.54.15)" and so on. */
static void print_provides(struct buf *out, const struct strs *provides)
{
    for (size_t i = 0; i < provides->n; i++) {
        struct str name = str_trim(str_sub(provides->v[i], 0, str_find(provides->v[i], '(')));

        buf_fmt(out, "%s" STR_FMT, i ? ", " : "", STR_ARG(name));
    }
}

static void print_bytes(struct buf *out, uint64_t bytes)
{
    buf_fmt(out, " %10.1f MiB", (double)bytes / (1024 * 1024));
}

static void print_slim(struct buf *out, const struct lock *lock)
{
    const struct slim_count *c;

    if (!lock->slim.n)
        return;
    buf_fmt(out, "slim, left out of wheels%s\n",
            lock->built ? "       files     in wheels     unpacked" : "");
    vec_each(c, &lock->slim) {
        if (lock->built && !c->files) /* its wheel has none of them */
            continue;
        buf_fmt(out, "  %-*s", NAME_WIDTH, c->rule->name);
        if (lock->built) {
            buf_fmt(out, " %5llu", (unsigned long long)c->files);
            print_bytes(out, c->packed);
            print_bytes(out, c->bytes);
        }
        buf_fmt(out, "  %s\n", c->rule->what);
    }
}

static void print_needs(struct buf *out, const struct lock *lock)
{
    const struct facts *f = &lock->facts;

    buf_puts(out, "needs of a host\n");
    if (!f->cuda.len) {
        buf_puts(out, "  nothing: it computes on the CPU\n");
        return;
    }
    if (f->driver_min.len)
        buf_fmt(out, "  driver " STR_FMT " or newer", STR_ARG(f->driver_min));
    else
        buf_puts(out, "  no driver is known");
    if (f->driver_min.len && f->driver_full.len)
        buf_fmt(out, "; for all that its toolkit can do, such as PTX, " STR_FMT " or newer",
                STR_ARG(f->driver_full));
    if (f->archs.len)
        buf_fmt(out,
                "\n  a GPU of compute capability " STR_FMT
                ", or a later one with the same number before the dot",
                STR_ARG(f->archs));
    buf_putc(out, '\n');
    if (strcmp(lock_startup_check(lock), "off") != 0)
        buf_fmt(out,
                "  a container with a GPU %s when the host's driver is older (startup_check)\n",
                strcmp(lock_startup_check(lock), "fail") == 0 ? "does not start" : "warns");
}

static void print_words(struct buf *out, const char *what, const struct strs *list)
{
    if (!list->n)
        return;
    buf_fmt(out, "  %s", what);
    for (size_t i = 0; i < list->n; i++)
        buf_fmt(out, " " STR_FMT, STR_ARG(list->v[i]));
    buf_putc(out, '\n');
}

/* What a container of it offers, keeps and trusts. */
static void print_container(struct buf *out, const struct lock *lock)
{
    struct strs certificates = {0};
    const struct lock_copy *c;

    vec_each(c, &lock->copies)
        if (lock_copy_is_certificate(c))
            vec_add(&certificates, path_base(c->to));
    if (lock->ports.n || lock->volumes.n || lock->health.command.n || certificates.n)
        buf_puts(out, "a container of it\n");
    print_words(out, "listens on", &lock->ports);
    print_words(out, "keeps", &lock->volumes);
    print_words(out, "is checked by", &lock->health.command);
    print_words(out, "trusts", &certificates);
    vec_clear(&certificates);
}

static void print_compression(struct buf *out, const struct lock *lock)
{
    const struct compressions list = lock_compressions(lock);

    if (list.n > 1)
        buf_puts(out, "  to be pulled: as zstd by a client that reads that, else as gzip "
                      "(compression)\n");
    else if (compression_is_zstd(list.v[0]))
        buf_puts(out, "  to be pulled: a client that reads zstd, as podman, containerd and Docker "
                      "from 23 on do (compression)\n");
}

static const char *provider(struct str from)
{
    return str_is(from, "pypi")     ? "wheels"
           : str_is(from, "nvidia") ? "NVIDIA's archives"
                                    : "the base's packages";
}

static void print_toolkit(struct buf *out, const struct lock_toolkit *t)
{
    if (!t->from.len)
        return;
    buf_fmt(out, "toolkit\n  CUDA " STR_FMT " in " STR_FMT ", from %s", STR_ARG(t->version),
            STR_ARG(t->root), provider(t->from));
    if (t->gcc.len)
        buf_fmt(out, "; gcc and g++ are " STR_FMT ", which its nvcc takes", STR_ARG(t->gcc));
    buf_putc(out, '\n');
    for (size_t i = 0; i < t->stand_ins.n; i++) {
        const struct lock_stand_in *s = &t->stand_ins.v[i];

        buf_fmt(out, "  " STR_FMT " stands in for ", STR_ARG(s->name));
        print_provides(out, &s->provides);
        buf_fmt(out, ": " STR_FMT "\n", STR_ARG(s->summary));
    }
    if (t->saved)
        buf_fmt(out, "  %.1f MiB of its libraries are links to those of the wheels\n",
                (double)t->saved / (1024 * 1024));
}

static void print_part(struct buf *out, const struct part *p)
{
    int width = p->name.len > NAME_WIDTH ? (int)p->name.len : NAME_WIDTH;

    buf_fmt(out, "  %-*.*s %5zu", width, (int)p->name.len, p->name.p, p->files);
    print_bytes(out, p->download);
    if (p->size)
        print_bytes(out, p->size);
    if (p->unpacked)
        print_bytes(out, p->unpacked);
    buf_putc(out, '\n');
}

static void print_parts(struct buf *out, const struct lock *lock)
{
    struct part all = whole(lock);
    bool unpacked = false;

    for (size_t i = 0; i < lock->layers.n; i++)
        unpacked |= lock->layers.v[i].unpacked > 0;
    buf_fmt(out, "layers, bottom first %s files     download%s%s\n", "      ",
            all.size ? "     in image" : "", unpacked ? "     unpacked" : "");
    for (size_t i = 0; i < lock->layers.n; i++) {
        struct part p = part_of(lock, &lock->layers.v[i]);

        print_part(out, &p);
    }
    print_part(out, &all);
}

/* Wheels and archives one by one; of debs those that the recipe names, and how many came along. */
static void print_packages(struct buf *out, const struct lock *lock)
{
    const struct artifact *a;
    size_t others = 0;

    buf_fmt(out, "packages%*s version                  download\n", NAME_WIDTH - 6, "");
    vec_each(a, &lock->artifacts) {
        if (a->eco == ECO_DEB && !(a->requested && str_is(a->group, "apt"))) {
            others++;
            continue;
        }
        buf_fmt(out, "  %-*.*s %-20.*s", NAME_WIDTH, (int)a->name.len, a->name.p,
                (int)a->version.len, a->version.p);
        print_bytes(out, artifact_download(a));
        buf_fmt(out, "%s%s", a->requested && !a->place ? "  asked for" : "",
                a->source ? "  built from source" : "");
        if (a->place)
            buf_fmt(out, "  %s " STR_FMT, a->place->unpack ? "unpacked in" : "at",
                    STR_ARG(a->place->to));
        buf_putc(out, '\n');
    }
    if (others)
        buf_fmt(out, "  and %zu Debian packages of the base, or that others need\n", others);
}

static void print_sources(struct buf *out, const struct lock *lock)
{
    struct strs froms = {0};

    buf_puts(out, "from\n");
    for (size_t i = 0; i < lock->archives.n; i++)
        buf_fmt(out, "  " STR_FMT " " STR_FMT "\n", STR_ARG(lock->archives.v[i].uri),
                STR_ARG(lock->archives.v[i].suite));
    for (size_t i = 0; i < lock->artifacts.n; i++) {
        const struct artifact *a = &lock->artifacts.v[i];

        if (a->eco != ECO_DEB && strs_add_once(&froms, a->from))
            buf_fmt(out, "  " STR_FMT "\n", STR_ARG(a->from));
    }
    vec_clear(&froms);
}

void explain_print(struct buf *out, const struct lock *lock)
{
    print_head(out, lock);
    print_needs(out, lock);
    print_compression(out, lock);
    print_container(out, lock);
    print_toolkit(out, &lock->toolkit);
    print_parts(out, lock);
    print_slim(out, lock);
    print_packages(out, lock);
    print_sources(out, lock);
}

/* ---- for machines ---- */

static void put_part(struct doc *doc, struct node *n, const struct part *p)
{
    node_put_str(doc, n, "name", p->name);
    node_put_u64(doc, n, "files", p->files);
    node_put_u64(doc, n, "download", p->download);
    if (p->size)
        node_put_u64(doc, n, "size", p->size);
    if (p->unpacked)
        node_put_u64(doc, n, "unpacked", p->unpacked);
}

static void put_toolkit(struct doc *doc, struct node *root, const struct lock *lock)
{
    const struct lock_toolkit *t = &lock->toolkit;
    const struct lock_stand_in *s;
    struct node *n, *list;

    if (!t->from.len)
        return;
    n = node_put(doc, root, "toolkit", node_new_map(doc));
    node_put_str(doc, n, "from", t->from);
    node_put_str(doc, n, "version", t->version);
    node_put_str(doc, n, "root", t->root);
    if (t->gcc.len)
        node_put_str(doc, n, "gcc", t->gcc);
    list = node_put(doc, n, "stand_ins", node_new_list(doc));
    vec_each(s, &t->stand_ins) {
        struct node *m = node_add(doc, list, node_new_map(doc)), *provides;

        node_put_str(doc, m, "name", s->name);
        node_put_str(doc, m, "summary", s->summary);
        provides = node_put(doc, m, "provides", node_new_list(doc));
        for (size_t i = 0; i < s->provides.n; i++)
            node_add_str(doc, provides, s->provides.v[i]);
    }
    if (lock->built)
        node_put_u64(doc, n, "saved", t->saved);
}

static void put_slim(struct doc *doc, struct node *root, const struct lock *lock)
{
    struct node *list = lock->slim.n ? node_put(doc, root, "slim", node_new_list(doc)) : NULL;
    const struct slim_count *c;

    vec_each(c, &lock->slim) {
        struct node *n = node_add(doc, list, node_new_map(doc));

        node_put_str(doc, n, "rule", str_of(c->rule->name));
        node_put_str(doc, n, "what", str_of(c->rule->what));
        node_put_str(doc, n, "why", str_of(c->rule->why));
        if (!lock->built)
            continue;
        node_put_u64(doc, n, "files", c->files);
        node_put_u64(doc, n, "packed", c->packed);
        node_put_u64(doc, n, "unpacked", c->bytes);
    }
}

static void put_packages(struct doc *doc, struct node *root, const struct lock *lock)
{
    struct node *list = node_put(doc, root, "packages", node_new_list(doc));
    const struct artifact *a;

    vec_each(a, &lock->artifacts) {
        struct node *n = node_add(doc, list, node_new_map(doc));

        node_put_str(doc, n, "type", str_of(ecosystem_name(a->eco)));
        node_put_str(doc, n, "name", a->name);
        node_put_str(doc, n, "version", a->version);
        node_put_u64(doc, n, "download", artifact_download(a));
        node_put_bool(doc, n, "requested", a->requested);
        if (a->source)
            node_put_bool(doc, n, "built", true);
        if (a->place)
            node_put_str(doc, n, "to", a->place->to);
    }
}

static void put_words(struct doc *doc, struct node *root, const char *key, const struct strs *list)
{
    struct node *n = list->n ? node_put(doc, root, key, node_new_list(doc)) : NULL;

    for (size_t i = 0; i < list->n; i++)
        node_add_str(doc, n, list->v[i]);
}

static void put_container(struct doc *doc, struct node *root, const struct lock *lock)
{
    struct strs certificates = {0};
    const struct lock_copy *c;

    vec_each(c, &lock->copies)
        if (lock_copy_is_certificate(c))
            vec_add(&certificates, path_base(c->to));
    put_words(doc, root, "ports", &lock->ports);
    put_words(doc, root, "volumes", &lock->volumes);
    put_words(doc, root, "healthcheck", &lock->health.command);
    put_words(doc, root, "ca_certificates", &certificates);
    vec_clear(&certificates);
}

void explain_put(struct doc *doc, struct node *root, const struct lock *lock)
{
    const struct facts *f = &lock->facts;
    const struct compressions compressions = lock_compressions(lock);
    CLEANUP(buf_clear) struct buf compression = {0};
    const struct {
        const char *key;
        struct str value;
    } rows[] = {{"name", lock->name},
                {"tag", lock->tag},
                {"variant", lock->variant},
                {"base", lock->base},
                {"python", lock->python_full},
                {"pytorch", f->pytorch},
                {"cuda", f->cuda},
                {"cuda_toolkit", f->cuda_toolkit},
                {"cudnn", f->cudnn},
                {"nccl", f->nccl},
                {"driver_min", f->driver_min},
                {"driver_full", f->driver_full},
                {"archs", f->archs},
                {"startup_check", str_of(lock_startup_check(lock))}};
    struct part all = whole(lock);
    struct node *list;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        node_put_str(doc, root, rows[i].key, rows[i].value);
    compressions_print(&compression, &compressions);
    node_put_str(doc, root, "compression", arena_str(&doc->arena, buf_view(&compression)));
    put_container(doc, root, lock);
    put_toolkit(doc, root, lock);
    put_slim(doc, root, lock);
    put_packages(doc, root, lock);
    list = node_put(doc, root, "layers", node_new_list(doc));
    for (size_t i = 0; i < lock->layers.n; i++) {
        struct part p = part_of(lock, &lock->layers.v[i]);

        put_part(doc, node_add(doc, list, node_new_map(doc)), &p);
    }
    put_part(doc, node_put(doc, root, "all", node_new_map(doc)), &all);
}
