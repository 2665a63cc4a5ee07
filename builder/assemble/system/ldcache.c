/* SPDX-License-Identifier: Apache-2.0 */
#include "ldcache.h"

#include <elf.h>
#include <fnmatch.h>

#include "../../base/path.h"

enum {
    HEAD = 48,
    RECORD = 24,
    FLAGS_X86_64_LIBC6 = 0x303,
    LITTLE_ENDIAN_FLAG = 2,
    CONF_DEPTH = 8,
    LINKS_MAX = 16,
    CONF_MAX = 1024 * 1024,
    PROGRAM_HEADERS = 256,
    DYNAMIC_MAX = 64 * 1024,
    SONAME_MAX = 1024,
    NOTES_MAX = 64 * 1024,
    ISA_MASK = 1023, /* ten bits of the capabilities */
};
static const uint32_t extension_magic = 0xEAA42174u;

/* A folder to look into. */
struct dir {
    struct str text;    /* as written in the configuration */
    struct str real;    /* the same, resolved */
    struct str variant; /* below glibc-hwcaps: the processors that it is for; else empty */
};

/* What a library's notes say. */
struct notes {
    uint32_t os_version; /* the oldest Linux that it runs on: 3.2.0 is 0x00030200 */
    uint32_t isa;        /* x86-64-v<isa + 1> is what it needs */
};

/* A line of the cache. */
struct lib {
    struct str soname, path, variant;
    struct notes notes;
    size_t seen; /* position in which it was found: decides among equals */
};

/* A string of the cache and where it will lie. */
struct text {
    struct str s;
    uint32_t offset;
};

struct cache {
    const struct tree *t;
    const struct map *outside;
    bool os_versions; /* as ldconfig noted them before glibc 2.36 */
    struct arena arena;
    struct VEC_OF(struct dir) dirs;
    struct strs variants; /* names of folders below glibc-hwcaps, each once */
    struct strs used;     /* those of them that hold libraries: the cache numbers them */
    struct VEC_OF(struct lib) libs;
    struct map seen; /* paths of libs */
    struct VEC_OF(struct text) texts;
    int64_t newest;
};

static void cache_clear(struct cache *c)
{
    map_clear(&c->seen);
    vec_clear(&c->texts);
    vec_clear(&c->libs);
    vec_clear(&c->used);
    vec_clear(&c->variants);
    vec_clear(&c->dirs);
    arena_clear(&c->arena);
}

static void note_date(struct cache *c, const struct entry *entry)
{
    if (entry->mtime > c->newest)
        c->newest = entry->mtime;
}

/* `len` bytes of a file's content; false when it has not that many. */
static bool peek(const struct content *c, void *to, size_t len, uint64_t offset)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* what cannot be read is no library */

    if (len > c->size || offset > c->size - len)
        return false;
    if (c->kind == CONTENT_BYTES) {
        memcpy(to, (const char *)c->bytes + offset, len);
        return true;
    }
    return c->kind == CONTENT_RANGE &&
           fd_pread_all(c->input->fd.n, to, len, c->offset + offset, "library", &ignored) == 0;
}

/* The file offset of a virtual address, by the loadable segments. */
static bool file_offset(const Elf64_Phdr *ph, size_t n, uint64_t address, uint64_t *offset)
{
    for (size_t i = 0; i < n; i++)
        if (ph[i].p_type == PT_LOAD && address >= ph[i].p_vaddr &&
            address - ph[i].p_vaddr < ph[i].p_filesz) {
            *offset = address - ph[i].p_vaddr + ph[i].p_offset;
            return true;
        }
    return false;
}

/* Copy the NUL-ended string at `offset` into the arena; empty when there is none. */
static struct str peek_string(struct arena *a, const struct content *c, uint64_t offset)
{
    char text[SONAME_MAX];
    uint64_t left = offset < c->size ? c->size - offset : 0;
    size_t len = left < sizeof text ? (size_t)left : sizeof text;

