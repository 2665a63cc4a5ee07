/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "sealed.h"

#include "../assemble/layer/layer_key.h"
#include "../base/path.h"
#include "../fetch/fetch.h"
#include "../fetch/git.h"
#include "../io/inflate.h"
#include "../io/zip.h"
#include "../model/lock_root.h"
#include "../oci/place_store.h"
#include "../seal/bytecode.h"
#include "../seal/probe.h"
#include "../seal/source_kind.h"
#include "device_code.h"
#include "output.h"
#include "own_source.h"
#include "rebuilt.h"

#define CONFIG_MAX (1 << 20)
#define CUDA_HOME "/usr/local/cuda" /* as the image has it */
#define PYTHON "/" LAYER_PREFIX "/bin/python"
#define PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* A layer of the root, for who unpacks it: one that the store has, or one of the base image. */
struct blob {
    const struct cas *cas;
    const struct lock_layer *layer;
    const struct stored *image;
    struct descriptor at;
    struct input input; /* open until the root is made */
};

/* The system of builds with the same groups. */
struct root {
    struct lock lock;
    struct seal_layers layers;
    struct blob *blobs; /* one a layer */
};

struct sealed {
    struct work *work;
    struct session *session;
    struct sealed_how how;
    struct arena arena;
    struct memo *memo;
    struct place *place;
    struct stored image; /* the base of the lock, once it is open */
    char *logs;
    struct VEC_OF(struct root *) roots;
    struct buf asked; /* what was told last of it */
};

struct sealed *sealed_open(struct work *w, struct session *s, const struct sealed_how *how)
{
    struct sealed *x = xcalloc(1, sizeof *x);

    *x = (struct sealed){.work = w, .session = s, .how = *how};
    return x;
}

static void root_clear(struct root *r)
{
    for (size_t i = 0; r->blobs && i < r->layers.n; i++)
        cas_input_clear(&r->blobs[i].input);
    free(r->blobs);
    vec_clear(&r->layers);
    lock_clear(&r->lock);
    free(r);
}

void sealed_clear(struct sealed **sealed)
{
    struct sealed *x = *sealed;

    if (!x)
        return;
    for (size_t i = 0; i < x->roots.n; i++)
        root_clear(x->roots.v[i]);
    vec_clear(&x->roots);
    memo_clear(&x->memo);
    place_clear(&x->place);
    stored_clear(&x->image);
    free(x->logs);
    buf_clear(&x->asked);
    arena_clear(&x->arena);
    free_clear(sealed);
}

/* Told before anything is fetched for it. */
static int begin(struct sealed *x, struct err *e)
{
    CLEANUP(seal_probe_clear) struct seal_probe probe = {0};
    CLEANUP(free_clear) char *dir = NULL;

    if (x->place)
        return 0;
    dir = path_join(x->session->store_dir, "sealed");
    if (seal_probe(&probe, x->session->events, e) < 0 || seal_probe_need(&probe, e) < 0 ||
        memo_open(&x->memo, dir, e) < 0)
        return -1;
    x->logs = path_join(x->session->store_dir, "logs");
    x->place = place_store(x->work->cas);
    return 0;
}

/* ---- fetching ---- */

static int fetch(void *ctx, const struct artifact *artifacts, size_t n,
                 int (*ready)(void *ctx, size_t index, struct err *e), void *ready_ctx,
                 struct err *e)
{
    struct sealed *x = ctx;
    const struct fetch_options how = {.root = str_of(x->work->root),
                                      .parallel = x->how.downloads,
                                      .offline = x->session->offline,
                                      .events = x->session->events,
                                      .ready = ready,
                                      .ctx = ready_ctx};

    return fetch_artifacts(x->work->cas, x->work->http, artifacts, n, &how, e);
}

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

static bool of_root(const struct artifact *a)
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
        if (!s->requires[i].source && !of_root(&s->requires[i]))
            vec_add(&want, s->requires[i]);
    result = fetch(x, want.v, want.n, NULL, NULL, e);
    vec_clear(&want);
    return result;
}

/* ---- the root ---- */

static int open_blob(struct source **out, void *ctx, struct err *e)
{
    struct blob *b = ctx;

    if (b->image)
        return stored_blob(out, b->image, &b->at, e);
    if (cas_input(&b->input, b->cas, &b->layer->digest, b->layer->name.p, e) < 0)
        return -1;
    *out = source_input(&b->input, 0, b->input.size);
    return 0;
}

