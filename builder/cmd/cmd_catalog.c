/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/dotted.h"
#include "../model/catalog.h"
#include "output.h"
#include "session.h"

struct row {
    struct str pytorch;
    struct catalog_build build;
    enum catalog_code code; /* when a GPU is asked for */
    struct str by;
};

struct query {
    const char *pytorch, *cuda_arg, *gpu_arg;
    struct str cuda; /* of cuda_arg: "12.4" or "12.4.1" */
    struct catalog_gpu gpu;
    struct catalog_arch arch; /* of that GPU */
    struct catalog catalog;
    struct arena arena;
    struct VEC_OF(struct row) rows;
    size_t without_code; /* builds that are left out because of the GPU */
};

static void query_clear(struct query *q)
{
    catalog_clear(&q->catalog);
    arena_clear(&q->arena);
    vec_clear(&q->rows);
}

/* ---- what is asked for ---- */

static int read_cuda(struct query *q, struct err *e)
{
    if (!q->cuda_arg)
        return 0;
    q->cuda = recipe_cuda(str_of(q->cuda_arg), &q->arena);
    if (str_is(q->cuda, RECIPE_CPU))
        return err_set(
            e, ERR_USAGE,
            "--cuda: the table is of builds for CUDA; every release has one for the CPU, "
            "`cuda: cpu` in a recipe");
    return q->cuda.len
               ? 0
               : err_set(e, ERR_USAGE,
                         "--cuda: \"%s\" is not a CUDA version such as 12.4, 12.4.1 or cu124 (all)",
                         q->cuda_arg);
}

static int read_gpu(struct query *q, struct err *e)
{
    if (!q->gpu_arg)
        return 0;
    if (!catalog_gpu(&q->catalog, str_of(q->gpu_arg), &q->gpu))
        return catalog_gpu_unknown(&q->catalog, str_of(q->gpu_arg), e);
    if (q->gpu.arm64)
        return err_set(e, ERR_UNSAT,
                       "--gpu: %s" STR_FMT " is part of an aarch64 machine, and the catalog has "
                       "builds for x86-64",
                       q->gpu.name.len ? "" : "compute capability ",
                       STR_ARG(q->gpu.name.len ? q->gpu.name : q->gpu.cc));
    catalog_arch(&q->catalog, q->gpu.cc, &q->arch);
    return 0;
}

static bool wants_build(const struct query *q, const struct catalog_build *b)
{
    return !q->cuda.len || catalog_is_of(q->cuda, b->cuda) || str_eq(q->cuda, b->toolkit);
}

/* Does the build have no code for the GPU? Where its architectures are not known its toolkit may
 * tell. */
static bool lacks_code(const struct query *q, const struct row *row)
{
    struct str last = q->arch.toolkit_last;

    return row->build.archs.len ? row->code == CODE_NONE
                                : last.len && dotted_compare(row->build.cuda, last) > 0;
}

/* Rows of one release: those that are asked for, or all when `all`. */
static void add_rows(struct query *q, struct str pytorch)
{
    struct strs builds = {0};
    const struct str *cuda;

    catalog_builds(&q->catalog, pytorch, &builds);
    vec_each(cuda, &builds) {
        struct row row = {.pytorch = pytorch};

        if (!catalog_build(&q->catalog, pytorch, *cuda, &row.build) || !wants_build(q, &row.build))
            continue;
        if (q->gpu_arg)
            row.code = catalog_code(row.build.archs, &q->gpu, &row.by);
        if (q->gpu_arg && lacks_code(q, &row))
            q->without_code++;
        else
            vec_add(&q->rows, row);
    }
    vec_clear(&builds);
}

/* ---- when there is nothing ---- */

static void add_once(struct buf *list, struct strs *seen, struct str item)
{
    if (strs_add_once(seen, item))
        buf_fmt(list, "%s" STR_FMT, list->len ? ", " : "", STR_ARG(item));
}

