/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include "../base/path.h"
#include "../model/labels.h"

enum {
    PACKAGES_SHOWN = 12, /* the largest; --json has all */
    CODE_MIN = 8 << 20,  /* bytes of a library whose device code is shown */
    FINDINGS_SHOWN = 12,
    MADE_BY_WIDTH = 60,
    NAME_WIDTH = 26,
};

static double mib(uint64_t bytes)
{
    return (double)bytes / (1024 * 1024);
}

size_t report_copies(const struct inspection *in, size_t i)
{
    size_t n = 1;

    while (i + n < in->libraries.n && str_eq(in->libraries.v[i].name, in->libraries.v[i + n].name))
        n++;
    return n;
}

/* ---- in words ---- */

static void row(struct buf *out, const char *label, const char *fmt, ...) PRINTF(3, 4);
static void row(struct buf *out, const char *label, const char *fmt, ...)
{
    va_list args;

    buf_fmt(out, "  %-10s ", label);
    va_start(args, fmt);
    buf_vfmt(out, fmt, args);
    va_end(args);
    buf_putc(out, '\n');
}

static void print_library(struct buf *out, const struct inspection *in, const char *label,
                          const char *name, struct str version)
{
    const struct inspect_library *l;
    bool any = false;

    vec_each(l, &in->libraries) {
        if (!str_is(l->name, name))
            continue;
        any = true;
        row(out, label, STR_FMT " (" STR_FMT ")", STR_ARG(version.len ? version : l->version),
            STR_ARG(l->path));
    }
    if (!any)
        row(out, label, "%s", "none");
}

static void print_torch(struct buf *out, const struct inspection *in)
{
    const struct inspect_torch *t;

    if (!in->torches.n)
        row(out, "PyTorch", "%s", "none");
    vec_each(t, &in->torches) {
        CLEANUP(buf_clear) struct buf build = {0};

        if (t->cuda.len)
            buf_fmt(&build, "built for CUDA " STR_FMT, STR_ARG(t->cuda));
        else if (t->hip.len)
            buf_fmt(&build, "built for ROCm " STR_FMT, STR_ARG(t->hip));
        else
            buf_puts(&build, "built for the CPU");
        row(out, "PyTorch", STR_FMT ", %s (" STR_FMT ")", STR_ARG(t->version), build.p,
            STR_ARG(t->where));
    }
}

static void print_programs(struct buf *out, const struct inspection *in)
{
    const struct inspect_program *p;

    if (!in->pythons.n)
        row(out, "Python", "%s", "none");
    vec_each(p, &in->pythons)
        row(out, "Python", STR_FMT " (" STR_FMT ")", STR_ARG(p->version), STR_ARG(p->path));
    print_torch(out, in);
    print_library(out, in, "CUDA", "libcudart", (struct str){0});
    print_library(out, in, "cuDNN", "libcudnn", in->facts.cudnn);
    print_library(out, in, "NCCL", "libnccl", in->facts.nccl);
    if (!in->nvccs.n)
        row(out, "nvcc", "%s", "none");
    vec_each(p, &in->nvccs)
        row(out, "nvcc", STR_FMT " (" STR_FMT ")",
            STR_ARG(p->version.len ? p->version : STR("of a version that is not told")),
            STR_ARG(p->path));
}

/* What the labels of an image of ours say and what is there. */
struct claim {
    const char *what;
    struct str label, found;
};
enum { CLAIMS = 4 };

/* False for an image that is not ours. */
static bool claims(struct claim out[CLAIMS], const struct inspection *in)
{
    const struct facts *f = &in->facts;
    struct facts said;

    if (!labels_read(&said, &in->image->config.labels))
        return false;
    out[0] = (struct claim){"PyTorch", said.pytorch, f->pytorch};
    out[1] = (struct claim){"CUDA", said.cuda, f->cuda};
    out[2] = (struct claim){"cuDNN", said.cudnn, f->cudnn};
    out[3] = (struct claim){"NCCL", said.nccl, f->nccl};
    return true;
}

static bool is_true(const struct claim *c)
{
    return !c->label.len || catalog_is_of(c->found, c->label) || catalog_is_of(c->label, c->found);
}

