/* The dpkg database as dpkg 1.21 writes it: status, info files, triggers, diversions. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "system_parts.h"

#include "../../io/crypto.h"

/* Fields of a status paragraph in dpkg's order. Those that stand in no control file (Status,
 * Conffiles) are written at their place; all others follow in the control file's own order. */
static const char *const field_order[] = {
    "Package",        "Essential",   "Protected",      "Status",   "Priority",     "Section",
    "Installed-Size", "Origin",      "Maintainer",     "Bugs",     "Architecture", "Multi-Arch",
    "Source",         "Version",     "Config-Version", "Replaces", "Provides",     "Depends",
    "Pre-Depends",    "Recommends",  "Suggests",       "Breaks",   "Conflicts",    "Enhances",
    "Conffiles",      "Description",
};

static bool is_ordered(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(field_order); i++)
        if (str_eq_nocase(name, str_of(field_order[i])))
            return true;
    return false;
}

static void put_field(struct buf *out, const char *name, struct str value)
{
    if (value.len)
        buf_fmt(out, "%s:%s" STR_FMT "\n", name, value.p[0] == '\n' ? "" : " ", STR_ARG(value));
}

/* The packaged file of that path, to hash what it held when it was installed. */
static int hash_packaged(const struct debpkg *p, struct str path, char md5[MD5_HEX + 1],
                         struct err *e)
{
    const struct deb_entry *d;

    str_skip(&path, STR("/"));
    vec_each(d, &p->entries) {
        CLEANUP(buf_clear) struct buf text = {0};
        if (d->entry.type != ENTRY_FILE || !str_eq(d->entry.path, path))
            continue;
        if (content_text(&d->entry.content, &text, "a conffile", e) < 0)
            return -1;
        md5_hex(md5, text.p ? text.p : "", text.len);
        return 0;
    }
    return err_set(e, ERR_INPUT,
                   "package " STR_FMT " names the conffile /" STR_FMT " and does not hold it",
                   STR_ARG(p->name), STR_ARG(path));
}

static int put_conffiles(struct buf *out, const struct debpkg *p, struct err *e)
{
    struct str text = debpkg_text(p, "conffiles"), line;
    char md5[MD5_HEX + 1];
    bool begun = false;

    while (str_line(&text, &line)) {
        line = str_trim(line);
        bool leaving = str_skip(&line, STR("remove-on-upgrade "));
        if (!str_starts(line, STR("/")))
            continue;
        if (!leaving && hash_packaged(p, line, md5, e) < 0)
            return -1;
        buf_fmt(out, "%s " STR_FMT " %s\n", begun ? "" : "Conffiles:\n", STR_ARG(line),
                leaving ? "newconffile remove-on-upgrade" : md5);
        begun = true;
    }
    return 0;
}

static int put_paragraph(struct buf *out, const struct debpkg *p, struct err *e)
{
    const struct control_field *f;

    for (size_t i = 0; i < ARRAY_LEN(field_order); i++) {
        const char *name = field_order[i];
        if (strcmp(name, "Status") == 0)
            buf_puts(out, "Status: install ok installed\n");
        else if (strcmp(name, "Conffiles") != 0)
            put_field(out, name, control_get(&p->control, name));
        else if (put_conffiles(out, p, e) < 0)
            return -1;
    }
    vec_each(f, &p->control.fields)
        if (!is_ordered(f->name))
            buf_fmt(out, STR_FMT ":%s" STR_FMT "\n", STR_ARG(f->name),
                    str_starts(f->value, STR("\n")) ? "" : " ", STR_ARG(f->value));
    buf_putc(out, '\n');
    return 0;
}

static int add_status(struct build *b, struct err *e)
{
    CLEANUP(buf_clear) struct buf out = {0};

    for (size_t i = 0; i < b->n; i++)
        if (put_paragraph(&out, b->v[i], e) < 0)
            return -1;
    return make_file(b, "/var/lib/dpkg/status", 0644, 0, b->newest, buf_view(&out), e);
}

/* "/." and then every path of the archive as it is written there, without its final slash. */
static void put_list(struct buf *out, const struct debpkg *p)
{
    const struct deb_entry *d;

    buf_puts(out, "/.\n");
    vec_each(d, &p->entries)
        buf_fmt(out, "/" STR_FMT "\n", STR_ARG(d->entry.path));
}

