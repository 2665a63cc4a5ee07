/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "../base/fs.h"
#include "../base/path.h"
#include "../doc/emit.h"
#include "../doc/json.h"
#include "blob_temp.h"
#include "layout_parts.h"
#include "ref.h"

static const char layout_text[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
static const char layout_version[] = "1.0.0";

struct layout {
    struct place place;
    char *dir; /* owned */
    struct blob_files files;
    struct fd use; /* the lock */
};

const char *layout_dir(const char *text)
{
    return text + (str_starts(str_of(text), STR("oci:")) ? 4 : 0);
}

char *layout_blob_path(const char *dir, const struct digest *digest)
{
    struct buf b = {0};
    char hex[DIGEST_HEX + 1];

    digest_hex(digest, hex);
    buf_fmt(&b, "%s/blobs/sha256/%s", dir, hex);
    return buf_take(&b);
}

/* ---- blobs ---- */

static int has_blob(bool *has, struct place *p, const struct digest *digest, uint64_t size,
                    struct err *e)
{
    const struct layout *layout = (const struct layout *)p;
    CLEANUP(free_clear) char *path = layout_blob_path(layout->dir, digest);
    enum blob_file state = BLOB_ABSENT;

    if (blob_file_check(&state, &layout->files, path, digest, size, e) < 0)
        return -1;
    if (state == BLOB_WRONG) {
        p->wrong++;
        events_warn(layout->files.events,
                    "%s does not hold the bytes that its name says; it is replaced", path);
    }
    *has = state == BLOB_RIGHT;
    return 0;
}

static int share_blob(bool *shared, struct place *p, const struct digest *digest, uint64_t size,
                      struct err *e)
{
    const struct layout *layout = (const struct layout *)p;
    CLEANUP(free_clear) char *path = layout_blob_path(layout->dir, digest);

    return blob_file_share(shared, &layout->files, path, digest, size, e);
}

static int blob_open(struct place *p, struct place_blob *b, struct err *e)
{
    CLEANUP(free_clear) char *dir = path_join(((struct layout *)p)->dir, "blobs/sha256");

    return blob_temp_open(b, dir, e);
}

static int blob_finish(struct place_blob *b, struct err *e)
{
    const struct layout *layout = (const struct layout *)b->place;
    CLEANUP(free_clear) char *path = layout_blob_path(layout->dir, &b->digest);
    struct fs_temp *temp = b->state;
    struct stat written;

    if (blob_file_known(&layout->files, path, &b->digest, b->size))
        return 0; /* it stays, and what was written is dropped */
    fs_make_read_only(temp->fd.n);
    if (fstat(temp->fd.n, &written) < 0)
        return err_errno(e, "cannot write %s", path);
    if (fs_temp_publish(temp, path, true, e) < 0)
        return -1;
    blob_file_remember(&layout->files, path, &written, &b->seen);
    return 0;
}

/* ---- index.json ---- */

struct entry_node {
    struct node *node;
    struct str tag; /* empty when it has none */
    size_t place;   /* keeps equal tags in their order */
};
struct entry_nodes VEC_OF(struct entry_node);

static int entry_compare(const void *a, const void *b)
{
    const struct entry_node *x = a, *y = b;
    int order = str_cmp(x->tag, y->tag);

    return order ? order : (x->place > y->place) - (x->place < y->place);
}

static struct str tag_of(const struct node *entry)
{
    const struct node *tag = oci_member(oci_member(entry, "annotations"), ANNOTATION_REF_NAME);

    return tag && tag->kind == NODE_STRING ? tag->text : (struct str){0};
}

/* Put `added` where its tag sorts, instead of those that had its tag. Nodes of others are kept as
 * they are, with members that we do not know. */
static void replace_entry(struct node *list, struct node *added)
{
    struct entry_nodes kept = {0};
    struct entry_node *k;
    struct str tag = tag_of(added);
    struct node **link = &list->child;

    for (struct node *n = list->child; n; n = n->next)
        if (!str_eq(tag_of(n), tag))
            vec_add(&kept, ((struct entry_node){n, tag_of(n), kept.n}));
    vec_add(&kept, ((struct entry_node){added, tag, kept.n}));
    vec_sort(&kept, entry_compare);
    vec_each(k, &kept) {
        *link = k->node;
        link = &k->node->next;
    }
    *link = NULL;
    list->count = kept.n;
    vec_clear(&kept);
}

/* Parse index.json and make sure that it is one: what cannot be read is never written over. */
int layout_read_index(struct layout_index *out, const char *dir, struct err *e)
{
    CLEANUP(free_clear) char *path = path_join(dir, "index.json");

    if (fs_read(&out->text, path, IMAGE_DOC_MAX, e) < 0 ||
        image_index_parse(&out->index, buf_view(&out->text), MEDIA_INDEX, path, e) < 0)
        return -1;
    return json_parse(&out->doc, buf_view(&out->text), IMAGE_DOC_MAX, path, e);
}

void layout_index_clear(struct layout_index *i)
{
    buf_clear(&i->text);
    image_index_clear(&i->index);
    doc_clear(&i->doc);
}

struct node *layout_index_list(struct doc *doc)
{
    struct node *n;

    node_each(n, doc->root)
        if (str_is(n->key, "manifests"))
            return n;
    return NULL;
}

/* repository:tag with the parts that Docker's short names leave out; nothing without a name. */
static int full_name(struct buf *out, const struct image_name *name, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(ref_clear) struct ref ref = {0};

    if (!name->repository.len)
        return 0;
    buf_fmt(&text, STR_FMT ":" STR_FMT, STR_ARG(name->repository), STR_ARG(name->tag));
    if (ref_parse(&ref, buf_view(&text), e) < 0)
        return -1;
    ref_print_full(&ref, out);
    return 0;
}

static struct str layout_tag(const struct image_name *name)
{
    return name->layout_tag.len ? name->layout_tag : name->tag;
}

int layout_annotate(struct descriptor *d, const struct image_name *name, struct arena *arena,
                    struct err *e)
{
    CLEANUP(buf_clear) struct buf full = {0};
    struct str tag = layout_tag(name);

    if (!ref_tag_ok(tag) && !ref_name_ok(tag))
        return err_set(e, ERR_INPUT, "\"" STR_FMT "\" is not a tag", STR_ARG(tag));
    if (full_name(&full, name, e) < 0)
        return -1;
    pairs_add(&d->annotations, STR(ANNOTATION_REF_NAME), arena_str(arena, tag));
    if (full.len)
        pairs_add(&d->annotations, STR(ANNOTATION_CONTAINERD_NAME),
                  arena_str(arena, buf_view(&full)));
    return 0;
}

/* The title that an image of the layout has, if any. False: it is damaged, and so written anew. */
static bool read_title(struct buf *out, const char *dir, const struct descriptor *d)
{
    CLEANUP(free_clear) char *path = layout_blob_path(dir, &d->digest);
    CLEANUP(image_manifest_clear) struct image_manifest m = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(err_clear) struct err ignored = {0};
    const struct str *title;

    if (fs_read(&text, path, IMAGE_DOC_MAX, &ignored) < 0 ||
        image_manifest_parse(&m, buf_view(&text), NULL, path, &ignored) < 0)
        return false;
    title = pairs_get(&m.annotations, ANNOTATION_TITLE);
    if (title)
        buf_str(out, *title);
    return true;
}

static int check_entry(const char *dir, const struct descriptor *d, const struct image_name *name,
                       struct err *e)
{
    const struct str *tag = pairs_get(&d->annotations, ANNOTATION_REF_NAME);
    const struct str *recipe = pairs_get(&d->annotations, ANNOTATION_RECIPE);
    CLEANUP(buf_clear) struct buf title = {0};

    if (!tag || !str_eq(*tag, layout_tag(name)) || !read_title(&title, dir, d))
        return 0;
    if (str_eq(buf_view(&title), name->title) && (!recipe || str_eq(*recipe, name->recipe)))
        return 0;
    if (!title.len)
        return err_set(e, ERR_INPUT,
                       "layout %s: \"" STR_FMT
                       "\" is an image that no recipe made; write oci:%s:TAG "
                       "with another tag, or --replace",
                       dir, STR_ARG(*tag), dir);
    return err_set(
        e, ERR_INPUT,
        "layout %s: \"" STR_FMT "\" is the image of another recipe%s" STR_FMT
        ", with the name %s; give this one another `name`, write oci:%s:TAG with another "
        "tag, or --replace",
        dir, STR_ARG(*tag), recipe ? ", " : "", STR_ARG(recipe ? *recipe : STR("")), title.p, dir);
}

int layout_check_name(const char *dir, const struct image_name *name, struct err *e)
{
    CLEANUP(free_clear) char *path = path_join(dir, "index.json");
    CLEANUP(image_index_clear) struct image_index index = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    const struct descriptor *d;

    if (!name->title.len || name->replace)
        return 0;
    if (fs_read(&text, path, IMAGE_DOC_MAX, e) < 0 ||
        image_index_parse(&index, buf_view(&text), MEDIA_INDEX, path, e) < 0)
        return -1;
    vec_each(d, &index.manifests)
        if (check_entry(dir, d, name, e) < 0)
            return -1;
    return 0;
}

int layout_lock(struct fd *lock, const char *dir, const struct events *events, struct err *e)
{
    CLEANUP(free_clear) char *path = path_join(dir, ".lock");

    return fs_lock(lock, path, events, e);
}

/* What index.json is about to name is on the disk first. That holds also for blobs that were there
 * before: a run that was killed may have left them. */
static int sync_blobs(const char *dir, struct err *e)
{
    CLEANUP(free_clear) char *blobs = path_join(dir, "blobs/sha256");

    return fs_sync_dir(blobs, e);
}

/* All-zero where it has none, or cannot be read: then it is as good as not there. */
static void read_subject(struct digest *out, const char *dir, const struct descriptor *d)
{
    CLEANUP(free_clear) char *path = layout_blob_path(dir, &d->digest);
    CLEANUP(image_manifest_clear) struct image_manifest m = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(err_clear) struct err ignored = {0};

    if (media_type_is_manifest(d->media_type) &&
        fs_read(&text, path, IMAGE_DOC_MAX, &ignored) == 0 &&
        image_manifest_parse(&m, buf_view(&text), NULL, path, &ignored) == 0 && m.has_subject)
        *out = m.subject.digest;
}

static int tagged(struct tagged *out, struct place *p, const struct image_name *name, struct err *e)
{
    const struct layout *layout = (const struct layout *)p;
    CLEANUP(free_clear) char *path = path_join(layout->dir, "index.json");
    CLEANUP(image_index_clear) struct image_index index = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    const struct descriptor *d;

    if (fs_read(&text, path, IMAGE_DOC_MAX, e) < 0 ||
        image_index_parse(&index, buf_view(&text), MEDIA_INDEX, path, e) < 0)
        return -1;
    vec_each(d, &index.manifests) {
        const struct str *tag = pairs_get(&d->annotations, ANNOTATION_REF_NAME);

        if (!tag || !str_eq(*tag, layout_tag(name)))
            continue;
        *out = (struct tagged){.found = true, .digest = d->digest, .size = d->size};
        read_subject(&out->subject, layout->dir, d);
    }
    return 0;
}

/* One that refers to another says what it is: nobody takes it for an image. */
static void describe(struct descriptor *entry, struct image_name *name,
                     const struct image_manifest *manifest)
{
    const struct pair *own;

    if (!manifest || !manifest->has_subject)
        return;
    entry->artifact_type = manifest->artifact_type;
    vec_each(own, &manifest->annotations)
        pairs_add(&entry->annotations, own->key, own->value);
    name->repository = (struct str){0};
}

static int put_image(struct place *p, struct str json, const struct descriptor *d,
                     const struct image_manifest *manifest, const struct image_name *name,
                     struct err *e)
{
    const struct layout *layout = (const struct layout *)p;
    CLEANUP(free_clear) char *path = path_join(layout->dir, "index.json");
    CLEANUP(fd_clear) struct fd lock = {0};
    CLEANUP(layout_index_clear) struct layout_index now = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(descriptor_clear) struct descriptor entry = *d;
    struct image_name called = *name;
    struct node *list;

    entry.annotations = (struct pairs){0};
    describe(&entry, &called, manifest);
    if (sync_blobs(layout->dir, e) < 0 ||
        layout_lock(&lock, layout->dir, layout->files.events, e) < 0 ||
        layout_check_name(layout->dir, name, e) < 0 ||
        layout_read_index(&now, layout->dir, e) < 0 ||
        layout_annotate(&entry, &called, &now.doc.arena, e) < 0)
        return -1;
    if (name->recipe.len)
        pairs_add(&entry.annotations, STR(ANNOTATION_RECIPE), name->recipe);
    list = layout_index_list(&now.doc);
    replace_entry(list, descriptor_to_node(&entry, &now.doc));
    emit_json(&text, now.doc.root, EMIT_COMPACT);
    return str_eq(buf_view(&now.text), buf_view(&text)) ? fs_sync_dir(layout->dir, e)
                                                        : fs_write(path, buf_view(&text), e);
}

/* ---- open ---- */

static bool may_be_ours(const char *name)
{
    return !strcmp(name, ".lock") || !strcmp(name, "blobs") ||
           str_starts(str_of(name), STR(".envbuild-"));
}

/* A folder that another run is just making has no oci-layout yet, but holds nothing foreign. */
static int check_folder(const char *dir, struct err *e)
{
    CLEANUP(names_clear) struct names names = {0};
    char **name;

    if (fs_list(&names, dir, e) < 0)
        return -1;
    vec_each(name, &names)
        if (!strcmp(*name, "oci-layout"))
            return 0;
    vec_each(name, &names)
        if (!may_be_ours(*name))
            return err_set(
                e, ERR_INPUT,
                "%s is not an OCI layout and holds other things (\"%s\"); name an empty or a"
                " new folder",
                dir, *name);
    return 0;
}

static int check_version(const char *path, struct err *e)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    struct str version = {0};

    if (json_read(&doc, path, IMAGE_DOC_MAX, e) < 0 ||
        oci_member_str(&version, doc.root, "imageLayoutVersion", e) < 0)
        return -1;
    if (!str_is(version, layout_version))
        return err_at(e, &doc.root->pos, "imageLayoutVersion is \"" STR_FMT "\"; only %s is known",
                      STR_ARG(version), layout_version);
    return 0;
}

