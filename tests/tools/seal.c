/* seal STORE IMAGE run FOLDER KEY=VALUE... -- COMMAND...: run a command sealed in an image's root.
 * seal STORE IMAGE requires|metadata|wheel FOLDER KEY=VALUE...: the same steps for a package.
 *
 * For tests/real/sealed-builds.sh. Keys of all: memory=, disk=, processes=, seconds= (limits), log=FILE.
 * Keys of a package: name= version= sdist=FILE folder=DIR sub=DIR wheel=FILE (of what it requires,
 * repeated) isolated=no env=NAME=VALUE set=NAME=VALUE threads=N jobs=N static=yes; FOLDER gets logs
 * and the wheel.
 */
/* SPDX-License-Identifier: Apache-2.0 */
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