    if (!len || !peek(c, text, len, offset) || !memchr(text, '\0', len))
        return STR("");
    return arena_str(a, str_of(text));
}

static struct str dynamic_soname(struct arena *a, const struct content *c, const Elf64_Phdr *ph,
                                 size_t n, const Elf64_Phdr *dynamic)
{
    uint64_t table = 0, name = 0, offset;
    bool named = false;
    Elf64_Dyn d;

    for (uint64_t at = 0; at + sizeof d <= dynamic->p_filesz && at < DYNAMIC_MAX; at += sizeof d) {
        if (!peek(c, &d, sizeof d, dynamic->p_offset + at) || d.d_tag == DT_NULL)
            break;
        if (d.d_tag == DT_STRTAB)
            table = d.d_un.d_ptr;
        if (d.d_tag == DT_SONAME) {
            name = d.d_un.d_val;
            named = true;
        }
    }
    if (!named || !file_offset(ph, n, table, &offset) ||
        __builtin_add_overflow(offset, name, &offset))
        return STR("");
    return peek_string(a, c, offset);
}

static size_t aligned(size_t size, uint64_t align)
{
    return (size + align - 1) & ~(align - 1);
}

static void note_os(struct notes *out, const char *desc, size_t len)
{
    uint32_t v[4];

    if (len != sizeof v || out->os_version)
        return;
    memcpy(v, desc, sizeof v);
    out->os_version = v[0] << 24 | (v[1] & 255) << 16 | (v[2] & 255) << 8 | (v[3] & 255);
}

/* x86-64 psABI, "program property": type and size, the data padded to 8. */
static void note_isa(struct notes *out, const char *desc, size_t len)
{
    uint32_t property[3]; /* type, size, and the bits if it is the one */

    for (size_t at = 0; at + sizeof property <= len;) {
        memcpy(property, desc + at, sizeof property);
        if (property[0] == GNU_PROPERTY_X86_ISA_1_NEEDED && property[1] == 4 && property[2])
            out->isa = 31 - (uint32_t)__builtin_clz(property[2]);
        if (aligned(property[1], 8) > len - at)
            return;
        at += 8 + aligned(property[1], 8);
    }
}

/* The notes of one segment: head, name, content, each padded. */
static void read_notes(struct notes *out, const struct content *c, const Elf64_Phdr *ph)
{
    uint64_t align = ph->p_align == 8 ? 8 : 4;
    size_t len = ph->p_filesz < NOTES_MAX ? (size_t)ph->p_filesz : NOTES_MAX;
    CLEANUP(free_clear) char *notes = xmalloc(len + 1);
    Elf64_Nhdr head;

    if (!peek(c, notes, len, ph->p_offset))
        return;
    for (size_t at = 0; at + sizeof head + 4 <= len;) {
        memcpy(&head, notes + at, sizeof head);
        if (head.n_namesz > len || head.n_descsz > len)
            return;
        size_t desc = aligned(sizeof head + head.n_namesz, align);
        size_t size = desc + aligned(head.n_descsz, align);
        if (desc > len - at || head.n_descsz > len - at - desc)
            return;
        if (head.n_namesz == 4 && memcmp(notes + at + sizeof head, ELF_NOTE_GNU, 4) == 0) {
            if (head.n_type == NT_GNU_ABI_TAG)
                note_os(out, notes + at + desc, head.n_descsz);
            if (head.n_type == NT_GNU_PROPERTY_TYPE_0 && align == 8)
                note_isa(out, notes + at + desc, head.n_descsz);
        }
        if (size > len - at)
            return;
        at += size;
    }
}

/* Whether this is a library for x86-64; *soname stays empty when it names none. */
static bool read_elf(struct arena *a, const struct content *c, struct str *soname,
                     struct notes *notes)
{
    Elf64_Ehdr head;
    Elf64_Phdr ph[PROGRAM_HEADERS];