static void info_path(struct buf *out, const struct debpkg *p, struct str kind)
{
    buf_reset(out);
    buf_fmt(out, "/var/lib/dpkg/info/" STR_FMT, STR_ARG(p->name));
    if (p->same)
        buf_fmt(out, ":" STR_FMT, STR_ARG(p->arch));
    buf_fmt(out, "." STR_FMT, STR_ARG(kind));
}

static bool is_script(struct str name)
{
    static const char *const scripts[] = {"preinst", "postinst", "prerm", "postrm", "config"};

    for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
        if (str_is(name, scripts[i]))
            return true;
    return false;
}

static int add_infos(struct build *b, const struct debpkg *p, struct err *e)
{
    CLEANUP(buf_clear) struct buf path = {0};
    CLEANUP(buf_clear) struct buf list = {0};
    const struct deb_info *info;

    put_list(&list, p);
    info_path(&path, p, STR("list"));
    if (make_file(b, path.p, 0644, 0, p->newest, buf_view(&list), e) < 0)
        return -1;
    vec_each(info, &p->infos) {
        struct entry entry = {.type = ENTRY_FILE, .mtime = info->mtime, .content = info->content};
        if (str_is(info->name, "control"))
            continue;
        info_path(&path, p, info->name);
        entry.path = str_sub(buf_view(&path), 1, path.len);
        entry.mode = is_script(info->name) ? 0755 : 0644;
        if (tree_add(b->t, &entry, false, e) < 0)
            return -1;
    }
    return 0;
}

/* One "interest" line of a package's triggers file. */
struct interest {
    struct str name; /* of the trigger, or a path */
    const struct debpkg *package;
    bool noawait;
};
struct interests VEC_OF(struct interest);

static void read_interests(const struct debpkg *p, struct interests *out)
{
    struct str text = debpkg_text(p, "triggers"), line, word;

    while (str_line(&text, &line)) {
        struct interest i = {.package = p};
        if (!str_word(&line, &word) || !str_skip(&word, STR("interest")))
            continue;
        i.noawait = str_is(word, "-noawait");
        if (str_word(&line, &i.name))
            vec_add(out, i);
    }
}

static int compare_interests(const void *a, const void *b)
{
    const struct interest *x = a, *y = b;
    int order = str_cmp(x->name, y->name);

    return order ? order : str_cmp(x->package->name, y->package->name);
}

static void put_interest(struct buf *out, const struct interest *i)
{
    buf_str(out, i->package->name);
    if (i->package->same)
        buf_fmt(out, ":" STR_FMT, STR_ARG(i->package->arch));
    buf_puts(out, i->noawait ? "/noawait\n" : "\n");
}

/* triggers/File for paths, triggers/<name> for the others; `v` is sorted by name. */
static int write_interests(struct build *b, const struct interests *v, struct err *e)
{
    CLEANUP(buf_clear) struct buf files = {0};
    int64_t files_date = 0;

    for (size_t i = 0; i < v->n;) {
        CLEANUP(buf_clear) struct buf text = {0};
        CLEANUP(buf_clear) struct buf path = {0};
        struct str name = v->v[i].name;
        bool is_path = str_starts(name, STR("/"));
        int64_t date = 0;
        for (; i < v->n && str_eq(v->v[i].name, name); i++) {
            if (is_path)
                buf_fmt(&files, STR_FMT " ", STR_ARG(name));
            put_interest(is_path ? &files : &text, &v->v[i]);
            if (v->v[i].package->newest > date)
                date = v->v[i].package->newest;
        }
        if (is_path && date > files_date)
            files_date = date;
        buf_fmt(&path, "/var/lib/dpkg/triggers/" STR_FMT, STR_ARG(name));
        if (!is_path && make_file(b, path.p, 0644, 0, date, buf_view(&text), e) < 0)
            return -1;
    }
    return make_file(b, "/var/lib/dpkg/triggers/File", 0644, 0, files_date, buf_view(&files), e);
}

static int add_triggers(struct build *b, struct err *e)
{
    struct interests all = {0};

    for (size_t i = 0; i < b->n; i++)
        read_interests(b->v[i], &all);
    vec_sort(&all, compare_interests);
    int rc = write_interests(b, &all, e);
    vec_clear(&all);
    return rc;
}