/* CUDA versions, or toolkits when one of those was asked for, of the releases asked for. */
static int no_cuda(const struct query *q, const struct strs *releases, struct err *e)
{
    CLEANUP(buf_clear) struct buf list = {0};
    struct strs seen = {0};
    const struct str *r, *b;
    struct str rest = q->cuda, part;
    bool toolkits = str_cut(&rest, STR("."), &part) && str_has(rest, '.');

    vec_each(r, releases) {
        struct strs builds = {0};

        catalog_builds(&q->catalog, *r, &builds);
        vec_each(b, &builds) {
            struct catalog_build build = {0};

            if (catalog_build(&q->catalog, *r, *b, &build))
                add_once(&list, &seen, toolkits ? build.toolkit : build.cuda);
        }
        vec_clear(&builds);
    }
    vec_clear(&seen);
    return err_set(e, ERR_UNSAT,
                   "--cuda: PyTorch%s%s has no build for CUDA " STR_FMT "; there are builds for %s",
                   q->pytorch ? " " : "", q->pytorch ? q->pytorch : "", STR_ARG(q->cuda),
                   list.p ? list.p : "none");
}

static int no_code(struct query *q, struct err *e)
{
    struct str name = q->gpu.name.len ? q->gpu.name : q->gpu.cc;
    struct strs releases = {0};
    const struct str *r;
    struct row newest = {0};

    q->cuda = (struct str){0};
    q->rows.n = 0;
    catalog_releases(&q->catalog, &releases);
    vec_each(r, &releases)
        add_rows(q, *r);
    vec_clear(&releases);
    for (size_t i = 0; i < q->rows.n; i++)
        if (q->rows.v[i].code != CODE_NONE)
            newest = q->rows.v[i];
    if (!newest.pytorch.len)
        return err_set(e, ERR_UNSAT, "--gpu: no build in the catalog has code for " STR_FMT,
                       STR_ARG(name));
    return err_set(e, ERR_UNSAT,
                   "--gpu: no such build has code for " STR_FMT " (" STR_FMT
                   "); the newest that has is PyTorch " STR_FMT " for CUDA " STR_FMT "%s",
                   STR_ARG(name), STR_ARG(q->gpu.cc), STR_ARG(newest.pytorch),
                   STR_ARG(newest.build.cuda),
                   newest.build.archs_unconfirmed ? " (not confirmed)" : "");
}

static int no_release(const struct query *q, const struct strs *all, struct err *e)
{
    CLEANUP(buf_clear) struct buf list = {0};
    const struct str *r;

    vec_each(r, all)
        buf_fmt(&list, "%s" STR_FMT, r == all->v ? "" : ", ", STR_ARG(*r));
    return err_set(e, ERR_UNSAT, "--pytorch: \"%s\" is not in the catalog, which has %s",
                   q->pytorch, list.p ? list.p : "none");
}

/* Fill the rows; with what exists instead when there are none. */
static int search(struct query *q, struct err *e)
{
    struct strs all = {0}, wanted = {0};
    const struct str *r;
    int result = 0;

    catalog_releases(&q->catalog, &all);
    vec_each(r, &all)
        if (!q->pytorch || catalog_is_of(str_of(q->pytorch), *r))
            vec_add(&wanted, *r);
    vec_each(r, &wanted)
        add_rows(q, *r);
    if (!wanted.n)
        result = no_release(q, &all, e);
    else if (!q->rows.n && !q->without_code)
        result = no_cuda(q, &wanted, e);
    else if (!q->rows.n)
        result = no_code(q, e);
    vec_clear(&all);
    vec_clear(&wanted);
    return result;
}

/* ---- as a table ---- */

