/* SPDX-License-Identifier: Apache-2.0 */
#include "hint.h"

#include "../base/path.h"

/* Headers by how they begin, and Debian's package of each. */
static const char *const headers[][2] = {
    {"Python.h", "python3-dev"},
    {"ffi.h", "libffi-dev"},
    {"openssl/", "libssl-dev"},
    {"zlib.h", "zlib1g-dev"},
    {"bzlib.h", "libbz2-dev"},
    {"lzma.h", "liblzma-dev"},
    {"zstd.h", "libzstd-dev"},
    {"lz4.h", "liblz4-dev"},
    {"snappy", "libsnappy-dev"},
    {"jpeglib.h", "libjpeg-dev"},
    {"png.h", "libpng-dev"},
    {"tiff", "libtiff-dev"},
    {"webp/", "libwebp-dev"},
    {"ft2build.h", "libfreetype-dev"},
    {"libxml/", "libxml2-dev"},
    {"libxslt/", "libxslt1-dev"},
    {"yaml.h", "libyaml-dev"},
    {"sqlite3.h", "libsqlite3-dev"},
    {"libpq-fe.h", "libpq-dev"},
    {"mysql", "default-libmysqlclient-dev"},
    {"curl/", "libcurl4-openssl-dev"},
    {"sndfile.h", "libsndfile1-dev"},
    {"portaudio.h", "portaudio19-dev"},
    {"alsa/", "libasound2-dev"},
    {"libavformat/", "libavformat-dev"},
    {"libavcodec/", "libavcodec-dev"},
    {"libavutil/", "libavutil-dev"},
    {"mpi.h", "libopenmpi-dev"},
    {"infiniband/", "libibverbs-dev"},
    {"numa.h", "libnuma-dev"},
    {"libaio.h", "libaio-dev"},
    {"hdf5.h", "libhdf5-dev"},
    {"fftw3.h", "libfftw3-dev"},
    {"gmp.h", "libgmp-dev"},
    {"mpfr.h", "libmpfr-dev"},
    {"cblas.h", "libopenblas-dev"},
    {"lapacke.h", "liblapacke-dev"},
    {"Eigen/", "libeigen3-dev"},
    {"boost/", "libboost-dev"},
    {"GL/", "libgl-dev"},
    {"X11/", "libx11-dev"},
    {"ncurses.h", "libncurses-dev"},
    {"readline/", "libreadline-dev"},
    {"opencv2/", "libopencv-dev"},
    {"geos_c.h", "libgeos-dev"},
    {"proj.h", "libproj-dev"},
    {"graphviz/", "libgraphviz-dev"},
    {"sentencepiece", "libsentencepiece-dev"},
    {"rdkafka", "librdkafka-dev"},
    {"stdio.h", "libc6-dev"},
    {"stdlib.h", "libc6-dev"},
    {"limits.h", "libc6-dev"},
};

/* Those of the CUDA toolkit. */
static const char *const of_toolkit[] = {
    "cuda",  "cublas",  "cusparse", "cusolver",           "cufft", "curand",
    "nvrtc", "thrust/", "cub/",     "cooperative_groups", "nv/"};

/* Programs that are not there, by name: the package of Debian's that has them, or "requires" for a
 * wheel. */
static const struct {
    const char *name, *remedy;
} programs[] = {
    {"cmake", "requires"},    {"ninja", "requires"},
    {"meson", "requires"},    {"swig", "requires"},
    {"git", "git"},           {"make", "make"},
    {"cargo", "cargo"},       {"rustc", "rustc"},
    {"gfortran", "gfortran"}, {"pkg-config", "pkg-config"},
    {"patchelf", "patchelf"}, {"g++", "g++"},
    {"gcc", "gcc"},           {"cc", "gcc"},
    {"c++", "g++"},
};

/* What stands between `before` and `after`, on one line. */
static bool between(struct str text, const char *before, const char *after, struct str *out)
{
    for (;;) {
        size_t at = str_find_str(text, str_of(before)), end;

        if (at == text.len)
            return false;
        text = str_sub(text, at + strlen(before), text.len);
        end = str_find_str(text, str_of(after));
        *out = str_sub(text, 0, end);
        if (end < text.len && !str_has(*out, '\n') && out->len && out->len < 100)
            return true;
    }
}

static bool has(struct str text, const char *words)
{
    return str_find_str(text, str_of(words)) < text.len;
}

/* What a build was, for the words. */
struct building {
    struct str name;
    bool early, on_image;
};

/* Where what is missing goes; `package` (may be NULL) is Debian's. */
static void add_place(struct buf *out, const char *package, const struct building *b)
{
    if (b->on_image)
        buf_puts(out, "; put it into the image that is the base");
    else
        buf_fmt(out, "; write %s under `apt`", package);
}

static void add_toolkit(struct buf *out, const struct building *b)
{
    if (b->on_image)
        buf_puts(out, "take as the base an image that has it, and name its folder in `build: {");
    else
        buf_puts(out, "write `variant: devel`, and for which GPUs, as in `build: {");
    buf_fmt(out, STR_FMT ": {%s}}`", STR_ARG(b->name),
            b->on_image ? "env: {CUDA_HOME: /usr/local/cuda}" : "archs: [8.0]");
}