static void print_claims(struct buf *out, const struct inspection *in)
{
    struct claim all[CLAIMS];

    if (!claims(all, in))
        return;
    for (size_t i = 0; i < CLAIMS; i++)
        if (!is_true(&all[i]))
            buf_fmt(out, "  its label says %s " STR_FMT ", and " STR_FMT " is there\n", all[i].what,
                    STR_ARG(all[i].label), STR_ARG(all[i].found.len ? all[i].found : STR("none")));
}

static void print_needs(struct buf *out, const struct facts *f)
{
    if (!f->cuda.len) {
        row(out, "needs", "%s", "no GPU and no driver");
        return;
    }
    if (f->driver_min.len)
        row(out, "driver", STR_FMT " or newer, for CUDA " STR_FMT, STR_ARG(f->driver_min),
            STR_ARG(f->cuda));
    else
        row(out, "driver", "which CUDA " STR_FMT " needs is not known", STR_ARG(f->cuda));
    if (f->archs.len)
        row(out, "GPUs", "PyTorch has code for " STR_FMT, STR_ARG(f->archs));
}

static void print_codes(struct buf *out, const struct inspection *in)
{
    const struct inspect_code *c;
    bool any = false;

    vec_each(c, &in->codes) {
        struct str base = path_base(c->path);

        if (c->size < CODE_MIN)
            continue;
        if (!any)
            buf_puts(out, "device code of large libraries (sm: machine code; some: single kernels; "
                          "ptx: text that the driver compiles)\n");
        any = true;
        buf_fmt(out, "  %-38.*s %8.1f MiB  ", (int)base.len, base.p, mib(c->size));
        if (c->machine.len)
            buf_fmt(out, "sm " STR_FMT, STR_ARG(c->machine));
        if (c->some.len)
            buf_fmt(out, "; some " STR_FMT, STR_ARG(c->some));
        if (c->ptx.len)
            buf_fmt(out, "%sptx " STR_FMT, c->machine.len ? "; " : "", STR_ARG(c->ptx));
        buf_putc(out, '\n');
    }
}

static int larger_first(const void *a, const void *b)
{
    const struct package *x = *(struct package *const *)a, *y = *(struct package *const *)b;

    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return str_cmp(x->key, y->key);
}

static void print_packages(struct buf *out, const struct inspection *in)
{
    struct VEC_OF(struct package *) all = {0};
    uint64_t rest = 0;

    for (size_t i = 0; i < in->packages.list.n; i++)
        vec_add(&all, in->packages.list.v[i]);
    vec_sort(&all, larger_first);
    buf_fmt(out, "packages, the largest of %zu\n", all.n);
    for (size_t i = 0; i < all.n; i++) {
        const struct package *p = all.v[i];

        if (i >= PACKAGES_SHOWN)
            rest += p->size;
        else
            buf_fmt(out, "  %10.1f MiB  " STR_FMT " " STR_FMT " (%s)\n", mib(p->size),
                    STR_ARG(p->name), STR_ARG(p->version), package_manager_name(p->manager));
    }
    if (all.n > PACKAGES_SHOWN)
        buf_fmt(out, "  %10.1f MiB  %zu other packages\n", mib(rest), all.n - PACKAGES_SHOWN);
    buf_fmt(out, "  %10.1f MiB  files of no package\n", mib(in->unowned));
    vec_clear(&all);
}

static void print_layers(struct buf *out, const struct inspection *in)
{
    const struct inspect_layer *l;

    buf_puts(out, "layers, bottom first        blob     unpacked    files\n");
    vec_each(l, &in->layers) {
        char text[DIGEST_TEXT + 1];

        digest_text(&l->digest, text);
        buf_fmt(out, "  %.19s %8.1f MiB %8.1f MiB %8zu  %.*s\n", text, mib(l->size), mib(l->plain),
                l->files, l->made_by.len < MADE_BY_WIDTH ? (int)l->made_by.len : MADE_BY_WIDTH,
                l->made_by.len ? l->made_by.p : "");
    }
    buf_fmt(out, "  in all%13s %8.1f MiB %8.1f MiB %8zu\n", "", mib(in->size), mib(in->plain),
            in->files);
}

