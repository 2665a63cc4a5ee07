/* SPDX-License-Identifier: Apache-2.0 */
#include "system_parts.h"

enum { SHADOW = 42, NOGROUP = 65534, FIRST_FREE = 100 };

/* A file of a package before the tree stands: owners must be known to build it. */
static int read_packaged(const struct debpkg *p, const char *path, struct buf *out, struct err *e)
{
    const struct deb_entry *d;

    vec_each(d, &p->entries)
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

uint32_t table_id(const struct buf *table, struct str name, uint32_t otherwise)
{
    struct str text = buf_view(table), line, field;
    uint32_t id;

    while (name.len && str_line(&text, &line))
        if (str_cut(&line, STR(":"), &field) && str_eq(field, name) &&
            str_cut(&line, STR(":"), &field) && str_cut(&line, STR(":"), &field) &&
            str_u32(field, &id))
            return id;
    return otherwise;
}

bool table_has(const struct buf *table, struct str name)
{
    struct str text = buf_view(table), line, field;

    while (str_line(&text, &line))
        if (str_cut(&line, STR(":"), &field) && str_eq(field, name))
            return true;
    return false;
}

bool table_has_id(const struct buf *table, uint32_t id)
{
    struct str text = buf_view(table), line, field;
    uint32_t n;

    while (str_line(&text, &line))
        if (str_cut(&line, STR(":"), &field) && str_cut(&line, STR(":"), &field) &&
            str_cut(&line, STR(":"), &field) && str_u32(field, &n) && n == id)
            return true;
    return false;
}

static uint32_t find_id(const struct buf *table, struct str name, uint32_t number)
{
    return str_is(name, "root") ? 0 : table_id(table, name, number);
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

/* Accounts that packages add by adduser(8). Ids are the first free ones from 100, in the order of
 * this table. */
static const struct added {
    const char *package;
    const char *user, *home; /* NULL: none */
    const char *group;       /* NULL: none; the user's own is nogroup then */
} added[] = {
    {"apt", "_apt", "/nonexistent", NULL}, /* since Debian 12 one of base-passwd's */
    {"libibverbs1", NULL, NULL, "rdma"},
    {"openssh-client", NULL, NULL, "_ssh"},
    {"openssh-server", "sshd", "/run/sshd", NULL},
};

static void tables_clear(struct tables *t)
{
    buf_clear(&t->passwd);
    buf_clear(&t->group);
    buf_clear(&t->shadow);
    buf_clear(&t->gshadow);
}

static uint32_t free_id(const struct buf *table)
{
    uint32_t id = FIRST_FREE;

    while (table_has_id(table, id))
        id++;
    return id;
}

static void add_account(struct tables *t, const struct added *a, int64_t date)
{
    if (a->group) {
        buf_fmt(&t->group, "%s:x:%u:\n", a->group, free_id(&t->group));
        buf_fmt(&t->gshadow, "%s:!::\n", a->group);
    }
    if (a->user) {
        buf_fmt(&t->passwd, "%s:x:%u:%u::%s:/usr/sbin/nologin\n", a->user, free_id(&t->passwd),
                NOGROUP, a->home);
        buf_fmt(&t->shadow, "%s:!:%lld::::::\n", a->user, (long long)(date / DAY));
    }
    if (date > t->date)
        t->date = date;
}

static int write_tables(struct build *b, const struct tables *t, struct err *e)
{
    if (make_file(b, "/etc/passwd", 0644, 0, t->date, buf_view(&t->passwd), e) < 0 ||
        make_file(b, "/etc/group", 0644, 0, t->date, buf_view(&t->group), e) < 0 ||
        make_file(b, "/etc/shadow", 0640, SHADOW, t->date, buf_view(&t->shadow), e) < 0)
        return -1;
    return make_file(b, "/etc/gshadow", 0640, SHADOW, t->date, buf_view(&t->gshadow), e);
}

static void own_ssh_agent(struct build *b, const struct tables *t)
{
    struct entry *agent = tree_get(b->t, STR("usr/bin/ssh-agent"));

    if (!agent || !build_package(b, "openssh-client"))
        return;
    agent->mode = 02755;
    agent->gid = find_id(&t->group, STR("_ssh"), agent->gid);
}

static int add_shadow(struct build *b, const struct accounts *a, int64_t date, struct err *e)
{
    CLEANUP(tables_clear) struct tables t = {.date = date};
    CLEANUP(buf_clear) struct buf rest = {0};

    /* The day of the last password change; there is no clock here but the package's. */
    buf_fmt(&rest, "%lld:0:99999:7:::", (long long)(date / DAY));
    shadow(&t.passwd, &t.shadow, &a->passwd, rest.p);
    shadow(&t.group, &t.gshadow, &a->group, ":");
    if (system_sysusers(b, &t, e) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(added); i++) {
        const struct debpkg *p = build_package(b, added[i].package);
        if (p && (!added[i].user ||
                  (!package_has_sysusers(p) && !table_has(&t.passwd, str_of(added[i].user)))))
            add_account(&t, &added[i], p->newest);
    }
    own_ssh_agent(b, &t);
    return write_tables(b, &t, e);
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
