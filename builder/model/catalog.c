/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog.h"

#include "../base/dotted.h"
#include "../base/fs.h"
#include "../base/path.h"
#include "../doc/field.h"
#include "../doc/yaml.h"
#include "baselayer.h"
#include "embedded.h"

static int load(struct doc *out, const char *name, const char *dir, struct err *e)
{
    CLEANUP(free_clear) char *path = dir ? path_join(dir, name) : NULL;
    struct str text;

    if (dir)
        return yaml_read(out, path, e);
    if (!embedded_get(&text, str_of(name)))
        abort(); /* embedded.c has them all */
    return yaml_parse(out, text, name, e);
}

/* `tables` are the keys that the file must have, ended by NULL. */
static int open_one(struct doc *out, const char *name, const char *dir, const char *const *tables,
                    struct err *e)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    struct err fault = {0};
    struct fields f;
    uint64_t schema = 0;

    if (load(&doc, name, dir, e) < 0)
        return -1;
    f = fields_of(doc.root, "catalog", &fault);
    if (field_need_u64(&f, "catalog", &schema, UINT32_MAX) && schema != 1)
        err_at(&fault, &node_get(f.map, "catalog")->pos,
               "catalog schema %llu is not known; this envbuild reads 1",
               (unsigned long long)schema);
    for (; *tables; tables++)
        field_need_map(&f, *tables);
    if (err_is_set(&fault))
        return err_join(e, &fault);
    MOVE(out, &doc);
    return 0;
}

/* A folder from before there was this table has none, and the built-in one holds. */
static const char *dir_of_toolkit(const char *dir)
{
    CLEANUP(free_clear) char *path = dir ? path_join(dir, "toolkit.yaml") : NULL;

    return path && fs_exists(path) ? dir : NULL;
}

int catalog_open(struct catalog *out, const char *dir, struct err *e)
{
    static const char *const pytorch[] = {"releases", NULL};
    static const char *const cuda[] = {"families", "toolkits", "branches", "forward", NULL};
    static const char *const gpu[] = {"architectures", "products", NULL};
    static const char *const toolkit[] = {"providers", "gcc", "parts", NULL};
    CLEANUP(catalog_clear) struct catalog c = {0};

    if (open_one(&c.pytorch, "pytorch.yaml", dir, pytorch, e) < 0 ||
        open_one(&c.cuda, "cuda.yaml", dir, cuda, e) < 0 ||
        open_one(&c.gpu, "gpu.yaml", dir, gpu, e) < 0 ||
        open_one(&c.toolkit, "toolkit.yaml", dir_of_toolkit(dir), toolkit, e) < 0)
        return -1;
    MOVE(out, &c);
    return 0;
}

void catalog_clear(struct catalog *c)
{
    doc_clear(&c->pytorch);
    doc_clear(&c->cuda);
    doc_clear(&c->gpu);
    doc_clear(&c->toolkit);
}

/* ---- releases and builds ---- */

static const struct node *release(const struct catalog *c, struct str pytorch)
{
    return node_get_str(node_get(c->pytorch.root, "releases"), pytorch);
}

bool catalog_has(const struct catalog *c, struct str pytorch)
{
    return release(c, pytorch) != NULL;
}

void catalog_releases(const struct catalog *c, struct strs *out)
{
    const struct node *n;

    node_each(n, node_get(c->pytorch.root, "releases"))
        vec_add(out, n->key);
}

void catalog_builds(const struct catalog *c, struct str pytorch, struct strs *out)
{
    const struct node *builds = node_get(release(c, pytorch), "builds"), *n;

    node_each(n, builds)
        vec_add(out, n->key);
}

void catalog_builds_best_first(const struct catalog *c, struct str pytorch, struct strs *out)
{
    struct str pypi = node_text_of(release(c, pytorch), "pypi");
    struct strs builds = {0};

    catalog_builds(c, pytorch, &builds);
    if (pypi.len)
        vec_add(out, pypi);
    for (size_t i = builds.n; i-- > 0;)
        if (!str_eq(builds.v[i], pypi))
            vec_add(out, builds.v[i]);
    vec_clear(&builds);
}

void catalog_pythons(const struct catalog *c, struct str pytorch, struct strs *out)
{
    const struct node *list = node_get(release(c, pytorch), "python"), *n;

    node_each(n, list)
        vec_add(out, n->text);
}

bool catalog_build(const struct catalog *c, struct str pytorch, struct str cuda,
                   struct catalog_build *out)
{
    const struct node *r = release(c, pytorch), *b, *n;
    struct str pypi = node_text_of(r, "pypi");