    if (!peek(c, &head, sizeof head, 0) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
        head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_ident[EI_DATA] != ELFDATA2LSB ||
        head.e_machine != EM_X86_64 || head.e_type != ET_DYN || head.e_phentsize != sizeof ph[0] ||
        head.e_phnum > PROGRAM_HEADERS || !peek(c, ph, head.e_phnum * sizeof ph[0], head.e_phoff))
        return false;
    for (size_t i = 0; i < head.e_phnum; i++)
        if (ph[i].p_type == PT_DYNAMIC)
            *soname = dynamic_soname(a, c, ph, head.e_phnum, &ph[i]);
    for (size_t i = 0; i < head.e_phnum; i++)
        if (ph[i].p_type == PT_NOTE && ph[i].p_align >= 4)
            read_notes(notes, c, &ph[i]);
    return true;
}

static int read_conf(struct cache *c, struct str path, unsigned depth, struct err *e);

/* "include /etc/ld.so.conf.d/\*.conf": the matching files in byte order. */
static int include(struct cache *c, struct str pattern, unsigned depth, struct err *e)
{
    struct strs found = {0};
    const struct entry *entry;
    int rc = 0;

    str_skip(&pattern, STR("/"));
    CLEANUP(free_clear) char *glob = str_dup(pattern);
    vec_each(entry, &c->t->entries)
        if (entry->type != ENTRY_DIR && fnmatch(glob, entry->path.p, FNM_PATHNAME) == 0)
            vec_add(&found, entry->path);
    vec_sort(&found, str_compare);
    for (size_t i = 0; i < found.n && rc == 0; i++)
        rc = read_conf(c, found.v[i], depth + 1, e);
    vec_clear(&found);
    return rc;
}

static void add_dir(struct cache *c, struct str text, struct str variant)
{
    struct str relative = text;
    const struct dir *dir;

    str_skip(&relative, STR("/"));
    const struct entry *real = tree_follow(c->t, relative);
    if (!real || real->type != ENTRY_DIR)
        return;
    vec_each(dir, &c->dirs)
        if (str_eq(dir->real, real->path))
            return;
    vec_add(&c->dirs, ((struct dir){text, real->path, variant}));
}

static int read_conf(struct cache *c, struct str path, unsigned depth, struct err *e)
{
    const struct entry *entry = tree_follow(c->t, path);
    struct str line, dir;

    if (!entry || entry->type != ENTRY_FILE)
        return 0;
    if (depth > CONF_DEPTH || entry->content.size > CONF_MAX)
        return err_set(e, ERR_INPUT, "/" STR_FMT ": includes too deep or too large", STR_ARG(path));
    note_date(c, entry);
    size_t size = (size_t)entry->content.size;
    char *bytes = arena_alloc(&c->arena, size + 1);
    if (!peek(&entry->content, bytes, size, 0))
        return err_set(e, ERR_INPUT, "/" STR_FMT " cannot be read", STR_ARG(path));
    struct str text = {bytes, size};
    while (str_line(&text, &line)) {
        line = str_trim(str_sub(line, 0, str_find(line, '#')));
        if (str_skip(&line, STR("include "))) {
            while (str_word(&line, &dir))
                if (include(c, dir, depth, e) < 0)
                    return -1;
        } else if (str_starts(line, STR("/"))) {
            str_drop(&line, STR("/"));
            add_dir(c, line, STR(""));
        }
    }
    return 0;
}

static bool is_library_name(struct str name)
{
    return (str_starts(name, STR("lib")) || str_starts(name, STR("ld-"))) &&
           str_find_str(name, STR(".so")) < name.len && !str_has(name, ';') &&
           !str_ends(name, STR(".dpkg-new")) && !str_ends(name, STR(".dpkg-tmp")) &&
           str_find_str(name, STR(".#prelink#.")) == name.len;
}

/* "libx.so" for the linker, which points to libx.so.1: listed under its own name. */
static bool is_linker_name(struct str name, struct str soname)
{
    return str_ends(name, STR(".so")) && str_starts(soname, name);
}

