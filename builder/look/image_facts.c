/* SPDX-License-Identifier: Apache-2.0 */
#include "image_facts.h"

#include "../base/dotted.h"
#include "../base/path.h"
#include "../model/require.h"
#include "needs.h"

enum {
    SOME = 20
}; /* an architecture with fewer entries than the most by this is for single kernels */

static bool is_here(const struct rootfs_node *n)
{
    return !n->gone && n->type == ENTRY_FILE && !n->special;
}

/* The elf notes of nodes are what a layer scan made. */
static const struct scanned *elf_of(const struct rootfs_node *n)
{
    return n->note;
}

static struct str folder_of(struct str path)
{
    struct str base = path_base(path);

    return str_sub(path, 0, path.len > base.len ? path.len - base.len - 1 : 0);
}

/* A Debian version without its epoch. */
static struct str upstream(struct str version)
{
    struct str epoch, rest = version;

    if (str_has(version, ':') && str_cut(&rest, STR(":"), &epoch))
        version = rest;
    return dotted_prefix(version);
}

/* The value of `NAME = 'value'` or `NAME: Optional[str] = "value"` in a Python file, of
 * `NAME=value` in a shell's. Empty when there is none or it is None. */
static struct str assigned(struct str text, const char *name)
{
    struct str line, value;

    while (str_line(&text, &line)) {
        struct str head = line;

        if (!str_skip(&head, str_of(name)) ||
            (head.len && (c_alnum(head.p[0]) || head.p[0] == '_')) || !str_has(line, '='))
            continue;
        value = str_sub(line, str_find(line, '=') + 1, line.len);
        value = str_trim(value);
        if (value.len >= 2 && (value.p[0] == '"' || value.p[0] == '\''))
            return str_sub(value, 1, str_find(str_sub(value, 1, value.len), value.p[0]));
        return str_is(value, "None") ? (struct str){0} : value;
    }
    return (struct str){0};
}

/* The number behind "#define NAME". */
static struct str defined(struct str text, const char *name)
{
    struct str line, word;

    while (str_line(&text, &line))
        if (str_word(&line, &word) && str_is(word, "#define") && str_word(&line, &word) &&
            str_is(word, name) && str_word(&line, &word)) {
            str_skip(&word, STR("\""));
            str_drop(&word, STR("\""));
            return word;
        }
    return (struct str){0};
}

/* ---- the system ---- */

static void find_system(struct inspection *in)
{
    const struct rootfs_node *n = rootfs_follow(&in->fs, STR("etc/os-release"));

    if (!n)
        n = rootfs_follow(&in->fs, STR("usr/lib/os-release"));
    if (!n)
        return;
    in->system = assigned(n->text, "PRETTY_NAME");
    if (!in->system.len)
        in->system = assigned(n->text, "NAME");
}

/* By the newest version that the C library defines. */
static void find_glibc(struct inspection *in)
{
    for (size_t i = 0; i < in->fs.nodes.n; i++) {
        const struct rootfs_node *n = in->fs.nodes.v[i];
        const struct str *s;

        if (!is_here(n) || !elf_of(n) || !str_is(elf_of(n)->elf.soname, "libc.so.6"))
            continue;
        vec_each(s, &elf_of(n)->elf.defines) {
            struct str version = *s;

            if (str_skip(&version, STR("GLIBC_")) && c_digit(version.p[0]) &&
                dotted_compare(version, in->glibc) > 0)
                in->glibc = version;
        }
    }
}

/* ---- programs ---- */

/* "usr/bin/python3.11": the number; false for all other paths. */
static bool python_number(struct str path, struct str *number)
{
    struct str base = path_base(path);

    if (!str_ends(folder_of(path), STR("bin")) || !str_skip(&base, STR("python3.")) || !base.len)
        return false;
    for (size_t i = 0; i < base.len; i++)
        if (!c_digit(base.p[i]))
            return false;
    *number = str_sub(path_base(path), strlen("python"), path.len);
    return true;
}

/* Its header says it to the last number, where there is one; else its package does. */
static struct str python_version(const struct inspection *in, const struct rootfs_node *n,
                                 struct str number)
{
    struct str prefix = folder_of(folder_of(n->path));
    CLEANUP(buf_clear) struct buf path = {0};
    const struct package *owner = packages_owner(&in->packages, n->path);
    const struct rootfs_node *header;
    struct str version;

