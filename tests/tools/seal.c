/* seal STORE IMAGE run FOLDER KEY=VALUE... -- COMMAND...: run a command sealed in an image's root.
 * seal STORE IMAGE requires|metadata|wheel FOLDER KEY=VALUE...: the same steps for a package.
 *
 * For tests/real/sealed-builds.sh. Keys of all: memory=, disk=, processes=, seconds= (limits), log=FILE.
 * Keys of a package: name= version= sdist=FILE folder=DIR sub=DIR wheel=FILE (of what it requires,
 * repeated) isolated=no env=NAME=VALUE set=NAME=VALUE threads=N jobs=N static=yes; FOLDER gets logs
 * and the wheel.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>

#include "base/path.h"
#include "oci/stored.h"
#include "seal/wheel.h"

struct blob {
    const struct stored *image;
    size_t i;
};

static int open_blob(struct source **out, void *ctx, struct err *e)
{
    const struct blob *b = ctx;

    return stored_blob(out, b->image, &b->image->manifest.layers.v[b->i], e);
}

static bool opt(const char *arg, const char *key, const char **value)
{
    size_t n = strlen(key);

    if (strncmp(arg, key, n) != 0 || arg[n] != '=')
        return false;
    *value = arg + n + 1;
    return true;
}

static bool opt_number(const char *arg, const char *key, uint64_t *out)
{
    const char *value;

    return opt(arg, key, &value) && str_u64(str_of(value), out);
}

static bool opt_limit(struct sandbox_limits *l, const char *arg)
{
    uint64_t n;

    if (opt_number(arg, "memory", &l->memory) || opt_number(arg, "disk", &l->disk))
        return true;
    if (opt_number(arg, "processes", &n))
        l->processes = (uint32_t)n;
    else if (opt_number(arg, "seconds", &n))
        l->seconds = (uint32_t)n;
    else
        return false;
    return true;
}

static int run(const struct seal_layers *layers, const struct cas *cas, char **argv, struct err *e)
{
    static const char *const stops[] = {"ended", "time", "memory", "disk", "processes"};
    CLEANUP(seal_root_clear) struct seal_root root = {0};
    CLEANUP(sandbox_end_clear) struct sandbox_end end = {0};
    CLEANUP(free_clear) char *folder = NULL;
    struct sandbox_limits limits = {0};
    struct strs env = {0};
    struct sandbox_how how = {.name = "the command", .env = &env, .limits = &limits};

    if (fs_mkdirs(argv[0], e) < 0 || fs_absolute(&folder, argv[0], e) < 0)
        return -1;
    how.folder = folder;
    how.log = "/dev/null";
    for (argv++; *argv && strcmp(*argv, "--") != 0; argv++)
        if (!opt_limit(&limits, *argv) && !opt(*argv, "log", &how.log))
            return err_set(e, ERR_USAGE, "%s", *argv);
    how.argv = (const char *const *)argv + (*argv != NULL);
    if (seal_root_open(&root, cas, layers, 4, NULL, e) < 0)
        return -1;
    how.root = root.path;
    if (sandbox_run(&end, &how, e) < 0)
        return -1;
    printf("%.*s\n%s %d\n", (int)end.tail.len, end.tail.p ? end.tail.p : "", stops[end.stop],
           end.code);
    return 0;
}

/* ---- a package ---- */

struct package {
    struct seal_build build;
    struct seal_means means;
    struct seal_failure failure;
    char *logs;
    bool is_static;
};

static int add_blob(struct seal_files *to, const struct cas *cas, const char *path, struct err *e)
{
    CLEANUP(buf_clear) struct buf bytes = {0};
    struct seal_file *f = vec_push(to);

    f->name = path_base(str_of(path));
    return fs_read(&bytes, path, 64 << 20, e) < 0
               ? -1
               : cas_put_bytes(cas, buf_view(&bytes), &f->digest, e);
}

static int take_argument(struct package *p, const char *arg, struct err *e)
{
    struct seal_build *b = &p->build;
    const char *value;
    uint64_t n;

    if (opt_limit(&p->means.limits, arg))
        return 0;
    if (opt(arg, "wheel", &value))
        return add_blob(&b->requires, p->means.cas, value, e);
    if (opt(arg, "input", &value))
        return add_blob(&b->inputs, p->means.cas, value, e);
    if (opt(arg, "sdist", &b->source.sdist) || opt(arg, "folder", &b->source.folder))
        return 0;
    if (opt(arg, "name", &value))
        b->name = str_of(value);
    else if (opt(arg, "version", &value))
        b->version = str_of(value);
    else if (opt(arg, "sub", &value))
        b->source.subfolder = str_of(value);
    else if (opt(arg, "env", &value))
        vec_add(&b->env, str_of(value));
    else if (opt(arg, "set", &value))
        vec_add(&b->settings, str_of(value));
    else if (opt_number(arg, "threads", &n))
        p->means.threads = (unsigned)n;
    else if (opt_number(arg, "jobs", &n))
        p->means.jobs = (uint32_t)n;
    else if (opt(arg, "isolated", &value))
        b->shared = strcmp(value, "no") == 0;
    else if (opt(arg, "static", &value))
        p->is_static = strcmp(value, "yes") == 0;
    else if (opt(arg, "digest", &value))
        digest_from_hex(&b->source.digest, str_of(value));
    else
        return err_set(e, ERR_USAGE, "%s", arg);
    return 0;
}