/* The folders right below `dir`/glibc-hwcaps: libraries for some processors only. */
static void add_variants(struct cache *c, struct dir dir)
{
    struct str hwcaps = str_of(arena_fmt(&c->arena, STR_FMT "/glibc-hwcaps/", STR_ARG(dir.real)));
    struct strs names = {0};
    const struct entry *entry;

    vec_each(entry, &c->t->entries) {
        struct str name = entry->path;
        const struct entry *real;
        if (!str_skip(&name, hwcaps) || str_has(name, '/') || str_has(name, ':') ||
            str_starts(name, STR(".")))
            continue;
        real = tree_follow(c->t, entry->path);
        if (real && real->type == ENTRY_DIR)
            vec_add(&names, name);
    }
    vec_sort(&names, str_compare);
    for (size_t i = 0; i < names.n; i++) {
        strs_add_once(&c->variants, names.v[i]);
        add_dir(c,
                str_of(arena_fmt(&c->arena, STR_FMT "/glibc-hwcaps/" STR_FMT, STR_ARG(dir.text),
                                 STR_ARG(names.v[i]))),
                names.v[i]);
    }
    vec_clear(&names);
}

static void add_lib(struct cache *c, const struct dir *dir, struct str soname, struct notes notes)
{
    struct str path =
        str_of(arena_fmt(&c->arena, STR_FMT "/" STR_FMT, STR_ARG(dir->text), STR_ARG(soname)));
    struct str real =
        str_of(arena_fmt(&c->arena, STR_FMT "/" STR_FMT, STR_ARG(dir->real), STR_ARG(soname)));

    if (map_has(&c->seen, path) || !tree_get(c->t, real))
        return;
    map_set(&c->seen, path, c);
    if (dir->variant.len)
        strs_add_once(&c->used, dir->variant);
    struct lib *lib = vec_push(&c->libs);
    *lib = (struct lib){soname, path, dir->variant, notes, c->libs.n};
}

/* Where a link leads, by way of others, outside of the tree; empty when it does not. */
static struct str leads_to(const struct tree *t, const struct entry *entry)
{
    CLEANUP(buf_clear) struct buf beside = {0};

    for (unsigned hops = 0; entry->type == ENTRY_SYMLINK && hops < LINKS_MAX; hops++) {
        struct str target = entry->link, inside = target;
        size_t folder = entry->path.len - path_base(entry->path).len;

        if (!str_skip(&inside, STR("/"))) {
            buf_reset(&beside);
            buf_fmt(&beside, STR_FMT STR_FMT, STR_ARG(str_sub(entry->path, 0, folder)),
                    STR_ARG(target));
            inside = buf_view(&beside);
        }
        entry = tree_get(t, inside);
        if (!entry)
            return str_starts(target, STR("/")) ? target : STR("");
    }
    return STR("");
}

/* A link to a library of a wheel. */
static void look_outside(struct cache *c, const struct dir *dir, const struct entry *entry,
                         struct str name)
{
    struct str target = leads_to(c->t, entry), soname = path_base(target);

    if (!target.len || !map_has(c->outside, target) ||
        str_find_str(soname, STR(".so")) == soname.len)
        return;
    note_date(c, entry);
    add_lib(c, dir, is_linker_name(name, soname) ? name : soname, (struct notes){0});
}

static void look_at(struct cache *c, const struct dir *dir, const struct entry *entry,
                    struct str name)
{
    const struct entry *file = tree_follow(c->t, entry->path);
    struct str soname = {0};
    struct notes notes = {0};

    if (!file && entry->type == ENTRY_SYMLINK && c->outside) {
        look_outside(c, dir, entry, name);
        return;
    }

    if (file && file->type == ENTRY_HARDLINK)
        file = tree_get(c->t, file->link);
    if (!file || file->type != ENTRY_FILE || !read_elf(&c->arena, &file->content, &soname, &notes))
        return;
    note_date(c, entry);
    note_date(c, file);
    if (!soname.len || (entry->type == ENTRY_SYMLINK && is_linker_name(name, soname)))
        soname = name;
    add_lib(c, dir, soname, notes);
}

