/* SPDX-License-Identifier: Apache-2.0 */
#include "stored_saved.h"

#include "../doc/json.h"
#include "../io/crypto.h"

/* "Layers" of manifest.json become the manifest's, by their diff_ids. */
static int take_layers(struct stored *s, const struct node *names, struct err *e)
{
    const struct node *n;

    node_each(n, names) {
        size_t i = s->manifest.layers.n;
        struct descriptor *d;
        uint64_t size;

        if (!stored_files_has(&s->files, n->text, &size))
            return err_set(e, ERR_INPUT, "%s lacks its layer \"" STR_FMT "\"", s->files.path,
                           STR_ARG(n->text));
        if (i >= s->config.diff_ids.n)
            return err_set(e, ERR_INPUT, "%s: the image has more layers than diff_ids",
                           s->files.path);
        d = vec_push(&s->manifest.layers);
        d->media_type = STR(MEDIA_LAYER);
        d->digest = s->config.diff_ids.v[i];
        d->size = size;
        stored_files_alias(&s->files, &d->digest, n->text);
    }
    return s->manifest.layers.n == s->config.diff_ids.n
               ? 0
               : err_set(e, ERR_INPUT, "%s: the image has fewer layers than diff_ids",
                         s->files.path);
}

/* "pytorch:2.6" is also what "docker.io/library/pytorch:2.6" is called. */
bool stored_saved_is_called(struct str name, struct str asked)
{
    struct str rest = name;

    return str_eq(name, asked) ||
           (str_ends(name, asked) && name.len > asked.len &&
            (name.p[name.len - asked.len - 1] == '/' || name.p[name.len - asked.len - 1] == ':')) ||
           (str_skip(&rest, STR("docker.io/library/")) && str_eq(rest, asked));
}

/* The item of manifest.json that is meant. */
static const struct node *pick_saved(const struct stored *s, const struct node *list,
                                     struct str asked, struct err *e)
{
    CLEANUP(buf_clear) struct buf names = {0};
    const struct node *item, *tag, *found = NULL;
    size_t n = 0;

    node_each(item, list) {
        const struct node *tags = node_get(item, "RepoTags");
        bool is = !asked.len;

        node_each(tag, tags) {
            buf_fmt(&names, "%s" STR_FMT, names.len ? ", " : "", STR_ARG(tag->text));
            is |= stored_saved_is_called(tag->text, asked);
        }
        if (is) {
            found = item;
            n++;
        }
    }
    if (n == 1)
        return found;
    err_set(e, ERR_INPUT, "%s %s; it has %s", s->files.path,
            n ? "holds several images: name one behind a \":\"" : "holds no such image",
            names.len ? names.p : "images without a name");
    return NULL;
}

static int hash_all(struct digest *out, const struct stored *s, struct err *e)
{
    const struct stored_files *f = &s->files;
    CLEANUP(source_clear) struct source *from = source_file(f->fd.n, 0, f->size, f->path);
    CLEANUP(hash_source_clear) struct hash_source hashing;

    from->events = s->events;
    hash_source_open(&hashing, from);
    if (source_drain(&hashing.source, e) < 0)
        return -1;
    hash_finish(&hashing.hash, out);
    return 0;
}

int stored_exported_open(struct stored *s, struct err *e)
{
    struct descriptor *d;
    struct digest digest;

    if (hash_all(&digest, s, e) < 0)
        return -1;
    s->no_digests = true;
    s->config.platform = (struct platform){.os = STR("linux"), .architecture = s->files.arch};
    vec_add(&s->config.diff_ids, digest);
    d = vec_push(&s->manifest.layers);
    d->media_type = STR(MEDIA_LAYER);
    d->digest = digest;
    d->size = s->files.size;
    stored_files_alias_all(&s->files, &digest);
    return 0;
}

int stored_saved_open(struct stored *s, const struct stored_text *place, struct err *e)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    const struct node *item, *tags;
    struct str text;
    uint64_t size;

    if (!stored_files_has(&s->files, STR("manifest.json"), &size) && s->files.tree)
        return stored_exported_open(s, e);
    if (!stored_files_has(&s->files, STR("manifest.json"), &size))
        return err_set(e, ERR_INPUT,
                       "%s is not an image: it holds neither an index.json nor a manifest.json",
                       s->files.path);
    if (stored_files_text(&text, &s->files, STR("manifest.json"), e) < 0 ||
        json_parse(&doc, text, IMAGE_DOC_MAX, "manifest.json", e) < 0)
        return -1;
    item = pick_saved(s, doc.root, place->tag, e);
    if (!item)
        return -1;
    tags = node_get(item, "RepoTags");
    if (tags && tags->child)
        s->name = arena_str(&s->files.arena, tags->child->text);
    s->no_digests = true;
    if (stored_files_text(&text, &s->files, node_text_of(item, "Config"), e) < 0)
        return -1;
    s->config_text = text;
    if (image_config_parse(&s->config, text, "config", e) < 0)
        return err_wrap(e, "%s", s->files.path);
    return take_layers(s, node_get(item, "Layers"), e);
}
