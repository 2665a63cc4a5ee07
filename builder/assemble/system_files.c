/* SPDX-License-Identifier: Apache-2.0 */
#include "system_parts.h"

enum { MAIL = 8, UTMP = 43, STAFF = 50 };

/* What a package's scripts leave behind on a fresh install. */
struct thing {
    const char *package;
    enum { DIR, FILE_, LINK, COPY } kind;
    uint32_t mode, gid; /* DIR and FILE_ */
    const char *path;
    const char *what; /* text of a file, target of a link, source of a copy */
};

/* In the order of the scripts: a folder before what lies in it. */
static const struct thing things[] = {
    {"base-files", COPY, 0, 0, "/root/.profile", "/usr/share/base-files/dot.profile"},
    {"base-files", COPY, 0, 0, "/root/.bashrc", "/usr/share/base-files/dot.bashrc"},
    {"base-files", COPY, 0, 0, "/etc/profile", "/usr/share/base-files/profile"},
    {"base-files", COPY, 0, 0, "/etc/motd", "/usr/share/base-files/motd"},
    {"base-files", COPY, 0, 0, "/etc/networks", "/usr/share/base-files/networks"},
    {"base-files", COPY, 0, 0, "/usr/share/info/dir", "/usr/share/base-files/info.dir"},
    {"base-files", DIR, 0755, 0, "/mnt", NULL},
    {"base-files", DIR, 0755, 0, "/srv", NULL},
    {"base-files", DIR, 0755, 0, "/opt", NULL},
    {"base-files", DIR, 0755, 0, "/etc/opt", NULL},
    {"base-files", DIR, 0755, 0, "/var/opt", NULL},
    {"base-files", DIR, 0755, 0, "/media", NULL},
    {"base-files", DIR, 02775, MAIL, "/var/mail", NULL},
    {"base-files", LINK, 0, 0, "/var/spool/mail", "../mail"},
    {"base-files", DIR, 01777, 0, "/run/lock", NULL},
    {"base-files", DIR, 0755, 0, "/usr/local", NULL},
    {"base-files", DIR, 0755, 0, "/usr/local/share", NULL},
    {"base-files", DIR, 0755, 0, "/usr/local/share/man", NULL},
    {"base-files", DIR, 0755, 0, "/usr/local/bin", NULL},
    {"base-files", DIR, 0755, 0, "/usr/local/games", NULL},
    {"base-files", DIR, 0755, 0, "/usr/local/lib", NULL},
    {"base-files", DIR, 0755, 0, "/usr/local/include", NULL},
    {"base-files", DIR, 0755, 0, "/usr/local/sbin", NULL},
    {"base-files", DIR, 0755, 0, "/usr/local/src", NULL},
    {"base-files", DIR, 0755, 0, "/usr/local/etc", NULL},
    {"base-files", LINK, 0, 0, "/usr/local/man", "share/man"},
    {"base-files", FILE_, 0664, UTMP, "/var/log/wtmp", ""},
    {"base-files", FILE_, 0660, UTMP, "/var/log/btmp", ""},
    {"base-files", FILE_, 0664, UTMP, "/var/log/lastlog", ""},
    {"ca-certificates", DIR, 0755, 0, "/usr/local/share/ca-certificates", NULL},
    {"fontconfig-config", DIR, 02775, STAFF, "/usr/local/share/fonts", NULL},
    {"fontconfig-config", LINK, 0, 0, "/etc/fonts/conf.d/10-hinting-slight.conf",
     "/usr/share/fontconfig/conf.avail/10-hinting-slight.conf"},
    {"fontconfig-config", LINK, 0, 0, "/etc/fonts/conf.d/70-no-bitmaps.conf",
     "/usr/share/fontconfig/conf.avail/70-no-bitmaps.conf"},
    {"libc-bin", COPY, 0, 0, "/etc/nsswitch.conf", "/usr/share/libc-bin/nsswitch.conf"},
    {"libpam-modules", FILE_, 0600, 0, "/etc/security/opasswd", ""},
    {"libpam-modules", FILE_, 0644, 0, "/etc/environment", ""},
    {"login", FILE_, 0644, 0, "/var/log/faillog", ""},
    {"login", FILE_, 0644, 0, "/etc/subuid", ""},
    {"login", FILE_, 0644, 0, "/etc/subgid", ""},
    {"netbase", FILE_, 0644, 0, "/etc/hosts",
     "127.0.0.1\tlocalhost\n"
     "::1\t\tlocalhost ip6-localhost ip6-loopback\n"
     "ff02::1\t\tip6-allnodes\n"
     "ff02::2\t\tip6-allrouters\n\n"},
    {"netbase", FILE_, 0644, 0, "/etc/networks",
     "default\t\t0.0.0.0\n"
     "loopback\t127.0.0.0\n"
     "link-local\t169.254.0.0\n\n"},
    {"python3", FILE_, 0644, 0, "/etc/python3/debian_config",
     "[DEFAULT]\n"
     "# how to byte-compile (comma separated: standard, optimize)\n"
     "byte-compile = standard\n"},
    {"readline-common", COPY, 0, 0, "/etc/inputrc", "/usr/share/readline/inputrc"},
    {"tzdata", LINK, 0, 0, "/etc/localtime", "/usr/share/zoneinfo/Etc/UTC"},
    {"tzdata", FILE_, 0644, 0, "/etc/timezone", "Etc/UTC\n"},
};