/* "2 copies of libcudart: 12.4.127 in opt/…, 11.8.89 in usr/…". */
static void print_copies(struct buf *out, const struct inspection *in)
{
    for (size_t i = 0, n; i < in->libraries.n; i += n) {
        n = report_copies(in, i);
        if (n < 2)
            continue;
        buf_fmt(out, "  %zu copies of " STR_FMT, n, STR_ARG(in->libraries.v[i].name));
        for (size_t k = i; k < i + n; k++)
            buf_fmt(out, "%s " STR_FMT " in " STR_FMT, k > i ? "," : ":",
                    STR_ARG(in->libraries.v[k].version), STR_ARG(in->libraries.v[k].path));
        buf_putc(out, '\n');
    }
}

/* Those that lack the same are one line. */
static void print_plugins(struct buf *out, const struct proof *proof, size_t from)
{
    if (from < proof->findings.n)
        buf_puts(out, "  that matters only where a plug-in is asked for:\n");
    for (size_t i = from, n; i < proof->findings.n; i += n) {
        const struct proof_finding *f = &proof->findings.v[i];

        n = 1;
        while (i + n < proof->findings.n && proof->findings.v[i + n].kind == f->kind &&
               str_eq(proof->findings.v[i + n].name, f->name))
            n++;
        buf_puts(out, "    ");
        proof_words(out, f);
        if (n > 1)
            buf_fmt(out, "; %zu more need it too", n - 1);
        buf_putc(out, '\n');
    }
}

static void print_findings(struct buf *out, const struct inspection *in, const struct proof *proof)
{
    size_t before, i = 0;

    buf_puts(out, "findings\n");
    before = out->len;
    print_claims(out, in);
    print_copies(out, in);
    for (size_t k = 0; k < in->drivers.n; k++)
        buf_fmt(out, "  " STR_FMT " belongs to a driver, and may hide the host's\n",
                STR_ARG(in->drivers.v[k]));
    for (; i < proof->findings.n && proof->findings.v[i].reached; i++) {
        if (i >= FINDINGS_SHOWN)
            continue;
        buf_puts(out, "  ");
        proof_words(out, &proof->findings.v[i]);
        buf_putc(out, '\n');
    }
    if (i > FINDINGS_SHOWN)
        buf_fmt(out, "  and %zu more like these; --json has all\n", i - FINDINGS_SHOWN);
    print_plugins(out, proof, i);
    if (out->len == before)
        buf_fmt(out, "  none: all %zu programs and libraries find what they need\n",
                proof->checked);
}

static void print_maker(struct buf *out, const struct inspection *in)
{
    const struct pairs *labels = &in->image->config.labels;
    const struct str *version = pairs_get(labels, LABEL_PREFIX "version");
    const struct str *lock = pairs_get(labels, LABEL_PREFIX "lock.digest");

    if (version && lock)
        row(out, "made by", "envbuild " STR_FMT " from lock " STR_FMT, STR_ARG(*version),
            STR_ARG(*lock));
}

/* By name, as a lock has them. */
static void print_all_packages(struct buf *out, const struct inspection *in)
{
    buf_fmt(out, "packages%*s version              unpacked\n", NAME_WIDTH - 6, "");
    for (size_t i = 0; i < in->packages.list.n; i++) {
        const struct package *p = in->packages.list.v[i];

        buf_fmt(out, "  %-*.*s %-20.*s %8.1f MiB  %s\n", NAME_WIDTH, (int)p->name.len, p->name.p,
                (int)p->version.len, p->version.p, mib(p->size), package_manager_name(p->manager));
    }
}

static void print_head(struct buf *out, const struct inspection *in)
{
    char digest[DIGEST_TEXT + 1] = "";

    if (!in->image->no_digests)
        digest_text(&in->image->digest, digest);
    buf_fmt(out, STR_FMT "%s%s\n",
            STR_ARG(in->image->name.len || digest[0] ? in->image->name
                                                     : STR("an image without a name")),
            in->image->name.len && digest[0] ? "@" : "", digest);
    row(out, "platform", STR_FMT "/" STR_FMT, STR_ARG(in->image->config.platform.os),
        STR_ARG(in->image->config.platform.architecture.len
                    ? in->image->config.platform.architecture
                    : STR("unknown")));
    print_maker(out, in);
    row(out, "system", STR_FMT "%s" STR_FMT,
        STR_ARG(in->system.len ? in->system : STR("none that says its name")),
        in->glibc.len ? ", glibc " : "", STR_ARG(in->glibc));
    print_programs(out, in);
    print_needs(out, &in->facts);
}

void report_print(struct buf *out, const struct inspection *in, const struct proof *proof)
{
    print_head(out, in);
    print_codes(out, in);
    print_packages(out, in);
    print_layers(out, in);
    print_findings(out, in, proof);
}