static void look_into(struct cache *c, const struct dir *dir)
{
    const struct entry *entry;

    vec_each(entry, &c->t->entries) {
        struct str name = entry->path;
        if (str_skip(&name, dir->real) && str_skip(&name, STR("/")) && entry->type != ENTRY_DIR &&
            !str_has(name, '/') && is_library_name(name))
            look_at(c, dir, entry, name);
    }
}

static uint64_t take_number(struct str *s)
{
    uint64_t n = 0;

    for (; s->len && c_digit(*s->p); s->p++, s->len--)
        n = n * 10 + (uint64_t)(*s->p - '0');
    return n;
}

/* The loader's own order of library names: its binary search depends on it. */
static int compare_names(struct str a, struct str b)
{
    while (a.len && b.len) {
        bool da = c_digit(*a.p), db = c_digit(*b.p);
        if (da && db) {
            uint64_t x = take_number(&a), y = take_number(&b);
            if (x != y)
                return x < y ? -1 : 1;
        } else if (da != db) {
            return da ? 1 : -1;
        } else {
            if (*a.p != *b.p)
                return *a.p - *b.p;
            a = str_sub(a, 1, a.len);
            b = str_sub(b, 1, b.len);
        }
    }
    return (a.len != 0) - (b.len != 0);
}

/* Among equals, those for some processors come first: the loader stops at the first other one. */
static int compare_libs(const void *a, const void *b)
{
    const struct lib *x = a, *y = b;
    int order = compare_names(y->soname, x->soname);

    if (!order)
        order = !x->variant.len - !y->variant.len;
    if (!order)
        order = str_cmp(x->variant, y->variant);
    return order ? order : (x->seen > y->seen) - (x->seen < y->seen);
}

/* By the reversed string, descending, the longer first: tails follow what they can share. */
static int compare_texts(const void *a, const void *b)
{
    struct str x = ((const struct text *)a)->s, y = ((const struct text *)b)->s;

    while (x.len && y.len) {
        int order = (unsigned char)y.p[--y.len] - (unsigned char)x.p[--x.len];
        if (order)
            return order;
    }
    return (x.len < y.len) - (x.len > y.len);
}

/* Give every string its place after `start`; returns the size of the string table. */
static uint32_t place_texts(struct cache *c, uint32_t start)
{
    const struct lib *lib;
    size_t kept = 0;

    vec_each(lib, &c->libs) {
        vec_add(&c->texts, ((struct text){.s = lib->soname}));
        vec_add(&c->texts, ((struct text){.s = lib->path}));
    }
    for (size_t i = 0; i < c->variants.n; i++)
        vec_add(&c->texts, ((struct text){.s = c->variants.v[i]}));
    vec_sort(&c->texts, compare_texts);
    uint32_t next = start;
    for (size_t i = 0; i < c->texts.n; i++) {
        struct text *t = &c->texts.v[kept], *last = kept ? t - 1 : NULL;
        *t = c->texts.v[i];
        if (last && str_eq(last->s, t->s))
            continue;
        if (last && str_ends(last->s, t->s))
            t->offset = last->offset + (uint32_t)(last->s.len - t->s.len);
        else
            t->offset = next;
        next = t->offset + (uint32_t)t->s.len + 1;
        kept++;
    }
    c->texts.n = kept;
    return next - start;
}

static uint32_t place_of(const struct cache *c, struct str s)
{
    struct text key = {.s = s};
    const struct text *found = bsearch(&key, c->texts.v, c->texts.n, sizeof key, compare_texts);

    return found->offset;
}

static void put_u32(struct buf *out, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        buf_putc(out, (char)(unsigned char)(n >> (8 * i)));
}

static void put_zeros(struct buf *out, size_t n)
{
    while (n--)
        buf_putc(out, '\0');
}