static int make_thing(struct build *b, const struct thing *t, int64_t date, struct err *e)
{
    switch (t->kind) {
    case DIR:
        return make_dir(b, t->path, t->mode, t->gid, date, e);
    case FILE_:
        return make_file(b, t->path, t->mode, t->gid, date, str_of(t->what), e);
    case LINK:
        return make_link(b, t->path, t->what, date, e);
    case COPY:
        return make_copy(b, t->what, t->path, e);
    }
    return 0;
}

/* `chmod`, and `chown` to an account of base-passwd, of what a package ships otherwise. */
static void set_owner(struct build *b, const char *path, uint32_t mode, uint32_t uid)
{
    struct entry *entry = tree_get(b->t, str_of(path));

    if (!entry)
        return;
    entry->mode = mode;
    entry->uid = uid;
}

static int name_vendor(struct build *b, struct err *e)
{
    static const char *const vendors[] = {"ubuntu", "debian"};
    const struct debpkg *base = build_package(b, "base-files");

    for (size_t i = 0; base && i < ARRAY_LEN(vendors); i++) {
        CLEANUP(buf_clear) struct buf origin = {0};
        buf_fmt(&origin, "/etc/dpkg/origins/%s", vendors[i]);
        if (build_has(b, origin.p))
            return make_link(b, "/etc/dpkg/origins/default", vendors[i], base->newest, e);
    }
    return 0;
}

/* Each pythonX.Y-minimal makes room for local packages and remembers that it is new. */
static int add_pythons(struct build *b, struct err *e)
{
    for (size_t i = 0; i < b->n; i++) {
        struct str name = b->v[i]->name;
        CLEANUP(buf_clear) struct buf local = {0};
        CLEANUP(buf_clear) struct buf mark = {0};
        if (!str_drop(&name, STR("-minimal")) || !str_starts(name, STR("python3.")))
            continue;
        buf_fmt(&local, "/usr/local/lib/" STR_FMT "/dist-packages", STR_ARG(name));
        buf_fmt(&mark, "/var/lib/python/" STR_FMT "_installed", STR_ARG(name));
        if (make_dir(b, local.p, 0755, 0, b->v[i]->newest, e) < 0 ||
            make_file(b, mark.p, 0644, 0, b->v[i]->newest, STR(""), e) < 0)
            return -1;
    }
    return 0;
}

/* The shells that packages announce; first as they say, then under their real paths in /usr. */
static int list_shells(const struct build *b, struct strs *shells, struct buf *texts,
                       int64_t *newest, struct err *e)
{
    struct entries found = {0};
    int rc = build_read(b, "/usr/share/debianutils/shells", texts, e);

    build_list(b, "usr/share/debianutils/shells.d", "", &found);
    for (size_t i = 0; i < found.n && rc == 0; i++) {
        CLEANUP(free_clear) char *path = str_dup(found.v[i]->path);
        if (found.v[i]->mtime > *newest)
            *newest = found.v[i]->mtime;
        rc = build_read(b, path, texts, e);
    }
    vec_clear(&found);
    struct str rest = buf_view(texts), line;
    while (str_line(&rest, &line))
        if (str_starts(line, STR("/")))
            vec_add(shells, line);
    return rc;
}

static int write_shells(struct build *b, const struct strs *shells, int64_t date, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(buf_clear) struct buf twins = {0};
    CLEANUP(buf_clear) struct buf state = {0};

    buf_puts(&text, "# /etc/shells: valid login shells\n");
    for (size_t i = 0; i < shells->n; i++) {
        CLEANUP(buf_clear) struct buf real = {0};
        struct str shell = shells->v[i];
        buf_fmt(&text, STR_FMT "\n", STR_ARG(shell));
        buf_fmt(&state, STR_FMT "\n", STR_ARG(shell));
        if (tree_resolve(b->t, &real, str_sub(shell, 1, shell.len), e) < 0)
            return -1;
        if (str_eq(buf_view(&real), str_sub(shell, 1, shell.len)))
            continue;
        buf_fmt(&twins, "/%s\n", real.p);
        buf_fmt(&state, "/%s\n", real.p);
    }
    buf_str(&text, buf_view(&twins));
    if (make_file(b, "/etc/shells", 0644, 0, date, buf_view(&text), e) < 0)
        return -1;
    return make_file(b, "/var/lib/shells.state", 0644, 0, date, buf_view(&state), e);
}

static int add_shells(struct build *b, struct err *e)
{
    const struct debpkg *p = build_package(b, "debianutils");
    CLEANUP(buf_clear) struct buf texts = {0};
    struct strs shells = {0};

    if (!p)
        return 0;
    int64_t date = p->newest;
    int rc = list_shells(b, &shells, &texts, &date, e);
    if (rc == 0)
        rc = write_shells(b, &shells, date, e);
    vec_clear(&shells);
    return rc;
}

int system_files(struct build *b, struct err *e)
{
    enum { APT = 42 }; /* user _apt of base-passwd since Debian 12 */

    for (size_t i = 0; i < ARRAY_LEN(things); i++) {
        const struct debpkg *p = build_package(b, things[i].package);
        if (p && make_thing(b, &things[i], p->newest, e) < 0)
            return -1;
    }
    set_owner(b, "etc/sudoers", 0440, 0);
    set_owner(b, "var/lib/apt/lists/partial", 0700, APT);
    set_owner(b, "var/cache/apt/archives/partial", 0700, APT);
    if (name_vendor(b, e) < 0 || add_pythons(b, e) < 0)
        return -1;
    return add_shells(b, e);
}