void report_explain(struct buf *out, const struct inspection *in)
{
    print_head(out, in);
    print_all_packages(out, in);
    print_layers(out, in);
}

/* ---- for machines ---- */

static struct node *list_in(struct doc *d, struct node *map, const char *key)
{
    return node_put(d, map, key, node_new_list(d));
}

static struct node *item_in(struct doc *d, struct node *list)
{
    return node_add(d, list, node_new_map(d));
}

static void put_text(struct doc *d, struct node *map, const char *key, struct str value)
{
    if (value.len)
        node_put_str(d, map, key, value);
}

static void put_owner(struct doc *d, struct node *map, const struct package *p)
{
    if (p)
        node_put_str(d, map, "package", p->name);
}

static void put_facts(struct doc *d, struct node *root, const struct facts *f)
{
    struct node *n = node_put(d, root, "facts", node_new_map(d));

    put_text(d, n, "pytorch", f->pytorch);
    put_text(d, n, "cuda", f->cuda);
    put_text(d, n, "cuda_toolkit", f->cuda_toolkit);
    put_text(d, n, "cudnn", f->cudnn);
    put_text(d, n, "nccl", f->nccl);
    put_text(d, n, "python", f->python);
    put_text(d, n, "driver_min", f->driver_min);
    put_text(d, n, "driver_full", f->driver_full);
    put_text(d, n, "archs", f->archs);
    put_text(d, n, "compat", f->compat);
}

static void put_programs(struct doc *d, struct node *root, const struct inspection *in)
{
    const struct inspect_program *p;
    const struct inspect_torch *t;
    struct node *list = list_in(d, root, "python"), *n;

    vec_each(p, &in->pythons) {
        n = item_in(d, list);
        node_put_str(d, n, "path", p->path);
        node_put_str(d, n, "version", p->version);
    }
    list = list_in(d, root, "pytorch");
    vec_each(t, &in->torches) {
        n = item_in(d, list);
        node_put_str(d, n, "path", t->where);
        node_put_str(d, n, "version", t->version);
        put_text(d, n, "cuda", t->cuda);
        put_text(d, n, "hip", t->hip);
    }
    list = list_in(d, root, "nvcc");
    vec_each(p, &in->nvccs) {
        n = item_in(d, list);
        node_put_str(d, n, "path", p->path);
        put_text(d, n, "version", p->version);
    }
}

static void put_libraries(struct doc *d, struct node *root, const struct inspection *in)
{
    const struct inspect_library *l;
    struct node *list = list_in(d, root, "libraries"), *n;

    vec_each(l, &in->libraries) {
        n = item_in(d, list);
        node_put_str(d, n, "name", l->name);
        node_put_str(d, n, "path", l->path);
        put_text(d, n, "version", l->version);
        put_owner(d, n, l->package);
        node_put_u64(d, n, "size", l->size);
    }
}

static void put_codes(struct doc *d, struct node *root, const struct inspection *in)
{
    static const char *const places[] = {"linked", "relocatable", "embedded"};
    const struct inspect_code *c;
    struct node *list = list_in(d, root, "device_code"), *n, *entries, *entry;

    vec_each(c, &in->codes) {
        const struct fatbin_code *f;

        n = item_in(d, list);
        node_put_str(d, n, "path", c->path);
        put_owner(d, n, c->package);
        node_put_u64(d, n, "size", c->size);
        entries = list_in(d, n, "entries");
        vec_each(f, &c->list->codes) {
            char sm[16];

            if (f->kind != FATBIN_PTX && f->kind != FATBIN_CUBIN)
                continue;
            snprintf(sm, sizeof sm, "sm_%u%c", f->sm, f->suffix);
            entry = item_in(d, entries);
            node_put_str(d, entry, "kind", f->kind == FATBIN_PTX ? STR("ptx") : STR("cubin"));
            node_put_str(d, entry, "arch", str_of(arena_strdup(&d->arena, sm)));
            node_put_str(d, entry, "place", str_of(places[f->place]));
            node_put_u64(d, entry, "count", f->entries);
        }
        if (c->list->broken)
            node_put_u64(d, n, "broken", c->list->broken);
    }
}

