/* SPDX-License-Identifier: Apache-2.0 */
#include "../fetch/git.h"
#include "../seal/source_kind.h"
#include "output.h"
#include "own_source.h"
#include "sealed_parts.h"

#define CUDA_HOME "/usr/local/cuda" /* as the image has it */
#define PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- what it needs ---- */

static struct artifact as_artifact(const struct artifact *of, const struct artifact_file *f)
{
    return (struct artifact){.eco = ECO_WHEEL,
                             .name = of->name,
                             .version = of->version,
                             .file = f->file,
                             .url = f->url,
                             .from = of->from,
                             .size = f->size,
                             .digest = f->digest};
}

bool sealed_of_root(const struct artifact *a)
{
    return str_is(a->group, ARTIFACT_OF_ROOT);
}

static int fetch_git(struct sealed *x, const struct artifact *wheel, struct err *e)
{
    const struct artifact_source *s = wheel->source;
    const struct git_means means = {x->work->cas, x->session->offline, x->session->events};
    struct git_commit c = {s->commit, s->tags, s->sdist.digest, s->sdist.size};
    struct git_ref ref;

    return git_ref_parse(&ref, s->sdist.url, e) < 0
               ? -1
               : git_get(&c, &x->arena, &means, &ref, wheel->name, e);
}

/* The source, what the recipe adds, and all wheels that are files and not in layers of the root. */
static int fetch_source(struct sealed *x, const struct artifact *wheel, struct err *e)
{
    const struct artifact_source *s = wheel->source;
    struct artifacts want = {0};
    int result;

    bool own = own_source_is(x->work, wheel);

    if ((s->commit.len && fetch_git(x, wheel, e) < 0) ||
        (own && own_source_put(x->work, wheel, x->session->events, e) < 0))
        return -1;
    if (!s->commit.len && !own)
        vec_add(&want, as_artifact(wheel, &s->sdist));
    for (size_t i = 0; i < s->files_n; i++)
        vec_add(&want, as_artifact(wheel, &s->files[i]));
    for (size_t i = 0; i < s->requires_n; i++)
        if (!s->requires[i].source && !sealed_of_root(&s->requires[i]))
            vec_add(&want, s->requires[i]);
    result = sealed_fetch(x, want.v, want.n, NULL, NULL, e);
    vec_clear(&want);
    return result;
}

/* ---- one build ---- */

bool sealed_sees_cuda(const struct artifact_source *s)
{
    return strs_has(&s->root, str_of(lock_group_name(LOCK_TOOLKIT)));
}

/* What seal/ gets; the vectors are to be cleared. */
struct job {
    struct seal_build build;
    char *sdist;
    struct strs root; /* groups */
    bool plain;       /* the root lacks the compilers, which nothing of the source is for */
    struct buf archs;
};

static void job_clear(struct job *j)
{
    vec_clear(&j->build.requires);
    vec_clear(&j->build.inputs);
    vec_clear(&j->root);
    free(j->sdist);
    buf_clear(&j->archs);
}

/* What a build needs may have to be built itself. */
static int build_requires(struct sealed *x, const struct artifact *wheel, const struct lock *lock,
                          const struct artifact *pip, struct err *e)
{
    for (size_t i = 0; i < wheel->source->requires_n; i++)
        if (wheel->source->requires[i].source &&
            sealed_build(x, &wheel->source->requires[i], lock, pip, e) < 0)
            return -1;
    return 0;
}

int sealed_say_which(const struct artifact *wheel, struct err *e)
{
    struct str version = wheel->version.len ? wheel->version : wheel->source->commit;

    return err_wrap(e, "build of " STR_FMT "%s" STR_FMT,
                    STR_ARG(wheel->name.len ? wheel->name : STR("the project")),
                    version.len ? " " : "", STR_ARG(version));
}

/* Compilers are many times what a project of Python needs else. */
static void choose_root(struct job *j, const struct artifact_source *s, bool plain)
{
    struct str compilers = str_of(lock_group_name(LOCK_COMPILE));

    j->plain = plain && strs_has(&s->root, compilers) && !source_compiles(s, j->sdist);
    for (size_t i = 0; i < s->root.n; i++)
        if (!j->plain || !str_eq(s->root.v[i], compilers))
            vec_add(&j->root, s->root.v[i]);
}

/* Where the image that is the base says so, its own. */
static struct str path_of(const struct sealed *x)
{
    for (size_t i = 0; i < x->image.config.env.n; i++) {
        struct str value = x->image.config.env.v[i];

        if (str_skip(&value, STR("PATH=")) && value.len)
            return value;
    }
    return STR(PATH);
}

