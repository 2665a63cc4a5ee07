/* SPDX-License-Identifier: Apache-2.0 */
#include "sdists_parts.h"

#include "../../net/url.h"
#include "../../pkg/pypi/cargo_lock.h"
#include "../../pkg/pypi/git_ref.h"
#include "../../pkg/pypi/sdist.h"
#include "pypi_index.h"

#define SDIST_MAX ((uint64_t)4 << 30)
#define CRATE_MAX ((uint64_t)64 << 20)
#define CRATES "https://static.crates.io/crates/" /* by name, then the file */

/* What a source requires that says nothing of it, as pip has it (PEP 517). */
#define LEGACY_REQUIRES "setuptools>=40.8.0\n"

struct sdists *sdists_open(const struct sdists_options *options)
{
    struct sdists *x = xcalloc(1, sizeof *x);

    x->o = *options;
    return x;
}

void sdists_clear(struct sdists **sdists)
{
    struct sdists *x = *sdists;

    if (!x)
        return;
    for (size_t i = 0; i < x->made.n; i++)
        metadata_clear(&x->made.v[i]->metadata);
    for (size_t i = 0; i < x->solutions.n; i++)
        pypi_solution_clear(x->solutions.v[i]);
    vec_clear(&x->made);
    vec_clear(&x->solutions);
    vec_clear(&x->used);
    arena_clear(&x->arena);
    free_clear(sdists);
}

void sdists_bind(struct sdists *x, struct pypi_index *index, const struct pypi_want *want)
{
    x->index = index;
    x->want = want;
}

bool sdists_may_build(const struct sdists *x, struct str name)
{
    return recipe_may_build(x->o.recipe, name);
}

bool sdists_is_project(const struct sdists *x, struct str url)
{
    return x->o.project && str_eq(x->o.project->url, url);
}

bool sdists_used(const struct sdists *x, struct str name)
{
    return strs_has(&x->used, name);
}

/* ---- what the recipe says of it ---- */

static struct strs texts_of(struct arena *a, const struct values *list)
{
    struct strs out = {.v = arena_alloc(a, (list->n + 1) * sizeof *out.v)};

    for (size_t i = 0; i < list->n; i++)
        out.v[out.n++] = list->v[i].text;
    return out;
}

/* The image that is the base, which nothing is added to but the environment of its Python. */
static void add_image(struct strs *out, struct arena *a, const struct lock *lock)
{
    char digest[DIGEST_TEXT + 1];

    digest_text(&lock->image.manifest, digest);
    out->v[out->n++] = arena_str(a, str_of(digest));
    out->v[out->n++] = str_of(lock_group_name(LOCK_PYTHON));
}

/* The system of the image, and the compilers; sdists_see_cuda() may add the toolkit. */
static struct strs root_of(struct arena *a, const struct lock *lock)
{
    static const enum lock_group order[] = {LOCK_BASE, LOCK_PYTHON, LOCK_APT, LOCK_COMPILE};
    struct strs out = {.v = arena_alloc(a, (ARRAY_LEN(order) + 1) * sizeof *out.v)}; /* toolkit */
    const struct artifact *deb;

    if (lock->image.ref.len) {
        add_image(&out, a, lock);
        return out;
    }
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        struct str name = str_of(lock_group_name(order[i]));
        bool has = order[i] == LOCK_COMPILE && lock->tools.n;

        vec_each(deb, &lock->artifacts)
            has |= deb->eco == ECO_DEB && str_eq(deb->group, name);
        if (has)
            out.v[out.n++] = name;
    }
    return out;
}

void sdists_see_cuda(struct sdists *x, struct artifact_source *s)
{
    struct str name = str_of(lock_group_name(LOCK_TOOLKIT)), rest = x->o.archs, word;

    if (!x->o.lock->toolkit.from.len || strs_has(&s->root, name))
        return;
    s->root.v[s->root.n++] = name;
    if (s->archs.n)
        return;
    s->archs.v = arena_alloc(&x->arena, (rest.len + 1) * sizeof *s->archs.v);
    while (str_word(&rest, &word))
        s->archs.v[s->archs.n++] = arena_str(&x->arena, word);
}