/* What packages divert, so that no other package can bring it. */
struct diversion {
    const char *package;
    const char *script, *said; /* words of that script that show that this release does it */
    const char *from, *to;
};
struct diversions VEC_OF(const struct diversion *);

#define GUARD(package, said, lib)                               \
    {                                                           \
        package, "preinst", said, "/lib/x86_64-linux-gnu/" lib, \
            "/lib/x86_64-linux-gnu/" lib ".usr-is-merged"       \
    }
static const struct diversion all_diversions[] = {
    {"base-files", "preinst", "\"/.$d.usr-is-merged\"", "/lib32", "/.lib32.usr-is-merged"},
    {"base-files", "preinst", "\"/.$d.usr-is-merged\"", "/libo32", "/.libo32.usr-is-merged"},
    {"base-files", "preinst", "\"/.$d.usr-is-merged\"", "/libx32", "/.libx32.usr-is-merged"},
    {"base-files", "preinst", "--divert /$d.usr-is-merged", "/bin", "/bin.usr-is-merged"},
    {"base-files", "preinst", "--divert /$d.usr-is-merged", "/lib", "/lib.usr-is-merged"},
    {"base-files", "preinst", "--divert /$d.usr-is-merged", "/lib32", "/lib32.usr-is-merged"},
    {"base-files", "preinst", "--divert /$d.usr-is-merged", "/lib64", "/lib64.usr-is-merged"},
    {"base-files", "preinst", "--divert /$d.usr-is-merged", "/libo32", "/libo32.usr-is-merged"},
    {"base-files", "preinst", "--divert /$d.usr-is-merged", "/sbin", "/sbin.usr-is-merged"},
    {"dash", "postinst", "--divert $distrib --add $dfile", "/bin/sh", "/bin/sh.distrib"},
    {"dash", "postinst", "--divert $distrib --add $dfile", "/usr/share/man/man1/sh.1.gz",
     "/usr/share/man/man1/sh.distrib.1.gz"},
    {"libc6", "preinst", "--divert \"/lib64/ld-linux-x86-64.so.2.usr-is-merged\"",
     "/lib64/ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2.usr-is-merged"},
    GUARD("libreadline8t64", "/lib/x86_64-linux-gnu/$lib.usr-is-merged", "libhistory.so.8"),
    GUARD("libreadline8t64", "/lib/x86_64-linux-gnu/$lib.usr-is-merged", "libhistory.so.8.2"),
    GUARD("libreadline8t64", "/lib/x86_64-linux-gnu/$lib.usr-is-merged", "libreadline.so.8"),
    GUARD("libreadline8t64", "/lib/x86_64-linux-gnu/$lib.usr-is-merged", "libreadline.so.8.2"),
    GUARD("libtirpc3t64", "/lib/x86_64-linux-gnu/$file.usr-is-merged", "libtirpc.so.3"),
    GUARD("libtirpc3t64", "/lib/x86_64-linux-gnu/$file.usr-is-merged", "libtirpc.so.3.0.0"),
    GUARD("libext2fs2t64", "/lib/x86_64-linux-gnu/lib$lib.usr-is-merged", "libe2p.so.2"),
    GUARD("libext2fs2t64", "/lib/x86_64-linux-gnu/lib$lib.usr-is-merged", "libe2p.so.2.3"),
    GUARD("libext2fs2t64", "/lib/x86_64-linux-gnu/lib$lib.usr-is-merged", "libext2fs.so.2"),
    GUARD("libext2fs2t64", "/lib/x86_64-linux-gnu/lib$lib.usr-is-merged", "libext2fs.so.2.4"),
    {"parallel", "preinst", "--divert /usr/bin/parallel.moreutils", "/usr/bin/parallel",
     "/usr/bin/parallel.moreutils"},
    {"parallel", "preinst", "--divert /usr/bin/parallel.moreutils",
     "/usr/share/man/man1/parallel.1.gz", "/usr/share/man/man1/parallel.moreutils.1.gz"},
    {"vim-runtime", "preinst", "vimcur=\"vim91\"", "/usr/share/vim/vim91/doc/help.txt",
     "/usr/share/vim/vim91/doc/help.txt.vim-tiny"},
    {"vim-runtime", "preinst", "vimcur=\"vim91\"", "/usr/share/vim/vim91/doc/tags",
     "/usr/share/vim/vim91/doc/tags.vim-tiny"},
};

