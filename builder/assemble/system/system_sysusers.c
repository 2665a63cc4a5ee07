/* What systemd-sysusers makes of the files that packages bring and ask it to heed: sysusers.d(5),
 * whose lines are "type name id gecos home shell". */
/* SPDX-License-Identifier: Apache-2.0 */
#include "system_parts.h"

enum { LAST_FREE = 999, FIRST_SYSTEM = 100 };

static const char command[] = "systemd-sysusers ";

bool package_has_sysusers(const struct debpkg *p)
{
    return script_says(p, "postinst", command);
}

/* The next field: a word, or a text in quotes. "-" and nothing mean the same: empty. */
static struct str next_field(struct str *line)
{
    struct str field;

    *line = str_trim_left(*line);
    if (str_skip(line, STR("\""))) {
        if (str_cut(line, STR("\""), &field))
            return field;
        field = *line;
        *line = STR("");
        return field;
    }
    if (!str_word(line, &field) || str_is(field, "-"))
        return STR("");
    return field;
}

/* The highest id that is free for a user and for a group alike. */
static uint32_t pick_id(const struct tables *t)
{
    uint32_t id = LAST_FREE;

    while (id > FIRST_SYSTEM && (table_has_id(&t->passwd, id) || table_has_id(&t->group, id)))
        id--;
    return id;
}

static void add_group(struct tables *t, struct str name, uint32_t id)
{
    buf_fmt(&t->group, STR_FMT ":x:%u:\n", STR_ARG(name), id);
    buf_fmt(&t->gshadow, STR_FMT ":!*::\n", STR_ARG(name));
}

static void declare_group(struct tables *t, struct str name, struct str id)
{
    uint32_t number;

    if (!name.len || table_has(&t->group, name))
        return;
    add_group(t, name, str_u32(id, &number) ? number : pick_id(t));
}

/* The id may be "UID", "UID:GID" or "UID:GROUP"; without a group the user gets one of its name. */
static void declare_user(struct tables *t, struct str name, struct str line, bool locked,
                         int64_t date)
{
    struct str id = next_field(&line), gecos = next_field(&line), home = next_field(&line);
    struct str shell = next_field(&line), user = id;
    bool has_group = str_cut(&id, STR(":"), &user);
    uint32_t uid, gid;

    if (!name.len || table_has(&t->passwd, name))
        return;
    if (!str_u32(user, &uid))
        uid = pick_id(t);
    if (!has_group) {
        if (!table_has(&t->group, name))
            add_group(t, name, uid);
        gid = table_id(&t->group, name, uid);
    } else if (!str_u32(id, &gid)) {
        gid = table_id(&t->group, id, uid);
    }
    buf_fmt(&t->passwd, STR_FMT ":x:%u:%u:" STR_FMT ":" STR_FMT ":" STR_FMT "\n", STR_ARG(name),
            uid, gid, STR_ARG(gecos), STR_ARG(home.len ? home : STR("/")),
            STR_ARG(shell.len ? shell : STR("/usr/sbin/nologin")));
    buf_fmt(&t->shadow, STR_FMT ":!*:%lld:::::%s:\n", STR_ARG(name), (long long)(date / DAY),
            locked ? "1" : "");
}

/* All groups of a file come before its users. */
static void declare_all(struct tables *t, struct str text, bool users, int64_t date)
{
    struct str line;

    while (str_line(&text, &line)) {
        struct str type = next_field(&line);
        bool locked = str_drop(&type, STR("!"));
        if (!str_is(type, users ? "u" : "g"))
            continue;
        struct str name = next_field(&line);
        if (users)
            declare_user(t, name, line, locked, date);
        else
            declare_group(t, name, next_field(&line));
    }
}

static int read_files(struct build *b, struct str words, struct buf *out, struct err *e)
{
    struct str word;

    while (str_word(&words, &word)) {
        CLEANUP(buf_clear) struct buf path = {0};
        buf_fmt(&path, "/usr/lib/sysusers.d/" STR_FMT, STR_ARG(word));
        if (str_ends(word, STR(".conf")) && build_read(b, path.p, out, e) < 0)
            return -1;
        buf_putc(out, '\n');
    }
    return 0;
}

static int heed_package(struct build *b, const struct debpkg *p, struct tables *t, struct err *e)
{
    struct str script = debpkg_text(p, "postinst"), line;

    while (str_line(&script, &line)) {
        CLEANUP(buf_clear) struct buf text = {0};
        line = str_trim(line);
        if (!str_skip(&line, str_of(command)))
            continue;
        if (read_files(b, line, &text, e) < 0)
            return err_wrap(e, "package " STR_FMT, STR_ARG(p->name));
        declare_all(t, buf_view(&text), false, p->newest);
        declare_all(t, buf_view(&text), true, p->newest);
        t->date = p->newest > t->date ? p->newest : t->date;
    }
    return 0;
}

/* Those that declare accounts depend on systemd, so its own come first; the rest go by name. */
int system_sysusers(struct build *b, struct tables *t, struct err *e)
{
    const struct debpkg *systemd = build_package(b, "systemd");

    if (systemd && heed_package(b, systemd, t, e) < 0)
        return -1;
    for (size_t i = 0; i < b->n; i++)
        if (b->v[i] != systemd && heed_package(b, b->v[i], t, e) < 0)
            return -1;
    if (!systemd || !table_has(&t->group, STR("systemd-journal")))
        return 0;
    return make_dir(b, "/var/log/journal", 02755, table_id(&t->group, STR("systemd-journal"), 0),
                    systemd->newest, e);
}
