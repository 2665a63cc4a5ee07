/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include "project.h"

/* One file of the page, judged for the target. */
struct release_file {
    struct pep440 version;
    const struct simple_file *file;
    struct str build;
    unsigned rank; /* UINT_MAX: no tag fits, or no wheel */
    bool wheel;    /* else an sdist */
    bool builds;   /* it may be built */
    bool python_fits;
};
struct release_files VEC_OF(struct release_file);

struct judge {
    const struct wheel_target *target;
    bool sources;
    struct pep440 python;
    struct buf name; /* scratch */
};

static bool is_project(struct judge *j, struct str written, struct str name)
{
    buf_reset(&j->name);
    pep503_normalise(&j->name, written);
    return str_eq(buf_view(&j->name), name);
}

/* "name-version.tar.gz" and the like: the version. Old names may have "-" in the name. */
static bool sdist_version(struct judge *j, struct str file, struct str project, struct pep440 *out)
{
    static const struct str ends[] = {STR_INIT(".tar.gz"), STR_INIT(".zip"), STR_INIT(".tar.bz2"),
                                      STR_INIT(".tgz"), STR_INIT(".tar.xz")};
    bool known = false;

    for (size_t i = 0; i < ARRAY_LEN(ends) && !known; i++)
        known = str_drop(&file, ends[i]);
    for (size_t i = 0; known && i < file.len; i++)
        if (file.p[i] == '-' && is_project(j, str_sub(file, 0, i), project))
            return pep440_parse(out, str_sub(file, i + 1, file.len));
    return false;
}

bool project_is_sdist(struct str file)
{
    return str_ends(file, STR(".tar.gz")) || str_ends(file, STR(".zip"));
}

bool project_has(struct str project, struct str file)
{
    struct judge j = {0};
    struct pep440 unused;
    struct wheel_name w;
    bool has = wheel_name_parse(&w, file) ? is_project(&j, w.dist, project)
                                          : sdist_version(&j, file, project, &unused);

    buf_clear(&j.name);
    return has;
}

/* A requires-python that does not parse refuses nobody, as with pip. */
static bool python_fits(const struct judge *j, struct str requires)
{
    CLEANUP(specifiers_clear) struct specifiers set = {0};
    struct str bad;

    return !specifiers_parse(&set, requires, &bad) || specifiers_match(&set, &j->python);
}

static void judge_file(struct judge *j, struct release_files *out, const struct simple_file *file,
                       struct str project)
{
    struct release_file r = {.file = file, .rank = UINT_MAX};
    struct wheel_name w;

    if (wheel_name_parse(&w, file->name)) {
        if (!is_project(j, w.dist, project) || !pep440_parse(&r.version, w.version))
            return;
        r.wheel = true;
        r.build = w.build;
        r.rank = wheel_rank(&w, j->target);
    } else if (!sdist_version(j, file->name, project, &r.version)) {
        return;
    }
    r.python_fits = python_fits(j, file->requires_python);
    r.builds = j->sources && !r.wheel && project_is_sdist(file->name);
    vec_add(out, r);
}

static bool fits(const struct release_file *r)
{
    return (r->rank != UINT_MAX || r->builds) && r->python_fits && !r->file->refused;
}

/* Newest version first; within one, the file to take first. */
static int release_order(const void *pa, const void *pb)
{
    const struct release_file *a = pa, *b = pb;
    int c = pep440_cmp(&b->version, &a->version);

    if (!c)
        c = fits(b) - fits(a);
    if (!c)
        c = a->file->yanked - b->file->yanked;
    if (!c)
        c = (a->rank > b->rank) - (a->rank < b->rank);
    if (!c)
        c = wheel_build_cmp(b->build, a->build);
    return c ? c : str_cmp(a->file->name, b->file->name);
}

/* Why none of the `n` files of a version will do. */
static struct left_out why_not(const struct release_file *r, size_t n)
{
    struct left_out out = {
        .version = r->version, .why = LEFT_SDIST_ONLY, .uploaded = r->file->uploaded};
    bool python = false;