struct str build_diverted(const struct build *b, const struct debpkg *p, struct str path)
{
    for (size_t i = 0; i < ARRAY_LEN(all_diversions); i++) {
        const struct diversion *d = &all_diversions[i];
        if (!str_is(path, d->from + 1) || str_is(p->name, d->package))
            continue;
        const struct debpkg *by = build_package(b, d->package);
        if (by && script_says(by, d->script, d->said))
            return str_of(d->to + 1);
    }
    return path;
}

/* dpkg writes diversions in the order of its table of paths: FNV-1a of the path without its first
 * slash, by the number of slots. */
static uint32_t slot_of(const char *path)
{
    enum { SLOTS = 262139 };
    uint32_t hash = 2166136261u;

    while (*++path)
        hash = (hash ^ (unsigned char)*path) * 16777619u;
    return hash % SLOTS;
}

static int compare_diversions(const void *a, const void *b)
{
    const struct diversion *x = *(const struct diversion *const *)a;
    const struct diversion *y = *(const struct diversion *const *)b;
    uint32_t m = slot_of(x->from), n = slot_of(y->from);

    return m == n ? strcmp(x->from, y->from) : m < n ? -1 : 1;
}

/* Each diversion is three lines: from, to, by whom. */
static int add_diversions(struct build *b, int64_t date, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct diversions found = {0};

    for (size_t i = 0; i < ARRAY_LEN(all_diversions); i++) {
        const struct diversion *d = &all_diversions[i];
        const struct debpkg *p = build_package(b, d->package);
        if (!p || !script_says(p, d->script, d->said))
            continue;
        vec_add(&found, d);
        date = found.n == 1 || p->newest > date ? p->newest : date;
    }
    vec_sort(&found, compare_diversions);
    for (size_t i = 0; i < found.n; i++)
        buf_fmt(&text, "%s\n%s\n%s\n", found.v[i]->from, found.v[i]->to, found.v[i]->package);
    vec_clear(&found);
    return make_file(b, "/var/lib/dpkg/diversions", 0644, 0, date, buf_view(&text), e);
}

static int add_fixed(struct build *b, int64_t date, struct err *e)
{
    const struct debpkg *dpkg = build_package(b, "dpkg");
    static const char *const dirs[] = {"updates", "parts", "alternatives", "info", "triggers"};
    static const struct {
        const char *path, *text;
        uint32_t mode;
    } files[] = {
        {"info/format", "1\n", 0644},    {"lock", "", 0640},
        {"lock-frontend", "", 0640},     {"triggers/Lock", "", 0600},
        {"triggers/Unincorp", "", 0644},
    };
    CLEANUP(buf_clear) struct buf path = {0};
    CLEANUP(buf_clear) struct buf arch = {0};

    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        buf_reset(&path);
        buf_fmt(&path, "/var/lib/dpkg/%s", dirs[i]);
        if (make_dir(b, path.p, 0755, 0, date, e) < 0)
            return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        buf_reset(&path);
        buf_fmt(&path, "/var/lib/dpkg/%s", files[i].path);
        if (make_file(b, path.p, files[i].mode, 0, date, str_of(files[i].text), e) < 0)
            return -1;
    }
    buf_fmt(&arch, STR_FMT "\n", STR_ARG(b->in->arch));
    if (dpkg && script_says(dpkg, "postinst", "arch-native") &&
        make_file(b, "/var/lib/dpkg/arch-native", 0644, 0, date, buf_view(&arch), e) < 0)
        return -1;
    return make_file(b, "/var/lib/dpkg/arch", 0644, 0, date, buf_view(&arch), e);
}

int system_dpkg_infos(struct build *b, struct err *e)
{
    for (size_t i = 0; i < b->n; i++)
        if (add_infos(b, b->v[i], e) < 0)
            return -1;
    return 0;
}

int system_dpkg(struct build *b, struct err *e)
{
    const struct debpkg *dpkg = build_package(b, "dpkg");
    int64_t date = dpkg ? dpkg->newest : 0;

    if (add_fixed(b, date, e) < 0 || add_diversions(b, date, e) < 0 ||
        system_dpkg_infos(b, e) < 0 || add_triggers(b, e) < 0)
        return -1;
    return add_status(b, e);
}