static int learn_file(struct sdists *x, struct str url, struct artifact_file *f, struct err *e)
{
    CLEANUP(free_clear) char *address = str_dup(url);

    return pages_learn(x->o.pages, address, &f->digest, &f->size, e);
}

/* Files that the recipe gives a build to read. */
static int get_inputs(struct sdists *x, struct artifact_source *s, const struct recipe_build *b,
                      struct err *e)
{
    s->files = arena_alloc(&x->arena, (b->fetch.n + 1) * sizeof *s->files);
    for (size_t i = 0; i < b->fetch.n; i++) {
        struct artifact_file *f = &s->files[s->files_n++];
        CLEANUP(buf_clear) struct buf name = {0};

        f->url = b->fetch.v[i].url.text;
        if (!digest_from_hex(&f->digest, b->fetch.v[i].sha256.text) ||
            url_file_name(&name, f->url, e) < 0 || learn_file(x, f->url, f, e) < 0)
            return err_wrap(e, "build: fetch");
        f->file = arena_str(&x->arena, buf_view(&name));
    }
    return 0;
}

int sdists_crates(struct sdists *x, struct made *m, struct err *e)
{
    struct artifact_source *s = &m->source;
    struct page_want *wants;
    struct artifact_file *files;
    struct crates crates = {0};
    int result = cargo_lock_parse(&crates, &x->arena, m->cargo_lock, e);

    files = arena_alloc(&x->arena, (s->files_n + crates.n + 1) * sizeof *files);
    wants = arena_alloc(&x->arena, (crates.n + 1) * sizeof *wants);
    for (size_t i = 0; i < s->files_n; i++)
        files[i] = s->files[i];
    for (size_t i = 0; i < crates.n; i++) {
        const struct crate *c = &crates.v[i];
        const char *file = arena_fmt(&x->arena, STR_FMT "-" STR_FMT ".crate", STR_ARG(c->name),
                                     STR_ARG(c->version));
        const char *url = arena_fmt(&x->arena, CRATES STR_FMT "/%s", STR_ARG(c->name), file);

        wants[i] = (struct page_want){url, c->digest, 0, CRATE_MAX};
        files[s->files_n + i] =
            (struct artifact_file){.file = str_of(file), .url = str_of(url), .digest = c->digest};
    }
    if (result == 0 && crates.n)
        result = pages_prefetch_blobs(x->o.pages, wants, crates.n, e);
    for (size_t i = 0; i < crates.n && result == 0; i++)
        result = learn_file(x, files[s->files_n + i].url, &files[s->files_n + i], e);
    if (result == 0) {
        s->files = files;
        s->files_n += crates.n;
        m->cargo_lock = (struct str){0};
    }
    vec_clear(&crates);
    return result < 0 ? err_wrap(e, "crates of " STR_FMT, STR_ARG(m->wheel.name)) : 0;
}

/* What an older lock has of the same address; NULL: nothing. */
static const struct artifact *older_git(const struct sdists *x, const struct made *m)
{
    const struct artifact *a;

    if (x->o.kept)
        vec_each(a, x->o.kept)
            if (str_eq(a->name, m->project->name) && a->source->commit.len &&
                str_eq(a->source->sdist.url, m->candidate->file->url))
                return a;
    return NULL;
}

static int begin_git(struct sdists *x, struct made *m, struct err *e)
{
    struct artifact_source *s = &m->source;
    const struct artifact *old = older_git(x, m);
    struct git_commit c = {0};
    struct git_ref ref;

    if (old)
        c = (struct git_commit){old->source->commit, old->source->tags, old->source->sdist.digest,
                                old->source->sdist.size};
    if (git_ref_parse(&ref, s->sdist.url, e) < 0 ||
        pages_git(x->o.pages, &c, &x->arena, &ref, m->project->name, e) < 0)
        return err_wrap(e, STR_FMT, STR_ARG(m->project->name));
    s->sdist.file = str_of(arena_fmt(&x->arena, STR_FMT "-" STR_FMT ".tar",
                                     STR_ARG(m->project->name), STR_ARG(c.commit)));
    s->sdist.size = c.size;
    s->sdist.digest = c.digest;
    s->commit = c.commit;
    s->tags = c.tags;
    s->folder = ref.folder;
    return 0;
}

