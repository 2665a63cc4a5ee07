/* What a CUDA toolkit is in an image, wherever it comes from: /usr/local/cuda-X.Y as NVIDIA's own
 * installer lays it out. Files of NVIDIA's archives are put there; of the distribution's packages
 * and of wheels there are links. What comes first stays, in that order, so that nothing of a
 * toolkit is hidden by a wheel's. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "system_parts.h"

#include "../../base/path.h"
#include "../toolkit/stub_library.h"
#include "../toolkit/stub_names.h"

#define LIBRARIES "usr/lib/x86_64-linux-gnu/"
#define SOURCES "/etc/apt/sources.list.d/envbuild-toolkit.sources"

/* A toolkit being laid out. */
struct laying {
    struct build *b;
    const struct toolkit *k;
    struct buf path, target; /* of the entry at hand */
    struct err *e;
};

/* "/usr/local/cuda-12.4/lib64/libcudart.so", until the next call. */
static const char *at(struct laying *in, const char *folder, struct str name)
{
    buf_reset(&in->path);
    buf_fmt(&in->path, STR_FMT "/%s" STR_FMT, STR_ARG(in->k->root), folder, STR_ARG(name));
    return in->path.p;
}

static int link_to(struct laying *in, const char *folder, struct str name, const char *target)
{
    return make_link(in->b, at(in, folder, name), target, in->k->date, in->e);
}

/* "libcudnn.so", which linkers look for, beside "libcudnn.so.9". */
static int link_library(struct laying *in, struct str name)
{
    struct str bare = str_sub(name, 0, str_find_str(name, STR(".so.")) + 3);
    CLEANUP(free_clear) char *target = str_dup(name);

    return bare.len < name.len && str_starts(name, STR("lib")) ? link_to(in, "lib64/", bare, target)
                                                               : 0;
}

/* ---- NVIDIA's archives ---- */

/* The wheel's file with these very bytes; NULL when there is none. */
static const struct toolkit_file *twin(const struct toolkit *k, const struct digest *digest)
{
    for (size_t i = 0; i < k->wheels_n; i++) {
        const struct toolkit_file *f;

        vec_each(f, &k->wheels[i]->files)
            if (digest_eq(&f->digest, digest))
                return f;
    }
    return NULL;
}

static const char *site_path(struct laying *in, struct str path)
{
    buf_reset(&in->target);
    buf_fmt(&in->target, "/" STR_FMT "/" STR_FMT, STR_ARG(in->k->site), STR_ARG(path));
    return in->target.p;
}

/* A link where a wheel has the very bytes. */
static bool is_twin(struct laying *in, const struct redist_pkg *p, const struct entry *entry)
{
    const struct redist_lib *lib;

    vec_each(lib, &p->libs) {
        const struct toolkit_file *f =
            str_eq(lib->path, entry->path) ? twin(in->k, &lib->digest) : NULL;

        if (!f)
            continue;
        site_path(in, f->path);
        *in->k->saved += lib->size;
        return true;
    }
    return false;
}

static int add(struct laying *in, const struct entry *entry)
{
    return tree_parents(in->b->t, entry->path, in->k->date, in->e) < 0
               ? -1
               : tree_add(in->b->t, entry, false, in->e);
}

/* A second name of a file that was laid out before: tree_sort() settles which is the file. Where
 * that one became a link, so does this. */
static int lay_hardlink(struct laying *in, const struct entry *from)
{
    struct str first = str_of(at(in, "", from->link)), path;
    CLEANUP(free_clear) char *kept = NULL;
    const struct entry *file;
    struct entry entry = *from;

    str_skip(&first, STR("/"));
    file = tree_get(in->b->t, first);
    if (file && file->type == ENTRY_SYMLINK) {
        kept = str_dup(file->link);
        return link_to(in, "", from->path, kept);
    }
    kept = str_dup(first);
    path = str_of(at(in, "", from->path));
    str_skip(&path, STR("/"));
    entry.path = path;
    entry.link = str_of(kept);
    return add(in, &entry);
}