static int make_layout(const char *dir, const struct events *events, struct err *e)
{
    CLEANUP(free_clear) char *blobs = path_join(dir, "blobs/sha256");
    CLEANUP(free_clear) char *header = path_join(dir, "oci-layout");
    CLEANUP(free_clear) char *index = path_join(dir, "index.json");
    CLEANUP(buf_clear) struct buf empty = {0};
    CLEANUP(fd_clear) struct fd lock = {0};
    struct image_index none = {0};

    if (layout_lock(&lock, dir, events, e) < 0 || fs_mkdirs_synced(blobs, e) < 0)
        return -1;
    /* The header first: by it others know the folder for a layout, whatever else is in it. */
    if (fs_exists(header) ? check_version(header, e) < 0
                          : fs_write(header, str_of(layout_text), e) < 0)
        return -1;
    if (fs_exists(index))
        return 0;
    image_index_write(&none, &empty);
    return fs_write(index, buf_view(&empty), e);
}

static int close_layout(struct place *p, struct err *e)
{
    return 0; /* every image was committed when it was put */
}

static void free_layout(struct place *p)
{
    struct layout *layout = (struct layout *)p;

    fd_clear(&layout->use);
    free(layout->dir);
    free(p);
}

static const struct place_ops layout_ops = {
    .has_blob = has_blob,
    .share_blob = share_blob,
    .blob_open = blob_open,
    .blob_write = blob_temp_write,
    .blob_finish = blob_finish,
    .blob_clear = blob_temp_clear,
    .put_image = put_image,
    .close = close_layout,
    .free = free_layout,
    .tagged = tagged,
};

int layout_use(struct fd *out, const char *dir, const struct events *events, struct err *e)
{
    CLEANUP(free_clear) char *header = path_join(dir, "oci-layout");

    return fs_lock_shared(out, header, events, e);
}

int layout_open(struct place **out, const char *dir, const struct blob_files *files, struct err *e)
{
    CLEANUP(fd_clear) struct fd use = {0};
    struct layout *layout;

    if (fs_mkdirs_synced(dir, e) < 0 || check_folder(dir, e) < 0 ||
        make_layout(dir, files->events, e) < 0 || layout_use(&use, dir, files->events, e) < 0)
        return err_wrap(e, "layout %s", dir);
    layout = xcalloc(1, sizeof *layout);
    MOVE(&layout->use, &use);
    layout->place = (struct place){.ops = &layout_ops, .task = "write"};
    layout->dir = xstrdup(dir);
    layout->files = *files;
    *out = &layout->place;
    return 0;
}