const struct artifact *sdists_older(const struct sdists *x, const struct made *m)
{
    const struct artifact *a;

    if (x->o.kept)
        vec_each(a, x->o.kept)
            if (str_eq(a->name, m->wheel.name) &&
                digest_eq(&a->source->sdist.digest, &m->source.sdist.digest))
                return a;
    return NULL;
}

static void begin_project(struct sdists *x, struct made *m)
{
    const struct sdists_project *p = x->o.project;
    struct artifact_source *s = &m->source;

    s->sdist.file =
        str_of(arena_fmt(&x->arena, "%s" STR_FMT ".tar", m->project->name.len ? "" : "project",
                         STR_ARG(m->project->name)));
    s->sdist.digest = p->digest;
    s->sdist.size = p->size;
}

/* As long as its files are those of the older lock, so is the version that its backend is told. */
static void tell_version(struct sdists *x, struct made *m)
{
    const struct sdists_project *p = x->o.project;
    const struct artifact *old = sdists_older(x, m);
    struct strs *env = &m->source.env;
    size_t before = env->n;

    *env = p->env(p->ctx, &x->arena, env);
    for (size_t i = 0; old && env->n > before && i < old->source->env.n; i++) {
        struct str line = old->source->env.v[i];

        if (str_starts(env->v[env->n - 1], str_sub(line, 0, str_find(line, '=') + 1)))
            env->v[env->n - 1] = line;
    }
}

static void begin_recipe(struct sdists *x, struct artifact_source *s, const struct recipe_build *b)
{
    s->isolated = b->isolated;
    s->env = texts_of(&x->arena, &b->env);
    s->settings = texts_of(&x->arena, &b->settings);
    s->archs = texts_of(&x->arena, &b->archs);
    s->expect = texts_of(&x->arena, &b->expect);
    if (s->archs.n)
        sdists_see_cuda(x, s);
}

static int begin(struct sdists *x, struct made *m, struct err *e)
{
    const struct recipe_build *b = recipe_build_of(x->o.recipe, m->project->name);
    const struct simple_file *f = m->candidate->file;
    struct artifact_source *s = &m->source;
    bool project = sdists_is_project(x, f->url);

    m->wheel = (struct artifact){.eco = ECO_WHEEL,
                                 .name = m->project->name,
                                 .version = m->candidate->version.text,
                                 .from = m->candidate->from,
                                 .source = s};
    s->sdist = (struct artifact_file){f->name, f->url, f->size, f->digest};
    s->root = root_of(&x->arena, x->o.lock);
    s->isolated = true;
    if (project)
        begin_project(x, m);
    else if (git_ref_is(f->url) ? begin_git(x, m, e) < 0 : learn_file(x, f->url, &s->sdist, e) < 0)
        return -1;
    if (b)
        begin_recipe(x, s, b);
    if (project)
        tell_version(x, m);
    return b ? get_inputs(x, s, b, e) : 0;
}

static int find(struct sdists *x, const struct project *p, const struct candidate *c,
                struct made **out, struct err *e)
{
    struct made *m;

    for (size_t i = 0; i < x->made.n; i++)
        if (str_eq(x->made.v[i]->candidate->file->url, c->file->url)) {
            *out = x->made.v[i];
            return 0;
        }
    m = arena_alloc(&x->arena, sizeof *m);
    m->project = p;
    m->candidate = c;
    if (begin(x, m, e) < 0)
        return -1;
    vec_add(&x->made, m);
    *out = m;
    return 0;
}

/* ---- metadata ---- */

static bool is_same_version(struct str a, const struct pep440 *b)
{
    struct pep440 v;

    return pep440_parse(&v, a) && pep440_cmp(&v, b) == 0;
}

/* It must speak of the project and version that the file's name promises. */
static int take_metadata(struct made *m, struct str text, struct err *e)
{
    CLEANUP(metadata_clear) struct metadata found = {0};
    CLEANUP(free_clear) char *what = str_dup(m->candidate->file->name);
    CLEANUP(buf_clear) struct buf name = {0};

    if (metadata_parse(&found, text, what, e) < 0)
        return -1;
    pep503_normalise(&name, found.name);
    if (!str_eq(buf_view(&name), m->project->name) ||
        (m->candidate->version.text.len && !is_same_version(found.version, &m->candidate->version)))
        return err_set(e, ERR_INPUT, "%s says in its metadata that it is " STR_FMT " " STR_FMT,
                       what, STR_ARG(found.name), STR_ARG(found.version));
    MOVE(&m->metadata, &found);
    m->known = true;
    return 0;
}