    buf_fmt(&path, STR_FMT "/include/python" STR_FMT "/patchlevel.h", STR_ARG(prefix),
            STR_ARG(number));
    header = rootfs_follow(&in->fs, buf_view(&path));
    version = header ? defined(header->text, "PY_VERSION") : (struct str){0};
    if (!version.len && owner)
        version = upstream(owner->version);
    return version.len ? version : number;
}

/* Where does a folder stand in the image's PATH? Past its end when it does not. */
static size_t rank_of(const struct inspection *in, struct str folder)
{
    const struct str *line;
    size_t rank = 0;

    vec_each(line, &in->image->config.env) {
        struct str dirs = *line, dir;

        if (!str_skip(&dirs, STR("PATH=")))
            continue;
        while (str_item(&dirs, ':', &dir)) {
            str_skip(&dir, STR("/"));
            str_drop(&dir, STR("/"));
            if (str_eq(dir, folder))
                return rank;
            rank++;
        }
    }
    return SIZE_MAX;
}

/* The interpreter that `python3` starts, by PATH and links. */
static const struct rootfs_node *first_python(const struct inspection *in)
{
    const struct str *line;

    vec_each(line, &in->image->config.env) {
        struct str dirs = *line, dir;

        if (!str_skip(&dirs, STR("PATH=")))
            continue;
        while (str_item(&dirs, ':', &dir)) {
            static const char *const names[] = {"python3", "python"};

            for (size_t i = 0; i < ARRAY_LEN(names); i++) {
                CLEANUP(buf_clear) struct buf path = {0};
                const struct rootfs_node *n;

                buf_fmt(&path, STR_FMT "/%s", STR_ARG(dir), names[i]);
                n = rootfs_follow(&in->fs, buf_view(&path));
                if (n && n->type == ENTRY_FILE)
                    return n;
            }
        }
    }
    return NULL;
}

static void find_pythons(struct inspection *in)
{
    const struct rootfs_node *first = first_python(in);
    struct str number;

    for (unsigned turn = 0; turn < 2; turn++)
        for (size_t i = 0; i < in->fs.nodes.n; i++) {
            const struct rootfs_node *n = in->fs.nodes.v[i];

            if (is_here(n) && elf_of(n) && (n == first) == (turn == 0) &&
                python_number(n->path, &number))
                vec_add(&in->pythons,
                        ((struct inspect_program){n->path, python_version(in, n, number)}));
        }
}

/* "12.4.131" of usr/local/cuda-12.4/version.json, of its package, or of the folder's name. */
static struct str nvcc_version(struct inspection *in, const struct rootfs_node *n)
{
    const struct package *owner = packages_owner(&in->packages, n->path);
    struct str top = folder_of(folder_of(n->path)), text, part;
    CLEANUP(buf_clear) struct buf path = {0};
    const struct rootfs_node *list;

    if (owner)
        return dotted_prefix(owner->version);
    buf_fmt(&path, STR_FMT "/version.json", STR_ARG(top));
    list = rootfs_follow(&in->fs, buf_view(&path));
    text = list ? list->text : (struct str){0};
    if (str_cut(&text, STR("\"cuda_nvcc\""), &part) && str_cut(&text, STR("\"version\""), &part)) {
        text = str_sub(text, str_find(text, '"') + 1, text.len);
        return str_sub(text, 0, str_find(text, '"'));
    }
    part = path_base(top);
    return str_skip(&part, STR("cuda-")) ? part : (struct str){0};
}

static void find_nvccs(struct inspection *in)
{
    for (size_t i = 0; i < in->fs.nodes.n; i++) {
        const struct rootfs_node *n = in->fs.nodes.v[i];

        if (is_here(n) && elf_of(n) && str_ends(n->path, STR("bin/nvcc")))
            vec_add(&in->nvccs, ((struct inspect_program){n->path, nvcc_version(in, n)}));
    }
}

/* ---- PyTorch ---- */

/* The rank of the folder of programs beside "PREFIX/lib/python3.11/site-packages". */
static size_t site_rank(const struct inspection *in, struct str site)
{
    struct str prefix = folder_of(folder_of(folder_of(site)));
    CLEANUP(buf_clear) struct buf bin = {0};

    buf_fmt(&bin, STR_FMT "%sbin", STR_ARG(prefix), prefix.len ? "/" : "");
    return rank_of(in, buf_view(&bin));
}