static int open_image(struct sealed *x, const struct lock_image *image, struct err *e)
{
    const struct stored_scratch how = session_ways(x->session, NULL);

    if (!image->ref.len || x->image.manifest.layers.n)
        return 0;
    if (stored_open(&x->image, image->ref, x->work->dir, &how, e) < 0)
        return err_wrap(e, "base");
    return digest_eq(&x->image.digest, &image->manifest)
               ? 0
               : err_set(e, ERR_INTEGRITY,
                         "base: " STR_FMT " is another image than the lock names; run `envbuild "
                         "lock` to accept it",
                         STR_ARG(image->ref));
}

/* Those of the image lie where it lies, and are read at most once. */
static void list_layers(struct root *r, const struct sealed *x)
{
    const struct stored *image = &x->image;
    size_t below = image->manifest.layers.n, n = below + r->lock.layers.n;

    r->blobs = xcalloc(n, sizeof *r->blobs);
    for (size_t i = 0; i < n; i++) {
        const struct lock_layer *l = i < below ? NULL : &r->lock.layers.v[i - below];
        struct seal_layer *to = vec_push(&r->layers);

        *to = (struct seal_layer){.open = open_blob, .ctx = &r->blobs[i]};
        if (l) {
            r->blobs[i] = (struct blob){.cas = x->work->cas, .layer = l};
            to->diff_id = l->diff_id;
            to->size = l->unpacked;
            to->name = l->name.p;
        } else {
            r->blobs[i] = (struct blob){.image = image, .at = image->manifest.layers.v[i]};
            to->diff_id = image->config.diff_ids.v[i];
            to->name = "of the base image";
        }
    }
}

/* Its layers, in the store: they are the image's own where that has them. */
static int make_root(struct sealed *x, struct root *r, struct err *e)
{
    struct work *w = x->work;
    const struct blob_files files = {.events = x->session->events};
    CLEANUP(free_clear) char *scratch = NULL;
    struct assembly in = {.cas = w->cas,
                          .memo = w->layers,
                          .metadata = w->metadata,
                          .place = x->place,
                          .fetcher = {fetch, x},
                          .dir = w->dir,
                          .files = &files,
                          .jobs = x->how.jobs,
                          .events = x->session->events};

    if (session_scratch(&scratch, x->session, e) < 0 || open_image(x, &r->lock.image, e) < 0)
        return -1;
    in.scratch_dir = scratch;
    in.image = r->lock.image.ref.len ? &x->image : NULL;
    if (assemble_layers(&r->lock, &in, e) < 0)
        return -1;
    list_layers(r, x);
    return 0;
}

static bool same_root(const struct lock *a, const struct lock *b)
{
    if (a->artifacts.n != b->artifacts.n || a->layers.n != b->layers.n)
        return false;
    for (size_t i = 0; i < a->artifacts.n; i++)
        if (!digest_eq(&a->artifacts.v[i].digest, &b->artifacts.v[i].digest))
            return false;
    return true;
}

static int find_root(struct sealed *x, const struct artifact_source *build, const struct lock *lock,
                     const struct artifact *pip, struct root **out, struct err *e)
{
    struct root *r = xcalloc(1, sizeof *r);

    lock_root(&r->lock, lock, build, pip);
    for (size_t i = 0; i < x->roots.n; i++)
        if (same_root(&x->roots.v[i]->lock, &r->lock)) {
            root_clear(r);
            *out = x->roots.v[i];
            return 0;
        }
    vec_add(&x->roots, r);
    if (make_root(x, r, e) < 0) {
        x->roots.n--;
        root_clear(r);
        return err_wrap(e, "the system for builds");
    }
    *out = r;
    return 0;
}

/* ---- one build ---- */

static bool sees_cuda(const struct artifact_source *s)
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

static int build_wheel(struct sealed *x, struct artifact *wheel, const struct lock *lock,
                       const struct artifact *pip, struct err *e);

/* What a build needs may have to be built itself. */
static int build_requires(struct sealed *x, const struct artifact *wheel, const struct lock *lock,
                          const struct artifact *pip, struct err *e)
{
    for (size_t i = 0; i < wheel->source->requires_n; i++)
        if (wheel->source->requires[i].source &&
            build_wheel(x, &wheel->source->requires[i], lock, pip, e) < 0)
            return -1;
    return 0;
}