static int lay_archived(struct laying *in, const struct redist_pkg *p, const struct entry *from)
{
    struct entry entry = *from;
    struct str path;

    if (from->type == ENTRY_HARDLINK)
        return lay_hardlink(in, from);
    if (from->type == ENTRY_FILE && is_twin(in, p, from))
        return link_to(in, "", from->path, in->target.p);
    path = str_of(at(in, "", from->path));
    str_skip(&path, STR("/"));
    if (from->type == ENTRY_DIR && tree_get(in->b->t, path))
        return 0; /* archives share folders */
    entry.path = path;
    return add(in, &entry);
}

static int lay_archive(struct laying *in, const struct redist_pkg *p)
{
    const struct entry *from;

    vec_each(from, &p->entries)
        if (lay_archived(in, p, from) < 0)
            return err_wrap(in->e, STR_FMT, STR_ARG(p->name));
    return 0;
}

/* ---- the distribution's packages ---- */

static bool is_of_toolkit(const struct debpkg *p)
{
    static const char *const sources[] = {"nvidia-cuda-toolkit", "cccl",  "cub", "libcu++",
                                          "libthrust",           "thrust"};
    struct str source = control_get(&p->control, "Source"), word;

    if (!source.len)
        source = p->name;
    str_word(&source, &word);
    for (size_t i = 0; i < ARRAY_LEN(sources); i++)
        if (str_is(word, sources[i]))
            return true;
    return false;
}

/* The first part of what is left of `path` below `folder`; empty when it is not there. */
static struct str first_below(struct str path, const char *folder)
{
    if (!str_skip(&path, str_of(folder)))
        return STR("");
    return str_sub(path, 0, str_find(path, '/'));
}

static int lay_packaged(struct laying *in, struct str path)
{
    static const struct {
        const char *from, *to;
    } rules[] = {{"usr/include/", "include/"}, {"usr/bin/", "bin/"}, {LIBRARIES, "lib64/"}};

    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        struct str name = first_below(path, rules[i].from);

        if (!name.len)
            continue;
        buf_reset(&in->target);
        buf_fmt(&in->target, "/%s" STR_FMT, rules[i].from, STR_ARG(name));
        return link_to(in, rules[i].to, name, in->target.p);
    }
    return 0;
}

/* Debian's nvcc looks into /usr/include alone, where cuDNN's headers are not. As a system's, so
 * that it forgives what differs from glibc's there, and also when a build says -I for the same
 * folder. */
static int add_compiler_wrapper(struct laying *in)
{
    CLEANUP(buf_clear) struct buf text = {0};

    buf_fmt(&text, "#!/bin/sh\nexec /usr/bin/nvcc -isystem " STR_FMT "/include \"$@\"\n",
            STR_ARG(in->k->root));
    return make_file(in->b, at(in, "bin/", STR("nvcc")), 0755, 0, in->k->date, buf_view(&text),
                     in->e);
}

static int lay_package(struct laying *in, const struct debpkg *p)
{
    const struct deb_entry *d;

    if (str_is(p->name, "nvidia-cuda-toolkit") &&
        (add_compiler_wrapper(in) < 0 ||
         link_to(in, "", STR("nvvm"), "/usr/lib/nvidia-cuda-toolkit") < 0))
        return -1;
    vec_each(d, &p->entries)
        if (d->entry.type != ENTRY_DIR && lay_packaged(in, d->entry.path) < 0)
            return -1;
    return 0;
}

/* ---- wheels ---- */

/* nvshmem has folders with names such as "device" and "host" right below include. */
static bool is_beside(struct str library)
{
    return str_is(library, "nvshmem");
}

/* "nvidia/cu13/include/cccl/x.h": library, kind and the name below it, which may be a folder's. */
static bool split(struct str path, struct str *library, struct str *kind, struct str *name)
{
    struct str rest = path;

    return str_skip(&rest, STR("nvidia/")) && str_cut(&rest, STR("/"), library) &&
           str_cut(&rest, STR("/"), kind) &&
           (*name = str_sub(rest, 0, str_find(rest, '/'))).len > 0;
}

/* What find_package() of CMake reads: "nvidia/cu13/cccl/lib/cmake/cub/cub-config.cmake". The files
 * look for headers from where they stand, so that a link of the folder finds the toolkit's. */