static void pythons(const struct query *q, struct str pytorch, struct buf *out)
{
    struct strs list = {0};

    catalog_pythons(&q->catalog, pytorch, &list);
    if (list.n)
        buf_fmt(out, STR_FMT "%s" STR_FMT, STR_ARG(list.v[0]), list.n > 1 ? "-" : "",
                list.n > 1 ? (int)list.v[list.n - 1].len : 0, list.v[list.n - 1].p);
    vec_clear(&list);
}

static void add_cell(struct names *cells, struct str text, bool unconfirmed)
{
    CLEANUP(buf_clear) struct buf b = {0};

    buf_str(&b, text.len ? text : STR("-"));
    buf_puts(&b, unconfirmed ? "?" : "");
    names_add(cells, b.p);
}

/* "cu124" */
static void cuda_tag(struct buf *out, struct str cuda)
{
    buf_puts(out, "cu");
    for (size_t i = 0; i < cuda.len; i++)
        if (cuda.p[i] != '.')
            buf_putc(out, cuda.p[i]);
}

static void add_line(struct names *cells, const struct query *q, const struct row *row)
{
    CLEANUP(buf_clear) struct buf text = {0};
    const struct catalog_build *b = &row->build;
    struct str driver;
    bool by_gpu;

    add_cell(cells, row->pytorch, false);
    add_cell(cells, b->cuda, false);
    add_cell(cells, b->toolkit, b->toolkit_unconfirmed);
    add_cell(cells, b->cudnn, b->cudnn_unconfirmed);
    add_cell(cells, b->nccl, b->nccl_unconfirmed);
    add_cell(cells, b->triton, false);
    pythons(q, row->pytorch, &text);
    add_cell(cells, buf_view(&text), false);
    driver = catalog_family_driver(&q->catalog, b->cuda);
    by_gpu = dotted_compare(driver, q->arch.driver) < 0;
    add_cell(cells, by_gpu ? q->arch.driver : driver, by_gpu && q->arch.driver_unconfirmed);
    buf_reset(&text);
    if (b->pypi)
        buf_puts(&text, "PyPI");
    else
        buf_puts(&text, "whl/"), cuda_tag(&text, b->cuda);
    add_cell(cells, buf_view(&text), false);
    if (q->gpu_arg) {
        buf_reset(&text);
        if (row->code != CODE_NONE)
            buf_fmt(&text, "%s " STR_FMT, row->code == CODE_PTX ? "PTX" : "code", STR_ARG(row->by));
        add_cell(cells, buf_view(&text), row->code != CODE_NONE && b->archs_unconfirmed);
    }
    buf_reset(&text);
    buf_fmt(&text, STR_FMT "%s", STR_ARG(b->archs),
            b->archs.len && b->archs_unconfirmed ? " ?" : "");
    add_cell(cells, buf_view(&text), false);
}

/* Columns as wide as their widest cell; the last one ends where it ends. */
static void print_cells(const struct names *cells, size_t columns)
{
    for (size_t i = 0; i < cells->n; i++) {
        size_t width = 0;

        if (i % columns == columns - 1) {
            output_print("%s\n", cells->v[i]);
            continue;
        }
        for (size_t j = i % columns; j < cells->n; j += columns)
            width = strlen(cells->v[j]) > width ? strlen(cells->v[j]) : width;
        output_print("%-*s  ", (int)width, cells->v[i]);
    }
}

static void print_gpu(const struct query *q)
{
    const struct catalog_gpu *g = &q->gpu;
    const struct catalog_arch *a = &q->arch;

    if (g->name.len)
        output_print(STR_FMT ": compute capability " STR_FMT "%s (" STR_FMT "), " STR_FMT,
                     STR_ARG(g->name), STR_ARG(g->cc), g->unconfirmed ? "?" : "", STR_ARG(g->arch),
                     STR_ARG(g->class));
    else
        output_print("compute capability " STR_FMT " (" STR_FMT ")", STR_ARG(g->cc),
                     STR_ARG(g->arch));
    if (a->driver.len)
        output_print("; driven from " STR_FMT "%s on", STR_ARG(a->driver),
                     a->driver_unconfirmed ? "?" : "");
    if (a->branch_last.len)
        output_print(", last by " STR_FMT, STR_ARG(a->branch_last));
    if (a->toolkit_first.len)
        output_print("; code by CUDA " STR_FMT " and later", STR_ARG(a->toolkit_first));
    if (a->toolkit_last.len)
        output_print("; code by CUDA up to " STR_FMT, STR_ARG(a->toolkit_last));
    output_print("\n\n");
}