/* Hardware capabilities: none; or that this is a variant, which ISA it asks for, and its number. */
static void put_capabilities(const struct cache *c, struct buf *out, const struct lib *lib)
{
    static const uint32_t is_variant = 1u << 30;
    uint32_t number = 0;

    while (number < c->used.n && !str_eq(c->used.v[number], lib->variant))
        number++;
    put_u32(out, lib->variant.len ? number : 0);
    put_u32(out, lib->variant.len ? is_variant | (lib->notes.isa & ISA_MASK) : 0);
}

static void put_records(const struct cache *c, struct buf *out)
{
    const struct lib *lib;

    vec_each(lib, &c->libs) {
        put_u32(out, FLAGS_X86_64_LIBC6);
        put_u32(out, place_of(c, lib->soname));
        put_u32(out, place_of(c, lib->path));
        put_u32(out, c->os_versions ? lib->notes.os_version : 0);
        put_capabilities(c, out, lib);
    }
}

static void put_texts(const struct cache *c, struct buf *out, size_t size)
{
    const struct text *t;
    size_t start = out->len;

    put_zeros(out, size);
    vec_each(t, &c->texts)
        memcpy(out->p + (t->offset - start) + start, t->s.p, t->s.len);
}

static void put_section(struct buf *out, uint32_t tag, uint32_t start, uint32_t size)
{
    put_u32(out, tag);
    put_u32(out, 0); /* flags */
    put_u32(out, start);
    put_u32(out, size);
}

/* The extension at `start`: heads of its sections, then the names of variants, then the generator.
 */
static void put_extension(const struct cache *c, struct buf *out, uint32_t start,
                          struct str generator)
{
    enum { GENERATOR, VARIANTS };
    uint32_t sections = c->used.n ? 2 : 1, names = (uint32_t)c->used.n * 4;
    uint32_t data = start + 8 + 16 * sections;

    put_u32(out, extension_magic);
    put_u32(out, sections);
    put_section(out, GENERATOR, data + names, (uint32_t)generator.len);
    if (names)
        put_section(out, VARIANTS, data, names);
    for (size_t i = 0; i < c->used.n; i++)
        put_u32(out, place_of(c, c->used.v[i]));
    buf_str(out, generator);
}

static void write_cache(struct cache *c, struct buf *out, struct str generator)
{
    uint32_t records = (uint32_t)(c->libs.n * RECORD);
    uint32_t size = place_texts(c, HEAD + records);
    uint32_t extension = (HEAD + records + size + 3) / 4 * 4;

    buf_puts(out, "glibc-ld.so.cache1.1");
    put_u32(out, (uint32_t)c->libs.n);
    put_u32(out, size);
    put_u32(out, LITTLE_ENDIAN_FLAG);
    put_u32(out, extension);
    put_zeros(out, 12);
    put_records(c, out);
    put_texts(c, out, size);
    put_zeros(out, extension - out->len);
    put_extension(c, out, extension, generator);
}

int ldcache_build(struct buf *out, const struct tree *t, struct str generator, bool os_versions,
                  const struct map *outside, int64_t *newest, struct err *e)
{
    static const char *const defaults[] = {"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu",
                                           "/lib", "/usr/lib"};
    CLEANUP(cache_clear) struct cache c = {.t = t, .outside = outside, .os_versions = os_versions};

    if (read_conf(&c, STR("etc/ld.so.conf"), 0, e) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
        add_dir(&c, str_of(defaults[i]), STR(""));
    for (size_t i = 0, n = c.dirs.n; i < n; i++)
        add_variants(&c, c.dirs.v[i]);
    for (size_t i = 0; i < c.dirs.n; i++)
        look_into(&c, &c.dirs.v[i]);
    vec_sort(&c.used, str_compare);
    vec_sort(&c.libs, compare_libs);
    buf_reset(out);
    write_cache(&c, out, generator);
    if (newest)
        *newest = c.newest;
    return 0;
}
