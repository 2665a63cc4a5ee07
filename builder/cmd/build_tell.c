/* SPDX-License-Identifier: Apache-2.0 */
#include "build_tell.h"

#include "../model/finding.h"
#include "../model/lock_form.h"
#include "output.h"

/* ---- as JSON ---- */

static void put_layers(struct doc *d, struct node *map, const struct lock *lock)
{
    struct node *list = node_put(d, map, "layers", node_new_list(d));
    const struct lock_layer *l;
    char digest[DIGEST_TEXT + 1];

    vec_each(l, &lock->layers) {
        struct node *n = node_add(d, list, node_new_map(d));

        digest_text(&l->digest, digest);
        node_put_str(d, n, "name", l->name);
        node_put_u64(d, n, "size", l->size);
        node_put_str(d, n, "digest", str_of(digest));
    }
}

/* One of several that an index names. */
static void put_form(struct doc *d, struct node *map, struct lock *lock, enum compression how)
{
    char digest[DIGEST_TEXT + 1];

    lock_take_form(lock, how);
    digest_text(&lock->manifest, digest);
    node_put_str(d, map, "compression", str_of(compression_name(how)));
    node_put_str(d, map, "digest", str_of(digest));
    put_layers(d, map, lock);
}

static void put_product(struct doc *d, struct node *map, const struct build_job *job,
                        const struct build_product *p)
{
    struct lock *lock = &job->work->lock;
    CLEANUP(buf_clear) struct buf reference = {0};
    char digest[DIGEST_TEXT + 1];
    struct node *list;

    digest_text(&p->digest, digest);
    dest_print_put(&p->dest, &p->name, &p->digest, &reference);
    if (job->cell.len)
        node_put_str(d, map, "cell", job->cell);
    node_put_str(d, map, "reference", buf_view(&reference));
    node_put_str(d, map, "name", lock->name);
    node_put_str(d, map, "tag", lock->tag);
    node_put_str(d, map, "digest", str_of(digest));
    node_put_str(d, map, "lock", str_of(job->work->lock_path));
    lock_take_form(lock, p->forms.v[0]);
    put_layers(d, map, lock);
    list = p->forms.n > 1 ? node_put(d, map, "forms", node_new_list(d)) : NULL;
    for (size_t i = 0; i < p->forms.n && list; i++)
        put_form(d, node_add(d, list, node_new_map(d)), lock, p->forms.v[i]);
    lock_take_own_form(lock);
    node_put_u64(d, map, "size", p->size);
    node_put_u64(d, map, "shared", p->size - p->fresh.bytes);
    if (p->dest.kind == DEST_REGISTRY)
        node_put_u64(d, map, "sent", p->sent);
    node_put_u64(d, map, "milliseconds", p->ms);
    findings_put(d, map, lock);
}

/* ---- in words ---- */

/* What was wrong was told one by one, and is right now. */
static void print_audit(const struct audit *audit, const struct place *place)
{
    size_t wrong = audit->damaged + place->wrong;

    output_message(
        "audit: %zu files of the store read again, %zu layers and their diff_ids made again; "
        "%zu in the store and %u in the output were wrong%s",
        audit->blobs, audit->layers, audit->damaged, place->wrong,
        wrong ? ", and are replaced" : "");
}

/* What to type next. */
static void add_next(struct buf *out, const struct work *w, const struct dest *dest,
                     const struct image_name *name)
{
    CLEANUP(buf_clear) struct buf image = {0};

    dest_print(dest, name, &image);
    switch (dest->kind) {
    case DEST_DOCKER:
    case DEST_PODMAN:
        buf_fmt(out, "; next: `envbuild run %s` starts it", w->operand);
        return;
    case DEST_LAYOUT:
        buf_fmt(out, "; next: `envbuild %s -o docker:` loads it", w->operand);
        return;
    case DEST_REGISTRY:
        buf_fmt(out, "; next: `docker pull " STR_FMT ":" STR_FMT "`", STR_ARG(name->repository),
                STR_ARG(name->tag));
        return;
    case DEST_DOCKER_ARCHIVE:
        if (dest->path)
            buf_fmt(out, "; next: `docker load -i %s`", dest->path);
        return;
    case DEST_FOLDER:
    case DEST_OCI_ARCHIVE:
        buf_fmt(out, "; next: `envbuild copy %s docker://HOST/NAME:TAG`", image.p);
        return;
    }
}

/* "  3.1 GiB in 12 layers, 2 new and 10 reused, 24 s; next: ...". */
static void print_last(const struct build_job *job, const struct build_product *p,
                       struct session *s)
{
    CLEANUP(buf_clear) struct buf line = {0};

    progress_size(&line, p->size);
    buf_fmt(&line, " in %zu layers, %zu new and %zu reused, ", p->layers, p->fresh.layers,
            p->layers - p->fresh.layers);
    if (p->dest.kind == DEST_REGISTRY) {
        progress_size(&line, p->sent);
        buf_puts(&line, " sent, ");
    }
    progress_time(&line, progress_now(s->progress));
    add_next(&line, job->work, &p->dest, &p->name);
    output_message("  %s", line.p);
}

