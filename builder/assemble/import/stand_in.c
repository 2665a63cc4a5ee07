/* SPDX-License-Identifier: Apache-2.0 */
#include "stand_in.h"

#include "../../base/path.h"

/* "libcuda1 (= 550.54.15), ..."; with `plain` the names alone. */
static void put_names(struct buf *out, const char *field, const struct strs *list, bool plain)
{
    for (size_t i = 0; i < list->n; i++) {
        struct str name = list->v[i];

        buf_fmt(out, "%s%s" STR_FMT, i ? ", " : field, i ? "" : ": ",
                STR_ARG(plain ? str_sub(name, 0, str_find(name, ' ')) : name));
    }
    buf_puts(out, list->n ? "\n" : "");
}

static struct str control_text(struct arena *a, const struct lock_stand_in *s)
{
    CLEANUP(buf_clear) struct buf text = {0};

    buf_fmt(&text,
            "Package: " STR_FMT "\nPriority: optional\nSection: misc\nInstalled-Size: 0\n"
            "Maintainer: envbuild <envbuild@localhost>\nArchitecture: all\nVersion: " STR_FMT "\n",
            STR_ARG(s->name), STR_ARG(s->version));
    if (s->links.n) /* so that the real ones can be installed over it */
        put_names(&text, "Replaces", &s->provides, true);
    put_names(&text, "Provides", &s->provides, false);
    buf_fmt(&text,
            "Description: " STR_FMT "\n"
            " A stand-in made by envbuild, so that the packages that depend on what it provides\n"
            " are whole.\n",
            STR_ARG(s->summary));
    return arena_str(a, buf_view(&text));
}

/* A link, behind the folders above it that are not there yet. */
static int add_link(struct debpkg *p, const struct lock_link *link, int64_t date, struct err *e)
{
    struct str path = link->path;

    if (!str_skip(&path, STR("/")) || !path_is_safe(path) || !link->target.len)
        return err_set(e, ERR_INPUT, "\"" STR_FMT "\" is not a place for a link",
                       STR_ARG(link->path));
    for (size_t i = 0; i <= path.len; i++) {
        struct str part = str_sub(path, 0, i);
        struct deb_entry d = {.entry = {.type = ENTRY_DIR, .mode = 0755, .mtime = date}};
        const struct deb_entry *there;
        bool known = false;

        if (i < path.len && path.p[i] != '/')
            continue;
        vec_each(there, &p->entries)
            known |= str_eq(there->entry.path, part);
        if (known)
            continue;
        d.entry.path = arena_str(&p->arena, part);
        if (i == path.len) {
            d.entry.type = ENTRY_SYMLINK;
            d.entry.mode = 0777;
            d.entry.link = arena_str(&p->arena, link->target);
        }
        vec_add(&p->entries, d);
    }
    return 0;
}

int stand_in_package(struct debpkg *out, const struct lock_stand_in *s, int64_t date, struct err *e)
{
    CLEANUP(debpkg_clear) struct debpkg p = {.newest = date};
    struct str text = control_text(&p.arena, s), rest = text;
    bool more;

    if (control_next(&p.control, &rest, &more, "stand-in", e) < 0)
        return -1;
    p.name = arena_str(&p.arena, s->name);
    p.version = arena_str(&p.arena, s->version);
    p.arch = STR("all");
    if (!path_is_safe(p.name) || str_has(p.name, '/') || !debver_valid(p.version) || rest.len)
        return err_set(e, ERR_INPUT, "\"" STR_FMT "\" \"" STR_FMT "\" is not a package",
                       STR_ARG(s->name), STR_ARG(s->version));
    vec_add(&p.infos, ((struct deb_info){.name = STR("control"), .text = text, .mtime = date}));
    /* Of no file: dpkg --audit complains of packages that have none. */
    vec_add(&p.infos, ((struct deb_info){.name = STR("md5sums"),
                                         .content = {CONTENT_BYTES, .size = 0, .bytes = ""},
                                         .mtime = date}));
    for (size_t i = 0; i < s->links.n; i++)
        if (add_link(&p, &s->links.v[i], date, e) < 0)
            return err_wrap(e, "stand-in " STR_FMT, STR_ARG(s->name));
    MOVE(out, &p);
    return 0;
}
