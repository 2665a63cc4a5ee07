/* SPDX-License-Identifier: Apache-2.0 */
#include "source_kind.h"

#include <fcntl.h>

#include "../base/path.h"
#include "../io/decompress.h"
#include "../io/tar_read.h"
#include "../io/zip.h"

static const uint64_t plain_max = (uint64_t)1 << 30; /* bytes; of more nobody can tell */

/* Backends that start no compiler by themselves, and what they need. */
static const char *const plain[] = {"colorama",
                                    "dunamai",
                                    "editables",
                                    "flit-core",
                                    "flit-scm",
                                    "hatch-fancy-pypi-readme",
                                    "hatch-requirements-txt",
                                    "hatch-vcs",
                                    "hatchling",
                                    "packaging",
                                    "pathspec",
                                    "pbr",
                                    "pdm-backend",
                                    "pdm-pep517",
                                    "pluggy",
                                    "poetry-core",
                                    "setuptools",
                                    "setuptools-scm",
                                    "toml",
                                    "tomli",
                                    "tomlkit",
                                    "trove-classifiers",
                                    "typing-extensions",
                                    "vcs-versioning",
                                    "versioneer",
                                    "versioningit",
                                    "wheel"};

/* Ends of names of what compilers take, and whole names of what tells them how. */
static const char *const ends[] = {".asm", ".c",   ".c++", ".cc",  ".cpp", ".cu",  ".cuh",
                                   ".cxx", ".f",   ".f77", ".f90", ".f95", ".for", ".go",
                                   ".h",   ".hh",  ".hpp", ".hxx", ".i",   ".m",   ".mm",
                                   ".pxd", ".pxi", ".pyx", ".rs",  ".s",   ".zig"};
static const char *const files[] = {"cargo.toml", "cmakelists.txt", "configure", "meson.build"};

static bool requires_more(const struct artifact_source *s)
{
    for (size_t i = 0; i < s->requires_n; i++) {
        bool known = false;

        for (size_t k = 0; k < ARRAY_LEN(plain); k++)
            known |= str_is(s->requires[i].name, plain[k]);
        if (!known)
            return true;
    }
    return false;
}

static bool is_compiled(struct str path)
{
    CLEANUP(buf_clear) struct buf name = {0};
    struct str base = path_base(path);

    for (size_t i = 0; i < base.len; i++)
        buf_putc(&name, c_lower(base.p[i]));
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (str_ends(buf_view(&name), str_of(ends[i])))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (str_is(buf_view(&name), files[i]))
            return true;
    return false;
}

static int see_entry(void *ctx, const struct tar_entry *t, struct source *data, struct err *e)
{
    *(bool *)ctx |= t->entry.type != ENTRY_DIR && is_compiled(t->entry.path);
    return 0;
}

static int look(bool *compiled, const char *sdist, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    CLEANUP(tar_clear) struct tar_reader *tar = NULL;
    CLEANUP(zip_clear) struct zip zip = {0};
    struct input in = {.name = sdist};
    const struct zip_entry *z;
    struct source *bytes;
    char head[2];

    if (fd_open(&fd, sdist, O_RDONLY | O_NONBLOCK, 0, e) < 0 ||
        fd_size(fd.n, &in.size, sdist, e) < 0 ||
        fd_pread_all(fd.n, head, sizeof head, 0, sdist, e) < 0)
        return -1;
    in.fd = fd;
    if (memcmp(head, "PK", 2) != 0) {
        bytes = decompress(source_input(&in, 0, in.size));
        bytes->limit = plain_max;
        tar = tar_open(bytes, TAR_LAYER);
        return tar_walk(tar, see_entry, compiled, e);
    }
    if (zip_open(&zip, &in, e) < 0)
        return -1;
    vec_each(z, &zip.entries)
        *compiled |= is_compiled(z->name);
    return 0;
}

bool source_compiles(const struct artifact_source *s, const char *sdist)
{
    CLEANUP(err_clear) struct err unread = {0}; /* who builds it tells */
    bool compiled = false;

    return s->commit.len || s->archs.n || s->expect.n || requires_more(s) ||
           look(&compiled, sdist, &unread) < 0 || compiled;
}