    b = node_get_str(node_get(r, "builds"), cuda.len ? cuda : pypi);
    if (!b)
        return false;
    *out = (struct catalog_build){.cuda = b->key,
                                  .toolkit = node_text_of(b, "toolkit"),
                                  .cudnn = node_text_of(b, "cudnn"),
                                  .nccl = node_text_of(b, "nccl"),
                                  .archs = node_text_of(b, "archs"),
                                  .triton = node_text_of(r, "triton"),
                                  .pypi = str_eq(b->key, pypi)};
    node_each(n, node_get(b, "unconfirmed")) {
        out->toolkit_unconfirmed |= str_is(n->text, "toolkit");
        out->cudnn_unconfirmed |= str_is(n->text, "cudnn");
        out->nccl_unconfirmed |= str_is(n->text, "nccl");
        out->archs_unconfirmed |= str_is(n->text, "archs");
    }
    return true;
}

struct str catalog_driver(const struct catalog *c, struct str toolkit)
{
    return node_text_of(node_get_str(node_get(c->cuda.root, "toolkits"), toolkit), "driver");
}

struct str catalog_family_driver(const struct catalog *c, struct str cuda)
{
    struct str family = dotted_first(cuda, 1);

    return node_text_of(node_get_str(node_get(c->cuda.root, "families"), family), "driver");
}

/* ---- drivers ---- */

static void add_driver(struct strs *out, const struct node *row)
{
    struct str driver = node_text_of(row, "driver");

    if (driver.len)
        strs_add_once(out, driver);
}

static int older_first(const void *a, const void *b)
{
    return dotted_compare(*(const struct str *)a, *(const struct str *)b);
}

void catalog_drivers(const struct catalog *c, struct strs *out)
{
    const struct node *families = node_get(c->cuda.root, "families"),
                      *toolkits = node_get(c->cuda.root, "toolkits"), *n;

    node_each(n, families)
        add_driver(out, n);
    node_each(n, toolkits)
        add_driver(out, n);
    vec_sort(out, older_first);
}

bool catalog_branch_ends(const struct catalog *c, struct str branch, struct str *oldest,
                         struct str *newest)
{
    struct strs drivers = {0};
    bool any = false;

    catalog_drivers(c, &drivers);
    for (size_t i = 0; i < drivers.n; i++) {
        if (!str_eq(dotted_first(drivers.v[i], 1), branch))
            continue;
        *oldest = any ? *oldest : drivers.v[i];
        *newest = drivers.v[i];
        any = true;
    }
    vec_clear(&drivers);
    return any;
}

static struct str text(const struct node *n)
{
    return n ? n->text : (struct str){0};
}

/* The branch of a driver: its own, or the last one before it; NULL before them all. */
static const struct node *branch_of(const struct catalog *c, struct str driver)
{
    const struct node *branches = node_get(c->cuda.root, "branches"), *n, *found = NULL;

    node_each(n, branches)
        if (dotted_compare(n->key, driver) <= 0 &&
            (!found || dotted_compare(found->key, n->key) < 0))
            found = n;
    return found;
}

struct str catalog_cuda_of_driver(const struct catalog *c, struct str driver)
{
    const struct node *branch = branch_of(c, driver);

    return text(branch);
}

void catalog_branches(const struct catalog *c, struct strs *out)
{
    const struct node *n;

    node_each(n, node_get(c->cuda.root, "branches"))
        vec_add(out, n->key);
}

static bool list_has(const struct node *list, struct str text)
{
    const struct node *n;

    node_each(n, list)
        if (str_eq(n->text, text))
            return true;
    return false;
}

enum catalog_forward catalog_forward(const struct catalog *c, struct str cuda, struct str driver,
                                     struct str class)
{
    const struct node *forward = node_get(c->cuda.root, "forward"), *hosts;
    struct str of_driver = catalog_cuda_of_driver(c, driver), boards, branch;

    /* CUDA versions compare as driver versions do. */
    cuda = dotted_first(cuda, 2);
    if (of_driver.len && dotted_compare(cuda, of_driver) <= 0)
        return FORWARD_NEEDLESS;
    boards = text(node_get_str(node_get(forward, "classes"), class));
    if (str_is(boards, "none"))
        return FORWARD_NO;
    hosts = node_get_str(node_get(forward, "packages"), cuda);
    branch = dotted_first(driver, 1);
    if (!boards.len || !list_has(hosts, branch))
        return FORWARD_UNKNOWN;
    return str_is(boards, "all") ? FORWARD_YES : FORWARD_SELECTED;
}

/* ---- the early check ---- */

bool catalog_is_of(struct str part, struct str whole)
{
    return str_eq(part, whole) || (str_skip(&whole, part) && str_starts(whole, STR(".")));
}

static void list_keys(struct buf *out, const struct node *map)
{
    const struct node *n;

    node_each(n, map)
        buf_fmt(out, "%s" STR_FMT, n == map->child ? "" : ", ",
                STR_ARG(map->kind == NODE_MAP ? n->key : n->text));
}

