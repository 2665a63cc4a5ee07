/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "../base/path.h"
#include "../host/deploy.h"
#include "../io/crypto.h"
#include "../io/program.h"
#include "build.h"
#include "engine.h"

struct run_args {
    struct build_args build;
    bool no_mount;
};

struct engine {
    const char *name, *output;
    const char *gpus[2]; /* options that give a container all GPUs */
};

static const struct engine engines[] = {
    {"docker", "docker:", {"--gpus", "all"}},
    {"podman", "podman:", {"--device", "nvidia.com/gpu=all"}},
};

/* The first that answers: a docker without its daemon, or one that we may not ask, does not. */
static const struct engine *find_engine(const struct events *events, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(engines); i++) {
        char *const argv[] = {(char *)(uintptr_t)engines[i].name, (char[]){"version"}, NULL};

        if (engine_agrees(argv, events))
            return &engines[i];
    }
    err_set(e, ERR_SYSTEM,
            "neither docker nor podman answers here, and one of them runs the image; install "
            "podman, or start Docker and see that `docker version` works for this user");
    return NULL;
}

/* ---- the command line ---- */

static void add_option(struct names *line, const char *option, const char *value)
{
    names_add(line, option);
    if (value)
        names_add(line, value);
}

static void add_gpus(struct names *line, const struct engine *engine, const struct lock *lock)
{
    if (lock->facts.cuda.len && engine_has_gpus())
        add_option(line, engine->gpus[0], engine->gpus[1]);
}

/* For this machine alone: what listens there may ask for no password. */
static void add_ports(struct names *line, const struct lock *lock)
{
    for (size_t i = 0; i < lock->ports.n; i++) {
        CLEANUP(buf_clear) struct buf value = {0};
        struct image_port port;

        if (!image_port_parse(&port, lock->ports.v[i]))
            continue;
        buf_fmt(&value, "127.0.0.1:%u:%u/%s", port.number, port.number, port.protocol);
        add_option(line, "--publish", value.p);
    }
}

/* Each is a volume of the engine's that this recipe has for itself, so that it is there again the
 * next time. Not where the recipe's folder is mounted. */
static void add_volumes(struct names *line, const struct work *w, bool mounts)
{
    CLEANUP(free_clear) char *recipe = path_join(w->root, path_base(str_of(w->recipe_path)).p);
    char hex[DIGEST_HEX + 1];
    struct digest whose;

    hash_bytes(&whose, recipe, strlen(recipe));
    digest_hex(&whose, hex);
    for (size_t i = 0; i < w->lock.volumes.n; i++) {
        CLEANUP(buf_clear) struct buf value = {0};
        struct str path = w->lock.volumes.v[i];
        size_t begin;

        if (!deploy_is_plain(path) || (mounts && str_eq(path, w->lock.workdir)))
            continue;
        buf_puts(&value, "type=volume,source=");
        begin = value.len;
        buf_fmt(&value, STR_FMT STR_FMT "-%.8s", STR_ARG(w->lock.name), STR_ARG(path), hex);
        for (size_t k = begin; k < value.len; k++)
            if (value.p[k] == '/')
                value.p[k] = '-';
        buf_fmt(&value, ",target=" STR_FMT, STR_ARG(path));
        add_option(line, "--mount", value.p);
    }
}

/* Who the recipe's user is on this machine: us, so that what either writes is the other's. Root
 * stays what it is: here for us, and there where the recipe names no user. */
static void add_user(struct names *line, const struct engine *engine, const struct lock *lock,
                     const struct session *s)
{
    CLEANUP(buf_clear) struct buf value = {0};

    if (!s->uid || !lock->user.uid)
        return;
    if (strcmp(engine->name, "podman") == 0) {
        buf_fmt(&value, "--userns=keep-id:uid=%u,gid=%u", lock->user.uid, lock->user.gid);
        names_add(line, value.p);
    } else if (s->uid != lock->user.uid || s->gid != lock->user.gid) {
        buf_fmt(&value, "%u:%u", s->uid, s->gid);
        add_option(line, "--user", value.p);
        add_option(line, "--group-add", "0"); /* which may write where the recipe's user may */
    }
}

/* Root's own folder, where the recipe's user is another, cannot be written by it. */
static void warn_of_root(const struct work *w, const struct session *s)
{
    const struct lock_user *u = &w->lock.user;
    struct stat st;

    if (s->uid || !u->uid || stat(w->root, &st) < 0 || st.st_uid == u->uid || st.st_mode & 02 ||
        (st.st_gid == u->gid && st.st_mode & 020))
        return;
    events_warn(s->events,
                "%s cannot be written by " STR_FMT
                ", who the container runs as: it is mounted as it is, and you are root; run "
                "envbuild as a user, or `chown -R %u %s`",
                w->root, STR_ARG(u->name), u->uid, w->root);
}

/* What `files` put into the work folder and the recipe's folder has not at the same place: the
 * mount lies over it. */
