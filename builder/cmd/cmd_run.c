/* SPDX-License-Identifier: Apache-2.0 */
#include "../host/probe.h"
#include "../io/program.h"
#include "build.h"
#include "engine.h"

/* Of /dev/shm: workers of a DataLoader hand over tensors there. A limit, and no reservation. */
#define SHM "8g"

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
    struct probe probe = {0};

    if (!lock->facts.cuda.len)
        return;
    probe_host(&probe, "", NULL);
    if (probe.gpus.n) /* to ask for what is not there is fatal */
        add_option(line, engine->gpus[0], engine->gpus[1]);
    probe_clear(&probe);
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
    add_option(line, "--shm-size", SHM);
    add_gpus(line, engine, &w->lock);
    add_user(line, engine, &w->lock, s);
    return a->no_mount ? 0 : add_mount(line, w, e);
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
    struct run_args a = {.build = {.jobs = s->jobs, .silent = true}};
    const struct opt own[] = {
        {0, "no-mount", NULL, "do not mount the recipe's folder at the work folder", opt_flag,
         &a.no_mount},
        {0, "locked", NULL, "fail rather than change the lock", opt_flag, &a.build.locked},
        {0, "offline", NULL, "use only what the store has", opt_flag, &a.build.offline},
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