static void add_header(struct buf *out, struct str header, const struct building *b)
{
    struct str name = b->name;

    buf_fmt(out, "it lacks the header " STR_FMT, STR_ARG(header));
    for (size_t i = 0; i < ARRAY_LEN(of_toolkit); i++)
        if (str_starts(header, str_of(of_toolkit[i]))) {
            buf_puts(out, ", which the CUDA toolkit has; ");
            if (b->on_image)
                add_toolkit(out, b);
            else
                buf_puts(out, "write `variant: devel`, without `parts` that leave it out");
            return;
        }
    if (str_starts(header, STR("numpy/")) || str_starts(header, STR("pybind11/"))) {
        struct str package = str_sub(header, 0, str_find(header, '/'));

        buf_fmt(out, "; write `build: {" STR_FMT ": {requires: [" STR_FMT "]}}`", STR_ARG(name),
                STR_ARG(package));
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(headers); i++)
        if (str_starts(header, str_of(headers[i][0]))) {
            buf_fmt(out, ", which Debian's package %s has", headers[i][1]);
            add_place(out, "it", b);
            return;
        }
    if (b->on_image)
        add_place(out, NULL, b);
    else
        buf_puts(out, "; put the package that has it under `apt`");
}

static bool add_program(struct buf *out, struct str program, const struct building *b)
{
    struct str name = b->name;

    program = path_base(program);
    str_skip(&program, STR("x86_64-linux-gnu-"));
    if (str_is(program, "nvcc") && b->early) {
        buf_fmt(
            out,
            "it wants nvcc to tell what it needs, and the toolkit is chosen once that is known; "
            "its setup.py may know a variable for that, which `build: {" STR_FMT
            ": {env: {...}}}` sets",
            STR_ARG(name));
        return true;
    }
    if (str_is(program, "nvcc")) {
        buf_puts(out, "nvcc is not in the root; ");
        add_toolkit(out, b);
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(programs); i++)
        if (str_is(program, programs[i].name)) {
            if (strcmp(programs[i].remedy, "requires") == 0)
                buf_fmt(out,
                        "%s is not in the root; write `build: {" STR_FMT ": {requires: [%s]}}`",
                        programs[i].name, STR_ARG(name), programs[i].name);
            else {
                buf_fmt(out, "%s is not in the root", programs[i].name);
                add_place(out, programs[i].remedy, b);
            }
            return true;
        }
    return false;
}

static bool add_missing_program(struct buf *out, struct str text, const struct building *b)
{
    static const char *const around[][2] = {
        {"No such file or directory: '", "'"}, {"error: command '", "' failed: No such file"},
        {"unable to execute '", "'"},          {"sh: 1: ", ": not found"},
        {"Unknown compiler(s): [['", "'"},     {"can't find ", " compiler"},
    };
    struct str program;

    for (size_t i = 0; i < ARRAY_LEN(around); i++)
        if (between(text, around[i][0], around[i][1], &program) &&
            add_program(out, str_is(program, "Rust") ? STR("rustc") : program, b))
            return true;
    return false;
}

static bool add_missing_module(struct buf *out, struct str text, struct str name)
{
    struct str module;

    /* As an error: that a module can do without another is a warning. */
    if (!between(text, "ModuleNotFoundError: No module named '", "'", &module))
        return false;
    if (str_starts(module, STR("pkg_resources")))
        buf_fmt(out,
                "setuptools has no pkg_resources since version 82; write `build: {" STR_FMT
                ": {constraints: [\"setuptools<82\"]}}`",
                STR_ARG(name));
    else if (str_is(module, "torch") || str_starts(module, STR("torch.")))
        buf_fmt(out,
                "it wants the image's torch while it builds; write `build: {" STR_FMT
                ": {isolation: false, requires: [torch]}}`",
                STR_ARG(name));
    else
        buf_fmt(out,
                "it wants the module " STR_FMT " while it builds; write `build: {" STR_FMT
                ": {requires: [" STR_FMT "]}}`",
                STR_ARG(module), STR_ARG(name), STR_ARG(str_sub(module, 0, str_find(module, '.'))));
    return true;
}

bool hint_is_memory(struct str text)
{
    return has(text, "Killed signal terminated program") || has(text, "signal: 9, SIGKILL") ||
           has(text, "virtual memory exhausted") || has(text, "Cannot allocate memory") ||
           has(text, "out of memory allocating");
}

void hint_of(struct buf *out, struct str text, struct str name, bool early, bool on_image)
{
    const struct building b = {name, early, on_image};
    static const char *const network[] = {
        "Temporary failure in name resolution", "Name or service not known",
        "Network is unreachable", "Could not resolve host", "Failed to establish a new connection"};
    struct str header;

    if (between(text, "fatal error: ", ": No such file or directory", &header)) {
        add_header(out, header, &b);
        return;
    }
    if (has(text, "CUDA_HOME environment variable is not set") || has(text, "nvcc was not found") ||
        has(text, "nvcc not found at '")) {
        buf_puts(out, "it wants the CUDA toolkit; ");
        add_toolkit(out, &b);
        return;
    }
    if (add_missing_module(out, text, name) || add_missing_program(out, text, &b))
        return;
    for (size_t i = 0; i < ARRAY_LEN(network); i++)
        if (has(text, network[i])) {
            buf_fmt(out,
                    "it wants the network, which a sealed build has not; name what it fetches "
                    "under `build: {" STR_FMT ": {fetch: [{url: ..., sha256: ...}]}}`",
                    STR_ARG(name));
            return;
        }
    if (between(text, "No such file or directory: '", "'", &header))
        buf_fmt(out,
                STR_FMT " is not in the source, which may be incomplete; the project's git tag "
                        "may have it",
                STR_ARG(header));
}