static void tell_hidden(const struct work *w, const struct session *s)
{
    const struct lock *lock = &w->lock;
    CLEANUP(buf_clear) struct buf first = {0};
    const struct lock_copy *c;
    const struct lock_file *f;
    size_t n = 0;

    vec_each(c, &lock->copies)
        vec_each(f, &c->files) {
            CLEANUP(buf_clear) struct buf place = {0};
            CLEANUP(free_clear) char *here = NULL;
            struct str below;

            if (f->folder || !lock_copy_place(&place, c, f))
                continue;
            below = buf_view(&place);
            if (!str_skip(&below, lock->workdir) || !str_skip(&below, STR("/")))
                continue;
            here = path_join(w->root, below.p); /* to the end of a text that ends in a NUL */
            if (!fs_exists(here) && !n++)
                buf_str(&first, buf_view(&place));
        }
    if (n)
        events_warn(s->events,
                    "%s is mounted over " STR_FMT ", and hides %zu of the files that the recipe "
                    "puts there, such as %s; --no-mount shows them",
                    w->root, STR_ARG(lock->workdir), n, first.p);
}

/* The folder, never a file: editors replace files, and a mount stays with the old one. */
static int add_mount(struct names *line, const struct work *w, struct err *e)
{
    CLEANUP(buf_clear) struct buf value = {0};

    if (strpbrk(w->root, ",\"\n"))
        return err_set(
            e, ERR_INPUT,
            "the folder %s cannot be mounted, as its name has a comma, a quote or a line "
            "end; give --no-mount",
            w->root);
    buf_fmt(&value, "type=bind,source=%s,target=" STR_FMT, w->root, STR_ARG(w->lock.workdir));
    add_option(line, "--mount", value.p);
    return 0;
}

static int add_run(struct names *line, const struct engine *engine, const struct work *w,
                   const struct run_args *a, const struct session *s, struct err *e)
{
    names_add(line, engine->name);
    names_add(line, "run");
    names_add(line, "--rm");
    names_add(line, s->interactive ? "-it" : "-i");
    add_option(line, "--shm-size", DEPLOY_SHM);
    add_gpus(line, engine, &w->lock);
    add_user(line, engine, &w->lock, s);
    add_ports(line, &w->lock);
    add_volumes(line, w, !a->no_mount);
    if (a->no_mount)
        return 0;
    warn_of_root(w, s);
    tell_hidden(w, s);
    return add_mount(line, w, e);
}

/* ---- the commands ---- */

/* `words` begins with the recipe. */
static int run(struct session *s, const struct run_args *a, int n, char **words, bool shell,
               struct err *e)
{
    CLEANUP(work_clear) struct work w = {0};
    CLEANUP(names_clear) struct names line = {0};
    CLEANUP(buf_clear) struct buf image = {0};
    const struct engine *engine = find_engine(s->events, e);
    struct build_args how = a->build;
    int built;

    if (!engine)
        return -1;
    vec_add(&how.outputs, str_of(engine->output));
    built = build_recipe(&w, s, words[0], &how, &image, e);
    vec_clear(&how.outputs);
    if (built < 0 || add_run(&line, engine, &w, a, s, e) < 0)
        return -1;
    if (shell)
        add_option(&line, "--entrypoint", "/bin/sh");
    names_add(&line, image.p);
    if (shell)
        add_option(&line, "-c", "command -v bash >/dev/null && exec bash; exec sh");
    for (int i = 1; i < n; i++)
        names_add(&line, words[i]);
    vec_add(&line, NULL);
    progress_free(s->progress);
    s->progress = NULL;
    return program_become(line.v, e);
}

static int begin(struct session *s, const char *name, bool shell, int argc, char **argv,
                 struct err *e)
{
    struct run_args a = {.build = {.silent = true}};
    const struct opt own[] = {
        {0, "no-mount", NULL, "do not mount the recipe's folder at the work folder", opt_flag,
         &a.no_mount},
        {0, "cell", "CELL", "of a matrix, the recipe with these values: variant=devel (none)",
         opt_cell, &a.build.cell},
        {0, "locked", NULL, "fail rather than change the lock", opt_flag, &a.build.locked},
        {0, "offline", NULL, "use only what the store has", opt_flag, &s->offline},
        {0, "index", "URL", "simple index to ask for a first lock (https://pypi.org/simple/)",
         opt_str, &a.build.index},
    };

    if (session_begin(s, name, own, ARRAY_LEN(own), &argc, argv, 1, shell ? 1 : argc, e) < 0)
        return -1;
    return s->help ? 0 : run(s, &a, argc, argv, shell, e);
}

int cmd_run(struct session *s, int argc, char **argv, struct err *e)
{
    return begin(s, "run", false, argc, argv, e);
}

int cmd_shell(struct session *s, int argc, char **argv, struct err *e)
{
    return begin(s, "shell", true, argc, argv, e);
}
