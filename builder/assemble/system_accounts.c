/* SPDX-License-Identifier: Apache-2.0 */
#include "system_parts.h"

enum { SHADOW = 42, DAY = 86400 };

/* A file of a package before the tree stands: owners must be known to build it. */
static int read_packaged(const struct debpkg *p, const char *path, struct buf *out, struct err *e)
{
    const struct deb_entry *d;

    vec_each (d, &p->entries)
        if (d->entry.type == ENTRY_FILE && str_is(d->entry.path, path))
            return content_text(&d->entry.content, out, path, e);
    return err_set(e, ERR_INPUT, "package " STR_FMT " lacks /%s, which a rule needs",
                   STR_ARG(p->name), path);
}

int accounts_open(struct accounts *out, const struct build *b, struct err *e)
{
    const struct debpkg *p = build_package(b, "base-passwd");

    if (!p)
        return 0;
    if (read_packaged(p, "usr/share/base-passwd/passwd.master", &out->passwd, e) < 0)
        return -1;
    return read_packaged(p, "usr/share/base-passwd/group.master", &out->group, e);
}

void accounts_clear(struct accounts *a)
{
    buf_clear(&a->passwd);
    buf_clear(&a->group);
}

/* The third field of the line whose first one is `name`. */
static uint32_t find_id(const struct buf *table, struct str name, uint32_t number)
{
    struct str text = buf_view(table), line, field;
    uint32_t id;

    if (str_is(name, "root"))
        return 0;
    while (name.len && str_line(&text, &line))
        if (str_cut(&line, STR(":"), &field) && str_eq(field, name) &&
            str_cut(&line, STR(":"), &field) && str_cut(&line, STR(":"), &field) &&
            str_u32(field, &id))
            return id;
    return number;
}

uint32_t accounts_user(const struct accounts *a, struct str name, uint32_t number)
{
    return find_id(&a->passwd, name, number);
}

uint32_t accounts_group(const struct accounts *a, struct str name, uint32_t number)
{
    return find_id(&a->group, name, number);
}

/* A master file with its second field made "x", and the shadow file that goes with it: each name
 * and then `rest`. What shadowconfig does. */
static void shadow(struct buf *plain, struct buf *hidden, const struct buf *master,
                   const char *rest)
{
    struct str text = buf_view(master), line, name, password;

    while (str_line(&text, &line)) {
        if (!str_cut(&line, STR(":"), &name) || !str_cut(&line, STR(":"), &password))
            continue;
        buf_fmt(plain, STR_FMT ":x:" STR_FMT "\n", STR_ARG(name), STR_ARG(line));
        buf_fmt(hidden, STR_FMT ":*:%s\n", STR_ARG(name), rest);
    }
}

static int add_shadow(struct build *b, const struct accounts *a, int64_t date, struct err *e)
{
    CLEANUP(buf_clear) struct buf passwd = {0};
    CLEANUP(buf_clear) struct buf group = {0};
    CLEANUP(buf_clear) struct buf hidden = {0};
    CLEANUP(buf_clear) struct buf hidden_group = {0};
    CLEANUP(buf_clear) struct buf rest = {0};

    /* The day of the last password change; there is no clock here but the package's. */
    buf_fmt(&rest, "%lld:0:99999:7:::", (long long)(date / DAY));
    shadow(&passwd, &hidden, &a->passwd, rest.p);
    shadow(&group, &hidden_group, &a->group, ":");
    if (make_file(b, "/etc/passwd", 0644, 0, date, buf_view(&passwd), e) < 0 ||
        make_file(b, "/etc/group", 0644, 0, date, buf_view(&group), e) < 0 ||
        make_file(b, "/etc/shadow", 0640, SHADOW, date, buf_view(&hidden), e) < 0)
        return -1;
    return make_file(b, "/etc/gshadow", 0640, SHADOW, date, buf_view(&hidden_group), e);
}

int system_accounts(struct build *b, const struct accounts *a, struct err *e)
{
    const struct debpkg *base = build_package(b, "base-passwd");

    if (!base)
        return 0;
    if (build_package(b, "passwd"))
        return add_shadow(b, a, base->newest, e);
    if (make_file(b, "/etc/passwd", 0644, 0, base->newest, buf_view(&a->passwd), e) < 0)
        return -1;
    return make_file(b, "/etc/group", 0644, 0, base->newest, buf_view(&a->group), e);
}
