/* SPDX-License-Identifier: Apache-2.0 */
#include "linkage.h"

#include "../base/path.h"
#include "../doc/emit.h"
#include "../doc/json.h"

enum { VERSION = 1, TEXT_MAX = 64 << 20 };

/* ---- to text ---- */

static void put_text(struct doc *d, struct node *n, const char *key, struct str value)
{
    if (value.len)
        node_put_str(d, n, key, value);
}

static void put_list(struct doc *d, struct node *n, const char *key, const struct strs *values)
{
    struct node *list;

    if (!values->n)
        return;
    list = node_put(d, n, key, node_new_list(d));
    for (size_t i = 0; i < values->n; i++)
        node_add_str(d, list, values->v[i]);
}

static void put_elf(struct doc *d, struct node *n, const struct elf *elf)
{
    const struct elf_need *need;
    struct node *list;

    node_put_u64(d, n, "bits", elf->bits);
    node_put_u64(d, n, "machine", elf->machine);
    node_put_bool(d, n, "dynamic", elf->dynamic);
    put_text(d, n, "interpreter", elf->interpreter);
    put_text(d, n, "soname", elf->soname);
    put_text(d, n, "rpath", elf->rpath);
    put_text(d, n, "runpath", elf->runpath);
    put_list(d, n, "needed", &elf->needed);
    put_list(d, n, "defines", &elf->defines);
    if (!elf->needs.n)
        return;
    list = node_put(d, n, "needs", node_new_list(d));
    vec_each(need, &elf->needs) {
        struct node *item = node_add(d, list, node_new_map(d));

        node_put_str(d, item, "library", need->library);
        node_put_str(d, item, "version", need->version);
        if (need->weak)
            node_put_bool(d, item, "weak", true);
    }
}

static bool is_whiteout(struct str path)
{
    return str_starts(path_base(path), STR(".wh."));
}

static void put_entry(struct doc *d, struct node *list, const struct layer_scan_entry *entry,
                      const struct packages *packages)
{
    bool link = entry->entry.type == ENTRY_SYMLINK || entry->entry.type == ENTRY_HARDLINK;
    const struct package *owner = packages_owner(packages, entry->entry.path);
    struct node *n;

    if (!link && !is_whiteout(entry->entry.path) && !(entry->elf && !entry->elf->fault.len))
        return;
    n = node_add(d, list, node_new_map(d));
    node_put_str(d, n, "path", entry->entry.path);
    if (link)
        node_put_str(d, n, entry->entry.type == ENTRY_SYMLINK ? "symlink" : "hardlink",
                     entry->entry.link);
    if (!entry->elf || link)
        return;
    if (owner)
        node_put_str(d, n, "package", owner->name);
    put_elf(d, node_put(d, n, "elf", node_new_map(d)), &entry->elf->elf);
}

static void put_cache(struct doc *d, struct node *root, struct str bytes)
{
    struct node *list = node_put(d, root, "cache", node_new_list(d));
    struct ldcache_libs all = {0};
    const struct ldcache_lib *lib;

    if (ldcache_read(&all, bytes))
        vec_each(lib, &all) {
            struct node *n = node_add(d, list, node_new_map(d));

            node_put_str(d, n, "name", lib->soname);
            node_put_str(d, n, "path", lib->path);
        }
    vec_clear(&all);
}

struct one_layer {
    struct rootfs fs;
    struct packages packages;
};

static void one_layer_clear(struct one_layer *l)
{
    packages_clear(&l->packages);
    rootfs_clear(&l->fs);
}

int linkage_print(struct buf *out, const struct layer_scan *layer, struct err *e)
{
    CLEANUP(one_layer_clear) struct one_layer alone = {0};
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = node_new_map(&d), *list;
    const struct layer_scan_entry *entry;

    /* Hard links to files of lower layers have nothing to link to here, and no owner. */
    vec_each(entry, &layer->entries)
        if (entry->entry.type != ENTRY_HARDLINK &&
            rootfs_put(&alone.fs, &entry->entry, entry->special, entry->text, entry->elf, e) < 0)
            return -1;
    packages_find(&alone.packages, &alone.fs);
    node_put_u64(&d, root, "linkage", VERSION);
    list = node_put(&d, root, "entries", node_new_list(&d));
    vec_each(entry, &layer->entries) {
        put_entry(&d, list, entry, &alone.packages);
        if (str_is(entry->entry.path, "etc/ld.so.cache"))
            put_cache(&d, root, entry->text);
    }
    emit_json(out, root, EMIT_COMPACT);
    return 0;
}