static void find_torches(struct inspection *in)
{
    size_t best = 0;

    for (size_t i = 0; i < in->fs.nodes.n; i++) {
        const struct rootfs_node *n = in->fs.nodes.v[i];
        struct str where = n->path;

        if (is_here(n) && str_drop(&where, STR("/torch/version.py")))
            vec_add(&in->torches,
                    ((struct inspect_torch){where, assigned(n->text, "__version__"),
                                            assigned(n->text, "cuda"), assigned(n->text, "hip")}));
    }
    for (size_t i = 1; i < in->torches.n; i++)
        if (site_rank(in, in->torches.v[i].where) < site_rank(in, in->torches.v[best].where))
            best = i;
    if (best) {
        struct inspect_torch first = in->torches.v[best];

        in->torches.v[best] = in->torches.v[0];
        in->torches.v[0] = first;
    }
}

/* ---- NVIDIA's libraries ---- */

static const char *const library_names[] = {
    "libcublas",     "libcublasLt",   "libcudart",     "libcudnn",  "libcudss",
    "libcufft",      "libcufile",     "libcupti",      "libcurand", "libcusolver",
    "libcusolverMg", "libcusparse",   "libcusparseLt", "libnccl",   "libnppc",
    "libnvJitLink",  "libnvToolsExt", "libnvjpeg",     "libnvrtc",  "libnvshmem_host",
};

/* What bundles a library may add eight hex digits to its name: "libcudart-d0da41ae.so.11.0". */
static struct str without_hash(struct str name)
{
    struct str hash, head = name;

    if (!str_cut_last(&head, STR("-"), &hash) || hash.len != 8)
        return name;
    for (size_t i = 0; i < hash.len; i++)
        if (!c_digit(hash.p[i]) && !(hash.p[i] >= 'a' && hash.p[i] <= 'f'))
            return name;
    return head;
}

static struct str library_name(struct str base)
{
    struct str name = str_sub(base, 0, str_find_str(base, STR(".so")));

    if (name.len == base.len)
        return (struct str){0};
    name = without_hash(name);
    for (size_t i = 0; i < ARRAY_LEN(library_names); i++)
        if (str_is(name, library_names[i]))
            return name;
    return (struct str){0};
}

/* "12.4" of "usr/local/cuda-12.4/lib64/libcudart.so.12". */
static struct str toolkit_of(struct str path)
{
    struct str rest = path;

    return str_cut(&rest, STR("/cuda-"), &(struct str){0}) ? dotted_prefix(rest) : (struct str){0};
}

static struct str library_version(const struct rootfs_node *n, const struct package *owner)
{
    struct str base = path_base(n->path), key = owner ? owner->key : (struct str){0};
    struct str rest = str_sub(base, str_find_str(base, STR(".so.")) + 4, base.len);

    if (owner && (str_skip(&key, STR("nvidia-")) || owner->manager != PACKAGE_PIP) &&
        !str_is(owner->key, "pytorch"))
        return dotted_prefix(owner->version);
    if (toolkit_of(n->path).len)
        return toolkit_of(n->path);
    return base.len > rest.len ? rest : (struct str){0};
}

/* Wheels have no links, so they hold a library once for each of its names. */
static bool is_same(const struct inspect_library *a, const struct inspect_library *b)
{
    return str_eq(a->name, b->name) && str_eq(a->soname, b->soname) &&
           str_eq(folder_of(a->path), folder_of(b->path));
}

static void merge_names(struct inspection *in)
{
    size_t kept = 0;

    for (size_t i = 0; i < in->libraries.n; i++) {
        struct inspect_library *l = &in->libraries.v[i];
        size_t k = 0;

        while (k < kept && !is_same(&in->libraries.v[k], l))
            k++;
        if (k == kept)
            in->libraries.v[kept++] = *l;
        else if (l->version.len > in->libraries.v[k].version.len)
            in->libraries.v[k] = *l;
    }
    in->libraries.n = kept;
}

static int library_compare(const void *a, const void *b)
{
    const struct inspect_library *x = a, *y = b;
    int order = str_cmp(x->name, y->name);

    return order ? order : str_cmp(x->path, y->path);
}

/* Stubs are linked against and never loaded; a forward-compatibility package is asked for by name.
 */
static bool is_aside(struct str path)
{
    return str_find_str(path, STR("/stubs/")) < path.len ||
           str_find_str(path, STR("/compat/")) < path.len;
}

