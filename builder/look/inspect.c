/* SPDX-License-Identifier: Apache-2.0 */
#include "inspect.h"

#include "../base/fs.h"
#include "../base/pool.h"
#include "../oci/layer_read.h"
#include "image_facts.h"

/* ---- layers ---- */

struct reading {
    const struct stored *image;
    const struct scan_memory *memory;
    const char *scratch_dir;
    struct layer_scan *scans;
};

struct reading_layer {
    const struct reading *r;
    size_t i;
};

/* The file that the layer is, if it is one by itself; NULL else. */
static char *file_of(const struct reading *r, const struct descriptor *d)
{
    return r->image->no_digests ? NULL : stored_files_blob_path(&r->image->files, &d->digest);
}

/* *known false: it is to be read. */
static int recall(struct layer_scan *g, bool *known, const struct reading *r, const char *path,
                  const struct descriptor *d, struct err *e)
{
    *known = path && blob_file_known(&r->memory->files, path, &d->digest, d->size);
    return *known ? scan_recall(g, known, r->memory, &d->digest, e) : 0;
}

static int read_layer(void *ctx, struct err *e)
{
    const struct reading_layer *job = ctx;
    const struct reading *r = job->r;
    const struct descriptor *d = &r->image->manifest.layers.v[job->i];
    CLEANUP(fs_temp_clear) struct fs_temp scratch = {0};
    CLEANUP(free_clear) char *path = file_of(r, d);
    struct layer_scan *g = &r->scans[job->i];
    struct stat before;
    struct seen seen;
    bool known;

    if (fs_temp_open(&scratch, r->scratch_dir, e) < 0)
        return -1;
    layer_scan_open(g, scratch.fd.n, true);
    if (recall(g, &known, r, path, d, e) < 0)
        return -1;
    if (known)
        return 0;
    if (path && stat(path, &before) < 0)
        return err_errno(e, "cannot read %s", path);
    if (layer_read(r->image, job->i, false, layer_scan_take, g, &seen, e) < 0)
        return -1;
    if (!path)
        return 0;
    blob_file_remember(&r->memory->files, path, &before, &seen);
    scan_remember(r->memory, g, &seen);
    return 0;
}

static int read_layers(struct inspection *out, const struct reading *r, unsigned jobs,
                       struct err *e)
{
    const struct descriptors *layers = &r->image->manifest.layers;
    CLEANUP(free_clear) struct reading_layer *each = xcalloc(layers->n + 1, sizeof *each);
    CLEANUP(pool_clear) struct pool *pool = pool_open(jobs);

    for (size_t i = 0; i < layers->n; i++) {
        each[i] = (struct reading_layer){r, i};
        pool_add(pool, layers->v[i].size, (unsigned)i, read_layer, &each[i]);
    }
    return pool_wait(pool, e);
}

/* ---- putting them together ---- */

static struct str made_by(const struct image_config *c, size_t layer)
{
    const struct image_history *h;

    vec_each(h, &c->history)
        if (!h->empty_layer && layer-- == 0)
            return h->created_by;
    return (struct str){0};
}

static int put_layer(struct inspection *out, size_t i, struct err *e)
{
    struct layer_scan *g = &out->scans[i];
    const struct descriptor *d = &out->image->manifest.layers.v[i];
    struct inspect_layer *layer = vec_push(&out->layers);
    const struct layer_scan_entry *entry;

    layer->digest = d->digest;
    layer->size = d->size;
    layer->made_by = made_by(&out->image->config, i);
    out->size += d->size;
    vec_each(entry, &g->entries) {
        if (rootfs_put(&out->fs, &entry->entry, entry->special, entry->text, entry->elf, e) < 0)
            return -1;
        if (entry->entry.type != ENTRY_FILE || entry->special)
            continue;
        layer->plain += entry->entry.content.size;
        layer->files++;
    }
    rootfs_next(&out->fs);
    layer_scan_drop_entries(g);
    return 0;
}

static void count(struct inspection *out)
{
    for (size_t i = 0; i < out->fs.nodes.n; i++) {
        const struct rootfs_node *n = out->fs.nodes.v[i];

        if (n->gone || n->type != ENTRY_FILE || n->special || n->linked)
            continue;
        out->files++;
        out->plain += n->size;
        if (!packages_owner(&out->packages, n->path))
            out->unowned += n->size;
    }
}

int inspect(struct inspection *out, const struct stored *image, const struct catalog *catalog,
            const struct scan_memory *memory, const char *scratch_dir, unsigned jobs, struct err *e)
{
    CLEANUP(inspection_clear) struct inspection in = {.image = image};
    struct reading r = {image, memory, scratch_dir, NULL};

    in.scans_n = image->manifest.layers.n;
    in.scans = r.scans = xcalloc(in.scans_n + 1, sizeof *in.scans);
    if (read_layers(&in, &r, jobs, e) < 0)
        return -1;
    for (size_t i = 0; i < in.scans_n; i++)
        if (put_layer(&in, i, e) < 0)
            return err_wrap(e, "layer %zu", i + 1);
    packages_find(&in.packages, &in.fs);
    count(&in);
    image_facts_find(&in, catalog);
    MOVE(out, &in);
    return 0;
}

int inspection_prove(struct proof *out, const struct inspection *in, struct err *e)
{
    const struct rootfs_node *cache = rootfs_get(&in->fs, STR("etc/ld.so.cache"));

    if (cache)
        proof_cache(out, cache->text);
    proof_image(out, &in->fs, &in->packages, &in->image->config.env,
                in->image->config.platform.architecture);
    return proof_run(out, e);
}

void inspection_clear(struct inspection *i)
{
    for (size_t k = 0; k < i->scans_n; k++)
        layer_scan_clear(&i->scans[k]);
    free(i->scans);
    vec_clear(&i->pythons);
    vec_clear(&i->nvccs);
    vec_clear(&i->torches);
    vec_clear(&i->libraries);
    vec_clear(&i->codes);
    vec_clear(&i->layers);
    vec_clear(&i->drivers);
    packages_clear(&i->packages);
    rootfs_clear(&i->fs);
    arena_clear(&i->arena);
    *i = (struct inspection){0};
}