static int lay_cmake(struct laying *in, struct str path)
{
    struct str rest = path, head, name;

    if (!str_cut(&rest, STR("/lib/cmake/"), &head))
        return 0;
    name = str_sub(rest, 0, str_find(rest, '/'));
    if (name.len == rest.len)
        return 0;
    site_path(in, str_sub(path, 0, (size_t)(name.p - path.p) + name.len));
    return link_to(in, "lib64/cmake/", name, in->target.p);
}

static int lay_wheel_file(struct laying *in, const struct toolkit_file *f)
{
    struct str library, kind, name, path = f->path;

    if (!split(path, &library, &kind, &name) || is_beside(library) || str_is(name, "__init__.py"))
        return 0;
    if (lay_cmake(in, path) < 0)
        return -1;
    path = str_sub(path, 0, (size_t)(name.p - path.p) + name.len);
    site_path(in, path);
    if (str_is(kind, "include"))
        return link_to(in, "include/", name, in->target.p);
    if (str_is(kind, "bin"))
        return link_to(in, "bin/", name, in->target.p);
    if (str_is(kind, "nvvm")) {
        site_path(in, str_sub(path, 0, (size_t)(kind.p - path.p) + kind.len));
        return link_to(in, "", STR("nvvm"), in->target.p);
    }
    if (!str_is(kind, "lib") || str_is(name, "cmake"))
        return 0;
    if (str_is(name, "stubs")) { /* one by one: ours are to stand beside them */
        site_path(in, f->path);
        return link_to(in, "lib64/stubs/", path_base(f->path), in->target.p);
    }
    return link_to(in, "lib64/", name, in->target.p) < 0 ? -1 : link_library(in, name);
}

static int lay_wheels(struct laying *in)
{
    for (size_t i = 0; i < in->k->wheels_n; i++) {
        const struct toolkit_file *f;

        vec_each(f, &in->k->wheels[i]->files)
            if (lay_wheel_file(in, f) < 0)
                return -1;
    }
    return 0;
}

/* The wheel's file that an absolute path is; NULL when it is none. */
static const struct toolkit_file *wheel_file(const struct toolkit *k, struct str path)
{
    if (!str_skip(&path, STR("/")) || !str_skip(&path, k->site) || !str_skip(&path, STR("/")))
        return NULL;
    for (size_t i = 0; i < k->wheels_n; i++) {
        const struct toolkit_file *f;

        vec_each(f, &k->wheels[i]->files)
            if (str_eq(f->path, path))
                return f;
    }
    return NULL;
}

/* What the loader's cache is to know of the Python environment. */
static void note_outside(struct build *b, const struct toolkit *k)
{
    for (size_t i = 0; i < k->wheels_n; i++) {
        const struct toolkit_file *f;

        vec_each(f, &k->wheels[i]->files)
            map_set(&b->outside,
                    str_of(arena_fmt(&b->t->arena, "/" STR_FMT "/" STR_FMT, STR_ARG(k->site),
                                     STR_ARG(f->path))),
                    b);
    }
}

/* Libraries that packages of ours link to instead of real ones holding them. */
static void note_savings(const struct build *b, const struct toolkit *k)
{
    for (size_t i = 0; i < b->n; i++) {
        const struct deb_entry *d;

        vec_each(d, &b->v[i]->entries) {
            const struct toolkit_file *f =
                d->entry.type == ENTRY_SYMLINK ? wheel_file(k, d->entry.link) : NULL;

            *k->saved += f ? f->size : 0;
        }
    }
}

/* ---- stub libraries ---- */

static void gather_headers(struct strs *out, const struct toolkit *k, const char *prefix)
{
    for (size_t i = 0; i < k->wheels_n; i++) {
        const struct toolkit_header *h;

        vec_each(h, &k->wheels[i]->headers)
            if (str_starts(h->name, str_of(prefix)))
                vec_add(out, h->text);
    }
}