static void find_libraries(struct inspection *in)
{
    for (size_t i = 0; i < in->fs.nodes.n; i++) {
        const struct rootfs_node *n = in->fs.nodes.v[i];
        const struct package *owner;
        struct str name;

        if (!is_here(n) || !elf_of(n) || n->linked)
            continue;
        if (str_find_str(n->path, STR("/compat/libcuda.so.")) < n->path.len)
            in->facts.compat = upstream(
                str_sub(path_base(n->path), strlen("libcuda.so."), path_base(n->path).len));
        if (is_aside(n->path))
            continue;
        owner = packages_owner(&in->packages, n->path);
        name = library_name(path_base(n->path));
        if (name.len)
            vec_add(&in->libraries,
                    ((struct inspect_library){name, n->path, elf_of(n)->elf.soname,
                                              library_version(n, owner), n->size, owner}));
        else if (n->size && needs_driver_capability(elf_of(n)->elf.soname).len)
            vec_add(&in->drivers, n->path);
    }
    merge_names(in);
    vec_sort(&in->libraries, library_compare);
}

static const struct inspect_library *library(const struct inspection *in, const char *name)
{
    const struct inspect_library *l;

    vec_each(l, &in->libraries)
        if (str_is(l->name, name))
            return l;
    return NULL;
}

/* ---- device code ---- */

static void put_number(struct buf *out, const struct fatbin_code *c)
{
    buf_fmt(out, "%s%u.%u", out->len ? " " : "", c->sm / 10, c->sm % 10);
    if (c->suffix)
        buf_putc(out, c->suffix);
}

/* Code for an architecture wherever it stands, once. */
static size_t entries(const struct fatbin_list *list, const struct fatbin_code *like)
{
    const struct fatbin_code *c;
    size_t n = 0;

    vec_each(c, &list->codes)
        if (c->kind == like->kind && c->sm == like->sm && c->suffix == like->suffix)
            n += c->entries;
    return n;
}

static bool seen_before(const struct fatbin_list *list, const struct fatbin_code *c)
{
    for (const struct fatbin_code *k = list->codes.v; k < c; k++)
        if (k->kind == c->kind && k->sm == c->sm && k->suffix == c->suffix)
            return true;
    return false;
}

static int code_compare(const void *a, const void *b)
{
    const struct fatbin_code *x = a, *y = b;

    if (x->sm != y->sm)
        return x->sm < y->sm ? -1 : 1;
    return (x->suffix > y->suffix) - (x->suffix < y->suffix);
}

static void describe(struct inspect_code *out, struct arena *a)
{
    CLEANUP(buf_clear) struct buf whole = {0}, machine = {0}, some = {0}, ptx = {0};
    struct VEC_OF(struct fatbin_code) each = {0};
    const struct fatbin_code *c;
    size_t most = 0;

    vec_each(c, &out->list->codes) {
        size_t n = entries(out->list, c);

        if (seen_before(out->list, c))
            continue;
        vec_add(&each, *c);
        each.v[each.n - 1].entries = n;
        if (c->kind == FATBIN_CUBIN && n > most)
            most = n;
    }
    vec_sort(&each, code_compare);
    vec_each(c, &each) {
        if (c->kind == FATBIN_PTX)
            put_number(&ptx, c);
        if (c->kind != FATBIN_CUBIN)
            continue;
        put_number(c->entries * SOME >= most ? &machine : &some, c);
        if (c->entries * 2 >= most)
            put_number(&whole, c);
    }
    vec_clear(&each);
    out->whole = arena_str(a, buf_view(&whole));
    out->machine = arena_str(a, buf_view(&machine));
    out->some = arena_str(a, buf_view(&some));
    out->ptx = arena_str(a, buf_view(&ptx));
}

static int size_compare(const void *a, const void *b)
{
    const struct inspect_code *x = a, *y = b;

    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return str_cmp(x->path, y->path);
}

static void find_codes(struct inspection *in)
{
    for (size_t i = 0; i < in->fs.nodes.n; i++) {
        const struct rootfs_node *n = in->fs.nodes.v[i];
        struct inspect_code code = {.path = n->path, .size = n->size};

        if (!is_here(n) || n->linked || !elf_of(n) || !elf_of(n)->code.codes.n)
            continue;
        code.package = packages_owner(&in->packages, n->path);
        code.list = &elf_of(n)->code;
        describe(&code, &in->arena);
        vec_add(&in->codes, code);
    }
    vec_sort(&in->codes, size_compare);
}