static int export_wheel(const struct seal_wheel *w, const struct cas *cas, const char *folder,
                        struct err *e)
{
    CLEANUP(free_clear) char *from = cas_path(cas, &w->digest), *to = path_join(folder, w->file);
    CLEANUP(buf_clear) struct buf bytes = {0};

    return fs_read(&bytes, from, 1 << 30, e) < 0 ? -1 : fs_write(to, buf_view(&bytes), e);
}

static int act_on_package(struct package *p, const char *verb, const char *folder, struct err *e)
{
    CLEANUP(seal_wheel_clear) struct seal_wheel w = {0};
    CLEANUP(names_clear) struct names names = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    char hex[DIGEST_HEX + 1];
    char **name;

    if (strcmp(verb, "requires") == 0) {
        if (seal_requires(&names, &p->build, p->is_static, &p->means, e) < 0)
            return -1;
        vec_each(name, &names)
            printf("%s\n", *name);
        return 0;
    }
    if (strcmp(verb, "metadata") == 0) {
        if (seal_metadata(&text, &p->build, &p->means, e) < 0)
            return -1;
        printf("%s", text.p);
        return 0;
    }
    if (seal_wheel(&w, &p->build, &p->means, e) < 0 || export_wheel(&w, p->means.cas, folder, e) < 0)
        return -1;
    digest_hex(&w.digest, hex);
    printf("%s %s %s\n", w.file, hex, w.built ? "built" : "stored");
    return 0;
}

static int package(const struct seal_layers *layers, const struct cas *cas, const char *store,
                   const char *verb, char **argv, struct err *e)
{
    struct package p = {.build = {.layers = *layers,
                                  .python = STR("/opt/venv/bin/python"),
                                  .path = STR("/usr/local/bin:/usr/bin:/bin"),
                                  .epoch = 1700000000},
                        .means = {.cas = cas, .threads = 2}};
    CLEANUP(free_clear) char *sealed = path_join(store, "sealed");
    CLEANUP(memo_clear) struct memo *memo = NULL;
    const char *folder = argv[0];
    uint64_t size;
    int result = 0;

    p.logs = path_join(folder, "logs");
    p.means.logs = p.logs;
    p.means.failure = &p.failure;
    if (memo_open(&memo, sealed, e) < 0 || fs_mkdirs(folder, e) < 0)
        result = -1;
    p.means.memo = memo;
    for (argv++; result == 0 && *argv; argv++)
        result = take_argument(&p, *argv, e);
    if (result == 0 && p.build.source.sdist && !digest_is_set(&p.build.source.digest)) {
        CLEANUP(fd_clear) struct fd fd = {0};

        result = fd_open(&fd, p.build.source.sdist, O_RDONLY, 0, e) < 0
                     ? -1
                     : hash_fd(&p.build.source.digest, &size, fd.n, "it", e);
    }
    if (result == 0)
        result = act_on_package(&p, verb, folder, e);
    if (p.failure.log)
        fprintf(stderr, "%.*s\n", (int)p.failure.tail.len, p.failure.tail.p ? p.failure.tail.p : "");
    seal_failure_clear(&p.failure);
    vec_clear(&p.build.requires);
    vec_clear(&p.build.inputs);
    vec_clear(&p.build.env);
    vec_clear(&p.build.settings);
    free(p.logs);
    return result;
}

static int act(int argc, char **argv, struct err *e)
{
    CLEANUP(stored_clear) struct stored image = {0};
    CLEANUP(cas_clear) struct cas *cas = NULL;
    const struct stored_scratch scratch = {0};
    struct blob blobs[IMAGE_LAYERS_MAX];
    struct seal_layers layers = {0};
    int result = -1;

    if (argc < 5)
        return err_set(e, ERR_USAGE, "see the head of tests/tools/seal.c");
    if (cas_open(&cas, argv[1], NULL, e) < 0 ||
        stored_open_any(&image, str_of(argv[2]), ".", &scratch, e) < 0)
        return -1;
    for (size_t i = 0; i < image.manifest.layers.n; i++) {
        struct seal_layer *l = vec_push(&layers);

        blobs[i] = (struct blob){&image, i};
        *l = (struct seal_layer){.diff_id = image.config.diff_ids.v[i],
                                 .size = image.manifest.layers.v[i].size * 3,
                                 .name = "of the image",
                                 .open = open_blob,
                                 .ctx = &blobs[i]};
    }
    if (strcmp(argv[3], "run") == 0)
        result = run(&layers, cas, argv + 4, e);
    else
        result = package(&layers, cas, argv[1], argv[3], argv + 4, e);
    vec_clear(&layers);
    return result;
}

int main(int argc, char **argv)
{
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf text = {0};

    if (act(argc, argv, &e) == 0)
        return 0;
    err_format(&e, &text);
    fprintf(stderr, "seal: %s\n", text.p);
    return (int)e.kind;
}