static void add_cell(struct buf *line, size_t width, const char *text)
{
    buf_fmt(line, "  %-*s", (int)width, text);
}

/* Recipes of a folder may have one tag and differ by their names. */
static void add_name(struct buf *out, const struct build_job *job, bool folder)
{
    const struct lock *lock = &job->work->lock;

    if (folder)
        buf_fmt(out, STR_FMT ":", STR_ARG(lock->name));
    buf_str(out, lock->tag);
}

/* A line an image: what it is called, its digest, its size, what of that was there, what is new
 * there, how long it took. */
static void print_row(const struct build_job *job, const struct build_product *p, bool folder,
                      size_t width)
{
    CLEANUP(buf_clear)
    struct buf line = {0}, tag = {0}, size = {0}, there = {0}, fresh = {0}, time = {0};
    char digest[DIGEST_TEXT + 1];

    digest_text(&p->digest, digest);
    digest[sizeof "sha256:" - 1 + 12] = '\0';
    add_name(&tag, job, folder);
    progress_size(&size, p->size);
    progress_size(&there, p->size - p->fresh.bytes);
    progress_size(&fresh, p->dest.kind == DEST_REGISTRY ? p->sent : p->fresh.bytes);
    progress_time(&time, p->ms);
    add_cell(&line, width, tag.p);
    add_cell(&line, 0, digest);
    add_cell(&line, 8, size.p);
    add_cell(&line, 8, there.p);
    add_cell(&line, 8, fresh.p);
    add_cell(&line, 0, time.p);
    output_message("%s", line.p);
}

static void print_table(const struct build_jobs *jobs, bool folder)
{
    const struct build_job *job;
    const struct build_product *p;
    CLEANUP(buf_clear) struct buf head = {0};
    size_t width = 3;

    vec_each(job, jobs) {
        CLEANUP(buf_clear) struct buf name = {0};

        add_name(&name, job, folder);
        width = name.len > width ? name.len : width;
    }
    add_cell(&head, width, folder ? "name" : "tag");
    add_cell(&head, DIGEST_TEXT - DIGEST_HEX + 12, "digest");
    add_cell(&head, 8, "size");
    add_cell(&head, 8, "there");
    add_cell(&head, 8, "new");
    add_cell(&head, 0, "time");
    output_message("%s", head.p);
    vec_each(job, jobs)
        if (!job->failed)
            vec_each(p, &job->products)
                print_row(job, p, folder, width);
}

/* ---- all of it ---- */

/* The first that is there. Of a job that failed nothing may be. */
static const struct build_product *first_product(const struct build_jobs *jobs)
{
    const struct build_job *job;

    vec_each(job, jobs)
        if (!job->failed)
            return &job->products.v[0];
    return NULL;
}

/* Several recipes, whatever became of them, or several places. */
static bool is_many(const struct build_jobs *jobs, const struct build_args *a)
{
    return jobs->n > 1 || a->folder || a->outputs.n > 1;
}

/* An object, or a list of such where there may be several. */
static void print_json(const struct build_jobs *jobs, const struct build_args *a, struct session *s,
                       struct err *faults)
{
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = node_new_map(&d), *list = NULL;
    const struct build_job *job;
    const struct build_product *p;

    node_put_u64(&d, root, "envbuild_output", 1);
    if (is_many(jobs, a) || jobs->v[0].cell.len)
        list = node_put(&d, root, "images", node_new_list(&d));
    vec_each(job, jobs)
        if (!job->failed)
            vec_each(p, &job->products)
                put_product(&d, list ? node_add(&d, list, node_new_map(&d)) : root, job, p);
    if (err_is_set(faults)) {
        s->no = (int)faults->kind;
        session_put_errors(&d, root, faults);
        err_clear(faults);
    }
    session_json(s, &d, root);
}

/* The references, as other tools take them. Where stdout carries the image itself the digest tells
 * what that is, on stderr. */
static void print_references(const struct build_job *job)
{
    const struct build_product *p;

    vec_each(p, &job->products) {
        CLEANUP(buf_clear) struct buf reference = {0};
        char digest[DIGEST_TEXT + 1];

        digest_text(&p->digest, digest);
        dest_print_put(&p->dest, &p->name, &p->digest, &reference);
        if (dest_is_stdout(&p->dest))
            output_message("%s@%s", reference.p, digest);
        else
            output_print("%s\n", reference.p);
    }
}

void build_tell(const struct build_jobs *jobs, struct place *const *places,
                const struct build_args *a, struct session *s, struct err *faults)
{
    const struct build_job *job;
    const struct build_product *p;

    progress_pause(s->progress);
    vec_each(job, jobs)
        vec_each(p, &job->products)
            if (a->audit && !job->failed)
                print_audit(&p->audit, places[p - job->products.v]);
    if (a->silent)
        return;
    if (s->json && !dest_is_stdout(&first_product(jobs)->dest)) {
        print_json(jobs, a, s, faults);
        return;
    }
    vec_each(job, jobs)
        if (!job->failed)
            print_references(job);
    if (s->quiet || s->json)
        return;
    if (is_many(jobs, a))
        print_table(jobs, a->folder);
    else
        print_last(&jobs->v[0], first_product(jobs), s);
}