/* ---- what it all needs ---- */

static bool has_word(struct str words, struct str word)
{
    struct str one;

    while (str_word(&words, &one))
        if (str_eq(one, word))
            return true;
    return false;
}

/* The code of PyTorch itself; "8.0 9.0+PTX" where there is text for 9.0 too. */
static struct str torch_archs(struct inspection *in, const struct inspect_torch *t)
{
    CLEANUP(buf_clear) struct buf out = {0};
    const struct inspect_code *c;

    vec_each(c, &in->codes) {
        struct str path = c->path, whole = c->whole, ptx = c->ptx, one;

        if (!str_skip(&path, t->where) || !str_is(path, "/torch/lib/libtorch_cuda.so"))
            continue;
        while (str_word(&whole, &one))
            buf_fmt(&out, "%s" STR_FMT "%s", out.len ? " " : "", STR_ARG(one),
                    has_word(c->ptx, one) ? "+PTX" : "");
        while (str_word(&ptx, &one))
            if (!has_word(c->whole, one))
                buf_fmt(&out, "%s" STR_FMT "+PTX", out.len ? " " : "", STR_ARG(one));
    }
    return arena_str(&in->arena, buf_view(&out));
}

static struct str version_of(const struct inspection *in, const char *package, const char *library_)
{
    const struct package *p = packages_get(&in->packages, package, true);
    const struct inspect_library *l = library(in, library_);

    return p ? dotted_prefix(p->version) : l ? l->version : (struct str){0};
}

/* cuDNN's headers tell it to the last number where its file's name has only the first. */
static struct str cudnn_version(struct inspection *in)
{
    struct str found = version_of(in, "nvidia-cudnn", "libcudnn");

    for (size_t i = 0; i < in->fs.nodes.n && found.len && !str_has(found, '.'); i++) {
        const struct rootfs_node *n = in->fs.nodes.v[i];
        struct str major = is_here(n) ? defined(n->text, "CUDNN_MAJOR") : (struct str){0};

        if (major.len && str_eq(major, found))
            return str_of(arena_fmt(&in->arena, STR_FMT "." STR_FMT "." STR_FMT, STR_ARG(major),
                                    STR_ARG(defined(n->text, "CUDNN_MINOR")),
                                    STR_ARG(defined(n->text, "CUDNN_PATCHLEVEL"))));
    }
    return found;
}

/* The newest CUDA runtime that is there: "12.4"; empty: none that tells its minor version. */
static struct str newest_runtime(const struct inspection *in)
{
    const struct inspect_library *l;
    struct str newest = {0};

    vec_each(l, &in->libraries)
        if (str_is(l->name, "libcudart") && str_has(l->version, '.') &&
            dotted_compare(l->version, newest) > 0)
            newest = l->version;
    return dotted_first(newest, 2);
}

static void derive(struct inspection *in, const struct catalog *c)
{
    struct facts *f = &in->facts;
    struct catalog_build build = {0};

    if (in->torches.n) {
        f->pytorch = dotted_prefix(in->torches.v[0].version);
        f->cuda = in->torches.v[0].cuda;
        f->archs = torch_archs(in, &in->torches.v[0]);
        f->archs_read = true;
    } else {
        f->cuda = newest_runtime(in);
    }
    if (in->pythons.n)
        f->python = dotted_first(in->pythons.v[0].version, 2);
    f->cudnn = cudnn_version(in);
    f->nccl = version_of(in, "nvidia-nccl", "libnccl");
    if (!f->cuda.len)
        return;
    f->require = require_of_env(&in->arena, &in->image->config.env);
    f->cuda_toolkit = version_of(in, "cuda-toolkit", "");
    if (!f->cuda_toolkit.len && catalog_build(c, f->pytorch, f->cuda, &build))
        f->cuda_toolkit = build.toolkit;
    f->driver_min = catalog_family_driver(c, f->cuda);
    f->driver_full = catalog_driver(c, f->cuda_toolkit);
}

void image_facts_find(struct inspection *in, const struct catalog *catalog)
{
    find_system(in);
    find_glibc(in);
    find_pythons(in);
    find_nvccs(in);
    find_torches(in);
    find_libraries(in);
    find_codes(in);
    derive(in, catalog);
}