/* ---- from text ---- */

void linkage_clear(struct linkage *l)
{
    for (size_t i = 0; i < l->elfs.n; i++) {
        elf_clear(&l->elfs.v[i]->elf);
        free(l->elfs.v[i]);
    }
    vec_clear(&l->elfs);
    vec_clear(&l->entries);
    vec_clear(&l->cache);
    doc_clear(&l->doc);
    *l = (struct linkage){0};
}

static uint32_t number(const struct node *n, const char *key)
{
    uint32_t value = 0;

    return str_u32(node_text_of(n, key), &value) ? value : 0;
}

static void take_list(struct strs *out, const struct node *n, const char *key)
{
    const struct node *list = node_get(n, key), *item;

    node_each(item, list)
        vec_add(out, item->text);
}

static struct scanned *take_elf(struct linkage *l, const struct node *n, struct str owner)
{
    struct scanned *g = xcalloc(1, sizeof *g);
    const struct node *needs = node_get(n, "needs"), *item;

    vec_add(&l->elfs, g);
    g->owner = owner;
    g->elf = (struct elf){
        .bits = number(n, "bits"),
        .little = true,
        .machine = (uint16_t)number(n, "machine"),
        .dynamic = str_is(node_text_of(n, "dynamic"), "true"),
        .interpreter = node_text_of(n, "interpreter"),
        .soname = node_text_of(n, "soname"),
        .rpath = node_text_of(n, "rpath"),
        .runpath = node_text_of(n, "runpath"),
    };
    take_list(&g->elf.needed, n, "needed");
    take_list(&g->elf.defines, n, "defines");
    node_each(item, needs)
        vec_add(&g->elf.needs,
                ((struct elf_need){node_text_of(item, "library"), node_text_of(item, "version"),
                                   node_get(item, "weak") != NULL}));
    return g;
}

static void take_entry(struct linkage *l, const struct node *n)
{
    const struct node *symlink = node_get(n, "symlink"), *hardlink = node_get(n, "hardlink");
    const struct node *elf = node_get(n, "elf");
    struct linkage_entry *entry = vec_push(&l->entries);

    entry->path = node_text_of(n, "path");
    entry->type = symlink ? ENTRY_SYMLINK : hardlink ? ENTRY_HARDLINK : ENTRY_FILE;
    entry->link = symlink ? symlink->text : hardlink ? hardlink->text : (struct str){0};
    entry->elf = elf ? take_elf(l, elf, node_text_of(n, "package")) : NULL;
}

int linkage_parse(struct linkage *out, struct str text, struct err *e)
{
    CLEANUP(linkage_clear) struct linkage l = {0};
    const struct node *list, *n;

    if (json_parse(&l.doc, text, TEXT_MAX, "linkage", e) < 0)
        return -1;
    if (number(l.doc.root, "linkage") != VERSION)
        return err_set(e, ERR_INPUT, "no linkage of version %d", VERSION);
    list = node_get(l.doc.root, "entries");
    node_each(n, list)
        take_entry(&l, n);
    list = node_get(l.doc.root, "cache");
    node_each(n, list)
        vec_add(&l.cache, ((struct ldcache_lib){.soname = node_text_of(n, "name"),
                                                .path = node_text_of(n, "path")}));
    MOVE(out, &l);
    return 0;
}

int linkage_put(struct rootfs *fs, const struct linkage *layer, struct err *e)
{
    const struct linkage_entry *from;

    vec_each(from, &layer->entries) {
        struct entry entry = {.path = from->path, .type = from->type, .link = from->link};

        /* What is linked to may be no program, and then it was left out. */
        if (from->type == ENTRY_HARDLINK && !rootfs_get(fs, from->link))
            continue;
        if (rootfs_put(fs, &entry, false, (struct str){0}, from->elf, e) < 0)
            return -1;
    }
    rootfs_next(fs);
    return 0;
}
