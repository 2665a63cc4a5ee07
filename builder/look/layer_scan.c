/* SPDX-License-Identifier: Apache-2.0 */
#include "layer_scan.h"

#include "../base/path.h"

enum {
    CHUNK = 256 * 1024,
    ELF_MIN = 64,        /* bytes; nothing shorter is one */
    HEAD_TEXT = 8 << 10, /* of files whose first lines tell all */
    LIST_TEXT = 8 << 20, /* of lists of files */
};

/* ---- which texts ---- */

/* Files that tell what is in an image: by their path's beginning and end. */
static const struct {
    const char *starts, *ends;
    uint64_t max;
} texts[] = {
    {"", "/torch/version.py", HEAD_TEXT},
    {"", ".dist-info/METADATA", HEAD_TEXT},
    {"", ".dist-info/RECORD", LIST_TEXT},
    {"", ".egg-info/PKG-INFO", HEAD_TEXT},
    {"", ".egg-info", HEAD_TEXT},
    {"", "/pyvenv.cfg", HEAD_TEXT},
    {"", "/patchlevel.h", HEAD_TEXT},
    {"", "/cudnn_version.h", HEAD_TEXT},
    {"", "/cudnn_version_v8.h", HEAD_TEXT},
    {"", "/nccl.h", HEAD_TEXT},
    {"usr/local/cuda", "/version.json", HEAD_TEXT},
    {"usr/local/cuda", "/version.txt", HEAD_TEXT},
    {"etc/os-release", "", HEAD_TEXT},
    {"usr/lib/os-release", "", HEAD_TEXT},
    {"etc/ld.so.cache", "", LIST_TEXT},
    {"var/lib/dpkg/status", "", LIST_TEXT},
    {"var/lib/dpkg/info/", ".list", LIST_TEXT},
    {"lib/apk/db/installed", "", LIST_TEXT},
};

/* "…/conda-meta/numpy-1.26.4-py311h08b1b3b_0.json" */
static bool is_conda(struct str path)
{
    struct str base = path_base(path);
    struct str folder = str_sub(path, 0, path.len - base.len);

    return str_ends(base, STR(".json")) && str_ends(folder, STR("conda-meta/"));
}

static uint64_t text_of(struct str path)
{
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (str_starts(path, str_of(texts[i].starts)) && str_ends(path, str_of(texts[i].ends)))
            return texts[i].max;
    return is_conda(path) ? LIST_TEXT : 0;
}

/* ---- the file that is passing ---- */

static struct layer_scan_entry *current(struct layer_scan *g)
{
    return &g->entries.v[g->current];
}

static int elf_write(struct layer_scan *g, const void *bytes, size_t len, struct err *e)
{
    if (sink_write(&g->pass.sink, bytes, len, e) < 0)
        return -1;
    return g->scan ? sink_write(&g->scan->sink, bytes, len, e) : 0;
}

static int elf_end(struct layer_scan *g, struct scanned *out, struct err *e)
{
    if ((g->scan && sink_finish(&g->scan->sink, e) < 0) || elf_pass_end(&g->pass, &out->elf, e) < 0)
        return -1;
    fatbin_settle(&g->found, &g->spots, &out->elf);
    vec_clear(&out->elf.sections);
    MOVE(&out->code, &g->found);
    return 0;
}

static void elf_forget(struct layer_scan *g)
{
    elf_pass_clear(&g->pass);
    vec_clear(&g->spots);
    fatbin_list_clear(&g->found);
}

/* The first bytes tell what it is, however few come at once. */
static int take_head(struct layer_scan *g, const char **bytes, size_t *len, struct err *e)
{
    size_t n = sizeof g->head - (size_t)g->at;

    n = n < *len ? n : *len;
    memcpy(g->head + g->at, *bytes, n);
    g->at += n;
    *bytes += n;
    *len -= n;
    if (g->at < sizeof g->head || current(g)->entry.content.size < ELF_MIN ||
        !elf_is((struct str){g->head, sizeof g->head}))
        return 0;
    g->is_elf = true;
    elf_pass_begin(&g->pass, g->scratch, current(g)->entry.content.size, g->what.p);
    if (g->scan) {
        fatbin_scan_init(g->scan, &g->found, FATBIN_EMBEDDED);
        g->scan->spots = &g->spots;
    }
    return elf_write(g, g->head, sizeof g->head, e);
}