/* seal/ names the package in what it says; the rest is named here. */
static int say_which(const struct artifact *wheel, struct err *e)
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
    struct root *root = NULL;

    if (begin(x, e) < 0 || fetch_source(x, wheel, e) < 0 ||
        build_requires(x, wheel, lock, pip, e) < 0)
        return -1;
    j->sdist = cas_path(x->work->cas, &s->sdist.digest);
    choose_root(j, s, plain);
    in_root.root = j->root;
    if (find_root(x, &in_root, lock, pip, &root, e) < 0)
        return -1;
    *b = (struct seal_build){
        .name = wheel->name,
        /* Of the project it may be another with each edit. */
        .version = artifact_is_project(wheel) ? STR("") : wheel->version,
        .source = {.sdist = j->sdist, .subfolder = s->folder, .digest = s->sdist.digest},
        .layers = root->layers,
        .python = STR(PYTHON),
        .path = path_of(x),
        .on_image = lock->image.ref.len > 0,
        .shared = !s->isolated,
        .settings = s->settings,
        .env = s->env,
        .epoch = lock->created};
    if (sees_cuda(s))
        b->cuda_home = STR(CUDA_HOME);
    for (size_t i = 0; i < s->requires_n; i++) {
        b->shared |= of_root(&s->requires[i]);
        if (!of_root(&s->requires[i]))
            vec_add(&b->requires, ((struct seal_file){s->requires[i].file, s->requires[i].digest}));
    }
    for (size_t i = 0; i < s->files_n; i++)
        vec_add(&b->inputs, ((struct seal_file){s->files[i].file, s->files[i].digest}));
    for (size_t i = 0; i < s->archs.n; i++)
        buf_fmt(&j->archs, "%s" STR_FMT, i ? ";" : "", STR_ARG(s->archs.v[i]));
    b->archs = buf_view(&j->archs);
    return 0;
}

/* `failure` gets what a build that fails said last. */
static struct seal_means means_of(const struct sealed *x, struct seal_failure *failure)
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

