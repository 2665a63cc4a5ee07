/* SPDX-License-Identifier: Apache-2.0 */
#include "import_deb.h"

enum {
    ENTRIES_MAX = 1000000,
    NAME_LENGTH = 128,
};

struct importing {
    struct debpkg *p;
    struct spool *spool;
    const char *what;
};

/* Nearly every owner is root: that text is not kept a thousand times. */
static struct str keep_owner(struct arena *a, struct str name)
{
    if (str_is(name, "root"))
        return STR("root");
    return name.len ? arena_str(a, name) : STR("");
}

static int take_entry(void *ctx, const struct tar_entry *u, struct source *data, struct err *e)
{
    struct importing *i = ctx;
    struct debpkg *p = i->p;

    if (!u->entry.path.len)
        return 0;
    if (p->entries.n == ENTRIES_MAX)
        return err_set(e, ERR_INPUT, "%s: more than %d files", i->what, ENTRIES_MAX);
    struct deb_entry *d = vec_push(&p->entries);
    d->entry = u->entry;
    d->entry.path = arena_str(&p->arena, u->entry.path);
    d->entry.link = arena_str(&p->arena, u->entry.link);
    d->uname = keep_owner(&p->arena, u->uname);
    d->gname = keep_owner(&p->arena, u->gname);
    if (d->entry.mtime > p->newest)
        p->newest = d->entry.mtime;
    if (d->entry.type != ENTRY_FILE)
        return 0;
    return spool_keep(&d->entry.content, i->spool, &p->arena, data, u->entry.content.size, e);
}

/* What the rules of system*.c look into. */
static bool is_read_again(struct str name)
{
    static const char *const names[] = {"control", "conffiles", "triggers", "preinst", "postinst"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_is(name, names[i]))
            return true;
    return false;
}

static int take_infos(struct debpkg *p, struct spool *spool, const struct debfile *file,
                      const char *what, struct err *e)
{
    const struct deb_member *m;

    vec_each(m, &file->members) {
        struct deb_info *info = vec_push(&p->infos);
        CLEANUP(source_clear) struct source *bytes = source_bytes(m->bytes, what);

        info->name = arena_str(&p->arena, m->name);
        info->mtime = m->mtime;
        if (spool_keep(&info->content, spool, &p->arena, bytes, m->bytes.len, e) < 0)
            return -1;
        if (is_read_again(m->name))
            info->text = arena_str(&p->arena, m->bytes);
    }
    return 0;
}

/* Names become parts of paths in the dpkg database: Policy 5.6.7, 5.6.8. */
static bool is_name(struct str s, const char *also)
{
    if (!s.len || s.len > NAME_LENGTH || !c_alnum(s.p[0]))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!c_alnum(s.p[i]) && !strchr(also, s.p[i]))
            return false;
    return true;
}

static int take_control(struct debpkg *p, const char *what, struct err *e)
{
    struct str text = debpkg_text(p, "control");
    bool more;

    if (control_next(&p->control, &text, &more, what, e) < 0)
        return -1;
    p->name = control_get(&p->control, "Package");
    p->version = control_get(&p->control, "Version");
    p->arch = control_get(&p->control, "Architecture");
    if (!is_name(p->name, "+-.") || !is_name(p->arch, "-") || !debver_valid(p->version))
        return err_set(e, ERR_INPUT,
                       "%s: \"" STR_FMT "\", \"" STR_FMT "\", \"" STR_FMT
                       "\" are no package, version and architecture",
                       what, STR_ARG(p->name), STR_ARG(p->version), STR_ARG(p->arch));
    p->same = str_is(control_get(&p->control, "Multi-Arch"), "same");
    return 0;
}

int import_deb(struct debpkg *out, struct spool *spool, const struct input *deb, struct err *e)
{
    CLEANUP(debpkg_clear) struct debpkg p = {0};
    CLEANUP(debfile_clear) struct debfile file = {0};
    struct importing i = {&p, spool, deb->name};

    if (debfile_open(&file, deb, e) < 0 || take_infos(&p, spool, &file, deb->name, e) < 0 ||
        take_control(&p, deb->name, e) < 0 || debfile_walk(&file, deb, take_entry, &i, e) < 0)
        return -1;
    MOVE(out, &p);
    return 0;
}

void debpkg_clear(struct debpkg *p)
{
    control_clear(&p->control);
    vec_clear(&p->entries);
    vec_clear(&p->infos);
    arena_clear(&p->arena);
    *p = (struct debpkg){0};
}

struct str debpkg_text(const struct debpkg *p, const char *name)
{
    const struct deb_info *info;

    vec_each(info, &p->infos)
        if (str_is(info->name, name))
            return info->text;
    return STR("");
}