static void print_legend(const struct query *q)
{
    bool elsewhere = false, unconfirmed = q->gpu.unconfirmed || q->arch.driver_unconfirmed,
         ptx = false;
    const struct row *r;

    vec_each(r, &q->rows) {
        const struct catalog_build *b = &r->build;

        elsewhere |= !b->pypi;
        ptx |= r->code == CODE_PTX;
        unconfirmed |= b->toolkit_unconfirmed || b->cudnn_unconfirmed || b->nccl_unconfirmed ||
                       b->archs_unconfirmed;
    }
    output_print("\nLinux x86-64. DRIVER is the oldest of the CUDA family%s. A dash: not known.\n",
                 q->gpu_arg ? " that drives this GPU" : "");
    if (elsewhere)
        output_print("whl/cu...: on https://download.pytorch.org/whl/cu... only.\n");
    if (unconfirmed)
        output_print("A question mark: not confirmed, it rests on one secondary source.\n");
    if (ptx)
        output_print("PTX is compiled at run time, by a driver as new as the toolkit.\n");
    if (q->without_code)
        output_print("%zu build%s no code for this GPU.\n", q->without_code,
                     q->without_code == 1 ? " has" : "s have");
}

static void print_table(const struct session *s, const struct query *q)
{
    static const char *const heads[] = {"PYTORCH", "CUDA",     "TOOLKIT",      "CUDNN",
                                        "NCCL",    "TRITON",   "PYTHON",       "DRIVER",
                                        "WHEELS",  "THIS GPU", "ARCHITECTURES"};
    CLEANUP(names_clear) struct names cells = {0};
    const struct row *r;

    for (size_t i = 0; i < ARRAY_LEN(heads); i++)
        if (q->gpu_arg || strcmp(heads[i], "THIS GPU") != 0)
            names_add(&cells, heads[i]);
    vec_each(r, &q->rows)
        add_line(&cells, q, r);
    if (q->gpu_arg)
        print_gpu(q);
    print_cells(&cells, ARRAY_LEN(heads) - !q->gpu_arg);
    if (!s->quiet)
        print_legend(q);
}

/* ---- as JSON ---- */

static void put_text(struct doc *d, struct node *map, const char *key, struct str text)
{
    if (text.len)
        node_put_str(d, map, key, text);
}

static void put_gpu(struct doc *d, struct node *root, const struct query *q)
{
    struct node *n = node_put(d, root, "gpu", node_new_map(d));
    const struct catalog_arch *a = &q->arch;

    put_text(d, n, "name", q->gpu.name);
    put_text(d, n, "class", q->gpu.class);
    node_put_str(d, n, "compute_capability", q->gpu.cc);
    node_put_str(d, n, "architecture", q->gpu.arch);
    node_put_bool(d, n, "confirmed", !q->gpu.unconfirmed);
    put_text(d, n, "driver_first", a->driver);
    put_text(d, n, "driver_branch_first", a->branch_first);
    put_text(d, n, "driver_branch_last", a->branch_last);
    put_text(d, n, "cuda_first", a->toolkit_first);
    put_text(d, n, "cuda_last", a->toolkit_last);
    node_put_bool(d, n, "drivers_confirmed", !a->driver_unconfirmed && !a->branches_unconfirmed);
}

