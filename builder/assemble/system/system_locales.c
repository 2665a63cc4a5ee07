/* What locale-gen(8) and the postinst of locales make: Debian's and Ubuntu's compile, as
 * /etc/locale.gen says, what the answers to its questions chose. The answers are here the locales
 * that the image's variables ask for, and the compiled files are those of the package locales-all,
 * which are what localedef(1) gives of the same sources.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "system_parts.h"

#include "../../base/path.h"
#include "../../model/locale.h"

#define LOCALES "usr/lib/locale"

enum { LINKS_MAX = 8 };

static const struct entry *entry_of(const struct debpkg *p, struct str path)
{
    const struct deb_entry *d;

    vec_each(d, &p->entries)
        if (str_eq(d->entry.path, path))
            return &d->entry;
    return NULL;
}

/* A locale shares files with others: those are links to theirs. Ubuntu's share with C.UTF-8 too,
 * which comes with libc-bin. */
static const struct entry *file_of(const struct build *b, const struct debpkg *p,
                                   const struct entry *entry)
{
    for (int i = 0; entry && entry->type != ENTRY_FILE && i < LINKS_MAX; i++) {
        CLEANUP(buf_clear) struct buf joined = {0}, target = {0};
        struct str folder = entry->path, name;

        if (entry->type == ENTRY_DIR)
            return NULL;
        str_cut_last(&folder, STR("/"), &name);
        if (entry->type == ENTRY_SYMLINK)
            buf_fmt(&joined, STR_FMT "/", STR_ARG(folder));
        buf_str(&joined, entry->link);
        if (!path_clean(&target, buf_view(&joined)))
            return NULL;
        entry = entry_of(p, buf_view(&target));
        if (!entry)
            entry = tree_get(b->t, buf_view(&target));
    }
    return entry && entry->type == ENTRY_FILE ? entry : NULL;
}

/* Is it the folder `folder`, or below it? */
static bool is_of(struct str path, const char *folder)
{
    return str_skip(&path, STR(LOCALES "/")) && path_is_in(path, str_of(folder));
}

static int lay(struct build *b, const struct debpkg *p, const char *folder, struct err *e)
{
    const struct deb_entry *d;

    vec_each(d, &p->entries) {
        struct entry entry = d->entry;
        const struct entry *file = file_of(b, p, &d->entry);

        if (!is_of(d->entry.path, folder) || tree_get(b->t, d->entry.path))
            continue;
        if (file)
            entry = *file;
        else if (entry.type != ENTRY_DIR)
            return err_set(e, ERR_INPUT,
                           "/" STR_FMT " leads to no file of " STR_FMT " or of the system",
                           STR_ARG(d->entry.path), STR_ARG(p->name));
        entry.path = d->entry.path;
        if (tree_parents(b->t, entry.path, entry.mtime, e) < 0 ||
            tree_add(b->t, &entry, false, e) < 0)
            return -1;
    }
    return 0;
}

/* The folder that the package has of a locale: as glibc looks for it, with the codeset first. */
static bool find_folder(struct buf *out, const struct debpkg *p, struct str locale)
{
    CLEANUP(buf_clear) struct buf path = {0};
    struct str territory = str_sub(locale, 0, str_find(locale, '.'));
    struct str modifier = str_sub(locale, str_find(locale, '@'), locale.len);

    locale_folder(out, locale);
    buf_fmt(&path, LOCALES "/%s", out->p);
    if (entry_of(p, buf_view(&path)))
        return true;
    if (territory.len == locale.len)
        return false;
    buf_reset(out);
    buf_fmt(out, STR_FMT STR_FMT, STR_ARG(territory), STR_ARG(modifier));
    buf_reset(&path);
    buf_fmt(&path, LOCALES "/%s", out->p);
    return entry_of(p, buf_view(&path)) != NULL;
}

static int lay_all(struct build *b, struct strs *folders, struct err *e)
{
    const struct system_locales *in = b->in->locales;

    for (size_t i = 0; i < in->names.n; i++) {
        CLEANUP(buf_clear) struct buf folder = {0};

        if (!find_folder(&folder, in->from, in->names.v[i]))
            return err_set(e, ERR_INPUT,
                           "env: the locale \"" STR_FMT "\" is none of those of " STR_FMT
                           " " STR_FMT ", such as en_US.UTF-8",
                           STR_ARG(in->names.v[i]), STR_ARG(in->from->name),
                           STR_ARG(in->from->version));
        if (lay(b, in->from, folder.p, e) < 0)
            return -1;
        strs_add_once(folders, arena_str(&b->t->arena, buf_view(&folder)));
    }
    return 0;
}

/* "en_US.UTF-8 UTF-8" is the line of the folder en_US.utf8. */
static bool is_chosen(struct str line, const struct strs *folders)
{
    CLEANUP(buf_clear) struct buf folder = {0};
    struct str locale;

    str_word(&line, &locale);
    locale_folder(&folder, locale);
    return strs_has(folders, buf_view(&folder));
}

/* Every locale that can be generated; those that are not chosen are comments. */
static int write_list(struct build *b, const struct strs *folders, int64_t date, struct err *e)
{
    CLEANUP(buf_clear) struct buf supported = {0};
    CLEANUP(buf_clear) struct buf out = {0};
    struct str text, line;

    if (build_read(b, "/usr/share/i18n/SUPPORTED", &supported, e) < 0)
        return -1;
    text = buf_view(&supported);
    while (str_line(&text, &line))
        if (line.len && c_alpha(*line.p))
            buf_fmt(&out, "%s" STR_FMT "\n", is_chosen(line, folders) ? "" : "# ",
                    STR_ARG(str_trim_right(line)));
    return make_file(b, "/etc/locale.gen", 0644, 0, date, buf_view(&out), e);
}

/* The default, as update-locale(8) writes it. */
static int write_default(struct build *b, const struct debpkg *p, int64_t date, struct err *e)
{
    CLEANUP(buf_clear) struct buf out = {0};
    bool conf = script_says(p, "postinst", "/etc/locale.conf");

    buf_puts(&out, "#  File generated by update-locale\n");
    if (b->in->locales && b->in->locales->lang.len)
        buf_fmt(&out, "LANG=" STR_FMT "\n", STR_ARG(b->in->locales->lang));
    if (make_file(b, conf ? "/etc/locale.conf" : "/etc/default/locale", 0644, 0, date,
                  buf_view(&out), e) < 0)
        return -1;
    return conf ? make_link(b, "/etc/default/locale", "../locale.conf", date, e) : 0;
}

int system_locales(struct build *b, struct err *e)
{
    const struct debpkg *p = build_package(b, "locales");
    struct strs folders = {0};
    int rc = b->in->locales ? lay_all(b, &folders, e) : 0;

    if (rc == 0 && p)
        rc = write_list(b, &folders, p->newest, e) < 0 || write_default(b, p, p->newest, e) < 0 ? -1
                                                                                                : 0;
    vec_clear(&folders);
    return rc;
}