static void check_cuda(const struct catalog *c, const struct recipe *r, struct err *e)
{
    const struct node *rel = release(c, r->pytorch.text);
    struct str asked = r->cuda.text, pypi = node_text_of(rel, "pypi");
    struct catalog_build b;

    if (!catalog_build(c, r->pytorch.text, dotted_first(asked, 2), &b)) {
        CLEANUP(buf_clear) struct buf builds = {0};

        list_keys(&builds, node_get(rel, "builds"));
        err_at_kind(e, ERR_UNSAT, &r->cuda.pos,
                    "cuda: \"" STR_FMT "\" has no PyTorch " STR_FMT
                    " build; published builds: %s (on PyPI: " STR_FMT ")",
                    STR_ARG(asked), STR_ARG(r->pytorch.text), builds.p, STR_ARG(pypi));
    } else if (!catalog_is_of(asked, b.toolkit) && b.toolkit.len) {
        err_at_kind(e, ERR_UNSAT, &r->cuda.pos,
                    "cuda: \"" STR_FMT "\" is not what PyTorch " STR_FMT
                    " was built with: its CUDA " STR_FMT " is " STR_FMT,
                    STR_ARG(asked), STR_ARG(r->pytorch.text), STR_ARG(b.cuda), STR_ARG(b.toolkit));
    }
}

/* For a release whose asked-for build does not exist: does any of its builds have that cuDNN? */
static void check_any_cudnn(const struct node *builds, const struct recipe *r, struct err *e)
{
    CLEANUP(buf_clear) struct buf versions = {0};
    const struct node *n;

    node_each(n, builds) {
        struct str cudnn = node_text_of(n, "cudnn");

        if (!cudnn.len || catalog_is_of(r->cudnn.text, cudnn))
            return;
        if (str_find_str(buf_view(&versions), cudnn) == versions.len)
            buf_fmt(&versions, "%s" STR_FMT, versions.len ? ", " : "", STR_ARG(cudnn));
    }
    err_at_kind(e, ERR_UNSAT, &r->cudnn.pos,
                "cudnn: \"" STR_FMT "\" comes with no build of PyTorch " STR_FMT
                "; its builds have cuDNN %s",
                STR_ARG(r->cudnn.text), STR_ARG(r->pytorch.text), versions.p ? versions.p : "");
}

static void check_cudnn(const struct catalog *c, const struct recipe *r, struct err *e)
{
    struct catalog_build b;

    if (!catalog_build(c, r->pytorch.text, dotted_first(r->cuda.text, 2), &b)) {
        check_any_cudnn(node_get(release(c, r->pytorch.text), "builds"), r, e);
        return;
    }
    if (!b.cudnn.len || catalog_is_of(r->cudnn.text, b.cudnn))
        return;
    err_at_kind(e, ERR_UNSAT, &r->cudnn.pos,
                "cudnn: \"" STR_FMT "\" does not come with PyTorch " STR_FMT " for CUDA " STR_FMT
                ", which has cuDNN " STR_FMT "%s",
                STR_ARG(r->cudnn.text), STR_ARG(r->pytorch.text), STR_ARG(b.cuda), STR_ARG(b.cudnn),
                b.cudnn_unconfirmed ? " (not confirmed)" : "");
}

static void check_python(const struct catalog *c, const struct recipe *r, struct str python,
                         struct err *e)
{
    const struct node *list = node_get(release(c, r->pytorch.text), "python"), *n;
    CLEANUP(buf_clear) struct buf versions = {0};

    node_each(n, list)
        if (str_eq(n->text, python))
            return;
    if (!list)
        return;
    list_keys(&versions, list);
    err_at_kind(e, ERR_UNSAT, &r->pytorch.pos,
                "pytorch: \"" STR_FMT "\" has no wheel for Python " STR_FMT ", the one in " STR_FMT
                "; it has wheels for Python %s",
                STR_ARG(r->pytorch.text), STR_ARG(python), STR_ARG(r->base.text), versions.p);
}

int catalog_check(const struct catalog *c, const struct recipe *r, struct str python, struct err *e)
{
    bool cpu = str_is(r->cuda.text, RECIPE_CPU); /* every release has that build */
    struct err fault = {0};

    if (r->python.text.len && !str_eq(r->python.text, python)) {
        CLEANUP(buf_clear) struct buf offer = {0};

        baselayer_offer_python(&offer, r->python.text);
        err_at_kind(&fault, ERR_UNSAT, &r->python.pos,
                    "python: \"" STR_FMT "\" is not in " STR_FMT ", whose Python is " STR_FMT "%s",
                    STR_ARG(r->python.text), STR_ARG(r->base.text), STR_ARG(python), offer.p);
    }
    if (catalog_has(c, r->pytorch.text)) {
        if (r->cuda.text.len && !cpu)
            check_cuda(c, r, &fault);
        if (r->cudnn.text.len && !cpu)
            check_cudnn(c, r, &fault);
        check_python(c, r, python, &fault);
    }
    return err_is_set(&fault) ? err_join(e, &fault) : 0;
}