/* `ask` of its build; once more with the compilers where they turn out to be wanted. */
static int run_job(struct sealed *x, const struct artifact *wheel, const struct lock *lock,
                   const struct artifact *pip,
                   int (*ask)(void *ctx, const struct seal_build *build,
                              const struct seal_means *means, struct err *e),
                   void *ctx, struct err *e)
{
    for (bool plain = true;; plain = false) {
        CLEANUP(seal_failure_clear) struct seal_failure failure = {0};
        CLEANUP(job_clear) struct job job = {0};
        CLEANUP(err_clear) struct err fault = {0};

        if (job_open(&job, x, wheel, lock, pip, plain, e) < 0)
            return say_which(wheel, e);
        const struct seal_means means = means_of(x, &failure);

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
        torch |= of_root(&wheel->source->requires[i]);
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
    return run_job(ctx, wheel, lock, pip, first ? ask_first : ask_more, out, e);
}

static int ask_metadata(void *ctx, const struct artifact *wheel, const struct lock *lock,
                        const struct artifact *pip, struct buf *out, struct err *e)
{
    tell_asked(ctx, wheel);
    return run_job(ctx, wheel, lock, pip, ask_text, out, e);
}

struct source_backend sealed_backend(struct sealed *x)
{
    return (struct source_backend){x, ask_requires, ask_metadata};
}

/* ---- bytecode ---- */

#define CODE_MAX ((uint64_t)256 << 20) /* bytes of a module */

static int add_modules(struct seal_bytecode *b, const struct modules *modules, struct err *e)
{
    CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();
    const struct entry *const *at;

    vec_each(at, modules) {
        CLEANUP(free_clear) char *name = str_dup((*at)->path);
        CLEANUP(buf_clear) struct buf text = {0};

        if (content_read(inflater, &(*at)->content, &text, CODE_MAX, name, e) < 0 ||
            seal_bytecode_add(b, (*at)->path, buf_view(&text), e) < 0)
            return -1;
    }
    return 0;
}

static int compile_begin(void *ctx, struct err *e)
{
    return begin(ctx, e);
}

static int compile(void *ctx, const struct lock *lock, const struct digest *key,
                   const struct modules *modules,
                   int (*each)(void *ctx, const struct entry *module, struct str path,
                               struct str bytes, struct err *e),
                   void *each_ctx, struct err *e)
{
    struct sealed *x = ctx;
    struct str groups[] = {str_of(lock_group_name(LOCK_BASE)),
                           str_of(lock_group_name(LOCK_PYTHON))};
    const struct artifact_source python = {.root = {groups, ARRAY_LEN(groups), ARRAY_LEN(groups)}};
    const struct seal_means means = means_of(x, NULL);
    CLEANUP(seal_bytecode_clear) struct seal_bytecode b = {0};
    CLEANUP(buf_clear) struct buf tag = {0};
    const struct entry *const *at;
    struct root *root;

    buf_puts(&tag, "cpython-");
    for (size_t i = 0; i < lock->python.len; i++)
        if (lock->python.p[i] != '.')
            buf_putc(&tag, lock->python.p[i]);
    if (begin(x, e) < 0 || find_root(x, &python, lock, NULL, &root, e) < 0 ||
        seal_bytecode_open(&b, &root->layers, key, buf_view(&tag), &means, e) < 0 ||
        add_modules(&b, modules, e) < 0 || seal_bytecode_run(&b, PYTHON, e) < 0)
        return -1;
    vec_each(at, modules) {
        CLEANUP(buf_clear) struct buf bytes = {0}, path = {0};
        bool found;

        if (seal_bytecode_read(&bytes, &path, &found, &b, (*at)->path, e) < 0 ||
            (found && each(each_ctx, *at, buf_view(&path), buf_view(&bytes), e) < 0))
            return -1;
    }
    return 0;
}

struct compiler sealed_compiler(struct sealed *x)
{
    return (struct compiler){compile_begin, compile, x};
}

/* ---- what a lock wants built ---- */

/* "amp_C" is there as amp_C.so, amp_C.cpython-311-x86_64-linux-gnu.so, amp_C.py or a folder, at the
 * top or in a package. */
static bool is_module(struct str path, struct str module)
{
    struct str part, rest = path;

    while (str_cut(&rest, STR("/"), &part))
        if (str_eq(part, module))
            return true;
    return str_skip(&rest, module) && str_starts(rest, STR(".")) &&
           (str_ends(rest, STR(".so")) || str_ends(rest, STR(".py")));
}

static void check_expected(const struct artifact *wheel, const struct zip *zip, struct err *e)
{
    const struct strs *expect = &wheel->source->expect;
    const struct zip_entry *entry;

    for (size_t i = 0; i < expect->n; i++) {
        bool found = false;

        vec_each(entry, &zip->entries)
            found |= is_module(entry->name, expect->v[i]);
        if (!found)
            err_set(e, ERR_INPUT, "%s has no module " STR_FMT ", which `expect` names",
                    wheel->file.p, STR_ARG(expect->v[i]));
    }
}

/* Does the wheel have what it was built for? */
static int check_made(const struct sealed *x, const struct artifact *wheel, struct err *e)
{
    const struct artifact_source *s = wheel->source;
    const struct recipe_build *b = recipe_build_of(&x->work->recipe, wheel->name);
    CLEANUP(cas_input_clear) struct input input = {0};
    CLEANUP(zip_clear) struct zip zip = {0};
    struct err fault = {0};

    if (!s->expect.n && !sees_cuda(s))
        return 0;
    if (cas_input(&input, x->work->cas, &wheel->digest, wheel->file.p, e) < 0 ||
        zip_open(&zip, &input, e) < 0)
        return -1;
    check_expected(wheel, &zip, &fault);
    if (sees_cuda(s) &&
        device_code_check(&zip, &s->archs, b && b->archs.n, wheel, x->session->events, &fault) < 0)
        return err_join(e, &fault);
    return err_is_set(&fault) ? err_join(e, &fault) : 0;
}

char *sealed_folder(const char *dir, const struct artifact *wheel)
{
    CLEANUP(free_clear) char *name = str_dup(wheel->source->abi);

    return *name ? path_join(dir, name) : xstrdup(dir);
}

/* As torch tells those who compile for it. */
static int read_abi(bool *cxx11, const struct sealed *x, const struct artifact *torch,
                    struct err *e)
{
    static const char file[] = "torch/share/cmake/Torch/TorchConfig.cmake";
    CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();
    CLEANUP(cas_input_clear) struct input input = {0};
    CLEANUP(zip_clear) struct zip zip = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    const struct zip_entry *entry;
    struct str rest, before;

    if (cas_input(&input, x->work->cas, &torch->digest, torch->file.p, e) < 0 ||
        zip_open(&zip, &input, e) < 0)
        return -1;
    entry = zip_find(&zip, str_of(file));
    if (entry && content_read(inflater, &entry->content, &text, CONFIG_MAX, torch->file.p, e) < 0)
        return -1;
    rest = buf_view(&text);
    *cxx11 =
        !str_cut(&rest, STR("_GLIBCXX_USE_CXX11_ABI="), &before) || !str_starts(rest, STR("0"));
    return 0;
}

/* What an extension of torch is bound to: its very version, and the names of C++'s library. */
static int take_abi(struct sealed *x, struct artifact_source *s, struct err *e)
{
    struct arena *arena = &x->work->lock.doc.arena;

    for (size_t i = 0; i < s->requires_n; i++) {
        const struct artifact *torch = &s->requires[i];
        bool cxx11;

        if (!str_is(torch->name, "torch") || !of_root(torch))
            continue;
        if (fetch(x, torch, 1, NULL, NULL, e) < 0 || read_abi(&cxx11, x, torch, e) < 0)
            return -1;
        s->abi = str_of(arena_fmt(arena, "torch" STR_FMT "cxx11abi%s", STR_ARG(torch->version),
                                  cxx11 ? "TRUE" : "FALSE"));
    }
    return 0;
}

/* Export and import of `envbuild wheel`: what has the digest of the lock is as good as built. */
static int take_beside(const struct sealed *x, const struct artifact *wheel, struct err *e)
{
    CLEANUP(free_clear) char *wheels = path_join(x->work->dir, "wheels");
    CLEANUP(free_clear) char *folder = sealed_folder(wheels, wheel);
    CLEANUP(free_clear) char *name = str_dup(wheel->file), *path = path_join(folder, name);
    CLEANUP(cas_put_clear) struct cas_put put = {0};
    CLEANUP(source_clear) struct source *from = NULL;
    CLEANUP(fd_clear) struct fd fd = {0};
    struct err fault = {0};
    uint64_t size;

    if (!fs_exists(path))
        return 0;
    if (fd_open(&fd, path, O_RDONLY, 0, e) < 0 || fd_size(fd.n, &size, path, e) < 0 ||
        cas_put_open(&put, x->work->cas, &wheel->digest, size, e) < 0)
        return -1;
    from = source_file_take(&fd, 0, size, path);
    if (source_copy(from, &put.sink, NULL, &fault) == 0 && sink_finish(&put.sink, &fault) == 0)
        return 0;
    if (fault.kind != ERR_INTEGRITY)
        return err_join(e, &fault);
    err_clear(&fault);
    events_warn(x->session->events, "%s is not the wheel of the lock; it is left alone", path);
    return 0;
}

/* Is the wheel that the lock has at hand? */
static int have(const struct sealed *x, const struct artifact *wheel, bool *is, struct err *e)
{
    *is = digest_is_set(&wheel->digest) && cas_has(x->work->cas, &wheel->digest, wheel->size);
    if (*is || !digest_is_set(&wheel->digest))
        return 0;
    if (take_beside(x, wheel, e) < 0)
        return -1;
    *is = cas_has(x->work->cas, &wheel->digest, wheel->size);
    return 0;
}

static int list_made(struct strs *out, struct sealed *x, const struct seal_wheel *made,
                     struct err *e)
{
    CLEANUP(cas_input_clear) struct input input = {0};
    CLEANUP(zip_clear) struct zip zip = {0};

    if (cas_input(&input, x->work->cas, &made->digest, made->file, e) < 0 ||
        zip_open(&zip, &input, e) < 0)
        return -1;
    *out = rebuilt_list(&x->work->lock.doc.arena, &zip);
    return 0;
}

/* Where the lock says what comes out, that comes out, or what differs is told. */
static int check_same(struct sealed *x, const struct artifact *wheel, const struct seal_wheel *made,
                      const struct strs *files, struct err *e)
{
    char want[DIGEST_TEXT + 1], got[DIGEST_TEXT + 1];
    CLEANUP(buf_clear) struct buf words = {0};

    if (!digest_is_set(&wheel->digest) || digest_eq(&wheel->digest, &made->digest))
        return 0;
    digest_text(&wheel->digest, want);
    digest_text(&made->digest, got);
    if (wheel->source->made.n)
        rebuilt_differ(&words, &wheel->source->made, files);
    if (x->how.rebuild_ok) {
        events_warn(x->session->events, STR_FMT " " STR_FMT ": the lock takes another wheel%s%s",
                    STR_ARG(wheel->name), STR_ARG(wheel->version), words.len ? ": " : "",
                    words.len ? words.p : "");
        return 0;
    }
    return err_set(e, ERR_INTEGRITY,
                   "built again it is %s of %llu bytes (%s), and the lock has %s of %llu bytes "
                   "(%s)%s%s: not all of it repeats, or the tools changed; `build --rebuild-ok` "
                   "takes the new one into the lock",
                   got, (unsigned long long)made->size, made->file, want,
                   (unsigned long long)wheel->size, wheel->file.p, words.len ? "; " : "",
                   words.len ? words.p : "");
}

static int take_result(struct sealed *x, struct artifact *wheel, const struct seal_wheel *made,
                       struct err *e)
{
    struct arena *arena = &x->work->lock.doc.arena;
    struct artifact_source *own = arena_alloc(arena, sizeof *own);
    struct strs files = {0};

    *own = *wheel->source;
    if (list_made(&files, x, made, e) < 0 || check_same(x, wheel, made, &files, e) < 0 ||
        take_abi(x, own, e) < 0)
        return -1;
    /* A list that a lock lacks stays away; a project is another one with each edit. */
    if (!digest_eq(&wheel->digest, &made->digest) && !artifact_is_project(wheel))
        own->made = files;
    wheel->source = own;
    wheel->file = arena_str(arena, str_of(made->file));
    wheel->size = made->size;
    wheel->digest = made->digest;
    if (artifact_is_project(wheel) && own_source_take(x->work, wheel, e) < 0)
        return -1;
    return check_made(x, wheel, e);
}

/* A lock is a file that strangers edit: only the recipe says what may run. */
static int check_allowed(const struct sealed *x, const struct artifact *wheel, struct err *e)
{
    if (artifact_is_project(wheel) ? own_source_is(x->work, wheel)
                                   : recipe_may_build(&x->work->recipe, wheel->name))
        return 0;
    return err_set(e, ERR_INPUT,
                   "%s builds " STR_FMT " from source, and `%s` of the recipe does not name it",
                   x->work->lock_path ? x->work->lock_path : "the lock", STR_ARG(wheel->name),
                   artifact_is_project(wheel) ? "project" : "build");
}

static int ask_wheel(void *ctx, const struct seal_build *b, const struct seal_means *m,
                     struct err *e)
{
    return seal_wheel(ctx, b, m, e);
}

static int build_wheel(struct sealed *x, struct artifact *wheel, const struct lock *lock,
                       const struct artifact *pip, struct err *e)
{
    CLEANUP(seal_wheel_clear) struct seal_wheel made = {0};
    bool there;

    if (check_allowed(x, wheel, e) < 0 || have(x, wheel, &there, e) < 0)
        return -1;
    if (there)
        return 0;
    if (run_job(x, wheel, lock, pip, ask_wheel, &made, e) < 0)
        return -1;
    return take_result(x, wheel, &made, e) < 0 ? say_which(wheel, e) : 0;
}

static int need_pip(const struct sealed *x, const struct artifact **pip, struct err *e)
{
    *pip = lock_find(&x->work->lock, ECO_WHEEL, STR("pip"));
    if (*pip)
        return 0;
    return err_set(e, ERR_INPUT, "%s builds wheels, and has no pip", x->work->lock_path);
}

int sealed_first(struct sealed *x, bool *changed, struct err *e)
{
    struct lock *lock = &x->work->lock;
    const struct artifact *pip;
    struct artifact *a;

    *changed = false;
    vec_each(a, &lock->artifacts) {
        struct digest before = a->digest;

        if (!a->source || (digest_is_set(&before) && !x->how.rebuild_ok))
            continue;
        if (need_pip(x, &pip, e) < 0 || build_wheel(x, a, lock, pip, e) < 0)
            return -1;
        *changed |= !digest_eq(&before, &a->digest);
    }
    return 0;
}

int sealed_have(struct sealed *x, const struct artifact *artifacts, size_t n, struct err *e)
{
    const struct artifact *pip;

    for (size_t i = 0; i < n; i++) {
        struct artifact wheel = artifacts[i];

        if (wheel.source &&
            (need_pip(x, &pip, e) < 0 || build_wheel(x, &wheel, &x->work->lock, pip, e) < 0))
            return -1;
    }
    return 0;
}