static void put_unconfirmed(struct doc *d, struct node *n, const struct catalog_build *b)
{
    struct node *list = node_put(d, n, "unconfirmed", node_new_list(d));

    if (b->toolkit_unconfirmed)
        node_add_str(d, list, STR("toolkit"));
    if (b->cudnn_unconfirmed)
        node_add_str(d, list, STR("cudnn"));
    if (b->nccl_unconfirmed)
        node_add_str(d, list, STR("nccl"));
    if (b->archs_unconfirmed)
        node_add_str(d, list, STR("archs"));
}

static void put_row(struct doc *d, struct node *n, const struct query *q, const struct row *row)
{
    CLEANUP(buf_clear) struct buf url = {0};
    const struct catalog_build *b = &row->build;
    struct str archs = b->archs, word;
    struct strs list = {0};
    struct node *items;
    const struct str *s;

    node_put_str(d, n, "pytorch", row->pytorch);
    node_put_str(d, n, "cuda", b->cuda);
    put_text(d, n, "toolkit", b->toolkit);
    put_text(d, n, "cudnn", b->cudnn);
    put_text(d, n, "nccl", b->nccl);
    put_text(d, n, "triton", b->triton);
    items = node_put(d, n, "python", node_new_list(d));
    catalog_pythons(&q->catalog, row->pytorch, &list);
    vec_each(s, &list)
        node_add_str(d, items, *s);
    vec_clear(&list);
    put_text(d, n, "driver_min", catalog_family_driver(&q->catalog, b->cuda));
    put_text(d, n, "driver_of_toolkit", catalog_driver(&q->catalog, b->toolkit));
    items = node_put(d, n, "archs", node_new_list(d));
    while (str_word(&archs, &word))
        node_add_str(d, items, word);
    node_put_bool(d, n, "pypi", b->pypi);
    if (!b->pypi)
        buf_puts(&url, "https://download.pytorch.org/whl/"), cuda_tag(&url, b->cuda);
    node_put_str(d, n, "wheels", b->pypi ? STR("https://pypi.org/simple/torch/") : buf_view(&url));
    put_unconfirmed(d, n, b);
    if (!q->gpu_arg)
        return;
    node_put_str(d, n, "gpu_code",
                 row->code == CODE_MACHINE ? STR("machine")
                 : row->code == CODE_PTX   ? STR("ptx")
                                           : STR("unknown"));
    put_text(d, n, "gpu_code_arch", row->by);
}

static void print_json(struct session *s, const struct query *q)
{
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = node_new_map(&d), *list;
    const struct row *r;

    node_put_u64(&d, root, "envbuild_output", 1);
    if (q->gpu_arg)
        put_gpu(&d, root, q);
    list = node_put(&d, root, "builds", node_new_list(&d));
    vec_each(r, &q->rows)
        put_row(&d, node_add(&d, list, node_new_map(&d)), q, r);
    session_json(s, &d, root);
}

int cmd_catalog(struct session *s, int argc, char **argv, struct err *e)
{
    CLEANUP(query_clear) struct query q = {0};
    const struct opt own[] = {
        {0, "pytorch", "V", "these releases only: 2.6 or 2.6.0 (all)", opt_str, &q.pytorch},
        {0, "cuda", "V", "these builds only: 12.4, 12.4.1 or cu124 (all)", opt_str, &q.cuda_arg},
        {0, "gpu", "NAME", "builds with code for it: \"RTX 4090\", sm_89 or 8.9 (any)", opt_str,
         &q.gpu_arg},
    };

    if (session_begin(s, "catalog", own, ARRAY_LEN(own), &argc, argv, 0, 0, e) < 0 || s->help)
        return s->help ? 0 : -1;
    if (catalog_open(&q.catalog, s->catalog_dir, e) < 0 || read_cuda(&q, e) < 0 ||
        read_gpu(&q, e) < 0 || search(&q, e) < 0)
        return -1;
    if (s->json)
        print_json(s, &q);
    else
        print_table(s, &q);
    return 0;
}