/* Wheels have none: it is made from the headers that declare what the driver's library has. */
static int add_stub(struct laying *in, const char *prefix, const char *functions,
                    const char *library, int32_t result)
{
    CLEANUP(stub_names_clear) struct stub_names names = {0};
    CLEANUP(buf_clear) struct buf bytes = {0}, soname = {0};
    struct strs headers = {0};
    int rc = 0;

    if (build_has(in->b, at(in, "lib64/stubs/", str_of(library))))
        return 0;
    gather_headers(&headers, in->k, prefix);
    if (headers.n)
        rc = stub_names_read(&names, str_of(functions), &headers, in->e);
    vec_clear(&headers);
    if (!names.names.n)
        return rc;
    buf_fmt(&soname, "%s.1", library);
    if (stub_library(&bytes, buf_view(&soname), &names.names, &names.texts, result, in->e) < 0)
        return err_wrap(in->e, "stub of %s", library);
    return make_file(in->b, at(in, "lib64/stubs/", str_of(library)), 0755, 0, in->k->date,
                     buf_view(&bytes), in->e);
}

/* ---- all of it ---- */

/* What the toolkit's programs find it by, and the names that people know it by. */
static int add_names(struct laying *in)
{
    struct str root = in->k->root;
    struct str base = path_base(root);
    CLEANUP(free_clear) char *name = str_dup(base);

    return link_to(in, "", STR("lib"), "lib64") < 0 ||
                   link_to(in, "targets/x86_64-linux/", STR("include"), "../../include") < 0 ||
                   link_to(in, "targets/x86_64-linux/", STR("lib"), "../../lib64") < 0 ||
                   make_link(in->b, "/usr/local/cuda", name, in->k->date, in->e) < 0 ||
                   make_file(in->b, "/etc/ld.so.conf.d/000_cuda.conf", 0644, 0, in->k->date,
                             STR("/usr/local/cuda/lib64\n"), in->e) < 0
               ? -1
               : 0;
}

/* gcc and its kin mean the one that nvcc takes, also for what asks for them by a full name. */
static int add_compiler(struct laying *in)
{
    static const char *const names[][2] = {
        {"gcc", "gcc"},
        {"g++", "g++"},
        {"cc", "gcc"},
        {"c++", "g++"},
        {"cpp", "cpp"},
        {"x86_64-linux-gnu-gcc", "x86_64-linux-gnu-gcc"},
        {"x86_64-linux-gnu-g++", "x86_64-linux-gnu-g++"},
        {"x86_64-linux-gnu-cpp", "x86_64-linux-gnu-cpp"},
    };

    for (size_t i = 0; i < ARRAY_LEN(names) && in->k->gcc.len; i++) {
        buf_reset(&in->path);
        buf_reset(&in->target);
        buf_fmt(&in->path, "/usr/local/bin/%s", names[i][0]);
        buf_fmt(&in->target, "/usr/bin/%s-" STR_FMT, names[i][1], STR_ARG(in->k->gcc));
        if (make_link(in->b, in->path.p, in->target.p, in->k->date, in->e) < 0)
            return -1;
    }
    return 0;
}

static int lay(struct laying *in)
{
    const struct toolkit *k = in->k;

    for (size_t i = 0; i < k->archives_n; i++)
        if (lay_archive(in, k->archives[i]) < 0)
            return -1;
    for (size_t i = 0; i < in->b->n; i++)
        if (is_of_toolkit(in->b->v[i]) && lay_package(in, in->b->v[i]) < 0)
            return -1;
    if (lay_wheels(in) < 0 || add_names(in) < 0 ||
        add_stub(in, "cuda", "cu", "libcuda.so", STUB_RESULT_CUDA) < 0 ||
        add_stub(in, "nvml", "nvml", "libnvidia-ml.so", STUB_RESULT_NVML) < 0)
        return -1;
    return k->sources.len ? make_file(in->b, SOURCES, 0644, 0, k->date, k->sources, in->e) : 0;
}

int system_toolkit(struct build *b, struct err *e)
{
    struct laying in = {.b = b, .k = b->in->toolkit, .e = e};
    int result;

    if (!in.k)
        return 0;
    *in.k->saved = 0;
    result = lay(&in);
    if (result == 0)
        result = add_compiler(&in);
    note_outside(b, in.k);
    note_savings(b, in.k);
    buf_clear(&in.path);
    buf_clear(&in.target);
    return result;
}