/* What pyproject.toml says: what the build requires, and metadata where PKG-INFO does not settle
 * it. One that is not as PEP 621 has it is the backend's to judge. */
static void take_pyproject(struct sdists *x, struct made *m, const struct pyproject *p,
                           struct buf *text, bool *fixed)
{
    CLEANUP(buf_clear) struct buf first = {0};
    const struct pyproject_need *n;

    vec_each(n, &p->build_requires)
        buf_fmt(&first, STR_FMT "\n", STR_ARG(n->text));
    m->named = true;
    m->first = p->has_build_system ? arena_str(&x->arena, buf_view(&first)) : STR(LEGACY_REQUIRES);
    if (*fixed)
        return;
    buf_reset(text);
    *fixed = (p->version.len || m->candidate->version.text.len) &&
             pyproject_metadata(text, p, m->candidate->version.text);
}

static void read_pyproject(struct sdists *x, struct made *m, const struct sdist *sdist,
                           struct buf *text, bool *fixed)
{
    CLEANUP(pyproject_clear) struct pyproject p = {0};
    CLEANUP(err_clear) struct err unused = {0}; /* the backend is asked, and tells */

    if (pyproject_parse(&p, buf_view(&sdist->pyproject), "pyproject.toml", &unused) == 0)
        take_pyproject(x, m, &p, text, fixed);
}

/* What an sdist or a commit says itself; *fixed: and it holds. */
static int read_own(struct sdists *x, struct made *m, struct buf *text, bool *fixed, struct err *e)
{
    const struct artifact_file *f = &m->source.sdist;
    CLEANUP(sdist_clear) struct sdist sdist = {0};
    CLEANUP(cas_input_clear) struct input input = {0};
    CLEANUP(metadata_clear) struct metadata own = {0};
    CLEANUP(free_clear) char *url = str_dup(f->url), *name = str_dup(f->file);
    CLEANUP(err_clear) struct err unused = {0}; /* old ones are no metadata; the backend is asked */

    if (pages_blob(x->o.pages, url, &f->digest, f->size, SDIST_MAX, &input, NULL, e) < 0)
        return -1;
    input.name = name;
    if (sdist_read(&sdist, &input, m->source.folder, e) < 0)
        return -1;
    if (m->source.commit.len) /* nobody made it of this commit */
        buf_clear(&sdist.pkg_info);
    *fixed = sdist.pkg_info.len &&
             metadata_parse(&own, buf_view(&sdist.pkg_info), name, &unused) == 0 && own.fixed;
    buf_str(text, buf_view(&sdist.pkg_info));
    m->cargo_lock = arena_str(&x->arena, buf_view(&sdist.cargo_lock));
    read_pyproject(x, m, &sdist, text, fixed);
    return 0;
}

/* The same of the recipe's project. */
static void take_own(struct sdists *x, struct made *m, struct buf *text, bool *fixed)
{
    if (x->o.project->toml) {
        take_pyproject(x, m, x->o.project->toml, text, fixed);
        return;
    }
    m->named = true;
    m->first = STR(LEGACY_REQUIRES);
}

/* The same of any source, as far as it is read here. */
static int read_source(struct sdists *x, struct made *m, struct buf *text, bool *fixed,
                       struct err *e)
{
    if (!sdists_is_project(x, m->candidate->file->url))
        return read_own(x, m, text, fixed, e);
    take_own(x, m, text, fixed);
    return 0;
}

int sdists_metadata(struct sdists *x, const struct project *p, const struct candidate *c,
                    const struct metadata **out, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct err fault = {0};
    bool fixed = false;
    struct made *m;

    if (find(x, p, c, &m, e) < 0 || (!m->known && read_source(x, m, &text, &fixed, e) < 0))
        return -1;
    if (!m->known && fixed && take_metadata(m, buf_view(&text), e) < 0)
        return -1;
    if (!m->known) {
        buf_reset(&text);
        if (sdists_require(x, m, &fault) < 0 || sdists_ask_metadata(x, m, &text, &fault) < 0 ||
            take_metadata(m, buf_view(&text), &fault) < 0)
            return sdists_fail(&fault, e);
    }
    *out = &m->metadata;
    return 0;
}