static int layer_scan_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct layer_scan *g = (struct layer_scan *)((char *)self - offsetof(struct layer_scan, sink));
    const char *p = bytes;
    uint64_t room = g->text_max > g->at ? g->text_max - g->at : 0;

    buf_add(&g->text, p, len < room ? len : (size_t)room);
    if (g->at < sizeof g->head && take_head(g, &p, &len, e) < 0)
        return -1;
    g->at += len;
    return g->is_elf ? elf_write(g, p, len, e) : 0;
}

void layer_scan_open(struct layer_scan *g, int scratch, bool code)
{
    *g = (struct layer_scan){
        .scratch = scratch,
        .sink = {layer_scan_write, NULL},
        .scan = code ? xmalloc(sizeof *g->scan) : NULL,
    };
}

void layer_scan_clear(struct layer_scan *g)
{
    for (size_t i = 0; i < g->elfs.n; i++) {
        elf_clear(&g->elfs.v[i]->elf);
        fatbin_list_clear(&g->elfs.v[i]->code);
    }
    vec_clear(&g->elfs);
    vec_clear(&g->entries);
    elf_forget(g);
    free(g->scan);
    buf_clear(&g->text);
    buf_clear(&g->what);
    arena_clear(&g->arena);
    arena_clear(&g->elf_arena);
    *g = (struct layer_scan){0};
}

void layer_scan_drop_entries(struct layer_scan *g)
{
    vec_clear(&g->entries);
    arena_clear(&g->arena);
}

void layer_scan_begin(struct layer_scan *g, const struct entry *entry, bool special,
                      struct sink **data)
{
    struct layer_scan_entry *own = vec_push(&g->entries);

    *own = (struct layer_scan_entry){.entry = *entry, .special = special};
    own->entry.path = arena_str(&g->arena, entry->path);
    own->entry.link = arena_str(&g->arena, entry->link);
    own->entry.content = (struct content){.size = entry->content.size};
    g->current = g->entries.n - 1;
    g->at = 0;
    g->is_elf = false;
    g->text_max = entry->type == ENTRY_FILE && !special ? text_of(entry->path) : 0;
    buf_reset(&g->text);
    buf_reset(&g->what);
    buf_str(&g->what, entry->path);
    *data = entry->type == ENTRY_FILE && !special && (g->text_max || entry->content.size >= ELF_MIN)
                ? &g->sink
                : NULL;
}

bool layer_scan_wants(const struct layer_scan *g)
{
    return g->at < sizeof g->head || g->is_elf || g->at < g->text_max;
}

int layer_scan_end(struct layer_scan *g, struct err *e)
{
    struct layer_scan_entry *entry = current(g);
    CLEANUP(err_clear) struct err fault = {0};
    struct scanned *elf;

    entry->text = arena_str(&g->arena, buf_view(&g->text));
    if (!g->is_elf)
        return 0;
    elf = arena_alloc(&g->elf_arena, sizeof *elf);
    vec_add(&g->elfs, elf);
    entry->elf = elf;
    if (elf_end(g, elf, &fault) < 0)
        elf->fault = arena_str(&g->elf_arena, str_of(fault.msg));
    elf_forget(g);
    return err_is_set(&fault) && fault.kind != ERR_INPUT
               ? err_join(e, &fault) /* the scratch file */
               : 0;
}

/* ---- a layer ---- */

static int take_file(struct layer_scan *g, struct sink *to, struct source *data, struct err *e)
{
    CLEANUP(free_clear) char *chunk = xmalloc(CHUNK);
    size_t got = 1;

    while (got && layer_scan_wants(g))
        if (source_read(data, chunk, CHUNK, &got, e) < 0 || sink_write(to, chunk, got, e) < 0)
            return -1;
    return layer_scan_end(g, e);
}

int layer_scan_take(void *scan, const struct tar_entry *entry, struct source *data, struct err *e)
{
    struct layer_scan *g = scan;
    struct sink *to;

    layer_scan_begin(g, &entry->entry, entry->special, &to);
    return to ? take_file(g, to, data, e) : 0;
}