/* `plain`: without compilers, where nothing looks compiled. */
static int job_open(struct job *j, struct sealed *x, const struct artifact *wheel,
                    const struct lock *lock, const struct artifact *pip, bool plain, struct err *e)
{
    const struct artifact_source *s = wheel->source;
    struct artifact_source in_root = *s;
    struct seal_build *b = &j->build;
    struct sealed_root *root = NULL;

    if (sealed_begin(x, e) < 0 || fetch_source(x, wheel, e) < 0 ||
        build_requires(x, wheel, lock, pip, e) < 0)
        return -1;
    j->sdist = cas_path(x->work->cas, &s->sdist.digest);
    choose_root(j, s, plain);
    in_root.root = j->root;
    if (sealed_find_root(x, &in_root, lock, pip, &root, e) < 0)
        return -1;
    *b = (struct seal_build){
        .name = wheel->name,
        /* Of the project it may be another with each edit. */
        .version = artifact_is_project(wheel) ? STR("") : wheel->version,
        .source = {.sdist = j->sdist, .subfolder = s->folder, .digest = s->sdist.digest},
        .layers = root->layers,
        .python = STR(SEALED_PYTHON),
        .path = path_of(x),
        .on_image = lock->image.ref.len > 0,
        .shared = !s->isolated,
        .settings = s->settings,
        .env = s->env,
        .epoch = lock->created};
    if (sealed_sees_cuda(s))
        b->cuda_home = STR(CUDA_HOME);
    for (size_t i = 0; i < s->requires_n; i++) {
        b->shared |= sealed_of_root(&s->requires[i]);
        if (!sealed_of_root(&s->requires[i]))
            vec_add(&b->requires, ((struct seal_file){s->requires[i].file, s->requires[i].digest}));
    }
    for (size_t i = 0; i < s->files_n; i++)
        vec_add(&b->inputs, ((struct seal_file){s->files[i].file, s->files[i].digest}));
    for (size_t i = 0; i < s->archs.n; i++)
        buf_fmt(&j->archs, "%s" STR_FMT, i ? ";" : "", STR_ARG(s->archs.v[i]));
    b->archs = buf_view(&j->archs);
    return 0;
}

struct seal_means sealed_means(const struct sealed *x, struct seal_failure *failure)
{
    return (struct seal_means){.cas = x->work->cas,
                               .memo = x->memo,
                               .threads = x->how.jobs,
                               .logs = x->logs,
                               .events = x->session->events,
                               .failure = failure};
}

/* Before the error itself, which names the log. */
static void tell_failure(const struct sealed *x, const struct seal_failure *failure)
{
    struct str rest = buf_view(&failure->tail), line;

    if (!rest.len || x->session->json)
        return;
    progress_pause(x->session->progress);
    while (str_line(&rest, &line))
        output_message("  " STR_FMT, STR_ARG(line));
}

/* Did it look for a compiler? */
static bool wants_compiler(const struct seal_failure *f)
{
    static const char *const words[] = {"gcc", "g++", "'cc'", "`cc`", "c++", "ompiler", "rustc"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_find_str(buf_view(&f->tail), str_of(words[i])) < f->tail.len)
            return true;
    return false;
}

int sealed_run(struct sealed *x, const struct artifact *wheel, const struct lock *lock,
               const struct artifact *pip,
               int (*ask)(void *ctx, const struct seal_build *build, const struct seal_means *means,
                          struct err *e),
               void *ctx, struct err *e)
{
    for (bool plain = true;; plain = false) {
        CLEANUP(seal_failure_clear) struct seal_failure failure = {0};
        CLEANUP(job_clear) struct job job = {0};
        CLEANUP(err_clear) struct err fault = {0};

        if (job_open(&job, x, wheel, lock, pip, plain, e) < 0)
            return sealed_say_which(wheel, e);
        const struct seal_means means = sealed_means(x, &failure);

        if (ask(ctx, &job.build, &means, &fault) == 0)
            return 0;
        if (job.plain && wants_compiler(&failure))
            continue;
        tell_failure(x, &failure);
        return err_join(e, &fault);
    }
}

/* ---- for the chooser ---- */

static int ask_first(void *ctx, const struct seal_build *b, const struct seal_means *m,
                     struct err *e)
{
    return seal_requires(ctx, b, true, m, e);
}

static int ask_more(void *ctx, const struct seal_build *b, const struct seal_means *m,
                    struct err *e)
{
    return seal_requires(ctx, b, false, m, e);
}

static int ask_text(void *ctx, const struct seal_build *b, const struct seal_means *m,
                    struct err *e)
{
    return seal_metadata(ctx, b, m, e);
}

/* It takes a root, of many GB where torch is in it: that is told, once for each. */
static void tell_asked(struct sealed *x, const struct artifact *wheel)
{
    struct str version = wheel->version.len ? wheel->version : wheel->source->commit;
    CLEANUP(buf_clear) struct buf text = {0};
    bool torch = false;

    for (size_t i = 0; i < wheel->source->requires_n; i++)
        torch |= sealed_of_root(&wheel->source->requires[i]);
    buf_fmt(&text,
            "ask the build of " STR_FMT "%s" STR_FMT " what it needs, in the image's system%s",
            STR_ARG(wheel->name.len ? wheel->name : STR("the project")), version.len ? " " : "",
            STR_ARG(version), torch ? " with torch" : "");
    if (str_eq(buf_view(&text), buf_view(&x->asked)))
        return;
    buf_clear(&x->asked);
    MOVE(&x->asked, &text);
    events_emit(x->session->events, &(struct event){.kind = EVENT_STEP, .name = x->asked.p});
}

static int ask_requires(void *ctx, const struct artifact *wheel, const struct lock *lock,
                        const struct artifact *pip, bool first, struct names *out, struct err *e)
{
    tell_asked(ctx, wheel);
    return sealed_run(ctx, wheel, lock, pip, first ? ask_first : ask_more, out, e);
}

static int ask_metadata(void *ctx, const struct artifact *wheel, const struct lock *lock,
                        const struct artifact *pip, struct buf *out, struct err *e)
{
    tell_asked(ctx, wheel);
    return sealed_run(ctx, wheel, lock, pip, ask_text, out, e);
}

struct source_backend sealed_backend(struct sealed *x)
{
    return (struct source_backend){x, ask_requires, ask_metadata};
}