static int check_extras(const struct sdists *x, const struct metadata *metadata, struct err *e)
{
    const struct values *extras = &x->o.recipe->project.extras;
    struct err fault = {0};

    for (size_t i = 0; i < extras->n; i++) {
        CLEANUP(buf_clear) struct buf have = {0};

        if (strs_has(&metadata->extras, extras->v[i].text))
            continue;
        for (size_t k = 0; k < metadata->extras.n; k++)
            buf_fmt(&have, "%s" STR_FMT, k ? ", " : "", STR_ARG(metadata->extras.v[k]));
        err_at(&fault, &extras->v[i].pos, "project: it has no extra \"" STR_FMT "\"; %s%s",
               STR_ARG(extras->v[i].text), have.len ? "there is " : "there is none",
               have.len ? have.p : "");
    }
    return err_is_set(&fault) ? err_join(e, &fault) : 0;
}

/* What a backend is asked before anybody knows whose it is. */
static int ask_name(struct sdists *x, struct str *out, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(metadata_clear) struct metadata found = {0};
    struct simple_file file = {.url = x->o.project->url};
    struct candidate candidate = {.file = &file, .from = STR("recipe"), .source = true};
    struct project nobody = {0};
    struct made m = {.project = &nobody, .candidate = &candidate};
    bool fixed = true; /* nothing else is wanted of it */

    if (begin(x, &m, e) < 0)
        return -1;
    take_own(x, &m, &text, &fixed);
    if (sdists_require(x, &m, e) < 0 || sdists_ask_metadata(x, &m, &text, e) < 0 ||
        metadata_parse(&found, buf_view(&text), "the project", e) < 0)
        return -1;
    *out = pep503_name(&x->arena, found.name);
    return 0;
}

int sdists_project_name(struct sdists *x, struct str *out, struct err *e)
{
    const struct pyproject *toml = x->o.project->toml;
    struct err fault = {0};

    if (toml && toml->name.len)
        *out = pep503_name(&x->arena, toml->name);
    else if (ask_name(x, out, &fault) < 0)
        return sdists_fail(&fault, e);
    return 0;
}

int sdists_direct(struct sdists *x, const struct project *p, struct candidate *c, struct err *e)
{
    const struct metadata *metadata;
    struct made *m;

    if (find(x, p, c, &m, e) < 0 || sdists_metadata(x, p, c, &metadata, e) < 0)
        return -1;
    if (!pep440_parse(&c->version, metadata->version))
        return err_set(e, ERR_UNSAT, STR_FMT ": \"" STR_FMT "\" is not a version (PEP 440)",
                       STR_ARG(p->name), STR_ARG(metadata->version));
    m->wheel.version = c->version.text;
    return sdists_is_project(x, c->file->url) ? check_extras(x, metadata, e) : 0;
}

/* ---- what the lock has of it ---- */

/* Built once, a wheel stays as long as nothing changes that it is made of. */
static void take_built(struct artifact *out, struct artifact_source *s, const struct artifact *old)
{
    CLEANUP(buf_clear) struct buf a = {0}, b = {0};

    if (!old)
        return;
    sdists_key(&a, s);
    sdists_key(&b, old->source);
    if (!str_eq(buf_view(&a), buf_view(&b)))
        return;
    out->file = old->file;
    out->size = old->size;
    out->digest = old->digest;
    s->abi = old->source->abi;
    s->made = old->source->made;
}

int sdists_source(struct sdists *x, const struct project *p, const struct candidate *c,
                  struct str url, struct artifact *out, struct err *e)
{
    struct artifact_source *s;
    struct err fault = {0};
    struct made *m;

    if (find(x, p, c, &m, e) < 0)
        return -1;
    if (sdists_require(x, m, &fault) < 0)
        return sdists_fail(&fault, e);
    s = arena_alloc(&x->arena, sizeof *s);
    *s = m->source;
    s->sdist.url = arena_str(&x->arena, url);
    out->source = s;
    if (sdists_is_project(x, c->file->url))
        out->group = STR(ARTIFACT_OF_PROJECT);
    take_built(out, s, sdists_older(x, m));
    return 0;
}