static void put_packages(struct doc *d, struct node *root, const struct inspection *in)
{
    struct node *list = list_in(d, root, "packages"), *n;

    for (size_t i = 0; i < in->packages.list.n; i++) {
        const struct package *p = in->packages.list.v[i];

        n = item_in(d, list);
        node_put_str(d, n, "manager", str_of(package_manager_name(p->manager)));
        node_put_str(d, n, "name", p->name);
        node_put_str(d, n, "version", p->version);
        put_text(d, n, "where", p->where);
        node_put_u64(d, n, "files", p->files);
        node_put_u64(d, n, "size", p->size);
    }
}

static void put_layers(struct doc *d, struct node *root, const struct inspection *in)
{
    const struct inspect_layer *l;
    struct node *list = list_in(d, root, "layers"), *n;

    vec_each(l, &in->layers) {
        char text[DIGEST_TEXT + 1];

        digest_text(&l->digest, text);
        n = item_in(d, list);
        node_put_str(d, n, "digest", str_of(arena_strdup(&d->arena, text)));
        node_put_u64(d, n, "size", l->size);
        node_put_u64(d, n, "unpacked", l->plain);
        node_put_u64(d, n, "files", l->files);
        put_text(d, n, "made_by", l->made_by);
    }
}

static void put_findings(struct doc *d, struct node *root, const struct inspection *in,
                         const struct proof *proof)
{
    const struct proof_finding *f;
    struct node *list = list_in(d, root, "wrong_labels"), *n, *paths;
    struct claim all[CLAIMS];

    for (size_t i = 0; claims(all, in) && i < CLAIMS; i++)
        if (!is_true(&all[i])) {
            n = item_in(d, list);
            node_put_str(d, n, "what", str_of(all[i].what));
            node_put_str(d, n, "label", all[i].label);
            put_text(d, n, "found", all[i].found);
        }
    list = list_in(d, root, "copies");

    for (size_t i = 0, many; i < in->libraries.n; i += many) {
        many = report_copies(in, i);
        if (many < 2)
            continue;
        n = item_in(d, list);
        node_put_str(d, n, "name", in->libraries.v[i].name);
        paths = list_in(d, n, "paths");
        for (size_t k = i; k < i + many; k++)
            node_add_str(d, paths, in->libraries.v[k].path);
    }
    list = list_in(d, root, "driver_libraries");
    for (size_t i = 0; i < in->drivers.n; i++)
        node_add_str(d, list, in->drivers.v[i]);
    node_put_u64(d, root, "load_checked", proof->checked);
    list = list_in(d, root, "load_findings");
    vec_each(f, &proof->findings) {
        CLEANUP(buf_clear) struct buf words = {0};

        proof_words(&words, f);
        n = item_in(d, list);
        node_put_str(d, n, "code", str_of(proof_kind_name(f->kind)));
        node_put_bool(d, n, "on_demand", !f->reached);
        node_put_str(d, n, "file", f->file);
        put_text(d, n, "package", f->owner);
        node_put_str(d, n, "name", f->name);
        put_text(d, n, "version", f->version);
        put_text(d, n, "found", f->found);
        put_text(d, n, "other", f->other);
        node_put_str(d, n, "sentence", buf_view(&words));
    }
}

void report_explain_put(struct doc *d, struct node *root, const struct inspection *in)
{
    char digest[DIGEST_TEXT + 1];

    put_text(d, root, "name", in->image->name);
    if (!in->image->no_digests) {
        digest_text(&in->image->digest, digest);
        node_put_str(d, root, "digest", str_of(arena_strdup(&d->arena, digest)));
    }
    node_put_str(d, root, "os", in->image->config.platform.os);
    node_put_str(d, root, "architecture", in->image->config.platform.architecture);
    put_text(d, root, "system", in->system);
    put_text(d, root, "glibc", in->glibc);
    put_facts(d, root, &in->facts);
    put_programs(d, root, in);
    put_libraries(d, root, in);
    put_codes(d, root, in);
    put_packages(d, root, in);
    node_put_u64(d, root, "unpackaged", in->unowned);
    put_layers(d, root, in);
    node_put_u64(d, root, "size", in->size);
    node_put_u64(d, root, "unpacked", in->plain);
    node_put_u64(d, root, "files", in->files);
}

void report_put(struct doc *d, struct node *root, const struct inspection *in,
                const struct proof *proof)
{
    report_explain_put(d, root, in);
    put_findings(d, root, in, proof);
}