    for (size_t i = 0; i < n; i++) {
        python |= r[i].python_fits;
        if (r[i].wheel)
            out.why = LEFT_NO_TAG;
        else if (r[i].python_fits && !r[i].file->yanked && !r[i].file->refused)
            out.sdist = r[i].file;
        if (!r[i].python_fits && !out.requires_python.len)
            out.requires_python = r[i].file->requires_python;
    }
    for (size_t i = 0; i < n; i++)
        if (r[i].rank != UINT_MAX) /* a wheel would fit but for Python */
            python = false;
    if (!python)
        out.why = LEFT_PYTHON_REFUSED;
    for (size_t i = 0; i < n; i++)
        if (r[i].rank != UINT_MAX && r[i].python_fits) /* it would fit but for its hash */
            out.why = LEFT_OTHER_HASH;
    return out;
}

static void split(struct project *p, const struct release_files *files)
{
    for (size_t i = 0, n; i < files->n; i += n) {
        const struct release_file *first = &files->v[i];

        for (n = 1; i + n < files->n; n++)
            if (pep440_cmp(&first->version, &first[n].version) != 0)
                break;
        if (fits(first))
            vec_add(&p->candidates,
                    ((struct candidate){
                        .version = first->version, .file = first->file, .source = !first->wheel}));
        else
            vec_add(&p->left_out, why_not(first, n));
    }
}

static struct pep440 version_copy(struct arena *a, const struct pep440 *v)
{
    struct pep440 copy;

    if (!pep440_parse(&copy, arena_str(a, v->text)))
        abort(); /* it parsed before */
    return copy;
}

static void keep_file(struct simple_page *kept, const struct simple_file *file)
{
    struct simple_file *f = vec_push(&kept->files);

    *f = *file;
    f->name = arena_str(&kept->arena, f->name);
    f->url = arena_str(&kept->arena, f->url);
    f->requires_python = arena_str(&kept->arena, f->requires_python);
    f->yanked_reason = arena_str(&kept->arena, f->yanked_reason);
    f->uploaded = arena_str(&kept->arena, f->uploaded);
}

/* A page of only those files that candidates point at: pages can be large, and many stay in use. */
static void cut_down(struct project *p, struct str from)
{
    struct simple_page kept = {0};
    struct candidate *c;
    struct left_out *l;
    size_t at;

    from = arena_str(&kept.arena, from);
    p->name = arena_str(&kept.arena, p->name);
    vec_each(c, &p->candidates) {
        keep_file(&kept, c->file);
        c->version = version_copy(&kept.arena, &c->version);
        c->from = from;
    }
    vec_each(l, &p->left_out) {
        l->version = version_copy(&kept.arena, &l->version);
        l->requires_python = arena_str(&kept.arena, l->requires_python);
        l->uploaded = arena_str(&kept.arena, l->uploaded);
        if (l->sdist)
            keep_file(&kept, l->sdist);
    }
    for (at = 0; at < p->candidates.n; at++)
        p->candidates.v[at].file = &kept.files.v[at];
    vec_each(l, &p->left_out)
        if (l->sdist)
            l->sdist = &kept.files.v[at++];
    simple_clear(&p->page);
    p->page = kept;
}

int project_select(struct project *p, const struct wheel_target *target, struct str python_full,
                   struct str from, bool sources, struct err *e)
{
    struct judge j = {.target = target, .sources = sources};
    struct release_files files = {0};
    const struct simple_file *f;

    if (!pep440_parse(&j.python, python_full))
        return err_set(e, ERR_INPUT, "python \"" STR_FMT "\" is not a version",
                       STR_ARG(python_full));
    vec_each(f, &p->page.files)
        judge_file(&j, &files, f, p->name);
    vec_sort(&files, release_order);
    split(p, &files);
    cut_down(p, from);
    vec_clear(&files);
    buf_clear(&j.name);
    return 0;
}

void project_clear(struct project *p)
{
    vec_clear(&p->candidates);
    vec_clear(&p->left_out);
    simple_clear(&p->page);
    *p = (struct project){0};
}
